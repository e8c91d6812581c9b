// What the files of the usage ledger share: its state and which thread may touch what.
//
// Three kinds of threads: the loops (ledger_writer.c), the sync thread (ledger_sync.c), which makes, syncs and removes
// segment files, and the apply thread (ledger_apply.c, ledger_replay.c), which owns the database connection. A segment
// goes SPARE → LIVE → CLOSED (its loop) → DONE (apply thread, once nothing in it is needed) → removed (sync thread).
#ifndef STORE_LEDGER_INTERNAL_H
#define STORE_LEDGER_INTERNAL_H

#include "base/vec.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/ledger.h"
#include "store/ledger_begun.h"
#include "store/ledger_files.h"
#include "store/ledger_rows.h"
#include "store/wal.h"

#include <inttypes.h>

enum segment_state { SEGMENT_SPARE, SEGMENT_LIVE, SEGMENT_CLOSED, SEGMENT_DONE };

struct ledger_segment {
    struct wal_segment *wal;
    unsigned owner; // index of the writer; l->n_writers = the ledger's own, for what comes out of the memory queue
    uint64_t state; // atomic, enum segment_state
    size_t synced;  // sync thread
    // apply thread
    size_t applied, scanned; // scanned: what the batch in the making goes up to
    uint64_t open;           // requests begun here and not ended
    bool damaged;
    bool pinned; // the count may be too low: there was no memory
};
struct segments {
    VEC(struct ledger_segment *) list;
};

// A record that waits in memory.
struct queued {
    struct queued *next;
    size_t n;
    char payload[];
};
struct queue {
    struct queued *head, **tail;
    uint64_t n;
};
struct waiter {
    struct waiter *next;
    void (*done)(void *arg, bool ok);
    void *arg;
};

struct ledger_writer {
    uint64_t begun; // BEGIN records appended
    struct ledger *ledger;
    unsigned index;
    struct ledger_segment *current; // NULL: none to be had
    uint64_t ended;                 // atomic; END records taken
    struct ledger_segment *spare;   // atomic; put there by the sync thread
} __attribute__((aligned(64)));

struct ledger {
    struct ledger_options opt; // defaults filled in; its slices are not kept
    char *dir, *database;
    struct file_lock lock;
    uint64_t epoch, first_number;
    struct ledger_writer *writers; // n_writers + 1: the last is the sync thread's own
    unsigned n_writers;
    uint64_t asleep; // atomic: the sync thread waits for a loop to wake it

    struct mutex m; // guards the next group
    struct cond wake_sync, wake_apply, replay_tried;
    struct segments segments; // all files of this process; the apply thread works on copies
    struct queue queue;
    struct waiter *waiters;
    bool kicked;       // do a round now
    bool apply_wanted; // there is something to apply, at apply_due
    bool apply_urgent; // and at once
    bool backing_off;  // the database refused: apply_due is not to be hurried
    bool replay_was_tried;
    bool apply_stop, sync_stop; // apply_stop: the loops have stopped
    uint64_t apply_due, stop_deadline;
    char last_error[256];

    // sync thread
    struct thread sync_thread;
    uint64_t next_number, create_retry_at, applied_hint;
    unsigned create_backoff_ms;
    bool dir_dirty, dropping;
    uint64_t dropped_told;

    // apply thread
    struct thread apply_thread;
    struct ledger_rows rows;
    struct begun begun; // id → struct ledger_segment
    struct ledger_batch batch;
    struct ledger_numbers dead;   // files to replay
    struct ledger_numbers forget; // segments done, whose marks go with the next batch
    unsigned apply_backoff_ms;
    bool replayed_all, all_applied, left_some;

    // atomic
    uint64_t applied, applied_replay, dropped, unknown, damaged, syncs, batches;
    uint64_t draining; // records are on their way from memory into a segment
    uint64_t disk_full, disk_failed,
        db_busy; // atomic flags: no segment can be made; none can be synced; no batch written
};

// ledger_writer.c
void ledger_kick(struct ledger *l); // takes the mutex

// ledger_queue.c; all but init and free take the mutex
void ledger_queue_init(struct queue *q);
// False when the queue is full.
bool ledger_queue_push(struct ledger *l, const struct usage_record *rec);
// The oldest ones, as a list that is the caller's.
struct queued *ledger_queue_take(struct ledger *l, uint64_t max, uint64_t *out_n);
// Before what was pushed meanwhile; takes the list of n over.
void ledger_queue_return(struct ledger *l, struct queued *head, uint64_t n);
void ledger_queue_free(struct queued *head);

// ledger_sync.c
void ledger_sync_main(void *arg);
// Makes a first segment for each writer, so that the loops find one.
void ledger_sync_prepare(struct ledger *l);
// The end, when no other thread is left: moves the memory queue into a segment, removes what is applied, syncs the
// rest.
void ledger_sync_finish(struct ledger *l);
static inline enum segment_state segment_state(const struct ledger_segment *s) {
    return (enum segment_state)atom_load(&s->state);
}

// ledger_apply.c
void ledger_apply_main(void *arg);
// Writes l->batch, opening the database if need be; false: it refused, and the operator was told.
bool ledger_apply_write(struct ledger *l);
// As far as a segment is applied, 0 = not at all; and forgets the segments of earlier processes. False likewise.
bool ledger_apply_mark(struct ledger *l, uint64_t segment, uint64_t *out_offset);
bool ledger_apply_forget(struct ledger *l);
// Puts the requests among `bytes` that `begun` has with `where` into the batch, as unknown ones; false without memory.
bool ledger_apply_unknown(struct ledger *l, const struct begun *begun, struct str bytes, const void *where);
// The sync thread saw new records; called with the mutex held.
void ledger_apply_want(struct ledger *l, bool urgent);

// ledger_replay.c: all files of l->dead; false: to be tried again.
bool ledger_replay(struct ledger *l);

// ledger.c
// END records taken so far; and whether at least n of them wait to be applied.
uint64_t ledger_ended(const struct ledger *l);
bool ledger_has_waiting(const struct ledger *l, uint64_t n);
void ledger_tell(struct ledger *l, enum ledger_event event, const struct err *err);
// Sets or clears one of the flags disk_full, disk_failed and db_busy, and tells the operator when it changed. err NULL
// = cleared.
void ledger_trouble(struct ledger *l, uint64_t *flag, enum ledger_event event, const struct err *err);

#endif
