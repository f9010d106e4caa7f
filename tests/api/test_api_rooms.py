"""The WebSocket of a room as ASGI: who is let in, what a member may say, and the site's own function."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fazt.api.rooms import RELAY, RoomEvent, RoomSite, is_origin_allowed, rooms_app
from fazt.data.caller import Caller
from fazt.data.room_limits import RoomLimits
from fazt.data.room_operations import rooms_operations
from fazt.data.rooms import Rooms
from fazt.errors import FaztError, InvalidInput, NotFound, TooLarge
from fazt.sites.room_rules import RoomRules, read_rooms

HOST = "blog.localhost"
ORIGIN = f"http://{HOST}:4698"


def read_frame(frame: bytes) -> list[dict[str, Any]]:
    found = []
    while frame:
        length, at = frame[1], 2
        if length >= 126:
            at = {126: 4, 127: 10}[length]
            length = int.from_bytes(frame[2:at], "big")
        found.append(json.loads(frame[at : at + length]))
        frame = frame[at + length :]
    return found


class Tab:
    """A page's WebSocket, called as the edge calls it."""

    def __init__(self, house: "House", path: str, headers: list[tuple[bytes, bytes]], host: str) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.accepted: dict[str, Any] | None = None
        self.got: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        path, _, query = path.partition("?")
        self.scope: dict[str, Any] = {
            "type": "websocket", "path": path, "query_string": query.encode(), "headers": headers,
            "client": ("192.0.2.1", 5),
            "extensions": {
                "fazt": {"host": host, "site": None, "websocket.post": self.post, "websocket.close": self.hang_up}
            },
        }  # fmt: skip
        self.task = asyncio.create_task(house.app(self.scope, self.inbox.get, self.send))

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = message
        else:
            self.closed = (message.get("code", 403), message.get("reason", ""))

    def post(self, frame: bytes) -> bool:
        self.got += read_frame(frame)
        return True

    def hang_up(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.inbox.put_nowait({"type": "websocket.receive", "text": text, "bytes": None})

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001, "reason": ""})

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.got if message["type"] == kind]

    @property
    def texts(self) -> list[Any]:
        return [message["data"] for message in self.of("message")]


class House:
    """The application, with the rules of one site."""

    def __init__(self, rules: Any = None, handler: Any = None, *modules: str, **limits: Any) -> None:
        limits = {"rate_per_s": 1e9, **limits}
        self.rooms = Rooms(asyncio.get_running_loop().call_soon, RoomLimits(**limits))
        self.site = RoomSite(
            "blog", 7, 3, RoomRules() if rules is None else read_rooms({"rooms": rules}),
            lambda name: name in modules, frozenset({"www.example.org"}),
        )  # fmt: skip
        self.app: Any = rooms_app(self.rooms, self.find, handler)

    async def find(self, host: str) -> RoomSite | None:
        return self.site if host == HOST else None

    async def open(
        self, path: str = "/_fazt/room/chat", origin: str | None = ORIGIN, host: str = HOST, **headers: str
    ) -> Tab:
        fields = [(b"host", f"{host}:4698".encode())]
        fields += [(b"origin", origin.encode())] if origin is not None else []
        fields += [(name.encode(), value.encode()) for name, value in headers.items()]
        tab = Tab(self, path, fields, host)
        await settle()
        return tab


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_two_pages_talk() -> None:
    async def scenario() -> None:
        house = House()
        ada = await house.open("/_fazt/room/chat?name=Ada%20L&data=%7B%22a%22%3A1%7D")
        ben = await house.open()
        assert ada.accepted == {"type": "websocket.accept", "compress": False}
        assert ada.scope["extensions"]["fazt"]["site"] == "blog"
        assert ada.scope["headers"] == []
        (welcome,) = ben.of("welcome")
        assert welcome["members"][0] | {"id": ""} == {"id": "", "name": "Ada L", "data": {"a": 1}}
        ben.say({"type": "send", "data": "hello"})
        ben.say({"type": "ping"})
        ben.say({"type": "presence", "data": 5})
        await settle()
        assert ada.texts == ben.texts == ["hello"]
        assert ben.of("pong") == [{"type": "pong"}]
        assert ada.of("presence")[0]["member"]["data"] == 5
        ben.leave()
        await settle()
        assert ben.task.done()
        assert len(ada.of("leave")) == 1
        ben = await house.open(f"/_fazt/room/chat?since={ada.of('message')[0]['seq'] - 1}")
        assert ben.texts == ["hello"]
        assert (await house.open("/_fazt/room/chat?since=now")).texts == []

    run(scenario)


