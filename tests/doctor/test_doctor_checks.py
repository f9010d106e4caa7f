"""Each check on a machine where all is well, and on one where it is not."""

import os
import re
import socket
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fazt import __version__
from fazt.doctor import examination, machine, network
from fazt.doctor.subject import Subject
from fazt.settings import Settings
from fazt.store.writer import LARGE_WAL_BYTES

Usage = namedtuple("Usage", "total used free")
DOCUMENT = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database's file as it should be."""
    made = tmp_path / "data.db"
    made.write_bytes(b"x" * 1000)
    made.chmod(0o600)
    return made


def about(path: Path, *, serving: str | None = None, **settings: Any) -> Subject:
    return Subject(path, Settings(**settings), serving)


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_versions_differ(path: Path) -> None:
    assert machine.check_version(about(path)).state == "ok"
    assert machine.check_version(about(path, serving=__version__)).state == "ok"
    old = machine.check_version(about(path, serving="0.0.1"))
    assert (old.state, old.fix) == ("warning", "Restart the server.")


def test_permissions(path: Path) -> None:
    assert machine.check_permissions(about(path)).state == "ok"
    path.chmod(0o644)
    found = machine.check_permissions(about(path))
    assert (found.state, found.fix) == ("warning", f"chmod 600 {path}")
    path.parent.chmod(0o777)
    found = machine.check_permissions(about(path))
    assert (found.state, found.fix) == ("failure", f"chmod o-w {path.parent}")
    path.unlink()
    assert machine.check_permissions(about(path)).fix == f"fazt serve --db {path}"


@pytest.mark.parametrize(
    ("free", "state"), [(1 << 30, "ok"), (6_000_001, "ok"), (5_999_999, "warning"), (2_000_000, "failure")]
)
def test_disk(path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    os.truncate(path, 3_000_000)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(1 << 40, 0, free))
    found = machine.check_disk(about(path, disk_reserve_bytes=3_000_000))
    assert found.state == state
    assert bool(found.fix) is (state != "ok")


def test_backup(path: Path) -> None:
    now = datetime.now(UTC)
    for count, proven, fix in (
        (0, None, "fazt backup create"),
        (3, None, "fazt backup drill"),
        (3, now - timedelta(days=12), "fazt backup drill"),
        (3, now - timedelta(days=3), ""),
    ):
        found = machine.check_backup(replace(about(path), backups=count, proven_at=proven))
        assert (found.state, found.fix) == ("warning" if fix else "ok", fix)


def test_wal(path: Path) -> None:
    assert machine.check_wal(about(path)).state == "ok"
    wal = path.with_name("data.db-wal")
    wal.touch()
    os.truncate(wal, LARGE_WAL_BYTES + 1)
    assert machine.check_wal(about(path)).state == "warning"


def test_certificates(path: Path, listener: socket.socket) -> None:
    assert machine.check_certificates(about(path)).state == "ok"
    assert machine.check_https_port(about(path)).state == "ok"
    port = listener.getsockname()[1]
    secure = about(path, https=f"127.0.0.1:{port}")
    taken = machine.check_https_port(secure)
    assert (taken.check, taken.state) == ("https port", "failure")
    assert "config set https" in taken.fix
    assert machine.check_https_port(replace(secure, serving_version=__version__)).state == "ok"
    none = machine.check_certificates(secure)
    assert none.state == "failure"
    assert none.fix == "fazt cert status says why none is ordered; fazt cert add CHAIN KEY brings one."
    alone = about(path, https=f"127.0.0.1:{port}", acme="no")
    assert machine.check_certificates(alone).fix == "fazt cert add CHAIN KEY brings one."
    for days, state in [(-1, "failure"), (9, "warning"), (11, "ok")]:
        ends = datetime.now(UTC) + timedelta(days=days, hours=1)
        found = machine.check_certificates(replace(secure, certificates=2, expires=("blog.example.org", ends)))
        assert found.state == state
        assert "blog.example.org" in found.what


