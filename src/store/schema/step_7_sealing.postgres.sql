-- Data keys of the sealed store.

-- What wraps them: how often it was changed, where it is, and a known text under it, which a wrong one does not open.
CREATE TABLE master_key (
 one BIGINT PRIMARY KEY CHECK (one = 1),
 generation BIGINT NOT NULL,
 source TEXT COLLATE "C" NOT NULL,
 check_value BYTEA NOT NULL,
 changed_at BIGINT NOT NULL
);

-- purpose: seal (a tenant's secrets), api_key_hash and secret_key (the default tenant's: what hashes API keys, and what
-- sealed before there were data keys). key_id: random; sealed values name it. rekeying: values are being sealed anew with
-- this one. retired_at: since when there is a newer one.
CREATE TABLE data_key (
 tenant_id BIGINT NOT NULL REFERENCES tenant (id),
 purpose TEXT COLLATE "C" NOT NULL,
 version BIGINT NOT NULL,
 key_id BYTEA NOT NULL CHECK (length(key_id) = 8),
 wrapped BYTEA NOT NULL,
 created_at BIGINT NOT NULL,
 retired_at BIGINT NOT NULL DEFAULT 0,
 rekeying BIGINT NOT NULL DEFAULT 0,
 PRIMARY KEY (tenant_id, purpose, version)
);
