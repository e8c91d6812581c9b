// The call itself: sends the request to the target in turn, over HTTP or to the demonstration in process.
#include "gateway/pipeline.h"

#include "gateway/answer.h"
#include "gateway/credential.h"
#include "gateway/fan.h"
#include "gateway/native_call.h"
#include "gateway/record.h"
#include "gateway/send.h"
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

static bool send_http(struct call *call, struct err *err) {
    if (call->fan) return fan_send(call, err);
    return send_request(call, call->body, call->body_count, &k_exchange_ops, call, &call->exchange, err);
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
    (void)answer_head(call, call->demo.status, &type, 1);
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

// More inputs than one call takes; the demonstration takes any number.
static bool is_long(const struct call *call) {
    const struct embed_ops *ops = call->upstream->embed;
    return call->asks == OPERATION_EMBEDDINGS && ops && call->request.inputs > ops->max_inputs && !call->provider->demo;
}

void call_begin_attempt(struct call *call) {
    call->attempts++;
    call->sent_ns = clock_mono_ns();
    record_begin(call);
}

bool call_write(struct call *call, struct err *err) {
    const struct route_target *t = &call->route.targets[call->target];
    fan_cancel(call); // pieces that were written for a target before, and could not be sent
    call->upstream = call->dialect;
    call->asks = call->request.operation;
    if (call->asks == OPERATION_PASSTHROUGH) {
        call->body[0] = call->req->body;
        call->body_count = call->req->body.n > 0;
        return true;
    }
    call->translated = !provider_speaks(t->provider, call->request.dialect, call->asks) || is_long(call);
    if (call->translated) call->upstream = dialect_get(provider_dialect(t->provider));
    bool chat = call->asks == OPERATION_CHAT && call->request.dialect != DIALECT_RESPONSES;
    if (chat && provider_only_responses(t->provider, t->model)) {
        call->translated = true;
        call->upstream = dialect_get(DIALECT_RESPONSES);
    }
    return call->translated ? translation_write(call, err) : pass_through(call, t, err);
}

enum stage_result stage_call(struct call *call, struct err *err) {
    if (native_any(call)) return native_call(call, err);
    while (true) {
        call->provider = &call->runtime->providers[call->route.targets[call->target].provider->index];
        call->sent_ns = 0;
        enum credential_state credential = credential_want(call, err);
        if (credential == CREDENTIAL_WAIT) return STAGE_WAIT;
        if (credential == CREDENTIAL_READY && call_write(call, err)) {
            call_begin_attempt(call);
            if (call->provider->demo ? demo_start(call, err) : send_http(call, err)) return STAGE_WAIT;
            record_attempt(call, str_c(err_info(err->code)->wire_code));
        }
        bool another = err_info(err->code)->retryable || err->code == ERR_UNSUPPORTED; // may be able to
        bool next = another && call->target + 1 < call->route.count;
        if (!next) return STAGE_FAIL;
        call->target++;
    }
}
