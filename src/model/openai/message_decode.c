// What a delta or a message says, as chat events: thoughts, text, refusals, pictures, sound, citations.
#include "base/json_write.h"
#include "model/openai/openai.h"

void openai_part_begin(const struct openai_saying *s, enum chat_part_kind kind, struct str id, struct str name,
                       struct str mime) {
    struct chat_event e = {.kind = CHAT_PART_BEGIN,
                           .choice = s->choice,
                           .part = s->d->choices[s->choice].parts++,
                           .part_kind = kind,
                           .id = id,
                           .name = name,
                           .mime = mime};
    s->d->choices[s->choice].open = (int)e.part;
    s->d->choices[s->choice].kind = kind;
    s->d->choices[s->choice].seen = true;
    chat_emit(s->sink, &e);
}

static void say(const struct openai_saying *s, enum chat_event_kind kind, struct str text, struct str raw) {
    struct chat_event e = {.kind = kind,
                           .choice = s->choice,
                           .part = (unsigned)s->d->choices[s->choice].open,
                           .part_kind = s->d->choices[s->choice].kind,
                           .text = text,
                           .raw = raw};
    chat_emit(s->sink, &e);
}

static bool is_open(const struct openai_saying *s, enum chat_part_kind kind) {
    return s->d->choices[s->choice].open >= 0 && s->d->choices[s->choice].kind == kind;
}

static void close_part(const struct openai_saying *s) {
    if (s->d->choices[s->choice].open < 0) return;
    say(s, CHAT_PART_END, STR(""), STR_NONE);
    s->d->choices[s->choice].open = -1;
}

void openai_text(const struct openai_saying *s, enum chat_part_kind kind, struct str escaped) {
    if (!escaped.n) return;
    if (!is_open(s, kind)) openai_part_begin(s, kind, STR(""), STR(""), STR(""));
    say(s, CHAT_DELTA, escaped, STR_NONE);
}

static struct str string_at(struct str object, struct str member) {
    struct str raw;
    return JSON_GET(object, &raw, member) && json_raw_kind(raw) == JSON_STRING ? chat_inner(raw) : STR("");
}

// A signature belongs to the thoughts that are open; what has none to sign opens an empty part.
static void sign(const struct openai_saying *s, struct str signature) {
    if (!signature.n) return;
    if (!is_open(s, CHAT_THINKING)) openai_part_begin(s, CHAT_THINKING, STR(""), STR(""), STR(""));
    say(s, CHAT_SIGNATURE, signature, STR_NONE);
    close_part(s);
}

static void redacted(const struct openai_saying *s, struct str data) {
    if (!data.n) return;
    openai_part_begin(s, CHAT_REDACTED_THINKING, STR(""), STR(""), STR(""));
    say(s, CHAT_DELTA, data, STR_NONE);
    close_part(s);
}

// LiteLLM's thinking_blocks and OpenRouter's reasoning_details.
static void say_block(const struct openai_saying *s, struct str raw, bool with_text) {
    struct str type = string_at(raw, STR("type"));
    if (str_eq(type, STR("redacted_thinking"))) {
        redacted(s, string_at(raw, STR("data")));
    } else if (str_eq(type, STR("reasoning.encrypted"))) {
        if (str_starts(string_at(raw, STR("format")), STR("anthropic"))) redacted(s, string_at(raw, STR("data")));
    } else if (str_eq(type, STR("thinking")) || str_eq(type, STR("reasoning.text"))) {
        struct str text = string_at(raw, str_eq(type, STR("thinking")) ? STR("thinking") : STR("text"));
        if (with_text) openai_text(s, CHAT_THINKING, text);
        sign(s, string_at(raw, STR("signature")));
    }
}

static bool blocks_have_text(struct str array) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind) && json_skip(&r, &raw))
        if (string_at(raw, STR("thinking")).n || string_at(raw, STR("text")).n) return true;
    return false;
}

