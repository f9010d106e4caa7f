"""`fazt cache`: the pages in memory and the files of the spill cache."""

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import facts, number, print_json, size


@click.group(short_help="Look at the page cache, or empty it.")
def cache() -> None:
    """Look at the page cache and the spill cache, or empty both.

    \b
    Example:
      fazt cache stats
    """


@cache.command()
@json_option
@server_options
def stats(as_json: bool, db: str | None, remote: str | None) -> None:
    """Show how full the caches are and how often they help.

    \b
    Example:
      fazt cache stats
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "cache")
    if as_json:
        print_json(found)
        return
    pages, spill = found["pages"], found["spill"]
    asked = pages["hits"] + pages["misses"]
    share = f" ({100 * pages['hits'] / asked:.1f} %)" if asked else ""
    facts(
        [
            ("pages", f"{pages['entries']:,}, of them {pages['negative_entries']:,} for missing paths"),
            ("memory", f"{size(pages['bytes'])} of {size(pages['max_bytes'])}"),
            ("hits", f"{pages['hits']:,} of {asked:,}{share}"),
            ("evicted", f"{pages['evictions']:,} for room, {pages['stale']:,} because they were out of date"),
            ("spill cache", f"{number(spill['files'], 'file')}, {size(spill['bytes'])} of {size(spill['max_bytes'])}"),
        ]
    )


@cache.command()
@server_options
def clear(db: str | None, remote: str | None) -> None:
    """Empty both caches; they fill again as pages are asked for.

    \b
    Example:
      fazt cache clear
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "cache")
    click.echo("The caches are empty.")
