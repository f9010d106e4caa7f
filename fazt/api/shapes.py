"""What this API answers, as types: one for each kind of thing, by the names that the JSON has.

A call says what it answers where it is declared (`Answer[shapes.Link]`): the type checker holds it to that, and the
description of the API (`description.py`) is made from the same line. Rule: no number of the store gets out.
It is long and flat on purpose: a list of names and types, to be looked up in.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

Item = TypeVar("Item")
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Revision = Annotated[str, Field(description="for the `If-Match` of an edit")]
Encoding = Annotated[str, Field(description="how `body` stands in JSON: as `utf-8`, or as `base64`")]
Role = Annotated[str, Field(json_schema_extra={"enum": ["owner", "admin", "editor", "viewer"]})]
Action = Annotated[str, Field(json_schema_extra={"enum": ["read", "deploy", "admin"]})]
JobState = Annotated[str, Field(json_schema_extra={"enum": ["waiting", "running", "done", "failed", "cancelled"]})]
Header = tuple[str, str]


class Page(TypedDict, Generic[Item]):
    """A part of a list."""

    items: Sequence[Item]
    next: Annotated[str | None, Field(description="`after` for the page behind this one; null: this is the last")]


# Sites and their versions.


class Site(TypedDict):
    """A site."""

    name: str
    url: str
    live_version: str | None
    locked: bool
    created_at: Time
    files: int
    bytes: int
    versions: int
    domains: Sequence[str]
    revision: Revision


class Version(TypedDict):
    """A version of a site."""

    id: str
    site: str
    url: str
    live: bool
    parent: str | None
    message: str
    source: str
    created_at: Time
    files: int
    bytes: int


class File(TypedDict):
    """A file of a version; not public: it is deployed and not served."""

    path: str
    hash: Annotated[str, Field(description="SHA-256 of its content")]
    size: int
    public: bool


class Diff(TypedDict):
    """The paths that differ from one version to another."""

    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]


RedirectRule = TypedDict(  # `from` is a word of Python
    "RedirectRule",
    {
        "from": str,
        "to": str,
        "status": Annotated[int, Field(description="200, 404 and 410: `to` is shown under the address itself")],
        "force": Annotated[bool, Field(description="it wins over a file that is there")],
        "query": Annotated[Sequence[Header], Field(description="what the query must have; `:x` is taken into `to`")],
        "where": str,
    },
)


class HeaderRule(TypedDict):
    """The headers that answers for some paths carry, and those that they do not."""

    path: str
    set: Sequence[Header]
    unset: Sequence[str]
    where: str


class SiteRules(TypedDict):
    """What a version says about its addresses, in the order in which it counts."""

    redirects: Sequence[RedirectRule]
    headers: Sequence[HeaderRule]


class DiffCounts(TypedDict):
    """How many paths differ from the version that was live."""

    added: int
    changed: int
    removed: int


class Deployed(TypedDict):
    """What a deploy did or, with `dry_run`, would do: then without a version, and its `diff` has the paths."""

    site: str
    version: str | None
    url: str
    preview_url: str | None
    live: bool
    files: int
    bytes: int
    unchanged: bool
    created: bool
    diff: DiffCounts | Diff
    warnings: Sequence[str]


class Pruned(TypedDict):
    """The versions that were deleted, and what that freed."""

    removed: Sequence[str]
    freed_bytes: int


class Received(TypedDict):
    """What came in a pack, now on disk."""

    chunks: int
    bytes: int


class Domain(TypedDict):
    """A domain of a site."""

    name: str
    site: str
    created_at: Time


class DomainCheck(TypedDict):
    """Where a domain points, as seen from the server."""

    name: str
    site: str
    addresses: Sequence[str]


# Who may see a site.


class Rule(TypedDict):
    """Who may see some paths of a site."""

    paths: Sequence[str]
    password: Annotated[bool, Field(description="whether there is one; it is never told")]
    users: bool
    addresses: Sequence[str]
    previews: bool


class Protection(TypedDict):
    """The rules of a site."""

    rules: Sequence[Rule]
    revision: Revision


class Share(TypedDict):
    """A link for whoever has it."""

    id: str
    path: str
    version: str | None
    label: str
    made_by: str
    created_at: Time
    expires_at: Time
    uses: int


class MadeShare(Share):
    """A share link with its address, which is told this once."""

    url: str


class Url(TypedDict):
    """An address to go to."""

    url: str


# What functions see and do.


class Variable(TypedDict):
    """A variable of a site's functions."""

    name: str
    updated_at: Time
    value: str


