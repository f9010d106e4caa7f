"""The suite: every case of serving, deploying, going back, idle connections and starting, on servers of its own.

Rule: it runs on temporary folders and free ports of loopback, and leaves nothing behind; servers that are compared are
measured in turns, so that a noisy moment of the machine meets both.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from fazt.bench import idle, machine, peers, probe, process, report, server, site, worker
from fazt.bench.case import FULL, HOST, QUICK, Pace, cases, measure_case
from fazt.bench.job import Job, Result
from fazt.bench.report import Report, Row
from fazt.bench.request import request_bytes
from fazt.bench.running import Running
from fazt.bench.seed import seed
from fazt.errors import InvalidInput

SERVED_SITE = "bench"
DEPLOYED_SITE = "many"
ROLLBACKS = 20
CHANGED_FILES = 10
AGAINST = ("nginx",)


@dataclass(slots=True)
class Suite:
    """One run of the suite."""

    work: Path
    pace: Pace
    say: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    servers: dict[str, str] = field(default_factory=dict)

    def run(self, against: str | None) -> Report:
        """Measure everything and return the report."""
        server_core, _ = process.cores()
        folder = self.work / "site"
        contents = site.write_sizes(folder, large=self.pace.large)
        with contextlib.ExitStack() as started:
            idle.most_idle(self.pace.idle)  # children inherit the limit of open files
            database = self.work / "served.db"
            self.say("deploying what is served")
            with server.fazt(database, core=server_core) as first:  # what it used for the deploy is not to be measured
                server.run_command(database, "deploy", str(folder), "--site", SERVED_SITE)
                probe.wait_until_rest(first.pids)
            ours = started.enter_context(server.fazt(database, core=server_core))
            peer = started.enter_context(peers.nginx(folder, core=server_core)) if against else None
            self.servers = {running.name: running.version for running in (ours, peer) if running}
            for running in (ours, peer):
                if running:
                    self.hold_idle(running)
            self.serve([ours, peer] if peer else [ours], contents)
            self.deploy(ours, database)
        self.start_with_many()
        return Report(machine=machine.describe(), rows=tuple(self.rows), servers=self.servers)

    def serve(self, servers: list[Running], contents: dict[str, bytes]) -> None:
        """Measure the cases of serving, the servers in turns."""
        _, load_core = process.cores()
        for case in cases(self.pace):
            self.say(case.title)
            rounds = 1 if case.distinct else self.pace.rounds  # what was asked once is not new any more
            results: dict[str, list[Result]] = {running.name: [] for running in servers}
            for _ in range(rounds):
                for running in servers:
                    result = measure_case(running, case, contents, self.pace, load_core=load_core)
                    results[running.name].append(result)
            for running in servers:
                memory = process.resident_bytes(running.pids)
                self.rows.append(
                    report.serving_row(
                        case.name,
                        case.title,
                        running.name,
                        results[running.name],
                        expected=[case.status],
                        memory_bytes=memory,
                    )
                )

    def hold_idle(self, running: Running) -> None:
        """Measure the memory of idle connections, and serving while they are held."""
        _, load_core = process.cores()
        count = idle.most_idle(self.pace.idle)
        self.say(f"{count:,} idle connections to {running.name}")
        request = request_bytes(HOST, "/1kb.html")
        probe.wait_until_rest(running.pids)
        before = process.resident_bytes(running.pids)
        with idle.hold(running.port, request, count):
            memory = process.resident_bytes(running.pids) - before
            job = Job(
                host="127.0.0.1",
                port=running.port,
                requests=(request,),
                connections=32,
                duration_s=self.pace.duration_s,
                warmup_s=self.pace.warmup_s,
                core=load_core,
                pids=running.pids,
            )
            result = worker.measure(job)
        self.add("idle-memory", "memory of one idle connection", running.name, memory_bytes=max(memory, 0) // count)
        title = f"1 KB page, {count:,} others idle"
        self.rows.append(report.serving_row("hit-idle", title, running.name, [result], expected=[200]))

    def deploy(self, running: Running, database: Path) -> None:
        """Measure deploys as whole commands, and rollbacks until the page is the other one."""
        pace = self.pace
        folder = self.work / "many"
        site.write_many(folder, files=pace.files, total_bytes=pace.file_bytes)
        command = ("deploy", str(folder), "--site", DEPLOYED_SITE)
        what = f"{pace.files:,} files, {report.size(pace.file_bytes)}"
        self.say(f"deploying {what}")
        probe.wait_until_rest(running.pids)
        self.add("deploy", f"deploy {what}", "fazt", seconds=server.run_command(database, *command))
        probe.wait_until_rest(running.pids)
        took = median(server.run_command(database, *command) for _ in range(3))
        self.add("deploy-unchanged", "deploy it again, unchanged", "fazt", seconds=took)
        old = (folder / "index.html").read_bytes()
        new = site.text(1_000, 77)
        (folder / "index.html").write_bytes(new)
        for file in sorted(folder.rglob("file-*.html"))[: CHANGED_FILES - 1]:
            file.write_bytes(file.read_bytes()[::-1])
        took = server.run_command(database, *command)
        self.add("deploy-changed", f"deploy it again, {CHANGED_FILES} files changed", "fazt", seconds=took)
        self.say("rolling back")
        probe.wait_until_rest(running.pids)
        self.roll_back(running, database, [old, new])
        shutil.rmtree(folder)

    def roll_back(self, running: Running, database: Path, bodies: list[bytes]) -> None:
        """Measure a rollback from the call until a visitor sees the other page."""
        request = request_bytes(f"{DEPLOYED_SITE}.localhost", "/")
        times = []
        connection = server.SocketConnection(database)
        with contextlib.closing(connection):
            for turn in range(ROLLBACKS):
                probe.wait_until_body(running.port, request, bodies[(turn + 1) % 2])
                started = time.monotonic()
                server.roll_back(connection, DEPLOYED_SITE)
                probe.wait_until_body(running.port, request, bodies[turn % 2])
                times.append(time.monotonic() - started)
        self.add("rollback", "rollback until a visitor sees it", "fazt", seconds=median(times))

    def start_with_many(self) -> None:
        """Measure a start with many sites, and the first visit of each."""
        server_core, load_core = process.cores()
        pace = self.pace
        self.say(f"making {pace.sites:,} sites")
        database = self.work / "many.db"
        seed(database, pace.sites)
        self.say(f"starting with {pace.sites:,} sites")
        with server.fazt(database, core=server_core) as running:
            self.add("start", f"start with {pace.sites:,} sites", "fazt", seconds=running.start_s)
            probe.wait_until_rest(running.pids)
            requests = site.cold_requests("localhost", min(pace.cold_sites, pace.sites))
            job = Job(
                host="127.0.0.1",
                port=running.port,
                requests=requests,
                limit=len(requests),
                duration_s=60.0,
                warmup_s=0.0,
                core=load_core,
                pids=running.pids,
            )
            result = worker.measure(job)
            memory = process.resident_bytes(running.pids)
            title = f"first visit of {len(requests):,} sites"
            self.rows.append(report.serving_row("cold", title, "fazt", [result], expected=[200], memory_bytes=memory))
            self.serve_many(job, requests)

    def serve_many(self, job: Job, requests: tuple[bytes, ...]) -> None:
        """Measure pages in memory while many sites are deployed: always the same one, and going round many."""
        pace = self.pace
        paced = replace(job, limit=0, duration_s=pace.duration_s, warmup_s=pace.warmup_s, connections=32)
        asked = {"hit-crowd": requests[:1], "hit-spread": requests}
        results: dict[str, list[Result]] = {case: [] for case in asked}
        for _ in range(pace.rounds):
            for case, each in asked.items():
                results[case].append(worker.measure(replace(paced, requests=each)))
        titles = {"hit-crowd": "1 KB page, one site of", "hit-spread": f"1 KB pages of {len(requests):,} sites of"}
        for case, found in results.items():
            title = f"{titles[case]} {pace.sites:,}"
            self.rows.append(report.serving_row(case, title, "fazt", found, expected=[200]))

    def add(
        self, case: str, title: str, name: str, *, seconds: float | None = None, memory_bytes: int | None = None
    ) -> None:
        """Add a row that is not about serving."""
        self.rows.append(Row(case=case, title=title, server=name, seconds=seconds, memory_bytes=memory_bytes))


def run_suite(*, quick: bool, against: str | None, say: Callable[[str], None]) -> Report:
    """Run the suite; `say` is told what is being done.

    Raises: InvalidInput for an unknown peer, NotFound where it is not installed, RemoteError for a wrong answer.
    """
    if against is not None and against not in AGAINST:
        raise InvalidInput(f"--against knows {', '.join(AGAINST)}, not {against}.")
    if against is not None:
        peers.find_program(against)
    with tempfile.TemporaryDirectory(prefix="fazt-bench-") as work:
        return Suite(Path(work), QUICK if quick else FULL, say).run(against)
