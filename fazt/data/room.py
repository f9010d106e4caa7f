"""One room: its members, its history, and what is on the way to its members.

Rule: every member gets what was sent after it joined, once and in order; who cannot take it is dropped and costs the
others nothing.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fazt.data.room_history import RoomHistory
from fazt.data.room_limits import RoomLimits, RoomSettings
from fazt.data.room_messages import member_json
from fazt.errors import RoomBusy

log = logging.getLogger("fazt.rooms")


@dataclass(slots=True, eq=False)
class Member:
    """Somebody in a room; `post` and `hang_up` are the edge's."""

    id: str
    name: str
    data: bytes  # JSON
    room: "Room"
    post: Callable[[bytes], bool]  # a frame; False: too much waits for this client, or it is gone
    hang_up: Callable[[int, str], None]  # close code and reason
    born: int = 0  # what was put on the way up to here is not for this member
    listed: bool = False  # the others are told of it
    gone: bool = False
    stuck: bool = False  # it did not take a frame and is about to be dropped
    ready_at: float = 0.0  # when everything it sent would have come at the allowed rate

    @property
    def json(self) -> bytes:
        """The member as others see it."""
        return member_json(self.id, self.name, self.data)


class Room:
    """A room of a site."""

    __slots__ = (
        "_audience",
        "_frames",
        "_frames_bytes",
        "_listed_json",
        "_position",
        "empty_since",
        "history",
        "listed",
        "members",
        "name",
        "put_so_far",
        "settings",
        "site_id",
        "stale",
    )

    def __init__(self, site_id: int, name: str, settings: RoomSettings, start: int, now: float) -> None:
        self.site_id = site_id
        self.name = name
        self.settings = settings
        self.history = RoomHistory(start)
        self.members: dict[str, Member] = {}
        self.listed: dict[str, Member] = {}  # those of the members whom the others are told of
        self.stale = False  # the members have to be told who is there once they have read what is on the way
        self.empty_since = now
        self._listed_json: bytes | None = None
        self._frames: deque[tuple[int, bytes]] = deque()  # on the way, by number
        self._frames_bytes = 0
        self.put_so_far = 0  # frames, on the way
        self._audience: list[Member] = []  # of the first frame on the way
        self._position = 0  # in the audience

    @property
    def is_delivering(self) -> bool:
        """Whether something is on the way."""
        return bool(self._frames)

    @property
    def waiting(self) -> int:
        """How many frames are on the way."""
        return len(self._frames)

    def add(self, member: Member) -> None:
        """Let a member in: nothing that is on the way already is for it."""
        self.members[member.id] = member
        member.born = self.put_so_far
        if member.listed:
            self.listed[member.id] = member
            self._listed_json = None

    def remove(self, member: Member, now: float) -> None:
        """Let a member go."""
        member.gone = True
        del self.members[member.id]
        if self.listed.pop(member.id, None):
            self._listed_json = None
        if not self.members:
            self.empty_since = now

    def describe(self, member: Member, data: bytes) -> None:
        """Replace what a member says about itself."""
        member.data = data
        self._listed_json = None

    def listed_json(self) -> bytes:
        """Return the listed members as a JSON array."""
        if self._listed_json is None:
            self._listed_json = b"[%b]" % b",".join(member.json for member in self.listed.values())
        return self._listed_json

    def check_way(self, limits: RoomLimits) -> None:
        """Raises: RoomBusy where the members cannot be given as much as is sent."""
        if len(self._frames) >= limits.max_waiting_frames or self._frames_bytes > limits.max_waiting_bytes:
            raise RoomBusy("More is sent to this room than its members can be given; send less.")

    def put(self, frame: bytes) -> None:
        """Put a frame on its way to everybody who is a member now."""
        self.put_so_far += 1
        if self.members:
            self._frames.append((self.put_so_far, frame))
            self._frames_bytes += len(frame)

    def deliver(self, count: int) -> tuple[int, list[Member]]:
        """Hand over up to `count` times; return how often it was done, and who could not take it."""
        done, slow = 0, []
        while self._frames and done < count:
            number, frame = self._frames[0]
            if not self._position:
                self._audience = list(self.members.values())
            turn = self._audience[self._position : self._position + count - done]
            for member in turn:
                if not member.gone and member.born < number and not member.stuck and not _took(member, frame):
                    member.stuck = True
                    slow.append(member)
            done += max(len(turn), 1)
            self._position += len(turn)
            if self._position >= len(self._audience):
                self._frames.popleft()
                self._frames_bytes -= len(frame)
                self._position, self._audience = 0, []
        return done, slow


def _took(member: Member, frame: bytes) -> bool:
    try:
        return member.post(frame)
    except Exception:  # one bad connection must not stop what is on the way to all others
        log.exception("a member of a room could not be sent to")
        return False
