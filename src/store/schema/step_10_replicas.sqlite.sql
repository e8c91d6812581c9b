-- Several servers may share the database: what belongs to one of them carries the number of its data directory, as place.

-- How much of each segment of the usage log is in the tables. Those of before are applied once more, to no effect.
DROP TABLE wal_applied;
CREATE TABLE wal_applied (
 place INTEGER NOT NULL,
 segment INTEGER NOT NULL,
 applied INTEGER NOT NULL,
 PRIMARY KEY (place, segment)
) STRICT, WITHOUT ROWID;

-- A wish is for the server that runs on the command's own directory.
ALTER TABLE config_wish ADD COLUMN place INTEGER NOT NULL DEFAULT 0;

-- Which periods of usage were written to files, with what they added up to then. target: what is written, and where to.
-- The row of period -1 says which server writes (requests), and until when it may (written_at).
CREATE TABLE usage_export (
 target TEXT NOT NULL,
 period INTEGER NOT NULL,
 requests INTEGER NOT NULL,
 tokens INTEGER NOT NULL,
 cost_nano INTEGER NOT NULL,
 latency_us INTEGER NOT NULL,
 written_at INTEGER NOT NULL,
 PRIMARY KEY (target, period)
) STRICT, WITHOUT ROWID;
