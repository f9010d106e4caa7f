"""Malformed and ambiguous requests: one answer, the connection ends, nothing behind it is read as a request."""

import itertools
from collections.abc import Iterator

import pytest
from fake_edge import FakeClient, FakeEdge, request
from malformed import CASES, Case

BEFORE = request("/before")
AFTER = request("/after")
LONGEST_BYTE_BY_BYTE = 2_000


@pytest.fixture(scope="module", params=[True, False], ids=["lane", "no lane"])
def edge(request: pytest.FixtureRequest) -> Iterator[FakeEdge]:
    with FakeEdge(lane=request.param, max_body_bytes=32_768) as edge:
        edge.add("/", b"home")
        edge.add("/before", b"before")
        edge.connect().send(BEFORE).vanish()
        yield edge


def feed(edge: FakeEdge, data: bytes, pieces: list[int]) -> FakeClient:
    """Send the data cut at these places."""
    client = edge.connect()
    cuts = [0, *pieces, len(data)]
    client.unsent = [data[start:end] for start, end in itertools.pairwise(cuts) if start < end]
    edge.settle()
    return client


def ways(case: Case) -> Iterator[tuple[bytes, list[int], int]]:
    """Yield (bytes, where they are cut, number of good answers before) of every way to send a case."""
    whole = BEFORE + case.data + AFTER
    yield case.data + AFTER, [], 0
    yield whole, [], 1
    yield whole, [len(BEFORE)], 1
    yield whole, [len(BEFORE) + len(case.data) // 2], 1
    yield whole, [len(BEFORE) + len(case.data)], 1
    step = 1 if len(case.data) < LONGEST_BYTE_BY_BYTE else 997
    yield whole, list(range(step, len(whole), step)), 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}: {case.name[:60]}")
def test_it_is_refused(edge: FakeEdge, case: Case) -> None:
    edge.asked.clear()
    edge.called.clear()
    for data, cuts, before in ways(case):
        client = feed(edge, data, cuts)
        statuses = [reply.status for reply in client.replies()]
        expected = [200] * before + ([] if case.status is None else [case.status])
        assert statuses == expected, cuts[:5]
        assert client.closed
        assert not client.replies()[-1].keep_alive
        client.vanish()
        edge.clients.remove(client)
    assert b"/after" not in edge.asked
    assert "/after" not in edge.called


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 150
    assert len({(case.name, case.section) for case in CASES}) == len(CASES)
