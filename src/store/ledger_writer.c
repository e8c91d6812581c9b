// The loops' side of the usage ledger: appending records.
#include "base/mem.h"
#include "store/ledger_internal.h"

#define BEGINS_PER_LOOK 256
#define ROOM_OF_TWO (2 * USAGE_ENCODED_MAX + WAL_RECORD_HEADER_SIZE)

void ledger_kick(struct ledger *l) {
    mutex_lock(&l->m);
    l->kicked = true;
    __atomic_store_n(&l->asleep, 0, __ATOMIC_SEQ_CST);
    cond_signal(&l->wake_sync);
    mutex_unlock(&l->m);
}

// Only the first append after a rest pays for this.
static COLD void rouse(struct ledger *l) {
    mutex_lock(&l->m);
    __atomic_store_n(&l->asleep, 0, __ATOMIC_SEQ_CST);
    cond_signal(&l->wake_sync);
    mutex_unlock(&l->m);
}

// The commit's barrier lies between its store and this load, as the sync thread's lies between going to sleep and its
// last look at the segments: one of the two sees the other.
static inline void rouse_if_asleep(struct ledger *l) {
    if (UNLIKELY(__atomic_load_n(&l->asleep, __ATOMIC_SEQ_CST))) rouse(l);
}

// The prepared segment becomes the current one, when there is one.
static COLD bool next_segment(struct ledger_writer *w) {
    if (w->current) {
        atom_store(&w->current->state, SEGMENT_CLOSED);
        w->current = NULL;
        ledger_kick(w->ledger);
    }
    w->current = __atomic_exchange_n(&w->spare, NULL, __ATOMIC_ACQ_REL);
    if (!w->current) return false;
    atom_store(&w->current->state, SEGMENT_LIVE);
    return true;
}

static inline bool append(struct ledger_writer *w, enum wal_type type, const struct usage_record *rec) {
    char *p = LIKELY(w->current != NULL) ? wal_reserve(w->current->wal, USAGE_ENCODED_MAX) : NULL;
    if (UNLIKELY(!p)) {
        if (!next_segment(w)) return false;
        p = wal_reserve(w->current->wal, USAGE_ENCODED_MAX);
    }
    wal_commit(w->current->wal, type, usage_encode(rec, p));
    return true;
}

// While there is no other segment, the last of this one is for the ENDs, which matter more.
static inline bool has_room_to_begin(const struct ledger_writer *w) {
    return LIKELY(!w->current || wal_reserve(w->current->wal, ROOM_OF_TWO)) ||
           __atomic_load_n(&w->spare, __ATOMIC_ACQUIRE);
}

enum ledger_result ledger_begin(struct ledger_writer *w, const struct usage_record *rec) {
    if (UNLIKELY(!has_room_to_begin(w))) {
        rouse_if_asleep(w->ledger);
        return LEDGER_LOST;
    }
    if (UNLIKELY(!append(w, WAL_BEGIN, rec))) return LEDGER_LOST;
    // A BEGIN alone need not reach the disk: it matters to a process that is killed, and the page cache outlives that.
    // But many of them use up the segment, and the next one must be ready by then.
    if (UNLIKELY(++w->begun % BEGINS_PER_LOOK == 0)) rouse_if_asleep(w->ledger);
    return LEDGER_KEPT;
}

static COLD enum ledger_result end_in_memory(struct ledger_writer *w, const struct usage_record *rec) {
    if (ledger_queue_push(w->ledger, rec)) return LEDGER_QUEUED;
    atom_add_relaxed(&w->ledger->dropped, 1);
    return LEDGER_LOST;
}

enum ledger_result ledger_end(struct ledger_writer *w, const struct usage_record *rec) {
    // Counted first: the apply thread must never have seen more than were taken.
    atom_store(&w->ended, atom_load_relaxed(&w->ended) + 1);
    if (UNLIKELY(!append(w, WAL_END, rec))) return end_in_memory(w, rec);
    rouse_if_asleep(w->ledger);
    return LEDGER_KEPT;
}

bool ledger_sync_wait(struct ledger_writer *w, void (*done)(void *arg, bool ok), void *arg) {
    struct ledger *l = w->ledger;
    struct waiter *waiter = mem_alloc(sizeof *waiter);
    if (!waiter) return false;
    *waiter = (struct waiter){.done = done, .arg = arg};
    mutex_lock(&l->m);
    waiter->next = l->waiters;
    l->waiters = waiter;
    l->kicked = true;
    __atomic_store_n(&l->asleep, 0, __ATOMIC_SEQ_CST);
    cond_signal(&l->wake_sync);
    mutex_unlock(&l->m);
    return true;
}
