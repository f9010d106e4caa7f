"""Address -> country, by the MaxMind database that the owner names; without one nobody's country is known.

Rule: a database that cannot be read is told once, and costs no visitor anything.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fazt.visits.agents import KEPT

log = logging.getLogger("fazt.visits")

Countries = Callable[[str], str]  # address -> code of a country (ISO 3166-1), "" where it is not known


def open_countries(path: str) -> Countries:
    """Return the look-up in the database at a path; "": there is none."""
    if not path:
        return _nowhere
    import maxminddb  # most servers have no such database

    try:
        reader: Any = maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        log.warning("the setting country_database does not count: %s: %s", path, error)
        return _nowhere

    @lru_cache(maxsize=KEPT)
    def find(address: str) -> str:
        try:
            return country_of(reader.get(address.partition("%")[0]))
        except (ValueError, maxminddb.InvalidDatabaseError):  # no address, or one that the database cannot hold
            return ""

    return find


def country_of(entry: Any) -> str:
    """Return the code in an entry of a database of countries or cities."""
    for key in ("country", "registered_country"):
        inner = entry.get(key) if isinstance(entry, dict) else None
        code = inner.get("iso_code") if isinstance(inner, dict) else None
        if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
            return code.upper()
    return ""


def _nowhere(address: str) -> str:
    return ""
