// The record of a call: usage ledger, metrics and access log, once a request.
#include "gateway/record.h"

#include "gateway/admit.h"
#include "gateway/chain.h"
#include "gateway/content.h"
#include "gateway/flight.h"
#include "gateway/meter.h"
#include "gateway/native_call.h"
#include "gateway/pipeline.h"
#include "gateway/route_text.h"
#include "gateway/translation.h"
#include "govern/audit_note.h"
#include "govern/mask.h"
#include "os/clock.h"
#include "store/tenant.h"

static struct str target_provider(const struct call *call) {
    const struct route_target *t = call_target(call);
    return t ? t->provider->name : STR("");
}

static struct str target_model(const struct call *call) {
    const struct route_target *t = call_target(call);
    return t ? t->model : STR("");
}

bool record_is_free(const struct call *call) { return call->inner && call->inner->shadow && !call->inner->charge; }

static uint16_t usage_endpoint_of(const struct call *call) {
    if (record_is_free(call)) return USAGE_ENDPOINT_SHADOW;
    return (uint16_t)(call_is_chain(call) ? USAGE_ENDPOINT_CHAIN : call->endpoint->usage);
}

static struct usage_record usage_of(const struct call *call) {
    struct usage_record rec = {
        .id = call->id,
        .tenant_id = call->key ? (uint64_t)call->key->tenant_id : 0,
        .key_id = call->key ? (uint64_t)call->key->id : 0,
        .ts = call->ts,
        .provider = target_provider(call),
        .model = call->request.model,
        .upstream_model = target_model(call),
        .endpoint = usage_endpoint_of(call),
        .flags = call->request.stream ? USAGE_STREAM : 0,
        .attempts = call->calls - call->continued.calls,
        .task = call->task,
    };
    if (call->at->provider && call->at->provider->demo) rec.flags |= USAGE_DEMO;
    if (call->admission.asked_model.p) rec.flags |= USAGE_DOWNGRADED;
    if (call->coalesced) rec.flags |= USAGE_COALESCED;
    if (call->inner && call->inner->shadow) rec.flags |= USAGE_SHADOW;
    if (call->inner && call->inner->batch) rec.flags |= USAGE_BATCH;
    if (call->trials.canary.trial && call->trials.canary.arm == TRIAL_RIVAL) rec.flags |= USAGE_CANARY;
    if (call->admission.grant.n) {
        rec.reserved_tokens = call->admission.ask.tokens;
        rec.reserved_nano = call->admission.ask.cost_nano;
    }
    if (call->key) {
        rec.team_id = (uint64_t)call->key->team_id;
        rec.project_id = (uint64_t)call->key->project_id;
        rec.owner_kind = (uint8_t)call->key->owner.kind;
        rec.owner_id = (uint64_t)call->key->owner.id;
        rec.tags = call->key->tags.n > 2 ? call->key->tags : STR("");
    }
    return rec;
}

static struct str model_label(const struct call *call);

void record_begin(struct call *call) {
    struct usage_record rec = usage_of(call);
    call->at->series = meter_series(call->gl->meter, call->endpoint->name, model_label(call), target_provider(call));
    if (flight_is(call)) flight_asks(call, true);
    if (call->begun || flight_is(call)) return; // one record a request, however many targets are tried
    call->begun = true;
    ledger_begin(call->gl->ledger, &rec);
}

void record_wait(struct call *call) {
    struct usage_record rec = usage_of(call);
    call->begun = true;
    ledger_begin(call->gl->ledger, &rec);
}

uint64_t record_streamed(const struct call *call) {
    return call_translates(call) && call->translation ? call->translation->translator.events : call->relay.events;
}

void record_usage(struct call *call) {
    const struct translator *t = call_translates(call) && call->translation ? &call->translation->translator : NULL;
    if (call->continued.pending) return; // what was told is of those before, and in their records
    if (t ? t->has_usage : call->relay.has_usage) {
        bool parts = t && t->reply.before == &call->continued.used;
        call->usage = !t ? call->relay.usage : parts ? t->own : t->usage;
        call->usage_known = true;
    }
}

// Chats alone: what else there is, another kind of model answers. The demonstration saves nobody anything, nor do
// shadows and judges, whom nobody would have asked otherwise.
static bool is_compared(const struct call *call) {
    enum operation op = call->request.operation;
    if (call->inner && (call->inner->shadow || call->inner->judge)) return false;
    return call->cost_known && call->runtime->reference.known && !call->at->provider->demo &&
           (op == OPERATION_CHAT || op == OPERATION_COMPLETIONS);
}

