"""Several hundred real files, fetched in every way from Fazt and from nginx: same status, same bytes, known headers.

The files are npm packages that people host. nginx serves the very folder that was deployed. A header on which the two
differ must stand in `HEADER_CHOICES` with the reason; one that is not there fails the test.
"""

import contextlib
import email
import gzip
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import brotli
import pytest
import zstandard
from loopback import Answer, FaztServer, free_port, send

PACKAGES = ["bootstrap@5.3.3", "katex@0.16.11", "swagger-ui-dist@5.17.14", "pdfjs-dist@4.7.76"]
CACHE = Path(__file__).parents[2] / "build" / "npm"
HOST = "files.localhost"

# name -> why Fazt's value may differ from nginx's (or be there where nginx has none, or the other way round)
HEADER_CHOICES = {
    "server": "Fazt does not say what it is",
    "date": "the clock may tick between the two requests",
    "connection": "HTTP/1.1 keeps connections open without a word; nginx says keep-alive",
    "keep-alive": "nginx announces its time-out",
    "etag": "the SHA-256 of the bytes sent, where nginx has the time and the size",
    "last-modified": "the time of the deploy, not of the file on the disk it came from",
    "content-type": "a table of our own, with charset for text; checked by EXPECTED_TYPES",
    "cache-control": "classes by name; nginx says nothing unless told",
    "vary": "Accept-Encoding decides among stored codings, so every answer of such a file says so",
    "x-content-type-options": "nosniff everywhere",
    "accept-ranges": "on every answer that can be asked for in ranges; nginx leaves it out of a 206",
    "location": "a path, where nginx builds an absolute URL",
}
EXPECTED_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".gif": "image/gif",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".md": "text/markdown; charset=utf-8",
}

Both = Callable[..., tuple[Answer, Answer]]


