"""The key of the secrets and backups: it goes along where it is wanted, and is missed with a clear word elsewhere."""

from contextlib import closing
from pathlib import Path

import pytest

from fazt.backups import file, restoring
from fazt.backups.shelf import Shelf
from fazt.errors import SecretsLocked
from fazt.store import environment, key_file, sealing
from fazt.store.database import Database

PASSPHRASE = "a long night of rain"
PLANTED = b"planted-in-a-backup"


@pytest.fixture
def shelf(database: Database, shelf: Shelf) -> Shelf:
    database.write_blocking(environment.put, "blog", "KEY", PLANTED, True)
    return shelf


def key_of(database: Database) -> bytes:
    key = key_file.look_at(key_file.beside(database.path)).key
    assert key is not None
    return key


def restored(backup: Path, target: Path, passphrase: str | None = None) -> Database:
    """Restore a backup on a machine of its own."""
    target.parent.mkdir()
    restoring.stage(backup, target, passphrase)
    sealing.forget_keys()
    return Database.open(target)


def secret_of(database: Database) -> bytes | None:
    return database.read_blocking(environment.load, 1)[0].value


@pytest.mark.parametrize("with_key", [None, True, False])
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_what_a_backup_says_is_what_is_in_it(
    database: Database, shelf: Shelf, tmp_path: Path, with_key: bool | None, passphrase: str | None
) -> None:
    made = shelf.create("", passphrase, with_key=with_key)
    key = key_of(database)
    expected = passphrase is not None if with_key is None else with_key
    assert (made.header.with_secrets_key, made.header.secrets_key) == (expected, key_file.id_of(key).hex())
    file.read(made.path, tmp_path / "copy.db", passphrase)
    data = (tmp_path / "copy.db").read_bytes()
    assert (key in data) == expected
    assert PLANTED not in data
    for secret in (key, key.hex().encode(), PLANTED):
        assert passphrase is None or secret not in made.path.read_bytes()
    assert shelf.prove(made, passphrase).failed is None


def test_a_backup_with_its_key_opens_on_another_machine(shelf: Shelf, tmp_path: Path) -> None:
    made = shelf.create("", PASSPHRASE)
    target = tmp_path / "other" / "data.db"
    with closing(restored(made.path, target, PASSPHRASE)) as other:
        assert secret_of(other) == PLANTED
        key = key_of(other)
    for path in target.parent.iterdir():  # once it lies beside the database it is in it no more
        assert path.name == "data.db.key" or key not in path.read_bytes()
    assert key_file.beside(target).stat().st_mode & 0o777 == 0o600


def test_a_backup_without_its_key_says_what_is_missing(database: Database, shelf: Shelf, tmp_path: Path) -> None:
    made = shelf.create()
    with closing(restored(made.path, tmp_path / "other" / "data.db")) as other:
        with pytest.raises(SecretsLocked, match="fazt key give"):
            secret_of(other)
        key_file.put(other.path, key_of(database))
        assert secret_of(other) == PLANTED


def test_the_key_of_what_was_there_before_is_kept(shelf: Shelf, tmp_path: Path) -> None:
    """A backup that brings its key to a server with another one: both databases keep theirs."""
    made = shelf.create("", None, with_key=True)
    target = tmp_path / "other" / "data.db"
    target.parent.mkdir()
    with closing(Database.open(target)) as other:
        before = key_of(other)
    restoring.stage(made.path, target)
    with closing(Database.open(target)) as other:
        assert secret_of(other) == PLANTED
        assert key_of(other) != before
    assert key_file.find(target, key_file.id_of(before)) == before


def test_a_backup_that_is_to_have_the_key_is_not_made_without_it(database: Database, shelf: Shelf) -> None:
    key_file.beside(database.path).unlink()
    with pytest.raises(SecretsLocked, match="is missing"):
        shelf.create("", None, with_key=True)
    made = shelf.create("", PASSPHRASE)
    assert (made.header.with_secrets_key, len(shelf.list_all())) == (False, 1)
