"""Reads of the admin API at 200 requests a second, on a server with 1,000 sites: `bench/api.py [--rate N] [--sites N]`.

Half a minute. Requests are due at fixed times, so that a stall counts for all that wait. Exits with 1 where the mix of
calls misses its bar, or an answer was missing or no 200.
"""

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import orjson

from fazt.bench import server, worker
from fazt.bench.job import Job, Result
from fazt.bench.request import request_bytes
from fazt.bench.seed import seed
from fazt.bench.site import seeded_name

HOST = "dashboard.localhost"
RATE = 200.0
SITES = 1000
BAR_P99_MS = 20.0
MIX_S = 5.0
ONE_S = 1.5
SPREAD = 50  # different sites that are asked about
CALLS = (
    "/api/session",
    "/api/sites",
    "/api/sites?limit=1000",
    "/api/sites/{}",
    "/api/sites/{}/versions",
    "/api/sites/{}/versions/live/files",
    "/api/sites/{}/kv",
    "/api/domains",
    "/api/jobs",
    "/api/logs",
    "/api/status",
    "/api/overview",
)
# What tells of all sites at once: each counts for itself, and in a mix of its own, which has no bar.
OF_ALL_SITES = {"/api/sites?limit=1000", "/api/overview"}


def make_token(database: Path) -> str:
    with closing(server.SocketConnection(database)) as connection:
        body = orjson.dumps({"actions": ["read", "admin"]})
        connection.request("POST", "/api/tokens", body, {"Content-Type": "application/json"})
        token: str = orjson.loads(connection.getresponse().read())["token"]
        return token


def requests(call: str, sites: int, token: str) -> list[bytes]:
    """Return a call about several sites, each as its bytes."""
    names = [seeded_name(number * sites // SPREAD) for number in range(SPREAD)] if "{}" in call else [""]
    fields = [("Authorization", f"Bearer {token}")]
    return [request_bytes(HOST, call.format(name), fields=fields, browser=False) for name in names]


def mixed(calls: dict[str, list[bytes]], without: set[str]) -> list[bytes]:
    """Return the calls in turn, each time about another site."""
    return [asked[n % len(asked)] for n in range(SPREAD) for call, asked in calls.items() if call not in without]


def show(title: str, result: Result) -> list[str]:
    latency, faults = result.latency, result.faults(200)
    cpu_ms = (result.cpu_us or 0) / 1000
    figures = [latency.p50_us / 1000, latency.p99_us / 1000, latency.max_us / 1000, cpu_ms]
    print(f"{title:36}" + "".join(f"{figure:9.2f}" for figure in figures) + f"  {'; '.join(faults)}", flush=True)
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--sites", type=int, default=SITES)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "data.db"
        seed(database, wanted.sites)
        with server.fazt(database) as running:
            token = make_token(database)

            def measure(asked: list[bytes], duration_s: float) -> Result:
                shape = {"duration_s": duration_s, "rate": wanted.rate, "pids": running.pids}
                return worker.measure(Job(host=HOST, port=running.port, requests=tuple(asked), **shape))

            print(f"{'ms, at ' + str(int(wanted.rate)) + ' requests/s':36}{'p50':>9}{'p99':>9}{'max':>9}{'CPU':>9}")
            calls = {call: requests(call, wanted.sites, token) for call in CALLS}
            for call, asked in calls.items():
                show(call, measure(asked, ONE_S))
            result = measure(mixed(calls, OF_ALL_SITES), MIX_S)
            faults = show("in turn, without those of all sites", result)
            show("in turn, and the overview", measure(mixed(calls, {"/api/sites?limit=1000"}), MIX_S))
    missed = result.latency.p99_us / 1000 > BAR_P99_MS
    print(f"The bar is p99 {BAR_P99_MS:.0f} ms: {'missed' if missed or faults else 'reached'}.")
    return 1 if missed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
