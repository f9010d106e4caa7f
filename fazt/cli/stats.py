"""`fazt stats`: who visited, by site and day, with a line that is drawn of each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import facts, plain, print_json, size, table

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 30
SHOWN = 8  # names of a kind
LISTS = (
    ("pages", "PAGES"),
    ("missing", "MISSING"),
    ("referrers", "FROM"),
    ("countries", "COUNTRIES"),
    ("browsers", "BROWSERS"),
    ("systems", "SYSTEMS"),
    ("devices", "DEVICES"),
    ("events", "EVENTS"),
)


@click.command(short_help="Show who visited: views, visitors, where they came from.")
@click.argument("site", required=False)
@click.option(
    "--days", default=30, show_default=True, type=click.IntRange(1, 400), help="How many days, today among them."
)
@json_option
@server_options
def stats(site: str | None, days: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show who visited SITE, or all sites: views and visitors by day, pages, referrers, what is missing.

    \b
    Example:
      fazt stats blog --days 7
    """
    now = datetime.now(UTC)
    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    query = {"from": since.isoformat(), "to": now.isoformat(), "step": "day"}
    path = ("statistics",) if site is None else ("sites", site, "statistics")
    with connect(db, remote) as client:
        found = client.ask("GET", *path, query=query)
    if as_json:
        print_json(found)
        return
    _show_totals(found)
    if site is None:
        _show_sites(found["sites"])
    else:
        for key, heading in LISTS:
            _show_names(heading, found[key])


def spark(counts: Sequence[int]) -> str:
    """Return a line that rises and falls with the counts; many of them are summed to at most WIDEST."""
    together = -(-len(counts) // WIDEST) or 1
    sums = [sum(counts[at : at + together]) for at in range(0, len(counts), together)]
    most = max(sums, default=0)
    return "".join(BARS[min(len(BARS) - 1, count * len(BARS) // (most + 1))] if count else " " for count in sums)


def _show_totals(found: dict[str, Any]) -> None:
    totals, series = found["totals"], found["series"]
    lines = [
        ("views", f"{totals['views']:>9,}  {spark([point['views'] for point in series])}"),
        ("visitors", f"{totals['visitors']:>9,}  {spark([point['visitors'] for point in series])}"),
        ("requests", f"{totals['requests']:>9,}  {spark([point['requests'] for point in series])}"),
        ("errors", f"{totals['errors']:>9,}  {spark([point['errors'] for point in series])}"),
        ("sent", f"{size(totals['bytes']):>9}"),
        ("by bots", f"{totals['bots']:>9,}"),
        ("answered", f"in {totals['p50_ms']:.2f} ms (half of them), {totals['p99_ms']:.2f} ms (99 %)"),
    ]
    if totals["unseen"]:
        lines.append(("estimated", f"{totals['unseen']:,} requests came too fast to be looked at"))
    facts([(name, text.rstrip()) for name, text in lines])


def _show_sites(sites: Sequence[dict[str, Any]]) -> None:
    if not sites:
        return
    click.echo()
    table(
        ("SITE", "VIEWS", "VISITORS", "REQUESTS", "ERRORS", "SENT"),
        [
            (
                site["name"],
                f"{site['views']:,}",
                f"{site['visitors']:,}",
                f"{site['requests']:,}",
                f"{site['errors']:,}",
                size(site["bytes"]),
            )
            for site in sites
        ],
    )


def _show_names(heading: str, names: Sequence[dict[str, Any]]) -> None:
    if not names:
        return
    click.echo()
    table((heading, "COUNT"), [(plain(each["name"]), f"{each['count']:,}") for each in names[:SHOWN]])
