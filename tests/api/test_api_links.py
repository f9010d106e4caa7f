"""`/api/links`: short links as their owner sees them."""

import pytest
from api_calls import Api

from fazt.store import audit, changes
from fazt.store.audit import Filter
from fazt.store.database import Database

TARGET = "https://example.org/page"


def test_a_link_is_made_listed_changed_and_removed(api: Api) -> None:
    made = api.ask("POST", "/api/links", {"slug": "Talk", "target": TARGET, "label": "slides"})
    assert made.status == 201
    assert made.json | {"created_at": "", "revision": ""} == {
        "slug": "talk",
        "url": "http://localhost:4698/r/talk",
        "target": TARGET,
        "label": "slides",
        "clicks": 0,
        "last_clicked_at": None,
        "created_at": "",
        "revision": "",
    }
    changed = api.ask("PATCH", "/api/links/talk", {"target": "http://example.org/ü?q=a b#c".replace(" ", "%20")})
    assert changed.json["target"] == "http://example.org/%C3%BC?q=a%20b#c"
    assert changed.json["label"] == "slides"
    assert [link["slug"] for link in api.ask("GET", "/api/links").json["items"]] == ["talk"]
    assert api.ask("DELETE", "/api/links/TALK").status == 204
    assert api.ask("DELETE", "/api/links/talk").status == 404
    assert api.ask("GET", "/api/links").json == {"items": [], "next": None}


def test_a_link_without_a_slug_gets_one(api: Api) -> None:
    slugs = {api.ask("POST", "/api/links", {"target": TARGET}).json["slug"] for _ in range(5)}
    assert len(slugs) == 5
    for slug in slugs:
        assert len(slug) == 7
        assert not set(slug) & set("01iloABC-_")


def test_pages_of_links(api: Api) -> None:
    for slug in "abc":
        api.ask("POST", "/api/links", {"slug": slug, "target": TARGET})
    first = api.ask("GET", "/api/links?limit=2").json
    assert [link["slug"] for link in first["items"]] == ["c", "b"]
    rest = api.ask("GET", f"/api/links?limit=2&after={first['next']}").json
    assert ([link["slug"] for link in rest["items"]], rest["next"]) == (["a"], None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"target": "javascript:alert(1)"}, 400),
        ({"target": "//example.org"}, 400),
        ({"target": "https://user@example.org"}, 400),
        ({"target": "https://example.org/\r\nSet-Cookie: a=b"}, 400),
        ({"target": TARGET, "slug": "a/b"}, 400),
        ({"target": TARGET, "slug": "api"}, 400),
        ({"target": TARGET, "slug": "x" * 65}, 400),
        ({"target": TARGET, "slug": "taken"}, 409),
        ({"target": TARGET, "colour": "red"}, 400),
        ({"slug": "x"}, 400),
    ],
)
def test_what_is_refused(api: Api, body: dict[str, str], status: int) -> None:
    api.ask("POST", "/api/links", {"slug": "taken", "target": TARGET})
    assert api.ask("POST", "/api/links", body).status == status
    assert len(api.ask("GET", "/api/links").json["items"]) == 1


def test_clicks_that_are_not_written_yet_count_too(api: Api) -> None:
    api.ask("POST", "/api/links", {"slug": "a", "target": TARGET})
    clicks = api.parts.clicks
    clicks.count(1)
    clicks.count(1)
    shown = api.ask("GET", "/api/links").json["items"][0]
    assert (shown["clicks"], shown["last_clicked_at"] is None) == (2, False)
    api.runner.run(clicks.flush())
    clicks.count(1)
    assert api.ask("GET", "/api/links").json["items"][0]["clicks"] == 3


def test_every_change_is_in_the_audit_log(api: Api) -> None:
    api.ask("POST", "/api/links", {"slug": "a", "target": TARGET})
    api.ask("PATCH", "/api/links/a", {"label": "new"})
    api.ask("DELETE", "/api/links/a")
    found = api.database.read_blocking(audit.list_page, Filter(action="link"), None, 10)
    assert [(row.action, row.subject) for row in reversed(found)] == [
        ("link.create", "a"),
        ("link.change", "a"),
        ("link.remove", "a"),
    ]
    assert [row.before is None for row in reversed(found)] == [True, False, False]


def test_only_what_visitors_see_is_a_change(api: Api) -> None:
    def kinds(database: Database) -> list[str]:
        return [change.kind for change in database.read_blocking(changes.since, 0)]

    api.ask("POST", "/api/links", {"slug": "a", "target": TARGET})
    api.ask("PATCH", "/api/links/a", {"label": "new"})
    assert kinds(api.database) == ["link"]
    api.ask("PATCH", "/api/links/a", {"target": "https://example.com/"})
    assert kinds(api.database) == ["link", "link"]
