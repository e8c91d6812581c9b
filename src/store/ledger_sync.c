// The ledger's sync thread: makes segments ahead of need, brings what was appended to disk in groups, removes what is
// done.
#include "base/mem.h"
#include "os/clock.h"
#include "store/ledger_internal.h"

#define IDLE_NS (30 * NS_PER_SEC)
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 1000

static bool segment_make(struct ledger *l, unsigned owner, struct ledger_segment **out_segment, struct err *err) {
    struct ledger_segment *s = mem_zalloc(1, sizeof *s);
    if (!s) return err_no_memory(err);
    // A number is used once, even when the file could not be made: its remains may be in the way.
    if (!wal_segment_create(str_c(l->dir), l->next_number++, l->epoch, l->opt.segment_bytes, &s->wal, err)) {
        mem_free(s);
        return false;
    }
    s->owner = owner;
    s->applied = s->scanned = WAL_HEADER_SIZE;
    mutex_lock(&l->m);
    bool ok = vec_push(&l->segments.list, s);
    mutex_unlock(&l->m);
    if (!ok) {
        struct err ignored;
        uint64_t number = wal_number(s->wal);
        wal_segment_free(s->wal);
        mem_free(s);
        (void)!ledger_file_remove(str_c(l->dir), number, &ignored);
        return err_no_memory(err);
    }
    l->dir_dirty = true;
    *out_segment = s;
    return true;
}

