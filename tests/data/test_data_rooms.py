"""Rooms in memory: who is there, what is kept, what everybody gets, and the bounds."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fazt.data.room import Member
from fazt.data.room_limits import RoomLimits, RoomSettings
from fazt.data.room_messages import encode, read_request, text_frame, text_of
from fazt.data.rooms import Rooms
from fazt.errors import InvalidInput, NotFound, RoomBusy, RoomFull, TooLarge

SITE = 7


def read_frames(data: bytes) -> list[dict[str, Any]]:
    """Return the texts in frames that stand one behind the other, as a browser reads them."""
    found = []
    while data:
        assert data[0] == 0x81
        length, at = data[1], 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        found.append(json.loads(data[at : at + length]))
        data = data[at + length :]
    return found


class Client:
    """What a member's connection took."""

    def __init__(self) -> None:
        self.posted: list[bytes] = []
        self.full = False
        self.broken = False
        self.closed: list[tuple[int, str]] = []

    def post(self, frame: bytes) -> bool:
        if self.broken:
            raise OSError("broken")
        if not self.full:
            self.posted.append(frame)
        return not self.full

    def hang_up(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    def all(self) -> list[dict[str, Any]]:
        return read_frames(b"".join(self.posted))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.all() if message["type"] == kind]

    @property
    def texts(self) -> list[Any]:
        return [message["data"] for message in self.of("message")]


class World:
    """Rooms with a clock and turns that the test takes."""

    def __init__(self, **limits: Any) -> None:
        self.now = 1_000.0
        self.turns: deque[Callable[[], None]] = deque()
        self.rooms = self.restarted(**limits)

    def restarted(self, **limits: Any) -> Rooms:
        self.rooms = Rooms(
            self.turns.append, RoomLimits(**limits), wall_s=lambda: self.now, monotonic_s=lambda: self.now
        )
        return self.rooms

    def join(self, name: str = "chat", **options: Any) -> tuple[Member, Client]:
        client = Client()
        site = options.pop("site", SITE)
        return self.rooms.join(site, name, post=client.post, hang_up=client.hang_up, **options), client

    def settle(self) -> int:
        turns = 0
        while self.turns:
            self.turns.popleft()()
            turns += 1
        return turns


def test_a_conversation() -> None:
    world = World()
    ada, at_ada = world.join(member_name="Ada", data={"colour": "red"})
    ben, at_ben = world.join(member_name="Ben")
    seq = world.rooms.send(ada, "hello")
    world.rooms.describe(ben, "typing")
    world.settle()
    (welcome,) = at_ben.of("welcome")
    assert (welcome["room"], welcome["you"], welcome["missed"], welcome["count"]) == ("chat", ben.id, False, 2)
    assert welcome["members"] == [
        {"id": ada.id, "name": "Ada", "data": {"colour": "red"}},
        {"id": ben.id, "name": "Ben", "data": None},
    ]
    assert [member["member"]["id"] for member in at_ada.of("join")] == [ben.id]
    assert at_ben.of("join") == []
    message = {"type": "message", "seq": seq, "from": {"id": ada.id, "name": "Ada"}, "data": "hello", "at": 1_000_000}
    assert at_ada.of("message") == at_ben.of("message") == [message]
    assert at_ada.of("presence")[0]["member"] == {"id": ben.id, "name": "Ben", "data": "typing"}
    world.rooms.leave(ben)
    world.rooms.leave(ben)
    world.settle()
    assert [message["member"]["id"] for message in at_ada.of("leave")] == [ben.id]
    assert world.rooms.members(SITE, "chat") == [{"id": ada.id, "name": "Ada", "data": {"colour": "red"}}]
    with pytest.raises(NotFound):
        world.rooms.send(ben, "ghost")


def test_every_member_gets_the_same_bytes() -> None:
    world = World()
    clients = [world.join(settings=RoomSettings(presence=False))[1] for _ in range(3)]
    world.rooms.publish(SITE, "chat", "x")
    world.settle()
    assert clients[0].posted[-1] is clients[1].posted[-1] is clients[2].posted[-1]


