// Reads and writes the rows of batches, and says which states follow which.
#include "store/batch.h"

#include "store/tenant.h"

// --- states ---

static const struct str k_status[BATCH_STATUS_COUNT] = {
    [BATCH_VALIDATING] = STR_INIT("validating"), [BATCH_IN_PROGRESS] = STR_INIT("in_progress"),
    [BATCH_FINALIZING] = STR_INIT("finalizing"), [BATCH_COMPLETED] = STR_INIT("completed"),
    [BATCH_FAILED] = STR_INIT("failed"),         [BATCH_EXPIRED] = STR_INIT("expired"),
    [BATCH_CANCELLING] = STR_INIT("cancelling"), [BATCH_CANCELLED] = STR_INIT("cancelled"),
};

struct str batch_status_text(enum batch_status status) {
    return k_status[status];
}

bool batch_status_parse(struct str text, enum batch_status *out_status) {
    for (unsigned i = 0; i < BATCH_STATUS_COUNT; i++) {
        if (!str_eq(text, k_status[i])) continue;
        *out_status = (enum batch_status)i;
        return true;
    }
    return false;
}

#define TO(status) (1u << (status))

bool batch_may_go(enum batch_status from, enum batch_status to) {
    static const unsigned next[BATCH_STATUS_COUNT] = {
        [BATCH_VALIDATING] = TO(BATCH_IN_PROGRESS) | TO(BATCH_FAILED) | TO(BATCH_CANCELLING) | TO(BATCH_FINALIZING),
        [BATCH_IN_PROGRESS] = TO(BATCH_FINALIZING) | TO(BATCH_CANCELLING),
        [BATCH_CANCELLING] = TO(BATCH_FINALIZING),
        [BATCH_FINALIZING] = TO(BATCH_COMPLETED) | TO(BATCH_EXPIRED) | TO(BATCH_CANCELLED),
    };
    return (next[from] & TO(to)) != 0;
}

bool batch_has_ended(enum batch_status s) {
    return s == BATCH_COMPLETED || s == BATCH_FAILED || s == BATCH_EXPIRED || s == BATCH_CANCELLED;
}

void batch_id_text(char out[BATCH_ID_LEN], int64_t id) {
    memcpy(out, "batch_", 6);
    base32_u64(out + 6, (uint64_t)id);
}

bool batch_id_parse(struct str text, int64_t *out_id) {
    uint64_t id;
    if (!str_starts(text, STR("batch_")) || !base32_u64_parse(str_from(text, 6), &id) || id == 0 ||
        id > (uint64_t)(INT64_MAX / BATCH_LINES_MAX))
        return false;
    *out_id = (int64_t)id;
    return true;
}

static bool not_there(struct err *err) { return err_set(err, ERR_NOT_FOUND, "there is no such batch"); }

// --- making ---

static bool check_open(struct sql_scope scope, int64_t max_open, struct err *err) {
    int64_t open;
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(scope,
                     STR("SELECT count(*) FROM batch WHERE tenant_id = ?1 AND status IN ('validating', 'in_progress',"
                         " 'finalizing', 'cancelling')"),
                     &st, err) ||
        !sql_step(st, &row, err))
        return false;
    open = sql_col_i64(st, 0);
    sql_reset(st);
    return open < max_open ||
           err_set(err, ERR_RATE_LIMITED, "%lld batches of this tenant have not ended; it may have no more at a time",
                   (long long)open);
}

