// The parts of a turn as Anthropic's blocks.
#include "model/anthropic/anthropic.h"

void anthropic_put_cache(struct anthropic_writing *x, struct str cache_control) {
    if (!cache_control.p) return;
    if (x->marks == ANTHROPIC_MARKS_MAX) {
        chat_drop(x->report, STR("cache_control"));
        return;
    }
    x->marks++;
    json_put_member_raw(&x->w, STR("cache_control"), cache_control);
}

// --- white space in JSON strings ---

// How many bytes the white space at the front of an escaped text takes; 0: it is none.
static size_t blank_at(struct str s) {
    if (!s.n) return 0;
    if (s.p[0] == ' ') return 1;
    if (s.n < 2 || s.p[0] != '\\') return 0;
    if (s.p[1] == 'n' || s.p[1] == 't' || s.p[1] == 'r' || s.p[1] == 'f') return 2;
    if (s.p[1] != 'u' || s.n < 6 || s.p[2] != '0' || s.p[3] != '0') return 0;
    struct str code = str_of(s.p + 4, 2);
    bool blank = str_eq(code, STR("20")) || str_eq(code, STR("09")) || str_eq_nocase(code, STR("0a")) ||
                 str_eq_nocase(code, STR("0d"));
    return blank ? 6 : 0;
}

static bool is_blank(struct str json_string) {
    struct str s = chat_inner(json_string);
    for (size_t n; (n = blank_at(s)) > 0;) s = str_from(s, n);
    return s.n == 0;
}

// Without the white space at its end: the model goes on from there, and the end of a text must be one.
static struct str trim_end(struct arena *arena, struct str json_string) {
    struct str s = chat_inner(json_string);
    size_t end = 0;
    for (size_t at = 0; at < s.n;) {
        size_t blank = blank_at(str_from(s, at));
        size_t step = blank ? blank : s.p[at] == '\\' && at + 1 < s.n ? 2 : 1;
        at += step;
        if (!blank) end = at;
    }
    if (end == s.n) return json_string;
    struct str out = arena_printf(arena, "\"%.*s\"", STR_ARG(str_head(s, end)));
    return out.n ? out : json_string;
}

// --- media ---

static const struct {
    struct str start, mime; // of base64
} k_pictures[] = {
    {STR_INIT("iVBORw"), STR_INIT("image/png")},
    {STR_INIT("/9j/"), STR_INIT("image/jpeg")},
    {STR_INIT("R0lGOD"), STR_INIT("image/gif")},
    {STR_INIT("UklGR"), STR_INIT("image/webp")},
};

// What the bytes say goes before what they are called: the two must agree.
static struct str picture_mime(const struct chat_media *m) {
    for (size_t i = 0; i < ARRAY_LEN(k_pictures); i++)
        if (str_starts(m->data, k_pictures[i].start)) return k_pictures[i].mime;
    if (str_eq(m->mime, STR("image/jpg"))) return STR("image/jpeg");
    return m->mime.n ? m->mime : STR("image/png");
}

static bool is_text_mime(struct str mime) {
    return str_starts(mime, STR("text/")) || str_eq(mime, STR("application/json")) ||
           str_eq(mime, STR("application/xml"));
}

static bool is_pdf(const struct chat_media *m) {
    return str_eq(m->mime, STR("application/pdf")) || str_starts(m->data, STR("JVBERi"));
}

static bool file_fits(const struct chat_media *m) {
    return m->text.p || m->url.p || m->file_id.p || (m->data.p && (is_pdf(m) || is_text_mime(m->mime)));
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

// A text that came as base64; what is no digit of it is passed over.
static struct str text_of_base64(struct arena *arena, struct str data) {
    char *p = arena_alloc(arena, data.n / 4 * 3 + 4);
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    if (!p) return STR("");
    for (size_t i = 0; i < data.n; i++) {
        int d = base64_digit(data.p[i]);
        if (d < 0) continue;
        bits = bits << 6 | (uint32_t)d;
        if ((have += 6) < 8) continue;
        have -= 8;
        p[n++] = (char)(bits >> have & 0xff);
    }
    return str_of(p, n);
}

static void put_source(struct anthropic_writing *x, const struct chat_media *m, struct str mime) {
    struct json_writer *w = &x->w;
    json_put_member_object(w, STR("source"));
    if (m->url.p) {
        json_put_member_str(w, STR("type"), STR("url"));
        json_put_member_raw(w, STR("url"), m->url);
    } else if (m->file_id.p) {
        json_put_member_str(w, STR("type"), STR("file"));
        json_put_member_raw(w, STR("file_id"), m->file_id);
    } else if (m->text.p || is_text_mime(mime)) {
        json_put_member_str(w, STR("type"), STR("text"));
        json_put_member_str(w, STR("media_type"), STR("text/plain"));
        if (m->text.p)
            json_put_member_raw(w, STR("data"), m->text);
        else
            json_put_member_str(w, STR("data"), text_of_base64(x->arena, m->data));
    } else {
        json_put_member_str(w, STR("type"), STR("base64"));
        json_put_member_str(w, STR("media_type"), mime);
        json_put_member_str(w, STR("data"), m->data);
    }
    json_put_object_end(w);
}

static void put_image(struct anthropic_writing *x, const struct chat_part *p) {
    if (p->media.detail.p && !json_string_eq(p->media.detail, STR("auto")))
        chat_drop(x->report, STR("messages[].content[].image_url.detail"));
    json_put_member_str(&x->w, STR("type"), STR("image"));
    put_source(x, &p->media, picture_mime(&p->media));
    anthropic_put_cache(x, p->cache_control);
}

static void put_file(struct anthropic_writing *x, const struct chat_part *p) {
    json_put_member_str(&x->w, STR("type"), STR("document"));
    put_source(x, &p->media, is_pdf(&p->media) ? STR("application/pdf") : p->media.mime);
    if (p->media.name.p) json_put_member_raw(&x->w, STR("title"), p->media.name);
    if (p->citations.n && p->citations.p[0] == '{') json_put_member_raw(&x->w, STR("citations"), p->citations);
    anthropic_put_cache(x, p->cache_control);
}

// --- what can be said ---

// Reasoning of OpenAI's, which is encrypted in a way of its own.
static bool is_foreign(struct str signature) {
    return chat_is_sealed_by_openai(signature) || str_starts(chat_inner(signature), STR("gAAAA"));
}

bool anthropic_part_fits(const struct chat_part *p) {
    const struct chat_media *m = &p->media;
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        return p->text.p && !is_blank(p->text);
    case CHAT_IMAGE:
        return m->data.p || m->url.p || m->file_id.p;
    case CHAT_FILE:
        return file_fits(m) && !(m->text.p && is_blank(m->text));
    case CHAT_TOOL_CALL:
    case CHAT_TOOL_RESULT:
        return true;
    case CHAT_THINKING: // unsigned ones are refused
        return p->signature.n > 2 && !is_foreign(p->signature);
    case CHAT_REDACTED_THINKING:
        return p->text.n > 2 && !is_foreign(p->text);
    case CHAT_AUDIO:
    case CHAT_VIDEO:
        break;
    }
    return false;
}

