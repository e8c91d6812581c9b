// What tools that know only Ollama ask besides models' answers: which models there are, what one can do, the version,
// to have a model loaded, fetched or made.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "base/text.h"
#include "gateway/answer.h"
#include "gateway/model_list.h"
#include "gateway/read.h"
#include "model/facts.h"
#include "os/clock.h"

// The version of Ollama's interface that is followed: tools refuse what is too old for them.
#define OLLAMA_VERSION "0.13.0"

static void put_time(struct json_writer *w, struct str key, int64_t ts) {
    char text[TIME_TEXT_LEN];
    time_text(text, ts);
    json_put_member_str(w, key, str_of(text, sizeof text));
}

// Of the file that a model would be in; there is none.
static void put_details(struct json_writer *w) {
    json_put_member_object(w, STR("details"));
    json_put_member_str(w, STR("parent_model"), STR(""));
    json_put_member_str(w, STR("format"), STR(""));
    json_put_member_str(w, STR("family"), STR(""));
    json_put_member_array(w, STR("families"));
    json_put_array_end(w);
    json_put_member_str(w, STR("parameter_size"), STR(""));
    json_put_member_str(w, STR("quantization_level"), STR(""));
    json_put_object_end(w);
}

struct str read_untagged(const struct call *call, struct str name) {
    static const struct str tag = STR_INIT(":latest");
    const struct runtime *rt = call->runtime;
    struct model_named named;
    if (name.n <= tag.n || !str_ends(name, tag)) return name;
    if (model_facts_named(rt->models, rt->conf, call->tenant, name, &named)) return name;
    struct str bare = str_head(name, name.n - tag.n);
    return model_facts_named(rt->models, rt->conf, call->tenant, bare, &named) ? bare : name;
}

struct shown {
    const struct call *call;
    struct json_writer *w;
};

static void put_tag(void *arg, struct str name, struct str owner) {
    const struct shown *shown = arg;
    struct json_writer *w = shown->w;
    (void)owner;
    json_put_object(w);
    json_put_member_str(w, STR("name"), name);
    json_put_member_str(w, STR("model"), name);
    put_time(w, STR("modified_at"), shown->call->ts);
    json_put_member_u64(w, STR("size"), 0);
    json_put_member_str(w, STR("digest"), STR(""));
    put_details(w);
    json_put_object_end(w);
}

static enum stage_result reply(struct call *call) {
    call_reply(call, 200, STR("application/json; charset=utf-8"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}

enum stage_result stage_ollama_tags(struct call *call, struct err *err) {
    struct json_writer w;
    struct shown shown = {call, &w};
    (void)err;
    if (model_list_waits(call)) return STAGE_WAIT;
    json_writer_init(&w, &call->answer);
    json_put_object(&w);
    json_put_member_array(&w, STR("models"));
    model_list(call, STR(""), put_tag, &shown);
    json_put_array_end(&w);
    json_put_object_end(&w);
    return reply(call);
}

static void ignore_model(void *arg, struct str name, struct str owner) { (void)arg, (void)name, (void)owner; }

// Of a model that nothing is known of, the most usual is said: tools turn off what is not there.
static void put_capabilities(struct json_writer *w, const struct model_entry *facts, bool known) {
    json_put_member_array(w, STR("capabilities"));
    if (known && facts->mode == MODEL_EMBEDDING) {
        json_put_str(w, STR("embedding"));
    } else {
        json_put_str(w, STR("completion"));
        if (!known || (facts->can & MODEL_CAN_TOOLS)) json_put_str(w, STR("tools"));
        if (known && (facts->can & MODEL_CAN_VISION)) json_put_str(w, STR("vision"));
        if (known && (facts->can & MODEL_CAN_REASONING)) json_put_str(w, STR("thinking"));
    }
    json_put_array_end(w);
}

static void put_show(struct call *call, struct str name) {
    const struct runtime *rt = call->runtime;
    struct model_named named;
    struct json_writer w;
    bool known = model_facts_named(rt->models, rt->conf, call->tenant, name, &named) && model_entry_known(&named.facts);
    json_writer_init(&w, &call->answer);
    json_put_object(&w);
    json_put_member_str(&w, STR("license"), STR(""));
    json_put_member_str(&w, STR("modelfile"), STR(""));
    json_put_member_str(&w, STR("parameters"), STR(""));
    json_put_member_str(&w, STR("template"), STR(""));
    put_details(&w);
    json_put_member_object(&w, STR("model_info"));
    json_put_member_str(&w, STR("general.architecture"), STR("penstock"));
    json_put_member_str(&w, STR("general.basename"), name);
    if (known && named.facts.context_window)
        json_put_member_u64(&w, STR("penstock.context_length"), named.facts.context_window);
    json_put_object_end(&w);
    put_capabilities(&w, &named.facts, known);
    put_time(&w, STR("modified_at"), call->ts);
    json_put_object_end(&w);
}

// The model that a body names, which the caller may use.
static bool named_model(struct call *call, struct str *out_name, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING)},
                             {.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING)}};
    struct str name;
    if (!json_scan(call->req->body, f, ARRAY_LEN(f), err)) return false;
    const struct json_field *given = f[0].found ? &f[0] : &f[1];
    if (!given->found) {
        err_set(err, ERR_MISSING_FIELD, "\"model\" must name a model");
        snprintf(err->param, sizeof err->param, "model");
        return false;
    }
    if (!json_string_text(given->raw, &call->req->arena, &name)) return err_no_memory(err);
    *out_name = read_untagged(call, name);
    if (out_name->n && model_list(call, *out_name, ignore_model, NULL) > 0) return true;
    return err_set(err, ERR_MODEL_NOT_FOUND, "model '%.*s' not found; GET /api/tags lists those there are",
                   STR_ARG(str_head(name, 100)));
}

