// Understands a question about rights: whose they are, what is to be done with what, and where that lies.
#include "admin/api_access_ask.h"

#include "base/utf8.h"
#include "store/grant.h"
#include "store/key.h"

// --- what is to be done ---

static bool read_action(struct str text, struct api_question *q, struct err *err) {
    size_t colon = str_find_char(text, ':');
    if (!text.n) {
        api_wrong(err, "action", "action is missing: TYPE:ACTION, such as key:create");
        err->code = ERR_MISSING_FIELD;
        return false;
    }
    if (!resource_type_parse(str_head(text, colon), &q->type) || !action_parse(str_from(text, colon + 1), &q->action) ||
        !(resource_actions(q->type) >> q->action & 1))
        return api_wrong(err, "action",
                         "action: expected TYPE:ACTION of the permission matrix, such as key:create, not \"%.*s\"",
                         STR_ARG(str_head(text, 60)));
    return true;
}

static bool read_time(struct str text, int64_t now, struct api_question *q, struct err *err) {
    q->at = now;
    if (!text.n || (time_parse(text, &q->at) && q->at >= 0)) return true;
    return api_wrong(err, "at", "at: expected a time such as 2026-12-31T23:59:59Z");
}

// --- whose rights ---

static void bound_by(struct api_question *q, const struct permission_set *within, bool *io_bounded) {
    for (size_t i = 0; within && i < RESOURCE_TYPE_COUNT; i++)
        q->within.actions[i] = *io_bounded ? q->within.actions[i] & within->actions[i] : within->actions[i];
    *io_bounded = *io_bounded || within;
}

static bool model_listed(struct str list, struct str model, struct arena *arena) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw, text;
    json_reader_init(&r, list, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind) && json_skip(&r, &raw)) {
        if (kind != JSON_STRING || !json_string_text(raw, arena, &text) || !text.n) continue;
        bool open = text.p[text.n - 1] == '*';
        if (open ? str_starts(model, str_head(text, text.n - 1)) : str_eq(model, text)) return true;
    }
    return false;
}

// What ends a key or bounds it besides its rights.
static void look_at_key(struct api_call *call, const struct key_row *key, struct api_question *q) {
    bool model = q->type == RESOURCE_MODEL && q->action == ACTION_USE;
    if (key->revoked_at && key->revoked_at <= q->at) {
        q->refused = "revoked";
        q->because = "the key was revoked";
    } else if (key->expires_at && key->expires_at <= q->at) {
        q->refused = "expired";
        q->because = "the key's time is over";
    } else if (model && q->resource.name.n && !key->any_model &&
               !model_listed(key->allowed_models, q->resource.name, call->arena)) {
        q->refused = "key_models";
        q->because = "the key's own list of models leaves it out";
    }
}

static bool be_key(struct api_call *call, struct str text, struct api_question *q, struct key_row *key,
                   bool *io_bounded, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct permission_set scopes = {0};
    struct policy_resource place;
    struct policy_decision d;
    struct err ignored;
    if (!row) return err_no_memory(err);
    struct policy_resource grants = {.type = RESOURCE_GRANT, .tenant = call->who.tenant};
    if (!api_check(call, ACTION_READ, &grants, err)) return false;
    bool there = entity_resolve(call->scope, &entity_key, text, call->arena, row, err);
    if (!there && err->code != ERR_NOT_FOUND) return false;
    if (there && !api_locate(call, &api_kind_key, row, &place, err)) return false;
    if (!there || !api_decide(call, ACTION_READ, &place, &d))
        return api_wrong(err, "principal", "principal: there is no such key here");
    if (!key_find_id(call->db, row->id, call->arena, key, err)) return false;
    if (key->any_scope)
        scopes.actions[RESOURCE_MODEL] = 1u << ACTION_READ | 1u << ACTION_USE;
    else
        (void)!permission_read_json(&scopes, key->scopes, &ignored); // what cannot be read gives nothing
    bound_by(q, &scopes, io_bounded);
    q->home = key->tenant_id;
    q->principal = (struct principal){PRINCIPAL_KEY, key->id};
    if (key->is_admin) q->principal = (struct principal){.kind = PRINCIPAL_OPERATOR};
    if (key->is_admin) *io_bounded = false;
    if (key->owner_kind.n && principal_kind_parse(key->owner_kind, &q->principal.kind)) q->principal.id = key->owner_id;
    return true;
}

