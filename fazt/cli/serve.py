"""`fazt serve`: the server, in the foreground."""

import os
import sys
import time

import click

from fazt.errors import StoreBusy
from fazt.settings import database_path

RESTARTED = "FAZT_RESTARTED"  # set for the process that takes this one's place
RESTART_WAIT_S = 10.0
PAUSE_S = 0.1


@click.command(short_help="Serve all sites of a database.")
@click.option("--db", metavar="PATH", help="The database; else FAZT_DB, ./data.db or your own. Made if absent.")
@click.option("--domain", metavar="NAME", help="The domain under which sites answer (default: localhost).")
@click.option("--http", metavar="ADDR:PORT", help="Where to listen (default: 127.0.0.1:4698).")
@click.option("--https", metavar="ADDR:PORT", help="Where to listen for HTTPS (default: nowhere).")
@click.option("--workers", type=click.IntRange(0, 256), help="Processes for pages; 0: one for each core (default: 1).")
@click.option("--read-only", is_flag=True, help="Change nothing: every write is refused.")
def serve(
    db: str | None, domain: str | None, http: str | None, https: str | None, workers: int | None, read_only: bool
) -> None:
    """Serve all sites of a database until Ctrl-C.

    \b
    Examples:
      fazt serve
      fazt serve --db /srv/data.db --domain example.org --http :80 --https :443
    """
    # The server's libraries, for this command only
    from fazt.server.joined import AGAIN, take_flags, take_joined
    from fazt.server.serving import run

    path, joined = database_path(db), take_joined()
    flags: dict[str, object] = {"domain": domain, "http": http, "https": https, "workers": workers}
    flags["read_only"] = "yes" if read_only else None
    if joined is not None:
        flags = take_flags()
    supervised = "NOTIFY_SOCKET" in os.environ  # what is printed goes to a log, where the link's secret must not stand

    watched = supervised and "INVOCATION_ID" in os.environ  # by systemd, which starts it again when it ends

    def say(url: str, setup_link: str | None) -> None:
        if joined is not None and joined.ready < 0:  # the core again, which the visitors did not miss
            return
        click.echo(f"Fazt serves {click.style(str(path), bold=True)} at {click.style(url, bold=True)}")
        if setup_link is not None and supervised:
            click.echo("  set up the dashboard: fazt init")
        elif setup_link is not None:
            click.echo(f"  set up the dashboard, once: {setup_link}")
        if not supervised:
            click.echo("  another terminal: fazt deploy ./my-folder --site my-site")
            click.echo("  Ctrl-C stops it")

    wait_s = RESTART_WAIT_S if os.environ.pop(RESTARTED, "") else 0
    while True:
        try:
            again = run(flags, path, say, joined)
            break
        except StoreBusy:  # a command looked into the database while no server had it
            if wait_s <= 0:
                raise
            wait_s -= PAUSE_S
            time.sleep(PAUSE_S)
    if joined is not None:
        sys.exit(AGAIN if again else 0)
    if again and not watched:
        # The same process with everything new: what waited for a start, and a database that was restored.
        sys.stdout.flush()
        os.environ[RESTARTED] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
