"""What has to hold before anything is installed: each check looks, changes nothing, and says what to do where it fails.

Nothing but the standard library is needed: `install.sh` runs this before anything is installed.
"""

import contextlib
import os
import platform
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MACHINES = ("x86_64", "aarch64")
OLDEST_PYTHON = (3, 11)
FREE_BYTES = 600 << 20  # a version takes 260 MB, and its bundle 60 MB more while it is made
EARLIEST = 1_764_000_000  # no clock that is right shows less: November 2025
OTHER_PORTS = {443: "HTTPS", 25: "mail"}
Grade = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `advice` is empty where all is well."""

    grade: Grade
    what: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be installed. `port` is None where no server is; `own_port`: a server of ours may be on it already."""

    prefix: Path
    domain: str
    host: str
    port: int | None
    https_port: int | None
    own_port: bool
    systemd: bool
    root: bool


def check_all(plan: Plan) -> Iterator[Finding]:
    """Yield what each check finds."""
    yield check_python()
    yield check_machine()
    yield check_clock()
    yield check_disk(plan.prefix)
    if plan.port is None:
        return
    yield check_port(plan.host, plan.port, own=plan.own_port)
    if plan.https_port is not None:
        yield check_port(plan.host, plan.https_port, own=plan.own_port)
    if plan.root:
        others = {port: name for port, name in OTHER_PORTS.items() if port != plan.https_port}
        yield from (check_other_port(port, name) for port, name in others.items())
        yield check_supervisor(systemd=plan.systemd)
    if not is_local(plan.domain):
        yield check_dns(plan.domain)


def check_python() -> Finding:
    """Look at the Python that virtualenvs are made from."""
    what = f"Python {platform.python_version()}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("failed", what, "Fazt needs Python 3.11 or newer.")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return Finding("failed", f"{what} without venv", "Install it: apt-get install python3-venv")
    return Finding("ok", what)


def check_machine() -> Finding:
    """Look at the kind of processor, and at the C library that wheels are made for."""
    machine, libc = platform.machine(), platform.libc_ver()[0]
    what = f"{sys.platform} on {machine}"
    if sys.platform != "linux" or machine not in MACHINES:
        return Finding("failed", what, f"Fazt runs on Linux on {' or '.join(MACHINES)}.")
    if libc != "glibc":
        return Finding("warning", f"{what}, without glibc", "Only a bundle that was made for this C library fits.")
    return Finding("ok", what)


def check_clock() -> Finding:
    """Look whether the clock can be right: certificates and sessions depend on it."""
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    if time.time() < EARLIEST:
        return Finding("failed", f"the clock says {shown}", "Set the clock, and keep it: timedatectl set-ntp true")
    return Finding("ok", f"the clock says {shown}")


def check_disk(prefix: Path) -> Finding:
    """Look whether there is room, where it is to lie."""
    place = prefix
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    what = f"{free // 1_000_000} MB free in {place}"
    if free < FREE_BYTES:
        return Finding("failed", what, f"Make room: it takes {FREE_BYTES // 1_000_000} MB.")
    if not os.access(place, os.W_OK):
        return Finding("failed", f"{place} cannot be written to", "Run this as root, or choose another place: --prefix")
    return Finding("ok", what)


def check_port(host: str, port: int, *, own: bool) -> Finding:
    """Look whether the port of the sites is free, or a server of this very installation has it."""
    if _is_free(host, port) or own:
        return Finding("ok", f"port {port} is free" if not own else f"port {port} is Fazt's")
    return Finding("failed", f"port {port} is in use", f"Stop what listens there (ss -ltnp 'sport = :{port}').")


def check_other_port(port: int, name: str) -> Finding:
    """Look at a port that is not needed yet."""
    if _is_free("", port):
        return Finding("ok", f"port {port} is free")
    return Finding("warning", f"port {port} is in use", f"{name} could not be served by Fazt there.")


def _is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on a port; without root it is asked by connecting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            probe.settimeout(2)
            return probe.connect_ex((host or "127.0.0.1", port)) != 0
        except OSError:
            return False
    return True


def check_supervisor(*, systemd: bool) -> Finding:
    """Look for what gives the right to port 80."""
    if systemd:
        there = os.path.isdir("/run/systemd/system")
        advice = "" if there else "systemd does not run this computer; go without: --no-systemd"
        return Finding("ok" if there else "failed", "systemd", advice)
    there = shutil.which("setcap") is not None
    return Finding("ok" if there else "failed", "setcap", "" if there else "Install it: apt-get install libcap2-bin")


def check_dns(domain: str) -> Finding:
    """Look whether the domain and any name below it lead somewhere; the random label finds a missing wildcard."""
    label = f"fazt-{secrets.token_hex(6)}"
    bare, wildcard = _addresses(domain), _addresses(f"{label}.{domain}")
    if not bare or not wildcard:
        missing = domain if not bare else f"*.{domain}"
        return Finding(
            "warning", f"{missing} leads nowhere", f"Add a DNS record: {missing} A <this computer's address>"
        )
    if bare.isdisjoint(wildcard):
        return Finding("warning", f"*.{domain} leads to another place than {domain}", "Sites would not be found.")
    return Finding("ok", f"{domain} and *.{domain} lead to {', '.join(sorted(bare & wildcard))}")


def _addresses(name: str) -> set[str]:
    with contextlib.suppress(OSError):
        return {str(found[4][0]) for found in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)}
    return set()


def is_local(domain: str) -> bool:
    """Tell whether a domain means this computer without any DNS (RFC 6761 6.3)."""
    return domain == "localhost" or domain.endswith(".localhost")
