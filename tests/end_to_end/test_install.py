"""install.sh and `fazt upgrade` on a clean Debian, with a systemd that really runs, in a container of systemd-nspawn.

Needs root and the folder of a Debian, which FAZT_TEST_DEBIAN names; all writes go to memory. To make it:

    debootstrap --variant=minbase --include=ca-certificates,curl,dbus,libcap2-bin,openssl,python3,python3-venv,systemd,\
systemd-sysv bookworm FOLDER

Bundles of `made_release` are installed: this checkout, with the libraries of the environment that runs the tests.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_release import PUBLIC_KEY, ROOT, make_release

DEBIAN = os.environ.get("FAZT_TEST_DEBIAN", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DEBIAN, reason="FAZT_TEST_DEBIAN names no Debian"),
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="needs: apt-get install systemd-container"),
]
BOOT_TIMEOUT_S = 60
INSTALL_BOUND_S = 60  # what issue and manual promise
LOAD = """
import sys, threading, time, urllib.request
failed, asked, ended = [], 0, time.monotonic() + float(sys.argv[1])
def ask():
    try:
        request = urllib.request.Request("http://127.0.0.1/", headers={"Host": "blog.localhost"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.read() == b"a blog"
    except Exception as error:
        failed.append(repr(error))
threads = []
while time.monotonic() < ended:
    threads.append(threading.Thread(target=ask))
    threads[-1].start()
    time.sleep(0.01)
for each in threads:
    each.join()
print(len(threads), "asked", len(failed), "failed", failed[:3])
sys.exit(bool(failed))
"""


# There is neither pgrep nor ps in a minimal Debian.
PROCESS = "for p in /proc/[1-9]*; do 2>/dev/null tr '\\0' ' ' <$p/cmdline | grep -q '{}' && basename $p; done | head -1"


class Debian:
    """A container whose folder is thrown away at its end."""

    def __init__(self, shared: Path, *, boot: bool) -> None:
        self.shared, self.boots = shared, boot
        options = ["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--private-network", "-D", DEBIAN]
        options += [f"--bind-ro={ROOT}/install.sh:/install.sh", f"--bind-ro={sys.prefix}", f"--bind={shared}:/given"]
        command = ["--boot"] if boot else ["--as-pid2", "sleep", "infinity"]
        self.log = (shared / "console").open("wb")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", *options, *command],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        self.leader = self._find_leader()
        if boot:
            # Before its bus is there systemctl only fails.
            up = "until [[ $(systemctl is-system-running --wait 2>/dev/null) =~ running|degraded ]]; do sleep 0.1; done"
            self.run(up, timeout_s=BOOT_TIMEOUT_S)

    def _find_leader(self) -> int:
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.nspawn.poll() is None, (self.shared / "console").read_text()
            found = [int(each) for each in children.read_text().split()]
            if found and Path(f"/proc/{found[0]}/root/install.sh").exists():
                return found[0]
            time.sleep(0.05)  # there is no event to wait for from outside the container
        raise AssertionError("the container did not start")

    def command(self, script: str) -> list[str]:
        inside = ["nsenter", "-t", str(self.leader), "-m", "-p", "-u", "-i", "-n", "-r", "-w", "--"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return [*inside, "env", "-i", path, "HOME=/root", "bash", "-c", script]

    def run(self, script: str, *, timeout_s: float = 300, check: bool = True) -> str:
        done = subprocess.run(self.command(script), capture_output=True, text=True, timeout=timeout_s)
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def close(self) -> None:
        os.kill(self.leader, 9)
        self.nspawn.wait(30)
        self.log.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    for version in ("9.1.0", "9.2.0"):
        make_release(folder / version, version)
    serving = "fazt/server/serving.py"
    broken = {serving: _breaking((ROOT / serving).read_text())}
    make_release(folder / "9.3.0", "9.3.0", broken)
    (folder / "load.py").write_text(LOAD)
    (folder / "blog").mkdir()
    (folder / "blog" / "index.html").write_text("a blog")
    shutil.copytree(ROOT / "examples" / "guestbook", folder / "guestbook")
    return folder


def _breaking(server: str) -> str:
    """Return a server that does well at its rehearsal and not after it."""
    wanted = "    supervisor = Supervisor()\n"
    assert wanted in server
    return server.replace(wanted, f'{wanted}    assert os.environ.get("FAZT_REHEARSAL") == "1", "not for real"\n', 1)


@pytest.fixture(params=[True, False], ids=["systemd", "no systemd"])
def debian(request: pytest.FixtureRequest, shared: Path) -> Iterator[Debian]:
    container = Debian(shared, boot=request.param)
    yield container
    container.close()


def install(debian: Debian, more: str = "") -> None:
    bundle = next((debian.shared / "9.1.0").glob("*.tar")).name
    debian.run(f"bash /install.sh --yes --from /given/9.1.0/{bundle} --key {PUBLIC_KEY} {more}")
    debian.run("fazt deploy /given/blog --site blog --db /var/lib/fazt/data.db")


def upgrade(version: str, more: str = "") -> str:
    return f"fazt upgrade --key {PUBLIC_KEY} --from $(ls /given/{version}/*.tar) {more}"


def test_from_nothing_to_a_site_and_back(debian: Debian) -> None:
    begun = time.monotonic()
    install(debian, "" if debian.boots else "--no-systemd")
    page = debian.run("curl -fsS -H 'Host: blog.localhost' http://127.0.0.1/")
    took = time.monotonic() - begun
    assert page == "a blog"
    assert took < INSTALL_BOUND_S
    print(f"a site on port 80 after {took:.1f} s")

    pid = debian.run(PROCESS.format("[f]azt serve")).strip()
    status = debian.run(f"cat /proc/{pid}/status")
    uid = debian.run("id -u fazt").strip()
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert uid != "0"
    # Functions run within the unit's hardening: V8, the zygote, seccomp.
    debian.run("fazt deploy /given/guestbook --site guests --db /var/lib/fazt/data.db")
    entries = debian.run("curl -sS -w ' %{http_code}' -H 'Host: guests.localhost' http://127.0.0.1/api/entries")
    assert entries.endswith(" 200"), entries

    debian.run("bash /install.sh --uninstall --purge --yes")
    left = debian.run("ls -d /opt/fazt /var/lib/fazt /etc/systemd/system/fazt* /usr/local/bin/fazt 2>/dev/null || true")
    assert left == ""
    assert "no such user" in debian.run("id fazt", check=False)


@pytest.fixture
def booted(shared: Path) -> Iterator[Debian]:
    container = Debian(shared, boot=True)
    yield container
    container.close()


def test_restarts_and_upgrades_refuse_nobody(booted: Debian) -> None:
    install(booted)
    with subprocess.Popen(booted.command("python3 /given/load.py 25"), stdout=subprocess.PIPE, text=True) as load:
        booted.run("fazt service restart && fazt service restart")
        booted.run(upgrade("9.2.0"))
        assert "9.2.0" in booted.run("fazt status --db /var/lib/fazt/data.db --json")
        failed = booted.run(upgrade("9.3.0"), check=False)
        assert "Version 9.2.0 runs again" in failed, failed
        output = load.communicate()[0]
    print(output)
    assert load.returncode == 0, output


def test_killed_at_any_point_one_of_both_versions_runs(booted: Debian) -> None:
    install(booted)
    chance = random.Random(2)
    seen = set()
    for turn in range(10):
        begun = subprocess.Popen(booted.command(upgrade(f"9.{2 - turn % 2}.0", "--downgrade")))
        time.sleep(chance.uniform(0.2, 9))  # any moment will do
        booted.run(f"kill -9 $({PROCESS.format('[f]azt upgrade')})", check=False)
        begun.wait()
        booted.run("curl -fsS --retry 5 --retry-all-errors -H 'Host: blog.localhost' http://127.0.0.1/")
        seen.add(booted.run("readlink /opt/fazt/current").strip())
    assert seen == {"9.1.0", "9.2.0"}


DATABASE = "/var/lib/fazt/data.db"
CERTIFICATE = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/key.pem -out /tmp/chain.pem -days 9 \
  -subj /CN=blog.localhost -addext subjectAltName=DNS:blog.localhost 2>/dev/null
fazt cert add /tmp/chain.pem /tmp/key.pem --db /var/lib/fazt/data.db
"""


def test_https_and_workers_as_a_service(booted: Debian) -> None:
    install(booted, "--https :443")
    booted.run(CERTIFICATE)
    ask = "curl -fsS --cacert /tmp/chain.pem https://blog.localhost/"
    assert booted.run(ask) == "a blog"
    moved = booted.run("curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' http://blog.localhost/")
    assert moved == "308 https://blog.localhost/"
    assert booted.run("stat -c '%a %U' /var/lib/fazt/data.db.key").strip() == "600 fazt"
    booted.run("fazt config set workers 2 --db /var/lib/fazt/data.db")
    booted.run("fazt config set https_redirect no --db /var/lib/fazt/data.db")
    with subprocess.Popen(booted.command("python3 /given/load.py 25"), stdout=subprocess.PIPE, text=True) as load:
        booted.run("fazt service restart && fazt service restart")
        booted.run(f"until fazt status --json --db {DATABASE} | grep -q '\"workers\": 2'; do sleep 0.2; done")
        assert booted.run(ask) == "a blog"
        main = booted.run("systemctl show -p MainPID --value fazt").strip()
        booted.run("systemctl reload fazt")
        booted.run(upgrade("9.2.0"))
        assert "9.2.0" in booted.run(f"fazt status --db {DATABASE} --json")
        output = load.communicate()[0]
    assert load.returncode == 0, output
    booted.run(f"kill -9 $({PROCESS.format('[f]azt.server.worker')})")
    assert main != booted.run("systemctl show -p MainPID --value fazt").strip()
    assert booted.run("systemctl is-active fazt").strip() == "active"
    booted.run(f"until fazt status --json --db {DATABASE} | grep -q '\"workers\": 2'; do sleep 0.2; done")
    assert booted.run(ask) == "a blog"
