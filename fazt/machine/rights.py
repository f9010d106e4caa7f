"""The user that the server runs as, and the right to low ports where no systemd gives it."""

import pwd
import shutil
from pathlib import Path

from fazt.errors import MachineError
from fazt.machine.acts import Acts, ask, has

SERVER_PYTHON = "python-for-low-ports"
CAPABILITY = "cap_net_bind_service=+ep"


def make_user(name: str, home: Path, acts: Acts) -> None:
    """Make a system user without a password or a shell, unless there is one of that name."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        acts.run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(home),
                 "--shell", "/usr/sbin/nologin", name)  # fmt: skip
        return
    if found.pw_uid == 0:
        raise MachineError("The server does not run as root; choose another user with --user.")


def remove_user(name: str, acts: Acts) -> None:
    """Remove a user that was made for the server; one with a shell is somebody's own and stays."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return
    if found.pw_shell.endswith(("/nologin", "/false")):
        acts.run("userdel", name)


def allow_low_ports(version: Path, user: str, acts: Acts) -> None:
    """Make a copy of a version's Python that may listen on low ports; only root and the server's user may run it.

    The right is the copy's own, so this is done again for each version. Raises: MachineError.
    """
    if not has("setcap", "getcap"):
        raise MachineError("`setcap` is missing: install libcap2-bin (Debian) or libcap (Fedora), or use systemd.")
    interpreter = version / "bin" / SERVER_PYTHON
    acts.run_as(f"make {interpreter}, for {user} alone", lambda: _copy(version, interpreter, user))
    acts.run("setcap", CAPABILITY, str(interpreter))
    if not acts.dry and "cap_net_bind_service" not in ask("getcap", str(interpreter)):
        raise MachineError(f"{interpreter} did not get the right to low ports; does its file system know capabilities?")


def _copy(version: Path, interpreter: Path, user: str) -> None:
    """Copy the interpreter in one step. The system's own never gets rights: this one is a file of its own."""
    new = interpreter.with_name(f".{interpreter.name}.new")
    new.unlink(missing_ok=True)
    shutil.copyfile(version / "bin" / "python", new)
    shutil.chown(new, 0, user)
    new.chmod(0o750)
    new.replace(interpreter)
