// Goes through a request's texts in search of personal data.
#include "gateway/finding.h"

#include "base/json_read.h"
#include "base/scan.h"
#include "base/utf8.h"
#include "govern/pii.h"
#include "model/openai/multipart.h"

#define PLACE_MAX ((size_t)160)
#define KEY_MAX ((size_t)40)
#define NUMBER_MIN ((size_t)12)    // of digits, for one to be a card's
#define DATA_URL_MAX ((size_t)128) // what stands before the data

// Where in JSON one is; the outermost has no `up`.
struct step {
    const struct step *up;
    struct str key; // raw; p is NULL in an array
    size_t index;
};

struct look {
    unsigned kinds;
    struct arena *arena;
    const char *where; // "the path"
    bool json;         // more can be said of where
    struct buf scratch;
    bool found, failed;
    enum pii_kind kind;
    struct buf place;
};

// --- where ---

// Names of members are whatever the client says; such as could be somebody's data are not repeated.
static bool is_plain(struct str key) {
    size_t digits = 0;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool digit = c >= '0' && c <= '9';
        digits += digit;
        if (!digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_') return false;
    }
    return key.n && key.n <= KEY_MAX && digits < 4;
}

static void put_place(struct buf *out, const struct step *at, size_t depth) {
    if (!at || depth == 0) return;
    put_place(out, at->up, depth - 1);
    struct str key;
    if (!at->key.p) {
        buf_printf(out, "[%zu]", at->index);
        return;
    }
    if (out->n) buf_putc(out, '.');
    buf_put(out, json_string_borrow(at->key, &key) && is_plain(key) ? key : STR("*"));
}

static void note(struct look *l, enum pii_kind kind, const struct step *at) {
    l->found = true;
    l->kind = kind;
    if (l->json && at)
        put_place(&l->place, at, 16);
    else
        buf_put(&l->place, str_c(l->where));
}

// --- texts ---

// "data:image/png;base64,…": what is encoded is no text.
static bool is_data(struct str text) {
    if (!str_starts(text, STR("data:"))) return false;
    struct str head = str_head(text, DATA_URL_MAX);
    size_t comma = str_find_char(head, ',');
    return comma < head.n && str_ends(str_head(head, comma), STR(";base64"));
}

static bool look_at(struct look *l, struct str text, const struct step *at) {
    struct pii_match m;
    if (is_data(text) || !pii_find(text, l->kinds, &m)) return false;
    note(l, m.kind, at);
    return true;
}

static bool look_at_string(struct look *l, struct str raw, const struct step *at) {
    struct str text;
    if (json_string_borrow(raw, &text)) return look_at(l, text, at);
    buf_clear(&l->scratch);
    if (json_string_decode(raw, &l->scratch)) return look_at(l, buf_str(&l->scratch), at);
    l->failed = true;
    return true;
}

// True: it need go no further, for it has found something, or cannot go on.
static bool look_at_value(struct look *l, struct json_reader *r, const struct step *up);

static bool look_at_members(struct look *l, struct json_reader *r, const struct step *up) {
    struct step at = {.up = up};
    enum json_kind kind;
    if (!json_enter_object(r)) return false;
    while (json_member(r, &at.key, &kind))
        if (look_at_string(l, at.key, &at) || look_at_value(l, r, &at)) return true;
    return false;
}

static bool look_at_elements(struct look *l, struct json_reader *r, const struct step *up) {
    struct step at = {.up = up};
    enum json_kind kind;
    if (!json_enter_array(r)) return false;
    for (; json_element(r, &kind); at.index++)
        if (look_at_value(l, r, &at)) return true;
    return false;
}

static bool look_at_value(struct look *l, struct json_reader *r, const struct step *up) {
    enum json_kind kind;
    struct str raw;
    if (!json_peek(r, &kind)) return false;
    if (kind == JSON_OBJECT) return look_at_members(l, r, up);
    if (kind == JSON_ARRAY) return look_at_elements(l, r, up);
    if (!json_skip(r, &raw)) return false;
    if (kind == JSON_STRING) return look_at_string(l, raw, up);
    return kind == JSON_NUMBER && raw.n >= NUMBER_MIN && look_at(l, raw, up);
}

