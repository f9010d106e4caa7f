"""What stands around the load generator: jobs, results, processes, requests, reports, and the worker's own process."""

import http.server
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.bench import idle, machine, peers, probe, process, report, site, worker
from fazt.bench.case import QUICK, cases, expected_body, measure_case
from fazt.bench.job import Job, Latency, Result
from fazt.bench.report import Report, Row
from fazt.bench.request import request_bytes
from fazt.bench.running import accepts, free_port, start
from fazt.bench.seed import seed
from fazt.errors import InvalidInput, ListenError, NotFound, RemoteError
from fazt.store import sites
from fazt.store.database import Database

BODY = b"A page.\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = b"" if self.path == "/missing" else BODY
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/coded":
            self.send_header("Content-Encoding", "br")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def job(port: int, path: str = "/", **options: object) -> Job:
    wanted = Job(host="x.localhost", port=port, requests=(request_bytes("x.localhost", path),), warmup_s=0.0)
    return replace(wanted, connections=2, **options)  # type: ignore[arg-type]


def result(**values: object) -> Result:
    latency = Latency(mean_us=1, p50_us=1, p90_us=1, p99_us=1, p99_9_us=1, max_us=1)
    sound = Result(
        elapsed_s=2.0,
        finished=100,
        received_bytes=4_000_000,
        statuses={"200": 100},
        errors={},
        failed=0,
        unsent=0,
        unanswered=0,
        reconnects=0,
        first_malformed="",
        latency=latency,
        server_cpu_s=0.001,
    )
    return replace(sound, **values)  # type: ignore[arg-type]


def test_the_worker_measures_in_a_process_of_its_own(port: int) -> None:
    measured = worker.measure(job(port, limit=200, pids=(os.getpid(),)))
    assert measured.statuses == {"200": 200}
    assert measured.finished == 200
    assert measured.server_cpu_s > 0
    assert measured.faults(200) == []
    assert measured.requests_per_s > 0
    assert measured.cpu_us is not None


def test_the_worker_says_what_it_cannot_do(port: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 64"):
        worker.measure(job(port, pipeline=65))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY:
        with pytest.raises(InvalidInput, match="ulimit"):
            worker.raise_descriptor_limit(hard + 1)


def test_another_machine_is_left_alone(port: int) -> None:
    elsewhere = replace(job(port), host="192.0.2.1")
    with pytest.raises(InvalidInput, match="--allow-remote"):
        worker.measure(elsewhere)
    assert elsewhere.address(allow_remote=True)[1] == ("192.0.2.1", port)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_a_job_goes_through_json(requests: list[bytes]) -> None:
    sent = Job(host="h", port=1, requests=tuple(requests), sources=("127.0.0.2",), pids=(1, 2), core=3, rate=2.5)
    assert Job.from_json(sent.to_json()) == sent


def test_a_result_goes_through_json() -> None:
    assert Result.from_json(result(notes=("a", "b")).to_json()) == result(notes=("a", "b"))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"errors": {"cut": 3}}, "3 connection(s) failed: cut"),
        ({"unsent": 4}, "4 request(s) were due and never sent: the server did not keep up with the rate"),
        ({"unanswered": 5}, "5 request(s) were never answered"),
        ({"statuses": {"200": 90, "503": 10}}, "10 answer(s) with status 503"),
        ({"finished": 0, "statuses": {}}, "no answer came within the measured time"),
    ],
)
def test_a_result_that_is_not_to_be_believed_says_so(values: dict[str, object], fault: str) -> None:
    assert result().faults(200) == []
    assert result(**values).faults(200) == [fault]


def test_the_cpu_time_and_the_children_of_another_process() -> None:
    inner = "with subprocess.Popen(['cat'], stdin=subprocess.PIPE):\n  print(1, flush=True)\n  input()"
    code = f"import subprocess\n{inner}"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        pids = process.tree(child.pid)
        assert len(pids) == 2
        assert pids[0] == child.pid
        assert 0.001 < process.cpu_s(pids) < 10
        assert process.cpu_s([pids[1]]) < process.cpu_s(pids)
        assert process.resident_bytes(pids) > 1_000_000
        process.pin([child.pid], min(os.sched_getaffinity(0)))
        assert process.core_of(child.pid) == min(os.sched_getaffinity(0))
        assert process.busy_s(min(os.sched_getaffinity(0))) > 0
        child.communicate(b"\n")


def test_who_listens(port: int) -> None:
    assert process.listener(port) == os.getpid()
    assert process.listener(free_port()) is None


def test_a_server_that_does_not_start_says_why() -> None:
    command = [sys.executable, "-c", "print('first'); print('the address is taken')"]
    with pytest.raises(ListenError, match="thing did not start: the address is taken"), start("thing", "1", command, 1):
        pass


