"""ZIP and tar → files: what real tools write is taken; what contradicts itself, hides or explodes is refused whole."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidArchive, InvalidInput
from fazt.sites.archive import read_archive
from fazt.sites.local_file import ArchiveLimits, LocalFile

LIMITS = ArchiveLimits()
FILES = {
    "index.html": b"<!doctype html>",
    "empty.txt": b"",
    "assets/style.css": b"body { color: red }\n" * 500,
    "docs/deep/er/page.html": b"page",
    "ünï/日本 語.txt": "語".encode(),
}


class Pipe(io.RawIOBase):
    """A stream like that of a pipe: no seeking, and pieces of any length."""

    def __init__(self, data: bytes, piece: int = 1000) -> None:
        self._data = io.BytesIO(data)
        self._piece = piece

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._piece) if size >= 0 else -1)


def check_sentence(message: str) -> None:
    assert message.isprintable()
    assert message.count(". ") == 0
    assert message.endswith(".")


class Spool:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def new(self) -> Path:
        self._count += 1
        place = self._folder / f"spool{self._count}"
        place.mkdir()
        return place

    def read(self, data: bytes, limits: ArchiveLimits = LIMITS) -> list[LocalFile]:
        return read_archive(io.BytesIO(data), self.new(), limits=limits)

    def refuse(self, data: bytes, words: str = ".", limits: ArchiveLimits = LIMITS) -> str:
        with pytest.raises(InvalidArchive, match=words) as caught:
            self.read(data, limits)
        message: str = caught.value.message
        check_sentence(message)
        return message


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def content(files: list[LocalFile]) -> dict[str, bytes]:
    result = {}
    for file in files:
        with file.open() as stream:
            result[file.path] = stream.read()
        assert file.size == len(result[file.path])
    return result


def zip_of(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar_of(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unseekable_zip(files: Mapping[str, bytes]) -> bytes:
    """A ZIP written to a pipe: sizes come behind the data, in descriptors."""

    class Sink(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, piece: Any) -> int:
            self.data += bytes(piece)
            return len(piece)

    sink = Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.data


def forced_zip64(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(data)
    return buffer.getvalue()


GOOD: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zip_of,
    "zip stored": lambda files: zip_of(files, zipfile.ZIP_STORED),
    "zip through a pipe": unseekable_zip,
    "zip64": forced_zip64,
    "tar": tar_of,
    "tar ustar": lambda files: tar_of(files, tarfile.USTAR_FORMAT),
    "tar gnu": lambda files: tar_of(files, tarfile.GNU_FORMAT),
    "tar.gz": lambda files: gzip.compress(tar_of(files)),
    "tar.gz of two members": lambda files: gzip.compress(tar_of(files)[:700]) + gzip.compress(tar_of(files)[700:]),
    "tar.bz2": lambda files: bz2.compress(tar_of(files)),
    "tar.xz": lambda files: lzma.compress(tar_of(files)),
    "tar.gz padded": lambda files: gzip.compress(tar_of(files)) + bytes(1000),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_taken(kind: str, spool: Spool, tmp_path: Path) -> None:
    data = GOOD[kind](FILES)
    files = spool.read(data)
    assert content(files) == FILES
    assert [file.path for file in files] == sorted(FILES)
    (tmp_path / "archive").write_bytes(data)
    assert content(read_archive(tmp_path / "archive", spool.new(), limits=LIMITS)) == FILES
    for piece in (1000, 1 << 20):
        pipe: Any = Pipe(data, piece)
        assert content(read_archive(pipe, spool.new(), limits=LIMITS)) == FILES


@pytest.mark.parametrize(
    "command", ["zip -qr - .", "zip -qr0 - .", "tar cf - .", "tar czf - *", "bsdtar cf - --format zip ."]
)
def test_what_the_tools_write(command: str, spool: Spool, tmp_path: Path) -> None:
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    site = tmp_path / "site"
    for path, data in FILES.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(data)
    made = subprocess.run(command, shell=True, cwd=site, capture_output=True, check=True).stdout
    assert content(spool.read(made)) == FILES


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_no_name_of_an_archive_comes_to_the_disk(make: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path) -> None:
    read_archive(io.BytesIO(make(FILES)), tmp_path, limits=LIMITS)
    assert {place.name for place in tmp_path.rglob("*")} <= {"content", "archive"}


def test_each_file_reads_like_a_file(spool: Spool) -> None:
    first, second = spool.read(zip_of({"a": b"0123456789", "b": b"abcdef"}))
    with first.open() as stream, second.open() as other:
        assert stream.read(4) == b"0123"
        assert other.read() == b"abcdef"
        assert stream.read(100) == b"456789"
        assert stream.read(1) == b""
        assert stream.seek(-3, io.SEEK_END) == 7
        assert stream.read() == b"789"
        assert stream.seek(1) == 1
        assert stream.read(2) == b"12"


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_what_is_left_out(make: Callable[[Mapping[str, bytes]], bytes], spool: Spool) -> None:
    files = dict.fromkeys(
        ["index.html", "drafts/a", "a.psd", ".git/config", "__MACOSX/._a", "node_modules/x", ".env"], b"x"
    )
    data = make({".faztignore": b"drafts/\n*.psd\n"} | files)
    assert [file.path for file in spool.read(data)] == ["index.html"]
    spool.refuse(make({".faztignore": b"!\n"} | files), "faztignore:1")


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/passwd",
        "a//b",
        "C:/evil",
        "c:evil",
        "a\\..\\evil",
        "\\evil",
        "a/./b",
        "a\x1b[31m",
        "a\nb",
        "..",
        "a ",
        "a.",
        "x" * 300,
        "y/" * 600 + "z",
        ".git/../../x",
        "__MACOSX/../../x",
    ],
)
def test_hostile_names(make: Callable[[Mapping[str, bytes]], bytes], name: str, spool: Spool, tmp_path: Path) -> None:
    spool.refuse(make({"index.html": b"x", name: b"evil"}))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize(
    "names",
    [("a", "a/b"), ("a/b", "a"), ("a", "A"), ("caf\u00e9", "cafe\u0301"), ("x/a", "X/A")],
)
def test_names_that_cannot_be_together(
    make: Callable[[Mapping[str, bytes]], bytes], names: tuple[str, str], spool: Spool
) -> None:
    spool.refuse(make(dict.fromkeys(names, b"x")), names[0][0])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates(spool: Spool) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    spool.refuse(buffer.getvalue(), "'a' is there twice")
    spool.refuse(tar_of({"a": b"1"})[:1024] + tar_of({"./a": b"2"}), "'a' is there twice")


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ArchiveLimits(max_files=3), "3 files|8 entries"),
        (ArchiveLimits(max_file_bytes=100), "'assets/style.css' is larger than 100 bytes"),
        (ArchiveLimits(max_total_bytes=10_000), "more than 10000 bytes"),
    ],
)
def test_limits(make: Callable[[Mapping[str, bytes]], bytes], limits: ArchiveLimits, words: str, spool: Spool) -> None:
    spool.refuse(make(FILES), words, limits)


@pytest.mark.parametrize("kind", ["zip", "zip through a pipe", "tar.gz", "tar.bz2", "tar.xz"])
def test_bombs(kind: str, spool: Spool) -> None:
    spool.refuse(GOOD[kind]({"a": bytes(40 << 20)}), "200 times")
    spool.refuse(GOOD[kind]({f"{number}": bytes(1 << 20) for number in range(40)}), "200 times")


def test_a_small_file_may_shrink_a_lot(spool: Spool) -> None:
    assert len(spool.read(zip_of({"a": bytes(1 << 20)}))) == 1
    assert len(spool.read(gzip.compress(tar_of({"a": bytes(1 << 19)})))) == 1


def test_zeros_without_end_behind_a_tar(spool: Spool) -> None:
    spool.refuse(gzip.compress(tar_of({"a": b"x"}) + bytes(50 << 20)), "200 times")


def with_mode(name: str, mode: int, data: bytes = b"/etc/passwd") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, data)
        archive.writestr("index.html", b"x")
    return buffer.getvalue()


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_special_entries_of_a_zip(mode: int, spool: Spool) -> None:
    spool.refuse(with_mode("link", mode), "'link' is a link")


def test_a_link_that_is_left_out_anyway(spool: Spool) -> None:
    data = with_mode("node_modules/.bin/tool", stat.S_IFLNK | 0o777)
    assert [file.path for file in spool.read(data)] == ["index.html"]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"9"],
)
def test_special_entries_of_a_tar(kind: bytes, spool: Spool) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("thing")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    spool.refuse(buffer.getvalue(), "'thing' is a link")


def test_sparse_entries_of_a_tar(spool: Spool, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(50 << 20)
        file.seek(25 << 20)
        file.write(b"x")
    for form in ("gnu", "posix"):
        command = ["tar", "-C", str(tmp_path), "-cS", f"--format={form}", "sparse"]
        made = subprocess.run(command, capture_output=True, check=True).stdout
        spool.refuse(made, "sparse")


def patched(data: bytes, at: int, form: str, *values: Any) -> bytes:
    return data[:at] + struct.pack(form, *values) + data[at + struct.calcsize(form) :]


PLAIN = zip_of({"a.txt": b"hello hello hello hello", "b.txt": b"b"})
CENTRAL = PLAIN.index(b"PK\x01\x02")
SECOND = PLAIN.index(b"PK\x03\x04", 4)
SECOND_CENTRAL = PLAIN.index(b"PK\x01\x02", CENTRAL + 4)
END = PLAIN.rindex(b"PK\x05\x06")

LIARS = {
    "data in front": (b"PK\x03\x04#!/bin/sh\n" + PLAIN, "front"),
    "data behind": (PLAIN + b"x", "behind"),
    "a second end": (PLAIN[:-2] + struct.pack("<H", 22) + PLAIN[END:], "two ends"),
    "nothing but a start": (PLAIN[:30], "cut off"),
    "central name": (patched(PLAIN, CENTRAL + 46, "5s", b"x.txt"), "says one thing"),
    "local name": (patched(PLAIN, 30, "5s", b"x.txt"), "says one thing"),
    "central checksum": (patched(PLAIN, CENTRAL + 16, "<L", 1), "says one thing"),
    "both checksums": (patched(patched(PLAIN, CENTRAL + 16, "<L", 1), 14, "<L", 1), "checksum"),
    "central size": (patched(PLAIN, CENTRAL + 24, "<L", 5), "says one thing"),
    "both sizes small": (patched(patched(PLAIN, CENTRAL + 24, "<L", 5), 22, "<L", 5), "longer than it says"),
    "both sizes large": (patched(patched(PLAIN, CENTRAL + 24, "<L", 500), 22, "<L", 500), "shorter than it says"),
    "both packed sizes": (patched(patched(PLAIN, CENTRAL + 20, "<L", 4), 18, "<L", 4), "shorter than it says"),
    "packed size over the end": (
        patched(patched(PLAIN, CENTRAL + 20, "<L", 9999), 18, "<L", 9999),
        "overlaps|runs into",
    ),
    "encrypted": (patched(patched(PLAIN, CENTRAL + 8, "<H", 1), 6, "<H", 1), "encrypted"),
    "encrypted in place only": (patched(PLAIN, 6, "<H", 1), "says one thing"),
    "bzip2": (zip_of({"a": b"a" * 99}, zipfile.ZIP_BZIP2), "method 12"),
    "lzma": (zip_of({"a": b"a" * 99}, zipfile.ZIP_LZMA), "method 14"),
    "method in place only": (patched(PLAIN, 8, "<H", 0), "says one thing"),
    "offset of another": (patched(PLAIN, SECOND_CENTRAL + 42, "<L", 0), "overlaps"),
    "offset far away": (patched(PLAIN, SECOND_CENTRAL + 42, "<L", 1 << 30), "cut off"),
    "offset into data": (patched(PLAIN, SECOND_CENTRAL + 42, "<L", 10), "overlaps"),
    "both offsets shifted": (patched(PLAIN, CENTRAL + 42, "<L", 1), "front"),
    "more entries": (patched(PLAIN, END + 8, "<2H", 3, 3), "cut off|damaged"),
    "fewer entries": (patched(PLAIN, END + 8, "<2H", 1, 1), "more than its entries"),
    "several disks": (patched(PLAIN, END + 8, "<2H", 1, 2), "one part of several"),
    "directory elsewhere": (patched(PLAIN, END + 16, "<L", 0), "not where it says"),
    "directory of another length": (patched(PLAIN, END + 12, "<L", 1), "not where it says"),
    "zip64 without a record": (patched(PLAIN, END + 8, "<2H", 0xFFFF, 0xFFFF), "Zip64"),
    "zip64 size without a field": (patched(PLAIN, CENTRAL + 24, "<L", 0xFFFFFFFF), "Zip64"),
    "name that is not UTF-8": (
        patched(
            patched(patched(patched(PLAIN, 6, "<H", 2048), CENTRAL + 8, "<H", 2048), 30, "B", 255),
            CENTRAL + 46,
            "B",
            255,
        ),
        "UTF-8",
    ),
    "NUL in the name": (patched(patched(PLAIN, 31, "B", 0), CENTRAL + 47, "B", 0), "control"),
    "broken data": (patched(PLAIN, 35, "8s", b"\xff" * 8), "damaged"),
}


@pytest.mark.parametrize("lie", LIARS)
def test_a_zip_that_contradicts_itself(lie: str, spool: Spool) -> None:
    data, words = LIARS[lie]
    spool.refuse(data, words)


def test_overlapping_entries_that_share_one_bomb(spool: Spool) -> None:
    """Many directory entries for the same bytes, as in David Fifield's bombs."""
    one = zip_of({"0": bytes(100_000)})
    start = one.index(b"PK\x01\x02")
    end = one.rindex(b"PK\x05\x06")
    directory = b"".join(patched(one[start:end], 46, "1s", b"%d" % number) for number in range(10))
    bomb = one[:start] + directory + patched(patched(one[end:], 8, "<2H", 10, 10), 12, "<L", len(directory))
    spool.refuse(bomb, "overlaps")


