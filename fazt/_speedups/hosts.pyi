"""The one normaliser of host names."""

def normalise(host: bytes) -> str | None:
    """Return the host of a Host field or an authority in its one form, or None where the grammar is broken.

    Lower-case, port and one trailing dot off. Accepts reg-name made of LDH labels and `_` (each 1-63, 253 in all),
    IPv4, and `[IPv6]` (brackets kept). Refuses an empty value, user information, a port that is not 1-5 digits up to
    65535, percent-encoding, and any byte outside of the above. RFC 9110 4.2.3 and 7.2, RFC 3986 3.2.2.
    """
