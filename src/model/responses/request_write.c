// Writes a conversation as a Responses request.
#include "model/responses/responses.h"

#include "base/json_write.h"
#include "model/provider.h"

struct writing {
    const struct chat *chat;
    const struct chat_target *target;
    struct arena *arena;
    struct chat_report *report;
    struct json_writer w;
};

static void put_text_part(struct writing *x, struct str type, struct str member, struct str text) {
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), type);
    json_put_member_raw(&x->w, member, text);
    json_put_object_end(&x->w);
}

// --- content ---

static void put_data_url(struct writing *x, struct str key, struct str mime, struct str data) {
    struct str url = arena_printf(x->arena, "data:%.*s;base64,", STR_ARG(mime));
    json_put_key(&x->w, key);
    struct buf *out = x->w.out;
    size_t at = out->n;
    json_put_str(&x->w, url);
    // The data goes in before the quote. It may be anything.
    if (!out->failed && out->n > at) out->n--;
    json_escape_put(out, data);
    buf_lit(out, "\"");
}

static void put_image(struct writing *x, const struct chat_media *m) {
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("input_image"));
    if (m->data.p)
        put_data_url(x, STR("image_url"), m->mime.n ? m->mime : STR("image/png"), m->data);
    else if (m->url.p)
        json_put_member_raw(&x->w, STR("image_url"), m->url);
    else
        json_put_member_raw(&x->w, STR("file_id"), m->file_id);
    json_put_member_raw(&x->w, STR("detail"), m->detail.p ? m->detail : STR("\"auto\""));
    json_put_object_end(&x->w);
}

static void put_file(struct writing *x, const struct chat_media *m) {
    if (m->text.p) {
        put_text_part(x, STR("input_text"), STR("text"), m->text);
        return;
    }
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("input_file"));
    if (m->file_id.p) {
        json_put_member_raw(&x->w, STR("file_id"), m->file_id);
    } else if (m->url.p) {
        json_put_member_raw(&x->w, STR("file_url"), m->url);
    } else {
        json_put_member_raw(&x->w, STR("filename"), m->name.p ? m->name : STR("\"document.pdf\""));
        put_data_url(x, STR("file_data"), m->mime.n ? m->mime : STR("application/pdf"), m->data);
    }
    json_put_object_end(&x->w);
}

static bool is_content(const struct chat_part *p) {
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
    case CHAT_IMAGE:
    case CHAT_AUDIO:
    case CHAT_VIDEO:
    case CHAT_FILE:
        return true;
    default:
        return false;
    }
}

// Whether it can be said at all, in this role.
static bool can_say(const struct chat_part *p, enum chat_role role) {
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        return true;
    case CHAT_IMAGE:
        return role == CHAT_USER && (p->media.data.p || p->media.url.p || p->media.file_id.p);
    case CHAT_FILE:
        return role == CHAT_USER;
    default:
        return false;
    }
}

static struct str name_of(const struct chat_part *p) {
    switch (p->kind) {
    case CHAT_IMAGE:
        return STR("messages[].content[].image");
    case CHAT_AUDIO:
        return STR("messages[].content[].audio");
    case CHAT_VIDEO:
        return STR("messages[].content[].video");
    default:
        return STR("messages[].content[].file");
    }
}

static void put_content(struct writing *x, const struct chat_part *p, enum chat_role role) {
    if (p->cache_control.p) chat_drop(x->report, STR("cache_control"));
    if (p->citations.p) chat_drop(x->report, STR("citations"));
    switch (p->kind) {
    case CHAT_TEXT:
        put_text_part(x, role == CHAT_ASSISTANT ? STR("output_text") : STR("input_text"), STR("text"), p->text);
        break;
    case CHAT_REFUSAL:
        if (role == CHAT_ASSISTANT)
            put_text_part(x, STR("refusal"), STR("refusal"), p->text);
        else
            put_text_part(x, STR("input_text"), STR("text"), p->text);
        break;
    case CHAT_IMAGE:
        put_image(x, &p->media);
        break;
    default:
        put_file(x, &p->media);
    }
}

// --- items ---

static void put_message(struct writing *x, const struct chat_turn *turn, size_t from, size_t to) {
    static const struct str roles[] = {
        [CHAT_SYSTEM] = STR_INIT("system"), [CHAT_USER] = STR_INIT("user"), [CHAT_ASSISTANT] = STR_INIT("assistant")};
    bool any = false;
    for (size_t i = from; i < to; i++) {
        bool can = can_say(&turn->parts[i], turn->role);
        any = any || can;
        if (!can) chat_drop(x->report, name_of(&turn->parts[i]));
    }
    if (!any) return;
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("message"));
    json_put_member_str(&x->w, STR("role"), roles[turn->role]);
    json_put_member_array(&x->w, STR("content"));
    for (size_t i = from; i < to; i++)
        if (can_say(&turn->parts[i], turn->role)) put_content(x, &turn->parts[i], turn->role);
    json_put_array_end(&x->w);
    json_put_object_end(&x->w);
}

