// The neutral form written as a chat completion's request, for the model and the vendor that it goes to.
#include "base/json_write.h"
#include "model/openai/openai.h"

static void drop(struct openai_writing *x, struct str name) { chat_drop(x->report, name); }

// Writes a member, or reports it where the vendor refuses it.
static void put(struct openai_writing *x, struct str name, struct str raw) {
    if (!raw.p) return;
    if (openai_vendor_refuses(&x->vendor, name))
        drop(x, name);
    else
        json_put_member_raw(x->w, name, raw);
}

// --- tools ---

static void put_tool(struct openai_writing *x, const struct chat_tool *t) {
    struct json_writer *w = x->w;
    json_put_object(w);
    json_put_member_str(w, STR("type"), STR("function"));
    json_put_member_object(w, STR("function"));
    json_put_member_raw(w, STR("name"), t->name);
    if (t->description.p) json_put_member_raw(w, STR("description"), t->description);
    json_put_member_raw(w, STR("parameters"), t->schema.p ? t->schema : STR("{\"type\":\"object\",\"properties\":{}}"));
    if (t->strict >= 0 && !openai_vendor_refuses(&x->vendor, STR("tools[].strict")))
        json_put_member_bool(w, STR("strict"), t->strict);
    json_put_object_end(w);
    if (t->cache_control.p && x->vendor.kind == PROVIDER_OPENROUTER)
        json_put_member_raw(w, STR("cache_control"), t->cache_control);
    else if (t->cache_control.p)
        drop(x, STR("cache_control"));
    json_put_object_end(w);
}

// What a provider runs itself is known to its own dialect alone, save the custom tools of this one.
static bool speakable(struct openai_writing *x, const struct chat_tool *t) {
    struct str type, custom;
    if (!t->hosted.p) return true;
    if (x->vendor.inventor && JSON_GET(t->hosted, &custom, STR("custom"))) return true;
    bool typed = JSON_GET(t->hosted, &type, STR("type")) && json_raw_kind(type) == JSON_STRING;
    struct str name = typed ? chat_inner(type) : t->name.n > 2 ? chat_inner(t->name) : STR("hosted");
    struct str said = arena_printf(x->arena, "tools.%.*s", STR_ARG(str_head(name, 64)));
    drop(x, said.n ? said : STR("tools"));
    return false;
}

static void put_choice(struct openai_writing *x) {
    const struct chat *c = x->chat;
    switch (c->tool_choice) {
    case CHAT_CHOICE_UNSET:
        break;
    case CHAT_CHOICE_AUTO:
        put(x, STR("tool_choice"), STR("\"auto\""));
        break;
    case CHAT_CHOICE_NONE:
        put(x, STR("tool_choice"), STR("\"none\""));
        break;
    case CHAT_CHOICE_ANY:
        put(x, STR("tool_choice"), STR("\"required\""));
        break;
    case CHAT_CHOICE_ONE:
        if (openai_vendor_refuses(&x->vendor, STR("tool_choice"))) {
            drop(x, STR("tool_choice"));
            break;
        }
        json_put_member_object(x->w, STR("tool_choice"));
        json_put_member_str(x->w, STR("type"), STR("function"));
        json_put_member_object(x->w, STR("function"));
        json_put_member_raw(x->w, STR("name"), c->tool_choice_name);
        json_put_object_end(x->w);
        json_put_object_end(x->w);
        break;
    }
}

static void put_tools(struct openai_writing *x) {
    const struct chat *c = x->chat;
    size_t told = 0;
    if (c->tool_count && openai_vendor_refuses(&x->vendor, STR("tools"))) {
        drop(x, STR("tools"));
        return;
    }
    for (size_t i = 0; i < c->tool_count; i++) {
        if (!speakable(x, &c->tools[i])) continue;
        if (told++ == 0) json_put_member_array(x->w, STR("tools"));
        if (c->tools[i].hosted.p)
            json_put_raw(x->w, c->tools[i].hosted);
        else
            put_tool(x, &c->tools[i]);
    }
    if (!told) return; // a choice among none is refused
    json_put_array_end(x->w);
    put_choice(x);
    if (c->parallel_tools >= 0) put(x, STR("parallel_tool_calls"), c->parallel_tools ? STR("true") : STR("false"));
}

// --- the form of the answer ---

