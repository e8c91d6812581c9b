// The content of a message in Anthropic's dialect read into the parts of a turn.
#include "model/anthropic/anthropic.h"

#include <stdio.h>

#define KINDS(k) JSON_IS(JSON_##k)
#define BLOCK "messages[].content[]."

// Each block becomes one part at most, and each image within a document one more.
struct parts {
    struct chat_part *list;
    size_t n, cap;
    size_t spare; // for such images
};

static struct chat_part *part_new(struct parts *to, enum chat_part_kind kind) {
    INVARIANT(to->n < to->cap);
    struct chat_part *p = &to->list[to->n++];
    *p = (struct chat_part){.kind = kind};
    return p;
}

static bool parts_init(struct anthropic_reading *r, struct parts *to, size_t blocks, size_t spare) {
    size_t cap = blocks + spare;
    *to = (struct parts){
        .list = ARENA_ARRAY(r->arena, struct chat_part, MAX(cap, (size_t)1)), .cap = cap, .spare = spare};
    return to->list || err_no_memory(r->err);
}

static bool read_text(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("text"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
        {.name = STR_INIT("citations"), .kinds = KINDS(ARRAY)},
    };
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    struct chat_part *p = part_new(to, CHAT_TEXT);
    p->text = f[1].raw;
    p->cache_control = f[2].raw;
    p->citations = f[3].raw;
    return true;
}

// --- sources ---

struct source {
    struct str type, media_type, data, url, file_id, content;
};

static bool read_source(struct anthropic_reading *r, struct str raw, struct source *out) {
    struct json_field f[] = {
        {.name = STR_INIT("type"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("media_type"), .kinds = KINDS(STRING)},
        {.name = STR_INIT("data"), .kinds = KINDS(STRING)},
        {.name = STR_INIT("url"), .kinds = KINDS(STRING)},
        {.name = STR_INIT("file_id"), .kinds = KINDS(STRING)},
        {.name = STR_INIT("content"), .kinds = KINDS(STRING) | KINDS(ARRAY)},
    };
    if (!anthropic_members(r, raw, STR(BLOCK "source."), f, ARRAY_LEN(f))) return false;
    *out = (struct source){f[0].raw, f[1].raw, f[2].raw, f[3].raw, f[4].raw, f[5].raw};
    return true;
}

// All sources but "content".
static bool media_of(struct anthropic_reading *r, const struct source *s, struct chat_media *out) {
    struct chat_media m = {.mime = STR("")};
    if (s->media_type.p && !json_string_text(s->media_type, r->arena, &m.mime)) return err_no_memory(r->err);
    if (json_string_eq(s->type, STR("base64")) && s->data.p) {
        if (!json_string_text(s->data, r->arena, &m.data)) return err_no_memory(r->err);
    } else if (json_string_eq(s->type, STR("url")) && s->url.p) {
        m.url = s->url;
    } else if (json_string_eq(s->type, STR("file")) && s->file_id.p) {
        m.file_id = s->file_id;
    } else if (json_string_eq(s->type, STR("text")) && s->data.p) {
        m.text = s->data;
    } else {
        return anthropic_wrong(r, "source", "it is not a source of a known type with the field that this type needs");
    }
    *out = m;
    return true;
}

static bool read_image(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("source"), .kinds = KINDS(OBJECT), .required = true},
        {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
    };
    struct source source;
    struct chat_media media;
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    if (!read_source(r, f[1].raw, &source) || !media_of(r, &source, &media)) return false;
    struct chat_part *p = part_new(to, CHAT_IMAGE);
    p->media = media;
    p->cache_control = f[2].raw;
    return true;
}

