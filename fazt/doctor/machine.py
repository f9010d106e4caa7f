"""Checks that need this machine alone: versions, files, disk, WAL, ports, rights, clock, open files.

Rule: a check changes nothing and sends nothing beyond loopback.
"""

import ctypes
import os
import resource
import shutil
import socket
import stat
import sys
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address

import apsw

from fazt import __version__
from fazt.doctor.findings import Finding
from fazt.doctor.subject import Subject
from fazt.settings import listen_address
from fazt.store import key_file, sealed_rows
from fazt.store.room import reserve_bytes
from fazt.store.writer import LARGE_WAL_BYTES

CONNECT_S = 2.0
EVERY_ADDRESS = (str(IPv4Address(0)), str(IPv6Address(0)))
CLOCK_SLACK_S = 5.0
EXPIRY_DAYS = 10  # what is renewed by itself is renewed before
PROOF_DAYS = 10  # the server proves one a week
SPARE_DESCRIPTORS = 256  # beside connections: files, pipes, runners
NET_BIND_SERVICE = 1 << 10  # capabilities(7)
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 512  # struct timex has 208 on 64-bit systems


def check_version(subject: Subject) -> Finding:
    """Compare this command with the server that runs."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    what = f"Fazt {__version__}, Python {python}, SQLite {apsw.sqlite_lib_version()}"
    if subject.serving_version in (None, __version__):
        return Finding("version", "ok", what)
    what = f"The server that runs is Fazt {subject.serving_version}, this command is {__version__}."
    return Finding("version", "warning", what, "Restart the server.")


def check_permissions(subject: Subject) -> Finding:
    """See whether only the server's user can read and change the database."""
    path, folder = subject.path, subject.path.parent
    if not path.exists():
        return Finding("permissions", "failure", f"There is no database at {path}.", f"fazt serve --db {path}")
    mode, above = path.stat().st_mode, folder.stat().st_mode
    if above & stat.S_IWOTH and not above & stat.S_ISVTX:
        what = f"Everybody may replace files in {folder}."
        return Finding("permissions", "failure", what, f"chmod o-w {folder}")
    if mode & 0o077:
        what = f"Others may read {path}, which holds secrets (mode {stat.S_IMODE(mode):o})."
        return Finding("permissions", "warning", what, f"chmod 600 {path}")
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(folder, os.W_OK):
        what = f"This user may not write to {path} and its folder."
        return Finding("permissions", "failure", what, f"chown {os.geteuid()} {folder} {path}")
    return Finding("permissions", "ok", f"Only its owner may read {path}.")


def check_key(subject: Subject) -> Finding:
    """See whether the key of the secrets is there, for its owner alone, and no older copy holds them without it."""
    path = subject.path.resolve()
    wanted = sealed_rows.key_id_of(path) if path.exists() else None
    if wanted is None:
        return Finding("key", "ok", "No secrets are sealed here yet.")
    place = next((each.place for each in key_file.look(path, wanted) if _is_key(each, wanted)), None)
    if place is None:
        what = f"The key {wanted.hex()} of the secrets is missing: none of them can be used."
        fix = "fazt key give FILE puts it in its place; if it is lost, fazt key forget begins with a new one."
        return Finding("key", "failure", what, fix)
    mode = place.stat().st_mode
    if mode & 0o077:
        what = f"Others may read {place}, the key of the secrets (mode {stat.S_IMODE(mode):o})."
        return Finding("key", "failure", what, f"chmod 600 {place}")
    for kept in sorted(path.parent.glob(f"{path.name}.schema-*")):
        if sealed_rows.key_id_of(kept) is None:
            what = f"{kept} is from before secrets were sealed: they can be read in it."
            return Finding("key", "warning", what, f"rm {kept}, once you will not go back to that version")
    return Finding("key", "ok", f"Secrets are sealed; their key is at {place}. Keep a copy of it elsewhere.")


def _is_key(look: key_file.Look, wanted: bytes) -> bool:
    return look.key is not None and key_file.id_of(look.key) == wanted


def check_disk(subject: Subject) -> Finding:
    """See whether the disk holds the database a second time, as a backup or a restore needs."""
    if not subject.path.parent.exists():
        return Finding("disk", "failure", f"{subject.path.parent} is missing.", f"mkdir -p {subject.path.parent}")
    disk = shutil.disk_usage(subject.path.parent)
    free, reserve = disk.free, reserve_bytes(disk.total, subject.settings.disk_reserve_bytes)
    size = subject.path.stat().st_size if subject.path.exists() else 0
    what = f"{_mb(free)} are free, the database takes {_mb(size)}."
    if free < reserve:
        fix = f"Make room on the disk of {subject.path}; fazt versions prune and fazt sites remove give some back."
        return Finding("disk", "failure", f"{what} {_mb(reserve)} stay free: nothing that grows is written.", fix)
    if free < 2 * size:
        fix = f"Free {_mb(2 * size - free)} on the disk of {subject.path}, so that twice the database fits."
        return Finding("disk", "warning", what, fix)
    return Finding("disk", "ok", what)


def check_backup(subject: Subject) -> Finding:
    """See when a backup was last proven: one that was only made may be of no use."""
    if not subject.backups:
        return Finding("backup", "warning", "There is no backup.", "fazt backup create")
    if subject.proven_at is None:
        return Finding("backup", "warning", f"None of {subject.backups} backups is proven.", "fazt backup drill")
    days = (datetime.now(UTC) - subject.proven_at).days
    if days > PROOF_DAYS:
        what = f"A backup was last proven {days} days ago."
        return Finding("backup", "warning", what, "fazt backup drill")
    return Finding("backup", "ok", f"A backup was proven {days} days ago.")


