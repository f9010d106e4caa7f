"""The last messages of one room and their numbers.

Rule: a number is never given twice, also not after a restart: they begin at the microseconds since 1970 and rise by
one, which no room can do faster than time does.
"""

from collections import deque


class RoomHistory:
    """Frames by number, in memory, bounded in count and in bytes."""

    __slots__ = ("_frames", "bytes", "forgotten", "last")

    def __init__(self, start: int) -> None:
        self._frames: deque[tuple[int, bytes]] = deque()
        self.bytes = 0
        self.last = start  # the number that was given last
        self.forgotten = start  # the last number whose message is not here any more

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, seq: int, frame: bytes, *, max_frames: int, max_bytes: int) -> None:
        """Keep a message whose number is the next one, and let go of the oldest."""
        assert seq == self.last + 1
        self.last = seq
        self._frames.append((seq, frame))
        self.bytes += len(frame)
        self.shrink(max_frames, max_bytes)

    def shrink(self, max_frames: int, max_bytes: int) -> None:
        """Let go of the oldest messages until there are no more than that."""
        while self._frames and (len(self._frames) > max_frames or self.bytes > max_bytes):
            self.forgotten, frame = self._frames.popleft()
            self.bytes -= len(frame)

    def since(self, seq: int | None) -> tuple[list[bytes], bool]:
        """Return the frames behind a number (None: all that are kept), and whether some before them are lost.

        A number that was never given here comes from another life of the room: everything is new then.
        """
        if seq is not None and self.forgotten <= seq <= self.last:
            return [frame for number, frame in self._frames if number > seq], False
        return [frame for _, frame in self._frames], seq is not None
