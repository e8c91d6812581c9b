// The API of decisions: whether somebody may do something, why, and what each role may do.
#include "admin/api_impl.h"

#include "base/json_write.h"

struct question {
    struct str principal_text;
    struct principal principal;
    int64_t home;
    bool own; // of the caller
    enum resource_type type;
    enum action action;
    struct policy_resource resource;
};

static bool parse_action(struct str text, struct question *q, struct err *err) {
    size_t colon = str_find_char(text, ':');
    if (!text.n) {
        api_wrong(err, "action", "action is missing: TYPE:ACTION, such as key:create");
        err->code = ERR_MISSING_FIELD;
        return false;
    }
    if (!resource_type_parse(str_head(text, colon), &q->type) || !action_parse(str_from(text, colon + 1), &q->action) ||
        !(resource_actions(q->type) >> q->action & 1))
        return api_wrong(err, "action", "action: expected TYPE:ACTION of the permission matrix, such as key:create");
    return true;
}

static bool parse_principal(struct api_call *call, struct question *q, struct err *err) {
    static const char *const kinds[] = {"user", "service_account", "team", NULL};
    const struct entity_field field = {.name = STR_INIT("principal"), .type = ENTITY_ANY_REF, .names = kinds};
    struct entity_value v = {0};
    char id[ENTITY_ID_TEXT_MAX];
    q->own = !q->principal_text.n || str_eq(q->principal_text, api_principal_text(call->who.principal, id));
    if (q->own) {
        q->principal = call->who.principal;
        q->home = call->who.home;
        return true;
    }
    // Who may not ask about others is not told which there are.
    struct policy_resource grants = {.type = RESOURCE_GRANT, .tenant = call->who.tenant};
    if (!api_check(call, ACTION_READ, &grants, err) ||
        !entity_value_parse(call->scope, &field, q->principal_text, call->arena, &v, err))
        return false;
    q->principal = api_principal_of(&v);
    q->home = call->who.tenant;
    return true;
}

static const struct api_kind *kind_of(enum resource_type type) {
    static const struct api_kind *const kinds[] = {
        &api_kind_tenant, &api_kind_team,  &api_kind_project,   &api_kind_user, &api_kind_service_account,
        &api_kind_role,   &api_kind_grant, &api_kind_elevation, &api_kind_key,  &api_kind_budget};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i]->resource == type) return kinds[i];
    return NULL;
}

static bool find_place(struct api_call *call, struct question *q, struct str team, struct str project,
                       struct err *err) {
    const struct entity_field t = {.name = STR_INIT("team"), .type = ENTITY_REF, .ref = &entity_team};
    const struct entity_field p = {.name = STR_INIT("project"), .type = ENTITY_REF, .ref = &entity_project};
    struct entity_value v = {0};
    if (team.n) {
        if (!entity_value_parse(call->scope, &t, team, call->arena, &v, err)) return false;
        q->resource.team = v.i;
    }
    if (!project.n) return true;
    if (!entity_value_parse(call->scope, &p, project, call->arena, &v, err)) return false;
    q->resource.project = v.i;
    return q->resource.team || api_project_team(call, v.i, &q->resource.team, err);
}

// "key/ps-abc123", "ps-abc123", "gpt-5": a row that there is lies where it lies.
static bool find_resource(struct api_call *call, struct question *q, struct str text, struct err *err) {
    const struct api_kind *kind = kind_of(q->type);
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    size_t slash = str_find_char(text, '/');
    if (!row) return err_no_memory(err);
    if (slash < text.n && str_eq(str_head(text, slash), resource_type_name(q->type))) text = str_from(text, slash + 1);
    q->resource = (struct policy_resource){.type = q->type, .tenant = call->who.tenant, .id = text, .name = text};
    if (!text.n || !kind) return true;
    if (!entity_resolve(call->scope, kind->entity, text, call->arena, row, err))
        return err->code == ERR_NOT_FOUND && api_wrong(err, "resource", "resource: there is no such row here");
    struct policy_decision d;
    if (!api_locate(call, kind, row, &q->resource, err)) return false;
    // What one may not see is not there.
    return api_decide(call, ACTION_READ, &q->resource, &d) ||
           api_wrong(err, "resource", "resource: there is no such row here");
}

static bool ask(struct api_call *call, struct question *q, struct str action, struct str resource, struct str team,
                struct str project, struct str tags, struct err *err) {
    if (!parse_action(action, q, err) || !parse_principal(call, q, err) || !find_resource(call, q, resource, err) ||
        !find_place(call, q, team, project, err) || !api_policy_with(call, &q->principal, 1, err))
        return false;
    if (tags.n) q->resource.tags = tags;
    return true;
}

