"""A folder on disk → files: what is left out, where links may lead, and what is refused with which words."""

import hashlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fazt.errors import FaztError, InvalidInput, InvalidPath, TooLarge
from fazt.sites.folder import read_folder
from fazt.sites.local_file import ArchiveLimits, LocalFile

LIMITS = ArchiveLimits()


def make(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def paths(folder: Path) -> list[str]:
    return [file.path for file in read_folder(folder, limits=LIMITS)]


def test_files_come_sorted_with_size_hash_and_content(tmp_path: Path) -> None:
    content = {"b/x.txt": b"x", "a.txt": b"", "b.txt": b"b" * 3_000_000, "ünï.html": "ü".encode(), "b-": b"-"}
    files = read_folder(make(tmp_path, content), limits=LIMITS)
    assert [file.path for file in files] == sorted(content)
    for file in files:
        assert file.size == len(content[file.path])
        assert file.hash == hashlib.sha256(content[file.path]).digest()
        with file.open() as stream:
            assert stream.read() == content[file.path]


def test_on_file_hears_of_each(tmp_path: Path) -> None:
    heard: list[LocalFile] = []
    files = read_folder(
        make(tmp_path, {f"{number}.txt": "x" for number in range(200)}), on_file=heard.append, limits=LIMITS
    )
    assert sorted(heard, key=lambda file: file.path) == files


def test_what_is_always_left_out(tmp_path: Path) -> None:
    kept = [".well-known/security.txt", "api/a.js", "deep/.well-known/x", "fazt.json", "index.html", "notes~"]
    left_out = [
        ".DS_Store",
        ".env",
        ".git/config",
        ".gitignore",
        ".well-known/.hidden",
        "Icon\r",
        "__MACOSX/x",
        "deep/.git",
        "deep/Thumbs.db",
        "deep/node_modules/a/index.js",
        "desktop.ini",
        "node_modules/b.js",
    ]
    assert paths(make(tmp_path, dict.fromkeys(kept + left_out, "x"))) == kept


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ("drafts/\n*.psd\n", ["a.txt", "b/a.txt", "b/keep.txt"]),
        ("# nothing\n\n", ["a.psd", "a.txt", "b/a.txt", "b/c.psd", "b/drafts/x", "b/keep.txt", "drafts/x"]),
        ("/drafts\n/a.txt\n", ["a.psd", "b/a.txt", "b/c.psd", "b/drafts/x", "b/keep.txt"]),
        ("b/*\n!b/keep.txt\n", ["a.psd", "a.txt", "b/keep.txt", "drafts/x"]),
        ("**/drafts\r\n[a-b].psd\r\n", ["a.txt", "b/a.txt", "b/c.psd", "b/keep.txt"]),
        ("\ufeff*.txt\n*.psd", ["b/drafts/x", "drafts/x"]),
    ],
)
def test_faztignore(tmp_path: Path, patterns: str, kept: list[str]) -> None:
    names = ["a.txt", "a.psd", "b/a.txt", "b/c.psd", "b/keep.txt", "b/drafts/x", "drafts/x"]
    make(tmp_path, dict.fromkeys(names, "x") | {".faztignore": patterns})
    assert paths(tmp_path) == kept


def test_a_faztignore_that_is_not_understood(tmp_path: Path) -> None:
    make(tmp_path, {".faztignore": "a\n!\n"})
    with pytest.raises(InvalidInput, match=r"\.faztignore:2"):
        paths(tmp_path)
    make(tmp_path, {".faztignore": b"\xff"})
    with pytest.raises(InvalidInput, match="UTF-8"):
        paths(tmp_path)


def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    make(tmp_path, {"real/a.txt": "a", "b.txt": "b"})
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "chain.txt").symlink_to("file.txt")
    assert paths(tmp_path) == ["b.txt", "chain.txt", "file.txt", "folder/a.txt", "real/a.txt"]
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    assert len(paths(link)) == 5


def link_out_to_a_file(folder: Path) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to("../secret.txt")


def link_out_to_a_folder(folder: Path) -> None:
    (folder / "link.txt").symlink_to("/etc")


def link_to_a_neighbour_with_the_same_beginning(folder: Path) -> None:
    make(folder.parent / (folder.name + "-other"), {"x": "x"})
    (folder / "link.txt").symlink_to(f"../{folder.name}-other/x")


