// Reads and writes the rows of api_key.
#include "store/key.h"

#define COLUMNS                                                                                                        \
    "id, tenant_id, name, prefix, hash, is_admin, allowed_models, created_at, expires_at, revoked_at, last_used_at,"   \
    " (SELECT t.name FROM tenant t WHERE t.id = tenant_id), team_id, project_id, owner_kind, owner_id, scopes,"        \
    " addresses, origins, tags, (SELECT t.created_at + t.updated_at FROM tenant t WHERE t.id = tenant_id),"            \
    " (SELECT m.name FROM team m WHERE m.id = team_id), (SELECT p.name FROM project p WHERE p.id = project_id),"       \
    " last_used_address, (SELECT t.time_zone FROM tenant t WHERE t.id = tenant_id)"

static bool row_read(struct sql_stmt *st, struct key_row *out_row, struct err *err) {
    struct key_row row = {
        .id = sql_col_i64(st, 0),
        .tenant_id = sql_col_i64(st, 1),
        .name = sql_col_text(st, 2),
        .prefix = sql_col_text(st, 3),
        .is_admin = sql_col_i64(st, 5) != 0,
        .any_model = sql_col_is_null(st, 6),
        .allowed_models = sql_col_text(st, 6),
        .created_at = sql_col_i64(st, 7),
        .expires_at = sql_col_i64(st, 8),
        .revoked_at = sql_col_i64(st, 9),
        .last_used_at = sql_col_i64(st, 10),
        .tenant = sql_col_text(st, 11),
        .team_id = sql_col_i64(st, 12),
        .project_id = sql_col_i64(st, 13),
        .owner_kind = sql_col_text(st, 14),
        .owner_id = sql_col_i64(st, 15),
        .any_scope = sql_col_is_null(st, 16),
        .scopes = sql_col_text(st, 16),
        .addresses = sql_col_text(st, 17),
        .origins = sql_col_text(st, 18),
        .tags = sql_col_text(st, 19),
        .tenant_made = sql_col_i64(st, 20) != 0,
        .team = sql_col_text(st, 21),
        .project = sql_col_text(st, 22),
        .last_used_address = sql_col_text(st, 23),
        .time_zone = sql_col_text(st, 24),
    };
    struct str hash = sql_col_blob(st, 4);
    if (hash.n != sizeof row.hash)
        return err_set(err, ERR_STORE, "the row of API key %lld is damaged: its hash has %zu bytes", (long long)row.id,
                       hash.n);
    // An allowed_models that could not be fetched for want of memory must not read as an empty list or as none.
    if (!row.any_model && !row.allowed_models.p) return err_no_memory(err);
    if (!row.any_scope && !row.scopes.p) return err_no_memory(err);
    if (!row.owner_kind.p || !row.addresses.p || !row.origins.p) return err_no_memory(err);
    if (row.team_id && !sql_col_is_null(st, 21) && !row.team.n) return err_no_memory(err);
    if (row.project_id && !sql_col_is_null(st, 22) && !row.project.n) return err_no_memory(err);
    // Nor may a tenant's key read as one of the general configuration.
    if (row.tenant_id != TENANT_DEFAULT && !sql_col_is_null(st, 11) && !row.tenant.n) return err_no_memory(err);
    if (row.tenant_id != TENANT_DEFAULT && !row.tenant.n)
        return err_set(err, ERR_STORE, "the row of API key %lld is damaged: its tenant %lld is not there",
                       (long long)row.id, (long long)row.tenant_id);
    memcpy(row.hash, hash.p, sizeof row.hash);
    *out_row = row;
    return true;
}

static bool own(struct arena *arena, struct str *text) {
    struct str copy = arena_str(arena, *text);
    bool ok = copy.p || text->n == 0;
    *text = copy;
    return ok;
}

