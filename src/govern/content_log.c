// Takes requests and answers over, and writes them on a thread.
#include "govern/content_log.h"

#include "base/utf8.h"
#include "govern/mask.h"
#include "os/clock.h"
#include "os/thread.h"
#include "store/sealed.h"

#define WAIT_NS (60 * NS_PER_SEC)
#define TEXT_MAX ((size_t)32 << 20)
#define LABEL_MAX 24

// An entry that waits; its texts, and the patterns', are in the rest of its block.
struct waiting {
    struct waiting *next;
    struct content_entry entry;
    struct mask mask;
    size_t bytes, max; // max: what is as long was cut
};

struct content_log {
    struct content_log_options o;
    struct thread thread;
    struct mutex lock;
    struct cond news;
    bool stop;
    struct waiting *first, **last;
    size_t bytes;
    uint64_t dropped;
    // The thread's own.
    struct sql *db;
    bool failing;
};

const struct conf_content *content_rule(const struct conf *conf, struct str tenant) {
    for (size_t i = 0; i < conf->content_log.n; i++)
        if (conf->content_log.p[i].enabled && str_eq(conf->content_log.p[i].tenant, tenant))
            return &conf->content_log.p[i];
    return NULL;
}

// --- handing over ---

static struct str keep(char **at, struct str text) {
    char *p = *at;
    if (text.n) memcpy(p, text.p, text.n);
    *at += text.n;
    return str_of(p, text.n);
}

static struct waiting *waiting_make(const struct conf_content *rule, const struct content_entry *e) {
    size_t max = (size_t)rule->max_bytes, bytes = e->request_id.n + e->model.n;
    struct str request = str_head(e->request, max), answer = str_head(e->answer, max);
    bytes += request.n + answer.n;
    for (size_t i = 0; i < rule->mask.n; i++) bytes += rule->mask.p[i].n;
    struct waiting *w = mem_zalloc(1, sizeof *w + bytes);
    if (!w) return NULL;
    char *at = (char *)(w + 1);
    w->bytes = bytes;
    w->max = max;
    w->entry = *e;
    w->entry.request_id = keep(&at, e->request_id);
    w->entry.model = keep(&at, e->model);
    w->entry.request = keep(&at, request);
    w->entry.answer = keep(&at, answer);
    for (size_t i = 0; i < rule->mask.n; i++) mask_add(&w->mask, keep(&at, rule->mask.p[i]));
    return w;
}

void content_log_put(struct content_log *log, const struct conf_content *rule, const struct content_entry *entry) {
    struct waiting *w = waiting_make(rule, entry);
    mutex_lock(&log->lock);
    if (!w || log->bytes + w->bytes > CONTENT_WAITING_MAX) {
        log->dropped++;
        mutex_unlock(&log->lock);
        mem_free(w);
        return;
    }
    *log->last = w;
    log->last = &w->next;
    log->bytes += w->bytes;
    cond_signal(&log->news);
    mutex_unlock(&log->lock);
}

// --- writing ---

static struct str label_of(char out[LABEL_MAX], int64_t id) {
    return str_of(out, (size_t)snprintf(out, LABEL_MAX, "%lld", (long long)id));
}

static bool row_insert(struct sql_scope scope, const struct content_entry *e, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            scope,
            STR("INSERT INTO content_log (tenant_id, request_id, at, key_id, model, status, expires_at, request,"
                " answer) SELECT ?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN t.retention_s > 0 AND"
                " ?3 + t.retention_s * 1000000000 < ?7 THEN ?3 + t.retention_s * 1000000000 ELSE ?7 END, ?8, ?9"
                " FROM tenant t WHERE t.id = ?1 AND t.status <> 'deleting' RETURNING id"),
            &st, err))
        return false;
    sql_bind_text(st, 2, e->request_id);
    sql_bind_i64(st, 3, e->at);
    sql_bind_i64(st, 4, e->key);
    sql_bind_text(st, 5, utf8_valid(e->model) ? e->model : STR("?"));
    sql_bind_i64(st, 6, e->status);
    sql_bind_i64(st, 7, e->expires_at);
    sql_bind_blob(st, 8, STR(""));
    sql_bind_blob(st, 9, STR(""));
    if (!sql_step(st, &row, err)) return false;
    *out_id = row ? sql_col_i64(st, 0) : 0;
    return row ? sql_run(st, err) : err_set(err, ERR_STORE, "the log of contents took no row");
}

// Masked and sealed; the label is the row's number.
static bool text_seal(struct content_log *log, struct sql_scope scope, const char *purpose, int64_t id,
                      const struct waiting *w, struct str text, struct buf *out, struct err *err) {
    char label[LABEL_MAX];
    struct buf masked = BUF_INIT(TEXT_MAX);
    mask_put(&masked, &w->mask, text);
    if (text.n >= w->max) masked.n = mask_whole(&w->mask, buf_str(&masked)).n;
    bool ok = !masked.failed || err_no_memory(err);
    ok = ok && seal(scope, log->o.dir, str_c(purpose), label_of(label, id), buf_str(&masked), out, err);
    secret_wipe(masked.p, masked.cap);
    buf_free(&masked);
    return ok;
}

