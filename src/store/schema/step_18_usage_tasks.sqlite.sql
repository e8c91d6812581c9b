-- What a request was for (task), how often it was tried (attempts), and what its tokens would have cost on the reference
-- model (reference_nano; saved_nano: that less the cost, of the requests of which both are known).
CREATE TABLE usage_dim_new (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 key_id INTEGER NOT NULL,
 team_id INTEGER NOT NULL,
 project_id INTEGER NOT NULL,
 owner_kind INTEGER NOT NULL,
 owner_id INTEGER NOT NULL,
 provider_id INTEGER NOT NULL,
 model_id INTEGER NOT NULL,
 upstream_model_id INTEGER NOT NULL,
 endpoint INTEGER NOT NULL,
 status INTEGER NOT NULL,
 error_id INTEGER NOT NULL,
 tags_id INTEGER NOT NULL,
 task_id INTEGER NOT NULL DEFAULT 0,
 UNIQUE (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id, upstream_model_id, endpoint,
 status, error_id, tags_id, task_id)
) STRICT;
INSERT INTO usage_dim_new SELECT id, tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id,
 upstream_model_id, endpoint, status, error_id, tags_id, 0 FROM usage_dim ORDER BY id;
-- An id that was given is not given again.
DELETE FROM sqlite_sequence WHERE name = 'usage_dim_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'usage_dim_new', seq FROM sqlite_sequence WHERE name = 'usage_dim';
DROP TABLE usage_dim;
ALTER TABLE usage_dim_new RENAME TO usage_dim;

ALTER TABLE usage ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN reference_nano INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN reference_nano INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN saved_nano INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN reference_nano INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN saved_nano INTEGER NOT NULL DEFAULT 0;

-- As usage_day. month: its first day.
CREATE TABLE usage_month (
 tenant_id INTEGER NOT NULL,
 month INTEGER NOT NULL,
 dim_id INTEGER NOT NULL,
 requests INTEGER NOT NULL,
 unpriced INTEGER NOT NULL,
 tokens_in INTEGER NOT NULL,
 tokens_cached INTEGER NOT NULL,
 tokens_cache_write INTEGER NOT NULL,
 tokens_out INTEGER NOT NULL,
 tokens_reasoning INTEGER NOT NULL,
 cost_nano INTEGER NOT NULL,
 latency_us INTEGER NOT NULL,
 ttft_us INTEGER NOT NULL,
 ttft_requests INTEGER NOT NULL,
 attempts INTEGER NOT NULL DEFAULT 0,
 reference_nano INTEGER NOT NULL DEFAULT 0,
 saved_nano INTEGER NOT NULL DEFAULT 0,
 PRIMARY KEY (tenant_id, month, dim_id)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_month
 SELECT tenant_id, CAST(strftime('%s', day * 86400, 'unixepoch', 'start of month') AS INTEGER) / 86400, dim_id,
 sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out),
 sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us), sum(ttft_requests), 0, 0, 0 FROM usage_day
 GROUP BY 1, 2, 3;
