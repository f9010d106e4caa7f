"""install.sh: what it refuses, that it changes nothing then, and that a second run changes nothing more.

It runs without root, into a folder of the test; the chroot with a real systemd is in tests/end_to_end/test_install.py.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import FAZT, free_port
from made_release import PUBLIC_KEY, ROOT, install_script, make_release, sign
from minisign import KeyPair


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("release"), "9.1.0")


@pytest.fixture
def own_release(release: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for each in release.parent.iterdir():
        if each.is_file():
            shutil.copy(each, folder)
    return folder / release.name


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    home.mkdir()
    yield home
    subprocess.run([*FAZT, "service", "stop", "--prefix", str(home / "p")], capture_output=True)


def tree(folder: Path) -> dict[str, int]:
    return {str(each): each.lstat().st_mtime_ns for each in folder.rglob("*")}


def without_minisign(tmp_path: Path) -> str:
    """Return a PATH of everything but minisign."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for each in Path(place).iterdir():
            if each.name != "minisign" and not (folder / each.name).exists():
                (folder / each.name).symlink_to(each)
    return str(folder)


def test_it_is_clean() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs: apt-get install shellcheck")
    for script in ("install.sh", "tools/release"):
        done = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_download_that_is_cut_off_does_nothing(tmp_path: Path) -> None:
    text = (ROOT / "install.sh").read_text()
    assert text.endswith('\nmain "$@"\n')
    for end in range(0, len(text) - len('main "$@"\n'), 997):
        done = subprocess.run(["bash"], input=text[:end], capture_output=True, text=True, env={"HOME": str(tmp_path)})
        assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense"], "no option --nonsense"),
        (["--from"], "--from needs a value"),
        (["--kind", "castle"], "server, personal or cli"),
        (["--purge"], "--purge goes with --uninstall"),
        (["--kind", "cli", "--from", "/nowhere"], "There is no /nowhere"),
        (["--kind", "cli"], "No place of releases is known"),
        (["--kind", "personal", "--http", "nowhere", "--yes"], "--http is an address"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], message: str, home: Path) -> None:
    done = install_script(*arguments, home=home)
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert tree(home) == {}


def test_install_twice_use_and_take_away(release: Path, home: Path) -> None:
    port, prefix = free_port(), home / "p"
    arguments = ["--kind", "personal", "--no-systemd", "--yes", "--from", release, "--key", PUBLIC_KEY]
    arguments += ["--prefix", prefix, "--http", f"127.0.0.1:{port}"]
    done = install_script(*arguments, home=home)
    assert done.returncode == 0, done.stderr
    assert "#/setup/" in done.stdout
    assert "Fazt 9.1.0 is in place" in done.stdout
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    log = (home / ".local/share/fazt/fazt.log").read_text()
    assert "Fazt serves" in log
    assert "#/setup/" not in log  # it is a secret

    before, pid = tree(prefix), (home / ".local/share/fazt/fazt.pid").read_text()
    again = install_script(*arguments, home=home)
    assert again.returncode == 0, again.stderr
    changed = {path for path, when in tree(prefix).items() if before.get(path) != when and "__pycache__" not in path}
    assert changed <= {str(prefix / "current")}
    assert (home / ".local/share/fazt/fazt.pid").read_text() == pid  # it was not started again
    assert os.readlink(home / ".local/bin/fazt") == str(prefix / "current/bin/fazt")

    gone = install_script("--uninstall", "--yes", "--prefix", prefix, home=home)
    assert gone.returncode == 0, gone.stderr
    assert not prefix.exists()
    assert not (home / ".local/bin/fazt").is_symlink()
    assert (home / ".local/share/fazt/data.db").exists()  # the sites stay
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port))


def test_a_dry_run_changes_nothing(release: Path, home: Path) -> None:
    done = install_script("--kind", "personal", "--dry-run", "--from", release, "--key", PUBLIC_KEY, "--yes", home=home)
    assert done.returncode == 0, done.stderr
    assert "service install --domain localhost" in done.stdout
    assert tree(home) == {}


def test_a_port_in_use_stops_it_before_anything_is_changed(release: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = f"127.0.0.1:{taken.getsockname()[1]}"
        done = install_script("--kind", "personal", "--yes", "--from", release, "--key", PUBLIC_KEY,
                              "--no-systemd", "--http", http, home=home)  # fmt: skip
    assert done.returncode == 1
    assert "is in use" in done.stdout
    assert "Nothing was changed" in done.stderr
    assert tree(home) == {}


@pytest.mark.parametrize("with_minisign", [True, False], ids=["minisign", "openssl"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("nothing", ""),
        ("bundle", "is damaged"),
        ("sums", "signature of SHA256SUMS is not"),
        ("signature", "signature of SHA256SUMS is not"),
        ("another key", "signature of SHA256SUMS is not"),
        ("no signature", "it is not signed"),
        ("no sums", "no SHA256SUMS"),
        ("no key", "no public key"),
    ],
)
def test_only_what_is_signed_is_installed(
    spoil: str, message: str, with_minisign: bool, own_release: Path, home: Path, tmp_path: Path
) -> None:
    if with_minisign and shutil.which("minisign") is None:
        pytest.skip("needs: apt-get install minisign")
    sums, signature = own_release.with_name("SHA256SUMS"), own_release.with_name("SHA256SUMS.minisig")
    key = ["--key", PUBLIC_KEY]
    if spoil == "bundle":
        own_release.write_bytes(own_release.read_bytes() + b"\0")
    elif spoil == "sums":  # they fit the bundle, and nobody signed them
        own_release.write_bytes(own_release.read_bytes() + b"\0")
        kept = signature.read_bytes()
        sign(own_release.parent, own_release)
        signature.write_bytes(kept)
    elif spoil == "signature":
        signature.write_text("untrusted comment: x\n" + "A" * 100 + "\n")
    elif spoil == "another key":
        sign(own_release.parent, own_release, KeyPair.generate())
    elif spoil == "no signature":
        signature.unlink()
    elif spoil == "no sums":
        sums.unlink()
    elif spoil == "no key":
        key = []
    arguments = ["--kind", "cli", "--dry-run", "--yes", "--from", own_release, *key]
    done = install_script(*arguments, home=home, path=None if with_minisign else without_minisign(tmp_path))
    assert (done.returncode, message in done.stderr) == (1 if message else 0, True), done.stderr
    assert tree(home) == {}


def test_a_cut_off_installation_is_made_anew(release: Path, home: Path) -> None:
    half = home / "p" / "9.1.0" / "bin"
    half.mkdir(parents=True)
    (half / "python").write_text("half")
    done = install_script(
        "--kind", "cli", "--yes", "--from", release, "--key", PUBLIC_KEY, "--prefix", home / "p", home=home
    )
    assert done.returncode == 0, done.stderr
    shown = subprocess.run([home / "p/current/bin/fazt", "--version"], capture_output=True, text=True)
    assert shown.stdout == "fazt 9.1.0\n"
