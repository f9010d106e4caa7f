"""Functions beside their peers, and every bar that they have to reach: `tools/bench --functions [--quick]`.

Every server gets core 0 with all its processes, the load another one; at half load it may use both. Rule: a bar that is
a ratio is one of figures from the same run, of servers measured in turns. The report is saved under bench/results/.
"""

import argparse
import os
import platform
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeVar

import orjson
from function_peers import PEERS
from function_sites import FILES, HELLO, SITE, Watched, hello_requests, make, memory, runners, watching

from fazt.bench import machine, probe, process, report, server, worker
from fazt.bench.job import Job, Result
from fazt.bench.report import Report, Row
from fazt.bench.request import request_bytes
from fazt.bench.running import Running
from fazt.errors import FaztError

HERE = Path(__file__).parent
HOST = f"{SITE}.localhost"
REFERENCE = "uvicorn"
CASES = ("hello", "cold", "static", "memory", "turn")
CONNECTIONS = 32
TRIES = 4
OTHERS_SHARE = 0.05  # of one core
COLD_PER_S = 8.0
SMALL_BYTES = 256 << 20  # too little for the isolates of all sites: each call finds that its site's is gone
SMALL = {"FAZT_FUNCTIONS_MEMORY_BYTES": str(SMALL_BYTES)}
WARM_CALLS = 10_000
IDLE_S = 5.0  # an isolate that has nothing to do collects its garbage after two
STATIC_PER_S = 2_000.0
STATIC_CONNECTIONS = 256  # enough for hits to be a good part of what the server does beside functions
MB = 1_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long it all takes."""

    duration_s: float
    warmup_s: float
    rounds: int
    cold: int
    sites: int


QUICK = Pace(duration_s=1.5, warmup_s=0.5, rounds=1, cold=40, sites=200)
FULL = Pace(duration_s=4.0, warmup_s=1.0, rounds=3, cold=200, sites=1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Something that was to be reached, and what was measured."""

    what: str
    measured: float
    most: float | None  # None: told, not asked for
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether it was reached."""
        return self.most is None or self.measured <= self.most

    def cells(self) -> tuple[str, ...]:
        """Return it as the texts of a line."""
        most = "" if self.most is None else f"≤ {report.number(self.most)} {self.unit}"
        verdict = "" if self.most is None else "met" if self.is_met else "MISSED"
        return self.what, f"{report.number(self.measured)} {self.unit}", most, verdict


@dataclass(slots=True)
class Bench:
    """One run."""

    work: Path
    pace: Pace
    rows: list[Row] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    servers: dict[str, str] = field(default_factory=dict)

    def run(self, cases: list[str], peers: list[str]) -> None:
        """Measure the cases."""
        core, _ = process.cores()
        warm, many = self.work / "warm.db", self.work / "many.db"
        say("making sites with functions")
        make(warm, 0)
        if {"cold", "turn"} & set(cases):
            make(many, self.pace.sites + 2 * self.pace.cold)
        if {"hello", "static"} & set(cases):
            with ExitStack() as started:
                ours = started.enter_context(server.fazt(warm, core=core))
                self.servers["fazt"] = ours.version
                if "hello" in cases:
                    others = [started.enter_context(PEERS[name](core)) for name in peers]
                    self.servers.update({peer.name: peer.version for peer in others})
                    self.hello(ours, others)
                if "static" in cases:
                    self.static(ours)
        if "memory" in cases:
            with server.fazt(warm, core=core) as ours:
                self.servers["fazt"] = ours.version
                self.memory(ours)
        if "cold" in cases:
            with server.fazt(many, core=core) as ours:
                self.servers["fazt"] = ours.version
                self.cold(ours)
        for how, environment in (("", {}), (f", {SMALL_BYTES >> 20} MiB for functions", SMALL)):
            if "turn" in cases:
                with server.fazt(many, core=core, environment=environment) as ours:
                    self.servers["fazt"] = ours.version
                    self.turn(ours, how)

    # --- warm calls ---

    def hello(self, ours: Running, others: list[Running]) -> None:
        """Measure the hello of every server in turns, and ours with two questions to the store."""
        asked = [(ours, "fazt", "/api/hello"), *((peer, peer.name, "/api/hello") for peer in others)]
        asked.append((ours, "fazt with kv", "/api/kv"))
        full: dict[str, list[Result]] = {name: [] for _, name, _ in asked}
        half: dict[str, list[Result]] = {name: [] for _, name, _ in asked}
        for running, name, path in asked:
            say(f"warming {name}")
            if path == "/api/hello":
                probe.check(name, running.port, request_bytes(HOST, path), 200, HELLO)
            worker.measure(self.job(running, path))  # code is optimised, and as many runners started as will be
        for turn in range(self.pace.rounds):
            for running, name, path in asked:
                say(f"round {turn + 1}: {name}")
                whole = self.job(running, path)
                full[name].append(calmly(whole, lambda whole=whole: worker.measure(whole)))
                with on_all_cores(running):
                    paced = self.job(running, path, rate=full[name][-1].requests_per_s / 2)
                    half[name].append(calmly(paced, lambda paced=paced: worker.measure(paced)))
        for _, name, _ in asked:
            self.rows += [
                report.serving_row("hello", "warm hello", name, full[name], expected=[200]),
                report.serving_row("hello-half", "warm hello, half load", name, half[name], expected=[200]),
            ]
        self.hello_bars(full, half)

    def hello_bars(self, full: dict[str, list[Result]], half: dict[str, list[Result]]) -> None:
        ours = self.cpu_us("hello", "fazt")
        if REFERENCE in full:
            reference = self.cpu_us("hello", REFERENCE)
            self.bar("warm hello: CPU, of uvicorn and Starlette's", ours / reference, 4.0, "×")
        for name in full:
            if name not in ("fazt", "fazt with kv", REFERENCE):
                self.bar(f"warm hello: CPU, of {name}'s", ours / self.cpu_us("hello", name), None, "×")
        p99_us = median(result.latency.p99_us for result in half["fazt"])
        self.bar("warm hello: p99 at half load", p99_us / 1000, 5.0, "ms")
        more = self.cpu_us("hello", "fazt with kv") - ours
        self.bar("kv.get and kv.increment: more CPU, of the bare call's", more / ours, 1.0, "×")

    # --- cold calls ---

    def cold(self, ours: Running) -> None:
        """Measure the first calls of sites: now and then, and one right after the other."""
        count, first = self.pace.cold, self.pace.sites
        say(f"first calls of {count} sites, {COLD_PER_S:.0f} a second")
        probe.wait_until_rest(ours.pids)
        paced = worker.measure(self.job_once(ours, hello_requests(first, first + count), rate=COLD_PER_S))
        say(f"first calls of {count} sites, one after the other")
        probe.wait_until_rest(ours.pids)
        directly = worker.measure(self.job_once(ours, hello_requests(first + count, first + 2 * count)))
        for case, title, result in (
            ("cold", f"first call, {COLD_PER_S:.0f} sites a second", paced),
            ("cold-directly", "first call, site after site", directly),
        ):
            self.rows.append(report.serving_row(case, title, "fazt", [result], expected=[200]))
        self.bar("first call of a site: p99", paced.latency.p99_us / 1000, 60.0, "ms")
        self.bar("first calls one right after the other: p99", directly.latency.p99_us / 1000, None, "ms")

    def turn(self, ours: Running, how: str) -> None:
        """Measure the calls of many sites, one after the other, twice round; `how` the server was told to keep them."""
        requests = hello_requests(0, self.pace.sites)
        results: list[Result] = []
        seen: list[Watched] = []
        for turn in range(2):
            say(f"calls of {len(requests):,} sites in turn, {'once' if turn == 0 else 'and again'}")
            with watching(ours.pids[0], interval_s=1.0, core=process.cores()[1]) as watched:
                results.append(worker.measure(self.job_once(ours, requests)))
            seen.append(watched)
        for title, result, watched in zip(("calls of", "calls again of"), results, seen, strict=True):
            title = f"{title} {len(requests):,} sites in turn{how}"
            row = report.serving_row("turn", title, "fazt", [result], expected=[200], memory_bytes=watched.bytes)
            self.rows.append(row)
        most_ms = max(result.latency.p99_us for result in results) / 1000
        self.bar(f"{len(requests):,} sites called in turn{how}: p99", most_ms, 80.0, "ms")
        self.bar("... most runners at a time", max(watched.runners for watched in seen), None, "processes")
        self.bar("... their private memory, together", max(watched.bytes for watched in seen) / MB, None, "MB")
        self.bar("... each of them", seen[-1].each_bytes / MB, None, "MB")

    # --- pages beside functions ---

    def static(self, ours: Running) -> None:
        """Measure pages while functions run, against pages alone."""
        probe.check("fazt", ours.port, request_bytes(HOST, "/index.html"), 200, FILES["index.html"])
        for path in ("/api/hello", "/api/busy"):
            say(f"warming {path}")
            worker.measure(self.job(ours, path))
        alone: list[Result] = []
        beside: dict[str, list[Result]] = {"hello": [], "busy": []}
        for turn in range(self.pace.rounds):
            say(f"round {turn + 1}: pages alone and beside functions")
            paced = self.job(ours, "/index.html", rate=STATIC_PER_S)
            alone.append(calmly(paced, lambda paced=paced: worker.measure(paced)))
            for name in beside:
                calls = self.job(ours, f"/api/{name}")
                beside[name].append(calmly(paced, lambda paced=paced, calls=calls: both(paced, calls)[0]))
        row = report.serving_row("static", "1 KB page", "fazt", alone, expected=[200])
        self.rows.append(row)
        idle_us = median(result.latency.p99_us for result in alone)
        for name, results in beside.items():
            title = f"1 KB page beside {name} at full load"
            found = report.serving_row(f"static-{name}", title, "fazt", results, expected=[200])
            self.rows.append(found)
            loaded_us = median(result.latency.p99_us for result in results)
            self.bar(f"1 KB page beside {name} at full load: p99, of an idle server's", loaded_us / idle_us, 3.0, "×")
        self.static_cpu(ours)

    def static_cpu(self, ours: Running) -> None:
        """Find out what a page costs beside functions: what all costs together, less what the calls cost alone."""
        pages, calls = self.job(ours, "/index.html", connections=STATIC_CONNECTIONS), self.job(ours, "/api/hello")
        ratios, costs = [], []
        for turn in range(self.pace.rounds):
            say(f"round {turn + 1}: what a page costs beside functions")
            page, call = (calmly(job, lambda job=job: worker.measure(job)) for job in (pages, calls))
            page_too, call_too = calmly(pages, lambda: both(pages, calls))
            assert page.cpu_us is not None
            assert call.cpu_us is not None
            for_calls_s = call_too.requests_per_s * page_too.elapsed_s * call.cpu_us / 1e6
            costs.append((page_too.server_cpu_s - for_calls_s) / page_too.finished * 1e6)
            ratios.append(costs[-1] / page.cpu_us)
        self.bar("1 KB page beside functions at full load: CPU, of one alone", median(ratios), 1.1, "×")
        self.bar("... its CPU", median(costs), None, "µs")

    # --- memory ---

    def memory(self, ours: Running) -> None:
        """Measure a runner without a site, one after its first call and one after many."""
        say("memory of runners")
        probe.wait_until_rest(ours.pids)
        spare = runners(ours.pids[0])
        self.bar("memory of a runner that waits: private", memory(spare[0]).private_bytes / MB, None, "MB")
        # One call at a time, so that there is one runner.
        request = request_bytes(HOST, "/api/hello")
        probe.check("fazt", ours.port, request, 200, HELLO)
        probe.wait_until_rest(ours.pids)
        self.bar("... after the first call", memory(spare[0]).private_bytes / MB, 5.0, "MB")
        worker.measure(self.job_once(ours, (request,), limit=WARM_CALLS))
        probe.wait_until_rest(ours.pids)
        self.bar(f"... right after {WARM_CALLS:,} calls", memory(spare[0]).private_bytes / MB, None, "MB")
        time.sleep(IDLE_S)
        after = memory(spare[0])
        self.bar(f"... {IDLE_S:.0f} seconds later", after.private_bytes / MB, 5.0, "MB")
        self.bar("... and its share of what processes have in common", after.proportional_bytes / MB, None, "MB")

    # --- jobs for the load ---

    def job(self, running: Running, path: str, *, rate: float = 0.0, connections: int = CONNECTIONS) -> Job:
        """Return the job that asks for one path as long as the pace says."""
        return Job(
            host="127.0.0.1",
            port=running.port,
            requests=(request_bytes(HOST, path),),
            connections=connections,
            duration_s=self.pace.duration_s,
            warmup_s=self.pace.warmup_s,
            rate=rate,
            core=process.cores()[1],
            pids=process.tree(running.pids[0]),
        )

    def job_once(self, running: Running, requests: tuple[bytes, ...], *, rate: float = 0.0, limit: int = 0) -> Job:
        """Return the job that sends each request once, or so many in all, one after the other."""
        return Job(
            host="127.0.0.1",
            port=running.port,
            requests=requests,
            connections=CONNECTIONS if rate else 1,  # with a rate, a slow call keeps none of the others waiting
            duration_s=300.0,
            warmup_s=0.0,
            rate=rate,
            limit=limit or len(requests),
            core=process.cores()[1],
        )

    def cpu_us(self, case: str, name: str) -> float:
        """Return the CPU time of one call that was measured."""
        found = next(row.cpu_us for row in self.rows if row.case == case and row.server == name)
        assert found is not None
        return found

    def bar(self, what: str, measured: float, most: float | None, unit: str) -> None:
        self.bars.append(Bar(what=what, measured=measured, most=most, unit=unit))


def calmly(job: Job, measure: Callable[[], T]) -> T:
    """Measure, and again where others use the machine meanwhile, a few times at most; return the least disturbed."""
    found: list[tuple[float, T]] = []
    for _ in range(TRIES):
        started, before = time.monotonic(), others_s(job)
        result = measure()
        found.append(((others_s(job) - before) / (time.monotonic() - started), result))
        if found[-1][0] < OTHERS_SHARE:
            break
    return min(found, key=lambda each: each[0])[1]


def others_s(job: Job) -> float:
    """Return the seconds for which others than the server, this program and its load have used the cores."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours_s = own.ru_utime + own.ru_stime + time.process_time() + process.cpu_s(job.pids)
    return sum(process.busy_s(core) for core in os.sched_getaffinity(0)) - ours_s


