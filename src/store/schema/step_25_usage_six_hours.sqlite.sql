-- As usage_day, by quarters of a day. six_hours: ts / 6 h.
CREATE TABLE usage_six_hours (
 tenant_id INTEGER NOT NULL,
 six_hours INTEGER NOT NULL,
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
 PRIMARY KEY (tenant_id, six_hours, dim_id)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_six_hours
 SELECT tenant_id, hour / 6, dim_id, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached),
 sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us),
 sum(ttft_requests), sum(attempts), sum(reference_nano), sum(saved_nano) FROM usage_hour GROUP BY 1, 2, 3;
