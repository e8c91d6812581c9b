// May it, now: reserves what the request will use in all budgets that apply, or sends it to a cheaper model, or
// refuses.
#include "gateway/pipeline.h"

#include "base/json_read.h"
#include "gateway/admit.h"
#include "gateway/chain.h"
#include "gateway/flight.h"
#include "gateway/native_call.h"
#include "gateway/record.h"

#define DOWNGRADES_MAX 4

// --- what it will use ---

// Of the targets it may go to, the dearest.
static uint64_t cost_of(const struct route *route, const struct usage *usage) {
    uint64_t most = 0, nano;
    for (size_t i = 0; i < route->count; i++)
        if (price_cost(route->targets[i].price, usage, &nano)) most = MAX(most, nano);
    return most;
}

static struct quota_ask ask_of(struct call *call) {
    uint64_t otherwise = (uint64_t)call->runtime->conf->quota.default_output_tokens;
    if (call->request.operation == OPERATION_COUNT_TOKENS) return (struct quota_ask){.requests = 1}; // it is free
    struct usage usage = {.prompt = model_request_estimate(&call->request),
                          .output = estimate_output(&call->gl->estimates, &call->request, otherwise)};
    struct quota_ask ask = {.requests = 1, .tokens = usage.prompt + usage.output};
    if (native_any(call)) {
        native_price(call);
        usage.batch = true;
    }
    ask.cost_nano = cost_of(&call->route, &usage);
    return ask;
}

// --- whose it is ---

static struct str tag_text(struct arena *arena, struct str name, struct str value_raw) {
    struct str value;
    if (!json_string_text(value_raw, arena, &value)) return STR_NONE;
    return arena_printf(arena, "%.*s=%.*s", STR_ARG(name), STR_ARG(value));
}

// "name=value" of a JSON object of strings.
static size_t tags_of(struct arena *arena, struct str json, struct str out[QUOTA_TAGS_MAX]) {
    struct json_reader r;
    struct str key, raw, name;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, json, 1);
    if (!json_enter_object(&r)) return 0;
    while (n < QUOTA_TAGS_MAX && json_member(&r, &key, &kind)) {
        if (kind != JSON_STRING) continue;
        if (!json_string(&r, &raw) || !json_string_text(key, arena, &name)) break;
        out[n] = tag_text(arena, name, raw);
        if (out[n].p) n++;
    }
    return n;
}

struct quota_subject admit_subject(struct call *call, struct str tags[QUOTA_TAGS_MAX]) {
    const struct key_entry *key = call->key;
    struct quota_subject s = {.tenant = TENANT_DEFAULT, .model = call->request.model};
    if (!key) return s;
    s.tenant = key->tenant_id;
    s.team = key->team_id;
    s.project = key->project_id;
    s.key = key->id;
    s.owner_kind = key->owner.kind;
    s.owner_id = key->owner.id;
    if (key->tags.n > 2 && quota_wants_tags(&call->gl->seat, s.tenant)) {
        s.tags = tags;
        s.n_tags = tags_of(&call->req->arena, key->tags, tags);
    }
    return s;
}

// --- to a cheaper model ---

static bool may_use(const struct call *call, struct str model) {
    return (!call->key || keyring_allows_model(call->ring, call->key, model, call->ts)) &&
           conf_tenant_allows(call->tenant, model);
}

// False when there is no such model, or the caller may not use it: then the refusal stands.
static bool downgrade(struct call *call, const struct quota_budget *by) {
    struct err ignored;
    struct str was = call->request.model, model = arena_str(&call->req->arena, by->downgrade_to);
    if (by->action != BUDGET_DOWNGRADE || !model.p || !may_use(call, model)) return false;
    call->request.model = model;
    if (!call_route(call, &ignored) || call_is_chain(call)) {
        call->request.model = was;
        return false;
    }
    if (!call->admission.asked_model.p) call->admission.asked_model = was;
    call->request.renamed = true;
    metric_add(call->gl->shard, metric_find(call->gl->shard, METRIC_DOWNGRADED, NULL, 0), 1);
    return true;
}

