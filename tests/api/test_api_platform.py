"""What every host has, and which application answers what."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from api_calls import make_scope

from fazt.api.dashboard import dashboard
from fazt.api.platform import platform
from fazt.api.routing import Application, at_first_request, by_door, by_host, by_path
from fazt.store.database import Database


def call(
    app: Application, target: str, *, method: str = "GET", host: str = "blog.localhost", uid: int | None = None
) -> Any:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing reads a body here")

    scope = make_scope(method, target, [], uid)
    scope["extensions"]["fazt"]["host"] = host
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def named(name: str) -> Application:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})

    return app


@pytest.mark.parametrize(
    ("host", "target", "uid", "answers"),
    [
        ("blog.localhost", "/", None, b"site"),
        ("blog.localhost", "/api/sites", None, b"site"),
        ("dashboard.localhost", "/api/sites", None, b"api"),
        ("dashboard.localhost", "/%61pi/sites", None, b"api"),
        ("dashboard.localhost", "/API/sites", None, b"dashboard"),
        ("dashboard.localhost", "/api", None, b"dashboard"),
        ("dashboard.localhost", "/", None, b"dashboard"),
        ("xdashboard.localhost", "/api/sites", None, b"site"),
        ("dashboard.localhost.evil", "/api/sites", None, b"site"),
        ("blog.localhost", "/api/sites", 0, b"api"),
        ("local.fazt", "/", 1000, b"api"),
    ],
)
def test_an_application_is_chosen_by_door_host_and_path(
    host: str, target: str, uid: int | None, answers: bytes
) -> None:
    dashboard = by_path([("/api/", named("api"))], otherwise=named("dashboard"))
    network = by_host({"dashboard.localhost": dashboard}, otherwise=named("site"))
    app = by_door(socket=named("api"), network=network)
    assert call(app, target, host=host, uid=uid)[2] == answers


def test_an_application_is_built_once_on_a_thread() -> None:
    built: list[int] = []

    def build() -> Application:
        built.append(threading.get_ident())
        return named("late")

    async def main() -> None:
        async def send(message: Any) -> None:
            pass

        app: Any = at_first_request(build)
        assert built == []
        await asyncio.gather(*(app(make_scope("GET", "/", [], None), None, send) for _ in range(5)))

    asyncio.run(main())
    assert len(built) == 1
    assert built[0] != threading.get_ident()


def test_a_build_that_failed_is_tried_again() -> None:
    tries: list[int] = []

    def build() -> Application:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no descriptors left")
        return named("late")

    async def main() -> None:
        async def send(message: Any) -> None:
            pass

        app: Any = at_first_request(build)
        with pytest.raises(OSError, match="descriptors"):
            await app(make_scope("GET", "/", [], None), None, send)
        await app(make_scope("GET", "/", [], None), None, send)

    asyncio.run(main())
    assert len(tries) == 2


def test_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(tmp_path / "data.db")
    app = platform(database)
    status, headers, body = call(app, "/_fazt/health")
    assert (status, body, headers[b"cache-control"]) == (200, b"ok\n", b"no-store")
    assert call(app, "/_fazt/health", method="HEAD")[0] == 200
    status, headers, _ = call(app, "/_fazt/health", method="POST")
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")
    monkeypatch.setattr("fazt.api.platform.FLOOR_BYTES", 1 << 62)
    assert call(app, "/_fazt/health")[:1] == (503,)
    monkeypatch.undo()
    database.close()
    assert call(app, "/_fazt/health")[:1] == (503,)


@pytest.mark.parametrize("target", ["/api/x", "/db/x", "/_fazt/", "/_fazt/healthy", "/_fazt/health/", "/"])
def test_everything_else_is_a_404_in_json(tmp_path: Path, target: str) -> None:
    database = Database.open(tmp_path / "data.db")
    for app in (platform(database), *([dashboard()] if target != "/" else [])):
        status, headers, body = call(app, target)
        assert (status, headers[b"content-type"]) == (404, b"application/json")
        assert b'"code":"not_found"' in body
        assert headers[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
    database.close()


def test_websockets_are_refused(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "data.db")
    for app in (platform(database), dashboard()):
        sent: list[str] = []

        async def send(message: Any, sent: list[str] = sent) -> None:
            sent.append(message["type"])

        asyncio.run(app(make_scope("GET", "/", [], None) | {"type": "websocket"}, None, send))  # type: ignore[arg-type]
        assert sent == ["websocket.close"]
    database.close()
