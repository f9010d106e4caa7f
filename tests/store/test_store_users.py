"""Users and what happens to their sites."""

import apsw

from fazt.store import sessions, sites, users


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
