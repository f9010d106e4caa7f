"""`fazt deploy`: a folder or an archive becomes the next version of a site."""

import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

from fazt.cli.client import connect
from fazt.cli.options import json_option, server_options
from fazt.cli.output import number, print_json, size
from fazt.cli.upload import Upload, publish
from fazt.errors import InvalidInput
from fazt.settings import load_settings
from fazt.sites.folder import read_folder
from fazt.sites.local_file import ArchiveLimits, LocalFile
from fazt.sites.names import check_site_name

SHOWN_PATHS = 20
COUNT_STEP = 200


@click.command(short_help="Put a folder or an archive on the air.")
@click.argument("source", metavar="[DIR|FILE|-]", default=".")
@click.option("--site", metavar="NAME", help="The site; else the name in fazt.json, else that of the folder.")
@click.option("--preview", is_flag=True, help="Make a version with an address of its own; the live one stays.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--message", "-m", metavar="TEXT", default="", help="A note that is kept with the version.")
@json_option
@server_options
def deploy(
    source: str,
    site: str | None,
    preview: bool,
    dry_run: bool,
    message: str,
    as_json: bool,
    db: str | None,
    remote: str | None,
) -> None:
    """Put a folder, a ZIP or a tar on the air.

    Only what the server lacks is sent. The new version is live for everybody at once, and the one before is one command
    away: fazt rollback SITE.

    \b
    Examples:
      fazt deploy ./blog --site blog
      fazt deploy site.zip --site blog --preview
      tar -c . | fazt deploy - --site blog -m "from the build server"
    """
    started = time.monotonic()
    with connect(db, remote, create=True) as client, _files(source, quiet=as_json) as files:
        name = _name_of(source, files) if site is None else site
        if site is None and not as_json:
            click.echo(f"The site is {name}; choose another with --site.", err=True)
        if not files:
            raise InvalidInput(f"There is nothing to deploy in {source}: no file, or all of them are left out.")
        upload = Upload(client, check_site_name(name), files, quiet=as_json)
        made = publish(upload, message=message, live=not preview, dry_run=dry_run)
    made |= {
        "files_sent": upload.files_sent,
        "bytes_sent": upload.bytes_sent,
        "seconds": round(time.monotonic() - started, 3),
    }
    for warning in made["warnings"]:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    if as_json:
        print_json(made)
    elif dry_run:
        _print_difference(made)
    else:
        _print_deployed(made)
        if client.transport.alone:
            click.secho("No server runs on this database; start one: fazt serve", dim=True, err=True)


@contextmanager
def _files(source: str, *, quiet: bool) -> Iterator[list[LocalFile]]:
    """Give the files of a folder, or of an archive unpacked into a place that goes away again."""
    settings = load_settings({})
    limits = ArchiveLimits(
        max_files=settings.max_site_files,
        max_file_bytes=settings.max_file_bytes,
        max_total_bytes=settings.max_site_bytes,
    )
    path = Path(source)
    if source != "-" and path.is_dir():
        with _counter(quiet) as on_file:
            files = read_folder(path, on_file=on_file, limits=limits)
        yield files
        return
    if source != "-" and not path.exists():
        raise InvalidInput(f"There is no folder or archive at {source}.")
    import tempfile  # what archives need is loaded for them only

    from fazt.sites.archive import read_archive

    with tempfile.TemporaryDirectory(prefix="fazt-") as spool:
        stream: Path | BinaryIO = sys.stdin.buffer if source == "-" else path
        yield read_archive(stream, Path(spool), limits=limits)


@contextmanager
def _counter(quiet: bool) -> Iterator[Callable[[LocalFile], None] | None]:
    """Give what counts files on a terminal while they are read; nothing of it stays."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    seen = itertools.count(1)

    def on_file(_: LocalFile) -> None:
        if (count := next(seen)) % COUNT_STEP == 0:
            click.echo(f"\rReading {count:,} files", nl=False, err=True)

    yield on_file
    click.echo("\r\x1b[K", nl=False, err=True)


def _name_of(source: str, files: list[LocalFile]) -> str:
    """Return the name in fazt.json, else the folder's or the archive's own name as a site name."""
    for file in files:
        if file.path == "fazt.json":
            with file.open() as stream:
                try:
                    name = orjson.loads(stream.read()).get("name")
                except (orjson.JSONDecodeError, AttributeError):
                    name = None  # the deploy itself says what is wrong with the file
            if isinstance(name, str) and name:
                return name
    if source == "-":
        raise InvalidInput("Say which site the archive is for: --site NAME.")
    path = Path(source).resolve()
    stem = path.name if path.is_dir() else path.name.split(".")[0]
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    if not name:
        raise InvalidInput("Say which site this is for: --site NAME.")
    return name


def _print_deployed(made: dict[str, Any]) -> None:
    site, version = made["site"], made["version"]
    if made["unchanged"]:
        click.echo(f"Nothing has changed: {click.style(made['url'], bold=True)} serves these files already.")
        return
    if made["live"]:
        click.echo(f"{site} is live at {click.style(made['url'], bold=True)}")
    else:
        click.echo(f"A preview of {site} is at {click.style(made['preview_url'], bold=True)}")
    sent = f"sent {number(made['files_sent'], 'file')}, {size(made['bytes_sent'])}"
    click.echo(f"  {number(made['files'], 'file')}, {size(made['bytes'])}; {sent} in {made['seconds']:.2f} s")
    undo = "" if made["created"] or not made["live"] else f"; undo with: fazt rollback {site}"
    click.echo(f"  version {version[:8]}{undo}")


def _print_difference(made: dict[str, Any]) -> None:
    if made["unchanged"]:
        click.echo(f"Nothing would change in {made['site']}.")
        return
    for sign, colour, kind in (("+", "green", "added"), ("~", "yellow", "changed"), ("-", "red", "removed")):
        paths = made["diff"][kind]
        for path in paths[:SHOWN_PATHS]:
            click.secho(f"{sign} {path}", fg=colour)
        if len(paths) > SHOWN_PATHS:
            click.secho(f"{sign} and {len(paths) - SHOWN_PATHS:,} more", fg=colour)
    counts = ", ".join(f"{len(made['diff'][kind]):,} {kind}" for kind in ("added", "changed", "removed"))
    click.echo(f"{made['site']}: {counts}; {size(made['bytes'])} in all. Nothing was changed.")
