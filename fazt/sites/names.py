"""Names: of sites, of domains, and of files inside a site.

Owns what may be a name and what it looks like in its one form; whether a name is taken is the store's to say.
Rule: reserved names are compared after IDNA and lower-casing, so that no spelling slips past them.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable

import idna

from fazt.errors import InvalidName, InvalidPath

RESERVED: frozenset[str] = frozenset(
    ("dashboard", "admin", "api", "dav", "auth", "mail", "www", "ns1", "ns2", "localhost")
)
PLATFORM_FOLDERS = ("db/", "_fazt/")
RULE_FILES = ("fazt.json", "_redirects", "_headers")
WEB_FOLDER = "static-webapp/"

MAX_SITE_NAME = 53  # `<8 of a version>--<name>` is a label of 63, the most that DNS takes
MAX_DOMAIN_NAME = 253
MAX_SEGMENT_BYTES = 255
MAX_PATH_BYTES = 1024

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9_-]{1,99}/){0,6}[A-Za-z0-9_-]{1,99}(?:\.[A-Za-z0-9_-]{1,30}){0,4}")
_BAD_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\\\]")
_DRIVE = re.compile(r"[A-Za-z]:")
_PRIVATE_FILES = frozenset((*RULE_FILES, ".faztignore"))


def shown(name: str) -> str:
    """Return a name in quotes, fit for a message: what does not print is escaped, what is long is cut."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:200])
    return f"'{printable}{'...' if len(name) > 200 else ''}'"


def check_site_name(name: str) -> str:
    """Return the name in its one form: lower case, an A-label where it has other letters than a-z.

    Raises: InvalidName.
    """
    label = _to_ascii(name, "The site name", MAX_SITE_NAME)
    if not _LABEL.fullmatch(label):
        raise InvalidName(
            f"The site name {shown(name)} must be made of a-z, 0-9 and hyphens, with no hyphen at either end."
        )
    if len(label) > MAX_SITE_NAME:
        raise InvalidName(f"The site name {shown(name)} is {len(label)} characters long; at most {MAX_SITE_NAME} fit.")
    if "--" in label.removeprefix("xn--"):
        raise InvalidName(f"The site name {shown(name)} has two hyphens in a row; that is kept for previews. Use one.")
    if label in RESERVED:
        raise InvalidName(f"The site name {shown(name)} is reserved by the platform; choose another.")
    return label


def check_site_names(names: Iterable[str] | None) -> list[str] | None:
    """Return names in their one form, each once and in order; None stays None.

    Raises: InvalidName.
    """
    return None if names is None else sorted({check_site_name(name) for name in names})


def check_domain_name(name: str) -> str:
    """Return a custom domain in its one form: lower case, A-labels, no dot at the end.

    Raises: InvalidName.
    """
    if "*" in name:
        raise InvalidName(f"The domain {shown(name)} is a wildcard; add each name on its own.")
    if "/" in name or "@" in name:
        raise InvalidName(f"The domain {shown(name)} must be a bare name such as www.example.com, not a URL.")
    if _is_address(name):
        raise InvalidName(f"The domain {shown(name)} is an IP address; a site needs a name.")
    if ":" in name:
        raise InvalidName(f"The domain {shown(name)} must be given without a port.")
    domain = _to_ascii(name.removesuffix("."), "The domain", MAX_DOMAIN_NAME)
    labels = domain.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise InvalidName(f"The domain {shown(name)} has a part that is not a host name: {shown(label)}.")
    if len(labels) < 2:
        raise InvalidName(f"The domain {shown(name)} needs at least two parts, such as example.com.")
    if len(domain) > MAX_DOMAIN_NAME:
        raise InvalidName(f"The domain {shown(name)} is longer than {MAX_DOMAIN_NAME} characters.")
    if labels[-1][0].isdigit():  # "1.2.3.4", "127.1" and "0x7f.0x1" are addresses to a browser (WHATWG URL 3.5)
        raise InvalidName(f"The domain {shown(name)} ends in a number, so browsers take it for an IP address.")
    return domain


