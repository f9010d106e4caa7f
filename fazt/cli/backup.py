"""`fazt backup`: everything in one file, proven, and put back.

Rule: a backup on this machine is restored by this process, so that one can be restored where the database is damaged.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson

from fazt.auth.tokens import local_owner
from fazt.backups import file, restoring
from fazt.backups.boot import boot
from fazt.backups.file import Header, Progress
from fazt.backups.shelf import Shelf, prove_file
from fazt.cli.client import Client, connect, remote_name
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, number, print_json, size, table
from fazt.cli.secret_input import read_secret
from fazt.cli.transports import SocketTransport
from fazt.errors import FaztError, InvalidInput, NotFound
from fazt.settings import Settings, backup_folder, database_path, socket_path
from fazt.store import key_file
from fazt.store.audit import Entry
from fazt.store.staged import sync_folder


@click.group(short_help="Make backups, prove them, and restore one.")
def backup() -> None:
    """Make backups, prove them, and restore one.

    A backup is one file with everything: sites and their versions, data, accounts, settings. The server goes on
    meanwhile. It makes one a day by itself, and proves one a week: see the settings backup_*.

    \b
    Examples:
      fazt backup create
      fazt backup create --remote home --out home.fazt --encrypt
      fazt backup drill
      fazt backup restore latest
    """


def passphrase_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --passphrase-file to a command; the command is given `passphrase_path`."""
    place = click.Path(dir_okay=False, allow_dash=True)
    text = "Read the passphrase from a file, - for a pipe; else it is asked for."
    return click.option("--passphrase-file", "passphrase_path", metavar="FILE", type=place, help=text)(command)


