"""A secret from where it may come: a pipe, a file or a prompt.

Rule: never from the command line, where the shell's history and the list of processes have it.
"""

import sys

import click

from fazt.errors import InvalidInput


def read_secret(name: str, path: str | None) -> str:
    """Return a secret out of a file, a pipe, or what is typed at a prompt; a line end behind it does not belong to it.

    Raises: InvalidInput.
    """
    try:
        if path is not None:
            with click.open_file(path, "rb") as file:
                value = str(file.read().decode())
        elif sys.stdin.isatty():
            return str(click.prompt(name, hide_input=True, err=True))
        else:
            value = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise InvalidInput("A secret is text in UTF-8; this is not.") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise InvalidInput("The value is empty. Give it through a pipe, a file, or at the prompt.")
    return value
