// Calls that are lines of a provider's batch: written down, or answered with what came back.
#include "gateway/native_call.h"

#include "gateway/answer.h"
#include "gateway/batch_item.h"
#include "gateway/chain.h"
#include "model/provider.h"
#include "os/clock.h"

void native_line_init(struct native_line *line) {
    buf_init(&line->provider, 4096);
    buf_init(&line->model, 4096);
    buf_init(&line->url, 4096);
    buf_init(&line->body, NATIVE_LINE_MAX);
}

void native_line_free(struct native_line *line) {
    buf_free(&line->provider);
    buf_free(&line->model);
    buf_free(&line->url);
    buf_free(&line->body);
}

// All who have one say the same.
void native_price(struct call *call) {
    for (size_t i = 0; i < call->route.count; i++) {
        struct route_target *t = &call->route.targets[i];
        if (t->price->batch != PRICE_NONE) continue;
        struct price *own = ARENA_NEW(&call->req->arena, struct price);
        if (!own) continue; // it costs the whole
        *own = *t->price;
        own->batch = PRICE_BATCH_SAME / 2;
        t->price = own;
    }
}

// --- drafts ---

void native_count_before(struct call *call) {
    const struct quota_ask *before = &call->inner->native->before;
    struct quota_grant *grant = &call->admission.grant;
    const uint64_t amounts[BUDGET_METRIC_COUNT] = {
        [BUDGET_REQUESTS] = before->requests, [BUDGET_TOKENS] = before->tokens, [BUDGET_COST] = before->cost_nano};
    for (unsigned i = 0; i < MIN(grant->n, (unsigned)QUOTA_GRANT_MAX); i++) {
        const struct quota_budget *b = grant->parts[i].budget;
        if (b->period != BUDGET_MINUTE && b->period != BUDGET_HOUR) grant->parts[i].amount += amounts[b->metric];
    }
}

// "/v1/chat/completions", as lines of a batch name it whatever stands before it in the provider's address.
static bool put_url(struct call *call, struct buf *out, struct err *err) {
    const struct provider_call to = {.provider = call->at->provider->conf,
                                     .operation = call->at->asks,
                                     .dialect = call->at->upstream->dialect,
                                     .model = call_target(call)->model};
    struct str target, base = call->at->provider->conf->url.path;
    if (!provider_target(&to, &call->req->arena, &target, err)) return false;
    if (!str_starts(target, base)) return true;
    buf_lit(out, "/v1");
    buf_put(out, str_from(target, base.n));
    return true;
}

static bool draft(struct call *call, struct native_line *line, struct err *err) {
    const struct route_target *t = call_target(call);
    buf_clear(&line->provider);
    buf_clear(&line->model);
    buf_clear(&line->url);
    buf_clear(&line->body);
    line->fits = provider_has_batches(t->provider) && !call->at->provider->credential;
    if (!line->fits) return true;
    if (!call_write(call, err) || !put_url(call, &line->url, err)) return false;
    for (size_t i = 0; i < call->at->body_count; i++) buf_put(&line->body, call->at->body[i]);
    buf_put(&line->provider, t->provider->name);
    buf_put(&line->model, t->model);
    line->before.requests++;
    line->before.tokens += call->admission.ask.tokens;
    line->before.cost_nano += call->admission.ask.cost_nano;
    line->fits = !call->at->fan && batch_endpoint_known(buf_str(&line->url)) && !line->body.failed &&
                 !str_eq(buf_str(&line->url), STR("/v1/messages"));
    return true;
}

// --- answers ---

// The target that it was sent to, which may not be the first any more, or none.
static bool find_target(struct call *call, const struct native_line *line, struct err *err) {
    struct route *r = &call->route;
    for (size_t i = 0; i < r->count; i++) {
        if (!str_eq(r->targets[i].provider->name, line->from_provider) ||
            !str_eq(r->targets[i].model, line->from_model))
            continue;
        r->targets[0] = r->targets[i];
        r->count = 1;
        return true;
    }
    struct str name =
        arena_printf(&call->req->arena, "%.*s/%.*s", STR_ARG(line->from_provider), STR_ARG(line->from_model));
    if (!name.p) return err_no_memory(err);
    const struct route_ask ask = call_route_ask(call);
    if (!route_resolve(&ask, name, r, NULL, err)) return false;
    r->count = 1;
    return true;
}

static enum stage_result answer(struct call *call, const struct native_line *line, struct err *err) {
    const struct http_field type = {STR("content-type"), STR("application/json")};
    if (!call_write(call, err)) return STAGE_FAIL;
    call->id = line->id;
    call->ts = line->ts;
    request_id_text(call->id_text, call->id);
    call->usage.batch = true;
    call_begin_attempt(call);
    if (answer_head(call, line->status, &type, 1)) answer_data(call, line->answer, true);
    return STAGE_WAIT;
}

enum stage_result native_call(struct call *call, struct err *err) {
    struct native_line *line = call->inner->native;
    if (call_is_chain(call)) { // not one call
        line->fits = false;
        call_reply(call, 200, STR("application/json"), STR("{}"));
        return STAGE_ANSWERED;
    }
    if (line->mode == NATIVE_ANSWER && !find_target(call, line, err)) return STAGE_FAIL;
    call->at->target = 0; // without the board: nothing is sent now
    call->at->provider = &call->runtime->providers[call->route.targets[0].provider->index];
    native_price(call);
    if (line->mode == NATIVE_ANSWER) return answer(call, line, err);
    if (!draft(call, line, err)) return STAGE_FAIL;
    call_reply(call, 200, STR("application/json"), STR("{}"));
    return STAGE_ANSWERED;
}