def test_port(path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    taken = machine.check_port(about(path, http=f"127.0.0.1:{port}"))
    assert taken.state == "failure"
    assert f":{port}" in taken.fix
    assert machine.check_port(about(path, http=f"127.0.0.1:{port}", serving="1")).state == "ok"
    listener.close()
    assert machine.check_port(about(path, http=f"127.0.0.1:{port}")).state == "ok"
    assert machine.check_port(about(path, http=f"127.0.0.1:{port}", serving="1")).state == "failure"


@pytest.mark.parametrize(
    ("port", "effective", "state"),
    [(80, "0000000000000400", "ok"), (80, "0000000000000000", "failure"), (8080, "0000000000000000", "ok")],
)
def test_capabilities(path: Path, tmp_path: Path, port: int, effective: str, state: str) -> None:
    kernel = tmp_path / "proc/sys/net/ipv4"
    kernel.mkdir(parents=True)
    (kernel / "ip_unprivileged_port_start").write_text("1024\n")
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{effective}\n")
    found = machine.check_capabilities(Subject(path, Settings(http=f":{port}"), None, root=tmp_path))
    assert found.state == state
    assert found.fix.startswith("setcap") is (state == "failure")


def test_a_clock_that_was_set_back(path: Path) -> None:
    assert machine.check_clock(about(path)).state in ("ok", "warning")  # as this machine's is
    ahead = time.time() + 3600
    os.utime(path, (ahead, ahead))
    found = machine.check_clock(about(path))
    assert (found.state, found.fix) == ("failure", "timedatectl set-ntp true")


def test_open_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (1024, 4096))
    assert machine.check_open_files(about(path, max_connections=1000)).state == "ok"
    assert "max_connections 3840" in machine.check_open_files(about(path, max_connections=20_000)).fix


# --- what asks others; nothing leaves the machine here ---


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}

    def find(host: str) -> list[str]:
        return known.get(host) or known.get("*." + host.partition(".")[2], [])

    monkeypatch.setattr(network, "addresses", find)
    return known


def test_names(path: Path, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    subject = about(path, domain="example.org")
    monkeypatch.setattr(network.socket, "gethostbyaddr", lambda _: ("example.org", [], []))
    assert network.check_dns(subject).state == "failure"
    names["example.org"] = ["192.0.2.1"]
    assert network.check_dns(subject).state == "ok"
    assert network.check_wildcard(subject).fix == "*.example.org. A 192.0.2.1"
    names["*.example.org"] = ["192.0.2.1"]
    assert network.check_wildcard(subject).state == "ok"
    assert network.check_reverse_dns(subject).state == "ok"
    monkeypatch.setattr(network.socket, "gethostbyaddr", lambda _: ("host.example", [], []))
    assert network.check_reverse_dns(subject).fix == "host.example. A 192.0.2.1"


@pytest.mark.parametrize(
    ("check", "state"), [(network.check_outbound_web, "failure"), (network.check_outbound_mail, "warning")]
)
def test_outgoing_ports(
    path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, check: Callable[[Subject], Any], state: str
) -> None:
    here = listener.getsockname()
    monkeypatch.setattr(network, "WEB", here)
    monkeypatch.setattr(network, "MAIL", here)
    assert check(about(path)).state == "ok"
    listener.close()
    assert check(about(path)).state == state


# --- all of them ---


def test_without_online_nobody_is_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> Any:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(network, "addresses", forbidden)
    monkeypatch.setattr(network, "_reach", forbidden)
    findings = examination.examine(about(path, domain="example.org"), online=False)
    assert len(findings) == len(examination.HERE)
    assert all(finding.fix or finding.state == "ok" for finding in findings)


def test_what_cannot_be_looked_at_does_not_end_the_rest(path: Path, tmp_path: Path) -> None:
    findings = examination.examine(Subject(path, Settings(http=":80"), None, root=tmp_path / "nothing"), online=False)
    found = {finding.check: finding for finding in findings}
    assert "could not be looked at" in found["capabilities"].what
    assert len(found) == len(examination.HERE)


def test_every_check_is_documented(path: Path, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CONNECT_S", 0.01)
    monkeypatch.setattr(network, "WEB", ("127.0.0.1", 1))
    monkeypatch.setattr(network, "MAIL", ("127.0.0.1", 1))
    findings = examination.examine(about(path, domain="example.org"), online=True)
    documented = set(re.findall(r"^\| `([a-z0-9 ]+)` \|", DOCUMENT, re.MULTILINE))
    assert documented == {"database", *(finding.check for finding in findings)}
