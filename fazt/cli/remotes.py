"""The servers that this user knows by a name, with their tokens: one file that only its owner can read."""

import ipaddress
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from fazt.errors import InvalidInput, NotFound

HOST = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class Remote:
    """Another Fazt: the URL of its dashboard's host and the token it knows us by."""

    name: str
    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Remotes:
    """All remotes, and which one is used where none is named."""

    current: str | None
    items: tuple[Remote, ...]


def path() -> Path:
    """Return where the remotes are kept."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "fazt" / "remotes.json"


def load() -> Remotes:
    """Return the remotes.

    Raises: InvalidInput where the file is damaged.
    """
    try:
        stored = orjson.loads(path().read_bytes())
        return Remotes(stored["current"], tuple(Remote(**item) for item in stored["items"]))
    except FileNotFoundError:
        return Remotes(None, ())
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path()} is damaged: mend or delete it.") from error


def save(remotes: Remotes) -> None:
    """Write the remotes, whole or not at all, for this user alone."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = place.with_suffix(".new")
    content = {"current": remotes.current, "items": [asdict(item) for item in remotes.items]}
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    new.replace(place)


def find(name: str) -> Remote:
    """Return a remote by its name.

    Raises: NotFound.
    """
    known = load().items
    for remote in known:
        if remote.name == name:
            return remote
    names = ", ".join(remote.name for remote in known) or "none yet"
    raise NotFound(
        f"There is no remote '{name}' (known: {names}). Add it: fazt remote add {name} https://dashboard.DOMAIN"
    )


def is_localhost(host: str) -> bool:
    """Tell whether a name can only mean this machine (RFC 6761 6.3)."""
    return host == "localhost" or host.endswith(".localhost")


def _is_loopback(host: str) -> bool:
    try:
        return is_localhost(host) or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, *, insecure: bool) -> str:
    """Return the URL of a remote without its path.

    Raises: InvalidInput; a token never goes over an open network in the clear unless that was asked for.
    """
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = (parts.hostname or "").encode("idna").decode().lower()
        port = parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if (
        not HOST.fullmatch(host)
        or parts.scheme not in ("http", "https")
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise InvalidInput(f"'{url}' is not the URL of a server; it looks like https://dashboard.example.org")
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        raise InvalidInput(f"{url} would send the token in the clear: use https, or say --insecure.")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
