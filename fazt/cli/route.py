"""`fazt route`: why a URL is answered as it is, and by which rules."""

from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import facts, print_json, table


@click.group(short_help="Explain what a URL is answered with, and why.")
def route() -> None:
    """Explain what a URL is answered with, and why.

    \b
    Example:
      fazt route explain http://blog.localhost:4698/about
      fazt route list blog
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


@route.command("list")
@click.argument("site")
@click.option("--version", default="live", show_default=True, help="The id of another version, or how it begins.")
@json_option
@server_options
def list_rules(site: str, version: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the redirects and headers of a site as they were understood, in the order in which they count.

    \b
    Examples:
      fazt route list blog
      fazt route list blog --version 3f2a
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "sites", site, "versions", version, "rules")
    if as_json:
        print_json(found)
        return
    redirects = [
        (_source(rule), rule["to"], f"{rule['status']}{'!' if rule['force'] else ''}", rule["where"])
        for rule in found["redirects"]
    ]
    headers = [
        (rule["path"], text, rule["where"])
        for rule in found["headers"]
        for text in [*(f"{name}: {value}" for name, value in rule["set"]), *(f"! {name}" for name in rule["unset"])]
    ]
    if redirects:
        table(("from", "to", "status", "where"), redirects)
    if redirects and headers:
        click.echo()
    if headers:
        table(("path", "header", "where"), headers)
    if not redirects and not headers:
        click.echo(f"This version of {site} has no redirects and no headers of its own.")


def _source(rule: dict[str, Any]) -> str:
    return " ".join([rule["from"], *(f"{name}={value}" for name, value in rule["query"])])