struct guest {
    int64_t tenant;
    bool known;
};
static bool look_at_grant(void *arg, const struct grant_row *row, struct err *err) {
    struct guest *guest = arg;
    (void)err;
    guest->known = guest->known || row->tenant_id == guest->tenant;
    return true;
}

// Somebody of another tenant is known here, by the id, if something was granted here, or to who may read them there.
// False: *err stays as it is.
static bool find_guest(struct api_call *call, struct str text, struct api_question *q) {
    static const struct entity *const kinds[] = {&entity_user, &entity_service_account};
    struct guest guest = {.tenant = call->who.tenant};
    struct holder_row holder;
    struct policy_decision d;
    struct err ignored;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct entity *e = kinds[i];
        size_t slash = str_find_char(text, '/');
        struct str id = slash < text.n && str_eq(str_head(text, slash), e->name) ? str_from(text, slash + 1) : text;
        if (!entity_id_parse(e, id, &q->principal.id) || !principal_kind_parse(e->name, &q->principal.kind)) continue;
        if (!holder_find(call->db, e->name, q->principal.id, &holder, &ignored) || !holder.tenant_id ||
            !grant_each(sql_platform(call->db), GRANTS_OF_ONE, e->name, q->principal.id, look_at_grant, &guest,
                        &ignored))
            return false;
        struct policy_resource there = {.type = RESOURCE_USER, .tenant = holder.tenant_id, .id = id, .name = id};
        (void)resource_type_parse(e->name, &there.type);
        q->home = holder.tenant_id;
        return guest.known || api_decide(call, ACTION_READ, &there, &d);
    }
    return false;
}

static bool read_principal(struct api_call *call, struct str text, struct api_question *q, bool *out_own,
                           struct err *err) {
    static const char *const kinds[] = {"user", "service_account", "team", NULL};
    const struct entity_field field = {.name = STR_INIT("principal"), .type = ENTITY_ANY_REF, .names = kinds};
    struct entity_value v = {0};
    char id[ENTITY_ID_TEXT_MAX];
    *out_own = !text.n || str_eq(text, api_principal_text(call->who.principal, id));
    if (*out_own) {
        q->principal = call->who.principal;
        q->home = call->who.home;
        return true;
    }
    // Who may not ask about others is not told which there are.
    struct policy_resource grants = {.type = RESOURCE_GRANT, .tenant = call->who.tenant};
    if (!api_check(call, ACTION_READ, &grants, err)) return false;
    if (!entity_value_parse(call->scope, &field, text, call->arena, &v, err)) return find_guest(call, text, q);
    q->principal = api_principal_of(&v);
    q->home = call->who.tenant;
    return true;
}

static bool is_key(struct str *io_text) {
    int64_t id;
    if (str_starts(*io_text, STR("key/"))) {
        *io_text = str_from(*io_text, 4);
        return true;
    }
    return entity_id_parse(&entity_key, *io_text, &id);
}

// --- with what, and where ---

static const struct api_kind *kind_of(enum resource_type type) {
    static const struct api_kind *const kinds[] = {
        &api_kind_tenant, &api_kind_team,  &api_kind_project,   &api_kind_user, &api_kind_service_account,
        &api_kind_role,   &api_kind_grant, &api_kind_elevation, &api_kind_key,  &api_kind_budget};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i]->resource == type) return kinds[i];
    return NULL;
}

