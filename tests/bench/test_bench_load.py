"""The load generator against small servers that do exactly known things: nothing may be missing from its account."""

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.bench import load

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[tuple[str, int]]:
    """Run an asyncio server in a thread; yield its address."""
    address: list[tuple[str, int]] = []
    ready = threading.Event()
    stop: list[Callable[[], object]] = []

    async def main() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        address.append(server.sockets[0].getsockname()[:2])
        ready.set()
        await over.wait()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)  # the clients have left: every one of them ends
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    try:
        yield address[0]
    finally:
        stop[0]()
        thread.join()


def answering(answer: bytes, seen: list[bytes] | None = None) -> Serve:
    """Return a server that gives every request the same answer, and keeps the request lines."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head.partition(b"\r\n")[0])
            writer.write(answer)
            await writer.drain()

    return serve


def run(address: tuple[str, int], requests: list[bytes] | None = None, **options: Any) -> dict[str, Any]:
    options = {"connections": 4, "duration_s": 20.0, **options}
    return dict(load.run(socket.AF_INET, address, requests or [GET], **options))


def test_counts_are_exact() -> None:
    seen: list[bytes] = []
    with serving(answering(OK, seen)) as address:
        account = run(address, limit=500)
    assert len(seen) == 500
    assert account["finished"] == 500
    assert account["statuses"] == {"200": 500}
    assert account["bytes"] == 500 * len(OK)
    assert account["errors"] == {}
    assert account["failed"] == account["unsent"] == account["unanswered"] == 0


def test_a_list_of_requests_is_sent_in_turn() -> None:
    seen: list[bytes] = []
    requests = [b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(70)]
    with serving(answering(OK, seen)) as address:
        run(address, requests, limit=140)
    lines = sorted(request.partition(b"\r\n")[0] for request in requests)
    assert sorted(seen) == sorted(lines * 2)


def test_pipelining_keeps_the_answers_apart() -> None:
    seen: list[bytes] = []
    with serving(answering(OK, seen)) as address:
        account = run(address, limit=333, pipeline=16, connections=3)
    assert len(seen) == 333
    assert account["statuses"] == {"200": 333}
    assert account["errors"] == {}


def test_a_large_body_is_counted_to_the_byte() -> None:
    body = bytes(3_000_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + body
    with serving(answering(answer)) as address:
        account = run(address, limit=10, connections=2)
    assert account["bytes"] == 10 * len(answer)
    assert account["statuses"] == {"200": 10}


def test_a_large_request_is_sent_whole() -> None:
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            seen.append(len(await reader.readexactly(2_000_000)))
            writer.write(OK)

    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + bytes(2_000_000)
    with serving(serve) as address:
        account = run(address, [request], limit=6, connections=2, pipeline=2)
    assert account["statuses"] == {"200": 6}
    assert seen == [2_000_000] * 6


@pytest.mark.parametrize(
    ("method", "answer", "status"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "200"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", "304"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
        ("GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, "200"),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na;x=1\r\n0123456789\r\n0\r\n\r\n",
            "200",
        ),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: yes\r\n\r\n", "200"),
    ],
)
def test_answers_without_a_plain_body(method: str, answer: bytes, status: str) -> None:
    with serving(answering(answer)) as address:
        account = run(address, [GET.replace(b"GET", method.encode())], limit=20)
    assert account["statuses"] == {status: 20}
    assert account["errors"] == {}


def test_a_connection_that_the_server_ends_in_order_is_no_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b"Content-Length", b"Connection: close\r\nContent-Length"))

    with serving(serve) as address:
        account = run(address, limit=20, connections=2)
    assert account["statuses"] == {"200": 20}
    assert account["errors"] == {}
    assert account["reconnects"] == 20


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "timeout"),  # more was promised than came
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello", "unasked"),  # more came than was promised
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "malformed"),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "malformed"),
        (b"SSH-2.0-OpenSSH_9.2 and a little more\r\n\r\n", "malformed"),
    ],
)
def test_a_wrong_answer_is_noticed(answer: bytes, error: str) -> None:
    with serving(answering(answer)) as address:
        account = run(address, duration_s=0.4, timeout_s=0.15, connections=1)
    assert set(account["errors"]) == {error}
    assert account["failed"] >= (error != "unasked")
    assert bool(account["first_malformed"]) == (error == "malformed")


def test_a_connection_cut_in_the_middle_of_an_answer_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:-2])

    with serving(serve) as address:
        account = run(address, duration_s=0.3, connections=2)
    assert account["errors"]["cut"] >= 2
    assert account["finished"] == 0
    assert account["statuses"] == {}


def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        account = run(reserved.getsockname(), duration_s=0.3)
    assert account["errors"]["connect"] >= 4
    assert account["finished"] == 0


def stalling(after: int, stall_s: float) -> Serve:
    """Return a server that, once, after so many answers, stands still with everybody."""
    answered = 0
    clear = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while True:
            await reader.readuntil(b"\r\n\r\n")
            answered += 1
            if answered == after:
                asyncio.get_running_loop().call_later(stall_s, clear.set)
            if answered >= after:
                await clear.wait()
            writer.write(OK)

    return serve


def test_the_open_loop_counts_a_stall_for_all_who_waited() -> None:
    with serving(stalling(after=100, stall_s=0.4)) as address:
        account = run(address, duration_s=1.0, rate=500.0, connections=2)
    # 500 requests, about 200 of them due while the server stood still: their waiting is spread over 0 to 400 ms
    assert sum(account["statuses"].values()) == 500
    assert account["unsent"] == account["unanswered"] == 0
    assert account["latency_ns"]["max"] >= 380e6
    assert account["latency_ns"]["p90"] >= 100e6
    assert account["latency_ns"]["mean"] >= 40e6


def test_the_closed_loop_counts_a_stall_once_for_each_connection() -> None:
    with serving(stalling(after=100, stall_s=0.4)) as address:
        account = run(address, duration_s=0.8, connections=2)
    assert account["latency_ns"]["max"] >= 380e6
    assert account["latency_ns"]["p90"] < 100e6


def test_the_open_loop_keeps_its_rate() -> None:
    with serving(answering(OK)) as address:
        account = run(address, duration_s=0.5, rate=1000.0, connections=8)
    assert sum(account["statuses"].values()) == 500
    assert account["latency_ns"]["p50"] < 50e6


def test_requests_that_a_slow_server_never_got_are_counted() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.write(OK)

    with serving(serve) as address:
        account = run(address, duration_s=0.4, rate=1000.0, connections=1, timeout_s=0.5)
    answered = sum(account["statuses"].values())
    assert answered + account["unsent"] + account["unanswered"] == 400
    assert account["unsent"] > 300
    assert account["latency_ns"]["p50"] > 400e6


def test_the_warm_up_is_left_out() -> None:
    seen: list[bytes] = []
    samples: list[int] = []

    def sample() -> float:
        samples.append(len(seen))
        return float(len(samples))

    with serving(answering(OK, seen)) as address:
        account = run(address, duration_s=0.2, warmup_s=0.2, sample=sample)
    assert len(samples) == 2
    assert account["sampled"] == 1.0
    assert samples[0] > 0
    assert account["elapsed_s"] == pytest.approx(0.2, abs=0.02)
    assert abs(account["finished"] - (samples[1] - samples[0])) <= 16
    assert abs(account["finished"] - sum(account["statuses"].values())) <= 4


@pytest.mark.parametrize(
    "options",
    [
        {"duration_s": 0.0},
        {"connections": 0},
        {"pipeline": 0},
        {"pipeline": 65},
        {"rate": -1.0},
        {"limit": 5, "warmup_s": 1.0},
        {"timeout_s": 0.0},
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^A run|^Pipelining"):
        run(("127.0.0.1", 1), **options)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2**44), min_size=1, max_size=200), st.floats(0, 100))
def test_a_percentile_is_right_to_a_thousandth(values: list[int], percent: float) -> None:
    histogram = load.Histogram()
    for value in values:
        histogram.record(value)
    ordered = sorted(values)
    rank = max(1, -(-int(len(values) * percent * 1_000_000) // 100_000_000))
    near = {ordered[min(rank - 1 + shift, len(values) - 1)] for shift in (-1, 0, 1) if rank - 1 + shift >= 0}
    found = histogram.percentile(percent)
    assert any(abs(found - value) <= value / 1000 for value in near)
    assert histogram.count == len(values)
    assert (histogram.minimum, histogram.maximum) == (ordered[0], ordered[-1])
    assert histogram.mean == pytest.approx(sum(values) / len(values))


def test_an_empty_histogram() -> None:
    histogram = load.Histogram()
    assert histogram.percentile(50) == 0
    assert histogram.mean == 0.0
    with pytest.raises(ValueError, match="between 0 and 100"):
        histogram.percentile(101)


bodies = st.binary(max_size=300)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, tuple[int, int]]:
    """Draw an answer and what is to be read from it."""
    status = draw(st.integers(200, 599).filter(lambda code: code not in (204, 304)))
    filler = draw(
        st.sampled_from([b"", b"Server: x\r\nX-Long: " + b"y" * 400 + b"\r\n", b"connection: Keep-Alive\r\n"])
    )
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    head = interim + b"HTTP/1.1 %d Whatever\r\n" % status + filler
    if draw(st.booleans()):
        body = draw(bodies)
        return head + b"content-LENGTH:  %d \r\n\r\n" % len(body) + body, (status, len(body))
    chunks = [chunk for chunk in draw(st.lists(bodies, max_size=4)) if chunk]
    coded = b"".join(b"%x;e=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    trailer = draw(st.sampled_from([b"", b"A: b\r\n"]))
    whole = head + b"Transfer-Encoding: Chunked\r\n\r\n" + coded + b"0\r\n" + trailer + b"\r\n"
    return whole, (status, sum(map(len, chunks)))


@settings(deadline=None, max_examples=150)
@given(st.lists(answers(), min_size=1, max_size=4), st.lists(st.integers(0, 3000), max_size=12))
def test_answers_are_read_the_same_however_they_are_cut(
    drawn: list[tuple[bytes, tuple[int, int]]], cuts: list[int]
) -> None:
    data = b"".join(answer for answer, _ in drawn)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[start:stop] for start, stop in itertools.pairwise(places)]
    expected = [wanted for _, wanted in drawn]
    assert load.read_answers(pieces) == expected
    assert load.read_answers([bytes([byte]) for byte in data]) == expected


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"HTTP/1.1 200 ", b"\r\n\r\n", b"Content-Length: 3"]), max_size=6
    )
)
def test_rubbish_is_an_error_and_never_worse(pieces: list[bytes]) -> None:
    with contextlib.suppress(ValueError):
        assert all(100 <= status <= 599 for status, _ in load.read_answers(pieces))


def test_a_head_without_an_end_is_malformed() -> None:
    with pytest.raises(ValueError, match="malformed"):
        load.read_answers([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 997 + b"\r\n"] * 20])
