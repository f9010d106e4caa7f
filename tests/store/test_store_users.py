"""Users and what happens to their sites."""

import apsw
import pytest

from fazt.store import sessions, sites, users

DAY_MS = 86_400_000


def test_a_rename_of_a_site_goes_along_to_who_may_touch_it(connection: apsw.Connection) -> None:
    """Else whoever makes the next site of the old name would have let its editors in."""
    sites.create(connection, "old")
    users.add(connection, "ann", "owner", None, None)
    users.add(connection, "bob", "editor", ["a", "old", "old-too"], None)
    users.add(connection, "eve", "viewer", ["other"], None)
    sessions.add_invite(connection, "i1", b"h", "editor", ["old"], "ann", 1 << 50)
    sessions.add_invite(connection, "i2", b"i", "viewer", None, "ann", 1 << 50)
    sites.rename(connection, "old", "new")
    assert users.get(connection, "ann").sites is None
    assert users.get(connection, "bob").sites == ("a", "new", "old-too")
    assert users.get(connection, "eve").sites == ("other",)
    assert [invite.sites for invite in sessions.list_invites(connection, None, 9)] == [("new",), None]


def test_sessions_follow_a_clock_that_jumps(connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ahead of its end a session has ended, and holds again when the clock is right; it never holds for longer."""
    now = [1_800_000_000_000]
    monkeypatch.setattr(sessions, "now_ms", lambda: now[0])
    ann = users.add(connection, "ann", "owner", None, None)
    made = sessions.add(connection, b"h", "s1", ann.id, "::1", "")
    now[0] += 400 * DAY_MS
    assert sessions.find(connection, b"h") is None
    assert sessions.list_of(connection, ann.id) == []
    now[0] -= 430 * DAY_MS
    assert sessions.find(connection, b"h") == made
    sessions.slide(connection, "s1")  # before it began: it does not end later than it would have
    assert sessions.find(connection, b"h") == made
    now[0] += 30 * DAY_MS
    assert sessions.find(connection, b"h") == made
    now[0] += sessions.LONGEST_MS
    assert sessions.find(connection, b"h") is None