// What one may not see is not there.
static bool find_seen(struct api_call *call, const struct api_kind *kind, const char *field, struct str text,
                      int64_t *out_id, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct policy_resource r;
    struct policy_decision d;
    if (!row) return err_no_memory(err);
    bool there = entity_resolve(call->scope, kind->entity, text, call->arena, row, err);
    if (!there && err->code != ERR_NOT_FOUND) return false;
    if (there && !api_locate(call, kind, row, &r, err)) return false;
    if (!there || !api_decide(call, ACTION_READ, &r, &d))
        return api_wrong(err, field, "%s: expected the id or name of a %s that there is, not \"%.*s\"", field, field,
                         STR_ARG(utf8_head(text, 60)));
    *out_id = row->id;
    return true;
}

static bool read_place(struct api_call *call, struct api_question *q, const struct api_asked *asked, struct err *err) {
    int64_t project = 0;
    if (asked->team.n && !find_seen(call, &api_kind_team, "team", asked->team, &q->resource.team, err)) return false;
    if (!asked->project.n) return true;
    if (!find_seen(call, &api_kind_project, "project", asked->project, &project, err)) return false;
    q->resource.project = project;
    return asked->team.n || api_project_team(call, project, &q->resource.team, err);
}

// "key/ps-abc123", "ps-abc123", "gpt-5": a row that there is lies where it lies; one that is to be made is not there.
static bool read_resource(struct api_call *call, struct api_question *q, struct str text, struct err *err) {
    const struct api_kind *kind = kind_of(q->type);
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    size_t slash = str_find_char(text, '/');
    if (!row) return err_no_memory(err);
    if (slash < text.n && str_eq(str_head(text, slash), resource_type_name(q->type))) text = str_from(text, slash + 1);
    // Where a tenant is made there is none yet.
    bool platform = q->type == RESOURCE_TENANT && q->action == ACTION_CREATE;
    q->resource =
        (struct policy_resource){.type = q->type, .tenant = platform ? 0 : call->who.tenant, .id = text, .name = text};
    if (!text.n || !kind || q->action == ACTION_CREATE) return true;
    if (!entity_resolve(call->scope, kind->entity, text, call->arena, row, err))
        return err->code == ERR_NOT_FOUND && api_wrong(err, "resource", "resource: there is no such row here");
    struct policy_decision d;
    if (!api_locate(call, kind, row, &q->resource, err)) return false;
    // What one may not see is not there.
    return api_decide(call, ACTION_READ, &q->resource, &d) ||
           api_wrong(err, "resource", "resource: there is no such row here");
}

// --- all of it ---

bool api_question_read(struct api_call *call, const struct api_asked *asked, struct api_question *q, struct err *err) {
    struct permission_set only = {0};
    struct key_row key = {0};
    struct str who = asked->principal;
    bool own = false, bounded = false, of_key = is_key(&who);
    *q = (struct api_question){0};
    if (!read_action(asked->action, q, err) || !read_time(asked->at, call->now, q, err) ||
        !(of_key ? be_key(call, who, q, &key, &bounded, err) : read_principal(call, who, q, &own, err)) ||
        !read_resource(call, q, asked->resource, err) || !read_place(call, q, asked, err) ||
        !api_policy_with(call, &q->principal, 1, err))
        return false;
    if (asked->tags.n) q->resource.tags = asked->tags;
    if (asked->scopes.n) {
        if (!permission_read_json(&only, asked->scopes, err)) {
            snprintf(err->param, sizeof err->param, "scopes");
            return false;
        }
        if (own) bound_by(q, call->subject.within, &bounded);
        bound_by(q, &only, &bounded);
    }
    // A model is used where the key lies.
    if (of_key && q->type == RESOURCE_MODEL && !asked->team.n && !asked->project.n) {
        q->resource.team = key.team_id;
        q->resource.project = key.project_id;
    }
    if (of_key) look_at_key(call, &key, q);
    if (own)
        q->subject = call->subject;
    else
        policy_subject_init(call->policy, q->principal, q->home, NULL, &q->subject);
    if (bounded) q->subject.within = &q->within;
    if (of_key) q->subject.team = key.team_id, q->subject.project = key.project_id;
    return true;
}
