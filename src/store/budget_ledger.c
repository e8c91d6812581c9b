// What was used of budgets by the tables and the log's segments together.
#include "store/budget_ledger.h"

#include "base/mem.h"
#include "store/ledger_pending.h"

struct budget_ledger {
    struct sql *db;
    struct ledger_pending pending;
    struct str time_zone;
    VEC(struct usage_record) superseded; // rows of unknown status whose end is pending; texts in pending.arena
};

static bool on_unknown(void *arg, const struct usage_record *rec, struct err *err) {
    struct budget_ledger *l = arg;
    struct usage_record r = *rec;
    r.model = arena_str(&l->pending.arena, rec->model);
    r.tags = arena_str(&l->pending.arena, rec->tags);
    bool kept = (r.model.p || !rec->model.n) && (r.tags.p || !rec->tags.n);
    return (kept && vec_push(&l->superseded, r)) || err_no_memory(err);
}

static bool read_zone(struct budget_ledger *l, int64_t tenant, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(l->db), STR("SELECT time_zone FROM tenant WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, tenant);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    l->time_zone = arena_str(&l->pending.arena, sql_col_text(st, 0));
    sql_reset(st);
    return true;
}

struct str budget_ledger_time_zone(const struct budget_ledger *ledger) {
    return ledger->time_zone;
}

// Segments before the table: a record moves from them into it, never back.
static bool read_all(struct budget_ledger *l, const struct datadir *dir, int64_t tenant, bool segments,
                     struct err *err) {
    const struct sql_options options = {.mode = SQL_READ_ONLY, .busy_ms = SQL_BUSY_MS_DEFAULT};
    const struct ledger_query q = {.data_dir = str_c(dir->path), .tenant_id = (uint64_t)tenant};
    l->pending.with_begun = true;
    return sql_open(str_c(dir->database), &options, &l->db, err) &&
           (!segments || ledger_pending_read(&l->pending, &q, err)) && sql_begin_read(l->db, err) &&
           ledger_pending_settle(&l->pending, l->db, on_unknown, l, err) && read_zone(l, tenant, err);
}

bool budget_ledger_open(const struct datadir *dir, int64_t tenant, bool segments, struct budget_ledger **out_ledger,
                        struct err *err) {
    struct budget_ledger *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    ledger_pending_init(&l->pending);
    if (!read_all(l, dir, tenant, segments, err)) {
        budget_ledger_close(l);
        return false;
    }
    *out_ledger = l;
    return true;
}

void budget_ledger_close(struct budget_ledger *l) {
    if (!l) return;
    sql_close(l->db);
    vec_free(&l->superseded);
    ledger_pending_free(&l->pending);
    mem_free(l);
}

static uint64_t sum_of(const struct usage_record *list, size_t n, const struct budget_row *row, int64_t since,
                       int64_t until, uint64_t (*amount)(enum budget_metric metric, const struct usage_record *rec)) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].ts >= since && list[i].ts < until && budget_means(row, &list[i]))
            sum += amount(row->metric, &list[i]);
    return sum;
}

bool budget_ledger_used(struct budget_ledger *l, const struct budget_row *row, int64_t since, int64_t until,
                        uint64_t *out_used, uint64_t *out_reserved, struct err *err) {
    uint64_t used, less;
    if (!budget_used(l->db, row, since, until, &used, err)) return false;
    less = sum_of(l->superseded.p, l->superseded.n, row, since, until, budget_amount);
    *out_used = (used > less ? used - less : 0) +
                sum_of(l->pending.list.p, l->pending.list.n, row, since, until, budget_amount);
    *out_reserved = sum_of(l->pending.begun.p, l->pending.begun.n, row, since, until, budget_reserved);
    return true;
}
