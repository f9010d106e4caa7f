"""What the rooms of a site may take, and what `fazt.json` says of one room.

Rule: every number here bounds memory or work that a visitor or a function could make grow.
"""

from dataclasses import dataclass

MAX_HISTORY = 1_000
DEFAULT_HISTORY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """The limits that hold for all sites."""

    max_rooms: int = 1_000  # of a site
    max_members: int = 10_000  # of a site
    max_listed: int = 256  # members of a room whose coming and going the others are told
    max_message_bytes: int = 65_536  # of the JSON of a message's data
    max_member_bytes: int = 1_024  # of the JSON of what a member says about itself
    max_name_length: int = 64
    history_bytes: int = 262_144  # of a room
    site_history_bytes: int = 8 << 20
    total_history_bytes: int = 64 << 20
    history_kept_s: float = 600.0  # after the last member left
    rate_per_s: float = 20.0  # messages of a member; with more it is read more slowly
    burst: float = 40.0
    bytes_a_message: int = 4_096  # a longer message counts as several
    max_waiting_frames: int = 256  # of a room, not yet handed to all members
    max_waiting_bytes: int = 4 << 20
    turn_deliveries: int = 128  # in one go; then everything else on the server has its turn


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What the site's owner chose for a room."""

    history: int = DEFAULT_HISTORY  # messages that are kept
    presence: bool = True  # members are told who else is there
    max_members: int | None = None