// Of a list that is sent in pieces, those that were.
static uint64_t prompt_sent(const struct call *call) {
    uint64_t all = model_request_estimate(&call->request), inputs = call->request.inputs;
    return call->inputs_sent && call->inputs_sent < inputs ? (all * call->inputs_sent + inputs - 1) / inputs : all;
}

void record_price(struct call *call) {
    const struct route_target *t = call_target(call);
    if (!t || call->continued.pending) return;
    if (call->coalesced && call->unbilled) {
        call->usage = (struct usage){0};
        call->usage_known = call->reference_known = false;
        call->cost_nano = 0;
        call->cost_known = true;
        return;
    }
    if (call->request.operation == OPERATION_COUNT_TOKENS) {
        call->cost_known = true; // it is free
        return;
    }
    if (!call->usage_known) {
        // The upstream did not count: what was asked, and what was streamed so far, an event about a token.
        call->usage =
            (struct usage){.prompt = prompt_sent(call), .output = record_streamed(call) - call->continued.events};
    }
    if (native_is(call, NATIVE_ANSWER)) call->usage.batch = true;
    call->cost_known = price_cost(t->price, &call->usage, &call->cost_nano);
    call->reference_known =
        is_compared(call) && price_cost(&call->runtime->reference, &call->usage, &call->reference_nano);
}

// A request that an upstream has worked on is charged for; others have no counts.
static bool was_served(const struct call *call) {
    return call->at->provider && (call->usage_known || call->usage.prompt || call->usage.output);
}

static bool is_kept(const struct call *call) {
    bool known_caller = call->key || !call->runtime->conf->auth.required;
    return call->endpoint->usage != USAGE_ENDPOINT_OTHER && known_caller;
}

static void put_used(const struct call *call, struct usage_record *rec) {
    rec->tokens_in = call->usage.prompt;
    rec->tokens_cached = call->usage.cached;
    rec->tokens_cache_write = call->usage.cache_write;
    rec->tokens_out = call->usage.output;
    rec->tokens_reasoning = call->usage.reasoning;
    rec->cost_nano = (int64_t)MIN(call->cost_nano, (uint64_t)INT64_MAX);
    if (!call->cost_known) rec->flags |= USAGE_PRICE_UNKNOWN;
    if (call->reference_known) {
        rec->flags |= USAGE_COMPARED;
        rec->reference_nano = (int64_t)MIN(call->reference_nano, (uint64_t)INT64_MAX);
    }
    if (!call->usage_known) rec->flags |= USAGE_ESTIMATED;
}

static void end_ledger(const struct call *call) {
    if (!is_kept(call)) return;
    struct usage_record rec = usage_of(call);
    rec.status = (uint16_t)call->status;
    rec.error = str_c(call->error);
    rec.latency_us = (call->end_ns - call->req->start_ns) / NS_PER_US;
    rec.ttft_us = call->first_ns > call->req->start_ns ? (call->first_ns - call->req->start_ns) / NS_PER_US : 0;
    if (was_served(call)) put_used(call, &rec);
    if (call->error && str_eq(str_c(call->error), str_c(err_info(ERR_CLIENT_GONE)->wire_code)))
        rec.flags |= USAGE_CLIENT_GONE;
    ledger_end(call->gl->ledger, &rec);
}

// Names from outside become labels only once they were found to mean something.
static struct str model_label(const struct call *call) {
    if (!call->at->provider && !call_is_chain(call)) return STR("");
    return call->route.model ? call->route.model->name : call->request.model;
}

static const struct meter_series *series_of(const struct call *call) {
    if (call->at->series) return call->at->series;
    return meter_series(call->gl->meter, call->endpoint->name, model_label(call), target_provider(call));
}

static struct str tenant_label(const struct call *call) {
    return call->key->tenant.n ? call->key->tenant : STR(TENANT_DEFAULT_NAME);
}

static void use_of_tenant(const struct call *call) {
    struct metric_shard *shard = call->gl->shard;
    if (!call->key || !was_served(call)) return;
    const struct meter_tenant *t = meter_tenant(call->gl->meter, tenant_label(call));
    metric_add(shard, t->input, call->usage.prompt);
    metric_add(shard, t->output, call->usage.output);
    if (call->cost_known) metric_add(shard, t->cost, call->cost_nano);
}

