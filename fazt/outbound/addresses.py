"""Which URLs, hosts, ports and addresses outgoing HTTP may reach.

Leaves connecting to `outbound`. Rule: what is not known to be a public address is refused, and an address inside
another one (NAT64, IPv4-mapped) counts as the inner one. Sources: the IANA special-purpose address registries
(RFC 6890), the URL and Fetch standards of the WHATWG.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from fazt.errors import FetchRefused, InvalidInput

MAX_URL = 16_384  # characters
DEFAULT_PORTS = {"http": 80, "https": 443}

# "Bad ports" of the Fetch standard (2.9): services that could take an HTTP request for one of their own.
# fmt: off
BAD_PORTS = frozenset((
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
    531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
    5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
))
# fmt: on

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Where clouds tell a machine its secrets. Most lie in refused networks; Azure's is a public address.
METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.169.253",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
REFUSED_V4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "an address of this machine"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a provider's private address (CGNAT)"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address for IETF protocols"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
REFUSED_V6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "an address of this machine"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4-compatible address"),
        ("64:ff9b:1::/48", "a NAT64 address of a local network"),
        ("fc00::/7", "a private (unique-local) address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private (site-local) address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/32", "a Teredo address"),
        ("2001::/23", "an address for IETF protocols"),
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "an address for documentation"),
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")  # all that is given out; the rest is reserved
NAT64 = IPv6Network("64:ff9b::/96")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*")
NET_ENTRY = re.compile(r"(?P<host>\*|(?:\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart as browsers do it; `host` is in its one form, without a trailing dot, IPv6 without brackets."""

    url: str  # without its fragment
    fragment: str  # with "#", or ""
    scheme: str
    host: str
    port: int
    path: str
    query: str  # without "?"

    @property
    def authority(self) -> str:
        """What stands in the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs must share to be of one origin."""
        return self.scheme, self.host, self.port

    @property
    def address(self) -> Address | None:
        """The address that stands in place of a name, if one does."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


class NetEntry(NamedTuple):
    """One entry of a site's `needs.net`; `port` None means every port."""

    host: str
    port: int | None


def parse_url(text: str, base: str | None = None) -> Target:
    """Take a URL apart as the URL standard does, so that no second reading of it can find another host.

    Raises: InvalidInput for what is no URL, FetchRefused for what is one and is never fetched.
    """
    from ada_url import URL  # loaded late: it takes 20 ms, and most commands fetch nothing

    if len(text) > MAX_URL:
        raise InvalidInput(f"A URL to fetch may have {MAX_URL} characters; this one has {len(text)}.")
    try:
        url = URL(text) if base is None else URL(text, base=base)
    except ValueError as error:
        raise InvalidInput(f"fetch cannot understand the URL {text[:200]!r}.") from error
    if len(url.href) > MAX_URL:
        raise InvalidInput(f"A URL to fetch may have {MAX_URL} characters.")
    scheme = url.protocol[:-1]
    if scheme not in DEFAULT_PORTS:
        raise FetchRefused(f"fetch speaks http and https only, not {scheme}.")
    if url.username or url.password:
        raise FetchRefused("fetch takes no user name or password in a URL: send an Authorization header.")
    host = url.hostname.removeprefix("[").removesuffix("]").removesuffix(".")
    if ":" not in host and not HOST_NAME.fullmatch(host):
        raise FetchRefused(f"fetch may not reach {url.hostname[:300]!r}: it is no host name of the internet.")
    return Target(
        url=url.href.removesuffix(url.hash) if url.hash else url.href,
        fragment=url.hash,
        scheme=scheme,
        host=host,
        port=int(url.port) if url.port else DEFAULT_PORTS[scheme],
        path=url.pathname,
        query=url.search.removeprefix("?"),
    )


def refusal(address: str, allowed: tuple[Network, ...] = ()) -> str | None:
    """Return what is wrong with an address ("a loopback address"), or None where it may be connected to.

    `allowed` are networks that the owner of the server has opened; a metadata address stays refused inside them.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(parsed, IPv6Address):
        if parsed.scope_id is not None:
            return "an address with a zone"
        inner = parsed.ipv4_mapped or (IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in NAT64 else None)
        if inner is not None:
            return refusal(str(inner), allowed)
    if parsed in METADATA:
        return "a cloud's metadata address"
    if any(parsed in network for network in allowed):
        return None
    if isinstance(parsed, IPv4Address):
        reason = next((reason for network, reason in REFUSED_V4 if parsed in network), None)
    else:
        reason = next((reason for network, reason in REFUSED_V6 if parsed in network), None)
        if reason is None and parsed not in GLOBAL_V6:
            reason = "a reserved address"
    return reason or ("an address of this machine" if _is_of_this_machine(parsed) else None)


def _is_of_this_machine(address: Address) -> bool:
    """Tell whether the kernel would answer itself: what listens there may count on a firewall that this goes around.

    Connecting a datagram socket sends nothing; it shows from where the kernel would send.
    """
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return bool(ip_address(probe.getsockname()[0]) == address)
    except OSError:  # no way there, or no such family here
        return False


def parse_net_entry(text: str) -> NetEntry:
    """Understand one entry of `needs.net`: `api.example.org`, `*.example.org`, `example.org:8443` or `*`.

    Raises: InvalidInput.
    """
    match = NET_ENTRY.fullmatch(text.lower())
    host = match["host"].removesuffix(".") if match else ""
    name = host.removeprefix("*.")
    if match is None or not (name == "*" or name.startswith("[") or HOST_NAME.fullmatch(name)):
        raise InvalidInput(f"{text[:200]!r} names no host: write example.org, *.example.org, example.org:8443 or *.")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65_536:
        raise InvalidInput(f"{text[:200]!r} has no port between 1 and 65535.")
    return NetEntry(host.removeprefix("[").removesuffix("]"), port)


def is_listed(net: tuple[str, ...], host: str, port: int) -> bool:
    """Tell whether a site's `needs.net` lists a host; `*.example.org` is every name below example.org, not itself."""
    for text in net:
        entry = parse_net_entry(text)
        if entry.port not in (None, port):
            continue
        if entry.host in ("*", host) or (entry.host.startswith("*.") and host.endswith(entry.host[1:])):
            return True
    return False