def test_sites_do_not_meet() -> None:
    world = World()
    mine, at_mine = world.join()
    _, at_other = world.join(site=8)
    world.rooms.publish(SITE, "chat", "x")
    world.settle()
    assert (at_mine.texts, at_other.texts) == (["x"], [])
    assert world.rooms.history(8, "chat") == []
    with pytest.raises(NotFound):
        world.rooms.send_to(8, "chat", mine.id, "x")
    with pytest.raises(NotFound):
        world.rooms.remove(8, "chat", mine.id)


def test_resuming() -> None:
    world = World()
    member, client = world.join(settings=RoomSettings(history=3))
    for number in range(5):
        world.rooms.send(member, number)
    world.settle()
    first, *_, last = [message["seq"] for message in client.of("message")]
    assert last == first + 4

    def resumed(since: int | None, **options: Any) -> tuple[bool, list[Any]]:
        _, again = world.join(settings=RoomSettings(history=3), since=since, **options)
        return again.of("welcome")[0]["missed"], again.texts

    assert resumed(None) == (False, [2, 3, 4])
    assert resumed(None, wants_history=False) == (False, [])
    assert resumed(last) == (False, [])
    assert resumed(last - 1) == (False, [4])
    assert resumed(first + 1) == (False, [2, 3, 4])
    assert resumed(first) == (True, [2, 3, 4])
    assert resumed(last + 1) == (True, [2, 3, 4])
    assert resumed(0) == (True, [2, 3, 4])


def test_numbers_rise_over_restarts_and_forgotten_rooms() -> None:
    world = World()
    seen: list[int] = []
    for life in range(4):
        for _ in range(3):
            seen.append(world.rooms.publish(SITE, "chat", "x") or 0)
        if life == 2:
            world.now += 0.001
            world.restarted()
        else:
            world.rooms.close_site(SITE)
    assert seen == sorted(set(seen))
    assert seen[0] > 1_000 * 1_000_000
    assert world.join(since=seen[-4])[1].of("welcome")[0]["missed"]


def test_history_outlives_the_last_member_for_a_while() -> None:
    world = World(history_kept_s=60)
    member, _ = world.join()
    world.rooms.send(member, "kept")
    world.rooms.leave(member)
    world.now += 59
    world.rooms.sweep()
    assert world.join()[1].texts == ["kept"]
    assert world.rooms.history(SITE, "chat")[0]["data"] == "kept"
    world.rooms.leave(next(iter(world.rooms.find(SITE, "chat").members.values())))  # type: ignore[union-attr]
    world.now += 61
    world.rooms.sweep()
    assert world.rooms.counts() == (0, 0)
    silent, _ = world.join("quiet")
    world.rooms.leave(silent)
    assert world.rooms.counts() == (0, 0)


def test_history_is_bounded_in_bytes() -> None:
    world = World(history_bytes=1_000, site_history_bytes=2_500, total_history_bytes=4_000)
    for room in ("a", "b", "c"):
        for _ in range(20):
            world.rooms.publish(SITE, room, "x" * 100)
    rooms = world.rooms
    assert len(rooms.history(SITE, "c")) >= 5
    assert rooms.history(SITE, "a") == []  # empty for longest, so it went first
    members = [world.join(room, site=site)[0] for site in (SITE, 8, 9) for room in ("a", "b", "c")]
    for _ in range(20):
        for member in members:
            rooms.send(member, "x" * 100)
            world.settle()
    sizes = {member.room.site_id: 0 for member in members}
    for member in members:
        sizes[member.room.site_id] += member.room.history.bytes
    assert all(size <= 2_500 for size in sizes.values())
    assert sum(sizes.values()) <= 4_000
    assert rooms._history_bytes == sum(sizes.values())
    for member in members:
        rooms.leave(member)
    for site in sizes:
        rooms.close_site(site)
    assert rooms._history_bytes == 0