static bool put_call(struct writing *x, const struct chat_part *p, struct err *err) {
    struct str args = p->args_text.p ? p->args_text : chat_quote(x->arena, p->args);
    if (!args.p) return err_no_memory(err);
    if (json_string_len(args) == 0) args = STR("\"{}\"");
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("function_call"));
    json_put_member_raw(&x->w, STR("call_id"), p->id);
    json_put_member_raw(&x->w, STR("name"), p->name);
    json_put_member_raw(&x->w, STR("arguments"), args);
    json_put_object_end(&x->w);
    return true;
}

static void put_result(struct writing *x, const struct chat_part *p) {
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("function_call_output"));
    json_put_member_raw(&x->w, STR("call_id"), p->id);
    if (p->count == 0) {
        json_put_member_str(&x->w, STR("output"), STR(""));
    } else if (p->count == 1 && p->parts[0].kind == CHAT_TEXT) {
        json_put_member_raw(&x->w, STR("output"), p->parts[0].text);
    } else {
        json_put_member_array(&x->w, STR("output"));
        for (size_t i = 0; i < p->count; i++) {
            bool can = can_say(&p->parts[i], CHAT_USER);
            if (can) put_content(x, &p->parts[i], CHAT_USER);
            if (!can) chat_drop(x->report, name_of(&p->parts[i]));
        }
        json_put_array_end(&x->w);
    }
    json_put_object_end(&x->w);
    if (p->is_error) chat_drop(x->report, STR("is_error"));
    if (p->cache_control.p) chat_drop(x->report, STR("cache_control"));
}

static bool is_own_thought(const struct chat_part *p) {
    return p->kind == CHAT_THINKING && str_starts(chat_inner(p->signature), STR(RESPONSES_OWN));
}

// Only thoughts that this vendor has sealed mean something to it.
static void put_thought(struct writing *x, const struct chat_part *p) {
    struct str prefix = STR(RESPONSES_OWN);
    if (!is_own_thought(p)) {
        chat_drop(x->report, STR("thinking"));
        return;
    }
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("reasoning"));
    json_put_member_array(&x->w, STR("summary"));
    if (p->text.n > 2) put_text_part(x, STR("summary_text"), STR("text"), p->text);
    json_put_array_end(&x->w);
    json_put_key(&x->w, STR("encrypted_content"));
    struct str secret = arena_printf(x->arena, "\"%.*s\"", STR_ARG(str_from(chat_inner(p->signature), prefix.n)));
    json_put_raw(&x->w, secret.n ? secret : STR("null"));
    json_put_object_end(&x->w);
}

static bool put_turn(struct writing *x, const struct chat_turn *turn, struct err *err) {
    if (turn->name.p) chat_drop(x->report, STR("messages[].name"));
    for (size_t i = 0; i < turn->count;) {
        const struct chat_part *p = &turn->parts[i];
        size_t to = i + 1;
        if (is_content(p)) {
            while (to < turn->count && is_content(&turn->parts[to])) to++;
            put_message(x, turn, i, to);
        } else if (p->kind == CHAT_TOOL_CALL) {
            if (!put_call(x, p, err)) return false;
        } else if (p->kind == CHAT_TOOL_RESULT) {
            put_result(x, p);
        } else {
            put_thought(x, p);
        }
        i = to;
    }
    return true;
}

static bool is_plain_system(const struct chat_turn *turn) {
    if (turn->role != CHAT_SYSTEM) return false;
    for (size_t i = 0; i < turn->count; i++)
        if (turn->parts[i].kind != CHAT_TEXT) return false;
    return true;
}

// The system's words before all others are the instructions, as they were written for it.
static size_t put_instructions(struct writing *x) {
    const struct chat *chat = x->chat;
    size_t n = 0, said = 0;
    struct buf *out = x->w.out;
    while (n < chat->count && is_plain_system(&chat->turns[n])) n++;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < chat->turns[i].count; k++) {
            const struct chat_part *p = &chat->turns[i].parts[k];
            if (p->cache_control.p) chat_drop(x->report, STR("cache_control"));
            if (!said++) {
                json_put_member_raw(&x->w, STR("instructions"), p->text);
                continue;
            }
            if (!out->failed) out->n--; // the quote
            buf_lit(out, "\\n\\n");
            buf_put(out, str_from(p->text, 1));
        }
    }
    return n;
}

