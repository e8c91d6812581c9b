// Token counts in Anthropic's dialect, where what was read from or written to the cache is not part of the input.
#include "model/anthropic/anthropic.h"
#include "model/chat_scan.h"

struct counts {
    uint64_t value;
    bool told;
};

static void read_count(struct json_reader *r, enum json_kind kind, struct counts *c) {
    struct str raw;
    uint64_t v;
    if (!json_skip(r, &raw) || kind != JSON_NUMBER || !chat_tokens_of(raw, &v)) return;
    *c = (struct counts){v, true};
}

struct told {
    struct counts input, read, written, written_5m, written_1h, output, thinking;
};

// cache_creation and output_tokens_details.
static void read_inner(struct json_reader *r, enum json_kind kind, struct told *t) {
    struct str key;
    if (kind != JSON_OBJECT || !json_enter_object(r)) return;
    while (json_member(r, &key, &kind)) {
        if (json_string_eq(key, STR("ephemeral_5m_input_tokens")))
            read_count(r, kind, &t->written_5m);
        else if (json_string_eq(key, STR("ephemeral_1h_input_tokens")))
            read_count(r, kind, &t->written_1h);
        else if (json_string_eq(key, STR("thinking_tokens")))
            read_count(r, kind, &t->thinking);
    }
}

static void read_member(struct json_reader *r, struct str key, enum json_kind kind, struct told *t) {
    if (json_string_eq(key, STR("input_tokens")))
        read_count(r, kind, &t->input);
    else if (json_string_eq(key, STR("output_tokens")))
        read_count(r, kind, &t->output);
    else if (json_string_eq(key, STR("cache_read_input_tokens")))
        read_count(r, kind, &t->read);
    else if (json_string_eq(key, STR("cache_creation_input_tokens")))
        read_count(r, kind, &t->written);
    else if (json_string_eq(key, STR("cache_creation")) || json_string_eq(key, STR("output_tokens_details")))
        read_inner(r, kind, t);
}

// What is told takes the place of what was told before; what is not stays.
static void merge(const struct told *t, struct usage *u) {
    uint64_t input = u->prompt - u->cached - u->cache_write;
    if (t->input.told) input = t->input.value;
    if (t->read.told) u->cached = t->read.value;
    if (t->written.told)
        u->cache_write = t->written.value;
    else if (t->written_5m.told || t->written_1h.told)
        u->cache_write = t->written_5m.value + t->written_1h.value;
    if (t->written_1h.told) u->cache_write_1h = t->written_1h.value;
    u->cache_write_1h = MIN(u->cache_write_1h, u->cache_write);
    u->prompt = input + u->cached + u->cache_write;
    if (t->output.told) u->output = t->output.value;
    if (t->thinking.told) u->reasoning = t->thinking.value;
    u->reasoning = MIN(u->reasoning, u->output);
}

bool anthropic_usage_read(struct str raw, struct usage *io_usage) {
    struct json_reader r;
    struct str key;
    enum json_kind kind;
    struct told t = {.input = {0}};
    json_reader_init(&r, raw, 0);
    if (!json_peek(&r, &kind) || kind != JSON_OBJECT || !json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind)) read_member(&r, key, kind, &t);
    if (!json_ok(&r) || !(t.input.told || t.output.told || t.read.told || t.written.told)) return false;
    if (io_usage->cached + io_usage->cache_write > io_usage->prompt) *io_usage = (struct usage){0};
    merge(&t, io_usage);
    return true;
}

bool anthropic_usage_of(struct str data, struct usage *io_usage) {
    struct json_field f[] = {{.name = STR_INIT("usage")}, {.name = STR_INIT("message")}};
    struct err ignored;
    struct str inner;
    if (!json_scan(data, f, ARRAY_LEN(f), &ignored)) return false;
    if (f[0].found) return anthropic_usage_read(f[0].raw, io_usage);
    return f[1].found && JSON_GET(f[1].raw, &inner, STR("usage")) && anthropic_usage_read(inner, io_usage);
}

void anthropic_put_usage(const struct usage *u, struct buf *out) {
    uint64_t input = u->prompt - MIN(u->prompt, u->cached + u->cache_write);
    uint64_t hour = MIN(u->cache_write_1h, u->cache_write);
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_u64(&w, STR("input_tokens"), input);
    json_put_member_u64(&w, STR("cache_creation_input_tokens"), u->cache_write);
    json_put_member_u64(&w, STR("cache_read_input_tokens"), u->cached);
    if (u->cache_write) {
        json_put_member_object(&w, STR("cache_creation"));
        json_put_member_u64(&w, STR("ephemeral_5m_input_tokens"), u->cache_write - hour);
        json_put_member_u64(&w, STR("ephemeral_1h_input_tokens"), hour);
        json_put_object_end(&w);
    }
    json_put_member_u64(&w, STR("output_tokens"), u->output);
    if (u->reasoning) {
        json_put_member_object(&w, STR("output_tokens_details"));
        json_put_member_u64(&w, STR("thinking_tokens"), u->reasoning);
        json_put_object_end(&w);
    }
    json_put_object_end(&w);
    json_writer_done(&w);
}
