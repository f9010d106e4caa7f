"""`fazt env` and `fazt secrets`: what a site's functions are started with.

Rule: a secret comes from a prompt, a pipe or a file, never from the command line, where the shell's history and the
list of processes have it; and it is never printed.
"""

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, number, print_json, table
from fazt.cli.secret_input import read_secret
from fazt.data.variable_names import check_name


@click.group(short_help="Set the variables of a site's functions.")
def env() -> None:
    """Set the variables that functions find in `env`. For what nobody may read there is `fazt secrets`.

    \b
    Example:
      fazt env set blog GREETING=hello
    """


@env.command("list")
@click.argument("site")
@json_option
@server_options
def list_env(site: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the variables of SITE with their values.

    \b
    Example:
      fazt env list blog
    """
    with connect(db, remote) as client:
        items = list(client.items("sites", site, "env"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo(f"{site} has no variable yet. Set one: fazt env set {site} NAME=VALUE")
    else:
        table(("NAME", "VALUE", "SET"), [(item["name"], item["value"], age(item["updated_at"])) for item in items])


@env.command("set")
@click.argument("site")
@click.argument("assignments", metavar="NAME=VALUE...", nargs=-1, required=True)
@json_option
@server_options
def set_env(site: str, assignments: tuple[str, ...], as_json: bool, db: str | None, remote: str | None) -> None:
    """Give variables of SITE their values; functions that start from now on have them.

    \b
    Example:
      fazt env set blog GREETING=hello LIMIT=20
    """
    pairs = [assignment.partition("=") for assignment in assignments]
    for name, equals, _ in pairs:
        if not equals:
            raise click.UsageError("Write each variable as NAME=VALUE.")
        check_name(name)
    with connect(db, remote) as client:
        items = [client.ask("PUT", "sites", site, "env", name, body={"value": value}) for name, _, value in pairs]
    if as_json:
        print_json({"items": items})
    else:
        click.echo(f"{number(len(items), 'variable')} of {site} set.")


@env.command("remove")
@click.argument("site")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@server_options
def remove_env(site: str, names: tuple[str, ...], db: str | None, remote: str | None) -> None:
    """Take variables of SITE away.

    \b
    Example:
      fazt env remove blog GREETING
    """
    with connect(db, remote) as client:
        for name in names:
            client.ask("DELETE", "sites", site, "env", name)
    click.echo(f"{number(len(names), 'variable')} of {site} removed.")


@click.group(short_help="Set what only a site's functions may read.")
def secrets() -> None:
    """Set secrets: what functions find in `fazt.secrets`, and nobody sees again.

    \b
    Example:
      fazt secrets set blog API_KEY
    """


@secrets.command("list")
@click.argument("site")
@json_option
@server_options
def list_secrets(site: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """List the names of the secrets of SITE; their values are never shown.

    \b
    Example:
      fazt secrets list blog
    """
    with connect(db, remote) as client:
        items = list(client.items("sites", site, "secrets"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo(f"{site} has no secret yet. Set one: fazt secrets set {site} NAME")
    else:
        table(("NAME", "SET"), [(item["name"], age(item["updated_at"])) for item in items])


@secrets.command("set")
@click.argument("site")
@click.argument("name")
@click.option("--file", "path", metavar="FILE", type=click.Path(dir_okay=False), help="Take the value from a file.")
@json_option
@server_options
def set_secret(site: str, name: str, path: str | None, as_json: bool, db: str | None, remote: str | None) -> None:
    """Give the secret NAME of SITE a value, which is asked for, or comes from a pipe or a file.

    A line end behind it does not belong to it.

    \b
    Examples:
      fazt secrets set blog API_KEY
      fazt secrets set blog SIGNING_KEY --file key.pem
    """
    if "=" in name:
        raise click.UsageError("Give the name only: a value on the command line would stay in the shell's history.")
    check_name(name)
    value = read_secret(name, path)
    with connect(db, remote) as client:
        made = client.ask("PUT", "sites", site, "secrets", name, body={"value": value})
    if as_json:
        print_json(made)
    else:
        click.echo(f"The secret {name} of {site} is set. It is not shown again.")


@secrets.command("remove")
@click.argument("site")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@server_options
def remove_secrets(site: str, names: tuple[str, ...], db: str | None, remote: str | None) -> None:
    """Take secrets of SITE away.

    \b
    Example:
      fazt secrets remove blog API_KEY
    """
    with connect(db, remote) as client:
        for name in names:
            client.ask("DELETE", "sites", site, "secrets", name)
    click.echo(f"{number(len(names), 'secret')} of {site} removed.")
