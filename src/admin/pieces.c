// Answers that the core gives piece by piece: each is made on a worker, and the next when the client has taken most of
// it.
#include "admin/call.h"

#define QUEUED_MAX ((size_t)256 * 1024)

static void step(struct admin_call *call);

static void step_run(struct share_work *work) {
    struct admin_call *call = CONTAINER_OF(work, struct admin_call, work);
    buf_clear(&call->out);
    call->ok = call->pieces->next(call->pieces, &call->out, &call->pieces_end, &call->err);
}

static void cut(struct admin_call *call) {
    struct http_req *req = call->req;
    log_error(call->al->admin->host->log, LOG_MSG("an answer that had begun could not be ended"),
              LOG_STR("request_id", str_of(call->id_text, REQUEST_ID_TEXT_LEN)), LOG_ERR(&call->err));
    admin_call_free(call);
    http_reply_abort(req);
}

static void step_done(struct share_work *work) {
    struct admin_call *call = CONTAINER_OF(work, struct admin_call, work);
    if (!admin_resume(call)) return;
    if (!call->ok) {
        cut(call);
        return;
    }
    struct str body = buf_str(&call->out);
    if (call->pieces_end) {
        struct http_req *req = call->req;
        struct buf out = call->out;
        buf_init(&call->out, 0);
        admin_call_free(call);
        http_reply_data(req, &body, 1, true);
        buf_free(&out);
        return;
    }
    call->pieces_paused = http_reply_data(call->req, &body, 1, false) > QUEUED_MAX;
    if (!call->pieces_paused) step(call);
}

static void step(struct admin_call *call) {
    struct err err;
    if (admin_work_begin(call, step_run, step_done, &err)) return;
    call->err = err;
    cut(call);
}

void pieces_begin(struct admin_call *call) {
    admin_begin_reply(call, 200, call->type, HTTP_LENGTH_UNKNOWN);
    step(call);
}

void pieces_drained(struct admin_call *call) {
    if (!call->pieces_paused || call->pending) return;
    call->pieces_paused = false;
    step(call);
}
