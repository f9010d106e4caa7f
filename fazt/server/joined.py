"""What the processes of one server share, where it has workers: a word that tells of changes, and who is told what.

The keeper makes it and hands it to the core, which alone writes, and to the workers, which answer with pages. Rule: the
core raises the word after a change is on disk and before the write is answered; so no worker gives out a stale page.
"""

import asyncio
import mmap
import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from fazt.store.changes import Change

VARIABLE = "FAZT_JOINED"  # how a process learns that it is one of several
FLAGS_VARIABLE = "FAZT_JOINED_FLAGS"  # settings of the command line, as JSON
AGAIN = 75  # the exit code of a core of which somebody asked for a new start


@dataclass(frozen=True, slots=True)
class Joined:
    """What a process of several is given; `sockets` are descriptors of listening sockets, for a worker."""

    role: str  # "core" or "worker"
    number: int
    workers: int
    word: int  # the descriptor of the word's memory
    relay: str  # the Unix socket of the core for workers
    alive: int  # the descriptor of a pipe that ends with the keeper
    http: Sequence[int] = ()
    https: Sequence[int] = ()
    ready: int = -1  # the core writes a byte to it once it answers

    def environment(self) -> Mapping[str, str]:
        """Return the variable that tells it to a process."""
        return {VARIABLE: orjson.dumps(asdict(self)).decode()}

    def end_with_keeper(self, stopping: asyncio.Event) -> None:
        """Stop when the keeper is gone, however it ended: nobody would start this process again."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(self.alive)
            stopping.set()

        loop.add_reader(self.alive, end)

    def tell_ready(self) -> None:
        """Tell the keeper that the core answers."""
        if self.ready >= 0:
            os.write(self.ready, b"1")
            os.close(self.ready)

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that go along."""
        return [each for each in (self.word, self.alive, self.ready, *self.http, *self.https) if each >= 0]


def take_joined(environment: MutableMapping[str, str] | None = None) -> Joined | None:
    """Return what this process was given, None where it is the only one; its own children are told nothing of it."""
    text = (os.environ if environment is None else environment).pop(VARIABLE, "")
    if not text:
        return None
    joined = Joined(**orjson.loads(text))
    for descriptor in joined.descriptors:
        os.set_inheritable(descriptor, False)
    return joined


def take_flags(environment: MutableMapping[str, str] | None = None) -> dict[str, object]:
    """Return the settings of the command line that the server was started with."""
    text = (os.environ if environment is None else environment).pop(FLAGS_VARIABLE, "{}")
    found: dict[str, object] = orjson.loads(text)
    return found


def make_word() -> int:
    """Return the descriptor of a memory for the word, shared by whoever has it."""
    descriptor = os.memfd_create("fazt-word", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, mmap.PAGESIZE)
    return descriptor


def map_word(descriptor: int) -> mmap.mmap:
    """Return the memory of the word."""
    return mmap.mmap(descriptor, mmap.PAGESIZE)


class Word:
    """The word, as its one writer has it."""

    def __init__(self, descriptor: int) -> None:
        self._memory = map_word(descriptor)
        self._view = memoryview(self._memory).cast("Q")
        self.raise_it(())  # what was committed by a core before this one may not have been told

    def raise_it(self, changes: Sequence[Change]) -> None:
        """Tell that something has changed; called on the writing thread after COMMIT, before the write is answered."""
        self._view[0] += 1


def relay_path(database: Path) -> Path:
    """Return the Unix socket of the core for its workers."""
    from fazt.settings import socket_path

    return socket_path(database.with_name(f"{database.name}.core"))
