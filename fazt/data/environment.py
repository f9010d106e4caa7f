"""`env` and `secrets` of a site: values on their way into the store and out of it.

Rule: a value is sealed before it is stored and opened only for the site's own functions, or for a list of what is no
secret; nothing here puts one into a message, a log line or a `repr`.
"""

from dataclasses import dataclass, field

import apsw

from fazt.data.variable_names import check_name
from fazt.errors import InvalidInput, StoreError, TooLarge
from fazt.store import environment as store
from fazt.store import sites
from fazt.store.environment import Variable

MOST_VALUE_BYTES = 32 * 1024
PLAIN = b"\0"  # the first byte of a sealed value says how it is sealed: not at all, so far


@dataclass(frozen=True, slots=True)
class Environment:
    """What a site's functions are started with."""

    env: dict[str, str] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)


def load(connection: apsw.Connection, site_id: int) -> Environment:
    """Return everything that a site's functions are given.

    Raises: StoreError where a value was sealed in a way that this version does not know.
    """
    found = store.load(connection, site_id)
    return Environment(
        {each.name: unseal(each) for each in found if not each.secret},
        {each.name: unseal(each) for each in found if each.secret},
    )


def list_env(connection: apsw.Connection, site: str) -> list[tuple[Variable, str]]:
    """Return what is no secret, with values.

    Raises: SiteNotFound.
    """
    found = store.load(connection, sites.get(connection, site).id)
    return [(each, unseal(each)) for each in found if not each.secret]


def list_secrets(connection: apsw.Connection, site: str) -> list[Variable]:
    """Return the secrets, of which nobody learns more than their names.

    Raises: SiteNotFound.
    """
    found = store.list_names(connection, sites.get(connection, site).id)
    return [each for each in found if each.secret]


def put(connection: apsw.Connection, site: str, name: str, value: str, secret: bool) -> Variable:
    """Give a name a value; functions that start from now on have it.

    Raises: InvalidInput, TooLarge, SiteNotFound, SiteLocked, Conflict, OverQuota.
    """
    check_name(name)
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"The value of {name} is not valid UTF-8.") from None
    if len(data) > MOST_VALUE_BYTES:
        raise TooLarge(f"The value of {name} has {len(data)} bytes; at most {MOST_VALUE_BYTES} are allowed.")
    return store.put(connection, site, name, seal(data), secret)


def remove(connection: apsw.Connection, site: str, name: str, secret: bool) -> None:
    """Take a name away; functions that start from now on lack it.

    Raises: SiteNotFound, SiteLocked, NotFound.
    """
    store.remove(connection, site, name, secret)


def seal(value: bytes) -> bytes:
    """Return a value as it is stored. This and `unseal` are the only two places where a value meets its stored form."""
    return PLAIN + value


def unseal(variable: Variable) -> str:
    """Return the value that was sealed.

    Raises: StoreError.
    """
    if variable.value is None or not variable.value.startswith(PLAIN):
        raise StoreError(f"The value of {variable.name} was stored by a newer Fazt; upgrade this one to use it.")
    return variable.value[len(PLAIN) :].decode()
