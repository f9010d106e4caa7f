"""What Prometheus is told: the documented set, with the numbers of the server."""

import re
from pathlib import Path
from typing import Any

from api_calls import Api
from made_certificates import make_certificate
from prometheus_client.parser import text_string_to_metric_families

from fazt import __version__

ROWS = re.compile(r"^\| `(fazt_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def read(api: Api) -> dict[str, Any]:
    """Return the families by the names that their samples have."""
    answer = api.ask("GET", "/api/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        found[family.name + ("_total" if family.type == "counter" else "")] = family
    return found


def value(families: dict[str, Any], name: str, **labels: str) -> float:
    return next(float(each.value) for each in families[name].samples if each.labels == labels)


def test_the_numbers_are_those_of_the_server(api: Api) -> None:
    api.deploy("blog", {"index.html": b"12345"})
    before = read(api)
    site = api.pages.site("blog")
    for status in (200, 200, 404, 500):
        site.count(status, 10, 1_000_000, False)
    families = read(api)
    assert value(families, "fazt_info", version=__version__) == 1
    assert value(families, "fazt_start_time_seconds") == 1.0
    assert value(families, "fazt_connections") == 3
    assert value(families, "fazt_sites") == value(before, "fazt_sites")
    assert value(families, "fazt_requests_total", status="2xx") == 2
    assert value(families, "fazt_site_requests_total", site="blog", status="5xx") == 1
    assert value(families, "fazt_response_bytes_total") == 40
    assert value(families, "fazt_database_wal_bytes") == api.database.wal_bytes()


def test_the_set_is_the_documented_one(api: Api) -> None:
    api.deploy("blog", {"index.html": b"1"})
    api.pages.site("blog").count(200, 1, 1, True)
    chain, key = make_certificate("blog.example.org")
    api.ask("POST", "/api/certificates", {"chain": chain.decode(), "key": key.decode()})
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROWS.findall(DOCUMENT)}
    families = read(api)
    for name, family in families.items():
        assert documented[name] == (family.type, set(family.samples[0].labels)), name
    of_functions = {"fazt_function_calls_total", "fazt_function_failures_total"}  # nothing was called
    assert documented.keys() - families.keys() == of_functions