// Gives the writer a spare segment; false when that failed or failed a moment ago.
static bool spare_make(struct ledger *l, unsigned index) {
    uint64_t now = clock_mono_ns();
    if (now < l->create_retry_at) return false;
    struct err err;
    struct ledger_segment *s = NULL;
    if (!segment_make(l, index, &s, &err)) {
        l->create_backoff_ms = MIN(MAX(l->create_backoff_ms * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
        l->create_retry_at = now + l->create_backoff_ms * NS_PER_MS;
        ledger_trouble(l, &l->disk_full, LEDGER_DISK_FULL, &err);
        return false;
    }
    l->create_backoff_ms = 0;
    l->create_retry_at = 0;
    ledger_trouble(l, &l->disk_full, LEDGER_DISK_FULL, NULL);
    __atomic_store_n(&l->writers[index].spare, s, __ATOMIC_RELEASE);
    return true;
}

static bool has_spare(struct ledger *l, unsigned index) {
    return __atomic_load_n(&l->writers[index].spare, __ATOMIC_ACQUIRE) != NULL;
}

// One segment a writer at rest; a second once the first is half full.
static bool spares_make(struct ledger *l, const struct segments *all) {
    bool ok = true;
    for (unsigned i = 0; i < l->n_writers; i++) {
        if (has_spare(l, i)) continue;
        bool need = true;
        for (size_t k = all->list.n; k-- > 0 && need;) {
            const struct ledger_segment *s = all->list.p[k];
            if (s->owner != i || segment_state(s) > SEGMENT_LIVE) continue;
            need = wal_tail(s->wal) > l->opt.segment_bytes / 2;
        }
        if (need && !spare_make(l, i)) ok = false;
    }
    return ok;
}

// The ledger's own segment, for what comes out of memory, with room for one more record; NULL when there is none.
static struct ledger_segment *own_segment(struct ledger *l) {
    struct ledger_writer *w = &l->writers[l->n_writers];
    if (w->current && wal_reserve(w->current->wal, USAGE_ENCODED_MAX)) return w->current;
    if (w->current) atom_store(&w->current->state, SEGMENT_CLOSED);
    w->current = NULL;
    if (!has_spare(l, w->index) && !spare_make(l, w->index)) return NULL;
    w->current = __atomic_exchange_n(&w->spare, NULL, __ATOMIC_ACQ_REL);
    atom_store(&w->current->state, SEGMENT_LIVE);
    return w->current;
}

static bool append_own(struct ledger *l, struct str payload) {
    struct ledger_segment *s = own_segment(l);
    return s && wal_append(s->wal, WAL_END, payload);
}

// From memory into a segment, as far as one can be had.
static bool queue_drain(struct ledger *l) {
    mutex_lock(&l->m);
    bool empty = l->queue.head == NULL;
    mutex_unlock(&l->m);
    if (empty || !own_segment(l)) return empty;
    uint64_t n;
    atom_store(&l->draining, 1);
    struct queued *q = ledger_queue_take(l, UINT64_MAX, &n);
    while (q && append_own(l, str_of(q->payload, q->n))) {
        struct queued *next = q->next;
        mem_free(q);
        q = next;
        n--;
    }
    ledger_queue_return(l, q, n);
    atom_store(&l->draining, 0);
    return q == NULL;
}

static void segments_copy(struct ledger *l, struct segments *out_copy) {
    mutex_lock(&l->m);
    for (size_t i = 0; i < l->segments.list.n; i++)
        if (!vec_push(&out_copy->list, l->segments.list.p[i])) break; // no memory: the rest comes in a later round
    mutex_unlock(&l->m);
}

static void segment_remove(struct ledger *l, struct ledger_segment *s) {
    struct err err;
    uint64_t number = wal_number(s->wal);
    mutex_lock(&l->m);
    for (size_t i = 0; i < l->segments.list.n; i++) {
        if (l->segments.list.p[i] != s) continue;
        size_t after = l->segments.list.n - i - 1;
        memmove(&l->segments.list.p[i], &l->segments.list.p[i + 1], after * sizeof(struct ledger_segment *));
        l->segments.list.n--;
        break;
    }
    mutex_unlock(&l->m);
    wal_segment_free(s->wal);
    bool ok = s->damaged ? ledger_file_quarantine(str_c(l->dir), number, &err)
                         : ledger_file_remove(str_c(l->dir), number, &err);
    mem_free(s);
    // What stays behind is replayed at the next start, to no effect.
    if (!ok) ledger_tell(l, LEDGER_DISK_FULL, &err);
}

// True when everything appended before the call is on disk; *out_any says whether there was something to do.
static bool segments_sync(struct ledger *l, struct segments *all, bool *out_any) {
    struct err err;
    bool ok = true;
    *out_any = false;
    for (size_t i = 0; i < all->list.n; i++) {
        struct ledger_segment *s = all->list.p[i];
        if (segment_state(s) == SEGMENT_DONE) {
            segment_remove(l, s);
            continue;
        }
        if (wal_tail(s->wal) == s->synced) continue;
        if (wal_tail(s->wal) > WAL_HEADER_SIZE) *out_any = true;
        if (!wal_sync(s->wal, s->synced, &s->synced, &err)) ok = false;
        if (segment_state(s) == SEGMENT_LIVE) wal_prepare(s->wal);
    }
    if (l->dir_dirty && ok) {
        ok = dir_sync(str_c(l->dir), &err);
        l->dir_dirty = !ok;
    }
    if (*out_any) atom_add_relaxed(&l->syncs, 1);
    ledger_trouble(l, &l->disk_failed, LEDGER_DISK_FULL, ok ? NULL : &err);
    return ok;
}

// Once when it begins, not once a record.
static void tell_dropped(struct ledger *l) {
    uint64_t dropped = atom_load(&l->dropped);
    bool more = dropped != l->dropped_told;
    if (more && !l->dropping) {
        struct err err;
        err_set(&err, ERR_STORE_FULL, "usage records are being lost: %" PRIu64 " wait in memory and no more fit",
                l->opt.queue_max);
        ledger_tell(l, LEDGER_DROPPED, &err);
    }
    l->dropping = more;
    l->dropped_told = dropped;
}

static void waiters_call(struct waiter *list, bool ok) {
    while (list) {
        struct waiter *next = list->next;
        list->done(list->arg, ok);
        mem_free(list);
        list = next;
    }
}

// One round; true when another is due soon.
static bool sync_round(struct ledger *l, struct waiter *waiters, bool closing) {
    struct segments all = {0};
    segments_copy(l, &all);
    bool drained = queue_drain(l), any;
    bool spared = closing || spares_make(l, &all);
    bool synced = segments_sync(l, &all, &any);
    vec_free(&all.list);
    waiters_call(waiters, drained && synced);
    tell_dropped(l);
    uint64_t ended = ledger_ended(l);
    mutex_lock(&l->m);
    if (any || !drained || ended != l->applied_hint) ledger_apply_want(l, ledger_has_waiting(l, l->opt.apply_batch));
    l->applied_hint = ended;
    mutex_unlock(&l->m);
    return any || !drained || !synced || !spared;
}

// Something was appended since the last round. The mutex is held.
static bool something_new(struct ledger *l) {
    if (l->queue.head || l->waiters) return true;
    for (size_t i = 0; i < l->segments.list.n; i++) {
        struct ledger_segment *s = l->segments.list.p[i];
        if (wal_tail(s->wal) != s->synced || segment_state(s) == SEGMENT_DONE) return true;
    }
    return false;
}

// The mutex is held.
static void rest(struct ledger *l, bool busy) {
    if (!busy) {
        __atomic_store_n(&l->asleep, 1, __ATOMIC_SEQ_CST);
        while (!l->kicked && !l->sync_stop && __atomic_load_n(&l->asleep, __ATOMIC_SEQ_CST) && !something_new(l))
            if (!cond_wait_for(&l->wake_sync, &l->m, IDLE_NS)) break;
        __atomic_store_n(&l->asleep, 0, __ATOMIC_SEQ_CST);
    }
    // Appends gather for a while, unless someone waits for the disk.
    uint64_t until = clock_mono_ns() + l->opt.sync_ms * NS_PER_MS;
    for (uint64_t now; !l->kicked && !l->sync_stop && (now = clock_mono_ns()) < until;)
        (void)cond_wait_for(&l->wake_sync, &l->m, until - now);
}

void ledger_sync_main(void *arg) {
    struct ledger *l = arg;
    mutex_lock(&l->m);
    while (!l->sync_stop) {
        struct waiter *waiters = l->waiters;
        bool closing = l->apply_stop;
        l->waiters = NULL;
        l->kicked = false;
        mutex_unlock(&l->m);
        bool busy = sync_round(l, waiters, closing);
        mutex_lock(&l->m);
        rest(l, busy);
    }
    mutex_unlock(&l->m);
}

void ledger_sync_prepare(struct ledger *l) {
    struct segments none = {0};
    (void)spares_make(l, &none);
}

void ledger_sync_finish(struct ledger *l) {
    struct segments all = {0};
    bool any;
    l->create_retry_at = 0;
    bool drained = queue_drain(l);
    for (size_t i = 0; i < l->segments.list.n; i++) {
        struct ledger_segment *s = l->segments.list.p[i];
        if (s->applied == wal_tail(s->wal) && s->open == 0) atom_store(&s->state, SEGMENT_DONE);
    }
    segments_copy(l, &all);
    bool synced = segments_sync(l, &all, &any);
    waiters_call(l->waiters, drained && synced);
    vec_free(&all.list);
    for (size_t i = 0; i < l->segments.list.n; i++) {
        wal_segment_free(l->segments.list.p[i]->wal);
        mem_free(l->segments.list.p[i]);
    }
    l->segments.list.n = 0;
    uint64_t lost;
    ledger_queue_free(ledger_queue_take(l, UINT64_MAX, &lost));
    if (lost) atom_add_relaxed(&l->dropped, lost);
    tell_dropped(l);
}
