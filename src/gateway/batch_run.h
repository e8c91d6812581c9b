// One batch that this server runs, for the files batch*.c alone.
// Thread rule: all of it is the thread's of batches.
#ifndef GATEWAY_BATCH_RUN_H
#define GATEWAY_BATCH_RUN_H

#include "gateway/batch_item.h"
#include "gateway/batch_lines.h"
#include "gateway/batch_native.h"
#include "store/batch.h"

struct batch_run {
    struct batch_run *next;
    struct batch batch; // texts in the arena
    enum batch_status status;
    struct arena arena;
    bool over;      // it has ended, or is another server's: goes when nothing of it is under way
    bool claimed;   // in this round
    bool reading;   // the reader is there
    bool input_end; // all lines were read
    struct batch_reader reader;
    uint8_t *done; // a bit for each line that has a result
    size_t done_bytes;
    size_t in_flight;        // lines at the loops, or waiting to be tried again
    uint64_t pause_until_ns; // monotonic
    struct keyring *ring;
    const struct key_entry *key;
    bool gone;         // its key is
    uint64_t ring_ns;  // when the ring was made, monotonic; 0 = never
    uint64_t again_ns; // not looked at before, after a fault; monotonic
    struct batch_native native;
};

// What the functions here work with.
struct batch_work {
    struct sql *db;
    const struct datadir *dir;
    const struct conf *conf;
    int64_t holder;
    const atomic_bool *stop; // give up soon
    struct log *log;
    struct batches *batches;
    struct gateway_loop *const *loops;
    size_t n_loops;
};

static inline struct sql_scope batch_scope(const struct batch_work *w, const struct batch_run *run) {
    return sql_tenant(w->db, run->batch.tenant);
}

NODISCARD bool batch_run_open(const struct batch_work *w, int64_t tenant, int64_t id, struct batch_run **out_run,
                              struct err *err);
void batch_run_free(struct batch_run *run);
bool batch_run_is_done(const struct batch_run *run, int64_t line);
NODISCARD bool batch_run_note_done(struct batch_run *run, int64_t line);

// validating → in_progress or failed.
NODISCARD bool batch_run_validate(const struct batch_work *w, struct batch_run *run, struct err *err);
// The next line to be run; *out_line NULL: there is none. Its key's ring is no older than a second.
NODISCARD bool batch_run_next(const struct batch_work *w, struct batch_run *run, struct batch_line **out_line,
                              struct err *err);
void batch_line_free(struct batch_line *line);
// One step, of a batch that is still the holder's; else it is over.
NODISCARD bool batch_run_go(const struct batch_work *w, struct batch_run *run, struct batch_step *step,
                            struct err *err);
// finalizing → its outcome: writes the files.
NODISCARD bool batch_run_finish(const struct batch_work *w, struct batch_run *run, struct err *err);

// What is kept of a line that was run: a line of a file.
void batch_result_put(struct buf *out, const struct batch_line *line, int64_t batch);
// Of one that was not.
void batch_result_put_missing(struct buf *out, struct str custom_id, int64_t batch, int64_t line,
                              enum batch_status outcome);
// Whether the answer is a success, and else whether the same request may have one later.
bool batch_line_ok(const struct batch_line *line);
bool batch_line_may_retry(const struct batch_line *line);

#endif
