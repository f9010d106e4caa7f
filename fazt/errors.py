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


class InvalidFunction(InvalidInput):
    """The code in `api/` cannot be compiled; the message names file, line and column, one fault a line."""

    code = "invalid_function"


class CryptoFailed(InvalidInput):
    """An operation of WebCrypto cannot be done with these parameters or these data (DOMException OperationError)."""

    code = "crypto_failed"


class CryptoDataInvalid(InvalidInput):
    """What was given as a key of WebCrypto is none (DOMException DataError)."""

    code = "crypto_data_invalid"


class CryptoNotSupported(InvalidInput):
    """WebCrypto knows this, this server does not (DOMException NotSupportedError)."""

    code = "crypto_not_supported"


class Unauthenticated(FaztError):
    """No valid token or session came with the request."""

    status = 401
    code = "unauthenticated"


class CodeRequired(FaztError):
    """The password is right, and a code of the second factor must come with it."""

    status = 401
    code = "code_required"


class TooManyAttempts(FaztError):
    """Somebody guesses; `retry_after_s` says how long they have to wait."""

    status = 429
    code = "too_many_attempts"


class PreconditionFailed(FaztError):
    """What was to be changed is not what the caller saw (RFC 9110 13.1.1)."""

    status = 412
    code = "precondition_failed"


class IdempotencyMismatch(FaztError):
    """A key was used for another request before."""

    status = 422
    code = "idempotency_mismatch"


class IdempotencyConflict(FaztError):
    """What a key was used for is under way, or its answer cannot be given again."""

    status = 409
    code = "idempotency_conflict"


class SignatureRefused(FaztError):
    """What a webhook brought is not signed as its hook wants it."""

    status = 401
    code = "signature_refused"


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


class KvConflict(Conflict):
    """A key is not what a write expects it to be: somebody else wrote it in between."""

    code = "kv_conflict"


class TooLarge(FaztError):
    """A body, a file or an archive is over its limit."""

    status = 413
    code = "too_large"


class OverQuota(FaztError):
    """A site would keep more than it may."""

    status = 507
    code = "over_quota"


class QueueFull(FaztError):
    """As many jobs of the site wait as may wait at all."""

    status = 429
    code = "queue_full"


class RateLimited(FaztError):
    """Too much comes from one address, or to one hook, within a short time."""

    status = 429
    code = "rate_limited"


class RoomFull(FaztError):
    """A room, or all rooms of a site together, have as many members as they may; or the site as many rooms."""

    status = 429
    code = "room_full"


class RoomBusy(FaztError):
    """More is sent to a room than its members can be given."""

    status = 429
    code = "room_busy"


class RoomHandlerFailed(FaztError):
    """The function of a room failed on a message."""

    status = 502
    code = "handler_failed"


class JobFailed(FaztError):
    """A run of a job came to a bad end that its script does not know of."""

    code = "job_failed"


class StoreError(FaztError):
    """The database cannot be used as it is; the message says what to do."""

    status = 500
    code = "store_error"


class StoreBusy(StoreError):
    """Another process holds the database."""

    status = 503
    code = "store_busy"


class StoreReplaced(StoreError):
    """Another file has taken the place of the database that this process reads."""

    status = 503
    code = "store_replaced"

    def __init__(self) -> None:
        super().__init__("Another database has taken the place of this one; try again in a moment.")


class StoreReadOnly(StoreError):
    """The database cannot be written; it can be read."""

    status = 503
    code = "store_read_only"


class WritingStopped(StoreReadOnly):
    """The owner let this server be read-only for a while; nothing was changed."""

    code = "read_only"


class StoreCorrupt(StoreError):
    """The file is not a Fazt database or is damaged."""

    code = "store_corrupt"


class StorageFull(StoreError):
    """The disk is full; what was there is untouched and is still served."""

    status = 507
    code = "storage_full"


class SecretsLocked(StoreError):
    """The key that secrets are sealed with is missing or is another one; nothing was changed."""

    status = 503
    code = "secrets_locked"


class BackupRefused(StoreError):
    """A backup is damaged, of another program or a newer Fazt, or its passphrase is wrong; nothing was changed."""

    status = 400
    code = "backup_refused"


class FetchError(FaztError):
    """Outgoing HTTP came to no answer; never raised itself."""

    status = 502
    code = "fetch_failed"


class FetchFailed(FetchError):
    """The other side could not be found, reached or trusted, or what it sent cannot be understood."""


class FetchRefused(FetchError):
    """This request may not be made: its address, port, host or depth is not allowed."""

    status = 403
    code = "fetch_refused"


class FetchLimit(FetchError):
    """A call has used up what it may fetch or send."""

    status = 429
    code = "fetch_limit"


class FetchTimeout(FetchError):
    """The other side took too long."""

    status = 504
    code = "fetch_timeout"


class FetchAborted(FetchError):
    """Who asked does not want the answer any more."""

    code = "fetch_aborted"


class FunctionError(FaztError):
    """A call of a function did not end with an answer; what visitors are told says nothing of the code."""

    code = "function_failed"


class FunctionTimeout(FunctionError):
    """A call took longer than it may."""

    status = 504
    code = "function_timeout"


class FunctionLimit(FunctionError):
    """A call took more CPU time or memory than it may; `code` of the instance says which."""

    status = 503

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # one class for all limits, each with a code of its own


class FunctionCrashed(FunctionError):
    """The process of a function ended under a call."""

    status = 502
    code = "function_crashed"


class FunctionBusy(FunctionError):
    """A site has as many calls under way as it may."""

    status = 503
    code = "function_busy"


class BadAnswer(FunctionError):
    """A function answered with something that cannot be sent."""

    status = 502
    code = "function_bad_answer"


class NotAvailable(FaztError):
    """A part of the platform that this version does not have."""

    status = 501
    code = "not_available"


class EngineFailed(FaztError):
    """No process for functions could be started."""

    status = 503
    code = "functions_unavailable"


class ListenError(FaztError):
    """An address cannot be listened on."""

    code = "listen_error"


class CoreUnavailable(FaztError):
    """The process that answers everything but files of sites is not there at the moment."""

    status = 502
    code = "core_unavailable"

    def __init__(self) -> None:
        super().__init__("This part of the server is starting anew; try again in a moment.")


class OrderFailed(FaztError):
    """A certificate could not be ordered; the message is what the authority, or the DNS, says."""

    status = 502
    code = "order_failed"


class MachineError(FaztError):
    """This computer does not allow or have what an installation needs, or one of its tools failed."""

    code = "machine_error"


class RemoteError(FaztError):
    """Another Fazt could not be reached or answered something that cannot be understood."""

    status = 502
    code = "remote_error"
