"""`fazt cron`: functions that run at set times."""

import time
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.jobs import first_line
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, plain, print_json, table

SHOWN_TIMES = click.IntRange(1, 100)


@click.group(short_help="Functions that run at set times.")
def cron() -> None:
    """See when the functions of sites run by themselves; run, pause and resume them.

    \b
    Example:
      fazt cron list blog
    """


@cron.command("list")
@click.argument("site", required=False)
@click.option("--next", "upcoming", default=1, show_default=True, type=SHOWN_TIMES, help="How many of the next runs.")
@json_option
@server_options
def list_(site: str | None, upcoming: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the triggers of SITE, or of all sites, with their next runs (five with --json).

    \b
    Example:
      fazt cron list blog --next 5
    """
    with connect(db, remote) as client:
        items = list(client.items("cron", query={"site": site, "upcoming": max(upcoming, 5)}))
    if as_json:
        print_json({"items": items})
        return
    if not items:
        click.echo('There is no trigger yet. In fazt.json: "cron": [{"name": "tidy", "schedule": "every 1h"}]')
        return
    rows = []
    for item in items:
        times = [_local(at) for at in item["upcoming"][:upcoming]]
        state = "broken" if item["error"] else "paused" if item["paused"] else ""
        last = item["last"]
        told = f"{last['state']} {age(last['finished_at'] or last['run_at'])}" if last else "never"
        rows.append((item["site"], item["name"], item["schedule"], item["tz"], state or (times or ["never"])[0], told))
        rows += [("", "", "", "", at, "") for at in times[1:]]
    table(("SITE", "NAME", "SCHEDULE", "ZONE", "NEXT", "LAST"), rows)
    for item in items:
        if item["error"]:
            click.echo(f"{item['site']} {item['name']}: {plain(item['error'])}", err=True)


@cron.command()
@click.argument("site")
@click.argument("name")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
@server_options
def history(site: str, name: str, limit: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the last runs of the trigger NAME of SITE, newest first.

    \b
    Example:
      fazt cron history blog tidy
    """
    with connect(db, remote) as client:
        items = client.ask("GET", "cron", site, name, "history", query={"limit": limit})["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo(f"{name} has not run yet. Run it now: fazt cron run {site} {name}")
    else:
        headings = ("ID", "DUE", "STATE", "TRIES", "TOOK", "ERROR")
        table(headings, [_history_row(item) for item in items])


@cron.command()
@click.argument("site")
@click.argument("name")
@json_option
@server_options
def run(site: str, name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Run the trigger NAME of SITE now, or as soon as its present run has ended.

    \b
    Example:
      fazt cron run blog tidy
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "cron", site, name, "run")
        live = client.transport.live
    if as_json:
        print_json(found)
    elif live:
        click.echo(f"{name} runs now. See how it went: fazt cron history {site} {name}")
    else:
        click.echo(f"{name} runs when the server does.")


@cron.command()
@click.argument("site")
@click.argument("name")
@json_option
@server_options
def pause(site: str, name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Run the trigger NAME of SITE no more until it is resumed; deploys do not change that.

    \b
    Example:
      fazt cron pause blog tidy
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "cron", site, name, "pause")
    if as_json:
        print_json(found)
    else:
        click.echo(f"{name} is paused. Resume it: fazt cron resume {site} {name}")


@cron.command()
@click.argument("site")
@click.argument("name")
@json_option
@server_options
def resume(site: str, name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Run the trigger NAME of SITE again; what was due meanwhile is left out.

    \b
    Example:
      fazt cron resume blog tidy
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "cron", site, name, "resume")
    if as_json:
        print_json(found)
    else:
        times = found["upcoming"]
        click.echo(f"{name} runs next {_local(times[0])}." if times else f"{name} never runs.")


@cron.command()
@click.argument("schedule")
@click.option("--tz", metavar="ZONE", help="The time zone of a cron expression, such as Europe/Berlin. Default: UTC.")
@click.option("--next", "count", default=5, show_default=True, type=SHOWN_TIMES, help="How many runs to show.")
@json_option
def preview(schedule: str, tz: str | None, count: int, as_json: bool) -> None:
    """Show when SCHEDULE would run; no server is asked.

    \b
    Example:
      fazt cron preview "30 2 * * mon-fri" --tz Europe/Berlin
    """
    # Time zones and croniter are not needed by the other commands.
    from fazt.sites.schedule import find_zone, parse_schedule

    found = parse_schedule(schedule, tz)
    times = list(islice(found.upcoming(time.time_ns() // 1_000_000), count))
    moments = [datetime.fromtimestamp(at / 1000, UTC) for at in times]
    if as_json:
        upcoming = [moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") for moment in moments]
        print_json({"schedule": schedule, "tz": found.zone, "upcoming": upcoming})
        return
    zone = find_zone(found.zone)
    table(
        ("RUN", "UTC", "HOW SOON"),
        [
            (
                moment.astimezone(zone).strftime("%a %Y-%m-%d %H:%M:%S %Z"),
                moment.strftime("%Y-%m-%d %H:%M:%S"),
                age(moment.isoformat()),
            )
            for moment in moments
        ],
    )


def _history_row(item: dict[str, Any]) -> tuple[str, ...]:
    due = "by hand" if item["scheduled_at"] is None else _local(item["scheduled_at"])
    tries = f"{item['attempts']}/{item['max_attempts']}"
    return item["id"], due, item["state"], tries, _took(item), first_line(item["error"])


def _local(moment: str) -> str:
    """Return a time of the API in this machine's zone."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(item: dict[str, Any]) -> str:
    if item["started_at"] is None or item["finished_at"] is None:
        return ""
    started, finished = (datetime.fromisoformat(item[key]) for key in ("started_at", "finished_at"))
    return f"{(finished - started).total_seconds():.3f} s"
