// Rows that event loops hand over and a thread of their own writes to the database, many in a transaction.
//
// What waits is bounded; past the bound rows are dropped. While the database is locked, full or away, what waits stays
// and is tried again, ever more rarely; a row that the database refuses while it takes others is dropped after a few
// tries. Dropped rows are counted (penstock_rows_dropped), and the log says how many: at once, then at most once a
// minute. Rows are in memory only: a process that is killed loses those that wait.
//
// Ownership: row_writer_start … row_writer_end; the options' parts are borrowed, and so is the kind. Thread rule: any
// thread; putting copies and takes a short lock. Errors: those of starting; a failure to write is logged, and so is its
// end.
#ifndef STORE_ROW_WRITER_H
#define STORE_ROW_WRITER_H

#include "obs/log.h"
#include "obs/metrics.h"
#include "store/datadir.h"

struct row_kind {
    const char *name;           // of the thread, and in the log and the metrics
    size_t max_rows, max_bytes; // that wait
    uint64_t gather_ns;         // how long the first waits for others
    // In an open transaction. It may run again for the same row: after a failure, and when nobody knows whether the
    // transaction was carried out.
    bool (*write)(const struct datadir *dir, struct sql *db, const void *row, struct err *err);
    bool (*expire)(struct sql *db, struct err *err); // after each lot and about once a minute; NULL: nothing expires
};

struct row_writer;
struct row_writer_options {
    const struct datadir *dir;
    struct log *log;
    struct metrics *metrics; // outlives the writer; not rendered after its end; NULL: none
};
NODISCARD bool row_writer_start(const struct row_kind *kind, const struct row_writer_options *options,
                                struct row_writer **out_writer, struct err *err);
// Writes what waits, but begins nothing after until_ns (clock_mono_ns); what is left then is lost, and logged. NULL is
// fine.
void row_writer_end(struct row_writer *writer, uint64_t until_ns);

// Copies the value of `size` bytes, and the slices in it that `texts` points to. tag: for row_writer_settle. writer
// NULL: nothing is written.
void row_writer_put(struct row_writer *writer, const void *value, size_t size, const struct str *const *texts, size_t n,
                    uint64_t tag);
// One that is not even handed over is counted.
void row_writer_drop(struct row_writer *writer);
// Waits until no row with this tag waits any more, or that time has passed.
void row_writer_settle(struct row_writer *writer, uint64_t tag, uint64_t timeout_ns);

struct row_writer_stats {
    uint64_t waiting, dropped; // rows
};
void row_writer_stats_get(struct row_writer *writer, struct row_writer_stats *out_stats);

#endif
