"""The audit log: what is written down, and which rows a filter finds."""

import json

from fazt.store import audit
from fazt.store.audit import Entry, Filter
from fazt.store.database import Database

ROWS = [
    Entry("user:ann", "192.0.2.1", "site.rename", "blog", "blog", b'{"name":"old"}', b'{"name":"blog"}'),
    Entry("token:fazt_abc", "192.0.2.2", "site.deploy", "shop", "shop"),
    Entry("socket", "", "token.create", None, "fazt_abc", None, b"{}"),
    Entry("user:ann", "192.0.2.1", "sitemap.change", "blog", "blog"),
]


def found(database: Database, wanted: Filter, before: int | None = None, limit: int = 10) -> list[str]:
    return [row.action for row in database.read_blocking(audit.list_page, wanted, before, limit)]


def test_a_filter_finds_what_it_names(database: Database) -> None:
    for row in ROWS:
        database.write_blocking(audit.add, row)
    assert found(database, Filter()) == ["sitemap.change", "token.create", "site.deploy", "site.rename"]
    assert found(database, Filter(actor="user:ann")) == ["sitemap.change", "site.rename"]
    assert found(database, Filter(action="site")) == ["site.deploy", "site.rename"]
    assert found(database, Filter(action="site.rename")) == ["site.rename"]
    assert found(database, Filter(sites=json.dumps(["blog"]))) == ["sitemap.change", "site.rename"]
    assert found(database, Filter(sites="[]")) == []
    assert found(database, Filter(until_ms=1)) == []
    assert len(found(database, Filter(since_ms=1))) == len(ROWS)


def test_pages_of_the_log_go_back_in_time(database: Database) -> None:
    for row in ROWS:
        database.write_blocking(audit.add, row)
    first = database.read_blocking(audit.list_page, Filter(), None, 2)
    rest = database.read_blocking(audit.list_page, Filter(), first[-1].number, 10)
    assert [row.subject for row in first + rest] == [row.subject for row in reversed(ROWS)]
    assert rest[-1].before == b'{"name":"old"}'
    assert rest[-1].after == b'{"name":"blog"}'


def test_what_is_too_old_is_deleted(database: Database) -> None:
    database.write_blocking(audit.add, ROWS[0])
    database.write_blocking(audit.trim, 1)
    assert len(found(database, Filter())) == 1
    database.write_blocking(audit.trim, 1 << 60)
    assert found(database, Filter()) == []
