// The API of the audit trail: searches, one event, exports, proof, checkpoints and keys.
#include "admin/api_impl.h"

#include "base/text.h"
#include "govern/audit_export.h"
#include "store/audit_key.h"

#define LIMIT_DEFAULT 50

static struct sql_scope trail(struct api_call *call) { return sql_tenant(call->db, call->who.tenant); }

static bool param_time(struct api_call *call, const char *name, int64_t *out, struct err *err) {
    struct str text = api_param(call, name);
    *out = 0;
    return !text.n || time_parse(text, out) ||
           api_wrong(err, name, "%s: expected a time such as 2026-11-21T07:30:00Z", name);
}

static bool param_limit(struct api_call *call, size_t fallback, size_t max, size_t *out, struct err *err) {
    struct str text = api_param(call, "limit");
    uint64_t v = fallback;
    if (text.n && (!str_to_u64(text, &v) || !v || v > max))
        return api_wrong(err, "limit", "limit: expected 1 to %zu", max);
    *out = (size_t)v;
    return true;
}

static bool query_read(struct api_call *call, struct audit_query *q, struct err *err) {
    *q = (struct audit_query){.actor = api_param(call, "actor"),
                              .action = api_param(call, "action"),
                              .resource_type = api_param(call, "resource_type"),
                              .resource = api_param(call, "resource"),
                              .outcome = api_param(call, "outcome"),
                              .address = api_param(call, "address"),
                              .request_id = api_param(call, "request_id"),
                              .search = api_param(call, "q"),
                              .cursor = api_param(call, "cursor")};
    return param_time(call, "since", &q->since, err) && param_time(call, "until", &q->until, err) &&
           param_limit(call, LIMIT_DEFAULT, AUDIT_PAGE_MAX, &q->limit, err);
}

static bool put_event(void *arg, const struct audit_record *record, struct err *err UNUSED) {
    audit_put_json(arg, record, STR_NONE);
    return true;
}

static bool list(struct api_call *call, struct err *err) {
    struct json_writer w;
    struct audit_query q;
    BUF_AUTO struct buf cursor = BUF_INIT(256);
    if (!query_read(call, &q, err)) return false;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    if (!audit_search(trail(call), &q, put_event, &w, &cursor, err)) return false;
    json_put_array_end(&w);
    if (cursor.n)
        json_put_member_str(&w, STR("next_cursor"), buf_str(&cursor));
    else
        json_put_member_null(&w, STR("next_cursor"));
    json_put_object_end(&w);
    return true;
}

static bool get(struct api_call *call, struct err *err) {
    struct json_writer w;
    int64_t seq;
    if (!str_to_i64(call->params[0], &seq) || seq < 1)
        return err_set(err, ERR_NOT_FOUND, "an event of the audit trail has a number from 1 on");
    api_answer(call, &w);
    return audit_get(trail(call), seq, put_event, &w, err);
}

// --- export ---

static bool write_body(void *arg, struct str bytes, struct err *err) {
    struct buf *body = arg;
    buf_put(body, bytes);
    return !body->failed ||
           err_set(err, ERR_INVALID_FIELD,
                   "the export is longer than an answer may be: narrow it by time, or run penstock audit export");
}

static bool has_filter(const struct audit_query *q) {
    return q->since || q->until || q->actor.n || q->action.n || q->resource_type.n || q->resource.n || q->outcome.n ||
           q->address.n || q->request_id.n || q->search.n;
}

// That the trail is taken out is an event, on the disk before it is.
static bool export_told(struct api_call *call, struct err *err) {
    if (!sql_begin(call->db, err)) return false;
    if (api_event_append(call, AUDIT_OK, STR_NONE, err)) return sql_commit(call->db, err);
    sql_rollback(call->db);
    return false;
}

static bool export(struct api_call *call, struct err *err) {
    struct audit_query q;
    struct str format = api_param(call, "format");
    struct audit_export e = {.version = STR("1")};
    if (!query_read(call, &q, err)) return false;
    if (format.n && !audit_format_parse(format, &e.format))
        return api_wrong(err, "format", "format: expected jsonl, csv, cef or ocsf");
    if (has_filter(&q)) e.search = &q;
    call->reply->type = audit_format_type(e.format);
    call->event.resource_name = audit_format_name(e.format);
    call->event.after = arena_printf(call->arena, "{\"format\":\"%.*s\",\"whole_chain\":%s}",
                                     STR_ARG(audit_format_name(e.format)), e.search ? "false" : "true");
    if (!export_told(call, err)) return false;
    return audit_export(trail(call), &e, write_body, &call->reply->body, err);
}

// --- proof ---

