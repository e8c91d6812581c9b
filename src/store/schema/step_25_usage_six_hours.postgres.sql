-- As usage_day, by quarters of a day. six_hours: ts / 6 h.
CREATE TABLE usage_six_hours (
 tenant_id BIGINT NOT NULL,
 six_hours BIGINT NOT NULL,
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
 PRIMARY KEY (tenant_id, six_hours, dim_id)
);
INSERT INTO usage_six_hours
 SELECT tenant_id, hour / 6, dim_id, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached),
 sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us),
 sum(ttft_requests), sum(attempts), sum(reference_nano), sum(saved_nano) FROM usage_hour GROUP BY 1, 2, 3;
