CREATE TABLE program (                  -- the compiled functions of a version (JSON), made when it was deployed
    version INTEGER PRIMARY KEY REFERENCES version (number) ON DELETE CASCADE,
    data    BLOB    NOT NULL            -- empty: the version has no functions
);

CREATE INDEX program_with_code ON program (version) WHERE length(data) > 0;

-- The number of a removed site is not given out again: a call that still runs for it must not write into another site.
CREATE TABLE site_number (
    last INTEGER NOT NULL
);
INSERT INTO site_number (last) SELECT coalesce(max(id), 0) FROM site;
CREATE TRIGGER site_numbered AFTER INSERT ON site BEGIN
    UPDATE site_number SET last = max(last, NEW.id);
END;

CREATE TABLE failed_call (              -- the newest calls of functions that went wrong, to be looked at and made again
    id      TEXT    PRIMARY KEY,        -- the call's id
    site    INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    report  BLOB    NOT NULL,           -- JSON: what is known of the call
    request BLOB    NOT NULL            -- JSON: method, path, headers without secrets, the body's beginning
);
CREATE INDEX failed_call_site ON failed_call (site, at);

-- More kinds of lines than `access` and `error`: `call` and `console`.
CREATE TABLE log_line_of_any_kind (     -- the bounded history of access lines, errors, calls and what functions log
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    site TEXT    NOT NULL,
    kind TEXT    NOT NULL,
    line BLOB    NOT NULL               -- JSON
);
INSERT INTO log_line_of_any_kind (id, at, site, kind, line) SELECT id, at, site, kind, line FROM log_line;
DROP TABLE log_line;
ALTER TABLE log_line_of_any_kind RENAME TO log_line;
CREATE INDEX log_line_site ON log_line (site, id);
