// What is asked: reads the body of a model call and checks that the key may use the model.
#include "gateway/pipeline.h"

// A provider whose base_url is this very server would multiply one request until something breaks.
static bool came_back(const struct call *call) {
    const struct http_req *req = call->req;
    struct str mark = str_c(call->gl->gateway->via);
    for (size_t i = 0; i < req->field_count; i++) {
        if (req->fields[i].name.n != 3 || !str_eq_nocase(req->fields[i].name, STR("via"))) continue;
        if (str_find(req->fields[i].value, mark) < req->fields[i].value.n) return true;
    }
    return false;
}

enum stage_result stage_read(struct call *call, struct err *err) {
    const struct conf_limits *limits = &call->runtime->conf->limits;
    struct http_req *req = call->req;
    if (came_back(call)) {
        err_set(err, ERR_LOOP, "the request came back to this server: a provider's base_url points at Penstock itself");
        return STAGE_FAIL;
    }
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
