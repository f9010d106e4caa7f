"""A rehearsal: a server of its own on a copy of a database, which is asked for the front page of every site.

Rule: a copy acts on nobody. Its server runs no job and no trigger, tells nobody anything, and listens on loopback.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fazt.errors import BackupRefused, SecretsLocked

VARIABLE = "FAZT_REHEARSAL"
START_S = 60.0
ANSWER_S = 10.0
STOP_S = 10.0
DOMAIN = "localhost"


def is_rehearsal() -> bool:
    """Tell whether this process serves a copy."""
    return os.environ.get(VARIABLE) == "1"


def boot(database: Path, sites: Sequence[str]) -> None:
    """Serve a copy, and ask for `/` of each of its sites.

    Raises: BackupRefused where it does not start, or answers one with a 5xx or not at all.
    """
    port = _free_port()
    command = [sys.executable, "-m", "fazt", "serve", "--db", str(database)]
    command += ["--domain", DOMAIN, "--http", f"127.0.0.1:{port}", "--https", "", "--workers", "1"]
    said = database.with_name("rehearsal.log")
    with said.open("wb") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**_environment(), VARIABLE: "1"}
        )
        try:
            _wait(server, port, said)
            for site in sites:
                host = DOMAIN if site == "root" else f"{site}.{DOMAIN}"
                status, body = _ask(port, host, "/")
                if status >= 500 and SecretsLocked.code.encode() not in body:  # the key need not be here
                    raise BackupRefused(f"Served from it, the site {site} answers with status {status}.")
        finally:
            _stop(server)


def _environment() -> dict[str, str]:
    """Return the environment without settings of this server, which are not those of the copy."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FAZT_")}


def _wait(server: subprocess.Popen[bytes], port: int, said: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            last = said.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["it says nothing"]
            raise BackupRefused(f"No server starts on it: {last[0]}")
        with suppress(BackupRefused):
            if _ask(port, DOMAIN, "/_fazt/health")[0] == 200:
                return
        time.sleep(0.05)
    raise BackupRefused(f"No server on it answered within {START_S:.0f} seconds.")


def _ask(port: int, host: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BackupRefused(f"Served from it, {host} does not answer: {error}.") from None
    finally:
        connection.close()


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
