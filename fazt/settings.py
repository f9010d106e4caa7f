"""The table of all settings: name, type, default, unit, range, help, and whether a change is seen at once.

A value comes from the command line (this run), else the environment (`FAZT_<NAME>`), else the database, else the
default here. Rule: a number that an owner may want to change stands here and nowhere else.
"""

import hashlib
import logging
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fazt._speedups.hosts import normalise
from fazt.errors import InvalidInput

log = logging.getLogger("fazt.settings")

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_SOCKET_PATH = 100  # sun_path has 108 bytes with its NUL (unix(7)); some systems have 104
LONGEST_TEXT = 4096
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
LARGEST = 1 << 53  # what JSON carries exactly everywhere
HIDDEN = "[secret]"  # what is shown in the place of a secret that is set

Source = Literal["flag", "environment", "database", "default"]
Value = str | int | float


def _setting(
    default: Value,
    help_text: str,
    *,
    unit: str = "",
    low: float = 0,
    high: float = LARGEST,
    choices: Sequence[str] = (),
    live: bool = False,
    secret: bool = False,
) -> Any:
    """Describe a setting; `low` and `high` bound numbers, `live`: a running server takes a change at once.

    `secret`: a text that is sealed in the database, and shown nowhere.
    """
    about = {"help": help_text, "unit": unit, "low": low, "high": high, "choices": tuple(choices), "live": live}
    return field(default=default, metadata=about | {"secret": secret}, repr=not secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run of the server."""

    domain: str = _setting("localhost", "The domain under which sites answer.")
    http: str = _setting("127.0.0.1:4698", "Address and port of the HTTP listener.")
    https: str = _setting("", "Address and port of the HTTPS listener, such as :443; empty: there is none.")
    workers: int = _setting(
        1, "Processes that answer with pages, beside one for all else; 1: one process; 0: one for each core.", high=256
    )
    https_redirect: str = _setting(
        "yes",
        "Whether plain HTTP is sent to HTTPS, for hosts that have a certificate: yes or no.",
        choices=("yes", "no"),
        live=True,
    )
    hsts_s: int = _setting(
        604_800,
        "How long browsers that came by HTTPS ask for nothing else (HSTS); 0: they are not told to.",
        unit="s",
        high=63_072_000,
        live=True,
    )
    acme: str = _setting(
        "yes",
        "Whether certificates are ordered for the hosts of this server, where HTTPS is on: yes or no.",
        choices=("yes", "no"),
        live=True,
    )
    acme_directory: str = _setting(
        "letsencrypt",
        "The authority: letsencrypt, letsencrypt-staging, or the https URL of another one's ACME directory.",
        live=True,
    )
    acme_email: str = _setting("", "Where the authority may write to the owner.", live=True)
    acme_ca_file: str = _setting(
        "", "File with the certificates that an authority of one's own is believed by; empty: the system's.", live=True
    )
    acme_binding: str = _setting(
        "",
        "Account at an authority that only takes bound ones (EAB), as KEY_ID:HMAC_KEY; it gives you both.",
        live=True,
        secret=True,
    )
    acme_challenge: str = _setting(
        "auto",
        "How hosts are proven: http-01, tls-alpn-01, or auto, which goes by the ports.",
        choices=("auto", "http-01", "tls-alpn-01"),
        live=True,
    )
    acme_dns: str = _setting(
        "",
        "Who writes DNS records to prove *.DOMAIN: cloudflare, digitalocean, rfc2136, program, manual; empty: nobody.",
        choices=("", "cloudflare", "digitalocean", "rfc2136", "program", "manual"),
        live=True,
    )
    acme_dns_token: str = _setting("", "Token of Cloudflare's or DigitalOcean's API.", live=True, secret=True)
    acme_dns_server: str = _setting("", "Server that takes DNS updates (RFC 2136), as HOST or HOST:PORT.", live=True)
    acme_dns_key: str = _setting(
        "", "TSIG key for DNS updates, as NAME:ALGORITHM:SECRET, such as fazt:hmac-sha256:bm8=.", live=True, secret=True
    )
    www: str = _setting(
        "redirect-to-bare",
        "What www.DOMAIN does: redirect-to-bare, or redirect-to-www.",
        choices=("redirect-to-bare", "redirect-to-www"),
    )
    public_scheme: str = _setting(
        "", "Scheme of printed URLs where a proxy adds TLS: http or https; empty: http.", choices=("", "http", "https")
    )
    trusted_proxies: str = _setting(
        "",
        "Proxies that are believed about who asks (X-Forwarded-For), such as 127.0.0.1, 10.0.0.0/8; empty: none.",
        live=True,
    )
    page_cache_bytes: int = _setting(
        0, "Memory for pages; 0: a quarter of what the process may use.", unit="bytes", live=True
    )
    spill_cache_bytes: int = _setting(2 * GIB, "Disk for the spill cache beside the database.", unit="bytes", live=True)
    max_connections: int = _setting(20_000, "Connections held at once.", low=1, live=True)
    max_connections_per_address: int = _setting(
        1_000, "Connections held at once from one address off loopback.", low=1, live=True
    )
    header_timeout_s: float = _setting(
        10.0, "Time for a request's head to arrive.", unit="s", low=0.1, high=3600, live=True
    )
    idle_timeout_s: float = _setting(
        60.0, "Time that an idle connection is kept.", unit="s", low=0.1, high=86400, live=True
    )
    body_min_bytes_per_s: int = _setting(
        1024, "Slowest body that is waited for, after 10 s.", unit="bytes/s", live=True
    )
    write_timeout_s: float = _setting(
        30.0, "Time without progress after which a slow reader is cut.", unit="s", low=0.1, high=86400, live=True
    )
    shutdown_grace_s: float = _setting(
        30.0, "Time that requests under way get when the server stops.", unit="s", high=3600, live=True
    )
    max_file_bytes: int = _setting(2 * GIB, "Largest file of a site.", unit="bytes", low=1, live=True)
    max_site_bytes: int = _setting(10 * GIB, "Largest version of a site.", unit="bytes", low=1, live=True)
    max_site_files: int = _setting(100_000, "Most files of a version.", low=1, live=True)
    function_cpu_s: float = _setting(
        5.0, "CPU time of one call of a function.", unit="s", low=0.01, high=3600, live=True
    )
    function_timeout_s: float = _setting(
        30.0, "Time until a function must have answered.", unit="s", low=0.05, high=86400, live=True
    )
    function_memory_bytes: int = _setting(
        128 * MIB, "Memory of the functions of one site.", unit="bytes", low=16 * MIB, live=True
    )
    function_concurrency: int = _setting(
        50, "Calls of one site's functions at a time; as many may wait.", low=1, high=10000, live=True
    )
    function_request_bytes: int = _setting(10 * MIB, "Largest body that a function is sent.", unit="bytes", live=True)
    function_response_bytes: int = _setting(
        32 * MIB, "Largest answer of a function that is no stream.", unit="bytes", live=True
    )
    functions_memory_bytes: int = _setting(
        0, "Memory for idle functions; 0: a quarter of what there is.", unit="bytes", live=True
    )
    backup_every_h: int = _setting(
        24, "Hours from one backup that is made by itself to the next; 0: none is.", unit="h", high=8784, live=True
    )
    backup_folder: str = _setting("", "Where backups are kept; empty: beside the database, in its name + .backups.")
    backup_keep_last: int = _setting(3, "Newest backups that stay.", low=1, high=10_000, live=True)
    backup_keep_daily: int = _setting(7, "Days of which the newest backup stays.", high=10_000, live=True)
    backup_keep_weekly: int = _setting(4, "Weeks of which the newest backup stays.", high=10_000, live=True)
    backup_keep_monthly: int = _setting(6, "Months of which the newest backup stays.", high=10_000, live=True)
    country_database: str = _setting(
        "", "Path of a MaxMind database (.mmdb) that tells the countries of visitors; empty: they are not counted."
    )
    notifications_private: str = _setting(
        "",
        "Private networks that notifications may reach, such as 192.168.0.0/16, fd00::/8; empty: none.",
        live=True,
    )
    error_burst: int = _setting(20, "Failures of a site within 5 minutes that the owner is told of.", low=1, live=True)
    disk_low_percent: int = _setting(
        10, "Free share of the disk below which the owner is told; 0: never.", unit="%", high=100, live=True
    )
    disk_reserve_bytes: int = _setting(
        0,
        "Free space on the disk that growth leaves; 0: 2 % of it, 64 MB to 1 GB, at most a tenth.",
        unit="bytes",
        live=True,
    )
    read_only: str = _setting(
        "no",
        "yes: everything can be read and nothing changed; settings alone can.",
        choices=("no", "yes"),
        live=True,
    )
    releases_url: str = _setting("", "Where `fazt upgrade` finds releases; empty: nowhere.", live=True)
    log_history_lines: int = _setting(20_000, "Access and error lines kept in the database.", high=10000000, live=True)


class Because(NamedTuple):
    """Where a value stands: what a source says, None where it says nothing."""

    source: Source
    value: Value | None


def find(name: str) -> "Field[Any]":
    """Return the setting of that name.

    Raises: InvalidInput.
    """
    for setting in fields(Settings):
        if setting.name == name:
            return setting
    raise InvalidInput(f"There is no setting {name!r}; `fazt config list` shows all.")


def is_secret(name: str) -> bool:
    """Tell whether a setting is one whose value is shown nowhere; a name that there is not is none."""
    return any(setting.name == name and setting.metadata["secret"] for setting in fields(Settings))


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"FAZT_{name.upper()}"


def check_value(name: str, value: object, called: str = "") -> Value:
    """Return a value as its setting has it, whether it came as text or as JSON; `called`: its name in messages.

    Raises: InvalidInput where it is of another type, too small, too large or none of the choices.
    """
    setting, called = find(name), called or name
    about = setting.metadata
    kind: type[Any] = type(setting.default)
    if kind is str:
        if not isinstance(value, str):
            raise InvalidInput(f"{called} must be text, not {value!r}.")
        if about["secret"] and value == HIDDEN:
            raise InvalidInput(f"{HIDDEN} is what is shown in the place of {called}; send the value itself.")
        _check_text(called, value, about["choices"])
        if name in SYNTAX:
            SYNTAX[name](value)
        return value
    number = _number(kind, value)
    if number is None:
        raise InvalidInput(f"{called} must be {'a whole number' if kind is int else 'a number'}, not {value!r}.")
    if not about["low"] <= number <= about["high"]:
        high = "" if about["high"] >= LARGEST else f" and at most {about['high']:g}"
        raise InvalidInput(f"{called} must be at least {about['low']:g}{high}, not {number:g}.")
    return number


def _check_text(called: str, value: str, choices: Sequence[str]) -> None:
    if choices and value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise InvalidInput(f"{called} must be one of {allowed}, not {value!r}.")
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise InvalidInput(f"{called} must be one line of at most {LONGEST_TEXT} characters.")


def _number(kind: type[Value], value: object) -> int | float | None:
    """Return a number of a kind, None where that is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(value) if kind is int else float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or (isinstance(value, float) and number != value):
        return None
    return number


def because(
    name: str, flags: Mapping[str, object], environment: Mapping[str, str], stored: Mapping[str, Value]
) -> list[Because]:
    """Return what each source says of a setting, the strongest first; the first that says anything counts.

    Raises: InvalidInput.
    """
    default: Any = find(name).default
    flag, said = flags.get(name), environment.get(variable(name))
    return [
        Because("flag", None if flag is None else check_value(name, flag)),
        Because("environment", None if said is None else check_value(name, said, variable(name))),
        Because("database", stored.get(name)),
        Because("default", default),
    ]


def load_settings(
    flags: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
    stored: Mapping[str, Value] | None = None,
) -> Settings:
    """Return the settings for one run; a flag that is None does not count.

    Raises: InvalidInput, naming the setting whose value cannot be.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        said = because(setting.name, flags, environment, stored or {})
        values[setting.name] = next(each.value for each in said if each.value is not None)
    return Settings(**values)


class LiveSettings:
    """The settings of this process: what each source says, what counts now, and who is told when that changes.

    Rule: what a running server cannot change stays as it was when the process began; `waiting` names it.
    """

    def __init__(
        self,
        flags: Mapping[str, object],
        environment: Mapping[str, str] | None = None,
        stored: Mapping[str, Value] | None = None,
    ) -> None:
        """Settle what counts. Raises: InvalidInput where a flag or a variable cannot be."""
        self._flags = {name: value for name, value in flags.items() if value is not None}
        self._environment = os.environ if environment is None else environment
        self._stored = _usable(stored or {})
        self._listeners: list[Callable[[Settings], None]] = []
        self.now = load_settings(self._flags, self._environment, self._stored)
        self.waiting: tuple[str, ...] = ()

    def follow(self, listener: Callable[[Settings], None]) -> None:
        """Call `listener(settings)` after each change."""
        self._listeners.append(listener)

    def take(self, stored: Mapping[str, Value]) -> None:
        """Know what the database says now, and tell everybody whom that changes."""
        self._stored = _usable(stored)
        wanted = load_settings(self._flags, self._environment, self._stored)
        differing = [each for each in fields(Settings) if getattr(wanted, each.name) != getattr(self.now, each.name)]
        self.waiting = tuple(each.name for each in differing if not each.metadata["live"])
        changed = {each.name: getattr(wanted, each.name) for each in differing if each.metadata["live"]}
        if changed:
            self.now = replace(self.now, **changed)
            for listener in self._listeners:
                listener(self.now)

    def because(self, name: str) -> list[Because]:
        """Return what each source says of a setting, the strongest first. Raises: InvalidInput."""
        return because(name, self._flags, self._environment, self._stored)


def _usable(stored: Mapping[str, Value]) -> dict[str, Value]:
    """Return what of the stored settings can be: an older or a newer Fazt may have known others."""
    usable = {}
    for name, value in stored.items():
        try:
            usable[name] = check_value(name, value)
        except InvalidInput as error:
            log.warning("a stored setting does not count: %s", error.message)
    return usable


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
    """Return the Unix socket of the server of a database: beside the file where that can be, else in a short place."""
    real = os.path.realpath(path)
    beside = f"{real}.sock"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET_PATH and not _is_on_read_only_disk(real):
        return Path(beside)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    # Everybody may write to /tmp: the socket has mode 0600, and whoever connects to it looks at its owner first.
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp", f"fazt-{digest}.sock")  # noqa: S108


def _is_on_read_only_disk(path: str) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:  # it is not there yet
        return False


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


def check_domain(domain: str) -> str:
    """Return a server's domain, normalised.

    Raises: InvalidInput.
    """
    normal = normalise(domain.encode("ascii", "replace"))
    if normal is None or ":" in domain:
        raise InvalidInput(f"{domain!r} is not a domain; write it as example.org (other letters as xn--...).")
    return normal


def read_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks that a text lists with commas between them, such as 192.168.0.0/16, fd00::/8.

    Raises: InvalidInput.
    """
    try:
        return tuple(ip_network(each.strip(), strict=False) for each in text.split(",") if each.strip())
    except ValueError:
        raise InvalidInput(f"{text!r} is no list of networks; write them as 192.168.0.0/16, fd00::/8.") from None


AUTHORITIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}