static void say_blocks(const struct openai_saying *s, struct str array, bool with_text) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind) && json_skip(&r, &raw)) say_block(s, raw, with_text);
}

// In a message the blocks say all there is, and in their order; in a stream the plain member says the text as it comes,
// and the blocks add what signs it.
static void say_thoughts(const struct openai_saying *s, struct str plain, struct str blocks) {
    bool *told_plainly = &s->d->choices[s->choice].plain_thoughts;
    *told_plainly |= !s->whole && plain.n;
    bool from_blocks = blocks.p && !*told_plainly && blocks_have_text(blocks);
    if (!from_blocks) openai_text(s, CHAT_THINKING, plain);
    if (blocks.p) say_blocks(s, blocks, from_blocks);
}

// Mistral: content as a list of {"type":"text"} and {"type":"thinking","thinking":[{"type":"text"}]}.
static void say_list(const struct openai_saying *s, struct str array, enum chat_part_kind kind) {
    struct json_reader r;
    enum json_kind element;
    struct str raw, inner;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &element) && json_skip(&r, &raw)) {
        if (element != JSON_OBJECT) continue;
        openai_text(s, kind, string_at(raw, STR("text")));
        if (kind == CHAT_TEXT && JSON_GET(raw, &inner, STR("thinking"))) {
            if (json_raw_kind(inner) == JSON_ARRAY)
                say_list(s, inner, CHAT_THINKING);
            else if (json_raw_kind(inner) == JSON_STRING)
                openai_text(s, CHAT_THINKING, chat_inner(inner));
        }
    }
}

// OpenRouter and others: {"type":"image_url","image_url":{"url":"data:image/png;base64,…"}}.
static void say_images(const struct openai_saying *s, struct str array) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw, url;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind) && json_skip(&r, &raw)) {
        if (!JSON_GET(raw, &url, STR("image_url"), STR("url")) || json_raw_kind(url) != JSON_STRING) continue;
        url = chat_inner(url);
        size_t comma = str_find_char(url, ','), semi = str_find_char(url, ';');
        if (!str_starts(url, STR("data:")) || comma == url.n || semi > comma) continue;
        openai_part_begin(s, CHAT_IMAGE, STR(""), STR(""), str_of(url.p + 5, semi - 5));
        say(s, CHAT_DELTA, str_from(url, comma + 1), STR_NONE);
        close_part(s);
    }
}

static void say_audio(const struct openai_saying *s, struct str object) {
    struct str data = string_at(object, STR("data"));
    if (data.n) {
        if (!is_open(s, CHAT_AUDIO)) openai_part_begin(s, CHAT_AUDIO, string_at(object, STR("id")), STR(""), STR(""));
        say(s, CHAT_DELTA, data, STR_NONE);
    }
    openai_text(s, CHAT_TEXT, string_at(object, STR("transcript")));
}

static void cite(const struct openai_saying *s, struct str raw) {
    struct str place;
    if (!JSON_GET(raw, &place, STR("url_citation")) || !string_at(place, STR("url")).n) return;
    BUF_AUTO struct buf b = BUF_INIT(place.n * 2 + 256);
    buf_lit(&b, "{\"type\":\"web_search_result_location\",\"url\":\"");
    buf_put(&b, string_at(place, STR("url")));
    buf_lit(&b, "\",\"title\":\"");
    buf_put(&b, string_at(place, STR("title")));
    buf_lit(&b, "\",\"cited_text\":\"");
    buf_put(&b, string_at(place, STR("content")));
    buf_lit(&b, "\"}");
    if (!b.failed) say(s, CHAT_CITATION, STR(""), buf_str(&b));
}