static void put_format(struct openai_writing *x) {
    const struct chat *c = x->chat;
    struct json_writer *w = x->w;
    if (c->output == CHAT_OUTPUT_TEXT) return;
    if (openai_vendor_refuses(&x->vendor, STR("response_format"))) {
        drop(x, STR("response_format"));
        return;
    }
    bool schema = c->output == CHAT_OUTPUT_SCHEMA;
    if (schema && openai_vendor_refuses(&x->vendor, STR("json_schema"))) {
        drop(x, STR("response_format.json_schema"));
        schema = false;
    }
    json_put_member_object(w, STR("response_format"));
    json_put_member_str(w, STR("type"), schema ? STR("json_schema") : STR("json_object"));
    if (schema) {
        json_put_member_object(w, STR("json_schema"));
        json_put_member_raw(w, STR("name"), c->output_name.p ? c->output_name : STR("\"answer\""));
        if (c->output_description.p) json_put_member_raw(w, STR("description"), c->output_description);
        json_put_member_raw(w, STR("schema"), c->output_schema);
        if (c->output_strict >= 0) json_put_member_bool(w, STR("strict"), c->output_strict);
        json_put_object_end(w);
    }
    json_put_object_end(w);
}

// --- how it thinks ---

static enum chat_effort effort_of(const struct chat_reasoning *r) {
    if (r->effort || !r->budget) return r->effort;
    return chat_effort_of_budget(r->budget);
}

static void put_openrouter(struct openai_writing *x, enum chat_effort effort) {
    const struct chat_reasoning *r = &x->chat->reasoning;
    if (!effort && !r->adaptive && !r->hidden) return;
    json_put_member_object(x->w, STR("reasoning"));
    if (r->budget)
        json_put_member_u64(x->w, STR("max_tokens"), r->budget);
    else if (effort)
        json_put_member_str(x->w, STR("effort"), effort == CHAT_EFFORT_MAX ? STR("xhigh") : chat_effort_name(effort));
    else if (r->adaptive)
        json_put_member_bool(x->w, STR("enabled"), true);
    if (r->hidden) json_put_member_bool(x->w, STR("exclude"), true);
    json_put_object_end(x->w);
}

static void put_effort(struct openai_writing *x) {
    enum chat_effort effort = effort_of(&x->chat->reasoning);
    const struct openai_vendor *v = &x->vendor;
    if (v->kind == PROVIDER_OPENROUTER) {
        put_openrouter(x, effort);
        return;
    }
    if (v->kind == PROVIDER_GROQ && (str_find(v->model, STR("qwen3")) < v->model.n))
        json_put_member_str(x->w, STR("reasoning_format"),
                            x->chat->reasoning.hidden ? STR("hidden") : STR("parsed")); // else they come as text
    if (v->kind == PROVIDER_DEEPSEEK && effort) {
        json_put_member_raw(x->w, STR("thinking"),
                            effort == CHAT_EFFORT_NONE ? STR("{\"type\":\"disabled\"}")
                                                       : STR("{\"type\":\"enabled\"}"));
        return;
    }
    struct str said = openai_vendor_effort(v, effort);
    if (said.n)
        json_put_member_str(x->w, STR("reasoning_effort"), said);
    else if (effort > CHAT_EFFORT_NONE)
        drop(x, STR("reasoning_effort"));
}

// --- the rest ---

static bool is_one(struct str raw) {
    double v;
    return raw.p && json_raw_double(raw, &v) && v >= 1 && v <= 1;
}

// OpenAI's reasoning models refuse these, unless they are told not to think; their defaults need not be said.
static void put_sampling(struct openai_writing *x) {
    const struct chat_sampling *s = &x->chat->sampling;
    struct openai_vendor *v = &x->vendor;
    const struct {
        struct str name, raw;
    } all[] = {{STR_INIT("temperature"), s->temperature},
               {STR_INIT("top_p"), s->top_p},
               {STR_INIT("frequency_penalty"), s->frequency_penalty},
               {STR_INIT("presence_penalty"), s->presence_penalty},
               {STR_INIT("logit_bias"), x->chat->logit_bias}};
    struct str effort = openai_vendor_effort(v, x->chat->reasoning.effort);
    bool fixed = v->reasoning && !str_eq(effort, STR("none"));
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!all[i].raw.p || (fixed && i < 2 && is_one(all[i].raw))) continue;
        if (fixed)
            drop(x, all[i].name);
        else
            put(x, all[i].name, all[i].raw);
    }
    if (s->top_k.p && v->inventor)
        drop(x, STR("top_k"));
    else
        put(x, STR("top_k"), s->top_k);
    if (s->seed.p && v->kind == PROVIDER_MISTRAL)
        json_put_member_raw(x->w, STR("random_seed"), s->seed);
    else
        put(x, STR("seed"), s->seed);
}

