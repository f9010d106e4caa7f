"""The generated content that is measured: folders of files and databases with many sites.

Rule: the same seed gives the same bytes, and the bytes do not shrink under compression more than a page of base64 does.
"""

import base64
import random
from pathlib import Path

from fazt.bench.request import request_bytes

SIZES = {"1kb.html": 1_000, "10kb.html": 10_000, "100kb.html": 100_000, "1mb.bin": 1_000_000, "100mb.bin": 100_000_000}
NOT_FOUND = "<!doctype html><title>Not found</title><p>There is nothing here.\n"


def text(size: int, seed: int) -> bytes:
    """Return `size` bytes of ASCII that differ for each seed."""
    raw = random.Random(seed).randbytes(size * 3 // 4 + 3)  # noqa: S311 (content, not a secret)
    return base64.b64encode(raw)[:size]


def write_sizes(folder: Path, *, large: bool) -> dict[str, bytes]:
    """Write the files of SIZES (the largest only when asked) and a 404 page; return the contents."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {name: text(size, size) for name, size in SIZES.items() if large or size <= 1_000_000}
    contents["index.html"] = contents["1kb.html"]
    contents["404.html"] = NOT_FOUND.encode()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return contents


def write_many(folder: Path, *, files: int, total_bytes: int, seed: int = 1) -> None:
    """Write `files` files of together about `total_bytes`, a hundred a folder, sizes spread as in real sites."""
    chance = random.Random(seed)  # noqa: S311
    weights = [chance.lognormvariate(0, 1.2) for _ in range(files)]
    for number, weight in enumerate(weights):
        place = folder / f"part-{number // 100:02}" / f"file-{number:05}.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text(max(64, int(total_bytes * weight / sum(weights))), seed * 1_000_000 + number))
    (folder / "index.html").write_bytes(text(1_000, seed))


def cold_requests(domain: str, sites: int) -> tuple[bytes, ...]:
    """Return one request for the front page of each of the sites that `fazt.bench.seed` makes."""
    return tuple(request_bytes(f"{seeded_name(number)}.{domain}", "/") for number in range(sites))


def seeded_name(number: int) -> str:
    """Return the name of a seeded site."""
    return f"seeded-{number:05}"