bool key_insert(struct sql *db, const struct key_row *row, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    if (row->name.n > KEY_NAME_MAX)
        return err_set(err, ERR_INVALID_FIELD, "the key's name is %zu bytes long; the limit is %d", row->name.n,
                       KEY_NAME_MAX);
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO api_key (tenant_id, name, prefix, hash, is_admin, allowed_models, created_at,"
                         " expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, row->tenant_id);
    sql_bind_text(st, 2, row->name);
    sql_bind_text(st, 3, row->prefix);
    sql_bind_blob(st, 4, str_of(row->hash, sizeof row->hash));
    sql_bind_i64(st, 5, row->is_admin);
    if (row->any_model)
        sql_bind_null(st, 6);
    else
        sql_bind_text(st, 6, row->allowed_models);
    sql_bind_i64(st, 7, row->created_at);
    sql_bind_i64(st, 8, row->expires_at);
    bool has;
    if (!sql_step(st, &has, err)) return false;
    if (!has) return err_set(err, ERR_STORE, "the database gave the new key no id");
    int64_t id = sql_col_i64(st, 0);
    if (!sql_run(st, err)) return false; // commits
    *out_id = id;
    return true;
}

bool key_each(struct sql *db, key_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM api_key ORDER BY id"), &st, err)) return false;
    for (;;) {
        struct key_row row;
        bool has;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        if (!row_read(st, &row, err) || !visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}

bool key_count(struct sql *db, uint64_t *out_count, struct err *err) {
    int64_t n;
    if (!sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM api_key"), &n, err)) return false;
    *out_count = (uint64_t)n;
    return true;
}

// Runs a statement that selects the columns and takes its only row. what: for messages.
static bool find_one(struct sql_stmt *st, struct str what, struct arena *arena, struct key_row *out_row,
                     struct err *err) {
    struct key_row row;
    bool has;
    if (!sql_step(st, &has, err)) return false;
    if (!has)
        return err_set(err, ERR_NOT_FOUND, "there is no key \"%.*s\": `penstock key list` shows those there are",
                       STR_ARG(str_head(what, KEY_NAME_MAX)));
    if (!row_read(st, &row, err)) goto fail;
    if (!own(arena, &row.name) || !own(arena, &row.prefix) || !own(arena, &row.allowed_models) ||
        !own(arena, &row.tenant) || !own(arena, &row.owner_kind) || !own(arena, &row.scopes) ||
        !own(arena, &row.addresses) || !own(arena, &row.origins) || !own(arena, &row.tags) || !own(arena, &row.team) ||
        !own(arena, &row.project) || !own(arena, &row.last_used_address) || !own(arena, &row.time_zone)) {
        err_no_memory(err);
        goto fail;
    }
    if (!sql_step(st, &has, err)) return false;
    if (has) {
        err_set(err, ERR_EXISTS, "several keys are called \"%.*s\": use the id, as `penstock key list` shows it",
                STR_ARG(str_head(what, KEY_NAME_MAX)));
        goto fail;
    }
    *out_row = row;
    return true;
fail:
    sql_reset(st);
    return false;
}

bool key_find_id(struct sql *db, int64_t id, struct arena *arena, struct key_row *out_row, struct err *err) {
    struct sql_stmt *st;
    char text[KEY_ID_TEXT_LEN];
    key_id_text(text, id);
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM api_key WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, id);
    return find_one(st, str_of(text, sizeof text), arena, out_row, err);
}

bool key_find_prefix(struct sql *db, struct str prefix, struct arena *arena, struct key_row *out_row, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM api_key WHERE prefix = ?1 LIMIT 2"), &st, err))
        return false;
    sql_bind_text(st, 1, prefix);
    return find_one(st, prefix, arena, out_row, err);
}

bool key_find_name(struct sql *db, struct str name, struct arena *arena, struct key_row *out_row, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM api_key WHERE name = ?1 LIMIT 2"), &st, err))
        return false;
    sql_bind_text(st, 1, name);
    return find_one(st, name, arena, out_row, err);
}

bool key_find(struct sql *db, struct str what, struct arena *arena, struct key_row *out_row, struct err *err) {
    int64_t id;
    if (what.n == 0) return err_set(err, ERR_NOT_FOUND, "no key was named: give its id, prefix or name");
    if (key_id_parse(what, &id)) return key_find_id(db, id, arena, out_row, err);
    struct str prefix = what;
    if (str_ends(prefix, STR("…"))) prefix.n -= strlen("…");
    if (str_ends(prefix, STR("..."))) prefix.n -= 3;
    if (key_find_prefix(db, prefix, arena, out_row, err)) return true;
    return err->code == ERR_NOT_FOUND && key_find_name(db, what, arena, out_row, err);
}

bool key_set_revoked(struct sql *db, int64_t id, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE api_key SET revoked_at = CASE revoked_at WHEN 0 THEN ?2 ELSE revoked_at END"
                         " WHERE id = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, id);
    sql_bind_i64(st, 2, now_ns);
    if (!sql_run(st, err)) return false;
    return sql_changes(db) == 1 || err_set(err, ERR_NOT_FOUND, "there is no key with this id");
}

static bool touch_all(struct sql *db, const struct key_use *uses, size_t n, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("UPDATE api_key SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2"),
                     &st, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        sql_bind_i64(st, 1, uses[i].id);
        sql_bind_i64(st, 2, uses[i].at);
        if (!sql_run(st, err)) return false;
    }
    return true;
}

bool key_touch(struct sql *db, const struct key_use *uses, size_t n, struct err *err) {
    if (n == 0) return true;
    if (!sql_begin(db, err)) return false;
    if (touch_all(db, uses, n, err)) return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

bool key_edits(struct sql *db, uint64_t *out_edits, struct err *err) {
    int64_t n;
    if (!sql_query_i64(sql_platform(db), STR("SELECT value FROM change_count WHERE name = 'api_key'"), &n, err))
        return false;
    *out_edits = (uint64_t)n;
    return true;
}

bool key_deletions(struct sql *db, uint64_t *out_deletions, struct err *err) {
    int64_t n;
    if (!sql_query_i64(sql_platform(db), STR("SELECT value FROM change_count WHERE name = 'api_key_deleted'"), &n, err))
        return false;
    *out_deletions = (uint64_t)n;
    return true;
}

static bool take_ids(struct sql_stmt *st, int64_t *ids, size_t max, size_t *out_n, struct err *err) {
    size_t n = 0;
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) break;
        ids[n++] = sql_col_i64(st, 0);
        if (n < max) continue;
        sql_reset(st);
        break;
    }
    *out_n = n;
    return true;
}

bool key_ids_since(struct sql *db, uint64_t since, int64_t *ids, size_t max, size_t *out_n, struct err *err) {
    struct sql_stmt *st;
    *out_n = 0;
    if (!max) return true;
    if (!sql_prepare(sql_platform(db), STR("SELECT id FROM api_key WHERE changed > ?1 AND changed > 0"), &st, err))
        return false;
    sql_bind_i64(st, 1, (int64_t)since);
    return take_ids(st, ids, max, out_n, err);
}

bool key_ids_of_owner(struct sql *db, struct str kind, int64_t owner, int64_t *ids, size_t max, size_t *out_n,
                      struct err *err) {
    struct sql_stmt *st;
    *out_n = 0;
    if (!max) return true;
    if (!sql_prepare(sql_platform(db), STR("SELECT id FROM api_key WHERE owner_kind = ?1 AND owner_id = ?2"), &st, err))
        return false;
    sql_bind_text(st, 1, kind);
    sql_bind_i64(st, 2, owner);
    return take_ids(st, ids, max, out_n, err);
}

void key_id_text(char out[KEY_ID_TEXT_LEN], int64_t id) {
    memcpy(out, "key_", 4);
    base32_u64(out + 4, (uint64_t)id);
}

bool key_id_parse(struct str text, int64_t *out_id) {
    uint64_t id;
    if (!str_starts(text, STR("key_")) || !base32_u64_parse(str_from(text, 4), &id)) return false;
    if (id == 0 || id > INT64_MAX) return false;
    *out_id = (int64_t)id;
    return true;
}
