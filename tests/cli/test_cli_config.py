"""`fazt config` on a real database, where no server runs: what it prints, keeps, refuses and takes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

Run = Callable[..., Any]


@pytest.fixture
def config(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FAZT_DB", str(tmp_path / "data.db"))
    monkeypatch.delenv("FAZT_MAX_CONNECTIONS", raising=False)
    return lambda *arguments, **more: run("config", *arguments, **more)


def test_a_setting_from_its_first_value_to_the_way_back(config: Run) -> None:
    assert config("list", "--changed").out.startswith("Every setting is at its default.")
    assert config("set", "idle_timeout_s", "30").out == "idle_timeout_s is 30.0 s.\n"
    assert config("get", "idle_timeout_s").out == "30.0\n"
    assert [item["name"] for item in orjson.loads(config("list", "--changed", "--json").out)["items"]] == [
        "idle_timeout_s"
    ]
    assert "idle_timeout_s: default → 30.0" in config("history").out
    assert config("rollback").out == "The settings are as they were.\n"
    assert config("get", "idle_timeout_s").out == "60.0\n"
    assert config("unset", "idle_timeout_s").out == "idle_timeout_s is 60.0 s.\n"


def test_why_marks_the_source_that_counts(config: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    config("set", "max_connections", "5")
    assert "* the database (fazt config set)    5" in config("why", "max_connections").out
    monkeypatch.setenv("FAZT_MAX_CONNECTIONS", "7")
    assert "* the environment of the server     7" in config("why", "max_connections").out
    assert "which counts before it" in config("set", "max_connections", "6").out


@pytest.mark.parametrize("arguments", [("max_connections", "0"), ("nothing", "1"), ("domain", "a b"), ("www", "x")])
def test_what_cannot_be_is_refused(config: Run, arguments: tuple[str, str]) -> None:
    refused = config("set", *arguments)
    assert refused.code == 1
    assert refused.err.startswith("Error: ")
    assert config("history").out == "No setting was ever changed.\n"


def test_export_and_import(config: Run, tmp_path: Path) -> None:
    config("set", "max_connections", "5")
    config("set", "domain", "example.org")
    exported = config("export").out
    assert orjson.loads(exported) == {"max_connections": 5, "domain": "example.org"}
    file = tmp_path / "settings.json"
    file.write_text('{"max_connections": 6, "idle_timeout_s": -1}')
    assert config("import", str(file)).code == 1
    assert config("get", "max_connections").out == "5\n"
    file.write_text('{"max_connections": 6}')
    assert config("import", str(file), "--replace").code == 0
    assert orjson.loads(config("export").out) == {"max_connections": 6}
    file.write_text("[1]")
    assert config("import", str(file)).code == 1
