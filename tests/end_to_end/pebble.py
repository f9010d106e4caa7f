"""Pebble, the test authority of Let's Encrypt, with a DNS server of its own; both on loopback, for one test."""

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loopback import free_port
from made_certificates import make_certificate

START_S = 20
PROGRAMS = ("pebble", "pebble-challtestsrv")  # Debian has them


@dataclass(frozen=True)
class Pebble:
    """An authority: where it is, where it looks for proofs, and what it signs with."""

    directory: str
    ca_file: Path
    http_port: int
    tls_port: int
    management: str
    dns: str

    def root(self) -> str:
        """Return the certificate that all of its certificates are believed by, as PEM."""
        with urllib.request.urlopen(f"{self.management}/roots/0", context=self.trusting()) as answer:
            text: str = answer.read().decode()
        return text

    def trusting(self) -> ssl.SSLContext:
        """Return what believes the authority's own server."""
        return ssl.create_default_context(cafile=self.ca_file)

    def tell_dns(self, what: str, **values: object) -> None:
        """Change what the DNS says: set-txt, clear-txt, add-a, ..."""
        urllib.request.urlopen(f"{self.dns}/{what}", data=json.dumps(values).encode(), timeout=5).close()


@contextlib.contextmanager
def running(folder: Path, bound: dict[str, str] | None = None) -> Iterator[Pebble]:
    """Run the authority until the block ends; it takes accounts that are bound to one of `bound` (keys by id) only."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"{missing} missing: apt-get install pebble"
    listen, management, names, names_management = (free_port() for _ in range(4))
    chain, key = make_certificate("localhost")
    (folder / "pebble.pem").write_bytes(chain)
    (folder / "pebble.key").write_bytes(key)
    found = Pebble(
        f"https://localhost:{listen}/dir",
        folder / "pebble.pem",
        free_port(),
        free_port(),
        f"https://localhost:{management}",
        f"http://127.0.0.1:{names_management}",
    )
    configuration = {
        "listenAddress": f"127.0.0.1:{listen}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "pebble.pem"),
        "privateKey": str(folder / "pebble.key"),
        "httpPort": found.http_port,
        "tlsPort": found.tls_port,
        "externalAccountBindingRequired": bound is not None,
        "externalAccountMACKeys": bound or {},
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": configuration}))
    environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20", "PEBBLE_AUTHZREUSE": "0"}
    nowhere = ["-http01", "", "-https01", "", "-tlsalpn01", ""]
    dns = ["-dns01", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{names_management}", "-defaultIPv6", ""]
    with contextlib.ExitStack() as stack:
        _run(stack, ["pebble-challtestsrv", *nowhere, *dns, "-defaultIPv4", "127.0.0.1"], environment)
        pebble = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{names}"]
        _run(stack, pebble, environment)
        _wait(found)
        yield found


def _run(stack: contextlib.ExitStack, command: list[str], environment: dict[str, str]) -> None:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)


def _wait(found: Pebble) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(found.directory, context=found.trusting(), timeout=5).close()
            return
        assert time.monotonic() < deadline, "pebble does not answer"
        time.sleep(0.05)
