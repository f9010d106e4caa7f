"""`fazt user` and `fazt init`: who may use the dashboard.

Rule: a password comes from a prompt, a pipe or a file, never from the command line, where the shell's history and the
list of processes have it.
"""

import sys

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, number, plain, print_json, table

ROLES = ("owner", "admin", "editor", "viewer")


@click.command(short_help="Make the owner's account, or the link that makes it.")
@click.option("--domain", metavar="NAME", help="Keep the domain under which sites answer.")
@click.option("--admin", "name", metavar="NAME", help="Make the owner's account with this name and a password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@server_options
def init(domain: str | None, name: str | None, password_stdin: bool, db: str | None, remote: str | None) -> None:
    """Set a server up: its domain, and the account of its owner.

    Without --admin a running server makes a one-time link, which opens the dashboard and lets you choose a password.

    \b
    Examples:
      fazt init
      fazt init --domain example.org --admin ann
    """
    with connect(db, remote, create=True) as client:
        if domain is not None:
            client.ask("PUT", "settings", "domain", body={"value": domain})
            click.echo(f"The domain is {plain(domain)}, from the next start of the server on.")
        if name is not None:
            body = {"name": name, "role": "owner", "password": _password(password_stdin)}
            made = client.ask("POST", "users", body=body)
            click.echo(f"{made['name']} owns this server now and can sign in at the dashboard.")
        elif client.transport.live:
            click.echo(client.ask("POST", "setup", "link")["url"])
            click.echo("Open this link once, and choose a name and a password there.", err=True)
        else:
            click.echo("Start the server now: `fazt serve` prints a link that opens the dashboard.")


@click.group(short_help="Say who may use the dashboard.")
def user() -> None:
    """Say who may use the dashboard, and what they may do there.

    \b
    Roles:
      owner, admin   everything; only an owner makes owners
      editor         deploys to the sites that are named
      viewer         looks at all sites, or at those that are named

    \b
    Example:
      fazt user create --role editor --site blog
    """


@user.command("list")
@json_option
@server_options
def list_users(as_json: bool, db: str | None, remote: str | None) -> None:
    """List the users.

    \b
    Example:
      fazt user list
    """
    with connect(db, remote) as client:
        items = list(client.items("users"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("Nobody has an account yet. Make the owner's: fazt init")
    else:
        rows = [
            (
                item["name"],
                item["role"],
                "all" if item["sites"] is None else ", ".join(item["sites"]),
                "yes" if item["totp"] else "no",
                age(item["last_seen_at"]),
            )
            for item in items
        ]
        table(("NAME", "ROLE", "SITES", "SECOND FACTOR", "SEEN"), rows)


@user.command("create")
@click.argument("name", required=False)
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What they may do.")
@click.option("--site", "sites", metavar="NAME", multiple=True, help="Only this site; can be given several times.")
@click.option("--password-stdin", is_flag=True, help="Read the password of NAME from standard input.")
@json_option
@server_options
def create(
    name: str | None,
    role: str,
    sites: tuple[str, ...],
    password_stdin: bool,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Make a link with which somebody makes their account; with NAME, make the account itself.

    \b
    Examples:
      fazt user create --role editor --site blog
      fazt user create ann --role admin
    """
    wanted = {"role": role, "sites": list(sites) or None}
    with connect(db, remote) as client:
        if name is None:
            made = client.ask("POST", "invites", body=wanted)
        else:
            made = client.ask("POST", "users", body={**wanted, "name": name, "password": _password(password_stdin)})
    if as_json:
        print_json(made)
    elif name is None:
        click.echo(made["url"])
        click.echo(f"This link makes one account ({role}). It holds until {made['expires_at'][:10]}.", err=True)
    else:
        click.echo(f"{made['name']} ({role}) can sign in now.")


@user.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@server_options
def remove(names: tuple[str, ...], db: str | None, remote: str | None) -> None:
    """Remove users; what they have open in a browser ends at once.

    \b
    Example:
      fazt user remove ann
    """
    with connect(db, remote) as client:
        for name in names:
            client.ask("DELETE", "users", name)
    click.echo(f"{number(len(names), 'user')} removed.")


@user.command("passwd")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@server_options
def passwd(name: str, password_stdin: bool, db: str | None, remote: str | None) -> None:
    """Give a user a new password; all their sessions end.

    \b
    Example:
      fazt user passwd ann
    """
    with connect(db, remote) as client:
        client.ask("PATCH", "users", name, body={"password": _password(password_stdin)})
    click.echo(f"{plain(name)} has a new password; every browser has to sign in again.")


def _password(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
