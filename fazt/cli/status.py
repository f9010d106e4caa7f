"""`fazt status`: what the server holds and how it is doing."""

from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, number, print_json, size, table


@click.command(short_help="Show what the server holds and how it is doing.")
@json_option
@server_options
def status(as_json: bool, db: str | None, remote: str | None) -> None:
    """Show what the server holds and how it is doing.

    \b
    Example:
      fazt status --json
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "status")
    if as_json:
        print_json(found)
        return
    database, cache = found["database"], found["cache"]
    running = f"fazt {found['version']}, process {found['pid']}, started {age(found['started_at'])}"
    holds = f"{number(database['sites'], 'site')}, {number(database['versions'], 'version')}"
    lines = [
        ("server", running if found["started_at"] else "not running; the file was read"),
        ("address", found["url"]),
        ("database", f"{database['path']}, {size(database['bytes'])}"),
        ("holds", f"{holds}, {number(database['blobs'], 'blob')} ({size(database['blob_bytes'])})"),
    ]
    if found["started_at"]:
        pages = f"{number(cache['entries'], 'page')}, {size(cache['bytes'])} of {size(cache['max_bytes'])}"
        lines.append(("memory", f"{size(found['memory_bytes'])}, {number(found['connections'], 'connection')}"))
        lines.append(("page cache", pages))
    if found.get("read_only"):
        lines.append(("writing", "stopped: this server is read-only (fazt config why read_only)"))
    lines.append(("backups", _backups(found["backups"])))
    if found["certificates"]["count"]:
        lines.append(("certificates", _certificates(found["certificates"])))
    facts(lines)
    if found["sites"]:
        click.echo()
        rows = [
            (
                site["name"],
                f"{site['requests']:,}",
                size(site["bytes"]),
                f"{100 * site['hits'] / site['requests']:.0f} %" if site["requests"] else "",
                " ".join(f"{group} {count:,}" for group, count in site["statuses"].items() if count),
                f"{site['p50_ms']:.2f} / {site['p99_ms']:.2f} ms",
            )
            for site in found["sites"]
        ]
        table(("SITE", "REQUESTS", "SENT", "HITS", "STATUS", "P50 / P99"), rows)
    if found["functions"]["sites"]:
        click.echo()
        calls = [
            (
                site["name"],
                f"{site['calls']:,}",
                f"{site['failed']:,}",
                f"{site['heavy']:,}",
                f"{site['duration_ms']['p50']:.1f} / {site['duration_ms']['p99']:.1f} ms",
                f"{site['cpu_ms']['p50']:.1f} / {site['cpu_ms']['p99']:.1f} ms",
                size(site["memory_bytes"]),
            )
            for site in found["functions"]["sites"]
        ]
        table(("FUNCTIONS OF", "CALLS", "FAILED", "MUCH CPU", "P50 / P99", "CPU P50 / P99", "MEMORY"), calls)


def _certificates(found: dict[str, Any]) -> str:
    """Return how the certificates stand: which name is the first to be without one, if nothing is done."""
    return f"{found['count']}; the first to expire is that of {found['name']}, {age(found['expires_at'])}"


def _backups(found: dict[str, Any]) -> str:
    """Return how the backups stand: what counts is when one was last restored somewhere and was right."""
    if not found["count"]:
        return "none yet; make one: fazt backup create"
    proven = f"proven {age(found['proven_at'])}" if found["proven_at"] else "none is proven: fazt backup drill"
    return f"{found['count']}, made {age(found['made_at'])}, {proven}"
