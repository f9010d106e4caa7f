"""How a variable or a secret of a site may be called.

It stands by itself so that the command line can check a name without loading the store.
"""

import re

from fazt.errors import InvalidInput

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def check_name(name: str) -> str:
    """Return a name that is allowed.

    Raises: InvalidInput.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput("A name has letters, digits and '_', begins with no digit, and has at most 128 characters.")
    return name
