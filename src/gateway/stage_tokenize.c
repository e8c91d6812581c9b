// POST /v1/tokenize: how many tokens a text has.
#include "base/json_read.h"
#include "gateway/counting.h"
#include "model/token/tokenize.h"

static bool make(const struct counting *counting, struct str body, unsigned depth, struct arena *arena, struct buf *out,
                 struct err *err) {
    struct tokenize_request request;
    if (!tokenize_read(body, depth, arena, &request, err)) return false;
    if (request.by_model && counting->way.tokenizer) {
        request.tokenizer = counting->way.tokenizer;
        request.exact = counting->way.tokenizer_exact;
    }
    return tokenize_answer(&request, out, err);
}

// A name of the configuration's stands for what its first target is called by its provider.
static void model_resolve(struct call *call, struct counting *counting) {
    struct str raw, model;
    struct route route;
    struct err ignored;
    if (!JSON_GET(call->req->body, &raw, STR("model")) || !json_string_text(raw, &call->req->arena, &model)) return;
    if (!conf_tenant_allows(call->tenant, model)) return;
    if (call->key && !keyring_allows_model(call->ring, call->key, model, call->ts)) return;
    const struct route_ask ask = call_route_ask(call);
    if (!route_resolve(&ask, model, &route, NULL, &ignored)) return;
    counting->way = prompt_way_of(route.targets[0].model);
}

enum stage_result stage_tokenize(struct call *call, struct err *err) {
    struct counting counting = {.make = make};
    model_resolve(call, &counting);
    return counting_answer(call, &counting, err);
}