@pytest.mark.parametrize(
    ("join", "origin", "allowed"),
    [
        ("same-origin", ORIGIN, True),
        ("same-origin", f"https://{HOST}:4698", True),
        ("same-origin", f"http://{HOST.upper()}:4698", True),
        ("same-origin", "https://www.example.org", True),
        ("same-origin", f"http://{HOST}", False),
        ("same-origin", f"https://{HOST}", False),
        ("same-origin", f"http://{HOST}:4699", False),
        ("same-origin", f"ws://{HOST}:4698", False),
        ("same-origin", "http://evil.localhost:4698", False),
        ("same-origin", f"http://{HOST}:4698.evil.example", False),
        ("same-origin", f"http://{HOST}.evil.example:4698", False),
        ("same-origin", f"http://x@{HOST}:4698", False),
        ("same-origin", f"{ORIGIN}/", False),
        ("same-origin", f"{ORIGIN} {ORIGIN}", False),
        ("same-origin", HOST, False),
        ("same-origin", "null", False),
        ("same-origin", "", False),
        ("same-origin", None, False),
        ("function", ORIGIN, True),
        ("function", None, True),
        ("function", "http://evil.example", False),
        ("anyone", "http://evil.example", True),
        ("anyone", "null", True),
        ("anyone", None, True),
    ],
)
def test_origins(join: str, origin: str | None, allowed: bool) -> None:
    async def scenario() -> None:
        async def handler(event: RoomEvent) -> Any:
            return None

        tab = await House({"chat": {"join": join}}, handler, "chat").open(origin=origin)
        assert (tab.accepted is not None) == allowed
        assert tab.closed == (None if allowed else (403, ""))

    run(scenario)


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        (b"blog.localhost", b"http://blog.localhost", True),
        (b"blog.localhost", b"http://blog.localhost:80", True),
        (b"blog.localhost", b"https://blog.localhost", True),
        (b"blog.localhost:443", b"https://blog.localhost", True),
        (b"blog.localhost:443", b"http://blog.localhost", False),
        (b"Blog.Localhost.", b"http://blog.localhost", True),
    ],
)
def test_default_ports(host: bytes, origin: bytes, allowed: bool) -> None:
    scope = {"headers": [(b"host", host), (b"origin", origin)], "extensions": {"fazt": {"host": HOST}}}
    site = RoomSite("blog", 7, 3, RoomRules())
    assert is_origin_allowed(scope, site, site.rules.find("x")) == allowed
    scope["headers"].append((b"origin", origin))  # type: ignore[attr-defined]
    assert not is_origin_allowed(scope, site, site.rules.find("x"))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/_fazt/room/other", 4404),
        ("/_fazt/room/", 4400),
        ("/_fazt/room/a/b", 4400),
        ("/_fazt/room/-", 4400),
        ("/_fazt/room/chat?since=x", 4400),
        ("/_fazt/room/chat?since=-1", 4400),
        ("/_fazt/room/chat?since=" + "9" * 17, 4400),
        ("/_fazt/room/chat?name=" + "x" * 65, 4400),
        ("/_fazt/room/chat?name=%00", 4400),
        ("/_fazt/room/chat?name=%ff", 4400),
        ("/_fazt/room/chat?data={", 4400),
        ("/_fazt/room/chat?data=" + "1" * 1_025, 4400),
        ("/_fazt/room/chat?" + "a=1&" * 30, 4400),
    ],
)
def test_what_is_not_joined(path: str, code: int) -> None:
    async def scenario() -> None:
        house = House({"chat": {}})
        tab = await house.open(path)
        assert tab.closed is not None
        assert tab.closed[0] == code
        assert len(tab.closed[1].encode()) <= 123
        assert tab.got == []
        assert house.rooms.counts() == (0, 0)
        assert tab.task.done()

    run(scenario)


