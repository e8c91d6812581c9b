// The queue of rows and the thread that writes them.
//
// Rows stay in the queue until they are in the database: the thread reads from the queue's head without the lock, for
// only it takes rows out, and others only append. So whatever fails, there is nothing to put back.
#include "store/row_writer.h"

#include "base/mem.h"
#include "base/secret.h"
#include "os/clock.h"

#include <stdalign.h>

#define LOT_ROWS 512
#define LOT_BYTES ((size_t)8 << 20)
#define IDLE_NS (60 * NS_PER_SEC)
#define TELL_NS (60 * NS_PER_SEC)
#define PAUSE_MIN_NS (100 * NS_PER_MS)
#define PAUSE_MAX_NS (5 * NS_PER_SEC)
#define BUSY_MS 1000 // short, so that an end is not held up
#define BUSY_TOLD 3  // a lock that soon passes is not worth a line
#define REFUSED_MAX 3

struct waiting {
    struct waiting *next;
    uint64_t tag;
    size_t bytes; // of the block
    // How often the database refused it, having taken others since the last time; what it had taken by then.
    unsigned refused;
    uint64_t refused_at;
    alignas(max_align_t) char value[];
};

struct row_writer {
    const struct row_kind *kind;
    struct row_writer_options o;
    struct thread thread;
    struct mutex lock; // of the next ones
    struct cond news, written;
    bool stop;
    uint64_t until_ns;
    struct waiting *first, **last;
    size_t rows, bytes;
    uint64_t dropped;
    // The thread's own.
    struct sql *db;
    unsigned failures;      // one after another
    bool told_failing;      // of them
    uint64_t taken;         // rows, by the database
    uint64_t pause_ns;      // after the next failure
    size_t good;            // rows at the head that went before one that was refused; 0: that is not known
    uint64_t told, tell_at; // of what was dropped
};

// --- handing over ---

static struct waiting *waiting_make(const char *value, size_t size, const struct str *const *texts, size_t n,
                                    uint64_t tag) {
    size_t bytes = sizeof(struct waiting) + size;
    for (size_t i = 0; i < n; i++) bytes += texts[i]->n;
    struct waiting *w = mem_alloc(bytes);
    if (!w) return NULL;
    *w = (struct waiting){.tag = tag, .bytes = bytes, .refused_at = UINT64_MAX};
    memcpy(w->value, value, size);
    char *at = w->value + size;
    for (size_t i = 0; i < n; i++) {
        struct str copy = str_of(at, texts[i]->n);
        if (copy.n) memcpy(at, texts[i]->p, copy.n);
        memcpy(w->value + ((const char *)texts[i] - value), &copy, sizeof copy);
        at += copy.n;
    }
    return w;
}

static void row_free(struct waiting *row) {
    secret_wipe(row, row->bytes);
    mem_free(row);
}

static void append(struct row_writer *w, struct waiting *row) {
    row->next = NULL;
    *w->last = row;
    w->last = &row->next;
}

void row_writer_put(struct row_writer *w, const void *value, size_t size, const struct str *const *texts, size_t n,
                    uint64_t tag) {
    struct waiting *row = w ? waiting_make(value, size, texts, n, tag) : NULL;
    if (!w) return;
    mutex_lock(&w->lock);
    bool take = row && w->rows < w->kind->max_rows && w->bytes + row->bytes <= w->kind->max_bytes;
    if (!w->first) cond_signal(&w->news);
    if (take) {
        append(w, row);
        w->rows++;
        w->bytes += row->bytes;
    } else {
        w->dropped++;
    }
    mutex_unlock(&w->lock);
    if (!take && row) row_free(row);
}

void row_writer_drop(struct row_writer *w) {
    mutex_lock(&w->lock);
    w->dropped++;
    cond_signal(&w->news);
    mutex_unlock(&w->lock);
}

static bool has_tag(const struct waiting *row, uint64_t tag) {
    while (row && row->tag != tag) row = row->next;
    return row;
}

void row_writer_settle(struct row_writer *w, uint64_t tag, uint64_t timeout_ns) {
    uint64_t until = clock_mono_ns() + timeout_ns, now;
    mutex_lock(&w->lock);
    while (has_tag(w->first, tag) && (now = clock_mono_ns()) < until) cond_wait_for(&w->written, &w->lock, until - now);
    mutex_unlock(&w->lock);
}

