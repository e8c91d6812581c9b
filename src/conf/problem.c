// Collects configuration problems and shows them with the line at fault.
#include "conf/problem.h"

#include "conf/conf.h"

#define EXCERPT_MAX 160
#define MESSAGE_MAX 1024
#define KEY_MIN 8       // bytes of what may be a key, in a line
#define LONG_KEY_MIN 20 // in a message, whose names are of providers and models mostly

const char *conf_layer_name(enum conf_layer layer) {
    static const char *const names[] = {
        [LAYER_DEFAULT] = "default",       [LAYER_FOUND] = "found",
        [LAYER_INCLUDE] = "include",       [LAYER_FILE] = "file",
        [LAYER_ENV] = "environment",       [LAYER_PROFILE] = "profile",
        [LAYER_OVERRIDE] = "command line", [LAYER_LIVE] = "live",
    };
    return names[layer];
}

void conf_problems_init(struct conf_problems *ps) {
    *ps = (struct conf_problems){0};
    arena_init(&ps->arena, NULL, 0, (size_t)1 << 20);
}

void conf_problems_free(struct conf_problems *ps) {
    arena_free(&ps->arena);
    vec_free(&ps->list);
    ps->errors = ps->dropped = 0;
}

static struct str source_line(struct conf_problems *ps, const struct conf_source *src, uint32_t line) {
    struct str text = src->text, part = STR_NONE;
    bool on = ps->seen.p == text.p && ps->seen.n == text.n && ps->seen_line <= line;
    struct str rest = on ? str_from(text, ps->seen_at) : text;
    for (uint32_t i = on ? ps->seen_line : 1; i <= line; i++) {
        if (!str_split(&rest, '\n', &part)) return STR_NONE;
    }
    ps->seen = text;
    ps->seen_at = part.p ? (size_t)(part.p - text.p) : 0;
    ps->seen_line = line;
    if (part.n && part.p[part.n - 1] == '\r') part.n--;
    return part;
}

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_amount(const struct opt *opt) {
    return (opt->type <= OPT_DECIMAL || opt->type == OPT_ENUM) && !(opt->flags & OPT_PRIVATE);
}

// Counts options of the name, and those of them that are numbers or words to choose from.
static void count_options(const struct opt_table *table, struct str name, unsigned *io_all, unsigned *io_amounts) {
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        if (opt->sub) count_options(opt->sub, name, io_all, io_amounts);
        if (!str_eq(name, str_c(opt->name))) continue;
        ++*io_all;
        *io_amounts += is_amount(opt);
    }
}

// Whether the key before the colon, which goes back to `word` at least, is an option that can hold no secret: it is one
// nowhere, and takes no text. What takes text may have got somebody's key by mistake.
static bool holds_no_secret(struct str line, size_t word, size_t colon) {
    size_t begin = colon, end = colon;
    unsigned all = 0, amounts = 0;
    while (end > 0 && (line.p[end - 1] == ' ' || line.p[end - 1] == '"' || line.p[end - 1] == '\'')) end--;
    for (begin = end; begin > 0 && name_char(line.p[begin - 1]);) begin--;
    if (begin > word || word >= end) return false;
    count_options(&conf_table, str_of(line.p + begin, end - begin), &all, &amounts);
    return all > 0 && all == amounts;
}

// Where the value after a key that sounds secret begins; line.n when there is none.
static size_t secret_start(struct str line) {
    static const struct str words[] = {STR_INIT("key"),        STR_INIT("secret"),        STR_INIT("token"),
                                       STR_INIT("password"),   STR_INIT("authorization"), STR_INIT("credential"),
                                       STR_INIT("cookie"),     STR_INIT("bearer"),        STR_INIT("headers"),
                                       STR_INIT("passphrase"), STR_INIT("api_")};
    for (size_t i = 0; i < line.n; i++) {
        for (size_t w = 0; w < ARRAY_LEN(words); w++) {
            struct str here = str_head(str_from(line, i), words[w].n);
            if (!str_eq_nocase(here, words[w])) continue;
            size_t colon = i + str_find_char(str_from(line, i), ':');
            if (colon < line.n && !holds_no_secret(line, i, colon)) return colon + 1;
        }
    }
    return line.n;
}

