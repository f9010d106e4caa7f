"""HTTPS beside nginx, with the same certificate: CPU of the whole server for a request and for a handshake.

    .venv/bin/python bench/tls.py [--rounds 5] [--seconds 3]

It takes nginx and wrk. Both servers get core 0 in turns, wrk another core; what is printed is each server's median of
the rounds and the ratio. wrk verifies no certificate and keeps its connections; a handshake is a request whose answer
closes the connection, less one on a connection that stays.
"""

import argparse
import contextlib
import datetime
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fazt.bench import process
from fazt.bench.peers import find_program
from fazt.bench.running import free_port

SIZES = {"1 KB": 1024, "10 KB": 10 * 1024, "100 KB": 100 * 1024}
HOST = "localhost"  # the root site; a name that every resolver knows
NGINX = """\
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log; user root;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 600; keepalive_requests 1000000000;
  client_body_temp_path {work}; proxy_temp_path {work};
  fastcgi_temp_path {work}; uwsgi_temp_path {work}; scgi_temp_path {work};
  open_file_cache max=2000 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096; root {folder}; etag on; gzip off; server_tokens off;
    ssl_certificate {work}/chain.pem; ssl_certificate_key {work}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m; ssl_buffer_size 16k;
    add_header Cache-Control "no-cache"; add_header X-Content-Type-Options "nosniff";
    add_header Strict-Transport-Security "max-age=604800";
  }}
}}
"""
ANSWERED = re.compile(r"(\d+) requests in")


def main() -> None:
    """Measure, and print what was found."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--seconds", type=int, default=3, help="of one case on one server in one round")
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="fazt-bench-") as name:
        work = Path(name)
        make_certificate(work)
        make_site(work / "site")
        with fazt(work) as ours, nginx(work) as theirs:
            cases = [(size, f"/{count}.bin", False) for size, count in SIZES.items()]
            cases.append(("1 KB and a handshake", "/1024.bin", True))
            print(f"{'':22}{'fazt':>10}{'nginx':>10}{'ratio':>8}   microseconds of CPU for one request")
            for case, path, closing in cases:
                rounds = [
                    [measure(server, path, given.seconds, closing) for server in (ours, theirs)]
                    for _ in range(given.rounds)
                ]
                ratios = sorted(mine / its for mine, its in rounds)
                mine, its = (statistics.median(column) for column in zip(*rounds, strict=True))
                spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
                print(f"{case:22}{mine:10.1f}{its:10.1f}{statistics.median(ratios):8.2f}   {spread}", flush=True)


def make_certificate(work: Path) -> None:
    """Make an ECDSA certificate for the host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    pem = serialization.Encoding.PEM
    (work / "chain.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    (work / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))


def make_site(folder: Path) -> None:
    """Make files that do not compress."""
    folder.mkdir()
    (folder / "index.html").write_text("bench")
    for count in SIZES.values():
        (folder / f"{count}.bin").write_bytes(os.urandom(count))


Server = tuple[int, int]  # the process, and its port


@contextlib.contextmanager
def fazt(work: Path) -> Iterator[Server]:
    """Serve the site with Fazt."""
    port, command = free_port(), [sys.executable, "-m", "fazt"]
    environment = os.environ | {"FAZT_DB": str(work / "data.db")}
    subprocess.run(
        [*command, "deploy", work / "site", "--site", "root"], env=environment, check=True, capture_output=True
    )
    subprocess.run([*command, "cert", "add", work / "chain.pem", work / "key.pem"], env=environment, check=True)
    flags = ["--http", f"127.0.0.1:{free_port()}", "--https", f"127.0.0.1:{port}"]
    with running([*command, "serve", *flags], port, environment) as server:
        yield server


@contextlib.contextmanager
def nginx(work: Path) -> Iterator[Server]:
    """Serve the site with one worker of nginx."""
    port = free_port()
    (work / "nginx.conf").write_text(NGINX.format(work=work, port=port, folder=work / "site"))
    with running(
        [find_program("nginx"), "-c", str(work / "nginx.conf"), "-p", str(work)], port, dict(os.environ)
    ) as server:
        yield server


@contextlib.contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[Server]:
    """Run a server on core 0 until the block ends."""
    started = subprocess.Popen(["taskset", "-c", "0", *command], env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if (
                subprocess.run(["curl", "-sk", f"https://{HOST}:{port}/"], capture_output=True, check=False).stdout
                == b"bench"
            ):
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command[0]} does not answer")
        yield started.pid, port
    finally:
        started.terminate()
        started.wait()


def measure(server: Server, path: str, seconds: int, closing: bool) -> float:
    """Return the microseconds of CPU that one request took."""
    pid, port = server
    load = [
        "taskset",
        "-c",
        "1",
        find_program("wrk"),
        "-t1",
        "-c32",
        f"-d{seconds}s",
        *(["-H", "Connection: close"] if closing else []),
    ]
    before = process.cpu_s(process.tree(pid))
    said = subprocess.run([*load, f"https://{HOST}:{port}{path}"], capture_output=True, text=True, check=True).stdout
    after = process.cpu_s(process.tree(pid))
    answered = ANSWERED.search(said)
    if answered is None or "Non-2xx" in said:
        raise SystemExit(said)
    return (after - before) * 1e6 / int(answered[1])


if __name__ == "__main__":
    main()
