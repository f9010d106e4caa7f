"""`fazt protect` and `fazt share`: who may see a site, and links that let others in for a while.

Rule: a password comes from a prompt or a pipe, never from the command line.
"""

import re
import sys
from typing import Any

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, plain, print_json, table

UNITS = {"m": 60, "h": 3600, "d": 86_400}


@click.command(short_help="Say who may see a site, or some of its paths.")
@click.argument("site")
@click.option("--path", "paths", metavar="PATH", multiple=True, help="What is protected: /*, /drafts/*, /plan.")
@click.option("--password", "asks", is_flag=True, help="Ask visitors for a password, which is asked for now.")
@click.option("--password-stdin", is_flag=True, help="The same; it is read from standard input.")
@click.option("--users", is_flag=True, help="Let people in who have an account on this server.")
@click.option("--address", "addresses", metavar="NET", multiple=True, help="Let in who comes from there.")
@click.option("--off", is_flag=True, help="Let everybody see the site again, as its fazt.json says.")
@json_option
@server_options
def protect(
    site: str,
    paths: tuple[str, ...],
    asks: bool,
    password_stdin: bool,
    users: bool,
    addresses: tuple[str, ...],
    off: bool,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Say who may see SITE; without an option, show it. Any of the ways opens; it counts at once.

    \b
    Examples:
      fazt protect blog --password
      fazt protect blog --path '/drafts/*' --users --address 192.0.2.0/24
      fazt protect blog --off
    """
    ways = asks or password_stdin or users or bool(addresses)
    if off and (ways or paths):
        raise click.UsageError("--off goes alone.")
    if paths and not ways:
        raise click.UsageError("Say who may see it: --password, --users or --address.")
    with connect(db, remote) as client:
        if off:
            client.ask("DELETE", "sites", site, "protection")
        elif ways:
            password = _password(password_stdin) if asks or password_stdin else False
            rule = {"paths": list(paths) or ["/*"], "password": password, "users": users, "addresses": list(addresses)}
            client.ask("PUT", "sites", site, "protection", body={"rules": [rule]})
        shown = client.ask("GET", "sites", site, "protection")
    if as_json:
        print_json(shown)
    elif not shown["rules"]:
        click.echo(f"Everybody may see {plain(site)}, where its fazt.json does not say otherwise.")
    else:
        table(("PATHS", "WHO MAY SEE THEM"), [(", ".join(rule["paths"]), _ways(rule)) for rule in shown["rules"]])


@click.group(short_help="Links that let others see a protected site.")
def share() -> None:
    """Make links that let whoever has them see a protected site, some paths of it, or one preview.

    \b
    Example:
      fazt share create blog --expires 7d
    """


@share.command("create")
@click.argument("site")
@click.option("--path", default="/*", show_default=True, metavar="PATH", help="What it opens.")
@click.option("--version", metavar="ID", help="Only the preview of this version.")
@click.option("--expires", default="7d", show_default=True, metavar="TIME", help="How long it holds: 90m, 12h, 7d.")
@click.option("--label", default="", metavar="TEXT", help="For you, to know it again.")
@json_option
@server_options
def create(
    site: str,
    path: str,
    version: str | None,
    expires: str,
    label: str,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Make a link to SITE; it is shown this once.

    \b
    Example:
      fazt share create blog --path '/drafts/*' --expires 12h
    """
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", expires)
    if match is None:
        raise click.UsageError("Write --expires as 90m, 12h or 7d.")
    body = {"path": path, "version": version, "expires_in_s": int(match[1]) * UNITS[match[2]], "label": label}
    with connect(db, remote) as client:
        made = client.ask("POST", "sites", site, "shares", body=body)
    if as_json:
        print_json(made)
    else:
        click.echo(made["url"])
        click.echo(f"Whoever has this link sees {plain(path)} until {made['expires_at'][:16]}Z.", err=True)


@share.command("list")
@click.argument("site")
@json_option
@server_options
def list_shares(site: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the links to SITE.

    \b
    Example:
      fazt share list blog
    """
    with connect(db, remote) as client:
        items = client.ask("GET", "sites", site, "shares")["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo(f"There is no share link to {plain(site)}. Make one: fazt share create {plain(site)}")
    else:
        rows = [
            (
                each["id"],
                each["path"],
                (each["version"] or "")[:8],
                age(each["expires_at"]),
                str(each["uses"]),
                each["label"],
            )
            for each in items
        ]
        table(("ID", "PATH", "VERSION", "ENDS", "USES", "LABEL"), rows)


@share.command("revoke")
@click.argument("site")
@click.argument("id")
@server_options
def revoke(site: str, id: str, db: str | None, remote: str | None) -> None:
    """Make a link useless at once.

    \b
    Example:
      fazt share revoke blog 0c1d2e3f4a5b
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "sites", site, "shares", id)
    click.echo("The link leads nowhere now.")


def version_of(share: dict[str, Any]) -> str:
    """Return the beginning of the version that a link is for."""
    return (share["version"] or "")[:8]


def _password(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password for visitors", hide_input=True, confirmation_prompt=True, err=True))


def _ways(rule: dict[str, Any]) -> str:
    ways = [*(["a password"] if rule["password"] else []), *(["users of this server"] if rule["users"] else [])]
    return ", or ".join([*ways, *([f"from {', '.join(rule['addresses'])}"] if rule["addresses"] else [])])
