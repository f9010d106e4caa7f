"""`fazt kv`: what a site's functions keep under keys."""

import base64
import sys
from typing import Any

import click
import orjson

from fazt.cli.client import connect
from fazt.cli.logs import Duration
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, plain, print_json, size, table
from fazt.errors import InvalidInput

MOST_VALUE_BYTES = 1 << 20


@click.group(short_help="Look at what functions keep, and change it.")
@click.argument("site")
@click.pass_context
def kv(context: click.Context, site: str) -> None:
    """Look at what the functions of SITE keep under keys, and change it.

    \b
    Example:
      fazt kv blog list
    """
    context.obj = site


@kv.command("list")
@click.option("--prefix", metavar="TEXT", default="", help="Only keys that begin with this.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="How many at most (default: all).")
@json_option
@server_options
@click.pass_obj
def list_(site: str, prefix: str, limit: int | None, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the keys in order.

    \b
    Example:
      fazt kv blog list --prefix guests/
    """
    with connect(db, remote) as client:
        items = []
        for item in client.items("sites", site, "kv", query={"prefix": prefix or None}):
            items.append(item)
            if len(items) == limit:
                break
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no such key." if prefix else "There is no key yet.")
    else:
        rows = [
            (item["key"], item["kind"], size(item["size"]), age(item["expires_at"]) if item["expires_at"] else "never")
            for item in items
        ]
        table(("KEY", "KIND", "SIZE", "EXPIRES"), rows)


@kv.command()
@click.argument("key")
@json_option
@server_options
@click.pass_obj
def get(site: str, key: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Print what is kept under KEY: a JSON value as JSON, bytes as they are.

    \b
    Example:
      fazt kv blog get visits
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "sites", site, "kv", key)
    if as_json:
        print_json(found)
    elif found["kind"] == "bytes":
        if sys.stdout.isatty():
            raise InvalidInput(f"These are {size(found['size'])} that may not be text: send them to a file with '>'.")
        sys.stdout.buffer.write(base64.b64decode(found["base64"]))
    else:
        text = orjson.dumps(found["value"]).decode()
        click.echo(plain(text) if sys.stdout.isatty() else text)


@kv.command("set")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--file", "path", metavar="FILE", type=click.Path(dir_okay=False), help="Take the value from a file.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["json", "text", "bytes"]),
    help="What the value is (default: JSON where it is valid JSON, else text; bytes where it comes from a file).",
)
@click.option("--ttl", type=Duration(), metavar="TIME", help="Forget it after 90s, 15m, 12h, 7d (default: never).")
@json_option
@server_options
@click.pass_obj
def set_(
    site: str,
    key: str,
    value: str | None,
    path: str | None,
    kind: str | None,
    ttl: int | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Keep VALUE under KEY; '-' takes it from stdin.

    \b
    Examples:
      fazt kv blog set settings '{"open": true}'
      fazt kv blog set logo --file logo.png
    """
    body = _body(value, path, kind) | ({} if ttl is None else {"ttl": ttl})
    with connect(db, remote) as client:
        found = client.ask("PUT", "sites", site, "kv", key, body=body)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{plain(key)} has {size(found['size'])} now, as {found['kind']}.")


@kv.command()
@click.argument("key")
@server_options
@click.pass_obj
def remove(site: str, key: str, db: str | None, remote: str | None) -> None:
    """Remove KEY.

    \b
    Example:
      fazt kv blog remove visits
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "sites", site, "kv", key)
    click.echo(f"{plain(key)} is gone.")


def _body(value: str | None, path: str | None, kind: str | None) -> dict[str, Any]:
    """Return what the API is to keep."""
    if (value is None) == (path is None):
        raise click.UsageError("Give a VALUE, or --file FILE, or '-' for stdin.")
    data = _read(path) if path is not None else sys.stdin.buffer.read() if value == "-" else None
    if data is None:
        assert value is not None
        return {"value": _text_or_json(value, kind)} if kind != "bytes" else _bytes(value.encode())
    if len(data) > MOST_VALUE_BYTES:
        raise InvalidInput(f"A value may have at most {size(MOST_VALUE_BYTES)}; this one has {size(len(data))}.")
    if kind in (None, "bytes"):
        return _bytes(data)
    try:
        return {"value": _text_or_json(data.decode(), kind)}
    except UnicodeDecodeError:
        raise InvalidInput("The value is not valid UTF-8; give it --as bytes.") from None


def _read(path: str) -> bytes:
    with click.open_file(path, "rb") as file:
        data: bytes = file.read()
    return data


def _text_or_json(value: str, kind: str | None) -> Any:
    if kind == "text":
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        if kind == "json":
            raise InvalidInput(f"The value is not valid JSON: {error}.") from None
        return value


def _bytes(data: bytes) -> dict[str, Any]:
    return {"base64": base64.b64encode(data).decode()}
