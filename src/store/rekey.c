// Seals values anew under a tenant's next data key, a few at a time.
#include "store/rekey.h"

#include "base/vec.h"
#include "os/clock.h"
#include "store/sealed.h"

#include <stdio.h>

#define BATCH 16
#define BATCH_TEXT "16"
#define VALUE_MAX ((size_t)1 << 30) // SQLite's own limit

struct column {
    bool server; // the default tenant's, in a table without tenants
    bool number; // what kind of label
    struct str purpose;
    struct str select; // ?1 the tenant, ?2 the prefix of what needs nothing, ?3 the label that was last
    struct str update; // ?2 the label, ?3 the old value, ?4 the new one
    struct str count;  // ?2 the prefix
    struct str forget; // in place of sealing anew; ?2 the prefix of what stays
};

// ?1 is the tenant also where the table knows none.
#define WHOSE_TENANT "tenant_id = ?1"
#define WHOSE_SERVER "CAST(?1 AS BIGINT) = 1"
#define IS_SERVER_TENANT false
#define IS_SERVER_SERVER true
#define IS_NUMBER_NUMBER true
#define IS_NUMBER_TEXT false

static const struct column columns[] = {
#define SEALED_COLUMN(table, value, whose, label, kind, what)                                                          \
    {.server = IS_SERVER_##whose,                                                                                      \
     .number = IS_NUMBER_##kind,                                                                                       \
     .purpose = STR_INIT(what),                                                                                        \
     .select = STR_INIT("SELECT " #label ", " #value " FROM " #table " WHERE " WHOSE_##whose                           \
                        " AND " #value " IS NOT NULL AND substr(" #value ", 1, 5) <> ?2 AND " #label                   \
                        " > ?3 ORDER BY " #label " LIMIT " BATCH_TEXT),                                                \
     .update = STR_INIT("UPDATE " #table " SET " #value " = ?4 WHERE " WHOSE_##whose " AND " #label                    \
                                                                                     " = ?2 AND " #value " = ?3"),     \
     .count = STR_INIT("SELECT count(*) FROM " #table " WHERE " WHOSE_##whose " AND substr(" #value ", 1, 5) = ?2")},
#define SEALED_SHORT(table, value)                                                                                     \
    {.count = STR_INIT("SELECT count(*) FROM " #table " WHERE tenant_id = ?1 AND substr(" #value ", 1, 5) = ?2"),      \
     .forget = STR_INIT("DELETE FROM " #table " WHERE tenant_id = ?1 AND substr(" #value ", 1, 5) <> ?2")},
#include "store/sealed_column.def"
#undef SEALED_COLUMN
#undef SEALED_SHORT
};

static struct sql_scope scope_of(struct sql_scope tenant, const struct column *c) {
    return c->server ? sql_platform(tenant.db) : tenant;
}

static bool prepare(struct sql_scope tenant, const struct column *c, struct str text, struct sql_stmt **out_stmt,
                    struct err *err) {
    if (!sql_prepare(scope_of(tenant, c), text, out_stmt, err)) return false;
    sql_bind_i64(*out_stmt, 1, tenant.tenant);
    return true;
}

// --- one batch ---

struct value {
    int64_t number;
    struct str text, sealed; // owned
};
struct batch {
    VEC(struct value) list;
};

static void str_free(struct str *s) { mem_free((void *)(uintptr_t)s->p); }

static void batch_free(struct batch *b) {
    for (size_t i = 0; i < b->list.n; i++) {
        str_free(&b->list.p[i].text);
        str_free(&b->list.p[i].sealed);
    }
    vec_free(&b->list);
}

static bool take(struct sql_stmt *st, const struct column *c, struct batch *b, struct err *err) {
    struct value v = {.number = c->number ? sql_col_i64(st, 0) : 0};
    char number[24];
    struct str label = c->number ? str_of(number, (size_t)snprintf(number, sizeof number, "%lld", (long long)v.number))
                                 : sql_col_text(st, 0);
    struct str sealed = sql_col_blob(st, 1);
    v.text = str_of(mem_strdup(label), label.n);
    v.sealed = str_of(mem_strdup(sealed), sealed.n);
    if (v.text.p && v.sealed.p && vec_push(&b->list, v)) return true;
    str_free(&v.text);
    str_free(&v.sealed);
    return err_no_memory(err);
}

// Where a walk through a column stands.
struct walk {
    struct sql_scope scope;
    const struct datadir *dir;
    const struct column *column;
    char prefix[SEALED_PREFIX_SIZE];
    int64_t last_number;
    struct buf last_text;
    struct rekey_report *report;
};

static bool read_batch(struct walk *w, struct batch *b, struct err *err) {
    struct sql_stmt *st;
    if (!prepare(w->scope, w->column, w->column->select, &st, err)) return false;
    sql_bind_blob(st, 2, str_of(w->prefix, sizeof w->prefix));
    if (w->column->number)
        sql_bind_i64(st, 3, w->last_number);
    else
        sql_bind_text(st, 3, w->last_text.n ? buf_str(&w->last_text) : STR(""));
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!take(st, w->column, b, err)) {
            sql_reset(st);
            return false;
        }
    }
}

static bool write_value(struct walk *w, const struct value *v, struct str sealed, struct err *err) {
    struct sql_stmt *st;
    if (!prepare(w->scope, w->column, w->column->update, &st, err)) return false;
    if (w->column->number)
        sql_bind_i64(st, 2, v->number);
    else
        sql_bind_text(st, 2, v->text);
    sql_bind_blob(st, 3, v->sealed);
    sql_bind_blob(st, 4, sealed);
    return sql_run(st, err);
}

static bool reseal(struct walk *w, const struct value *v, struct err *err) {
    struct buf text = BUF_INIT(VALUE_MAX);
    BUF_AUTO struct buf sealed = BUF_INIT(VALUE_MAX);
    bool ok = unseal(w->scope, w->dir, w->column->purpose, v->text, v->sealed, &text, err), opened = ok;
    if (ok) ok = seal(w->scope, w->dir, w->column->purpose, v->text, buf_str(&text), &sealed, err);
    secret_wipe(text.p, text.n);
    buf_free(&text);
    if (!opened && err->code == ERR_STORE) {
        w->report->unopened++;
        return true;
    }
    if (!ok || !write_value(w, v, buf_str(&sealed), err)) return false;
    w->report->resealed++;
    return true;
}

static bool do_batch(struct walk *w, struct batch *b, struct err *err) {
    if (!sql_begin(w->scope.db, err)) return false;
    bool ok = read_batch(w, b, err);
    for (size_t i = 0; ok && i < b->list.n; i++) ok = reseal(w, &b->list.p[i], err);
    if (ok) ok = sql_commit(w->scope.db, err);
    if (!ok) sql_rollback(w->scope.db);
    return ok;
}

static bool walk_column(struct walk *w, struct err *err) {
    bool ok = true;
    for (size_t n = BATCH; ok && n == BATCH;) {
        struct batch b = {0};
        ok = do_batch(w, &b, err);
        n = b.list.n;
        if (ok && n) {
            w->last_number = b.list.p[n - 1].number;
            buf_clear(&w->last_text);
            buf_put(&w->last_text, b.list.p[n - 1].text);
            ok = !w->last_text.failed || err_no_memory(err);
        }
        batch_free(&b);
    }
    return ok;
}

static bool forget_column(struct walk *w, struct err *err) {
    struct sql_stmt *st;
    if (!prepare(w->scope, w->column, w->column->forget, &st, err)) return false;
    sql_bind_blob(st, 2, str_of(w->prefix, sizeof w->prefix));
    return sql_run(st, err);
}

static bool walk_all(struct sql_scope scope, const struct datadir *dir, struct rekey_report *report, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        struct walk w = {.scope = scope,
                         .dir = dir,
                         .column = &columns[i],
                         .last_number = INT64_MIN,
                         .last_text = BUF_INIT(1 << 20),
                         .report = report};
        if (columns[i].server && scope.tenant != TENANT_DEFAULT) continue;
        sealed_prefix(report->version, w.prefix);
        bool ok = columns[i].forget.n ? forget_column(&w, err) : walk_column(&w, err);
        buf_free(&w.last_text);
        if (!ok) return false;
    }
    return true;
}

// --- old keys ---

static bool prefix_used(struct sql_scope scope, struct str prefix, bool *out_used, struct err *err) {
    *out_used = false;
    for (size_t i = 0; i < ARRAY_LEN(columns) && !*out_used; i++) {
        struct sql_stmt *st;
        bool row;
        if (columns[i].server && scope.tenant != TENANT_DEFAULT) continue;
        if (!prepare(scope, &columns[i], columns[i].count, &st, err)) return false;
        sql_bind_blob(st, 2, prefix);
        if (!sql_step(st, &row, err)) return false;
        *out_used = row && sql_col_i64(st, 0) > 0;
        if (row) sql_reset(st);
    }
    return true;
}

#define OLD_MAX 64
struct old {
    int64_t version; // 0: the key of early versions
};

// Those that have been old for long enough, and how many have not.
static bool read_old(struct sql_scope scope, int64_t before_ns, struct old out_list[OLD_MAX], size_t *out_n,
                     int64_t *out_young, struct err *err) {
    struct sql_stmt *st;
    *out_n = 0;
    *out_young = 0;
    if (!sql_prepare(scope,
                     STR("SELECT version, retired_at FROM data_key"
                         " WHERE tenant_id = ?1 AND purpose = 'seal' AND retired_at <> 0 ORDER BY version"),
                     &st, err))
        return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (sql_col_i64(st, 1) > before_ns || *out_n == OLD_MAX)
            ++*out_young;
        else
            out_list[(*out_n)++].version = sql_col_i64(st, 0);
    }
}

static bool delete_key(struct sql_scope scope, struct str purpose, int64_t version, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("DELETE FROM data_key WHERE tenant_id = ?1 AND purpose = ?2 AND version = ?3"), &st,
                     err))
        return false;
    sql_bind_text(st, 2, purpose);
    sql_bind_i64(st, 3, version);
    return sql_run(st, err);
}

// What an early version sealed has no version of a key, only its format's number and random bytes.
static bool early_used(struct sql_scope scope, bool *out_used, struct err *err) {
    static const char *const texts[] = {
#define SEALED_COLUMN(table, value, whose, label, kind, what)                                                          \
    "SELECT count(*) FROM " #table " WHERE " WHOSE_##whose " AND substr(" #value ", 1, 1) = ?2",
#define SEALED_SHORT(table, value) NULL,
#include "store/sealed_column.def"
#undef SEALED_COLUMN
#undef SEALED_SHORT
    };
    *out_used = false;
    for (size_t i = 0; i < ARRAY_LEN(columns) && !*out_used; i++) {
        struct sql_stmt *st;
        bool row;
        if (!texts[i]) continue;
        if (!prepare(scope, &columns[i], str_c(texts[i]), &st, err)) return false;
        sql_bind_blob(st, 2, STR("\1"));
        if (!sql_step(st, &row, err)) return false;
        *out_used = row && sql_col_i64(st, 0) > 0;
        if (row) sql_reset(st);
    }
    return true;
}

static bool tidy_early(struct sql_scope scope, int64_t *io_destroyed, int64_t *io_kept, struct err *err) {
    struct sql_stmt *st;
    bool there, used;
    if (!sql_prepare(scope, STR("SELECT 1 FROM data_key WHERE tenant_id = ?1 AND purpose = 'secret_key'"), &st, err) ||
        !sql_step(st, &there, err))
        return false;
    if (!there) return true;
    sql_reset(st);
    if (!early_used(scope, &used, err)) return false;
    if (used) ++*io_kept;
    if (used) return true;
    ++*io_destroyed;
    return delete_key(scope, STR("secret_key"), 1, err);
}

static bool tidy(struct sql_scope scope, int64_t before_ns, int64_t *io_destroyed, int64_t *io_kept, struct err *err) {
    struct old list[OLD_MAX];
    size_t n;
    if (!read_old(scope, before_ns, list, &n, io_kept, err)) return false;
    for (size_t i = 0; i < n; i++) {
        char prefix[SEALED_PREFIX_SIZE];
        bool used;
        sealed_prefix(list[i].version, prefix);
        if (!prefix_used(scope, str_of(prefix, sizeof prefix), &used, err)) return false;
        if (used) {
            ++*io_kept;
            continue;
        }
        if (!delete_key(scope, STR("seal"), list[i].version, err)) return false;
        ++*io_destroyed;
    }
    return scope.tenant != TENANT_DEFAULT || tidy_early(scope, io_destroyed, io_kept, err);
}

bool rekey_tidy(struct sql_scope scope, int64_t grace_ns, int64_t now_ns, int64_t *out_destroyed, int64_t *out_kept,
                struct err *err) {
    int64_t destroyed = 0, kept = 0;
    if (!sql_begin(scope.db, err)) return false;
    bool ok = tidy(scope, now_ns - grace_ns, &destroyed, &kept, err) && sql_commit(scope.db, err);
    if (!ok) {
        sql_rollback(scope.db);
        return false;
    }
    *out_destroyed = destroyed;
    *out_kept = kept;
    return true;
}

// --- tenants ---

struct tenants {
    VEC(int64_t) list;
};

static bool read_tenants(struct sql *db, struct str text, struct tenants *out, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), text, &st, err)) return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (vec_push(&out->list, sql_col_i64(st, 0))) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

