"""The service: what it is on this computer, how it is put up and taken down, for `install.sh` and `fazt service`.

What was chosen at the installation lies in `service.json` beside the versions; an upgrade and every later command read
it there. Rule: putting it up twice changes nothing the second time.
"""

import glob
import json
import os
import pwd
from dataclasses import asdict, dataclass
from pathlib import Path

from fazt.errors import InvalidInput, MachineError, NotFound
from fazt.machine import firewall, rights, units
from fazt.machine.acts import Acts, attempt, replace_file
from fazt.machine.background import Background
from fazt.machine.systemd import Systemd
from fazt.machine.versions import CURRENT, Versions
from fazt.settings import Settings, check_domain, listen_address, public_url

SYSTEM_PREFIX = Path("/opt/fazt")
SYSTEM_DATABASE = Path("/var/lib/fazt/data.db")
SYSTEM_USER = "fazt"
RECORD = "service.json"
LOW_PORTS = 1024


@dataclass(frozen=True, slots=True)
class Service:
    """A server of this computer. `personal`: of one user, without root; `systemd`: whether that watches over it."""

    prefix: str
    database: str
    user: str
    domain: str
    http: str
    email: str
    version: str
    personal: bool
    systemd: bool
    https: str = ""  # empty: there is none

    @property
    def versions(self) -> Versions:
        """Where the versions lie of which one runs."""
        return Versions(Path(self.prefix))

    @property
    def python(self) -> Path:
        """The interpreter that runs the server, of whatever version is current."""
        name = "python" if self.systemd or self.personal else rights.SERVER_PYTHON
        return Path(self.prefix) / CURRENT / "bin" / name

    @property
    def environment(self) -> dict[str, str]:
        """The settings that belong to the installation."""
        settings = {"FAZT_DB": self.database, "FAZT_DOMAIN": self.domain, "FAZT_HTTP": self.http}
        chosen = {"FAZT_HTTPS": self.https, "FAZT_ACME_EMAIL": self.email}
        return settings | {name: value for name, value in chosen.items() if value}

    @property
    def listens(self) -> list[tuple[str, int]]:
        """The addresses that it listens on, host and port. Raises: InvalidInput."""
        return [listen_address(each) for each in (self.http, self.https) if each]

    @property
    def supervisor(self) -> Systemd | Background:
        """Who starts and stops it."""
        if self.systemd:
            return Systemd(personal=self.personal)
        return Background(self.python, Path(self.database), None if self.personal else self.user, self.environment)


