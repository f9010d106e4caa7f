"""`fazt metrics`: what the server counts, as Prometheus reads it."""

import click

from fazt.cli.client import connect
from fazt.cli.options import server_options


@click.command(short_help="Print what the server counts, for Prometheus.")
@server_options
def metrics(db: str | None, remote: str | None) -> None:
    """Print what the server counts, in the text format of Prometheus.

    \b
    Example:
      fazt metrics --remote home
    """
    with connect(db, remote) as client:
        click.echo(client.stream("GET", "metrics").read().decode(), nl=False)
