// Takes scores over and writes them on a thread.
#include "govern/score_log.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"

#define WAIT_NS (60 * NS_PER_SEC)
#define GATHER_NS (100 * NS_PER_MS) // before what has come is written in one go

struct waiting {
    struct waiting *next;
    struct score_row row; // its texts are in the rest of its block
};

struct score_log {
    const struct datadir *dir;
    struct log *log;
    struct thread thread;
    struct mutex lock; // of the next six
    struct cond news;
    bool stop;
    struct waiting *first, **last;
    size_t waiting;
    uint64_t dropped;
    // The thread's own.
    struct sql *db;
    bool failing;
};

static struct str keep(char **at, struct str text) {
    char *p = *at;
    if (text.n) memcpy(p, text.p, text.n);
    *at += text.n;
    return str_of(p, text.n);
}

static struct waiting *waiting_make(const struct score_row *r) {
    struct waiting *w =
        mem_alloc(sizeof *w + r->provider.n + r->model.n + r->upstream_model.n + r->task.n + r->comment.n);
    if (!w) return NULL;
    char *at = (char *)(w + 1);
    *w = (struct waiting){.row = *r};
    w->row.provider = keep(&at, r->provider);
    w->row.model = keep(&at, r->model);
    w->row.upstream_model = keep(&at, r->upstream_model);
    w->row.task = keep(&at, r->task);
    w->row.comment = keep(&at, r->comment);
    return w;
}

void score_log_put(struct score_log *log, const struct score_row *row) {
    struct waiting *w = log ? waiting_make(row) : NULL;
    if (!log) return;
    mutex_lock(&log->lock);
    bool take = w && log->waiting < SCORES_WAITING_MAX;
    if (take) {
        *log->last = w;
        log->last = &w->next;
        log->waiting++;
        cond_signal(&log->news);
    } else {
        log->dropped++;
    }
    mutex_unlock(&log->lock);
    if (!take) mem_free(w);
}

static bool write_all(struct score_log *log, const struct waiting *list, struct err *err) {
    if (!list) return true;
    bool ok = log->db || datadir_open_db(log->dir, SQL_BUSY_MS_DEFAULT, &log->db, err);
    ok = ok && sql_begin(log->db, err);
    for (; ok && list; list = list->next) ok = score_put(sql_tenant(log->db, list->row.tenant), &list->row, err);
    return ok && sql_commit(log->db, err);
}

static struct waiting *take_all(struct score_log *log, uint64_t *out_dropped, bool *out_stop) {
    mutex_lock(&log->lock);
    if (!log->first && !log->stop) cond_wait_for(&log->news, &log->lock, WAIT_NS);
    if (log->first && !log->stop) cond_wait_for(&log->news, &log->lock, GATHER_NS);
    struct waiting *list = log->first;
    log->first = NULL;
    log->last = &log->first;
    log->waiting = 0;
    *out_dropped = log->dropped;
    log->dropped = 0;
    *out_stop = log->stop;
    mutex_unlock(&log->lock);
    return list;
}

static void free_all(struct waiting *list) {
    while (list) {
        struct waiting *next = list->next;
        mem_free(list);
        list = next;
    }
}

static void run(void *arg) {
    struct score_log *log = arg;
    thread_background();
    for (bool stop = false; !stop;) {
        struct err err;
        uint64_t dropped;
        struct waiting *list = take_all(log, &dropped, &stop);
        bool ok = write_all(log, list, &err);
        if (!ok && !log->failing) log_error(log->log, LOG_MSG("scores of answers are not kept"), LOG_ERR(&err));
        if (!ok) {
            sql_close(log->db);
            log->db = NULL;
        }
        log->failing = !ok;
        if (dropped)
            log_warn(log->log, LOG_MSG("scores of answers were not kept: the writer fell behind"),
                     LOG_INT("scores", (int64_t)dropped));
        free_all(list);
    }
}

bool score_log_start(const struct datadir *dir, struct log *log, struct score_log **out_log, struct err *err) {
    struct score_log *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    l->dir = dir;
    l->log = log;
    l->last = &l->first;
    mutex_init(&l->lock);
    cond_init(&l->news);
    if (thread_start(&l->thread, "score-log", 0, run, l, err)) {
        *out_log = l;
        return true;
    }
    score_log_end(l);
    return false;
}

void score_log_end(struct score_log *log) {
    if (!log) return;
    mutex_lock(&log->lock);
    log->stop = true;
    cond_signal(&log->news);
    mutex_unlock(&log->lock);
    thread_join(&log->thread);
    free_all(log->first);
    sql_close(log->db);
    cond_free(&log->news);
    mutex_free(&log->lock);
    mem_free(log);
}
