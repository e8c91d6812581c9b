// The access review: who can do what, since when, last used when, how old their keys are; as JSON and CSV.
#include "admin/api_impl.h"

#include "base/text.h"

// One principal of the tenant.
struct subject {
    enum principal_kind kind;
    int64_t id;
    struct str id_text, name, status;
    int64_t created_at, last_used_at, expires_at, rotated_at;
    struct str owner;
};
struct review {
    struct api_call *call;
    bool csv;
    struct json_writer w;
    struct buf roles; // of one subject
};

static struct str time_or_none(struct arena *a, int64_t at) {
    char text[TIME_TEXT_LEN];
    if (!at) return STR("");
    time_text(text, at);
    return arena_str(a, str_of(text, sizeof text));
}

// "admin (tenant)", "deny: key:create (project 3)": what the grants of a principal, and of the teams it is in, say.
static bool roles_of(struct review *r, const struct subject *s, struct err *err) {
    struct sql_stmt *st;
    buf_clear(&r->roles);
    if (!sql_prepare(r->call->scope,
                     STR("SELECT effect, role, permissions, scope_kind, scope_id, expires_at, principal_kind"
                         " FROM access_grant WHERE tenant_id = ?1 AND revoked_at = 0"
                         " AND (expires_at = 0 OR expires_at > ?4)"
                         " AND ((principal_kind = ?2 AND principal_id = ?3) OR (principal_kind = 'tenant')"
                         " OR (principal_kind = 'team' AND principal_id IN (SELECT team_id FROM team_member"
                         " WHERE tenant_id = ?1 AND principal_kind = ?2 AND principal_id = ?3))) ORDER BY id"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, principal_kind_name(s->kind));
    sql_bind_i64(st, 3, s->id);
    sql_bind_i64(st, 4, r->call->now);
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return !r->roles.failed || err_no_memory(err);
        struct str role = sql_col_text(st, 1), via = sql_col_text(st, 6);
        if (r->roles.n) buf_lit(&r->roles, "; ");
        if (str_eq(sql_col_text(st, 0), STR("deny"))) buf_lit(&r->roles, "deny ");
        buf_put(&r->roles, role.n ? role : sql_col_text(st, 2));
        buf_lit(&r->roles, " (");
        buf_put(&r->roles, sql_col_text(st, 3));
        if (!str_eq(via, principal_kind_name(s->kind))) {
            buf_lit(&r->roles, ", by its ");
            buf_put(&r->roles, via);
        }
        if (sql_col_i64(st, 5)) buf_lit(&r->roles, ", for a time");
        buf_lit(&r->roles, ")");
    }
}

static void csv_cell(struct buf *out, struct str text, bool last) {
    bool formula = text.n && strchr("=+-@\t\r", text.p[0]);
    buf_putc(out, '"');
    if (formula) buf_putc(out, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"') buf_putc(out, '"');
        buf_putc(out, text.p[i]);
    }
    buf_put(out, last ? STR("\"\r\n") : STR("\","));
}

static bool put_subject(struct review *r, const struct subject *s, struct err *err) {
    struct arena *a = r->call->arena;
    int64_t since = s->rotated_at > s->created_at ? s->rotated_at : s->created_at;
    int64_t days = since ? (r->call->now - since) / ((int64_t)86400 * 1000000000) : 0;
    struct str created = time_or_none(a, s->created_at), used = time_or_none(a, s->last_used_at),
               expires = time_or_none(a, s->expires_at);
    if (s->kind != PRINCIPAL_KEY && !roles_of(r, s, err)) return false;
    struct str roles = buf_str(&r->roles);
    if (r->csv) {
        struct buf *out = &r->call->reply->body;
        const struct str cells[] = {principal_kind_name(s->kind),
                                    s->id_text,
                                    s->name,
                                    s->status,
                                    s->owner,
                                    created,
                                    used,
                                    expires,
                                    arena_printf(a, "%lld", (long long)days),
                                    roles};
        for (size_t i = 0; i < ARRAY_LEN(cells); i++) csv_cell(out, cells[i], i + 1 == ARRAY_LEN(cells));
        return true;
    }
    json_put_object(&r->w);
    json_put_member_str(&r->w, STR("kind"), principal_kind_name(s->kind));
    json_put_member_str(&r->w, STR("id"), s->id_text);
    json_put_member_str(&r->w, STR("name"), s->name);
    json_put_member_str(&r->w, STR("status"), s->status);
    json_put_member_str(&r->w, STR("owner"), s->owner);
    json_put_member_str(&r->w, STR("created_at"), created);
    json_put_member_str(&r->w, STR("last_used_at"), used);
    json_put_member_str(&r->w, STR("expires_at"), expires);
    json_put_member_i64(&r->w, STR("age_days"), days);
    json_put_member_str(&r->w, STR("rights"), roles);
    json_put_object_end(&r->w);
    return true;
}

// Rows: id, name, status or revoked_at's word, created_at, last used, expires_at; of keys also owner and scopes.
static bool put_kind(struct review *r, enum principal_kind kind, const struct entity *e, struct str text,
                     struct err *err) {
    struct sql_stmt *st;
    char id[ENTITY_ID_TEXT_MAX];
    if (!sql_prepare(r->call->scope, text, &st, err)) return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        struct subject s = {.kind = kind,
                            .id = sql_col_i64(st, 0),
                            .id_text = entity_id_text(e, sql_col_i64(st, 0), id),
                            .name = sql_col_text(st, 1),
                            .status = sql_col_text(st, 2),
                            .created_at = sql_col_i64(st, 3),
                            .last_used_at = sql_col_i64(st, 4),
                            .expires_at = sql_col_i64(st, 5)};
        if (kind == PRINCIPAL_KEY) {
            struct str scopes = sql_col_text(st, 8);
            buf_clear(&r->roles);
            buf_put(&r->roles, scopes.n ? scopes : STR("use of models"));
            s.owner = sql_col_text(st, 6);
        }
        if (put_subject(r, &s, err)) continue;
        sql_reset(st);
        return false;
    }
}