static void say_citations(const struct openai_saying *s, struct str annotations, struct str citations) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    if (!is_open(s, CHAT_TEXT)) return;
    json_reader_init(&r, annotations.p ? annotations : STR("[]"), 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind) && json_skip(&r, &raw))
            if (kind == JSON_OBJECT) cite(s, raw);
    // Our own: as Anthropic has them.
    json_reader_init(&r, citations.p ? citations : STR("[]"), 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind) && json_skip(&r, &raw))
            if (kind == JSON_OBJECT) say(s, CHAT_CITATION, STR(""), raw);
}

enum said {
    CONTENT,
    REFUSAL,
    REASONING_CONTENT,
    REASONING,
    BLOCKS,
    DETAILS,
    CALLS,
    FUNCTION,
    AUDIO,
    IMAGES,
    ANNOTATIONS,
    CITATIONS,
    COUNT
};

static struct str raw_of(const struct json_field *f, enum json_kind kind) {
    return f->found && f->kind == kind ? f->raw : STR_NONE;
}

static struct str text_of(const struct json_field *f) {
    return f->found && f->kind == JSON_STRING ? chat_inner(f->raw) : STR("");
}

static void say_function(const struct openai_saying *s, struct str object) {
    struct str args;
    if (!JSON_GET(object, &args, STR("arguments"))) args = STR_NONE;
    struct json_field index = {.found = true, .kind = JSON_NUMBER, .raw = STR_INIT("0")};
    openai_decode_call(s, &index, STR(""), string_at(object, STR("name")), args, STR(""));
}

bool openai_decode_message(const struct openai_saying *s, struct json_reader *r, struct err *err) {
    struct json_field f[COUNT] = {
        [CONTENT] = {.name = STR_INIT("content")},
        [REFUSAL] = {.name = STR_INIT("refusal")},
        [REASONING_CONTENT] = {.name = STR_INIT("reasoning_content")},
        [REASONING] = {.name = STR_INIT("reasoning")},
        [BLOCKS] = {.name = STR_INIT("thinking_blocks")},
        [DETAILS] = {.name = STR_INIT("reasoning_details")},
        [CALLS] = {.name = STR_INIT("tool_calls")},
        [FUNCTION] = {.name = STR_INIT("function_call")},
        [AUDIO] = {.name = STR_INIT("audio")},
        [IMAGES] = {.name = STR_INIT("images")},
        [ANNOTATIONS] = {.name = STR_INIT("annotations")},
        [CITATIONS] = {.name = STR_INIT("citations")},
    };
    if (!json_object_scan(r, f, COUNT, err)) return false;
    struct str thoughts = text_of(&f[REASONING_CONTENT]);
    if (!thoughts.n) thoughts = text_of(&f[REASONING]);
    struct str blocks = raw_of(&f[BLOCKS], JSON_ARRAY);
    if (!blocks.p) blocks = raw_of(&f[DETAILS], JSON_ARRAY);
    if (thoughts.n || blocks.p) say_thoughts(s, thoughts, blocks);
    openai_text(s, CHAT_TEXT, text_of(&f[CONTENT]));
    if (f[CONTENT].kind == JSON_ARRAY && f[CONTENT].found) say_list(s, f[CONTENT].raw, CHAT_TEXT);
    openai_text(s, CHAT_REFUSAL, text_of(&f[REFUSAL]));
    struct str annotations = raw_of(&f[ANNOTATIONS], JSON_ARRAY), citations = raw_of(&f[CITATIONS], JSON_ARRAY);
    if (annotations.p || citations.p) say_citations(s, annotations, citations);
    if (f[AUDIO].found && f[AUDIO].kind == JSON_OBJECT) say_audio(s, f[AUDIO].raw);
    if (f[IMAGES].found && f[IMAGES].kind == JSON_ARRAY) say_images(s, f[IMAGES].raw);
    if (f[FUNCTION].found && f[FUNCTION].kind == JSON_OBJECT) say_function(s, f[FUNCTION].raw);
    if (f[CALLS].found && f[CALLS].kind == JSON_ARRAY) return openai_decode_calls(s, f[CALLS].raw, err);
    return true;
}
