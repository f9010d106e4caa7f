"""`fazt serve`: the server, in the foreground."""

import os

import click

from fazt.settings import database_path


@click.command(short_help="Serve all sites of a database.")
@click.option("--db", metavar="PATH", help="The database; else FAZT_DB, ./data.db or your own. Made if absent.")
@click.option("--domain", metavar="NAME", help="The domain under which sites answer (default: localhost).")
@click.option("--http", metavar="ADDR:PORT", help="Where to listen (default: 127.0.0.1:4698).")
def serve(db: str | None, domain: str | None, http: str | None) -> None:
    """Serve all sites of a database until Ctrl-C.

    \b
    Examples:
      fazt serve
      fazt serve --db /srv/data.db --domain example.org --http 0.0.0.0:80
    """
    from fazt.server import run  # the server's libraries, for this command only

    path = database_path(db)
    supervised = "NOTIFY_SOCKET" in os.environ  # what is printed goes to a log, where the link's secret must not stand

    def say(url: str, setup_link: str | None) -> None:
        click.echo(f"Fazt serves {click.style(str(path), bold=True)} at {click.style(url, bold=True)}")
        if setup_link is not None and supervised:
            click.echo("  set up the dashboard: fazt init")
        elif setup_link is not None:
            click.echo(f"  set up the dashboard, once: {setup_link}")
        if not supervised:
            click.echo("  another terminal: fazt deploy ./my-folder --site my-site")
            click.echo("  Ctrl-C stops it")

    run({"domain": domain, "http": http}, path, say)
