-- Times are milliseconds since 1970-01-01 UTC. A hash is the 32 bytes of a SHA-256.

CREATE TABLE blob (                     -- content, known by its hash; immutable; shared by all versions and sites
    id         INTEGER PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    size       INTEGER NOT NULL CHECK (size >= 0),
    complete   INTEGER NOT NULL DEFAULT 0,   -- every chunk is there and the hash was checked
    compressed INTEGER NOT NULL DEFAULT 0,   -- its variants were made, or it is not worth any
    created_at INTEGER NOT NULL              -- renewed when a deploy asks for it, so that collection spares it
);
CREATE INDEX blob_to_compress ON blob (id) WHERE complete = 1 AND compressed = 0;

CREATE TABLE unused_blob (              -- blobs that no version and no variant uses: what collection looks through
    blob INTEGER PRIMARY KEY REFERENCES blob (id) ON DELETE CASCADE
);
CREATE TRIGGER blob_added AFTER INSERT ON blob BEGIN
    INSERT INTO unused_blob (blob) VALUES (NEW.id);
END;

CREATE TABLE chunk (                    -- a blob's bytes in pieces of 262144; the last may be shorter
    blob INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE,
    n    INTEGER NOT NULL CHECK (n >= 0),
    data BLOB    NOT NULL CHECK (length(data) <= 262144),
    PRIMARY KEY (blob, n)
);

CREATE TABLE variant (                  -- a blob compressed once; the compressed bytes are a blob themselves
    blob     INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE,
    encoding TEXT    NOT NULL CHECK (encoding IN ('gzip', 'br', 'zstd')),
    body     INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (blob, encoding)
) WITHOUT ROWID;
CREATE INDEX variant_body ON variant (body);
CREATE TRIGGER variant_added AFTER INSERT ON variant BEGIN
    DELETE FROM unused_blob WHERE blob = NEW.body;
END;
CREATE TRIGGER variant_removed AFTER DELETE ON variant
WHEN NOT EXISTS (SELECT 1 FROM version_file WHERE blob = OLD.body)
    AND NOT EXISTS (SELECT 1 FROM variant WHERE body = OLD.body)
BEGIN
    INSERT OR IGNORE INTO unused_blob (blob) VALUES (OLD.body);
END;

CREATE TABLE site (
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    live_version INTEGER REFERENCES version (number),
    live_since   INTEGER,               -- when it went live: a rollback must look newer than what it replaces
    previous_version INTEGER REFERENCES version (number) ON DELETE SET NULL,  -- live before; what a rollback goes to
    locked       INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL
);

CREATE TABLE version (                  -- an immutable set of files of a site
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE CHECK (length(id) = 32),  -- random, lower-case hexadecimal
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    parent     INTEGER REFERENCES version (number) ON DELETE SET NULL,
    message    TEXT    NOT NULL,
    source     TEXT    NOT NULL,        -- who or what made it: cli, api, built-in ...
    files      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    rules      BLOB    NOT NULL,        -- fazt.json, _redirects and _headers as compiled at deploy (JSON)
    created_at INTEGER NOT NULL
);
CREATE INDEX version_site ON version (site, number);
CREATE INDEX version_parent ON version (parent);
CREATE INDEX site_live_version ON site (live_version);
CREATE INDEX site_previous_version ON site (previous_version);
CREATE UNIQUE INDEX version_prefix ON version (site, substr(id, 1, 8));  -- previews are named by 8 characters

CREATE TABLE version_file (
    version INTEGER NOT NULL REFERENCES version (number) ON DELETE CASCADE,
    path    TEXT    NOT NULL,           -- as deployed, no leading slash; BINARY collation: compared byte for byte
    blob    INTEGER NOT NULL REFERENCES blob (id),
    public  INTEGER NOT NULL,           -- 0: function sources, fazt.json, _redirects, _headers: never served
    PRIMARY KEY (version, path)
) WITHOUT ROWID;
CREATE INDEX version_file_blob ON version_file (blob, public);
CREATE TRIGGER version_file_added AFTER INSERT ON version_file BEGIN
    DELETE FROM unused_blob WHERE blob = NEW.blob;
END;
CREATE TRIGGER version_file_removed AFTER DELETE ON version_file
WHEN NOT EXISTS (SELECT 1 FROM version_file WHERE blob = OLD.blob)
    AND NOT EXISTS (SELECT 1 FROM variant WHERE body = OLD.blob)
BEGIN
    INSERT OR IGNORE INTO unused_blob (blob) VALUES (OLD.blob);
END;

CREATE TABLE domain (
    name       TEXT    PRIMARY KEY,     -- lower-case A-labels, no trailing dot
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX domain_site ON domain (site);

CREATE TABLE token (
    id           TEXT    PRIMARY KEY,   -- the first 8 characters of the token, shown in lists
    hash         BLOB    NOT NULL UNIQUE,
    label        TEXT    NOT NULL,
    site         TEXT,                  -- the one site it may touch; NULL: all
    actions      TEXT    NOT NULL,      -- comma-separated: read, deploy, admin
    expires_at   INTEGER,
    last_used_at INTEGER,
    created_at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE site_hour (                -- access statistics, one row a site and hour that had requests
    site      TEXT    NOT NULL,
    hour      INTEGER NOT NULL,         -- hours since 1970-01-01 UTC
    requests  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    hits      INTEGER NOT NULL,
    status_1xx INTEGER NOT NULL, status_2xx INTEGER NOT NULL, status_3xx INTEGER NOT NULL,
    status_4xx INTEGER NOT NULL, status_5xx INTEGER NOT NULL,
    latency   BLOB    NOT NULL,         -- the histogram's buckets, little-endian 32-bit counts
    PRIMARY KEY (site, hour)
) WITHOUT ROWID;
CREATE INDEX site_hour_hour ON site_hour (hour);

CREATE TABLE log_line (                 -- the bounded history of access and error lines
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    site TEXT    NOT NULL,
    kind TEXT    NOT NULL CHECK (kind IN ('access', 'error')),
    line BLOB    NOT NULL               -- JSON
);
CREATE INDEX log_line_site ON log_line (site, id);

CREATE TABLE changes (                  -- one row for each visible change, in the same transaction as the change
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT    NOT NULL,              -- 'site' (key: its name), 'domain' (key: its name)
    key  TEXT    NOT NULL,
    at   INTEGER NOT NULL
);
