"""`fazt jobs`: work that functions put off."""

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, print_json, table

STATES = ("waiting", "running", "done", "failed", "cancelled")


@click.group(short_help="See what waits, runs or failed; try again, cancel.")
def jobs() -> None:
    """See the jobs of sites; try again what failed, cancel what is not wanted any more.

    \b
    Example:
      fazt jobs list blog --state failed
    """


@jobs.command("list")
@click.argument("site", required=False)
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state; failed: dead letters.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
@server_options
def list_(site: str | None, state: str | None, limit: int, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the newest jobs of SITE, or of all sites, with the runs of cron triggers among them.

    \b
    Example:
      fazt jobs list blog --state failed
    """
    with connect(db, remote) as client:
        page = client.ask("GET", "jobs", query={"site": site, "state": state, "limit": limit})
    items = page["items"]
    if as_json:
        print_json({"items": items})
        return
    if not items:
        click.echo("There is no such job. A function queues one: await fazt.jobs.enqueue(name, data)")
        return
    table(
        ("ID", "SITE", "KIND", "NAME", "STATE", "TRIES", "WHEN", "ERROR"),
        [
            (
                item["id"],
                item["site"],
                item["kind"],
                item["name"],
                item["state"],
                f"{item['attempts']}/{item['max_attempts']}",
                age(item["finished_at"] or item["run_at"]),
                first_line(item["error"]),
            )
            for item in items
        ],
    )


@jobs.command()
@click.argument("id")
@json_option
@server_options
def retry(id: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Run the job ID again that failed or was cancelled, or now if it waits.

    \b
    Example:
      fazt jobs retry 8c1f03ab52d94e7710aa
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "jobs", id, "retry")
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['name']} of {found['site']} runs as soon as there is room.")


@jobs.command()
@click.argument("id")
@json_option
@server_options
def cancel(id: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Cancel the job ID that waits or runs; what its run has written is not kept.

    \b
    Example:
      fazt jobs cancel 8c1f03ab52d94e7710aa
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "jobs", id, "cancel")
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['name']} of {found['site']} is cancelled.")


def first_line(error: str | None) -> str:
    """Return what fits in a table of an error."""
    lines = (error or "").splitlines()
    return lines[0][:80] if lines else ""
