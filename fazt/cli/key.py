"""`fazt key`: the key that the secrets of a server are sealed with.

Rule: a key never goes over a network or into an output; these commands work on the files of this machine alone.
"""

from contextlib import closing
from pathlib import Path

import click

from fazt.cli.options import json_option
from fazt.cli.output import facts, print_json
from fazt.errors import InvalidInput, NotFound
from fazt.settings import database_path
from fazt.store import key_file, sealed_rows
from fazt.store.database import Database

database_option = click.option("--db", metavar="PATH", help="The database; else FAZT_DB, ./data.db or your own.")


@click.group(short_help="Look after the key that secrets are sealed with.")
def key() -> None:
    """Look after the key that secrets are sealed with.

    Secrets of sites, hooks and notifications, second factors and secret settings are encrypted in the database. Their
    key lies beside it (data.db.key), or where FAZT_KEY_FILE or systemd's credentials say. Keep a copy of it elsewhere:
    without it a backup has no secrets.

    \b
    Examples:
      fazt key status
      fazt key give /media/stick/data.db.key
    """


@key.command()
@json_option
@database_option
def status(as_json: bool, db: str | None) -> int:
    """Say which key is wanted, where it is looked for, and whether it is there; exit code 1 where it is not.

    \b
    Example:
      fazt key status
    """
    path = _database(db)
    wanted = _wanted(path)
    looks = key_file.look(path, wanted)
    found = next((look.place for look in looks if look.key is not None and key_file.id_of(look.key) == wanted), None)
    if as_json:
        said = [{"place": str(look.place), "what": _what(look, wanted)} for look in looks]
        print_json({"id": wanted.hex(), "place": None if found is None else str(found), "looked": said})
    else:
        facts([("key", wanted.hex()), *((str(look.place), _what(look, wanted)) for look in looks)])
    return int(found is None)


@key.command()
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False))
@database_option
def give(file: str, db: str | None) -> None:
    """Put the key that FILE holds (- reads standard input) beside the database; a server that runs has it at once.

    \b
    Example:
      fazt key give /media/stick/data.db.key
    """
    path = _database(db)
    with click.open_file(file, "rb") as opened:
        given = key_file.read_text(opened.read(key_file.MOST_BYTES))
    if given is None:
        raise InvalidInput(f"{file} holds no key: that is 64 hexadecimal digits.")
    wanted = _wanted(path)
    if key_file.id_of(given) != wanted:
        raise InvalidInput(f"This is the key {key_file.id_of(given).hex()}; the one that is wanted is {wanted.hex()}.")
    click.echo(f"The key is at {key_file.put(path, given)}.")


@key.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
def forget(yes: bool, db: str | None) -> None:
    """Give up the secrets whose key is lost, and begin with a new key. The server must be stopped.

    Secrets of sites and certificates are removed; second factors are taken off accounts; hooks that have a secret
    are switched off until they are given a new one, notifications until they are given their address; who was let in
    to protected sites signs in again.

    \b
    Example:
      fazt key forget
    """
    path = _database(db)
    wanted = _wanted(path)
    if key_file.find(path, wanted) is not None:
        raise InvalidInput("The key is not lost: fazt key status says where it lies.")
    if not yes:
        click.confirm(f"Give up every secret that was sealed with the key {wanted.hex()}?", abort=True, err=True)
    with closing(Database.open(path, create=False)) as database:
        new = key_file.new_key()
        place = key_file.put(path, new)
        database.write_blocking(sealed_rows.forget, new)
    click.echo(f"The new key is at {place}. Set the secrets again.")


def _database(db: str | None) -> Path:
    path = database_path(db).resolve()
    if not path.is_file():
        raise NotFound(f"There is no database at {path}.")
    return path


def _wanted(path: Path) -> bytes:
    """Return the id of the key of a database. Raises: NotFound where it has none."""
    wanted = sealed_rows.key_id_of(path)
    if wanted is None:
        raise NotFound(f"The secrets in {path} are not sealed yet; the next start of the server does it.")
    return wanted


def _what(look: key_file.Look, wanted: bytes) -> str:
    if look.key is None:
        return look.fault
    found = key_file.id_of(look.key)
    return "this is it" if found == wanted else f"another key, {found.hex()}"