static void report_unfit(struct anthropic_writing *x, const struct chat_part *p) {
    switch (p->kind) {
    case CHAT_AUDIO:
        chat_drop(x->report, STR("messages[].content[].input_audio"));
        break;
    case CHAT_VIDEO:
        chat_drop(x->report, STR("messages[].content[].video_url"));
        break;
    case CHAT_FILE:
        if (!p->media.text.p) chat_drop(x->report, STR("messages[].content[].file"));
        break;
    case CHAT_IMAGE:
        chat_drop(x->report, STR("messages[].content[].image_url"));
        break;
    case CHAT_THINKING:
    case CHAT_REDACTED_THINKING:
        chat_drop(x->report, STR("messages[].reasoning_content"));
        break;
    default: // an empty text says nothing
        break;
    }
}

// --- the others ---

static void put_text(struct anthropic_writing *x, const struct chat_part *p, bool last) {
    json_put_member_str(&x->w, STR("type"), STR("text"));
    json_put_member_raw(&x->w, STR("text"), last ? trim_end(x->arena, p->text) : p->text);
    if (p->citations.n && p->citations.p[0] == '[') json_put_member_raw(&x->w, STR("citations"), p->citations);
    anthropic_put_cache(x, p->cache_control);
}

static void put_id(struct anthropic_writing *x, struct str key, struct str id) {
    struct str name = id.p ? anthropic_name(x->arena, id) : STR_NONE;
    json_put_member_raw(&x->w, key, name.p ? name : STR("\"_\""));
}

static void put_call(struct anthropic_writing *x, const struct chat_part *p) {
    json_put_member_str(&x->w, STR("type"), STR("tool_use"));
    put_id(x, STR("id"), p->id);
    put_id(x, STR("name"), p->name);
    json_put_member_raw(&x->w, STR("input"), p->args.n ? p->args : STR("{}"));
    anthropic_put_cache(x, p->cache_control);
}

static void put_result(struct anthropic_writing *x, const struct chat_part *p) {
    size_t fit = 0;
    const struct chat_part *only = NULL;
    json_put_member_str(&x->w, STR("type"), STR("tool_result"));
    put_id(x, STR("tool_use_id"), p->id);
    for (size_t i = 0; i < p->count; i++) {
        if (anthropic_part_fits(&p->parts[i])) {
            only = &p->parts[i];
            fit++;
        } else {
            report_unfit(x, &p->parts[i]);
        }
    }
    if (fit == 1 && only->kind == CHAT_TEXT && !only->cache_control.p) {
        json_put_member_raw(&x->w, STR("content"), only->text);
    } else if (fit) {
        json_put_member_array(&x->w, STR("content"));
        for (size_t i = 0; i < p->count; i++) anthropic_put_part(x, &p->parts[i], false);
        json_put_array_end(&x->w);
    }
    if (p->is_error) json_put_member_bool(&x->w, STR("is_error"), true);
    anthropic_put_cache(x, p->cache_control);
}

void anthropic_put_part(struct anthropic_writing *x, const struct chat_part *p, bool last) {
    if (!anthropic_part_fits(p)) {
        report_unfit(x, p);
        return;
    }
    json_put_object(&x->w);
    switch (p->kind) {
    case CHAT_IMAGE:
        put_image(x, p);
        break;
    case CHAT_FILE:
        put_file(x, p);
        break;
    case CHAT_TOOL_CALL:
        put_call(x, p);
        break;
    case CHAT_TOOL_RESULT:
        put_result(x, p);
        break;
    case CHAT_THINKING:
        json_put_member_str(&x->w, STR("type"), STR("thinking"));
        json_put_member_raw(&x->w, STR("thinking"), p->text.p ? p->text : STR("\"\""));
        json_put_member_raw(&x->w, STR("signature"), p->signature);
        break;
    case CHAT_REDACTED_THINKING:
        json_put_member_str(&x->w, STR("type"), STR("redacted_thinking"));
        json_put_member_raw(&x->w, STR("data"), p->text);
        break;
    default:
        put_text(x, p, last);
        break;
    }
    json_put_object_end(&x->w);
}
