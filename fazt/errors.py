"""Every exception that Fazt raises on purpose.

Each class carries the HTTP `status` and the stable `code` that an API client sees; each raise carries a message that a
person can act on. The CLI prints the same message and exits with 1. Rule: raise where it goes wrong and say so.
"""

from typing import Any, ClassVar


class FaztError(Exception):
    """The root of the family; never raised itself."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_json(self) -> dict[str, Any]:
        """Return the body every API error has: `{"error": {"code", "message", ...details}}`."""
        return {"error": {"code": self.code, "message": self.message, **self.details}}


class InvalidInput(FaztError):
    """The caller sent something that cannot be understood or is not allowed."""

    status = 400
    code = "invalid_input"


class InvalidName(InvalidInput):
    """A site name or a domain name breaks the rules or is reserved."""

    code = "invalid_name"


class InvalidPath(InvalidInput):
    """A file's path inside a site is not safe or not portable."""

    code = "invalid_path"


class InvalidArchive(InvalidInput):
    """An archive is damaged or hostile; nothing of it was written."""

    code = "invalid_archive"


class InvalidRules(InvalidInput):
    """`fazt.json`, `_redirects` or `_headers` cannot be understood; the message names file and line."""

    code = "invalid_rules"


class Unauthenticated(FaztError):
    """No valid token or session came with the request."""

    status = 401
    code = "unauthenticated"


class Forbidden(FaztError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"


class NotFound(FaztError):
    """The named thing does not exist."""

    status = 404
    code = "not_found"


class SiteNotFound(NotFound):
    """No site has this name."""

    code = "site_not_found"


class VersionNotFound(NotFound):
    """The site has no such version."""

    code = "version_not_found"


class MethodNotAllowed(FaztError):
    """The resource exists and does not answer this method."""

    status = 405
    code = "method_not_allowed"


class Conflict(FaztError):
    """The request is sound and does not fit the present state."""

    status = 409
    code = "conflict"


class SiteExists(Conflict):
    """A site of this name exists already."""

    code = "site_exists"


class SiteLocked(Conflict):
    """The site is locked against changes."""

    code = "site_locked"


class BlobsMissing(Conflict):
    """A version names contents that the store does not hold; `missing` lists their hashes (hex)."""

    code = "blobs_missing"


class TooLarge(FaztError):
    """A body, a file or an archive is over its limit."""

    status = 413
    code = "too_large"


class StoreError(FaztError):
    """The database cannot be used as it is; the message says what to do."""

    status = 500
    code = "store_error"


class StoreBusy(StoreError):
    """Another process holds the database."""

    status = 503
    code = "store_busy"


class StoreReadOnly(StoreError):
    """The database cannot be written."""

    code = "store_read_only"


class StoreCorrupt(StoreError):
    """The file is not a Fazt database or is damaged."""

    code = "store_corrupt"


class StorageFull(StoreError):
    """The disk is full; what was there is untouched and is still served."""

    status = 507
    code = "storage_full"


class ListenError(FaztError):
    """An address cannot be listened on."""

    code = "listen_error"


class RemoteError(FaztError):
    """Another Fazt could not be reached or answered something that cannot be understood."""

    status = 502
    code = "remote_error"
