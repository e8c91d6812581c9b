// Says which key a text is, for whoever found one where it should not be.
#include "admin/api_impl.h"

#include "access/key_text.h"
#include "base/json_write.h"

struct found {
    enum key_form form;
    struct entity_row *row; // NULL: it is not known here
};

// Operators find the keys of all tenants, others those of the tenant they act for.
static bool row_id(struct api_call *call, struct str text, int64_t *out_id, int64_t *out_tenant, struct err *err) {
    bool all = call->who.principal.kind == PRINCIPAL_OPERATOR;
    char hash[KEY_HASH_SIZE];
    struct sql_stmt *st;
    bool row;
    *out_id = 0;
    key_text_hash(call->api->dir, text, hash);
    if (!sql_prepare(all ? sql_platform(call->db) : call->scope,
                     all ? STR("SELECT id, tenant_id FROM api_key WHERE hash = ?1")
                         : STR("SELECT id, tenant_id FROM api_key WHERE tenant_id = ?1 AND hash = ?2"),
                     &st, err))
        return false;
    sql_bind_blob(st, all ? 1 : 2, str_of(hash, sizeof hash));
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out_id = sql_col_i64(st, 0);
    *out_tenant = sql_col_i64(st, 1);
    sql_reset(st);
    return true;
}

static bool look_up(struct api_call *call, struct str text, struct found *out, struct err *err) {
    int64_t id = 0, tenant;
    *out = (struct found){.form = key_text_form(text)};
    if (!key_text_valid(text)) return true; // none like it can be known
    if (!row_id(call, text, &id, &tenant, err)) return false;
    if (!id) return true;
    out->row = ARENA_NEW(call->arena, struct entity_row);
    if (!out->row) return err_no_memory(err);
    return entity_get(sql_tenant(call->db, tenant), &entity_key, id, call->arena, out->row, err);
}

static bool tell(struct api_call *call, const struct found *found, struct err *err) {
    call->event.resource_id = STR_NONE;
    if (found->row) api_event_row(call, &api_kind_key, found->row);
    struct str form = key_form_name(found->form);
    call->event.after =
        arena_printf(call->arena, "{\"form\":\"%.*s\",\"known\":%s}", STR_ARG(form), found->row ? "true" : "false");
    return call->event.after.p || err_no_memory(err);
}

bool api_key_identify(struct api_call *call, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("key"), .kinds = JSON_IS(JSON_STRING), .required = true}};
    struct found found;
    struct str text;
    struct json_writer w;
    char tenant[ENTITY_ID_TEXT_MAX];
    if (!json_scan(call->request->body, f, ARRAY_LEN(f), err)) return false;
    if (!json_string_text(f[0].raw, call->arena, &text)) return err_no_memory(err);
    if (!look_up(call, str_trim(text), &found, err) || !tell(call, &found, err)) return false;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_str(&w, STR("form"), key_form_name(found.form));
    json_put_member_bool(&w, STR("known"), found.row != NULL);
    if (found.row) {
        json_put_member_str(&w, STR("tenant_id"), entity_id_text(&entity_tenant, found.row->tenant_id, tenant));
        json_put_key(&w, STR("key"));
        api_put_row(call, &api_kind_key, &w, found.row, STR_NONE);
    }
    json_put_object_end(&w);
    return true;
}