// False: it is no JSON, as far as it was looked at.
static bool look_at_json(struct look *l, struct str text) {
    struct json_reader r;
    json_reader_init(&r, text, JSON_DEPTH_MAX);
    if (look_at_value(l, &r, NULL)) return true;
    // Not json_end(), which would put into words what is wrong with each line.
    return !r.fault && scan_space(str_of(r.at, (size_t)(r.end - r.at))) == (size_t)(r.end - r.at);
}

// --- bodies ---

// JSON, lines of JSON, or what it is.
static void look_at_text(struct look *l, struct str text, const char *what) {
    struct str line;
    if (!utf8_valid(text)) return;
    l->where = what;
    l->json = true;
    if (look_at_json(l, text)) return;
    l->json = false;
    if (look_at(l, text, NULL)) return;
    while (!l->found && !l->failed && str_split(&text, '\n', &line)) (void)look_at_json(l, line);
}

static void look_at_form(struct look *l, struct str body, struct str boundary) {
    struct str part, mark = arena_printf(l->arena, "--%.*s", STR_ARG(boundary));
    if (!mark.n) l->failed = true;
    while (body.n && !l->found && !l->failed) {
        size_t end = scan_find(body, mark);
        part = str_head(body, end);
        body = str_from(body, end + mark.n);
        size_t head = scan_find(part, STR("\r\n\r\n"));
        l->where = "the form data";
        if (!look_at(l, str_head(part, head), NULL)) look_at_text(l, str_from(part, head + 4), l->where);
    }
}

static unsigned hex_of(char c) { return (unsigned)(c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0'); }

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// "%40" and "+" as what they stand for.
static void look_at_encoded(struct look *l, struct str text, const char *what) {
    buf_clear(&l->scratch);
    for (size_t i = 0; i < text.n; i++) {
        bool coded = text.p[i] == '%' && i + 2 < text.n && is_hex(text.p[i + 1]) && is_hex(text.p[i + 2]);
        if (coded)
            buf_putc(&l->scratch, (char)(hex_of(text.p[i + 1]) << 4 | hex_of(text.p[i + 2])));
        else
            buf_putc(&l->scratch, (char)(text.p[i] == '+' ? ' ' : text.p[i]));
        i += coded ? 2 : 0;
    }
    l->failed = l->failed || l->scratch.failed;
    l->where = what;
    if (!l->failed) (void)(look_at(l, buf_str(&l->scratch), NULL) || look_at(l, text, NULL));
}

static bool is_type(struct str content_type, struct str type) {
    return str_eq_nocase(str_trim(str_head(content_type, str_find_char(content_type, ';'))), type);
}

static void look_at_body(struct look *l, struct str body, struct str content_type) {
    struct str boundary;
    if (multipart_boundary(content_type, &boundary))
        look_at_form(l, body, boundary);
    else if (is_type(content_type, STR("application/x-www-form-urlencoded")))
        look_at_encoded(l, body, "the form data");
    else
        look_at_text(l, body, "the body");
}

// --- the whole ---

static void look_init(struct look *l, unsigned kinds, size_t longest, struct arena *arena) {
    *l = (struct look){.kinds = kinds, .arena = arena};
    buf_init(&l->scratch, longest + 64);
    buf_init(&l->place, PLACE_MAX);
}

static bool look_end(struct look *l, struct finding *out, struct err *err) {
    struct finding f = {.found = l->found, .text = STR("")};
    if (l->found) // a place that is too long to be told is left out
        f.text = arena_printf(l->arena, "%.*s in %.*s", STR_ARG(pii_kind_name(l->kind)),
                              STR_ARG(l->place.failed ? STR("a long path") : buf_str(&l->place)));
    buf_free(&l->scratch);
    buf_free(&l->place);
    if (l->failed || (l->found && !f.text.n)) return err_no_memory(err);
    *out = f;
    return true;
}

bool finding_in_body(const struct finding_in *in, struct arena *arena, struct finding *out_finding, struct err *err) {
    struct look l;
    look_init(&l, in->kinds, in->body.n + in->path.n + in->query.n, arena);
    if (in->kinds) look_at_body(&l, in->body, in->content_type);
    if (in->kinds && !l.found) look_at_encoded(&l, in->path, "the path");
    if (in->kinds && !l.found) look_at_encoded(&l, in->query, "the query");
    return look_end(&l, out_finding, err);
}
