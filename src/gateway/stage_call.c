// The call itself: sends the request to the target in turn, over HTTP or to the demonstration in process.
#include "gateway/pipeline.h"

#include "gateway/answer.h"
#include "gateway/record.h"
#include "gateway/translation.h"
#include "model/provider.h"
#include "net/http1_parse.h"
#include "os/clock.h"

static struct call *of_exchange(struct http_exchange *x) { return http_exchange_user(x); }

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    answer_head(of_exchange(x), head->status, head->fields, head->field_count);
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct call *call = of_exchange(x);
    if (last) call->exchange = NULL;
    answer_data(call, data, last);
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct call *call = of_exchange(x);
    call->exchange = NULL;
    answer_error(call, err);
}

static const struct http_exchange_ops k_exchange_ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};

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

static size_t request_fields(const struct call *call, struct http_field out[CALL_FIELDS_MAX + RUNTIME_FIELDS_MAX + 4]) {
    const struct runtime_provider *p = call->provider;
    size_t n = 0;
    // A body that is passed through is of the client's type: multipart, say.
    struct str type = http_field_get(call->req->fields, call->req->field_count, STR("content-type"));
    bool own = call->translated || !call->request.boundary.p || !type.n;
    out[n++] = (struct http_field){STR("content-type"), own ? STR("application/json") : type};
    bool versioned = call->upstream->dialect_field.n &&
                     !http_field_get(call->req->fields, call->req->field_count, call->upstream->dialect_field).p;
    if (versioned) out[n++] = (struct http_field){call->upstream->dialect_field, call->upstream->dialect_version};
    for (size_t i = 0; i < p->field_count; i++) out[n++] = p->fields[i];
    for (size_t i = 0; i < call->req->field_count && n < CALL_FIELDS_MAX + RUNTIME_FIELDS_MAX; i++) {
        const struct http_field *f = &call->req->fields[i];
        // What the configuration sets is not the client's to choose.
        if (passes_upstream(f->name) && !http_field_get(p->fields, p->field_count, f->name).p) out[n++] = *f;
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

static bool send_http(struct call *call, struct err *err) {
    struct http_field fields[CALL_FIELDS_MAX + RUNTIME_FIELDS_MAX + 4];
    const struct provider_call to = {.provider = call->provider->conf,
                                     .operation = call->request.operation,
                                     .dialect = call->upstream->dialect,
                                     .stream = call->request.stream,
                                     .model = call_target(call)->model};
    struct http_request r = {.method = STR("POST"),
                             .authority = call->provider->authority,
                             .fields = fields,
                             .field_count = request_fields(call, fields),
                             .body = call->body,
                             .body_count = call->body_count,
                             .once = call->runtime != call->gl->runtime,
                             .waits = tenant_waits(call->tenant)};
    return provider_target(&to, &call->req->arena, &r.target, err) &&
           http_client_send(call->gl->client, &call->provider->origin, &r, &k_exchange_ops, call, &call->exchange, err);
}

// --- the demonstration ---

#define DEMO_BURST ((size_t)16 * 1024) // of pieces without a wait between them, before others have their turn

static void demo_step(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, timer);
    struct buf piece = BUF_INIT(4 << 20);
    struct err err;
    enum demo_next next;
    do next = demo_next(&call->demo, &piece);
    while (next == DEMO_MORE && demo_wait_ms(&call->demo) == 0 && piece.n < DEMO_BURST && !piece.failed);
    if (piece.n && (next == DEMO_BREAK || next == DEMO_HANG)) next = DEMO_MORE; // once what came before it is out
    struct str data = buf_str(&piece);
    if (piece.failed || next == DEMO_BREAK) {
        err_set(&err, ERR_UPSTREAM_RESET, "provider \"demo\": it broke off, as it was asked to");
        answer_error(call, &err);
    } else if (next == DEMO_LAST) {
        answer_data(call, data, true);
    } else if (next == DEMO_MORE) {
        timer_set(&call->timer, demo_wait_ms(&call->demo));
        answer_data(call, data, false);
    }
    buf_free(&piece);
}

static bool demo_start(struct call *call, struct err *err) {
    struct str id = str_of(call->id_text + 4, REQUEST_ID_TEXT_LEN - 4);
    const struct model_request *asked = call->translated ? &call->translation->spoken : &call->request;
    if (!demo_open(asked, call_target(call)->model, id, call->ts / (int64_t)NS_PER_SEC, &call->req->arena, &call->demo,
                   err))
        return false;
    struct http_field type = {STR("content-type"), demo_content_type(&call->demo)};
    call->timer.fn = demo_step;
    timer_set(&call->timer, demo_wait_ms(&call->demo));
    answer_head(call, call->demo.status, &type, 1);
    return true;
}

// --- a slow client ---

void answer_pause(struct call *call) {
    if (call->paused) return;
    call->paused = true;
    if (call->exchange) http_exchange_pause(call->exchange);
    timer_clear(&call->timer);
}

void answer_resume(struct call *call) {
    if (!call->paused) return;
    call->paused = false;
    if (call->exchange)
        http_exchange_resume(call->exchange);
    else if (call->provider->demo && !call->recorded)
        timer_set(&call->timer, demo_wait_ms(&call->demo));
}

// --- the target in turn ---

static bool pass_through(struct call *call, const struct route_target *t, struct err *err) {
    struct chat_report report = {.count = 0};
    const struct chat_target target = {
        .model = t->model, .traits = provider_traits_get((enum provider_kind)t->provider->kind), .report = &report};
    return call->dialect->rewrite(&call->request, &target, &call->req->arena, call->body, &call->body_count, err) &&
           translation_note_dropped(call, &report, err);
}

static bool prepare(struct call *call, struct err *err) {
    const struct route_target *t = &call->route.targets[call->target];
    call->provider = &call->runtime->providers[t->provider->index];
    call->translated = !provider_speaks(t->provider, call->request.dialect, call->request.operation);
    call->upstream = call->translated ? dialect_get(provider_dialect(t->provider)) : call->dialect;
    if (!(call->translated ? translation_write(call, err) : pass_through(call, t, err))) return false;
    call->attempts++;
    call->sent_ns = clock_mono_ns();
    record_begin(call);
    return true;
}

enum stage_result stage_call(struct call *call, struct err *err) {
    while (true) {
        if (prepare(call, err)) {
            if (call->provider->demo ? demo_start(call, err) : send_http(call, err)) return STAGE_WAIT;
            record_attempt(call, str_c(err_info(err->code)->wire_code));
        }
        bool another = err_info(err->code)->retryable || err->code == ERR_UNSUPPORTED; // may be able to
        bool next = another && call->target + 1 < call->route.count;
        if (!next) return STAGE_FAIL;
        call->target++;
    }
}