def test_a_slow_reader_is_dropped_and_the_others_get_everything() -> None:
    world = World()
    slow, at_slow = world.join(member_name="slow")
    _, at_other = world.join()
    broken, at_broken = world.join()
    world.settle()
    at_slow.full = at_broken.broken = True
    for number in range(10):
        world.rooms.publish(SITE, "chat", number)
    world.settle()
    assert at_other.texts == list(range(10))
    assert at_slow.closed == at_broken.closed == [(1013, "Too much waits to be read.")]
    assert {message["member"]["id"] for message in at_other.of("leave")} == {slow.id, broken.id}
    assert slow.gone
    assert world.rooms.counts() == (1, 1)


def test_members_are_served_in_turns() -> None:
    world = World(turn_deliveries=10)
    options = {"settings": RoomSettings(presence=False)}
    large = [world.join("large", **options)[1] for _ in range(35)]
    small = [world.join("small", **options) for _ in range(2)]
    world.rooms.publish(SITE, "large", "x")
    world.rooms.publish(SITE, "small", "y")
    world.turns.popleft()()
    assert sum(len(client.texts) for client in large) == 10
    world.rooms.leave(small[0][0])
    late, at_late = world.join("large", **options)
    world.turns.popleft()()
    assert (small[0][1].texts, small[1][1].texts) == ([], ["y"])
    assert world.settle() == 2
    assert all(client.texts == ["x"] for client in large)
    assert at_late.texts == ["x"]  # from the history only
    world.rooms.publish(SITE, "large", "z")
    world.rooms.leave(late)
    world.settle()
    assert at_late.texts == ["x"]


def test_a_room_takes_no_more_than_it_can_give() -> None:
    world = World(max_waiting_frames=8, max_waiting_bytes=1_100)
    member, client = world.join()
    for number in range(8):
        world.rooms.send(member, number)
    with pytest.raises(RoomBusy):
        world.rooms.send(member, 8)
    world.settle()
    world.rooms.send(member, "x" * 1_200)
    with pytest.raises(RoomBusy):
        world.rooms.publish(SITE, "chat", "more")
    world.settle()
    assert client.texts == [*range(8), "x" * 1_200]


def test_much_coming_and_going_is_told_at_once() -> None:
    world = World(max_waiting_frames=8)
    _, client = world.join()
    for _ in range(50):
        world.rooms.leave(world.join()[0])
    last, _ = world.join(member_name="last")
    assert len(world.rooms.find(SITE, "chat")._frames) <= 8  # type: ignore[union-attr]
    world.settle()
    (told,) = client.of("members")
    assert (told["count"], [member["id"] for member in told["members"]][1:]) == (2, [last.id])
    world.rooms.leave(last)
    world.settle()
    assert client.all()[-1]["type"] == "leave"


def test_only_so_many_members_are_listed() -> None:
    world = World(max_listed=2)
    _, client = world.join()
    for _ in range(5):
        unlisted, at_last = world.join()
    world.rooms.describe(unlisted, "x")
    world.rooms.leave(unlisted)
    world.settle()
    assert [message["type"] for message in client.all()] == ["welcome", "join"]
    (welcome,) = at_last.of("welcome")
    assert (welcome["count"], len(welcome["members"])) == (6, 2)


def test_a_room_without_presence() -> None:
    world = World()
    silent = RoomSettings(presence=False, history=0)
    member, client = world.join(settings=silent)
    world.rooms.leave(world.join(settings=silent)[0])
    with pytest.raises(InvalidInput, match="presence is false"):
        world.rooms.describe(member, 1)
    world.rooms.send(member, "x")
    world.settle()
    assert [message["type"] for message in client.all()] == ["welcome", "message"]
    assert "members" not in client.all()[0]
    assert world.join(settings=silent)[1].texts == []


def test_a_new_version_changes_a_room() -> None:
    world = World()
    member, _ = world.join()
    for number in range(10):
        world.rooms.send(member, number)
    assert world.join(settings=RoomSettings(history=2))[1].texts == [8, 9]


