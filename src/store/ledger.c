// Opens and closes the usage ledger, and reports its health.
#include "store/ledger.h"

#include "base/mem.h"
#include "base/secret.h"
#include "os/clock.h"
#include "os/rand.h"
#include "store/ledger_internal.h"

#define REPLAY_WAIT_NS (2 * NS_PER_SEC)
#define STACK_BYTES ((size_t)256 << 10)

static void options_set(struct ledger *l, const struct ledger_options *opt) {
    l->opt = *opt;
    l->opt.data_dir = l->opt.database = STR_NONE;
    if (!l->opt.segment_bytes) l->opt.segment_bytes = 4U << 20;
    l->opt.segment_bytes = MAX(MIN(l->opt.segment_bytes, WAL_SEGMENT_MAX), WAL_SEGMENT_MIN);
    if (!l->opt.queue_max) l->opt.queue_max = 100000;
    if (!l->opt.sync_ms) l->opt.sync_ms = 4;
    if (!l->opt.apply_ms) l->opt.apply_ms = 200;
    if (!l->opt.apply_batch) l->opt.apply_batch = 24000;
}

uint64_t ledger_ended(const struct ledger *l) {
    uint64_t n = 0;
    for (unsigned i = 0; i < l->n_writers; i++) n += atom_load(&l->writers[i].ended);
    return n;
}

bool ledger_has_waiting(const struct ledger *l, uint64_t n) {
    uint64_t settled = atom_load(&l->applied) + atom_load(&l->dropped);
    return (int64_t)(ledger_ended(l) - settled) >= (int64_t)n;
}

void ledger_tell(struct ledger *l, enum ledger_event event, const struct err *err) {
    if (event != LEDGER_REPLAYED && event != LEDGER_RECOVERED) {
        struct str message = str_head(str_c(err->message), sizeof l->last_error - 1);
        mutex_lock(&l->m);
        memcpy(l->last_error, message.p, message.n);
        l->last_error[message.n] = '\0';
        mutex_unlock(&l->m);
    }
    if (l->opt.on_event) l->opt.on_event(l->opt.arg, event, err->message);
}

void ledger_trouble(struct ledger *l, uint64_t *flag, enum ledger_event event, const struct err *err) {
    if ((atom_load(flag) != 0) == (err != NULL)) return;
    atom_store(flag, err != NULL);
    if (err) {
        ledger_tell(l, event, err);
        return;
    }
    struct err message;
    err_set(&message, ERR_IO, "the usage ledger is well again: %s",
            event == LEDGER_DB_ERROR ? "the database takes records" : "the disk takes records");
    ledger_tell(l, LEDGER_RECOVERED, &message);
}

#define LOCK_NAME STR("penstock.lock")
#define LOCK_TRIES 20
#define LOCK_PAUSE_NS 10000000 // 10 ms

// A command that looks whether a server is there holds the lock for a moment.
static bool lock_take(struct str path, struct file_lock *out_lock, struct err *err) {
    for (int tries = LOCK_TRIES; !file_lock_take(path, false, out_lock, err); tries--) {
        if (err->code != ERR_STORE_BUSY || !tries) return false;
        clock_pause_ns(LOCK_PAUSE_NS);
    }
    return true;
}

bool ledger_in_use(struct str data_dir, bool *out_used, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(LEDGER_PATH_MAX);
    struct file_lock lock;
    path_join(&path, data_dir, LOCK_NAME);
    *out_used = false;
    if (path.failed) return err_no_memory(err);
    if (file_lock_take(buf_str(&path), false, &lock, err)) {
        file_lock_release(&lock);
        return true;
    }
    *out_used = err->code == ERR_STORE_BUSY;
    return *out_used;
}

static bool paths_set(struct ledger *l, const struct ledger_options *opt, struct err *err) {
    BUF_AUTO struct buf dir = BUF_INIT(LEDGER_PATH_MAX);
    BUF_AUTO struct buf database = BUF_INIT(LEDGER_PATH_MAX);
    BUF_AUTO struct buf lock = BUF_INIT(LEDGER_PATH_MAX);
    path_join(&lock, opt->data_dir, LOCK_NAME);
    if (!ledger_wal_dir(&dir, opt->data_dir, err) || !ledger_database(&database, opt->data_dir, opt->database, err))
        return false;
    l->dir = mem_strdup(buf_str(&dir));
    l->database = mem_strdup(buf_str(&database));
    if (!l->dir || !l->database || lock.failed) return err_no_memory(err);
    if (!dir_make(buf_str(&dir), 0700, err)) return false;
    if (lock_take(buf_str(&lock), &l->lock, err)) return true;
    if (err->code != ERR_STORE_BUSY) return false;
    return err_set(err, ERR_STORE_BUSY,
                   "another Penstock server is using the folder %.*s: stop it, or give this one a folder of its own",
                   STR_ARG(opt->data_dir));
}

// Numbers grow with the clock, so that none comes back, whatever became of the files and the database meanwhile.
static bool numbers_set(struct ledger *l, struct err *err) {
    if (!ledger_files_list(str_c(l->dir), &l->dead, err)) return false;
    uint64_t newest = l->dead.list.n ? l->dead.list.p[l->dead.list.n - 1] : 0;
    int64_t now = clock_unix_ns();
    l->first_number = MAX((uint64_t)MAX(now, 1), newest + 1);
    l->next_number = l->first_number;
    l->epoch = rand_u64();
    return true;
}

