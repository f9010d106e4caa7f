"""The rules of a site's protection, as the API sets them: nobody's work is lost, no password changes hands."""

from typing import Any

import pytest
from api_calls import Answer, Api

from fazt.sites.protection import from_json
from fazt.store import protection, sites

ONE = "/api/sites/blog/protection"
TWO = [
    {"paths": ["/*"], "password": "for what is live"},
    {"paths": ["/*"], "password": "for previews", "previews": True},
]


@pytest.fixture
def blog(api: Api) -> Api:
    api.deploy("blog", {"index.html": b"x"})
    return api


def put(api: Api, rules: list[dict[str, object]], seen: str | None = None) -> Answer:
    return api.ask("PUT", ONE, {"rules": rules}, headers=[] if seen is None else [("if-match", f'"{seen}"')])


def test_who_was_slower_changes_nothing(blog: Api) -> None:
    seen = blog.ask("GET", ONE).json["revision"]
    mine = put(blog, [{"users": True}], seen)
    assert (mine.status, mine.json["revision"]) == (200, blog.ask("GET", ONE).json["revision"])
    theirs = put(blog, [{"addresses": ["192.0.2.1"]}], seen)
    assert (theirs.status, theirs.code) == (412, "precondition_failed")
    assert theirs.json["error"]["revision"] == mine.json["revision"]
    assert blog.ask("DELETE", ONE, headers=[("if-match", f'"{seen}"')]).status == 412
    assert blog.ask("GET", ONE).json == mine.json
    assert blog.ask("DELETE", ONE, headers=[("if-match", f'"{mine.json["revision"]}"')]).status == 204
    assert blog.ask("GET", ONE).json == {"rules": [], "revision": seen}


@pytest.mark.parametrize("seen", ["", "*", "abc", 'W/"' + "0" * 32 + '"'])
def test_a_revision_that_is_none(blog: Api, seen: str) -> None:
    assert blog.ask("PUT", ONE, {"rules": [{"users": True}]}, headers=[("if-match", seen)]).status == 400


def hashes(api: Api) -> list[str | None]:
    def read(connection: Any) -> list[str | None]:
        kept = protection.rules(connection, sites.get(connection, "blog").id)
        return [] if kept is None else [rule.password for rule in from_json(kept)]

    return api.database.read_blocking(read)


def test_a_password_that_is_kept_stays_with_its_rule(blog: Api) -> None:
    put(blog, TWO)
    live, previews = hashes(blog)
    kept: list[dict[str, object]] = [{**rule, "password": True} for rule in TWO]
    assert put(blog, kept).status == 200
    assert hashes(blog) == [live, previews]
    assert put(blog, kept[::-1]).status == 200
    assert hashes(blog) == [previews, live]
    assert put(blog, kept[:1]).status == 200
    assert hashes(blog) == [live]
    assert put(blog, [{**kept[0], "paths": ["/new/*"]}]).status == 200  # its paths were changed
    assert hashes(blog) == [live]
    assert put(blog, [{"paths": ["/new/*"], "password": True}, {"paths": ["/a"], "password": True}]).status == 400