class Secret(TypedDict):
    """A secret of a site's functions; its value is never told."""

    name: str
    updated_at: Time


class Key(TypedDict):
    """A key of a site's own data."""

    key: str
    kind: Literal["json", "bytes"]
    size: int
    version: int
    expires_at: Time | None


class JsonEntry(Key):
    """A key with its value, which is JSON."""

    value: Any


class BytesEntry(Key):
    """A key with its value, which is bytes."""

    base64: str


class Failure(TypedDict):
    """What a function threw."""

    name: str
    message: str
    stack: str


class CallReport(TypedDict):
    """What a call of a function took, and how it ended."""

    call: str
    function: str
    name: str
    method: str
    status: int
    error: str | None
    failure: Failure | None
    duration_us: int
    cpu_us: int
    heavy: bool
    memory_bytes: int


class ConsoleLine(TypedDict):
    """What a function logged."""

    level: str
    message: str


class CallAnswer(TypedDict):
    """What came back."""

    headers: Sequence[Header]
    body: str
    encoding: Encoding
    broken_off: Annotated[str | None, Field(description="why the answer ended early")]


class RefusedCall(CallAnswer):
    """The answer where no function was run."""

    status: int


class Call(CallReport, CallAnswer):
    """A call of a function, with what it answered and logged."""

    logs: Sequence[ConsoleLine]


class RefusedReplay(RefusedCall):
    """The answer where no function is run any more."""

    replays: str


class Replay(Call):
    """A call that was made again."""

    replays: str


class CallRequest(TypedDict):
    """The request of a call, without secrets; `body` in base64."""

    method: str
    path: str
    headers: Sequence[Header]
    body: str


class EventRequest(TypedDict):
    """What was handled where there was no request: a job or an event of a room."""

    handler: str
    kind: str


class LoggedReport(CallReport):
    """What a call took, with what it logged."""

    logs: Sequence[ConsoleLine]


class FailedCall(LoggedReport):
    """A call that went wrong."""

    site: str
    at: Time
    request: CallRequest | EventRequest


class Job(TypedDict):
    """A job in the queue, or one that has ended."""

    id: str
    site: str
    kind: str
    name: str
    handler: str
    state: JobState
    attempts: int
    max_attempts: int
    unique: str | None
    data: Any
    result: Any
    error: str | None
    run_at: Time
    scheduled_at: Time | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class Trigger(TypedDict):
    """A cron trigger of a site."""

    site: str
    name: str
    schedule: str
    tz: str
    handler: str
    timeout_s: float
    retries: int
    overlap: str
    catchup: str
    jitter_s: float
    paused: bool
    error: str | None
    upcoming: Sequence[Time]
    last: Job | None
    skipped: int
    skipped_at: Time | None


# Links, hooks, notifications.


class Link(TypedDict):
    """A short link."""

    slug: str
    url: str
    target: str
    label: str
    clicks: int
    last_clicked_at: Time | None
    created_at: Time
    revision: Revision


class HookChoices(TypedDict):
    """What was chosen for an incoming webhook."""

    name: str
    site: str | None
    style: str
    function: str | None
    enabled: bool


