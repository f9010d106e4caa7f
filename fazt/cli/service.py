"""`fazt service`: the server as a service of this computer."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fazt.cli.output import plain

if TYPE_CHECKING:
    from fazt.machine.acts import Acts

prefix_option = click.option(
    "--prefix", metavar="DIR", type=click.Path(path_type=Path), help="Where the versions lie (default: /opt/fazt)."
)
dry_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


@click.group(short_help="Run the server as a service of this computer.")
def service() -> None:
    """Run the server as a service: it starts with the computer, and again if it fails.

    \b
    Example:
      sudo fazt service install --domain example.org
    """


@service.command()
@click.option("--domain", default="localhost", show_default=True, metavar="NAME", help="The domain of all sites.")
@click.option("--email", default="", metavar="ADDRESS", help="Where certificate authorities reach you.")
@click.option("--user", metavar="NAME", help="The user that it runs as (default: fazt); made if absent.")
@click.option("--http", metavar="ADDR:PORT", help="Where to listen (default: :80; --personal: 127.0.0.1:4698).")
@click.option("--https", metavar="ADDR:PORT", help="For HTTPS, or no (default: :443 for a server with a domain).")
@click.option("--db", metavar="PATH", type=click.Path(path_type=Path), help="Default: /var/lib/fazt/data.db.")
@click.option("--personal", is_flag=True, help="For yourself, without root.")
@click.option("--no-systemd", is_flag=True, help="Start it in the background; nothing watches over it.")
@prefix_option
@dry_option
def install(
    domain: str,
    email: str,
    user: str | None,
    http: str | None,
    https: str | None,
    db: Path | None,
    personal: bool,
    no_systemd: bool,
    prefix: Path | None,
    dry_run: bool,
) -> None:
    """Put the service up and start it. A second time only what differs is changed.

    \b
    Examples:
      sudo fazt service install --domain example.org --https :443
      fazt service install --personal
    """
    from fazt.machine import service as machine  # what it takes is loaded for these commands only
    from fazt.machine.versions import Versions

    place = prefix or (machine.user_prefix() if personal else machine.SYSTEM_PREFIX)
    own = machine.user_prefix().parent / "data.db" if personal else machine.SYSTEM_DATABASE
    wanted = machine.Service(
        prefix=str(place.absolute()),
        database=str((db or own).absolute()),
        user=machine.current_user() if personal else user or machine.SYSTEM_USER,
        domain=domain,
        http=http or ("127.0.0.1:4698" if personal else ":80"),
        email=email,
        version=Versions(place).current() or "",
        personal=personal,
        systemd=not no_systemd,
        https=_https(https, domain, personal=personal),
    )
    machine.install(wanted, _acts(dry_run))
    if not dry_run:
        where = " and ".join(each for each in (wanted.http, wanted.https) if each)
        click.echo(f"Fazt runs, as {plain(wanted.user)}, on {plain(where)}.")
        for line in machine.welcome(wanted):
            click.echo(line)


@service.command()
@click.option("--purge", is_flag=True, help="Remove the database too, and the user. There is no way back.")
@click.option("--yes", is_flag=True, help="Do not ask before --purge.")
@prefix_option
@dry_option
def uninstall(purge: bool, yes: bool, prefix: Path | None, dry_run: bool) -> None:
    """Stop the service and take it down; the sites stay, unless they are purged.

    \b
    Examples:
      sudo fazt service uninstall
      sudo fazt service uninstall --purge --yes
    """
    from fazt.machine import service as machine

    found = machine.find(prefix)
    if purge and not yes and not dry_run:
        click.confirm(f"Remove {Path(found.database).parent} with all sites?", abort=True)
    machine.uninstall(found, _acts(dry_run), purge=purge)
    if not dry_run and not purge:
        click.echo(f"The service is gone. Your sites are still in {plain(found.database)}.")


@service.command()
@prefix_option
def start(prefix: Path | None) -> None:
    """Start the server, and come back once it answers.

    \b
    Example:
      sudo fazt service start
    """
    from fazt.machine import service as machine

    machine.find(prefix).supervisor.start()
    click.echo("The server runs.")


@service.command()
@prefix_option
def stop(prefix: Path | None) -> None:
    """Stop the server; what has begun is finished.

    \b
    Example:
      sudo fazt service stop
    """
    from fazt.machine import service as machine

    machine.find(prefix).supervisor.stop()
    click.echo("The server is stopped.")


@service.command()
@prefix_option
def restart(prefix: Path | None) -> None:
    """Start the server again. Under systemd nobody is refused meanwhile.

    \b
    Example:
      sudo fazt service restart
    """
    from fazt.machine import service as machine

    machine.find(prefix).supervisor.restart()
    click.echo("The server runs again.")


@service.command()
@prefix_option
def status(prefix: Path | None) -> int:
    """Show what is installed and whether it runs; the exit code is 1 where it does not.

    \b
    Example:
      fazt service status
    """
    from fazt.machine import service as machine

    found = machine.find(prefix)
    supervisor = found.supervisor
    click.echo(f"Version {found.versions.current()} in {plain(found.prefix)}, sites in {plain(found.database)}")
    click.echo(plain_lines(supervisor.status()), nl=False)
    return 0 if supervisor.is_running() else 1


@service.command()
@click.option("-f", "--follow", is_flag=True, help="Go on, until Ctrl-C.")
@click.option("--lines", default=100, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@prefix_option
def logs(follow: bool, lines: int, prefix: Path | None) -> None:
    """Show what the server printed: its start, its warnings, its errors.

    \b
    Example:
      fazt service logs -f
    """
    from fazt.machine import service as machine

    command = machine.find(prefix).supervisor.logs_command(lines, follow=follow)
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606  it takes the place of this process: Ctrl-C ends it


def _https(given: str | None, domain: str, *, personal: bool) -> str:
    """Return where a service listens for HTTPS, empty: nowhere."""
    if given is None:
        return "" if personal or domain == "localhost" else ":443"
    return "" if given == "no" else given


def plain_lines(text: str) -> str:
    """Return lines with a mark in place of each character that could move the cursor."""
    return "".join(f"{plain(line)}\n" for line in text.splitlines())


def _acts(dry_run: bool) -> "Acts":
    from fazt.machine.acts import Acts

    mark = "would " if dry_run else ""
    return Acts(lambda line: click.echo(f"  {mark}{plain(line)}", err=not dry_run), dry=dry_run)
