"""A server that runs out of descriptors: it must not burn the processor, and must serve again afterwards."""

import asyncio
import resource
import socket
import time
from typing import Any

import uvloop

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge

CLIENTS = 15
LEFT = 5  # descriptors for the server's side of them
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


async def resolve(host: str, path: bytes, query: bytes) -> None:
    return None


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def ask(port: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, REQUEST)
        answer = await loop.sock_recv(client, 1000)
        print("served" if answer.startswith(b"HTTP/1.1 200 OK") else "not served", flush=True)


async def main() -> None:
    loop = asyncio.get_running_loop()
    edge = Edge(resolve, app, pages=Pages(1 << 20), clock=Clock(), ring=AccessRing(), limits=Limits())
    await edge.listen_tcp("127.0.0.1", 0)
    await ask(edge.port)
    clients = [socket.socket() for _ in range(CLIENTS)]
    limit = clients[-1].fileno() + 1 + LEFT
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    for client in clients:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", edge.port))
    before = time.process_time()
    await asyncio.sleep(0.5)
    assert 0 < edge.connections < CLIENTS
    assert time.process_time() - before < 0.25, "the loop spins"
    for client in clients:
        client.close()
    while edge.connections:
        await asyncio.sleep(0.01)
    await ask(edge.port)
    await edge.stop(1)


uvloop.run(main())
