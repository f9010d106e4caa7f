"""`/api/certificates`: brought, shown without their keys, removed."""

from api_calls import Api
from made_certificates import make_certificate

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