@contextmanager
def on_all_cores(running: Running) -> Iterator[None]:
    """Let a server use every core, as it does where nobody measures it: some are several processes."""
    tasks = [int(task.name) for pid in process.tree(running.pids[0]) for task in Path(f"/proc/{pid}/task").iterdir()]
    kept = {task: os.sched_getaffinity(task) for task in tasks}
    for task in tasks:
        os.sched_setaffinity(task, os.sched_getaffinity(0))
    yield
    for task, cores in kept.items():
        with suppress(ProcessLookupError):  # a thread may have ended
            os.sched_setaffinity(task, cores)


def both(first: Job, second: Job) -> tuple[Result, Result]:
    """Do two jobs at the same time."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.submit(worker.measure, first), pool.submit(worker.measure, second)
        return one.result(), other.result()


def say(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)


def bars_text(bars: list[Bar]) -> str:
    """Return the bars as aligned lines."""
    lines = [("", "measured", "bar", ""), *(bar.cells() for bar in bars)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column in (0, 3) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--quick", action="store_true", help="one short round, fewer sites: under two minutes")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--no-save", action="store_true", help="do not write bench/results/")
    return parser.parse_args()


def save(values: dict[str, object]) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", platform.node().lower()).strip("-") or "machine"
    file = HERE / "results" / f"{datetime.now(UTC):%Y-%m-%dT%H%M}-functions-{name}.json"
    file.write_bytes(orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n")
    return file


def main() -> int:
    options = arguments()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fazt-functions-") as place:
        os.chmod(place, 0o755)
        bench = Bench(Path(place), QUICK if options.quick else FULL)
        peers = [name for name in options.peers.split(",") if name]
        bench.run(options.cases.split(","), peers)
    done = Report(machine=machine.describe(), rows=tuple(bench.rows), servers=bench.servers)
    bars = [{**asdict(bar), "met": bar.is_met} for bar in bench.bars]
    values = {**done.as_json(), "bars": bars, "options": {**vars(options), "pace": asdict(bench.pace)}}
    if options.json:
        print(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode())
    else:
        print(report.text(done), "", bars_text(bench.bars), sep="\n")
        print(f"\ntook {time.monotonic() - started:.0f} s")
    if not options.no_save:
        print(f"saved as {save(values)}", file=sys.stderr)
    return 1 if done.faults() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FaztError as error:
        sys.exit(f"Error: {error.message}")
