-- What usage adds up to by one thing alone, for two more of them: facet 8 a key (value: its number), 9 whose it is (value:
-- the owner's number, value2: the owner's kind). What has no key, or whose key has no owner, is not in that facet.
CREATE TEMP TABLE facet_of_dim (
 dim_id INTEGER NOT NULL,
 facet INTEGER NOT NULL,
 value INTEGER NOT NULL,
 value2 INTEGER NOT NULL,
 failed INTEGER NOT NULL,
 PRIMARY KEY (dim_id, facet)
) WITHOUT ROWID;
INSERT INTO facet_of_dim
 SELECT id, 8, key_id, 0, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim WHERE key_id <> 0
 UNION ALL SELECT id, 9, owner_id, owner_kind, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim
 WHERE owner_id <> 0 OR owner_kind <> 0;
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
 sum(ttft_us), sum(ttft_requests), sum(attempts), sum(reference_nano), sum(saved_nano) FROM usage_facet_hour WHERE
 facet >= 8 GROUP BY 1, 2, 3, 4, 5, 6;
