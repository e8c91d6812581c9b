// A conversation written as a request for Anthropic.
#include "model/anthropic/anthropic.h"

// Calls can be forced, and somebody wants that.
static bool forces(const struct chat *chat, const struct anthropic_family *family) {
    bool wanted = chat->tool_choice == CHAT_CHOICE_ANY || chat->tool_choice == CHAT_CHOICE_ONE;
    return wanted && anthropic_has_tools(chat) && (family->flags & ANTHROPIC_FORCES);
}

static bool is_object_schema(struct str schema) {
    struct str type;
    return schema.p && JSON_GET(schema, &type, STR("type")) && json_string_eq(type, STR("object"));
}

// JSON is asked for in the system prompt where the model knows no schemas and no tool can be forced for it.
static void plan_output(struct anthropic_writing *x) {
    const struct chat *chat = x->chat;
    if (chat->output == CHAT_OUTPUT_JSON) x->instructs = true;
    if (chat->output != CHAT_OUTPUT_SCHEMA || (x->family->flags & ANTHROPIC_SCHEMA)) return;
    x->json_tool = (x->family->flags & ANTHROPIC_FORCES) && !chat->tool_count && is_object_schema(chat->output_schema);
    x->instructs = !x->json_tool;
}

static struct str effort_name(const struct anthropic_writing *x) {
    if (x->effort == CHAT_EFFORT_UNSET || !(x->family->flags & ANTHROPIC_EFFORT)) return STR("");
    if (x->effort <= CHAT_EFFORT_LOW) return STR("low");
    return chat_effort_name(x->effort);
}

static void put_output_config(struct anthropic_writing *x) {
    struct str effort = effort_name(x);
    bool schema = x->chat->output == CHAT_OUTPUT_SCHEMA && !x->json_tool && !x->instructs;
    if (!effort.n && !schema) return;
    json_put_member_object(&x->w, STR("output_config"));
    if (effort.n) json_put_member_str(&x->w, STR("effort"), effort);
    if (schema) {
        json_put_member_object(&x->w, STR("format"));
        json_put_member_str(&x->w, STR("type"), STR("json_schema"));
        json_put_key(&x->w, STR("schema"));
        anthropic_close_schema(x->chat->output_schema.p ? x->chat->output_schema : STR("{\"type\":\"object\"}"),
                               x->arena, &x->w);
        json_put_object_end(&x->w);
    }
    json_put_object_end(&x->w);
}

// White space alone is refused.
static bool says_something(struct str json_string) {
    struct str s = chat_inner(json_string);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == 'n' || s.p[i + 1] == 't' || s.p[i + 1] == 'r'))
            i++;
        else if (s.p[i] != ' ')
            return true;
    }
    return false;
}

static void put_stop(struct anthropic_writing *x) {
    size_t n = 0;
    for (size_t i = 0; i < x->chat->stop_count; i++) {
        if (!says_something(x->chat->stop[i])) {
            chat_drop(x->report, STR("stop"));
            continue;
        }
        if (!n++) json_put_member_array(&x->w, STR("stop_sequences"));
        json_put_raw(&x->w, x->chat->stop[i]);
    }
    if (n) json_put_array_end(&x->w);
}

static void put_service_tier(struct anthropic_writing *x) {
    struct str tier = x->chat->service_tier;
    if (!tier.p) return;
    if (json_string_eq(tier, STR("auto")) || json_string_eq(tier, STR("priority")))
        json_put_member_str(&x->w, STR("service_tier"), STR("auto"));
    else if (json_string_eq(tier, STR("default")) || json_string_eq(tier, STR("standard_only")))
        json_put_member_str(&x->w, STR("service_tier"), STR("standard_only"));
    else
        chat_drop(x->report, STR("service_tier"));
}

static bool is_text_only(struct str modalities) { return str_eq(str_trim(modalities), STR("[\"text\"]")); }

// What there is no word for, under the names that clients know.
static void report_rest(struct anthropic_writing *x) {
    const struct chat *c = x->chat;
    const struct {
        bool said;
        struct str name;
    } rest[] = {
        {c->choices > 1, STR("n")},
        {c->sampling.seed.p != NULL, STR("seed")},
        {c->sampling.frequency_penalty.p != NULL, STR("frequency_penalty")},
        {c->sampling.presence_penalty.p != NULL, STR("presence_penalty")},
        {c->metadata.p != NULL, STR("metadata")},
        {c->verbosity.p != NULL, STR("verbosity")},
        {c->logit_bias.p != NULL, STR("logit_bias")},
        {c->logprobs.p != NULL, STR("logprobs")},
        {c->modalities.p && !is_text_only(c->modalities), STR("modalities")},
        {c->audio.p != NULL, STR("audio")},
        {c->safety.p != NULL, STR("safetySettings")},
        {c->cached_prefix.p != NULL, STR("prompt_cache_key")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        if (rest[i].said) chat_drop(x->report, rest[i].name);
}

bool anthropic_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                     struct chat_report *report, struct err *err) {
    struct anthropic_writing x = {
        .chat = chat, .family = anthropic_family_of(target->model), .arena = arena, .report = report, .err = err};
    x.forces = forces(chat, x.family);
    x.max_tokens = chat->max_output ? chat->max_output : anthropic_max_tokens(target);
    if (!anthropic_plan_turns(&x)) return false;
    plan_output(&x);
    anthropic_plan_thinking(&x);
    json_writer_init(&x.w, out);
    json_put_object(&x.w);
    if (anthropic_on_vertex(target)) // where the path names the model
        json_put_member_str(&x.w, STR("anthropic_version"), STR(ANTHROPIC_VERTEX_VERSION));
    else
        json_put_member_str(&x.w, STR("model"), target->model);
    json_put_member_u64(&x.w, STR("max_tokens"), x.max_tokens);
    if (chat->stream) json_put_member_bool(&x.w, STR("stream"), true);
    anthropic_put_tools(&x);
    anthropic_put_system(&x);
    anthropic_put_messages(&x);
    anthropic_put_thinking(&x);
    put_output_config(&x);
    anthropic_put_sampling(&x);
    put_stop(&x);
    put_service_tier(&x);
    if (chat->user.p) {
        json_put_member_object(&x.w, STR("metadata"));
        json_put_member_raw(&x.w, STR("user_id"), chat->user);
        json_put_object_end(&x.w);
    }
    json_put_object_end(&x.w);
    json_writer_done(&x.w);
    report_rest(&x);
    return chat_is_whole(out, arena) || err_no_memory(err);
}
