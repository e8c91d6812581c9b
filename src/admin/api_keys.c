// The API of keys: made and shown once, changed, rotated, revoked.
#include "admin/api_impl.h"

#include "access/key_rotate.h"
#include "base/json_write.h"
#include "store/tenant.h"

static struct entity_value *at(const struct entity_row *row, const char *field) {
    return entity_at(&entity_key, (struct entity_row *)row, field);
}

static bool key_of(struct api_call *call, const struct entity_row *row, struct policy_key *out, struct err *err) {
    struct policy_key k = {.tenant = row->tenant_id,
                           .team = at(row, "team_id")->i,
                           .project = at(row, "project_id")->i,
                           .owner = api_principal_of(at(row, "owner")),
                           .expires_at = at(row, "expires_at")->i};
    struct str scopes = at(row, "scopes")->s;
    (void)call;
    if (!permission_read_json(&k.scopes, scopes.n ? scopes : STR("[\"model:read\",\"model:use\"]"), err)) {
        snprintf(err->param, sizeof err->param, "scopes");
        return false;
    }
    *out = k;
    return true;
}

static bool may_make(struct api_call *call, const struct entity_row *row, struct err *err) {
    struct policy_key key;
    if (!key_of(call, row, &key, err)) return false;
    if (at(row, "is_admin")->i && call->who.principal.kind != PRINCIPAL_OPERATOR) {
        call->denied = true;
        return err_set(err, ERR_FORBIDDEN, "only operators make and change admin keys");
    }
    if (!api_policy_with(call, &key.owner, 1, err)) return false;
    if (policy_may_make_key(call->policy, &call->subject, &key, call->now, err)) return true;
    call->denied = err->code == ERR_FORBIDDEN;
    return false;
}

static bool check_models(struct str json, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, json, 4);
    if (!json.n || !json_enter_array(&r)) return true;
    while (json_element(&r, &kind)) {
        if (!json_string(&r, &raw)) break;
        size_t star = str_find_char(raw, '*');
        if (star + 2 < raw.n) // before the closing quote
            return api_wrong(err, "allowed_models", "allowed_models: a * may stand only at the end of a model's name");
    }
    return json_end(&r, err);
}

static bool place(struct api_call *call, struct entity_row *row, struct err *err) {
    struct entity_value *team = at(row, "team_id"), *project = at(row, "project_id");
    int64_t of_project;
    if (!project->i) return true;
    if (!api_project_team(call, project->i, &of_project, err)) return false;
    if (team->given && team->i && team->i != of_project)
        return api_wrong(err, "team_id", "team_id: the project is not of this team");
    team->given = team->given || team->i != of_project;
    team->i = of_project;
    return true;
}

static bool check_new(struct api_call *call, struct entity_row *row, struct err *err) {
    int64_t expires = at(row, "expires_at")->i;
    if (expires && expires <= call->now) return api_wrong(err, "expires_at", "expires_at is in the past");
    if (at(row, "is_admin")->i && row->tenant_id != TENANT_DEFAULT)
        return api_wrong(err, "is_admin", "an admin key governs the whole server, so it cannot be a tenant's");
    return key_fresh_text(call->api->dir, row, call->arena, &call->secret, err);
}

// A name and tags give nobody anything.
static bool is_renamed_only(const struct entity_row *row) {
    for (size_t i = 0; i < entity_key.n; i++) {
        struct str field = entity_key.fields[i].name;
        if (row->v[i].given && !str_eq(field, STR("name")) && !str_eq(field, STR("tags"))) return false;
    }
    return true;
}

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    int64_t every = at(row, "rotate_every")->i;
    if (old && at(old, "revoked_at")->i) return err_set(err, ERR_EXISTS, "the key was revoked");
    if (!check_models(at(row, "allowed_models")->s, err) || !place(call, row, err)) return false;
    bool renamed = old && is_renamed_only(row) && !at(row, "is_admin")->i;
    if (!renamed && !may_make(call, row, err)) return false;
    if (every && every < 3600) return api_wrong(err, "rotate_every", "rotate_every is an hour at least");
    if (at(row, "rotate_overlap")->i && at(row, "rotate_overlap")->i >= every && every)
        return api_wrong(err, "rotate_overlap", "rotate_overlap is shorter than rotate_every");
    if (!old || at(row, "rotate_every")->given)
        *at(row, "rotate_at") = (struct entity_value){.given = true, .i = every ? call->now + every * 1000000000 : 0};
    if (!old) return check_new(call, row, err);
    int64_t expires = at(row, "expires_at")->i;
    if (at(row, "expires_at")->given && expires && expires <= call->now)
        return api_wrong(err, "expires_at", "expires_at is in the past: revoke the key to end it now");
    // The hash is not read with the row, and is not to be written.
    at(row, "hash")->given = false;
    return true;
}