@pytest.mark.parametrize(
    ("limits", "settings"),
    [({"max_members": 2}, RoomSettings()), ({}, RoomSettings(max_members=2)), ({"max_rooms": 0}, RoomSettings())],
)
def test_full(limits: dict[str, int], settings: RoomSettings) -> None:
    world = World(**limits)
    if "max_rooms" not in limits:
        for _ in range(2):
            world.join(settings=settings)
    with pytest.raises(RoomFull):
        world.join(settings=settings)
    if "max_rooms" not in limits:
        assert world.rooms.counts() == (1, 2)
        world.rooms.leave(next(iter(world.rooms.find(SITE, "chat").members.values())))  # type: ignore[union-attr]
        world.join(settings=settings)


def test_abandoned_rooms_make_room_for_new_ones() -> None:
    world = World(max_rooms=2)
    world.rooms.publish(SITE, "old", 1)
    world.now += 1
    world.join("b")
    world.join("c")
    assert world.rooms.history(SITE, "old") == []
    with pytest.raises(RoomFull):
        world.rooms.publish(SITE, "d", 1)
    assert world.rooms.publish(SITE, "e", 1, RoomSettings(history=0)) is None


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "a" * 65, None, 5, ["a"], "a\n"])
def test_names_of_rooms(name: Any) -> None:
    with pytest.raises(InvalidInput, match="A room's name"):
        World().join(name)
    with pytest.raises(InvalidInput, match="A room's name"):
        World().rooms.publish(SITE, name, 1)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"member_name": "x" * 65}, InvalidInput),
        ({"member_name": "a\x00b"}, InvalidInput),
        ({"member_name": "\u202e"}, InvalidInput),
        ({"data": "x" * 1_100}, TooLarge),
        ({"data": "\ud800"}, InvalidInput),
    ],
)
def test_members_are_checked(options: dict[str, Any], problem: type[Exception]) -> None:
    world = World()
    with pytest.raises(problem):
        world.join(**options)
    assert world.rooms.counts() == (0, 0)


def test_messages_are_checked() -> None:
    world = World()
    member, client = world.join()
    deep: Any = []
    for _ in range(2_000):
        deep = [deep]
    for data, problem in (
        (deep, InvalidInput),
        ("x" * 65_535, TooLarge),
        ("\ud800", InvalidInput),
        (1 << 70, InvalidInput),
    ):
        for send in (
            lambda data=data: world.rooms.send(member, data),
            lambda data=data: world.rooms.publish(8, "b", data),
        ):
            with pytest.raises(problem):
                send()
    world.rooms.send(member, "x" * 65_534)
    world.settle()
    assert len(client.texts[0]) == 65_534
    assert world.rooms.find(8, "b") is None


def test_one_member_only() -> None:
    world = World()
    member, client = world.join()
    _, at_other = world.join()
    world.rooms.send_to(SITE, "chat", member.id, {"secret": 1})
    assert client.of("direct") == [{"type": "direct", "data": {"secret": 1}}]
    client.full = True
    world.rooms.send_to(SITE, "chat", member.id, 2)
    assert client.closed[0][0] == 1013
    world.settle()
    assert at_other.of("direct") == []
    with pytest.raises(NotFound):
        world.rooms.send_to(SITE, "chat", member.id, 2)


def test_removed() -> None:
    world = World()
    member, client = world.join()
    world.join()
    world.rooms.remove(SITE, "chat", member.id, "ä" * 100)
    assert client.closed == [(4410, "ä" * 61)]
    world.rooms.close_site(SITE)
    world.rooms.close_site(SITE)
    assert world.rooms.counts() == (0, 0)
    world.settle()


def test_the_rate_of_a_member() -> None:
    world = World(rate_per_s=10, burst=5)
    member, _ = world.join()
    assert [world.rooms.delay_s(member, 10) for _ in range(5)] == [0] * 5
    assert world.rooms.delay_s(member, 10) == pytest.approx(0.1)
    assert world.rooms.delay_s(member, 10) == pytest.approx(0.2)
    world.now += 10
    assert world.rooms.delay_s(member, 10) == 0
    assert world.rooms.delay_s(member, 65_536) == pytest.approx((18 - 5) / 10)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_frames(size: int) -> None:
    text = b"x" * size
    assert text_of(text_frame(text)) == text
    assert text_frame(text).endswith(text)
    assert len(text_frame(text)) - size == (2 if size < 126 else 4 if size < 65_536 else 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"send","data":null}', ("send", None)),
        ('{"type":"presence","data":[1]}', ("presence", [1])),
        ('{"type":"ping"}', ("ping", None)),
        ('{"type":"ping","more":1}', ("ping", None)),
    ],
)
def test_requests(text: str, expected: Any) -> None:
    assert read_request(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", "null", '"send"', "{}", '{"type":"send"}', '{"type":["send"],"data":1}', '{"type":"join"}',
     '{"type":"send","data":NaN}', '{"type":"send","data":"\\ud800"}', "[" * 100_000, '{"type":{"a":1},"data":1}'],
)  # fmt: skip
def test_requests_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_request(text)


