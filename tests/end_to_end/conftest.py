"""Servers for the end-to-end tests; each stops with its test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import FaztServer, free_port


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., FaztServer]]:
    """Return a function that starts `fazt serve` on a database under tmp_path."""
    started: list[FaztServer] = []

    def start(database: Path | None = None, *, flags: list[str] | None = None, **environment: str) -> FaztServer:
        server = FaztServer(database or tmp_path / "data.db", free_port(), environment, flags or [])
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


@pytest.fixture(params=["lane", "no lane"])
def server(request: pytest.FixtureRequest, start_server: Callable[..., FaztServer]) -> FaztServer:
    """A fresh server, once with the fast lane and once without: what a visitor sees must be the same."""
    return start_server(**({} if request.param == "lane" else {"FAZT_NO_LANE": "1"}))
