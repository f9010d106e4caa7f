"""Fazt and nginx under wrk: both started on a folder, asked until they answer, and their CPU read before and after."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fazt.bench import process
from fazt.bench.peers import find_program
from fazt.bench.running import free_port

HOST = "localhost"  # the root site; a name that every resolver knows
NGINX = """\
daemon off; worker_processes {processes}; pid {work}/nginx.pid; error_log {work}/error.log; user root;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 600; keepalive_requests 1000000000;
  client_body_temp_path {work}; proxy_temp_path {work};
  fastcgi_temp_path {work}; uwsgi_temp_path {work}; scgi_temp_path {work};
  open_file_cache max=2000 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  server {{
    listen 127.0.0.1:{port} {listens} backlog=4096; root {folder}; etag on; gzip off; server_tokens off;
    add_header Cache-Control "no-cache"; add_header X-Content-Type-Options "nosniff";
    {more}
  }}
}}
"""
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
ANSWERED = re.compile(r"(\d+) requests in")
FAZT = (sys.executable, "-m", "fazt")


class Server(NamedTuple):
    """A server that runs."""

    pid: int
    url: str


class Measured(NamedTuple):
    """What a load found: requests a second, and the microseconds of CPU that one took."""

    rate: float
    cpu_us: float


def fazt(database: Path, *arguments: object) -> None:
    """Run a command on a database, without a server."""
    command = [*FAZT, *(str(each) for each in arguments)]
    subprocess.run(command, env=os.environ | {"FAZT_DB": str(database)}, check=True, capture_output=True)


@contextmanager
def nginx(
    folder: Path, work: Path, *, processes: int, listens: str, more: str, scheme: str, pin: Sequence[str] = ()
) -> Iterator[Server]:
    """Serve a folder with nginx; `listens` and `more` are words and lines of its configuration."""
    work.mkdir(exist_ok=True)
    port = free_port()
    text = NGINX.format(work=work, folder=folder, port=port, processes=processes, listens=listens, more=more)
    (work / "nginx.conf").write_text(text)
    command = [*pin, find_program("nginx"), "-c", str(work / "nginx.conf"), "-p", str(work)]
    with running(command, f"{scheme}://{HOST}:{port}", dict(os.environ)) as server:
        yield server


@contextmanager
def running(command: Sequence[str], url: str, environment: dict[str, str]) -> Iterator[Server]:
    """Run a server until the block ends; its front page says "bench"."""
    started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            asked = subprocess.run(["curl", "-sk", f"{url}/"], capture_output=True, check=False)
            if asked.stdout == b"bench":
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command[0]} does not answer")
        yield Server(started.pid, url)
    finally:
        started.terminate()
        started.wait()


def measure(server: Server, path: str, *load: str, pin: Sequence[str] = ()) -> Measured:
    """Put a load on a server; `load` are wrk's own options."""
    before = process.cpu_s(process.tree(server.pid))
    command = [*pin, find_program("wrk"), *load, f"{server.url}{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = process.cpu_s(process.tree(server.pid))
    rate, answered = RATE.search(said), ANSWERED.search(said)
    if rate is None or answered is None or "Non-2xx" in said:
        raise SystemExit(said)
    return Measured(float(rate[1]), (after - before) * 1e6 / int(answered[1]))
