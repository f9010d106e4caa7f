"""What `jobs.enqueue` takes, and what it says of the rest."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_world import World

from fazt.errors import FaztError, InvalidInput, NotFound, TooLarge
from fazt.jobs.options import parse_job
from fazt.store.queue import MAX_DATA_BYTES

NOW = 1_800_000_000_000


def test_defaults() -> None:
    job = parse_job({"name": "mail"}, NOW)
    assert (job.kind, job.name, job.handler, job.data) == ("job", "mail", "api/_jobs/mail.js", b"null")
    assert (job.max_attempts, job.backoff_ms, job.timeout_ms, job.run_at) == (4, 10_000, 300_000, NOW)
    assert job.unique_key is None


def test_options() -> None:
    options = {"delay": "1h30m", "retries": 0.0, "backoff": 2.5, "unique": "user-7"}
    job = parse_job({"name": "Mail_2", "data": [1], "options": options}, NOW)
    assert (job.run_at, job.max_attempts, job.backoff_ms, job.unique_key) == (NOW + 5_400_000, 1, 2500, "user-7")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "takes a name"),
        ("mail", "takes a name"),
        ({"name": "../secret"}, "name of a job"),
        ({"name": "a/b"}, "name of a job"),
        ({"name": ""}, "name of a job"),
        ({"name": 5}, "name of a job"),
        ({"name": "mail.js"}, "name of a job"),
        ({"name": "x" * 65}, "name of a job"),
        ({"name": "mail", "data": "\ud800"}, "not JSON"),
        ({"name": "mail", "data": 2**70}, "not JSON"),
        ({"name": "mail", "options": []}, "options of a job"),
        ({"name": "mail", "options": {"dealy": 1}}, "no option 'dealy'"),
        ({"name": "mail", "options": {"delay": -1}}, "delay is a number"),
        ({"name": "mail", "options": {"delay": True}}, "delay is a number"),
        ({"name": "mail", "options": {"delay": float("nan")}}, "delay is a number"),
        ({"name": "mail", "options": {"delay": 1e300}}, "delay is a number"),
        ({"name": "mail", "options": {"delay": "soon"}}, "length of time"),
        ({"name": "mail", "options": {"retries": 21}}, "retries is a whole"),
        ({"name": "mail", "options": {"retries": 1.5}}, "retries is a whole"),
        ({"name": "mail", "options": {"retries": True}}, "retries is a whole"),
        ({"name": "mail", "options": {"backoff": 0}}, "backoff is a number"),
        ({"name": "mail", "options": {"unique": ""}}, "unique is a text"),
        ({"name": "mail", "options": {"unique": "x" * 201}}, "unique is a text"),
        ({"name": "mail", "options": {"unique": "\ud800"}}, "surrogate"),
        ({"name": "mail", "options": {"unique": True}}, "unique is a text"),
    ],
)
def test_what_is_refused(value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_job(value, NOW)


def test_data_has_a_limit() -> None:
    parse_job({"name": "mail", "data": "x" * (MAX_DATA_BYTES - 2)}, NOW)
    with pytest.raises(TooLarge, match="262144 is the most"):
        parse_job({"name": "mail", "data": "x" * (MAX_DATA_BYTES - 1)}, NOW)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
options = st.fixed_dictionaries(
    {}, optional={"delay": anything, "retries": anything, "backoff": anything, "unique": anything}
)


@settings(deadline=None, max_examples=300)
@given(st.fixed_dictionaries({"name": st.just("mail"), "data": anything, "options": options | anything}) | anything)
def test_any_value_is_refused_or_fits(value: Any) -> None:
    try:
        job = parse_job(value, NOW)
    except FaztError:
        return
    assert NOW <= job.run_at <= NOW + 366 * 86_400_000
    assert 1 <= job.max_attempts <= 21
    assert job.backoff_ms >= 1000


def test_an_unknown_job_is_named(tmp_path: Path) -> None:
    async def test() -> None:
        world = World(tmp_path / "data.db")
        with pytest.raises(NotFound, match=r"no job 'nothing': the site has no api/_jobs/nothing\.js"):
            await world.enqueue("nothing")
        id = await world.enqueue(unique="k")
        assert await world.enqueue(unique="k") == id
        assert world.states() == ["waiting"]
        world.database.close()

    asyncio.run(test())