def check_wal(subject: Subject) -> Finding:
    """See whether the WAL is copied into the database as it should be."""
    wal = subject.path.with_name(f"{subject.path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    what = f"The WAL has {_mb(size)}."
    if size <= LARGE_WAL_BYTES:
        return Finding("wal", "ok", what)
    fix = "Restart the server, which copies it; if it grows again, a backup or another program holds the database open."
    return Finding("wal", "warning", what, fix)


def check_port(subject: Subject) -> Finding:
    """See whether the server answers at its port or, where none runs, whether the port is free."""
    return _check_port(subject, "port", "http", subject.settings.http)


def check_https_port(subject: Subject) -> Finding:
    """The same for HTTPS, where that is set."""
    if not subject.settings.https:
        return Finding("https port", "ok", "HTTPS is not set.")
    return _check_port(subject, "https port", "https", subject.settings.https)


def _check_port(subject: Subject, check: str, setting: str, listens: str) -> Finding:
    host, port = listen_address(listens)
    if subject.is_serving:
        return _check_answering(check, setting, host, port)
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError:
            return Finding(check, "failure", f"This user may not listen on port {port}.", _grant())
        except OSError as error:
            fix = f"ss -ltnp 'sport = :{port}' shows who listens there; or fazt config set {setting} ADDRESS:PORT"
            return Finding(check, "failure", f"{host}:{port} cannot be had: {error.strerror}.", fix)
    return Finding(check, "ok", f"{host}:{port} is free.")


def _check_answering(check: str, setting: str, host: str, port: int) -> Finding:
    where = "localhost" if host in ("", *EVERY_ADDRESS) else host
    try:
        socket.create_connection((where, port), CONNECT_S).close()
    except OSError as error:
        what = f"The server runs and does not answer at {where}:{port}: {error.strerror or error}."
        return Finding(check, "failure", what, f"Restart the server; a changed `{setting}` counts from then on.")
    return Finding(check, "ok", f"The server answers at {where}:{port}.")


def check_certificates(subject: Subject) -> Finding:
    """See whether HTTPS has certificates, and whether they are valid for a while yet."""
    if not subject.settings.https:
        return Finding("certificates", "ok", "HTTPS is not set.")
    ordered = "fazt cert status says why none is ordered; " if subject.settings.acme == "yes" else ""
    fix = f"{ordered}fazt cert add CHAIN KEY brings one."
    if subject.expires is None:
        what = "HTTPS is set and there is no certificate: every connection is refused."
        return Finding("certificates", "failure", what, fix)
    name, ends = subject.expires
    days = (ends - datetime.now(UTC)).days
    if days < 0:
        what = f"The certificate of {name} has expired."
        return Finding("certificates", "failure", what, fix)
    what = f"The first of {subject.certificates} certificates to expire is that of {name}, in {days} days."
    if days < EXPIRY_DAYS:
        return Finding("certificates", "warning", what, fix)
    return Finding("certificates", "ok", what)


def check_capabilities(subject: Subject) -> Finding:
    """See whether this user may listen on the port, where that takes a right."""
    port = listen_address(subject.settings.http)[1]
    first_free = int((subject.root / "proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if port >= first_free:
        return Finding("capabilities", "ok", f"Port {port} takes no rights.")
    if subject.is_serving:
        return Finding("capabilities", "ok", f"The server has port {port} already.")
    status = (subject.root / "proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    if int(effective, 16) & NET_BIND_SERVICE:
        return Finding("capabilities", "ok", f"This user may listen on port {port}.")
    return Finding("capabilities", "failure", f"Port {port} takes CAP_NET_BIND_SERVICE.", _grant())


def check_clock(subject: Subject) -> Finding:
    """See whether something keeps the clock right, and whether it went back behind the last write."""
    ahead_s = subject.path.stat().st_mtime - time.time() if subject.path.exists() else 0.0
    if ahead_s > CLOCK_SLACK_S:
        what = f"The last write lies {ahead_s:,.0f} s in the future: the clock was set back."
        return Finding("clock", "failure", what, "timedatectl set-ntp true")
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))  # `modes` is 0: it only tells
    if state == TIME_ERROR:
        return Finding("clock", "warning", "Nothing synchronises the clock.", "timedatectl set-ntp true")
    if state < 0:
        return Finding("clock", "warning", "The kernel does not tell about the clock.", "timedatectl status")
    return Finding("clock", "ok", "The clock is synchronised.")


def check_open_files(subject: Subject) -> Finding:
    """See whether as many files may be open as there may be connections."""
    wanted = subject.settings.max_connections + SPARE_DESCRIPTORS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return Finding("open files", "ok", f"{subject.settings.max_connections} connections may be open.")
    fix = f"LimitNOFILE={wanted} in the service's unit, or fazt config set max_connections {hard - SPARE_DESCRIPTORS}"
    what = f"Only {hard} files may be open; max_connections is {subject.settings.max_connections}."
    return Finding("open files", "warning", what, fix)


def _grant() -> str:
    return f"setcap cap_net_bind_service=+ep {os.path.realpath(sys.executable)}"


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
