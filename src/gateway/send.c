// Sends a request to the target in turn: its address, its fields, the waiting times that hold.
#include "gateway/send.h"

#include "gateway/pipeline.h"
#include "gateway/sign.h"
#include "gateway/warm.h"
#include "model/provider.h"

#define FIELDS_MAX (CALL_FIELDS_MAX + RUNTIME_FIELDS_MAX + 4)

// The client's fields that mean something to a provider.
static bool passes_upstream(struct str name) {
    static const struct str exact[] = {
        STR_INIT("via"),         STR_INIT("accept"),     STR_INIT("user-agent"),         STR_INIT("idempotency-key"),
        STR_INIT("traceparent"), STR_INIT("tracestate"), STR_INIT("x-client-request-id")};
    static const struct str prefixes[] = {STR_INIT("openai-"), STR_INIT("anthropic-"), STR_INIT("x-goog-api-client")};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_eq_nocase(str_head(name, prefixes[i].n), prefixes[i])) return true;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++)
        if (str_eq_nocase(name, exact[i])) return true;
    return false;
}

// "/passthrough/NAME/x?y" is "x?y" below the provider's base_url.
static struct str passthrough_target(const struct call *call) {
    struct str path = str_from(call->req->path, call->endpoint->path.n + call->at->provider->conf->name.n);
    struct str query = call->req->query;
    if (!path.n && !call->at->provider->conf->url.path.n) path = STR("/");
    return arena_printf(&call->req->arena, "%.*s%.*s%s%.*s", STR_ARG(call->at->provider->conf->url.path), STR_ARG(path),
                        query.n ? "?" : "", STR_ARG(query));
}

// Who calls is between the client and us, and the connection's own fields are each side's.
static bool is_ours(struct str name) {
    static const struct str exact[] = {
        STR_INIT("authorization"),   STR_INIT("x-api-key"),       STR_INIT("api-key"),
        STR_INIT("x-goog-api-key"),  STR_INIT("cookie"),          STR_INIT("host"),
        STR_INIT("content-length"),  STR_INIT("accept-encoding"), STR_INIT("expect"),
        STR_INIT("x-forwarded-for"), STR_INIT("forwarded"),       STR_INIT("content-type")};
    if (http_is_hop_by_hop(name) || str_eq_nocase(str_head(name, 11), STR("x-penstock-"))) return true;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++)
        if (str_eq_nocase(name, exact[i])) return true;
    return false;
}

// What the client's "Connection" names is for us alone, too (RFC 9110, 7.6.1).
static bool is_connections(const struct http_req *req, struct str name) {
    for (size_t i = 0; i < req->field_count; i++) {
        struct str rest = req->fields[i].value, part;
        if (!str_eq_nocase(req->fields[i].name, STR("connection"))) continue;
        while (rest.n && str_split(&rest, ',', &part))
            if (str_eq_nocase(str_trim(part), name)) return true;
    }
    return false;
}

static size_t request_fields(const struct call *call, struct http_field out[FIELDS_MAX]) {
    const struct runtime_provider *p = call->at->provider;
    size_t n = 0;
    // A body that is passed through is of the client's type: multipart, say.
    struct str type = http_field_get(call->req->fields, call->req->field_count, STR("content-type"));
    bool any = call->at->asks == OPERATION_PASSTHROUGH;
    bool own = call->at->translated || (!call->request.boundary.p && !any);
    if (own || type.n) out[n++] = (struct http_field){STR("content-type"), own ? STR("application/json") : type};
    bool versioned = call->at->upstream->dialect_field.n &&
                     !http_field_get(call->req->fields, call->req->field_count, call->at->upstream->dialect_field).p;
    if (versioned)
        out[n++] = (struct http_field){call->at->upstream->dialect_field, call->at->upstream->dialect_version};
    size_t own_fields = n;
    for (size_t i = 0; i < p->field_count; i++) out[n++] = p->fields[i];
    if (call->at->keyed && p->keys) out[own_fields] = p->keys[call->at->key];
    for (size_t i = 0; i < call->req->field_count && n < CALL_FIELDS_MAX + RUNTIME_FIELDS_MAX; i++) {
        const struct http_field *f = &call->req->fields[i];
        // What the configuration sets is not the client's to choose.
        // A call in several pieces is none that could be repeated under one key, and what goes on is another call.
        if ((call->at->fan || call->continued.pending) && str_eq_nocase(f->name, STR("idempotency-key"))) continue;
        bool passes = any ? !is_ours(f->name) && !is_connections(call->req, f->name) : passes_upstream(f->name);
        if (passes && !http_field_get(p->fields, p->field_count, f->name).p) out[n++] = *f;
    }
    out[n++] = (struct http_field){STR("accept-encoding"), STR("identity")};
    out[n++] = (struct http_field){STR("via"), str_c(call->gl->gateway->via)};
    return n;
}

static uint64_t wait_of(int64_t ms) { return ms == OPT_UNSET ? 0 : (uint64_t)ms; }

// What the tenant sets goes before the provider's own.
static struct http_waits tenant_waits(const struct conf_tenant *tenant) {
    if (!tenant) return (struct http_waits){0};
    const struct conf_provider_timeouts *t = &tenant->timeouts;
    return (struct http_waits){.connect_ms = wait_of(t->connect),
                               .first_byte_ms = wait_of(t->first_byte),
                               .idle_ms = wait_of(t->idle),
                               .total_ms = wait_of(t->total)};
}

bool send_request(struct call *call, const struct str *body, size_t count, const struct http_exchange_ops *ops,
                  void *user, struct http_exchange **out_exchange, struct err *err) {
    struct http_field fields[FIELDS_MAX + SIGN_FIELDS_MAX];
    const struct provider_call to = {.provider = call->at->provider->conf,
                                     .operation = call->at->asks,
                                     .dialect = call->at->upstream->dialect,
                                     .stream = call->request.stream,
                                     .array = call->request.array && !call->at->translated,
                                     .action = call->at->translated ? STR("") : call->request.action,
                                     .model = call_target(call)->model};
    struct http_request r = {.method = STR("POST"),
                             .authority = call->at->provider->authority,
                             .fields = fields,
                             .field_count = request_fields(call, fields),
                             .body = body,
                             .body_count = count,
                             .once = call->runtime != call->gl->runtime,
                             .waits = tenant_waits(call->tenant)};
    bool any = call->at->asks == OPERATION_PASSTHROUGH;
    warm_used(call->gl->warm, call->runtime, call->at->provider);
    if (any) {
        r.method = call->req->method_text;
        r.target = passthrough_target(call);
    }
    return (any ? r.target.p || err_no_memory(err) : provider_target(&to, &call->req->arena, &r.target, err)) &&
           sign_request(call, &r, fields, err) &&
           http_client_send(call->gl->client, &call->at->provider->origin, &r, ops, user, out_exchange, err);
}
