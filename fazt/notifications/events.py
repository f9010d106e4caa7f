"""The kinds of events that the owner can be told of, and what one may say.

Rule: titles and texts come from all over the server, names and messages that others chose among them; what leaves here
is bounded and holds no control character.
"""

import re
from typing import Literal, Protocol, get_args

from fazt.store.notifications import Event

Kind = Literal["deploy", "error_burst", "disk", "sign_in", "certificate", "backup"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TEST = "test"
LONGEST_TITLE = 200
LONGEST_TEXT = 3500  # ntfy makes an attachment of what is longer than 4096 bytes
# C0, C1, line separators, and what turns the direction of writing round
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CONTROLS_OF_TEXT = re.compile(CONTROLS.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))


class Notify(Protocol):
    """What other parts are given to raise an event."""

    def __call__(self, kind: Kind, title: str, text: str, site: str | None = None) -> None:
        """Tell the owner, without waiting for it."""


def make_event(kind: str, title: str, text: str, site: str | None, at_ms: int) -> Event:
    """Return an event as it may be told: one line, then a text."""
    title = CONTROLS.sub(" ", title).strip()[:LONGEST_TITLE]
    return Event(kind, title or kind, CONTROLS_OF_TEXT.sub(" ", text).strip()[:LONGEST_TEXT], site, at_ms)
