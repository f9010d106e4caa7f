"""Functions that want to hurt: each ends as the table says, and nobody else notices.

The corpus is `hostile/`. While it runs, another site's function and the pages of all sites are asked for over and over.
"""

import http.client
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hostile.table import CUT, DEEP, EMPTY, FINE, FOLDER, STALLED, TABLE, addresses, functions
from loopback import Answer, FaztServer

LIMITS = {
    "FAZT_FUNCTION_CPU_S": "0.5",
    "FAZT_FUNCTION_TIMEOUT_S": "3",
    "FAZT_FUNCTION_MEMORY_BYTES": str(96 << 20),
    "FAZT_HOSTILE_SECRET": "the server's own",
}
AT_ONCE = 3  # sites whose functions run at the same time
LONGEST_S = 1.0  # for an answer to somebody else
PATIENCE_S = 4.0  # of a client that waits for the rest of an answer
GROWTH_BYTES = 150 << 20
SPARES = 1
GOOD = "good.localhost"

good_function = """
export default async (request, { fazt }) => {
  await fazt.kv.set("marker", "good's own");
  return new Response(`hello ${await fazt.kv.get("marker")}`);
};
"""


def test_every_function_is_in_the_table_and_says_what_it_tries() -> None:
    rows = {f"{site}/{name}.js" for site, names in TABLE.items() for name in names}
    files = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*.js")
        if "lib" not in path.parts and not any(part.startswith("_") for part in path.relative_to(FOLDER).parts)
    }
    assert files == rows
    assert len(rows) > 200
    for path in FOLDER.rglob("*.js"):
        assert path.read_text().startswith("// "), path


# --- what is deployed ---


def make_site(folder: Path, site: str) -> Path:
    """Lay out a site of the corpus: its functions, what they share, and a page."""
    for name, source in {**functions(site), "harmless.js": FOLDER / "lib" / "harmless.js"}.items():
        (folder / "api" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / "api" / name)
    shutil.copytree(FOLDER / "lib", folder / "lib")
    (folder / "index.html").write_text(f"page of {site}")
    return folder


def make_good(folder: Path) -> Path:
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "hello.js").write_text(good_function)
    (folder / "index.html").write_text("page of good")
    (folder / "only_good.txt").write_text("good's own")
    return folder


def host_of(site: str) -> str:
    return f"{site.replace('_', '-')}.localhost"


def deploy(server: FaztServer, folder: Path, site: str) -> None:
    server.cli("deploy", str(folder), "--site", site.replace("_", "-"))


# --- somebody else ---


@dataclass(slots=True)
class Neighbour:
    """Visits another site's function and the pages of all sites, until it is stopped."""

    server: FaztServer
    sites: Sequence[str]
    visits: int = 0
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        number = 0
        while not self.stopped.wait(0.02):
            site = self.sites[number % len(self.sites)]
            number += 1
            self._visit("/api/hello", GOOD, b"hello good's own")
            self._visit("/", GOOD, b"page of good")
            self._visit("/", host_of(site), f"page of {site}".encode())

    def _visit(self, path: str, host: str, expected: bytes) -> None:
        began = time.monotonic()
        try:
            with self.server.connection(10) as connection:
                answer = ask(connection, path, host)
            told = None if (answer.status, answer.body) == (200, expected) else f"{answer.status} {answer.body[:200]!r}"
        except (OSError, http.client.HTTPException) as error:
            told = repr(error)
        took = time.monotonic() - began
        self.visits += 1
        self.slowest_s = max(self.slowest_s, took)
        if told is not None or took > LONGEST_S:
            self.faults.append(f"http://{host}{path} after {took:.2f} s: {told or 'right, and too late'}")