def test_a_server_is_stopped_with_its_block(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with start("files", "1", command, port) as running:
        assert accepts(port)
        assert running.pids
        assert running.start_s > 0
    assert not accepts(port)


def test_a_request_is_what_a_browser_sends() -> None:
    request = request_bytes("a.localhost", "/ä b?c=d", fields=[("accept-encoding", "br"), ("X-More", "1")])
    head, _, rest = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert rest == b""
    assert lines[0] == b"GET /%C3%A4%20b?c=d HTTP/1.1"
    assert lines[1] == b"Host: a.localhost"
    assert len(lines) == 1 + 14 + 1
    assert b"accept-encoding: br" in lines
    assert not any(line.startswith(b"Accept-Encoding") for line in lines)
    assert request_bytes("a", "/", browser=False) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_an_answer_is_looked_at_before_it_is_measured(port: int) -> None:
    probe.check("it", port, request_bytes("x", "/"), 200, BODY)
    with pytest.raises(RemoteError, match="status 404 where 200"):
        probe.check("it", port, request_bytes("x", "/missing"), 200, BODY)
    with pytest.raises(RemoteError, match="8 bytes"):
        probe.check("it", port, request_bytes("x", "/"), 200, b"Another.")
    with pytest.raises(RemoteError, match="a body in br"):
        probe.check("it", port, request_bytes("x", "/coded"), 200, BODY)


def test_idle_connections_are_held(port: int) -> None:
    with idle.hold(port, request_bytes("x", "/"), 20):
        assert threading.active_count() >= 20  # one for each connection of this server
    assert idle.most_idle(50) == 50


def test_generated_files_are_the_same_each_time(tmp_path: Path) -> None:
    first = site.write_sizes(tmp_path / "a", large=False)
    second = site.write_sizes(tmp_path / "b", large=False)
    assert first == second
    assert {name: len(content) for name, content in first.items()}["100kb.html"] == 100_000
    site.write_many(tmp_path / "many", files=250, total_bytes=1_000_000)
    files = [file for file in (tmp_path / "many").rglob("*") if file.is_file()]
    assert len(files) == 251
    assert 900_000 < sum(file.stat().st_size for file in files) < 1_100_000
    assert len({file.read_bytes() for file in files}) == 251
    assert len(set(site.cold_requests("localhost", 30))) == 30


def test_every_case_knows_its_answer(tmp_path: Path) -> None:
    contents = site.write_sizes(tmp_path, large=False)
    found = cases(QUICK)
    assert len({case.name for case in found}) == len(found)
    for case in found:
        if not case.distinct:
            assert isinstance(expected_body(case, contents), bytes)
            assert len(case.requests('"tag"')) == 1
        else:
            assert len(set(case.requests(None))) == QUICK.distinct


@pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin") is None, reason="nginx is not installed")
def test_nginx_passes_every_case(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    contents = site.write_sizes(folder, large=False)
    pace = replace(QUICK, duration_s=0.1, warmup_s=0.0, distinct=50)
    with peers.nginx(folder) as server:
        for case in cases(pace):
            measured = measure_case(server, case, contents, pace, load_core=None)
            assert measured.faults(case.status) == []
            assert measured.cpu_us is not None


def test_a_peer_that_is_missing_is_named() -> None:
    with pytest.raises(NotFound, match="apt-get install no-such-server"):
        peers.find_program("no-such-server")


def test_the_report_shows_figures_notes_and_faults() -> None:
    rounds = [result(finished=n, notes=("noisy",), errors={"cut": 1} if n == 300 else {}) for n in (100, 200, 300)]
    row = report.serving_row("hit", "1 KB page", "fazt", rounds, expected=[200], memory_bytes=40_000_000)
    assert row.requests_per_s == 100.0
    assert row.mb_per_s == 2.0
    assert row.cpu_us == pytest.approx(5.0)
    done = Report(
        machine=machine.describe(),
        rows=(row, Row(case="start", title="start", server="fazt", seconds=0.0123)),
        servers={"fazt": "1.0"},
    )
    lines = report.text(done).splitlines()
    assert lines[1].startswith("fazt 1.0; commit ")
    assert lines[4].split() == [
        "1",
        "KB",
        "page",
        "fazt",
        "100",
        "2.00",
        *["1.00", "µs"] * 3,
        "5.00",
        "µs",
        "40.0",
        "MB",
        "-",
    ]
    assert lines[5].split() == ["start", "fazt", *["-"] * 7, "12.3", "ms"]
    assert lines[-2:] == ["note: 1 KB page, fazt: noisy", "fault: 1 KB page, fazt: 1 connection(s) failed: cut"]
    assert done.as_json()["rows"][1]["seconds"] == 0.0123


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.5, "0.50 µs"), (12.34, "12.3 µs"), (1234.0, "1.23 ms"), (2.5e6, "2.50 s")]
)
def test_durations_are_written_in_the_unit_that_fits(value: float | None, text: str) -> None:
    assert report.duration(value) == text


def test_a_server_at_rest_is_not_waited_for() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as quiet:
        started = time.monotonic()
        probe.wait_until_rest((quiet.pid,))
        assert time.monotonic() - started < 5
        quiet.communicate()


def test_seeded_sites_are_live(tmp_path: Path) -> None:
    seed(tmp_path / "data.db", 12)
    database = Database.open(tmp_path / "data.db")
    try:
        made = database.read_blocking(sites.list_page, None, 100)
    finally:
        database.close()
    assert [found.name for found in made] == [site.seeded_name(number) for number in range(12)]
    assert all(found.live_version is not None for found in made)
