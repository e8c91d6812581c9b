// The usage ledger: one record a request, kept across kill -9, applied to SQL in batches by a thread of its own.
//
// A loop appends BEGIN before it calls upstream and END before the answer's last byte leaves, each a few stores into a
// mapped segment file. The ledger's thread makes segments durable in groups, applies the records to the usage table,
// each request id once, and deletes segments that hold nothing more. Records of processes that died are applied at the
// next ledger_open; requests they had begun and not ended become rows of status USAGE_STATUS_UNKNOWN.
//
// Ownership: the ledger owns its writers. Thread rule: each writer belongs to one loop; health, wake and counters may
// be read from any thread; callbacks run on the ledger's thread and must not block or call the ledger. Errors: an
// append never fails the request: its result says how safe the record is.
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "base/err.h"
#include "store/usage.h"

struct ledger;
struct ledger_writer;

// What the operator is told, once a change, not once a record.
enum ledger_event {
    LEDGER_REPLAYED,  // records of an earlier process were applied
    LEDGER_DAMAGE,    // a segment was damaged; it lies in DIR/wal/quarantine
    LEDGER_DISK_FULL, // no segment can be made or made durable: records wait in memory
    LEDGER_DB_ERROR,  // the database refuses: records wait in segments
    LEDGER_RECOVERED, // what was wrong with the disk or the database is over
    LEDGER_DROPPED,   // the memory queue is full: records are being lost
};

struct ledger_options {
    struct str data_dir;  // segments live in DATA/wal
    struct str database;  // the SQL database's file, with migrations applied; empty = DATA/penstock.db
    int64_t place;        // the data directory's number, when several share the database
    unsigned writers;     // one a loop
    size_t segment_bytes; // 0 = 4 MiB
    uint64_t queue_max;   // records held in memory when there is no segment; 0 = 100,000
    unsigned sync_ms;     // 0 = 4
    unsigned apply_ms;    // 0 = 200
    unsigned apply_batch; // 0 = 24,000: apply sooner when so many wait
    void (*on_event)(void *arg, enum ledger_event event, const char *message); // may be NULL
    void *arg;
};

enum ledger_result {
    LEDGER_KEPT,   // in the page cache: survives the process
    LEDGER_QUEUED, // in memory only, because there is no segment to write to (the disk is full)
    LEDGER_LOST,   // the memory queue is full too; counted
};

// Replays what earlier processes left before it returns, for up to two seconds and then in the background; a database
// that is busy or full is no error. Refuses (ERR_STORE_BUSY) when another process has the ledger of that folder open.
// Whether a server has the ledger of this data directory open.
NODISCARD bool ledger_in_use(struct str data_dir, bool *out_used, struct err *err);
NODISCARD bool ledger_open(const struct ledger_options *opt, struct ledger **out_ledger, struct err *err);
// Applies everything and leaves no segment behind, unless the database refuses for longer than wait_ms; then the
// segments stay for the next start. Loops must have stopped using their writers. NULL is allowed.
void ledger_close(struct ledger *ledger, unsigned wait_ms);

// i < writers.
struct ledger_writer *ledger_writer(struct ledger *ledger, unsigned i);

// Before the upstream call: id, tenant, key, ts, endpoint, model, provider are what matters. Without a segment that has
// room for it and for its end it is not kept: LEDGER_LOST.
enum ledger_result ledger_begin(struct ledger_writer *w, const struct usage_record *rec);
// Before the answer's last byte leaves, with or without a ledger_begin before.
enum ledger_result ledger_end(struct ledger_writer *w, const struct usage_record *rec);
// Calls done(arg, ok), once, when everything this writer has appended is on disk (ok), or could not be brought there.
// False, and no call, when out of memory.
NODISCARD bool ledger_sync_wait(struct ledger_writer *w, void (*done)(void *arg, bool ok), void *arg);

struct ledger_health {
    uint64_t appended; // END records taken, in segments or in memory
    uint64_t applied;  // of those and of replayed ones: now in the database
    uint64_t pending;  // taken and not applied yet
    uint64_t queued;   // of those: in memory only
    uint64_t dropped;  // lost, the queue being full
    uint64_t replayed; // records found in the segments of earlier processes
    uint64_t unknown;  // requests of earlier processes that were begun and not ended
    uint64_t damaged;  // segments found damaged
    uint64_t segments; // files now in the log
    uint64_t syncs, batches;
    bool disk_full; // no segment can be made
    bool db_busy;   // the last apply failed: locked, full or unreachable
    char last_error[256];
};
void ledger_health(struct ledger *ledger, struct ledger_health *out_health);

#endif
