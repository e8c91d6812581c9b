-- The audit trail: see store/audit.h. Keys that signed, one of which signs now; secret: sealed, and NULL once it is retired.
-- by_previous: the key before signed this one (the first: itself); of_previous: this one signed the key before.
CREATE TABLE audit_key (
 id INTEGER PRIMARY KEY,
 created_at INTEGER NOT NULL,
 retired_at INTEGER NOT NULL DEFAULT 0,
 public_key BLOB NOT NULL CHECK (length(public_key) = 32),
 secret BLOB,
 by_previous BLOB,
 of_previous BLOB
) STRICT;

-- hash: of the event and of the hash before it. address_key: the address as 32 hexadecimal digits, for ranges of addresses.
CREATE TABLE audit_event (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 seq INTEGER NOT NULL,
 at INTEGER NOT NULL,
 actor_kind TEXT NOT NULL,
 actor_id TEXT NOT NULL,
 actor_name TEXT NOT NULL,
 on_behalf TEXT NOT NULL,
 action TEXT NOT NULL,
 resource_type TEXT NOT NULL,
 resource_id TEXT NOT NULL,
 resource_name TEXT NOT NULL,
 outcome INTEGER NOT NULL,
 reason TEXT NOT NULL,
 address TEXT NOT NULL,
 address_key TEXT NOT NULL,
 agent TEXT NOT NULL,
 request_id TEXT NOT NULL,
 before_json TEXT NOT NULL,
 after_json TEXT NOT NULL,
 hash BLOB NOT NULL CHECK (length(hash) = 32),
 UNIQUE (tenant_id, seq)
) STRICT;
CREATE INDEX audit_event_by_time ON audit_event (tenant_id, at, seq);
CREATE INDEX audit_event_by_actor ON audit_event (tenant_id, actor_id, at, seq);
CREATE INDEX audit_event_by_actor_name ON audit_event (tenant_id, actor_name, at, seq);
CREATE INDEX audit_event_by_action ON audit_event (tenant_id, action, at, seq);
CREATE INDEX audit_event_by_resource_type ON audit_event (tenant_id, resource_type, at, seq);
CREATE INDEX audit_event_by_resource ON audit_event (tenant_id, resource_id, at, seq);
CREATE INDEX audit_event_by_outcome ON audit_event (tenant_id, outcome, at, seq);
CREATE INDEX audit_event_by_address ON audit_event (tenant_id, address_key, at, seq);
CREATE INDEX audit_event_by_request ON audit_event (tenant_id, request_id, at, seq);
CREATE TRIGGER audit_event_updated BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever appended to'); END;
CREATE TRIGGER audit_event_deleted BEFORE DELETE ON audit_event
 WHEN NOT EXISTS (SELECT 1 FROM tenant_deletion d WHERE d.tenant = OLD.tenant_id AND d.finished_at = 0) BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever appended to'); END;

-- The words of each event, for full-text search; its rowid is the event's id.
CREATE VIRTUAL TABLE audit_text USING fts5 (words, content = '', columnsize = 0, detail = none, tokenize = 'ascii');

-- The newest event of each chain, signed; and signed ones on the way.
CREATE TABLE audit_head (
 tenant_id INTEGER PRIMARY KEY,
 seq INTEGER NOT NULL,
 at INTEGER NOT NULL,
 hash BLOB NOT NULL CHECK (length(hash) = 32),
 key_id INTEGER NOT NULL,
 signature BLOB NOT NULL,
 checkpoint_seq INTEGER NOT NULL,
 checkpoint_at INTEGER NOT NULL
) STRICT;
CREATE TABLE audit_checkpoint (
 tenant_id INTEGER NOT NULL,
 seq INTEGER NOT NULL,
 at INTEGER NOT NULL,
 hash BLOB NOT NULL CHECK (length(hash) = 32),
 key_id INTEGER NOT NULL,
 signature BLOB NOT NULL,
 PRIMARY KEY (tenant_id, seq)
) STRICT;
CREATE TRIGGER audit_checkpoint_updated BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever appended to'); END;
CREATE TRIGGER audit_checkpoint_deleted BEFORE DELETE ON audit_checkpoint
 WHEN NOT EXISTS (SELECT 1 FROM tenant_deletion d WHERE d.tenant = OLD.tenant_id AND d.finished_at = 0) BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever appended to'); END;

-- How far each sink was told of each chain.
CREATE TABLE audit_cursor (
 sink TEXT NOT NULL,
 tenant_id INTEGER NOT NULL,
 seq INTEGER NOT NULL,
 at INTEGER NOT NULL,
 PRIMARY KEY (sink, tenant_id)
) STRICT;

-- Requests and answers, where a tenant has them logged: masked and sealed.
CREATE TABLE content_log (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 request_id TEXT NOT NULL,
 at INTEGER NOT NULL,
 key_id INTEGER NOT NULL,
 model TEXT NOT NULL,
 status INTEGER NOT NULL,
 expires_at INTEGER NOT NULL,
 request BLOB NOT NULL,
 answer BLOB NOT NULL
) STRICT;
CREATE INDEX content_log_by_request ON content_log (tenant_id, request_id);
CREATE INDEX content_log_by_expiry ON content_log (expires_at);
