// The API of usage: the requests of a tenant one by one, and what they add up to.
#include "admin/api_impl.h"

#include "access/who.h"
#include "base/json_csv.h"
#include "base/text.h"
#include "store/lease.h"
#include "store/ledger_read.h"
#include "store/usage.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define EXPORT_MAX 50000 // lines of JSON or CSV in one answer
#define FILTERS                                                                                                        \
    "since until key team project owner model provider error status endpoint tag task errors min_cost min_latency_ms " \
    "request_id"

static const struct {
    const char *name;
    enum ledger_group group;
} k_groups[] = {
    {"key", LEDGER_GROUP_KEY},           {"model", LEDGER_GROUP_MODEL},
    {"provider", LEDGER_GROUP_PROVIDER}, {"day", LEDGER_GROUP_DAY},
    {"hour", LEDGER_GROUP_HOUR},         {"team", LEDGER_GROUP_TEAM},
    {"project", LEDGER_GROUP_PROJECT},   {"owner", LEDGER_GROUP_OWNER},
    {"endpoint", LEDGER_GROUP_ENDPOINT}, {"upstream_model", LEDGER_GROUP_UPSTREAM_MODEL},
    {"status", LEDGER_GROUP_STATUS},     {"error", LEDGER_GROUP_ERROR},
    {"tags", LEDGER_GROUP_TAGS},         {"task", LEDGER_GROUP_TASK},
    {"month", LEDGER_GROUP_MONTH},
};

// --- what is asked ---

static bool param_time(struct api_call *call, const char *name, int64_t *out, struct err *err) {
    struct str text = api_param(call, name);
    return !text.n || time_parse(text, out) ||
           api_wrong(err, name, "%s: expected a time such as 2026-11-21T07:30:00Z", name);
}

static bool param_number(struct api_call *call, const char *name, uint64_t max, uint64_t *out, struct err *err) {
    struct str text = api_param(call, name);
    return !text.n || (str_to_u64(text, out) && *out <= max) ||
           api_wrong(err, name, "%s: expected a number from 0 to %llu", name, (unsigned long long)max);
}

// By id or name; of one that is not there, or not the tenant's, there is no usage.
static bool param_row(struct api_call *call, const char *name, const struct entity *e, uint64_t *out_id,
                      struct err *err) {
    struct str text = api_param(call, name);
    struct entity_row *row;
    if (!text.n) return true;
    row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!entity_resolve(call->scope, e, text, call->arena, row, err)) return false;
    *out_id = (uint64_t)row->id;
    return true;
}

static bool param_owner(struct api_call *call, struct ledger_query *q, struct err *err) {
    struct str text = api_param(call, "owner");
    size_t slash = str_find(text, STR("/"));
    if (!text.n) return true;
    bool service =
        str_eq(str_head(text, slash), STR("service_account")) || str_starts(text, entity_service_account.prefix);
    const struct entity *e = service ? &entity_service_account : &entity_user;
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (slash < text.n) text = str_from(text, slash + 1);
    if (!entity_resolve(call->scope, e, text, call->arena, row, err)) return false;
    q->owner_kind = service ? PRINCIPAL_SERVICE_ACCOUNT : PRINCIPAL_USER;
    q->owner_id = (uint64_t)row->id;
    return true;
}

static bool param_endpoint(struct api_call *call, struct ledger_query *q, struct err *err) {
    struct str text = api_param(call, "endpoint");
    if (!text.n) return true;
    for (unsigned i = 0; i < USAGE_ENDPOINT_COUNT; i++)
        if (str_eq(usage_endpoint_name(i), text)) q->endpoint = i + 1;
    return q->endpoint ||
           api_wrong(err, "endpoint", "endpoint: expected chat, completions, embeddings, models or other");
}

static bool param_request(struct api_call *call, struct ledger_query *q, struct err *err) {
    struct str text = api_param(call, "request_id");
    if (!text.n) return true;
    return (str_starts(text, STR("req_")) && base32_u64_parse(str_from(text, 4), &q->request_id)) ||
           api_wrong(err, "request_id", "request_id: expected an id such as req_0abcdefghjkmn");
}

// "TIME.ID" of the last record of the page before.
static bool param_cursor(struct api_call *call, struct ledger_query *q, struct err *err) {
    struct str text = api_param(call, "cursor");
    size_t dot = str_find(text, STR("."));
    if (!text.n) return true;
    return (dot < text.n && str_to_i64(str_head(text, dot), &q->before_ts) &&
            base32_u64_parse(str_from(text, dot + 1), &q->before_id) && q->before_id) ||
           api_wrong(err, "cursor", "cursor: this is none of this list's");
}

