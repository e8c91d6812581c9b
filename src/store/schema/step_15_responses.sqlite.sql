-- Responses that clients go on from: what was asked and what was answered, sealed. See store/response.h.
CREATE TABLE response (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 name TEXT NOT NULL,
 previous TEXT NOT NULL,
 place TEXT NOT NULL,
 key_id INTEGER NOT NULL,
 model TEXT NOT NULL,
 created_at INTEGER NOT NULL,
 expires_at INTEGER NOT NULL,
 input BLOB NOT NULL,
 answer BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX response_by_name ON response (tenant_id, name);
CREATE INDEX response_by_tenant ON response (tenant_id, id);
CREATE INDEX response_by_expiry ON response (expires_at);
