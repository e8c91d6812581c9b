// GET /v1/models and /v1/models/NAME: the models and aliases that the caller's key may use.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "base/text.h"
#include "gateway/answer.h"
#include "gateway/model_list.h"
#include "os/clock.h"

struct shown {
    const struct call *call;
    struct json_writer *w;
    struct str first, last; // the names shown
};

static void put_model(void *arg, struct str name, struct str owner) {
    const struct shown *shown = arg;
    const struct call *call = shown->call;
    struct model_named named;
    struct json_writer *w = shown->w;
    json_put_object(w);
    json_put_member_str(w, STR("id"), name);
    json_put_member_str(w, STR("object"), STR("model"));
    json_put_member_i64(w, STR("created"), shown->call->ts / (int64_t)NS_PER_SEC);
    json_put_member_str(w, STR("owned_by"), owner);
    if (model_facts_named(call->runtime->models, call->runtime->conf, call->tenant, name, &named) &&
        model_entry_known(&named.facts))
        model_entry_put(w, &named.facts);
    json_put_object_end(w);
}

// --- in Anthropic's shape ---

static void put_time(struct json_writer *w, struct str key, int64_t ts) {
    char text[TIME_TEXT_LEN];
    time_text(text, ts);
    json_put_member_str(w, key, str_of(text, sizeof text));
}

static void put_count(struct json_writer *w, struct str key, uint64_t n) {
    if (n)
        json_put_member_u64(w, key, n);
    else
        json_put_member_null(w, key);
}

static void put_anthropic_model(void *arg, struct str name, struct str owner) {
    struct shown *shown = arg;
    const struct runtime *rt = shown->call->runtime;
    struct model_named named;
    struct json_writer *w = shown->w;
    (void)owner;
    if (!model_facts_named(rt->models, rt->conf, shown->call->tenant, name, &named)) named = (struct model_named){0};
    json_put_object(w);
    json_put_member_str(w, STR("type"), STR("model"));
    json_put_member_str(w, STR("id"), name);
    json_put_member_str(w, STR("display_name"), name);
    put_time(w, STR("created_at"), shown->call->ts);
    put_count(w, STR("max_input_tokens"), named.facts.context_window);
    put_count(w, STR("max_tokens"), named.facts.max_output);
    json_put_object_end(w);
    shown->last = arena_str(&shown->call->req->arena, name);
    if (!shown->first.p) shown->first = shown->last;
}

static void put_id(struct json_writer *w, struct str key, struct str id) {
    if (id.p)
        json_put_member_str(w, key, id);
    else
        json_put_member_null(w, key);
}

// All of them on one page.
static void put_anthropic_list(struct shown *shown) {
    struct json_writer *w = shown->w;
    json_put_object(w);
    json_put_member_array(w, STR("data"));
    model_list(shown->call, STR(""), put_anthropic_model, shown);
    json_put_array_end(w);
    json_put_member_bool(w, STR("has_more"), false);
    put_id(w, STR("first_id"), shown->first);
    put_id(w, STR("last_id"), shown->last);
    json_put_object_end(w);
}

// --- in Google's ---

static void put_gemini_model(void *arg, struct str name, struct str owner) {
    struct shown *shown = arg;
    const struct runtime *rt = shown->call->runtime;
    struct model_named named;
    struct json_writer *w = shown->w;
    (void)owner;
    if (!model_facts_named(rt->models, rt->conf, shown->call->tenant, name, &named)) named = (struct model_named){0};
    struct str full = arena_printf(&shown->call->req->arena, "models/%.*s", STR_ARG(name));
    json_put_object(w);
    json_put_member_str(w, STR("name"), full);
    json_put_member_str(w, STR("displayName"), name);
    if (named.facts.context_window) json_put_member_u64(w, STR("inputTokenLimit"), named.facts.context_window);
    if (named.facts.max_output) json_put_member_u64(w, STR("outputTokenLimit"), named.facts.max_output);
    json_put_member_array(w, STR("supportedGenerationMethods"));
    json_put_str(w, STR("generateContent"));
    json_put_str(w, STR("countTokens"));
    json_put_str(w, STR("embedContent"));
    json_put_array_end(w);
    json_put_object_end(w);
}

static void put_gemini_list(struct shown *shown) {
    json_put_object(shown->w);
    json_put_member_array(shown->w, STR("models"));
    model_list(shown->call, STR(""), put_gemini_model, shown);
    json_put_array_end(shown->w);
    json_put_object_end(shown->w);
}

// --- in OpenAI's ---

static void put_list(struct shown *shown) {
    json_put_object(shown->w);
    json_put_member_str(shown->w, STR("object"), STR("list"));
    json_put_member_array(shown->w, STR("data"));
    model_list(shown->call, STR(""), put_model, shown);
    json_put_array_end(shown->w);
    json_put_object_end(shown->w);
}

enum stage_result stage_models(struct call *call, struct err *err) {
    struct json_writer w;
    struct str wanted = STR("");
    struct shown shown = {.call = call, .w = &w};
    bool anthropic = call->dialect->dialect == DIALECT_ANTHROPIC, gemini = call->dialect->dialect == DIALECT_GEMINI;
    if (model_list_waits(call)) return STAGE_WAIT;
    if (endpoint_is_below(call->endpoint))
        wanted = http_path_decode(&call->req->arena, str_from(call->req->path, call->endpoint->path.n));
    json_writer_init(&w, &call->answer);
    if (wanted.n) {
        if (model_list(call, wanted,
                       anthropic ? put_anthropic_model
                       : gemini  ? put_gemini_model
                                 : put_model,
                       &shown) == 0) {
            err_set(err, ERR_MODEL_NOT_FOUND,
                    "there is no model \"%.*s\" that this key may use; GET /v1/models lists those there are",
                    STR_ARG(str_head(wanted, 100)));
            return STAGE_FAIL;
        }
    } else if (anthropic) {
        put_anthropic_list(&shown);
    } else if (gemini) {
        put_gemini_list(&shown);
    } else {
        put_list(&shown);
    }
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