static bool revoke_row(struct api_call *call, struct entity_row *row, struct err *err) {
    if (at(row, "is_admin")->i && call->who.principal.kind != PRINCIPAL_OPERATOR) {
        call->denied = true;
        return err_set(err, ERR_FORBIDDEN, "only operators revoke admin keys");
    }
    if (at(row, "revoked_at")->i) return true; // its first time stays
    *at(row, "revoked_at") = (struct entity_value){.given = true, .i = call->now};
    return entity_update(call->scope, &entity_key, row, -1, call->now, err);
}

static bool removing(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    // Usage refers to it: the row stays.
    *out_done = true;
    return revoke_row(call, row, err);
}

static const char *state_of(const struct api_call *call, const struct entity_row *row) {
    int64_t expires = at(row, "expires_at")->i;
    if (at(row, "revoked_at")->i) return "revoked";
    if (expires && expires <= call->now) return "expired";
    return at(row, "replaced_by")->i ? "replaced" : "active";
}

static void put_more(struct api_call *call, struct json_writer *w, const struct entity_row *row) {
    json_put_member_str(w, STR("state"), str_c(state_of(call, row)));
    if (call->secret.n) json_put_member_str(w, STR("key"), call->secret);
}

const struct api_kind api_kind_key = {
    .entity = &entity_key,
    .resource = RESOURCE_KEY,
    .prepare = prepare,
    .removing = removing,
    .put_more = put_more,
    .more_schema =
        "\"state\":{\"type\":\"string\",\"enum\":[\"active\",\"expired\",\"revoked\",\"replaced\"],\"readOnly\":true,"
        "\"description\":\"What can be done with it now; replaced: it still works beside the one that took its "
        "place\"},"
        "\"key\":{\"type\":\"string\",\"readOnly\":true,\"description\":\"The key itself: only in the answer that "
        "makes "
        "it\"}",
};

// --- revoke, rotate ---

static bool revoke(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!api_find(call, &api_kind_key, ACTION_DELETE, row, err)) return false;
    call->event.before = api_row_text(call, &api_kind_key, row);
    if (!revoke_row(call, row, err)) return false;
    call->event.after = api_row_text(call, &api_kind_key, row);
    api_answer_row(call, &api_kind_key, row);
    return true;
}

static bool read_overlap(struct api_call *call, const struct entity_row *old, int64_t *out_seconds, struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("overlap"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_NUMBER) | JSON_OR_NULL}};
    const struct entity_field *like = &entity_key.fields[entity_field_index(&entity_key, STR("rotate_overlap"))];
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    *out_seconds = at(old, "rotate_overlap")->i;
    if (!row) return err_no_memory(err);
    if (!call->request->body.n) return true;
    if (!json_scan(call->request->body, f, 1, err)) return false;
    if (!f[0].found || f[0].kind == JSON_NULL) return true;
    // Read as the field of the same kind is.
    struct str body = arena_printf(call->arena, "{\"%.*s\":%.*s}", STR_ARG(like->name), STR_ARG(f[0].raw));
    if (!entity_read_json(call->scope, &entity_key, body, false, call->arena, row, err)) {
        snprintf(err->param, sizeof err->param, "overlap");
        return false;
    }
    *out_seconds = at(row, "rotate_overlap")->i;
    return true;
}

static bool rotate(struct api_call *call, struct err *err) {
    struct entity_row *old = ARENA_NEW(call->arena, struct entity_row),
                      *next = ARENA_NEW(call->arena, struct entity_row);
    int64_t overlap;
    char id[ENTITY_ID_TEXT_MAX];
    if (!old || !next) return err_no_memory(err);
    if (!api_find(call, &api_kind_key, ACTION_ROTATE, old, err)) return false;
    const char *state = state_of(call, old);
    if (strcmp(state, "active") != 0) return err_set(err, ERR_EXISTS, "the key is %s already", state);
    // Whoever rotates a key gets to know the new one.
    if (!may_make(call, old, err) || !read_overlap(call, old, &overlap, err)) return false;
    call->event.before = api_row_text(call, &api_kind_key, old);
    int64_t until = call->now + overlap * 1000000000;
    if (!key_rotate_insert(call->scope, call->api->dir, old, false, call->now, call->arena, next, &call->secret, err) ||
        !key_rotate_end(call->scope, old, next->id, until, call->expected, call->now, err))
        return false;
    call->event.after = api_row_text(call, &api_kind_key, next);
    call->reply->status = 201;
    call->reply->location =
        arena_printf(call->arena, "/api/v1/keys/%.*s", STR_ARG(entity_id_text(&entity_key, next->id, id)));
    api_answer_row(call, &api_kind_key, next);
    return true;
}

