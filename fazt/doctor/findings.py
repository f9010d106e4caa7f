"""What a check says: one line on what is so, and where something is wrong, the exact fix."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `fix` is empty where nothing is to be done."""

    check: str
    state: State
    what: str
    fix: str = ""
