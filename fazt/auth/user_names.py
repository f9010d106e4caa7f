"""Names of users: short, lower-case, without what could be mistaken or break a line."""

import re

from fazt.errors import InvalidName

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?")


def check_user_name(name: str) -> str:
    """Return a name in its one form.

    Raises: InvalidName.
    """
    normal = name.strip().lower()
    if not NAME.fullmatch(normal):
        raise InvalidName(
            "A user's name has 1 to 32 characters: letters a to z, digits, and inside of it also '.', '-' and '_'."
        )
    return normal
