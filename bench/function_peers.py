"""What answers the hello of `bench/functions.py` beside Fazt: uvicorn with Starlette, node, Deno and workerd.

Rule: each is started as its own documentation says, without logs, on one core; none of them isolates one site from
another, workerd excepted.
"""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from fazt.bench.running import Running, free_port, start
from fazt.errors import NotFound

FOLDER = Path(__file__).parent / "peers"
PACKAGES = Path(__file__).parents[1] / "build" / "peers" / "node_modules"  # where tools/bench has npm install them

Peer = Callable[[int | None], contextlib.AbstractContextManager[Running]]


@contextlib.contextmanager
def uvicorn(core: int | None) -> Iterator[Running]:
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    command = [sys.executable, "-m", "uvicorn", *options, "--app-dir", str(FOLDER), "starlette_hello:app"]
    said = f"{version('uvicorn')} with starlette {version('starlette')}"
    with start("uvicorn", said, command, port, core=core) as running:
        yield running


@contextlib.contextmanager
def node(core: int | None) -> Iterator[Running]:
    port = free_port()
    program = _find("node", "apt-get install nodejs")
    with start("node", _said(program), [program, str(FOLDER / "node.mjs"), str(port)], port, core=core) as running:
        yield running


@contextlib.contextmanager
def deno(core: int | None) -> Iterator[Running]:
    port = free_port()
    program = _find("deno", "pip install deno")
    command = [program, "run", "--no-remote", f"--allow-net=127.0.0.1:{port}", str(FOLDER / "deno.js"), str(port)]
    with start("deno", _said(program).split()[1], command, port, core=core) as running:
        yield running


@contextlib.contextmanager
def workerd(core: int | None) -> Iterator[Running]:
    port = free_port()
    program = next((str(path) for path in PACKAGES.glob("@cloudflare/workerd-*/bin/workerd")), None)
    if program is None:
        raise NotFound("workerd is not installed: run tools/bench --functions, which has npm install it.")
    command = [program, "serve", str(FOLDER / "workerd.capnp"), f"--socket-addr=http=127.0.0.1:{port}"]
    with start("workerd", _said(program).split()[-1], command, port, core=core) as running:
        yield running


PEERS: dict[str, Peer] = {"uvicorn": uvicorn, "node": node, "deno": deno, "workerd": workerd}


def _find(name: str, how: str) -> str:
    """Return the path of a program. Raises: NotFound, saying how it is installed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise NotFound(f"{name} is not installed: {how}, or leave it out with --peers.")
    return found


def _said(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