static bool put_all(struct review *r, struct err *err) {
    return put_kind(r, PRINCIPAL_USER, &entity_user,
                    STR("SELECT id, email, status, created_at, last_sign_in_at, 0 FROM app_user"
                        " WHERE tenant_id = ?1 ORDER BY id"),
                    err) &&
           put_kind(
               r, PRINCIPAL_SERVICE_ACCOUNT, &entity_service_account,
               STR("SELECT s.id, s.name, s.status, s.created_at, coalesce((SELECT max(k.last_used_at) FROM api_key k"
                   " WHERE k.tenant_id = ?1 AND k.owner_kind = 'service_account' AND k.owner_id = s.id), 0), 0"
                   " FROM service_account s WHERE s.tenant_id = ?1 ORDER BY s.id"),
               err) &&
           put_kind(r, PRINCIPAL_KEY, &entity_key,
                    STR("SELECT id, CASE WHEN name = '' THEN prefix ELSE name END, CASE WHEN revoked_at <> 0 THEN"
                        " 'revoked' ELSE 'active' END, created_at, last_used_at, expires_at, owner_kind, owner_id,"
                        " scopes FROM api_key WHERE tenant_id = ?1 ORDER BY id"),
                    err);
}

static bool review(struct api_call *call, struct err *err) {
    struct str format = api_param(call, "format");
    struct review r = {.call = call, .csv = str_eq(format, STR("csv")), .roles = BUF_INIT(1 << 20)};
    if (format.n && !r.csv && !str_eq(format, STR("json")))
        return api_wrong(err, "format", "format: expected json or csv");
    if (r.csv) {
        call->reply->type = STR("text/csv; charset=utf-8");
        buf_put(&call->reply->body,
                STR("kind,id,name,status,owner,created_at,last_used_at,expires_at,age_days,rights\r\n"));
    } else {
        api_answer(call, &r.w);
        json_put_object(&r.w);
        json_put_member_array(&r.w, STR("data"));
    }
    bool ok = put_all(&r, err);
    if (ok && !r.csv) {
        json_put_array_end(&r.w);
        json_put_object_end(&r.w);
    }
    buf_free(&r.roles);
    return ok;
}

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/access/review"),
     .resource = RESOURCE_GRANT,
     .action = ACTION_READ,
     .handle = review,
     .query = "format",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}",
     .summary = "Shows who can do what, when they last did, and how old their keys are"},
};
const struct api_table api_table_review = {"Access review", k_endpoints, ARRAY_LEN(k_endpoints)};
