// Batches that a provider's own batch API runs: how far each is there, kept so that no crash sends one twice.
//
// A row is written by the server that holds its batch, and by no other. Ownership: texts read are the arena's. Thread
// rule: the connection's; blocks. Units: unix nanoseconds. Errors: those of sql.h.
#ifndef STORE_BATCH_PROVIDER_H
#define STORE_BATCH_PROVIDER_H

#include "store/batch.h"

enum batch_provider_state {
    BATCH_PROVIDER_NONE,     // not decided; no row
    BATCH_PROVIDER_OWN,      // the server runs the lines itself
    BATCH_PROVIDER_CREATING, // its file is there; its batch perhaps
    BATCH_PROVIDER_THERE,    // its batch is there
    BATCH_PROVIDER_FETCHING, // it has ended there
    BATCH_PROVIDER_DONE,     // all that came of it has been fetched
    BATCH_PROVIDER_STATE_COUNT
};

struct batch_provider {
    enum batch_provider_state state;
    struct str provider, model;                                // as the provider calls it
    struct str url;                                            // of its lines: "/v1/chat/completions"
    int64_t epoch;                                             // request ids of its lines: store/lease.h
    int64_t changed_at;                                        // when it got into this state
    int64_t lines;                                             // that were sent
    struct str remote_status;                                  // its last one there
    struct str remote_id, input_file, output_file, error_file; // as the provider names them; empty: none
};

// state BATCH_PROVIDER_NONE: there is no row.
NODISCARD bool batch_provider_get(struct sql_scope scope, int64_t batch, struct arena *arena,
                                  struct batch_provider *out_row, struct err *err);
// *out_ours: the batch is the holder's; else nothing was written.
NODISCARD bool batch_provider_put(struct sql_scope scope, int64_t batch, int64_t holder,
                                  const struct batch_provider *row, bool *out_ours, struct err *err);

#endif
