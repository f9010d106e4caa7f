"""Several processes beside nginx with as many: requests a second, and CPU of all processes for one request.

    .venv/bin/python bench/workers.py [--rounds 5] [--seconds 4]

It takes nginx and wrk. Nobody is kept on a core: wrk shares the machine's cores with the server, so on two cores a
second process cannot double anything; what is compared is Fazt and nginx under the same load.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import under_wrk
from under_wrk import FAZT, HOST, Measured, Server, measure, running

from fazt.bench.running import free_port

BYTES = 1024


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
        rounds: dict[str, list[Measured]] = {name: [] for name in servers}
        for _ in range(given.rounds):
            for name, server in servers.items():
                rounds[name].append(measure(server, "/file.bin", "-t1", "-c64", f"-d{given.seconds}s"))
        print(f"{'':22}{'requests/s':>12}{'CPU':>10}")
        for name, found in rounds.items():
            rate, cpu = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name:22}{rate:12,.0f}{cpu:7.1f} us")


@contextmanager
def fazt(work: Path, workers: int) -> Iterator[Server]:
    """Serve the site with Fazt; with one worker it is one process."""
    port, database = free_port(), work / f"data-{workers}.db"
    under_wrk.fazt(database, "deploy", work / "site", "--site", "root")
    flags = ("--http", f"127.0.0.1:{port}", "--workers", str(workers))
    environment = os.environ | {"FAZT_DB": str(database)}
    with running([*FAZT, "serve", *flags], f"http://{HOST}:{port}", environment) as server:
        time.sleep(1)  # every worker is there
        yield server


def nginx(work: Path, workers: int) -> AbstractContextManager[Server]:
    """Serve the site with nginx."""
    own = work / f"nginx-{workers}"
    return under_wrk.nginx(work / "site", own, processes=workers, listens="reuseport", more="", scheme="http")


if __name__ == "__main__":
    main()
