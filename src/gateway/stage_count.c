// The endpoints that count a request's tokens without sending it to a model: a provider that speaks the client's
// dialect and has such an endpoint is asked, for others the tokenizer of their model counts.
#include "gateway/counting.h"
#include "model/provider.h"

static bool make(const struct counting *c, struct str body, unsigned depth, struct arena *arena, struct buf *out,
                 struct err *err) {
    const struct model_request_in in = {.operation = c->operation, .body = body, .depth = depth};
    struct model_request request;
    struct chat chat;
    struct prompt_tokens tokens;
    if (!c->dialect->peek(&in, arena, &request, err) || !c->dialect->read(&request, arena, &chat, err)) return false;
    if (!prompt_count_chat(&c->way, &chat, arena, &tokens)) return err_no_memory(err);
    c->dialect->put_count(tokens.total, out);
    return !out->failed || err_no_memory(err);
}

// The targets at the front that can be asked.
static size_t askable(const struct call *call) {
    size_t n = 0;
    while (n < call->route.count &&
           provider_speaks(call->route.targets[n].provider, call->request.dialect, OPERATION_COUNT_TOKENS))
        n++;
    return n;
}

enum stage_result stage_count(struct call *call, struct err *err) {
    size_t n = askable(call);
    if (n) {
        call->route.count = n;
        return STAGE_DONE;
    }
    const struct counting counting = {.make = make,
                                      .dialect = call->dialect,
                                      .operation = OPERATION_COUNT_TOKENS,
                                      .way = prompt_way_of(call->route.targets[0].model)};
    return counting_answer(call, &counting, err);
}
