"""`fazt sites`: the sites of a server."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import click

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import age, facts, number, print_json, size, table
from fazt.errors import Conflict, InvalidInput, InvalidPath, RemoteError
from fazt.sites.names import check_path


@click.group(short_help="List, create, rename, lock, export and remove sites.")
def sites() -> None:
    """List, create, rename, lock, export and remove sites.

    \b
    Example:
      fazt sites list
    """


@sites.command("list")
@json_option
@server_options
def list_(as_json: bool, db: str | None, remote: str | None) -> None:
    """List all sites.

    \b
    Example:
      fazt sites list --json
    """
    with connect(db, remote) as client:
        items = list(client.items("sites"))
    if as_json:
        print_json({"items": items})
    elif not items:
        click.echo("There is no site yet. Make one: fazt deploy DIR --site NAME")
    else:
        rows = [
            (
                item["name"],
                item["url"],
                (item["live_version"] or "none")[:8],
                f"{item['versions']:,}",
                size(item["bytes"]),
                "locked" if item["locked"] else "",
            )
            for item in items
        ]
        table(("SITE", "ADDRESS", "LIVE", "VERSIONS", "SIZE", ""), rows)


@sites.command()
@click.argument("site")
@json_option
@server_options
def show(site: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Show one site.

    \b
    Example:
      fazt sites show blog
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "sites", site)
    if as_json:
        print_json(found)
        return
    facts(
        [
            ("site", found["name"] + (" (locked)" if found["locked"] else "")),
            ("address", found["url"]),
            ("domains", ", ".join(found["domains"]) or "none of its own"),
            ("live", f"version {found['live_version'][:8]}" if found["live_version"] else "nothing deployed yet"),
            ("content", f"{number(found['files'], 'file')}, {size(found['bytes'])}"),
            ("versions", f"{found['versions']:,}"),
            ("created", age(found["created_at"])),
        ]
    )


@sites.command()
@click.argument("name")
@json_option
@server_options
def create(name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Make a site that has nothing deployed yet.

    \b
    Example:
      fazt sites create blog
    """
    with connect(db, remote, create=True) as client:
        found = client.ask("POST", "sites", body={"name": name})
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['name']} is made. Put something on it: fazt deploy DIR --site {found['name']}")


@sites.command()
@click.argument("site")
@click.argument("name")
@json_option
@server_options
def rename(site: str, name: str, as_json: bool, db: str | None, remote: str | None) -> None:
    """Give SITE another NAME, and with it another address.

    \b
    Example:
      fazt sites rename blog journal
    """
    with connect(db, remote) as client:
        found = client.ask("PATCH", "sites", site, body={"name": name})
    if as_json:
        print_json(found)
    else:
        click.echo(f"{site} is now {found['name']}, at {click.style(found['url'], bold=True)}")


@sites.command()
@click.argument("site")
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
def remove(site: str, yes: bool, db: str | None, remote: str | None) -> None:
    """Delete SITE with all its versions. There is no way back.

    \b
    Example:
      fazt sites remove blog --yes
    """
    with connect(db, remote) as client:
        found = client.ask("GET", "sites", site)
        if not yes:
            what = f"Delete {site} with {number(found['versions'], 'version')}, for good?"
            if not click.confirm(what, err=True):
                raise Conflict(f"{site} was not deleted.")
        client.ask("DELETE", "sites", site)
    click.echo(f"{site} is deleted.")


def _set_locked(site: str, locked: bool, db: str | None, remote: str | None) -> None:
    with connect(db, remote) as client:
        client.ask("PATCH", "sites", site, body={"locked": locked})
    click.echo(f"{site} is {'locked: nothing can be deployed to it' if locked else 'unlocked'}.")


@sites.command()
@click.argument("site")
@server_options
def lock(site: str, db: str | None, remote: str | None) -> None:
    """Refuse every change of SITE until it is unlocked.

    \b
    Example:
      fazt sites lock blog
    """
    _set_locked(site, True, db, remote)


@sites.command()
@click.argument("site")
@server_options
def unlock(site: str, db: str | None, remote: str | None) -> None:
    """Allow changes of SITE again.

    \b
    Example:
      fazt sites unlock blog
    """
    _set_locked(site, False, db, remote)


@sites.command()
@click.argument("site")
@click.option("--out", metavar="DIR|FILE.tar", help="Where to; a new or empty folder, or a tar (default: SITE.tar).")
@click.option("--version", metavar="VERSION", default="live", help="Another version than the live one.")
@server_options
def export(site: str, out: str | None, version: str, db: str | None, remote: str | None) -> None:
    """Write the files of SITE out again, byte for byte as they were deployed.

    \b
    Examples:
      fazt sites export blog --out ./blog-copy
      fazt sites export blog --version 3fa2b1c0 --out blog.tar
    """
    target = Path(out or f"{site}.tar")
    into_file = target.suffix == ".tar"
    if into_file and target.exists():
        raise InvalidInput(f"{target} exists already; name another file with --out.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput(f"{target} is not an empty folder; name another with --out.")
    with connect(db, remote) as client:
        pieces = client.stream("GET", "sites", site, "versions", version, "export").pieces
        if into_file:
            _save(pieces, target)
        else:
            _unpack(pieces, target)
    click.echo(f"{site} is exported to {target}")


def _save(pieces: Iterator[bytes], target: Path) -> None:
    """Write a tar; under its name only when it is whole."""
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _unpack(pieces: Iterator[bytes], target: Path) -> None:
    """Unpack a tar into a folder; nothing in it can lead out of there.

    By hand, file by file: Debian 12's Python has no extraction filters yet.
    """
    target.mkdir(parents=True, exist_ok=True)
    stream = cast("IO[bytes]", _Stream(pieces))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise InvalidPath(f"{member.name!r} is not a file")
                place = target / check_path(member.name)
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, InvalidPath) as error:
        raise RemoteError(f"The export is damaged: {error}. What came of it is in {target}.") from error


class _Stream:
    """An iterator of pieces as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes; fewer only at the end."""
        parts = [self._rest]
        have = len(self._rest)
        while have < count and (piece := next(self._pieces, b"")):
            parts.append(piece)
            have += len(piece)
        data = b"".join(parts)
        self._rest = data[count:]
        return data[:count]
