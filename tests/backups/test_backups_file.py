"""A backup as a file: what goes in comes out, and whatever was done to it is refused without a trace."""

import os
from dataclasses import fields, replace
from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fazt.backups import file
from fazt.backups.file import HEADER_BYTES, Header
from fazt.errors import BackupRefused, InvalidInput, StorageFull

HEADER = Header(1, "label ä", "0.1.0", 12, 3, 1, 2, 4, 0, "")
NAMES = st.sampled_from(["format", *(each.name for each in fields(Header))])
PASSPHRASE = "a long night of rain"
shared = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(3000) + bytes(3 << 20))
    return path


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_what_goes_in_comes_out(source: Path, tmp_path: Path, passphrase: str | None) -> None:
    seen: list[tuple[int, int]] = []
    made = file.write(source, tmp_path / "b.fazt", HEADER, passphrase, lambda *each: seen.append(each))
    assert seen[-1] == (source.stat().st_size, source.stat().st_size)
    assert file.read_header(tmp_path / "b.fazt") == made
    assert (made.label, made.bytes, made.is_encrypted) == ("label ä", source.stat().st_size, passphrase is not None)
    assert file.read(tmp_path / "b.fazt", tmp_path / "out", passphrase) == made
    assert (tmp_path / "out").read_bytes() == source.read_bytes()
    for path in (tmp_path / "b.fazt", tmp_path / "out"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.fazt", "out", "source"]


def test_its_first_line_can_be_read_by_anybody(source: Path, tmp_path: Path) -> None:
    file.write(source, tmp_path / "b.fazt", HEADER)
    line = (tmp_path / "b.fazt").read_bytes().split(b"\n")[0]
    assert orjson.loads(line)["format"] == "fazt backup 1"
    packed = (tmp_path / "b.fazt").read_bytes()[HEADER_BYTES:]  # what follows is for any zstd
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == source.read_bytes()


def test_an_encrypted_backup_shows_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"a very rare word " * 1000)
    file.write(tmp_path / "source", tmp_path / "b.fazt", HEADER, PASSPHRASE)
    data = (tmp_path / "b.fazt").read_bytes()
    assert b"very rare" not in data
    assert data[HEADER_BYTES:].startswith(b"age-encryption.org/v1")
    for wrong in ("a long night of snow", ""):
        with pytest.raises(BackupRefused, match="passphrase is wrong"):
            file.read(tmp_path / "b.fazt", tmp_path / "out", wrong)
    with pytest.raises(BackupRefused, match="give its passphrase"):
        file.read(tmp_path / "b.fazt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@shared
@given(at=st.floats(0, 1), bit=st.integers(0, 7), encrypted=st.booleans())
def test_no_bit_can_be_changed(tmp_path: Path, at: float, bit: int, encrypted: bool) -> None:
    original = _made(tmp_path, encrypted)
    data = bytearray(original)
    place = HEADER_BYTES + int(at * (len(data) - HEADER_BYTES - 1))
    data[place] ^= 1 << bit
    _refused(tmp_path, bytes(data), encrypted)


@shared
@given(share=st.floats(0, 0.9999), encrypted=st.booleans())
def test_it_cannot_be_cut_off(tmp_path: Path, share: float, encrypted: bool) -> None:
    original = _made(tmp_path, encrypted)
    # The last bytes of a frame are its own checksum: without them all is there still, and its hash is right.
    _refused(tmp_path, original[: int(share * (len(original) - 16))], encrypted)


@shared
@given(st.binary(max_size=300) | st.dictionaries(NAMES, st.integers(-9, 9) | st.text()).map(orjson.dumps))
def test_no_beginning_is_believed(tmp_path: Path, beginning: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(beginning.ljust(HEADER_BYTES))
    with pytest.raises(BackupRefused):
        file.read_header(path)


@pytest.mark.parametrize("change", [{"bytes": -1}, {"bytes": "1"}, {"sites": True}, {"label": None}, {"more": 1}])
def test_no_field_is_believed(source: Path, tmp_path: Path, change: dict[str, object]) -> None:
    file.write(source, tmp_path / "b.fazt", HEADER)
    data = (tmp_path / "b.fazt").read_bytes()
    line = orjson.dumps(orjson.loads(data[:HEADER_BYTES]) | change)
    (tmp_path / "b.fazt").write_bytes(line.ljust(HEADER_BYTES) + data[HEADER_BYTES:])
    with pytest.raises(BackupRefused):
        file.read_header(tmp_path / "b.fazt")


def test_a_bomb_is_stopped_where_it_is_longer_than_it_says(source: Path, tmp_path: Path) -> None:
    made = file.write(source, tmp_path / "b.fazt", HEADER)
    line = file._to_line(replace(made, bytes=1000))
    bomb = zstandard.ZstdCompressor().compress(bytes(200 << 20))
    (tmp_path / "b.fazt").write_bytes(line + bomb)
    with pytest.raises(BackupRefused, match="more than it says"):
        file.read(tmp_path / "b.fazt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_full_disk_leaves_nothing(
    source: Path, tmp_path: Path, encrypted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write(source, tmp_path / "b.fazt", HEADER)
    kept = (tmp_path / "b.fazt").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    passphrase = PASSPHRASE if encrypted else None
    for work in (
        lambda: file.write(source, tmp_path / "b.fazt", HEADER, passphrase),
        lambda: file.read(tmp_path / "b.fazt", tmp_path / "out"),
    ):
        with pytest.raises(StorageFull):
            work()
    assert (tmp_path / "b.fazt").read_bytes() == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.fazt", "source"]


@pytest.mark.parametrize("passphrase", ["", "short", "x" * 1001])
def test_passphrases_that_protect_nothing(passphrase: str) -> None:
    with pytest.raises(InvalidInput):
        file.check_passphrase(passphrase)


def _made(folder: Path, encrypted: bool) -> bytes:
    """Return a backup; it is made once for all examples."""
    path = folder / f"made-{encrypted}"
    if not path.exists():
        (folder / "small").write_bytes(os.urandom(2000) + bytes(60_000))
        file.write(folder / "small", path, HEADER, PASSPHRASE if encrypted else None)
    return path.read_bytes()


def _refused(folder: Path, data: bytes, encrypted: bool) -> None:
    (folder / "changed").write_bytes(data)
    with pytest.raises(BackupRefused):
        file.read(folder / "changed", folder / "out", PASSPHRASE if encrypted else None)
    assert not (folder / "out").exists()
