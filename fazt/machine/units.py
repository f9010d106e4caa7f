"""The units of systemd: filled in from `unit_files/`, written where systemd looks, and taken away again."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from fazt.machine.acts import Acts
from fazt.machine.systemd import SERVICE, SOCKET, Systemd

SYSTEM_FOLDER = Path("/etc/systemd/system")
MEMORY_SHARE = "80%"  # of the machine: the system stays usable whatever sites do
IPV6 = Path("/proc/net/if_inet6")
PORTLESS_HOSTS = {"": ("0.0.0.0", "::")}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Units:
    """The text of the two units."""

    service: str
    socket: str


def folder(*, personal: bool) -> Path:
    """Return where units lie that an administrator, or a user, adds."""
    if not personal:
        return SYSTEM_FOLDER
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config).expanduser() / "systemd" / "user"


def addresses(host: str, port: int) -> list[str]:
    """Return what the socket unit listens on; each family apart, so that an IPv4 client has its own kind of address."""
    hosts = PORTLESS_HOSTS.get(host, (host,))
    return [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in hosts if ":" not in each or _has_ipv6()]


def _has_ipv6() -> bool:
    return IPV6.exists() and bool(IPV6.read_text().strip())


def make_units(*, personal: bool, addresses: list[str], values: Mapping[str, str]) -> Units:
    """Return the units with these values: user, python, environment, folder."""
    name = "fazt-personal.service" if personal else SERVICE
    in_home = Path(values["folder"]).is_relative_to("/home") or Path(values["python"]).is_relative_to("/home")
    more = {
        "listen": "\n".join(f"ListenStream={each}" for each in addresses),
        "memory_max": MEMORY_SHARE,
        "protect_home": "read-only" if in_home else "yes",
    }
    return Units(_fill(name, {**values, **more}), _fill(SOCKET, more))


def _fill(name: str, values: Mapping[str, str]) -> str:
    return Template(files("fazt.machine").joinpath("unit_files", name).read_text()).substitute(values)


def install(units: Units, acts: Acts, *, personal: bool) -> bool:
    """Write and enable the units; tell whether the running server has to be started again for them."""
    place = folder(personal=personal)
    service, socket = place / SERVICE, place / SOCKET
    socket_changed = acts.write(socket, units.socket)
    changed = acts.write(service, units.service) or socket_changed
    systemd = Systemd(personal=personal)
    if changed:
        acts.run(*systemd.command("daemon-reload"))
    acts.run(*systemd.command("enable", "--quiet", SOCKET, SERVICE))
    if socket_changed and systemd.is_running():
        acts.run(*systemd.command("stop", SERVICE, SOCKET))  # a socket cannot move while the server has it
    return changed


def remove(acts: Acts, *, personal: bool) -> None:
    """Disable and remove the units."""
    place, systemd = folder(personal=personal), Systemd(personal=personal)
    if not (place / SERVICE).exists() and not (place / SOCKET).exists():
        return
    acts.run(*systemd.command("disable", "--quiet", SERVICE, SOCKET))
    acts.remove(place / SERVICE)
    acts.remove(place / SOCKET)
    acts.run(*systemd.command("daemon-reload"))