void row_writer_stats_get(struct row_writer *w, struct row_writer_stats *out) {
    mutex_lock(&w->lock);
    *out = (struct row_writer_stats){.waiting = w->rows, .dropped = w->dropped};
    mutex_unlock(&w->lock);
}

// --- writing ---

static bool has_failed(const struct waiting *row) { return row->refused_at != UINT64_MAX; }

// The rows at the head that go into one transaction: *out_n, 0 when none came for a while. False: the end.
static bool lot_wait(struct row_writer *w, struct waiting **out_first, size_t *out_n) {
    size_t n = 0, bytes = 0;
    mutex_lock(&w->lock);
    if (!w->first && !w->stop) cond_wait_for(&w->news, &w->lock, IDLE_NS);
    uint64_t until = clock_mono_ns() + w->kind->gather_ns, now;
    size_t most = w->good ? w->good : LOT_ROWS;
    while (w->first && !w->stop && !w->good && w->rows < LOT_ROWS && (now = clock_mono_ns()) < until)
        cond_wait_for(&w->news, &w->lock, until - now);
    for (const struct waiting *row = w->first; row && n < most && bytes < LOT_BYTES; row = row->next) {
        if (n && has_failed(row)) break; // it goes alone
        bytes += row->bytes;
        n++;
        if (has_failed(row)) break;
    }
    bool go_on = !w->stop || (w->first && clock_mono_ns() < w->until_ns);
    *out_first = w->first;
    *out_n = n;
    mutex_unlock(&w->lock);
    return go_on;
}

// *out_bad: the row at which it failed, if it was one; then w->good rows went before it.
static bool lot_write(struct row_writer *w, struct waiting *row, size_t n, struct waiting **out_bad, struct err *err) {
    *out_bad = NULL;
    w->good = 0;
    if (!n) return true;
    if (!sql_begin(w->db, err)) return false;
    size_t done = 0;
    while (w->kind->write(w->o.dir, w->db, row->value, err)) {
        if (++done == n) return sql_commit(w->db, err);
        row = row->next;
    }
    *out_bad = row;
    w->good = done;
    sql_rollback(w->db);
    return false;
}

static void lot_over(struct row_writer *w, size_t n) {
    struct waiting *done = NULL;
    mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++) {
        struct waiting *row = w->first;
        w->first = row->next;
        w->bytes -= row->bytes;
        row->next = done;
        done = row;
    }
    w->rows -= n;
    if (!w->first) w->last = &w->first;
    cond_broadcast(&w->written);
    mutex_unlock(&w->lock);
    while (done) {
        struct waiting *next = done->next;
        row_free(done);
        done = next;
    }
}

// Whether the fault may be the row's own. It is not when the database has no room or no time, nor when what seals the
// row cannot be reached: that may be of one tenant's rows alone, though.
static bool may_be_refused(enum err_code code) {
    return code == ERR_STORE || code == ERR_EXISTS || code == ERR_INVALID_FIELD || code == ERR_NOT_FOUND;
}

static bool may_be_one_rows(enum err_code code) {
    return code != ERR_STORE_BUSY && code != ERR_STORE_FULL && code != ERR_NO_MEMORY && code != ERR_IO;
}

// Goes behind the others, which may fare better: only then is the fault its own, if it can be.
static void refuse(struct row_writer *w, struct waiting *row, enum err_code code) {
    if (may_be_refused(code) && row->refused_at != w->taken) row->refused++;
    row->refused_at = w->taken;
    bool give_up = row->refused >= REFUSED_MAX;
    mutex_lock(&w->lock);
    struct waiting **at = &w->first;
    while (*at != row) at = &(*at)->next;
    *at = row->next;
    if (!*at) w->last = at;
    if (give_up) {
        w->rows--;
        w->bytes -= row->bytes;
        w->dropped++;
        cond_broadcast(&w->written);
    } else {
        append(w, row);
    }
    mutex_unlock(&w->lock);
    if (give_up) row_free(row);
}

// Longer with each failure; an end cuts it short, and has none that is long.
static void pause_after_failure(struct row_writer *w) {
    mutex_lock(&w->lock);
    bool stop = w->stop;
    uint64_t until = clock_mono_ns() + (stop ? PAUSE_MIN_NS : w->pause_ns), now;
    while (w->stop == stop && (now = clock_mono_ns()) < until) cond_wait_for(&w->news, &w->lock, until - now);
    mutex_unlock(&w->lock);
    w->pause_ns = MIN(2 * w->pause_ns, PAUSE_MAX_NS);
}

