-- Certificates for HTTPS, whoever made them, and the names that each is for.

CREATE TABLE certificate (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL CHECK (source IN ('acme', 'uploaded')),
    fingerprint TEXT    NOT NULL UNIQUE,    -- SHA-256 of the host's own certificate (DER), hexadecimal
    issuer      TEXT    NOT NULL,
    chain       BLOB    NOT NULL,           -- PEM, the host's own certificate first
    key         BLOB    NOT NULL,           -- PEM, PKCS #8
    not_before  INTEGER NOT NULL,           -- ms
    not_after   INTEGER NOT NULL,           -- ms
    created_at  INTEGER NOT NULL
);
CREATE INDEX certificate_end ON certificate (not_after);

CREATE TABLE certificate_name (
    name        TEXT    NOT NULL,           -- a host, or *. and a domain
    certificate INTEGER NOT NULL REFERENCES certificate (number) ON DELETE CASCADE,
    PRIMARY KEY (name, certificate)
) WITHOUT ROWID;
CREATE INDEX certificate_name_of ON certificate_name (certificate);