class Hook(HookChoices):
    """An incoming webhook."""

    url: str
    received: int
    last_received_at: Time | None
    refused: int
    last_refused_at: Time | None
    created_at: Time
    revision: Revision


class MadeHook(Hook):
    """A hook with its secret, which is told this once; null: it has none."""

    secret: str | None


class HookDelivery(TypedDict):
    """What a hook was brought."""

    id: str
    sender_id: str | None
    at: Time
    address: str
    bytes: int
    event: str | None
    job: str | None
    replays: int


class WholeHookDelivery(HookDelivery):
    """What a hook was brought, with headers and body."""

    headers: dict[str, str]
    body: str
    encoding: Encoding


class Notice(TypedDict):
    """Something that the owner was, or is to be told."""

    id: str
    event: str
    title: str
    text: str
    site: str | None
    state: str
    attempts: int
    status: int | None
    answer: str | None
    error: str | None
    duration_ms: int | None
    at: Time
    tried_at: Time | None
    next_at: Time | None


class Notification(TypedDict):
    """A way to the owner; `last` is what was told last."""

    name: str
    kind: str
    url: str
    events: Sequence[str]
    enabled: bool
    has_secret: bool
    last: Notice | None
    created_at: Time
    revision: Revision


class MadeNotification(Notification):
    """A notification with its secret, which is told this once; null: it has none."""

    secret: str | None


# Who may do what.


class User(TypedDict):
    """An account; `sites` null: all."""

    name: str
    role: Role
    sites: Sequence[str] | None
    password: bool
    totp: bool
    passkeys: int
    recovery_codes: int
    created_at: Time
    last_seen_at: Time | None
    revision: Revision


class Invite(TypedDict):
    """A link that makes one account."""

    id: str
    role: Role
    sites: Sequence[str] | None
    made_by: str
    created_at: Time
    expires_at: Time


class MadeInvite(Invite):
    """An invite with its secret and address, which are told this once."""

    secret: str
    url: str


class Token(TypedDict):
    """A key for this API; `sites` null: all."""

    id: str
    label: str
    sites: Sequence[str] | None
    actions: Sequence[Action]
    expires_at: Time | None
    last_used_at: Time | None
    created_at: Time


class MadeToken(Token):
    """A token with its secret, which is told this once."""

    token: str


class ServerName(TypedDict):
    """What everybody may know of the server."""

    domain: str
    version: str
    url: str


class State(TypedDict):
    """Who is signed in; `setup`: nobody ever was."""

    state: Literal["setup", "signed_out", "signed_in"]
    user: User | None
    server: ServerName


class Session(TypedDict):
    """A browser that is signed in."""

    id: str
    current: bool
    address: str
    user_agent: str
    created_at: Time
    last_seen_at: Time
    expires_at: Time


class Passkey(TypedDict):
    """A passkey of an account."""

    id: str
    label: str
    created_at: Time
    last_used_at: Time | None


class PasskeyOptions(TypedDict):
    """What a browser is asked (WebAuthn Level 3, 5.4 and 5.5), and the id that its answer names."""

    id: str
    options: dict[str, Any]


class TotpSecret(TypedDict):
    """The secret of a second factor: as text, as an address and as a picture of it."""

    secret: str
    uri: str
    svg: str


class RecoveryCodes(TypedDict):
    """Codes in place of a second factor, each for one use."""

    recovery_codes: Sequence[str]


# The server.


class AuditRow(TypedDict):
    """A change that was made."""

    id: int
    at: Time
    actor: str
    address: str
    action: str
    site: str | None
    subject: str
    before: Any
    after: Any


class Source(TypedDict):
    """What one source says of a setting; null: nothing."""

    source: str
    value: str | int | float | None


class Setting(TypedDict):
    """A setting."""

    name: str
    type: str
    default: str | int | float
    value: str | int | float
    unit: str
    help: str
    choices: Sequence[str]
    low: float | None
    high: float | None
    variable: str
    source: str
    because: Sequence[Source]
    secret: Annotated[bool, Field(description="its value is shown nowhere")]
    live: bool
    restart_needed: bool
    editable: bool
    revision: Revision