def user_prefix() -> Path:
    """Return where one user's installation lies."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "fazt" / "program"


def find(prefix: Path | None = None) -> Service:
    """Return what is installed: under a prefix, else for the system, else for this user. Raises: NotFound."""
    for each in (prefix,) if prefix else (SYSTEM_PREFIX, user_prefix()):
        record = each / RECORD
        if record.is_file():
            try:
                return Service(**json.loads(record.read_text()))
            except (ValueError, TypeError) as error:
                raise MachineError(f"{record} cannot be read: {error}.") from error
    raise NotFound("No service is installed here. Make one: fazt service install")


def check(service: Service) -> None:
    """Say what cannot be before anything is done. Raises: InvalidInput, MachineError."""
    check_domain(service.domain)
    ports = [port for _, port in service.listens]
    if len(set(ports)) < len(ports):
        raise InvalidInput(f"HTTP and HTTPS cannot both be on port {ports[0]}.")
    for name, value in asdict(service).items():
        if isinstance(value, str) and (not value.isprintable() or any(sign in value for sign in '"\\%$')):
            raise InvalidInput(f"{name} cannot be {value!r}: quotes, backslashes, $ and % mean something in a unit.")
    if not service.personal and os.geteuid() != 0:
        raise MachineError("Only root can install a system service; without root there is --personal.")
    if service.personal and min(ports) < LOW_PORTS:
        raise InvalidInput(f"Port {min(ports)}: without root no port below {LOW_PORTS} can be listened on.")
    if service.versions.current() is None:
        raise MachineError(f"No version of Fazt lies under {service.prefix}; install.sh puts one there.")


def install(service: Service, acts: Acts) -> None:
    """Put the service up and start it, or bring one that is there in line. Raises: InvalidInput, MachineError."""
    check(service)
    folder = Path(service.database).parent
    changed = False
    if service.personal:
        acts.make_folder(folder, 0o700)
    else:
        rights.make_user(service.user, folder, acts)
        acts.make_folder(folder, 0o700, owner=service.user)
    if service.systemd:
        changed = units.install(service_units(service), acts, personal=service.personal)
    elif not service.personal:
        rights.allow_low_ports(service.versions.folder_of_current(), service.user, acts)
    changed |= acts.write(Path(service.prefix) / RECORD, as_text(service))
    if not service.personal:
        for _, port in service.listens:
            firewall.open_port(port, acts)
    start(service, acts, again=changed)


def record(service: Service) -> None:
    """Keep what is installed."""
    replace_file(Path(service.prefix) / RECORD, as_text(service))


def as_text(service: Service) -> str:
    """Return what stands in the record."""
    return json.dumps(asdict(service), indent=2) + "\n"


def start(service: Service, acts: Acts, *, again: bool) -> None:
    """Start the server, or start it `again`, and come back once it answers. Raises: MachineError."""
    acts.run_as("restart the server" if again else "start the server", lambda: _start(service, again=again))


def _start(service: Service, *, again: bool) -> None:
    supervisor = service.supervisor
    if again and supervisor.is_running():
        supervisor.restart()
    else:
        supervisor.start()


def service_units(service: Service) -> units.Units:
    """Return the units as they are for this service."""
    return units.make_units(
        personal=service.personal,
        addresses=[address for host, port in service.listens for address in units.addresses(host, port)],
        values={
            "user": service.user,
            "python": str(service.python),
            "environment": " ".join(f'"{name}={value}"' for name, value in service.environment.items()),
            "folder": str(Path(service.database).parent),
        },
    )


def welcome(service: Service) -> list[str]:
    """Return lines that say where the sites are, and how the owner's account is made, once. Raises: MachineError."""
    settings = Settings(domain=service.domain, http=service.http, https=service.https)
    lines = [
        f"  your sites:  {public_url(settings, service.domain)}",
        f"  dashboard:   {public_url(settings, f'dashboard.{service.domain}')}",
    ]
    code, output = attempt(str(service.versions.folder_of_current() / "bin" / "fazt"), "init", "--db", service.database)
    link = next((word for word in output.split() if "#/setup/" in word), None)
    if link is not None:
        return [*lines, f"  set up the dashboard, once: {link}"]
    if code and "owner" not in output:
        raise MachineError(f"The server runs, but gave no link for the dashboard: {' '.join(output.split())}")
    return lines


def uninstall(service: Service, acts: Acts, *, purge: bool) -> None:
    """Stop the server and take everything away but the data; with `purge` the data and the user too."""
    acts.run_as("stop the server", service.supervisor.stop)
    if service.systemd:
        units.remove(acts, personal=service.personal)
    if not service.personal:
        for _, port in service.listens:
            firewall.close_port(port, acts)
    acts.remove(Path(service.prefix) / RECORD)
    if purge:
        _remove_data(Path(service.database), acts)
        if not service.personal:
            rights.remove_user(service.user, acts)


def _remove_data(database: Path, acts: Acts) -> None:
    """Remove the database and what belongs to it, and the folder only if nothing else is in it."""
    folder = database.parent
    own = (database, *folder.glob(f"{glob.escape(database.name)}[-.]*"), folder / "fazt.log", folder / "fazt.pid")
    for each in (*own, *folder.glob(".rehearsal-*")):
        acts.remove(each)
    if not acts.dry and folder.is_dir() and not any(folder.iterdir()):
        acts.remove(folder)


def current_user() -> str:
    """Return the name of whoever runs this."""
    return pwd.getpwuid(os.geteuid()).pw_name
