"""`fazt hooks`: webhooks that others deliver here."""

import base64
import sys
from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, print_json, size, table
from fazt.cli.secret_input import secret_options

STYLES = ("github", "stripe", "hmac", "none")


@click.group(short_help="Take webhooks: check, keep, and run a function.")
def hooks() -> None:
    """Take webhooks of others: their signature is checked, they are kept, and a function of a site may run.

    \b
    Example:
      fazt hooks create pushes --style github --site blog --function build
    """


@hooks.command("list")
@click.argument("site", required=False)
@json_option
@server_options
def list_(site: str | None, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the hooks of SITE, or of all sites and the server.

    \b
    Example:
      fazt hooks list
    """
    with connect(db, remote) as client:
        items = list(client.items("hooks", query={"site": site}))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no hook yet. Make one: fazt hooks create NAME --style github")
    else:
        rows = [
            (
                item["name"],
                item["site"] or "the server",
                item["style"],
                item["function"] or "",
                "on" if item["enabled"] else "off",
                str(item["received"]),
                str(item["refused"]),
                age(item["last_received_at"]),
            )
            for item in items
        ]
        table(("HOOK", "OF", "STYLE", "FUNCTION", "STATE", "RECEIVED", "REFUSED", "LAST"), rows)


@hooks.command()
@click.argument("name")
@click.option("--style", type=click.Choice(STYLES), required=True, help="How deliveries are signed.")
@click.option("--site", metavar="SITE", help="The site that it belongs to (default: the server).")
@click.option("--function", metavar="NAME", help="What runs for each delivery: api/_jobs/NAME.js of the site.")
@secret_options("Take the secret from a pipe or a prompt (default: a new one).")
@json_option
@server_options
def create(
    name: str,
    style: str,
    site: str | None,
    function: str | None,
    secret: str | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Make the hook NAME; print where to deliver and, this once, the secret to sign with.

    \b
    Examples:
      fazt hooks create pushes --style github --site blog --function build
      fazt hooks create payments --style stripe --secret-file whsec.txt
    """
    body = {"name": name, "style": style, "site": site, "function": function, "secret": secret}
    with connect(db, remote, create=True) as client:
        made = client.ask("POST", "hooks", body=body)
    if as_json:
        print_json(made)
        return
    told = [("deliver to", made["url"])]
    if made["secret"] is not None and secret is None:
        told.append(("secret", made["secret"]))
    facts(told)
    if made["secret"] is not None and secret is None:
        click.secho("The secret is not shown again.", dim=True, err=True)


@hooks.command()
@click.argument("name")
@json_option
@server_options
def show(name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show the hook NAME, without its secret.

    \b
    Example:
      fazt hooks show pushes
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "hooks", name)
    if as_json:
        print_json(found)
        return
    facts(
        (
            ("deliver to", found["url"]),
            ("of", found["site"] or "the server"),
            ("style", found["style"]),
            ("function", found["function"] or "none: deliveries are kept only"),
            ("state", "on" if found["enabled"] else "off"),
            ("received", f"{found['received']}, the last {age(found['last_received_at'])}"),
            ("refused", f"{found['refused']}, the last {age(found['last_refused_at'])}"),
        )
    )


@hooks.command("set")
@click.argument("name")
@click.option("--style", type=click.Choice(STYLES), help="How deliveries are signed.")
@click.option("--function", metavar="NAME", help="What runs for each delivery; empty: nothing.")
@click.option("--on/--off", "enabled", default=None, help="Take deliveries, or answer as if there were no hook.")
@secret_options("Take a new secret from a pipe or a prompt.")
@json_option
@server_options
def set_(
    name: str,
    style: str | None,
    function: str | None,
    enabled: bool | None,
    secret: str | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Change the hook NAME; a new secret counts from the next delivery on.

    \b
    Examples:
      fazt hooks set pushes --function build
      fazt hooks set pushes --off
    """
    body: dict[str, Any] = {}
    if style is not None:
        body["style"] = style
    if function is not None:
        body["function"] = function or None
    if enabled is not None:
        body["enabled"] = enabled
    if secret is not None:
        body["secret"] = secret
    if not body:
        raise click.UsageError("Say what is to be different: --style, --function, --on, --off or --secret.")
    with connect(db, remote) as client:
        made = client.ask("PATCH", "hooks", name, body=body)
    if as_json:
        print_json(made)
    else:
        click.echo(f"The hook {name} is changed.")


@hooks.command()
@click.argument("name")
@server_options
def remove(name: str, db: str | None, remote: str | None) -> None:
    """Delete the hook NAME with all that it brought.

    \b
    Example:
      fazt hooks remove pushes
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "hooks", name)
    click.echo(f"The hook {name} takes nothing any more.")


@hooks.command()
@click.argument("name")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
@server_options
def deliveries(name: str, limit: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """List what the hook NAME brought, newest first.

    \b
    Example:
      fazt hooks deliveries pushes
    """
    with connect(db, remote) as client:
        items = client.ask("GET", "hooks", name, "deliveries", query={"limit": limit})["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("It has brought nothing yet.")
    else:
        rows = [
            (item["id"], age(item["at"]), item["event"] or "", size(item["bytes"]), item["address"], item["job"] or "")
            for item in items
        ]
        table(("DELIVERY", "WHEN", "EVENT", "SIZE", "FROM", "JOB"), rows)


@hooks.command()
@click.argument("name")
@click.argument("delivery")
@json_option
@server_options
def delivery(name: str, delivery: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Print the body of a DELIVERY of the hook NAME; --json has the headers too.

    \b
    Example:
      fazt hooks delivery pushes 8c1f03ab52d94e7710aa
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "hooks", name, "deliveries", delivery)
    if as_json:
        print_json(found)
    elif found["encoding"] == "base64":
        sys.stdout.buffer.write(base64.b64decode(found["body"]))
    else:
        click.echo(found["body"])


@hooks.command()
@click.argument("name")
@click.argument("delivery")
@json_option
@server_options
def replay(name: str, delivery: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Run the function of the hook NAME once more on a DELIVERY.

    \b
    Example:
      fazt hooks replay pushes 8c1f03ab52d94e7710aa
    """
    with connect(db, remote) as client:
        made = client.ask("POST", "hooks", name, "deliveries", delivery, "replay")
    if as_json:
        print_json(made)
    else:
        click.echo(f"It runs as the job {made['job']} as soon as there is room.")
