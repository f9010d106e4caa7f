"""Sites, versions and domains, and the changes that they leave."""

from collections.abc import Callable

import apsw
import pytest

from fazt.errors import (
    BlobsMissing,
    Conflict,
    InvalidInput,
    NotFound,
    SiteExists,
    SiteLocked,
    SiteNotFound,
    VersionNotFound,
)
from fazt.store import blobs, changes, domains, sites, statistics, tokens, versions

Make = Callable[..., versions.Version]


def news(connection: apsw.Connection, seq: int) -> list[tuple[str, str]]:
    return [(change.kind, change.key) for change in changes.since(connection, seq)]


def number_ids(monkeypatch: pytest.MonkeyPatch, *ids: str) -> None:
    left = list(ids)
    monkeypatch.setattr(versions.secrets, "token_hex", lambda _: left.pop(0).ljust(32, "0"))


def test_a_site_is_made_once(connection: apsw.Connection) -> None:
    site = sites.create(connection, "blog")
    assert sites.get(connection, "blog") == site
    assert (site.live_version, site.locked) == (None, False)
    assert news(connection, 0) == [("site", "blog")]
    with pytest.raises(SiteExists):
        sites.create(connection, "blog")
    assert sites.find(connection, "BLOG") is None
    assert sites.find(connection, "blo%") is None
    with pytest.raises(SiteNotFound):
        sites.get(connection, "blo_")
    assert sites.count(connection) == 1


def test_sites_are_listed_by_name(connection: apsw.Connection) -> None:
    for name in ("pear", "apple", "fig"):
        sites.create(connection, name)
    assert [site.name for site in sites.list_page(connection, None, 2)] == ["apple", "fig"]
    assert [site.name for site in sites.list_page(connection, "fig", 2)] == ["pear"]


def test_a_rename_takes_along_what_belongs_to_the_site(connection: apsw.Connection, make_version: Make) -> None:
    version = make_version(connection, "old", {"a": b"1"}, live=True)
    sites.create(connection, "taken")
    domains.add(connection, "example.org", "old")
    tokens.add(connection, "t1", b"h", "ci", ["old", "other"], ("deploy",), None)
    statistics.add_hours(connection, [statistics.Hour("old", 5, 1, 2, 0, (0, 1, 0, 0, 0), b"")])
    seq = changes.last(connection)
    with pytest.raises(SiteExists):
        sites.rename(connection, "old", "taken")
    assert sites.rename(connection, "old", "new").live_version == version.number
    assert news(connection, seq) == [("site", "old"), ("site", "new")]
    assert sites.find(connection, "old") is None
    assert domains.find_site(connection, "example.org") == "new"
    assert [token.sites for token in tokens.list_page(connection, None, 9)] == [("new", "other")]
    assert [hour.requests for hour in statistics.hours(connection, "new", 0)] == [1]
    assert sites.rename(connection, "new", "new").name == "new"


def test_removal_takes_everything_of_the_site(connection: apsw.Connection, make_version: Make) -> None:
    first = make_version(connection, "blog", {"a": b"1"}, live=True)
    make_version(connection, "blog", {"a": b"2", "b": b"1"}, live=True, parent=first.number)
    make_version(connection, "other", {"a": b"1"}, live=True)
    domains.add(connection, "example.org", "blog")
    seq = changes.last(connection)
    sites.remove(connection, "blog")
    assert news(connection, seq) == [("site", "blog"), ("domain", "example.org")]
    assert domains.find_site(connection, "example.org") is None
    assert connection.execute("SELECT count(*) FROM version").fetchall() == [(1,)]
    assert blobs.collect(connection, 9, 0).blobs == 1
    with pytest.raises(SiteNotFound):
        sites.remove(connection, "blog")


