"""A real HTTP receiver on loopback that answers as a test wants, and keeps what it was sent."""

import asyncio
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Received:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Answers each request with the next of `answers`, the last one for ever; b"" stalls; `huge` sends on and on."""

    answers: list[bytes]
    received: list[Received] = field(default_factory=list)
    huge_sent: int = 0
    server: asyncio.Server | None = None
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> "Receiver":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/topic"

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape")
                line, *fields = head.rstrip("\r\n").split("\r\n")
                headers = dict(part.split(": ", 1) for part in fields)
                body = await reader.readexactly(int(headers.get("Content-Length", "0")))
                self.received.append(Received(line, headers, body))
                self.arrived.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == b"":
                    await asyncio.Event().wait()
                if answer == HUGE:
                    await self._send_huge(writer)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _send_huge(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while self.huge_sent < 1 << 30:
            writer.write(b"x" * 65_536)
            self.huge_sent += 65_536
            await writer.drain()


HUGE = b"huge"


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    more = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


OK = answer("200 OK", b"thanks")
