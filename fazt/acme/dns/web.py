"""DNS providers with an API over HTTP: Cloudflare and DigitalOcean."""

import logging
from typing import Any

import requests

from fazt.errors import OrderFailed

log = logging.getLogger("fazt.acme")
TIMEOUT_S = 30
TTL_S = 60
LONGEST_SAID = 300


class _Api:
    """An API that takes a bearer token and speaks JSON."""

    def __init__(self, name: str, base: str, token: str) -> None:
        if not token:
            raise OrderFailed(f"The token of {name}'s API is missing: fazt config set acme_dns_token TOKEN")
        self._name = name
        self._base = base
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Return what is answered as JSON, None where there is nothing. Raises: OrderFailed."""
        try:
            answer = self._session.request(method, self._base + path, timeout=TIMEOUT_S, allow_redirects=False, **more)
            said = answer.json() if answer.content else None
        except (requests.RequestException, ValueError) as error:
            raise OrderFailed(f"{self._name} cannot be asked: {type(error).__name__}") from None
        if not 200 <= answer.status_code < 300:
            raise OrderFailed(f"{self._name} answers {answer.status_code}: {_reason(said)}")
        return said


def _reason(said: Any) -> str:
    """Return why, as either of them says it."""
    found: list[Any] = []
    if isinstance(said, dict):
        errors = said.get("errors")
        found = [each.get("message") for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
        found.append(said.get("message"))
    return "; ".join(" ".join(str(each).split()) for each in found if each)[:LONGEST_SAID] or "no reason is given"


class CloudflareWriter:
    """Writes records at Cloudflare; the token may edit the DNS of the zone."""

    def __init__(self, token: str, base: str = "https://api.cloudflare.com/client/v4") -> None:
        """Raises: OrderFailed without a token."""
        self._api = _Api("Cloudflare", base, token)

    def write(self, name: str, value: str) -> str:
        """Add a record; return its path. Raises: OrderFailed."""
        path = f"/zones/{self._zone(name)}/dns_records"
        made = self._api.ask("POST", path, json={"type": "TXT", "name": name, "content": value, "ttl": TTL_S})
        return f"{path}/{made['result']['id']}"

    def remove(self, written: object) -> None:
        """Remove it."""
        _remove(self._api, written)

    def _zone(self, name: str) -> str:
        """Return the id of the zone that a name is in: that of the longest ending of it that there is."""
        labels = name.split(".")
        for first in range(1, len(labels) - 1):
            found = self._api.ask("GET", "/zones", params={"name": ".".join(labels[first:])})["result"]
            if found:
                return str(found[0]["id"])
        raise OrderFailed(f"Cloudflare has no zone for {name} that this token may see.")


class DigitalOceanWriter:
    """Writes records at DigitalOcean; the token may write domains."""

    def __init__(self, token: str, base: str = "https://api.digitalocean.com/v2") -> None:
        """Raises: OrderFailed without a token."""
        self._api = _Api("DigitalOcean", base, token)

    def write(self, name: str, value: str) -> str:
        """Add a record; return its path. Raises: OrderFailed."""
        zone = self._zone(name)
        record = {"type": "TXT", "name": name.removesuffix(f".{zone}"), "data": value, "ttl": TTL_S}
        made = self._api.ask("POST", f"/domains/{zone}/records", json=record)
        return f"/domains/{zone}/records/{made['domain_record']['id']}"

    def remove(self, written: object) -> None:
        """Remove it."""
        _remove(self._api, written)

    def _zone(self, name: str) -> str:
        found = self._api.ask("GET", "/domains", params={"per_page": 200})["domains"]
        zones = [each["name"] for each in found if name.endswith(f".{each['name']}")]
        if not zones:
            raise OrderFailed(f"DigitalOcean has no domain for {name} that this token may see.")
        return str(max(zones, key=len))


def _remove(api: _Api, written: object) -> None:
    try:
        api.ask("DELETE", str(written))
    except OrderFailed as error:
        log.warning("a DNS record stays: %s", error.message)
