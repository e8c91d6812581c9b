-- Files that clients put in, and batches of requests that are made of them. Each is of a place in its tenant:
-- place_kind 0 is the tenant at large, 1 a project, 2 a user, 3 a service account (place_id).
CREATE TABLE stored_file (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 place_kind INTEGER NOT NULL,
 place_id INTEGER NOT NULL,
 key_id INTEGER NOT NULL,
 created_at INTEGER NOT NULL,
 expires_at INTEGER NOT NULL,
 purpose TEXT NOT NULL,
 name TEXT NOT NULL,
 bytes INTEGER NOT NULL,
 complete INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX stored_file_by_place ON stored_file (tenant_id, place_kind, place_id, id);
CREATE INDEX stored_file_by_expiry ON stored_file (expires_at) WHERE expires_at > 0;
CREATE INDEX stored_file_incomplete ON stored_file (created_at) WHERE complete = 0;

-- A file's bytes, piece by piece, sealed. id: the file's, times 2 to the 20th, and the piece's number.
CREATE TABLE stored_file_piece (
 id INTEGER NOT NULL PRIMARY KEY,
 tenant_id INTEGER NOT NULL,
 bytes BLOB NOT NULL
) STRICT;
CREATE INDEX stored_file_piece_by_tenant ON stored_file_piece (tenant_id, id);

-- held_by: the server (its data directory) that runs it, until held_until. address, origin: where the request for it
-- came from.
CREATE TABLE batch (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL,
 place_kind INTEGER NOT NULL,
 place_id INTEGER NOT NULL,
 key_id INTEGER NOT NULL,
 address TEXT NOT NULL,
 origin TEXT NOT NULL,
 endpoint TEXT NOT NULL,
 status TEXT NOT NULL,
 outcome TEXT NOT NULL DEFAULT '',
 metadata TEXT NOT NULL,
 errors TEXT NOT NULL DEFAULT '',
 concurrency INTEGER NOT NULL,
 output_ttl_s INTEGER NOT NULL DEFAULT 0,
 input_file_id INTEGER NOT NULL,
 output_file_id INTEGER NOT NULL DEFAULT 0,
 error_file_id INTEGER NOT NULL DEFAULT 0,
 created_at INTEGER NOT NULL,
 expires_at INTEGER NOT NULL,
 in_progress_at INTEGER NOT NULL DEFAULT 0,
 finalizing_at INTEGER NOT NULL DEFAULT 0,
 completed_at INTEGER NOT NULL DEFAULT 0,
 failed_at INTEGER NOT NULL DEFAULT 0,
 expired_at INTEGER NOT NULL DEFAULT 0,
 cancelling_at INTEGER NOT NULL DEFAULT 0,
 cancelled_at INTEGER NOT NULL DEFAULT 0,
 total INTEGER NOT NULL DEFAULT 0,
 completed INTEGER NOT NULL DEFAULT 0,
 failed INTEGER NOT NULL DEFAULT 0,
 held_by INTEGER NOT NULL DEFAULT 0,
 held_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX batch_by_place ON batch (tenant_id, place_kind, place_id, id);
CREATE INDEX batch_by_input ON batch (tenant_id, input_file_id);
CREATE INDEX batch_open ON batch (id) WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling');

-- What came of a line, until its batch has ended. id: the batch's, times 2 to the 24th, and the line's number.
CREATE TABLE batch_line (
 id INTEGER NOT NULL PRIMARY KEY,
 tenant_id INTEGER NOT NULL,
 ok INTEGER NOT NULL,
 result BLOB NOT NULL
) STRICT;
CREATE INDEX batch_line_by_tenant ON batch_line (tenant_id, id);