static void subject_of(struct api_call *call, const struct question *q, struct policy_subject *out) {
    if (q->own)
        *out = call->subject;
    else
        policy_subject_init(call->policy, q->principal, q->home, NULL, out);
}

static bool field_text(struct api_call *call, const struct json_field *f, struct str *out, struct err *err) {
    *out = STR("");
    return !f->found || f->kind == JSON_NULL || json_string_text(f->raw, call->arena, out) || err_no_memory(err);
}

static bool check(struct api_call *call, struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("principal"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("action"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("resource"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("team"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("project"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("tags"), .kinds = JSON_IS(JSON_OBJECT)},
    };
    struct str text[5];
    struct question q = {0};
    struct policy_decision d;
    struct policy_subject subject;
    struct json_writer w;
    char id[ENTITY_ID_TEXT_MAX];
    if (!json_scan(call->request->body, f, ARRAY_LEN(f), err)) return false;
    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        if (!field_text(call, &f[i], &text[i], err)) return false;
    q.principal_text = text[0];
    if (!ask(call, &q, text[1], text[2], text[3], text[4], f[5].found ? f[5].raw : STR(""), err)) return false;
    subject_of(call, &q, &subject);
    bool allowed = policy_decide(call->policy, &subject, q.action, &q.resource, call->now, &d);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_bool(&w, STR("allowed"), allowed);
    json_put_member_str(&w, STR("reason"), policy_reason_text(d.reason));
    json_put_member_str(&w, STR("principal"), api_principal_text(q.principal, id));
    json_put_member_str(&w, STR("action"), text[1]);
    json_put_member_str(&w, STR("resource"), q.resource.id);
    json_put_key(&w, STR("grant_id"));
    if (d.grant)
        json_put_str(&w, entity_id_text(&entity_grant, d.grant->id, id));
    else
        json_put_null(&w);
    json_put_object_end(&w);
    return true;
}

static bool explain(struct api_call *call, struct err *err) {
    struct question q = {.principal_text = api_param(call, "principal")};
    struct policy_subject subject;
    if (!ask(call, &q, api_param(call, "action"), api_param(call, "resource"), api_param(call, "team"),
             api_param(call, "project"), STR(""), err))
        return false;
    subject_of(call, &q, &subject);
    (void)policy_explain(call->policy, &subject, q.action, &q.resource, call->now, &call->reply->body);
    return true;
}

static bool matrix(struct api_call *call, struct err *err) {
    struct json_writer w;
    (void)err;
    api_answer(call, &w);
    policy_put_matrix(call->policy, call->who.tenant, &w);
    return true;
}

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/access/check"),
     .resource = RESOURCE_GRANT,
     .action = ACTION_READ,
     .flags = API_OPEN,
     .handle = check,
     .body =
         "{\"type\":\"object\",\"required\":[\"action\"],\"properties\":{\"principal\":{\"type\":[\"string\",\"null\"]"
         ",\"description\":\"Whose right; oneself if not given. For others grant:read is needed\","
         "\"examples\":[\"user/ada@example.com\"]},\"action\":{\"type\":\"string\",\"examples\":[\"key:create\"]},"
         "\"resource\":{\"type\":[\"string\",\"null\"],\"description\":\"An id or a name\"},\"team\":{\"type\":"
         "[\"string\",\"null\"]},\"project\":{\"type\":[\"string\",\"null\"]},\"tags\":{\"type\":\"object\","
         "\"additionalProperties\":{\"type\":\"string\"}}}}",
     .answer =
         "{\"type\":\"object\",\"properties\":{\"allowed\":{\"type\":\"boolean\"},\"reason\":{\"type\":\"string\"},"
         "\"principal\":{\"type\":\"string\"},\"action\":{\"type\":\"string\"},\"resource\":{\"type\":\"string\"},"
         "\"grant_id\":{\"type\":[\"string\",\"null\"]}}}",
     .summary = "Says whether somebody may do something"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/access/explain"),
     .resource = RESOURCE_GRANT,
     .action = ACTION_READ,
     .flags = API_OPEN,
     .handle = explain,
     .query = "principal action resource team project",
     .answer = "{\"type\":\"object\"}",
     .summary = "Says why somebody may or may not do something, grant by grant"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/access/matrix"),
     .resource = RESOURCE_ROLE,
     .action = ACTION_READ,
     .handle = matrix,
     .answer = "{\"type\":\"object\"}",
     .summary = "Shows what each role may do with each type of resource"},
};
const struct api_table api_table_access = {"Access", k_endpoints, ARRAY_LEN(k_endpoints)};
