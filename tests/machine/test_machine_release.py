"""Reading what a place of releases says, and the versions that lie side by side."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_release import KEYS, PUBLIC_KEY, make_release
from minisign import KeyPair

from fazt.errors import InvalidInput, MachineError, NotFound, SignatureRefused
from fazt.machine import release
from fazt.machine.versions import Versions, order

DIGEST = hashlib.sha256(b"").hexdigest()


def signed(sums: bytes, keys: KeyPair = KEYS) -> bytes:
    return bytes(keys.secret_key.sign(sums, trusted_comment="a test"))


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_signed_list_is_read_or_refused(sums: bytes) -> None:
    try:
        found = release.read_sums(sums, signed(sums), PUBLIC_KEY)
    except MachineError:
        return
    assert found.bundle.encode() in sums


@given(st.binary(max_size=300))
def test_no_bytes_are_a_signature(signature: bytes) -> None:
    with pytest.raises(SignatureRefused):
        release.read_sums(b"x", signature, PUBLIC_KEY)


@pytest.mark.parametrize("name", ["../evil.tar", "/etc/passwd", "fazt-1.0-../x", "-rf", "fazt-1.0;x"])
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    sums = f"{DIGEST}  {name}\n{DIGEST}  fazt-1.2.3-{release.tag()}.tar\n".encode()
    assert release.read_sums(sums, signed(sums), PUBLIC_KEY).bundle == f"fazt-1.2.3-{release.tag()}.tar"


@pytest.mark.parametrize(
    "key", ["", "x", "RWQ", "\n", PUBLIC_KEY[:-2]], ids=["empty", "letter", "short", "line", "cut"]
)
def test_what_is_no_key_is_said(key: str) -> None:
    with pytest.raises(InvalidInput, match="no public key"):
        release.read_sums(b"x", signed(b"x"), key)


@pytest.mark.parametrize("place", ["", "file:///etc", "ftp://x", "example.org"])
def test_an_address_of_releases_is_http(place: str) -> None:
    with pytest.raises(InvalidInput, match="no address of releases"):
        release.look_up(place, None, PUBLIC_KEY)


def test_only_wheels_leave_a_bundle(tmp_path: Path) -> None:
    bundle = make_release(tmp_path / "r", "1.0.0")
    found = release.read_beside(bundle, PUBLIC_KEY)
    (tmp_path / "out").mkdir()
    wheels = release.unpack(bundle, found, tmp_path / "out")
    assert [each.name.split("-")[1] for each in wheels.iterdir()] == ["1.0.0"]
    bundle.write_bytes(b"another")
    with pytest.raises(SignatureRefused, match="damaged"):
        release.unpack(bundle, found, tmp_path / "other")


def test_versions_are_in_order() -> None:
    wanted = ["0.9", "0.10.0", "1.0.0a1", "1.0.0b1", "1.0.0rc1", "1.0.0rc10", "1.0.0", "1.0.0+abc", "1.0.1", "10.0"]
    assert sorted(wanted[::2] + wanted[1::2], key=order) == wanted
    with pytest.raises(MachineError, match="no version"):
        order("x")


def lay(versions: Versions, *names: str) -> None:
    for name in names:
        versions.folder(name).mkdir(parents=True)
        (versions.folder(name) / "installed.json").write_text(f'{{"version": "{name}", "digest": "0"}}')


def test_one_version_counts_and_old_ones_go(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    assert (versions.current(), versions.all()) == (None, [])
    lay(versions, "0.9", "0.10", "0.11", "0.12")
    versions.switch("0.9")
    versions.switch("0.11")
    before = versions.before()
    assert (versions.current(), before.name if before else None) == ("0.11", "0.10")
    (tmp_path / "0.13").mkdir()  # cut off before it was whole
    with pytest.raises(NotFound):
        versions.switch("0.13")
    assert versions.current() == "0.11"
    versions.switch("0.9")
    assert versions.tidy(keep=2) == ["0.10"]
    assert [each.name for each in versions.all()] == ["0.12", "0.11", "0.9"]