static bool row_write(struct content_log *log, const struct waiting *w, struct err *err) {
    struct sql_scope scope = sql_tenant(log->db, w->entry.tenant);
    BUF_AUTO struct buf request = BUF_INIT(TEXT_MAX);
    BUF_AUTO struct buf answer = BUF_INIT(TEXT_MAX);
    struct sql_stmt *st;
    int64_t id;
    if (!row_insert(scope, &w->entry, &id, err) ||
        !text_seal(log, scope, "content_request", id, w, w->entry.request, &request, err) ||
        !text_seal(log, scope, "content_answer", id, w, w->entry.answer, &answer, err) ||
        !sql_prepare(scope, STR("UPDATE content_log SET request = ?3, answer = ?4 WHERE tenant_id = ?1 AND id = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_blob(st, 3, buf_str(&request));
    sql_bind_blob(st, 4, buf_str(&answer));
    return sql_run(st, err);
}

static bool expire(struct content_log *log, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(log->db), STR("DELETE FROM content_log WHERE expires_at <= ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, clock_unix_ns());
    return sql_run(st, err);
}

static bool write_all(struct content_log *log, const struct waiting *list, struct err *err) {
    if (!log->db && !datadir_open_db(log->o.dir, SQL_BUSY_MS_DEFAULT, &log->db, err)) return false;
    if (!sql_begin(log->db, err)) return false;
    bool ok = expire(log, err);
    for (; ok && list; list = list->next) ok = row_write(log, list, err);
    if (ok) return sql_commit(log->db, err);
    sql_rollback(log->db);
    return false;
}

static struct waiting *take_all(struct content_log *log, uint64_t *out_dropped, bool *out_stop) {
    mutex_lock(&log->lock);
    if (!log->first && !log->stop) cond_wait_for(&log->news, &log->lock, WAIT_NS);
    struct waiting *list = log->first;
    log->first = NULL;
    log->last = &log->first;
    log->bytes = 0;
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

static void run(void *arg) {
    struct content_log *log = arg;
    thread_background();
    for (bool stop = false; !stop;) {
        struct err err;
        uint64_t dropped;
        struct waiting *list = take_all(log, &dropped, &stop);
        bool ok = write_all(log, list, &err);
        if (!ok && !log->failing)
            log_error(log->o.log, LOG_MSG("the log of contents takes none; they are lost"), LOG_ERR(&err));
        log->failing = !ok;
        if (dropped)
            log_warn(log->o.log, LOG_MSG("contents were not kept: the writer fell behind"),
                     LOG_INT("entries", (int64_t)dropped));
        free_all(list);
    }
}

bool content_log_start(const struct content_log_options *options, struct content_log **out_log, struct err *err) {
    struct content_log *log = mem_zalloc(1, sizeof *log);
    if (!log) return err_no_memory(err);
    log->o = *options;
    log->last = &log->first;
    mutex_init(&log->lock);
    cond_init(&log->news);
    if (thread_start(&log->thread, "content-log", 0, run, log, err)) {
        *out_log = log;
        return true;
    }
    content_log_end(log);
    return false;
}

void content_log_end(struct content_log *log) {
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

// --- reading ---

static bool row_show(struct sql_scope scope, const struct datadir *dir, struct sql_stmt *st, content_visit *visit,
                     void *arg, struct err *err) {
    char label[LABEL_MAX];
    struct arena arena;
    BUF_AUTO struct buf request = BUF_INIT(TEXT_MAX);
    BUF_AUTO struct buf answer = BUF_INIT(TEXT_MAX);
    struct content_entry e = {.tenant = scope.tenant,
                              .at = sql_col_i64(st, 1),
                              .key = sql_col_i64(st, 2),
                              .status = (int)sql_col_i64(st, 4),
                              .expires_at = sql_col_i64(st, 5)};
    struct str name = label_of(label, sql_col_i64(st, 0));
    // Opening may ask the database for the tenant's key: what the row says is copied first.
    arena_init(&arena, NULL, 0, 2 * TEXT_MAX);
    e.model = arena_str(&arena, sql_col_text(st, 3));
    e.request_id = arena_str(&arena, sql_col_text(st, 8));
    struct str sealed_request = arena_str(&arena, sql_col_blob(st, 6)),
               sealed_answer = arena_str(&arena, sql_col_blob(st, 7));
    sql_reset(st);
    bool ok = unseal(scope, dir, STR("content_request"), name, sealed_request, &request, err) &&
              unseal(scope, dir, STR("content_answer"), name, sealed_answer, &answer, err);
    e.request = buf_str(&request);
    e.answer = buf_str(&answer);
    ok = ok && visit(arg, &e, err);
    arena_free(&arena);
    return ok;
}

bool content_read(struct sql_scope scope, const struct datadir *dir, struct str request_id, int64_t now_ns,
                  content_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            scope,
            STR("SELECT id, at, key_id, model, status, expires_at, request, answer, request_id FROM content_log"
                " WHERE tenant_id = ?1 AND request_id = ?2 AND expires_at > ?3 ORDER BY id DESC LIMIT 1"),
            &st, err))
        return false;
    sql_bind_text(st, 2, request_id);
    sql_bind_i64(st, 3, now_ns);
    if (!sql_step(st, &row, err)) return false;
    if (row) return row_show(scope, dir, st, visit, arg, err);
    return err_set(err, ERR_NOT_FOUND, "nothing is kept of this request");
}

bool content_delete(struct sql_scope scope, struct str request_id, int64_t *out_n, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("DELETE FROM content_log WHERE tenant_id = ?1 AND request_id = ?2"), &st, err))
        return false;
    sql_bind_text(st, 2, request_id);
    if (!sql_run(st, err)) return false;
    *out_n = sql_changes(scope.db);
    return true;
}
