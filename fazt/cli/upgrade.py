"""`fazt upgrade`: to another version, and back by itself where that does not do."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fazt import __version__
from fazt.cli.client import connect
from fazt.cli.output import plain
from fazt.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from fazt.machine.release import Release
    from fazt.machine.upgrade import Upgrade


@click.command(short_help="Go to a newer version, or back.")
@click.option("--check", "only_check", is_flag=True, help="Say whether there is a newer version, and change nothing.")
@click.option("--to", "version", metavar="V", help="This version, not the latest.")
@click.option("--from", "bundle", metavar="FILE", type=click.Path(path_type=Path), help="A bundle.")
@click.option("--releases", metavar="URL", help="Where releases lie (default: the setting releases_url).")
@click.option("--key", metavar="KEY", help="Their public key (minisign), or a file with it.")
@click.option("--downgrade", is_flag=True, help="Take an older version too.")
@click.option("--dry-run", is_flag=True, help="Find and check the release, and say what would be done.")
@click.option("--rollback", is_flag=True, help="Return to the version before.")
@click.option("--prefix", metavar="DIR", type=click.Path(path_type=Path), help="Where the versions lie.")
def upgrade(
    only_check: bool,
    version: str | None,
    bundle: Path | None,
    releases: str | None,
    key: str | None,
    downgrade: bool,
    dry_run: bool,
    rollback: bool,
    prefix: Path | None,
) -> None:
    """Install a release beside the running version, rehearse it on a copy of the database, and let it take over.

    If it does not start, or does not stay healthy, the version before runs again.

    \b
    Examples:
      fazt upgrade --check
      sudo fazt upgrade
      sudo fazt upgrade --from fazt-1.1.0-cp311-linux_x86_64.tar
      sudo fazt upgrade --rollback
    """
    if sum((rollback, bundle is not None, version is not None)) > 1:
        raise click.UsageError("Only one of --to, --from and --rollback can be.")
    work = _find(prefix)
    if rollback:
        before = work.versions.before()
        if dry_run:
            click.echo(f"Would return to {before.name}." if before else "There is no version to go back to.")
            return
        click.echo(f"Version {work.roll_back().name} runs again.")
        return
    from fazt.machine import release as machine

    trusted = _read_key(key)
    place = "" if bundle else _place(releases, work)
    found = machine.read_beside(bundle, trusted) if bundle else machine.look_up(place, version, trusted)
    if only_check or dry_run:
        _tell(found, work, dry_run=dry_run)
        return
    os.umask(0o022)  # the server's user reads what root installs
    with tempfile.TemporaryDirectory() as folder:
        fetched = bundle or machine.download(place, version, found, Path(folder))
        laid = work.install(machine.unpack(fetched, found, Path(folder)), downgrade=downgrade)
    click.echo(f"Version {laid.name} is what runs now." if work.service else f"Version {laid.name} is installed.")


def _find(prefix: Path | None) -> "Upgrade":
    """Return what there is to upgrade: a service, or else the installation that this command belongs to."""
    from fazt.machine import service as machine
    from fazt.machine.upgrade import Upgrade
    from fazt.machine.versions import Versions

    def say(line: str) -> None:
        click.echo(plain(line), err=True)

    own = Versions(prefix or Path(sys.prefix).resolve().parent)
    try:
        service = machine.find(prefix)
        return Upgrade(service.versions, service, say)
    except NotFound:
        if own.current() is None:
            raise InvalidInput("This Fazt was not put here by install.sh; upgrade it the way it came.") from None
        return Upgrade(own, None, say)


def _read_key(key: str | None) -> str:
    from fazt.machine.release import own_key

    if key is None:
        return own_key()
    return Path(key).read_text() if Path(key).is_file() else key


def _place(releases: str | None, work: "Upgrade") -> str:
    """Return the address of the releases: as it was given, else as the settings have it."""
    if releases:
        return releases
    with connect(work.service.database if work.service else None, None) as client:
        value = client.ask("GET", "settings", "releases_url")["value"]
    if not value:
        raise InvalidInput("No place of releases is known: --releases URL, or `fazt config set releases_url URL`.")
    return str(value)


def _tell(found: "Release", work: "Upgrade", *, dry_run: bool) -> None:
    from fazt.machine.versions import order

    now = work.versions.current() or __version__
    if order(found.version) <= order(now):
        click.echo(f"Version {now} runs; {found.version} is no newer one.")
    elif dry_run:
        click.echo(f"Would install {found.version} beside {now}, rehearse it on a copy of the database, and switch.")
    else:
        click.echo(f"Version {found.version} is there; {now} runs. To have it: fazt upgrade")
