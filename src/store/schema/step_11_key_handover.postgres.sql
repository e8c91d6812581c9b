-- The text of a key that the clock made, sealed, until its holder collects it; since when it waits.
ALTER TABLE api_key ADD COLUMN handover BYTEA;
ALTER TABLE api_key ADD COLUMN handover_at BIGINT NOT NULL DEFAULT 0;
-- Since when all its use came from last_used_address.
ALTER TABLE api_key ADD COLUMN address_since BIGINT NOT NULL DEFAULT 0;
CREATE INDEX api_key_by_rotation ON api_key (rotate_at) WHERE rotate_at > 0;