@pytest.fixture
def neighbour() -> Iterator[Callable[[FaztServer, Sequence[str]], Neighbour]]:
    """Return a function that has a neighbour visit, until the test ends."""
    running: list[tuple[Neighbour, threading.Thread]] = []

    def begin(server: FaztServer, sites: Sequence[str]) -> Neighbour:
        made = Neighbour(server, sites)
        thread = threading.Thread(target=made.run)
        running.append((made, thread))
        thread.start()
        return made

    yield begin
    for made, thread in running:
        made.stopped.set()
        thread.join()


# --- one function ---


def ask(connection: http.client.HTTPConnection, path: str, host: str) -> Answer:
    """Ask on a connection that may be cut: the answer that has begun is let go too."""
    connection.request("GET", path, headers={"Host": host})
    with connection.getresponse() as response:
        return Answer(response.status, response.getheaders(), response.read())


def outcome(connection: http.client.HTTPConnection, path: str, host: str) -> tuple[str, Answer | None]:
    """Call a function; return what it came to, in the words of the table."""
    try:
        answer = ask(connection, path, host)
    except TimeoutError:
        return STALLED, None
    except (http.client.HTTPException, ConnectionError):
        return CUT, None
    if answer.status == 204:
        return EMPTY, answer
    try:
        value = json.loads(answer.body)
    except RecursionError:
        return (DEEP if answer.status == 200 else f"{answer.status}, nested deep"), answer
    except ValueError:
        return f"{answer.status} {answer.body[:100]!r}", answer
    if answer.status == 200:
        reached = value.get("reached") if isinstance(value, dict) else value
        return (FINE if reached == [] else f"200, reached {reached}"), answer
    return f"{answer.status} {value['error']['code']}", answer


def check_answer(site: str, name: str, answer: Answer) -> None:
    """Check what no answer may hold, and what a few of them must."""
    headers = str(answer.headers).lower()
    assert "x-evil" not in headers, (site, name, answer)
    assert b"hunter2" not in answer.body, (site, name, answer)
    if name == "cookies":
        assert headers.count("set-cookie") == 15
        assert "domain" not in headers, answer.headers
    if name == "content_length":
        assert answer.header("content-length") == "14"
        for field_name in ("transfer-encoding", "upgrade", "keep-alive"):
            assert answer.header(field_name) is None
    if answer.status >= 500:
        assert answer.header("fazt-call"), answer.headers


def try_site(server: FaztServer, site: str) -> list[str]:
    """Call every function of a site, one after the other; return what was not as the table says."""
    faults = []
    host = host_of(site)
    for name, expected in TABLE[site].items():
        patience = PATIENCE_S if STALLED in expected else 20.0
        for path in addresses(site, name):
            with server.connection(patience) as connection:
                came_to, answer = outcome(connection, path, host)
                if came_to not in expected:
                    faults.append(f"{site}/{name} ({path}): {came_to}, expected {' or '.join(expected)}")
                if answer is None:
                    continue
                check_answer(site, name, answer)
                # What was sent too much would be read as the beginning of this answer.
                page = ask(connection, "/", host)
                if (page.status, page.body) != (200, f"page of {site}".encode()):
                    faults.append(f"{site}/{name}: the next answer on the connection is {page}")
    return faults


def try_harmless(server: FaztServer, site: str) -> list[str]:
    """See that a site still answers. What a call left behind may take its process along once more."""
    answers = []
    for _ in range(5):
        answer = server.get("/api/harmless", host=host_of(site))
        if (answer.status, answer.body) == (200, b"harmless 1"):
            return []
        answers.append(f"{answer.status} {answer.body[:100]!r}")
    return [f"{site}/harmless: {answers}"]


# --- the server's processes ---


