// GET /v1/models and /v1/models/NAME: the models and aliases that the caller's key may use.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "gateway/answer.h"
#include "gateway/model_facts.h"
#include "gateway/model_list.h"
#include "os/clock.h"

struct shown {
    const struct call *call;
    struct json_writer *w;
};

static void put_model(void *arg, struct str name, struct str owner) {
    const struct shown *shown = arg;
    struct model_entry facts;
    struct json_writer *w = shown->w;
    json_put_object(w);
    json_put_member_str(w, STR("id"), name);
    json_put_member_str(w, STR("object"), STR("model"));
    json_put_member_i64(w, STR("created"), shown->call->ts / (int64_t)NS_PER_SEC);
    json_put_member_str(w, STR("owned_by"), owner);
    if (model_facts_named(shown->call->runtime, shown->call->tenant, name, &facts)) model_entry_put(w, &facts);
    json_put_object_end(w);
}

enum stage_result stage_models(struct call *call, struct err *err) {
    struct json_writer w;
    struct str wanted = STR("");
    struct shown shown = {call, &w};
    if (model_list_waits(call)) return STAGE_WAIT;
    if (endpoint_is_below(call->endpoint))
        wanted = http_path_decode(&call->req->arena, str_from(call->req->path, call->endpoint->path.n));
    json_writer_init(&w, &call->answer);
    if (wanted.n) {
        if (model_list(call, wanted, put_model, &shown) == 0) {
            err_set(err, ERR_MODEL_NOT_FOUND,
                    "there is no model \"%.*s\" that this key may use; GET /v1/models lists those there are",
                    STR_ARG(str_head(wanted, 100)));
            return STAGE_FAIL;
        }
    } else {
        json_put_object(&w);
        json_put_member_str(&w, STR("object"), STR("list"));
        json_put_member_array(&w, STR("data"));
        model_list(call, STR(""), put_model, &shown);
        json_put_array_end(&w);
        json_put_object_end(&w);
    }
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
