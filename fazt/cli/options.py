"""The options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def server_options(command: Command) -> Command:
    """Add --db and --remote: which server a command is about."""
    command = click.option(
        "--remote",
        metavar="NAME",
        help="Another server, by its name (fazt remote list); else FAZT_REMOTE.",
    )(command)
    return click.option("--db", metavar="PATH", help="The database; else FAZT_DB, ./data.db or your own.")(command)


def json_option(command: Command) -> Command:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)
