// Writes the neutral form as a request for Cohere's chat.
#include "model/cohere/cohere.h"

static void put_tools(struct json_writer *w, const struct chat *c, struct chat_report *report) {
    bool any = false, strict = false;
    for (size_t i = 0; i < c->tool_count; i++) {
        const struct chat_tool *tool = &c->tools[i];
        if (tool->hosted.p) {
            chat_drop(report, STR("tools[]"));
            continue;
        }
        chat_drop_given(report, STR("cache_control"), tool->cache_control);
        strict = strict || tool->strict == 1;
        if (!any) json_put_member_array(w, STR("tools"));
        any = true;
        json_put_object(w);
        json_put_member_str(w, STR("type"), STR("function"));
        json_put_member_object(w, STR("function"));
        json_put_member_raw(w, STR("name"), tool->name);
        chat_put_given(w, STR("description"), tool->description);
        json_put_member_raw(w, STR("parameters"), tool->schema.p ? tool->schema : CHAT_EMPTY_SCHEMA);
        json_put_object_end(w);
        json_put_object_end(w);
    }
    if (!any) return;
    json_put_array_end(w);
    if (strict) json_put_member_bool(w, STR("strict_tools"), true);
    if (c->tool_choice == CHAT_CHOICE_NONE) json_put_member_str(w, STR("tool_choice"), STR("NONE"));
    if (c->tool_choice == CHAT_CHOICE_ANY) json_put_member_str(w, STR("tool_choice"), STR("REQUIRED"));
    if (c->tool_choice == CHAT_CHOICE_ONE) {
        // A call there must be; which one cannot be said, unless there is but one.
        json_put_member_str(w, STR("tool_choice"), STR("REQUIRED"));
        if (c->tool_count > 1) chat_drop(report, STR("tool_choice.function.name"));
    }
}

static void put_format(struct json_writer *w, const struct chat *c) {
    if (c->output == CHAT_OUTPUT_TEXT) return;
    json_put_member_object(w, STR("response_format"));
    json_put_member_str(w, STR("type"), STR("json_object"));
    if (c->output == CHAT_OUTPUT_SCHEMA) chat_put_given(w, STR("json_schema"), c->output_schema);
    json_put_object_end(w);
}

static void put_thinking(struct json_writer *w, const struct chat *c) {
    const struct chat_reasoning *r = &c->reasoning;
    if (!r->effort && !r->budget && !r->adaptive) return;
    bool on = r->effort != CHAT_EFFORT_NONE;
    uint64_t budget = r->budget ? r->budget : r->effort ? chat_budget_of_effort(r->effort) : 0;
    json_put_member_object(w, STR("thinking"));
    json_put_member_str(w, STR("type"), on ? STR("enabled") : STR("disabled"));
    if (on && budget) json_put_member_u64(w, STR("token_budget"), budget);
    json_put_object_end(w);
}

static void put_sampling(struct json_writer *w, const struct chat *c) {
    if (c->max_output) json_put_member_u64(w, STR("max_tokens"), c->max_output);
    chat_put_given(w, STR("temperature"), c->sampling.temperature);
    chat_put_given(w, STR("p"), c->sampling.top_p);
    chat_put_given(w, STR("k"), c->sampling.top_k);
    chat_put_given(w, STR("seed"), c->sampling.seed);
    chat_put_given(w, STR("frequency_penalty"), c->sampling.frequency_penalty);
    chat_put_given(w, STR("presence_penalty"), c->sampling.presence_penalty);
    if (!c->stop_count) return;
    json_put_member_array(w, STR("stop_sequences"));
    for (size_t i = 0; i < c->stop_count; i++) json_put_raw(w, c->stop[i]);
    json_put_array_end(w);
}

bool cohere_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), target->model);
    if (!cohere_put_messages(&w, chat, report, err)) return false;
    put_tools(&w, chat, report);
    put_format(&w, chat);
    put_thinking(&w, chat);
    put_sampling(&w, chat);
    json_put_member_bool(&w, STR("stream"), chat->stream);
    json_put_object_end(&w);
    json_writer_done(&w);
    if (chat->parallel_tools == 0) chat_drop(report, STR("parallel_tool_calls"));
    chat_drop_given(report, STR("user"), chat->user);
    chat_drop_given(report, STR("metadata"), chat->metadata);
    chat_drop_given(report, STR("service_tier"), chat->service_tier);
    chat_drop_extras(chat, report);
    return chat_is_whole(out, arena) || err_no_memory(err);
}
