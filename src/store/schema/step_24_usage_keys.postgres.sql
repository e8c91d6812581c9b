-- What usage adds up to by one thing alone, for two more of them: facet 8 a key (value: its number), 9 whose it is (value:
-- the owner's number, value2: the owner's kind). What has no key, or whose key has no owner, is not in that facet.
INSERT INTO usage_facet_hour
 SELECT r.tenant_id, r.hour, f.facet, f.value, f.value2, f.failed, sum(r.requests), sum(r.unpriced), sum(r.tokens_in),
 sum(r.tokens_cached), sum(r.tokens_cache_write), sum(r.tokens_out), sum(r.tokens_reasoning), sum(r.cost_nano),
 sum(r.latency_us), sum(r.ttft_us), sum(r.ttft_requests), sum(r.attempts), sum(r.reference_nano), sum(r.saved_nano)
 FROM usage_hour r JOIN (
 SELECT id, 8 AS facet, key_id AS value, 0 AS value2, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END AS failed
 FROM usage_dim WHERE key_id <> 0
 UNION ALL SELECT id, 9, owner_id, owner_kind, CASE WHEN status >= 400 OR error_id <> 0 THEN 1 ELSE 0 END FROM usage_dim
 WHERE owner_id <> 0 OR owner_kind <> 0) f
 ON f.id = r.dim_id GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO usage_facet_day
 SELECT tenant_id, hour / 24, facet, value, value2, failed, sum(requests), sum(unpriced), sum(tokens_in),
 sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us),
 sum(ttft_us), sum(ttft_requests), sum(attempts), sum(reference_nano), sum(saved_nano) FROM usage_facet_hour WHERE
 facet >= 8 GROUP BY 1, 2, 3, 4, 5, 6;
