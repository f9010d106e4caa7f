CREATE TABLE audit (                    -- every change that somebody made, in the same transaction as the change
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,           -- socket, token:ID, user:NAME, or what of the server itself did it
    address TEXT    NOT NULL,           -- where they called from; empty: this machine's socket, or the server itself
    action  TEXT    NOT NULL,           -- such as site.rename
    site    TEXT,                       -- the name of the site that it was about; NULL: the whole server
    subject TEXT    NOT NULL,           -- what it was about: the name of a site, a domain, a user
    before  BLOB,                       -- JSON without secrets; NULL: it was not there
    after   BLOB                        -- JSON without secrets; NULL: it is gone
);
CREATE INDEX audit_site ON audit (site, number);
CREATE INDEX audit_actor ON audit (actor, number);
CREATE INDEX audit_at ON audit (at);
