"""`If-Match` on edits: what was changed by somebody else meanwhile is not overwritten, and stays as they made it."""

from typing import Any

import pytest
from api_calls import PASSWORD, Api

LINK = ("/api/links", {"slug": "talk", "target": "https://a.example/"}, "/api/links/talk")
HOOK = ("/api/hooks", {"name": "pushes", "site": "blog"}, "/api/hooks/pushes")
NOTIFICATION = (
    "/api/notifications",
    {"name": "phone", "kind": "ntfy", "url": "https://ntfy.example/x", "events": ["deploy"]},
    "/api/notifications/phone",
)
USER = ("/api/users", {"name": "eve", "role": "viewer", "password": PASSWORD}, "/api/users/eve")
SITE = ("/api/sites", {"name": "shop"}, "/api/sites/shop")
EDITS: list[tuple[str, dict[str, Any], str, dict[str, Any], dict[str, Any]]] = [
    (*LINK, {"label": "theirs"}, {"label": "mine"}),
    (*HOOK, {"enabled": False}, {"function": "build"}),
    (*NOTIFICATION, {"enabled": False}, {"events": ["disk"]}),
    (*USER, {"role": "admin"}, {"role": "editor", "sites": ["blog"]}),
    (*SITE, {"locked": True}, {"locked": True}),
]


def held(revision: str) -> list[tuple[str, str]]:
    return [("if-match", f'"{revision}"')]


@pytest.mark.parametrize(("make", "body", "one", "theirs", "mine"), EDITS, ids=[edit[2] for edit in EDITS])
def test_an_edit_that_saw_something_else_is_refused(
    api: Api, make: str, body: dict[str, Any], one: str, theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    api.ask("POST", "/api/sites", {"name": "blog"})
    seen = api.ask("POST", make, body).json["revision"]
    changed = api.ask("PATCH", one, theirs, headers=held(seen))
    assert changed.status == 200
    now = changed.json["revision"]
    assert now != seen
    rows = len(api.ask("GET", "/api/audit").json["items"])
    refused = api.ask("PATCH", one, mine, headers=held(seen))
    assert (refused.status, refused.code) == (412, "precondition_failed")
    assert refused.json["error"]["revision"] == now
    assert len(api.ask("GET", "/api/audit").json["items"]) == rows
    if make != "/api/sites":  # a site is deleted by its name; what is in it has versions
        assert api.ask("DELETE", one, headers=held(seen)).status == 412
        assert api.ask("PATCH", one, mine, headers=held(now)).status == 200
    assert api.ask("PATCH", one, mine, headers=[("if-match", "W/nonsense")]).code == "invalid_input"
    listed = {item["revision"] for item in api.ask("GET", make).json["items"]}
    assert (now in listed) is (make == "/api/sites")


def test_a_setting_is_held_to_what_was_chosen(api: Api) -> None:
    one = "/api/settings/max_connections"
    seen = api.ask("GET", one).json["revision"]
    theirs = api.ask("PUT", one, {"value": 1234}, headers=held(seen)).json["revision"]
    for method, body in (("PUT", {"value": 99}), ("DELETE", None)):
        assert api.ask(method, one, body, headers=held(seen)).status == 412
    assert api.ask("GET", one).json["value"] == 1234
    assert api.ask("DELETE", one, headers=held(theirs)).json["revision"] == seen


def test_what_was_removed_meanwhile_is_not_found(api: Api) -> None:
    seen = api.ask("POST", LINK[0], LINK[1]).json["revision"]
    api.ask("DELETE", LINK[2])
    assert api.ask("PATCH", LINK[2], {"label": "x"}, headers=held(seen)).status == 404
