"""Whatever is asked, and whoever asks: one JSON answer with a status that means something, never a traceback."""

import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from api_calls import Api, opened
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = st.sampled_from(["blog", "root", "404", "live", "abcd", "..", "%2e%2e", "a/b", "x" * 300, "\x00", "é", "''--"])
SEGMENT = (WORDS | st.text(max_size=12)).map(lambda text: quote(text, safe=""))
ROUTES = st.sampled_from(
    [
        "/api/sites",
        "/api/sites/{}",
        "/api/sites/{}/versions",
        "/api/sites/{}/versions/prune",
        "/api/sites/{}/versions/{}",
        "/api/sites/{}/versions/{}/files",
        "/api/sites/{}/versions/{}/diff",
        "/api/sites/{}/versions/{}/export",
        "/api/sites/{}/live",
        "/api/blobs",
        "/api/domains",
        "/api/domains/{}",
        "/api/tokens",
        "/api/tokens/{}",
        "/api/cache",
        "/api/logs",
        "/api/route",
        "/api/{}",
    ]
)
PARAMETERS = ["limit", "after", "site", "since_s", "url", "to", "follow"]
KEYS = [
    "name",
    "site",
    "files",
    "path",
    "hash",
    "size",
    "keep",
    "version",
    "actions",
    "locked",
    "label",
    "expires_in_s",
]
HASH = st.text("0123456789abcdef", min_size=64, max_size=64)
SCALAR = WORDS | HASH | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any]:
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]))
    route = draw(ROUTES)
    path = route.format(*(draw(SEGMENT) for _ in range(route.count("{}"))))
    query = draw(st.dictionaries(st.sampled_from(PARAMETERS), SEGMENT | st.integers().map(str), max_size=3))
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
    return method, target, draw(st.none() | JSON | st.binary(max_size=80))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("fuzz") / "data.db") as api:
        api.deploy("blog", {"index.html": b"1"})
        yield api


@settings(deadline=None, max_examples=400)
@given(asked=requests())
def test_anything_is_answered(fuzzed: Api, asked: tuple[str, str, Any]) -> None:
    method, target, body = asked
    if isinstance(body, int) and abs(body) >= 1 << 63:
        body = None
    try:
        encoded = orjson.dumps(body) if body is not None and not isinstance(body, bytes) else body
    except orjson.JSONEncodeError:
        encoded = b"{}"
    kind = "application/x-fazt-pack" if target.startswith("/api/blobs") else "application/json"
    answer = fuzzed.ask(method, target, encoded, headers=[("content-type", kind)] if encoded is not None else [])
    assert answer.status < 500, (method, target, body, answer.body)
    if answer.status >= 400:
        error = answer.json["error"]
        assert error["message"][-1] in ".)"
        assert set(error["code"]) <= set(string.ascii_lowercase + "_")
        assert "Traceback" not in error["message"]