def test_an_unknown_host_and_a_full_room() -> None:
    async def scenario() -> None:
        house = House({"chat": {"members": 1}})
        assert (await house.open(host="nobody.localhost")).closed == (403, "")
        await house.open()
        assert (await house.open()).closed == (4429, "The room has 1 members, as many as it may.")

    run(scenario)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "invalid_input"),
        ("[]", "invalid_input"),
        ({"type": "join"}, "invalid_input"),
        ({"type": "send"}, "invalid_input"),
        ('{"type":"send","data":' + "[" * 900 + "]" * 900 + "}", "invalid_input"),
        ('{"type":"send","data":"\\ud800"}', "invalid_input"),
        ({"type": "send", "data": "x" * 65_535}, "too_large"),
        ({"type": "send", "data": "x" * 900_000}, "too_large"),
        ({"type": "presence", "data": "x" * 1_023}, "too_large"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_messages_are_told_and_the_member_stays(message: Any, code: str) -> None:
    async def scenario() -> None:
        house = House()
        tab, other = await house.open(), await house.open()
        tab.say(message)
        tab.say({"type": "send", "data": "still here"})
        await settle()
        assert [error["code"] for error in tab.of("error")] == [code]
        assert other.texts == ["still here"]

    run(scenario)


def test_bytes_are_refused() -> None:
    async def scenario() -> None:
        tab = await House().open()
        tab.inbox.put_nowait({"type": "websocket.receive", "text": None, "bytes": b"x"})
        await settle()
        assert tab.closed == (1003, "A room takes text, not bytes.")
        assert tab.task.done()

    run(scenario)


def test_a_flood_is_read_more_slowly() -> None:
    async def scenario() -> None:
        house = House(rate_per_s=10, burst=3)
        tab = await house.open()
        for number in range(50):
            tab.say({"type": "send", "data": number})
        await settle()
        assert tab.texts == [0, 1, 2]
        assert tab.inbox.qsize() == 46
        tab.task.cancel()

    run(scenario)


def test_only_the_site_sends() -> None:
    async def scenario() -> None:
        house = House({"news": {"send": "nobody"}})
        tab = await house.open("/_fazt/room/news")
        tab.say({"type": "send", "data": 1})
        await settle()
        assert [error["code"] for error in tab.of("error")] == ["forbidden"]
        house.rooms.publish(7, "news", "extra")
        await settle()
        assert tab.texts == ["extra"]
        assert tab.of("message")[0]["from"] is None

    run(scenario)


class Function:
    """A room's function; what it returns for each event is given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.events: list[RoomEvent] = []

    async def __call__(self, event: RoomEvent) -> Any:
        self.events.append(event)
        answer = self.answers.get(event.kind, RELAY)
        if isinstance(answer, Exception):
            raise answer
        return answer(event) if callable(answer) else answer


def test_a_function_decides_who_joins_and_what_is_sent() -> None:
    async def scenario() -> None:
        function = Function(
            join=lambda event: {"name": "Ada", "data": {"role": "owner"}},
            message=lambda event: {1: {"checked": event.data}, 2: None, 3: False}[event.data],
        )
        house = House({"game-*": {"join": "function", "send": "function", "handler": "game"}}, function, "game")
        tab = await house.open("/_fazt/room/game-1?name=Eve", cookie="session=1")
        for data in (1, 2, 3):
            tab.say({"type": "send", "data": data})
        await settle()
        tab.leave()
        await settle()
        assert tab.texts == [{"checked": 1}]
        assert tab.of("message")[0]["from"]["name"] == "Ada"
        join, *messages, leave = function.events
        assert (join.handler, join.room, join.kind, join.member["name"]) == ("game", "game-1", "join", "Eve")
        assert join.member["headers"]["cookie"] == "session=1"
        assert (join.member["url"], join.member["address"]) == ("/_fazt/room/game-1?name=Eve", "192.0.2.1")
        assert [event.data for event in messages] == [1, 2, 3]
        assert leave.member == {"id": join.member["id"], "name": "Ada", "data": {"role": "owner"}}

    run(scenario)


@pytest.mark.parametrize("answer", [False, NotFound("no")])
def test_a_function_refuses(answer: Any) -> None:
    async def scenario() -> None:
        function = Function(join=answer)
        house = House(None, function, "chat")
        tab = await house.open()
        assert tab.closed == (4403, "The room's function refused.")
        assert tab.got == []
        assert [event.kind for event in function.events] == ["join"]
        assert house.rooms.counts() == (0, 0)

    run(scenario)


def test_a_function_that_only_looks_on() -> None:
    async def scenario() -> None:
        house = House(None, Function(), "chat")
        tab = await house.open()
        tab.say({"type": "send", "data": 1})
        await settle()
        assert tab.texts == [1]
        other = await House({"chat": {"send": "function"}}, Function(), "chat").open()
        other.say({"type": "send", "data": 1})
        await settle()
        assert [error["code"] for error in other.of("error")] == ["forbidden"]

    run(scenario)


def test_nobody_joins_where_the_function_should_decide_and_does_not(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        function = Function()
        tab = await House({"chat": {"join": "function"}}, function, "chat").open()
        assert tab.closed == (4500, "The room's function does not say who may join.")
        assert tab.got == []
        assert [event.kind for event in function.events] == ["join"]
        assert "has no onJoin" in caplog.text

    run(scenario)


def test_a_function_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        function = Function(message=FaztError("at line 5"), leave=FaztError("again"))
        tab = await House(None, function, "chat").open()
        tab.say({"type": "send", "data": 1})
        tab.leave()
        await settle()
        assert [error["code"] for error in tab.of("error")] == ["handler_failed"]
        assert "line 5" not in str(tab.got)
        assert "onLeave failed: again" in caplog.text
        assert tab.task.done()

    run(scenario)


@pytest.mark.parametrize("answer", [{"name": 5}, {"name": "x" * 65}, {"data": "x" * 2_000}])
def test_a_function_whose_answer_cannot_be_used(answer: Any) -> None:
    async def scenario() -> None:
        function = Function(join=answer)
        tab = await House(None, function, "chat").open()
        assert tab.closed is not None
        assert tab.closed[0] in (4400, 4500)
        assert tab.got == []

    run(scenario)


def test_a_function_that_let_somebody_in_is_told_where_the_room_was_full() -> None:
    async def scenario() -> None:
        function = Function()
        house = House({"chat": {"members": 1}}, function, "chat")
        await house.open()
        assert (await house.open()).closed == (4429, "The room has 1 members, as many as it may.")
        assert [event.kind for event in function.events] == ["join", "join", "leave"]

    run(scenario)


@pytest.mark.parametrize("rule", [{"join": "function"}, {"send": "function"}])
def test_a_function_that_is_not_there(rule: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        tab = await House({"chat": rule}, Function(), "other").open()
        assert tab.closed == (4500, "The room has no function.")
        assert "there is no api/_rooms/chat" in caplog.text

    run(scenario)


def test_what_one_member_says_stays_in_order() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        async def handler(event: RoomEvent) -> Any:
            if event.kind == "message" and event.data == 0:
                await go_on.wait()
            return event.data

        house = House(None, handler, "chat")
        slow, quick = await house.open(), await house.open()
        for number in range(3):
            slow.say({"type": "send", "data": number})
        quick.say({"type": "send", "data": "quick"})
        await settle()
        assert quick.texts == ["quick"]
        go_on.set()
        await settle()
        assert quick.texts == ["quick", 0, 1, 2]

    run(scenario)


def test_a_removed_member_says_nothing_more() -> None:
    async def scenario() -> None:
        house = House()
        tab, other = await house.open(), await house.open()
        tab.say({"type": "send", "data": "late"})
        house.rooms.remove(7, "chat", tab.of("welcome")[0]["you"], "enough")
        await settle()
        assert tab.closed == (4410, "enough")
        assert other.texts == []
        assert tab.task.done()

    run(scenario)


@pytest.mark.parametrize(("path", "status"), [("/_fazt/room/chat", 400), ("/_fazt/room/", 404)])
def test_plain_requests(path: str, status: int) -> None:
    async def scenario() -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await House().app({"type": "http", "method": "GET", "path": path}, None, send)
        assert sent[0]["status"] == status

    run(scenario)


# --- what a function may ask ---


def test_operations() -> None:
    async def scenario() -> None:
        house = House()
        operations = rooms_operations(house.rooms)
        caller, stranger = Caller("blog", 7, 3, "c1"), Caller("evil", 8, 1, "c2")
        tab = await house.open("/_fazt/room/chat?name=Ada")
        you = tab.of("welcome")[0]["you"]

        async def ask(name: str, who: Caller = caller, **value: Any) -> Any:
            return (await operations[f"rooms.{name}"](who, {"room": "chat", **value}, b""))[0]

        told = await ask("broadcast", data={"a": 1})
        assert told["members"] == 1
        assert await ask("members") == [{"id": you, "name": "Ada", "data": None}]
        assert [message["data"] for message in await ask("history")] == [{"a": 1}]
        assert await ask("history", since=told["seq"]) == []
        await ask("send", member=you, data="psst")
        await settle()
        assert tab.of("direct") == [{"type": "direct", "data": "psst"}]
        assert await ask("members", stranger) == []
        assert await ask("history", stranger) == []
        for name in ("send", "kick"):
            with pytest.raises(NotFound):
                await ask(name, stranger, member=you)
        await ask("kick", member=you, reason="x")
        assert tab.closed == (4410, "x")
        await settle()

    run(scenario)


BAD_VALUES: list[Any] = [
    None, [], "chat", 5, {}, {"room": None}, {"room": ["chat"]}, {"room": {"a": 1}}, {"room": "a/b"}, {"room": ""},
]  # fmt: skip


@pytest.mark.parametrize("operation", ["broadcast", "members", "history", "send", "kick"])
@pytest.mark.parametrize("value", BAD_VALUES, ids=str)
def test_operations_check_what_they_are_given(operation: str, value: Any) -> None:
    async def scenario() -> None:
        call = rooms_operations(House().rooms)[f"rooms.{operation}"]
        with pytest.raises(InvalidInput):
            await call(Caller("blog", 7, 3, "c1"), value, b"x")

    run(scenario)


@pytest.mark.parametrize(
    ("operation", "value", "problem"),
    [
        ("broadcast", {"data": "x" * 70_000}, TooLarge),
        ("broadcast", {"data": "\ud800"}, InvalidInput),
        ("history", {"since": "1"}, InvalidInput),
        ("history", {"since": True}, InvalidInput),
        ("history", {"since": 1.5}, InvalidInput),
        ("send", {"member": 1}, InvalidInput),
        ("send", {}, InvalidInput),
        ("send", {"member": "x", "data": 1}, NotFound),
        ("kick", {"member": "x", "reason": 1}, InvalidInput),
        ("kick", {"member": "\ud800", "reason": "\ud800"}, NotFound),
    ],
)
def test_operations_refuse(operation: str, value: dict[str, Any], problem: type[FaztError]) -> None:
    async def scenario() -> None:
        call = rooms_operations(House().rooms)[f"rooms.{operation}"]
        with pytest.raises(problem):
            await call(Caller("blog", 7, 3, "c1"), {"room": "chat", **value}, b"")

    run(scenario)


def test_a_function_sends_to_the_rooms_of_its_version_only() -> None:
    async def scenario() -> None:
        async def find(caller: Caller, name: str) -> None:
            return None

        with pytest.raises(InvalidInput, match="no room chat"):
            await rooms_operations(House().rooms, find)["rooms.broadcast"](
                Caller("blog", 7, 3, "c1"), {"room": "chat"}, b""
            )

    run(scenario)
