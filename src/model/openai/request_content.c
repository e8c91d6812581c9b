// The content of a message: a text or a list of typed parts; and the thoughts that came with it.
#include "model/openai/openai.h"

#define STRING JSON_IS(JSON_STRING)
#define OBJECT JSON_IS(JSON_OBJECT)

static bool take_string(struct str *out, struct str object, struct str member) {
    struct str raw;
    if (!JSON_GET(object, &raw, member) || json_raw_kind(raw) != JSON_STRING) return false;
    *out = raw;
    return true;
}

// {"url": "…", "detail": "…"}, or the URL alone as some send it.
static bool read_url(struct openai_reading *x, struct chat_part *part, enum chat_part_kind kind, struct str raw,
                     struct str name) {
    struct str url = raw, detail = STR_NONE;
    part->kind = kind;
    if (!raw.p) return openai_missing(x, name);
    if (raw.p[0] == '{' && !take_string(&url, raw, STR("url"))) return openai_missing(x, name);
    if (url.n == 2) return openai_wrong(x, name, "has an empty URL");
    if (raw.p[0] == '{') (void)take_string(&detail, raw, STR("detail"));
    if (!chat_media_of_url(url, x->arena, &part->media) && !part->media.url.p) return err_no_memory(x->err);
    part->media.detail = detail;
    return true;
}

static bool read_audio(struct openai_reading *x, struct chat_part *part, struct str raw) {
    struct str data, format = STR_NONE;
    part->kind = CHAT_AUDIO;
    if (!raw.p || raw.p[0] != '{' || !take_string(&data, raw, STR("data")))
        return openai_missing(x, STR("input_audio.data"));
    if (!json_string_text(data, x->arena, &part->media.data)) return err_no_memory(x->err);
    if (take_string(&format, raw, STR("format")) && str_find_char(format, '\\') == format.n) {
        part->media.mime = arena_printf(x->arena, "audio/%.*s", STR_ARG(str_head(chat_inner(format), 40)));
        if (!part->media.mime.n) return err_no_memory(x->err);
    }
    return true;
}

// {"file_id"} or {"file_data": data URL, base64 or (OpenRouter) a URL, "filename"}.
static bool read_file(struct openai_reading *x, struct chat_part *part, struct str raw) {
    struct str data, text;
    part->kind = CHAT_FILE;
    if (!raw.p || raw.p[0] != '{') return openai_missing(x, STR("file"));
    if (take_string(&data, raw, STR("file_data")) || take_string(&data, raw, STR("file_url"))) {
        if (!json_string_text(data, x->arena, &text)) return err_no_memory(x->err);
        bool is_url = str_starts(text, STR("http://")) || str_starts(text, STR("https://"));
        bool is_data = text.n > 5 && str_eq_nocase(str_head(text, 5), STR("data:"));
        if (is_data || is_url)
            (void)chat_media_of_url(data, x->arena, &part->media);
        else
            part->media = (struct chat_media){.data = text, .mime = STR("application/pdf")};
    } else if (!take_string(&part->media.file_id, raw, STR("file_id"))) {
        return openai_wrong(x, STR("file"), "must have \"file_id\" or \"file_data\"");
    }
    (void)take_string(&part->media.name, raw, STR("filename"));
    return true;
}

// Mistral: {"type":"thinking","thinking":[{"type":"text","text":…}]}; others: the text itself.
static bool read_thinking(struct openai_reading *x, struct chat_part *part, struct str raw) {
    part->kind = CHAT_THINKING;
    part->text = STR("\"\"");
    if (!raw.p) return true;
    if (raw.p[0] == '"') {
        part->text = raw;
        return true;
    }
    struct buf joined = BUF_INIT(raw.n + 2);
    struct json_reader r;
    enum json_kind kind;
    struct str element, text;
    buf_putc(&joined, '"');
    json_reader_init(&r, raw, 0);
    if (json_enter_array(&r))
        while (json_element(&r, &kind) && json_skip(&r, &element))
            if (take_string(&text, element, STR("text"))) buf_put(&joined, chat_inner(text));
    buf_putc(&joined, '"');
    part->text = joined.failed ? STR_NONE : arena_str(x->arena, buf_str(&joined));
    buf_free(&joined);
    return part->text.p || err_no_memory(x->err);
}

