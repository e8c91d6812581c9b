// Reads and writes the rows of batches at providers.
#include "store/batch_provider.h"

static const struct str k_states[BATCH_PROVIDER_STATE_COUNT] = {
    [BATCH_PROVIDER_NONE] = STR_INIT(""),
    [BATCH_PROVIDER_OWN] = STR_INIT("own"),
    [BATCH_PROVIDER_CREATING] = STR_INIT("creating"),
    [BATCH_PROVIDER_THERE] = STR_INIT("there"),
    [BATCH_PROVIDER_FETCHING] = STR_INIT("fetching"),
    [BATCH_PROVIDER_DONE] = STR_INIT("done"),
};

// What a later version calls otherwise is not begun anew.
static enum batch_provider_state state_of(struct str text) {
    for (int i = 0; i < BATCH_PROVIDER_STATE_COUNT; i++)
        if (str_eq(text, k_states[i])) return (enum batch_provider_state)i;
    return BATCH_PROVIDER_OWN;
}

bool batch_provider_get(struct sql_scope scope, int64_t batch, struct arena *arena, struct batch_provider *out,
                        struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out = (struct batch_provider){.state = BATCH_PROVIDER_NONE};
    if (!sql_prepare(
            scope,
            STR("SELECT state, epoch, changed_at, lines, provider, model, url, remote_status, remote_id, input_file,"
                " output_file, error_file FROM batch_provider WHERE tenant_id = ?1 AND id = ?2"),
            &st, err))
        return false;
    sql_bind_i64(st, 2, batch);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out = (struct batch_provider){.state = state_of(sql_col_text(st, 0)),
                                   .epoch = sql_col_i64(st, 1),
                                   .changed_at = sql_col_i64(st, 2),
                                   .lines = sql_col_i64(st, 3)};
    struct str *const texts[] = {&out->provider,  &out->model,      &out->url,         &out->remote_status,
                                 &out->remote_id, &out->input_file, &out->output_file, &out->error_file};
    bool kept = true;
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++) {
        *texts[i] = arena_str(arena, sql_col_text(st, 4 + i));
        kept = kept && texts[i]->p;
    }
    sql_reset(st);
    return kept || err_no_memory(err);
}

bool batch_provider_put(struct sql_scope scope, int64_t batch, int64_t holder, const struct batch_provider *row,
                        bool *out_ours, struct err *err) {
    struct sql_stmt *st;
    const struct str texts[] = {k_states[row->state], row->provider,  row->model,      row->url,
                                row->remote_status,   row->remote_id, row->input_file, row->output_file,
                                row->error_file};
    if (!sql_prepare(
            scope,
            STR("INSERT INTO batch_provider (id, tenant_id, epoch, changed_at, lines, state, provider, model, url,"
                " remote_status, remote_id, input_file, output_file, error_file)"
                " SELECT b.id, b.tenant_id, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 FROM batch b"
                " WHERE b.tenant_id = ?1 AND b.id = ?2 AND b.held_by = ?3"
                " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, changed_at = excluded.changed_at,"
                " lines = excluded.lines, state = excluded.state, provider = excluded.provider,"
                "  model = excluded.model, url = excluded.url, remote_status = excluded.remote_status,"
                " remote_id = excluded.remote_id, input_file = excluded.input_file,"
                " output_file = excluded.output_file, error_file = excluded.error_file"),
            &st, err))
        return false;
    sql_bind_i64(st, 2, batch);
    sql_bind_i64(st, 3, holder);
    sql_bind_i64(st, 4, row->epoch);
    sql_bind_i64(st, 5, row->changed_at);
    sql_bind_i64(st, 6, row->lines);
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++) sql_bind_text(st, 7 + i, texts[i].p ? texts[i] : STR(""));
    if (!sql_run(st, err)) return false;
    *out_ours = sql_changes(scope.db) == 1;
    return true;
}
