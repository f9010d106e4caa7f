"""A secret from where it may come: a pipe, a file or a prompt.

Rule: never from the command line, where the shell's history and the list of processes have it.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

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


def secret_options(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add --secret, which `text` explains, and --secret-file; the command is given `secret` (None: neither is used)."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_secret(*args: Any, asks_secret: bool, secret_path: str | None, **options: Any) -> None:
            wanted = asks_secret or secret_path is not None
            command(*args, secret=read_secret("Secret", secret_path) if wanted else None, **options)

        place = click.Path(dir_okay=False)
        from_file = click.option(
            "--secret-file", "secret_path", metavar="FILE", type=place, help="Take it from a file."
        )
        return click.option("--secret", "asks_secret", is_flag=True, help=text)(from_file(with_secret))

    return add
