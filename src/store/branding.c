// Reads and writes the rows of tenant_branding.
#include "store/branding.h"

bool branding_read(struct sql_scope scope, struct arena *arena, struct branding *out_branding, struct err *err) {
    struct branding b = {.logo_type = STR("")};
    struct str *const texts[] = {&b.display_name, &b.background, &b.text, &b.accent, &b.accent_text, &b.logo_type};
    struct sql_stmt *st;
    bool row, ok = true;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) *texts[i] = STR("");
    if (!sql_prepare(scope,
                     STR("SELECT version, updated_at, display_name, background, text, accent, accent_text, logo_type,"
                         " coalesce(length(logo), 0) FROM tenant_branding WHERE tenant_id = ?1"),
                     &st, err) ||
        !sql_step(st, &row, err))
        return false;
    if (row) {
        b.version = sql_col_i64(st, 0);
        b.updated_at = sql_col_i64(st, 1);
        b.logo_bytes = sql_col_i64(st, 8);
        for (size_t i = 0; ok && i < ARRAY_LEN(texts); i++) {
            *texts[i] = arena_str(arena, sql_col_text(st, (int)i + 2));
            ok = texts[i]->p != NULL;
        }
        sql_reset(st);
    }
    *out_branding = b;
    return ok || err_no_memory(err);
}

bool branding_write(struct sql_scope scope, struct branding *b, int64_t now_ns, struct err *err) {
    const struct str texts[] = {b->display_name, b->background, b->text, b->accent, b->accent_text};
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("INSERT INTO tenant_branding (tenant_id, version, updated_at, display_name, background, text,"
                         " accent, accent_text) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant_id) DO"
                         " UPDATE SET version = tenant_branding.version + 1, updated_at = ?2, display_name = ?3,"
                         " background = ?4, text = ?5, accent = ?6, accent_text = ?7"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, now_ns);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) sql_bind_text(st, (int)i + 3, texts[i]);
    b->version++;
    b->updated_at = now_ns;
    return sql_run(st, err);
}

bool branding_put_logo(struct sql_scope scope, struct str type, struct str bytes, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("INSERT INTO tenant_branding (tenant_id, version, updated_at, logo_type, logo)"
                         " VALUES (?1, 1, ?2, ?3, ?4) ON CONFLICT (tenant_id) DO UPDATE"
                         " SET version = tenant_branding.version + 1, updated_at = ?2, logo_type = ?3, logo = ?4"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, now_ns);
    sql_bind_text(st, 3, type);
    sql_bind_blob(st, 4, bytes);
    return sql_run(st, err);
}

bool branding_logo(struct sql_scope scope, struct arena *arena, struct str *out_type, struct str *out_bytes,
                   struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(scope, STR("SELECT logo_type, logo FROM tenant_branding WHERE tenant_id = ?1 AND logo_type <> ''"),
                     &st, err) ||
        !sql_step(st, &row, err))
        return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "there is no logo");
    *out_type = arena_str(arena, sql_col_text(st, 0));
    *out_bytes = arena_str(arena, sql_col_blob(st, 1));
    sql_reset(st);
    return (out_type->p && out_bytes->p) || err_no_memory(err);
}