static void tell_dropped(struct row_writer *w, bool last) {
    struct row_writer_stats stats;
    row_writer_stats_get(w, &stats);
    uint64_t now = clock_mono_ns();
    if (stats.dropped == w->told || (now < w->tell_at && !last)) return;
    log_warn(w->o.log, LOG_MSG("rows were lost: too large, too many waited, or the database does not take them"),
             LOG_STR("writer", str_c(w->kind->name)), LOG_INT("rows", stats.dropped - w->told));
    w->told = stats.dropped;
    w->tell_at = now + TELL_NS;
}

static void tell(struct row_writer *w, bool ok, const struct err *err) {
    struct str name = str_c(w->kind->name);
    w->failures = ok ? 0 : w->failures + 1;
    if (!ok && !w->told_failing && (err->code != ERR_STORE_BUSY || w->failures >= BUSY_TOLD)) {
        log_error(w->o.log, LOG_MSG("the database takes no rows now; they wait in memory"), LOG_STR("writer", name),
                  LOG_ERR(err));
        w->told_failing = true;
    }
    if (ok && w->told_failing) {
        log_info(w->o.log, LOG_MSG("the database takes rows again"), LOG_STR("writer", name));
        w->told_failing = false;
    }
    tell_dropped(w, false);
}

static bool work(struct row_writer *w, struct waiting *first, size_t n, struct err *err) {
    struct waiting *bad;
    if (!w->db && !datadir_open_db(w->o.dir, BUSY_MS, &w->db, err)) return false;
    if (lot_write(w, first, n, &bad, err)) {
        w->taken += n;
        lot_over(w, n);
        if (!w->kind->expire || w->kind->expire(w->db, err)) return true;
    } else if (bad && may_be_one_rows(err->code)) {
        refuse(w, bad, err->code);
    } else {
        w->good = 0;
    }
    if (err->code == ERR_STORE_BUSY) return false;
    sql_close(w->db);
    w->db = NULL;
    return false;
}

static void run(void *arg) {
    struct row_writer *w = arg;
    struct waiting *first;
    size_t n;
    thread_background();
    while (lot_wait(w, &first, &n)) {
        struct err err;
        bool ok = work(w, first, n, &err);
        tell(w, ok, &err);
        // Who waits for a lock has waited, and gets it the sooner.
        if (ok || err.code == ERR_STORE_BUSY) w->pause_ns = PAUSE_MIN_NS;
        // What went before a row that was refused goes at once.
        if (!ok && !w->good) pause_after_failure(w);
    }
    mutex_lock(&w->lock);
    w->dropped += w->rows;
    mutex_unlock(&w->lock);
    tell_dropped(w, true);
}

// --- start and end ---

static void collect(void *arg, struct metrics *metrics) {
    struct row_writer *w = arg;
    struct row_writer_stats stats;
    const struct str name = str_c(w->kind->name);
    row_writer_stats_get(w, &stats);
    metrics_set(metrics, metric_series(metrics, METRIC_ROWS_WAITING, &name, 1), stats.waiting);
    metrics_set(metrics, metric_series(metrics, METRIC_ROWS_DROPPED, &name, 1), stats.dropped);
}

bool row_writer_start(const struct row_kind *kind, const struct row_writer_options *options,
                      struct row_writer **out_writer, struct err *err) {
    struct row_writer *w = mem_zalloc(1, sizeof *w);
    if (!w) return err_no_memory(err);
    w->kind = kind;
    w->o = *options;
    w->last = &w->first;
    w->pause_ns = PAUSE_MIN_NS;
    mutex_init(&w->lock);
    cond_init(&w->news);
    cond_init(&w->written);
    bool ok = thread_start(&w->thread, kind->name, 0, run, w, err);
    if (ok && w->o.metrics && !metrics_collect(w->o.metrics, collect, w)) ok = err_no_memory(err);
    if (ok)
        *out_writer = w;
    else
        row_writer_end(w, 0);
    return ok;
}

void row_writer_end(struct row_writer *w, uint64_t until_ns) {
    if (!w) return;
    mutex_lock(&w->lock);
    w->stop = true;
    w->until_ns = until_ns;
    cond_signal(&w->news);
    mutex_unlock(&w->lock);
    thread_join(&w->thread);
    while (w->first) {
        struct waiting *next = w->first->next;
        row_free(w->first);
        w->first = next;
    }
    sql_close(w->db);
    cond_free(&w->written);
    cond_free(&w->news);
    mutex_free(&w->lock);
    mem_free(w);
}
