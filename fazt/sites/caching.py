"""The default Cache-Control of a file, by its name.

Owns the one guess that this takes: whether a name carries a hash of its content, as bundlers write it.
Rule: in doubt it does not. A visitor who asks once more costs little; one who keeps an old file for a year cannot be
reached.
"""

import re

REVALIDATE = "no-cache"
FOREVER = "public, max-age=31536000, immutable"
SHORT = "public, max-age=300"

_HTML = ("text/html", "application/xhtml+xml")
_IMMUTABLE_FOLDER = "_app/immutable/"  # SvelteKit puts hashed names there, some of them nothing but the hash
_UUID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])[0-3]\d")
_HEX = re.compile(r"[0-9a-f]{8,128}|[0-9A-F]{8,128}")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]{8,32}")
_BASE32 = re.compile(r"(?=.*[2-7])[A-Z2-7]{8}")
_BASE64_END = re.compile(r"[-.]((?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9_-]{8})$")
_WORD = re.compile(r"[a-z]{4}")
_SEPARATOR = re.compile(r"[-._~]")
_CLASS_RUN = re.compile(r"[a-z]+|[A-Z]+|\d+")
_LETTERS_OR_DIGITS_RUN = re.compile(r"[A-Za-z]+|\d+")


def cache_control(path: str, media_type: str) -> str:
    """Return the value of Cache-Control for a file of this path and type."""
    if media_type.startswith(_HTML):
        return REVALIDATE
    return FOREVER if carries_hash(path) else SHORT


def carries_hash(path: str) -> bool:
    """Say whether the file's name carries a hash of its content (`app.3f2a9c1b.js`, `index-BxY3kd9Q.js`)."""
    if path.startswith(_IMMUTABLE_FOLDER):
        return True
    name = path[path.rfind("/") + 1 :]
    stem, dot, suffix = name.rpartition(".")
    if not dot or _UUID.search(stem):
        return False
    tokens = _SEPARATOR.split(stem)
    is_code = suffix in ("js", "mjs", "css", "map")
    if any(_is_hex_hash(token) for token in tokens):
        return True
    if is_code and any(_has_both(token) for token in stem.split(".")[1:]):  # `.hash.` is how bundlers write it
        return True
    if any(_is_mixed_hash(token) or (is_code and _is_base32_hash(token)) for token in tokens[1:]):
        return True
    ending = _BASE64_END.search(stem)
    return ending is not None and not _WORD.search(ending[1]) and len(_CLASS_RUN.findall(ending[1])) >= 6


def _is_hex_hash(token: str) -> bool:
    """Take 8 or more hexadecimal digits; short ones must not read as a word with a number."""
    return _has_both(token) and (len(token) >= 16 or len(_LETTERS_OR_DIGITS_RUN.findall(token)) >= 3)


def _has_both(token: str) -> bool:
    """Say whether this is hexadecimal with both digits and letters, and no date."""
    if not _HEX.fullmatch(token) or token.isdigit() or token.isalpha():
        return False
    return len(token) >= 16 or not _DATE.match(token)


def _is_mixed_hash(token: str) -> bool:
    """Take base62 as Vite and Rollup write it: both cases and digits in disorder, no stretch that reads as a word."""
    return bool(_MIXED.fullmatch(token)) and not _WORD.search(token) and len(_CLASS_RUN.findall(token)) >= 4


def _is_base32_hash(token: str) -> bool:
    """Take the eight capitals and digits of esbuild, with a digit between letters."""
    return bool(_BASE32.fullmatch(token)) and len(_LETTERS_OR_DIGITS_RUN.findall(token)) >= 3
