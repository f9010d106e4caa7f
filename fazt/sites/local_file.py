"""A file of a site-to-be on this computer: its path in the site, its hash, and how to read it.

Owns the values that `folder` and `archive` have in common. Rule: a path here has passed `check_path`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file; `hash` is the SHA-256 of the content as it was when it was read."""

    path: str
    size: int
    hash: bytes
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a folder or an archive may hold; `max_ratio` is unpacked to packed bytes, beyond the first MiB."""

    max_files: int = 100_000
    max_file_bytes: int = 2 * GIB
    max_total_bytes: int = 10 * GIB
    max_ratio: int = 200
