"""The rooms of all sites, in memory: joining, leaving, sending, presence, and the turns in which members are served.

A room exists while it has members, and for a while after that if it has a history. Rule: a site's rooms are reached by
its id and no other way; what a site's rooms take is bounded, whatever its visitors and functions do.
"""

import asyncio
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import orjson

from fazt.data.room import Member, Room
from fazt.data.room_limits import RoomLimits, RoomSettings
from fazt.data.room_messages import (
    check_room_name,
    direct_frame,
    encode,
    member_frame,
    members_frame,
    message_frame,
    sender_json,
    text_of,
    welcome_frame,
)
from fazt.errors import InvalidInput, NotFound, RoomFull

SLOW, REMOVED = 1013, 4410  # close codes: try again later (IANA's registry of close codes); do not
LONGEST_REASON = 123  # bytes (RFC 6455 5.5)
MOST_MEMBERS_TOLD = 1_000  # to a function
SWEEP_S = 30.0
NO_SENDER = b"null"
DEFAULT = RoomSettings()


@dataclass(slots=True)
class _Site:
    rooms: dict[str, Room] = field(default_factory=dict)
    members: int = 0
    history_bytes: int = 0


class Rooms:
    """All rooms; belongs to one thread. `later` is the loop's `call_soon`."""

    def __init__(
        self,
        later: Callable[[Callable[[], None]], object],
        limits: RoomLimits | None = None,
        *,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or RoomLimits()
        self._later = later
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._sites: dict[int, _Site] = {}
        self._history_bytes = 0
        self._last_number = 0  # given in a room that is forgotten
        self._delivering: deque[Room] = deque()
        self._has_turn = False

    # --- members ---

    @staticmethod
    def new_id() -> str:
        """Return the id of a member to be; nobody can guess it."""
        return secrets.token_urlsafe(9)

    def join(
        self,
        site_id: int,
        name: str,
        *,
        post: Callable[[bytes], bool],
        hang_up: Callable[[int, str], None],
        settings: RoomSettings = DEFAULT,
        member_id: str | None = None,
        member_name: str = "",
        data: object = None,
        since: int | None = None,
        wants_history: bool = True,
    ) -> Member:
        """Let somebody into a room: greet it, send what it missed since that number, and tell the others.

        Raises: InvalidInput, TooLarge, RoomFull.
        """
        check_room_name(name)
        self.check_member_name(member_name)
        encoded = encode(data, self.limits.max_member_bytes, "What a member says about itself")
        site = self._sites.get(site_id) or _Site()
        if site.members >= self.limits.max_members:
            raise RoomFull(f"The rooms of this site have {site.members} members, as many as they may.")
        room = self._room(site_id, name, settings)
        if settings.max_members is not None and len(room.members) >= settings.max_members:
            raise RoomFull(f"The room has {len(room.members)} members, as many as it may.")
        member = Member(member_id or self.new_id(), member_name, encoded, room, post, hang_up)
        member.listed = settings.presence and len(room.listed) < self.limits.max_listed
        site = self._sites[site_id]
        site.members += 1
        if member.listed:
            self._tell(room, "join", member)
        room.add(member)
        self._greet(room, member, since, wants_history=wants_history)
        return member

    def check_member_name(self, name: str) -> None:
        """Raises: InvalidInput."""
        if len(name) > self.limits.max_name_length or not name.isprintable():
            raise InvalidInput(f"A member's name has up to {self.limits.max_name_length} printable characters.")

    def leave(self, member: Member) -> None:
        """Let a member go and tell the others; a second time nothing happens."""
        if member.gone:
            return
        room = member.room
        room.remove(member, self._monotonic_s())
        self._sites[room.site_id].members -= 1
        if not room.members and not len(room.history):
            self._forget(room)
        elif member.listed:
            self._tell(room, "leave", member)

    def describe(self, member: Member, data: object) -> None:
        """Replace what a member says about itself, and tell the others. Raises: InvalidInput, TooLarge."""
        encoded = encode(data, self.limits.max_member_bytes, "What a member says about itself")
        if not member.room.settings.presence:
            raise InvalidInput("This room does not tell who is there (presence is false in fazt.json).")
        member.room.describe(member, encoded)
        if member.listed and not member.gone:
            self._tell(member.room, "presence", member)

    def delay_s(self, member: Member, length: int) -> float:
        """Count a message of a member; return how long it has to wait so that the member's rate is kept."""
        limits, now = self.limits, self._monotonic_s()
        cost = 1 + length // limits.bytes_a_message
        member.ready_at = max(member.ready_at, now) + cost / limits.rate_per_s
        return max(0.0, round(member.ready_at - now - limits.burst / limits.rate_per_s, 3))

    # --- messages ---

    def send(self, member: Member, data: object) -> int:
        """Send a member's message to everybody in its room; return its number. Raises as `publish` does."""
        if member.gone:
            raise NotFound("The member is not in the room any more.")
        return self._publish(member.room, sender_json(member.id, member.name), data)

    def publish(self, site_id: int, name: str, data: object, settings: RoomSettings = DEFAULT) -> int | None:
        """Send a message of the site itself; return its number, None where nobody is there and nothing is kept.

        Raises: InvalidInput, TooLarge, RoomFull, RoomBusy.
        """
        room = self.find(site_id, name)
        if room is None:
            encode(data, self.limits.max_message_bytes, "A message")
            if not settings.history:
                return None
            room = self._room(site_id, name, settings)
        return self._publish(room, NO_SENDER, data)

    def send_to(self, site_id: int, name: str, member_id: str, data: object) -> None:
        """Send something to one member only. Raises: NotFound, InvalidInput, TooLarge."""
        member = self._member(site_id, name, member_id)
        frame = direct_frame(encode(data, self.limits.max_message_bytes, "A message"))
        if not member.post(frame):
            self._drop(member)

    def remove(self, site_id: int, name: str, member_id: str, reason: str = "") -> None:
        """Close a member's connection so that its client does not come back. Raises: NotFound."""
        self._hang_up(self._member(site_id, name, member_id), REMOVED, reason)

    def close_site(self, site_id: int, code: int = REMOVED) -> None:
        """Close all rooms of a site, as when the site is removed."""
        site = self._sites.get(site_id)
        for room in list(site.rooms.values()) if site else ():
            for member in list(room.members.values()):
                self._hang_up(member, code, "The site is gone.")
            if self.find(site_id, room.name) is room:
                self._forget(room)

    # --- what is there ---

    def find(self, site_id: int, name: str) -> Room | None:
        """Return a room that exists. Raises: InvalidInput."""
        check_room_name(name)
        site = self._sites.get(site_id)
        return site.rooms.get(name) if site else None

    def members(self, site_id: int, name: str) -> list[dict[str, object]]:
        """Return who is in a room, the first thousand of them: id, name, data."""
        room = self.find(site_id, name)
        members = islice(room.members.values(), MOST_MEMBERS_TOLD) if room else ()
        return [orjson.loads(member.json) for member in members]

    def history(self, site_id: int, name: str, since: int | None = None) -> list[dict[str, object]]:
        """Return the messages that are kept of a room: seq, from, data, at."""
        room = self.find(site_id, name)
        found = [orjson.loads(text_of(frame)) for frame in room.history.since(since)[0]] if room else []
        return [{key: value for key, value in message.items() if key != "type"} for message in found]

    def counts(self) -> tuple[int, int]:
        """Return how many rooms and members there are."""
        return sum(len(site.rooms) for site in self._sites.values()), sum(site.members for site in self._sites.values())

    async def run(self) -> None:
        """Forget what nobody came back to, as long as the server runs."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep()

    def sweep(self) -> None:
        """Forget the rooms whose last member left long ago."""
        before = self._monotonic_s() - self.limits.history_kept_s
        for site in list(self._sites.values()):
            for room in list(_empty_rooms(site)):
                if room.empty_since <= before:
                    self._forget(room)

    # --- inside ---

    def _room(self, site_id: int, name: str, settings: RoomSettings) -> Room:
        """Return a room, made where there is none. Raises: RoomFull."""
        site = self._sites.setdefault(site_id, _Site())
        room = site.rooms.get(name)
        if room is None:
            if len(site.rooms) >= self.limits.max_rooms and not self._forget_oldest(site):
                raise RoomFull(f"The site has {len(site.rooms)} rooms, as many as it may.")
            # Whoever is forgotten last may have been the site's last room.
            self._sites[site_id] = site
            start = max(math.floor(self._wall_s() * 1_000_000), self._last_number)
            room = site.rooms[name] = Room(site_id, name, settings, start, self._monotonic_s())
        elif room.settings != settings:  # a new version of the site
            room.settings = settings
            before = room.history.bytes
            room.history.shrink(settings.history, self.limits.history_bytes)
            self._count_history(site, room.history.bytes - before)
        return room

    def _greet(self, room: Room, member: Member, since: int | None, *, wants_history: bool) -> None:
        frames, missed = room.history.since(since) if wants_history else ([], False)
        listed, count = room.listed_json() if room.settings.presence else None, len(room.members)
        welcome = welcome_frame(room.name, member.id, room.history.last, missed=missed, count=count, listed=listed)
        member.post(b"".join((welcome, *frames)))  # one write; a client that is gone is told of by the edge

    def _publish(self, room: Room, sender: bytes, data: object) -> int:
        encoded = encode(data, self.limits.max_message_bytes, "A message")
        room.check_way(self.limits)
        history, seq = room.history, room.history.last + 1
        frame = message_frame(seq, sender, encoded, math.floor(self._wall_s() * 1_000))
        before = history.bytes
        history.add(seq, frame, max_frames=room.settings.history, max_bytes=self.limits.history_bytes)
        self._count_history(self._sites[room.site_id], history.bytes - before)
        self._make_space(room)
        self._put(room, frame)
        return seq

    def _count_history(self, site: _Site, more: int) -> None:
        site.history_bytes += more
        self._history_bytes += more

    def _make_space(self, room: Room) -> None:
        """Hold all histories to their bounds: abandoned rooms go first, then the oldest of what was just said."""
        site, limits = self._sites[room.site_id], self.limits
        while site.history_bytes > limits.site_history_bytes and self._forget_oldest(site, other_than=room):
            pass
        while self._history_bytes > limits.total_history_bytes and self._forget_anywhere(room):
            pass
        over = max(site.history_bytes - limits.site_history_bytes, self._history_bytes - limits.total_history_bytes)
        if over > 0:
            before = room.history.bytes
            room.history.shrink(room.settings.history, max(0, before - over))
            self._count_history(site, room.history.bytes - before)

    def _forget_anywhere(self, room: Room) -> bool:
        return any(self._forget_oldest(site, other_than=room) for site in list(self._sites.values()))

    def _forget_oldest(self, site: _Site, other_than: Room | None = None) -> bool:
        """Forget the room of a site that has been empty for longest; False where there is none."""
        empty = [room for room in _empty_rooms(site) if room is not other_than]
        if not empty:
            return False
        self._forget(min(empty, key=lambda room: room.empty_since))
        return True

    def _forget(self, room: Room) -> None:
        site = self._sites[room.site_id]
        self._count_history(site, -room.history.bytes)
        self._last_number = max(self._last_number, room.history.last)
        del site.rooms[room.name]
        if not site.rooms:
            del self._sites[room.site_id]

    def _member(self, site_id: int, name: str, member_id: str) -> Member:
        room = self.find(site_id, name)
        member = room.members.get(member_id) if room else None
        if member is None:
            raise NotFound("The room has no such member.")
        return member

    def _hang_up(self, member: Member, code: int, reason: str) -> None:
        self.leave(member)
        member.hang_up(code, reason.encode(errors="replace")[:LONGEST_REASON].decode(errors="ignore"))

    def _drop(self, member: Member) -> None:
        """Let go of a member that does not take what it is sent."""
        self._hang_up(member, SLOW, "Too much waits to be read.")

    # --- turns ---

    def _tell(self, room: Room, kind: str, member: Member) -> None:
        """Tell of a member; where too much is on the way already, tell once of all of them behind it."""
        if room.stale or room.waiting >= self.limits.max_waiting_frames // 2:
            room.stale = True
        else:
            self._put(room, member_frame(kind, member.json))

    def _put(self, room: Room, frame: bytes) -> None:
        was_delivering = room.is_delivering
        room.put(frame)
        if room.is_delivering and not was_delivering:
            self._delivering.append(room)
            if not self._has_turn:
                self._has_turn = True
                self._later(self._take_turn)

    def _take_turn(self) -> None:
        """Serve the rooms in turn, so many members in all; then wait until the loop has looked at everybody else."""
        left = self.limits.turn_deliveries
        while left > 0 and self._delivering:
            room = self._delivering.popleft()
            done, slow = room.deliver(left)
            left -= done
            if room.is_delivering:
                self._delivering.append(room)
            for member in slow:
                self._drop(member)
            if room.stale and not room.is_delivering:
                room.stale = False
                self._put(room, members_frame(len(room.members), room.listed_json()))
        self._has_turn = bool(self._delivering)
        if self._has_turn:
            self._later(self._take_turn)


def _empty_rooms(site: _Site) -> Iterator[Room]:
    return (room for room in site.rooms.values() if not room.members)
