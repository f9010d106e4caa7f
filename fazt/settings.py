"""The table of all settings: name, type, default, unit, help.

A value comes from the command line (this run), else the environment (`FAZT_<NAME>`), else the default here.
Rule: a number that an owner may want to change stands here and nowhere else.
"""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fazt.errors import InvalidInput

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_SOCKET_PATH = 100  # sun_path has 108 bytes with its NUL (unix(7)); some systems have 104
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
    body_min_bytes_per_s: int = _setting(1024, "Slowest body that is waited for, after 10 s.", unit="bytes/s")
    write_timeout_s: float = _setting(30.0, "Time without progress after which a slow reader is cut.", unit="s")
    shutdown_grace_s: float = _setting(30.0, "Time that requests under way get when the server stops.", unit="s")
    max_file_bytes: int = _setting(2 * GIB, "Largest file of a site.", unit="bytes")
    max_site_bytes: int = _setting(10 * GIB, "Largest version of a site.", unit="bytes")
    max_site_files: int = _setting(100_000, "Most files of a version.")
    function_cpu_s: float = _setting(5.0, "CPU time of one call of a function.", unit="s")
    function_timeout_s: float = _setting(30.0, "Time until a function must have answered.", unit="s")
    function_memory_bytes: int = _setting(128 * MIB, "Memory of the functions of one site.", unit="bytes")
    function_concurrency: int = _setting(50, "Calls of one site's functions at a time; as many may wait.")
    function_request_bytes: int = _setting(10 * MIB, "Largest body that a function is sent.", unit="bytes")
    function_response_bytes: int = _setting(32 * MIB, "Largest answer of a function that is no stream.", unit="bytes")
    functions_memory_bytes: int = _setting(0, "Memory for idle functions; 0: a quarter of what there is.", unit="bytes")
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
            kind: type[Any] = type(setting.default)
            try:
                values[setting.name] = kind(environment[variable])
            except ValueError:
                given = environment[variable]
                raise InvalidInput(f"{variable} must be of type {kind.__name__}, not {given!r}.") from None
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


def socket_path(path: Path) -> Path:
    """Return the Unix socket of the server of a database: beside the file, or in a short place if that is too long."""
    real = os.path.realpath(path)
    beside = f"{real}.sock"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET_PATH:
        return Path(beside)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    # Everybody may write to /tmp: the socket has mode 0600, and whoever connects to it looks at its owner first.
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp", f"fazt-{digest}.sock")  # noqa: S108


def listen_address(http: str) -> tuple[str, int]:
    """Return host and port of an address such as 127.0.0.1:4698, [::1]:4698 or :80 (every address of the machine).

    Raises: InvalidInput.
    """
    host, colon, port = http.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (
        not colon
        or not port.isascii()
        or not port.isdigit()
        or not 0 < int(port) < 65536
        or (":" in host and bare == host)
    ):
        raise InvalidInput(f"{http!r} is not an address to listen on; write it as 127.0.0.1:4698 or [::1]:4698.")
    return bare, int(port)


def public_url(settings: Settings, host: str) -> str:
    """Return the URL of a host as visitors see it: `http://host[:port]/`; without the port behind a proxy."""
    if settings.public_scheme:
        return f"{settings.public_scheme}://{host}/"
    port = listen_address(settings.http)[1]
    return f"http://{host}/" if port == DEFAULT_PORTS["http"] else f"http://{host}:{port}/"


def memory_limit_bytes(root: Path = Path("/")) -> int:
    """Return the memory that this process may use: the machine's, or less where a control group allows less."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_group_limits(root)]
    return min(limits)


def _group_limits(root: Path) -> Iterator[int]:
    """Yield the limits of the process's control groups and of those above them (cgroups(7), versions 1 and 2)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # a system without control groups
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        folder = top / group.lstrip("/")
        while folder.is_relative_to(top):
            try:
                text = (folder / name).read_text().strip()
            except OSError:  # inside a container the outer groups cannot be seen
                text = "max"
            yield int(text) if text.isdigit() else sys.maxsize
            folder = folder.parent
