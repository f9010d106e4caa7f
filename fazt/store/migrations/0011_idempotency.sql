-- Requests with a key of their own, which are done once however often they come.

CREATE TABLE idempotency (
    key         BLOB    PRIMARY KEY,    -- SHA-256 of who asks and their key
    fingerprint BLOB    NOT NULL,       -- of what was asked; made with the key, which is not kept
    at          INTEGER NOT NULL,
    status      INTEGER,                -- NULL: under way, or interrupted
    body        BLOB                    -- NULL: not kept, since it holds a secret or is large
);
CREATE INDEX idempotency_at ON idempotency (at);
