"""Several processes beside nginx with as many: requests a second, and CPU of all processes for one request.

    .venv/bin/python bench/workers.py [--rounds 5] [--seconds 4]

It takes nginx and wrk. Nobody is kept on a core: wrk shares the machine's cores with the server, so on two cores a
second process cannot double anything; what is compared is Fazt and nginx under the same load.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fazt.bench import process
from fazt.bench.peers import find_program
from fazt.bench.running import free_port

BYTES = 1024
NGINX = """\
daemon off; worker_processes {processes}; pid {work}/nginx.pid; error_log {work}/error.log; user root;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 600; keepalive_requests 1000000000;
  client_body_temp_path {work}; proxy_temp_path {work};
  fastcgi_temp_path {work}; uwsgi_temp_path {work}; scgi_temp_path {work};
  open_file_cache max=2000 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport; root {folder}; etag on; gzip off; server_tokens off;
    add_header Cache-Control "no-cache"; add_header X-Content-Type-Options "nosniff";
  }}
}}
"""
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
ANSWERED = re.compile(r"(\d+) requests in")
Server = tuple[int, int]  # the process, and its port


def main() -> None:
    """Measure, and print what was found."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--seconds", type=int, default=4, help="of one server in one round")
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="fazt-bench-") as name, ExitStack() as stack:
        work = Path(name)
        (work / "site").mkdir()
        (work / "site" / "index.html").write_text("bench")
        (work / "site" / "file.bin").write_bytes(os.urandom(BYTES))
        servers = {f"fazt, {count} worker(s)": stack.enter_context(fazt(work, count)) for count in (1, 2)}
        servers |= {f"nginx, {count} worker(s)": stack.enter_context(nginx(work, count)) for count in (1, 2)}
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
        for _ in range(given.rounds):
            for name, server in servers.items():
                rounds[name].append(measure(server, given.seconds))
        print(f"{'':22}{'requests/s':>12}{'CPU':>10}")
        for name, found in rounds.items():
            rate, cpu = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name:22}{rate:12,.0f}{cpu:7.1f} us")


@contextmanager
def fazt(work: Path, workers: int) -> Iterator[Server]:
    """Serve the site with Fazt; with one worker it is one process."""
    port, command, database = free_port(), [sys.executable, "-m", "fazt"], work / f"data-{workers}.db"
    environment = os.environ | {"FAZT_DB": str(database)}
    site = [str(work / "site"), "--site", "root"]
    subprocess.run([*command, "deploy", *site], env=environment, check=True, capture_output=True)
    flags = ["--http", f"127.0.0.1:{port}", "--workers", str(workers)]
    with running([*command, "serve", *flags], port, environment) as server:
        yield server


@contextmanager
def nginx(work: Path, workers: int) -> Iterator[Server]:
    """Serve the site with nginx."""
    port, own = free_port(), work / f"nginx-{workers}"
    own.mkdir()
    text = NGINX.format(work=own, port=port, folder=work / "site", processes=workers)
    (own / "nginx.conf").write_text(text)
    command = [find_program("nginx"), "-c", str(own / "nginx.conf"), "-p", str(own)]
    with running(command, port, dict(os.environ)) as server:
        yield server


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[Server]:
    """Run a server until the block ends."""
    started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    ask = ["curl", "-s", f"http://localhost:{port}/"]
    try:
        for _ in range(200):
            if subprocess.run(ask, capture_output=True, check=False).stdout == b"bench":
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command[0]} does not answer")
        time.sleep(1)  # every worker is there
        yield started.pid, port
    finally:
        started.terminate()
        started.wait()


def measure(server: Server, seconds: int) -> tuple[float, float]:
    """Return the requests a second, and the microseconds of CPU that one took."""
    pid, port = server
    load = [find_program("wrk"), "-t1", "-c64", f"-d{seconds}s", f"http://localhost:{port}/file.bin"]
    before = process.cpu_s(process.tree(pid))
    said = subprocess.run(load, capture_output=True, text=True, check=True).stdout
    after = process.cpu_s(process.tree(pid))
    rate, answered = RATE.search(said), ANSWERED.search(said)
    if rate is None or answered is None or "Non-2xx" in said:
        raise SystemExit(said)
    return float(rate[1]), (after - before) * 1e6 / int(answered[1])


if __name__ == "__main__":
    main()