def test_a_locked_site_stays_as_it_is(connection: apsw.Connection) -> None:
    sites.create(connection, "blog")
    seq = changes.last(connection)
    assert sites.set_locked(connection, "blog", True).locked
    assert sites.set_locked(connection, "blog", True).locked
    assert news(connection, seq) == [("site", "blog")]
    for change in (lambda: sites.remove(connection, "blog"), lambda: sites.rename(connection, "blog", "x")):
        with pytest.raises(SiteLocked):
            change()
    assert not sites.set_locked(connection, "blog", False).locked
    sites.check_unlocked(sites.get(connection, "blog"))


def test_the_version_before_is_remembered(connection: apsw.Connection, make_version: Make) -> None:
    one = make_version(connection, "blog", {"a": b"1"}, live=True)
    assert versions.previous_live(connection, one.site_id) is None
    two = make_version(connection, "blog", {"a": b"2"}, live=True)
    assert versions.previous_live(connection, one.site_id) == one
    seq = changes.last(connection)
    sites.set_live(connection, one.site_id, two.number)
    assert news(connection, seq) == []
    sites.set_live(connection, one.site_id, one.number)
    assert news(connection, seq) == [("site", "blog")]
    assert sites.get(connection, "blog").live_version == one.number
    assert versions.previous_live(connection, one.site_id) == two


def test_a_version_of_another_site_cannot_be_live(connection: apsw.Connection, make_version: Make) -> None:
    version = make_version(connection, "one", {"a": b"1"})
    other = sites.create(connection, "two")
    with pytest.raises(VersionNotFound):
        sites.set_live(connection, other.id, version.number)


def test_a_version_holds_its_files(connection: apsw.Connection, make_version: Make) -> None:
    contents = {"b.html": b"bb", "a.html": b"a", "é/x_y%.html": b"", "A.html": b"a"}
    version = make_version(connection, "blog", contents, message="first", source="cli", rules=b'{"spa":true}')
    assert (version.files, version.bytes, version.message, version.source) == (4, 4, "first", "cli")
    assert versions.rules(connection, version.number) == b'{"spa":true}'
    paths = [file.path for file in versions.files(connection, version.number, None, 99)]
    assert paths == sorted(contents)
    assert [file.path for file in versions.files(connection, version.number, "a.html", 1)] == ["b.html"]
    found = versions.find_files(connection, version.number, ["A.html", "é/x_y%.html", "%", "a_html", "B.html"])
    assert sorted(found) == ["A.html", "é/x_y%.html"]
    assert blobs.read_all(connection, found["A.html"].blob_id) == b"a"
    assert versions.count(connection, version.site_id) == 1
    with pytest.raises(VersionNotFound):
        versions.rules(connection, 99)
    with pytest.raises(VersionNotFound):
        versions.by_number(connection, 99)


def test_an_empty_version_is_one(connection: apsw.Connection, make_version: Make) -> None:
    version = make_version(connection, "blog", {})
    assert (version.files, version.bytes) == (0, 0)


def test_missing_contents_are_named(connection: apsw.Connection) -> None:
    site = sites.create(connection, "blog")
    here = blobs.put(connection, b"here")
    unfinished = b"u" * 32
    blobs.put_chunk(connection, unfinished, 300_000, 1, bytes(300_000 - blobs.CHUNK_BYTES))
    wanted = [("a", here), ("b", b"m" * 32), ("c", unfinished), ("d", b"m" * 32)]
    files = [versions.NewFile(path, hash, True) for path, hash in wanted]
    with pytest.raises(BlobsMissing) as caught:
        versions.create(connection, site.id, files, rules=b"", message="", source="", parent=None)
    assert caught.value.details["missing"] == [(b"m" * 32).hex(), unfinished.hex()]


def test_a_path_comes_once(connection: apsw.Connection) -> None:
    site = sites.create(connection, "blog")
    files = [versions.NewFile("a", blobs.put(connection, text), True) for text in (b"1", b"2")]
    with pytest.raises(InvalidInput, match="'a' is given twice"):
        versions.create(connection, site.id, files, rules=b"", message="", source="", parent=None)