static bool query_read(struct api_call *call, struct ledger_query *q, struct err *err) {
    bool lines = api_param(call, "format").n && !str_eq(api_param(call, "format"), STR("json"));
    uint64_t status = 0, cost = 0, latency = 0;
    *q = (struct ledger_query){.data_dir = str_c(call->api->dir->path),
                               .database = str_c(call->api->dir->database),
                               .tenant_id = (uint64_t)call->who.tenant,
                               .model = api_param(call, "model"),
                               .provider = api_param(call, "provider"),
                               .error = api_param(call, "error"),
                               .tag = api_param(call, "tag"),
                               .task = api_param(call, "task"),
                               .limit = LIMIT_DEFAULT,
                               .errors = str_eq(api_param(call, "errors"), STR("true"))};
    bool ok = param_time(call, "since", &q->since, err) && param_time(call, "until", &q->until, err) &&
              param_row(call, "key", &entity_key, &q->key_id, err) &&
              param_row(call, "team", &entity_team, &q->team_id, err) &&
              param_row(call, "project", &entity_project, &q->project_id, err) && param_owner(call, q, err) &&
              param_endpoint(call, q, err) && param_request(call, q, err) && param_cursor(call, q, err) &&
              param_number(call, "status", 999, &status, err) && param_number(call, "min_cost", 1000000, &cost, err) &&
              param_number(call, "min_latency_ms", 1000000000, &latency, err) &&
              param_number(call, "limit", lines ? EXPORT_MAX : LIMIT_MAX, &q->limit, err);
    if (!ok) return false;
    if (!q->limit) q->limit = lines ? EXPORT_MAX : LIMIT_DEFAULT;
    q->status = (unsigned)status;
    q->min_cost_nano = (int64_t)cost * 1000000000;
    q->min_latency_us = (int64_t)latency * 1000;
    return true;
}

// --- whose usage may be seen ---

#define PLACES                                                                                                         \
    "SELECT DISTINCT team_id, project_id FROM usage_dim WHERE tenant_id = ?1"                                          \
    " UNION SELECT coalesce(team_id, 0), id FROM project WHERE tenant_id = ?1"                                         \
    " UNION SELECT id, 0 FROM team WHERE tenant_id = ?1 UNION SELECT 0, 0"

static bool may_see(struct api_call *call, uint64_t team, uint64_t project) {
    struct policy_decision d;
    struct policy_resource r = {.type = RESOURCE_USAGE,
                                .tenant = call->who.tenant,
                                .team = (int64_t)team,
                                .project = (int64_t)project,
                                .id = STR("usage"),
                                .name = STR("usage")};
    return api_decide(call, ACTION_READ, &r, &d);
}

// Some of the tenant's usage is the caller's to see: that of these places.
static bool narrow(struct api_call *call, struct ledger_query *q, struct err *err) {
    VEC(struct ledger_place) places = {0};
    struct sql_stmt *st;
    bool row, ok = true;
    if (!sql_prepare(call->scope, STR(PLACES), &st, err)) return false;
    while ((ok = ok && sql_step(st, &row, err)) && row) {
        const struct ledger_place at = {(uint64_t)sql_col_i64(st, 0), (uint64_t)sql_col_i64(st, 1)};
        if (may_see(call, at.team_id, at.project_id) && !vec_push(&places, at)) ok = err_no_memory(err);
    }
    if (!ok) sql_reset(st);
    struct ledger_place *copy = ok ? arena_alloc(call->arena, places.n * sizeof *copy + 1) : NULL;
    if (ok && !copy) ok = err_no_memory(err);
    if (copy && places.n) memcpy(copy, places.p, places.n * sizeof *copy);
    q->in_places = true;
    q->places = copy;
    q->n_places = ok ? places.n : 0;
    vec_free(&places);
    return ok;
}

