-- Batches that are, or were, run by a provider's own batch API. id: the batch's. state: creating, there, fetching, done,
-- or own where the server runs the lines itself after all. epoch: of the request ids of its lines.
CREATE TABLE batch_provider (
 id INTEGER NOT NULL PRIMARY KEY,
 tenant_id INTEGER NOT NULL,
 state TEXT NOT NULL,
 provider TEXT NOT NULL,
 model TEXT NOT NULL,
 url TEXT NOT NULL,
 epoch INTEGER NOT NULL,
 changed_at INTEGER NOT NULL,
 lines INTEGER NOT NULL,
 remote_status TEXT NOT NULL,
 remote_id TEXT NOT NULL,
 input_file TEXT NOT NULL,
 output_file TEXT NOT NULL,
 error_file TEXT NOT NULL
) STRICT;
CREATE INDEX batch_provider_by_tenant ON batch_provider (tenant_id, id);
