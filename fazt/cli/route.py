"""`fazt route`: why a URL is answered as it is."""

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import facts, print_json


@click.group(short_help="Explain what a URL is answered with, and why.")
def route() -> None:
    """Explain what a URL is answered with, and why.

    \b
    Example:
      fazt route explain http://blog.localhost:4698/about
    """


@route.command()
@click.argument("url")
@json_option
@server_options
def explain(url: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show each decision on the way from URL to an answer.

    \b
    Example:
      fazt route explain http://blog.localhost:4698/old/page
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "route", query={"url": url})
    if as_json:
        print_json(found)
        return
    click.secho(found["url"], bold=True)
    facts([(step["step"], step["result"]) for step in found["steps"]])
    answer = found["answer"]
    click.echo()
    click.echo(f"{click.style(str(answer['status']), bold=True)} {answer['file'] or ''}".rstrip())
    for name, value in answer["headers"]:
        click.echo(f"  {click.style(name, dim=True)}: {value}")
