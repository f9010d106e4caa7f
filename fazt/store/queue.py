"""The queue of jobs: what is to be done once, who does it now, and what came of it.

A job is leased for one run; the run's token is what may end it. Rule: a run's end is one transaction with everything
that the run wrote, so that a job's effects happen once or not yet, whatever dies in between.
"""

import secrets
from dataclasses import dataclass

import apsw

from fazt.errors import Conflict, NotFound, QueueFull, SiteNotFound
from fazt.store import rows

MAX_WAITING = 100_000  # of one site
MAX_DATA_BYTES = 256 * 1024
MAX_INTERRUPTIONS = 10  # a job that the server does not survive must not keep it from starting for ever
LEASE_MARGIN_MS = 60_000  # beyond the run's own time limit
KEEP_FINISHED = 1000  # of a site in each state
KEEP_MS = {"done": 7 * 86_400_000, "cancelled": 7 * 86_400_000, "failed": 30 * 86_400_000}
INTERRUPTED = f"The server stopped {MAX_INTERRUPTIONS} times while it ran."
LARGEST_NUMBER = 2**63 - 1

ADD = """
    INSERT INTO job (id, site, kind, name, handler, data, state, max_attempts, backoff_ms, timeout_ms, run_at,
        scheduled_at, unique_key, created_at)
    VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?)
"""
WAITING = """
    SELECT coalesce(job_site.waiting, 0) FROM site LEFT JOIN job_site ON job_site.site = site.id WHERE site.id = ?
"""
ACTIVE = """
    SELECT id FROM job WHERE site = ? AND name = ? AND unique_key = ? AND state IN ('waiting', 'running')
"""
DUE_SITES = "SELECT turn, site, running FROM job_site WHERE due_at <= ? AND running < ?"
NEXT_OF_SITE = """
    SELECT number FROM job AS next WHERE site = ? AND state = 'waiting' AND run_at <= ?
        AND NOT (kind = 'cron' AND EXISTS (
            SELECT 1 FROM job WHERE site = next.site AND name = next.name AND kind = 'cron' AND state = 'running'))
    ORDER BY run_at, number LIMIT 1
"""
LEASE = """
    UPDATE job SET state = 'running', attempts = attempts + 1, started_at = ?1, lease_token = ?2,
        lease_until = ?1 + timeout_ms + ?3
    WHERE number = ?4
"""
TAKE_TURN = "UPDATE job_site SET turn = (SELECT max(turn) + 1 FROM job_site) WHERE site = ?"
COLUMNS = """
    job.number, job.id, site.name, job.site, job.kind, job.name, job.handler, job.data, job.state, job.attempts,
    job.max_attempts, job.backoff_ms, job.timeout_ms, job.run_at, job.scheduled_at, job.unique_key, job.lease_token,
    job.error, job.result, job.created_at, job.started_at, job.finished_at
    FROM job JOIN site ON site.id = job.site
"""
BY_NUMBER = f"SELECT {COLUMNS} WHERE job.number = ?"
BY_ID = f"SELECT {COLUMNS} WHERE job.id = ?"
LIST_ALL = f"SELECT {COLUMNS} WHERE job.number < ? ORDER BY job.number DESC LIMIT ?"
LIST_STATE = f"SELECT {COLUMNS} WHERE job.state = ? AND job.number < ? ORDER BY job.number DESC LIMIT ?"
LIST_SITE = f"SELECT {COLUMNS} WHERE job.site = ? AND job.number < ? ORDER BY job.number DESC LIMIT ?"
LIST_SITE_STATE = f"""
    SELECT {COLUMNS} WHERE job.site = ? AND job.state = ? AND job.number < ? ORDER BY job.number DESC LIMIT ?
"""
LIST_RUNS = f"""
    SELECT {COLUMNS} WHERE job.site = ? AND job.name = ? AND job.kind = 'cron' AND job.number < ?
    ORDER BY job.number DESC LIMIT ?
"""
FINISH = """
    UPDATE job SET state = 'done', finished_at = ?, result = ?, error = NULL, lease_token = NULL, lease_until = NULL
    WHERE number = ? AND lease_token = ?
"""
FAIL = """
    UPDATE job SET state = 'failed', finished_at = ?, error = ?, lease_token = NULL, lease_until = NULL
    WHERE number = ? AND lease_token = ?
"""
TRY_AGAIN = """
    UPDATE job SET state = 'waiting', run_at = ?, error = ?, lease_token = NULL, lease_until = NULL
    WHERE number = ? AND lease_token = ?
"""
RELEASE = """
    UPDATE job SET state = 'waiting', attempts = attempts - 1, lease_token = NULL, lease_until = NULL
    WHERE number = ? AND lease_token = ?
"""
INTERRUPT = """
    UPDATE job SET state = 'waiting', attempts = attempts - 1, interruptions = interruptions + 1, lease_token = NULL,
        lease_until = NULL
    WHERE number = ? AND lease_token = ? AND interruptions < ?
"""
RUNNING = "SELECT number, lease_token FROM job INDEXED BY job_lease WHERE state = 'running' AND lease_until <= ?"
CANCEL = """
    UPDATE job SET state = 'cancelled', finished_at = ?, lease_token = NULL, lease_until = NULL
    WHERE number = ? AND state IN ('waiting', 'running')
"""
CANCEL_RUNS = """
    UPDATE job SET state = 'cancelled', finished_at = ? WHERE site = ? AND name = ? AND kind = 'cron'
        AND state = 'waiting'
"""
RETRY = """
    UPDATE job SET state = 'waiting', attempts = 0, interruptions = 0, run_at = ?, finished_at = NULL
    WHERE number = ? AND state IN ('waiting', 'failed', 'cancelled')
"""
UNFINISHED_RUNS = """
    SELECT count(*) FROM job INDEXED BY job_cron_active
    WHERE site = ? AND name = ? AND kind = 'cron' AND state IN ('waiting', 'running')
"""
HAS_RUN = "SELECT 1 FROM job WHERE site = ? AND name = ? AND kind = 'cron' AND scheduled_at = ?"
# Where an index is named, SQLite without statistics would take another one, and read all that waits.
FIRST_DUE = "SELECT min(due_at) FROM job_site WHERE due_at IS NOT NULL"
NEXT_DUE = "SELECT min(run_at) FROM job INDEXED BY job_due WHERE state = 'waiting' AND run_at > ?"
NEXT_EXPIRY = "SELECT min(lease_until) FROM job INDEXED BY job_lease WHERE state = 'running' AND lease_until > ?"
TRIM_OLD = """
    DELETE FROM job WHERE number IN (SELECT number FROM job WHERE state = ? AND finished_at < ? LIMIT ?)
"""
TRIM_MANY = """
    DELETE FROM job WHERE number IN (
        SELECT number FROM job WHERE site = ? AND state = ? ORDER BY number DESC LIMIT ? OFFSET ?)
"""
SITES = "SELECT site FROM job_site"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is to be queued; `data` is JSON; `kind` is "job" or "cron"."""

    id: str
    kind: str
    name: str
    handler: str
    data: bytes
    max_attempts: int
    backoff_ms: int
    timeout_ms: int
    run_at: int
    scheduled_at: int | None = None
    unique_key: str | None = None


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job as it stands; `lease_token` is None unless it runs."""

    number: int
    id: str
    site: str
    site_id: int
    kind: str
    name: str
    handler: str
    data: bytes
    state: str
    attempts: int
    max_attempts: int
    backoff_ms: int
    timeout_ms: int
    run_at: int
    scheduled_at: int | None
    unique_key: str | None
    lease_token: str | None
    error: str | None
    result: bytes | None
    created_at: int
    started_at: int | None
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether something is due, whether a lease is over, and when to look again (None: when something changes)."""

    is_due: bool
    is_over: bool
    next_at: int | None


def new_id() -> str:
    """Return an id for a job that is to be queued."""
    return secrets.token_hex(10)


def add(connection: apsw.Connection, site_id: int, job: NewJob, now: int) -> str:
    """Queue a job and return its id; where one of its name and unique key waits or runs, return that one's.

    Raises: QueueFull, SiteNotFound.
    """
    if job.unique_key is not None and (active := find_active(connection, site_id, job.name, job.unique_key)):
        return active
    waiting = count_waiting(connection, site_id)
    if waiting >= MAX_WAITING:
        raise QueueFull(f"{waiting:,} jobs of this site are waiting already; {MAX_WAITING:,} is the most.")
    values = (job.id, site_id, job.kind, job.name, job.handler, job.data, job.max_attempts, job.backoff_ms)
    connection.execute(ADD, (*values, job.timeout_ms, job.run_at, job.scheduled_at, job.unique_key, now))
    return job.id


def count_waiting(connection: apsw.Connection, site_id: int) -> int:
    """Return how many jobs of a site wait.

    Raises: SiteNotFound.
    """
    count: int | None = rows.value(connection, WAITING, (site_id,))
    if count is None:
        raise SiteNotFound("The site does not exist any more.")
    return count


def find_active(connection: apsw.Connection, site_id: int, name: str, unique_key: str) -> str | None:
    """Return the id of the job of that name and key that waits or runs."""
    id: str | None = rows.value(connection, ACTIVE, (site_id, name, unique_key))
    return id


def look(connection: apsw.Connection, now: int) -> Outlook:
    """Return what is due at `now`, and what will be next."""
    first = rows.value(connection, FIRST_DUE)
    coming = [rows.value(connection, sql, (now,)) for sql in (NEXT_DUE, NEXT_EXPIRY)]
    is_over = bool(rows.fetch(connection, RUNNING, (now,)))
    return Outlook(
        first is not None and first <= now, is_over, min((at for at in coming if at is not None), default=None)
    )


def lease(connection: apsw.Connection, now: int, count: int, per_site: int) -> list[QueuedJob]:
    """Lease at most `count` due jobs, of each site at most so many that `per_site` of it run; sites take turns.

    Two runs of one cron trigger are never under way together.
    """
    due = sorted(rows.fetch(connection, DUE_SITES, (now, per_site)))
    turns = [(site, per_site - running) for _, site, running in due]
    leased: list[QueuedJob] = []
    while turns and len(leased) < count:
        again = []
        for site, room in turns:
            if len(leased) == count:
                break
            number = rows.value(connection, NEXT_OF_SITE, (site, now))
            if number is None:
                continue
            connection.execute(LEASE, (now, secrets.token_hex(8), LEASE_MARGIN_MS, number))
            connection.execute(TAKE_TURN, (site,))
            leased.append(_get(connection, BY_NUMBER, number))
            if room > 1:
                again.append((site, room - 1))
        turns = again
    return leased


def finish(connection: apsw.Connection, job: QueuedJob, now: int, result: bytes | None) -> bool:
    """End a leased job well; return False where the lease is no longer this run's."""
    connection.execute(FINISH, (now, result, job.number, job.lease_token))
    return connection.changes() > 0


