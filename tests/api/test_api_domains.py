"""Where a domain points: asked of the DNS, and only for domains that a site has."""

import socket
from typing import Any

import pytest
from api_calls import Api

from fazt.api import domains


@pytest.fixture
def site(api: Api) -> Api:
    api.deploy("blog", {"index.html": b"1"})
    api.ask("POST", "/api/domains", {"name": "blog.example", "site": "blog"})
    return api


def test_addresses_are_told_once_and_in_order(site: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def found(name: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(name)
        return [(None, None, 0, "", (address, 0)) for address in ("192.0.2.7", "192.0.2.1", "192.0.2.7")]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    answer = site.ask("GET", "/api/domains/Blog.Example./check")
    assert answer.json == {"name": "blog.example", "site": "blog", "addresses": ["192.0.2.1", "192.0.2.7"]}
    assert asked == ["blog.example"]


def test_a_name_without_address_has_none(site: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert site.ask("GET", "/api/domains/blog.example/check").json["addresses"] == []


def test_a_name_that_no_site_has_is_not_looked_up(site: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> list[Any]:
        raise AssertionError("the DNS was asked")

    monkeypatch.setattr(domains, "addresses_of", never)
    answer = site.ask("GET", "/api/domains/intranet.example/check")
    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")