// --- collect ---

// Whose rights the key has may have its text: signed in, for a key or token of theirs might be the one that leaked.
static bool is_owner(const struct api_call *call, const struct entity_row *row) {
    struct principal owner = api_principal_of(at(row, "owner")), who = call->who.principal;
    return owner.kind != PRINCIPAL_NOBODY && owner.kind == who.kind && owner.id == who.id && !call->request->within &&
           !policy_suspended(&call->subject);
}

// By the key that it replaces, too.
static bool find_waiting(struct api_call *call, struct entity_row *row, struct err *err) {
    if (!entity_resolve(call->scope, &entity_key, call->params[0], call->arena, row, err)) return false;
    bool own = is_owner(call, row);
    if (own)
        call->checked = true;
    else if (!api_find(call, &api_kind_key, ACTION_ROTATE, row, err))
        return false;
    int64_t next = at(row, "replaced_by")->i;
    struct policy_resource r;
    if (!at(row, "uncollected_since")->i && next && !entity_get(call->scope, &entity_key, next, call->arena, row, err))
        return false;
    api_event_row(call, &api_kind_key, row);
    if (own) return is_owner(call, row) || api_not_found(&api_kind_key, err);
    // It may have been moved or given more since.
    return api_locate(call, &api_kind_key, row, &r, err) && api_check(call, ACTION_ROTATE, &r, err) &&
           may_make(call, row, err);
}

static bool collect(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!find_waiting(call, row, err)) return false;
    call->event.before = api_row_text(call, &api_kind_key, row);
    if (!key_rotate_collect(call->scope, call->api->dir, row, call->expected, call->now, call->arena, &call->secret,
                            err))
        return false;
    call->event.after = api_row_text(call, &api_kind_key, row);
    api_answer_row(call, &api_kind_key, row);
    return true;
}

static const struct api_endpoint k_endpoints[] = {
    API_LIST("keys", KEY, api_kind_key, "keys, never their text"),
    API_CREATE("keys", KEY, api_kind_key, "a key, and shows it this once"),
    API_GET("keys", KEY, api_kind_key, "a key, by its id or prefix"),
    API_CHANGE("keys", KEY, api_kind_key, "a key"),
    API_DELETE("keys", KEY, api_kind_key, "Revokes a key at once, on all servers"),
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/keys/:id/revoke"),
     .resource = RESOURCE_KEY,
     .action = ACTION_DELETE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_key,
     .handle = revoke,
     .summary = "Revokes a key at once, on all servers",
     .audit = "key.revoke"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/keys/identify"),
     .resource = RESOURCE_KEY,
     .action = ACTION_READ,
     .flags = API_CHANGES,
     .handle = api_key_identify,
     .body = "{\"type\":\"object\",\"required\":[\"key\"],\"properties\":{\"key\":{\"type\":\"string\","
             "\"description\":\"The text that was found\"}}}",
     .answer = "{\"type\":\"object\",\"properties\":{\"form\":{\"type\":\"string\",\"enum\":[\"good\",\"early\","
               "\"damaged\",\"none\"],\"description\":\"What it looks like: a key with the right checksum; one of an "
               "early version, which has none; one with a wrong checksum; no key\"},\"known\":{\"type\":\"boolean\","
               "\"description\":\"Whether it is a key of this tenant; operators ask for all tenants\"},\"tenant_id\":{"
               "\"type\":\"string\"},\"key\":{\"$ref\":\"#/components/schemas/Key\"}}}",
     .summary = "Says which key a text is, such as one that was found in a repository; the text is not kept",
     .audit = "key.identify"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/keys/:id/rotate"),
     .resource = RESOURCE_KEY,
     .action = ACTION_ROTATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_key,
     .handle = rotate,
     .body = "{\"type\":\"object\",\"properties\":{\"overlap\":{\"type\":[\"string\",\"integer\",\"null\"],"
             "\"description\":\"How long the old key still works; the key's rotate_overlap if not given, 0 = not at "
             "all\",\"examples\":[\"24h\"]}}}",
     .summary = "Makes a key that takes this one's place, and shows it this once"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/keys/:id/collect"),
     .resource = RESOURCE_KEY,
     .action = ACTION_ROTATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_key,
     .handle = collect,
     .summary =
         "Shows, this once, a key that the schedule made, by its id or that of the one it replaces, whose overlap "
         "begins; its owner, signed in, needs no permission",
     .audit = "key.collect"},
};
const struct api_table api_table_keys = {"Keys", k_endpoints, ARRAY_LEN(k_endpoints)};
