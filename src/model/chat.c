// What readers and writers of conversations share: drops, quoting, arguments as text, data URLs, effort.
#include "model/chat.h"

#include "base/json_read.h"
#include "base/json_write.h"

void chat_drop(struct chat_report *report, struct str name) {
    for (size_t i = 0; i < report->count; i++)
        if (str_eq(report->names[i], name)) return;
    if (report->count < CHAT_OTHERS_MAX) report->names[report->count++] = name;
}

struct str chat_quote(struct arena *arena, struct str text) {
    struct buf b = BUF_INIT(text.n * 6 + 16);
    struct json_writer w;
    json_writer_init(&w, &b);
    json_put_str(&w, text);
    struct str out = b.failed ? STR_NONE : arena_str(arena, buf_str(&b));
    buf_free(&b);
    return out;
}

// --- arguments ---

static bool is_object(struct str text) {
    struct err ignored;
    struct str s = str_trim(text);
    return s.n && s.p[0] == '{' && json_validate(s, 0, &ignored);
}

static bool wrap_invalid(struct str json_string, struct arena *arena, struct str *out_args, struct err *err) {
    *out_args = arena_printf(arena, "{\"_invalid\":%.*s}", STR_ARG(json_string));
    return out_args->n || err_no_memory(err);
}

// Line ends within JSON are white space; streams of lines and of events end at them.
struct str chat_on_one_line(struct str json, struct arena *arena) {
    if (str_find_char(json, '\n') == json.n && str_find_char(json, '\r') == json.n) return json;
    char *p = arena_alloc(arena, json.n);
    for (size_t i = 0; p && i < json.n; i++) p[i] = (char)(json.p[i] == '\n' || json.p[i] == '\r' ? ' ' : json.p[i]);
    return str_of(p, p ? json.n : 0);
}

bool chat_args_of_text(struct str json_string, struct arena *arena, struct str *out_args, struct err *err) {
    struct str text;
    if (!json_string_text(json_string, arena, &text)) return err_no_memory(err);
    text = str_trim(text);
    if (!text.n) {
        *out_args = STR("{}");
        return true;
    }
    if (!is_object(text)) return wrap_invalid(json_string, arena, out_args, err);
    *out_args = chat_on_one_line(text, arena);
    return out_args->p || err_no_memory(err);
}

// --- data URLs ---

static struct str lower(struct arena *arena, struct str s) {
    char *p = arena_alloc(arena, s.n + 1);
    if (!p) return STR("");
    for (size_t i = 0; i < s.n; i++) p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
    return str_of(p, s.n);
}

bool chat_media_of_url(struct str json_string, struct arena *arena, struct chat_media *out_media) {
    struct str text, part;
    *out_media = (struct chat_media){.url = json_string};
    // Long ones are data, and these have no escapes but "\/".
    if (!json_string_text(json_string, arena, &text)) return false;
    if (text.n < 5 || !str_eq_nocase(str_head(text, 5), STR("data:"))) return false;
    size_t comma = str_find_char(text, ',');
    if (comma == text.n) return false;
    struct str head = str_of(text.p + 5, comma - 5);
    bool base64 = false;
    struct str mime = STR("");
    for (bool first = true; str_split(&head, ';', &part); first = false) {
        if (first) mime = str_trim(part);
        if (str_eq_nocase(str_trim(part), STR("base64"))) base64 = true;
    }
    if (!base64) return false;
    *out_media = (struct chat_media){.mime = lower(arena, mime), .data = str_from(text, comma + 1)};
    return true;
}

// --- effort ---

// The bounds that vendors' own translations have in common.
static const struct {
    enum chat_effort effort;
    uint64_t from, budget;
} k_efforts[] = {{CHAT_EFFORT_MAX, 32000, 32000},
                 {CHAT_EFFORT_HIGH, 10000, 16384},
                 {CHAT_EFFORT_MEDIUM, 5000, 8192},
                 {CHAT_EFFORT_LOW, 2000, 4096},
                 {CHAT_EFFORT_MINIMAL, 1, 1024}};

enum chat_effort chat_effort_of_budget(uint64_t budget) {
    for (size_t i = 0; i < ARRAY_LEN(k_efforts); i++)
        if (budget >= k_efforts[i].from) return k_efforts[i].effort;
    return CHAT_EFFORT_NONE;
}

uint64_t chat_budget_of_effort(enum chat_effort effort) {
    for (size_t i = 0; i < ARRAY_LEN(k_efforts); i++)
        if (effort == k_efforts[i].effort) return k_efforts[i].budget;
    return 0;
}

static const struct str k_effort_names[] = {
    [CHAT_EFFORT_UNSET] = STR_INIT(""),          [CHAT_EFFORT_NONE] = STR_INIT("none"),
    [CHAT_EFFORT_MINIMAL] = STR_INIT("minimal"), [CHAT_EFFORT_LOW] = STR_INIT("low"),
    [CHAT_EFFORT_MEDIUM] = STR_INIT("medium"),   [CHAT_EFFORT_HIGH] = STR_INIT("high"),
    [CHAT_EFFORT_MAX] = STR_INIT("max"),
};

enum chat_effort chat_effort_of(struct str text) {
    if (text.n >= 2 && text.p[0] == '"') text = chat_inner(text);
    if (str_eq(text, STR("xhigh"))) return CHAT_EFFORT_MAX;
    for (size_t i = CHAT_EFFORT_NONE; i < ARRAY_LEN(k_effort_names); i++)
        if (str_eq(text, k_effort_names[i])) return (enum chat_effort)i;
    return CHAT_EFFORT_UNSET;
}

struct str chat_effort_name(enum chat_effort effort) {
    return k_effort_names[effort];
}
