"""`fazt key`: what it says of a key, and the way back to one."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fazt.store import environment, key_file, sealing
from fazt.store.database import Database

Run = Callable[..., Any]


@pytest.fixture
def path(run: Run, tmp_path: Path) -> Path:
    """A database with a secret in it."""
    made = tmp_path / "data.db"
    (tmp_path / "secret").write_text("planted")
    assert run("sites", "create", "blog", "--db", str(made)).code == 0
    ran = run("secrets", "set", "blog", "KEY", "--file", str(tmp_path / "secret"), "--db", str(made))
    assert ran.code == 0, ran.err
    return made


def secret_of(path: Path) -> bytes | None:
    sealing.forget_keys()
    with closing(Database.open(path)) as database:
        return database.read_blocking(environment.load, 1)[0].value


def test_a_key_that_is_there(run: Run, path: Path) -> None:
    ran = run("key", "status", "--db", str(path))
    assert (ran.code, "this is it" in ran.out) == (0, True)
    key = key_file.look_at(key_file.beside(path)).key
    assert key is not None
    for text in (ran.out, run("key", "status", "--json", "--db", str(path)).out):
        assert key.hex() not in text
        assert key_file.id_of(key).hex() in text
    assert "not lost" in run("key", "forget", "--yes", "--db", str(path)).err


def test_a_key_that_is_missing_is_given(run: Run, path: Path, tmp_path: Path) -> None:
    place, kept = key_file.beside(path), tmp_path / "kept"
    place.rename(kept)
    ran = run("key", "status", "--json", "--db", str(path))
    assert (ran.code, json.loads(ran.out)["place"]) == (1, None)
    (tmp_path / "wrong").write_text("ab" * 32)
    (tmp_path / "none").write_text("nothing")
    assert "the one that is wanted is" in run("key", "give", str(tmp_path / "wrong"), "--db", str(path)).err
    assert "holds no key" in run("key", "give", str(tmp_path / "none"), "--db", str(path)).err
    assert not place.exists()
    assert run("key", "give", str(kept), "--db", str(path)).code == 0
    assert (place.stat().st_mode & 0o777, secret_of(path)) == (0o600, b"planted")


def test_a_key_that_is_lost_is_given_up(run: Run, path: Path) -> None:
    key_file.beside(path).unlink()
    found = {each["check"]: each for each in json.loads(run("doctor", "--json", "--db", str(path)).out)["findings"]}
    assert (found["key"]["state"], "fazt key forget" in found["key"]["fix"]) == ("failure", True)
    assert run("key", "forget", "--yes", "--db", str(path)).code == 0
    assert run("key", "status", "--db", str(path)).code == 0
    with closing(Database.open(path)) as database:
        assert database.read_blocking(environment.load, 1) == []


def test_without_a_database(run: Run, tmp_path: Path) -> None:
    assert "no database" in run("key", "status", "--db", str(tmp_path / "none.db")).err
    assert not (tmp_path / "none.db").exists()


def test_who_may_read_the_key_is_looked_at(run: Run, path: Path) -> None:
    key_file.beside(path).chmod(0o640)
    found = {each["check"]: each for each in json.loads(run("doctor", "--json", "--db", str(path)).out)["findings"]}
    assert (found["key"]["state"], found["key"]["fix"]) == ("failure", f"chmod 600 {key_file.beside(path)}")
