"""Whether a version can do what it will have to do: it is started on a copy of the database and asked for every site.

The copy is migrated as the original would be. Rule: the original is only read, nothing is sent to anybody, and the copy
is gone afterwards, whatever happens.
"""

import http.client
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fazt.errors import MachineError, SecretsLocked
from fazt.machine.background import Background
from fazt.machine.service import Service
from fazt.store import copies

PREFIX = ".rehearsal-"
HEALTH = "/_fazt/health"
ANSWER_TIMEOUT_S = 20.0
SERVER_ERROR = 500
BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal showed: how many sites answered, and the schema before and after."""

    sites: int
    schema_before: int
    schema_after: int


def rehearse(service: Service, version: Path) -> Rehearsed:
    """Run a version on a copy of the service's database. Raises: MachineError where it does not do; StoreError."""
    database = Path(service.database)
    if not database.exists():
        return Rehearsed(0, 0, 0)
    if shutil.disk_usage(database.parent).free < 3 * database.stat().st_size:  # two copies, and what it writes
        raise MachineError(f"There is too little room beside {database} for a copy to rehearse on.")
    _clear(database.parent)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=database.parent) as folder:
        copy = Path(folder) / "data.db"
        sites = copies.take(database, copy)
        before = copies.schema_of(copy)
        user = None if service.personal else service.user
        for each in (Path(folder), *Path(folder).iterdir()):
            if user is not None:
                shutil.chown(each, user, user)
        port = _free_port()
        environment = {"FAZT_DB": str(copy), "FAZT_HTTP": f"127.0.0.1:{port}", "FAZT_DOMAIN": service.domain}
        environment |= {"FAZT_HTTPS": "", "FAZT_WORKERS": "1"}
        server = Background(version / "bin" / "python", copy, user, {**environment, "FAZT_REHEARSAL": "1"})
        try:
            server.start()
            check(port, service.domain, HEALTH, wanted=200)
            for name in sites:
                check(port, service.domain if name == "root" else f"{name}.{service.domain}", "/")
        finally:
            server.stop()
        return Rehearsed(len(sites), before, copies.schema_of(copy))


def _clear(folder: Path) -> None:
    """Take away what a rehearsal left behind that was killed: its server, and its copy."""
    for left in folder.glob(f"{PREFIX}*"):
        Background(Path(), left / "data.db", None, {}).stop()
        shutil.rmtree(left)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check(port: int, host: str, path: str, *, address: str = "127.0.0.1", wanted: int | None = None) -> None:
    """Ask a server of this computer; any answer but a failure of the server is good where none is `wanted`.

    Raises: MachineError.
    """
    connection = http.client.HTTPConnection(address, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        status, body = response.status, response.read(BODY_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise MachineError(f"http://{host}{path} is not answered: {error!r}.") from error
    finally:
        connection.close()
    if status >= SERVER_ERROR and SecretsLocked.code.encode() in body:  # the key is where the service has it
        return
    if status >= SERVER_ERROR or wanted not in (None, status):
        raise MachineError(f"http://{host}{path} is answered with {status}.")
