-- Short links, incoming webhooks with what they brought, and where the owner is told of what happens.

CREATE TABLE link (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,  -- not given out again: counts on their way must not find another link
    slug       TEXT    NOT NULL UNIQUE,
    target     TEXT    NOT NULL,        -- as it stands in Location: ASCII, encoded
    label      TEXT    NOT NULL,
    clicks     INTEGER NOT NULL DEFAULT 0,
    last_clicked_at INTEGER,
    created_at INTEGER NOT NULL
);

CREATE TABLE hook (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    site       INTEGER REFERENCES site (id) ON DELETE CASCADE,  -- NULL: of the server
    style      TEXT    NOT NULL CHECK (style IN ('github', 'stripe', 'hmac', 'none')),
    secret     BLOB,                    -- as fazt.data.environment seals it; NULL: the style has none
    function   TEXT,                    -- the job that each delivery becomes
    enabled    INTEGER NOT NULL,
    received   INTEGER NOT NULL DEFAULT 0,
    received_at INTEGER,
    refused    INTEGER NOT NULL DEFAULT 0,  -- deliveries whose signature was wrong
    refused_at INTEGER,
    created_at INTEGER NOT NULL,
    CHECK ((style = 'none') = (secret IS NULL))
);
CREATE INDEX hook_site ON hook (site);

CREATE TABLE hook_delivery (            -- not WITHOUT ROWID: bodies may be large
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL UNIQUE,    -- random; the only name of a delivery outside the store
    hook    INTEGER NOT NULL REFERENCES hook (number) ON DELETE CASCADE,
    sender_id TEXT,                     -- what the sender calls it
    at      INTEGER NOT NULL,
    address TEXT    NOT NULL,
    headers BLOB    NOT NULL,           -- JSON, without secrets
    size    INTEGER NOT NULL,           -- of the body
    body    BLOB    NOT NULL,
    job     TEXT,                       -- the id of the last job that was made of it
    replays INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX hook_delivery_once ON hook_delivery (hook, sender_id) WHERE sender_id IS NOT NULL;
CREATE INDEX hook_delivery_newest ON hook_delivery (hook, number, size);
CREATE INDEX hook_delivery_at ON hook_delivery (at);

CREATE TABLE notification (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL CHECK (kind IN ('ntfy', 'webhook')),
    url        TEXT    NOT NULL,
    secret     BLOB,                    -- as fazt.data.environment seals it
    events     TEXT    NOT NULL,        -- JSON: the kinds of events that are told
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE notification_delivery (    -- an event on its way to one place, then the log of how that went
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT    NOT NULL UNIQUE,
    notification INTEGER NOT NULL REFERENCES notification (number) ON DELETE CASCADE,
    event    TEXT    NOT NULL,
    title    TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    site     TEXT,                      -- the name of the site that it is about
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER,                   -- of the next attempt
    status   INTEGER,                   -- what the last attempt was answered with
    answer   TEXT,                      -- the beginning of that answer
    error    TEXT,
    duration_ms INTEGER,
    at       INTEGER NOT NULL,          -- of the event
    tried_at INTEGER,
    CHECK ((state = 'waiting') = (due_at IS NOT NULL))
);
CREATE INDEX notification_delivery_newest ON notification_delivery (notification, number);
CREATE INDEX notification_delivery_due ON notification_delivery (notification, due_at, number) WHERE state = 'waiting';
CREATE INDEX notification_delivery_at ON notification_delivery (at);

CREATE TABLE notification_told (        -- what is told only once in a while, and when it was told last
    subject TEXT    PRIMARY KEY,
    at      INTEGER NOT NULL
) WITHOUT ROWID;
