"""Conditions and ranges: If-Match and its family, If-Range, Range (RFC 9110 13 and 14).

Rule: pure functions of field values and validators; what is malformed is treated as the section named says.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

MAX_RANGES = 16
LONGEST_DATE = 40  # longer ones would only fill the memory of dates that were read
_LARGEST = 1 << 62
_TAG = re.compile(rb'((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*')
_RANGE = re.compile(rb"[ \t]*(\d*)[ \t]*-[ \t]*(\d*)[ \t]*")


def parse_date(value: bytes) -> datetime | None:
    """Return an HTTP date in any of its three forms, or None (RFC 9110 5.6.7)."""
    return _read_date(value) if len(value) <= LONGEST_DATE else None


@lru_cache(maxsize=1024)
def _read_date(value: bytes) -> datetime | None:
    try:
        text = value.decode("ascii")
        if "-" in text and "," in text:  # RFC 850: the library reads its two-digit year as the last hundred years
            moment = datetime.strptime(text.partition(", ")[2], "%d-%b-%y %H:%M:%S GMT")
        elif not text.endswith("GMT"):
            moment = datetime.strptime(text, "%a %b %d %H:%M:%S %Y")
        else:
            moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, UnicodeDecodeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def parse_tags(value: bytes) -> list[bytes] | None:
    """Return the entity tags of a list, `[b"*"]` for the asterisk, None where it is malformed (RFC 9110 13.1.1)."""
    if value.strip() == b"*":
        return [b"*"]
    tags, at = [], 0
    while at < len(value):
        if value[at] in b", \t":  # also between two commas: empty elements are to be ignored (RFC 9110 5.6.1)
            at += 1
            continue
        match = _TAG.match(value, at)
        if not match:
            return None
        tags.append(match[1])
        at = match.end()
        if at < len(value) and value[at : at + 1] != b",":
            return None
    return tags or None


def _strong(tags: list[bytes], etag: bytes) -> bool:
    return tags == [b"*"] or (not etag.startswith(b"W/") and etag in tags)


def _weak(tags: list[bytes], etag: bytes) -> bool:
    return tags == [b"*"] or etag.removeprefix(b"W/") in [tag.removeprefix(b"W/") for tag in tags]


def evaluate(headers: Mapping[bytes, bytes], etag: bytes, last_modified: bytes) -> int:
    """Return 200, 304 or 412 for a GET or HEAD of a representation with these validators (RFC 9110 13.2.2)."""
    modified = parse_date(last_modified) if last_modified else None
    if (value := headers.get(b"if-match")) is not None:
        tags = parse_tags(value)
        if tags is None or not _strong(tags, etag):
            return 412
    elif (value := headers.get(b"if-unmodified-since")) is not None:
        since = parse_date(value)
        if since is not None and modified is not None and modified > since:
            return 412
    if (value := headers.get(b"if-none-match")) is not None:
        tags = parse_tags(value)
        return 304 if tags is not None and _weak(tags, etag) else 200
    if (value := headers.get(b"if-modified-since")) is not None:
        since = parse_date(value)
        if since is not None and modified is not None and modified <= since:
            return 304
    return 200


def range_applies(if_range: bytes | None, etag: bytes, last_modified: bytes) -> bool:
    """Tell whether If-Range lets the Range count: only on an exact, strong match (RFC 9110 13.1.5)."""
    if if_range is None:
        return True
    if if_range.startswith((b'"', b"W/")):
        return if_range == etag and not etag.startswith(b"W/")
    return bool(last_modified) and if_range == last_modified


def parse_ranges(value: bytes, length: int) -> list[tuple[int, int]] | None:
    """Return the satisfiable ranges as (offset, length) in the order asked for (RFC 9110 14.2).

    None: the field is to be ignored (another unit, a broken grammar, too many ranges, more bytes than there are, an
    empty representation). `[]`: nothing of it can be satisfied, or a range runs backwards: 416.
    """
    unit, separator, specifiers = value.partition(b"=")
    if not separator or unit.strip().lower() != b"bytes":
        return None
    items = [item for item in specifiers.split(b",") if item.strip(b" \t")]
    if not items or len(items) > MAX_RANGES:
        return None
    ranges: list[tuple[int, int]] = []
    for item in items:
        match = _RANGE.fullmatch(item)
        if not match or (not match[1] and not match[2]):
            return None
        if not match[1]:
            offset, stop = max(0, length - _number(match[2])), length
        else:
            offset = _number(match[1])
            stop = min(length, _number(match[2]) + 1) if match[2] else length
        if length == 0 and offset == 0:
            return None
        if offset < stop:
            ranges.append((offset, stop - offset))
    if sum(size for _, size in ranges) > length:
        return None
    return ranges


def _number(digits: bytes) -> int:
    """Read digits; beyond what a file can have one large number is as good as another."""
    return int(digits) if len(digits) < 19 else _LARGEST
