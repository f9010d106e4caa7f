"""Compiling a version's functions, in a process that is as confined as one that runs them.

The sources of a site are hostile input to a compiler as they are to V8. Rule: what cannot be compiled within its limits
is the deploy's failure; the server never parses a site's code itself.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import apsw

from fazt.errors import EngineFailed, InvalidFunction
from fazt.functions.compile import CompiledModule, SourceFault, compile_program, read_answer
from fazt.functions.engine import Bounds, Engine, Process
from fazt.functions.frames import Frame, Kind, encode
from fazt.functions.program import EMPTY, Program
from fazt.functions.routes import is_handler
from fazt.functions.runner import PIECE_BYTES
from fazt.store import blobs, programs, versions
from fazt.store.database import Database

SCRIPT = "compiler"
BOUNDS = Bounds(memory_bytes=512 << 20, cpu_s=20.0)
MODULE_TIMEOUT_S = 30.0
AT_ONCE = 2  # versions that are compiled at a time
NO_LIMIT = -1


class Workshop:
    """Compiles versions."""

    def __init__(self, engine: Engine, database: Database) -> None:
        self._engine = engine
        self._database = database
        self._places = asyncio.Semaphore(AT_ONCE)

    async def compile(self, hashes: Mapping[str, bytes], extra: Sequence[str] = ()) -> Program:
        """Compile the functions of files that the store holds, given as path and hash.

        `extra`: further modules that are run. Raises: InvalidFunction, EngineFailed.
        """
        if not extra and not any(is_handler(path) for path in hashes):
            return EMPTY
        async with self._places:
            process = await self._engine.start(SCRIPT, BOUNDS)
            bench = _Bench(process)
            try:
                loop = asyncio.get_running_loop()

                def compile_module(path: str, source: str) -> CompiledModule | SourceFault:
                    return asyncio.run_coroutine_threadsafe(bench.compile(path, source), loop).result()

                read = self._reader(hashes)
                return await asyncio.to_thread(compile_program, hashes.keys(), read, compile_module, extra)
            finally:
                process.kill()

    async def compile_version(self, number: int, extra: Sequence[str] = ()) -> Program:
        """Compile the functions of a version that has been deployed, and keep them.

        Raises: InvalidFunction, EngineFailed.
        """
        hashes = await self._database.read(_hashes, number)
        program = await self.compile(hashes, [path for path in extra if path in hashes])
        await self._database.write(programs.put, number, program.to_bytes())
        return program

    def _reader(self, hashes: Mapping[str, bytes]) -> Callable[[str], bytes]:
        def read(path: str) -> bytes:
            return self._database.read_blocking(_content, hashes[path])

        return read


def _hashes(connection: apsw.Connection, number: int) -> dict[str, bytes]:
    return {file.path: file.hash for file in versions.files(connection, number, None, NO_LIMIT)}


def _content(connection: apsw.Connection, hash: bytes) -> bytes:
    blob = blobs.find(connection, hash)
    if blob is None:
        raise InvalidFunction("A file of the functions is not in the store any more; deploy again.")
    return blobs.read_all(connection, blob.id)


class _Bench:
    """One process that compiles one module after the other."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._number = 0
        self._pieces: list[bytes] = []
        self._done: asyncio.Future[str] | None = None
        self._gone = False
        process.on_frames = self._take
        process.on_lost = self._lost

    async def compile(self, path: str, source: str) -> CompiledModule | SourceFault:
        """Compile one module. Raises: EngineFailed."""
        if self._gone:
            raise EngineFailed("The compiler ended.")
        self._number += 1
        self._pieces = []
        self._done = asyncio.get_running_loop().create_future()
        data = source.encode()
        for at in range(0, len(data), PIECE_BYTES):
            self._process.send(encode(Kind.PROGRAM, 0, 0, {}, data[at : at + PIECE_BYTES]))
        self._process.send(encode(Kind.START, self._number, 0, {"path": path}))
        try:
            async with asyncio.timeout(MODULE_TIMEOUT_S):
                return read_answer(await self._done)
        except TimeoutError:
            self._process.kill()
            return SourceFault("this takes too long to compile")
        except _TooMuch as error:
            return SourceFault(str(error))

    def _take(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if frame.kind == Kind.RESULT:
                self._pieces.append(frame.data)
            elif frame.kind == Kind.DONE and self._done is not None and not self._done.done():
                self._done.set_result(b"".join(self._pieces).decode("ascii", "replace"))

    def _lost(self, reason: str, call: int) -> None:
        self._gone = True
        if self._done is None or self._done.done():
            return
        if reason in ("cpu", "memory"):
            what = "time" if reason == "cpu" else "memory"
            self._done.set_exception(_TooMuch(f"this takes too much {what} to compile"))
        else:
            self._done.set_exception(EngineFailed(f"The compiler ended ({reason})."))


class _TooMuch(Exception):
    """A module is beyond what compiling may take."""
