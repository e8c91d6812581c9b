// Takes responses over and writes them on a thread; looks them up for whoever asks.
#include "govern/response_log.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"
#include "store/sql_pool.h"

#define WAIT_NS (60 * NS_PER_SEC)
#define SETTLE_NS (5 * NS_PER_SEC)

// One that waits; its texts are in the rest of its block.
struct waiting {
    struct waiting *next;
    struct response_row row;
    size_t bytes;
};

struct response_log {
    struct response_log_options o;
    struct sql_pool *pool;
    struct thread thread;
    struct mutex lock;
    struct cond news, written;
    bool stop;
    struct waiting *first, **last;
    struct waiting *writing; // the thread's, until they are in the database
    size_t bytes;
    uint64_t dropped;
    // The thread's own.
    struct sql *db;
    bool failing;
};

// --- handing over ---

static struct str keep(char **at, struct str text) {
    char *p = *at;
    if (text.n) memcpy(p, text.p, text.n);
    *at += text.n;
    return str_of(p, text.n);
}

static struct waiting *waiting_make(const struct response_row *r) {
    size_t bytes = r->name.n + r->previous.n + r->place.n + r->model.n + r->input.n + r->answer.n;
    if (r->input.n > RESPONSE_TEXT_MAX || r->answer.n > RESPONSE_TEXT_MAX || r->name.n > RESPONSE_NAME_MAX) return NULL;
    struct waiting *w = mem_alloc(sizeof *w + bytes);
    if (!w) return NULL;
    char *at = (char *)(w + 1);
    *w = (struct waiting){.row = *r, .bytes = bytes};
    w->row.name = keep(&at, r->name);
    w->row.previous = keep(&at, r->previous);
    w->row.place = keep(&at, r->place);
    w->row.model = keep(&at, r->model);
    w->row.input = keep(&at, r->input);
    w->row.answer = keep(&at, r->answer);
    return w;
}

void response_log_put(struct response_log *log, const struct response_row *row) {
    struct waiting *w = waiting_make(row);
    mutex_lock(&log->lock);
    bool take = w && log->bytes + w->bytes <= RESPONSES_WAITING_MAX;
    if (take) {
        *log->last = w;
        log->last = &w->next;
        log->bytes += w->bytes;
        cond_signal(&log->news);
    } else {
        log->dropped++;
    }
    mutex_unlock(&log->lock);
    if (!take) mem_free(w);
}

// --- writing ---

static bool write_all(struct response_log *log, const struct waiting *list, struct err *err) {
    bool ok = log->db || datadir_open_db(log->o.dir, SQL_BUSY_MS_DEFAULT, &log->db, err);
    for (; ok && list; list = list->next)
        ok = response_put(sql_tenant(log->db, list->row.tenant), log->o.dir, &list->row, err);
    return ok && response_expire(log->db, clock_unix_ns(), err);
}

static struct waiting *take_all(struct response_log *log, uint64_t *out_dropped, bool *out_stop) {
    mutex_lock(&log->lock);
    if (!log->first && !log->stop) cond_wait_for(&log->news, &log->lock, WAIT_NS);
    struct waiting *list = log->first;
    log->writing = list;
    log->first = NULL;
    log->last = &log->first;
    *out_dropped = log->dropped;
    log->dropped = 0;
    *out_stop = log->stop;
    mutex_unlock(&log->lock);
    return list;
}

static void free_all(struct waiting *list) {
    while (list) {
        struct waiting *next = list->next;
        secret_wipe(list + 1, list->bytes);
        mem_free(list);
        list = next;
    }
}

static void over(struct response_log *log, struct waiting *list) {
    size_t bytes = 0;
    for (const struct waiting *w = list; w; w = w->next) bytes += w->bytes;
    mutex_lock(&log->lock);
    log->writing = NULL;
    log->bytes -= bytes;
    cond_broadcast(&log->written);
    mutex_unlock(&log->lock);
    free_all(list);
}

static void run(void *arg) {
    struct response_log *log = arg;
    thread_background();
    for (bool stop = false; !stop;) {
        struct err err;
        uint64_t dropped;
        struct waiting *list = take_all(log, &dropped, &stop);
        bool ok = write_all(log, list, &err);
        if (!ok && !log->failing)
            log_error(log->o.log, LOG_MSG("responses are not kept: clients cannot go on from them"), LOG_ERR(&err));
        if (!ok) {
            sql_close(log->db);
            log->db = NULL;
        }
        log->failing = !ok;
        if (dropped)
            log_warn(log->o.log, LOG_MSG("responses were not kept: too large, or the writer fell behind"),
                     LOG_INT("responses", (int64_t)dropped));
        over(log, list);
    }
}

bool response_log_start(const struct response_log_options *options, struct response_log **out_log, struct err *err) {
    struct response_log *log = mem_zalloc(1, sizeof *log);
    if (!log) return err_no_memory(err);
    log->o = *options;
    log->last = &log->first;
    mutex_init(&log->lock);
    cond_init(&log->news);
    cond_init(&log->written);
    if (sql_pool_create(options->dir, &log->pool, err) &&
        thread_start(&log->thread, "response-log", 0, run, log, err)) {
        *out_log = log;
        return true;
    }
    response_log_end(log);
    return false;
}

void response_log_end(struct response_log *log) {
    if (!log) return;
    mutex_lock(&log->lock);
    log->stop = true;
    cond_signal(&log->news);
    mutex_unlock(&log->lock);
    thread_join(&log->thread);
    free_all(log->first);
    sql_close(log->db);
    sql_pool_free(log->pool);
    cond_free(&log->written);
    cond_free(&log->news);
    mutex_free(&log->lock);
    mem_free(log);
}

// --- looking up ---

static bool in_list(const struct waiting *w, const struct response_ask *ask) {
    for (; w; w = w->next)
        if (w->row.tenant == ask->tenant && str_eq(w->row.name, ask->name)) return true;
    return false;
}

// Waits until it is no longer on its way into the database.
static void settle(struct response_log *log, const struct response_ask *ask) {
    uint64_t until = clock_mono_ns() + SETTLE_NS, now = 0;
    mutex_lock(&log->lock);
    while ((in_list(log->first, ask) || in_list(log->writing, ask)) && (now = clock_mono_ns()) < until)
        cond_wait_for(&log->written, &log->lock, until - now);
    mutex_unlock(&log->lock);
}

bool response_log_get(struct response_log *log, const struct response_ask *ask, struct arena *arena,
                      struct response_row *out_row, struct err *err) {
    struct sql *db;
    settle(log, ask);
    if (!sql_pool_take(log->pool, &db, err)) return false;
    bool ok = response_get(sql_tenant(db, ask->tenant), log->o.dir, ask->name, ask->place, clock_unix_ns(), arena,
                           out_row, err);
    sql_pool_give(log->pool, db);
    return ok;
}

bool response_log_delete(struct response_log *log, const struct response_ask *ask, struct err *err) {
    struct sql *db;
    settle(log, ask);
    if (!sql_pool_take(log->pool, &db, err)) return false;
    bool ok = sql_begin(db, err);
    ok = ok && response_delete(sql_tenant(db, ask->tenant), ask->name, ask->place, clock_unix_ns(), err) &&
         sql_commit(db, err);
    if (!ok) sql_rollback(db);
    sql_pool_give(log->pool, db);
    return ok;
}

bool response_log_is_shared(const struct response_log *log) {
    return str_starts(str_c(log->o.dir->database), STR("postgres"));
}
