CREATE TABLE protection (               -- who may see a site, as its owner chose it; it counts before fazt.json
    site  INTEGER PRIMARY KEY REFERENCES site (id) ON DELETE CASCADE,
    rules BLOB NOT NULL                 -- JSON; passwords as argon2id
);

CREATE TABLE share (                    -- links that let whoever has them see protected paths for a while
    id         TEXT    PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE, -- of the secret in the link
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    path       TEXT    NOT NULL,
    version    TEXT,                    -- the preview that it is for; NULL: what is live
    label      TEXT    NOT NULL,
    made_by    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses       INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX share_site ON share (site, created_at);

CREATE TABLE signing_key (              -- with which the passes of visitors are signed
    name TEXT PRIMARY KEY,
    key  BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO signing_key (name, key) VALUES ('passes', randomblob(32));