// Of the project or team that is asked for, it must be the caller's to see; of the whole tenant, what is.
static bool permitted(struct api_call *call, struct ledger_query *q, struct err *err) {
    bool all = false;
    bool alike = policy_decides_alike(call->policy, &call->subject, ACTION_READ, RESOURCE_USAGE, call->who.tenant,
                                      call->now, &all);
    if (!alike && !narrow(call, q, err)) return false;
    if (!alike && !q->team_id && !q->project_id) {
        call->checked = true;
        return true;
    }
    struct policy_resource r = {.type = RESOURCE_USAGE,
                                .tenant = call->who.tenant,
                                .team = (int64_t)q->team_id,
                                .project = (int64_t)q->project_id,
                                .id = STR("usage"),
                                .name = STR("usage")};
    if (r.project && !r.team && !api_project_team(call, r.project, &r.team, err)) return false;
    if (api_check(call, ACTION_READ, &r, err)) return true;
    // Usage as such is no secret's existence.
    return err->code != ERR_NOT_FOUND
               ? false
               : err_set(err, ERR_FORBIDDEN,
                         "usage:read is needed for this tenant; for a part of it, name team or project");
}

// --- what is told ---

static void put_owner(struct json_writer *w, const struct usage_record *r) {
    entity_put_id(w, STR("owner"), r->owner_kind == PRINCIPAL_SERVICE_ACCOUNT ? &entity_service_account : &entity_user,
                  (int64_t)r->owner_id);
}

static void put_compared(struct json_writer *w, const struct ledger_row *row, bool known) {
    if (known) {
        json_put_member_fixed(w, STR("reference_usd"), row->rec.reference_nano, 9);
        json_put_member_fixed(w, STR("saved_usd"), row->saved_nano, 9);
    } else {
        json_put_member_null(w, STR("reference_usd"));
        json_put_member_null(w, STR("saved_usd"));
    }
}

static void put_numbers(struct json_writer *w, const struct usage_record *r) {
    json_put_member_u64(w, STR("input_tokens"), r->tokens_in);
    json_put_member_u64(w, STR("cached_tokens"), r->tokens_cached);
    json_put_member_u64(w, STR("cache_write_tokens"), r->tokens_cache_write);
    json_put_member_u64(w, STR("output_tokens"), r->tokens_out);
    json_put_member_u64(w, STR("reasoning_tokens"), r->tokens_reasoning);
    json_put_member_fixed(w, STR("cost_usd"), r->cost_nano, 9);
    json_put_member_fixed(w, STR("latency_ms"), (int64_t)r->latency_us, 3);
    json_put_member_fixed(w, STR("time_to_first_token_ms"), (int64_t)r->ttft_us, 3);
    json_put_member_u64(w, STR("attempts"), r->attempts);
}

