CREATE TABLE setting (                  -- what the owner chose; a name that is not here has its default
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL                 -- JSON: a text or a number
) WITHOUT ROWID;

CREATE TABLE setting_change (           -- the versions of the settings: one row for each change of one or several
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    changed  BLOB    NOT NULL,          -- JSON: name -> [before, after]; null: not set
    settings BLOB    NOT NULL           -- JSON: all that were set after it
);
