// The call itself: sends the request to the target in turn, over HTTP or to the demonstration in process.
#include "gateway/pipeline.h"

#include "gateway/answer.h"
#include "gateway/chain.h"
#include "gateway/credential.h"
#include "gateway/fan.h"
#include "gateway/hedge.h"
#include "gateway/native_call.h"
#include "gateway/opening.h"
#include "gateway/record.h"
#include "gateway/send.h"
#include "gateway/translation.h"
#include "model/provider.h"
#include "net/http1_parse.h"
#include "os/clock.h"

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct attempt *a = http_exchange_user(x);
    (void)rate_headers_read(&a->rate, head->fields, head->field_count, clock_unix_ns());
    // An error that comes first does not end the other: its answer may be none.
    if (head->status >= 300 && hedge_lost(a, failure_of_status(head->status), NULL, head->status)) return;
    if (opening_begin(a, head->status, head->fields, head->field_count)) return;
    hedge_won(a);
    answer_head(a->call, head->status, head->fields, head->field_count);
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct attempt *a = http_exchange_user(x);
    if (last) a->exchange = NULL;
    if (a->opening)
        opening_data(a, data, last);
    else
        answer_data(a->call, data, last);
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct attempt *a = http_exchange_user(x);
    struct err kept = *err; // it may lie in what is given up now
    a->exchange = NULL;
    if (hedge_lost(a, failure_of_err(&kept), err_info(kept.code)->wire_code, 0)) return;
    answer_error(a->call, &kept);
}

static const struct http_exchange_ops k_exchange_ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};

static bool send_http(struct call *call, struct err *err) {
    struct attempt *a = call->at;
    if (a->fan) return fan_send(call, err);
    return send_request(call, a->body, a->body_count, &k_exchange_ops, a, &a->exchange, err);
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

// Not from within demo_start: the call may end by it.
static void demo_head(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, timer);
    struct http_field type = {STR("content-type"), demo_content_type(&call->demo)};
    call->timer.fn = demo_step;
    if (answer_head(call, call->demo.status, &type, 1)) demo_step(timer);
}

static bool demo_start(struct call *call, struct err *err) {
    struct str id = str_of(call->id_text + 4, REQUEST_ID_TEXT_LEN - 4);
    const struct model_request *asked = call->at->translated ? &call->translation->spoken : &call->request;
    if (!demo_open(asked, call_target(call)->model, id, call->ts / (int64_t)NS_PER_SEC, &call->req->arena, &call->demo,
                   err))
        return false;
    call->timer.fn = demo_head;
    timer_set(&call->timer, demo_wait_ms(&call->demo));
    return true;
}

// --- a slow client ---

void answer_pause(struct call *call) {
    if (call->paused) return;
    call->paused = true;
    watch_paused(call, true);
    if (call->at->exchange) http_exchange_pause(call->at->exchange);
    timer_clear(&call->timer);
}

void answer_resume(struct call *call) {
    if (!call->paused) return;
    call->paused = false;
    watch_paused(call, false);
    if (call->at->exchange)
        http_exchange_resume(call->at->exchange);
    else if (call->chain)
        chain_resume(call);
    else if (call->at->provider->demo && !call->recorded)
        timer_set(&call->timer, demo_wait_ms(&call->demo));
}

// --- the target in turn ---

static bool pass_through(struct call *call, const struct route_target *t, struct err *err) {
    struct chat_report report = {.count = 0};
    const struct chat_target target = {
        .model = t->model, .traits = provider_traits_get((enum provider_kind)t->provider->kind), .report = &report};
    return call->dialect->rewrite(&call->request, &target, &call->req->arena, call->at->body, &call->at->body_count,
                                  err) &&
           translation_note_dropped(call, &report, err);
}

// More inputs than one call takes; the demonstration takes any number.
static bool is_long(const struct call *call) {
    const struct embed_ops *ops = call->at->upstream->embed;
    return call->at->asks == OPERATION_EMBEDDINGS && ops && call->request.inputs > ops->max_inputs &&
           !call->at->provider->demo;
}

void call_begin_attempt(struct call *call) {
    call->attempts++;
    call->calls++;
    call->at->calls = 1;
    call->inputs_sent = 0;
    call->at->sent_ns = clock_mono_ns();
    record_begin(call);
}

bool call_write(struct call *call, struct err *err) {
    const struct route_target *t = &call->route.targets[call->at->target];
    if (!call->at->body) {
        call->at->body = arena_alloc(&call->req->arena, sizeof(struct str) * JSON_EDIT_SLICES_MAX);
        if (!call->at->body) return err_no_memory(err);
    }
    fan_cancel(call->at); // pieces that were written for a target before, and could not be sent
    call->at->upstream = call->dialect;
    call->at->asks = call->request.operation;
    if (call->at->asks == OPERATION_PASSTHROUGH) {
        call->at->body[0] = call->req->body;
        call->at->body_count = call->req->body.n > 0;
        return true;
    }
    call->at->translated = !provider_speaks(t->provider, call->request.dialect, call->at->asks) || is_long(call) ||
                           call->continued.pending;
    if (call->at->translated) call->at->upstream = dialect_get(provider_dialect(t->provider));
    bool chat = call->at->asks == OPERATION_CHAT && call->request.dialect != DIALECT_RESPONSES;
    if (chat && provider_only_responses(t->provider, t->model)) {
        call->at->translated = true;
        call->at->upstream = dialect_get(DIALECT_RESPONSES);
    }
    return call->at->translated ? translation_write(call, err) : pass_through(call, t, err);
}

bool call_send(struct call *call, struct err *err) {
    call_begin_attempt(call);
    if (call->at->provider->demo ? demo_start(call, err) : send_http(call, err)) return true;
    record_attempt(call, str_c(err_info(err->code)->wire_code));
    failover_note(call, call->at, err_info(err->code)->wire_code, 0);
    return false;
}

enum stage_result stage_call(struct call *call, struct err *err) {
    if (native_any(call)) return native_call(call, err);
    if (call_is_chain(call)) return chain_begin(call, err);
    if (!call->at->taken && !failover_first(call, err)) return queue_join(call, err) ? STAGE_WAIT : STAGE_FAIL;
    enum credential_state credential = credential_want(call, err);
    if (credential == CREDENTIAL_WAIT) {
        watch_arm(call); // for the time of the whole request
        return STAGE_WAIT;
    }
    if (credential == CREDENTIAL_READY && call_write(call, err) && call_send(call, err)) {
        hedge_arm(call);
        watch_arm(call);
        mirror_maybe(call);
        return STAGE_WAIT;
    }
    if (!failover_again(call, failure_of_err(err))) return STAGE_FAIL;
    failover_go(call);
    return STAGE_WAIT;
}