def authority_url(text: str) -> str:
    """Return the URL of an authority's directory. Raises: InvalidInput."""
    url = AUTHORITIES.get(text, text)
    if not url.startswith("https://") or not url.isascii() or " " in url:
        raise InvalidInput(f"{text!r} is no authority: write letsencrypt, letsencrypt-staging, or a URL with https.")
    return url


def read_binding(text: str) -> tuple[str, str] | None:
    """Return the id and the key (base64url) by which an account is bound (RFC 8555 7.3.4). Raises: InvalidInput."""
    if not text:
        return None
    id, _, key = text.strip().rpartition(":")
    key = key.translate(str.maketrans("+/", "-_")).rstrip("=")  # some authorities show it as plain base64
    if not id or not re.fullmatch(r"[A-Za-z0-9_-]{16,}", key) or len(key) % 4 == 1:
        raise InvalidInput(
            "acme_binding is no KEY_ID:HMAC_KEY; both are shown by the authority where it binds accounts."
        )
    return id, key


SYNTAX: dict[str, Callable[[str], object]] = {
    "acme_binding": read_binding,
    "acme_directory": authority_url,
    "domain": check_domain,
    "http": listen_address,
    "https": lambda text: listen_address(text) if text else None,
    "notifications_private": read_networks,
    "trusted_proxies": read_networks,
}


def public_url(settings: Settings, host: str) -> str:
    """Return the URL of a host as visitors see it: `http[s]://host[:port]/`; without the port behind a proxy."""
    if settings.public_scheme:
        return f"{settings.public_scheme}://{host}/"
    scheme = "https" if settings.https else "http"
    port = listen_address(settings.https or settings.http)[1]
    return f"{scheme}://{host}/" if port == DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}/"


def backup_folder(settings: Settings, database: Path) -> Path:
    """Return the folder in which the backups of a database are kept."""
    if settings.backup_folder:
        return database.parent / Path(settings.backup_folder).expanduser()
    return database.with_name(f"{database.name}.backups")
