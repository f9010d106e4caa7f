"""Sockets that a supervisor hands over: whose they are, and what is refused."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fazt.errors import ListenError
from fazt.machine import sockets
from fazt.machine.sockets import take_sockets


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
    ],
)
def test_nothing_is_taken_that_is_not_for_this_process(environment: dict[str, str]) -> None:
    assert take_sockets(environment) == {}
    assert environment == {}


def test_a_socket_is_taken_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        os.set_inheritable(opened.fileno(), True)
        copy = os.dup(opened.fileno())
        monkeypatch.setattr(sockets, "FIRST_DESCRIPTOR", copy)
        environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
        (taken,) = take_sockets(environment)["http"]
        with taken:
            assert taken.getsockname() == opened.getsockname()
            assert not taken.get_inheritable()
            assert environment == {}


def test_what_does_not_listen_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    with socket.socket() as opened:
        monkeypatch.setattr(sockets, "FIRST_DESCRIPTOR", os.dup(opened.fileno()))
        with pytest.raises(ListenError, match="does not listen"):
            take_sockets(dict(environment))
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setattr(sockets, "FIRST_DESCRIPTOR", file.fileno())
        with pytest.raises(ListenError, match="is none"):
            take_sockets(environment)


def test_a_child_is_told_nothing(tmp_path: Path) -> None:
    """A real process, with the descriptors as systemd numbers them."""
    program = (
        "import os, subprocess, sys\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "from fazt.machine.sockets import take_sockets\n"
        "taken = take_sockets()\n"
        "print(sorted(taken), [len(each) for each in taken.values()], flush=True)\n"
        "subprocess.run(['sh', '-c', 'env | grep -c ^LISTEN_; ls /proc/self/fd | grep -cx 3'], close_fds=False)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as one:
        done = subprocess.run(
            ["bash", "-c", 'exec "$@" 3<&$FD 4<&$FD', "bash", sys.executable, "-c", program],
            env=os.environ | {"FD": str(one.fileno()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:http"},
            pass_fds=[one.fileno()],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
    lines = done.stdout.split("\n")
    assert lines[0] == "['http'] [2]", done.stderr
    assert lines[1] == "0"