def fail(connection: apsw.Connection, job: QueuedJob, now: int, error: str, retry_at: int) -> bool:
    """Note that a run failed: the job waits until `retry_at`, or is a dead letter after its last attempt.

    Return False where the lease is no longer this run's.
    """
    if job.attempts < job.max_attempts:
        connection.execute(TRY_AGAIN, (retry_at, error, job.number, job.lease_token))
    else:
        connection.execute(FAIL, (now, error, job.number, job.lease_token))
    return connection.changes() > 0


def release(connection: apsw.Connection, jobs: list[QueuedJob]) -> None:
    """Give up leases without an attempt having been made: the jobs wait as before."""
    connection.executemany(RELEASE, [(job.number, job.lease_token) for job in jobs])


def take_over(connection: apsw.Connection, now: int) -> int:
    """Void every lease; return how many there were.

    To be called when a server starts: the database has one server, so that whoever held a lease is dead.
    """
    return _interrupt(connection, now, rows.fetch(connection, RUNNING, (LARGEST_NUMBER,)))


def expire(connection: apsw.Connection, now: int, alive: frozenset[str]) -> int:
    """Void the leases that are over, but for those whose run is known to be `alive` (tokens); return how many."""
    over = rows.fetch(connection, RUNNING, (now,))
    return _interrupt(connection, now, [row for row in over if row[1] not in alive])


