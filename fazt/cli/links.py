"""`fazt links`: short links of the server's own domain."""

from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, print_json, table


@click.group(short_help="Short links: /r/NAME of your domain leads elsewhere.")
def links() -> None:
    """Make short links under /r/ of the server's domain, and see how often they are followed.

    \b
    Example:
      fazt links create https://example.org/a/long/page --slug talk
    """


@links.command("list")
@json_option
@server_options
def list_(as_json: bool, db: str | None, remote: str | None) -> None:
    """List the links, newest first.

    \b
    Example:
      fazt links list
    """
    with connect(db, remote) as client:
        items = list(client.items("links"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no link yet. Make one: fazt links create URL")
    else:
        rows = [
            (item["slug"], item["target"], str(item["clicks"]), age(item["last_clicked_at"]), item["label"])
            for item in items
        ]
        table(("SLUG", "LEADS TO", "CLICKS", "LAST", "LABEL"), rows)


@links.command()
@click.argument("url")
@click.option("--slug", metavar="SLUG", help="The name behind /r/ (default: seven random characters).")
@click.option("--label", metavar="TEXT", default="", help="What it is for.")
@json_option
@server_options
def create(url: str, slug: str | None, label: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Make a link that leads to URL, and print its address.

    \b
    Example:
      fazt links create https://example.org/slides.pdf --slug talk --label "at the meeting"
    """
    with connect(db, remote, create=True) as client:
        made = client.ask("POST", "links", body={"target": url, "slug": slug, "label": label})
    if as_json:
        print_json(made)
    else:
        click.echo(made["url"])


@links.command("set")
@click.argument("slug")
@click.option("--to", "target", metavar="URL", help="Where it leads from now on.")
@click.option("--label", metavar="TEXT", help="What it is for.")
@json_option
@server_options
def set_(slug: str, target: str | None, label: str | None, as_json: bool, db: str | None, remote: str | None) -> None:
    """Let the link SLUG lead elsewhere, or call it otherwise.

    \b
    Example:
      fazt links set talk --to https://example.org/slides-2.pdf
    """
    given = {"target": target, "label": label}
    body = {name: value for name, value in given.items() if value is not None}
    if not body:
        raise click.UsageError("Say what is to be different: --to URL or --label TEXT.")
    with connect(db, remote) as client:
        made = client.ask("PATCH", "links", slug, body=body)
    _show(made, as_json)


@links.command()
@click.argument("slug")
@server_options
def remove(slug: str, db: str | None, remote: str | None) -> None:
    """Delete the link SLUG; its path is the root site's again.

    \b
    Example:
      fazt links remove talk
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "links", slug)
    click.echo(f"The link {slug} leads nowhere any more.")


def _show(link: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(link)
        return
    facts((("link", link["url"]), ("leads to", link["target"]), ("label", link["label"])))
