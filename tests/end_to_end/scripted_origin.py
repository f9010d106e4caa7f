"""An HTTP server on loopback whose answers a test writes itself, byte by byte: what `fetch` is tried against."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class Visit:
    """One request as it came, and the connection that it came on."""

    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    async def read_body(self) -> bytes:
        if self.header("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                self.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        else:
            self.body = await self.reader.readexactly(int(self.header("content-length") or 0))
        return self.body


Handler = Callable[[Visit], Awaitable[bytes | None]]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Handler:
    """Return a handler that reads the request's body and gives this answer."""

    async def handle(visit: Visit) -> bytes:
        await visit.read_body()
        return message(body, status, **headers)

    return handle


def message(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{''.join(lines)}\r\n".encode("latin-1") + body


@dataclass
class Origin:
    """The server; `routes` are by path, without the query. A handler that returns None has answered by itself."""

    routes: dict[str, Handler] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    receive_buffer: int | None = None
    seen: list[Visit] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def __aenter__(self) -> "Origin":
        opened = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        if self.receive_buffer is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        opened.bind((self.host, 0))
        self._server = await asyncio.start_server(self._serve, sock=opened, ssl=self.tls)
        self.port = opened.getsockname()[1] if opened.fileno() >= 0 else self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str = "/", host: str = "origin.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(self.connections, reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _converse(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:-2])]
            visit = Visit(number, method, target, headers, reader, writer)
            self.seen.append(visit)
            handler = self.routes.get(target.partition("?")[0], answer(b"no such route", "404 Not Found"))
            if (reply := await handler(visit)) is None:
                return
            writer.write(reply)
            await writer.drain()
