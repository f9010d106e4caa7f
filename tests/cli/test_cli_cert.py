"""`fazt cert`: what it asks the API for, and what it prints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CERTIFICATE = {
    "number": 3,
    "names": ["blog.example.org"],
    "source": "uploaded",
    "issuer": "Some\x1bbody",
    "fingerprint": "ab" * 32,
    "not_before": "2026-11-01T00:00:00.000Z",
    "not_after": "2099-01-01T00:00:00.000Z",
    "created_at": "2026-11-02T00:00:00.000Z",
}
MANY = CERTIFICATE | {"number": 4, "names": ["a.org", "b.org", "c.org", "d.org"], "source": "acme"}


@pytest.fixture
def api(server: Any) -> Any:
    server.answers = {
        ("GET", "/api/certificates"): (200, {"items": [MANY, CERTIFICATE], "next": None}),
        ("POST", "/api/certificates"): (201, CERTIFICATE),
        ("GET", "/api/certificates/3"): (200, CERTIFICATE),
        ("DELETE", "/api/certificates/3"): (204, None),
    }
    return server


def test_list(run: Callable[..., Any], api: Any) -> None:
    heading, first, second = run("cert", "list").out.splitlines()
    assert heading.split() == ["NUMBER", "NAMES", "SOURCE", "EXPIRES", "ISSUER"]
    assert "a.org and 3 more" in first
    assert "ordered" in first
    assert "blog.example.org  uploaded  in 7" in second
    assert "\x1b" not in second
    api.answers[("GET", "/api/certificates")] = (200, {"items": [], "next": None})
    assert "fazt cert add CHAIN KEY" in run("cert", "list").out


def test_add(run: Callable[..., Any], api: Any, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text("the chain")
    (tmp_path / "key.pem").write_text("the key")
    done = run("cert", "add", str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))
    assert done.out.startswith("HTTPS is answered with it for blog.example.org. It expires in 7")
    assert api.asked[-1].body == {"chain": "the chain", "key": "the key"}


@pytest.mark.parametrize(("name", "words"), [("nothing", "No such file"), ("der", "openssl x509")])
def test_files_that_are_none(run: Callable[..., Any], api: Any, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "der").write_bytes(b"\x30\x82\xff")
    done = run("cert", "add", str(tmp_path / name), str(tmp_path / "der"))
    assert done.code == 1
    assert words in done.err
    assert not api.asked


def test_show_and_remove(run: Callable[..., Any], api: Any) -> None:
    shown = run("cert", "show", "3").out
    assert "ab" * 32 in shown
    assert "2099-01-01T00:00:00.000Z (in 7" in shown
    assert run("cert", "remove", "3").out == "The certificate 3 and its key are gone.\n"
    assert api.asked[-1].method == "DELETE"


ORDER = {
    "names": ["example.org", "*.example.org"],
    "state": "ordering",
    "expires_at": None,
    "next_at": "2020-01-01T00:00:00.000Z",
    "failures": 1,
    "error": "it is\x1b cold",
    "records": [{"name": "_acme-challenge.example.org", "value": "a\x1bb"}],
}


def test_status_of_orders(run: Callable[..., Any], api: Any) -> None:
    api.answers[("GET", "/api/certificates/orders")] = (200, {"items": [], "next": None})
    assert "--https" in run("cert", "status").out
    late = ORDER | {"names": ["a.org"], "state": "failed", "next_at": "2099-01-01T00:00:00.000Z", "records": []}
    api.answers[("GET", "/api/certificates/orders")] = (200, {"items": [ORDER, late], "next": None})
    out = run("cert", "status").out
    assert "example.org, *.example.org  ordering  never    now" in out
    assert "in 7" in out
    assert '_acme-challenge.example.org. 60 IN TXT "a\ufffdb"' in out
    assert "\x1b" not in out


def test_order(run: Callable[..., Any], api: Any) -> None:
    api.answers[("POST", "/api/certificates/orders")] = (202, ORDER)
    assert "fazt cert status" in run("cert", "order", "example.org").out
    assert api.asked[-1].body == {"name": "example.org", "renew": False}
    run("cert", "order", "example.org", "--renew")
    assert api.asked[-1].body == {"name": "example.org", "renew": True}
