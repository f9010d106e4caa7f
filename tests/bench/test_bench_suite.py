"""The suite against a real `fazt serve`, with everything as small as it can be."""

from pathlib import Path

import pytest

from fazt.bench import report
from fazt.bench.case import Pace, cases
from fazt.bench.suite import Suite

TINY = Pace(
    duration_s=0.2,
    warmup_s=0.1,
    rounds=1,
    distinct=50,
    large=False,
    sites=30,
    cold_sites=30,
    files=40,
    file_bytes=200_000,
    idle=20,
)


@pytest.mark.slow
def test_the_suite_measures_every_case(tmp_path: Path) -> None:
    said: list[str] = []
    done = Suite(tmp_path, TINY, said.append).run(None)
    assert done.faults() == []
    found = {row.case: row for row in done.rows}
    others = {"idle-memory", "hit-idle", "deploy", "deploy-unchanged", "deploy-changed", "rollback"}
    others |= {"start", "cold", "hit-crowd", "hit-spread"}
    assert found.keys() == {case.name for case in cases(TINY)} | others
    for case in (*(case.name for case in cases(TINY)), "hit-idle", "cold"):
        assert found[case].requests_per_s
        assert found[case].cpu_us
    for case in ("deploy", "deploy-unchanged", "deploy-changed", "rollback", "start"):
        assert found[case].seconds
    assert found["idle-memory"].memory_bytes is not None
    assert len(report.text(done).splitlines()) >= len(done.rows) + 4
    assert said
