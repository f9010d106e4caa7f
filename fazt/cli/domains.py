"""`fazt domains`: names of its own for a site."""

import socket

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, print_json, table
from fazt.sites.names import check_domain_name


@click.group(short_help="Give a site domains of its own.")
def domains() -> None:
    """Give a site domains of its own.

    \b
    Example:
      fazt domains add blog blog.example.org
    """


@domains.command("list")
@click.argument("site", required=False)
@json_option
@server_options
def list_(site: str | None, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the domains of SITE, or of all sites.

    \b
    Example:
      fazt domains list blog
    """
    with connect(db, remote) as client:
        items = list(client.items("domains", query={"site": site}))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no domain yet. Add one: fazt domains add SITE DOMAIN")
    else:
        table(("DOMAIN", "SITE", "ADDED"), [(item["name"], item["site"], age(item["created_at"])) for item in items])


@domains.command()
@click.argument("site")
@click.argument("domain")
@json_option
@server_options
def add(site: str, domain: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Answer under DOMAIN with SITE too.

    \b
    Example:
      fazt domains add blog blog.example.org
    """
    with connect(db, remote) as client:
        found = client.ask("POST", "domains", body={"name": domain, "site": site})
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['name']} is answered with {site}, as soon as its DNS record points at this server.")


@domains.command()
@click.argument("domain")
@server_options
def remove(domain: str, db: str | None, remote: str | None) -> None:
    """Answer under DOMAIN no more.

    \b
    Example:
      fazt domains remove blog.example.org
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "domains", domain)
    click.echo(f"{domain} is answered no more.")


@domains.command()
@click.argument("domain")
@json_option
@server_options
def check(domain: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Look where DOMAIN points, and which site answers under it.

    \b
    Example:
      fazt domains check blog.example.org
    """
    domain = check_domain_name(domain)
    with connect(db, remote) as client:
        site = next((item["site"] for item in client.items("domains") if item["name"] == domain), None)
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(domain, None, type=socket.SOCK_STREAM)})
    except OSError:
        found = []
    if as_json:
        print_json({"domain": domain, "site": site, "addresses": found})
        return
    click.echo(f"{domain} points at {', '.join(found)}" if found else f"{domain} has no address in the DNS yet.")
    click.echo(f"  it is answered with {site}" if site else "  no site has it: fazt domains add SITE " + domain)
