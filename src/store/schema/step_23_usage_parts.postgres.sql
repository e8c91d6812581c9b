-- Builds before this one add to usage_month and not to what follows. They are to fail from here on, and so to keep their
-- records until they are replaced.
ALTER TABLE usage_month RENAME COLUMN month TO first_day;

-- What usage adds up to by one thing alone (facet), by hour and by day: the series of a model need not go over all
-- combinations. facet: 1 a model (value: as requested, value2: upstream), 2 a provider, 3 a task, 4 tags, 5 a place
-- (team, project), 6 how it ended (status, error), 7 an endpoint. failed: 1 for errors. What has no model, provider, task
-- or tags is not in that facet.
CREATE TABLE usage_facet_hour (
 tenant_id BIGINT NOT NULL,
 hour BIGINT NOT NULL,
 facet BIGINT NOT NULL,
 value BIGINT NOT NULL,
 value2 BIGINT NOT NULL,
 failed BIGINT NOT NULL,
 requests BIGINT NOT NULL,
 unpriced BIGINT NOT NULL,
 tokens_in BIGINT NOT NULL,
 tokens_cached BIGINT NOT NULL,
 tokens_cache_write BIGINT NOT NULL,
 tokens_out BIGINT NOT NULL,
 tokens_reasoning BIGINT NOT NULL,
 cost_nano BIGINT NOT NULL,
 latency_us BIGINT NOT NULL,
 ttft_us BIGINT NOT NULL,
 ttft_requests BIGINT NOT NULL,
 attempts BIGINT NOT NULL,
 reference_nano BIGINT NOT NULL,
 saved_nano BIGINT NOT NULL,
 PRIMARY KEY (tenant_id, hour, facet, value, value2, failed)
);
CREATE TABLE usage_facet_day (
 tenant_id BIGINT NOT NULL,
 day BIGINT NOT NULL,
 facet BIGINT NOT NULL,
 value BIGINT NOT NULL,
 value2 BIGINT NOT NULL,
 failed BIGINT NOT NULL,
 requests BIGINT NOT NULL,
 unpriced BIGINT NOT NULL,
 tokens_in BIGINT NOT NULL,
 tokens_cached BIGINT NOT NULL,
 tokens_cache_write BIGINT NOT NULL,
 tokens_out BIGINT NOT NULL,
 tokens_reasoning BIGINT NOT NULL,
 cost_nano BIGINT NOT NULL,
 latency_us BIGINT NOT NULL,
 ttft_us BIGINT NOT NULL,
 ttft_requests BIGINT NOT NULL,
 attempts BIGINT NOT NULL,
 reference_nano BIGINT NOT NULL,
 saved_nano BIGINT NOT NULL,
 PRIMARY KEY (tenant_id, day, facet, value, value2, failed)
);
INSERT INTO usage_facet_hour
 SELECT r.tenant_id, r.hour, f.facet, f.value, f.value2, f.failed, sum(r.requests), sum(r.unpriced), sum(r.tokens_in),
 sum(r.tokens_cached), sum(r.tokens_cache_write), sum(r.tokens_out), sum(r.tokens_reasoning), sum(r.cost_nano),
 sum(r.latency_us), sum(r.ttft_us), sum(r.ttft_requests), sum(r.attempts), sum(r.reference_nano), sum(r.saved_nano)
 FROM usage_hour r JOIN (
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
 UNION ALL SELECT id, 7, endpoint, 0, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim) f
 ON f.id = r.dim_id GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO usage_facet_day
 SELECT tenant_id, hour / 24, facet, value, value2, failed, sum(requests), sum(unpriced), sum(tokens_in),
 sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us),
 sum(ttft_us), sum(ttft_requests), sum(attempts), sum(reference_nano), sum(saved_nano) FROM usage_facet_hour GROUP BY
 1, 2, 3, 4, 5, 6;

-- As usage_month, by the days 1 to 10, 11 to 20 and 21 to the end. dekad: its first day.
CREATE TABLE usage_dekad (
 tenant_id BIGINT NOT NULL,
 dekad BIGINT NOT NULL,
 dim_id BIGINT NOT NULL,
 requests BIGINT NOT NULL,
 unpriced BIGINT NOT NULL,
 tokens_in BIGINT NOT NULL,
 tokens_cached BIGINT NOT NULL,
 tokens_cache_write BIGINT NOT NULL,
 tokens_out BIGINT NOT NULL,
 tokens_reasoning BIGINT NOT NULL,
 cost_nano BIGINT NOT NULL,
 latency_us BIGINT NOT NULL,
 ttft_us BIGINT NOT NULL,
 ttft_requests BIGINT NOT NULL,
 attempts BIGINT NOT NULL,
 reference_nano BIGINT NOT NULL,
 saved_nano BIGINT NOT NULL,
 PRIMARY KEY (tenant_id, dekad, dim_id)
);
INSERT INTO usage_dekad
 SELECT tenant_id, day - of_month + CASE WHEN of_month > 20 THEN 21 WHEN of_month > 10 THEN 11 ELSE 1 END, dim_id,
 sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out),
 sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us), sum(ttft_requests), sum(attempts),
 sum(reference_nano), sum(saved_nano)
 FROM (SELECT d.*, CAST(extract(day FROM to_timestamp(day * 86400) AT TIME ZONE 'UTC') AS BIGINT) AS of_month FROM usage_day d) d
 GROUP BY 1, 2, 3;