static bool put_input(struct writing *x, struct err *err) {
    size_t from = put_instructions(x);
    json_put_member_array(&x->w, STR("input"));
    for (size_t i = from; i < x->chat->count; i++)
        if (!put_turn(x, &x->chat->turns[i], err)) return false;
    json_put_array_end(&x->w);
    return true;
}

// --- tools ---

static bool is_search(struct str hosted) {
    struct str type = responses_string(hosted, STR("type")), found;
    return str_starts(chat_inner(type), STR("web_search")) || JSON_GET(hosted, &found, STR("google_search")) ||
           JSON_GET(hosted, &found, STR("googleSearch"));
}

static bool can_tell(struct writing *x, const struct chat_tool *t) {
    if (!t->hosted.p || is_search(t->hosted)) return true;
    chat_drop(x->report, STR("tools[].type"));
    return false;
}

static void put_tool(struct writing *x, const struct chat_tool *t) {
    if (t->cache_control.p) chat_drop(x->report, STR("cache_control"));
    if (t->hosted.p) {
        json_put_object(&x->w);
        json_put_member_str(&x->w, STR("type"), STR("web_search"));
        json_put_object_end(&x->w);
        return;
    }
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("function"));
    json_put_member_raw(&x->w, STR("name"), t->name);
    if (t->description.p) json_put_member_raw(&x->w, STR("description"), t->description);
    json_put_member_raw(&x->w, STR("parameters"),
                        t->schema.p ? t->schema : STR("{\"type\":\"object\",\"properties\":{}}"));
    // Here strict is what holds unless it is said otherwise.
    json_put_member_bool(&x->w, STR("strict"), t->strict == 1);
    json_put_object_end(&x->w);
}

static void put_choice(struct writing *x) {
    const struct chat *chat = x->chat;
    switch (chat->tool_choice) {
    case CHAT_CHOICE_UNSET:
        break;
    case CHAT_CHOICE_AUTO:
        json_put_member_str(&x->w, STR("tool_choice"), STR("auto"));
        break;
    case CHAT_CHOICE_NONE:
        json_put_member_str(&x->w, STR("tool_choice"), STR("none"));
        break;
    case CHAT_CHOICE_ANY:
        json_put_member_str(&x->w, STR("tool_choice"), STR("required"));
        break;
    case CHAT_CHOICE_ONE:
        json_put_member_object(&x->w, STR("tool_choice"));
        json_put_member_str(&x->w, STR("type"), STR("function"));
        json_put_member_raw(&x->w, STR("name"), chat->tool_choice_name);
        json_put_object_end(&x->w);
        break;
    }
}

static void put_tools(struct writing *x) {
    const struct chat *chat = x->chat;
    bool any = false;
    for (size_t i = 0; i < chat->tool_count; i++) {
        if (!can_tell(x, &chat->tools[i])) continue;
        if (!any) json_put_member_array(&x->w, STR("tools"));
        any = true;
        put_tool(x, &chat->tools[i]);
    }
    if (!any) return; // nor anything to choose from
    json_put_array_end(&x->w);
    put_choice(x);
    if (chat->parallel_tools >= 0) json_put_member_bool(&x->w, STR("parallel_tool_calls"), chat->parallel_tools == 1);
}

// --- settings ---

static void put_format(struct writing *x) {
    const struct chat *chat = x->chat;
    if (chat->output == CHAT_OUTPUT_TEXT && !chat->verbosity.p) return;
    json_put_member_object(&x->w, STR("text"));
    if (chat->output != CHAT_OUTPUT_TEXT) {
        json_put_member_object(&x->w, STR("format"));
        bool schema = chat->output == CHAT_OUTPUT_SCHEMA;
        json_put_member_str(&x->w, STR("type"), schema ? STR("json_schema") : STR("json_object"));
        if (schema) {
            json_put_member_raw(&x->w, STR("name"), chat->output_name.p ? chat->output_name : STR("\"answer\""));
            if (chat->output_description.p) json_put_member_raw(&x->w, STR("description"), chat->output_description);
            json_put_member_raw(&x->w, STR("schema"), chat->output_schema);
            if (chat->output_strict >= 0) json_put_member_bool(&x->w, STR("strict"), chat->output_strict == 1);
        }
        json_put_object_end(&x->w);
    }
    if (chat->verbosity.p) json_put_member_raw(&x->w, STR("verbosity"), chat->verbosity);
    json_put_object_end(&x->w);
}

static bool any_own_thought(const struct chat *chat) {
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; k < chat->turns[i].count; k++)
            if (is_own_thought(&chat->turns[i].parts[k])) return true;
    return false;
}

