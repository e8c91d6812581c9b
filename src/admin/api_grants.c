// The API of grants: given, delegated, taken back; never more than the giver has.
#include "admin/api_impl.h"

static struct entity_value *at(const struct entity_row *row, const char *field) {
    return entity_at(&entity_grant, (struct entity_row *)row, field);
}

static bool grant_of(struct api_call *call, const struct entity_row *row, struct policy_grant *out, struct err *err) {
    struct policy_grant g = {
        .id = row->id,
        .tenant = row->tenant_id,
        .principal = api_principal_of(at(row, "principal")),
        .deny = str_eq(at(row, "effect")->s, STR("deny")),
        .role = at(row, "role")->s,
        .permissions = at(row, "permissions")->s,
        .resource = at(row, "resource")->s,
        .condition = at(row, "condition")->s,
        .not_before = at(row, "not_before")->i,
        .expires_at = at(row, "expires_at")->i,
        .revoked_at = at(row, "revoked_at")->i,
        .parent = at(row, "parent_id")->i,
        .granted_by = api_principal_of(at(row, "granted_by")),
    };
    if (!api_scope_of(call, at(row, "scope"), &g.scope, &g.scope_id, &g.scope_team, err)) return false;
    *out = g;
    return true;
}

// The principal may be another tenant's; then the caller has to be one who may see it there.
static bool check_principal(struct api_call *call, struct principal p, struct err *err) {
    const struct entity *e = entity_find(principal_kind_name(p.kind));
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct policy_decision d;
    if (!row) return err_no_memory(err);
    if (e && entity_get(call->scope, e, p.id, call->arena, row, err)) return true;
    if (e && err->code != ERR_NOT_FOUND) return false;
    if (e && entity_get(sql_platform(call->db), e, p.id, call->arena, row, err)) {
        struct policy_resource r = {.type = RESOURCE_TENANT, .tenant = row->tenant_id};
        resource_type_parse(e->name, &r.type);
        if (api_decide(call, ACTION_READ, &r, &d)) return true;
    } else if (e && err->code != ERR_NOT_FOUND) {
        return false;
    }
    return api_wrong(err, "principal", "principal: there is none with this id here");
}

static bool check_what(struct api_call *call, const struct entity_row *row, struct err *err) {
    bool role = at(row, "role")->s.n != 0, list = at(row, "permissions")->s.n > 2;
    if (role == list) return api_wrong(err, role ? "permissions" : "role", "give either a role or permissions");
    int64_t from = at(row, "not_before")->i, until = at(row, "expires_at")->i;
    if (until && (until <= call->now || until <= from))
        return api_wrong(err, "expires_at", "expires_at: the grant would have ended before it began");
    return !role || api_role_known(call, at(row, "role")->s, "role", err);
}

static bool may_give(struct api_call *call, const struct policy_grant *grant, struct err *err) {
    if (policy_may_give(call->policy, &call->subject, grant, call->now, err)) return true;
    call->denied = err->code == ERR_FORBIDDEN;
    return false;
}

// What is lent of something that ends, ends with it at the latest; so it need not be said.
static void end_with_parent(struct api_call *call, struct entity_row *row) {
    int64_t id = at(row, "parent_id")->i;
    const struct policy_grant *parent = id ? policy_grant_find(call->policy, id) : NULL;
    struct entity_value *expires = at(row, "expires_at");
    if (parent && parent->expires_at && !expires->i)
        *expires = (struct entity_value){.given = true, .i = parent->expires_at};
}

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    struct policy_grant grant;
    (void)old;
    end_with_parent(call, row);
    struct principal to = api_principal_of(at(row, "principal"));
    at(row, "granted_by")->s = principal_kind_name(call->who.principal.kind);
    at(row, "granted_by")->i = call->who.principal.id;
    if (!check_principal(call, to, err) || !check_what(call, row, err) || !grant_of(call, row, &grant, err) ||
        !policy_grant_check(&grant, err) || !api_policy_with(call, &to, 1, err))
        return false;
    return may_give(call, &grant, err);
}

// A grant that is taken back stays, as what others hung on it and as history.
static bool removing(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    struct policy_grant grant;
    if (at(row, "revoked_at")->i) return err_set(err, ERR_EXISTS, "the grant was taken back before");
    if (!grant_of(call, row, &grant, err)) return false;
    // Lifting a deny is giving: not for those who are under it.
    if (grant.deny && !api_policy_with(call, &grant.principal, 1, err)) return false;
    if (!policy_may_lift(call->policy, &call->subject, &grant, call->now, err)) {
        call->denied = err->code == ERR_FORBIDDEN;
        return false;
    }
    *at(row, "revoked_at") = (struct entity_value){.given = true, .i = call->now};
    *out_done = true;
    return entity_update(call->scope, &entity_grant, row, -1, call->now, err);
}

// The permission to hand on what one has is another than that to grant.
static enum action creating(const struct entity_row *row) {
    return at(row, "parent_id")->i ? ACTION_DELEGATE : ACTION_CREATE;
}

const struct api_kind api_kind_grant = {.entity = &entity_grant,
                                        .resource = RESOURCE_GRANT,
                                        .creating = creating,
                                        .prepare = prepare,
                                        .removing = removing};

static bool is_own(const struct api_call *call, const struct entity_row *row) {
    struct principal by = api_principal_of(at(row, "granted_by"));
    return by.kind == call->who.principal.kind && by.id == call->who.principal.id && by.kind != PRINCIPAL_NOBODY;
}

// Whoever gave something may take it back, also without the permission to take back what others gave.
static bool revoke(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct policy_decision d;
    struct policy_resource r;
    bool done;
    if (!row) return err_no_memory(err);
    if (!entity_resolve(call->scope, &entity_grant, call->params[0], call->arena, row, err) ||
        !api_locate(call, &api_kind_grant, row, &r, err))
        return false;
    bool own = is_own(call, row) && api_decide(call, ACTION_DELEGATE, &r, &d);
    if (!own && !api_check(call, ACTION_DELETE, &r, err)) return false;
    api_event_row(call, &api_kind_grant, row);
    call->event.before = api_row_text(call, &api_kind_grant, row);
    if (call->expected >= 0 && call->expected != row->version)
        return err_set(err, ERR_CONFLICT, "the grant is at version %lld", (long long)row->version);
    call->reply->status = 204;
    return removing(call, row, &done, err);
}

static const struct api_endpoint k_endpoints[] = {
    API_LIST("grants", GRANT, api_kind_grant, "grants, those taken back too"),
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/grants"),
     .resource = RESOURCE_GRANT,
     .action = ACTION_CREATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_grant,
     .handle = api_entity_create,
     .summary = "Grants or denies something, or delegates a part of a grant one holds (parent_id)"},
    API_GET("grants", GRANT, api_kind_grant, "a grant"),
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/grants/:id"),
     .resource = RESOURCE_GRANT,
     .action = ACTION_DELETE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_grant,
     .handle = revoke,
     .summary = "Takes a grant back, and all that was delegated from it"},
};
const struct api_table api_table_grants = {"Grants", k_endpoints, ARRAY_LEN(k_endpoints)};
