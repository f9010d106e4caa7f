"""Who asks, where a proxy stands in between: `X-Forwarded-For`, believed of the proxies that the owner has named alone.

Rule: the list is read from its end, which the nearest proxy wrote; the first address that is no trusted proxy is who
asks, since whatever stands before it may be anybody's invention.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

FIELD = b"x-forwarded-for"
LONGEST_LIST = 4096  # bytes that are read, from the end


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Tell whether an address is one of a trusted proxy."""
    parsed = _parse(address) if trusted else None
    return parsed is not None and any(parsed in network for network in trusted)


def client_of(fields: Sequence[tuple[bytes, bytes]], peer: str, trusted: Sequence[Network]) -> str:
    """Return the address of who asks, for a connection of `peer`, which is a trusted proxy.

    What cannot be understood ends the list: then the proxy that wrote it is who asks.
    """
    hops = b",".join(value for name, value in fields if name == FIELD)[-LONGEST_LIST:]
    client = peer
    for hop in reversed(hops.split(b",")):
        parsed = _parse(hop.decode("latin-1").strip())
        if parsed is None:
            break
        client = str(parsed)
        if not any(parsed in network for network in trusted):
            break
    return client


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, with or without a port; one of IPv4 inside of IPv6 is the inner one."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        if parsed.scope_id is not None:
            return IPv6Address(int(parsed))
        return parsed.ipv4_mapped or parsed
    return parsed