// Nothing is kept there: what the next turn needs comes back sealed.
static bool put_reasoning(struct writing *x) {
    const struct chat_reasoning *r = &x->chat->reasoning;
    enum chat_effort effort = r->effort;
    if (effort == CHAT_EFFORT_UNSET && r->budget) effort = chat_effort_of_budget(r->budget);
    bool on = effort > CHAT_EFFORT_NONE || r->adaptive;
    if (effort != CHAT_EFFORT_UNSET || on) {
        json_put_member_object(&x->w, STR("reasoning"));
        if (effort != CHAT_EFFORT_UNSET)
            json_put_member_str(&x->w, STR("effort"),
                                effort == CHAT_EFFORT_MAX ? STR("xhigh") : chat_effort_name(effort));
        if (on && !r->hidden) json_put_member_str(&x->w, STR("summary"), STR("auto"));
        json_put_object_end(&x->w);
    }
    bool sealed = on || any_own_thought(x->chat), logprobs = x->chat->logprobs.p != NULL;
    if (!sealed && !logprobs) return on;
    json_put_member_array(&x->w, STR("include"));
    if (sealed) json_put_str(&x->w, STR("reasoning.encrypted_content"));
    if (logprobs) json_put_str(&x->w, STR("message.output_text.logprobs"));
    json_put_array_end(&x->w);
    return on;
}

static bool is_refused(const struct writing *x, struct str name) {
    struct str rest = x->target->traits ? x->target->traits->refuses : STR(""), one;
    while (rest.n && str_split(&rest, ',', &one))
        if (str_eq(str_trim(one), name)) return true;
    return false;
}

static bool only_reasons(struct str model) {
    size_t slash = str_find_char(model, '/');
    if (slash < model.n) model = str_from(model, slash + 1);
    bool series = model.n >= 2 && model.p[0] == 'o' && model.p[1] >= '1' && model.p[1] <= '9';
    bool five = str_starts(model, STR("gpt-5")) && !str_starts(model, STR("gpt-5-chat"));
    return series || five || str_find(model, STR("codex")) < model.n;
}

// JSON, unless it is not given; refused: the model does not take it.
static void put_setting(struct writing *x, struct str name, struct str value, bool refused) {
    if (!value.p) return;
    if (refused || is_refused(x, name))
        chat_drop(x->report, name);
    else
        json_put_member_raw(&x->w, name, value);
}

static void put_settings(struct writing *x) {
    const struct chat *chat = x->chat;
    const struct chat_sampling *s = &chat->sampling;
    const struct {
        struct str name, value;
    } none[] = {{STR("top_k"), s->top_k},
                {STR("seed"), s->seed},
                {STR("frequency_penalty"), s->frequency_penalty},
                {STR("presence_penalty"), s->presence_penalty},
                {STR("logit_bias"), chat->logit_bias},
                {STR("modalities"), chat->modalities},
                {STR("audio"), chat->audio},
                {STR("safety_settings"), chat->safety}};
    put_format(x);
    bool reasons = put_reasoning(x) || only_reasons(x->target->model);
    put_setting(x, STR("temperature"), s->temperature, reasons);
    put_setting(x, STR("top_p"), s->top_p, reasons);
    put_setting(x, STR("user"), chat->user, false);
    put_setting(x, STR("metadata"), chat->metadata, false);
    put_setting(x, STR("service_tier"), chat->service_tier, false);
    put_setting(x, STR("prompt_cache_key"), chat->cached_prefix, false);
    if (json_raw_kind(chat->logprobs) == JSON_NUMBER && chat->logprobs.n)
        put_setting(x, STR("top_logprobs"), chat->logprobs, false);
    uint64_t max = chat->max_output;
    if (max) json_put_member_u64(&x->w, STR("max_output_tokens"), MAX(max, (uint64_t)16)); // fewer are refused
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        if (none[i].value.p) chat_drop(x->report, none[i].name);
    if (chat->stop_count) chat_drop(x->report, STR("stop"));
    if (chat->choices > 1) chat_drop(x->report, STR("n"));
}

bool responses_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                     struct chat_report *report, struct err *err) {
    struct writing x = {.chat = chat, .target = target, .arena = arena, .report = report};
    json_writer_init(&x.w, out);
    json_put_object(&x.w);
    json_put_member_str(&x.w, STR("model"), target->model);
    if (!put_input(&x, err)) return false;
    put_tools(&x);
    put_settings(&x);
    json_put_member_bool(&x.w, STR("store"), false);
    if (chat->stream) json_put_member_bool(&x.w, STR("stream"), true);
    json_put_object_end(&x.w);
    return chat_is_whole(out, arena) || err_no_memory(err);
}