def is_under(domain: str, parent: str) -> bool:
    """Say whether a domain in its one form is the parent itself or a name below it."""
    return domain == parent or domain.endswith("." + parent)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]").rstrip("."))
    except ValueError:
        return False
    return True


def _to_ascii(name: str, what: str, limit: int) -> str:
    """Lower-case a name and turn it into A-labels (IDNA 2008 with the mapping of UTS 46); ASCII passes as it is."""
    if not name:
        raise InvalidName(f"{what} is empty.")
    if len(name) > 4 * limit:
        raise InvalidName(f"{what} {shown(name)} is too long; at most {limit} characters fit.")
    if name.isascii() and "xn--" not in name.lower():
        return name.lower()
    try:
        encoded = idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
        idna.decode(encoded)
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidName(f"{what} {shown(name)} is not a valid international name: {error}.") from None
    return encoded


def check_path(path: str) -> str:
    """Return the path of a file inside a site as it was given, or raise InvalidPath with what is wrong with it."""
    if _PLAIN_PATH.fullmatch(path):  # nearly every real path; the long way costs five times as much
        return path
    if fault := _fault_of(path):
        raise InvalidPath(f"The path {shown(path)} {fault}.")
    return path


def _fault_of(path: str) -> str | None:
    if not path:
        return "is empty"
    if found := _BAD_CHARACTER.search(path):
        if "\ud800" <= found[0] <= "\udfff":
            return "is not valid UTF-8"
        return "contains a backslash" if found[0] == "\\" else "contains a control character"
    if path.startswith("/"):
        return "must be relative, without a slash at the beginning"
    if _DRIVE.match(path):
        return "begins with a drive letter"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    for segment in path.split("/"):
        if fault := _fault_of_segment(segment):
            return fault
    return None


def _fault_of_segment(segment: str) -> str | None:
    if not segment:
        return "has an empty part (two slashes in a row, or one at the end)"
    if segment in (".", ".."):
        return f"has {segment!r} as a part"
    if segment[0].isspace() or segment[-1].isspace():
        return "has a part that begins or ends with a space"
    if segment.endswith("."):
        return "has a part that ends with a dot"
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"has a part longer than {MAX_SEGMENT_BYTES} bytes"
    return None


def check_paths(paths: Iterable[str], *, strict: bool) -> list[str]:
    """Check the paths of one version together; return warnings.

    Names that differ only in case or in Unicode form are two files here and one on many computers: a warning, or
    where `strict` an error. Raises: InvalidPath.
    """
    exact: set[str] = set()
    warnings: list[str] = []
    for path in paths:
        check_path(path)
        if path in exact:
            raise InvalidPath(f"The path {shown(path)} is there twice.")
        exact.add(path)
    for path in exact:
        for folder in _folders_of(path):
            if folder in exact:
                raise InvalidPath(f"The path {shown(folder)} is both a file and a folder (of {shown(path)}).")
    for one, other in _collisions(exact):
        text = f"{shown(one)} and {shown(other)} differ only in case or Unicode form; many computers keep one of them"
        if strict:
            raise InvalidPath(f"The paths {text}.")
        warnings.append(f"{text}.")
    for folder in PLATFORM_FOLDERS:
        if hidden := min((path for path in exact if path.startswith(folder)), default=None):
            warnings.append(f"{shown(hidden)} cannot be reached: /{folder} belongs to the platform.")
    return warnings


def _folders_of(path: str) -> Iterable[str]:
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _collisions(paths: set[str]) -> Iterable[tuple[str, str]]:
    """Yield pairs of files, or of a file and a file in a folder of that name, that fold to the same name."""
    seen: dict[str, str] = {}
    for path in sorted(paths):
        folded = _folded(path)
        if folded in seen:
            yield seen[folded], path
        else:
            seen[folded] = path
    for folded, path in seen.items():
        for folder in _folders_of(folded):
            if folder in seen:
                yield seen[folder], path
                break


def is_private(path: str) -> bool:
    """Say whether a file must never be served: the sources of functions, the manifest and the rules."""
    folded = path.casefold()
    return folded.removeprefix(WEB_FOLDER) in _PRIVATE_FILES or folded.startswith("api/")
