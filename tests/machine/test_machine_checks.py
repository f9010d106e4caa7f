"""The checks before an installation: each finds what it is for, and says what to do."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fazt.machine import checks, installer


@pytest.fixture
def taken() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened.getsockname()[1]


def test_a_port_in_use_fails_unless_it_is_ours(taken: int) -> None:
    assert checks.check_port("127.0.0.1", taken, own=False).grade == "failed"
    assert checks.check_port("127.0.0.1", taken, own=True).grade == "ok"


def test_a_clock_that_was_never_set_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_clock().grade == "ok"
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert checks.check_clock().grade == "failed"


def test_a_full_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_disk(tmp_path / "not" / "there").grade == "ok"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(checks, "FREE_BYTES", 1 << 60)
    assert checks.check_disk(tmp_path).grade == "failed"


@pytest.mark.parametrize(
    ("system", "libc", "grade"),
    [
        (("linux", "x86_64"), "glibc", "ok"),
        (("linux", "aarch64"), "glibc", "ok"),
        (("linux", "aarch64"), "", "warning"),
        (("linux", "armv7l"), "glibc", "failed"),
        (("darwin", "x86_64"), "", "failed"),
    ],
)
def test_the_kind_of_machine(system: tuple[str, str], libc: str, grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", system[0])
    monkeypatch.setattr("platform.machine", lambda: system[1])
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
    assert checks.check_machine().grade == grade


def resolver(known: dict[str, str], wildcard: str | None) -> Callable[..., Any]:
    def getaddrinfo(name: str, port: int, **_: Any) -> list[Any]:
        address = known.get(name) or (wildcard if name not in known and "." in name else None)
        if address is None:
            raise socket.gaierror("not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return getaddrinfo


@pytest.mark.parametrize(
    ("known", "wildcard", "grade", "part"),
    [
        ({"example.org": "192.0.2.1"}, "192.0.2.1", "ok", "lead to 192.0.2.1"),
        ({"example.org": "192.0.2.1"}, None, "warning", "*.example.org leads nowhere"),
        ({"example.org": "192.0.2.1"}, "192.0.2.9", "warning", "another place"),
        ({"example.org": ""}, None, "warning", "example.org leads nowhere"),
    ],
)
def test_dns_is_asked_for_a_name_that_nobody_made(
    known: dict[str, str], wildcard: str | None, grade: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", resolver(known, wildcard))
    found = checks.check_dns("example.org")
    assert (found.grade, part in found.what) == (grade, True), found


@pytest.mark.parametrize(("systemd", "booted", "grade"), [(True, True, "ok"), (True, False, "failed")])
def test_systemd_has_to_run(systemd: bool, booted: bool, grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.isdir", lambda path: booted)
    assert checks.check_supervisor(systemd=systemd).grade == grade


def test_one_that_failed_fails_the_installation(taken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--prefix", str(tmp_path), "--host", "127.0.0.1"]
    assert installer.main([*arguments, "--port", str(taken)]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert installer.main([*arguments, "--port", str(taken), "--own-port"]) == 0
    assert installer.main(arguments) == 0  # no server, no port
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_laid_down_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert installer.main(["lay-down", "--prefix", str(tmp_path / "p"), "--wheels", str(tmp_path)]) == 1
    assert "0 wheels of Fazt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