// The texts of a list of blocks as one JSON string; the images among them become parts of their own. first: a line to
// begin with, escaped.
static bool join_texts(struct anthropic_reading *r, struct str first, struct str content, struct parts *to,
                       struct str *out_text) {
    struct str *list, type, text;
    size_t n;
    BUF_AUTO struct buf b = BUF_INIT(content.n + first.n + 64);
    if (!anthropic_elements(r, content, &list, &n)) return false;
    buf_putc(&b, '"');
    buf_put(&b, first);
    for (size_t i = 0; i < n; i++) {
        if (!JSON_GET(list[i], &type, STR("type"))) return anthropic_wrong(r, "source.content", "a block has no type");
        if (json_string_eq(type, STR("image")) && to->spare) {
            to->spare--;
            if (!read_image(r, list[i], to)) return false;
            continue;
        }
        if (!JSON_GET(list[i], &text, STR("text")) || json_raw_kind(text) != JSON_STRING)
            return anthropic_wrong(r, "content", "text and images only were expected");
        if (b.n > 1) buf_lit(&b, "\\n");
        buf_put(&b, chat_inner(text));
    }
    buf_putc(&b, '"');
    *out_text = b.failed ? STR_NONE : arena_str(r->arena, buf_str(&b));
    return out_text->p || err_no_memory(r->err);
}

static bool read_document(struct anthropic_reading *r, struct str raw, struct parts *to) {
    enum { TYPE, SOURCE, CACHE, CITATIONS, TITLE };
    struct json_field f[] = {
        [TYPE] = {.name = STR_INIT("type")},
        [SOURCE] = {.name = STR_INIT("source"), .kinds = KINDS(OBJECT), .required = true},
        [CACHE] = {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
        [CITATIONS] = {.name = STR_INIT("citations"), .kinds = KINDS(OBJECT)},
        [TITLE] = {.name = STR_INIT("title"), .kinds = KINDS(STRING)},
    };
    struct source source;
    struct chat_media media = {.mime = STR_INIT("text/plain")};
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    if (!read_source(r, f[SOURCE].raw, &source)) return false;
    struct chat_part *p = part_new(to, CHAT_FILE);
    if (json_string_eq(source.type, STR("content")) && source.content.p) {
        bool list = json_raw_kind(source.content) == JSON_ARRAY;
        if (!list) media.text = source.content;
        if (list && !join_texts(r, STR(""), source.content, to, &media.text)) return false;
    } else if (!media_of(r, &source, &media)) {
        return false;
    }
    p->media = media;
    p->media.name = f[TITLE].raw;
    p->cache_control = f[CACHE].raw;
    p->citations = f[CITATIONS].raw;
    return true;
}

// Other dialects have no such block: title, source and text in one.
static bool read_search_result(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("source"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("title"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("content"), .kinds = KINDS(ARRAY), .required = true},
        {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
    };
    struct str text;
    struct parts none = {.cap = 0};
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    struct str first =
        arena_printf(r->arena, "%.*s\\n%.*s", STR_ARG(chat_inner(f[2].raw)), STR_ARG(chat_inner(f[1].raw)));
    if (!join_texts(r, first, f[3].raw, &none, &text)) return false;
    struct chat_part *p = part_new(to, CHAT_TEXT);
    p->text = text;
    p->cache_control = f[4].raw;
    return true;
}

// --- tools and thoughts ---

static bool read_call(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("id"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("name"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("input"), .kinds = KINDS(OBJECT), .required = true},
        {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
        {.name = STR_INIT("caller")}, // "direct", as every answer says
    };
    struct str caller;
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    if (f[5].found && (!JSON_GET(f[5].raw, &caller, STR("type")) || !json_string_eq(caller, STR("direct"))))
        anthropic_not_known(r, STR(BLOCK), STR("caller"));
    struct chat_part *p = part_new(to, CHAT_TOOL_CALL);
    p->id = f[1].raw;
    p->name = f[2].raw;
    p->args = f[3].raw;
    p->cache_control = f[4].raw;
    return true;
}

static bool read_blocks(struct anthropic_reading *r, struct str array, bool inner, struct parts *to);

static bool read_result(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("tool_use_id"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("content"), .kinds = KINDS(STRING) | KINDS(ARRAY)},
        {.name = STR_INIT("is_error"), .kinds = KINDS(BOOL)},
        {.name = STR_INIT("cache_control"), .kinds = KINDS(OBJECT)},
    };
    struct parts inner = {.list = NULL};
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    if (f[2].found && f[2].kind == JSON_STRING) {
        if (!parts_init(r, &inner, 1, 0)) return false;
        part_new(&inner, CHAT_TEXT)->text = f[2].raw;
    } else if (f[2].found && !read_blocks(r, f[2].raw, true, &inner)) {
        return false;
    }
    struct chat_part *p = part_new(to, CHAT_TOOL_RESULT);
    p->id = f[1].raw;
    p->parts = inner.list;
    p->count = inner.n;
    p->is_error = f[3].found && f[3].raw.p[0] == 't';
    p->cache_control = f[4].raw;
    return true;
}

static bool read_thinking(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("thinking"), .kinds = KINDS(STRING), .required = true},
        {.name = STR_INIT("signature"), .kinds = KINDS(STRING)},
    };
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    struct chat_part *p = part_new(to, CHAT_THINKING);
    p->text = f[1].raw;
    p->signature = f[2].raw;
    return true;
}

