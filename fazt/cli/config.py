"""`fazt config`: the settings of a server, kept in its database.

Rule: a value is shown with where it comes from, since a variable of the environment or a flag counts before it.
"""

from typing import Any

import click
import orjson

from fazt.cli.client import Client, connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, number, plain, print_json, table
from fazt.cli.secret_input import read_secret
from fazt.errors import InvalidInput
from fazt.settings import check_value, is_secret

SOURCES = {
    "flag": "the command line of `fazt serve`",
    "environment": "the environment of the server",
    "database": "the database (fazt config set)",
    "default": "the default",
}


@click.group(short_help="Look at the settings of a server, and change them.")
def config() -> None:
    """Look at the settings of a server, and change them.

    Most count at once, without a restart; each change is kept and can be taken back.

    \b
    Examples:
      fazt config list
      fazt config set max_connections 50000
      fazt config rollback
    """


@config.command("list")
@click.option("--changed", is_flag=True, help="Only those that are not at their defaults.")
@json_option
@server_options
def list_settings(changed: bool, as_json: bool, db: str | None, remote: str | None) -> None:
    """List all settings with their values and where these come from.

    \b
    Example:
      fazt config list --changed
    """
    with connect(db, remote, create=True) as client:
        items = [item for item in _settings(client) if not changed or item["source"] != "default"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("Every setting is at its default. See them all: fazt config list")
    else:
        rows = [(item["name"], _text(item["value"]), item["unit"], _source(item), item["help"]) for item in items]
        table(("NAME", "VALUE", "UNIT", "FROM", "WHAT IT IS"), rows)
        _say_waiting(items)


@config.command("get")
@click.argument("name")
@json_option
@server_options
def get(name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Print the value of a setting.

    \b
    Example:
      fazt config get max_connections
    """
    with connect(db, remote, create=True) as client:
        item = client.ask("GET", "settings", name)
    print_json(item) if as_json else click.echo(plain(_text(item["value"])))


@config.command("set")
@click.argument("name")
@click.argument("value", required=False)
@server_options
def set_value(name: str, value: str | None, db: str | None, remote: str | None) -> None:
    """Set a setting; one that is secret is typed at a prompt or comes through a pipe.

    \b
    Examples:
      fazt config set idle_timeout_s 30
      fazt config set domain example.org
    """
    if is_secret(name):
        if value is not None:
            raise InvalidInput(
                f"{name} is secret: leave VALUE out, and type it at the prompt or send it through a pipe."
            )
        value = read_secret(name, None)
    elif value is None:
        raise click.UsageError("Missing argument 'VALUE'.")
    with connect(db, remote, create=True) as client:
        item = client.ask("PUT", "settings", name, body={"value": check_value(name, value)})
    _say_set(item)


@config.command("unset")
@click.argument("name")
@server_options
def unset(name: str, db: str | None, remote: str | None) -> None:
    """Set a setting back to its default.

    \b
    Example:
      fazt config unset idle_timeout_s
    """
    with connect(db, remote, create=True) as client:
        item = client.ask("DELETE", "settings", name)
    _say_set(item)


@config.command("why")
@click.argument("name")
@json_option
@server_options
def why(name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show what each source says of a setting, and which of them counts.

    \b
    Example:
      fazt config why http
    """
    with connect(db, remote, create=True) as client:
        item = client.ask("GET", "settings", name)
    if as_json:
        print_json(item)
        return
    click.echo(f"{item['name']} is {plain(_text(item['value']))} {item['unit']}".rstrip())
    click.echo(f"  {item['help']}")
    rows = [
        (SOURCES[said["source"]], "-" if said["value"] is None else _text(said["value"])) for said in item["because"]
    ]
    counts = next(place for place, said in enumerate(item["because"]) if said["value"] is not None)
    facts([(f"{'*' if place == counts else ' '} {source}", value) for place, (source, value) in enumerate(rows)])
    click.echo(f"  in the environment it is {item['variable']}")
    _say_waiting([item])


@config.command("history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many changes.")
@json_option
@server_options
def history(limit: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show what was changed, by whom and when, the newest first.

    \b
    Example:
      fazt config history
    """
    with connect(db, remote, create=True) as client:
        items = client.ask("GET", "settings", "history", query={"limit": limit})["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("No setting was ever changed.")
    else:
        rows = [(str(item["number"]), age(item["at"]), item["actor"], _changes(item)) for item in items]
        table(("NUMBER", "WHEN", "WHO", "WHAT"), rows)


@config.command("rollback")
@click.argument("number", metavar="[NUMBER]", type=click.IntRange(0), required=False)
@server_options
def rollback(number: int | None, db: str | None, remote: str | None) -> None:
    """Take the last change back; or return to how all settings were right after change NUMBER (0: all defaults).

    \b
    Examples:
      fazt config rollback
      fazt config rollback 3
    """
    with connect(db, remote, create=True) as client:
        client.ask("POST", "settings", "rollback", body={"number": number})
        items = _settings(client)
    click.echo("The settings are as they were" + ("." if number is None else f" after change {number}."))
    _say_waiting(items)


@config.command("export")
@server_options
def export(db: str | None, remote: str | None) -> None:
    """Print what was set, as JSON that `fazt config import` takes; secrets are not in it.

    \b
    Example:
      fazt config export > settings.json
    """
    with connect(db, remote, create=True) as client:
        said = {
            item["name"]: next(each for each in item["because"] if each["source"] == "database")
            for item in _settings(client)
            if not item["secret"]
        }
    print_json({name: each["value"] for name, each in said.items() if each["value"] is not None})


@config.command("import")
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="What the file does not name goes back to its default.")
@server_options
def import_file(file: str, replace: bool, db: str | None, remote: str | None) -> None:
    """Set what a JSON FILE names (- reads standard input): all of it, or nothing where one value cannot be.

    \b
    Example:
      fazt config import settings.json
    """
    try:
        with click.open_file(file, "rb") as opened:
            values = orjson.loads(opened.read())
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"That is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise InvalidInput('The file must hold names and values: {"max_connections": 50000}.')
    with connect(db, remote, create=True) as client:
        client.ask("PATCH", "settings", body={"values": values, "replace": replace})
        items = _settings(client)
    click.echo(f"{number(len(values), 'setting')} read from {plain(file)}.")
    _say_waiting(items)


def _settings(client: Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.ask("GET", "settings")["items"]
    return items


def _text(value: object) -> str:
    return '""' if value == "" else str(value)


def _source(item: dict[str, Any]) -> str:
    return "" if item["source"] == "default" else str(item["source"])


def _changes(item: dict[str, Any]) -> str:
    def shown(value: object) -> str:
        return "default" if value is None else _text(value)

    return ", ".join(f"{each['name']}: {shown(each['before'])} → {shown(each['after'])}" for each in item["changed"])


def _say_set(item: dict[str, Any]) -> None:
    """Say what a setting is now, and what stands in the way of what was wanted."""
    if item["source"] in ("flag", "environment"):
        click.echo(f"Kept, but {SOURCES[item['source']]} says {plain(_text(item['value']))}, which counts before it.")
    elif item["restart_needed"]:
        _say_waiting([item])
    else:
        click.echo(f"{item['name']} is {plain(_text(item['value']))} {item['unit']}".rstrip() + ".")


def _say_waiting(items: list[dict[str, Any]]) -> None:
    waiting = [item["name"] for item in items if item["restart_needed"]]
    if waiting:
        click.echo(f"At the next start of the server: {', '.join(waiting)}.", err=True)