// --- the stage ---

static enum stage_result refuse(struct call *call, struct err *err) {
    if (call->admission.unsure) {
        err_set(err, ERR_OVERLOADED,
                "budgets are counted over Redis, which does not answer (quota.on_failure: closed); try again soon");
        return STAGE_FAIL;
    }
    call->admission.refused = true;
    quota_refusal_err(&call->admission.refusal, call->ts, err);
    return STAGE_FAIL;
}

// The budgets that apply, and what is asked of them. False: none does.
static bool find_budgets(struct call *call) {
    struct admission *a = &call->admission;
    struct str tags[QUOTA_TAGS_MAX];
    struct quota_subject subject = admit_subject(call, tags);
    a->ask = ask_of(call);
    bool any = quota_match(&call->gl->seat, &subject, &a->ask, call->ts, &a->grant);
    if (any && native_is(call, NATIVE_DRAFT)) native_count_before(call);
    return any;
}

enum stage_result stage_admit(struct call *call, struct err *err) {
    struct admission *a = &call->admission;
    if (call_is_chain(call)) return STAGE_DONE; // its steps are asked, each for itself
    if (!inner_step_admits(call, err)) return STAGE_FAIL;
    if (!call->gl->seat.quota || flight_is(call) || record_is_free(call)) {
        a->ask = ask_of(call); // of its target's limits
        return STAGE_DONE;
    }
    for (;;) {
        if (a->step == ADMIT_NEW && !find_budgets(call)) return STAGE_DONE;
        enum stage_result taken = admit_take(call);
        if (taken != STAGE_FAIL) return taken;
        if (native_is(call, NATIVE_ANSWER)) { // it is used already
            quota_force(&a->grant);
            return STAGE_DONE;
        }
        if (a->unsure || a->downgrades == DOWNGRADES_MAX || !a->refusal.budget || !downgrade(call, a->refusal.budget))
            return refuse(call, err);
        a->downgrades++;
        quota_close(&a->grant);
    }
}

// --- its end ---

// A request counts when it was answered, or left by its client: as the usage ledger counts them (store/budget.h).
static bool counts(const struct call *call) { return call->status < 400 || call->status == 499; }

void admit_settle(struct call *call, bool served) {
    struct quota_ask used = {.requests = counts(call)};
    if (served) {
        used.tokens = call->usage.prompt + call->usage.output;
        used.cost_nano = call->cost_nano;
    }
    used.tokens += call->continued.tokens;
    used.cost_nano += call->continued.cost_nano;
    bool held = call->admission.grant.held;
    quota_settle(&call->admission.grant, &used);
    if (held) quota_held_settle(call->admission.held, &used, true);
    if (held) call->admission.held = NULL;
    if (call->usage_known && call->status < 300)
        estimate_learn(&call->gl->estimates, call->request.model, call->usage.output + call->continued.used.output);
}

static struct str downgraded(struct call *call) {
    struct str from = call->admission.asked_model, to = call->request.model;
    if (!http_is_field_value(from) || !http_is_field_value(to)) return STR("yes");
    return arena_printf(&call->req->arena, "%.*s->%.*s", STR_ARG(from), STR_ARG(to));
}

size_t admit_fields(struct call *call, struct http_field out[ADMIT_FIELDS_MAX]) {
    struct admission *a = &call->admission;
    struct quota_header headers[QUOTA_HEADERS_MAX];
    size_t n = 0;
    if (a->asked_model.p) out[n++] = (struct http_field){STR("x-penstock-downgraded"), downgraded(call)};
    if (!a->grant.n) return n;
    unsigned count = quota_headers(&a->grant, a->refused ? &a->refusal : NULL, call->ts, &call->req->arena, headers);
    for (unsigned i = 0; i < count; i++) out[n++] = (struct http_field){headers[i].name, headers[i].value};
    return n;
}