def test_a_version_is_found_by_its_prefix(
    connection: apsw.Connection, make_version: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The third id is refused: its first 8 characters are taken.
    number_ids(monkeypatch, "abcd1111aa", "abcd2222", "abcd1111bb", "ef000000", "abcd1111")
    one, two, three = (make_version(connection, "blog", {}) for _ in range(3))
    make_version(connection, "other", {})
    site = one.site_id
    assert versions.get(connection, site, one.id) == one
    assert versions.get(connection, site, "abcd1") == one
    assert versions.get(connection, site, "ABCD2222") == two
    assert versions.get(connection, site, "ef00") == three
    assert versions.find(connection, site, "abcd1111bb") is None
    with pytest.raises(InvalidInput, match="Several versions"):
        versions.find(connection, site, "abcd")
    for short in ("", "abc", "%"):
        with pytest.raises(InvalidInput, match="at least 4"):
            versions.find(connection, site, short)
    for strange in ("abcg", "abcd%", "____", "é" * 8, "0" * 33, "abcd1111 "):
        assert versions.find(connection, site, strange) is None
    with pytest.raises(VersionNotFound, match="1234"):
        versions.get(connection, site, "1234")


def test_versions_are_listed_newest_first(connection: apsw.Connection, make_version: Make) -> None:
    numbers = [make_version(connection, "blog", {}).number for _ in range(5)]
    site = sites.get(connection, "blog").id
    page = versions.list_page(connection, site, None, 3)
    assert [version.number for version in page] == numbers[:1:-1]
    page = versions.list_page(connection, site, page[-1].number, 3)
    assert [version.number for version in page] == numbers[1::-1]


def test_the_parent_is_of_the_same_site_or_none(connection: apsw.Connection, make_version: Make) -> None:
    one = make_version(connection, "blog", {})
    assert make_version(connection, "blog", {}, parent=one.number).parent == one.number
    assert make_version(connection, "other", {}, parent=one.number).parent is None
    assert make_version(connection, "blog", {}, parent=99).parent is None


def test_pruning_spares_the_live_one_and_the_one_before(connection: apsw.Connection, make_version: Make) -> None:
    made = [make_version(connection, "blog", {"a": b"%d" % n}) for n in range(6)]
    site = made[0].site_id
    make_version(connection, "other", {"a": b"0"})
    sites.set_live(connection, site, made[0].number)
    sites.set_live(connection, site, made[1].number)
    seq = changes.last(connection)
    assert versions.prune(connection, site, 2) == made[2:4]
    assert news(connection, seq) == [("site", "blog")]
    assert versions.prune(connection, site, 2) == []
    assert news(connection, seq) == [("site", "blog")]
    assert versions.prune(connection, site, 0) == made[4:]
    assert versions.count(connection, site) == 2
    assert blobs.collect(connection, 9, 0).blobs == 4
    with pytest.raises(InvalidInput):
        versions.prune(connection, site, -1)


def test_a_domain_belongs_to_one_site(connection: apsw.Connection) -> None:
    for name in ("blog", "shop"):
        sites.create(connection, name)
    seq = changes.last(connection)
    added = domains.add(connection, "example.org", "blog")
    assert (added.name, added.site) == ("example.org", "blog")
    with pytest.raises(Conflict, match="'blog' already"):
        domains.add(connection, "example.org", "shop")
    with pytest.raises(SiteNotFound):
        domains.add(connection, "example.com", "none")
    domains.add(connection, "a.example", "shop")
    assert domains.find_site(connection, "example.org") == "blog"
    assert domains.find_site(connection, "Example.org") is None
    assert [domain.name for domain in domains.list_page(connection, None, None, 9)] == ["a.example", "example.org"]
    assert domains.list_page(connection, "blog", None, 9) == [added]
    assert domains.list_page(connection, None, "example.org", 9) == []
    domains.remove(connection, "example.org")
    assert news(connection, seq) == [("domain", "example.org"), ("domain", "a.example"), ("domain", "example.org")]
    with pytest.raises(NotFound):
        domains.remove(connection, "example.org")
