// Help for readers and writers of dialects.
#include "model/chat_scan.h"

struct chat_path chat_path_of(const char *fmt, ...) {
    struct chat_path path;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path.text, sizeof path.text, fmt, ap);
    va_end(ap);
    return path;
}

static void put_param(struct err *err, const struct chat_path *path, const char *member) {
    struct buf text = BUF_INIT(sizeof path->text + sizeof err->param + 2);
    size_t n = sizeof err->param - 1;
    buf_put(&text, str_c(path->text));
    if (path->text[0] && member[0]) buf_putc(&text, '.');
    buf_put(&text, str_c(member));
    if (text.n < n) n = text.n;
    if (n) memcpy(err->param, text.p, n);
    err->param[n] = '\0';
    buf_free(&text);
}

bool chat_scan(struct str object, const struct chat_path *path, struct json_field *fields, size_t n, struct err *err) {
    if (json_raw_kind(object) != JSON_OBJECT) return chat_wrong(err, path, "", "must be an object");
    if (json_scan(object, fields, n, err)) return true;
    char member[sizeof err->param];
    memcpy(member, err->param, sizeof member);
    put_param(err, path, member);
    return path->text[0] ? err_wrap(err, "\"%s\"", path->text) : false;
}

bool chat_wrong(struct err *err, const struct chat_path *path, const char *member, const char *what) {
    bool both = path->text[0] && member[0];
    err_set(err, ERR_INVALID_FIELD, "\"%.60s%s%.60s\" %.200s", path->text, both ? "." : "", member, what);
    put_param(err, path, member);
    return false;
}

struct str chat_given(const struct json_field *field) {
    return field->found && field->kind != JSON_NULL ? field->raw : STR_NONE;
}

bool chat_is_true(const struct json_field *field) { return chat_flag(field) == 1; }

int chat_flag(const struct json_field *field) {
    if (!field->found || field->kind != JSON_BOOL) return -1;
    return field->raw.p[0] == 't';
}

bool chat_tokens_of(struct str raw, uint64_t *out_tokens) {
    uint64_t whole;
    double v;
    if (json_raw_u64(raw, &whole)) {
        *out_tokens = MIN(whole, CHAT_TOKENS_MAX);
        return true;
    }
    if (json_raw_kind(raw) != JSON_NUMBER || !json_raw_double(raw, &v) || !(v >= 0)) return false;
    *out_tokens = v >= (double)CHAT_TOKENS_MAX ? CHAT_TOKENS_MAX : (uint64_t)v;
    return true;
}

static bool count_one(void *arg, size_t index, struct str raw, struct err *err) {
    (void)raw, (void)err;
    *(size_t *)arg = index + 1;
    return true;
}

size_t chat_count(struct str array) {
    size_t n = 0;
    struct err err;
    return chat_each(array, count_one, &n, &err) ? n : 0;
}

bool chat_each(struct str array, chat_visit *visit, void *arg, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return json_error(&r, err);
    for (size_t i = 0; json_element(&r, &kind); i++) {
        if (!json_skip(&r, &raw)) break;
        if (!visit(arg, i, raw, err)) return false;
    }
    return json_end(&r, err);
}

void chat_note_other(struct chat_names list, struct str name) {
    for (size_t i = 0; i < *list.count; i++)
        if (str_eq(list.names[i], name)) return;
    if (name.p && *list.count < CHAT_OTHERS_MAX) list.names[(*list.count)++] = name;
}

static bool is_field(struct str key, const struct json_field *fields, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (json_string_eq(key, fields[i].name)) return true;
    return false;
}

void chat_note_others(struct str object, const struct json_field *fields, size_t n, struct str prefix,
                      struct arena *arena, struct chat_names list) {
    struct json_reader r;
    struct str key, name;
    enum json_kind kind;
    json_reader_init(&r, object, 0);
    if (!json_enter_object(&r)) return;
    while (*list.count < CHAT_OTHERS_MAX && json_member(&r, &key, &kind)) {
        if (kind == JSON_NULL || is_field(key, fields, n) || !json_string_text(key, arena, &name)) continue;
        name = str_head(name, 100);
        chat_note_other(list, prefix.n ? arena_printf(arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(name)) : name);
    }
}

void chat_drop_extras(const struct chat *chat, struct chat_report *report) {
    bool text_only = str_eq(chat->modalities, STR("[\"text\"]"));
    if (chat->choices > 1) chat_drop(report, STR("n"));
    if (chat->modalities.p && !text_only) chat_drop(report, STR("modalities"));
    chat_drop_given(report, STR("verbosity"), chat->verbosity);
    chat_drop_given(report, STR("logit_bias"), chat->logit_bias);
    chat_drop_given(report, STR("logprobs"), chat->logprobs);
    chat_drop_given(report, STR("audio"), chat->audio);
    chat_drop_given(report, STR("safetySettings"), chat->safety);
    chat_drop_given(report, STR("prompt_cache_key"), chat->cached_prefix);
    for (size_t i = 0; i < chat->other_count; i++) chat_drop(report, chat->others[i]);
}

struct str chat_image_type(struct str base64) {
    static const struct {
        struct str begin, type;
    } types[] = {
        {STR_INIT("iVBORw0KGgo"), STR_INIT("image/png")}, {STR_INIT("/9j/"), STR_INIT("image/jpeg")},
        {STR_INIT("R0lGOD"), STR_INIT("image/gif")},      {STR_INIT("UklGR"), STR_INIT("image/webp")},
        {STR_INIT("Qk"), STR_INIT("image/bmp")},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_starts(base64, types[i].begin)) return types[i].type;
    return STR("");
}

void chat_emit_json(struct str raw, unsigned part, struct chat_sink *sink) {
    char piece[512];
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        // Between tokens only white space is a control character; within strings there is none.
        char c = raw.p[i] == '\n' || raw.p[i] == '\r' || raw.p[i] == '\t' ? ' ' : raw.p[i];
        if (c == '"' || c == '\\') piece[n++] = '\\';
        piece[n++] = c;
        // Never in the middle of a character.
        bool whole = i + 1 == raw.n || ((unsigned char)raw.p[i + 1] & 0xc0) != 0x80;
        if (i + 1 < raw.n && (n < sizeof piece - 8 || !whole)) continue;
        chat_emit(sink, &(struct chat_event){
                            .kind = CHAT_DELTA, .part = part, .part_kind = CHAT_TOOL_CALL, .text = str_of(piece, n)});
        n = 0;
    }
}

bool chat_is_blank(struct str json_string) {
    struct str s = chat_inner(json_string);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ' ') continue;
        if (s.p[i] != '\\' || i + 1 == s.n || !memchr("nrtf", s.p[i + 1], 4)) return false;
        i++;
    }
    return true;
}
