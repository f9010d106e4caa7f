"""`fazt call` and `fazt replay`: calling a function as a visitor would, and seeing all of it."""

import base64
import sys
from pathlib import Path
from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.logs import LEVELS, readable_call
from fazt.cli.options import json_option, server_options
from fazt.cli.output import plain, print_json
from fazt.errors import InvalidInput

FAILED_STATUS = 500


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"'{text}' is not a header; write it as 'Name: value'.")
    return name.strip(), value.strip()


def _data(text: str | None) -> bytes:
    """Return the body that an option names: itself, @FILE, or @- for standard input."""
    if text is None:
        return b""
    if text == "@-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_bytes()
        except OSError as error:
            raise InvalidInput(f"{text[1:]} cannot be read: {error.strerror}.") from error
    return text.encode("utf-8", "surrogateescape")


@click.command(short_help="Call a function, and see what it answers, logs and takes.")
@click.argument("site")
@click.argument("path")
@click.option("-X", "--method", metavar="METHOD", help="GET, or POST where there is data, unless given.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated.")
@click.option("-d", "--data", metavar="TEXT|@FILE|@-", help="The request's body.")
@json_option
@server_options
def call(
    site: str,
    path: str,
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> int:
    """Call the function of SITE that answers PATH, and print its answer.

    The answer's body goes to stdout; what it logged, took, and where it failed goes to stderr.

    \b
    Examples:
      fazt call blog /api/hello
      fazt call blog /api/notes -d '{"text": "hi"}' -H 'Content-Type: application/json'
    """
    body = _data(data)
    wanted = {
        "path": path if path.startswith("/") else f"/api/{path}",
        "method": (method or ("POST" if data is not None else "GET")).upper(),
        "headers": [_header(each) for each in headers],
        "body_base64": base64.b64encode(body).decode(),
    }
    with connect(db, remote) as client:
        found = client.ask("POST", "sites", site, "call", body=wanted)
    return show_answer(found, as_json)


@click.command(short_help="Make a request again that a function failed on.")
@click.argument("call_id", metavar="CALL")
@click.option("--show", is_flag=True, help="Only show the request and what went wrong.")
@json_option
@server_options
def replay(call_id: str, show: bool, as_json: bool, db: str | None, remote: str | None) -> int:
    """Make the request of CALL again, on the code that is live now.

    CALL is the id that the log shows, and the error that the visitor saw. Headers that may hold secrets were not kept.

    \b
    Examples:
      fazt replay 5f0c2a91b4d37e68
      fazt replay 5f0c2a91b4d37e68 --show
    """
    with connect(db, remote) as client:
        if not show:
            return show_answer(client.ask("POST", "calls", call_id, "replay"), as_json)
        found = client.ask("GET", "calls", call_id)
    if as_json:
        print_json(found)
        return 0
    click.echo(readable_call(found))
    request = found["request"]
    click.echo(f"\n{plain(request.get('method', found['function']))} {plain(request.get('path', found['name']))}")
    for name, value in request.get("headers", []):
        click.echo(f"{click.style(plain(name), dim=True)}: {plain(value)}")
    return 0


def show_answer(found: dict[str, Any], as_json: bool) -> int:
    """Print what a function answered; return the exit code: 1 where it failed."""
    failed = found["status"] >= FAILED_STATUS or bool(found.get("broken_off"))
    if as_json:
        print_json(found)
        return int(failed)
    for line in found.get("logs", []):
        level = click.style(f"{line['level']:5}", fg=LEVELS.get(line["level"]))
        click.echo(f"{level} {plain(line['message'])}", err=True)
    if "call" in found:
        click.echo(readable_call(found), err=True)
    if found["encoding"] == "base64":
        sys.stdout.buffer.write(base64.b64decode(found["body"]))
        sys.stdout.buffer.flush()
    else:
        # On a terminal a stranger's control characters are shown as marks; a pipe gets every byte.
        body = found["body"]
        click.echo("\n".join(plain(row) for row in body.split("\n")) if sys.stdout.isatty() else body, nl=False)
        if body and not body.endswith("\n") and sys.stdout.isatty():
            click.echo()
    return int(failed)
