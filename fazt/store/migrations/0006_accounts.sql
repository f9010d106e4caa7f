CREATE TABLE user (                     -- people who may use the dashboard
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    sites      TEXT,                    -- JSON list of the only sites that they may touch; NULL: all
    password   TEXT,                    -- argon2id, with its parameters; NULL: none, only passkeys
    totp       BLOB,                    -- the secret of the second factor, as fazt.auth.totp seals it; NULL: none
    totp_step  INTEGER NOT NULL DEFAULT 0,  -- the last step whose code was taken: none is taken twice
    pending_totp BLOB,                  -- a secret that no code has confirmed yet
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER
);

CREATE TABLE recovery_code (            -- each takes the place of one code of the second factor
    user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    hash BLOB    NOT NULL,
    PRIMARY KEY (user, hash)
) WITHOUT ROWID;

CREATE TABLE passkey (
    id         TEXT    PRIMARY KEY,     -- the credential's id, base64url
    user       INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    label      TEXT    NOT NULL,
    public_key BLOB    NOT NULL,        -- COSE
    sign_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
) WITHOUT ROWID;
CREATE INDEX passkey_user ON passkey (user);

CREATE TABLE session (                  -- a browser that is signed in; its cookie is known by its hash alone
    hash       BLOB    PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE, -- what it is called in lists
    user       INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    address    TEXT    NOT NULL,
    user_agent TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_user ON session (user, last_seen_at);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE known_address (            -- where somebody has signed in from before
    user    INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    address TEXT    NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (user, address)
) WITHOUT ROWID;

CREATE TABLE invite (                   -- a link that makes one account; deleted when it is used
    id         TEXT    PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    sites      TEXT,
    made_by    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
