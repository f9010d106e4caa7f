"""The process that makes the load: `python -m fazt.bench.worker` reads a job on stdin and writes the result to stdout.

Rule: the load has a process and, where the machine has two cores, a core of its own: it must not slow what it measures.
"""

import os
import resource
import subprocess
import sys
import time

import orjson

from fazt.bench import load, process
from fazt.bench.job import Job, Result
from fazt.errors import FaztError, InvalidInput

SPARE_DESCRIPTORS = 64
BUSY_SHARE = 0.95
OTHERS_SHARE = 0.05


def raise_descriptor_limit(wanted: int) -> None:
    """Let this process and its children hold `wanted` descriptors.

    Raises: InvalidInput where the machine does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard < wanted:
        raise InvalidInput(f"{wanted} open files are needed and the limit is {hard}: raise it with `ulimit -Hn`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def measure(job: Job, *, allow_remote: bool = False) -> Result:
    """Run a job in a process of its own.

    Raises: InvalidInput where the job makes no sense on this machine.
    """
    family, address = job.address(allow_remote=allow_remote)
    envelope = orjson.dumps({"job": job.to_json().decode(), "family": family, "address": address})
    done = subprocess.run([sys.executable, "-m", "fazt.bench.worker"], input=envelope, capture_output=True, check=False)
    if done.returncode == 1:
        raise InvalidInput(done.stdout.decode())
    if done.returncode:
        raise RuntimeError(f"The load generator failed:\n{done.stderr.decode()}")
    return Result.from_json(done.stdout)


def others_s(job: Job, core: int | None) -> float:
    """Return the seconds that others than the server have used its core; 0.0 where it is not kept on one."""
    return process.busy_s(core) - process.cpu_s(job.pids) if core is not None else 0.0


def run_job(job: Job, family: int, address: tuple[object, ...]) -> Result:
    """Run a job in this process."""
    raise_descriptor_limit(job.connections + SPARE_DESCRIPTORS)
    process.pin([os.getpid()], job.core)
    server_core = process.core_of(job.pids[0]) if job.pids else None
    before = time.process_time()
    others_before_s = others_s(job, server_core)
    started = time.monotonic()
    account = load.run(
        family,
        address,
        job.requests,
        connections=job.connections,
        duration_s=job.duration_s,
        rate=job.rate,
        pipeline=job.pipeline,
        warmup_s=job.warmup_s,
        sources=job.sources,
        timeout_s=job.timeout_s,
        limit=job.limit,
        sample=lambda: process.cpu_s(job.pids),
    )
    used_s = time.process_time() - before
    took_s = time.monotonic() - started
    others_share = (others_s(job, server_core) - others_before_s) / took_s
    notes = []
    if used_s / took_s > BUSY_SHARE and not job.rate:  # with a rate it waits by spinning
        notes.append("the load generator was at its own limit: the server can do more")
    if others_share > OTHERS_SHARE:
        notes.append(f"others had the server's core {others_share:.0%} of the time: trust the CPU time only")
    return Result.from_account(account, client_cpu_s=used_s, notes=tuple(notes))


def main() -> None:
    """Read a job, run it, write the result; exit with 1 and one sentence where it cannot be run."""
    envelope = orjson.loads(sys.stdin.buffer.read())
    try:
        result = run_job(Job.from_json(envelope["job"].encode()), envelope["family"], tuple(envelope["address"]))
    except (FaztError, ValueError, OSError) as error:
        sys.stdout.write(str(error))
        sys.exit(1)
    sys.stdout.buffer.write(result.to_json())


if __name__ == "__main__":
    main()
