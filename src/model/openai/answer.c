// A whole answer for a client: chat.completion.
#include "base/json_write.h"
#include "model/openai/openai.h"

static void put_string(struct buf *out, struct str escaped) {
    buf_putc(out, '"');
    buf_put(out, escaped);
    buf_putc(out, '"');
}

static const struct chat_answer_part *next_of(const struct chat_answer *a, unsigned choice, enum chat_part_kind kind,
                                              size_t *io_at) {
    while (*io_at < a->count) {
        const struct chat_answer_part *p = &a->parts[(*io_at)++];
        if (p->choice == choice && p->kind == kind) return p;
    }
    return NULL;
}

static bool has(const struct chat_answer *a, unsigned choice, enum chat_part_kind kind) {
    size_t at = 0;
    return next_of(a, choice, kind, &at);
}

// All parts of a kind as one text, or null when there are none.
static void put_texts(const struct chat_answer *a, unsigned choice, enum chat_part_kind kind, struct buf *out) {
    size_t at = 0;
    const struct chat_answer_part *p;
    if (!has(a, choice, kind)) {
        buf_lit(out, "null");
        return;
    }
    buf_putc(out, '"');
    while ((p = next_of(a, choice, kind, &at))) buf_put(out, p->text);
    buf_putc(out, '"');
}

static void put_block(const struct chat_answer_part *p, struct buf *out) {
    bool redacted = p->kind == CHAT_REDACTED_THINKING;
    if (redacted)
        buf_lit(out, "{\"type\":\"redacted_thinking\",\"data\":");
    else
        buf_lit(out, "{\"type\":\"thinking\",\"thinking\":");
    put_string(out, p->text);
    if (p->signature.n) {
        buf_lit(out, ",\"signature\":");
        put_string(out, p->signature);
    }
    buf_putc(out, '}');
}

// Thoughts as text; and as blocks where something signs them or hides them, for these have to come back as they are.
static void put_thoughts(const struct chat_answer *a, unsigned choice, struct buf *out) {
    bool blocks = has(a, choice, CHAT_REDACTED_THINKING), any = false;
    if (has(a, choice, CHAT_THINKING)) {
        buf_lit(out, ",\"reasoning_content\":");
        put_texts(a, choice, CHAT_THINKING, out);
    }
    for (size_t i = 0; i < a->count; i++)
        blocks |= a->parts[i].choice == choice && a->parts[i].kind == CHAT_THINKING && a->parts[i].signature.n;
    if (!blocks) return;
    buf_lit(out, ",\"thinking_blocks\":[");
    for (size_t i = 0; i < a->count; i++) {
        const struct chat_answer_part *p = &a->parts[i];
        if (p->choice != choice || (p->kind != CHAT_THINKING && p->kind != CHAT_REDACTED_THINKING)) continue;
        if (any) buf_putc(out, ',');
        any = true;
        put_block(p, out);
    }
    buf_putc(out, ']');
}

static void put_call(const struct chat_answer_part *p, struct buf *out) {
    buf_lit(out, "{\"id\":\"");
    buf_put(out, p->id);
    if (p->signature.n) {
        buf_lit(out, OPENAI_THOUGHT_MARK);
        buf_put(out, p->signature);
    }
    buf_lit(out, "\",\"type\":\"function\",\"function\":{\"name\":");
    put_string(out, p->name);
    buf_lit(out, ",\"arguments\":");
    put_string(out, p->text.n ? p->text : STR("{}"));
    buf_putc(out, '}');
    if (p->signature.n) {
        buf_lit(out, ",\"extra_content\":{\"google\":{\"thought_signature\":");
        put_string(out, p->signature);
        buf_lit(out, "}}");
    }
    buf_putc(out, '}');
}

static void put_old_call(const struct chat_answer_part *p, struct buf *out) {
    buf_lit(out, ",\"function_call\":{\"name\":");
    put_string(out, p->name);
    buf_lit(out, ",\"arguments\":");
    put_string(out, p->text.n ? p->text : STR("{}"));
    buf_putc(out, '}');
}

static void put_calls(const struct chat_answer *a, unsigned choice, const struct chat_reply *reply, struct buf *out) {
    size_t at = 0;
    const struct chat_answer_part *p = next_of(a, choice, CHAT_TOOL_CALL, &at);
    if (!p) return;
    if (openai_old_functions(reply)) {
        put_old_call(p, out);
        return;
    }
    buf_lit(out, ",\"tool_calls\":[");
    for (; p; p = next_of(a, choice, CHAT_TOOL_CALL, &at)) {
        put_call(p, out);
        buf_putc(out, ',');
    }
    out->n -= out->n && !out->failed;
    buf_putc(out, ']');
}

