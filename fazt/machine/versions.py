"""The versions of Fazt that lie side by side on this computer, and the one symlink that says which of them counts.

    /opt/fazt/0.1.0/      a virtualenv with a copy of Python of its own
    /opt/fazt/current ->  0.1.0

Rules: a version counts as there when its `installed.json` is, which is written last; a version that is there is never
changed; the symlink is replaced in one step. So whatever is cut off leaves the old version or the new one.
Nothing but the standard library is needed: `install.sh` runs this before anything is installed.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fazt.errors import MachineError, NotFound
from fazt.machine.acts import ask, replace_file, sync_folder

CURRENT = "current"
MARK = "installed.json"
KEPT = 3
VERSION = re.compile(r"[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.(post|dev)[0-9]+)?(\+[a-z0-9.]+)?")  # PEP 440, normalised
WHEEL = re.compile(rf"fazt-(?P<version>{VERSION.pattern})-[^-]+-[^-]+-[^-]+\.whl")
PIP_TIMEOUT_S = 600
CUT_OFF_S = 60.0
PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Installed:
    """A version that is there. `digest`: SHA-256 over its wheels, in hexadecimal digits."""

    name: str
    version: str
    digest: str


class Versions:
    """The versions under a prefix."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def folder(self, name: str) -> Path:
        """Return where a version lies or would lie."""
        return self.prefix / name

    def current(self) -> str | None:
        """Return the name of the version that counts."""
        link = self.prefix / CURRENT
        return os.readlink(link) if link.is_symlink() and self.find(os.readlink(link)) else None

    def folder_of_current(self) -> Path:
        """Return where the version lies that counts. Raises: NotFound."""
        name = self.current()
        if name is None:
            raise NotFound(f"No version of Fazt lies under {self.prefix}.")
        return self.folder(name)

    def find(self, name: str) -> Installed | None:
        """Return a version if all of it is there."""
        try:
            said = json.loads((self.folder(name) / MARK).read_text())
            return Installed(name, said["version"], said["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def all(self) -> list[Installed]:
        """Return the versions that are there, the newest first."""
        names = [each.name for each in self.prefix.iterdir() if not each.is_symlink()] if self.prefix.is_dir() else []
        found = [each for each in map(self.find, names) if each is not None]
        return sorted(found, key=lambda each: (order(each.version), each.name), reverse=True)

    def lay_down(self, wheels: Path, python: str = sys.executable) -> Installed:
        """Install what lies in a folder of wheels beside what is there; it does not count yet.

        The same wheels a second time change nothing. Other wheels of a version that is there get a folder of their own.

        Raises: MachineError.
        """
        version, digest = read_wheels(wheels)
        name = version
        there = self.find(name)
        if there is not None and there.digest != digest:
            name = f"{version}+{digest[:8]}" if "+" not in version else f"{version}.{digest[:8]}"
            there = self.find(name)
        if there is not None:
            return there
        folder = self.folder(name)
        if folder.exists():  # an attempt that was cut off
            _remove(folder)
        self.prefix.mkdir(parents=True, exist_ok=True)
        _make_environment(folder, wheels, python)
        mark = {"version": version, "digest": digest, "python": sys.version.split()[0]}
        replace_file(folder / MARK, json.dumps(mark, indent=2) + "\n")
        return Installed(name, version, digest)

    def switch(self, name: str) -> None:
        """Let a version count from now on, in one step. Raises: NotFound where not all of it is there."""
        if self.find(name) is None:
            raise NotFound(f"Version {name} does not lie under {self.prefix}.")
        new = self.prefix / f".{CURRENT}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(name)
        new.replace(self.prefix / CURRENT)
        sync_folder(self.prefix)

    def before(self) -> Installed | None:
        """Return the version that one goes back to: the newest below the current one."""
        names = self.all()
        now = next((index for index, each in enumerate(names) if each.name == self.current()), None)
        return names[now + 1] if now is not None and now + 1 < len(names) else None

    def tidy(self, keep: int = KEPT) -> list[str]:
        """Remove all versions but the newest and the current one; return the names of those removed."""
        removed = [each.name for each in self.all()[keep:] if each.name != self.current()]
        for name in removed:
            (self.folder(name) / MARK).unlink()  # first: half a version does not count
            shutil.rmtree(self.folder(name))
        return removed


def _remove(folder: Path) -> None:
    """Remove what an attempt left that was cut off; a program that it had started may still be writing there.

    Raises: OSError where it does not end.
    """
    until = time.monotonic() + CUT_OFF_S
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:  # a file came while its folder was emptied
            if time.monotonic() > until:
                raise
        time.sleep(PAUSE_S)  # what is made anew by then is removed again


def read_wheels(wheels: Path) -> tuple[str, str]:
    """Return the version of Fazt's wheel in a folder, and the SHA-256 over all wheels. Raises: MachineError."""
    files = sorted(wheels.glob("*.whl"))
    own = [match for match in (WHEEL.fullmatch(each.name) for each in files) if match]
    if len(own) != 1:
        raise MachineError(f"{wheels} holds {len(own)} wheels of Fazt; there has to be one.")
    total = hashlib.sha256()
    for each in files:
        total.update(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n".encode())
    return own[0]["version"], total.hexdigest()


def order(version: str) -> tuple[object, ...]:
    """Return what versions are sorted by: 0.10.0 is newer than 0.9.1, 1.0.0rc1 older than 1.0.0."""
    match = re.match(r"(?P<numbers>[0-9.]*[0-9])(?P<stage>(a|b|rc)[0-9]+)?(?P<rest>.*)", version)
    if match is None:
        raise MachineError(f"{version!r} is no version.")
    numbers = tuple(int(each) for each in match["numbers"].split("."))
    stage = match["stage"]
    return (
        numbers,
        ("~", 0) if stage is None else (stage.rstrip("0123456789"), int(re.sub(r"\D", "", stage))),
        match["rest"],
    )


def _make_environment(folder: Path, wheels: Path, python: str) -> None:
    # A copy: rights may be given to it, and the system's upgrade of its own Python does not pull it away.
    ask(python, "-m", "venv", "--copies", str(folder), timeout_s=PIP_TIMEOUT_S)
    own = folder / "bin" / "python"
    requirement = str(next(each for each in wheels.glob("fazt-*.whl") if WHEEL.fullmatch(each.name)))
    ask(str(own), "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(wheels), "--only-binary=:all:",
        "--disable-pip-version-check", "--no-cache-dir", requirement,
        timeout_s=PIP_TIMEOUT_S, environment=clean_environment())  # fmt: skip
    ask(str(own), "-m", "fazt", "--version", environment=clean_environment())


def clean_environment() -> dict[str, str]:
    """Return the environment without what would lead Python or pip elsewhere."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    } | {"PIP_CONFIG_FILE": os.devnull}


def base_python() -> str:
    """Return the Python that virtualenvs are made from: not the copy that runs this."""
    return str(getattr(sys, "_base_executable", sys.executable))


def is_supported(python: str) -> bool:
    """Tell whether a Python is there and has what a virtualenv takes."""
    program = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", program], capture_output=True).returncode == 0
