// GET and DELETE /v1/responses/ID, its input_items, and cancel: responses that are kept, looked up off the loop.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "gateway/answer.h"
#include "gateway/responses.h"
#include "model/responses/responses.h"

// --- on the pool ---

static void look_get(struct response_work *w) {
    struct response_row row;
    w->ok = response_log_get(w->log, &w->ask, &w->arena, &row, &w->err);
    if (w->ok) w->out = row.answer;
}

static void look_delete(struct response_work *w) {
    struct str name = chat_quote(&w->arena, w->ask.name);
    w->ok = response_log_delete(w->log, &w->ask, &w->err);
    w->out = arena_printf(&w->arena, "{\"id\":%.*s,\"object\":\"response\",\"deleted\":true}", STR_ARG(name));
}

static void look_items(struct response_work *w) {
    struct response_chain chain;
    w->ok = response_chain_read(w, w->ask.name, &chain, &w->err) &&
            response_items_put(&chain, w->query, &w->arena, &w->out, &w->err);
}

// Every response is made while its client waits.
static void look_cancel(struct response_work *w) {
    struct response_row row;
    w->ok = response_log_get(w->log, &w->ask, &w->arena, &row, &w->err);
    if (w->ok) w->ok = err_set(&w->err, ERR_WRONG_STATE, "Cannot cancel a synchronous response.");
    if (w->err.code == ERR_WRONG_STATE) w->err.status = 400;
}

// --- on the loop ---

static void found(struct response_work *w) {
    struct call *call = w->call;
    struct err err = w->err;
    if (!w->ok) {
        call_fail(call, &err);
        return;
    }
    // What was found goes with the call, before its last bytes do.
    call->answer.max = MAX(call->answer.max, w->out.n);
    buf_put(&call->answer, w->out);
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
}

static struct str response_id(const struct call *call) {
    const struct endpoint *e = call->endpoint;
    struct str rest = str_from(call->req->path, e->path.n);
    return str_head(rest, rest.n - e->suffix.n);
}

static enum stage_result look_up(struct call *call, void (*look)(struct response_work *w), struct err *err) {
    call->previous = ARENA_NEW(&call->req->arena, struct previous);
    if (!call->previous) {
        err_no_memory(err);
        return STAGE_FAIL;
    }
    buf_init(&call->previous->answer, 0);
    if (!call->gl->gateway->o.responses) {
        err_set(err, ERR_NOT_FOUND, "responses are not kept here");
        return STAGE_FAIL;
    }
    struct response_work *w = response_work_make(call, response_id(call));
    if (!w) {
        err_no_memory(err);
        return STAGE_FAIL;
    }
    w->look = look;
    w->found = found;
    if (response_work_start(w, err)) return STAGE_WAIT;
    response_work_free(w);
    return STAGE_FAIL;
}

enum stage_result stage_response_get(struct call *call, struct err *err) {
    if (str_find(call->req->query, STR("stream=true")) == call->req->query.n) return look_up(call, look_get, err);
    err_set(err, ERR_INVALID_REQUEST, "a response that was not made in the background cannot be streamed again");
    memcpy(err->param, "stream", sizeof "stream");
    return STAGE_FAIL;
}

enum stage_result stage_response_delete(struct call *call, struct err *err) { return look_up(call, look_delete, err); }
enum stage_result stage_response_items(struct call *call, struct err *err) { return look_up(call, look_items, err); }
enum stage_result stage_response_cancel(struct call *call, struct err *err) { return look_up(call, look_cancel, err); }
