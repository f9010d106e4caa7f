"""The `fazt` command: its groups, loaded when they are used, and the one place where an error becomes a line.

Rule: nothing heavy is imported here; `fazt --version` answers at once.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from fazt import __version__
from fazt.errors import FaztError

# section -> command -> module in fazt.cli, and what the list of commands says about it
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "serve": ("serve", "Serve all sites of a database."),
        "init": ("user", "Make the owner's account, or the link that makes it."),
        "status": ("status", "Show what the server holds and how it is doing."),
    },
    "Publish": {
        "deploy": ("deploy", "Put a folder or an archive on the air."),
        "rollback": ("versions", "Go back to the version before, or to any other."),
        "versions": ("versions", "List, compare and prune the versions of a site."),
    },
    "Sites": {
        "sites": ("sites", "List, create, rename, lock, export and remove sites."),
        "protect": ("protect", "Say who may see a site, or some of its paths."),
        "share": ("protect", "Links that let others see a protected site."),
        "domains": ("domains", "Give a site domains of its own."),
        "cert": ("cert", "Certificates for HTTPS."),
        "links": ("links", "Short links: /r/NAME of your domain leads elsewhere."),
        "route": ("route", "Explain what a URL is answered with, and why."),
        "stats": ("stats", "Show who visited: views, visitors, where they came from."),
        "logs": ("logs", "Show who asked for what, and what functions log."),
    },
    "Functions": {
        "call": ("call", "Call a function, and see what it answers, logs and takes."),
        "replay": ("call", "Make a request again that a function failed on."),
    },
    "Data": {
        "kv": ("kv", "Look at what functions keep, and change it."),
        "env": ("env", "Set the variables of a site's functions."),
        "secrets": ("env", "Set what only a site's functions may read."),
        "jobs": ("jobs", "See what waits, runs or failed; try again, cancel."),
        "hooks": ("hooks", "Take webhooks: check, keep, and run a function."),
        "cron": ("cron", "Functions that run at set times."),
    },
    "Server": {
        "service": ("service", "Run the server as a service of this computer."),
        "upgrade": ("upgrade", "Go to a newer version, or back."),
        "backup": ("backup", "Make backups, prove them, and restore one."),
        "key": ("key", "Look after the key that secrets are sealed with."),
        "config": ("config", "Look at the settings of a server, and change them."),
        "notifications": ("notifications", "Be told of deploys, failures and a full disk."),
        "doctor": ("doctor", "Look for what is wrong with this machine."),
        "metrics": ("metrics", "Print what the server counts, for Prometheus."),
        "cache": ("cache", "Look at the page cache, or empty it."),
        "user": ("user", "Say who may use the dashboard."),
        "audit": ("audit", "Show who changed what, and when."),
        "token": ("token", "Make and revoke keys for the API."),
        "remote": ("remote", "Know other servers by a short name."),
        "bench": ("bench", "Measure a server under load."),
        "completion": ("completion", "Print what completes commands in your shell."),
    },
}
MODULES = {name: entry[0] for section in SECTIONS.values() for name, entry in section.items()}

FAULT = "{file}:{line}:{column}: {message}"  # of a source

HELP = """One person's cloud in one process and one SQLite file.

\b
Start here:
  fazt serve                        serve your sites on http://localhost:4698/
  fazt deploy ./blog --site blog    in another terminal: put a folder on the air
  fazt rollback blog                take the last deploy back

Each command explains itself: fazt COMMAND --help.
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when one of them is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names in the order of the sections."""
        return list(MODULES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import the module of one command."""
        if name not in MODULES:
            return None
        command: click.Command = getattr(importlib.import_module(f"fazt.cli.{MODULES[name]}"), name)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where there is none of that name."""
        if args and args[0] not in MODULES and not args[0].startswith("-"):
            import difflib  # only for a mistyped command

            near = difflib.get_close_matches(args[0], MODULES, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else " See 'fazt --help'."
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", context)
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry[1]) for name, entry in commands.items()])


@click.group(
    cls=LazyGroup, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="fazt %(version)s")
def fazt() -> None:
    """Hold the commands."""


def fail(message: str, more: Sequence[str] = ()) -> int:
    """Print one line on stderr, and `more` below it; return the exit code."""
    from fazt.cli.output import plain  # not needed by what goes well

    click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(plain(" ".join(message.split())), err=True)
    for line in more:
        click.echo(f"  {plain(line)}", err=True)
    return 1


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong usage."""
    try:
        result: Any = fazt.main(args=arguments, prog_name="fazt", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return fail(error.format_message())
    except (click.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__context__, EOFError):
            return fail("This asks something, and nobody is there to answer; its --help says how to do without.")
        return 130
    except FaztError as error:
        faults = error.details.get("errors") or ()  # of sources, each with its place
        if len(faults) < 2:
            return fail(error.message)
        return fail(f"There are {len(faults)} faults:", [FAULT.format(**fault) for fault in faults])
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}.")


def main() -> None:
    """Run the command line."""
    sys.exit(run())
