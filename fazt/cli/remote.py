"""`fazt remote`: other servers by a short name."""

import os
import re
import sys
from typing import Any

import click

from fazt.cli import remotes
from fazt.cli.options import json_option
from fazt.cli.output import print_json, table
from fazt.cli.remotes import Remote, Remotes
from fazt.errors import InvalidInput


@click.group(short_help="Know other servers by a short name.")
def remote() -> None:
    """Know other servers by a short name.

    \b
    Example:
      fazt remote add home https://dashboard.example.org
    """


@remote.command()
@click.argument("name")
@click.argument("url")
@click.option("--insecure", is_flag=True, help="Allow http, which sends the token in the clear.")
def add(name: str, url: str, insecure: bool) -> None:
    """Remember the server at URL as NAME. The token is asked for, or taken from FAZT_TOKEN or from a pipe.

    \b
    Example:
      fazt remote add home https://dashboard.example.org
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name) or name == "local":
        raise InvalidInput(f"'{name}' cannot be the name of a remote: letters, digits, '.', '_' and '-'.")
    checked = remotes.check_url(url, insecure=insecure)
    token = _token()
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise InvalidInput("That is not a token; make one on the server: fazt token create --action deploy")
    known = remotes.load()
    others = tuple(item for item in known.items if item.name != name)
    remotes.save(Remotes(known.current, (*others, Remote(name, checked, token))))
    click.echo(f"{name} is {checked}. Use it: fazt sites list --remote {name}")


def _token() -> str:
    """Return the token; never an argument: those stand in the shell's history and in the list of processes."""
    token = os.environ.get("FAZT_TOKEN")
    if token is None:
        asked = sys.stdin.isatty()
        token = str(click.prompt("Token", hide_input=True, err=True)) if asked else sys.stdin.readline()
    return token.strip()


@remote.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the servers that have a name.

    \b
    Example:
      fazt remote list
    """
    known = remotes.load()
    items: list[dict[str, Any]] = [
        {"name": item.name, "url": item.url, "current": item.name == known.current} for item in known.items
    ]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no remote yet. Add one: fazt remote add NAME https://dashboard.DOMAIN")
    else:
        table(
            ("REMOTE", "ADDRESS", ""),
            [(i.name, i.url, "in use" if i.name == known.current else "") for i in known.items],
        )


@remote.command()
@click.argument("name")
def use(name: str) -> None:
    """Make NAME the server of all commands that do not name one; 'local' is this machine.

    \b
    Example:
      fazt remote use home
    """
    known = remotes.load()
    if name != "local":
        remotes.find(name)
    remotes.save(Remotes(None if name == "local" else name, known.items))
    click.echo(f"Commands are now about {name}.")


@remote.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget the server NAME and its token.

    \b
    Example:
      fazt remote remove home
    """
    remotes.find(name)
    known = remotes.load()
    left = tuple(item for item in known.items if item.name != name)
    remotes.save(Remotes(None if known.current == name else known.current, left))
    click.echo(f"{name} is forgotten. Its token still works: revoke it on the server.")