static void put_media(const struct chat_answer *a, unsigned choice, const struct chat_reply *reply, struct buf *out) {
    size_t at = 0;
    const struct chat_answer_part *p = next_of(a, choice, CHAT_AUDIO, &at);
    if (p) {
        buf_lit(out, ",\"audio\":{\"id\":\"");
        if (p->id.n)
            buf_put(out, p->id);
        else
            buf_printf(out, "audio_%.*s", STR_ARG(reply->id));
        buf_printf(out, "\",\"expires_at\":%lld,\"transcript\":\"\",\"data\":", (long long)reply->created + 3600);
        put_string(out, p->text);
        buf_putc(out, '}');
    }
    at = 0;
    for (unsigned n = 0; (p = next_of(a, choice, CHAT_IMAGE, &at)); n++) {
        if (n)
            buf_putc(out, ',');
        else
            buf_lit(out, ",\"images\":[");
        buf_printf(out, "{\"index\":%u,\"type\":\"image_url\",\"image_url\":{\"url\":\"data:", n);
        json_escape_put(out, p->mime.n ? p->mime : STR("image/png"));
        buf_lit(out, ";base64,");
        buf_put(out, p->text);
        buf_lit(out, "\"}}");
    }
    if (has(a, choice, CHAT_IMAGE)) buf_putc(out, ']');
}

// --- citations ---

static struct str string_at(struct str object, struct str member) {
    struct str raw;
    return JSON_GET(object, &raw, member) && json_raw_kind(raw) == JSON_STRING ? raw : STR("\"\"");
}

// The next object of several with commas between.
static bool next_object(struct json_reader *r, struct str *out_raw) {
    enum json_kind kind;
    return json_element(r, &kind) && json_skip(r, out_raw);
}

// Those of pages become this dialect's annotations, the rest stays as it is.
static void put_kind(struct str list, bool pages, struct str open, struct buf *out) {
    struct json_reader r;
    struct str raw;
    bool any = false;
    json_reader_init(&r, list, 0);
    if (!json_enter_array(&r)) return;
    while (next_object(&r, &raw)) {
        struct str url = string_at(raw, STR("url"));
        if ((url.n > 2) != pages) continue;
        buf_put(out, any ? STR(",") : open);
        any = true;
        if (!pages) {
            buf_put(out, raw);
            continue;
        }
        buf_lit(out, "{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":0,\"end_index\":0,\"url\":");
        buf_put(out, url);
        buf_lit(out, ",\"title\":");
        buf_put(out, string_at(raw, STR("title")));
        buf_lit(out, "}}");
    }
    if (any) buf_putc(out, ']');
}

void openai_citations_put(struct buf *out, struct str citations) {
    struct buf list = BUF_INIT(citations.n + 2);
    buf_putc(&list, '[');
    buf_put(&list, citations);
    buf_putc(&list, ']');
    size_t before = out->n;
    if (!list.failed) {
        put_kind(buf_str(&list), true, STR("\"annotations\":["), out);
        put_kind(buf_str(&list), false, out->n > before ? STR(",\"citations\":[") : STR("\"citations\":["), out);
    }
    buf_free(&list);
}

static void put_citations(const struct chat_answer *a, unsigned choice, struct buf *out) {
    struct buf all = BUF_INIT((size_t)1 << 26);
    for (size_t i = 0; i < a->count; i++) {
        if (a->parts[i].choice != choice || !a->parts[i].citations.n) continue;
        if (all.n) buf_putc(&all, ',');
        buf_put(&all, a->parts[i].citations);
    }
    if (all.n && !all.failed) {
        buf_putc(out, ',');
        openai_citations_put(out, buf_str(&all));
    }
    buf_free(&all);
}

static void put_choice(const struct chat_answer *a, unsigned choice, const struct chat_reply *reply, struct buf *out) {
    buf_lit(out, "{\"index\":");
    buf_put_u64(out, choice);
    buf_lit(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
    put_texts(a, choice, CHAT_TEXT, out);
    buf_lit(out, ",\"refusal\":");
    put_texts(a, choice, CHAT_REFUSAL, out);
    put_thoughts(a, choice, out);
    put_calls(a, choice, reply, out);
    put_media(a, choice, reply, out);
    put_citations(a, choice, out);
    buf_lit(out, "},\"logprobs\":null,\"finish_reason\":");
    put_string(out, openai_finish_for(reply, choice < CHAT_CHOICES_MAX ? a->finish[choice] : CHAT_FINISH_NONE));
    buf_putc(out, '}');
}

void openai_put_answer(const struct chat_answer *a, const struct chat_reply *reply, struct buf *out) {
    buf_printf(out, "{\"id\":\"chatcmpl-%.*s\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":\"",
               STR_ARG(reply->id), (long long)reply->created);
    json_escape_put(out, reply->model);
    buf_lit(out, "\",\"choices\":[");
    for (unsigned i = 0; i < MAX(a->choices, 1u); i++) {
        if (i) buf_putc(out, ',');
        put_choice(a, i, reply, out);
    }
    buf_putc(out, ']');
    if (a->has_usage) {
        buf_lit(out, ",\"usage\":");
        openai_usage_put(out, &a->usage);
    }
    buf_putc(out, '}');
}