enum stage_result stage_ollama_show(struct call *call, struct err *err) {
    struct str name;
    if (model_list_waits(call)) return STAGE_WAIT;
    if (!named_model(call, &name, err)) return STAGE_FAIL;
    put_show(call, name);
    return reply(call);
}

// Some tools fetch a model before they use it: what is here has been.
enum stage_result stage_ollama_pull(struct call *call, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("stream")}};
    struct str name;
    if (model_list_waits(call)) return STAGE_WAIT;
    if (!named_model(call, &name, err) || !json_scan(call->req->body, f, 1, err)) return STAGE_FAIL;
    bool streams = !f[0].found || !str_eq(f[0].raw, STR("false"));
    buf_lit(&call->answer, "{\"status\":\"success\"}");
    if (!streams) return reply(call);
    buf_putc(&call->answer, '\n');
    call_reply(call, 200, STR("application/x-ndjson"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}

// Models are made, copied and deleted elsewhere.
enum stage_result stage_ollama_manage(struct call *call, struct err *err) {
    (void)call;
    err_set(err, ERR_UNSUPPORTED,
            "the models are those of Penstock's configuration; they are not changed through Ollama's API");
    return STAGE_FAIL;
}

// Nothing is loaded here.
enum stage_result stage_ollama_ps(struct call *call, struct err *err) {
    (void)err;
    buf_lit(&call->answer, "{\"models\":[]}");
    return reply(call);
}

enum stage_result stage_ollama_version(struct call *call, struct err *err) {
    (void)err;
    buf_lit(&call->answer, "{\"version\":\"" OLLAMA_VERSION "\"}");
    return reply(call);
}

static bool says_nothing(const struct model_request *q) {
    struct str input = q->input;
    if (!input.p || json_string_eq(input, STR(""))) return true;
    return input.p[0] == '[' && !str_trim(str_of(input.p + 1, input.n - 2)).n;
}

// A request without a prompt has a model loaded, or with "keep_alive": 0 forgotten; here it always is.
enum stage_result stage_ollama_load(struct call *call, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("keep_alive")}};
    struct json_writer w;
    double seconds = 1;
    if (!says_nothing(&call->request)) return STAGE_DONE;
    if (!json_scan(call->request.body, f, 1, err)) return STAGE_FAIL;
    bool away = f[0].found && json_raw_double(f[0].raw, &seconds) && seconds == 0;
    json_writer_init(&w, &call->answer);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), call->request.model);
    put_time(&w, STR("created_at"), call->ts);
    if (call->request.dialect == DIALECT_OLLAMA_GENERATE) {
        json_put_member_str(&w, STR("response"), STR(""));
    } else {
        json_put_member_object(&w, STR("message"));
        json_put_member_str(&w, STR("role"), STR("assistant"));
        json_put_member_str(&w, STR("content"), STR(""));
        json_put_object_end(&w);
    }
    json_put_member_bool(&w, STR("done"), true);
    json_put_member_str(&w, STR("done_reason"), away ? STR("unload") : STR("load"));
    json_put_object_end(&w);
    return reply(call);
}
