// The endpoints every entity has: make, show, change, delete.
#include "admin/api_impl.h"

#include "base/json_write.h"

static struct sql_scope scope_of(struct api_call *call, const struct api_kind *kind) {
    return kind->platform ? sql_platform(call->db) : call->scope;
}

bool api_run(struct api_call *call, struct str text, const int64_t *values, size_t n, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(call->scope, text, &st, err)) return false;
    for (size_t i = 0; i < n; i++) sql_bind_i64(st, (int)i + 2, values[i]);
    return sql_run(st, err);
}

// --- where a row lies ---

bool api_project_team(struct api_call *call, int64_t project, int64_t *out_team, struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out_team = 0;
    for (size_t i = 0; i < call->n_project_teams; i++)
        if (call->project_teams[i][0] == project) *out_team = call->project_teams[i][1];
    if (!project || call->has_project_teams) return true;
    if (!sql_prepare(call->scope, STR("SELECT team_id FROM project WHERE tenant_id = ?1 AND id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, project);
    if (!sql_step(st, &row, err)) return false;
    if (row) *out_team = sql_col_i64(st, 0);
    if (row) sql_reset(st);
    return true;
}

static int64_t number_of(const struct entity *e, const struct entity_row *row, const char *field) {
    size_t i = entity_field_index(e, str_c(field));
    return i == SIZE_MAX ? 0 : row->v[i].i;
}

static struct str text_of(const struct entity *e, const struct entity_row *row, struct str field) {
    size_t i = field.n ? entity_field_index(e, field) : SIZE_MAX;
    return i == SIZE_MAX ? STR_NONE : row->v[i].s;
}

static bool locate_scope(struct api_call *call, const struct entity_value *scope, struct policy_resource *r,
                         struct err *err) {
    if (str_eq(scope->s, STR("team"))) r->team = scope->i;
    if (str_eq(scope->s, STR("platform"))) r->tenant = 0;
    if (!str_eq(scope->s, STR("project"))) return true;
    r->project = scope->i;
    return api_project_team(call, scope->i, &r->team, err);
}

bool api_locate(struct api_call *call, const struct api_kind *kind, const struct entity_row *row,
                struct policy_resource *out_resource, struct err *err) {
    const struct entity *e = kind->entity;
    struct policy_resource r = {.type = kind->resource, .tenant = row->tenant_id};
    char id[ENTITY_ID_TEXT_MAX];
    size_t scope = entity_field_index(e, STR("scope"));
    r.team = number_of(e, row, "team_id");
    r.project = number_of(e, row, "project_id");
    if (e == &entity_team) r.team = row->id;
    if (e == &entity_project) r.project = row->id;
    // A project's team is where it lies, whatever the row still says.
    if (r.project && e != &entity_project && !api_project_team(call, r.project, &r.team, err)) return false;
    if (scope != SIZE_MAX && !locate_scope(call, &row->v[scope], &r, err)) return false;
    if (row->id) r.id = arena_str(call->arena, entity_id_text(e, row->id, id));
    if (row->id && !r.id.p) return err_no_memory(err);
    r.name = text_of(e, row, STR("name"));
    // What people call it by: of users the address, of a key without a name its prefix.
    if (!r.name.n || e == &entity_user) r.name = text_of(e, row, e->called_by);
    r.tags = text_of(e, row, STR("tags"));
    *out_resource = r;
    return true;
}

static bool check_row(struct api_call *call, const struct api_kind *kind, enum action action,
                      const struct entity_row *row, struct err *err) {
    struct policy_resource r;
    return api_locate(call, kind, row, &r, err) && api_check(call, action, &r, err);
}

// Of the platform's rows: one that is not there is denied, and told of, as one is that the caller may not see.
static bool deny_alike(struct api_call *call, const struct api_kind *kind, const struct err *err) {
    const struct policy_resource all = {.type = kind->resource};
    struct policy_decision d;
    if (kind->platform && err->code == ERR_NOT_FOUND && !api_decide(call, ACTION_READ, &all, &d)) call->denied = true;
    return false;
}

bool api_find(struct api_call *call, const struct api_kind *kind, enum action action, struct entity_row *row,
              struct err *err) {
    if (!entity_resolve(scope_of(call, kind), kind->entity, call->params[0], call->arena, row, err))
        return deny_alike(call, kind, err);
    if (!check_row(call, kind, action, row, err)) return false;
    api_event_row(call, kind, row);
    return true;
}

// --- answers ---

void api_put_row(struct api_call *call, const struct api_kind *kind, struct json_writer *w,
                 const struct entity_row *row, struct str only) {
    json_put_object(w);
    entity_put_members(w, kind->entity, row, only);
    if (kind->put_more && !only.n) kind->put_more(call, w, row);
    json_put_object_end(w);
}

void api_answer_row(struct api_call *call, const struct api_kind *kind, const struct entity_row *row) {
    struct json_writer w;
    struct str only = api_param(call, "fields");
    api_answer(call, &w);
    api_put_row(call, kind, &w, row, only);
    call->reply->version = row->version;
}

bool api_entity_get(struct api_call *call, struct err *err) {
    const struct api_kind *kind = call->endpoint->kind;
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct str only = api_param(call, "fields");
    if (!row) return err_no_memory(err);
    if (!entity_check_only(kind->entity, only, NULL, err) || !api_find(call, kind, ACTION_READ, row, err)) return false;
    api_answer_row(call, kind, row);
    return true;
}

// --- changes ---

static bool note_after(struct api_call *call, const struct api_kind *kind, const struct entity_row *row,
                       struct err *err) {
    api_event_row(call, kind, row);
    call->event.after = api_row_text(call, kind, row);
    return call->event.after.n || err_no_memory(err);
}

bool api_entity_create(struct api_call *call, struct err *err) {
    const struct api_kind *kind = call->endpoint->kind;
    const struct entity *e = kind->entity;
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    char id[ENTITY_ID_TEXT_MAX];
    if (!row) return err_no_memory(err);
    row->tenant_id = kind->platform ? 0 : call->who.tenant;
    if (!entity_read_json(scope_of(call, kind), e, call->request->body, true, call->arena, row, err)) {
        // Where it was to lie is not known: who may make none in the tenant is told no more than that.
        struct policy_resource r = {.type = kind->resource, .tenant = row->tenant_id};
        struct err why = *err;
        if (api_check(call, call->endpoint->action, &r, err)) *err = why;
        return false;
    }
    enum action action = kind->creating ? kind->creating(row) : call->endpoint->action;
    if (!check_row(call, kind, action, row, err)) return false;
    if (kind->prepare && !kind->prepare(call, row, NULL, err)) return false;
    if (!entity_insert(scope_of(call, kind), e, row, call->now, err)) return false;
    if (kind->written && !kind->written(call, row, NULL, err)) return false;
    if (!note_after(call, kind, row, err)) return false;
    call->reply->status = 201;
    call->reply->location =
        arena_printf(call->arena, "/api/v1/%.*s/%.*s", STR_ARG(e->plural), STR_ARG(entity_id_text(e, row->id, id)));
    api_answer_row(call, kind, row);
    return call->reply->location.n || err_no_memory(err);
}

// Other grants may speak of it by another name, with other tags, elsewhere: nobody gets more over a row by changing it.
static bool gains_nothing(struct api_call *call, const struct api_kind *kind, const struct entity_row *old,
                          const struct entity_row *row, struct err *err) {
    struct policy_resource was, is;
    struct policy_decision d;
    if (!api_locate(call, kind, old, &was, err) || !api_locate(call, kind, row, &is, err)) return false;
    for (unsigned a = 0; a < ACTION_COUNT; a++) {
        enum action action = (enum action)a;
        if (!(resource_actions(kind->resource) >> a & 1) || !api_decide(call, action, &is, &d)) continue;
        if (api_decide(call, action, &was, &d)) continue;
        call->denied = true;
        return err_set(err, ERR_FORBIDDEN, "%.*s:%.*s is not yours on it as it is, and would be after the change",
                       STR_ARG(resource_type_name(kind->resource)), STR_ARG(action_name(action)));
    }
    return true;
}

bool api_entity_change(struct api_call *call, struct err *err) {
    const struct api_kind *kind = call->endpoint->kind;
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row),
                      *old = ARENA_NEW(call->arena, struct entity_row);
    if (!row || !old) return err_no_memory(err);
    if (!api_find(call, kind, ACTION_UPDATE, old, err)) return false;
    *row = *old;
    call->event.before = api_row_text(call, kind, old);
    if (!call->event.before.n) return err_no_memory(err);
    if (!entity_read_json(call->scope, kind->entity, call->request->body, false, call->arena, row, err)) return false;
    // Where it then lies, too: nothing is moved to where one has nothing to say.
    if (!check_row(call, kind, ACTION_UPDATE, row, err) || !gains_nothing(call, kind, old, row, err)) return false;
    if (kind->prepare && !kind->prepare(call, row, old, err)) return false;
    if (!entity_update(scope_of(call, kind), kind->entity, row, call->expected, call->now, err)) return false;
    if (kind->written && !kind->written(call, row, old, err)) return false;
    if (!note_after(call, kind, row, err)) return false;
    api_answer_row(call, kind, row);
    return true;
}

bool api_entity_delete(struct api_call *call, struct err *err) {
    const struct api_kind *kind = call->endpoint->kind;
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    bool done = false;
    if (!row) return err_no_memory(err);
    if (!api_find(call, kind, ACTION_DELETE, row, err)) return false;
    call->event.before = api_row_text(call, kind, row);
    if (!call->event.before.n) return err_no_memory(err);
    if (call->expected >= 0 && call->expected != row->version)
        return err_set(err, ERR_CONFLICT, "%.*s is at version %lld, not %lld: read it again",
                       STR_ARG(kind->entity->title), (long long)row->version, (long long)call->expected);
    if (kind->removing && !kind->removing(call, row, &done, err)) return false;
    if (!done && !entity_delete(scope_of(call, kind), kind->entity, row->id, -1, err)) return false;
    call->reply->status = 204;
    return true;
}

// --- what hangs on a principal ---

bool api_forget_principal(struct api_call *call, struct principal principal, struct err *err) {
    static const struct str texts[] = {
        STR_INIT("UPDATE access_grant SET revoked_at = ?4, updated_at = ?4, version = version + 1 WHERE tenant_id = ?1"
                 " AND principal_id = ?2 AND principal_kind = ?3 AND revoked_at = 0"),
        STR_INIT("UPDATE api_key SET revoked_at = ?4, updated_at = ?4, version = version + 1 WHERE tenant_id = ?1"
                 " AND owner_id = ?2 AND owner_kind = ?3 AND revoked_at = 0"),
        STR_INIT("DELETE FROM team_member WHERE tenant_id = ?1 AND principal_id = ?2 AND principal_kind = ?3"),
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sql_stmt *st;
        if (!sql_prepare(call->scope, texts[i], &st, err)) return false;
        sql_bind_i64(st, 2, principal.id);
        sql_bind_text(st, 3, principal_kind_name(principal.kind));
        if (i < 2) sql_bind_i64(st, 4, call->now);
        if (!sql_run(st, err)) return false;
    }
    return true;
}

struct principal api_principal_of(const struct entity_value *value) {
    struct principal p = {0};
    if (principal_kind_parse(value->s, &p.kind)) p.id = value->i;
    return p;
}

bool api_scope_of(struct api_call *call, const struct entity_value *value, enum scope_kind *out_kind, int64_t *out_id,
                  int64_t *out_team, struct err *err) {
    *out_id = value->i;
    *out_team = 0;
    if (!scope_kind_parse(value->s, out_kind)) return api_wrong(err, "scope", "this is no scope");
    return *out_kind != SCOPE_PROJECT || api_project_team(call, value->i, out_team, err);
}

bool api_role_known(struct api_call *call, struct str name, const char *field, struct err *err) {
    struct policy_role_view view;
    if (policy_role_find(call->policy, call->who.tenant, name, &view)) return true;
    return api_wrong(err, field, "there is no role \"%.*s\"", STR_ARG(str_head(name, 60)));
}
