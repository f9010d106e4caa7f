"""What `install.sh` leaves to Python: the checks, and laying a version down.

It runs on the system's Python, out of the wheel, before anything is installed: standard library only.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fazt.errors import FaztError
from fazt.machine.checks import Plan, check_all
from fazt.machine.versions import Versions

SIGNS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one step of an installation; 0: done, 1: not, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="fazt.machine.installer")
    steps = parser.add_subparsers(dest="step", required=True)
    check = steps.add_parser("check")
    check.add_argument("--prefix", type=Path, required=True)
    check.add_argument("--domain", default="localhost")
    check.add_argument("--host", default="")
    check.add_argument("--port", type=int)
    check.add_argument("--https-port", type=int)
    for flag in ("--own-port", "--systemd", "--root"):
        check.add_argument(flag, action="store_true")
    lay_down = steps.add_parser("lay-down")
    lay_down.add_argument("--prefix", type=Path, required=True)
    lay_down.add_argument("--wheels", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        return _check(given) if given.step == "check" else _lay_down(given)
    except (FaztError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _check(given: argparse.Namespace) -> int:
    names = ("prefix", "domain", "host", "port", "https_port", "own_port", "systemd", "root")
    findings = list(check_all(Plan(**{name: getattr(given, name) for name in names})))
    for each in findings:
        print(f"  {SIGNS[each.grade]}  {each.what}" + (f"\n           {each.advice}" if each.advice else ""))
    return any(each.grade == "failed" for each in findings)


def _lay_down(given: argparse.Namespace) -> int:
    """Install beside what is there, and let it count; print the name of the version."""
    versions = Versions(given.prefix)
    laid = versions.lay_down(given.wheels)
    versions.switch(laid.name)
    print(laid.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