class ChangedSetting(TypedDict):
    """What a setting was and became; null: its default."""

    name: str
    before: str | int | float | None
    after: str | int | float | None


class SettingChange(TypedDict):
    """Settings that were changed together."""

    number: int
    at: Time
    actor: str
    changed: Sequence[ChangedSetting]


class Cache(TypedDict):
    """The pages in memory."""

    entries: int
    negative_entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    evictions: int
    stale: int


class Spill(TypedDict):
    """The large files beside the database."""

    files: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    copies: int


class Caches(TypedDict):
    """How full the caches are and how often they help."""

    pages: Cache
    spill: Spill


class Holdings(TypedDict):
    """What the database holds."""

    sites: int
    versions: int
    blobs: int
    blob_bytes: int


class DatabaseState(Holdings):
    """The database."""

    path: str
    bytes: int


class SiteTraffic(TypedDict):
    """What a site has served since the server started."""

    name: str
    requests: int
    bytes: int
    hits: int
    statuses: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Percentiles(TypedDict):
    """How long calls took."""

    p50: float
    p95: float
    p99: float


class SiteCalls(TypedDict):
    """The calls of a site's functions since the server started."""

    name: str
    calls: int
    failed: int
    heavy: int
    memory_bytes: int
    duration_ms: Percentiles
    cpu_ms: Percentiles


class FunctionsState(TypedDict):
    """How functions are doing."""

    runners: int
    started: int
    memory_bytes: int
    sites: Sequence[SiteCalls]


class BackupState(TypedDict):
    """The backups on the server; `proven_at`: when one was last restored to a place of its own and was right."""

    count: int
    made_at: Time | None
    proven_at: Time | None


class CertificateState(TypedDict):
    """The certificates; `expires_at`: when the first name, `name`, will be without a valid one."""

    count: int
    name: str | None
    expires_at: Time | None


class Status(TypedDict):
    """What the server holds and how it is doing; `started_at` null: no server runs."""

    version: str
    pid: int
    started_at: Time | None
    domain: str
    url: str
    database: DatabaseState
    read_only: Annotated[bool, Field(description="nothing can be changed at the moment")]
    memory_bytes: int
    workers: Annotated[int, Field(description="processes beside this one that answer with pages")]
    connections: int
    cache: Cache
    spill: Spill
    sites: Sequence[SiteTraffic]
    functions: FunctionsState
    backups: BackupState
    certificates: CertificateState


class Step(TypedDict):
    """One step of finding an answer."""

    step: str
    result: str


class RouteAnswer(TypedDict):
    """What a URL is answered with; `status` null: that is not known before it is asked."""

    status: int | None
    file: str | None
    headers: Sequence[Header]


class Route(TypedDict):
    """How a URL is answered, step by step."""

    url: str
    steps: Sequence[Step]
    answer: RouteAnswer


class Certificate(TypedDict):
    """A certificate that HTTPS is answered with; `names` may begin with "*."."""

    number: int
    names: Sequence[str]
    source: Literal["acme", "uploaded"]
    issuer: str
    fingerprint: Annotated[str, Field(description="SHA-256 of the host's own certificate")]
    not_before: Time
    not_after: Time
    created_at: Time


class DnsRecord(TypedDict):
    """A TXT record that the owner is asked to set."""

    name: str
    value: str


OrderState = Literal["valid", "waiting", "ordering", "failed"]


class CertificateOrder(TypedDict):
    """A certificate that is ordered by itself; `expires_at` of the present one, `next_at`: when it is ordered next."""

    names: Sequence[str]
    state: OrderState
    expires_at: Time | None
    next_at: Time
    failures: int
    error: str
    records: Sequence[DnsRecord]