static void put_stop(struct openai_writing *x) {
    const struct chat *c = x->chat;
    size_t n = c->stop_count;
    if (!n) return;
    if (x->vendor.reasoning || openai_vendor_refuses(&x->vendor, STR("stop"))) {
        drop(x, STR("stop"));
        return;
    }
    if (x->vendor.inventor && n > 4) {
        drop(x, STR("stop"));
        n = 4;
    }
    json_put_member_array(x->w, STR("stop"));
    for (size_t i = 0; i < n; i++) json_put_raw(x->w, c->stop[i]);
    json_put_array_end(x->w);
}

static void put_tier(struct openai_writing *x) {
    struct str tier = x->chat->service_tier;
    if (!tier.p) return;
    if (json_string_eq(tier, STR("standard_only"))) tier = STR("\"default\"");
    bool takes = (x->vendor.inventor && x->vendor.kind != PROVIDER_GITHUB) || x->vendor.kind == PROVIDER_GROQ;
    if (takes)
        json_put_member_raw(x->w, STR("service_tier"), tier);
    else
        drop(x, STR("service_tier"));
}

static void put_media_wishes(struct openai_writing *x) {
    const struct chat *c = x->chat;
    bool takes = x->vendor.inventor || x->vendor.kind == PROVIDER_OPENROUTER;
    if (c->modalities.p && takes)
        json_put_member_raw(x->w, STR("modalities"), c->modalities);
    else if (c->modalities.p && !str_eq(c->modalities, STR("[\"text\"]")))
        drop(x, STR("modalities"));
    if (c->audio.p && takes)
        json_put_member_raw(x->w, STR("audio"), c->audio);
    else if (c->audio.p)
        drop(x, STR("audio"));
}

// What is known to OpenAI alone, or to nobody who speaks this dialect.
static void put_particulars(struct openai_writing *x) {
    const struct chat *c = x->chat;
    bool own = x->vendor.kind == PROVIDER_OPENAI || x->vendor.kind == PROVIDER_AZURE;
    put(x, STR("user"), c->user);
    put_tier(x);
    put_media_wishes(x);
    if (c->verbosity.p && own && x->vendor.reasoning)
        json_put_member_raw(x->w, STR("verbosity"), c->verbosity);
    else if (c->verbosity.p)
        drop(x, STR("verbosity"));
    bool key = c->cached_prefix.p && own && !str_starts(c->cached_prefix, STR("\"cachedContents/"));
    if (key)
        json_put_member_raw(x->w, STR("prompt_cache_key"), c->cached_prefix);
    else if (c->cached_prefix.p)
        drop(x, STR("prompt_cache_key"));
    if (c->logprobs.p) drop(x, STR("logprobs")); // they could not be told back
    if (c->metadata.p) drop(x, STR("metadata")); // is taken only of what is stored
    if (c->safety.p) drop(x, STR("safetySettings"));
}

bool openai_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err) {
    struct json_writer w;
    struct openai_writing x = {
        .chat = chat, .vendor = openai_vendor_of(target), .arena = arena, .w = &w, .report = report};
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), target->model);
    openai_write_messages(&x);
    put_tools(&x);
    put_format(&x);
    if (chat->max_output)
        json_put_member_u64(&w, x.vendor.completion_name ? STR("max_completion_tokens") : STR("max_tokens"),
                            chat->max_output);
    put_sampling(&x);
    put_stop(&x);
    if (chat->choices > 1) put(&x, STR("n"), arena_printf(arena, "%u", chat->choices));
    put_effort(&x);
    put_particulars(&x);
    if (chat->stream) {
        json_put_member_bool(&w, STR("stream"), true);
        if (target->traits->asks_usage) json_put_member_raw(&w, STR("stream_options"), STR("{\"include_usage\":true}"));
    }
    json_put_object_end(&w);
    json_writer_done(&w);
    return chat_is_whole(out, arena) || err_no_memory(err);
}
