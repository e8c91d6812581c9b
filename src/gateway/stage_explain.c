// POST /v1/route/explain: where a chat completions request would go, and why, without sending it.
#include "gateway/answer.h"
#include "gateway/explain.h"
#include "gateway/finding.h"
#include "gateway/pipeline.h"

enum stage_result stage_explain(struct call *call, struct err *err) {
    enum stage_result ahead = finding_ahead(call, err);
    if (ahead != STAGE_DONE) return ahead;
    if (!explain_call(call, &call->answer, err)) return STAGE_FAIL;
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
