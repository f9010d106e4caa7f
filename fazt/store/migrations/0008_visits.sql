-- Visits. The site '' is the whole server. No address, no user agent and no hash of them is ever stored.

ALTER TABLE site_hour ADD COLUMN views    INTEGER NOT NULL DEFAULT 0;  -- HTML pages that were given to people
ALTER TABLE site_hour ADD COLUMN visitors INTEGER NOT NULL DEFAULT 0;  -- estimated, of this hour
ALTER TABLE site_hour ADD COLUMN bots     INTEGER NOT NULL DEFAULT 0;  -- HTML pages that were given to programs
ALTER TABLE site_hour ADD COLUMN unseen   INTEGER NOT NULL DEFAULT 0;  -- requests too many to be looked at one by one

CREATE TABLE site_day (                 -- the hours of a day summed; visitors are those of the day
    site      TEXT    NOT NULL,
    day       INTEGER NOT NULL,         -- days since 1970-01-01 UTC
    requests  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    status_1xx INTEGER NOT NULL, status_2xx INTEGER NOT NULL, status_3xx INTEGER NOT NULL,
    status_4xx INTEGER NOT NULL, status_5xx INTEGER NOT NULL,
    views     INTEGER NOT NULL DEFAULT 0,
    visitors  INTEGER NOT NULL DEFAULT 0,
    bots      INTEGER NOT NULL DEFAULT 0,
    unseen    INTEGER NOT NULL DEFAULT 0,
    latency   BLOB    NOT NULL,         -- the histogram's buckets, little-endian 32-bit counts
    PRIMARY KEY (site, day)
) WITHOUT ROWID;
CREATE INDEX site_day_day ON site_day (day);

CREATE TABLE visit_name (               -- what was visited, from where and with what: a bounded number a site, day and kind
    site  TEXT    NOT NULL,
    day   INTEGER NOT NULL,
    kind  TEXT    NOT NULL,             -- page, missing, referrer, browser, system, device, country, event
    name  TEXT    NOT NULL,             -- '': all the others
    count INTEGER NOT NULL,
    PRIMARY KEY (site, day, kind, name)
) WITHOUT ROWID;
CREATE INDEX visit_name_day ON visit_name (day);

-- What was counted before there were days: everything but the latencies, which SQL cannot sum.
INSERT INTO site_day (site, day, requests, bytes, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency)
    SELECT site, hour / 24, sum(requests), sum(bytes), sum(status_1xx), sum(status_2xx), sum(status_3xx),
        sum(status_4xx), sum(status_5xx), x''
    FROM site_hour GROUP BY site, hour / 24;
INSERT INTO site_hour (site, hour, requests, bytes, hits, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency)
    SELECT '', hour, sum(requests), sum(bytes), sum(hits), sum(status_1xx), sum(status_2xx), sum(status_3xx),
        sum(status_4xx), sum(status_5xx), x''
    FROM site_hour GROUP BY hour;
INSERT INTO site_day (site, day, requests, bytes, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency)
    SELECT '', day, sum(requests), sum(bytes), sum(status_1xx), sum(status_2xx), sum(status_3xx),
        sum(status_4xx), sum(status_5xx), x''
    FROM site_day GROUP BY day;
