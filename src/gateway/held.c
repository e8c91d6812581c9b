// Answers that were held back, for the case that nothing better comes.
#include "gateway/held.h"

#include "gateway/answer.h"
#include "gateway/call.h"
#include "gateway/record.h"
#include "gateway/translation.h"

struct held {
    struct attempt of; // what says how it is read; nothing of it is under way
    int status;
    struct http_field passed[CALL_FIELDS_MAX];
    size_t passed_count;
    struct usage usage;
    bool usage_known;
    struct buf body;
};

void held_free(struct call *call) {
    if (call->held) buf_free(&call->held->body);
    call->held = NULL;
}

void held_keep(struct call *call, struct str body) {
    const struct attempt *a = call->at;
    held_free(call);
    struct held *h = arena_alloc(&call->req->arena, sizeof *h);
    if (!h) return;
    *h = (struct held){.of = {.target = a->target,
                              .provider = a->provider,
                              .sent_ns = a->sent_ns,
                              .series = a->series,
                              .upstream = a->upstream,
                              .dropped = a->dropped,
                              .translated = a->translated,
                              .asks = a->asks},
                       .status = call->upstream_status,
                       .passed_count = call->passed_count,
                       .usage = call->usage,
                       .usage_known = call->usage_known};
    memcpy(h->passed, call->passed, call->passed_count * sizeof *call->passed);
    buf_init(&h->body, call->answer.max);
    buf_put(&h->body, body);
    if (h->body.failed)
        buf_free(&h->body);
    else
        call->held = h;
}

// In the place of the attempt that has failed last.
static void take_place(struct call *call, const struct held *h) {
    struct attempt *a = call->at;
    attempt_end(a, call->failover.why);
    attempt_reset(a);
    struct attempt of = h->of;
    of.call = call;
    of.written = a->written;
    of.body = a->body;
    *a = of;
    call->upstream_status = h->status;
    memcpy(call->passed, h->passed, h->passed_count * sizeof *h->passed);
    call->passed_count = h->passed_count;
    call->usage = h->usage;
    call->usage_known = h->usage_known;
    call->mode = ANSWER_WHOLE;
    call->error = NULL;
    call->seen.wish = GRADE_PASSED_OVER; // it was read
}

bool held_give(struct call *call) {
    struct held *h = call->held;
    struct err err;
    if (!h || call->reply_started) return false;
    call->held = NULL;
    take_place(call, h);
    translation_reset(call);
    struct buf out = h->body; // what has failed may lie in call->answer
    if (call->at->translated) {
        buf_init(&out, MAX(call->answer.max, (size_t)64 * 1024));
        bool ok = translation_answer(call, buf_str(&h->body), &out, &err);
        if (!ok) buf_free(&out);
        buf_free(&h->body);
        if (!ok) return false;
    }
    buf_free(&call->answer);
    call->answer = out;
    record_price(call);
    call_reply(call, h->status, call->at->translated ? STR("application/json") : STR_NONE, buf_str(&call->answer));
    return true;
}
