// POST /v1/tokenize: how many tokens a text has.
#include "gateway/counting.h"
#include "model/token/tokenize.h"

static bool make(const struct counting *counting, struct str body, unsigned depth, struct arena *arena, struct buf *out,
                 struct err *err) {
    struct tokenize_request request;
    (void)counting;
    return tokenize_read(body, depth, arena, &request, err) && tokenize_answer(&request, out, err);
}

enum stage_result stage_tokenize(struct call *call, struct err *err) {
    return counting_answer(call, &(struct counting){.make = make}, err);
}
