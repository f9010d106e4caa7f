"""`fazt deploy` against a server that keeps what it is sent: what goes over the wire, and what is said about it."""

import hashlib
import io
import tarfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from fazt.cli import upload
from fazt.errors import RemoteError
from fazt.sites.pack import MAX_CHUNK_BYTES, decode

PAGE = b"<!doctype html><title>here</title>"


class Shelf:
    """The blobs and versions of a server, as far as a deploy sees them."""

    def __init__(self, server: Any) -> None:
        self.chunks: dict[bytes, dict[int, bytes]] = {}
        self.live: dict[str, list[dict[str, Any]]] = {}
        self.packs: list[int] = []
        self.broken = 0
        self.lock = threading.Lock()
        self.server = server
        server.answers["POST", "/api/blobs"] = self.take

    def serve(self, site: str) -> None:
        self.server.answers["POST", f"/api/sites/{site}/versions"] = lambda asked: self.make(site, asked.body)

    def take(self, asked: Any) -> tuple[int, Any]:
        with self.lock:
            if self.broken:
                self.broken -= 1
                raise RemoteError("The line is down.")
            pieces = decode(asked.body)
            self.packs.append(len(asked.body))
            for piece in pieces:
                self.chunks.setdefault(piece.hash, {})[piece.n] = piece.data
            return 200, {"chunks": len(pieces), "bytes": len(asked.body)}

    def content(self, digest: str) -> bytes:
        return b"".join(data for _, data in sorted(self.chunks[bytes.fromhex(digest)].items()))

    def missing(self, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lacking = []
        for digest, size in {file["hash"]: file["size"] for file in files}.items():
            there = self.chunks.get(bytes.fromhex(digest), {})
            numbers = [n for n in range(max(1, -(-size // MAX_CHUNK_BYTES))) if n not in there]
            if numbers:
                lacking.append({"hash": digest, "size": size, "chunks": numbers if there else None})
        return lacking

    def make(self, site: str, body: dict[str, Any]) -> tuple[int, Any]:
        files, before = body["files"], self.live.get(site)
        old = {file["path"]: file["hash"] for file in before or []}
        new = {file["path"]: file["hash"] for file in files}
        changed = sorted(path for path in new.keys() & old.keys() if new[path] != old[path])
        paths = {
            "added": sorted(new.keys() - old.keys()),
            "changed": changed,
            "removed": sorted(old.keys() - new.keys()),
        }
        made = {
            "site": site,
            "version": None if body["dry_run"] else "3fa2b1c0" * 4,
            "url": f"http://{site}.localhost:4698/",
            "preview_url": f"http://3fa2b1c0--{site}.localhost:4698/",
            "live": not body["preview"],
            "files": len(files),
            "bytes": sum(file["size"] for file in files),
            "unchanged": new == old,
            "created": before is None,
            "diff": paths if body["dry_run"] else {name: len(values) for name, values in paths.items()},
            "warnings": [],
        }
        if not body["dry_run"] and not made["unchanged"]:
            if lacking := self.missing(files):
                return 409, {"error": {"code": "blobs_missing", "message": "Some are missing.", "missing": lacking}}
            if made["live"]:
                self.live[site] = files
        return 200, made


@pytest.fixture
def shelf(server: Any, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(upload, "PAUSES_S", (0.0, 0.0))
    found = Shelf(server)
    found.serve("blog")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "blog"
    (place / "assets").mkdir(parents=True)
    (place / "index.html").write_bytes(PAGE)
    (place / "empty.txt").write_bytes(b"")
    (place / "copy.html").write_bytes(PAGE)
    (place / "assets" / "large.bin").write_bytes(bytes(range(256)) * 2600)  # more than two chunks
    return place


def test_a_deploy_sends_each_content_once(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    done = run("deploy", str(folder), "--site", "blog", "--message", "the first")
    assert done.code == 0, done.err
    first, size_line, version = done.out.splitlines()
    assert first == "blog is live at http://blog.localhost:4698/"
    assert size_line.startswith("  4 files, 665.7 kB; sent 3 files, 665.6 kB in 0.")
    assert version == "  version 3fa2b1c0"
    assert done.err == ""
    sent = {file["path"]: shelf.content(file["hash"]) for file in shelf.live["blog"]}
    assert sent == {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    body = shelf.server.asked[0].body
    assert body["message"] == "the first"
    assert body["source"] == "cli"
    assert [file["path"] for file in body["files"]] == sorted(file["path"] for file in body["files"])
    assert shelf.server.closed == 1


def test_an_unchanged_deploy_sends_nothing(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    run("deploy", str(folder), "--site", "blog")
    packs = len(shelf.packs)
    done = run("deploy", str(folder), "--site", "blog")
    assert done.out == "Nothing has changed: http://blog.localhost:4698/ serves these files already.\n"
    made = orjson.loads(run("deploy", str(folder), "--site", "blog", "--json").out)
    assert (made["unchanged"], made["bytes_sent"], made["files_sent"]) == (True, 0, 0)
    assert len(shelf.packs) == packs


def test_a_second_deploy_says_how_to_undo_it(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    run("deploy", str(folder), "--site", "blog")
    (folder / "index.html").write_bytes(b"new")
    done = run("deploy", str(folder), "--site", "blog")
    assert "sent 1 file, 3 B in" in done.out
    assert done.out.endswith("  version 3fa2b1c0; undo with: fazt rollback blog\n")


def test_a_preview_leaves_the_live_one(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    done = run("deploy", str(folder), "--site", "blog", "--preview")
    assert done.out.startswith("A preview of blog is at http://3fa2b1c0--blog.localhost:4698/\n")
    assert "undo" not in done.out
    assert shelf.live == {}


def test_a_dry_run_lists_what_would_change(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    run("deploy", str(folder), "--site", "blog")
    (folder / "index.html").write_bytes(b"new")
    (folder / "copy.html").unlink()
    for number in range(upload.ROUNDS + 22):
        (folder / f"page-{number:02}.html").write_bytes(b"x")
    before = (list(shelf.packs), dict(shelf.live))
    done = run("deploy", str(folder), "--site", "blog", "--dry-run")
    lines = done.out.splitlines()
    assert lines[0] == "+ page-00.html"
    assert "+ and 5 more" in lines
    assert "~ index.html" in lines
    assert "- copy.html" in lines
    assert lines[-1].startswith("blog: 25 added, 1 changed, 1 removed; ")
    assert (shelf.packs, shelf.live) == before
    made = orjson.loads(run("deploy", str(folder), "--site", "blog", "--dry-run", "--json").out)
    assert made["diff"]["changed"] == ["index.html"]


def test_an_interrupted_upload_goes_on_where_it_stopped(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    content = (folder / "assets" / "large.bin").read_bytes()
    shelf.chunks[hashlib.sha256(content).digest()] = {0: content[:MAX_CHUNK_BYTES], 2: content[2 * MAX_CHUNK_BYTES :]}
    made = orjson.loads(run("deploy", str(folder), "--site", "blog", "--json").out)
    assert made["bytes_sent"] == MAX_CHUNK_BYTES + len(PAGE)


def test_packs_are_about_4_mib(run: Callable[..., Any], shelf: Shelf, tmp_path: Path) -> None:
    place = tmp_path / "blog"
    place.mkdir()
    for number in range(40):
        (place / f"{number}.bin").write_bytes(number.to_bytes(2, "big") * 150_000)
    done = run("deploy", str(place), "--site", "blog")
    assert done.code == 0, done.err
    assert len(shelf.packs) == 3
    assert all(size < upload.PACK_BYTES + MAX_CHUNK_BYTES + 48 for size in shelf.packs)
    assert all(shelf.content(file["hash"]) == (place / file["path"]).read_bytes() for file in shelf.live["blog"])


def test_a_line_that_breaks_is_tried_again(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    shelf.broken = 2
    assert run("deploy", str(folder), "--site", "blog").code == 0
    shelf.broken, shelf.chunks = 10, {}
    (folder / "index.html").write_bytes(b"new")
    done = run("deploy", str(folder), "--site", "blog")
    assert (done.code, done.out, done.err) == (1, "", "Error: The line is down.\n")


def test_a_server_that_forgets_is_not_asked_for_ever(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    shelf.server.answers["POST", "/api/blobs"] = (200, {"chunks": 0, "bytes": 0})
    done = run("deploy", str(folder), "--site", "blog")
    assert done.code == 1
    assert "goes on asking" in done.err
    assert Counter(asked.path for asked in shelf.server.asked)["/api/sites/blog/versions"] == upload.ROUNDS


def test_a_file_that_shrinks_meanwhile_is_named(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    real = shelf.make

    def make(site: str, body: dict[str, Any]) -> tuple[int, Any]:
        (folder / "assets" / "large.bin").write_bytes(b"short")
        return real(site, body)

    shelf.make = make  # type: ignore[method-assign]
    done = run("deploy", str(folder), "--site", "blog")
    assert done.code == 1
    assert "assets/large.bin became shorter while it was read" in done.err


def test_warnings_stand_beside_the_result(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    real = shelf.make

    def make(site: str, body: dict[str, Any]) -> tuple[int, Any]:
        status, made = real(site, body)
        return status, made | {"warnings": ["a.html and A.html"]} if status == 200 else made

    shelf.make = make  # type: ignore[method-assign]
    done = run("deploy", str(folder), "--site", "blog", "--json")
    assert done.err == "Warning: a.html and A.html\n"
    assert orjson.loads(done.out)["warnings"] == ["a.html and A.html"]


def tar_of(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return out.getvalue()


def test_an_archive_is_the_same_as_its_folder(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    run("deploy", str(folder), "--site", "blog")
    packed = folder.parent / "packed.tar.gz"
    packed.write_bytes(tar_of(folder))
    assert run("deploy", str(packed), "--site", "blog").out.startswith("Nothing has changed")
    assert run("deploy", "-", "--site", "blog", stdin=tar_of(folder)).out.startswith("Nothing has changed")


@pytest.mark.parametrize(
    ("name", "site"),
    [("blog", "blog"), ("My Blog (2)", "my-blog-2"), ("v1.2", "v1-2"), ("--x--", "x")],
)
def test_the_folder_names_the_site(run: Callable[..., Any], shelf: Shelf, tmp_path: Path, name: str, site: str) -> None:
    (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / name / "index.html").write_bytes(PAGE)
    shelf.serve(site)
    done = run("deploy", f"./{name}")
    assert done.err == f"The site is {site}; choose another with --site.\n"
    assert done.out.startswith(f"{site} is live at ")


def test_the_name_in_fazt_json_goes_before(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    shelf.serve("journal")
    (folder / "fazt.json").write_text('{"name": "journal"}')
    assert run("deploy", str(folder)).out.startswith("journal is live at ")
    assert run("deploy", str(folder), "--site", "blog").out.startswith("blog is live at ")
    for broken in ("{", "[]", '{"name": 3}', '{"name": ""}'):
        (folder / "fazt.json").write_text(broken)
        assert run("deploy", str(folder)).out.startswith("blog is live at ")


def test_an_archive_names_the_site_without_its_endings(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    packed = folder.parent / "blog.tar.gz"
    packed.write_bytes(tar_of(folder))
    assert run("deploy", str(packed)).out.startswith("blog is live at ")


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["nothing"], b"", "There is no folder or archive at nothing."),
        (["-"], tar_of(Path(__file__).parent), "--site NAME"),
        (["-", "--site", "blog"], b"junk", ""),
        (["-", "--site", "blog"], b"", ""),
        (["blog", "--site", ""], b"", "is empty"),
    ],
)
def test_what_cannot_be_deployed(
    run: Callable[..., Any], shelf: Shelf, folder: Path, arguments: list[str], stdin: bytes, message: str
) -> None:
    done = run("deploy", *arguments, stdin=stdin)
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert message in done.err
    assert shelf.live == {}


def test_an_empty_folder_is_not_a_site(run: Callable[..., Any], shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").write_text("left out")
    done = run("deploy", str(tmp_path / "empty"), "--site", "blog")
    assert (done.code, done.out) == (1, "")
    assert "nothing to deploy" in done.err


def test_a_name_in_another_spelling_is_the_same_site(run: Callable[..., Any], shelf: Shelf, folder: Path) -> None:
    assert run("deploy", str(folder), "--site", "Blog").code == 0
    assert list(shelf.live) == ["blog"]