static bool read_redacted(struct anthropic_reading *r, struct str raw, struct parts *to) {
    struct json_field f[] = {
        {.name = STR_INIT("type")},
        {.name = STR_INIT("data"), .kinds = KINDS(STRING), .required = true},
    };
    if (!anthropic_members(r, raw, STR(BLOCK), f, ARRAY_LEN(f))) return false;
    part_new(to, CHAT_REDACTED_THINKING)->text = f[1].raw;
    return true;
}

// --- blocks ---

typedef bool block_reader(struct anthropic_reading *r, struct str raw, struct parts *to);
static const struct {
    struct str type;
    block_reader *read;
    bool inner; // may be in a tool's result
} k_blocks[] = {
    {STR_INIT("text"), read_text, true},          {STR_INIT("image"), read_image, true},
    {STR_INIT("document"), read_document, true},  {STR_INIT("search_result"), read_search_result, true},
    {STR_INIT("tool_use"), read_call, false},     {STR_INIT("tool_result"), read_result, false},
    {STR_INIT("thinking"), read_thinking, false}, {STR_INIT("redacted_thinking"), read_redacted, false},
};

// What only Anthropic knows (its own tools' calls and results, uploads) is left out, and named.
static bool read_block(struct anthropic_reading *r, struct str raw, bool inner, struct parts *to) {
    struct str type, name;
    if (json_raw_kind(raw) != JSON_OBJECT) return anthropic_wrong(r, "", "an object was expected");
    if (!JSON_GET(raw, &type, STR("type")) || json_raw_kind(type) != JSON_STRING)
        return anthropic_wrong(r, "type", "a block needs a type");
    for (size_t i = 0; i < ARRAY_LEN(k_blocks); i++)
        if (json_string_eq(type, k_blocks[i].type) && (k_blocks[i].inner || !inner))
            return k_blocks[i].read(r, raw, to);
    if (!json_string_text(type, r->arena, &name)) return err_no_memory(r->err);
    anthropic_not_known(r, STR(BLOCK), name);
    return true;
}

// How many parts within the sources of a list of blocks may become images.
static size_t inner_of(const struct str *list, size_t n) {
    struct str content;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (!JSON_GET(list[i], &content, STR("source"), STR("content"))) continue;
        struct json_reader in;
        enum json_kind kind;
        json_reader_init(&in, content, JSON_DEPTH_MAX);
        if (json_enter_array(&in))
            while (json_element(&in, &kind)) total++;
    }
    return total;
}

static bool read_blocks(struct anthropic_reading *r, struct str array, bool inner, struct parts *to) {
    char path[sizeof r->path];
    struct str *list;
    size_t n;
    memcpy(path, r->path, sizeof path);
    if (!anthropic_elements(r, array, &list, &n) || !parts_init(r, to, n, inner_of(list, n))) return false;
    for (size_t i = 0; i < n; i++) {
        snprintf(r->path, sizeof r->path, "%.50s%scontent[%zu]", path, path[0] ? "." : "", i);
        if (!read_block(r, list[i], inner, to)) return false;
    }
    memcpy(r->path, path, sizeof path);
    return true;
}

bool anthropic_read_content(struct anthropic_reading *r, struct str raw, struct chat_turn *turn) {
    struct parts parts;
    if (json_raw_kind(raw) == JSON_STRING) {
        if (!parts_init(r, &parts, 1, 0)) return false;
        part_new(&parts, CHAT_TEXT)->text = raw;
    } else if (!read_blocks(r, raw, false, &parts)) {
        return false;
    }
    turn->parts = parts.list;
    turn->count = parts.n;
    return true;
}
