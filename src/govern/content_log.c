// Hands requests and answers over to their writer, masks and seals them there, and opens them again.
#include "govern/content_log.h"

#include "govern/mask.h"
#include "os/clock.h"
#include "store/sealed.h"

#define TEXT_MAX ((size_t)32 << 20)
#define LABEL_MAX 24

// One that waits.
struct kept {
    struct content_entry entry;
    struct mask mask;
    size_t max; // what is as long was cut
};

const struct conf_content *content_rule(const struct conf *conf, struct str tenant) {
    for (size_t i = 0; i < conf->content_log.n; i++)
        if (conf->content_log.p[i].enabled && str_eq(conf->content_log.p[i].tenant, tenant))
            return &conf->content_log.p[i];
    return NULL;
}

// --- handing over ---

void content_log_put(struct row_writer *log, const struct conf_content *rule, const struct content_entry *entry) {
    struct kept k = {.entry = *entry, .max = (size_t)rule->max_bytes};
    struct content_entry *e = &k.entry;
    const struct str *texts[4 + MASK_TEXTS_MAX] = {&e->request_id, &e->model, &e->request, &e->answer};
    e->request = str_head(e->request, k.max);
    e->answer = str_head(e->answer, k.max);
    for (size_t i = 0; i < rule->mask.n; i++) mask_add(&k.mask, rule->mask.p[i]);
    for (size_t i = 0; i < k.mask.n; i++) texts[4 + i] = &k.mask.texts[i];
    row_writer_put(log, &k, sizeof k, texts, 4 + k.mask.n, 0);
}

// --- writing ---

static struct str label_of(char out[LABEL_MAX], int64_t id) {
    return str_of(out, (size_t)snprintf(out, LABEL_MAX, "%lld", (long long)id));
}

// *out_id 0: it is there already, or its tenant is going.
static bool row_insert(struct sql_scope scope, const struct content_entry *e, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            scope,
            STR("INSERT INTO content_log (tenant_id, request_id, at, key_id, model, status, expires_at, request,"
                " answer) SELECT ?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN t.retention_s > 0 AND"
                " ?3 + t.retention_s * 1000000000 < ?7 THEN ?3 + t.retention_s * 1000000000 ELSE ?7 END, ?8, ?9"
                " FROM tenant t WHERE t.id = ?1 AND t.status <> 'deleting' AND NOT EXISTS (SELECT 1 FROM content_log c"
                " WHERE c.tenant_id = ?1 AND c.request_id = ?2 AND c.at = ?3) RETURNING id"),
            &st, err))
        return false;
    sql_bind_text(st, 2, e->request_id);
    sql_bind_i64(st, 3, e->at);
    sql_bind_i64(st, 4, e->key);
    sql_bind_text(st, 5, sql_is_text(e->model) ? e->model : STR("?"));
    sql_bind_i64(st, 6, e->status);
    sql_bind_i64(st, 7, e->expires_at);
    sql_bind_blob(st, 8, STR(""));
    sql_bind_blob(st, 9, STR(""));
    if (!sql_step(st, &row, err)) return false;
    *out_id = row ? sql_col_i64(st, 0) : 0;
    return !row || sql_run(st, err);
}

// Masked and sealed; the label is the row's number.
static bool text_seal(const struct datadir *dir, struct sql_scope scope, const char *purpose, int64_t id,
                      const struct kept *k, struct str text, struct buf *out, struct err *err) {
    char label[LABEL_MAX];
    struct buf masked = BUF_INIT(TEXT_MAX);
    mask_put(&masked, &k->mask, text);
    if (text.n >= k->max) masked.n = mask_whole(&k->mask, buf_str(&masked)).n;
    bool ok = !masked.failed || err_no_memory(err);
    ok = ok && seal(scope, dir, str_c(purpose), label_of(label, id), buf_str(&masked), out, err);
    secret_wipe(masked.p, masked.cap);
    buf_free(&masked);
    return ok;
}

static bool write_row(const struct datadir *dir, struct sql *db, const void *row, struct err *err) {
    const struct kept *k = row;
    struct sql_scope scope = sql_tenant(db, k->entry.tenant);
    BUF_AUTO struct buf request = BUF_INIT(TEXT_MAX);
    BUF_AUTO struct buf answer = BUF_INIT(TEXT_MAX);
    struct sql_stmt *st;
    int64_t id;
    if (!row_insert(scope, &k->entry, &id, err)) return false;
    if (!id) return true;
    if (!text_seal(dir, scope, "content_request", id, k, k->entry.request, &request, err) ||
        !text_seal(dir, scope, "content_answer", id, k, k->entry.answer, &answer, err) ||
        !sql_prepare(scope, STR("UPDATE content_log SET request = ?3, answer = ?4 WHERE tenant_id = ?1 AND id = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_blob(st, 3, buf_str(&request));
    sql_bind_blob(st, 4, buf_str(&answer));
    return sql_run(st, err);
}

static bool expire(struct sql *db, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM content_log WHERE expires_at <= ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, clock_unix_ns());
    return sql_run(st, err);
}

const struct row_kind content_log_kind = {.name = "content-log",
                                          .max_rows = SIZE_MAX,
                                          .max_bytes = CONTENT_WAITING_MAX,
                                          .write = write_row,
                                          .expire = expire};

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
