-- Data keys of the sealed store.

-- What wraps them: how often it was changed, where it is, and a known text under it, which a wrong one does not open.
CREATE TABLE master_key (
 one INTEGER PRIMARY KEY CHECK (one = 1),
 generation INTEGER NOT NULL,
 source TEXT NOT NULL,
 check_value BLOB NOT NULL,
 changed_at INTEGER NOT NULL
) STRICT;

-- purpose: seal (a tenant's secrets), api_key_hash and secret_key (the default tenant's: what hashes API keys, and what
-- sealed before there were data keys). key_id: random; sealed values name it. rekeying: values are being sealed anew with
-- this one. retired_at: since when there is a newer one.
CREATE TABLE data_key (
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 purpose TEXT NOT NULL,
 version INTEGER NOT NULL,
 key_id BLOB NOT NULL CHECK (length(key_id) = 8),
 wrapped BLOB NOT NULL,
 created_at INTEGER NOT NULL,
 retired_at INTEGER NOT NULL DEFAULT 0,
 rekeying INTEGER NOT NULL DEFAULT 0,
 PRIMARY KEY (tenant_id, purpose, version)
) STRICT, WITHOUT ROWID;
