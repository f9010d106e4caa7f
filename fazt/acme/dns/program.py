"""A program of the owner's that writes records: `PROGRAM present|cleanup NAME VALUE`.

It lies beside the database and is named after it (`data.db.dns`): who may change settings from afar cannot name another
one. Rule: no shell, nothing of our environment but the path, and a bounded time.
"""

import logging
import os
import stat
import subprocess
from pathlib import Path

from fazt.errors import OrderFailed

log = logging.getLogger("fazt.acme")
TIMEOUT_S = 120
LONGEST_SAID = 300


class ProgramWriter:
    """Writes records by a program."""

    def __init__(self, program: Path) -> None:
        """Check the program. Raises: OrderFailed."""
        self._program = program
        try:
            found = program.stat()
        except OSError as error:
            raise OrderFailed(f"{program} is to write DNS records, and cannot be found: {error.strerror}.") from None
        if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
            raise OrderFailed(f"{program} is no program that this user may run: chmod u+x {program}")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in (0, os.geteuid()):
            raise OrderFailed(f"Others may change {program}: chmod go-w {program}")

    def write(self, name: str, value: str) -> tuple[str, str]:
        """Add a record. Raises: OrderFailed, with what the program says."""
        self._run("present", name, value)
        return name, value

    def remove(self, written: object) -> None:
        """Remove it."""
        assert isinstance(written, tuple)
        try:
            self._run("cleanup", *written)
        except OrderFailed as error:
            log.warning("a DNS record stays: %s", error.message)

    def _run(self, *words: str) -> None:
        try:
            done = subprocess.run(
                [self._program, *words],
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                cwd=self._program.parent,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OrderFailed(f"{self._program} took longer than {TIMEOUT_S} s.") from None
        except OSError as error:
            raise OrderFailed(f"{self._program} cannot be run: {error.strerror}.") from None
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[-LONGEST_SAID:]
            raise OrderFailed(f"{self._program} failed ({done.returncode}): {said or 'it said nothing'}")
