"""`fazt versions` and `fazt rollback`: what a site was, is, and can be again."""

import itertools
from typing import Any

import click

from fazt.cli.client import Client, connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, number, print_json, size, table
from fazt.errors import Forbidden


@click.group(short_help="List, compare and prune the versions of a site.")
def versions() -> None:
    """List, show, compare and prune the versions of a site.

    \b
    Example:
      fazt versions list blog
    """


@versions.command("list")
@click.argument("site")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many, newest first.")
@json_option
@server_options
def list_(site: str, limit: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the versions of SITE, newest first.

    \b
    Example:
      fazt versions list blog --limit 5
    """
    with connect(db, remote) as client:
        items = list(itertools.islice(client.items("sites", site, "versions"), limit))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo(f"{site} has no version yet. Make one: fazt deploy DIR --site {site}")
    else:
        rows = [
            (
                item["id"][:8],
                "live" if item["live"] else "",
                age(item["created_at"]),
                f"{item['files']:,}",
                size(item["bytes"]),
                item["message"],
            )
            for item in items
        ]
        table(("VERSION", "", "MADE", "FILES", "SIZE", "MESSAGE"), rows)


@versions.command()
@click.argument("site")
@click.argument("version", default="live")
@click.option("--files", "with_files", is_flag=True, help="List its files too.")
@json_option
@server_options
def show(site: str, version: str, with_files: bool, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show one version of SITE: the live one, or VERSION.

    \b
    Example:
      fazt versions show blog 3fa2b1c0 --files
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "sites", site, "versions", version)
        files = list(client.items("sites", site, "versions", version, "files")) if with_files else []
    if as_json:
        print_json(found | ({"items": files} if with_files else {}))
        return
    facts(
        [
            ("version", found["id"]),
            ("state", "live" if found["live"] else "not live"),
            ("address", found["url"]),
            ("made", f"{age(found['created_at'])}, by {found['source']}"),
            ("message", found["message"] or "none"),
            ("content", f"{number(found['files'], 'file')}, {size(found['bytes'])}"),
        ]
    )
    if files:
        click.echo()
        table(("PATH", "SIZE", "HASH"), [(file["path"], size(file["size"]), file["hash"][:16]) for file in files])


@versions.command()
@click.argument("site")
@click.argument("version")
@click.argument("other", default="live")
@json_option
@server_options
def diff(site: str, version: str, other: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show what changes in SITE from VERSION to OTHER (default: the live one).

    \b
    Example:
      fazt versions diff blog 3fa2b1c0
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "sites", site, "versions", version, "diff", query={"to": other})
    if as_json:
        print_json(found)
        return
    if not any(found.values()):
        click.echo("The two are the same.")
    for sign, colour, kind in (("+", "green", "added"), ("~", "yellow", "changed"), ("-", "red", "removed")):
        for path in found[kind]:
            click.secho(f"{sign} {path}", fg=colour)


@versions.command()
@click.argument("site")
@click.option("--keep", required=True, type=click.IntRange(0), metavar="N", help="How many of the newest to keep.")
@json_option
@server_options
def prune(site: str, keep: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """Delete the older versions of SITE; the live one and the one before it always stay.

    \b
    Example:
      fazt versions prune blog --keep 10
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "sites", site, "versions", "prune", body={"keep": keep})
    if as_json:
        print_json(found)
    else:
        click.echo(f"{number(len(found['removed']), 'version')} of {site} deleted, {size(found['freed_bytes'])} freed.")


@click.command(short_help="Go back to the version before, or to any other.")
@click.argument("site")
@click.argument("version", required=False)
@json_option
@server_options
def rollback(site: str, version: str | None, as_json: bool, db: str | None, remote: str | None) -> None:
    """Make the version before the live one (or VERSION) the live one; nothing is uploaded.

    \b
    Examples:
      fazt rollback blog
      fazt rollback blog 3fa2b1c0
    """
    body: dict[str, Any] = {} if version is None else {"version": version}
    with connect(db, remote) as client:
        found = client.ask("PUT", "sites", site, "live", body=body)
        url = "" if as_json else _address_of(client, site)
    if as_json:
        print_json(found)
        return
    note = f" ({found['message']})" if found["message"] else ""
    click.echo(f"{site} is back at version {found['id'][:8]}{note}, made {age(found['created_at'])}")
    if url:
        click.echo(f"  {click.style(url, bold=True)}")


def _address_of(client: Client, site: str) -> str:
    """Return a site's URL; "" where the token may deploy and not look."""
    try:
        url: str = client.ask("GET", "sites", site)["url"]
    except Forbidden:
        return ""
    return url
