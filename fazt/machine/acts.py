"""Every change of this computer goes through here: a dry run shows what would be done, and does nothing."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from fazt.errors import MachineError

TIMEOUT_S = 180


class Acts:
    """Does things to the computer and says so, or only says so; `say` takes one line."""

    def __init__(self, say: Callable[[str], None], *, dry: bool = False) -> None:
        self._say = say
        self.dry = dry

    def run(self, *command: str, timeout_s: float = TIMEOUT_S) -> None:
        """Run a command that changes something. Raises: MachineError, with what it said, where it fails."""
        self._say(f"run {shlex.join(command)}")
        if not self.dry:
            ask(*command, timeout_s=timeout_s)

    def run_as(self, words: str, act: Callable[[], None]) -> None:
        """Do something that is no command, and say it in these words."""
        self._say(words)
        if not self.dry:
            act()

    def write(self, path: Path, text: str, mode: int = 0o644) -> bool:
        """Write a whole file, or leave it where it is like that already; tell whether it changed."""
        if path.is_file() and path.read_text() == text:
            return False
        self._say(f"write {path}")
        if not self.dry:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, text, mode)
        return True

    def make_folder(self, path: Path, mode: int, owner: str | None = None) -> None:
        """Make a folder that nobody has made yet, for a user."""
        if path.is_dir():
            return
        self._say(f"make the folder {path}" + (f" of {owner}" if owner else ""))
        if not self.dry:
            path.mkdir(parents=True, mode=mode)
            path.chmod(mode)
            if owner is not None:
                shutil.chown(path, owner, owner)

    def remove(self, path: Path) -> None:
        """Remove a file, a symlink or a folder with all that is in it; nothing where there is none."""
        if not path.is_symlink() and not path.exists():
            return
        self._say(f"remove {path}")
        if self.dry:
            return
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def replace_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a whole file in the place of another in one step: there is the old one or the new one, and it is on disk."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ask(*command: str, timeout_s: float = TIMEOUT_S, environment: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed. Raises: MachineError, with its last words, where it fails."""
    code, output = attempt(*command, timeout_s=timeout_s, environment=environment)
    if code:
        last = " ".join(output.strip().splitlines()[-3:]) or f"it ended with {code}"
        raise MachineError(f"`{shlex.join(command)}` failed: {last}")
    return output


def attempt(*command: str, timeout_s: float = TIMEOUT_S, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command that may fail; return its exit code and what it printed. Raises: MachineError if it cannot run."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment,
        )
    except FileNotFoundError as error:
        raise MachineError(f"There is no `{command[0]}` on this computer.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"`{shlex.join(command)}` failed: {error}") from error
    return done.returncode, done.stdout


def has(*programs: str) -> bool:
    """Tell whether all of these programs can be run."""
    return all(shutil.which(each) for each in programs)
