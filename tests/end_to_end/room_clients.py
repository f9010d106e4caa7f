"""Many members of a room in one process of their own: `room_clients.py PORT ROOM COUNT`.

Prints `ready` when all are in; then, for each line on stdin, how many messages came to all of them so far, and to the
one that got fewest. Ends with its stdin. It does as little as it can, so that the server is what is measured.
"""

import asyncio
import sys
from typing import cast

import uvloop

AT_ONCE = 100
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
HEAD = (
    "GET /_fazt/room/{room} HTTP/1.1\r\nHost: chat.localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Origin: http://chat.localhost:{port}\r\nSec-WebSocket-Version: 13\r\n"
    "Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)


class Member(asyncio.Protocol):
    def __init__(self, head: bytes) -> None:
        self.head = head
        self.welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.messages = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.head)

    def data_received(self, data: bytes) -> None:
        self.messages += data.count(b'"type":"message"')
        if data.endswith(PING):
            self.transport.write(PONG)
        elif not self.welcome.done() and b'"type":"welcome"' in data:
            self.welcome.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.welcome.done():
            self.welcome.set_exception(error or ConnectionResetError())


async def main(port: int, room: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    head = HEAD.format(port=port, room=room).encode()
    members: list[Member] = []
    while len(members) < count:
        wave = [
            loop.create_connection(lambda: Member(head), "127.0.0.1", port)
            for _ in range(min(AT_ONCE, count - len(members)))
        ]
        opened = [protocol for _, protocol in await asyncio.gather(*wave)]
        await asyncio.gather(*(member.welcome for member in opened))
        members += opened
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(sum(member.messages for member in members), min(member.messages for member in members), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
