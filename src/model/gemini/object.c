// Reads objects of Google's JSON: members in either spelling, null for absent, faults with their place.
#include "model/gemini/gemini.h"

static void path_put(struct buf *out, const struct gemini_place *at) {
    if (!at) return;
    path_put(out, at->up);
    if (!at->name.n) {
        buf_printf(out, "[%zu]", at->index);
        return;
    }
    if (out->n) buf_putc(out, '.');
    buf_put(out, at->name);
}

bool gemini_fault(const struct gemini_read *rd, const struct gemini_place *at, struct str name, const char *what) {
    struct gemini_place member = {.up = at, .name = name};
    struct buf path = BUF_INIT(4096);
    path_put(&path, name.n ? &member : at);
    struct str text = path.n ? buf_str(&path) : STR("the body");
    err_set(rd->err, ERR_INVALID_FIELD, "%.*s: %s", (int)MIN(text.n, (size_t)300), text.p, what);
    size_t n = path.n < sizeof rd->err->param ? path.n : 0;
    if (n) memcpy(rd->err->param, path.p, n);
    rd->err->param[n] = 0;
    buf_free(&path);
    return false;
}

// Without the numbers of elements: "contents[].parts[].videoMetadata".
static void name_put(struct buf *out, const struct gemini_place *at) {
    if (!at) return;
    name_put(out, at->up);
    if (!at->name.n) {
        buf_lit(out, "[]");
        return;
    }
    if (out->n) buf_putc(out, '.');
    buf_put(out, at->name);
}

void gemini_other(const struct gemini_read *rd, const struct gemini_place *at, struct str name) {
    struct chat *chat = rd->chat;
    if (!chat || chat->other_count == CHAT_OTHERS_MAX) return;
    struct gemini_place member = {.up = at, .name = str_head(name, 64)};
    struct buf b = BUF_INIT(1024);
    name_put(&b, &member);
    bool known = b.failed;
    for (size_t i = 0; i < chat->other_count && !known; i++) known = str_eq(chat->others[i], buf_str(&b));
    struct str copy = known ? STR_NONE : arena_str(rd->arena, buf_str(&b));
    if (copy.n) chat->others[chat->other_count++] = copy;
    buf_free(&b);
}

// "max_output_tokens" is "maxOutputTokens". False: no name that is known.
static bool camel(struct str key, char out[64], size_t *out_n) {
    struct str text;
    size_t n = 0;
    if (!json_string_borrow(key, &text) || text.n >= 64) return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '_' && i + 1 < text.n && text.p[i + 1] >= 'a' && text.p[i + 1] <= 'z') c = (char)(text.p[++i] - 32);
        out[n++] = c;
    }
    *out_n = n;
    return true;
}

static size_t find(const struct gemini_member *members, size_t n, struct str name) {
    size_t i = 0;
    while (i < n && !str_eq(members[i].name, name)) i++;
    return i;
}

static const char *kind_wanted(unsigned kinds) {
    kinds &= ~GEMINI_ONE;
    if (kinds == JSON_IS(JSON_OBJECT)) return "must be an object";
    if (kinds == JSON_IS(JSON_ARRAY)) return "must be an array";
    if (kinds == JSON_IS(JSON_STRING)) return "must be a string";
    if (kinds == JSON_IS(JSON_BOOL)) return "must be true or false";
    if (kinds == JSON_IS(JSON_NUMBER)) return "must be a number";
    return "has a wrong type";
}

static void unknown(const struct gemini_read *rd, const struct gemini_place *at, struct str key) {
    struct str text;
    if (rd->chat && json_string_text(key, rd->arena, &text)) gemini_other(rd, at, text);
}

// One member whose value is under the cursor.
static bool take(const struct gemini_read *rd, struct json_reader *r, struct str key, enum json_kind kind,
                 const struct gemini_place *at, const struct gemini_member *members, size_t n, struct str *out) {
    char text[64];
    size_t len, i = n;
    struct str raw;
    if (camel(key, text, &len)) i = find(members, n, str_of(text, len));
    if (i == n) {
        unknown(rd, at, key);
        return true;
    }
    if (!json_skip(r, &raw)) return true; // told at the end
    if (kind == JSON_NULL) return true;
    if ((members[i].kinds & GEMINI_ONE) && kind == JSON_OBJECT) {
        raw = arena_printf(rd->arena, "[%.*s]", STR_ARG(raw));
        if (!raw.n) return err_no_memory(rd->err);
        kind = JSON_ARRAY;
    }
    bool wrong = members[i].kinds && !(members[i].kinds & JSON_IS(kind));
    if (wrong && rd->lenient) return true;
    if (wrong) return gemini_fault(rd, at, members[i].name, kind_wanted(members[i].kinds));
    if (out[i].p && !rd->lenient) return gemini_fault(rd, at, members[i].name, "stands there twice");
    out[i] = raw;
    return true;
}

bool gemini_object(const struct gemini_read *rd, struct str raw, const struct gemini_place *at,
                   const struct gemini_member *members, size_t n, struct str *out) {
    struct json_reader r;
    struct str key;
    enum json_kind kind;
    for (size_t i = 0; i < n; i++) out[i] = STR_NONE;
    json_reader_init(&r, raw, rd->depth);
    if (!json_peek(&r, &kind)) return json_error(&r, rd->err);
    if (kind != JSON_OBJECT) return gemini_fault(rd, at, STR_NONE, "must be an object");
    if (json_enter_object(&r))
        while (json_member(&r, &key, &kind))
            if (!take(rd, &r, key, kind, at, members, n, out)) return false;
    return json_end(&r, rd->err);
}

bool gemini_u64(struct str raw, uint64_t *out_value) {
    struct str text;
    double d;
    if (!raw.p) return false;
    if (json_raw_kind(raw) == JSON_STRING) return json_string_borrow(raw, &text) && str_to_u64(text, out_value);
    if (json_raw_u64(raw, out_value)) return true;
    // 1024.0 and 1e3 are integers too.
    if (!json_raw_double(raw, &d) || d < 0 || d > 1e15 || d != (double)(uint64_t)d) return false;
    *out_value = (uint64_t)d;
    return true;
}

size_t gemini_count(struct str array) {
    struct json_reader r;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, array, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) n++;
    return n;
}

bool gemini_is_true(struct str raw) { return str_eq(raw, STR("true")); }

bool gemini_is_empty(struct str object) {
    struct json_reader r;
    struct str key;
    enum json_kind kind;
    json_reader_init(&r, object, JSON_DEPTH_MAX);
    return !json_enter_object(&r) || !json_member(&r, &key, &kind);
}
