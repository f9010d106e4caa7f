"""`/api/certificates`: brought, shown without their keys, removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_calls import Api, opened
from made_certificates import make_certificate

from fazt.settings import Settings
from fazt.store import acme, certificates
from fazt.store.acme import Order
from fazt.store.database import now_ms
from fazt.tls.certificate import read_certificate

HOST = "blog.example.org"


def body(*names: str) -> dict[str, str]:
    chain, key = make_certificate(*names)
    return {"chain": chain.decode(), "key": key.decode()}


def test_a_certificate_is_brought_shown_and_removed(api: Api) -> None:
    made = api.ask("POST", "/api/certificates", body(HOST, "*.example.net"))
    assert made.status == 201
    assert (made.json["names"], made.json["source"]) == (["*.example.net", HOST], "uploaded")
    path = f"/api/certificates/{made.json['number']}"
    assert api.ask("GET", path).json == made.json
    assert api.ask("GET", "/api/certificates").json == {"items": [made.json], "next": None}
    assert api.ask("POST", "/api/certificates", body(HOST, "*.example.net")).status == 409
    assert api.ask("DELETE", path).status == 204
    assert [api.ask("GET", path).status, api.ask("DELETE", path).status] == [404, 404]


def test_pages_of_certificates(api: Api) -> None:
    for name in "abc":
        api.ask("POST", "/api/certificates", body(f"{name}.example.org"))
    first = api.ask("GET", "/api/certificates?limit=2").json
    rest = api.ask("GET", f"/api/certificates?limit=2&after={first['next']}").json
    assert [each["names"][0][0] for each in first["items"] + rest["items"]] == ["c", "b", "a"]


def test_a_key_stands_in_no_answer_and_no_log(api: Api) -> None:
    sent = body(HOST)
    secret = sent["key"].splitlines()[1]
    answers = [api.ask("POST", "/api/certificates", sent), api.ask("POST", "/api/certificates", sent)]
    answers += [api.ask("POST", "/api/certificates", sent | {"chain": "x"}), api.ask("GET", "/api/certificates/1")]
    answers += [api.ask("POST", "/api/certificates", sent | {"more": 1}), api.ask("GET", "/api/audit")]
    assert [each.status for each in answers] == [201, 409, 400, 200, 400, 200]
    assert not any(secret.encode() in each.body for each in answers)


def test_changes_stand_in_the_audit_log(api: Api) -> None:
    made = api.ask("POST", "/api/certificates", body(HOST)).json
    api.ask("DELETE", f"/api/certificates/{made['number']}")
    removed, added = api.ask("GET", "/api/audit").json["items"]
    assert (added["action"], removed["action"]) == ("certificate.add", "certificate.remove")
    assert added["subject"] == removed["subject"] == made["fingerprint"]
    assert (added["before"], added["after"]) == (None, {"names": [HOST], "issuer": HOST})
    assert (removed["before"], removed["after"]) == ({"names": [HOST], "issuer": HOST}, None)


@pytest.fixture
def ordering(tmp_path: Path) -> Iterator[Api]:
    directory = "https://localhost:1/dir"
    settings = Settings(domain="fazt.example", https="127.0.0.1:4699", acme_directory=directory)
    with opened(tmp_path / "ordering.db", settings) as found:
        yield found


def test_orders_are_listed_and_hurried(ordering: Api) -> None:
    names = [each["names"][0] for each in ordering.ask("GET", "/api/certificates/orders").json["items"]]
    assert names == [f"{name}fazt.example" for name in ("", "www.", "admin.", "dashboard.", "dav.")]
    order = Order("fazt.example", 3, 1000, now_ms() + 9_999_999, "nobody is there")
    ordering.database.write_blocking(acme.put_order, order)
    first = ordering.ask("GET", "/api/certificates/orders").json["items"][0]
    assert (first["state"], first["failures"], first["error"]) == ("failed", 3, "nobody is there")
    sent = ordering.ask("POST", "/api/certificates/orders", {"name": "fazt.example"})
    assert sent.status == 202
    assert ordering.database.read_blocking(acme.list_orders)[0].next_at == 0
    assert ordering.ask("POST", "/api/certificates/orders", {"name": "other.example"}).status == 404
    assert ordering.ask("GET", "/api/audit").json["items"][0]["action"] == "certificate.order"


def test_a_good_certificate_is_ordered_again_only_where_that_is_said(ordering: Api) -> None:
    new = read_certificate(*make_certificate("fazt.example", days=60))
    ordering.database.write_blocking(certificates.add, new, "acme")
    assert ordering.ask("GET", "/api/certificates/orders").json["items"][0]["state"] == "valid"
    assert ordering.ask("POST", "/api/certificates/orders", {"name": "fazt.example"}).status == 409
    sent = ordering.ask("POST", "/api/certificates/orders", {"name": "fazt.example", "renew": True})
    assert (sent.status, sent.json["state"]) == (202, "waiting")


def test_nothing_is_ordered_without_https(api: Api) -> None:
    assert api.ask("GET", "/api/certificates/orders").json == {"items": [], "next": None}
