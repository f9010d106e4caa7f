"""From one version to another, and back by itself where the other does not do.

The order is what makes it safe. Everything that can fail is tried beside the running version: unpacking, installing, a
rehearsal on a copy of the database. Then one symlink is replaced, the server is started again, and watched. A process
that is killed anywhere in between leaves the old version running, or the new one, which has been rehearsed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fazt.errors import Conflict, FaztError, MachineError, NotFound
from fazt.machine import rights, service
from fazt.machine.acts import Acts
from fazt.machine.rehearsal import HEALTH, check, rehearse
from fazt.machine.service import Service
from fazt.machine.versions import Installed, Versions, base_python, order, read_wheels
from fazt.settings import listen_address
from fazt.store import copies

WATCH_S = 5.0
PAUSE_S = 0.5
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is upgraded: the versions under a prefix, and the service that runs one of them, if there is one."""

    versions: Versions
    service: Service | None
    say: Callable[[str], None]

    def install(self, wheels: Path, *, downgrade: bool = False) -> Installed:
        """Install a release beside what is there, rehearse it, and let it take over.

        Raises: Conflict where it is no newer one, MachineError or StoreError where it does not do: then the old version
        runs on, or again.
        """
        now = self.versions.find(self.versions.current() or "")
        version, digest = read_wheels(wheels)
        if now is not None and (version, digest) == (now.version, now.digest):
            raise Conflict(f"Version {now.name} is what runs already.")
        if now is not None and order(version) < order(now.version) and not downgrade:
            raise Conflict(f"{version} is older than {now.version}; to go back there is --rollback.")
        laid = self.versions.lay_down(wheels, base_python())
        self.say(f"Installed {laid.name} beside {now.name if now else 'nothing'}.")
        self._take_over(laid)
        return laid

    def roll_back(self) -> Installed:
        """Return to the version before. Raises: NotFound, MachineError where the database is too new for it."""
        before = self.versions.before()
        if before is None:
            raise NotFound("There is no version to go back to.")
        self._take_over(before)
        return before

    def _take_over(self, new: Installed) -> None:
        old = self.versions.current()
        if self.service is None:
            self.versions.switch(new.name)
            return
        folder = self.versions.folder(new.name)
        self._give_rights(folder)
        rehearsed = rehearse(self.service, folder)
        change = ""
        if rehearsed.schema_after != rehearsed.schema_before:
            change = f" and brought the database from schema {rehearsed.schema_before} to {rehearsed.schema_after}"
        self.say(f"Rehearsed {new.name}: it answered for {rehearsed.sites} sites{change}, on a copy.")
        was_running = self.service.supervisor.is_running()
        self.versions.switch(new.name)
        if not was_running:
            return
        try:
            self.service.supervisor.restart()
            watch(self.service)
        except FaztError as error:
            if old is None:
                raise
            self._return(old, rehearsed.schema_before, error)
        self._record(new.name)
        self.versions.tidy()

    def _give_rights(self, folder: Path) -> None:
        """Give a version's own Python the right to low ports where systemd does not: it is not the old version's."""
        assert self.service is not None
        if not self.service.systemd and not self.service.personal:
            rights.allow_low_ports(folder, self.service.user, Acts(lambda line: self.say(f"  {line}")))

    def _return(self, old: str, schema: int, error: FaztError) -> None:
        """Let the old version run again, with the database from before a migration. Raises: MachineError, always."""
        assert self.service is not None
        self.say(f"It does not do ({error.message}); going back to {old}.")
        self.versions.switch(old)
        database = Path(self.service.database)
        if database.exists() and copies.schema_of(database) != schema:
            with self.service.supervisor.held():
                copies.restore(database, schema)
        self.service.supervisor.restart()
        watch(self.service)
        raise MachineError(f"The new version did not do: {error.message} Version {old} runs again.")

    def _record(self, name: str) -> None:
        assert self.service is not None
        service.record(replace(self.service, version=name))


def watch(installed: Service) -> None:
    """Look for a while whether a server that was just started stays healthy. Raises: MachineError where it does not."""
    host, port = listen_address(installed.http)
    until = time.monotonic() + WATCH_S
    while True:
        if not installed.supervisor.is_running():
            raise MachineError("The server does not run any more.")
        check(port, installed.domain, HEALTH, address=EVERYWHERE.get(host, host), wanted=200)
        if time.monotonic() > until:
            return
        time.sleep(PAUSE_S)
