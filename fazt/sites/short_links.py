"""Short links: which path is one, what a slug may be, and where one may lead.

Rule: a target that was let through is an http(s) URL in its one ASCII spelling, so that it can end no header line and
means to every browser what it meant here.
"""

import re
import secrets

from fazt.errors import FetchRefused, InvalidInput
from fazt.outbound.addresses import parse_url

FOLDER = "r/"  # of the bare domain
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that looks like something else
RANDOM_CHARACTERS = 7
LONGEST_SLUG = 64
LONGEST_TARGET = 4096
SLUG = re.compile(rf"[a-z0-9](?:[a-z0-9_-]{{0,{LONGEST_SLUG - 2}}}[a-z0-9])?")
PATH = re.compile(rb"/r/([A-Za-z0-9_-]{1,64})")
RESERVED = frozenset(("admin", "api", "dashboard", "fazt", "index"))  # for what the platform may answer there one day
PLAIN = re.compile(r"[!-~]+")  # printable ASCII without the space


def slug_of(raw_path: bytes) -> str | None:
    """Return the slug that a path as it came in the request line would be; case does not matter."""
    match = PATH.fullmatch(raw_path)
    return match[1].decode("ascii").lower() if match else None


def check_slug(text: str) -> str:
    """Return a slug in lower case.

    Raises: InvalidInput.
    """
    slug = text.lower()
    if not text.isascii() or not SLUG.fullmatch(slug):
        raise InvalidInput(
            f"A slug has 1 to {LONGEST_SLUG} of the characters a-z, 0-9, - and _, the first and the last of them a "
            "letter or a digit."
        )
    if slug in RESERVED:
        raise InvalidInput(f"The slug {slug!r} is reserved; choose another one.")
    return slug


def random_slug() -> str:
    """Return a slug that nobody guesses and everybody can copy from paper."""
    return "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))


def check_target(text: str) -> str:
    """Return where a link leads as it stands in Location.

    Raises: InvalidInput.
    """
    if any(character <= " " or "\x7f" <= character <= "\x9f" for character in text):
        raise InvalidInput("The target holds a space or a control character; write a space as %20.")
    if "\\" in text:
        raise InvalidInput("The target holds a backslash, which browsers read as a slash; write %5C.")
    try:
        parsed = parse_url(text)
    except (FetchRefused, InvalidInput):
        raise InvalidInput(
            "A link leads to an http or https URL without user name and password, such as https://example.org/page."
        ) from None
    target = parsed.url + parsed.fragment
    if not PLAIN.fullmatch(target) or len(target) > LONGEST_TARGET:
        raise InvalidInput(f"A target has at most {LONGEST_TARGET} characters.")
    return target
