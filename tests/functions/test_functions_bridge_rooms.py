"""`fazt.rooms` as scripts see it: what each method asks of the host."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from py_mini_racer import MiniRacer

SOURCE = Path(__file__).parents[2] / "fazt" / "functions" / "js" / "src" / "bridge" / "rooms.js"
HOST = """
const asked = [];
const fazt = { rooms: rooms({ call: async (op, value, bytes) => { asked.push([op, value]); return { value: op }; } }) };
const ask = async (script) => JSON.stringify([await script(fazt.rooms), asked]);
"""


@pytest.mark.parametrize(
    ("script", "operation", "value"),
    [
        ("get('chat').broadcast({a: 1})", "rooms.broadcast", {"data": {"a": 1}}),
        ("get('chat').broadcast()", "rooms.broadcast", {"data": None}),
        ("get('chat').members()", "rooms.members", {}),
        ("get('chat').history()", "rooms.history", {"since": None}),
        ("get('chat').history({ since: 5 })", "rooms.history", {"since": 5}),
        ("get('chat').send('m', [1])", "rooms.send", {"member": "m", "data": [1]}),
        ("get('chat').close('m')", "rooms.kick", {"member": "m", "reason": ""}),
        ("get('chat').close('m', 'x'.repeat(500))", "rooms.kick", {"member": "m", "reason": "x" * 100}),
    ],
)
def test_what_is_asked(script: str, operation: str, value: dict[str, Any]) -> None:
    source = re.sub(r"^export ", "", SOURCE.read_text(), flags=re.MULTILINE)
    with MiniRacer() as racer:
        racer.eval(source + HOST)
        answer, asked = json.loads(str(racer.eval(f"ask((rooms) => rooms.{script})").get(timeout=10)))  # type: ignore
    assert answer == operation
    assert asked == [[operation, {"room": "chat", **value}]]
