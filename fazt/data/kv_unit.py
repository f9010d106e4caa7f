"""`Unit`: what a transaction or a job's run writes under keys, kept until all of it is committed or none.

It knows no database: whoever reads tells it what was found. Rule: it remembers the version of everything that a
decision was based on, its own parent's writes included, so that a commit can tell whether any of it has moved.
"""

from fazt.errors import InvalidInput, TooLarge
from fazt.store.kv import Entry, Range, Reads, Write, conflict, fitting, weight

MOST_WRITES = 10_000
MOST_READS = 10_000
MOST_RANGES = 1_000
MOST_BYTES = 16 << 20  # of keys and values


class Unit:
    """Writes that wait for a commit. With a parent they are merged into the parent's, else the store takes them."""

    def __init__(self, parent: "Unit | None" = None) -> None:
        self._parent = parent
        self._writes: dict[str, tuple[Write, int]] = {}  # with the number of the write in this unit
        self._written = 0
        self._bytes = 0
        self._versions: dict[str, int] = {}  # of keys that were read in the store
        self._ranges: list[Range] = []
        self._of_parent: dict[str, int] = {}  # numbers of the parent's writes that were seen, 0: there was none
        self._parent_ranges: list[tuple[str, str | None, int]] = []  # and how many the parent had written by then
        self._ended = False

    @property
    def reads(self) -> Reads:
        """What has to be as it was for `fazt.store.kv.apply` to write."""
        return Reads(self._versions, tuple(self._ranges))

    @property
    def writes(self) -> list[Write]:
        """What is to be written, the last write of each key."""
        return [write for write, _ in self._writes.values()]

    @property
    def size(self) -> int:
        """Return the bytes of keys and values that are to be written."""
        return self._bytes

    def check_open(self) -> None:
        """Let pass what comes before the end.

        Raises: InvalidInput.
        """
        if self._ended or (self._parent is not None and self._parent._ended):
            raise InvalidInput("This transaction has ended; use the `tx` of one only while its function runs.")

    def end(self) -> None:
        """Take nothing any more."""
        self._ended = True

    def pending(self, key: str) -> Write | None:
        """Return what is to be written under a key, by this unit or its parent; remember that it was looked at.

        Raises: KvConflict where the parent's write is not the one that was seen before.
        """
        if key in self._writes:
            return self._writes[key][0]
        if self._parent is None:
            return None
        write, number = self._parent._writes.get(key, (None, 0))
        if self._of_parent.setdefault(key, number) != number:
            raise conflict(key)
        return write

    def found(self, key: str, version: int) -> None:
        """Remember which version of a key the store has.

        Raises: KvConflict where an earlier look found another one; TooLarge.
        """
        known = self._versions.get(key)
        if known is None and self._parent is not None:
            known = self._parent._versions.get(key)
        if known is not None and known != version:
            raise conflict(key)
        if len(self._versions) >= MOST_READS and key not in self._versions:
            raise TooLarge(f"A transaction may read at most {MOST_READS} keys.")
        self._versions[key] = version

    def put(self, write: Write) -> None:
        """Keep a write in place of an earlier one of the same key.

        Raises: TooLarge.
        """
        before = self._writes.get(write.key)
        size = self._bytes + _size(write) - (0 if before is None else _size(before[0]))
        if before is None and len(self._writes) >= MOST_WRITES:
            raise TooLarge(f"A transaction may write at most {MOST_WRITES} keys.")
        if size > MOST_BYTES:
            raise TooLarge(f"A transaction may write at most {MOST_BYTES} bytes.")
        self._bytes = size
        self._written += 1
        self._writes[write.key] = (write, self._written)

    def merge_page(
        self, low: str, high: str | None, found: list[Entry], complete: bool, limit: int, max_bytes: int
    ) -> tuple[list[Entry | Write], bool]:
        """Return what a list shows: entries of the store from `low` on, overlaid with what is to be written.

        `found` holds the store's entries; `complete`: there are no more of them before `high`. Also tell whether the
        list is complete. All of it is remembered. Raises: KvConflict, TooLarge.
        """
        if not complete:
            high = found[-1].key + "\0"
        entries: dict[str, Entry | Write] = {entry.key: entry for entry in found}
        for unit in (self._parent, self):
            for key, (write, _) in {}.items() if unit is None else unit._writes.items():
                if _is_within(key, low, high):
                    entries[key] = write
        kept = [entries[key] for key in sorted(entries)]
        count = fitting([weight(entry.key, len(entry.value or b"")) for entry in kept[:limit]], max_bytes)
        if count < len(kept):
            kept, complete = kept[:count], False
            high = kept[-1].key + "\0"
        self._saw_range(low, high, [entry for entry in found if _is_within(entry.key, low, high)])
        return kept, complete

    def _saw_range(self, low: str, high: str | None, seen: list[Entry]) -> None:
        if len(self._ranges) >= MOST_RANGES:
            raise TooLarge(f"A transaction may list at most {MOST_RANGES} times.")
        for entry in seen:
            self.found(entry.key, entry.version)
        self._ranges.append(Range(low, high, len(seen)))
        if self._parent is not None:
            self._parent_ranges.append((low, high, self._parent._written))

    def merge_into_parent(self) -> None:
        """Give all of it to the parent, if nothing that was seen of it has moved.

        Raises: KvConflict, TooLarge; the parent is as it was then.
        """
        parent = self._parent
        assert parent is not None
        for key, number in self._of_parent.items():
            if parent._writes.get(key, (None, 0))[1] != number:
                raise conflict(key)
        for low, high, written in self._parent_ranges:
            for key, (_, number) in parent._writes.items():
                if number > written and _is_within(key, low, high):
                    raise conflict(key)
        for key, version in self._versions.items():
            if parent._versions.get(key, version) != version:
                raise conflict(key)
        self._check_room(parent)
        for write in self.writes:
            parent.put(write)
        parent._versions.update(self._versions)
        parent._ranges.extend(self._ranges)

    def _check_room(self, parent: "Unit") -> None:
        """Let pass what the parent can take; counted as if no key were in both."""
        if (
            len(parent._writes) + len(self._writes) > MOST_WRITES
            or parent._bytes + self._bytes > MOST_BYTES
            or len(parent._versions) + len(self._versions) > MOST_READS
            or len(parent._ranges) + len(self._ranges) > MOST_RANGES
        ):
            raise TooLarge("The transactions of one run read or write too much together.")


def _is_within(key: str, low: str, high: str | None) -> bool:
    return low <= key and (high is None or key < high)


def _size(write: Write) -> int:
    return len(write.key.encode()) + len(write.value or b"")
