-- Several servers may share the database: what belongs to one of them carries the number of its data directory, as place.

-- How much of each segment of the usage log is in the tables. Those of before are applied once more, to no effect.
DROP TABLE wal_applied;
CREATE TABLE wal_applied (
 place BIGINT NOT NULL,
 segment BIGINT NOT NULL,
 applied BIGINT NOT NULL,
 PRIMARY KEY (place, segment)
);

-- A wish is for the server that runs on the command's own directory.
ALTER TABLE config_wish ADD COLUMN place BIGINT NOT NULL DEFAULT 0;

-- Servers see here what others have changed of the live configuration and of sealed secrets.
INSERT INTO change_count VALUES ('config', 0);
CREATE TRIGGER config_live_changed AFTER INSERT OR UPDATE OR DELETE ON config_live FOR EACH ROW EXECUTE FUNCTION count_change('config');
CREATE TRIGGER sealed_secret_changed AFTER INSERT OR UPDATE OR DELETE ON sealed_secret FOR EACH ROW EXECUTE FUNCTION count_change('config');

-- Which periods of usage were written to files, with what they added up to then. target: what is written, and where to.
-- The row of period -1 says which server writes (requests), and until when it may (written_at).
CREATE TABLE usage_export (
 target TEXT COLLATE "C" NOT NULL,
 period BIGINT NOT NULL,
 requests BIGINT NOT NULL,
 tokens BIGINT NOT NULL,
 cost_nano BIGINT NOT NULL,
 latency_us BIGINT NOT NULL,
 written_at BIGINT NOT NULL,
 PRIMARY KEY (target, period)
);
