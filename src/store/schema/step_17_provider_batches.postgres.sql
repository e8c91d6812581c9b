-- Batches that are, or were, run by a provider's own batch API. id: the batch's. state: creating, there, fetching, done,
-- or own where the server runs the lines itself after all. epoch: of the request ids of its lines.
CREATE TABLE batch_provider (
 id BIGINT NOT NULL PRIMARY KEY,
 tenant_id BIGINT NOT NULL,
 state TEXT COLLATE "C" NOT NULL,
 provider TEXT COLLATE "C" NOT NULL,
 model TEXT COLLATE "C" NOT NULL,
 url TEXT COLLATE "C" NOT NULL,
 epoch BIGINT NOT NULL,
 changed_at BIGINT NOT NULL,
 lines BIGINT NOT NULL,
 remote_status TEXT COLLATE "C" NOT NULL,
 remote_id TEXT COLLATE "C" NOT NULL,
 input_file TEXT COLLATE "C" NOT NULL,
 output_file TEXT COLLATE "C" NOT NULL,
 error_file TEXT COLLATE "C" NOT NULL
);
CREATE INDEX batch_provider_by_tenant ON batch_provider (tenant_id, id);
