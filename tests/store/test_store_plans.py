"""No query of a visit or a deploy reads a whole table, and a large store opens as fast as a small one."""

import time
from pathlib import Path
from types import ModuleType

import apsw
import apsw.ext
import pytest

from fazt.store import (
    blobs,
    certificates,
    changes,
    domains,
    environment,
    hooks,
    kv,
    links,
    log_lines,
    notifications,
    overview,
    programs,
    queue,
    schedules,
    sealing,
    sites,
    statistics,
    tokens,
    versions,
    visits,
)
from fazt.store.database import Database

# What looks at a whole table on purpose, and why that is all right.
WHOLE = {
    "blobs.TOTALS": "for the status page only",
    "blobs.UNUSED": "the table of what may be collected is small, or all of it is wanted",
    "blobs.TO_COMPRESS": "an index of only those that wait",
    "sites.COUNT": "for the status page only",
    "versions.COUNT_ALL": "for the status page only",
    "programs.ANY": "ends at the first row",
    "sites.ADD": "of site_number, which has one row",
    "blobs.ALL": "a check of a backup looks at all",
    "sites.RENAME_OF_TOKENS": "there are few tokens",
    "sites.RENAME_OF_USERS": "there are few users",
    "sites.RENAME_OF_INVITES": "there are few invites",
    "certificates.COUNT": "for the status page only",
    "certificates.SOONEST": "for the status page only",
    "links.COUNT": "an index of it, when the owner makes a link",
    "notifications.COUNT": "there are few channels",
    "notifications.ENABLED": "there are few channels",
    "notifications.FORGET_TOLD": "once an hour, of at most one row a site",
    "hooks.COUNT": "there are few hooks",
    "hooks.LIST_OF_SITES": "there are few hooks",
    "queue.SITES": "at the start only: one row of each site that ever had jobs",
    "log_lines.SINCE": "bounded by the number of lines that are kept",
    "log_lines.SINCE_SITE": "bounded by the number of lines that are kept",
    "log_lines.TRIM": "bounded by the number of lines that are kept",
    "overview.SITES": "shows all sites",
    "overview.LATELY": "shows all sites",
    "overview.DAYS": "shows all sites",
    "overview.SERIES": "scans the list that it is given, and sums thirty days",
    "overview.ONE_FACTOR": "there are few users",
    "overview.VERSIONS": "counts all versions, by an index",
    "overview.FAILED_JOBS": "what failed in a day, by an index, and sorted",
    "overview.TRIGGERS": "there are few triggers",
    "statistics.HOURS_BETWEEN": "scans the list that it is given",
    "statistics.DAYS_BETWEEN": "scans the list that it is given",
    "statistics.BUSIEST": "all sites, of the days that are asked for",
    "visits.RAREST": "sorts a bounded number of names",
    "visits.BETWEEN": "sorts a bounded number of names a day",
}
MODULES = [
    blobs,
    certificates,
    changes,
    domains,
    environment,
    hooks,
    kv,
    links,
    log_lines,
    notifications,
    overview,
    programs,
    queue,
    schedules,
    sealing,
    sites,
    statistics,
    tokens,
    versions,
    visits,
]
SORTS_FEW = ("blobs.LIVE_IN", "certificates.FIND_FOR")  # what one blob, or one host, has
STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def statements(module: ModuleType) -> dict[str, str]:
    name = module.__name__.rpartition(".")[2]
    return {
        f"{name}.{constant}": sql
        for constant, sql in vars(module).items()
        if isinstance(sql, str) and constant.isupper() and sql.strip().startswith(STATEMENTS)
    }


ALL = {name: sql for module in MODULES for name, sql in statements(module).items()}


@pytest.mark.parametrize("name", sorted(ALL.keys() - WHOLE.keys()))
def test_no_query_reads_a_whole_table(connection: apsw.Connection, name: str) -> None:
    unbound = apsw.ext.query_info(connection, ALL[name], actions=False, expanded_sql=False)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {ALL[name]}", (None,) * len(unbound.bindings_names))
    for *_, step in plan.fetchall():
        assert not step.startswith("SCAN") or step == "SCAN CONSTANT ROW", f"{name}: {step}"
        assert "TEMP B-TREE" not in step or name in SORTS_FEW, f"{name}: {step}"


def test_the_exceptions_exist() -> None:
    assert WHOLE.keys() <= ALL.keys()


def fill(connection: apsw.Connection, site_count: int, files: int) -> None:
    hash = blobs.put(connection, b"the same")
    connection.execute("BEGIN")
    for number in range(site_count):
        site = sites.create(connection, f"site-{number:05}")
        new = [versions.NewFile(f"page-{n}.html", hash, True) for n in range(files)]
        version = versions.create(connection, site.id, new, rules=b"{}", message="", source="", parent=None)
        sites.set_live(connection, site.id, version.number)
        domains.add(connection, f"{number}.example", site.name)
    connection.execute("COMMIT")


def visit(connection: apsw.Connection, number: int) -> versions.File:
    name = domains.find_site(connection, f"{number}.example")
    assert name is not None
    site = sites.get(connection, name)
    assert site.live_version is not None
    return versions.find_files(connection, site.live_version, ["page-7.html"])["page-7.html"]


@pytest.mark.slow
def test_ten_thousand_sites(tmp_path: Path, connection: apsw.Connection) -> None:
    fill(connection, 10_000, 10)
    path = Path(connection.filename)
    connection.close()
    started = time.perf_counter()
    database = Database.open(path)
    opened_s = time.perf_counter() - started
    started = time.perf_counter()
    for number in range(0, 10_000, 100):
        assert database.read_blocking(visit, number).size == 8
    visit_s = (time.perf_counter() - started) / 100
    started = time.perf_counter()
    assert database.write_blocking(blobs.collect, 100, 0).blobs == 0
    collect_s = time.perf_counter() - started
    database.close()
    print(f"open {opened_s:.3f} s, visit {visit_s * 1e6:.0f} µs, collect {collect_s * 1e3:.1f} ms")
    assert opened_s < 2
    assert visit_s < 0.005
    assert collect_s < 0.1
