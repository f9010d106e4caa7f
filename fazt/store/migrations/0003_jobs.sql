CREATE TABLE job (                      -- work that is to be done once: of `enqueue`, or one run of a cron trigger
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,   -- random; the only name of a job outside the store
    site         INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL CHECK (kind IN ('job', 'cron')),
    name         TEXT    NOT NULL,      -- of the file in api/_jobs/, or of the trigger
    handler      TEXT    NOT NULL,      -- the path of the module that is run
    data         BLOB    NOT NULL CHECK (length(data) <= 262144),  -- JSON
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    attempts     INTEGER NOT NULL DEFAULT 0,  -- that failed, and the one that runs
    max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
    interruptions INTEGER NOT NULL DEFAULT 0, -- runs that ended with the server or with their lease
    backoff_ms   INTEGER NOT NULL,      -- the first pause after a failure
    timeout_ms   INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,      -- not before
    scheduled_at INTEGER,               -- of a cron run: the time of its schedule; NULL: asked for by hand
    unique_key   TEXT,
    lease_token  TEXT,                  -- of the one run that may end the job
    lease_until  INTEGER,
    error        TEXT,                  -- of the last attempt that failed
    result       BLOB,                  -- JSON
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,               -- of the last attempt
    finished_at  INTEGER,
    CHECK ((state = 'running') = (lease_token IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX job_site_number ON job (site, number);
CREATE INDEX job_state ON job (state, number);
CREATE INDEX job_site_state ON job (site, state, number);
CREATE INDEX job_finished ON job (state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_cron ON job (site, name, number) WHERE kind = 'cron';
CREATE INDEX job_due ON job (run_at) WHERE state = 'waiting';
CREATE INDEX job_due_site ON job (site, run_at, number) WHERE state = 'waiting';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_cron_running ON job (site, name) WHERE kind = 'cron' AND state = 'running';
CREATE INDEX job_cron_active ON job (site, name) WHERE kind = 'cron' AND state IN ('waiting', 'running');
CREATE UNIQUE INDEX job_unique ON job (site, name, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running');
CREATE UNIQUE INDEX job_scheduled ON job (site, name, scheduled_at) WHERE kind = 'cron' AND scheduled_at IS NOT NULL;

CREATE TABLE job_site (                 -- what waits and runs of each site, kept by the triggers below
    site    INTEGER PRIMARY KEY REFERENCES site (id) ON DELETE CASCADE,
    waiting INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    due_at  INTEGER,                    -- the earliest run_at of what waits
    turn    INTEGER NOT NULL DEFAULT 0  -- rises with each run: the lowest is next
);
CREATE INDEX job_site_due ON job_site (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX job_site_turn ON job_site (turn);
CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    INSERT OR IGNORE INTO job_site (site) VALUES (NEW.site);
    UPDATE job_site SET
        waiting = waiting + (NEW.state = 'waiting'),
        running = running + (NEW.state = 'running'),
        due_at = (SELECT min(run_at) FROM job INDEXED BY job_due_site WHERE site = NEW.site AND state = 'waiting')
    WHERE site = NEW.site;
END;
CREATE TRIGGER job_moved AFTER UPDATE OF state, run_at ON job BEGIN
    UPDATE job_site SET
        waiting = waiting + (NEW.state = 'waiting') - (OLD.state = 'waiting'),
        running = running + (NEW.state = 'running') - (OLD.state = 'running'),
        due_at = (SELECT min(run_at) FROM job INDEXED BY job_due_site WHERE site = NEW.site AND state = 'waiting')
    WHERE site = NEW.site;
END;
CREATE TRIGGER job_removed AFTER DELETE ON job WHEN OLD.finished_at IS NULL BEGIN
    UPDATE job_site SET
        waiting = waiting - (OLD.state = 'waiting'),
        running = running - (OLD.state = 'running'),
        due_at = (SELECT min(run_at) FROM job INDEXED BY job_due_site WHERE site = OLD.site AND state = 'waiting')
    WHERE site = OLD.site;
END;

CREATE TABLE cron_trigger (             -- the key `cron` of the live version's fazt.json, and how far each has come
    id         INTEGER PRIMARY KEY,
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    definition TEXT    NOT NULL,        -- JSON, as the rules of the version have it
    next_at    INTEGER,                 -- the time of the schedule that comes next; NULL: none
    fire_at    INTEGER,                 -- the same with its jitter
    last_at    INTEGER NOT NULL,        -- what of the schedule is not later than this is settled and never runs again
    paused     INTEGER NOT NULL DEFAULT 0,
    skipped    INTEGER NOT NULL DEFAULT 0,  -- times that were due and made no run
    skipped_at INTEGER,                 -- the latest of them
    error      TEXT,                    -- why it cannot be run at all
    created_at INTEGER NOT NULL,
    UNIQUE (site, name)
);
CREATE INDEX cron_trigger_fire ON cron_trigger (fire_at) WHERE fire_at IS NOT NULL AND paused = 0;
CREATE INDEX cron_trigger_last ON cron_trigger (last_at);

CREATE TABLE cron_progress (            -- one row: the last of `changes` whose site's triggers were read
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
);
INSERT INTO cron_progress (one, seq) VALUES (1, 0);