static void end_tenant_metrics(const struct call *call) {
    struct metric_shard *shard = call->gl->shard;
    if (!call->key) return;
    const struct meter_tenant *t = meter_tenant(call->gl->meter, tenant_label(call));
    if (call->status == 200) {
        metric_add(shard, t->ok, 1);
    } else {
        char text[20];
        const struct str labels[] = {tenant_label(call), str_of(text, fmt_u64(text, (uint64_t)call->status))};
        metric_add(shard, metric_find(shard, METRIC_TENANT_REQUESTS, labels, 2), 1);
    }
    use_of_tenant(call);
}

// The one less the other is what was saved, which itself may fall and so is no counter.
static void end_compared(const struct call *call, struct metric_shard *shard) {
    const struct str labels[] = {model_label(call), target_provider(call)};
    if (!call->reference_known) return;
    metric_add(shard, metric_find(shard, METRIC_REFERENCE_COST, labels, 2), call->reference_nano);
    metric_add(shard, metric_find(shard, METRIC_COMPARED_COST, labels, 2), call->cost_nano);
}

static void use_of_target(const struct call *call, const struct meter_series *s) {
    struct metric_shard *shard = call->gl->shard;
    if (!was_served(call)) return;
    metric_add(shard, s->input, call->usage.prompt);
    metric_add(shard, s->output, call->usage.output);
    if (call->usage.cached) metric_add(shard, s->cached, call->usage.cached);
    if (call->usage.reasoning) metric_add(shard, s->reasoning, call->usage.reasoning);
    if (call->cost_known)
        metric_add(shard, s->cost, call->cost_nano);
    else
        metric_add(shard, s->unpriced, 1);
    end_compared(call, shard);
}

static void end_metrics(const struct call *call) {
    struct metric_shard *shard = call->gl->shard;
    const struct meter_series *s = series_of(call);
    if (call->status == 200) {
        metric_add(shard, s->requests_ok, 1);
    } else {
        char text[20];
        const struct str labels[] = {call->endpoint->name, model_label(call), target_provider(call),
                                     str_of(text, fmt_u64(text, (uint64_t)call->status))};
        metric_add(shard, metric_find(shard, METRIC_REQUESTS, labels, 4), 1);
    }
    if (call->error && !call->at->provider && !call->chain) {
        const struct str reason = str_c(call->error);
        metric_add(shard, metric_find(shard, METRIC_REJECTED, &reason, 1), 1);
    }
    metric_observe(shard, s->duration, call->end_ns - call->req->start_ns, call->id);
    if (call->first_ns > call->req->start_ns)
        metric_observe(shard, s->first_token, call->first_ns - call->req->start_ns, call->id);
    use_of_target(call, s);
}

void record_part(struct call *call) {
    uint64_t id, now = clock_mono_ns();
    use_of_target(call, series_of(call));
    use_of_tenant(call);
    if (!is_kept(call) || !request_ids_next(&call->gl->ids, &id)) return;
    struct usage_record rec = usage_of(call);
    rec.id = id; // the request's own is the last one's
    rec.flags |= USAGE_PART;
    rec.reserved_tokens = rec.reserved_nano = 0;
    rec.status = (uint16_t)err_info(ERR_UPSTREAM_RESET)->status;
    rec.error = str_c(call->error ? call->error : err_info(ERR_UPSTREAM_STATUS)->wire_code);
    rec.latency_us = (now - call->at->sent_ns) / NS_PER_US;
    put_used(call, &rec);
    ledger_end(call->gl->ledger, &rec);
}

// How the answer came about.
static void log_way(struct log_line *line, struct call *call) {
    if (call->calls > 1) log_line_u64(line, "attempts", call->calls);
    struct str route = route_text(call), tried = route_tried_text(call);
    if (route.n) log_line_str(line, "route", route);
    if (tried.n) log_line_str(line, "tried", tried);
    if (call->continued.count) log_line_u64(line, "continued", call->continued.count);
    if (call->coalesced) log_line_bool(line, "coalesced", true);
}

