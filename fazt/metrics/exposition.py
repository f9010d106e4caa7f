"""The text exposition format of Prometheus, version 0.0.4: families of samples → text.

Rule: a family stands once and in one piece, and all text that a site or a stranger chose is escaped.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name; a counter only rises as long as the server runs, and its name ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[Sample, ...]


def gauge(name: str, help_text: str, value: float) -> Family:
    """Return a family of one value that goes up and down."""
    return Family(name, "gauge", help_text, (({}, value),))


def counter(name: str, help_text: str, value: float) -> Family:
    """Return a family of one value that only rises."""
    return Family(name, "counter", help_text, (({}, value),))


def write(families: Iterable[Family]) -> str:
    """Return families as text; one without samples is left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines.append(f"# HELP {family.name} {_escape(family.help)}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines.extend(f"{family.name}{_labels(labels)} {_number(value)}" for labels, value in family.samples)
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(value).replace(chr(34), chr(92) + chr(34))}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
