-- What answers were found to be worth, by request and by which of its attempts: score, judged and feedback in thousandths,
-- -1 where there is none; faults: bits (conf/fault.def).
CREATE TABLE answer_score (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 request_id INTEGER NOT NULL,
 attempt INTEGER NOT NULL,
 ts INTEGER NOT NULL,
 provider TEXT NOT NULL,
 model TEXT NOT NULL,
 upstream_model TEXT NOT NULL,
 task TEXT NOT NULL,
 score INTEGER NOT NULL,
 faults INTEGER NOT NULL,
 judged INTEGER NOT NULL,
 feedback INTEGER NOT NULL,
 comment TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX answer_score_by_request ON answer_score (tenant_id, request_id, attempt);
CREATE INDEX answer_score_by_tenant ON answer_score (tenant_id, id);
CREATE INDEX answer_score_by_time ON answer_score (tenant_id, ts);
