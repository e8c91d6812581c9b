// The API of roles: a tenant's own, and the built-in ones to read.
#include "admin/api_impl.h"

#include "base/json_write.h"

static struct policy_role role_of(const struct entity_row *stored) {
    struct entity_row *row = (struct entity_row *)stored;
    return (struct policy_role){.tenant = row->tenant_id,
                                .name = entity_at(&entity_role, row, "name")->s,
                                .parents = entity_at(&entity_role, row, "parents")->s,
                                .permissions = entity_at(&entity_role, row, "permissions")->s};
}

static bool may_change(struct api_call *call, const struct policy_role *before, const struct policy_role *after,
                       struct err *err) {
    if (policy_may_change_role(call->policy, &call->subject, before, after, call->now, err)) return true;
    call->denied = err->code == ERR_FORBIDDEN;
    return false;
}

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    struct policy_role after = role_of(row), before = old ? role_of(old) : (struct policy_role){0};
    struct permission_set gives;
    return policy_role_check(call->policy, &after, &gives, err) && may_change(call, old ? &before : NULL, &after, err);
}

static bool is_used(struct api_call *call, struct str name, bool *out_used, struct err *err) {
    struct sql_stmt *st;
    BUF_AUTO struct buf quoted = BUF_INIT(1024);
    if (!sql_prepare(call->scope,
                     STR("SELECT 1 FROM access_grant WHERE tenant_id = ?1 AND role = ?2 AND revoked_at = 0 UNION ALL"
                         " SELECT 1 FROM role WHERE tenant_id = ?1 AND parents LIKE ?3 LIMIT 1"),
                     &st, err))
        return false;
    buf_printf(&quoted, "%%\"%.*s\"%%", STR_ARG(name));
    sql_bind_text(st, 2, name);
    sql_bind_text(st, 3, buf_str(&quoted));
    if (!sql_step(st, out_used, err)) return false;
    sql_reset(st);
    return true;
}

static bool removing(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    struct policy_role before = role_of(row);
    bool used;
    (void)out_done;
    if (!may_change(call, &before, NULL, err) || !is_used(call, before.name, &used, err)) return false;
    return !used || err_set(err, ERR_EXISTS, "grants or other roles still refer to the role: take them back first");
}

static void put_more(struct api_call *call, struct json_writer *w, const struct entity_row *row) {
    (void)call, (void)row;
    json_put_member_bool(w, STR("built_in"), false);
}

const struct api_kind api_kind_role = {
    .entity = &entity_role,
    .resource = RESOURCE_ROLE,
    .prepare = prepare,
    .removing = removing,
    .put_more = put_more,
    .more_schema = "\"built_in\":{\"type\":\"boolean\",\"readOnly\":true,\"description\":\"Every tenant has it; it "
                   "cannot be changed\"}",
};

// --- the built-in ones ---

static void put_builtin(struct json_writer *w, size_t i) {
    const struct policy_role *role = policy_builtin(i);
    json_put_object(w);
    json_put_member_str(w, STR("id"), role->name);
    json_put_member_null(w, STR("tenant_id"));
    json_put_member_str(w, STR("name"), role->name);
    json_put_member_str(w, STR("title"), policy_builtin_help(i));
    json_put_member_raw(w, STR("parents"), role->parents);
    json_put_member_raw(w, STR("permissions"), role->permissions);
    json_put_member_i64(w, STR("version"), 0);
    json_put_member_null(w, STR("created_at"));
    json_put_member_null(w, STR("updated_at"));
    json_put_member_bool(w, STR("built_in"), true);
    json_put_object_end(w);
}

static bool get_role(struct api_call *call, struct err *err) {
    struct policy_resource r = {
        .type = RESOURCE_ROLE, .tenant = call->who.tenant, .id = call->params[0], .name = call->params[0]};
    struct json_writer w;
    for (size_t i = 0; i < policy_builtin_count(); i++) {
        if (!str_eq(policy_builtin(i)->name, call->params[0])) continue;
        if (!api_check(call, ACTION_READ, &r, err)) return false;
        api_answer(call, &w);
        put_builtin(&w, i);
        return true;
    }
    return api_entity_get(call, err);
}

// Those that the first page begins with: what other filters than by name there are, they do not meet.
static bool is_listed(const struct entity_query *q, const struct policy_role *role) {
    size_t name = entity_field_index(&entity_role, STR("name"));
    if (q->search.n && str_find(role->name, q->search) == role->name.n) return false;
    for (size_t i = 0; i < q->n_filters; i++) {
        const struct entity_filter *f = &q->filters[i];
        if (f->field != name || f->op != ENTITY_EQ || !str_eq(f->value.s, role->name)) return false;
    }
    return true;
}

static bool list_roles(struct api_call *call, struct err *err) {
    BUF_AUTO struct buf cursor = BUF_INIT(ENTITY_CURSOR_MAX * 2);
    struct entity_query q;
    struct json_writer w;
    uint64_t total, skip = 0, listed = 0, shown = 0;
    bool more = false;
    if (!api_list_query(call, &entity_role, call->scope, &q, err) ||
        !entity_check_only(&entity_role, api_param(call, "fields"), "built_in", err))
        return api_list_wrong(call, RESOURCE_ROLE, err);
    // "builtin.N": a page that ended within the built-in ones.
    bool within = str_starts(q.cursor, STR("builtin."));
    if (within && (!str_to_u64(str_from(q.cursor, 8), &skip) || skip > policy_builtin_count()))
        return api_wrong(err, "cursor", "cursor: expected the next_cursor of a page");
    bool first = !q.cursor.n || within;
    if (within) q.cursor = STR_NONE;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    struct policy_resource all = {.type = RESOURCE_ROLE, .tenant = call->who.tenant};
    struct policy_decision ignored;
    bool may = api_decide(call, ACTION_READ, &all, &ignored);
    for (size_t i = 0; may && i < policy_builtin_count(); i++) {
        if (!is_listed(&q, policy_builtin(i))) continue;
        if (first && listed >= skip && shown < q.limit) {
            put_builtin(&w, i);
            shown++;
        }
        listed++;
    }
    bool cut = first && skip + shown < listed;
    if (first) q.limit -= shown;
    size_t rest = q.limit;
    if (cut || (first && shown && !rest)) q.limit = 0;
    if (!api_list_into(call, &api_kind_role, &q, &w, &cursor, &more, &total, err)) return false;
    if (cut || (more && !rest)) {
        buf_clear(&cursor);
        buf_lit(&cursor, "builtin.");
        buf_put_u64(&cursor, skip + shown);
        more = true;
    }
    api_put_page_end(&w, more, buf_str(&cursor), total + listed);
    return true;
}

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/roles"),
     .resource = RESOURCE_ROLE,
     .action = ACTION_READ,
     .flags = API_ROW,
     .kind = &api_kind_role,
     .handle = list_roles,
     .query = "limit cursor sort fields q",
     .summary = "Lists roles, the built-in ones first"},
    API_CREATE("roles", ROLE, api_kind_role, "a role"),
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/roles/:id"),
     .resource = RESOURCE_ROLE,
     .action = ACTION_READ,
     .flags = API_ROW,
     .kind = &api_kind_role,
     .handle = get_role,
     .query = "fields",
     .summary = "Shows a role"},
    API_CHANGE("roles", ROLE, api_kind_role, "a role"),
    API_DELETE("roles", ROLE, api_kind_role, "Deletes a role that nothing refers to"),
};
const struct api_table api_table_roles = {"Roles", k_endpoints, ARRAY_LEN(k_endpoints)};
