// Writes the neutral form as a request for Bedrock's Converse: all but the messages.
#include "model/bedrock/bedrock.h"

static bool has(struct str name, struct str word) { return str_find(name, word) < name.n; }

enum bedrock_family bedrock_family_of(struct str model) {
    if (has(model, STR("anthropic.")) || has(model, STR("claude-"))) return BEDROCK_CLAUDE;
    if (has(model, STR("amazon.nova"))) return BEDROCK_NOVA;
    if (has(model, STR("openai.gpt-oss"))) return BEDROCK_GPT_OSS;
    return BEDROCK_OTHER;
}

// --- what the model takes ---

static bool any_call(const struct chat *c) {
    for (size_t t = 0; t < c->count; t++)
        for (size_t i = 0; i < c->turns[t].count; i++)
            if (c->turns[t].parts[i].kind == CHAT_TOOL_CALL) return true;
    return false;
}

static bool has_object_schema(const struct chat *c) {
    struct str type;
    return c->output == CHAT_OUTPUT_SCHEMA && c->output_schema.p && JSON_GET(c->output_schema, &type, STR("type")) &&
           json_string_eq(type, STR("object"));
}

static bool plan_claude(struct bedrock_writer *b, const struct chat_target *target) {
    struct anthropic_writing *x = &b->claude;
    const struct chat_sampling *s = &b->chat->sampling;
    struct buf text = BUF_INIT(s->temperature.n + s->top_p.n + s->top_k.n + 4096);
    struct json_field f[] = {
        {.name = STR_INIT("temperature")}, {.name = STR_INIT("top_p")}, {.name = STR_INIT("top_k")}};
    *x = (struct anthropic_writing){.chat = b->chat,
                                    .family = anthropic_family_of(target->model),
                                    .arena = b->arena,
                                    .report = b->report,
                                    .err = b->err};
    // An older model knows schemas as those of tools alone; of its answer the decoder makes a text.
    x->json_tool = !(x->family->flags & ANTHROPIC_SCHEMA) && (x->family->flags & ANTHROPIC_FORCES) &&
                   has_object_schema(b->chat) && !b->chat->tool_count && !any_call(b->chat);
    x->forces = b->chat->tool_choice == CHAT_CHOICE_ANY || b->chat->tool_choice == CHAT_CHOICE_ONE;
    x->max_tokens = b->chat->max_output ? b->chat->max_output : target->max_output;
    if (!x->max_tokens) x->max_tokens = x->family->max_output ? x->family->max_output : ANTHROPIC_OUTPUT_DEFAULT;
    anthropic_plan_thinking(x);
    json_writer_init(&x->w, &text);
    json_put_object(&x->w);
    anthropic_put_sampling(x);
    json_put_object_end(&x->w);
    struct str kept = text.failed ? STR_NONE : arena_str(b->arena, buf_str(&text));
    buf_free(&text);
    if (!kept.p) return err_no_memory(b->err);
    if (!json_scan(kept, f, ARRAY_LEN(f), b->err)) return false;
    b->temperature = f[0].raw;
    b->top_p = f[1].raw;
    b->top_k = f[2].raw;
    return true;
}

bool bedrock_plan(struct bedrock_writer *b, const struct chat_target *target) {
    const struct chat_sampling *s = &b->chat->sampling;
    if (b->family == BEDROCK_CLAUDE) return plan_claude(b, target);
    b->temperature = s->temperature;
    b->top_p = s->top_p;
    b->top_k = s->top_k;
    if (b->family != BEDROCK_NOVA) {
        chat_drop_given(b->report, STR("top_k"), b->top_k);
        b->top_k = STR_NONE;
    }
    return true;
}

void bedrock_put_inference(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    uint64_t most = c->max_output;
    // Thinking takes its room out of the answer's, so the answer's is said.
    if (!most && b->family == BEDROCK_CLAUDE && b->claude.thinking == ANTHROPIC_ON_BUDGET) most = b->claude.max_tokens;
    if (!most && !b->temperature.p && !b->top_p.p && !c->stop_count) return;
    json_put_member_object(&b->w, STR("inferenceConfig"));
    if (most) json_put_member_u64(&b->w, STR("maxTokens"), most);
    chat_put_given(&b->w, STR("temperature"), b->temperature);
    chat_put_given(&b->w, STR("topP"), b->top_p);
    if (c->stop_count) {
        json_put_member_array(&b->w, STR("stopSequences"));
        for (size_t i = 0; i < c->stop_count; i++) json_put_raw(&b->w, c->stop[i]);
        json_put_array_end(&b->w);
    }
    json_put_object_end(&b->w);
}

// --- what only some models know ---

static bool wants_thoughts(const struct chat_reasoning *r) {
    return r->budget || r->adaptive || r->effort > CHAT_EFFORT_NONE;
}

static enum chat_effort effort_of(const struct chat_reasoning *r) {
    if (r->effort) return r->effort;
    return r->budget ? chat_effort_of_budget(r->budget) : CHAT_EFFORT_MEDIUM;
}

// "low", "medium" or "high".
static struct str plain_effort(const struct chat_reasoning *r) {
    enum chat_effort e = effort_of(r);
    if (e <= CHAT_EFFORT_LOW) return STR("low");
    return e == CHAT_EFFORT_MEDIUM ? STR("medium") : STR("high");
}

static void put_claude_fields(struct bedrock_writer *b, struct buf *out) {
    struct anthropic_writing *x = &b->claude;
    json_writer_init(&x->w, out);
    json_put_object(&x->w);
    anthropic_put_thinking(x);
    if (x->effort) {
        json_put_member_object(&x->w, STR("output_config"));
        json_put_member_str(&x->w, STR("effort"), chat_effort_name(x->effort));
        json_put_object_end(&x->w);
    }
    chat_put_given(&x->w, STR("top_k"), b->top_k);
    json_put_object_end(&x->w);
}

