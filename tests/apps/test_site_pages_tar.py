"""The dashboard's tar, made in the browser, beside Python's tarfile: names of every length arrive as they were."""

import base64
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fazt.sites.archive import read_archive
from fazt.sites.ignore import is_always_left_out
from fazt.sites.local_file import ArchiveLimits

DASHBOARD = Path(__file__).parents[2] / "fazt/apps/dashboard"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.slow,
]


def in_node(script: str, module: str, given: Any) -> bytes:
    """Run `script` with the exports of a module of the dashboard as `it`, and `given`; return what it writes."""
    source = base64.b64encode((DASHBOARD / module).read_bytes()).decode()
    program = (
        f'const it = await import("data:text/javascript;base64,{source}");'
        'let text = ""; for await (const piece of process.stdin) text += piece;'
        f"const given = JSON.parse(text);{script}"
    )
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", program],
        input=json.dumps(given).encode(),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


def tar_of(files: list[tuple[str, bytes]], modified_ms: float = 1_700_000_000_999) -> bytes:
    script = """
    const files = given.files.map(([path, data]) => ({
      path, blob: new Blob([Buffer.from(data, "base64")]), modified_ms: given.modified_ms }));
    process.stdout.write(Buffer.from(await it.tar(files).arrayBuffer()));
    """
    encoded = [(path, base64.b64encode(data).decode()) for path, data in files]
    return in_node(script, "tar.js", {"files": encoded, "modified_ms": modified_ms})


def read_back(data: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        found = []
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            found.append((member.name, content.read()))
        return found


def test_names_of_every_length_and_script_are_read_as_they_were() -> None:
    names = [
        *("a" * length for length in (1, 99, 100, 101, 255)),
        *(f"{'d' * length}/index.html" for length in (88, 89, 154, 155, 156, 200)),
        "/".join(["folder"] * 40) + "/page.html",
        "über/日本語/🙂.html",
        "é" * 120,
        "a name with spaces=and equals\n".strip() + ".txt",
        ".well-known/security.txt",
    ]
    files = [(name, name.encode()) for name in names]
    assert read_back(tar_of(files)) == files


def test_every_length_of_a_pax_record_counts_itself() -> None:
    """The length of a record has as many digits as it has: around 10 and 100 a wrong count shows."""
    files = [("é" + "x" * length, b"") for length in [*range(8), *range(75, 105), *range(970, 1000)]]
    assert read_back(tar_of(files)) == files


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000])
def test_content_of_every_size_is_padded_to_whole_blocks(size: int) -> None:
    data = tar_of([("a.bin", b"x" * size), ("b.txt", b"after")])
    assert len(data) % 512 == 0
    assert read_back(data) == [("a.bin", b"x" * size), ("b.txt", b"after")]


def test_time_of_a_file_is_kept_and_a_senseless_one_does_no_harm() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of([("a", b"")], modified_ms=1_700_000_000_999))) as archive:
        assert archive.getmembers()[0].mtime == 1_700_000_000
    with tarfile.open(fileobj=io.BytesIO(tar_of([("a", b"")], modified_ms=-5000))) as archive:
        assert archive.getmembers()[0].mtime == 0


PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=6).map("/".join)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(PATHS, st.binary(max_size=1500)), min_size=1, max_size=40, unique_by=lambda file: file[0]))
def test_any_names_are_read_as_they_were(files: list[tuple[str, bytes]]) -> None:
    found = read_back(tar_of(files))
    # tarfile takes a slash off the end of a name and nothing else; parts here have none.
    assert found == files


def test_server_reads_it_as_the_same_folder(tmp_path: Path) -> None:
    data = tar_of([("index.html", b"<h1>hello"), ("日本/" + "n" * 110 + ".css", b"body{}")])
    found = read_archive(io.BytesIO(data), tmp_path, limits=ArchiveLimits(100, 1 << 20, 1 << 20))
    assert [file.path for file in found] == ["index.html", "日本/" + "n" * 110 + ".css"]


def test_the_browser_leaves_out_what_the_command_line_leaves_out() -> None:
    names = ["index.html", ".git", ".well-known", ".env", "node_modules", "Node_Modules", "__MACOSX", "Thumbs.db"]
    names += ["ehthumbs.db", "desktop.ini", "Icon\r", "icon", "nodes", "well-known", ".wellknown", "a.git"]
    said = json.loads(in_node("console.log(JSON.stringify(given.map(it.isLeftOut)))", "folder.js", names))
    assert said == [is_always_left_out(name) for name in names]
