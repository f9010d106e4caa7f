"""`fazt.files`: what a function may do with the files of its own site.

Reading sees the version that the call's code is of. Writing makes a new version and lets it go live, through the same
door as a deploy. Rule: a function cannot change code: neither functions, nor what they import, nor the site's rules.
"""

import hashlib
from typing import Any

import apsw

from fazt.data.caller import Caller, Operation
from fazt.errors import Conflict, Forbidden, InvalidInput, NotFound, SiteNotFound, VersionNotFound
from fazt.functions.program import Program
from fazt.functions.streams import Streams
from fazt.sites import deploy
from fazt.sites.deploy import Deploy, WantedFile
from fazt.sites.names import check_path, is_private
from fazt.store import blobs, programs, sites, versions
from fazt.store.database import Database

INLINE_BYTES = 256 << 10
MOST_BYTES = 1 << 20  # of one write: what fits into one question
MOST_ITEMS = 1000
SOURCE = "function"
KEPT_VERSIONS = 50  # of those that functions made: nobody deployed them, and there may be many
NO_LIMIT = -1


def file_operations(database: Database, streams: Streams) -> dict[str, Operation]:
    """Return the operations by name."""

    async def read(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        found = await database.read(_find, caller, _path(value))
        if found is None:
            return {"found": False}, b""
        blob, size = found
        if size <= INLINE_BYTES:
            return {"found": True, "stream": None}, await database.read(blobs.read_all, blob)
        left = iter(range(-(-size // blobs.CHUNK_BYTES)))

        async def next_chunk() -> bytes:
            n = next(left, None)
            return b"" if n is None else await database.read(blobs.read_chunk, blob, n)

        return {"found": True, "stream": streams.add_readable(caller, next_chunk, lambda: None)}, b""

    async def list_(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        prefix, cursor, limit = _page(value)
        return await database.read(_list, caller, prefix, cursor, limit), b""

    async def write(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        path = _writable(value)
        if len(data) > MOST_BYTES:
            raise InvalidInput(f"A function writes files of at most {MOST_BYTES >> 20} MB.")
        return {"version": await database.write(_change, caller, path, bytes(data))}, b""

    async def delete(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        return {"version": await database.write(_change, caller, _writable(value), None)}, b""

    return {"files.read": read, "files.list": list_, "files.write": write, "files.delete": delete}


def _path(value: Any) -> str:
    path = value.get("path") if isinstance(value, dict) else None
    if not isinstance(path, str):
        raise InvalidInput("A file's path is text, such as notes/today.html.")
    return check_path(path.removeprefix("/"))


def _writable(value: Any) -> str:
    path = _path(value)
    if is_private(path):
        raise Forbidden(f"A function cannot change {path}: it is code, or rules of the site.")
    return path


def _page(value: Any) -> tuple[str, str | None, int]:
    match value:
        case {"prefix": str(prefix), "cursor": None | str() as cursor, "limit": None | int() as limit}:
            if limit is None or (type(limit) is int and 0 < limit <= MOST_ITEMS):
                return prefix.removeprefix("/"), cursor, limit or MOST_ITEMS
    raise InvalidInput(f"files.list takes a prefix, a cursor and a limit up to {MOST_ITEMS}.")


def _version(connection: apsw.Connection, caller: Caller) -> int:
    """Return the number of the caller's version; one that was deleted meanwhile may be another site's by now.

    Raises: VersionNotFound.
    """
    version = versions.by_number(connection, caller.version)
    if version.site_id != caller.site_id:
        raise VersionNotFound("The version of this function is not there any more.")
    return version.number


def _find(connection: apsw.Connection, caller: Caller, path: str) -> tuple[int, int] | None:
    version = _version(connection, caller)
    file = versions.find_files(connection, version, [path]).get(path)
    return None if file is None else (file.blob_id, file.size)


def _list(connection: apsw.Connection, caller: Caller, prefix: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the paths that begin with `prefix`; they stand in order, so that it is one range."""
    version = _version(connection, caller)
    after = cursor if cursor is not None and cursor >= prefix else _just_before(prefix)
    found: list[dict[str, Any]] = []
    while True:
        files = versions.files(connection, version, after, limit)
        for file in files:
            if file.path.startswith(prefix):
                if len(found) == limit:
                    return {"items": found, "cursor": found[-1]["path"]}
                found.append({"path": file.path, "size": file.size, "hash": file.hash.hex()})
            elif file.path > prefix:
                return {"items": found, "cursor": None}
        if len(files) < limit:
            return {"items": found, "cursor": None}
        after = files[-1].path


def _just_before(prefix: str) -> str | None:
    """Return a text before everything that begins with `prefix`, and behind nearly all that comes before that."""
    if not prefix:
        return None
    last = ord(prefix[-1]) - 1
    if last < 0:
        return prefix[:-1]
    return prefix[:-1] + chr(0xD7FF if 0xD800 <= last < 0xE000 else last) + "\U0010ffff"


def _change(connection: apsw.Connection, caller: Caller, path: str, data: bytes | None) -> str:
    """Make a version in which one file is another one, or is not there; return its id."""
    site = sites.find(connection, caller.site)
    if site is None or site.id != caller.site_id:
        raise SiteNotFound("This site was renamed or removed while the function ran.")
    if site.live_version is None:
        raise Conflict("This site has no live version.")
    program = programs.find(connection, site.live_version)
    compiled = Program.from_bytes(program) if program else None
    if compiled is not None and path in compiled.modules:
        raise Forbidden(f"A function cannot change {path}: functions import it.")
    present = versions.files(connection, site.live_version, None, NO_LIMIT)
    files = {file.path: (file.hash, file.size) for file in present}
    if data is not None:
        blobs.put(connection, data)
        files[path] = hashlib.sha256(data).digest(), len(data)
    elif files.pop(path, None) is None:
        raise NotFound(f"There is no file {path}.")
    wanted = tuple(WantedFile(name, hash, size) for name, (hash, size) in files.items())
    message = f"{'wrote' if data is not None else 'deleted'} {path}"
    done = deploy.commit(connection, Deploy(site.name, wanted, message, SOURCE, live=True, create=False))
    if not done.unchanged:
        programs.put(connection, done.version.number, program or b"")
        versions.prune(connection, site.id, KEPT_VERSIONS, SOURCE)
    return done.version.id