def link_out_through_a_link(folder: Path) -> None:
    (folder / ".hidden").symlink_to("..")
    (folder / "link.txt").symlink_to(".hidden/other")


def link_to_itself(folder: Path) -> None:
    (folder / "link.txt").symlink_to("link.txt")


def link_to_nothing(folder: Path) -> None:
    (folder / "link.txt").symlink_to("nothing")


def link_to_its_folder(folder: Path) -> None:
    (folder / "link.txt").symlink_to(".")


def link_round_about(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "link.txt").symlink_to("../b")
    (folder / "b").mkdir()
    (folder / "b" / "link.txt").symlink_to("../a")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "link.txt")


def unix_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(folder)  # a path of 108 bytes at most fits into an address
        try:
            listener.bind("link.txt")
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (link_out_to_a_file, "leads out"),
        (link_out_to_a_folder, "leads out"),
        (link_to_a_neighbour_with_the_same_beginning, "leads out"),
        (link_out_through_a_link, "leads out"),
        (link_to_itself, "leads nowhere|cannot be read|Too many"),
        (link_to_nothing, "leads nowhere"),
        (link_to_its_folder, "leads back"),
        (link_round_about, "leads back"),
        (pipe, "neither a file nor a folder"),
        (unix_socket, "neither a file nor a folder"),
    ],
)
def test_what_is_refused(tmp_path: Path, prepare: Callable[[Path], None], words: str) -> None:
    folder = make(tmp_path / "site", {"index.html": "x"})
    prepare(folder)
    with pytest.raises(InvalidInput, match=words) as caught:
        paths(folder)
    assert "link.txt" in caught.value.message
    make(folder, {".faztignore": "link.txt\n"})
    assert paths(folder) == ["index.html"]


@pytest.mark.parametrize(
    ("name", "words"),
    [(b"a\xff.txt", "UTF-8"), (b"a\n.txt", "control"), (b"a\\b", "backslash"), (b"a. ", "space"), (b"dot.", "dot")],
)
def test_names_that_cannot_be_kept(tmp_path: Path, name: bytes, words: str) -> None:
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    with pytest.raises(InvalidPath, match=words) as caught:
        paths(tmp_path)
    assert caught.value.message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    make(tmp_path, {"a/secret.txt": "x"})
    (tmp_path / "a" / "secret.txt").chmod(0)
    with pytest.raises(InvalidInput, match=r"'a/secret\.txt' cannot be read"):
        paths(tmp_path)
    (tmp_path / "a").chmod(0)
    with pytest.raises(InvalidInput, match=r"'a/' cannot be read"):
        paths(tmp_path)
    (tmp_path / "a").chmod(0o700)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no folder"):
        paths(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="is not a folder"):
        paths(tmp_path / "file")
    assert paths(make(tmp_path / "empty", {".keep": ""})) == []


@pytest.mark.parametrize(
    "limits",
    [ArchiveLimits(max_files=2), ArchiveLimits(max_file_bytes=9), ArchiveLimits(max_total_bytes=29)],
)
def test_limits(tmp_path: Path, limits: ArchiveLimits) -> None:
    make(tmp_path, dict.fromkeys("abc", "0123456789"))
    with pytest.raises(TooLarge):
        read_folder(tmp_path, limits=limits)
    assert len(read_folder(tmp_path, limits=ArchiveLimits(3, 10, 30, 1))) == 3


def test_too_deep(tmp_path: Path) -> None:
    place = tmp_path.joinpath(*["d"] * 200)
    place.mkdir(parents=True)
    (place / "x").write_text("x")
    with pytest.raises(FaztError, match="deep"):
        paths(tmp_path)


def test_a_thousand_files_are_read_quickly(tmp_path: Path) -> None:
    data = os.urandom(20_000)
    make(tmp_path, {f"folder{number % 10}/{number}.bin": data for number in range(1000)})
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        assert len(read_folder(tmp_path, limits=LIMITS)) == 1000
        best = min(best, time.perf_counter() - start)
    assert best < 0.3, f"{best * 1000:.0f} ms"  # 60 ms is meant; other work shares this machine