def copy_packages(folder: Path) -> None:
    """Install the packages once into a cache in the build folder, and copy their files."""
    if not all((CACHE / "node_modules" / name.split("@")[0]).is_dir() for name in PACKAGES):
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed: tools/test installs it as root")
        CACHE.mkdir(parents=True, exist_ok=True)
        flags = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--prefix", str(CACHE)]
        subprocess.run([npm, "install", *flags, *PACKAGES], check=True, cwd=CACHE, timeout=180)
    for name in PACKAGES:
        source = CACHE / "node_modules" / name.split("@")[0]
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("node_modules", ".*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    copy_packages(place)
    (place / "empty.txt").write_bytes(b"")
    (place / "one.bin").write_bytes(b"\x00")
    (place / "a name with spaces & signs+.txt").write_text("spaces")
    (place / "ünïcödé.txt").write_text("unicode")
    return place


@pytest.fixture(scope="module")
def fazt(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    server = FaztServer(tmp_path_factory.mktemp("fazt") / "data.db", free_port()).start()
    server.cli("deploy", str(folder), "--site", "files")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def nginx(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start nginx on the folder; give its port."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed: tools/test installs it as root")
    place, port = tmp_path_factory.mktemp("nginx"), free_port()
    # As root the worker gives up its rights, and pytest's folders are closed to others.
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(f"""
        {user} daemon off; pid {place}/pid; error_log {place}/error.log; worker_processes 1;
        events {{ worker_connections 64; }}
        http {{
          include /etc/nginx/mime.types; default_type application/octet-stream; access_log off;
          client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
          uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
          sendfile on; keepalive_requests 1000000;
          server {{ listen 127.0.0.1:{port}; root {folder}; index index.html; absolute_redirect off; }}
        }}""")
    command = [binary, "-e", str(place / "error.log"), "-c", str(place / "nginx.conf"), "-p", str(place)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as probe:
            probe.request("GET", "/one.bin")
            probe.getresponse().read()
            break
        assert process.poll() is None, (place / "error.log").read_text()
    yield port
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture(scope="module")
def both(fazt: FaztServer, nginx: int) -> Iterator[Both]:
    """Return a function that sends the same request to Fazt and to nginx."""
    with (
        fazt.connection() as to_fazt,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", nginx, timeout=30)) as to_nginx,
    ):

        def ask(path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[Answer, Answer]:
            ours = send(to_fazt, path, host=HOST, method=method, headers=headers)
            try:
                theirs = send(to_nginx, path, host=HOST, method=method, headers=headers)
            except ConnectionResetError:  # nginx closes behind a 412 although it says keep-alive
                to_nginx.close()
                theirs = send(to_nginx, path, host=HOST, method=method, headers=headers)
            return ours, theirs

        yield ask


def url_of(folder: Path, file: Path) -> str:
    return "/" + quote(file.relative_to(folder).as_posix(), safe="/")


def unlisted_differences(ours: Answer, theirs: Answer) -> list[str]:
    """Name every header on which the two differ without a reason in HEADER_CHOICES."""
    names = {name.lower() for name, _ in ours.headers + theirs.headers} - HEADER_CHOICES.keys()
    return [
        f"{name}: {ours.header(name)} / {theirs.header(name)}" for name in sorted(names) if differs(ours, theirs, name)
    ]


def differs(ours: Answer, theirs: Answer, name: str) -> bool:
    return ours.header(name) != theirs.header(name)


def parts_of(answer: Answer) -> list[tuple[str | None, bytes]]:
    """Take a multipart/byteranges body apart into (Content-Range, bytes)."""
    kind = answer.header("Content-Type") or ""
    boundary = re.fullmatch(r'multipart/byteranges; ?boundary="?([^"]+)"?', kind)
    assert boundary, kind
    parts = []
    for piece in answer.body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = email.message_from_bytes(head + b"\r\n\r\n")
        parts.append((fields["Content-Range"], body.removesuffix(b"\r\n")))
    return parts


@pytest.mark.slow
def test_every_file_in_every_way(folder: Path, both: Both) -> None:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    assert len(files) >= 400
    seen: Counter[int] = Counter()
    for file in files:
        url, data = url_of(folder, file), file.read_bytes()
        last = max(0, len(data) - 1)
        for headers in (
            {},
            {"Range": "bytes=0-0"},
            {"Range": f"bytes={len(data) // 2}-"},
            {"Range": "bytes=-7"},
            {"Range": f"bytes={last}-{last + 100}"},
            {"Range": f"bytes={len(data)}-"},
            {"Range": "bytes=5-2"},
            {"Range": "lines=1-2"},
            {"If-None-Match": '"something-else"'},
            {"If-None-Match": "*"},
            {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
            {"If-Modified-Since": "not a date"},
            {"If-Match": '"something-else"'},
            {"If-Range": '"something-else"', "Range": "bytes=0-3"},
        ):
            ours, theirs = both(url, headers=headers)
            where = f"{url} {headers}"
            assert ours.status == theirs.status, where
            if ours.status in (200, 206):
                assert ours.body == theirs.body, where
                assert not unlisted_differences(ours, theirs), where
            seen[ours.status] += 1
        ours, theirs = both(url, method="HEAD")
        assert (ours.status, ours.body) == (200, b"") == (theirs.status, theirs.body)
        assert not unlisted_differences(ours, theirs), url
        kind = EXPECTED_TYPES.get(file.suffix)
        assert kind is None or ours.header("Content-Type") == kind, url
    assert {200, 206, 304, 412, 416} <= seen.keys(), seen


@pytest.mark.slow
def test_conditions_with_their_own_validators(folder: Path, both: Both) -> None:
    for file in sorted(folder.rglob("*.css")):
        url = url_of(folder, file)
        for answer, index in zip(both(url), (0, 1), strict=True):
            etag, modified = answer.header("ETag"), answer.header("Last-Modified")
            assert etag
            assert modified
            for headers, status in (
                ({"If-None-Match": etag}, 304),
                ({"If-None-Match": f'"x", W/{etag}'}, 304),
                ({"If-Modified-Since": modified}, 304),
                ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
                ({"If-Match": etag}, 200),
                ({"If-Unmodified-Since": modified}, 200),
                ({"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 412),
                ({"If-Range": etag, "Range": "bytes=1-2"}, 206),
                ({"If-Range": modified, "Range": "bytes=1-2"}, 206),
            ):
                got = both(url, headers=headers)[index]
                assert got.status == status, (url, headers, index)
                if status == 304:
                    assert got.body == b""
                    assert got.header("ETag") == etag


@pytest.mark.slow
def test_several_ranges(folder: Path, both: Both) -> None:
    for file in sorted(folder.rglob("*.js"))[:60]:
        if file.stat().st_size < 3000:
            continue
        ours, theirs = both(url_of(folder, file), headers={"Range": "bytes=0-9,1000-1999,-5"})
        assert ours.status == theirs.status == 206
        assert parts_of(ours) == parts_of(theirs), file


@pytest.mark.slow
def test_coded_bodies_are_the_file(folder: Path, fazt: FaztServer) -> None:
    """Every coding decodes to the file, its ETag is the hash of the coded bytes, and none is larger than the file."""
    decoders: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    }
    served: Counter[str] = Counter()
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".css", ".js", ".svg", ".html", ".md"))
    deadline = time.monotonic() + 120
    with fazt.connection() as connection:
        # The compressor works behind the deploy; it is done when every file of a middling size has its variants.
        waiting = [file for file in files if 2000 < file.stat().st_size < 3_000_000]
        while waiting:
            asked = send(connection, url_of(folder, waiting[0]), host=HOST, headers={"Accept-Encoding": "zstd"})
            if asked.header("Content-Encoding"):
                waiting.pop(0)
                continue
            assert time.monotonic() < deadline, f"{len(waiting)} files were not compressed in time"
            time.sleep(0.2)
        for file in files:
            data = file.read_bytes()
            for coding, decode in decoders.items():
                answer = send(connection, url_of(folder, file), host=HOST, headers={"Accept-Encoding": coding})
                assert answer.status == 200
                assert "accept-encoding" in (answer.header("Vary") or "").lower()
                assert (answer.header("ETag") or "").strip('"') == hashlib.sha256(answer.body).hexdigest()
                if answer.header("Content-Encoding") is None:
                    assert answer.body == data
                    continue
                assert answer.header("Content-Encoding") == coding
                assert decode(answer.body) == data
                assert len(answer.body) < len(data)
                served[coding] += 1
    assert min(served.values()) > 100, served


@pytest.mark.parametrize(
    ("path", "ours_status", "theirs_status"),
    [
        ("/nothing/here.txt", 404, 404),
        ("/swagger-ui-dist/", 200, 200),
        ("/swagger-ui-dist", 308, 301),  # Fazt keeps the method
        ("/swagger-ui-dist?a=b", 308, 301),
        ("/a%20name%20with%20spaces%20&%20signs+.txt", 200, 200),
        ("/%C3%BCn%C3%AFc%C3%B6d%C3%A9.txt", 200, 200),
        ("/empty.txt", 200, 200),
        ("/katex/./dist/../package.json", 200, 200),
    ],
)
def test_paths(both: Both, path: str, ours_status: int, theirs_status: int) -> None:
    ours, theirs = both(path)
    assert (ours.status, theirs.status) == (ours_status, theirs_status)
    if ours.status == 200:
        assert ours.body == theirs.body
        assert not unlisted_differences(ours, theirs)
    elif ours.status == 308:
        assert ours.header("Location") == theirs.header("Location")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(both: Both, method: str) -> None:
    ours, theirs = both("/one.bin", method=method)
    assert ours.status == theirs.status == 405
    assert ours.header("Allow") == "GET, HEAD"  # RFC 9110 15.5.6 asks for it; nginx leaves it out
