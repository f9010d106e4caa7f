"""HTTPS beside nginx, with the same certificate: CPU of the whole server for a request and for a handshake.

    .venv/bin/python bench/tls.py [--rounds 5] [--seconds 3]

It takes nginx and wrk. Both servers get core 0 in turns, wrk another core; what is printed is each server's median of
the rounds and the ratio. wrk verifies no certificate and keeps its connections; a handshake is a request whose answer
closes the connection, less one on a connection that stays.
"""

import argparse
import datetime
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import under_wrk
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from under_wrk import FAZT, HOST, Server, measure, running

from fazt.bench.running import free_port

SIZES = {"1 KB": 1024, "10 KB": 10 * 1024, "100 KB": 100 * 1024}
CORE_0, CORE_1 = ("taskset", "-c", "0"), ("taskset", "-c", "1")
TLS_OF_NGINX = """\
    ssl_certificate {work}/chain.pem; ssl_certificate_key {work}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m; ssl_buffer_size 16k;
    add_header Strict-Transport-Security "max-age=604800";
"""


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
                    [
                        measure(server, path, *load(given.seconds, closing), pin=CORE_1).cpu_us
                        for server in (ours, theirs)
                    ]
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


@contextmanager
def fazt(work: Path) -> Iterator[Server]:
    """Serve the site with Fazt."""
    port, database = free_port(), work / "data.db"
    under_wrk.fazt(database, "deploy", work / "site", "--site", "root")
    under_wrk.fazt(database, "cert", "add", work / "chain.pem", work / "key.pem")
    flags = ("--http", f"127.0.0.1:{free_port()}", "--https", f"127.0.0.1:{port}")
    environment = os.environ | {"FAZT_DB": str(database)}
    with running([*CORE_0, *FAZT, "serve", *flags], f"https://{HOST}:{port}", environment) as server:
        yield server


def nginx(work: Path) -> AbstractContextManager[Server]:
    """Serve the site with one worker of nginx."""
    more = TLS_OF_NGINX.format(work=work)
    return under_wrk.nginx(
        work / "site", work / "nginx", processes=1, listens="ssl", more=more, scheme="https", pin=CORE_0
    )


def load(seconds: int, closing: bool) -> list[str]:
    """Return wrk's options for a case."""
    return ["-t1", "-c32", f"-d{seconds}s", *(["-H", "Connection: close"] if closing else [])]


if __name__ == "__main__":
    main()
