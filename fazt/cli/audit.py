"""`fazt audit`: who changed what."""

import click
import orjson

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, print_json, table


@click.command(short_help="Show who changed what, and when.")
@click.option("--site", metavar="NAME", help="Only what was about this site.")
@click.option("--actor", metavar="WHO", help="Only what they did: user:ann, token:fazt_ab1, socket.")
@click.option("--action", metavar="NAME", help="Only this action, such as site.deploy; or all of a noun: site.")
@click.option("--since", metavar="TIME", help="Not before: 2026-01-31T12:00:00Z.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many rows.")
@json_option
@server_options
def audit(
    site: str | None,
    actor: str | None,
    action: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Show who changed what, when and from where, the newest first.

    \b
    Examples:
      fazt audit --site blog
      fazt audit --action user --json
    """
    query = {"site": site, "actor": actor, "action": action, "since": since, "limit": limit}
    with connect(db, remote) as client:
        items = client.ask("GET", "audit", query=query)["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("Nothing was changed that fits.")
    else:
        rows = [
            (age(item["at"]), item["actor"], item["action"], item["site"] or "", item["subject"][:60], _change(item))
            for item in items
        ]
        table(("WHEN", "WHO", "WHAT", "SITE", "ABOUT", "CHANGE"), rows)


def _change(item: dict[str, object]) -> str:
    """Return what is different after it, in short."""
    before, after = item["before"], item["after"]
    if before is None or after is None or before == after:
        return ""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    told = (f"{name}: {_short(before.get(name))} → {_short(after.get(name))}" for name in names[:3])
    return ", ".join(told)


def _short(value: object) -> str:
    return orjson.dumps(value).decode()[:30]
