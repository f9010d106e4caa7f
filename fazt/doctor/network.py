"""Checks that ask others: DNS, wildcard, reverse DNS, outbound ports. They run with `--online` alone."""

import secrets
import socket

from fazt.doctor.findings import Finding, State
from fazt.doctor.subject import Subject

CONNECT_S = 5.0
WEB = ("example.com", 443)
MAIL = ("gmail-smtp-in.l.google.com", 25)


def check_dns(subject: Subject) -> Finding:
    """See whether the domain has an address."""
    domain = subject.settings.domain
    found = addresses(domain)
    if found:
        return Finding("dns", "ok", f"{domain} is at {', '.join(found)}.")
    return Finding("dns", "failure", f"{domain} has no address.", f"{domain}. A (this machine's address)")


def check_wildcard(subject: Subject) -> Finding:
    """See whether any name below the domain leads where the domain does."""
    domain = subject.settings.domain
    found, wanted = addresses(f"{secrets.token_hex(8)}.{domain}"), addresses(domain)
    if found and found == wanted:
        return Finding("wildcard", "ok", f"Every name below {domain} leads to {', '.join(found)}.")
    where = ", ".join(wanted) or "(this machine's address)"
    what = f"Names below {domain} lead to {', '.join(found) or 'nothing'}: sites are not found."
    return Finding("wildcard", "failure", what, f"*.{domain}. A {where}")


def check_reverse_dns(subject: Subject) -> Finding:
    """See whether the domain's address has a name, without which others refuse its mail."""
    domain = subject.settings.domain
    for address in addresses(domain):
        try:
            name = socket.gethostbyaddr(address)[0]
        except OSError:
            fix = f"Set the reverse DNS (PTR) of {address} to {domain} where the machine is rented."
            return Finding("reverse dns", "warning", f"{address} has no name.", fix)
        if address not in addresses(name):
            what = f"{address} is called {name}, which does not lead back to it."
            return Finding("reverse dns", "warning", what, f"{name}. A {address}")
    return Finding("reverse dns", "ok", f"What {domain} leads to has a name.")


def check_outbound_web(subject: Subject) -> Finding:
    """See whether this machine reaches others over HTTPS."""
    fix = "Allow outgoing TCP to port 443: certificates, notifications and fetch need it."
    return _reach("outbound 443", WEB, "failure", fix)


def check_outbound_mail(subject: Subject) -> Finding:
    """See whether this machine may deliver mail."""
    fix = "Ask who rents the machine out to open outgoing port 25, or send mail through a relay."
    return _reach("outbound 25", MAIL, "warning", fix)


def _reach(check: str, where: tuple[str, int], otherwise: State, fix: str) -> Finding:
    try:
        socket.create_connection(where, CONNECT_S).close()
    except OSError as error:
        what = f"{where[0]}:{where[1]} cannot be reached: {error.strerror or error}."
        return Finding(check, otherwise, what, fix)
    return Finding(check, "ok", f"{where[0]}:{where[1]} can be reached.")


def addresses(host: str) -> list[str]:
    """Return where a host leads, in order; empty where it leads nowhere."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(each[4][0]) for each in found})