def _interrupt(connection: apsw.Connection, now: int, leases: list[rows.Row]) -> int:
    for number, token in leases:
        connection.execute(INTERRUPT, (number, token, MAX_INTERRUPTIONS - 1))
        if not connection.changes():
            connection.execute(FAIL, (now, INTERRUPTED, number, token))
    return len(leases)


def get(connection: apsw.Connection, id: str) -> QueuedJob:
    """Return the job of that id.

    Raises: NotFound.
    """
    return _get(connection, BY_ID, id)


def list_page(
    connection: apsw.Connection, site_id: int | None, state: str | None, before: int | None, limit: int
) -> list[QueuedJob]:
    """Return at most `limit` jobs (of one site or state, or of all), newest first, behind the number `before`."""
    rest = (LARGEST_NUMBER if before is None else before, limit)
    if site_id is None and state is None:
        found = rows.fetch(connection, LIST_ALL, rest)
    elif site_id is None:
        found = rows.fetch(connection, LIST_STATE, (state, *rest))
    elif state is None:
        found = rows.fetch(connection, LIST_SITE, (site_id, *rest))
    else:
        found = rows.fetch(connection, LIST_SITE_STATE, (site_id, state, *rest))
    return [QueuedJob(*row) for row in found]


def list_runs(connection: apsw.Connection, site_id: int, name: str, before: int | None, limit: int) -> list[QueuedJob]:
    """Return at most `limit` runs of a cron trigger, newest first, behind the number `before`."""
    start = LARGEST_NUMBER if before is None else before
    return [QueuedJob(*row) for row in rows.fetch(connection, LIST_RUNS, (site_id, name, start, limit))]


