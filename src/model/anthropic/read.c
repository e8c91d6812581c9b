// A request in Anthropic's dialect read into the neutral form: all but the content of its messages.
#include "model/anthropic/anthropic.h"

#include <stdio.h>

enum field {
    MODEL,
    MESSAGES,
    STREAM,
    MAX_TOKENS,
    SYSTEM,
    TOOLS,
    TOOL_CHOICE,
    THINKING,
    OUTPUT_CONFIG,
    OUTPUT_FORMAT,
    STOP,
    TEMPERATURE,
    TOP_P,
    TOP_K,
    METADATA,
    SERVICE_TIER,
    STRICT, // ours, not theirs
    FIELD_COUNT
};

#define KINDS(k) JSON_IS(JSON_##k)
static const struct json_field k_fields[FIELD_COUNT] = {
    [MODEL] = {.name = STR_INIT("model"), .kinds = KINDS(STRING), .required = true},
    [MESSAGES] = {.name = STR_INIT("messages"), .kinds = KINDS(ARRAY), .required = true},
    [STREAM] = {.name = STR_INIT("stream"), .kinds = KINDS(BOOL)},
    [MAX_TOKENS] = {.name = STR_INIT("max_tokens"), .kinds = KINDS(NUMBER)},
    [SYSTEM] = {.name = STR_INIT("system"), .kinds = KINDS(STRING) | KINDS(ARRAY)},
    [TOOLS] = {.name = STR_INIT("tools"), .kinds = KINDS(ARRAY)},
    [TOOL_CHOICE] = {.name = STR_INIT("tool_choice"), .kinds = KINDS(OBJECT)},
    [THINKING] = {.name = STR_INIT("thinking"), .kinds = KINDS(OBJECT)},
    [OUTPUT_CONFIG] = {.name = STR_INIT("output_config"), .kinds = KINDS(OBJECT)},
    [OUTPUT_FORMAT] = {.name = STR_INIT("output_format"), .kinds = KINDS(OBJECT)},
    [STOP] = {.name = STR_INIT("stop_sequences"), .kinds = KINDS(ARRAY)},
    [TEMPERATURE] = {.name = STR_INIT("temperature"), .kinds = KINDS(NUMBER)},
    [TOP_P] = {.name = STR_INIT("top_p"), .kinds = KINDS(NUMBER)},
    [TOP_K] = {.name = STR_INIT("top_k"), .kinds = KINDS(NUMBER)},
    [METADATA] = {.name = STR_INIT("metadata"), .kinds = KINDS(OBJECT)},
    [SERVICE_TIER] = {.name = STR_INIT("service_tier"), .kinds = KINDS(STRING)},
    [STRICT] = {.name = STR_INIT("strict")},
};

static void set_path(struct anthropic_reading *r, const char *path) { snprintf(r->path, sizeof r->path, "%s", path); }

// --- turns ---