static void end_access_log(struct call *call) {
    struct log *log = call->gl->gateway->o.access;
    struct log_line line;
    char masked[MASK_PATH_MAX];
    if (!log || !call->runtime->conf->log.access || !log_on(log, LOG_INFO)) return;
    log_line_begin(&line, log, LOG_INFO, call->ts + (int64_t)(call->end_ns - call->req->start_ns), STR("request"));
    log_line_str(&line, "request_id", str_of(call->id_text, REQUEST_ID_TEXT_LEN));
    log_line_str(&line, "method", call->req->method_text);
    log_line_str(&line, "path", mask_path(call->req->path, masked));
    log_line_u64(&line, "status", (uint64_t)call->status);
    log_line_fixed(&line, "duration_ms", (call->end_ns - call->req->start_ns) / NS_PER_US, 3);
    log_line_str(&line, "client", call->req->peer);
    if (call->key) log_line_str(&line, "key", call->key->prefix);
    if (call->key) log_line_str(&line, "tenant", tenant_label(call));
    if (call->request.model.p) log_line_str(&line, "model", call->request.model);
    if (call->at->provider) {
        log_line_str(&line, "provider", target_provider(call));
        log_line_str(&line, "upstream_model", target_model(call));
        if (call->admission.asked_model.p) log_line_str(&line, "downgraded_from", call->admission.asked_model);
        log_line_bool(&line, "stream", call->request.stream);
        if (call->inner && call->inner->shadow) log_line_bool(&line, "shadow", true);
        if (call->trials.canary.trial) log_line_bool(&line, "canary", call->trials.canary.arm == TRIAL_RIVAL);
    }
    if (was_served(call)) {
        log_line_u64(&line, "tokens_in", call->usage.prompt);
        log_line_u64(&line, "tokens_out", call->usage.output);
        if (call->usage.cached) log_line_u64(&line, "tokens_cached", call->usage.cached);
        if (call->cost_known) log_line_fixed(&line, "cost_usd", call->cost_nano, 9);
    }
    if (call->first_ns > call->req->start_ns)
        log_line_fixed(&line, "first_token_ms", (call->first_ns - call->req->start_ns) / NS_PER_US, 3);
    if (call->chain) log_line_str(&line, "chain", chain_trace((struct call *)(uintptr_t)call));
    log_way(&line, call);
    if (call->error) log_line_str(&line, "error", str_c(call->error));
    log_line_end(&line);
}

// A denied decision is an event of the audit trail.
static void end_audit(const struct call *call) {
    static const enum err_code denials[] = {ERR_UNAUTHENTICATED, ERR_FORBIDDEN, ERR_MODEL_NOT_ALLOWED};
    bool denied = false;
    if (!call->error || !call->gl->gateway->o.audit) return;
    for (size_t i = 0; i < ARRAY_LEN(denials) && !denied; i++)
        denied = call->status == err_info(denials[i])->status && !strcmp(call->error, err_info(denials[i])->wire_code);
    if (!denied || call->at->provider) return; // what an upstream denies is no decision of ours
    struct audit_denial d = {.tenant = call->key ? call->key->tenant_id : 0,
                             .key = call->key ? call->key->id : 0,
                             .name = call->key ? call->key->prefix : STR(""),
                             .action = STR("model.use"),
                             .resource = call->key ? call->request.model : STR(""),
                             .reason = str_c(call->error),
                             .address = call->req->peer,
                             .request_id = str_of(call->id_text, REQUEST_ID_TEXT_LEN)};
    audit_note_denied(call->gl->gateway->o.audit, &d);
}

void record_end(struct call *call) {
    INVARIANT(!call->recorded);
    call->recorded = true;
    if (native_is(call, NATIVE_DRAFT) && call->status < 300) return; // what it reserved is given back with the call
    call->end_ns = clock_mono_ns();
    bool gone = call->error && !strcmp(call->error, err_info(ERR_CLIENT_GONE)->wire_code);
    attempt_end(call->at, !call->error ? FAILURE_NONE : gone ? FAILURE_CANCELLED : call->failover.why);
    trial_end(call);
    if (flight_is(call)) return; // those who wait for it have the records
    inner_step_tell(call);
    end_ledger(call);
    admit_settle(call, was_served(call));
    end_metrics(call);
    end_tenant_metrics(call);
    end_access_log(call);
    end_audit(call);
    content_end(call);
}

void record_call(struct call *call, struct str status, uint64_t sent_ns) {
    struct metric_shard *shard = call->gl->shard;
    const struct meter_series *s = series_of(call);
    const struct str labels[] = {target_provider(call), status};
    bool ok = str_eq(status, STR("200"));
    metric_add(shard, ok ? s->upstream_ok : metric_find(shard, METRIC_UPSTREAM_REQUESTS, labels, 2), 1);
    metric_observe(shard, s->upstream_duration, clock_mono_ns() - sent_ns, call->id);
}

void record_attempt(struct call *call, struct str status) { record_call(call, status, call->at->sent_ns); }