def test_a_descriptor_that_lies(spool: Spool) -> None:
    data = unseekable_zip({"a.txt": b"hello"})
    at = data.index(b"PK\x07\x08")
    spool.refuse(patched(data, at + 8, "<L", 77), "followed by sizes")


def test_data_behind_the_deflate_stream(spool: Spool) -> None:
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = raw.compress(b"hello") + raw.flush()
    data = zip_of({"a": packed + b"hidden"}, zipfile.ZIP_STORED)
    central = data.index(b"PK\x01\x02")
    for at in (8, central + 10):
        data = patched(data, at, "<H", 8)
    for at in (14, central + 16):
        data = patched(data, at, "<L", zlib.crc32(b"hello"))
    for at in (22, central + 24):
        data = patched(data, at, "<L", 5)
    spool.refuse(data, "behind its end")


def test_old_names(spool: Spool) -> None:
    """Without the flag for UTF-8, a name is UTF-8 where it can be, else that of DOS; an extra field knows better."""
    data = zip_of({"b_cher": b"x"})
    assert [file.path for file in spool.read(data.replace(b"b_cher", b"b\x81cher"))] == ["bücher"]
    field = b"\x01" + struct.pack("<L", zlib.crc32(b"b_cher")) + "bücher.html".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("b_cher")
        info.extra = struct.pack("<2H", 0x7075, len(field)) + field
        archive.writestr(info, b"x")
    assert [file.path for file in spool.read(buffer.getvalue())] == ["bücher.html"]


