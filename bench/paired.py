"""Fazt beside its peers on the same machine, in turns: `tools/bench`, or `python bench/paired.py --help`.

Every server gets core 0, the load another core; each case goes round the servers A B C A B C ..., and what is reported
is the median of the rounds and its ratio to the first server. Bodies are compared before anything is measured, and no
server compresses. The report is saved under bench/results/.
"""

import argparse
import contextlib
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import orjson

from fazt.bench import machine, peers, process, report, server, site
from fazt.bench.case import FULL, QUICK, Case, Pace, cases, measure_case
from fazt.bench.job import Result
from fazt.bench.report import Report, Row
from fazt.bench.running import Running, free_port, start
from fazt.errors import FaztError

HERE = Path(__file__).parent
CASES = ("hit-1kb", "hit-10kb", "hit-100kb", "hit-1mb", "not-modified", "range")
WITHOUT = {"floor": {"not-modified", "range"}, "granian": {"not-modified", "range"}}  # what a server cannot do
ONE_THREAD = {"GOMAXPROCS": "1", "UV_THREADPOOL_SIZE": "1"}

CADDYFILE = """\
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port}, http://bench.localhost:{port} {{
  bind 127.0.0.1
  root * {folder}
  file_server
  header Cache-Control no-cache
  header X-Content-Type-Options nosniff
}}
"""
STARLETTE = """\
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

app = Starlette(routes=[Mount("/", StaticFiles(directory={folder!r}, html=True))])
"""
NOTHING = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
"""


@contextlib.contextmanager
def fazt(folder: Path, work: Path, core: int | None) -> Iterator[Running]:
    database = work / "paired.db"
    with server.fazt(database, core=core) as running:
        server.run_command(database, "deploy", str(folder), "--site", "bench")
        yield running


@contextlib.contextmanager
def nginx(folder: Path, work: Path, core: int | None) -> Iterator[Running]:
    with peers.nginx(folder, core=core) as running:
        yield running


@contextlib.contextmanager
def caddy(folder: Path, work: Path, core: int | None) -> Iterator[Running]:
    program = peers.find_program("caddy")
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()[0]
    port = free_port()
    file = work / "Caddyfile"
    file.write_text(CADDYFILE.format(port=port, folder=folder))
    environment = {"XDG_DATA_HOME": str(work), "XDG_CONFIG_HOME": str(work), **ONE_THREAD}
    command = [program, "run", "--config", str(file), "--adapter", "caddyfile"]
    with start("caddy", said, command, port, core=core, environment=environment) as running:
        yield running


@contextlib.contextmanager
def granian(folder: Path, work: Path, core: int | None) -> Iterator[Running]:
    port = free_port()
    (work / "nothing.py").write_text(NOTHING)
    options = ["--interface", "asginl", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-ws"]
    static = ["--static-path-route", "", "--static-path-mount", str(folder), "--working-dir", str(work)]
    command = [sys.executable, "-m", "granian", *options, *static, "--http", "1", "nothing:app"]
    with start("granian", version("granian"), command, port, core=core) as running:
        yield running


@contextlib.contextmanager
def uvicorn(folder: Path, work: Path, core: int | None) -> Iterator[Running]:
    port = free_port()
    (work / "files.py").write_text(STARLETTE.format(folder=str(folder)))
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    command = [sys.executable, "-m", "uvicorn", *options, "--app-dir", str(work), "files:app"]
    said = f"{version('uvicorn')} with starlette {version('starlette')}"
    with start("uvicorn", said, command, port, core=core) as running:
        yield running


@contextlib.contextmanager
def floor(folder: Path, work: Path, core: int | None) -> Iterator[Running]:
    compiler = peers.find_program("gcc")
    program = work / "floor"
    subprocess.run([compiler, "-O2", "-o", str(program), str(HERE / "floor.c")], check=True)
    port = free_port()
    with start("floor", "bench/floor.c", [str(program), str(port), str(folder)], port, core=core) as running:
        yield running


Server = Callable[[Path, Path, int | None], contextlib.AbstractContextManager[Running]]
SERVERS: dict[str, Server] = {
    "fazt": fazt,
    "nginx": nginx,
    "caddy": caddy,
    "granian": granian,
    "uvicorn": uvicorn,
    "floor": floor,
}


def measure(servers: list[Running], case: Case, contents: dict[str, bytes], pace: Pace) -> list[Row]:
    """Measure one case on all servers in turns."""
    _, load_core = process.cores()
    results: dict[str, list[Result]] = {running.name: [] for running in servers}
    for _ in range(pace.rounds):
        for running in servers:
            results[running.name].append(measure_case(running, case, contents, pace, load_core=load_core))
    return [
        report.serving_row(
            case.name,
            case.title,
            running.name,
            results[running.name],
            expected=[case.status],
            memory_bytes=process.resident_bytes(running.pids),
        )
        for running in servers
    ]


def ratios(rows: list[Row]) -> list[str]:
    """Return, for each row but the first server's, how it stands to the first server's."""
    lines = []
    firsts = {row.case: row for row in reversed(rows)}
    for row in rows:
        first = firsts[row.case]
        if row is not first and row.requests_per_s and first.requests_per_s and row.cpu_us and first.cpu_us:
            faster, cheaper = first.requests_per_s / row.requests_per_s, row.cpu_us / first.cpu_us
            lines.append(
                f"{row.title}: {first.server} answers {faster:.2f} times as many requests as {row.server}, "
                f"which takes {cheaper:.2f} times the CPU time of {first.server} for one"
            )
    return lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--servers", default=",".join(SERVERS), help=f"of {', '.join(SERVERS)}; the first is the measure"
    )
    parser.add_argument("--cases", default=",".join(CASES), help="names of cases")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help="rounds of each case")
    parser.add_argument("--duration", type=float, metavar="S", help="seconds of each round")
    parser.add_argument("--pipeline", type=int, default=1, metavar="N", help="requests under way on one connection")
    parser.add_argument("--connections", type=int, metavar="N", help="connections of each case")
    parser.add_argument("--no-save", action="store_true", help="do not write bench/results/")
    return parser.parse_args()


def save(done: Report, options: dict[str, object]) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", platform.node().lower()).strip("-") or "machine"
    file = HERE / "results" / f"{datetime.now(UTC):%Y-%m-%dT%H%M}-{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(orjson.dumps({**done.as_json(), "options": options}, option=orjson.OPT_INDENT_2) + b"\n")
    return file


def main() -> int:
    options = arguments()
    pace = replace(QUICK if options.quick else FULL, large=False)
    pace = replace(pace, rounds=options.rounds or pace.rounds, duration_s=options.duration or pace.duration_s)
    names = options.servers.split(",")
    chosen = {case.name: case for case in cases(replace(pace, large=True))}
    rows: list[Row] = []
    core, _ = process.cores()
    with tempfile.TemporaryDirectory(prefix="fazt-paired-") as place, contextlib.ExitStack() as started:
        work = Path(place)
        os.chmod(work, 0o755)  # peers may run as another user
        folder = work / "site"
        contents = site.write_sizes(folder, large="hit-100mb" in options.cases)
        servers = [started.enter_context(SERVERS[name](folder, work, core)) for name in names]
        for name in options.cases.split(","):
            case = replace(chosen[name], pipeline=options.pipeline)
            case = replace(case, connections=options.connections or case.connections)
            able = [running for running in servers if name not in WITHOUT.get(running.name, ())]
            print(f"  {case.title}", file=sys.stderr)
            rows += measure(able, case, contents, pace)
    versions = {running.name: running.version for running in servers}
    done = Report(machine=machine.describe(), rows=tuple(rows), servers=versions)
    print(report.text(done))
    print("", *ratios(rows), sep="\n")
    if not options.no_save:
        print(f"\nsaved as {save(done, {**vars(options), 'pace': asdict(pace)})}")
    return 1 if done.faults() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FaztError as error:
        sys.exit(f"Error: {error.message}")
