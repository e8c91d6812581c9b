// The API of tenants: made, changed, suspended.
#include "admin/api_impl.h"

#include "store/tenant.h"

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    if (old)
        return !str_eq(old->v[entity_field_index(&entity_tenant, STR("status"))].s, STR("deleting")) ||
               err_set(err, ERR_WRONG_STATE, "the tenant is being deleted");
    entity_at(&entity_tenant, row, "status")->s = STR("active");
    entity_at(&entity_tenant, row, "status_at")->i = call->now;
    if (str_eq(entity_at(&entity_tenant, row, "name")->s, STR("default")))
        return api_wrong(err, "name", "\"default\" means the tenant that has no name");
    return true;
}

const struct api_kind api_kind_tenant = {
    .entity = &entity_tenant, .resource = RESOURCE_TENANT, .platform = true, .prepare = prepare};

// One that has only its name, from the making of a key, becomes a tenant with all that was given.
static bool take_over(struct api_call *call, int64_t id, struct entity_row *row, struct err *err) {
    char text[ENTITY_ID_TEXT_MAX];
    for (size_t i = 0; i < entity_tenant.n; i++) row->v[i].given = true;
    row->id = row->tenant_id = id;
    row->created_at = call->now;
    if (!entity_update(sql_platform(call->db), &entity_tenant, row, -1, call->now, err)) return false;
    api_event_row(call, &api_kind_tenant, row);
    call->event.after = api_row_text(call, &api_kind_tenant, row);
    call->reply->status = 201;
    call->reply->location =
        arena_printf(call->arena, "/api/v1/tenants/%.*s", STR_ARG(entity_id_text(&entity_tenant, id, text)));
    api_answer_row(call, &api_kind_tenant, row);
    return (call->reply->location.n && call->event.after.n) || err_no_memory(err);
}

static bool create(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct policy_resource where;
    struct err why;
    int64_t id = 0;
    if (!row) return err_no_memory(err);
    // What is wrong with the body is told where it is told for every entity.
    bool read =
        entity_read_json(sql_platform(call->db), &entity_tenant, call->request->body, true, call->arena, row, &why);
    if (!read) return api_entity_create(call, err);
    if (!api_locate(call, &api_kind_tenant, row, &where, err) || !api_check(call, ACTION_CREATE, &where, err) ||
        !prepare(call, row, NULL, err) ||
        !tenant_take_over(call->db, entity_at(&entity_tenant, row, "name")->s, call->now, &id, err))
        return false;
    return id ? take_over(call, id, row, err) : api_entity_create(call, err);
}

static bool set_status(struct api_call *call, const char *status, struct str reason, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!api_find(call, &api_kind_tenant, ACTION_SUSPEND, row, err)) return false;
    if (row->id == TENANT_DEFAULT)
        return err_set(err, ERR_EXISTS, "the default tenant is the server's own and cannot be suspended");
    struct entity_value *v = entity_at(&entity_tenant, row, "status");
    if (str_eq(v->s, STR("deleting"))) return err_set(err, ERR_WRONG_STATE, "the tenant is being deleted");
    call->event.before = api_row_text(call, &api_kind_tenant, row);
    *v = (struct entity_value){.given = true, .s = str_c(status)};
    *entity_at(&entity_tenant, row, "status_at") = (struct entity_value){.given = true, .i = call->now};
    *entity_at(&entity_tenant, row, "status_reason") = (struct entity_value){.given = true, .s = reason};
    if (!entity_update(sql_platform(call->db), &entity_tenant, row, call->expected, call->now, err)) return false;
    call->event.after = api_row_text(call, &api_kind_tenant, row);
    call->event.reason = reason;
    api_answer_row(call, &api_kind_tenant, row);
    return true;
}

static bool suspend(struct api_call *call, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("reason"), .kinds = JSON_IS(JSON_STRING)}};
    struct str reason = STR("");
    if (call->request->body.n && !json_scan(call->request->body, f, 1, err)) return false;
    if (f[0].found && !json_string_text(f[0].raw, call->arena, &reason)) return err_no_memory(err);
    if (reason.n > 500) return api_wrong(err, "reason", "reason is at most 500 bytes long");
    return set_status(call, "suspended", reason, err);
}
static bool resume(struct api_call *call, struct err *err) { return set_status(call, "active", STR(""), err); }

static const struct api_endpoint k_endpoints[] = {
    API_LIST("tenants", TENANT, api_kind_tenant, "tenants"),
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/tenants"),
     .resource = RESOURCE_TENANT,
     .action = ACTION_CREATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_tenant,
     .handle = create,
     .query = "",
     .summary = "Makes a tenant"},
    API_GET("tenants", TENANT, api_kind_tenant, "a tenant"),
    API_CHANGE("tenants", TENANT, api_kind_tenant, "a tenant"),
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/tenants/:id/suspend"),
     .resource = RESOURCE_TENANT,
     .action = ACTION_SUSPEND,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_tenant,
     .handle = suspend,
     .body = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"maxLength\":500}}}",
     .summary = "Suspends a tenant: its keys and people are refused at once"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/tenants/:id/resume"),
     .resource = RESOURCE_TENANT,
     .action = ACTION_SUSPEND,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_tenant,
     .handle = resume,
     .summary = "Ends a tenant's suspension",
     .audit = "tenant.resume"},
};
const struct api_table api_table_tenants = {"Tenants", k_endpoints, ARRAY_LEN(k_endpoints)};
