// The API of decisions: whether somebody may do something, why, and what each role may do.
#include "admin/api_access_ask.h"

#include "base/json_write.h"

static bool decide(struct api_call *call, const struct api_question *q, struct policy_decision *out) {
    if (!q->refused) return policy_decide(call->policy, &q->subject, q->action, &q->resource, q->at, out);
    *out = (struct policy_decision){0};
    return false;
}

static struct str reason_of(const struct api_question *q, const struct policy_decision *d) {
    return q->refused ? str_c(q->refused) : policy_reason_text(d->reason);
}

static bool field_text(struct api_call *call, const struct json_field *f, struct str *out, struct err *err) {
    *out = STR("");
    return !f->found || f->kind == JSON_NULL || json_string_text(f->raw, call->arena, out) || err_no_memory(err);
}

static bool read_body(struct api_call *call, struct api_asked *out, struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("principal"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("action"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("resource"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("team"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("project"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("at"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("tags"), .kinds = JSON_IS(JSON_OBJECT)},
        {.name = STR_INIT("scopes"), .kinds = JSON_IS(JSON_ARRAY)},
    };
    struct api_asked asked = {0};
    struct str *const texts[] = {&asked.principal, &asked.action,  &asked.resource,
                                 &asked.team,      &asked.project, &asked.at};
    if (!json_scan(call->request->body, f, ARRAY_LEN(f), err)) return false;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!field_text(call, &f[i], texts[i], err)) return false;
    if (f[6].found) asked.tags = f[6].raw;
    if (f[7].found) asked.scopes = f[7].raw;
    *out = asked;
    return true;
}

static bool check(struct api_call *call, struct err *err) {
    struct api_asked asked = {0};
    struct api_question q;
    struct policy_decision d;
    struct json_writer w;
    char id[ENTITY_ID_TEXT_MAX];
    if (!read_body(call, &asked, err) || !api_question_read(call, &asked, &q, err)) return false;
    bool allowed = decide(call, &q, &d);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_bool(&w, STR("allowed"), allowed);
    json_put_member_str(&w, STR("reason"), reason_of(&q, &d));
    json_put_member_str(&w, STR("principal"), api_principal_text(q.principal, id));
    json_put_member_str(&w, STR("action"), asked.action);
    json_put_member_str(&w, STR("resource"), q.resource.id);
    json_put_key(&w, STR("grant_id"));
    if (d.grant)
        json_put_str(&w, entity_id_text(&entity_grant, d.grant->id, id));
    else
        json_put_null(&w);
    json_put_object_end(&w);
    return true;
}

// "env=prod,region=eu" as an object, "key:read,model:*" as an array; without memory, as what cannot be read.
static struct str listed(struct api_call *call, struct str text, bool pairs) {
    BUF_AUTO struct buf out = BUF_INIT(API_NOTE_MAX);
    struct json_writer w;
    struct str one;
    if (!text.n) return STR("");
    json_writer_init(&w, &out);
    if (pairs)
        json_put_object(&w);
    else
        json_put_array(&w);
    while (text.n && str_split(&text, ',', &one)) {
        size_t at = str_find_char(one, '=');
        if (pairs)
            json_put_member_str(&w, str_trim(str_head(one, at)), str_trim(str_from(one, MIN(at + 1, one.n))));
        else
            json_put_str(&w, str_trim(one));
    }
    if (pairs)
        json_put_object_end(&w);
    else
        json_put_array_end(&w);
    struct str copy = out.failed ? STR_NONE : arena_str(call->arena, buf_str(&out));
    return copy.n ? copy : STR("?");
}

// A key that has ended, or whose own list leaves the model out, is refused whatever grants there are.
static void put_refused(struct api_call *call, const struct api_question *q, struct str action) {
    struct json_writer w;
    char id[ENTITY_ID_TEXT_MAX];
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_bool(&w, STR("allowed"), false);
    json_put_member_str(&w, STR("reason"), str_c(q->refused));
    json_put_member_str(&w, STR("because"), str_c(q->because));
    json_put_member_object(&w, STR("principal"));
    json_put_member_str(&w, STR("kind"), principal_kind_name(q->principal.kind));
    json_put_member_str(&w, STR("id"), api_principal_text(q->principal, id));
    json_put_object_end(&w);
    json_put_member_str(&w, STR("permission"), action);
    json_put_member_null(&w, STR("grant"));
    json_put_member_array(&w, STR("chain"));
    json_put_array_end(&w);
    json_put_member_array(&w, STR("considered"));
    json_put_array_end(&w);
    json_put_object_end(&w);
}

static bool explain(struct api_call *call, struct err *err) {
    const struct api_asked asked = {.principal = api_param(call, "principal"),
                                    .action = api_param(call, "action"),
                                    .resource = api_param(call, "resource"),
                                    .team = api_param(call, "team"),
                                    .project = api_param(call, "project"),
                                    .at = api_param(call, "at"),
                                    .tags = listed(call, api_param(call, "tags"), true),
                                    .scopes = listed(call, api_param(call, "scopes"), false)};
    struct api_question q;
    if (!api_question_read(call, &asked, &q, err)) return false;
    if (q.refused)
        put_refused(call, &q, asked.action);
    else
        (void)policy_explain(call->policy, &q.subject, q.action, &q.resource, q.at, &call->reply->body);
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
         "\"examples\":[\"user/ada@example.com\",\"key/"
         "ps-abc123\"]},\"action\":{\"type\":\"string\",\"examples\":[\"key:create\"]},"
         "\"resource\":{\"type\":[\"string\",\"null\"],\"description\":\"An id or a name\"},\"team\":{\"type\":"
         "[\"string\",\"null\"]},\"project\":{\"type\":[\"string\",\"null\"]},\"tags\":{\"type\":\"object\","
         "\"additionalProperties\":{\"type\":\"string\"}},\"at\":{\"type\":[\"string\",\"null\"],\"format\":"
         "\"date-time\",\"description\":\"At this time; now if not given\"},\"scopes\":{\"type\":\"array\",\"items\":"
         "{\"type\":\"string\"},\"description\":\"As with a key or token of these scopes\"}}}",
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
     .query = "principal action resource team project tags at scopes",
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
