"""`env` and `secrets` of a site: values on their way into the store and out of it.

Rule: a secret is opened only for the site's own functions; nothing here puts one into a message, a log line or a
`repr`.
"""

from dataclasses import dataclass, field

import apsw

from fazt.data.variable_names import check_name
from fazt.errors import InvalidInput, TooLarge
from fazt.store import environment as store
from fazt.store import sites
from fazt.store.environment import Variable

MOST_VALUE_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Environment:
    """What a site's functions are started with."""

    env: dict[str, str] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)


def load(connection: apsw.Connection, site_id: int) -> Environment:
    """Return everything that a site's functions are given.

    Raises: SecretsLocked where the key of its secrets is missing; StoreError.
    """
    found = store.load(connection, site_id)
    return Environment(
        {each.name: _text(each) for each in found if not each.secret},
        {each.name: _text(each) for each in found if each.secret},
    )


def list_env(connection: apsw.Connection, site: str) -> list[tuple[Variable, str]]:
    """Return what is no secret, with values.

    Raises: SiteNotFound.
    """
    found = store.list_kind(connection, sites.get(connection, site).id, secret=False)
    return [(each, _text(each)) for each in found]


def list_secrets(connection: apsw.Connection, site: str) -> list[Variable]:
    """Return the secrets, of which nobody learns more than their names.

    Raises: SiteNotFound.
    """
    return store.list_kind(connection, sites.get(connection, site).id, secret=True)


def put(connection: apsw.Connection, site: str, name: str, value: str, secret: bool) -> Variable:
    """Give a name a value; functions that start from now on have it.

    Raises: InvalidInput, TooLarge, SiteNotFound, SiteLocked, Conflict, OverQuota, SecretsLocked.
    """
    check_name(name)
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"The value of {name} is not valid UTF-8.") from None
    if len(data) > MOST_VALUE_BYTES:
        raise TooLarge(f"The value of {name} has {len(data)} bytes; at most {MOST_VALUE_BYTES} are allowed.")
    return store.put(connection, site, name, data, secret)


def remove(connection: apsw.Connection, site: str, name: str, secret: bool) -> None:
    """Take a name away; functions that start from now on lack it.

    Raises: SiteNotFound, SiteLocked, NotFound.
    """
    store.remove(connection, site, name, secret)


def _text(variable: Variable) -> str:
    assert variable.value is not None
    return variable.value.decode()
