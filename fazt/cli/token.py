"""`fazt token`: keys for the API."""

import click

from fazt.cli.client import connect
from fazt.cli.logs import Duration
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, print_json, table


@click.group(short_help="Make and revoke keys for the API.")
def token() -> None:
    """Make and revoke tokens: what another machine needs to deploy here.

    \b
    Example:
      fazt token create --site blog --action deploy
    """


@token.command()
@click.option("--site", "sites", metavar="NAME", multiple=True, help="Only this site; can be given several times.")
@click.option(
    "--action",
    "actions",
    multiple=True,
    required=True,
    type=click.Choice(["read", "deploy", "admin"]),
    help="What it may do; several times for several.",
)
@click.option("--expires", type=Duration(), metavar="TIME", help="How long it works: 12h, 90d (default: for ever).")
@click.option("--label", metavar="TEXT", default="", help="What it is for.")
@json_option
@server_options
def create(
    sites: tuple[str, ...],
    actions: tuple[str, ...],
    expires: int | None,
    label: str,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Make a token and print it, this once: only its hash is kept.

    \b
    Example:
      fazt token create --site blog --action deploy --expires 90d --label "build server"
    """
    body = {"label": label, "sites": list(sites) or None, "actions": list(actions), "expires_in_s": expires}
    with connect(db, remote, create=True) as client:
        found = client.ask("POST", "tokens", body=body)
    if as_json:
        print_json(found)
        return
    click.echo(found["token"])
    where = ", ".join(sites) or "all sites"
    click.secho(f"It may {', '.join(actions)} on {where}. It is not shown again.", dim=True, err=True)


@token.command("list")
@json_option
@server_options
def list_(as_json: bool, db: str | None, remote: str | None) -> None:
    """List the tokens; what they open, and when they were last used.

    \b
    Example:
      fazt token list
    """
    with connect(db, remote) as client:
        items = list(client.items("tokens"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no token yet. Make one: fazt token create --action deploy")
    else:
        rows = [
            (
                item["id"],
                "all" if item["sites"] is None else ", ".join(item["sites"]),
                ", ".join(item["actions"]),
                age(item["last_used_at"]),
                age(item["expires_at"]) if item["expires_at"] else "never",
                item["label"],
            )
            for item in items
        ]
        table(("TOKEN", "SITES", "MAY", "USED", "EXPIRES", "LABEL"), rows)


@token.command()
@click.argument("token")
@server_options
def revoke(token: str, db: str | None, remote: str | None) -> None:
    """Make TOKEN useless at once; its first 8 characters are enough.

    \b
    Example:
      fazt token revoke fazt_a1b
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "tokens", token[:8])
    click.echo(f"{token[:8]} opens nothing any more.")
