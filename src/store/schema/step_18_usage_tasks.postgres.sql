-- What a request was for (task), how often it was tried (attempts), and what its tokens would have cost on the reference
-- model (reference_nano; saved_nano: that less the cost, of the requests of which both are known).
ALTER TABLE usage_dim ADD COLUMN task_id BIGINT NOT NULL DEFAULT 0;
DO $$
DECLARE
 c record;
BEGIN
 FOR c IN
  SELECT k.conname AS name FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
   JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
   WHERE t.relname = 'usage_dim' AND k.contype = 'u'
 LOOP
  EXECUTE format('ALTER TABLE usage_dim DROP CONSTRAINT %I', c.name);
 END LOOP;
END $$;
ALTER TABLE usage_dim ADD UNIQUE (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id,
 upstream_model_id, endpoint, status, error_id, tags_id, task_id);

ALTER TABLE usage ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN reference_nano BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN reference_nano BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN saved_nano BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN reference_nano BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN saved_nano BIGINT NOT NULL DEFAULT 0;

-- As usage_day. month: its first day.
CREATE TABLE usage_month (
 tenant_id BIGINT NOT NULL,
 month BIGINT NOT NULL,
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
 attempts BIGINT NOT NULL DEFAULT 0,
 reference_nano BIGINT NOT NULL DEFAULT 0,
 saved_nano BIGINT NOT NULL DEFAULT 0,
 PRIMARY KEY (tenant_id, month, dim_id)
);
INSERT INTO usage_month
 SELECT tenant_id, CAST(extract(epoch FROM date_trunc('month', to_timestamp(day * 86400) AT TIME ZONE 'UTC')) AS BIGINT)
 / 86400, dim_id, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_cache_write),
 sum(tokens_out), sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us), sum(ttft_requests), 0, 0, 0
 FROM usage_day GROUP BY 1, 2, 3;