static bool insert(struct sql_scope scope, struct batch *b, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            scope,
            STR("INSERT INTO batch (tenant_id, place_kind, place_id, key_id, address, origin, endpoint, status,"
                " metadata, concurrency, output_ttl_s, input_file_id, created_at, expires_at, wishes)"
                " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'validating', ?8, ?9, ?10, ?11, ?12, ?13, ?14 FROM tenant t"
                " WHERE t.id = ?1 AND t.status <> 'deleting' RETURNING id"),
            &st, err))
        return false;
    sql_bind_i64(st, 2, b->place.kind);
    sql_bind_i64(st, 3, b->place.id);
    sql_bind_i64(st, 4, b->key_id);
    sql_bind_text(st, 5, b->address);
    sql_bind_text(st, 6, b->origin);
    sql_bind_text(st, 7, b->endpoint);
    sql_bind_text(st, 8, b->metadata);
    sql_bind_i64(st, 9, b->concurrency);
    sql_bind_i64(st, 10, b->output_ttl_s);
    sql_bind_i64(st, 11, b->input_file);
    sql_bind_i64(st, 12, b->created_at);
    sql_bind_i64(st, 13, b->expires_at);
    sql_bind_text(st, 14, b->wishes.p ? b->wishes : STR(""));
    if (!sql_step(st, &row, err)) return false;
    b->id = row ? sql_col_i64(st, 0) : 0;
    return row ? sql_run(st, err) : err_set(err, ERR_FORBIDDEN, "this tenant is being deleted");
}

static bool insert_checked(struct sql_scope scope, struct batch *b, int64_t max_open, struct err *err) {
    struct arena arena;
    struct stored_file f;
    arena_init(&arena, NULL, 0, 64 * 1024);
    bool ok = stored_file_get(scope, &b->place, b->input_file, b->created_at, &arena, &f, err);
    if (ok && !str_eq(f.purpose, STR("batch"))) {
        ok = err_set(err, ERR_INVALID_FIELD, "the purpose of the input file must be \"batch\"; it is \"%.*s\"",
                     STR_ARG(f.purpose));
        snprintf(err->param, sizeof err->param, "input_file_id");
    }
    arena_free(&arena);
    return ok && check_open(scope, max_open, err) && insert(scope, b, err);
}

bool batch_insert(struct sql_scope scope, struct batch *b, int64_t max_open, struct err *err) {
    if (!sql_begin(scope.db, err)) return false;
    if (insert_checked(scope, b, max_open, err)) return sql_commit(scope.db, err);
    sql_rollback(scope.db);
    return false;
}

// --- reading ---

#define COLUMNS                                                                                                        \
    "id, tenant_id, key_id, place_kind, place_id, address, origin, endpoint, status, outcome, metadata, errors,"       \
    " concurrency, output_ttl_s, input_file_id, output_file_id, error_file_id, created_at, expires_at,"                \
    " in_progress_at, finalizing_at, completed_at, failed_at, expired_at, cancelling_at, cancelled_at, total,"         \
    " completed, failed, wishes FROM batch"

static void read_row(struct sql_stmt *st, struct batch *b) {
    *b = (struct batch){.id = sql_col_i64(st, 0),
                        .tenant = sql_col_i64(st, 1),
                        .key_id = sql_col_i64(st, 2),
                        .place = {sql_col_i64(st, 3), sql_col_i64(st, 4)},
                        .address = sql_col_text(st, 5),
                        .origin = sql_col_text(st, 6),
                        .endpoint = sql_col_text(st, 7),
                        .status = BATCH_FAILED,
                        .outcome = BATCH_COMPLETED,
                        .metadata = sql_col_text(st, 10),
                        .errors = sql_col_text(st, 11),
                        .concurrency = sql_col_i64(st, 12),
                        .output_ttl_s = sql_col_i64(st, 13),
                        .input_file = sql_col_i64(st, 14),
                        .output_file = sql_col_i64(st, 15),
                        .error_file = sql_col_i64(st, 16),
                        .created_at = sql_col_i64(st, 17),
                        .expires_at = sql_col_i64(st, 18),
                        .total = sql_col_i64(st, 26),
                        .completed = sql_col_i64(st, 27),
                        .failed = sql_col_i64(st, 28),
                        .wishes = sql_col_text(st, 29)};
    b->at[BATCH_VALIDATING] = b->created_at;
    for (int i = BATCH_IN_PROGRESS; i < BATCH_STATUS_COUNT; i++) b->at[i] = sql_col_i64(st, 18 + i);
    batch_status_parse(sql_col_text(st, 8), &b->status);
    batch_status_parse(sql_col_text(st, 9), &b->outcome);
}

