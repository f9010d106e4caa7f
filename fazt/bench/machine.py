"""What a result was measured on: processor, cores, kernel, versions, commit.

Rule: a saved figure carries everything that it takes to say later whether another one may be compared with it.
"""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from fazt import __version__


def describe() -> dict[str, str | int]:
    """Return the machine and the versions as names and values."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.node(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "fazt": __version__,
        "commit": commit(),
    }


def processor() -> str:
    """Return the processor's name as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str:
    """Return the commit of this checkout, with "+" where files differ from it; "" outside of one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(root)]
    done = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if done.returncode:
        return ""
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    ).stdout
    return done.stdout.strip() + ("+" if changed.strip() else "")
