"""The entrance: exit codes, what an error looks like, what a newcomer reads first."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from fazt import __version__
from fazt.cli import main
from fazt.errors import FaztError, StorageFull

HEAVY = ("asyncio", "fastapi", "apsw", "http.client", "orjson", "email", "ssl", "httptools")


def failing(error: BaseException) -> Callable[..., Any]:
    def main_(**_: Any) -> None:
        raise error

    return main_


def test_help_is_a_page_to_act_on(run: Callable[..., Any]) -> None:
    done = run("--help")
    assert done.code == 0
    assert done.err == ""
    for section in main.SECTIONS:
        assert f"{section}:" in done.out
    for example in ("fazt serve", "fazt deploy ./blog --site blog", "fazt rollback blog"):
        assert example in done.out
    for name in main.MODULES:
        assert f"  {name} " in done.out


def test_the_version_stands_alone_on_stdout(run: Callable[..., Any]) -> None:
    assert run("--version") == (0, f"fazt {__version__}\n", "")
    assert run("-V").out == f"fazt {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["sites", "nothing"],
        ["deploy", "--nothing"],
        ["sites", "show"],
        ["sites", "show", "a", "b"],
        ["versions", "prune", "blog", "--keep", "many"],
        ["versions", "prune", "blog", "--keep", "-1"],
        ["logs", "blog", "--since", "yesterday"],
        ["logs", "blog", "--limit", "0"],
        ["token", "create", "--action", "everything"],
        ["token", "create"],
        ["completion", "powershell"],
        ["sites", "list", "--db", "here", "--remote", "there"],
    ],
)
def test_wrong_usage_exits_with_2(run: Callable[..., Any], server: Any, arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err
    assert "Usage: fazt" in done.err
    assert server.asked == []


def test_a_mistyped_command_is_answered_with_the_nearest(run: Callable[..., Any]) -> None:
    assert "Did you mean 'deploy'?" in run("deplyo").err
    assert "See 'fazt --help'." in run("qqqqqq").err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (StorageFull("The disk is full."), 1, "Error: The disk is full.\n"),
        (FaztError("two\nlines \x1b[31mand red"), 1, "Error: two lines \ufffd[31mand red\n"),
        (PermissionError(13, "Permission denied", "/root/x"), 1, "Error: /root/x: Permission denied.\n"),
        (OSError("odd"), 1, "Error: odd.\n"),
        (click.ClickException("no"), 1, "Error: no\n"),
        (click.FileError("f", "no"), 1, "Error: Could not open file 'f': no\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], error: BaseException, code: int, line: str
) -> None:
    monkeypatch.setattr(main.fazt, "main", failing(error))
    done = run("status")
    assert (done.code, done.out, done.err) == (code, "", line)


def test_a_command_may_set_the_exit_code(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    monkeypatch.setattr(main.fazt, "main", lambda **_: 1)
    assert run("bench").code == 1
    monkeypatch.setattr(main.fazt, "main", lambda **_: None)
    assert run("bench").code == 0


def test_a_question_without_anybody_fails(run: Callable[..., Any], server: Any) -> None:
    server.answers["GET", "/api/sites/blog"] = (200, {"versions": 3})
    done = run("sites", "remove", "blog")
    assert (done.code, done.out) == (1, "")
    assert "nobody is there to answer" in done.err
    assert [asked.method for asked in server.asked] == ["GET"]


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=30)


def test_the_entrance_loads_nothing_heavy() -> None:
    code = f"import sys, fazt.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    assert python("-c", code).stdout == "[]\n"


def test_a_deploy_to_a_running_server_loads_no_server() -> None:
    wanted = ("asyncio", "fastapi", "pydantic", "apsw", "fazt.server.serving", "tarfile", "zipfile")
    code = f"import sys, fazt.cli.deploy; print([name for name in {wanted} if name in sys.modules])"
    assert python("-c", code).stdout == "[]\n"


def test_whoever_closes_the_pipe_hears_no_complaint() -> None:
    command = f"{sys.executable} -W error -m fazt --help | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_the_command(run: Callable[..., Any], shell: str) -> None:
    done = run("completion", shell)
    assert done.code == 0
    assert "_FAZT_COMPLETE" in done.out


def test_completion_completes() -> None:
    done = python("-m", "fazt", _FAZT_COMPLETE="bash_complete", COMP_WORDS="fazt ro", COMP_CWORD="1")
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == ["rollback", "route"], done.stderr
