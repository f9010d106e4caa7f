"""`fazt upgrade` as a whole, on an installation without root and without systemd: real versions, a real server.

With systemd as the supervisor it runs in tests/end_to_end/test_install.py.
"""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from loopback import FaztServer, free_port
from made_release import PUBLIC_KEY, ROOT, install_script, make_release
from minisign import KeyPair

from fazt.store import copies, schema

NEXT = schema.migrations()[-1][0] + 1
MIGRATION = {f"fazt/store/migrations/{NEXT:04}_test.sql": "CREATE TABLE of_the_test (id INTEGER PRIMARY KEY) STRICT;"}
MAIN = (ROOT / "fazt" / "__main__.py").read_text()
BREAKS = 'import sys\nif "serve" in sys.argv:\n    sys.exit("it breaks")\nfrom fazt'
NEVER = {"fazt/__main__.py": MAIN.replace("from fazt", BREAKS, 1)}
NOT_FOR_REAL = {
    "fazt/__main__.py": MAIN.replace(
        "from fazt",
        "import os\nimport sys\nreal = 'FAZT_REHEARSAL' not in os.environ and 'serve' in sys.argv\n"
        "if real:\n    from fazt.store import schema\n    from pathlib import Path\n"
        "    schema.open_writer(Path(os.environ['FAZT_DB'])).close()\n    sys.exit('not for real')\nfrom fazt",
        1,
    )
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {
        "old": ("9.1.0", {}),
        "older": ("9.0.5", {}),
        "new": ("9.2.0", {}),
        "migrating": ("9.3.0", MIGRATION),
        "broken": ("9.4.0", NEVER),
        "breaking": ("9.5.0", NOT_FOR_REAL | MIGRATION),
    }
    folder = tmp_path_factory.mktemp("bundles")
    return {name: make_release(folder / name, version, changed) for name, (version, changed) in made.items()}


@dataclass
class Installation:
    prefix: Path
    port: int
    database: Path

    def fazt(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [self.prefix / "current/bin/fazt", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def upgrade(self, *arguments: object, key: str = PUBLIC_KEY) -> subprocess.CompletedProcess[str]:
        return self.fazt("upgrade", "--prefix", self.prefix, "--key", key, *arguments)

    def running(self) -> str:
        """Return the version that answers, and see that it serves the site."""
        server = FaztServer(self.database, self.port)
        answer = server.get("/", host="blog.localhost")
        assert (answer.status, answer.body) == (200, b"a blog")
        shown = self.fazt("status", "--json", "--db", self.database)
        assert shown.returncode == 0, shown.stderr
        version: str = json.loads(shown.stdout)["version"]
        return version

    def current(self) -> str:
        return (self.prefix / "current").readlink().name


@pytest.fixture
def installed(bundles: dict[str, Path], tmp_path: Path) -> Iterator[Installation]:
    it = Installation(tmp_path / "p", free_port(), tmp_path / "data" / "data.db")
    arguments = ["--kind", "personal", "--no-systemd", "--yes", "--key", PUBLIC_KEY, "--prefix", it.prefix]
    arguments += ["--from", bundles["old"], "--http", f"127.0.0.1:{it.port}", "--db", it.database]
    done = install_script(*arguments, home=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "index.html").write_text("a blog")
    deployed = it.fazt("deploy", tmp_path / "blog", "--site", "blog", "--db", it.database)
    assert deployed.returncode == 0, deployed.stderr
    yield it
    it.fazt("service", "stop", "--prefix", it.prefix)


def test_up_and_back(installed: Installation, bundles: dict[str, Path]) -> None:
    assert installed.running() == "9.1.0"
    planned = installed.upgrade("--from", bundles["new"], "--dry-run")
    assert "Would install 9.2.0 beside 9.1.0" in planned.stdout
    assert installed.running() == "9.1.0"
    done = installed.upgrade("--from", bundles["new"])
    assert done.returncode == 0, done.stderr
    assert "answered for 3 sites, on a copy" in done.stderr  # blog, and the two that are always there
    assert (installed.running(), installed.current()) == ("9.2.0", "9.2.0")
    assert [each.name for each in installed.database.parent.glob(".rehearsal*")] == []
    again = installed.upgrade("--from", bundles["new"])
    assert (again.returncode, "is what runs already" in again.stderr) == (1, True)
    older = installed.upgrade("--from", bundles["older"])
    assert (older.returncode, "is older than 9.2.0" in older.stderr) == (1, True)
    back = installed.upgrade("--rollback")
    assert back.returncode == 0, back.stderr
    assert (installed.running(), back.stdout) == ("9.1.0", "Version 9.1.0 runs again.\n")


def test_a_version_that_does_not_start_is_never_switched_to(installed: Installation, bundles: dict[str, Path]) -> None:
    pid = installed.database.with_name("fazt.pid").read_text()
    done = installed.upgrade("--from", bundles["broken"])
    assert (done.returncode, "it breaks" in done.stderr) == (1, True), done.stderr
    assert installed.current() == "9.1.0"
    assert installed.running() == "9.1.0"
    assert installed.database.with_name("fazt.pid").read_text() == pid


def test_a_version_that_breaks_after_its_migration_is_left_again(
    installed: Installation, bundles: dict[str, Path]
) -> None:
    done = installed.upgrade("--from", bundles["breaking"])
    assert (done.returncode, "Version 9.1.0 runs again" in done.stderr) == (1, True), done.stderr
    assert f"from schema {NEXT - 1} to {NEXT}, on a copy" in done.stderr
    assert "not for real" in done.stderr
    assert (installed.running(), installed.current()) == ("9.1.0", "9.1.0")
    assert copies.schema_of(installed.database) == NEXT - 1


def test_there_is_no_way_back_behind_a_migration(installed: Installation, bundles: dict[str, Path]) -> None:
    done = installed.upgrade("--from", bundles["migrating"])
    assert done.returncode == 0, done.stderr
    assert installed.running() == "9.3.0"
    assert copies.kept_path(installed.database, NEXT - 1).stat().st_mode & 0o777 == 0o600
    back = installed.upgrade("--rollback")
    assert (back.returncode, "made by a newer Fazt" in back.stderr) == (1, True), back.stderr
    assert installed.running() == "9.3.0"


def test_only_what_is_signed_is_installed(installed: Installation, bundles: dict[str, Path], tmp_path: Path) -> None:
    stranger = make_release(tmp_path / "stranger", "9.9.0", keys=KeyPair.generate())
    done = installed.upgrade("--from", stranger)
    assert (done.returncode, "signature" in done.stderr) == (1, True)
    damaged = make_release(tmp_path / "damaged", "9.9.0")
    damaged.write_bytes(damaged.read_bytes() + b"\0")
    done = installed.upgrade("--from", damaged)
    assert (done.returncode, "checksum" in done.stderr) == (1, True)
    done = installed.upgrade("--from", bundles["new"], key="nonsense")
    assert (done.returncode, "no public key" in done.stderr) == (1, True)
    assert [each.name for each in installed.prefix.iterdir() if each.name.startswith("9")] == ["9.1.0"]


def test_a_place_of_releases(installed: Installation, bundles: dict[str, Path], tmp_path: Path) -> None:
    """As a plain web server has them."""
    place = tmp_path / "place"
    (place / "download").mkdir(parents=True)
    (place / "download" / "v9.2.0").symlink_to(bundles["new"].parent)
    (place / "latest").mkdir()
    (place / "latest" / "download").symlink_to(bundles["new"].parent)
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(place)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as origin:
        try:
            wait_for(port)
            installed.fazt("config", "set", "releases_url", f"http://127.0.0.1:{port}", "--db", installed.database)
            checked = installed.upgrade("--check")
            assert "Version 9.2.0 is there; 9.1.0 runs" in checked.stdout, checked.stderr
            missing = installed.upgrade("--to", "9.7.0")
            assert (missing.returncode, "could not be fetched" in missing.stderr) == (1, True)
            done = installed.upgrade("--to", "9.2.0")
            assert done.returncode == 0, done.stderr
        finally:
            origin.kill()
    assert installed.running() == "9.2.0"


def wait_for(port: int) -> None:
    for _ in range(1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)  # nothing listens yet, and there is no event to wait for from outside the process
    raise AssertionError("the web server did not start")


@pytest.mark.slow
def test_killed_before_the_switch_the_old_version_runs(installed: Installation, bundles: dict[str, Path]) -> None:
    command = [installed.prefix / "current/bin/fazt", "upgrade", "--prefix", installed.prefix, "--key", PUBLIC_KEY]
    chance = random.Random(1)
    for _ in range(8):
        process = subprocess.Popen([*command, "--from", bundles["new"]], stderr=subprocess.PIPE, text=True)
        time.sleep(chance.uniform(0.1, 4))  # any moment will do
        if installed.current() == "9.1.0":
            process.send_signal(signal.SIGKILL)
        process.communicate()
        assert installed.running() in ("9.1.0", "9.2.0")
        if installed.current() != "9.1.0":
            break
    done = installed.upgrade("--from", bundles["new"])
    assert installed.running() == "9.2.0", done.stderr
    assert list(installed.database.parent.glob(".rehearsal*")) == []