static bool memory_set(struct ledger *l, unsigned writers, struct err *err) {
    l->n_writers = writers;
    l->writers = mem_zalloc((size_t)writers + 1, sizeof *l->writers);
    l->batch.items.p = mem_zalloc(l->opt.apply_batch, sizeof *l->batch.items.p);
    if (!l->writers || !l->batch.items.p) return err_no_memory(err);
    l->batch.items.cap = l->opt.apply_batch;
    for (unsigned i = 0; i <= writers; i++) {
        l->writers[i].ledger = l;
        l->writers[i].index = i;
    }
    return true;
}

static void ledger_free(struct ledger *l) {
    file_lock_release(&l->lock);
    ledger_rows_close(&l->rows);
    begun_free(&l->begun);
    vec_free(&l->batch.items);
    vec_free(&l->batch.marks);
    vec_free(&l->dead.list);
    vec_free(&l->forget.list);
    vec_free(&l->segments.list);
    mem_free(l->writers);
    mem_free(l->dir);
    if (l->database) secret_wipe(l->database, strlen(l->database)); // a URL holds a password
    mem_free(l->database);
    cond_free(&l->wake_sync);
    cond_free(&l->wake_apply);
    cond_free(&l->replay_tried);
    mutex_free(&l->m);
    mem_free(l);
}

static void wait_for_replay(struct ledger *l) {
    uint64_t until = clock_mono_ns() + REPLAY_WAIT_NS;
    mutex_lock(&l->m);
    for (uint64_t now; !l->replay_was_tried && (now = clock_mono_ns()) < until;)
        (void)cond_wait_for(&l->replay_tried, &l->m, until - now);
    mutex_unlock(&l->m);
}

static bool start(struct ledger *l, struct err *err) {
    ledger_sync_prepare(l);
    if (thread_start(&l->sync_thread, "ledger-sync", STACK_BYTES, ledger_sync_main, l, err) &&
        thread_start(&l->apply_thread, "ledger-apply", STACK_BYTES, ledger_apply_main, l, err))
        return true;
    ledger_close(l, 0);
    return false;
}

bool ledger_open(const struct ledger_options *opt, struct ledger **out_ledger, struct err *err) {
    INVARIANT(opt->writers > 0);
    struct ledger *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    mutex_init(&l->m);
    cond_init(&l->wake_sync);
    cond_init(&l->wake_apply);
    cond_init(&l->replay_tried);
    ledger_queue_init(&l->queue);
    options_set(l, opt);
    if (!paths_set(l, opt, err) || !numbers_set(l, err) || !memory_set(l, opt->writers, err)) {
        ledger_free(l);
        return false;
    }
    if (!start(l, err)) return false;
    wait_for_replay(l);
    *out_ledger = l;
    return true;
}

static void thread_stop(struct ledger *l, struct thread *t, bool *stop, struct cond *wake) {
    mutex_lock(&l->m);
    *stop = true;
    __atomic_store_n(&l->asleep, 0, __ATOMIC_SEQ_CST);
    cond_signal(wake);
    mutex_unlock(&l->m);
    thread_join(t);
}

void ledger_close(struct ledger *l, unsigned wait_ms) {
    if (!l) return;
    mutex_lock(&l->m);
    l->stop_deadline = clock_mono_ns() + wait_ms * NS_PER_MS;
    mutex_unlock(&l->m);
    thread_stop(l, &l->apply_thread, &l->apply_stop, &l->wake_apply);
    thread_stop(l, &l->sync_thread, &l->sync_stop, &l->wake_sync);
    struct err ignored;
    ledger_sync_finish(l);
    // A mark that stays is forgotten at the next start.
    if (l->all_applied && l->rows.db) (void)!ledger_rows_forget(&l->rows, INT64_MAX, &ignored);
    ledger_free(l);
}

struct ledger_writer *ledger_writer(struct ledger *l, unsigned i) {
    INVARIANT(i < l->n_writers);
    return &l->writers[i];
}

void ledger_health(struct ledger *l, struct ledger_health *out_health) {
    struct ledger_health h = {0};
    uint64_t applied = atom_load(&l->applied);
    h.replayed = atom_load(&l->applied_replay);
    h.unknown = atom_load(&l->unknown);
    h.dropped = atom_load(&l->dropped);
    h.damaged = atom_load(&l->damaged);
    h.syncs = atom_load(&l->syncs);
    h.batches = atom_load(&l->batches);
    h.disk_full = atom_load(&l->disk_full) || atom_load(&l->disk_failed);
    h.db_busy = atom_load(&l->db_busy);
    h.appended = ledger_ended(l);
    h.applied = applied + h.replayed;
    h.pending = h.appended - MIN(h.appended, applied + h.dropped);
    mutex_lock(&l->m);
    h.queued = l->queue.n;
    h.segments = l->segments.list.n;
    memcpy(h.last_error, l->last_error, sizeof h.last_error);
    mutex_unlock(&l->m);
    *out_health = h;
}