def children(pid: int) -> list[int]:
    """Return the processes that a process has made."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def runners(server: FaztServer) -> list[int]:
    return [runner for zygote in children(server.pid) for runner in children(zygote)]


def only_known_runners(server: FaztServer) -> bool:
    """Tell whether there is no process but those that take calls, and the spare one."""
    status = json.loads(server.cli("status", "--json").stdout)
    return len(runners(server)) <= status["functions"]["runners"] + SPARES


def memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(what: Callable[[], bool], seconds: float) -> bool:
    """Wait for something that no event tells of."""
    pause = threading.Event()
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        pause.wait(0.05)
    return True


def is_at_rest(server: FaztServer) -> bool:
    """Tell whether neither the server nor a runner works while nobody asks for anything."""
    processes = [server.pid, *runners(server)]
    before = {pid: cpu_s(pid) for pid in processes}
    threading.Event().wait(0.5)
    return all(Path(f"/proc/{pid}").exists() and cpu_s(pid) - before[pid] < 0.1 for pid in processes)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_ends_alone(
    start_server: Callable[..., FaztServer],
    neighbour: Callable[[FaztServer, Sequence[str]], Neighbour],
    tmp_path: Path,
) -> None:
    server = start_server(**LIMITS)
    deploy(server, make_good(tmp_path / "good"), "good")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        folders = {site: make_site(tmp_path / site, site) for site in TABLE}
        list(pool.map(lambda site: deploy(server, folders[site], site), TABLE))
        assert server.get("/api/hello", host=GOOD).status == 200
        pid, before = server.pid, memory_bytes(server.pid)
        visitor = neighbour(server, list(TABLE))
        faults = [fault for found in pool.map(lambda site: try_site(server, site), TABLE) for fault in found]
        # Those broke their isolates for good: a new version gets new ones.
        for site in [site for site in TABLE if site.startswith("vandal")]:
            harmless = folders[site] / "api" / "harmless.js"
            harmless.write_text(f"{harmless.read_text()}// again\n")
            deploy(server, folders[site], site)
        faults += [fault for found in pool.map(lambda site: try_harmless(server, site), TABLE) for fault in found]
    visitor.stopped.set()
    assert not faults, "\n".join(faults)
    assert not visitor.faults, (len(visitor.faults), visitor.visits, visitor.faults[:20])
    assert visitor.visits > 100
    assert server.process is not None
    assert server.process.poll() is None
    assert server.pid == pid
    assert wait_until(lambda: only_known_runners(server), 10), "a process is left over"
    assert wait_until(lambda: is_at_rest(server), 15), "something goes on though every call has ended"
    growth = memory_bytes(server.pid) - before
    assert growth < GROWTH_BYTES, f"the server has grown by {growth >> 20} MB"
    left = runners(server)
    log = server.stop()
    assert "Traceback" not in log, log[:5000]
    assert "ERROR" not in log, log[:5000]
    assert wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in left), 5)


@pytest.mark.timeout(60)
def test_streams_that_nobody_reads_are_held_back(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    server = start_server(**LIMITS)
    deploy(server, make_good(tmp_path / "good"), "good")
    deploy(server, make_site(tmp_path / "answers", "answers"), "answers")
    assert server.get("/api/harmless", host="answers.localhost").body == b"harmless 1"
    before = memory_bytes(server.pid)
    with ExitStack() as readers:
        for _ in range(20):
            reader = readers.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(b"GET /api/endless_stream HTTP/1.1\r\nHost: answers.localhost\r\n\r\n")
            assert reader.recv(12) == b"HTTP/1.1 200"
        assert wait_until(lambda: is_at_rest(server), 10), "a stream that nobody reads goes on"
        growth = memory_bytes(server.pid) - before
        assert growth < 40 << 20, f"twenty streams hold {growth >> 20} MB"
        assert server.get("/api/hello", host=GOOD).status == 200
        assert server.get("/api/harmless", host="answers.localhost").body == b"harmless 1"
    assert wait_until(lambda: only_known_runners(server), 10), "a process is left over"
    assert "Traceback" not in server.stop()


@pytest.mark.timeout(60)
def test_a_body_that_is_too_much_does_not_reach_the_next_answer(
    start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server(**LIMITS)
    deploy(server, make_site(tmp_path / "answers", "answers"), "answers")
    request = "GET {} HTTP/1.1\r\nHost: answers.localhost\r\n\r\n"
    for name in ("forged_body_of_204", "forged_stream_of_204", "longer_than_said", "content_length"):
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as connection:
            connection.sendall(f"{request.format(f'/api/{name}')}{request.format('/')}".encode())
            connection.shutdown(socket.SHUT_WR)
            answers = b""
            try:
                while piece := connection.recv(1 << 16):
                    answers += piece
            except ConnectionResetError:
                pass  # cut
        heads = [line for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
        assert len(heads) <= 2, (name, heads)
        assert b"\r\nx-evil" not in answers, name
        if len(heads) == 2:
            assert answers.endswith(b"page of answers"), (name, answers[-200:])
    assert "Traceback" not in server.stop()


@pytest.mark.timeout(60)
def test_what_the_server_computes_for_a_call_ends_with_it(
    start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server(**LIMITS)
    deploy(server, make_site(tmp_path / "floods", "floods"), "floods")
    for name in ("derivations", "keys"):
        assert json.loads(server.get(f"/api/{name}", host="floods.localhost").body) == {"reached": []}
        assert wait_until(lambda: is_at_rest(server), 15), name
    assert cpu_s(server.pid) < 20
    assert "Traceback" not in server.stop()


SOURCES = {
    "parentheses": "export default " + "(" * 200_000 + ")" * 200_000 + ";",
    "arrows": "export default " + "a => " * 100_000 + "1;",
    "templates": "export default " + "`${" * 50_000 + "1" + "}`" * 50_000 + ";",
    "objects": "export default " + '{"a":' * 100_000 + "1" + "}" * 100_000 + ";",
    "elements": "export default " + "<a>" * 50_000 + "</a>" * 50_000 + ";",
    "types": "export type T = " + "Array<" * 50_000 + "1" + ">" * 50_000 + "; export default 1;",
    "patterns": "export default /" + "(a+)+" * 50_000 + "$/;",
    "names": "".join(f"export const name{number} = {number};\n" for number in range(100_000)),
    "imports": "".join(f'import n{number} from "../lib/{number}.js";\n' for number in range(20_000)),
    "zeros": "\0" * 1_000_000,
    "line": "x".ljust(8_000_000, "x"),
    "comment": "/*" + "*" * 8_000_000,
}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_hostile_sources_are_their_deploy_s_trouble_alone(
    start_server: Callable[..., FaztServer],
    neighbour: Callable[[FaztServer, Sequence[str]], Neighbour],
    tmp_path: Path,
) -> None:
    server = start_server()
    deploy(server, make_good(tmp_path / "good"), "good")
    deploy(server, make_site(tmp_path / "sleeps", "sleeps"), "sleeps")
    assert server.get("/api/hello", host=GOOD).status == 200
    visitor = neighbour(server, ["sleeps"])
    for name, text in SOURCES.items():
        folder = tmp_path / name
        (folder / "api").mkdir(parents=True)
        (folder / "api" / f"hostile.{'tsx' if name in ('types', 'elements') else 'js'}").write_text(text)
        (folder / "index.html").write_text("page")
        began = time.monotonic()
        done = server.cli("deploy", str(folder), "--site", "hostile", check=False)
        assert time.monotonic() - began < 60, name
        assert "Traceback" not in done.stderr, (name, done.stderr)
        assert done.returncode in (0, 1), (name, done.stderr)
        if done.returncode:
            assert "hostile" in done.stderr, (name, done.stderr[:1000])
            assert len(done.stderr) < 10_000, (name, done.stderr[:1000])
        else:
            assert server.get("/api/hostile", host="hostile.localhost").status in (200, 500, 502, 503, 504)
    visitor.stopped.set()
    assert not visitor.faults, visitor.faults[:10]
    assert "Traceback" not in server.stop()