@pytest.mark.parametrize("kind", GOOD)
def test_cut_off_anywhere(kind: str, spool: Spool) -> None:
    data = GOOD[kind]({"a.txt": b"hello" * 50, "b/c.txt": os.urandom(600)})
    end = len(data) - (10240 if kind.startswith("tar") and "." not in kind else 0)
    step = max(1, len(data) // 40)
    for length in [*range(0, len(data.rstrip(b"\0")) - 1, step)]:
        if "padded" in kind and length >= end:
            continue
        try:
            files = content(spool.read(data[:length]))
        except InvalidArchive as error:
            check_sentence(error.message)
        else:  # only zeros at the very end of a tar may be missing
            assert kind.startswith("tar")
            assert len(files) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither a ZIP nor a tar"),
        (b"hello", "neither a ZIP nor a tar"),
        (b"<!doctype html>" * 100, "neither a ZIP nor a tar"),
        (os.urandom(2000).replace(b"\x1f\x8b", b""), "neither a ZIP nor a tar"),
        (b"\x1f\x8b" + b"x" * 600, "damaged"),
        (b"BZh9" + b"x" * 600, "damaged"),
        (b"\xfd7zXZ\x00" + b"x" * 600, "damaged"),
        (gzip.compress(b"not a tar" * 100, mtime=0), "neither a ZIP nor a tar"),
        (gzip.compress(tar_of({"a": b"x"}), mtime=0)[:-6] + b"\0\0\0\0\0\0", "damaged"),
        (gzip.compress(tar_of({"a": b"x"}), mtime=0) + b"more", "damaged"),
        (tar_of({"a": b"x"}) + b"more", "behind the end"),
        (tar_of({"a": b"x"})[:1024], "cut off"),
        (tar_of({"a": b"x"})[:1024] + b"y" * 1024, "damaged"),
        (tar_of({"a": b"x"})[:1024] + bytes(512) + tar_of({"b": b"x"}), "behind the end"),
        (bytes(10240), "damaged|neither|end"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(600), "neither a ZIP nor a tar"),
    ],
)
def test_what_is_not_an_archive(data: bytes, words: str, spool: Spool) -> None:
    if data == bytes(10240):  # an empty tar is an empty site
        assert spool.read(data) == []
    else:
        spool.refuse(data, words)


