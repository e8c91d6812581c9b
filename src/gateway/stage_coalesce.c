// Whether the same is being asked already: then the call waits for that answer (flight.h).
#include "gateway/pipeline.h"

#include "gateway/chain.h"
#include "gateway/flight.h"
#include "gateway/need.h"

// --- which calls ---

static const struct conf_routing *rules_of(const struct call *call) {
    return call->route.model ? &call->route.model->policy : &call->runtime->conf->routing;
}

// What makes nothing, and keeps nothing for later. A chain's steps are its caller's.
static bool is_shareable(const struct call *call) {
    const struct model_request *r = &call->request;
    if (call_is_chain(call)) return false;
    if (call->inner || call->previous || call->admission.asked_model.p || r->boundary.p) return false;
    if (call_is_chain(call)) return false;                // its steps have records of their own
    if (call->runtime != call->gl->runtime) return false; // it waited, and the configuration has changed
    switch (r->operation) {
    case OPERATION_CHAT:
        return r->dialect != DIALECT_RESPONSES; // which can be gone on from
    case OPERATION_COMPLETIONS:
    case OPERATION_EMBEDDINGS:
    case OPERATION_RERANK:
    case OPERATION_MODERATIONS:
        return true;
    default:
        return false;
    }
}

static bool is_zero(struct str raw) {
    double n;
    return json_raw_double(raw, &n) && n >= 0 && n <= 0;
}

// Its answer should be the same each time.
static bool is_deterministic(const struct call *call) {
    const struct model_request *r = &call->request;
    struct str raw;
    if (r->operation != OPERATION_CHAT && r->operation != OPERATION_COMPLETIONS) return true;
    return (JSON_GET(r->body, &raw, STR("temperature")) && is_zero(raw)) ||
           (JSON_GET(r->body, &raw, STR("generationConfig"), STR("temperature")) && is_zero(raw)) ||
           (JSON_GET(r->body, &raw, STR("options"), STR("temperature")) && is_zero(raw));
}

// --- what makes two the same ---

static void put(struct buf *out, struct str s) {
    uint64_t n = s.n;
    buf_append(out, &n, sizeof n);
    buf_put(out, s);
}

static void put_number(struct buf *out, uint64_t n) { buf_append(out, &n, sizeof n); }

static bool is_own(struct str name) {
    static const struct str own[] = {
        STR_INIT("authorization"),   STR_INIT("x-api-key"),       STR_INIT("api-key"),
        STR_INIT("x-goog-api-key"),  STR_INIT("cookie"),          STR_INIT("host"),
        STR_INIT("content-length"),  STR_INIT("connection"),      STR_INIT("traceparent"),
        STR_INIT("tracestate"),      STR_INIT("idempotency-key"), STR_INIT("x-request-id"),
        STR_INIT("x-forwarded-for"), STR_INIT("forwarded"),       STR_INIT("x-client-request-id")};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_eq_nocase(name, own[i])) return true;
    return false;
}

// Fields that say what is wanted, of us or of the provider; all that are not one request's own where conditions look.
static bool tells(struct str name, bool any) {
    static const struct str prefixes[] = {STR_INIT("x-penstock-"), STR_INIT("openai-"), STR_INIT("anthropic-"),
                                          STR_INIT("content-type")};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_eq_nocase(str_head(name, prefixes[i].n), prefixes[i])) return true;
    return any && !is_own(name);
}

static void put_fields(struct buf *out, const struct call *call, bool any) {
    const struct http_req *req = call->req;
    for (size_t i = 0; i < req->field_count; i++) {
        if (!tells(req->fields[i].name, any)) continue;
        put(out, req->fields[i].name);
        put(out, req->fields[i].value);
    }
    put_number(out, UINT64_MAX);
}

static uint64_t uses_of_named(const struct call *call, const struct str *names, size_t count) {
    uint64_t uses = 0;
    for (size_t i = 0; i < count; i++) {
        const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, names[i]);
        if (m) uses |= m->uses;
    }
    return uses;
}

// What the conditions look at of all models that may come to answer it.
static uint64_t uses_of(const struct call *call) {
    const struct route_model *m = call->route.routed;
    uint64_t uses = uses_of_named(call, &call->request.model, 1);
    uses |= uses_of_named(call, call->fallbacks, call->fallback_count);
    if (!m) return uses;
    const struct conf_fallbacks *f = &m->conf->policy.fallbacks;
    uses |= uses_of_named(call, f->general.p, f->general.n) | uses_of_named(call, f->rate_limit.p, f->rate_limit.n);
    uses |= uses_of_named(call, f->timeout.p, f->timeout.n);
    uses |= uses_of_named(call, f->context_window.p, f->context_window.n);
    return uses | m->uses | uses_of_named(call, f->content_policy.p, f->content_policy.n);
}

// What routing goes by that is not in the request.
static void put_need(struct buf *out, const struct call *call, uint64_t uses) {
    const uint64_t of_key = CONDITION_USES(CONDITION_TEAM) | CONDITION_USES(CONDITION_PROJECT) |
                            CONDITION_USES(CONDITION_KEY) | CONDITION_USES(CONDITION_TAG);
    const struct route_need *need = &call->need->route;
    const struct route_model *own = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    uint64_t same; // whoever is to be answered by the same of two is so also when others ask alike
    bool dealt = call->trials.canary.trial && own && need_affinity(call->need, own, &same);
    put_number(out, dealt ? (uint64_t)call->trials.canary.arm + 1 : 0);
    put_number(out, need->private);
    put_number(out, need->affinity);
    put_number(out, uses & of_key && call->key ? (uint64_t)call->key->id : 0);
    put_number(out, need->region_count);
    for (size_t i = 0; i < need->region_count; i++) put(out, need->regions[i]);
}

// Nothing that one key, tenant or version of the configuration may have otherwise than another is the same for both.
static bool put_identity(struct buf *out, const struct call *call) {
    uint64_t uses = uses_of(call);
    put_number(out, (uint64_t)(uintptr_t)call->runtime);
    put_number(out, (uint64_t)(uintptr_t)call->endpoint);
    put_number(out, (uint64_t)(uintptr_t)call->tenant);
    put_number(out, call->key ? (uint64_t)call->key->tenant_id : 0);
    put(out, call->req->path);
    put(out, call->req->query);
    put(out, call->request.model);
    put_need(out, call, uses);
    put_fields(out, call, uses & CONDITION_USES(CONDITION_HEADER));
    buf_put(out, call->req->body);
    return !out->failed;
}

enum stage_result stage_coalesce(struct call *call, struct err *err) {
    (void)err;
    int rule = rules_of(call)->coalesce;
    if (rule != COALESCE_ALL && rule != COALESCE_DETERMINISTIC) return STAGE_DONE;
    if (!is_shareable(call) || (rule == COALESCE_DETERMINISTIC && !is_deterministic(call))) return STAGE_DONE;
    call->unbilled = rules_of(call)->coalesce_billing == COALESCE_BILLING_ONE;
    struct buf identity = BUF_INIT(FLIGHT_IDENTITY_MAX);
    put_number(&identity, queue_class_of(call)); // who is important does not wait as others do
    bool joined = put_identity(&identity, call) && flight_join(call, buf_str(&identity));
    buf_free(&identity);
    return joined ? STAGE_WAIT : STAGE_DONE;
}
