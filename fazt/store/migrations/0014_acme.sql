-- Ordering certificates by ACME (RFC 8555): who we are to an authority, and how each name stands.

CREATE TABLE acme_account (
    directory   TEXT    PRIMARY KEY,    -- the authority, by its URL
    key         BLOB    NOT NULL,       -- PEM, PKCS #8, sealed
    created_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE acme_order (
    name        TEXT    PRIMARY KEY,    -- the first name of the certificate that is wanted
    failures    INTEGER NOT NULL,       -- since the last success
    tried_at    INTEGER NOT NULL,       -- ms
    next_at     INTEGER NOT NULL,       -- ms; not before then
    error       TEXT    NOT NULL        -- what went wrong, empty: nothing
) WITHOUT ROWID;

CREATE TABLE acme_renewal (             -- when the authority would like a certificate to be renewed (RFC 9773)
    fingerprint TEXT    PRIMARY KEY,
    renew_at    INTEGER NOT NULL,       -- ms
    ask_at      INTEGER NOT NULL        -- ms; the authority is asked again then
) WITHOUT ROWID;