static bool verify(struct api_call *call, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("since"), .kinds = JSON_IS(JSON_NUMBER)},
                             {.name = STR_INIT("key"), .kinds = JSON_IS(JSON_STRING)}};
    struct audit_verify_options o = {.tenant = call->who.tenant, .dir = call->api->dir};
    unsigned char key[AUDIT_KEY_SIZE];
    struct audit_verdict v;
    struct json_writer w;
    struct str text = STR_NONE;
    if (call->request->body.n && !json_scan(call->request->body, f, ARRAY_LEN(f), err)) return false;
    if (f[0].found && (!json_raw_i64(f[0].raw, &o.since) || o.since < 1))
        return api_wrong(err, "since", "since: expected the number of an event");
    if (f[1].found) {
        if (!json_string_borrow(f[1].raw, &text) || !audit_key_parse(text, key))
            return api_wrong(err, "key", "key: expected a public key of 64 hexadecimal digits");
        o.key = key;
    }
    if (!audit_verify(call->db, &o, &v, err)) return false;
    BUF_AUTO struct buf hex = BUF_INIT(100);
    hex_put(&hex, str_of((const char *)v.key, sizeof v.key));
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_bool(&w, STR("sound"), !v.faulty);
    json_put_member_u64(&w, STR("events"), v.events);
    json_put_member_u64(&w, STR("checkpoints"), v.checkpoints);
    json_put_member_str(&w, STR("key"), buf_str(&hex));
    if (v.faulty) {
        json_put_member_i64(&w, STR("seq"), v.fault.seq);
        json_put_member_str(&w, STR("reason"), str_c(v.fault.why));
    }
    json_put_object_end(&w);
    return true;
}

static bool put_head(void *arg, const struct audit_head *head, struct err *err UNUSED) {
    audit_put_head_json(arg, head, STR_NONE);
    return true;
}

static bool put_key(void *arg, const struct audit_public *key, struct err *err UNUSED) {
    audit_put_key_json(arg, key, STR_NONE);
    return true;
}

static bool checkpoints(struct api_call *call, struct err *err) {
    struct json_writer w;
    struct audit_head head;
    int64_t checkpoint;
    size_t limit = 0;
    bool has;
    if (!param_limit(call, LIMIT_DEFAULT, 10000, &limit, err) ||
        !audit_head_read(trail(call), &head, &checkpoint, &has, err))
        return false;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_key(&w, STR("head"));
    if (has)
        audit_put_head_json(&w, &head, STR_NONE);
    else
        json_put_null(&w);
    json_put_member_array(&w, STR("data"));
    if (!audit_checkpoint_each(trail(call), 0, (int64_t)limit, put_head, &w, err)) return false;
    json_put_array_end(&w);
    json_put_member_array(&w, STR("keys"));
    if (!audit_key_each(call->db, put_key, &w, err)) return false;
    json_put_array_end(&w);
    json_put_object_end(&w);
    return true;
}

#define FILTERS "since until actor action resource_type resource outcome address request_id q"
#define EVENT "{\"type\":\"object\",\"properties\":{\"seq\":{\"type\":\"integer\"},\"time\":{\"type\":\"string\"}}}"

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/audit"),
     .resource = RESOURCE_AUDIT,
     .action = ACTION_READ,
     .handle = list,
     .query = "limit cursor " FILTERS,
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":" EVENT
               "},\"next_cursor\":{\"type\":[\"string\",\"null\"]}}}",
     .summary = "Searches the audit trail, newest first"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/audit/:seq"),
     .resource = RESOURCE_AUDIT,
     .action = ACTION_READ,
     .handle = get,
     .query = "",
     .answer = EVENT,
     .summary = "Shows an event of the audit trail"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/audit/export"),
     .resource = RESOURCE_AUDIT,
     .action = ACTION_EXPORT,
     .flags = API_TELLS | API_HEAVY,
     .handle = export,
     .query = "format " FILTERS,
     .answer = "",
     .summary = "Exports the audit trail: the whole chain with its proof, or what a search finds"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/audit/checkpoints"),
     .resource = RESOURCE_AUDIT,
     .action = ACTION_READ,
     .handle = checkpoints,
     .query = "limit",
     .answer = "{\"type\":\"object\"}",
     .summary = "Shows the signed head, the newest checkpoints and the public keys"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/audit/verify"),
     .resource = RESOURCE_AUDIT,
     .action = ACTION_VERIFY,
     .flags = API_HEAVY,
     .handle = verify,
     .query = "",
     .body = "{\"type\":\"object\",\"properties\":{\"since\":{\"type\":\"integer\",\"minimum\":1},\"key\":{\"type\":"
             "\"string\"}}}",
     .answer = "{\"type\":\"object\",\"properties\":{\"sound\":{\"type\":\"boolean\"},\"seq\":{\"type\":\"integer\"},"
               "\"reason\":{\"type\":\"string\"}}}",
     .summary = "Proves that no event was changed, left out, added or moved"},
};
const struct api_table api_table_audit = {"Audit trail", k_endpoints, ARRAY_LEN(k_endpoints)};
