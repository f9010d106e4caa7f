"""`fazt bench`: one URL under load, or the whole suite."""

from dataclasses import asdict
from urllib.parse import urlsplit

import click
import orjson

from fazt.bench import process, report, worker
from fazt.bench.job import LOOPBACK, Job, Result
from fazt.bench.request import request_bytes
from fazt.cli.options import json_option

FULL_SUITE = "about four minutes"
QUICK_SUITE = "about one minute"


@click.command()
@click.argument("url", required=False)
@click.option(
    "--connections",
    metavar="N",
    type=click.IntRange(1, 60_000),
    default=32,
    show_default=True,
    help="Open connections.",
)
@click.option(
    "--duration", metavar="S", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True, help="Seconds."
)
@click.option(
    "--rate",
    metavar="R",
    type=click.FloatRange(0.1),
    help="Requests a second, whether or not the server keeps up; latencies count from when each was due.",
)
@click.option(
    "--pipeline",
    metavar="N",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Requests under way on one connection.",
)
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="Add a header, or replace a browser's; repeatable.",
)
@click.option("--allow-remote", is_flag=True, help="Allow a server on another machine; only for one of yours.")
@click.option("--suite", is_flag=True, help=f"Measure a private server in every way instead ({FULL_SUITE}).")
@click.option("--quick", is_flag=True, help=f"The suite with short runs ({QUICK_SUITE}).")
@click.option("--against", metavar="PEER", help="Measure the suite's cases on a peer too: nginx.")
@json_option
def bench(
    url: str | None,
    connections: int,
    duration: float,
    rate: float | None,
    pipeline: int,
    headers: tuple[str, ...],
    allow_remote: bool,
    suite: bool,
    quick: bool,
    against: str | None,
    as_json: bool,
) -> int:
    """Measure a server under load.

    URL is asked for as a browser asks, over and over, over http. The load runs in a process and on a core of its own.
    Exit code 1 when an answer was missing or wrong.

    \b
    Examples:
      fazt bench http://hello.localhost:4698/
      fazt bench http://hello.localhost:4698/ --rate 5000 --header 'Accept-Encoding: br'
      fazt bench --suite --quick --against nginx
    """
    if suite == (url is not None):
        raise click.UsageError("Give a URL, or --suite.")
    if not suite and (quick or against):
        raise click.UsageError("--quick and --against belong to --suite.")
    if suite:
        return print_suite(quick=quick, against=against, as_json=as_json)
    assert url is not None
    job = job_for(
        url, connections=connections, duration_s=duration, rate=rate or 0.0, pipeline=pipeline, headers=headers
    )
    result = worker.measure(job, allow_remote=allow_remote)
    faults = result.faults(*range(200, 400))
    if as_json:
        click.echo(orjson.dumps(as_values(url, job, result, faults)))
    else:
        click.echo(as_text(job, result))
    for fault in faults:
        click.echo(f"fault: {fault}", err=True)
    return 1 if faults else 0


def job_for(
    url: str, *, connections: int, duration_s: float, rate: float, pipeline: int, headers: tuple[str, ...]
) -> Job:
    """Return the job that a command line asks for.

    Raises: click.UsageError where the URL or a header cannot be used.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or 80
    except ValueError:
        raise click.UsageError(f"{url} has no valid port.") from None
    if parts.scheme != "http" or not parts.hostname:
        raise click.UsageError("Only http:// URLs can be measured.")
    fields = []
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip() or any(ord(character) < 32 or ord(character) > 255 for character in header):
            raise click.UsageError(f"--header wants 'Name: value', not {header!r}.")
        fields.append((name.strip(), value.strip()))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    local = parts.hostname.endswith("localhost") or parts.hostname.startswith(LOOPBACK)
    served_by = process.listener(port) if local else None
    return Job(
        host=parts.hostname,
        port=port,
        requests=(request_bytes(parts.netloc.rpartition("@")[2], path, fields=fields),),
        connections=connections,
        duration_s=duration_s,
        warmup_s=min(0.5, duration_s / 4),
        rate=rate,
        pipeline=pipeline,
        core=process.cores()[1],
        pids=process.tree(served_by) if served_by else (),
    )


def as_text(job: Job, result: Result) -> str:
    """Return a result as a few lines."""
    latency = result.latency
    loop = f"{job.rate:g} requests/s wanted" if job.rate else "each sends its next request when the answer is whole"
    statuses = ", ".join(f"{count:,} × {status}" for status, count in result.statuses.items()) or "none"
    per_answer = result.received_bytes / result.finished if result.finished else None
    megabytes = result.received_bytes / result.elapsed_s / 1e6 if result.elapsed_s else 0.0
    times = "   ".join(
        f"{name} {report.duration(value)}"
        for name, value in (
            ("p50", latency.p50_us),
            ("p90", latency.p90_us),
            ("p99", latency.p99_us),
            ("p99.9", latency.p99_9_us),
            ("max", latency.max_us),
        )
    )
    lines = [
        f"{job.connections} connections for {result.elapsed_s:.1f} s; {loop}",
        f"  requests/s   {report.number(result.requests_per_s)}   "
        f"({megabytes:,.1f} MB/s, {report.size(per_answer)} an answer)",
        f"  latency      {times}",
        f"  answers      {statuses}",
    ]
    if result.cpu_us is not None:
        lines.append(f"  server CPU   {report.duration(result.cpu_us)} a request")
    lines += [f"  note         {note}" for note in result.notes]
    if result.first_malformed:
        lines.append(f"  malformed    {result.first_malformed[:80]!r}")
    return "\n".join(lines)


def as_values(url: str, job: Job, result: Result, faults: list[str]) -> dict[str, object]:
    """Return a result as values for JSON."""
    return {
        "url": url,
        "connections": job.connections,
        "rate": job.rate or None,
        "pipeline": job.pipeline,
        "requests_per_s": result.requests_per_s,
        "cpu_us": result.cpu_us,
        **asdict(result),
        "faults": faults,
    }


def print_suite(*, quick: bool, against: str | None, as_json: bool) -> int:
    """Run the suite and print its report."""
    # It brings the store and its database library with it, which a run against a URL does without.
    from fazt.bench.suite import run_suite

    done = run_suite(quick=quick, against=against, say=lambda text: click.echo(f"  {text}", err=True))
    click.echo(orjson.dumps(done.as_json(), option=orjson.OPT_INDENT_2) if as_json else report.text(done))
    return 1 if done.faults() else 0
