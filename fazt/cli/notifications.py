"""`fazt notifications`: where you are told of what happens."""

from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, print_json, table
from fazt.cli.secret_input import secret_options

EVENTS = ("deploy", "error_burst", "disk", "sign_in", "certificate", "backup")
event_option = click.option(
    "--event", "events", multiple=True, type=click.Choice(EVENTS), help="What to tell of; several times for several."
)


@click.group(short_help="Be told of deploys, failures and a full disk.")
def notifications() -> None:
    """Be told on your phone (ntfy) or by a webhook of what happens on the server.

    \b
    Example:
      fazt notifications create phone https://ntfy.sh/my-secret-topic
    """


@notifications.command("list")
@json_option
@server_options
def list_(as_json: bool, db: str | None, remote: str | None) -> None:
    """List where you are told, and how the last time went.

    \b
    Example:
      fazt notifications list
    """
    with connect(db, remote) as client:
        items = list(client.items("notifications"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no notification yet. Make one: fazt notifications create NAME URL")
    else:
        rows = [
            (
                item["name"],
                item["kind"],
                item["url"],
                ", ".join(item["events"]) if len(item["events"]) < len(EVENTS) else "everything",
                "on" if item["enabled"] else "off",
                _last(item["last"]),
            )
            for item in items
        ]
        table(("NAME", "KIND", "URL", "EVENTS", "STATE", "LAST"), rows)


@notifications.command()
@click.argument("name")
@click.argument("url")
@click.option("--kind", type=click.Choice(("ntfy", "webhook", "mail")), default="ntfy", show_default=True, help="How.")
@event_option
@secret_options("Take ntfy's token or the webhook's secret from a pipe or a prompt.")
@json_option
@server_options
def create(
    name: str,
    url: str,
    kind: str,
    events: tuple[str, ...],
    secret: str | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Be told at URL under the NAME; without --event of everything.

    \b
    Examples:
      fazt notifications create phone https://ntfy.sh/my-secret-topic
      fazt notifications create chat https://example.org/hook --kind webhook --event error_burst
    """
    body: dict[str, Any] = {"name": name, "kind": kind, "url": url, "secret": secret}
    if events:
        body["events"] = list(dict.fromkeys(events))
    with connect(db, remote, create=True) as client:
        made = client.ask("POST", "notifications", body=body)
    if as_json:
        print_json(made)
        return
    if made["secret"] is not None and secret is None:
        facts([("secret", made["secret"])])
        click.secho("It signs what is sent, and is not shown again.", dim=True, err=True)
    click.echo(f"Try it: fazt notifications test {name}")


@notifications.command("set")
@click.argument("name")
@click.option("--url", metavar="URL", help="Where to.")
@event_option
@click.option("--on/--off", "enabled", default=None, help="Tell, or keep quiet.")
@secret_options("Take a new secret from a pipe or a prompt.")
@json_option
@server_options
def set_(
    name: str,
    url: str | None,
    events: tuple[str, ...],
    enabled: bool | None,
    secret: str | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Change the notification NAME.

    \b
    Example:
      fazt notifications set phone --event error_burst --event disk
    """
    body: dict[str, Any] = {}
    if url is not None:
        body["url"] = url
    if events:
        body["events"] = list(dict.fromkeys(events))
    if enabled is not None:
        body["enabled"] = enabled
    if secret is not None:
        body["secret"] = secret
    if not body:
        raise click.UsageError("Say what is to be different: --url, --event, --on, --off or --secret.")
    with connect(db, remote) as client:
        made = client.ask("PATCH", "notifications", name, body=body)
    if as_json:
        print_json(made)
    else:
        click.echo(f"The notification {name} is changed.")


@notifications.command()
@click.argument("name")
@server_options
def remove(name: str, db: str | None, remote: str | None) -> None:
    """Delete the notification NAME with its log.

    \b
    Example:
      fazt notifications remove phone
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "notifications", name)
    click.echo(f"{name} is told nothing any more.")


@notifications.command()
@click.argument("name")
@json_option
@server_options
def test(name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Send a test to NAME now, and say how that went.

    \b
    Example:
      fazt notifications test phone
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "notifications", name, "test")
    if as_json:
        print_json(found)
    elif found["state"] == "sent":
        click.echo(f"Sent; it answered with status {found['status']} after {found['duration_ms']} ms.")
    else:
        raise click.ClickException(f"It did not arrive. {found['error']}")


@notifications.command()
@click.argument("name")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
@server_options
def log(name: str, limit: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """List what NAME was and is to be told, newest first, and how that went.

    \b
    Example:
      fazt notifications log phone
    """
    with connect(db, remote) as client:
        items = client.ask("GET", "notifications", name, "deliveries", query={"limit": limit})["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There was nothing to tell yet.")
    else:
        rows = [
            (item["event"], item["title"], _last(item), str(item["attempts"]), item["error"] or "") for item in items
        ]
        table(("EVENT", "TITLE", "STATE", "TRIES", "ERROR"), rows)


def _last(notice: dict[str, Any] | None) -> str:
    if notice is None:
        return "nothing yet"
    if notice["state"] == "waiting":
        return f"next try {age(notice['next_at'])}"
    return f"{notice['state']} {age(notice['tried_at'] or notice['at'])}"
