-- What a request was of, each combination once: usage and its sums refer to it. 0 = none; the ids of texts are those of
-- `name`.
CREATE TABLE usage_dim (
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
 UNIQUE (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id, upstream_model_id, endpoint,
 status, error_id, tags_id)
) STRICT;

ALTER TABLE usage RENAME TO usage_before;
INSERT INTO usage_dim (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id,
 upstream_model_id, endpoint, status, error_id, tags_id)
 SELECT DISTINCT tenant_id, coalesce(key_id, 0), 0, 0, 0, 0, coalesce(provider_id, 0), coalesce(model_id, 0),
 coalesce(upstream_model_id, 0), endpoint, status, coalesce(error_id, 0), 0 FROM usage_before;

-- One row a request. reserved_…: what was set aside for it.
CREATE TABLE usage (
 id INTEGER PRIMARY KEY,
 tenant_id INTEGER NOT NULL,
 ts INTEGER NOT NULL,
 dim_id INTEGER NOT NULL,
 flags INTEGER NOT NULL,
 tokens_in INTEGER NOT NULL,
 tokens_cached INTEGER NOT NULL,
 tokens_cache_write INTEGER NOT NULL,
 tokens_out INTEGER NOT NULL,
 tokens_reasoning INTEGER NOT NULL,
 cost_nano INTEGER NOT NULL,
 latency_us INTEGER NOT NULL,
 ttft_us INTEGER NOT NULL,
 reserved_tokens INTEGER NOT NULL,
 reserved_nano INTEGER NOT NULL
) STRICT;
INSERT INTO usage
 SELECT u.id, u.tenant_id, u.ts, d.id, u.flags, u.tokens_in, u.tokens_cached, u.tokens_cache_write, u.tokens_out,
 u.tokens_reasoning, u.cost_nano, u.latency_us, u.ttft_us, 0, 0 FROM usage_before u JOIN usage_dim d
 ON d.tenant_id = u.tenant_id AND d.key_id = coalesce(u.key_id, 0) AND d.team_id = 0 AND d.project_id = 0
 AND d.owner_kind = 0 AND d.owner_id = 0 AND d.provider_id = coalesce(u.provider_id, 0)
 AND d.model_id = coalesce(u.model_id, 0) AND d.upstream_model_id = coalesce(u.upstream_model_id, 0)
 AND d.endpoint = u.endpoint AND d.status = u.status AND d.error_id = coalesce(u.error_id, 0) AND d.tags_id = 0
 ORDER BY u.id;
DROP TABLE usage_before;
-- Grows at its end, and holds all that a search by time and combination looks at.
CREATE INDEX usage_by_time ON usage (ts, dim_id, tenant_id);

-- What usage adds up to, by hour (ts / 3,600 s) and by day. ttft_requests: those that have a time to first token.
-- dim_id 0 and -1: all combinations of the tenant together, those that were no errors and those that were.
CREATE TABLE usage_hour (
 tenant_id INTEGER NOT NULL,
 hour INTEGER NOT NULL,
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
 PRIMARY KEY (tenant_id, hour, dim_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_day (
 tenant_id INTEGER NOT NULL,
 day INTEGER NOT NULL,
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
 PRIMARY KEY (tenant_id, day, dim_id)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_hour
 SELECT tenant_id, ts / 3600000000000, dim_id, count(*), sum((flags & 2) <> 0), sum(tokens_in), sum(tokens_cached),
 sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us),
 sum(ttft_us > 0) FROM usage GROUP BY 1, 2, 3;
INSERT INTO usage_hour
 SELECT r.tenant_id, r.hour, CASE WHEN d.status >= 400 OR d.error_id <> 0 THEN -1 ELSE 0 END, sum(requests),
 sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning),
 sum(cost_nano), sum(latency_us), sum(ttft_us), sum(ttft_requests) FROM usage_hour r JOIN usage_dim d ON d.id = r.dim_id
 GROUP BY 1, 2, 3;
INSERT INTO usage_day
 SELECT tenant_id, hour / 24, dim_id, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached),
 sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us),
 sum(ttft_requests) FROM usage_hour GROUP BY 1, 2, 3;
