// Batches: their rows, the states they go through, which server runs them, and what came of their lines so far.
//
//   validating → in_progress → finalizing → completed | expired | cancelled
//   validating → failed;  validating, in_progress → cancelling → finalizing
//
// `outcome` says while a batch is cancelling or finalizing how it will end. A line's result is there once, however
// often it is put: it counts with the transaction that puts it.
//
// Ownership: texts read are the arena's. Thread rule: the connection's; blocks. Units: unix nanoseconds, 0 = not yet.
// Errors: those of sql.h and sealed.h; ERR_NOT_FOUND; ERR_WRONG_STATE.
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "store/stored_file.h"

#define BATCH_ID_LEN (6 + BASE32_U64_LEN) // "batch_" and 13 digits of base 32
#define BATCH_LINES_MAX (INT64_C(1) << 24)
#define BATCH_LEASE_NS (INT64_C(30) * 1000000000)

enum batch_status {
    BATCH_VALIDATING,
    BATCH_IN_PROGRESS,
    BATCH_FINALIZING,
    BATCH_COMPLETED,
    BATCH_FAILED,
    BATCH_EXPIRED,
    BATCH_CANCELLING,
    BATCH_CANCELLED,
    BATCH_STATUS_COUNT
};
struct str batch_status_text(enum batch_status status);
bool batch_status_parse(struct str text, enum batch_status *out_status);
// Whether a batch may go from one to the other in one step.
bool batch_may_go(enum batch_status from, enum batch_status to);
bool batch_has_ended(enum batch_status status);

struct batch {
    int64_t id, tenant, key_id;
    struct store_place place;
    struct str address, origin, endpoint;
    struct str wishes; // fields that go with each of its lines: "name: value\n"; empty: none
    enum batch_status status, outcome;
    struct str metadata; // JSON object
    struct str errors;   // JSON array, or empty
    int64_t concurrency; // 0 = as configured
    int64_t output_ttl_s;
    int64_t input_file, output_file, error_file; // 0 = none
    int64_t created_at, expires_at;
    int64_t at[BATCH_STATUS_COUNT]; // when it went into each state
    int64_t total, completed, failed;
};

// Sets id, in a transaction of its own. max_open: of the tenant's that have not ended. The input file's row is there.
NODISCARD bool batch_insert(struct sql_scope scope, struct batch *batch, int64_t max_open, struct err *err);
NODISCARD bool batch_get(struct sql_scope scope, const struct store_place *place, int64_t id, struct arena *arena,
                         struct batch *out_batch, struct err *err);
typedef bool batch_visit(void *arg, const struct batch *batch, struct err *err);
// The newest first, from behind `after` on (0 = from the start). Texts are borrowed for the visit.
NODISCARD bool batch_each(struct sql_scope scope, const struct store_place *place, int64_t after, int64_t limit,
                          batch_visit *visit, void *arg, struct err *err);
// Begins to cancel; of one that is being cancelled already, nothing. ERR_WRONG_STATE of one that has ended.
NODISCARD bool batch_cancel(struct sql_scope scope, const struct store_place *place, int64_t id, int64_t now_ns,
                            struct err *err);

// --- for who runs them ---

struct batch_claim {
    int64_t tenant, id;
    enum batch_status status;
};
// Those that have not ended and that nobody else holds, each tenant's oldest before anybody's second, up to max; they
// are this holder's then, or stay it, for BATCH_LEASE_NS.
NODISCARD bool batch_claim(struct sql *db, int64_t holder, int64_t now_ns, size_t max, struct batch_claim *out_claims,
                           size_t *out_n, struct err *err);
// So that others need not wait for the lease's end.
NODISCARD bool batch_release(struct sql *db, int64_t holder, struct err *err);
// The next state. *out_ours: it still is the holder's, and was in `from`. errors: JSON, or empty.
struct batch_step {
    int64_t id, holder, now_ns;
    enum batch_status from, to, outcome; // outcome: of finalizing
    struct str errors;
    int64_t total;                   // with to BATCH_IN_PROGRESS
    int64_t output_file, error_file; // at the end
};
NODISCARD bool batch_go(struct sql_scope scope, const struct batch_step *step, bool *out_ours, struct err *err);

// In a transaction: puts the result of a line (sealed) unless there is one already. *out_new: there was none.
NODISCARD bool batch_line_put(struct sql_scope scope, const struct datadir *dir, int64_t batch, int64_t line, bool ok,
                              struct str result, bool *out_new, struct err *err);
// In the same: adds to the counts. *out_ours as above.
NODISCARD bool batch_count(struct sql_scope scope, int64_t batch, int64_t holder, int64_t completed, int64_t failed,
                           bool *out_ours, struct err *err);
// The numbers of the lines that have results, in order.
typedef bool batch_line_visit(void *arg, int64_t line, struct str result, struct err *err);
NODISCARD bool batch_lines_done(struct sql_scope scope, int64_t batch, batch_line_visit *visit, void *arg,
                                struct err *err);
// Up to `limit` results behind the line `after` (-1: from the first), opened. *out_n: how many there were.
NODISCARD bool batch_lines_read(struct sql_scope scope, const struct datadir *dir, int64_t batch, bool ok,
                                int64_t after, int limit, batch_line_visit *visit, void *arg, int *out_n,
                                struct err *err);
NODISCARD bool batch_lines_delete(struct sql_scope scope, int64_t batch, struct err *err);

void batch_id_text(char out[BATCH_ID_LEN], int64_t id);
NODISCARD bool batch_id_parse(struct str text, int64_t *out_id);

#endif