static void put_other_fields(struct bedrock_writer *b, struct buf *out) {
    const struct chat_reasoning *r = &b->chat->reasoning;
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    if (b->top_k.p) {
        json_put_member_object(&w, STR("inferenceConfig"));
        json_put_member_raw(&w, STR("topK"), b->top_k);
        json_put_object_end(&w);
    }
    if (b->family == BEDROCK_GPT_OSS && wants_thoughts(r)) {
        json_put_member_str(&w, STR("reasoning_effort"), plain_effort(r));
    } else if (b->family == BEDROCK_NOVA && wants_thoughts(r)) {
        json_put_member_object(&w, STR("reasoningConfig"));
        json_put_member_str(&w, STR("type"), STR("enabled"));
        json_put_member_str(&w, STR("maxReasoningEffort"), plain_effort(r));
        json_put_object_end(&w);
    } else if (wants_thoughts(r)) {
        chat_drop(b->report, STR("reasoning_effort"));
    }
    json_put_object_end(&w);
}

void bedrock_put_fields(struct bedrock_writer *b) {
    BUF_AUTO struct buf fields = BUF_INIT(b->top_k.n + 8192);
    if (b->family == BEDROCK_CLAUDE)
        put_claude_fields(b, &fields);
    else
        put_other_fields(b, &fields);
    b->out->failed |= fields.failed;
    if (fields.n > 2) json_put_member_raw(&b->w, STR("additionalModelRequestFields"), buf_str(&fields));
}

// --- the rest ---

static void put_schema(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    if (b->claude.json_tool) return; // its place is among the tools
    if (b->family == BEDROCK_CLAUDE && !(b->claude.family->flags & ANTHROPIC_SCHEMA)) {
        chat_drop(b->report, STR("response_format"));
        return;
    }
    BUF_AUTO struct buf schema = BUF_INIT(c->output_schema.n * 4 + 4096);
    struct json_writer w;
    json_writer_init(&w, &schema);
    if (b->family == BEDROCK_CLAUDE)
        anthropic_close_schema(c->output_schema, b->arena, &w);
    else
        json_put_raw(&w, c->output_schema);
    json_put_member_object(&b->w, STR("outputConfig"));
    json_put_member_object(&b->w, STR("textFormat"));
    json_put_member_str(&b->w, STR("type"), STR("json_schema"));
    json_put_member_object(&b->w, STR("structure"));
    json_put_member_object(&b->w, STR("jsonSchema"));
    json_put_member_str(&b->w, STR("schema"), buf_str(&schema));
    chat_put_given(&b->w, STR("name"), c->output_name);
    chat_put_given(&b->w, STR("description"), c->output_description);
    for (int i = 0; i < 4; i++) json_put_object_end(&b->w);
    if (schema.failed) b->out->failed = true;
}

// Bedrock takes texts of up to 256 characters, sixteen of them.
static bool metadata_fits(struct str metadata) {
    struct json_reader r;
    struct str key, raw;
    enum json_kind kind;
    unsigned n = 0;
    json_reader_init(&r, metadata, 0);
    if (!json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind)) {
        if (kind != JSON_STRING || !json_skip(&r, &raw) || json_string_len(raw) > 256 || json_string_len(key) > 256)
            return false;
        n++;
    }
    return json_ok(&r) && n >= 1 && n <= 16;
}

static void put_tier(struct bedrock_writer *b) {
    struct str tier = b->chat->service_tier;
    if (!tier.p || json_string_eq(tier, STR("auto"))) return;
    if (!json_string_eq(tier, STR("default")) && !json_string_eq(tier, STR("flex")) &&
        !json_string_eq(tier, STR("priority"))) {
        chat_drop(b->report, STR("service_tier"));
        return;
    }
    json_put_member_object(&b->w, STR("serviceTier"));
    json_put_member_raw(&b->w, STR("type"), tier);
    json_put_object_end(&b->w);
}

void bedrock_put_rest(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    if (c->output == CHAT_OUTPUT_SCHEMA && c->output_schema.p) put_schema(b);
    if (c->output == CHAT_OUTPUT_JSON) chat_drop(b->report, STR("response_format"));
    put_tier(b);
    if (c->metadata.p && metadata_fits(c->metadata))
        json_put_member_raw(&b->w, STR("requestMetadata"), c->metadata);
    else
        chat_drop_given(b->report, STR("metadata"), c->metadata);
    if (c->parallel_tools == 0) chat_drop(b->report, STR("parallel_tool_calls"));
    chat_drop_given(b->report, STR("user"), c->user);
    chat_drop_given(b->report, STR("seed"), c->sampling.seed);
    chat_drop_given(b->report, STR("frequency_penalty"), c->sampling.frequency_penalty);
    chat_drop_given(b->report, STR("presence_penalty"), c->sampling.presence_penalty);
    chat_drop_extras(c, b->report);
}

bool bedrock_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                   struct chat_report *report, struct err *err) {
    struct bedrock_writer b = {.out = out,
                               .chat = chat,
                               .arena = arena,
                               .report = report,
                               .err = err,
                               .family = bedrock_family_of(target->model),
                               .open_role = -1};
    if (!bedrock_plan(&b, target)) return false;
    json_writer_init(&b.w, out);
    json_put_object(&b.w);
    bedrock_put_messages(&b);
    bedrock_put_system(&b);
    bedrock_put_inference(&b);
    bedrock_put_tools(&b);
    bedrock_put_fields(&b);
    bedrock_put_rest(&b);
    json_put_object_end(&b.w);
    json_writer_done(&b.w);
    return chat_is_whole(out, arena) || err_no_memory(err);
}
