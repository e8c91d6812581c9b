// What is asked: reads the body of a model call and checks that the key may use the model.
#include "gateway/pipeline.h"

enum stage_result stage_read(struct call *call, struct err *err) {
    const struct conf_limits *limits = &call->runtime->conf->limits;
    struct http_req *req = call->req;
    struct str coding = http_field_get(req->fields, req->field_count, STR("content-encoding"));
    if (coding.n && !str_eq_nocase(coding, STR("identity"))) {
        err_set(err, ERR_INVALID_REQUEST, "bodies with Content-Encoding \"%.*s\" are not accepted; send it as it is",
                STR_ARG(str_head(coding, 40)));
        err->status = 415;
        return STAGE_FAIL;
    }
    if (!openai_request_read(call->endpoint->dialect, req->body, (unsigned)limits->json_depth, &req->arena,
                             &call->request, err))
        return STAGE_FAIL;
    if (call->key && !key_check_model(call->key, call->request.model, err)) return STAGE_FAIL;
    return STAGE_DONE;
}
