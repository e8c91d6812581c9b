// The ledger's apply thread: moves records from segments into the database in batches, and settles what needs settling.
#include "base/mem.h"
#include "os/clock.h"
#include "store/ledger_internal.h"

#define IDLE_NS (30 * NS_PER_SEC)
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define BUSY_MS 250
#define SHARED_BUSY_MS 2000 // other servers' batches come first
// Segments kept only because requests that began in them go on; past this the oldest becomes rows of unknown status.
#define RETAINED_MAX 4

static bool database_ready(struct ledger *l, struct err *err) {
    struct str database = str_c(l->database);
    bool shared = str_find(database, STR("://")) < database.n;
    return l->rows.db || ledger_rows_open(&l->rows, database, l->opt.place, shared ? SHARED_BUSY_MS : BUSY_MS, err);
}

static bool refused(struct ledger *l, const struct err *err) {
    // Whatever else is wrong may be wrong with the connection.
    if (err->code != ERR_STORE_BUSY && err->code != ERR_STORE_FULL) ledger_rows_close(&l->rows);
    l->apply_backoff_ms = MIN(MAX(l->apply_backoff_ms * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
    ledger_trouble(l, &l->db_busy, LEDGER_DB_ERROR, err);
    return false;
}

bool ledger_apply_write(struct ledger *l) {
    struct err err;
    if (l->batch.items.n == 0 && l->batch.marks.n == 0) return true;
    if (!database_ready(l, &err) || !ledger_rows_write(&l->rows, &l->batch, &err)) return refused(l, &err);
    l->apply_backoff_ms = 0;
    atom_add_relaxed(&l->batches, 1);
    ledger_trouble(l, &l->db_busy, LEDGER_DB_ERROR, NULL);
    return true;
}

bool ledger_apply_mark(struct ledger *l, uint64_t segment, uint64_t *out_offset) {
    struct err err;
    if (database_ready(l, &err) && ledger_rows_mark(&l->rows, segment, out_offset, &err)) return true;
    return refused(l, &err);
}

bool ledger_apply_forget(struct ledger *l) {
    struct err err;
    if (database_ready(l, &err) && ledger_rows_forget(&l->rows, l->first_number, &err)) return true;
    return refused(l, &err);
}

bool ledger_apply_unknown(struct ledger *l, const struct begun *begun, struct str bytes, const void *where) {
    struct wal_scan scan;
    struct wal_record r;
    if (!wal_scan_init(&scan, bytes)) return true;
    while (wal_scan_live(&scan, &r) == WAL_RECORD) {
        uint64_t id = r.type == WAL_BEGIN ? usage_decode_id(r.payload) : 0;
        if (!id || begun_get(begun, id) != where) continue;
        if (!vec_push(&l->batch.items, (struct ledger_item){.id = id, .payload = r.payload, .unknown = true}))
            return false;
    }
    return true;
}

static void note_begun(struct ledger *l, struct ledger_segment *s, uint64_t id) {
    bool added;
    if (!id) return;
    if (!begun_put(&l->begun, id, s, &added)) s->pinned = true;
    s->open += added;
}

// As soon as the END is seen in a segment: that one stays until it is applied, so that of the BEGIN need not.
static void note_ended(struct ledger *l, uint64_t id) {
    struct ledger_segment *s = begun_take(&l->begun, id);
    if (s) s->open--;
}

static COLD void note_damage(struct ledger *l, struct ledger_segment *s, size_t at) {
    struct err err;
    s->damaged = true;
    atom_add_relaxed(&l->damaged, 1);
    err_set(&err, ERR_IO, "segment %" PRIu64 " of the usage log changed under us after byte %zu; what follows is lost",
            wal_number(s->wal), at);
    ledger_tell(l, LEDGER_DAMAGE, &err);
}

// There is room: ledger_open reserved apply_batch items.
static void end_add(struct ledger *l, uint64_t id, struct str payload) {
    INVARIANT(l->batch.items.n < l->batch.items.cap);
    l->batch.items.p[l->batch.items.n++] = (struct ledger_item){.id = id, .payload = payload};
}

// Adds the segment's new records to the batch until it is full.
static void collect_segment(struct ledger *l, struct ledger_segment *s) {
    struct wal_scan scan;
    struct wal_record r;
    s->scanned = s->applied;
    struct str bytes = wal_bytes(s->wal);
    if (s->applied == bytes.n) return;
    if (s->damaged || !wal_scan_init(&scan, bytes)) {
        if (!s->damaged) note_damage(l, s, 0);
        s->scanned = bytes.n;
        return;
    }
    scan.at = s->applied;
    while (l->batch.items.n < l->opt.apply_batch && wal_scan_live(&scan, &r) == WAL_RECORD) {
        uint64_t id = usage_decode_id(r.payload);
        if (r.type == WAL_BEGIN) {
            note_begun(l, s, id);
        } else {
            note_ended(l, id);
            end_add(l, id, r.payload);
        }
        s->scanned = r.end;
    }
    if (l->batch.items.n < l->opt.apply_batch && scan.at < bytes.n) {
        note_damage(l, s, scan.at);
        s->scanned = bytes.n;
    }
}

static void collect(struct ledger *l, const struct segments *all) {
    l->batch.items.n = l->batch.marks.n = 0;
    for (size_t i = 0; i < all->list.n; i++) {
        struct ledger_segment *s = all->list.p[i];
        s->scanned = s->applied;
        if (l->batch.items.n >= l->opt.apply_batch) continue;
        collect_segment(l, s);
        if (s->scanned == s->applied || l->batch.items.n == 0) continue;
        // Without its mark a segment is merely applied again, to no effect.
        (void)!vec_push(&l->batch.marks, (struct ledger_mark){wal_number(s->wal), s->scanned});
    }
    for (size_t i = 0; i < l->forget.list.n; i++)
        (void)!vec_push(&l->batch.marks, (struct ledger_mark){.segment = l->forget.list.p[i]});
}

// When the disk takes no segment, the database may still have room.
static struct queued *collect_queue(struct ledger *l, uint64_t *out_n) {
    *out_n = 0;
    if (!atom_load(&l->disk_full) || l->batch.items.n >= l->opt.apply_batch) return NULL;
    struct queued *list = ledger_queue_take(l, l->opt.apply_batch - l->batch.items.n, out_n);
    for (const struct queued *q = list; q; q = q->next) {
        struct str payload = {q->payload, q->n};
        end_add(l, usage_decode_id(payload), payload);
    }
    return list;
}

static void batch_done(struct ledger *l, const struct segments *all) {
    for (size_t i = 0; i < all->list.n; i++) {
        struct ledger_segment *s = all->list.p[i];
        if (s->scanned == s->applied) continue;
        s->applied = s->scanned;
        wal_forget(s->wal, s->applied);
    }
    l->forget.list.n = 0;
    atom_add_relaxed(&l->applied, l->batch.items.n);
}

// What was only in memory has ended for good when it is in the table, not before.
static void queue_done(struct ledger *l, struct queued *list) {
    for (const struct queued *q = list; q; q = q->next) note_ended(l, usage_decode_id(str_of(q->payload, q->n)));
    ledger_queue_free(list);
}

static bool is_spent(const struct ledger_segment *s) {
    return segment_state(s) == SEGMENT_CLOSED && s->applied == wal_tail(s->wal);
}

static void segment_done(struct ledger *l, struct ledger_segment *s) {
    (void)!vec_push(&l->forget.list, wal_number(s->wal)); // a forgotten number is cleared at the next start
    atom_store(&s->state, SEGMENT_DONE);
    ledger_kick(l);
}

// The requests that began in the segment and go on become rows of unknown status; their END replaces these later.
static bool settle_segment(struct ledger *l, struct ledger_segment *s) {
    l->batch.items.n = l->batch.marks.n = 0;
    if (!ledger_apply_unknown(l, &l->begun, wal_bytes(s->wal), s) || !ledger_apply_write(l)) return false;
    begun_purge(&l->begun, s);
    s->open = 0;
    s->pinned = false;
    return true;
}

static bool segments_retire(struct ledger *l, const struct segments *all, size_t retained_max) {
    size_t retained = 0;
    for (size_t i = all->list.n; i-- > 0;) {
        struct ledger_segment *s = all->list.p[i];
        if (!is_spent(s)) continue;
        if ((s->open || s->pinned) && ++retained > retained_max && !settle_segment(l, s)) return false;
        if (!s->open && !s->pinned) segment_done(l, s);
    }
    return true;
}

// A transaction of a few rows costs nearly what one of thousands does: what is left behind a full batch waits, unless
// it makes half a batch.
static bool next_batch(struct ledger *l, bool full, bool drain) {
    if (!full || drain || ledger_has_waiting(l, l->opt.apply_batch / 2)) return full;
    l->left_some = true;
    return false;
}

// Applies what there is, or (unless drain) most of it; false when the database refused.
static bool apply_round(struct ledger *l, size_t retained_max, bool drain) {
    struct segments all = {0};
    mutex_lock(&l->m);
    for (size_t i = 0; i < l->segments.list.n; i++) {
        // Those that are done may go at any moment; the others only when this thread says so.
        if (segment_state(l->segments.list.p[i]) == SEGMENT_DONE) continue;
        if (!vec_push(&all.list, l->segments.list.p[i])) break;
    }
    mutex_unlock(&l->m);
    bool ok = true, more = true;
    while (ok && more) {
        uint64_t n_queued;
        collect(l, &all);
        struct queued *queued = collect_queue(l, &n_queued);
        bool full = l->batch.items.n >= l->opt.apply_batch;
        ok = ledger_apply_write(l);
        if (ok) {
            batch_done(l, &all);
            queue_done(l, queued);
            more = next_batch(l, full, drain);
        } else {
            ledger_queue_return(l, queued, n_queued);
        }
    }
    if (ok) ok = segments_retire(l, &all, retained_max);
    vec_free(&all.list);
    return ok;
}

void ledger_apply_want(struct ledger *l, bool urgent) {
    if (!l->apply_wanted) {
        l->apply_wanted = true;
        l->apply_due = clock_mono_ns() + l->opt.apply_ms * NS_PER_MS;
        cond_signal(&l->wake_apply);
    }
    if (urgent && !l->apply_urgent && !l->backing_off) {
        l->apply_urgent = true;
        cond_signal(&l->wake_apply);
    }
}

// Returns with the mutex held when a round is due, or the end has come.
static void wait_for_work(struct ledger *l) {
    while (!l->apply_stop) {
        uint64_t now = clock_mono_ns();
        if (l->apply_wanted && (l->apply_urgent || now >= l->apply_due)) break;
        (void)cond_wait_for(&l->wake_apply, &l->m, l->apply_wanted ? l->apply_due - now : IDLE_NS);
    }
    l->apply_wanted = l->apply_urgent = l->backing_off = false;
}

static void after_round(struct ledger *l, bool ok) {
    mutex_lock(&l->m);
    if (!ok) {
        l->apply_wanted = l->backing_off = true;
        l->apply_urgent = false;
        l->apply_due = clock_mono_ns() + MAX(l->apply_backoff_ms, BACKOFF_MIN_MS) * NS_PER_MS;
    } else if (l->left_some) {
        ledger_apply_want(l, false);
    }
    l->left_some = false;
    mutex_unlock(&l->m);
}

static bool everything(struct ledger *l) {
    if (!l->replayed_all) l->replayed_all = ledger_replay(l);
    return l->replayed_all && apply_round(l, RETAINED_MAX, false);
}

static void segments_close(struct ledger *l) {
    mutex_lock(&l->m);
    for (size_t i = 0; i < l->segments.list.n; i++) {
        struct ledger_segment *s = l->segments.list.p[i];
        // The sync thread may still be moving records from memory into its own.
        if (s->owner < l->n_writers && segment_state(s) <= SEGMENT_LIVE) atom_store(&s->state, SEGMENT_CLOSED);
    }
    mutex_unlock(&l->m);
}

static bool all_applied(struct ledger *l) {
    mutex_lock(&l->m);
    // Read first: what was on its way then is in a segment that is looked at now.
    bool all = !atom_load(&l->draining) && l->queue.head == NULL;
    for (size_t i = 0; all && i < l->segments.list.n; i++) {
        const struct ledger_segment *s = l->segments.list.p[i];
        all = segment_state(s) == SEGMENT_DONE || (s->applied == wal_tail(s->wal) && s->open == 0);
    }
    mutex_unlock(&l->m);
    return all;
}

// The loops have stopped: nothing that began will end any more.
static bool last_rounds(struct ledger *l) {
    segments_close(l);
    for (;;) {
        if (!l->replayed_all) l->replayed_all = ledger_replay(l);
        if (l->replayed_all && apply_round(l, 0, true) && all_applied(l)) return true;
        mutex_lock(&l->m);
        uint64_t now = clock_mono_ns(), deadline = l->stop_deadline;
        if (now < deadline)
            (void)cond_wait_for(&l->wake_apply, &l->m,
                                MIN(deadline - now, MAX(l->apply_backoff_ms, l->opt.sync_ms) * NS_PER_MS));
        mutex_unlock(&l->m);
        if (now >= deadline) return false;
    }
}

void ledger_apply_main(void *arg) {
    thread_background();
    struct ledger *l = arg;
    bool ok = everything(l);
    mutex_lock(&l->m);
    l->replay_was_tried = true;
    cond_signal(&l->replay_tried);
    mutex_unlock(&l->m);
    after_round(l, ok);
    for (;;) {
        mutex_lock(&l->m);
        wait_for_work(l);
        bool stop = l->apply_stop;
        mutex_unlock(&l->m);
        if (stop) break;
        after_round(l, everything(l));
    }
    l->all_applied = last_rounds(l);
}
