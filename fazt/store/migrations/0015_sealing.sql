-- With which key the secrets in this file are sealed. The key itself lies beside the file, or where its owner put it.

CREATE TABLE sealing_key (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    id    BLOB    NOT NULL CHECK (length(id) = 8),
    swept INTEGER NOT NULL DEFAULT 0,   -- what secrets were before they were sealed stands nowhere in the file any more
    key   BLOB                          -- of a backup that takes its key along, until it is opened
);
