"""Settings: where a value comes from, and that docs/settings.md tells the truth."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from fazt.control_groups import memory_limit_bytes
from fazt.errors import InvalidInput
from fazt.settings import Settings, database_path, load_settings, read_binding, socket_path

DOCUMENT = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()


def test_a_flag_counts_before_the_environment_before_the_default() -> None:
    environment = {"FAZT_DOMAIN": "from.environment", "FAZT_MAX_CONNECTIONS": "7"}
    settings = load_settings({"domain": "from.flag", "http": None}, environment)
    assert settings.domain == "from.flag"
    assert settings.max_connections == 7
    assert settings.http == Settings().http
    assert load_settings({}, environment).domain == "from.environment"


def test_a_value_of_the_wrong_type_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"FAZT_MAX_CONNECTIONS.*'many'"):
        load_settings({}, {"FAZT_MAX_CONNECTIONS": "many"})


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_each_setting_is_documented_as_it_is(setting: object) -> None:
    row = next((line for line in DOCUMENT.splitlines() if line.startswith(f"| `{setting.name}` |")), None)
    assert row is not None, f"{setting.name} is missing in docs/settings.md"
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == (f"`{setting.default}`" if setting.default != "" else "(empty)")
    assert cells[2] == setting.metadata["unit"]
    assert cells[3].replace("`", "") == setting.metadata["help"].replace("`", "")


def test_the_database_is_chosen_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = {"XDG_DATA_HOME": str(tmp_path / "share")}
    assert database_path(None, home) == tmp_path / "share" / "fazt" / "data.db"
    Path("data.db").touch()
    assert database_path(None, home) == Path("data.db")
    assert database_path(None, home | {"FAZT_DB": "other.db"}) == Path("other.db")
    assert database_path("flag.db", home | {"FAZT_DB": "other.db"}) == Path("flag.db")


def test_the_socket_lies_beside_the_database_where_its_name_fits(tmp_path: Path) -> None:
    short = Path("/srv/data.db")
    assert socket_path(short) == Path("/srv/data.db.sock")
    long = tmp_path / ("x" * 120) / "data.db"
    assert len(os.fsencode(socket_path(long))) <= 100
    assert socket_path(long) == socket_path(long)
    assert socket_path(long) != socket_path(tmp_path / ("y" * 120) / "data.db")


def test_the_memory_limit_is_no_more_than_the_machine_has() -> None:
    assert 0 < memory_limit_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    "text", ["kid", "kid:", ":zWNDZM6eQGHWpSRTPal5", "kid:short", "kid:zWNDZM6eQGHWpSRTP", "kid:zWN ZM6eQGHWpSRTPal5"]
)
def test_a_binding_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput, match="acme_binding is no KEY_ID:HMAC_KEY") as refused:
        read_binding(text)
    assert "zWN" not in refused.value.message


def test_a_binding() -> None:
    assert read_binding("") is None
    assert read_binding(" a:b:zWND+/6eQGHWpSRTPal5eA== ") == ("a:b", "zWND-_6eQGHWpSRTPal5eA")