static void put_time(struct json_writer *w, struct str name, int64_t ns) {
    char text[TIME_TEXT_LEN];
    time_text(text, ns);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

// One JSON answer, or a line of JSON or CSV for each row.
enum usage_format { USAGE_JSON, USAGE_JSONL, USAGE_CSV };
struct listing {
    struct api_call *call;
    enum usage_format format;
    bool damaged;
    struct buf line; // USAGE_CSV: the row's JSON
    struct json_writer w;
    const struct ledger_query *q;
    uint64_t n;
    int64_t last_ts;
    uint64_t last_id;
};

// Whoever takes the ledger out is told of in the audit trail, before it is given.
static bool export_told(struct api_call *call, struct str format, struct err *err) {
    call->event.action = STR("usage.export");
    call->event.resource_type = STR("usage");
    call->event.resource_name = format;
    if (!sql_begin(call->db, err)) return false;
    if (api_event_append(call, AUDIT_OK, STR_NONE, err)) return sql_commit(call->db, err);
    sql_rollback(call->db);
    return false;
}

static bool listing_begin(struct listing *l, struct api_call *call, struct err *err) {
    struct str format = api_param(call, "format");
    l->call = call;
    buf_init(&l->line, API_NOTE_MAX);
    if (format.n && !str_eq(format, STR("json"))) {
        l->format = str_eq(format, STR("csv")) ? USAGE_CSV : USAGE_JSONL;
        if (l->format == USAGE_JSONL && !str_eq(format, STR("jsonl")))
            return api_wrong(err, "format", "format: expected json, jsonl or csv");
        call->reply->type = l->format == USAGE_CSV ? STR("text/csv; charset=utf-8") : STR("application/x-ndjson");
        return export_told(call, format, err);
    }
    api_answer(call, &l->w);
    json_put_object(&l->w);
    json_put_member_array(&l->w, STR("data"));
    return true;
}

static void row_begin(struct listing *l) {
    buf_clear(&l->line);
    if (l->format != USAGE_JSON) json_writer_init(&l->w, l->format == USAGE_CSV ? &l->line : &l->call->reply->body);
    json_put_object(&l->w);
}

static bool row_end(struct listing *l) {
    struct buf *out = &l->call->reply->body;
    json_put_object_end(&l->w);
    if (l->format == USAGE_JSONL) buf_putc(out, '\n');
    if (l->format == USAGE_CSV &&
        ((l->n == 0 && !json_csv_names(out, buf_str(&l->line))) || !json_csv_row(out, buf_str(&l->line)))) {
        l->damaged = true;
        return false;
    }
    l->n++;
    return !out->failed;
}

static bool listing_end(struct listing *l, bool ok, struct err *err) {
    buf_free(&l->line);
    if (l->damaged) return err_set(err, ERR_STORE, "a record of the usage ledger cannot be written as CSV");
    if (!ok || l->format != USAGE_JSON) return ok;
    json_put_array_end(&l->w);
    return true;
}

static bool put_record(void *arg, const struct ledger_row *row) {
    struct listing *l = arg;
    struct json_writer *w = &l->w;
    const struct usage_record *r = &row->rec;
    char id[REQUEST_ID_TEXT_LEN];
    request_id_text(id, r->id);
    row_begin(l);
    json_put_member_str(w, STR("request_id"), str_of(id, sizeof id));
    put_time(w, STR("ts"), r->ts);
    entity_put_id(w, STR("key"), &entity_key, (int64_t)r->key_id);
    entity_put_id(w, STR("team"), &entity_team, (int64_t)r->team_id);
    entity_put_id(w, STR("project"), &entity_project, (int64_t)r->project_id);
    put_owner(w, r);
    json_put_member_text(w, STR("provider"), r->provider);
    json_put_member_text(w, STR("model"), r->model);
    json_put_member_text(w, STR("upstream_model"), r->upstream_model);
    json_put_member_str(w, STR("endpoint"), usage_endpoint_name(r->endpoint));
    if (r->status == USAGE_STATUS_UNKNOWN) // begun, and the server died before it was answered
        json_put_member_null(w, STR("status"));
    else
        json_put_member_u64(w, STR("status"), r->status);
    json_put_member_text(w, STR("error"), r->error);
    json_put_member_bool(w, STR("stream"), (r->flags & USAGE_STREAM) != 0);
    json_put_member_bool(w, STR("tokens_estimated"), (r->flags & USAGE_ESTIMATED) != 0);
    json_put_member_bool(w, STR("downgraded"), (r->flags & USAGE_DOWNGRADED) != 0);
    json_put_member_bool(w, STR("coalesced"), (r->flags & USAGE_COALESCED) != 0);
    json_put_member_bool(w, STR("batch"), (r->flags & USAGE_BATCH) != 0);
    json_put_member_bool(w, STR("part"), (r->flags & USAGE_PART) != 0);
    json_put_member_bool(w, STR("price_known"), (r->flags & USAGE_PRICE_UNKNOWN) == 0);
    put_numbers(w, r);
    put_compared(w, row, (r->flags & USAGE_COMPARED) != 0);
    json_put_member_text(w, STR("task"), r->task);
    json_put_member_raw(w, STR("tags"), r->tags.n ? r->tags : STR("{}"));
    l->last_ts = r->ts;
    l->last_id = r->id;
    return row_end(l);
}

static bool list(struct api_call *call, struct err *err) {
    struct ledger_query q;
    struct listing l = {.q = &q};
    if (!query_read(call, &q, err)) return api_list_wrong(call, RESOURCE_USAGE, err);
    if (!permitted(call, &q, err) || !listing_begin(&l, call, err)) return false;
    if (!listing_end(&l, ledger_read(&q, put_record, &l, err), err)) return false;
    if (l.format != USAGE_JSON) return true;
    json_put_key(&l.w, STR("next_cursor"));
    if (l.n == q.limit) {
        char id[BASE32_U64_LEN], text[64];
        base32_u64(id, l.last_id);
        int n = snprintf(text, sizeof text, "%lld.%.*s", (long long)l.last_ts, BASE32_U64_LEN, id);
        json_put_str(&l.w, str_of(text, (size_t)n));
    } else {
        json_put_null(&l.w);
    }
    json_put_object_end(&l.w);
    return true;
}

static void put_group(struct json_writer *w, enum ledger_group group, const struct usage_record *r) {
    switch (group) {
    case LEDGER_GROUP_KEY:
        entity_put_id(w, STR("key"), &entity_key, (int64_t)r->key_id);
        return;
    case LEDGER_GROUP_TEAM:
        entity_put_id(w, STR("team"), &entity_team, (int64_t)r->team_id);
        return;
    case LEDGER_GROUP_PROJECT:
        entity_put_id(w, STR("project"), &entity_project, (int64_t)r->project_id);
        return;
    case LEDGER_GROUP_OWNER:
        put_owner(w, r);
        return;
    case LEDGER_GROUP_TENANT:
        entity_put_id(w, STR("tenant"), &entity_tenant, (int64_t)r->tenant_id);
        return;
    case LEDGER_GROUP_MONTH:
        put_time(w, STR("month"), r->ts);
        return;
    case LEDGER_GROUP_DAY:
    case LEDGER_GROUP_HOUR:
        put_time(w, group == LEDGER_GROUP_DAY ? STR("day") : STR("hour"), r->ts);
        return;
    case LEDGER_GROUP_ENDPOINT:
        json_put_member_str(w, STR("endpoint"), usage_endpoint_name(r->endpoint));
        return;
    case LEDGER_GROUP_STATUS:
        json_put_member_u64(w, STR("status"), r->status);
        return;
    case LEDGER_GROUP_MODEL:
        json_put_member_text(w, STR("model"), r->model);
        return;
    case LEDGER_GROUP_UPSTREAM_MODEL:
        json_put_member_text(w, STR("upstream_model"), r->upstream_model);
        return;
    case LEDGER_GROUP_PROVIDER:
        json_put_member_text(w, STR("provider"), r->provider);
        return;
    case LEDGER_GROUP_ERROR:
        json_put_member_text(w, STR("error"), r->error);
        return;
    case LEDGER_GROUP_TAGS:
        json_put_member_raw(w, STR("tags"), r->tags.n ? r->tags : STR("{}"));
        return;
    case LEDGER_GROUP_TASK:
        json_put_member_text(w, STR("task"), r->task);
        return;
    case LEDGER_GROUP_NONE:
    case LEDGER_GROUP_COUNT:
        return;
    }
}

static bool put_sum(void *arg, const struct ledger_row *row) {
    struct listing *l = arg;
    row_begin(l);
    put_group(&l->w, l->q->group, &row->rec);
    json_put_member_u64(&l->w, STR("requests"), row->requests);
    json_put_member_u64(&l->w, STR("errors"), row->errors);
    json_put_member_u64(&l->w, STR("unpriced_requests"), row->unpriced);
    put_numbers(&l->w, &row->rec);
    put_compared(&l->w, row, true);
    return row_end(l);
}

static bool sum(struct api_call *call, struct err *err) {
    struct ledger_query q;
    struct listing l = {.q = &q};
    struct str by = api_param(call, "by");
    if (!query_read(call, &q, err)) return api_list_wrong(call, RESOURCE_USAGE, err);
    if (!permitted(call, &q, err)) return false;
    for (size_t i = 0; i < ARRAY_LEN(k_groups); i++)
        if (str_eq(by, str_c(k_groups[i].name)) || (!by.n && i == 1)) q.group = k_groups[i].group;
    if (q.group == LEDGER_GROUP_NONE)
        return api_wrong(err, "by",
                         "by: expected key, model, provider, day, hour, team, project, owner, endpoint, upstream_model,"
                         " status, error, tags, task or month");
    if (!listing_begin(&l, call, err) || !listing_end(&l, ledger_read(&q, put_sum, &l, err), err)) return false;
    if (l.format == USAGE_JSON) json_put_object_end(&l.w);
    return true;
}

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/usage"),
     .resource = RESOURCE_USAGE,
     .action = ACTION_READ,
     .flags = API_ROW | API_TELLS,
     .handle = list,
     .query = FILTERS " limit cursor format",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
               "\"next_cursor\":{\"type\":[\"string\",\"null\"]}}}",
     .summary =
         "Lists requests, the newest first: whose, which model, tokens, cost, times; with `format` as lines of JSON "
         "(jsonl) or csv"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/usage/sums"),
     .resource = RESOURCE_USAGE,
     .action = ACTION_READ,
     .flags = API_ROW | API_TELLS,
     .handle = sum,
     .query = FILTERS " by limit format",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}",
     .summary =
         "Adds requests up, by model unless `by` says otherwise; the costliest first, or the newest day or hour"},
};
const struct api_table api_table_usage = {"Usage", k_endpoints, ARRAY_LEN(k_endpoints)};