static bool keep_texts(struct arena *arena, struct batch *b) {
    struct str *const texts[] = {&b->address, &b->origin, &b->endpoint, &b->metadata, &b->errors, &b->wishes};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = arena_str(arena, *texts[i]);
        if (!texts[i]->p) return false;
    }
    return true;
}

bool batch_get(struct sql_scope scope, const struct store_place *place, int64_t id, struct arena *arena,
               struct batch *out, struct err *err) {
    struct sql_stmt *st;
    struct batch b;
    bool row;
    if (!sql_prepare(scope, STR("SELECT " COLUMNS " WHERE tenant_id = ?1 AND id = ?2"), &st, err)) return false;
    sql_bind_i64(st, 2, id);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return not_there(err);
    read_row(st, &b);
    bool kept = keep_texts(arena, &b);
    sql_reset(st);
    if (!kept) return err_no_memory(err);
    if (place && (b.place.kind != place->kind || b.place.id != place->id)) return not_there(err);
    *out = b;
    return true;
}

bool batch_each(struct sql_scope scope, const struct store_place *place, int64_t after, int64_t limit,
                batch_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("SELECT " COLUMNS " WHERE tenant_id = ?1 AND place_kind = ?2 AND place_id = ?3 AND id < ?4"
                         " ORDER BY id DESC LIMIT ?5"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, place->kind);
    sql_bind_i64(st, 3, place->id);
    sql_bind_i64(st, 4, after ? after : INT64_MAX);
    sql_bind_i64(st, 5, limit);
    for (bool row;;) {
        struct batch b;
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        read_row(st, &b);
        if (!visit(arg, &b, err)) {
            sql_reset(st);
            return false;
        }
    }
}

// --- steps ---

