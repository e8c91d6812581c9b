-- Builds before this one add to usage_month and not to what follows. They are to fail from here on, and so to keep their
-- records until they are replaced.
ALTER TABLE usage_month RENAME COLUMN month TO first_day;

-- What usage adds up to by one thing alone (facet), by hour and by day: the series of a model need not go over all
-- combinations. facet: 1 a model (value: as requested, value2: upstream), 2 a provider, 3 a task, 4 tags, 5 a place
-- (team, project), 6 how it ended (status, error), 7 an endpoint. failed: 1 for errors. What has no model, provider, task
-- or tags is not in that facet.
CREATE TABLE usage_facet_hour (
 tenant_id INTEGER NOT NULL,
 hour INTEGER NOT NULL,
 facet INTEGER NOT NULL,
 value INTEGER NOT NULL,
 value2 INTEGER NOT NULL,
 failed INTEGER NOT NULL,
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
 attempts INTEGER NOT NULL,
 reference_nano INTEGER NOT NULL,
 saved_nano INTEGER NOT NULL,
 PRIMARY KEY (tenant_id, hour, facet, value, value2, failed)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_facet_day (
 tenant_id INTEGER NOT NULL,
 day INTEGER NOT NULL,
 facet INTEGER NOT NULL,
 value INTEGER NOT NULL,
 value2 INTEGER NOT NULL,
 failed INTEGER NOT NULL,
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
 attempts INTEGER NOT NULL,
 reference_nano INTEGER NOT NULL,
 saved_nano INTEGER NOT NULL,
 PRIMARY KEY (tenant_id, day, facet, value, value2, failed)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE facet_of_dim (
 dim_id INTEGER NOT NULL,
 facet INTEGER NOT NULL,
 value INTEGER NOT NULL,
 value2 INTEGER NOT NULL,
 failed INTEGER NOT NULL,
 PRIMARY KEY (dim_id, facet)
) WITHOUT ROWID;
INSERT INTO facet_of_dim
 SELECT id, 1 AS facet, model_id AS value, upstream_model_id AS value2, CASE WHEN status >= 400 OR error_id <> 0 THEN 1
 ELSE 0 END AS failed FROM usage_dim WHERE model_id <> 0 OR upstream_model_id <> 0
 UNION ALL SELECT id, 2, provider_id, 0, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim WHERE
 provider_id <> 0
 UNION ALL SELECT id, 3, task_id, 0, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END
 FROM usage_dim WHERE task_id <> 0
 UNION ALL SELECT id, 4, tags_id, 0, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END
 FROM usage_dim WHERE tags_id <> 0
 UNION ALL SELECT id, 5, team_id, project_id, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim
 UNION ALL SELECT id, 6, status, error_id, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim
 UNION ALL SELECT id, 7, endpoint, 0, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim;
-- Hour by hour in the order of both tables, so that nothing has to be sorted.
INSERT INTO usage_facet_hour AS s
 SELECT r.tenant_id, r.hour, f.facet, f.value, f.value2, f.failed, r.requests, r.unpriced, r.tokens_in,
 r.tokens_cached, r.tokens_cache_write, r.tokens_out, r.tokens_reasoning, r.cost_nano, r.latency_us, r.ttft_us,
 r.ttft_requests, r.attempts, r.reference_nano, r.saved_nano FROM usage_hour r CROSS JOIN facet_of_dim f WHERE f.dim_id
 = r.dim_id ON CONFLICT (tenant_id, hour, facet, value, value2, failed) DO UPDATE SET requests = s.requests +
 excluded.requests, unpriced = s.unpriced + excluded.unpriced, tokens_in = s.tokens_in + excluded.tokens_in,
 tokens_cached = s.tokens_cached + excluded.tokens_cached, tokens_cache_write = s.tokens_cache_write +
 excluded.tokens_cache_write, tokens_out = s.tokens_out + excluded.tokens_out, tokens_reasoning = s.tokens_reasoning +
 excluded.tokens_reasoning, cost_nano = s.cost_nano + excluded.cost_nano, latency_us = s.latency_us +
 excluded.latency_us, ttft_us = s.ttft_us + excluded.ttft_us, ttft_requests = s.ttft_requests + excluded.ttft_requests,
 attempts = s.attempts + excluded.attempts, reference_nano = s.reference_nano + excluded.reference_nano, saved_nano =
 s.saved_nano + excluded.saved_nano;
DROP TABLE facet_of_dim;
INSERT INTO usage_facet_day
 SELECT tenant_id, hour / 24, facet, value, value2, failed, sum(requests), sum(unpriced), sum(tokens_in),
 sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us),
 sum(ttft_us), sum(ttft_requests), sum(attempts), sum(reference_nano), sum(saved_nano) FROM usage_facet_hour GROUP BY
 1, 2, 3, 4, 5, 6;

-- As usage_month, by the days 1 to 10, 11 to 20 and 21 to the end. dekad: its first day.
CREATE TABLE usage_dekad (
 tenant_id INTEGER NOT NULL,
 dekad INTEGER NOT NULL,
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
 attempts INTEGER NOT NULL,
 reference_nano INTEGER NOT NULL,
 saved_nano INTEGER NOT NULL,
 PRIMARY KEY (tenant_id, dekad, dim_id)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_dekad
 SELECT tenant_id, day - of_month + CASE WHEN of_month > 20 THEN 21 WHEN of_month > 10 THEN 11 ELSE 1 END, dim_id,
 sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out),
 sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us), sum(ttft_requests), sum(attempts),
 sum(reference_nano), sum(saved_nano)
 FROM (SELECT d.*, CAST(strftime('%d', day * 86400, 'unixepoch') AS INTEGER) AS of_month FROM usage_day d) d
 GROUP BY 1, 2, 3;
