"""Which certificates are wanted: those of the hosts that exist, as far as an authority may know them."""

import pytest
from made_certificates import make_certificate

from fazt.acme.wanted import LEAST_LEFT_MS, Due, Wanted, can_be_signed, survey
from fazt.sites.hosting import Hosting
from fazt.store import acme, certificates, domains, sites
from fazt.store.acme import Renewal
from fazt.store.certificates import Source
from fazt.store.database import Database, now_ms
from fazt.tls.certificate import read_certificate

DAY_MS = 24 * 3_600_000
PLATFORM = {f"{name}fazt.org" for name in ("", "www.", "admin.", "dashboard.", "dav.")}


def look(database: Database, domain: str = "fazt.org", *, by_dns: bool = False, publicly: bool = True) -> list[Due]:
    hosting = Hosting(domain, "redirect-to-bare", lambda host: f"https://{host}/")
    found: list[Due] = database.read_blocking(
        lambda connection: survey(connection, hosting, now_ms(), by_dns=by_dns, publicly=publicly)
    )
    return found


def names(due: list[Due]) -> set[str]:
    return {name for each in due for name in each.wanted.names}


def add(database: Database, *hosts: str, days: int = 60, source: Source = "acme") -> str:
    new = read_certificate(*make_certificate(*hosts, days=days))
    return database.write_blocking(certificates.add, new, source).fingerprint


def make_site(database: Database, name: str, *own: str) -> None:
    database.write_blocking(sites.create, name)
    for domain in own:
        database.write_blocking(domains.add, domain, name)


@pytest.mark.parametrize(
    ("host", "somewhere", "publicly"),
    [
        ("fazt.org", True, True),
        ("localhost", False, False),
        ("blog.localhost", False, False),
        ("server", False, False),
        ("192.0.2.1", False, False),
        ("[2001:db8::1]", False, False),
        ("fazt.test", True, False),
        ("printer.local", True, False),
        ("a.home.arpa", True, False),
        ("a.example", True, False),
    ],
)
def test_which_names_can_be_signed(host: str, somewhere: bool, publicly: bool) -> None:
    assert can_be_signed(host, publicly=False) is somewhere
    assert can_be_signed(host, publicly=True) is publicly


def test_hosts_that_exist_and_no_other(database: Database) -> None:
    assert names(look(database)) == PLATFORM
    make_site(database, "blog", "blog.example.com", "intern.test")
    make_site(database, "root")
    make_site(database, "404")
    assert names(look(database)) == PLATFORM | {"blog.fazt.org", "blog.example.com"}
    assert all(each.at == 0 for each in look(database))
    assert names(look(database, publicly=False)) >= {"intern.test"}


def test_a_server_without_a_public_name_orders_for_domains_alone(database: Database) -> None:
    make_site(database, "blog", "blog.example.com")
    assert names(look(database, "localhost")) == {"blog.example.com"}


def test_one_certificate_for_everything_below_the_domain(database: Database) -> None:
    make_site(database, "blog", "blog.example.com", "deep.blog.example.com")
    due = look(database, by_dns=True)
    assert due[0].wanted == Wanted(("fazt.org", "*.fazt.org"), by_dns=True)
    assert [each.wanted.names for each in due[1:]] == [("blog.example.com",), ("deep.blog.example.com",)]


def test_what_is_covered_is_not_ordered(database: Database) -> None:
    make_site(database, "blog")
    add(database, "*.fazt.org", "fazt.org")
    due = {each.wanted.names[0]: each for each in look(database)}
    assert all(each.at > now_ms() + 30 * DAY_MS for each in due.values())
    assert due["blog.fazt.org"].present is None  # it is another one's to renew
    assert due["blog.fazt.org"].at <= now_ms() + 60 * DAY_MS - LEAST_LEFT_MS
    whole = look(database, by_dns=True)[0]
    assert whole.present is not None
    assert set(whole.present.names) == {"fazt.org", "*.fazt.org"}


def test_half_a_cover_is_none(database: Database) -> None:
    add(database, "*.fazt.org")
    assert look(database, by_dns=True)[0].at == 0


def test_an_own_certificate_is_left_alone_until_it_ends(database: Database) -> None:
    add(database, "fazt.org", days=60, source="uploaded")
    due = next(each for each in look(database) if each.wanted.names == ("fazt.org",))
    assert (due.present, due.at > now_ms() + 50 * DAY_MS) == (None, True)


def test_the_authority_says_when(database: Database) -> None:
    fingerprint = add(database, "fazt.org")

    def due() -> int:
        return next(each.at for each in look(database) if each.wanted.names == ("fazt.org",))

    own = due()
    assert now_ms() + 30 * DAY_MS < own < now_ms() + 41 * DAY_MS
    database.write_blocking(acme.put_renewal, Renewal(fingerprint, 12345, 99))
    assert due() == 12345
    database.write_blocking(acme.put_renewal, Renewal(fingerprint, 0, 99))  # it has no word on it
    assert due() == own
    add(database, "fazt.org", days=61)  # the one before is gone, and what was known of it
    database.write_blocking(acme.put_renewal, Renewal("other", 1, 1))
    assert database.read_blocking(acme.list_renewals) == []
