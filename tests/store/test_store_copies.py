"""Copies of the database: of one in use, before a migration, and the way back."""

import stat
from pathlib import Path

import apsw
import pytest

from fazt.errors import StoreError
from fazt.store import copies, schema, sites
from fazt.store.database import Database


def test_a_database_in_use_is_copied_whole(tmp_path: Path) -> None:
    path, target = tmp_path / "data.db", tmp_path / "copy" / "data.db"
    target.parent.mkdir()
    database = Database.open(path)
    database.write_blocking(sites.create, "blog")
    assert copies.take(path, target) == []  # it has no version that is live
    database.write_blocking(sites.create, "later")
    database.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = Database.open(target)
    assert [each.name for each in copy.read_blocking(sites.list_page, None, 10)] == ["blog"]
    copy.close()
    assert [each.name for each in target.parent.iterdir() if each.name.startswith(".")] == []


def test_there_is_a_way_back_behind_a_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, known = tmp_path / "data.db", schema.migrations()
    now = known[-1][0]
    database = Database.open(path)
    database.write_blocking(sites.create, "blog")
    database.close()
    assert not copies.kept_path(path, now).exists()  # nothing was migrated, so nothing was copied
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: [*known, (now + 1, "DROP TABLE kv;")])
        Database.open(path).close()
    assert copies.schema_of(path) == now + 1
    with pytest.raises(StoreError, match="newer Fazt"):
        Database.open(path)
    copies.restore(path, now)
    assert copies.schema_of(path) == now
    database = Database.open(path)
    assert [each.name for each in database.read_blocking(sites.list_page, None, 10)] == ["blog"]
    database.close()


def test_a_migration_that_fails_leaves_its_copy_and_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, known = tmp_path / "data.db", schema.migrations()
    Database.open(path).close()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: [*known, (known[-1][0] + 1, "DROP TABLE nowhere;")])
        with pytest.raises(apsw.SQLError):
            Database.open(path)
    assert copies.schema_of(path) == known[-1][0]
    Database.open(path).close()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        copies.take(tmp_path / "data.db", tmp_path / "copy")
    (tmp_path / "data.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be copied"):
        copies.take(tmp_path / "data.db", tmp_path / "copy")
    with pytest.raises(StoreError, match="no copy of schema 3"):
        copies.restore(tmp_path / "data.db", 3)
