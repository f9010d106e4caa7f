"""What of a folder never becomes part of a site: what is always left out, and what `.faztignore` names.

Rule: what a folder leaves out, it leaves out from an archive too; a folder that is left out takes all below with it.
"""

from fazt.errors import InvalidInput

IGNORE_FILE = ".faztignore"
MAX_IGNORE_BYTES = 1 << 20
_KEPT_DOT_FOLDER = ".well-known"
_ALWAYS = frozenset(("node_modules", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))


def is_always_left_out(name: str) -> bool:
    """Say whether a file or folder of this name (not path) is left out wherever it lies."""
    return (name.startswith(".") and name != _KEPT_DOT_FOLDER) or name.lower() in _ALWAYS


def is_path_always_left_out(path: str) -> bool:
    """Say the same of a path: one such name in it is enough."""
    return any(is_always_left_out(name) for name in path.split("/"))


class Ignore:
    """The patterns of one `.faztignore`."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_IGNORE_BYTES:
            raise InvalidInput(f"{IGNORE_FILE} is larger than {MAX_IGNORE_BYTES >> 20} MiB.")
        # Most folders have no such file, and the library is an eighth of the time of a deploy that changes nothing.
        import pathspec

        try:
            lines = data.decode("utf-8-sig").splitlines()
        except UnicodeError:
            raise InvalidInput(f"{IGNORE_FILE} is not UTF-8.") from None
        for number, line in enumerate(lines, start=1):
            try:
                pathspec.GitIgnoreSpec.from_lines([line])
            except ValueError:
                raise InvalidInput(f"{IGNORE_FILE}:{number}: {line!r} is not a .gitignore pattern.") from None
        self._spec = pathspec.GitIgnoreSpec.from_lines(lines)
        self._folders: dict[str, bool] = {}

    def leaves_out(self, path: str) -> bool:
        """Say whether the file of this path is named, or a folder above it."""
        return self.leaves_out_folder(path.rpartition("/")[0]) or self._spec.match_file(path)

    def leaves_out_folder(self, path: str) -> bool:
        """Say whether a folder is named, or one above it; "" is the top and never is."""
        if not path:
            return False
        known = self._folders.get(path)
        if known is None:
            above = path.rpartition("/")[0]
            known = self._folders[path] = self.leaves_out_folder(above) or self._spec.match_file(path + "/")
        return known