static bool read_turn(struct anthropic_reading *r, struct str raw, struct chat_turn *turn) {
    struct json_field f[] = {
        {.name = STR_INIT("role"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("content"), .kinds = KINDS(STRING) | KINDS(ARRAY), .required = true},
    };
    if (!anthropic_members(r, raw, STR("messages[]."), f, ARRAY_LEN(f))) return false;
    if (anthropic_is(&f[0], STR("user")))
        turn->role = CHAT_USER;
    else if (anthropic_is(&f[0], STR("assistant")))
        turn->role = CHAT_ASSISTANT;
    else if (anthropic_is(&f[0], STR("system")))
        turn->role = CHAT_SYSTEM;
    else
        return anthropic_wrong(r, "role", "it must be \"user\", \"assistant\" or \"system\"");
    return anthropic_read_content(r, f[1].raw, turn);
}

static bool read_turns(struct anthropic_reading *r, const struct json_field *f) {
    struct str *list;
    size_t n;
    set_path(r, "messages");
    if (!anthropic_elements(r, f[MESSAGES].raw, &list, &n)) return false;
    if (!n) return anthropic_wrong(r, "", "at least one message is required");
    r->chat->turns = ARENA_ARRAY(r->arena, struct chat_turn, n + 1);
    if (!r->chat->turns) return err_no_memory(r->err);
    if (f[SYSTEM].found) {
        struct chat_turn *turn = &r->chat->turns[0];
        turn->role = CHAT_SYSTEM;
        set_path(r, "system");
        if (!anthropic_read_content(r, f[SYSTEM].raw, turn)) return false;
        if (turn->count) r->chat->count = 1;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(r->path, sizeof r->path, "messages[%zu]", i);
        if (!read_turn(r, list[i], &r->chat->turns[r->chat->count++])) return false;
    }
    set_path(r, "");
    return true;
}

// --- options ---

static bool read_tool_choice(struct anthropic_reading *r, struct str raw) {
    struct json_field f[] = {
        {.name = STR_INIT("type"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("name"), .kinds = KINDS(STRING)},
        {.name = STR_INIT("disable_parallel_tool_use"), .kinds = KINDS(BOOL)},
    };
    struct chat *chat = r->chat;
    set_path(r, "tool_choice");
    if (!anthropic_members(r, raw, STR("tool_choice."), f, ARRAY_LEN(f))) return false;
    if (anthropic_is(&f[0], STR("auto")))
        chat->tool_choice = CHAT_CHOICE_AUTO;
    else if (anthropic_is(&f[0], STR("any")))
        chat->tool_choice = CHAT_CHOICE_ANY;
    else if (anthropic_is(&f[0], STR("none")))
        chat->tool_choice = CHAT_CHOICE_NONE;
    else if (anthropic_is(&f[0], STR("tool")))
        chat->tool_choice = CHAT_CHOICE_ONE;
    else
        return anthropic_wrong(r, "type", "it must be \"auto\", \"any\", \"tool\" or \"none\"");
    if (chat->tool_choice == CHAT_CHOICE_ONE && !f[1].found)
        return anthropic_wrong(r, "name", "the tool's name is required with the type \"tool\"");
    if (chat->tool_choice == CHAT_CHOICE_ONE) chat->tool_choice_name = f[1].raw;
    if (f[2].found) chat->parallel_tools = f[2].raw.p[0] != 't';
    return true;
}

static bool read_thinking(struct anthropic_reading *r, struct str raw) {
    struct json_field f[] = {
        {.name = STR_INIT("type"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("budget_tokens"), .kinds = KINDS(NUMBER)},
        {.name = STR_INIT("display"), .kinds = KINDS(STRING)},
    };
    struct chat_reasoning *c = &r->chat->reasoning;
    set_path(r, "thinking");
    if (!anthropic_members(r, raw, STR("thinking."), f, ARRAY_LEN(f))) return false;
    c->hidden = anthropic_is(&f[2], STR("omitted"));
    if (anthropic_is(&f[0], STR("disabled")) || anthropic_is(&f[0], STR("between_tools"))) {
        c->effort = CHAT_EFFORT_NONE;
    } else if (anthropic_is(&f[0], STR("adaptive"))) {
        c->adaptive = true;
    } else if (anthropic_is(&f[0], STR("enabled"))) {
        if (!f[1].found || !json_raw_u64(f[1].raw, &c->budget) || c->budget < 1024)
            return anthropic_wrong(r, "budget_tokens", "it must be a whole number of at least 1024");
        c->effort = chat_effort_of_budget(c->budget);
    } else {
        return anthropic_wrong(r, "type", "it must be \"enabled\", \"adaptive\", \"between_tools\" or \"disabled\"");
    }
    return true;
}

static bool read_format(struct anthropic_reading *r, struct str raw, const char *path) {
    struct json_field f[] = {
        {.name = STR_INIT("type"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("schema"), .kinds = KINDS(OBJECT), .required = true},
        {.name = STR_INIT("name"), .kinds = KINDS(STRING)},
    };
    set_path(r, path);
    if (!anthropic_members(r, raw, STR("output_config.format."), f, ARRAY_LEN(f))) return false;
    if (!anthropic_is(&f[0], STR("json_schema"))) return anthropic_wrong(r, "type", "it must be \"json_schema\"");
    r->chat->output = CHAT_OUTPUT_SCHEMA;
    r->chat->output_schema = f[1].raw;
    r->chat->output_name = f[2].raw;
    r->chat->output_strict = 1;
    return true;
}

static bool read_output_config(struct anthropic_reading *r, struct str raw) {
    struct json_field f[] = {
        {.name = STR_INIT("effort"), .kinds = KINDS(STRING)},
        {.name = STR_INIT("format"), .kinds = KINDS(OBJECT)},
    };
    set_path(r, "output_config");
    if (!anthropic_members(r, raw, STR("output_config."), f, ARRAY_LEN(f))) return false;
    if (f[0].found) {
        enum chat_effort effort = chat_effort_of(f[0].raw);
        if (effort < CHAT_EFFORT_LOW)
            return anthropic_wrong(r, "effort", "it must be \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"");
        // With thinking switched off it is about the length of the answer only.
        if (r->chat->reasoning.effort != CHAT_EFFORT_NONE) r->chat->reasoning.effort = effort;
    }
    return !f[1].found || read_format(r, f[1].raw, "output_config.format");
}

static bool read_stop(struct anthropic_reading *r, struct str raw) {
    struct chat *chat = r->chat;
    set_path(r, "stop_sequences");
    if (!anthropic_elements(r, raw, &chat->stop, &chat->stop_count)) return false;
    for (size_t i = 0; i < chat->stop_count; i++)
        if (json_raw_kind(chat->stop[i]) != JSON_STRING) return anthropic_wrong(r, "", "it must be a list of strings");
    return true;
}

static bool read_metadata(struct anthropic_reading *r, struct str raw) {
    struct json_field f[] = {{.name = STR_INIT("user_id"), .kinds = KINDS(STRING)}};
    set_path(r, "metadata");
    if (!anthropic_members(r, raw, STR("metadata."), f, ARRAY_LEN(f))) return false;
    r->chat->user = f[0].raw;
    return true;
}

static bool read_options(struct anthropic_reading *r, const struct json_field *f) {
    if (f[TOOLS].found && !anthropic_read_tools(r, f[TOOLS].raw)) return false;
    if (f[TOOL_CHOICE].found && !read_tool_choice(r, f[TOOL_CHOICE].raw)) return false;
    if (f[THINKING].found && !read_thinking(r, f[THINKING].raw)) return false;
    if (f[OUTPUT_FORMAT].found && !read_format(r, f[OUTPUT_FORMAT].raw, "output_format")) return false;
    if (f[OUTPUT_CONFIG].found && !read_output_config(r, f[OUTPUT_CONFIG].raw)) return false;
    if (f[STOP].found && !read_stop(r, f[STOP].raw)) return false;
    if (f[METADATA].found && !read_metadata(r, f[METADATA].raw)) return false;
    set_path(r, "");
    return true;
}

bool anthropic_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err) {
    struct json_field f[FIELD_COUNT];
    struct chat chat = {.parallel_tools = -1, .output_strict = -1, .stream = request->stream};
    struct anthropic_reading r = {.arena = arena, .chat = &chat, .err = err};
    memcpy(f, k_fields, sizeof f);
    if (!anthropic_members(&r, request->body, STR(""), f, FIELD_COUNT)) return false;
    if (f[MAX_TOKENS].found && !json_raw_u64(f[MAX_TOKENS].raw, &chat.max_output))
        return anthropic_wrong(&r, "max_tokens", "it must be a whole number");
    chat.sampling.temperature = f[TEMPERATURE].raw;
    chat.sampling.top_p = f[TOP_P].raw;
    chat.sampling.top_k = f[TOP_K].raw;
    chat.service_tier = f[SERVICE_TIER].raw;
    if (!read_turns(&r, f) || !read_options(&r, f)) return false;
    *out_chat = chat;
    return true;
}