def cancel(connection: apsw.Connection, id: str, now: int) -> QueuedJob:
    """Cancel a job that waits or runs; what a run under way has written is not kept.

    Raises: NotFound; Conflict where it has ended.
    """
    job = get(connection, id)
    connection.execute(CANCEL, (now, job.number))
    if not connection.changes():
        raise Conflict(f"The job {id} has ended already ({job.state}).")
    return get(connection, id)


def retry(connection: apsw.Connection, id: str, now: int) -> QueuedJob:
    """Have a dead letter, a cancelled job or one that waits run now, with all its attempts before it.

    Raises: NotFound; Conflict where it runs or is done, or where another one of its unique key waits or runs.
    """
    job = get(connection, id)
    if job.state in ("running", "done"):
        raise Conflict(
            f"The job {id} {'runs now' if job.state == 'running' else 'is done'}; there is nothing to retry."
        )
    if job.unique_key is not None:
        active = find_active(connection, job.site_id, job.name, job.unique_key)
        if active not in (None, id):
            raise Conflict(f"The job {active} of the same unique key waits or runs already.")
    connection.execute(RETRY, (now, job.number))
    return get(connection, id)


def count_unfinished_runs(connection: apsw.Connection, site_id: int, name: str) -> int:
    """Return how many runs of a cron trigger wait or run."""
    count: int = rows.value(connection, UNFINISHED_RUNS, (site_id, name))
    return count


def has_run(connection: apsw.Connection, site_id: int, name: str, scheduled_at: int) -> bool:
    """Tell whether there is a run of a cron trigger for that time of its schedule."""
    return rows.first(connection, HAS_RUN, (site_id, name, scheduled_at)) is not None


def cancel_waiting_runs(connection: apsw.Connection, site_id: int, name: str, now: int) -> None:
    """Cancel the runs of a cron trigger that wait."""
    connection.execute(CANCEL_RUNS, (now, site_id, name))


def trim(connection: apsw.Connection, sites: list[int] | None, now: int, limit: int) -> int:
    """Delete ended jobs that are old, and of the sites (None: of all) what is beyond the newest; return how many.

    At most `limit` of each kind go at once: call it again until it returns 0.
    """
    removed = 0
    for state, keep_ms in KEEP_MS.items():
        connection.execute(TRIM_OLD, (state, now - keep_ms, limit))
        removed += connection.changes()
        for site in [row[0] for row in rows.fetch(connection, SITES)] if sites is None else sites:
            connection.execute(TRIM_MANY, (site, state, limit, KEEP_FINISHED))
            removed += connection.changes()
    return removed


def _get(connection: apsw.Connection, sql: str, key: int | str) -> QueuedJob:
    row = rows.first(connection, sql, (key,))
    if row is None:
        raise NotFound(f"There is no job {key}.")
    return QueuedJob(*row)