enum part_member {
    TYPE,
    TEXT,
    REFUSAL,
    IMAGE,
    AUDIO,
    FILE_OF,
    VIDEO,
    AUDIO_URL,
    DOCUMENT,
    THINKING,
    SIGNATURE,
    CACHE,
    COUNT
};
static const struct openai_member k_part[COUNT] = {
    [TYPE] = {STR_INIT("type"), STRING, NULL},
    [TEXT] = {STR_INIT("text"), STRING, NULL},
    [REFUSAL] = {STR_INIT("refusal"), STRING, NULL},
    [IMAGE] = {STR_INIT("image_url"), STRING | OBJECT, NULL},
    [AUDIO] = {STR_INIT("input_audio"), OBJECT, NULL},
    [FILE_OF] = {STR_INIT("file"), OBJECT, NULL},
    [VIDEO] = {STR_INIT("video_url"), STRING | OBJECT, NULL},
    [AUDIO_URL] = {STR_INIT("audio_url"), STRING | OBJECT, NULL},
    [DOCUMENT] = {STR_INIT("document_url"), STRING | OBJECT, NULL},
    [THINKING] = {STR_INIT("thinking"), 0, NULL},
    [SIGNATURE] = {STR_INIT("signature"), STRING, NULL},
    [CACHE] = {STR_INIT("cache_control"), OBJECT, NULL},
};

static bool read_typed(struct openai_reading *x, struct chat_part *part, const struct str *m) {
    struct str type = m[TYPE];
    if (json_string_eq(type, STR("text"))) {
        part->text = m[TEXT];
        return part->text.p || openai_missing(x, STR("text"));
    }
    if (json_string_eq(type, STR("image_url"))) return read_url(x, part, CHAT_IMAGE, m[IMAGE], STR("image_url"));
    if (json_string_eq(type, STR("input_audio"))) return read_audio(x, part, m[AUDIO]);
    if (json_string_eq(type, STR("file"))) return read_file(x, part, m[FILE_OF]);
    if (json_string_eq(type, STR("refusal"))) {
        part->kind = CHAT_REFUSAL;
        part->text = m[REFUSAL];
        return part->text.p || openai_missing(x, STR("refusal"));
    }
    if (json_string_eq(type, STR("video_url"))) return read_url(x, part, CHAT_VIDEO, m[VIDEO], STR("video_url"));
    if (json_string_eq(type, STR("audio_url"))) return read_url(x, part, CHAT_AUDIO, m[AUDIO_URL], STR("audio_url"));
    if (json_string_eq(type, STR("document_url")))
        return read_url(x, part, CHAT_FILE, m[DOCUMENT], STR("document_url"));
    if (json_string_eq(type, STR("thinking"))) {
        part->signature = m[SIGNATURE];
        return read_thinking(x, part, m[THINKING]);
    }
    return openai_wrong(x, STR("type"), "is unknown");
}

static bool read_part(struct openai_reading *x, struct json_reader *r) {
    struct str m[COUNT];
    struct chat_part *part = openai_part_add(x, x->into);
    if (!part || !openai_members(x, r, k_part, COUNT, "messages[].content[].", m)) return false;
    if (!m[TYPE].p) return openai_missing(x, STR("type"));
    part->cache_control = m[CACHE];
    return read_typed(x, part, m);
}

bool openai_read_content(struct openai_reading *x, struct json_reader *r) {
    enum json_kind kind;
    if (!json_peek(r, &kind)) return false;
    // So that an empty list is told from none.
    void *room = NULL;
    if (!openai_grow(x->arena, &room, 0, &x->into->cap, sizeof *x->into->p)) return err_no_memory(x->err);
    x->into->p = room;
    if (kind == JSON_STRING) {
        struct chat_part *part = openai_part_add(x, x->into);
        return part && json_string(r, &part->text);
    }
    if (!json_enter_array(r)) return false;
    x->list = "content";
    for (x->element = 0; json_element(r, &kind); x->element++) {
        if (kind != JSON_OBJECT) return openai_wrong(x, STR(""), "must be an object");
        if (!read_part(x, r)) return false;
    }
    x->list = NULL;
    return json_ok(r);
}