bool rekey_tidy_all(struct sql *db, struct err *err) {
    struct tenants all = {0};
    bool ok = read_tenants(db,
                           STR("SELECT DISTINCT tenant_id FROM data_key"
                               " WHERE retired_at <> 0 AND purpose = 'seal' ORDER BY tenant_id"),
                           &all, err);
    for (size_t i = 0; ok && i < all.list.n; i++) {
        int64_t destroyed, kept;
        ok = rekey_tidy(sql_tenant(db, all.list.p[i]), REKEY_GRACE_NS, clock_unix_ns(), &destroyed, &kept, err);
    }
    vec_free(&all.list);
    return ok;
}

static bool finish(struct sql_scope scope, const struct rekey_report *report, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("UPDATE data_key SET rekeying = 0 WHERE tenant_id = ?1 AND purpose = 'seal' AND version = ?2"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, report->version);
    return sql_run(st, err);
}

bool rekey_tenant(struct sql_scope scope, const struct datadir *dir, struct rekey_report *out_report, struct err *err) {
    struct rekey_report report = {.tenant = scope.tenant};
    INVARIANT(scope.tenant != SQL_PLATFORM);
    // Twice: the second time for what was sealed with the old key when the walk had passed already.
    if (!keeper_advance(dir->keeper, scope, &report.version, &report.resumed, err) ||
        !walk_all(scope, dir, &report, err))
        return false;
    report.unopened = 0;
    if (!walk_all(scope, dir, &report, err) || !finish(scope, &report, err) ||
        !rekey_tidy(scope, REKEY_GRACE_NS, clock_unix_ns(), &report.destroyed, &report.kept, err))
        return false;
    *out_report = report;
    return true;
}

bool rekey_all(struct sql *db, const struct datadir *dir, rekey_told *told, void *arg, struct err *err) {
    struct tenants all = {0};
    // Who has no key has nothing sealed; but of the default tenant, what an early version sealed.
    bool ok = read_tenants(db, STR("SELECT DISTINCT tenant_id FROM data_key ORDER BY tenant_id"), &all, err);
    for (size_t i = 0; ok && i < all.list.n; i++) {
        struct rekey_report report;
        ok = rekey_tenant(sql_tenant(db, all.list.p[i]), dir, &report, err) && told(arg, &report, err);
    }
    vec_free(&all.list);
    return ok;
}
