// The API of elevations: asked for by one person, decided by another.
#include "admin/api_impl.h"

static struct entity_value *at(const struct entity_row *row, const char *field) {
    return entity_at(&entity_elevation, (struct entity_row *)row, field);
}

static bool elevation_of(struct api_call *call, const struct entity_row *row, struct policy_elevation *out,
                         struct err *err) {
    struct policy_elevation e = {.id = row->id,
                                 .tenant = row->tenant_id,
                                 .requester = {PRINCIPAL_USER, at(row, "user_id")->i},
                                 .role = at(row, "role")->s,
                                 .duration_s = at(row, "duration")->i};
    if (!api_scope_of(call, at(row, "scope"), &e.scope, &e.scope_id, &e.scope_team, err)) return false;
    *out = e;
    return true;
}

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    struct policy_elevation e;
    (void)old;
    if (call->who.principal.kind != PRINCIPAL_USER)
        return err_set(err, ERR_FORBIDDEN, "only people can ask for an elevation");
    at(row, "user_id")->i = call->who.principal.id;
    at(row, "status")->s = STR("pending");
    return elevation_of(call, row, &e, err) && policy_elevation_check(call->policy, &e, err);
}

const struct api_kind api_kind_elevation = {
    .entity = &entity_elevation, .resource = RESOURCE_ELEVATION, .prepare = prepare};

// --- deciding ---

static void set_text(struct entity_row *row, const char *field, struct str text) {
    *at(row, field) = (struct entity_value){.given = true, .s = text};
}
static void set_number(struct entity_row *row, const char *field, int64_t v) {
    *at(row, field) = (struct entity_value){.given = true, .i = v};
}

static bool find_pending(struct api_call *call, enum action action, struct entity_row **out_row, struct err *err) {
    struct entity_row *row = *out_row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!api_find(call, &api_kind_elevation, action, row, err)) return false;
    call->event.before = api_row_text(call, &api_kind_elevation, row);
    if (!str_eq(at(row, "status")->s, STR("pending")))
        return err_set(err, ERR_EXISTS, "the request is %.*s already", STR_ARG(at(row, "status")->s));
    return true;
}

static bool decide(struct api_call *call, struct entity_row *row, struct str status, struct err *err) {
    set_text(row, "status", status);
    set_number(row, "decided_at", call->now);
    *at(row, "decided_by") = (struct entity_value){
        .given = true, .s = principal_kind_name(call->who.principal.kind), .i = call->who.principal.id};
    if (!entity_update(call->scope, &entity_elevation, row, call->expected, call->now, err)) return false;
    call->event.after = api_row_text(call, &api_kind_elevation, row);
    call->event.reason = at(row, "reason")->s;
    api_answer_row(call, &api_kind_elevation, row);
    return true;
}

static bool insert_grant(struct api_call *call, const struct policy_grant *g, const struct entity_row *elevation,
                         int64_t *out_id, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    const struct entity *e = &entity_grant;
    if (!row) return err_no_memory(err);
    *entity_at(e, row, "principal") =
        (struct entity_value){.s = principal_kind_name(g->principal.kind), .i = g->principal.id};
    entity_at(e, row, "effect")->s = STR("allow");
    entity_at(e, row, "role")->s = g->role;
    entity_at(e, row, "permissions")->s = STR("[]");
    *entity_at(e, row, "scope") = *at(elevation, "scope");
    entity_at(e, row, "not_before")->i = g->not_before;
    entity_at(e, row, "expires_at")->i = g->expires_at;
    entity_at(e, row, "reason")->s = at(elevation, "reason")->s;
    *entity_at(e, row, "granted_by") =
        (struct entity_value){.s = principal_kind_name(call->who.principal.kind), .i = call->who.principal.id};
    entity_at(e, row, "elevation_id")->i = elevation->id;
    row->tenant_id = elevation->tenant_id;
    if (!entity_insert(call->scope, e, row, call->now, err)) return false;
    *out_id = row->id;
    return true;
}

static bool approve(struct api_call *call, struct err *err) {
    struct policy_elevation request;
    struct policy_grant grant = {0};
    struct entity_row *row;
    int64_t id = 0;
    // Who may decide is looked at below, where the rights are to hold; that one may see it, here.
    if (!find_pending(call, ACTION_READ, &row, err) || !elevation_of(call, row, &request, err) ||
        !api_policy_with(call, &request.requester, 1, err))
        return false;
    if (!policy_may_approve(call->policy, &call->subject, &request, call->now, &grant, err)) {
        call->denied = err->code == ERR_FORBIDDEN;
        return false;
    }
    if (!insert_grant(call, &grant, row, &id, err)) return false;
    set_number(row, "grant_id", id);
    set_number(row, "expires_at", grant.expires_at);
    return decide(call, row, STR("approved"), err);
}

static bool refuse(struct api_call *call, struct err *err) {
    struct entity_row *row;
    struct policy_resource r;
    if (!find_pending(call, ACTION_READ, &row, err) || !api_locate(call, &api_kind_elevation, row, &r, err))
        return false;
    // Who asked may withdraw.
    bool own = call->who.principal.kind == PRINCIPAL_USER && call->who.principal.id == at(row, "user_id")->i;
    return (own || api_check(call, ACTION_APPROVE, &r, err)) &&
           decide(call, row, own ? STR("ended") : STR("refused"), err);
}

static const struct api_endpoint k_endpoints[] = {
    API_LIST("elevations", ELEVATION, api_kind_elevation, "requests for more rights"),
    API_CREATE("elevations", ELEVATION, api_kind_elevation, "a request for a role for a time"),
    API_GET("elevations", ELEVATION, api_kind_elevation, "a request"),
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/elevations/:id/approve"),
     .resource = RESOURCE_ELEVATION,
     .action = ACTION_APPROVE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_elevation,
     .handle = approve,
     .summary = "Approves another person's request: the role is theirs from now on, for that time"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/elevations/:id/refuse"),
     .resource = RESOURCE_ELEVATION,
     .action = ACTION_APPROVE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_elevation,
     .handle = refuse,
     .summary = "Refuses a request, or withdraws one's own",
     .audit = "elevation.refuse"},
};
const struct api_table api_table_elevations = {"Elevations", k_endpoints, ARRAY_LEN(k_endpoints)};