// Nothing but one reference, quoted or not: names a secret without being one.
static bool is_reference(struct str value) {
    if (value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"') value = str_of(value.p + 1, value.n - 2);
    return str_starts(value, STR("${")) && str_find_char(value, '}') == value.n - 1;
}

// The line with what looks like a vendor's key masked, wherever it stands.
static struct str mask_keys(struct arena *a, struct str line, size_t shortest) {
    static const struct str prefixes[] = {STR_INIT("sk-"), STR_INIT("ps-"), STR_INIT("gsk_"), STR_INIT("xai-"),
                                          STR_INIT("AIza")};
    struct buf out = BUF_INIT(2 * MESSAGE_MAX);
    for (size_t i = 0; i < line.n;) {
        bool starts = i == 0 || !name_char(line.p[i - 1]);
        size_t end = i, w = 0;
        while (starts && w < ARRAY_LEN(prefixes) && !str_starts(str_from(line, i), prefixes[w])) w++;
        while (starts && w < ARRAY_LEN(prefixes) && end < line.n && name_char(line.p[end])) end++;
        if (end > i + shortest)
            buf_lit(&out, "***");
        else
            buf_putc(&out, line.p[end = i++]);
        if (end > i) i = end;
    }
    struct str masked = out.failed ? STR_NONE : arena_str(a, buf_str(&out));
    buf_free(&out);
    return masked;
}

static struct str excerpt_make(struct arena *a, struct str line, bool is_private) {
    size_t from = secret_start(line);
    struct str value = str_trim(str_from(line, from));
    if (is_private && from == line.n) return STR_NONE;
    if (value.n && !is_reference(value) && value.p[0] != '#')
        return arena_printf(a, "%.*s ***", STR_ARG(str_head(line, from < EXCERPT_MAX ? from : EXCERPT_MAX)));
    if (line.n <= EXCERPT_MAX) return mask_keys(a, line, KEY_MIN);
    size_t n = EXCERPT_MAX;
    while (n > 0 && ((unsigned char)line.p[n] & 0xc0) == 0x80) n--;
    return arena_printf(a, "%.*s…", STR_ARG(mask_keys(a, str_head(line, n), KEY_MIN)));
}

static struct str copy(struct arena *a, struct str s) { return s.n ? arena_str(a, s) : STR_NONE; }

void conf_problem_add(struct conf_problems *ps, enum conf_severity severity, const struct conf_source *src,
                      struct conf_pos pos, const char *fmt, ...) {
    bool is_private = severity == CONF_ERROR_PRIVATE;
    if (is_private) severity = CONF_ERROR;
    if (severity == CONF_ERROR) ps->errors++;
    if (ps->list.n >= CONF_PROBLEMS_MAX) { // no text is made that nobody sees: a large file may have many
        ps->dropped++;
        return;
    }
    char text[MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct str message = str_of(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    struct conf_problem p = {.severity = severity, .pos = pos};
    // A key that stands where a name should is not told.
    p.message = mask_keys(&ps->arena, message, LONG_KEY_MIN);
    if (src) {
        p.file = copy(&ps->arena, src->name);
        if (pos.line) p.excerpt = excerpt_make(&ps->arena, source_line(ps, src, pos.line), is_private);
    }
    if (!p.message.p || !vec_push(&ps->list, p)) ps->dropped++;
}

static int problem_cmp(const void *va, const void *vb) {
    const struct conf_problem *a = va, *b = vb;
    int by_file = str_cmp(a->file, b->file);
    if (by_file) return by_file;
    if (a->pos.line != b->pos.line) return a->pos.line < b->pos.line ? -1 : 1;
    if (a->pos.col != b->pos.col) return a->pos.col < b->pos.col ? -1 : 1;
    return str_cmp(a->message, b->message);
}

void conf_problems_sort(struct conf_problems *ps) {
    ps->seen = STR_NONE; // the text goes when a load ends
    if (ps->list.n > 1) qsort(ps->list.p, ps->list.n, sizeof *ps->list.p, problem_cmp);
}

static void print_caret(const struct conf_problem *p, struct buf *out) {
    buf_printf(out, "  %5u | %.*s\n", p->pos.line, STR_ARG(p->excerpt));
    size_t chars = 0, i = 0;
    struct buf pad = BUF_INIT(4096);
    for (; i < p->excerpt.n && chars + 1 < p->pos.col; i++) {
        unsigned char c = (unsigned char)p->excerpt.p[i];
        if ((c & 0xc0) == 0x80) continue;
        buf_putc(&pad, c == '\t' ? '\t' : ' ');
        chars++;
    }
    if (p->pos.col && chars + 1 == p->pos.col) buf_printf(out, "        | %.*s^\n", STR_ARG(buf_str(&pad)));
    buf_free(&pad);
}

void conf_problems_print(const struct conf_problems *ps, struct buf *out) {
    for (size_t i = 0; i < ps->list.n; i++) {
        const struct conf_problem *p = &ps->list.p[i];
        if (p->file.n) buf_put(out, p->file);
        if (p->file.n && p->pos.line) buf_printf(out, ":%u:%u", p->pos.line, p->pos.col);
        if (p->file.n) buf_lit(out, ": ");
        if (p->severity == CONF_WARNING) buf_lit(out, "warning: ");
        buf_put(out, p->message);
        buf_putc(out, '\n');
        if (p->excerpt.n) print_caret(p, out);
    }
    if (ps->dropped) buf_printf(out, "and %zu more\n", ps->dropped);
}

static void json_text(struct buf *out, struct str s) {
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

void conf_problems_json(const struct conf_problems *ps, struct buf *out) {
    buf_putc(out, '[');
    for (size_t i = 0; i < ps->list.n; i++) {
        const struct conf_problem *p = &ps->list.p[i];
        buf_printf(out, "%s{\"severity\":\"%s\",\"file\":", i ? "," : "",
                   p->severity == CONF_WARNING ? "warning" : "error");
        json_text(out, p->file);
        buf_printf(out, ",\"line\":%u,\"column\":%u,\"message\":", p->pos.line, p->pos.col);
        json_text(out, p->message);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}
