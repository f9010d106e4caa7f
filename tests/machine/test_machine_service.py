"""The service against a recorded fake `systemctl`: what is written, what is run, and that twice is as once."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fazt.errors import InvalidInput, MachineError, NotFound
from fazt.machine import rights, service, units
from fazt.machine.acts import Acts
from fazt.machine.service import Service

FAKE = """#!/bin/sh
echo "$*" >> "$FAKE_LOG"
case "$*" in
  *is-active*) test -e "$FAKE_LOG.running" && echo active || { echo inactive; exit 3; } ;;
  *" stop "*) rm -f "$FAKE_LOG.running" ;;
  *start*fazt.service*)
    test ! -e "$FAKE_LOG.broken" || { echo Job for fazt.service failed.; exit 1; }
    touch "$FAKE_LOG.running" ;;
esac
"""


class Computer:
    """A computer with a fake systemctl, and a version that lies there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log, self.said = folder, folder / "log", list[str]()
        fake = folder / "bin" / "systemctl"
        fake.parent.mkdir()
        fake.write_text(FAKE)
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin:/usr/sbin:/sbin")
        monkeypatch.setenv("FAKE_LOG", str(self.log))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        monkeypatch.setattr(units, "SYSTEM_FOLDER", folder / "etc")
        self.prefix = folder / "opt"
        (self.prefix / "1.0").mkdir(parents=True)
        (self.prefix / "1.0" / "installed.json").write_text('{"version": "1.0", "digest": "00"}')
        (self.prefix / "current").symlink_to("1.0")

    def service(self, *, personal: bool = True, **changed: str) -> Service:
        values = {"prefix": str(self.prefix), "database": str(self.folder / "data" / "data.db"), "user": "fazt"}
        values |= {"domain": "example.org", "http": "127.0.0.1:4698", "email": "", "version": "1.0"} | changed
        return Service(**values, personal=personal, systemd=True)

    def commands(self) -> list[str]:
        """Return what systemctl was called with since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.replace("--no-ask-password ", "") for line in lines]


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    return Computer(tmp_path, monkeypatch)


def test_it_is_put_up_once_changed_and_taken_down(computer: Computer) -> None:
    acts, wanted = Acts(computer.said.append), computer.service()
    service.install(wanted, acts)
    assert [each for each in computer.commands() if "is-active" not in each] == [
        "--user daemon-reload",
        "--user enable --quiet fazt.socket fazt.service",
        "--user start fazt.socket",
        "--user start fazt.service",
    ]
    unit = (computer.folder / "config/systemd/user/fazt.service").read_text()
    assert f'ExecStart="{computer.prefix}/current/bin/python" -m fazt serve' in unit
    assert '"FAZT_DOMAIN=example.org"' in unit
    assert service.find(computer.prefix) == wanted

    service.install(wanted, acts)
    again = computer.commands()
    assert not [each for each in again if "restart" in each or "reload" in each or "stop" in each]

    service.install(computer.service(domain="example.net"), acts)
    assert "--user restart fazt.service" in computer.commands()
    service.install(computer.service(domain="example.net", http="127.0.0.1:4699"), acts)
    moved = computer.commands()
    assert moved.index("--user stop fazt.service fazt.socket") < moved.index("--user start fazt.socket")
    assert "ListenStream=127.0.0.1:4699\n" in (computer.folder / "config/systemd/user/fazt.socket").read_text()

    secure = computer.service(domain="example.net", http="127.0.0.1:4699", https="127.0.0.1:4700")
    service.install(secure, acts)
    socket = (computer.folder / "config/systemd/user/fazt.socket").read_text()
    assert "ListenStream=127.0.0.1:4699\nListenStream=127.0.0.1:4700\n" in socket
    assert '"FAZT_HTTPS=127.0.0.1:4700"' in (computer.folder / "config/systemd/user/fazt.service").read_text()
    assert service.find(computer.prefix) == secure
    computer.commands()

    (computer.folder / "data" / "data.db").write_text("sites")
    service.uninstall(service.find(computer.prefix), acts, purge=False)
    assert computer.commands()[0] == "--user stop fazt.socket fazt.service"
    assert list((computer.folder / "config/systemd/user").iterdir()) == []
    assert (computer.folder / "data" / "data.db").exists()
    with pytest.raises(NotFound, match="fazt service install"):
        service.find(computer.prefix)


def test_purge_removes_the_data_and_nothing_else(computer: Computer) -> None:
    acts, data = Acts(computer.said.append), computer.folder / "data"
    service.install(computer.service(), acts)
    (data / "data.db.cache").mkdir()
    for name in (
        "data.db",
        "data.db-wal",
        "data.db.lock",
        "data.db.cache/blob",
        "data.db.schema-3",
        "fazt.log",
        "thesis.odt",
    ):
        (data / name).touch()
    service.uninstall(computer.service(), acts, purge=True)
    assert [each.name for each in data.iterdir()] == ["thesis.odt"]
    (data / "thesis.odt").unlink()
    service.install(computer.service(), acts)
    service.uninstall(computer.service(), acts, purge=True)
    assert not data.exists()


def test_a_dry_run_says_it_all_and_does_nothing(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    before = sorted(computer.folder.rglob("*"))
    wanted = computer.service(personal=False, http=":80", user="fazt-of-a-test")
    service.install(wanted, Acts(computer.said.append, dry=True))
    said = "\n".join(computer.said)
    for part in (
        "useradd --system",
        "of fazt-of-a-test",
        "etc/fazt.socket",
        "etc/fazt.service",
        "daemon-reload",
        "start the",
    ):
        assert part in said
    computer.commands()
    assert sorted(computer.folder.rglob("*")) == before


def test_a_server_that_does_not_start_is_an_error(computer: Computer) -> None:
    Path(f"{computer.log}.broken").touch()
    with pytest.raises(MachineError, match=r"could not start the server.*fazt service logs"):
        service.install(computer.service(), Acts(computer.said.append))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"http": "127.0.0.1:80"}, "no port below 1024"),
        ({"http": "nowhere"}, "not an address"),
        ({"domain": "a b"}, "not a domain"),
        ({"database": '/a"b/data.db'}, "mean something in a unit"),
        ({"database": "/a\nExecStartPre=evil/data.db"}, "mean something in a unit"),
        ({"user": "%h"}, "mean something in a unit"),
    ],
)
def test_what_cannot_be_changes_nothing(computer: Computer, changed: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        service.install(computer.service(**changed), Acts(computer.said.append))
    assert (computer.said, computer.commands()) == ([], [])


def test_only_root_installs_for_the_system(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="Only root"):
        service.install(computer.service(personal=False), Acts(computer.said.append))


def test_the_server_is_never_root(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(MachineError, match="not run as root"):
        service.install(computer.service(personal=False, user="root"), Acts(computer.said.append))


@pytest.mark.parametrize(
    ("host", "with_ipv6", "expected"),
    [
        ("", True, ["0.0.0.0:80", "[::]:80"]),
        ("", False, ["0.0.0.0:80"]),
        ("127.0.0.1", True, ["127.0.0.1:80"]),
        ("::1", True, ["[::1]:80"]),
    ],
)
def test_each_family_has_a_socket_of_its_own(
    host: str, with_ipv6: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "if_inet6").write_text("0001 01 80 10 80 lo\n" if with_ipv6 else "")
    monkeypatch.setattr(units, "IPV6", tmp_path / "if_inet6")
    assert units.addresses(host, 80) == expected


@pytest.mark.parametrize("personal", [False, True])
def test_systemd_understands_the_units(personal: bool, computer: Computer, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs: apt-get install systemd")
    python = computer.prefix / "1.0/bin/python"
    python.parent.mkdir()
    python.symlink_to("/bin/true")
    made = service.service_units(computer.service(personal=personal, user="root"))
    (tmp_path / "fazt.service").write_text(made.service)
    (tmp_path / "fazt.socket").write_text(made.socket)
    paths = [tmp_path / "fazt.service", tmp_path / "fazt.socket"]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "fazt" in line]
    assert ours == []
    if not personal:
        rated = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", paths[0]]
        done = subprocess.run(rated, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-400:]  # an exposure of at most 2.5 of 10


def test_the_record_can_be_damaged(computer: Computer) -> None:
    (computer.prefix / "service.json").write_text(json.dumps({"prefix": "x"}))
    with pytest.raises(MachineError, match="cannot be read"):
        service.find(computer.prefix)


def test_low_ports_take_a_copy(computer: Computer, tmp_path: Path) -> None:
    """Never the system's interpreter, which others run too."""
    if not shutil.which("setcap") or Path("/proc/self/status").stat().st_uid != 0:
        pytest.skip("needs root and: apt-get install libcap2-bin")
    version = tmp_path / "version"
    (version / "bin").mkdir(parents=True)
    (version / "bin" / "python").symlink_to("/bin/true")
    rights.allow_low_ports(version, "nobody" if shutil.which("nobody") else "root", Acts(computer.said.append))
    copy = version / "bin" / rights.SERVER_PYTHON
    assert not copy.is_symlink()
    assert copy.stat().st_mode & 0o777 == 0o750
    shown = subprocess.run(["getcap", "/bin/true", copy], capture_output=True, text=True).stdout
    assert shown.strip() == f"{copy} cap_net_bind_service=ep"