// --- thoughts ---

// {"type":"thinking","thinking","signature"} and {"type":"redacted_thinking","data"}.
static bool read_block(struct openai_reading *x, struct str raw, struct openai_part_list *out_parts) {
    struct chat_part *part;
    struct str type, text;
    if (json_raw_kind(raw) != JSON_OBJECT || !take_string(&type, raw, STR("type")))
        return openai_wrong(x, STR("thinking_blocks"), "must be objects with a type");
    bool redacted = json_string_eq(type, STR("redacted_thinking"));
    if (!take_string(&text, raw, redacted ? STR("data") : STR("thinking"))) text = STR("\"\"");
    if (!(part = openai_part_add(x, out_parts))) return false;
    part->kind = redacted ? CHAT_REDACTED_THINKING : CHAT_THINKING;
    part->text = text;
    if (!redacted) (void)take_string(&part->signature, raw, STR("signature"));
    return true;
}

// OpenRouter: {"type":"reasoning.text","text","signature"}, {"type":"reasoning.encrypted","data","format"}.
static bool read_detail(struct openai_reading *x, struct str raw, struct openai_part_list *out_parts) {
    struct chat_part *part;
    struct str type, text, format = STR_NONE;
    if (json_raw_kind(raw) != JSON_OBJECT || !take_string(&type, raw, STR("type"))) return true;
    (void)take_string(&format, raw, STR("format"));
    bool redacted = json_string_eq(type, STR("reasoning.encrypted"));
    if (redacted && !str_starts(format, STR("\"anthropic"))) return true;
    if (!take_string(&text, raw, redacted ? STR("data") : STR("text"))) return true;
    if (!(part = openai_part_add(x, out_parts))) return false;
    part->kind = redacted ? CHAT_REDACTED_THINKING : CHAT_THINKING;
    part->text = text;
    if (!redacted) (void)take_string(&part->signature, raw, STR("signature"));
    return true;
}

static bool each(struct openai_reading *x, struct str array, struct openai_part_list *out_parts,
                 bool (*read)(struct openai_reading *x, struct str raw, struct openai_part_list *out_parts)) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind) && json_skip(&r, &raw))
        if (!read(x, raw, out_parts)) return false;
    return true;
}

// A signature that came without its text, as streams tell it: the text is what "reasoning_content" gathered, when there
// is one block only. A signature that cannot be told apart any more is worth nothing.
static void rejoin(struct openai_part_list *parts, struct str text) {
    size_t empty = 0;
    for (size_t i = 0; i < parts->n; i++) empty += parts->p[i].kind == CHAT_THINKING && parts->p[i].text.n == 2;
    for (size_t i = 0; i < parts->n; i++) {
        struct chat_part *part = &parts->p[i];
        if (part->kind != CHAT_THINKING || part->text.n != 2 || text.n <= 2) continue;
        part->text = text;
        if (empty > 1) part->signature = STR_NONE;
        return;
    }
}

bool openai_read_thoughts(struct openai_reading *x, struct str blocks, struct str details, struct str text,
                          struct openai_part_list *out_parts) {
    size_t before = out_parts->n;
    if (blocks.p && !each(x, blocks, out_parts, read_block)) return false;
    if (out_parts->n == before && details.p && !each(x, details, out_parts, read_detail)) return false;
    if (out_parts->n > before) {
        rejoin(out_parts, text);
        return true;
    }
    if (text.n <= 2) return true;
    struct chat_part *part = openai_part_add(x, out_parts);
    if (!part) return false;
    part->kind = CHAT_THINKING;
    part->text = text;
    return true;
}