@backup.command()
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Put it there instead.")
@click.option("--label", metavar="TEXT", default="", help="What it is for.")
@click.option("--encrypt", is_flag=True, help="Encrypt it with a passphrase, which nobody can help you to later.")
@click.option(
    "--with-key/--without-key",
    default=None,
    help="Put the key of the secrets into it, or leave it out; else it goes along where there is a passphrase.",
)
@passphrase_option
@json_option
@server_options
def create(
    out: Path | None,
    label: str,
    encrypt: bool,
    with_key: bool | None,
    passphrase_path: str | None,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Make a backup; it is kept on the server, or in FILE with --out.

    \b
    Examples:
      fazt backup create --label "before the big change"
      fazt backup create --out /media/disk/fazt.fazt --encrypt
    """
    passphrase = _new_passphrase(passphrase_path) if encrypt or passphrase_path is not None else None
    if out is not None and out.exists():
        raise InvalidInput(f"{out} is there already; name another file.")
    with connect(db, remote) as client:
        made = _long(client, "POST", "backups", body={"label": label, "passphrase": passphrase, "with_key": with_key})
        if out is not None:
            _fetch(client, made, out)
            client.ask("DELETE", "backups", made["id"])
            made |= {"path": str(out)}
    if as_json:
        print_json(made)
        return
    what = f"{number(made['sites'], 'site')}, {number(made['versions'], 'version')}"
    click.echo(f"{click.style(made['path'], bold=True)}")
    click.secho(f"{what}, {size(made['bytes'])}{', encrypted' if made['encrypted'] else ''}", dim=True, err=True)
    _say_key(made)


@backup.command("list")
@json_option
@server_options
def list_(as_json: bool, db: str | None, remote: str | None) -> None:
    """List the backups on the server, and whether they were proven.

    \b
    Example:
      fazt backup list
    """
    with connect(db, remote) as client:
        items = client.ask("GET", "backups")["items"]
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no backup yet. Make one: fazt backup create")
    else:
        rows = [
            (
                item["id"],
                age(item["made_at"]),
                size(item["bytes"]),
                str(item["sites"]),
                "yes" if item["encrypted"] else "no",
                "in it" if item.get("with_key") else "apart",
                _proven(item),
                item["label"],
            )
            for item in items
        ]
        table(("BACKUP", "MADE", "SIZE", "SITES", "ENCRYPTED", "KEY", "PROVEN", "LABEL"), rows)


@backup.command()
@click.argument("which", metavar="BACKUP")
@click.option("--no-boot", is_flag=True, help="Do not start a server on it.")
@passphrase_option
@json_option
@server_options
def verify(
    which: str, no_boot: bool, passphrase_path: str | None, as_json: bool, db: str | None, remote: str | None
) -> None:
    """Prove BACKUP, the id of one on the server or a file here: nothing of yours is touched.

    It is restored to a place of its own; its structure and every content are checked; a server is started on it,
    without jobs and notifications, and asked for every site.

    \b
    Examples:
      fazt backup verify latest
      fazt backup verify /media/disk/fazt.fazt
    """
    if _is_file(which):
        header = _prove_file(Path(which), passphrase_path, with_boot=not no_boot)
        _say_proven(which, {"sites": header.sites, "blobs": header.blobs}, None, as_json)
        return
    with connect(db, remote) as client:
        found = client.ask("GET", "backups", which)
        passphrase = _passphrase(passphrase_path) if found["encrypted"] else None
        body = {"passphrase": passphrase, "boot": not no_boot}
        found = _long(client, "POST", "backups", found["id"], "verify", body=body)
    _say_proven(found["id"], found, found["proof"]["failed"], as_json)


@backup.command()
@passphrase_option
@json_option
@server_options
@click.pass_context
def drill(
    context: click.Context, passphrase_path: str | None, as_json: bool, db: str | None, remote: str | None
) -> None:
    """Prove the newest backup: `fazt backup verify latest`.

    \b
    Example:
      fazt backup drill
    """
    context.invoke(
        verify, which="latest", no_boot=False, passphrase_path=passphrase_path, as_json=as_json, db=db, remote=remote
    )


@backup.command()
@click.argument("which", metavar="BACKUP")
@click.option("--site", metavar="SITE", help="Bring back this site alone, while all else goes on.")
@click.option("--no-data", is_flag=True, help="With --site: its files, not its keys and values, variables and secrets.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@passphrase_option
@server_options
def restore(
    which: str,
    site: str | None,
    no_data: bool,
    yes: bool,
    passphrase_path: str | None,
    db: str | None,
    remote: str | None,
) -> None:
    """Put BACKUP, the id of one on the server or a file here, in the place of the database.

    It is checked whole first. The database as it was is kept beside it. A server that runs starts anew. With --site one
    site comes back: its version of then goes live as a new one, its data replace those of now.

    \b
    Examples:
      fazt backup restore latest
      fazt backup restore /media/disk/fazt.fazt --yes
      fazt backup restore latest --site blog
    """
    if site is not None:
        _restore_site(which, site, no_data, yes, passphrase_path, db, remote)
        return
    if no_data:
        raise InvalidInput("--no-data goes with --site.")
    if remote_name(db, remote) is not None:
        _restore_there(which, yes, passphrase_path, db, remote)
        return
    database = database_path(db)
    path = Path(which) if _is_file(which) else _find(which, database, db)
    header = file.read_header(path)
    _confirm(header.sites, str(path), yes)
    passphrase = _passphrase(passphrase_path) if header.is_encrypted else None
    with _progress("Checking", header.bytes) as progress:
        entry = Entry(local_owner().actor, "", "backup.restore", None, path.name)
        restoring.stage(path, database, passphrase, progress=progress, entry=entry)
    if SocketTransport.is_open(socket_path(database)):
        _warn_of_missing_key(header, database)
        try:
            with connect(db, None) as client:
                client.ask("POST", "restart")
        except FaztError:  # it is decided all the same
            text = "The backup is checked, and takes the place of the database when the server starts next."
            click.secho(text, fg="yellow", err=True)
            raise
        click.echo(f"{number(header.sites, 'site')} restored; the server starts anew.")
        return
    kept = restoring.finish(database)
    click.echo(f"{number(header.sites, 'site')} restored.")
    _warn_of_missing_key(header, database)
    if kept is not None and kept.exists():
        click.secho(f"What was there before is kept: {kept}", dim=True, err=True)


@backup.command()
@click.option("--keep-last", "last", type=click.IntRange(1, 10_000), required=True, help="So many of the newest stay.")
@click.option("--daily", type=click.IntRange(0, 10_000), default=0, help="And the newest of so many days.")
@click.option("--weekly", type=click.IntRange(0, 10_000), default=0, help="And the newest of so many weeks.")
@click.option("--monthly", type=click.IntRange(0, 10_000), default=0, help="And the newest of so many months.")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@json_option
@server_options
def prune(
    last: int,
    daily: int,
    weekly: int,
    monthly: int,
    dry_run: bool,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Delete old backups; the newest one that is proven always stays.

    \b
    Example:
      fazt backup prune --keep-last 3 --daily 7 --weekly 4 --dry-run
    """
    body = {"last": last, "daily": daily, "weekly": weekly, "monthly": monthly, "dry_run": dry_run}
    with connect(db, remote) as client:
        found = client.ask("POST", "backups", "prune", body=body)
    if as_json:
        print_json(found)
        return
    for id in found["removed"]:
        click.echo(id)
    verb = "would go" if dry_run else "gone"
    click.secho(f"{number(len(found['removed']), 'backup')} {verb}, {size(found['freed_bytes'])}", dim=True, err=True)


@backup.command()
@click.argument("id", metavar="BACKUP")
@server_options
def remove(id: str, db: str | None, remote: str | None) -> None:
    """Delete BACKUP from the server.

    \b
    Example:
      fazt backup remove 20261127-094501-ab12
    """
    with connect(db, remote) as client:
        client.ask("DELETE", "backups", id)
    click.echo(f"{id} is gone.")


def _restore_site(
    which: str, site: str, no_data: bool, yes: bool, passphrase_path: str | None, db: str | None, remote: str | None
) -> None:
    with connect(db, remote) as client:
        found = client.ask("GET", "backups", which)
        if not yes:
            what = "its files" if no_data else "its files and its data"
            click.confirm(f"Bring back {site} ({what}) from {found['id']}?", abort=True, err=True)
        body = {"passphrase": _passphrase(passphrase_path) if found["encrypted"] else None, "data": not no_data}
        done = _long(client, "POST", "backups", found["id"], "sites", site, body=body)
    keys = "" if done["keys"] is None else f", {number(done['keys'], 'key')}"
    click.echo(f"{site} is as it was in {found['id']}: {number(done['files'], 'file')}{keys}.")
    undo = "nothing of its files differs" if done["unchanged"] else f"undo the files with: fazt rollback {site}"
    click.secho(f"  version {done['version'][:8]}; {undo}", dim=True, err=True)


def _restore_there(which: str, yes: bool, passphrase_path: str | None, db: str | None, remote: str | None) -> None:
    with connect(db, remote) as client:
        found = client.ask("GET", "backups", which)
        _confirm(found["sites"], f"{found['id']} on {client.transport.where}", yes)
        passphrase = _passphrase(passphrase_path) if found["encrypted"] else None
        _long(client, "POST", "backups", found["id"], "restore", body={"passphrase": passphrase})
    click.echo(f"{number(found['sites'], 'site')} restored; the server starts anew.")


def _say_key(made: dict[str, Any]) -> None:
    """Say whether what was made opens its own secrets."""
    if made["with_key"] and made["encrypted"]:
        text = "The key of its secrets is in it."
    elif made["with_key"]:
        text = "The key of its secrets is in it, and it is not encrypted: whoever has it can read them."
    else:
        text = "The key of its secrets is not in it: keep a copy of the key file elsewhere (fazt key status)."
    click.secho(text, dim=True, err=True)


def _warn_of_missing_key(header: Header, database: Path) -> None:
    """Say what is missing on a machine that does not have the key."""
    id = header.secrets_key
    if not id or header.with_secrets_key:
        return
    if key_file.find(Path(os.path.realpath(database)), bytes.fromhex(id)) is None:
        text = f"Its secrets take the key {id}, which is neither in it nor here. Put it here: fazt key give FILE"
        click.secho(text, fg="yellow", err=True)


def _find(which: str, database: Path, db: str | None) -> Path:
    """Return the file of a backup on this machine; the database itself is asked only where it must be."""
    try:
        return Shelf(database, backup_folder(Settings(), database)).find(which).path
    except NotFound:
        with connect(db, None) as client:
            return Path(client.ask("GET", "backups", which)["path"])


def _confirm(sites: int, what: str, yes: bool) -> None:
    if not yes:
        text = f"Put {what} ({number(sites, 'site')}) in the place of the database?"
        click.confirm(text, abort=True, err=True)


def _prove_file(path: Path, passphrase_path: str | None, *, with_boot: bool) -> Header:
    header = file.read_header(path)
    passphrase = _passphrase(passphrase_path) if header.is_encrypted else None
    with tempfile.TemporaryDirectory(prefix="fazt-") as work, _progress("Checking", header.bytes) as progress:
        return prove_file(path, Path(work, "data.db"), passphrase, boot if with_boot else None, progress)


def _say_proven(name: str, found: dict[str, Any], failed: str | None, as_json: bool) -> None:
    if as_json:
        print_json({**found, "failed": failed})
    elif failed is None:
        facts([(name, f"proven: {number(found['sites'], 'site')} and {number(found['blobs'], 'content')} are whole")])
    if failed is not None:
        click.echo(f"{name} is of no use: {failed}", err=True)
        raise click.exceptions.Exit(1)


def _proven(item: dict[str, Any]) -> str:
    proof = item["proof"]
    return "no" if proof is None else age(proof["at"]) if proof["failed"] is None else "FAILED"


def _long(client: Client, method: str, *path: str, body: Any) -> Any:
    """Ask for something that takes as long as it takes."""
    return orjson.loads(client.stream(method, *path, body=body, timeout_s=None).read())


def _fetch(client: Client, made: dict[str, Any], out: Path) -> None:
    """Write a backup of the server to a file, whole or not at all."""
    unfinished = out.with_name(f".{out.name}.part")
    try:
        with file.create(unfinished) as target, _progress("Fetching", made["bytes"]) as progress:
            done = 0
            for piece in client.stream("GET", "backups", made["id"], "content", timeout_s=None).pieces:
                target.write(piece)
                done += len(piece)
                progress(done, made["bytes"])
        if file.read_header(unfinished).sha256 != made["sha256"] or unfinished.stat().st_size != made["bytes"]:
            raise InvalidInput("The backup did not arrive whole; try again.")
        shutil.move(unfinished, out)
        sync_folder(out.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_file(which: str) -> bool:
    return "/" in which or which.endswith(".fazt") or Path(which).is_file()


def _new_passphrase(path: str | None) -> str:
    if path is None and sys.stdin.isatty():
        return file.check_passphrase(
            str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
        )
    return file.check_passphrase(read_secret("Passphrase", path))


def _passphrase(path: str | None) -> str:
    return read_secret("Passphrase", path)


@contextmanager
def _progress(label: str, total: int) -> Iterator[Progress]:
    """Give what shows progress where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as bar:
        yield lambda done, _total: bar.update(done - bar.pos)
