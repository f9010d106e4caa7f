-- What functions keep under a key, and the names and values that a site's functions are started with.

CREATE TABLE kv (                       -- not WITHOUT ROWID: values may be large
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,        -- BINARY collation: compared byte for byte
    value      BLOB    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('json', 'bytes')),
    version    INTEGER NOT NULL,        -- of this write; see kv_version
    expires_at INTEGER,                 -- from then on the row counts as deleted, swept or not
    PRIMARY KEY (site, key)
);
CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE kv_version (               -- one row: the number of the last write; it rises and is never used again
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
);
INSERT INTO kv_version (id, version) VALUES (1, 0);

CREATE TABLE kv_total (                 -- what each site keeps, expired rows included until they are swept
    site  INTEGER PRIMARY KEY REFERENCES site (id) ON DELETE CASCADE,
    keys  INTEGER NOT NULL,
    bytes INTEGER NOT NULL              -- of keys and values
);
CREATE TRIGGER kv_added AFTER INSERT ON kv BEGIN
    INSERT INTO kv_total (site, keys, bytes)
    VALUES (NEW.site, 1, octet_length(NEW.key) + octet_length(NEW.value))
    ON CONFLICT (site) DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER kv_changed AFTER UPDATE OF value ON kv
WHEN octet_length(OLD.value) <> octet_length(NEW.value)
BEGIN
    UPDATE kv_total SET bytes = bytes + octet_length(NEW.value) - octet_length(OLD.value) WHERE site = NEW.site;
END;
CREATE TRIGGER kv_removed AFTER DELETE ON kv BEGIN
    UPDATE kv_total SET keys = keys - 1, bytes = bytes - octet_length(OLD.key) - octet_length(OLD.value)
    WHERE site = OLD.site;
END;

CREATE TABLE environment (              -- not WITHOUT ROWID: values may be large
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    value      BLOB    NOT NULL,        -- as fazt.data.environment seals it
    secret     INTEGER NOT NULL CHECK (secret IN (0, 1)),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (site, name)
);