class BackupProof(TypedDict):
    """What came of proving a backup; `failed` null: all of it was right."""

    at: Time
    booted: Annotated[bool, Field(description="a server was started on it and asked for every site")]
    failed: str | None


class Backup(TypedDict):
    """A backup that is kept on the server; `bytes` of its file, `database_bytes` and `sha256` of what is in it."""

    id: str
    label: str
    made_at: Time
    version: str
    schema: int
    sequence: Annotated[int, Field(description="number of the last change that is in it")]
    sites: int
    versions: int
    blobs: int
    database_bytes: int
    sha256: str
    bytes: int
    encrypted: bool
    with_key: Annotated[bool, Field(description="the key of its secrets is in it")]
    key_id: Annotated[str | None, Field(description="which key its secrets are sealed with")]
    path: str
    proof: BackupProof | None


class PrunedBackups(TypedDict):
    """The backups that were deleted, or would be, and what that frees."""

    removed: Sequence[str]
    freed_bytes: int


class RestoredSite(Deployed):
    """A site that was brought back: `from_version` is its version in the backup, `keys` null: its data stayed."""

    from_version: str
    keys: int | None


class Restoring(TypedDict):
    """The backup that takes the place of the database, at once where the server starts anew."""

    backup: str
    restarting: bool


class Restarting(TypedDict):
    """The server starts anew."""

    restarting: bool


# Statistics.


class Count(TypedDict):
    """How often something was counted."""

    name: str
    count: int


class Totals(TypedDict):
    """Sums of a time; `errors` are answers of 500 and above."""

    views: int
    visitors: int
    requests: int
    bytes: int
    errors: int
    bots: int
    unseen: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class NamedTotals(Totals):
    """Sums of a site."""

    name: str


class Point(TypedDict):
    """Sums of one step."""

    at: Time
    views: int
    visitors: int
    requests: int
    bytes: int
    errors: int
    p95_ms: float


Span = TypedDict("Span", {"from": Time, "to": Time, "step": Literal["hour", "day"]})  # `from` is a word of Python


class Counted(Span):
    """What was counted in a time."""

    totals: Totals
    series: Sequence[Point]
    statuses: Sequence[Count]


class ServerStatistics(Counted):
    """What the whole server has served."""

    sites: Sequence[NamedTotals]


class SiteStatistics(Counted):
    """What a site has served, and who came."""

    pages: Sequence[Count]
    missing: Sequence[Count]
    referrers: Sequence[Count]
    browsers: Sequence[Count]
    systems: Sequence[Count]
    devices: Sequence[Count]
    countries: Sequence[Count]
    events: Sequence[Count]


class Disk(TypedDict):
    """The disk that the database lies on."""

    database_bytes: int
    free_bytes: int


class ServerState(TypedDict):
    """The server in short."""

    version: str
    domain: str
    started_at: Time | None
    memory_bytes: int
    disk: Disk
    connections: int


class OverviewTotals(TypedDict):
    """Sums of the last 24 hours."""

    sites: int
    versions: int
    requests_24h: int
    views_24h: int
    errors_24h: int


class DayTraffic(TypedDict):
    """Sums of one day."""

    at: Time
    requests: int
    views: int
    errors: int


class SiteInShort(TypedDict):
    """A site with what it served lately; `spark`: requests by day."""

    name: str
    url: str
    live_version: str | None
    locked: bool
    deployed_at: Time | None
    views_24h: int
    requests_24h: int
    errors_24h: int
    spark: Sequence[int]


class Note(TypedDict):
    """Something that needs attention, and the command for it."""

    kind: str
    site: str | None
    message: str
    action: str


class Overview(TypedDict):
    """The server, its sites by traffic, and what needs attention."""

    server: ServerState
    totals: OverviewTotals
    series: Sequence[DayTraffic]
    sites: Sequence[SiteInShort]
    attention: Sequence[Note]
