"""`fazt logs`: who asked for what."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
import orjson

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import plain, size
from fazt.cli.transports import TIMEOUT_S
from fazt.errors import Conflict

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LEVELS = {"warn": "yellow", "error": "red", "debug": "cyan"}
COLOURS = {"2": "green", "3": "cyan", "4": "yellow", "5": "red"}


class Duration(click.ParamType[int]):
    """A length of time: 90s, 15m, 1h, 7d."""

    name = "duration"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Return seconds."""
        match = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if not match:
            self.fail(f"'{value}' is not a length of time; write 90s, 15m, 1h or 7d.", parameter, context)
        return int(match[1]) * UNITS_S[match[2]]


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


@click.command(short_help="Show who asked for what.")
@click.argument("site", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on showing new lines until Ctrl-C.")
@click.option("--since", type=Duration(), metavar="TIME", help="Only what is younger: 90s, 15m, 1h, 7d.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
@server_options
def logs(
    site: str | None, follow: bool, since: int | None, limit: int, as_json: bool, db: str | None, remote: str | None
) -> None:
    """Show the requests and errors of SITE (or of all sites), oldest first.

    \b
    Examples:
      fazt logs blog -f
      fazt logs blog --since 1h --json
    """
    with connect(db, remote) as client:
        if follow and not client.transport.live:
            raise Conflict("No server runs on this database, so there is nothing to follow; leave -f out.")
        query = {"site": site, "since_s": since, "limit": limit, "follow": 1 if follow else None}
        reply = client.stream("GET", "logs", query=query, timeout_s=None if follow else TIMEOUT_S)
        shown = 0
        for line in filter(None, _lines(reply.pieces)):
            click.echo(line.decode() if as_json else _readable(orjson.loads(line)))
            shown += 1
    if not shown and not as_json:
        click.echo("Nothing yet. Lines come with the first visitor.", err=True)


def readable_call(call: dict[str, Any]) -> str:
    """Return a call of a function for people: what it was, what it took, and where it went wrong."""
    status = click.style(str(call["status"] or "done"), fg=COLOURS.get(str(call["status"])[0], "green"))
    what = plain(f"{call['method'] or call['function']} {call['name']}")
    took = f"{call['duration_us'] / 1000:.1f} ms, CPU {call['cpu_us'] / 1000:.1f} ms, {size(call['memory_bytes'])}"
    heavy = click.style("  much CPU", fg="yellow") if call["heavy"] else ""
    line = f"{status} {what}  {click.style(took, dim=True)}{heavy}  {click.style(call['call'], dim=True)}"
    failure = call["failure"]
    if failure:
        stack = failure["stack"] or f"{failure['name']}: {failure['message']}".removeprefix(": ")
        line += "\n" + click.style("\n".join(f"    {plain(row)}" for row in stack.splitlines()), fg="red")
    elif call["error"]:
        line += "  " + click.style(call["error"], fg="red")
    return line


def _text(message: str) -> str:
    """Return a text of several lines, each of them without control characters."""
    return "\n      ".join(plain(row) for row in message.splitlines()) if message else ""


def _readable(line: dict[str, Any]) -> str:
    """Return one line for people; what a stranger sent cannot move the cursor."""
    at = datetime.fromisoformat(line["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if line["kind"] == "error":
        return f"{click.style(at, dim=True)} {click.style('error', fg='red')} {plain(line['message'])}"
    if line["kind"] == "console":
        level = click.style(f"{line['level']:5}", fg=LEVELS.get(line["level"]))
        return f"{click.style(at, dim=True)} {level} {_text(line['message'])}  {click.style(line['call'], dim=True)}"
    if line["kind"] == "call":
        return f"{click.style(at, dim=True)} {readable_call(line)}"
    status = click.style(str(line["status"]), fg=COLOURS.get(str(line["status"])[0]))
    what = plain(f"{line['method']} {line['host']}{line['path']}")
    rest = f"{size(line['bytes'])} in {line['duration_us'] / 1000:.2f} ms{' from memory' if line['hit'] else ''}"
    return (
        f"{click.style(at, dim=True)} {status} {what}  {click.style(rest + ' to ' + plain(line['client']), dim=True)}"
    )
