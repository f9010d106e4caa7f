"""A command run in this process, and stands-in for the server behind it."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import pytest

from fazt.cli import client, main
from fazt.cli.transports import Reply

Answer = tuple[int, Any]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    body: Any


class FakeTransport:
    """Answers what a test told it to, and remembers what it was asked."""

    where = "the fake server"
    lanes = 2
    alone = False
    live = True

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Answer | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self.closed = 0

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None = None
    ) -> Reply:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        is_json = headers.get("Content-Type") == "application/json"
        asked = Asked(method, unquote(parts.path), query, orjson.loads(body) if is_json else body)
        self.asked.append(asked)
        answer = self.answers[method, asked.path]
        status, value = answer(asked) if callable(answer) else answer
        data = value if isinstance(value, bytes) else orjson.dumps(value) if value is not None else b""
        return Reply(status, iter([data[:5], data[5:]]))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the tests away from this user's own files and settings."""
    for name in ("FAZT_DB", "FAZT_REMOTE", "FAZT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeTransport:
    """The server of this machine, whatever the database."""
    transport = FakeTransport()
    monkeypatch.setattr(client, "_local", lambda db, create: transport)
    return transport


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ran]]:
    """Run a command line; its standard input is `stdin`."""

    def call(*arguments: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        code = main.run(arguments)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return call
