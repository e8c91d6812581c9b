// What was before a response: the conversation so far is put before the request's own items, whatever provider it goes
// to, so that any server and any target can go on.
#include "gateway/pipeline.h"

#include "gateway/answer.h"
#include "gateway/responses.h"
#include "model/responses/responses.h"

// --- on the pool ---

struct finding {
    struct response_work *w;
    struct response_chain chain;
    struct str missed; // the response that was looked for last, in vain
};

static struct str item_in(const struct response_chain *chain, struct str id, struct arena *arena) {
    for (size_t i = 0; i < chain->count; i++) {
        struct str item = responses_item(chain->rows[i].answer, id, arena);
        if (item.p) return item;
    }
    return STR_NONE;
}

// An item of a response of ours says by its number which one that is.
static struct str find_item(void *arg, struct str id) {
    struct finding *f = arg;
    struct arena *arena = &f->w->arena;
    struct response_row row;
    struct err ignored;
    struct str item = item_in(&f->chain, id, arena), name = responses_id_of_item(id, arena);
    if (item.p || !name.n || str_eq(name, f->missed)) return item;
    struct response_ask ask = {.tenant = f->w->ask.tenant, .place = f->w->ask.place, .name = name};
    f->missed = name;
    if (!response_log_get(f->w->log, &ask, arena, &row, &ignored)) return STR_NONE;
    f->w->private = f->w->private || row.private;
    return responses_item(row.answer, id, arena);
}

static bool put_chain(const struct response_chain *chain, struct arena *arena, struct buf *out, struct err *err) {
    for (size_t i = chain->count; i-- > 0;) {
        struct str said;
        if (!responses_output_items(chain->rows[i].answer, arena, &said, err)) return false;
        const struct str pieces[] = {chain->rows[i].input, said};
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
            if (!pieces[k].n) continue;
            if (out->n) buf_lit(out, ",");
            buf_put(out, pieces[k]);
        }
    }
    return !out->failed || err_no_memory(err);
}

// The call keeps no more than its body: all that was read for it is many times that.
static bool keep_body(struct response_work *w, struct err *err) {
    struct arena kept;
    if (w->out.n > w->max_body)
        return err_set(err, ERR_BODY_TOO_LARGE,
                       "with the conversation so far the request has %zu bytes; the limit is %zu (limits.max_body)",
                       w->out.n, w->max_body);
    arena_init(&kept, NULL, 0, w->out.n + 4096);
    struct str out = arena_str(&kept, w->out);
    if (!out.p) {
        arena_free(&kept);
        return err_no_memory(err);
    }
    arena_free(&w->arena);
    w->arena = kept;
    w->out = out;
    w->body = w->query = w->ask.place = w->ask.name = STR("");
    return true;
}

static void look(struct response_work *w) {
    struct finding f = {.w = w, .missed = STR("")};
    struct responses_ask ask;
    BUF_AUTO struct buf before = BUF_INIT(2 * RESPONSE_TEXT_MAX);
    w->ok = (!w->ask.name.n || response_chain_read(w, w->ask.name, &f.chain, &w->err)) &&
            put_chain(&f.chain, &w->arena, &before, &w->err) && responses_ask_read(w->body, &w->arena, &ask, &w->err) &&
            responses_expand(w->body, &ask, buf_str(&before), find_item, &f, &w->arena, &w->out, &w->err) &&
            keep_body(w, &w->err);
}

// --- on the loop ---

static void tell_missing(struct err *err, struct str id) {
    err_set(err, ERR_PREVIOUS_RESPONSE, "Previous response with id '%.*s' not found.",
            STR_ARG(str_head(id, RESPONSE_NAME_MAX)));
    memcpy(err->param, "previous_response_id", sizeof "previous_response_id");
}

static bool take_body(struct call *call, struct str body, struct err *err) {
    const struct model_request_in in = {.operation = call->endpoint->operation, .body = body, .depth = JSON_DEPTH_MAX};
    struct model_request before = call->request;
    if (!call->dialect->peek(&in, &call->req->arena, &call->request, err)) return false;
    call->request.renamed = before.renamed;
    return true;
}

static void found(struct response_work *w) {
    struct call *call = w->call;
    struct previous *p = call->previous;
    struct err err = w->err;
    if (!w->ok && err.code == ERR_NOT_FOUND) tell_missing(&err, p->id);
    if (!w->ok || !take_body(call, w->out, &err)) {
        call_fail(call, &err);
        return;
    }
    p->private = w->private;
    pipeline_resume(call);
}

static enum stage_result start(struct call *call, struct err *err) {
    struct response_work *w = response_work_make(call, call->previous->id);
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

enum stage_result stage_previous(struct call *call, struct err *err) {
    struct responses_ask ask;
    if (call->previous) return STAGE_DONE; // it has been put in
    bool kept = call->gl->gateway->o.responses && call->runtime->conf->responses.keep > 0;
    struct previous *p = ARENA_NEW(&call->req->arena, struct previous);
    if (!p) {
        err_no_memory(err);
        return STAGE_FAIL;
    }
    buf_init(&p->answer, RESPONSE_TEXT_MAX);
    call->previous = p;
    if (!responses_ask_read(call->request.body, &call->req->arena, &ask, err)) return STAGE_FAIL;
    p->id = ask.previous;
    p->input = ask.input_list;
    p->keep = kept && ask.store && call->request.operation == OPERATION_CHAT;
    if (!ask.previous.n && !(ask.references && kept)) return STAGE_DONE;
    if (kept) return start(call, err);
    tell_missing(err, p->id);
    return STAGE_FAIL;
}
