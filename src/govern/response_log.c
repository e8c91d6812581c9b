// Hands responses over to their writer; looks them up for whoever asks.
#include "govern/response_log.h"

#include "base/hash.h"
#include "base/mem.h"
#include "os/clock.h"
#include "store/sql_pool.h"

#define SETTLE_NS (5 * NS_PER_SEC)

struct response_log {
    const struct datadir *dir;
    struct sql_pool *pool;
    struct row_writer *writer;
};

static uint64_t tag_of(int64_t tenant, struct str name) { return hash_bytes(name, (uint64_t)tenant); }

void response_log_put(struct response_log *log, const struct response_row *row) {
    struct response_row r = *row;
    const struct str *const texts[] = {&r.name, &r.previous, &r.place, &r.model, &r.input, &r.answer};
    if (r.input.n > RESPONSE_TEXT_MAX || r.answer.n > RESPONSE_TEXT_MAX || r.name.n > RESPONSE_NAME_MAX)
        row_writer_drop(log->writer);
    else
        row_writer_put(log->writer, &r, sizeof r, texts, ARRAY_LEN(texts), tag_of(r.tenant, r.name));
}

static bool write_row(const struct datadir *dir, struct sql *db, const void *row, struct err *err) {
    const struct response_row *r = row;
    return response_put(sql_tenant(db, r->tenant), dir, r, err);
}

static bool expire(struct sql *db, struct err *err) { return response_expire(db, clock_unix_ns(), err); }

static const struct row_kind k_kind = {.name = "response-log",
                                       .max_rows = SIZE_MAX,
                                       .max_bytes = RESPONSES_WAITING_MAX,
                                       .write = write_row,
                                       .expire = expire};

bool response_log_start(const struct row_writer_options *options, struct response_log **out_log, struct err *err) {
    struct response_log *log = mem_zalloc(1, sizeof *log);
    if (!log) return err_no_memory(err);
    log->dir = options->dir;
    bool ok = sql_pool_create(options->dir, &log->pool, err) && row_writer_start(&k_kind, options, &log->writer, err);
    if (ok)
        *out_log = log;
    else
        response_log_end(log, 0);
    return ok;
}

void response_log_end(struct response_log *log, uint64_t until_ns) {
    if (!log) return;
    row_writer_end(log->writer, until_ns);
    sql_pool_free(log->pool);
    mem_free(log);
}

// Waits until it is no longer on its way into the database.
static void settle(struct response_log *log, const struct response_ask *ask) {
    row_writer_settle(log->writer, tag_of(ask->tenant, ask->name), SETTLE_NS);
}

bool response_log_get(struct response_log *log, const struct response_ask *ask, struct arena *arena,
                      struct response_row *out_row, struct err *err) {
    struct sql *db;
    settle(log, ask);
    if (!sql_pool_take(log->pool, &db, err)) return false;
    bool ok = response_get(sql_tenant(db, ask->tenant), log->dir, ask->name, ask->place, clock_unix_ns(), arena,
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
    return str_starts(str_c(log->dir->database), STR("postgres"));
}
