"""The table of all settings: name, type, default, unit, help.

A value comes from the command line (this run), else the environment (`FAZT_<NAME>`), else the default here.
Rule: a number that an owner may want to change stands here and nowhere else.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fazt.errors import InvalidInput

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def _setting(default: Any, help_text: str, *, unit: str = "") -> Any:
    return field(default=default, metadata={"help": help_text, "unit": unit})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run of the server."""

    domain: str = _setting("localhost", "The domain under which sites answer.")
    http: str = _setting("127.0.0.1:4698", "Address and port of the HTTP listener.")
    www: str = _setting("redirect-to-bare", "What www.DOMAIN does: redirect-to-bare, or redirect-to-www.")
    public_scheme: str = _setting("", "Scheme of printed URLs where a proxy adds TLS: http or https; empty: http.")
    page_cache_bytes: int = _setting(0, "Memory for pages; 0: a quarter of what the process may use.", unit="bytes")
    spill_cache_bytes: int = _setting(2 * GIB, "Disk for the spill cache beside the database.", unit="bytes")
    max_connections: int = _setting(20_000, "Connections held at once.")
    max_connections_per_address: int = _setting(1_000, "Connections held at once from one address off loopback.")
    header_timeout_s: float = _setting(10.0, "Time for a request's head to arrive.", unit="s")
    idle_timeout_s: float = _setting(60.0, "Time that an idle connection is kept.", unit="s")
    body_min_bytes_per_s: int = _setting(1024, "Slowest body that is waited for, after a grace of 10 s.", unit="bytes/s")
    write_timeout_s: float = _setting(30.0, "Time without progress after which a slow reader is cut.", unit="s")
    shutdown_grace_s: float = _setting(30.0, "Time that requests under way get when the server stops.", unit="s")
    max_file_bytes: int = _setting(2 * GIB, "Largest file of a site.", unit="bytes")
    max_site_bytes: int = _setting(10 * GIB, "Largest version of a site.", unit="bytes")
    max_site_files: int = _setting(100_000, "Most files of a version.")
    log_history_lines: int = _setting(20_000, "Access and error lines kept in the database.")


def load_settings(flags: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings for one run; a flag that is None does not count.

    Raises: InvalidInput, naming the setting whose value is of the wrong type.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = f"FAZT_{setting.name.upper()}"
        if flags.get(setting.name) is not None:
            values[setting.name] = flags[setting.name]
        elif variable in environment:
            kind = type(setting.default)
            try:
                values[setting.name] = kind(environment[variable])
            except ValueError:
                raise InvalidInput(f"{variable} must be of type {kind.__name__}, not {environment[variable]!r}.") from None
    return Settings(**values)


def database_path(flag: str | None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the database's path: `--db`, else `FAZT_DB`, else ./data.db if it exists, else the user's own."""
    environment = os.environ if environment is None else environment
    chosen = flag or environment.get("FAZT_DB")
    if chosen:
        return Path(chosen).expanduser()
    here = Path("data.db")
    if here.exists():
        return here
    data_home = environment.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "fazt" / "data.db"