static bool cancel(struct sql_scope scope, const struct store_place *place, int64_t id, int64_t now_ns,
                   struct err *err) {
    struct arena arena;
    struct batch b;
    struct sql_stmt *st;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    bool ok = batch_get(scope, place, id, &arena, &b, err);
    arena_free(&arena);
    if (!ok || b.status == BATCH_CANCELLING || (b.status == BATCH_FINALIZING && b.outcome == BATCH_CANCELLED))
        return ok;
    if (!batch_may_go(b.status, BATCH_CANCELLING)) {
        struct str status = batch_status_text(b.status);
        return err_set(err, ERR_WRONG_STATE, "Cannot cancel a batch with status '%.*s'.", STR_ARG(status));
    }
    if (!sql_prepare(scope,
                     STR("UPDATE batch SET status = 'cancelling', outcome = 'cancelled', cancelling_at = ?3"
                         " WHERE tenant_id = ?1 AND id = ?2 AND status IN ('validating', 'in_progress')"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, now_ns);
    return sql_run(st, err);
}

bool batch_cancel(struct sql_scope scope, const struct store_place *place, int64_t id, int64_t now_ns,
                  struct err *err) {
    if (!sql_begin(scope.db, err)) return false;
    if (cancel(scope, place, id, now_ns, err)) return sql_commit(scope.db, err);
    sql_rollback(scope.db);
    return false;
}

// Looks without a lock: mostly there is nothing.
static bool any_to_claim(struct sql *db, int64_t holder, int64_t now_ns, bool *out_any, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT 1 FROM batch WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling')"
                         " AND (held_by = ?1 OR held_until <= ?2) LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, holder);
    sql_bind_i64(st, 2, now_ns);
    if (!sql_step(st, out_any, err)) return false;
    sql_reset(st);
    return true;
}

bool batch_claim(struct sql *db, int64_t holder, int64_t now_ns, size_t max, struct batch_claim *out, size_t *out_n,
                 struct err *err) {
    struct sql_stmt *st;
    size_t n = 0;
    bool any;
    *out_n = 0;
    if (!any_to_claim(db, holder, now_ns, &any, err)) return false;
    if (!any) return true;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE batch SET held_by = ?1, held_until = ?2 WHERE id IN (SELECT o.id FROM (SELECT id,"
                         " row_number() OVER (PARTITION BY tenant_id ORDER BY id) AS turn FROM batch"
                         " WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling')"
                         " AND (held_by = ?1 OR held_until <= ?3)) AS o ORDER BY o.turn, o.id LIMIT ?4)"
                         " AND (held_by = ?1 OR held_until <= ?3) RETURNING tenant_id, id, status"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, holder);
    sql_bind_i64(st, 2, now_ns + BATCH_LEASE_NS);
    sql_bind_i64(st, 3, now_ns);
    sql_bind_i64(st, 4, (int64_t)max);
    for (bool row;;) {
        struct batch_claim c;
        if (!sql_step(st, &row, err)) return false;
        if (!row) break;
        c = (struct batch_claim){.tenant = sql_col_i64(st, 0), .id = sql_col_i64(st, 1)};
        if (n < max && batch_status_parse(sql_col_text(st, 2), &c.status)) out[n++] = c;
    }
    *out_n = n;
    return true;
}

bool batch_release(struct sql *db, int64_t holder, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("UPDATE batch SET held_until = 0 WHERE held_by = ?1 AND held_until > 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, holder);
    return sql_run(st, err);
}

static struct str step_text(enum batch_status to) {
#define STEP_TEXT(column)                                                                                              \
    STR("UPDATE batch SET status = ?5, " column " = ?4, outcome = ?6, errors = ?7,"                                    \
        " total = CASE WHEN ?8 > 0 THEN ?8 ELSE total END, output_file_id = ?9, error_file_id = ?10"                   \
        " WHERE tenant_id = ?1 AND id = ?2 AND held_by = ?3 AND status = ?11")
    switch (to) {
    case BATCH_IN_PROGRESS:
        return STEP_TEXT("in_progress_at");
    case BATCH_FINALIZING:
        return STEP_TEXT("finalizing_at");
    case BATCH_COMPLETED:
        return STEP_TEXT("completed_at");
    case BATCH_EXPIRED:
        return STEP_TEXT("expired_at");
    case BATCH_CANCELLED:
        return STEP_TEXT("cancelled_at");
    case BATCH_FAILED:
    case BATCH_VALIDATING:
    case BATCH_CANCELLING:
    case BATCH_STATUS_COUNT:
        break;
    }
    return STEP_TEXT("failed_at");
}

bool batch_go(struct sql_scope scope, const struct batch_step *s, bool *out_ours, struct err *err) {
    struct sql_stmt *st;
    INVARIANT(batch_may_go(s->from, s->to));
    if (!sql_prepare(scope, step_text(s->to), &st, err)) return false;
    sql_bind_i64(st, 2, s->id);
    sql_bind_i64(st, 3, s->holder);
    sql_bind_i64(st, 4, s->now_ns);
    sql_bind_text(st, 5, batch_status_text(s->to));
    sql_bind_text(st, 6, s->to == BATCH_FINALIZING ? batch_status_text(s->outcome) : STR(""));
    sql_bind_text(st, 7, s->errors.p ? s->errors : STR(""));
    sql_bind_i64(st, 8, s->total);
    sql_bind_i64(st, 9, s->output_file);
    sql_bind_i64(st, 10, s->error_file);
    sql_bind_text(st, 11, batch_status_text(s->from));
    if (!sql_run(st, err)) return false;
    *out_ours = sql_changes(scope.db) == 1;
    return true;
}