def test_encode() -> None:
    assert encode({"a": "ä"}, 10, "It") == '{"a":"ä"}'.encode()
    with pytest.raises(TooLarge, match="It has 10 bytes as JSON; 9 are allowed"):
        encode({"a": "ä"}, 9, "It")


class RoomMachine(RuleBasedStateMachine):
    """Against a model: each client has what was kept when it came, and then all that was sent while it was there."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(turn_deliveries=3, max_waiting_frames=1_000)
        self.sent: list[tuple[int, int]] = []  # (seq, content)
        self.here: list[tuple[Member, Client, list[int]]] = []
        self.left: list[tuple[Client, list[int]]] = []
        self.count = 0

    @initialize(history=st.integers(0, 5), presence=st.booleans())
    def begin(self, history: int, presence: bool) -> None:
        self.settings = RoomSettings(history=history, presence=presence)

    def kept(self) -> list[tuple[int, int]]:
        return self.sent[max(0, len(self.sent) - self.settings.history) :] if self.settings.history else []

    @rule(back=st.none() | st.integers(0, 8))
    def join(self, back: int | None) -> None:
        """Come new, or back after having seen all but the last few."""
        since = None if back is None or back >= len(self.sent) else self.sent[len(self.sent) - 1 - back][0]
        member, client = self.world.join(settings=self.settings, since=since)
        kept = self.kept()
        expected = [content for seq, content in kept if since is None or seq > since]
        (welcome,) = client.of("welcome")
        complete = since is None or back == 0 or (back or 0) <= len(kept)
        assert welcome["missed"] == (not complete)
        self.here.append((member, client, expected))

    @rule(which=st.integers(0, 100))
    def send(self, which: int) -> None:
        if not self.here:
            return
        self.count += 1
        seq = self.world.rooms.send(self.here[which % len(self.here)][0], self.count)
        self.sent.append((seq, self.count))
        for _, _, expected in self.here:
            expected.append(self.count)

    @rule(which=st.integers(0, 100))
    def leave(self, which: int) -> None:
        if len(self.here) < 2:  # so that the room lives as long as the test
            return
        member, client, expected = self.here.pop(which % len(self.here))
        self.world.rooms.leave(member)
        self.left.append((client, expected))

    @rule()
    def one_turn(self) -> None:
        if self.world.turns:
            self.world.turns.popleft()()

    @rule()
    def settle(self) -> None:
        self.world.settle()
        for member, client, expected in self.here:
            assert client.texts == expected
            if self.settings.presence:
                assert self.present(client) == {other.id for other, _, _ in self.here}, member.id

    @staticmethod
    def present(client: Client) -> set[str]:
        """Return who is there, as a client that follows the events has it."""
        present: set[str] = set()
        for message in client.all():
            if message["type"] == "welcome":
                present = {member["id"] for member in message["members"]}
            elif message["type"] == "join":
                assert message["member"]["id"] not in present
                present.add(message["member"]["id"])
            elif message["type"] == "leave":
                present.remove(message["member"]["id"])
        return present

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        for _, client, expected in self.here:
            assert client.texts == expected[: len(client.texts)]
        for client, expected in self.left:
            assert client.texts == expected[: len(client.texts)]
        assert [seq for seq, _ in self.sent] == sorted({seq for seq, _ in self.sent})
        assert self.world.rooms.counts()[1] == len(self.here)


RoomMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRoomMachine = RoomMachine.TestCase
