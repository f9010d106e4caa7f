"""`fazt doctor` and `fazt metrics`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def findings(printed: str) -> dict[str, Any]:
    return {finding["check"]: finding for finding in json.loads(printed)["findings"]}


def test_a_missing_database_is_a_failure_with_a_fix(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", "--json", "--db", str(tmp_path / "none.db"))
    assert ran.code == 1
    assert findings(ran.out)["database"]["state"] == "failure"
    assert not (tmp_path / "none.db").exists()


def test_a_damaged_database_does_not_end_the_rest(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"this is no database" * 1000)
    ran = run("doctor", "--json", "--db", str(tmp_path / "bad.db"))
    assert ran.code == 1
    found = findings(ran.out)
    assert found["database"]["state"] == "failure"
    assert found["disk"]["state"] in ("ok", "warning")


def test_a_secret_setting_is_no_trouble(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    ran = run("config", "set", "acme_dns_token", "--db", path, stdin=b"planted")
    assert (ran.code, "planted" in ran.out) == (0, False), ran.err
    for command in (("export",), ("why", "acme_dns_token"), ("get", "acme_dns_token"), ("list",), ("history",)):
        assert "planted" not in run("config", *command, "--db", path).out
    assert "leave VALUE out" in run("config", "set", "acme_dns_token", "planted", "--db", path).err
    assert findings(run("doctor", "--json", "--db", path).out)["key"]["state"] == "ok"


def test_a_good_database(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    assert run("sites", "create", "blog", "--db", path).code == 0
    assert run("config", "set", "http", "127.0.0.1:1", "--db", path).code == 0
    found = findings(run("doctor", "--json", "--db", path).out)
    assert found["database"]["state"] == found["permissions"]["state"] == "ok"
    assert "port 1" in found["capabilities"]["what"].lower()  # the settings of the database count
    lines = run("doctor", "--db", path).out.splitlines()
    assert lines[0] == f"ok      database      {path} can be read."


def test_metrics_without_a_server(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    run("sites", "create", "blog", "--db", path)
    ran = run("metrics", "--db", path)
    assert ran.code == 0
    assert "# TYPE fazt_sites gauge\n" in ran.out
    assert "fazt_start_time_seconds" not in ran.out
