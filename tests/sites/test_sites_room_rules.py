"""The key `rooms` of `fazt.json`: which rule is that of a room, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.errors import InvalidRules
from fazt.sites.manifest import Manifest, parse_manifest
from fazt.sites.room_rules import RoomRule, RoomRules, read_rooms


def read(rooms: Any) -> RoomRules:
    return read_rooms(parse_manifest(json.dumps({"rooms": rooms}).encode()).rest)


def test_a_site_that_says_nothing_has_any_room() -> None:
    assert read_rooms({}).find("anything") == RoomRule("*", "same-origin", "members", 100, True, None, None)


def test_a_site_that_lists_rooms_has_no_others() -> None:
    rules = read(
        {
            "*": {"send": "nobody"},
            "game-*": {"join": "anyone", "handler": "game"},
            "game-hall": {"history": 0, "presence": False, "members": 5},
            "game-hall-*": {"join": "function", "send": "function"},
        }
    )
    assert rules.find("game-hall") == RoomRule("game-hall", history=0, presence=False, members=5)
    assert rules.find("game-hall-1") == RoomRule("game-hall-*", "function", "function")
    assert rules.find("game-1") == RoomRule("game-*", "anyone", handler="game")
    assert rules.find("other") == RoomRule("*", send="nobody")
    assert read({"chat": {}}).find("other") is None
    assert read({"chat": {}}).find("chats") is None
    assert read({}).find("chat") is None


def test_the_manifest_keeps_them() -> None:
    rooms = {"chat": {"history": 5}}
    manifest = Manifest.from_json(
        json.loads(json.dumps(parse_manifest(json.dumps({"rooms": rooms}).encode()).as_json()))
    )
    assert read_rooms(manifest.rest).find("chat") == RoomRule("chat", history=5)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{\n"rooms": null}', 2, "rooms must be an object"),
        ('{"rooms": {\n"": {}}}', 2, "no name of rooms"),
        ('{"rooms": {\n"**": {}}}', 2, "no name of rooms"),
        ('{"rooms": {\n"a*b": {}}}', 2, "no name of rooms"),
        ('{"rooms": {\n"a/b": {}}}', 2, "no name of rooms"),
        ('{"rooms": {\n"chat": true}}', 2, "must have an object"),
        ('{"rooms": {"chat": {\n"joins": "x"}}}', 2, "'joins' is not known here"),
        ('{"rooms": {"chat": {\n\n"join": ["anyone"]}}}', 3, 'join must be "same-origin", "anyone" or "function"'),
        ('{"rooms": {"chat": {"send": null}}}', 1, "send must be"),
        ('{"rooms": {"chat": {"history": 1001}}}', 1, "from 0 to 1000"),
        ('{"rooms": {"chat": {"history": true}}}', 1, "history must be a whole number"),
        ('{"rooms": {"chat": {"history": null}}}', 1, "history must be a whole number"),
        ('{"rooms": {"chat": {"members": 0}}}', 1, "from 1 to 10000"),
        ('{"rooms": {"chat": {"presence": 1}}}', 1, "presence must be true or false"),
        ('{"rooms": {"chat": {"handler": "../x"}}}', 1, "handler must be"),
        ('{"rooms": {"chat": {"handler": null}}}', 1, "handler must be"),
        (json.dumps({"rooms": {f"r{number}": {} for number in range(101)}}), 1, "100 entries"),
    ],
)
def test_what_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRules, match=words) as caught:
        parse_manifest(text.encode())
    assert caught.value.message.startswith(f"fazt.json:{line}: ")


names = st.from_regex(r"\A[a-c][a-c-]{0,3}\Z")


@given(st.dictionaries(st.tuples(names, st.booleans()), st.integers(0, 1000), max_size=8), names)
def test_the_most_exact_rule_decides(histories: dict[tuple[str, bool], int], room: str) -> None:
    rules = read({name + "*" * many: {"history": history} for (name, many), history in histories.items()})
    found = [(not many, len(name), history) for (name, many), history in histories.items()
             if (room.startswith(name) if many else room == name)]  # fmt: skip
    rule = rules.find(room)
    assert (rule.history if rule else None) == (max(found)[2] if found else None)


def test_a_value_that_nobody_checked() -> None:
    with pytest.raises(InvalidRules, match="rooms must be an object"):
        read_rooms({"rooms": 1})