@pytest.mark.parametrize(("kind", "size"), [(b"x", 1 << 30), (b"L", 1 << 30), (b"g", 1 << 40), (b"K", 1 << 20)])
def test_records_of_impossible_size(kind: bytes, size: int, spool: Spool) -> None:
    info = tarfile.TarInfo("record")
    info.type, info.size = kind, size
    spool.refuse(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048), "impossible size")


@pytest.mark.parametrize("name", ["link", ".git/link"])
def test_a_skipped_entry_of_impossible_size_ends_at_once(name: str, spool: Spool) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.size = tarfile.CONTTYPE, 1 << 60
    spool.refuse(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


def test_a_negative_size(spool: Spool) -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = {"size": "-512"}
    block = info.create_pax_header(info.get_info(), "utf-8")
    spool.refuse(block + bytes(2048))


def test_paths_that_are_no_files(tmp_path: Path, spool: Spool) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        read_archive(tmp_path, spool.new(), limits=LIMITS)
    with pytest.raises(InvalidInput, match="There is no file"):
        read_archive(tmp_path / "nothing.zip", spool.new(), limits=LIMITS)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_anywhere(kind: str, changes: list[tuple[float, int]], spool: Spool) -> None:
    data = bytearray(GOOD[kind]({"a.txt": b"hello" * 30, "b/c.txt": bytes(range(256))}))
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    try:
        files = spool.read(bytes(data))
    except InvalidArchive as error:
        check_sentence(error.message)
    else:
        content(files)


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize(("count", "most_s"), [(3_000, 3), pytest.param(50_000, 30, marks=pytest.mark.slow)])
def test_many_small_files(
    make: Callable[[Mapping[str, bytes]], bytes], count: int, most_s: float, spool: Spool
) -> None:
    data = make({f"folder{number % 100}/{number}.txt": b"%d" % number for number in range(count)})
    start = time.perf_counter()
    assert len(spool.read(data)) == count
    assert time.perf_counter() - start < most_s
