// Reads replies of RESP2 and RESP3 as their bytes come in, and writes commands.
//
// In two steps. Framing finds out where a reply ends: it remembers how many items each open aggregate still expects, so
// that every byte is looked at once however the stream is cut. Then the whole reply becomes a tree whose text is slices
// of the buffer. Streamed aggregates and strings ("$?", "*?") are refused: no server sends them.
#include "net/resp.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define BYTES_DEFAULT ((size_t)16 * 1024 * 1024)
#define ITEMS_DEFAULT ((size_t)65536)
#define KEEP_IDLE ((size_t)64 * 1024) // a larger buffer is given back once it is empty

void resp_reader_init(struct resp_reader *r, const struct resp_limits *limits) {
    *r = (struct resp_reader){.limits = limits ? *limits : (struct resp_limits){0}};
    struct resp_limits *l = &r->limits;
    if (!l->max_bytes) l->max_bytes = BYTES_DEFAULT;
    if (!l->max_items) l->max_items = ITEMS_DEFAULT;
    if (!l->max_depth || l->max_depth > RESP_DEPTH_MAX) l->max_depth = RESP_DEPTH_MAX;
    // One reply, and what a single read may bring behind it.
    buf_init(&r->in, 2 * l->max_bytes + (size_t)1024 * 1024);
    arena_init(&r->arena, NULL, 1024, 2 * l->max_items * (sizeof(struct resp) + 16) + 4096);
}

void resp_reader_free(struct resp_reader *r) {
    buf_free(&r->in);
    arena_free(&r->arena);
}

void resp_reader_reset(struct resp_reader *r) {
    struct resp_limits limits = r->limits;
    resp_reader_free(r);
    resp_reader_init(r, &limits);
}

static void drop_read(struct resp_reader *r) {
    if (!r->at) return;
    buf_drop(&r->in, r->at);
    r->pos -= r->at;
    r->seen -= MIN(r->at, r->seen);
    r->at = 0;
    if (r->in.n == 0 && r->in.cap > KEEP_IDLE) buf_free(&r->in);
}

void resp_feed(struct resp_reader *r, struct str bytes) {
    if (r->broken) return;
    drop_read(r);
    buf_put(&r->in, bytes);
}

static enum resp_step broken(struct resp_reader *r, enum err_code code, const char *what) {
    r->broken = true;
    err_set(&r->why, code, "%s", what);
    return RESP_BROKEN;
}

static enum resp_step not_resp(struct resp_reader *r, const char *what) {
    return broken(r, ERR_UPSTREAM_INVALID, what);
}

// --- framing ---

// The line at pos without its end. RESP_READY: *out_line, and *out_next is where the next one starts.
static enum resp_step line_find(struct resp_reader *r, struct str *out_line, size_t *out_next) {
    const char *p = r->in.p;
    for (size_t i = MAX(r->seen, r->pos); i < r->in.n; i++) {
        if (p[i] == '\r') {
            if (i + 1 == r->in.n) {
                r->seen = i;
                return RESP_MORE;
            }
            if (p[i + 1] != '\n') return not_resp(r, "a carriage return inside a line");
            *out_line = str_of(p + r->pos, i - r->pos);
            *out_next = r->seen = i + 2;
            return RESP_READY;
        }
        if (p[i] == '\n') return not_resp(r, "a line feed without carriage return");
        if (i - r->pos >= RESP_LINE_MAX) return broken(r, ERR_UPSTREAM_TOO_LARGE, "a line is too long");
    }
    r->seen = r->in.n;
    return RESP_MORE;
}

// One item is whole; so may be those around it.
static void item_done(struct resp_reader *r) {
    while (r->depth) {
        struct resp_level *level = &r->levels[r->depth - 1];
        if (--level->left) return;
        bool attribute = level->attribute;
        r->depth--;
        if (attribute) return; // what it is about is still to come
    }
    r->begun = false;
}

static enum resp_step level_open(struct resp_reader *r, uint64_t items, bool attribute) {
    if (items > r->limits.max_items || (r->items += items) > r->limits.max_items)
        return broken(r, ERR_UPSTREAM_TOO_LARGE, "a reply has too many items");
    if (items == 0) {
        if (!attribute) item_done(r);
        return RESP_READY;
    }
    if (r->depth == r->limits.max_depth) return broken(r, ERR_UPSTREAM_TOO_LARGE, "a reply is nested too deeply");
    r->levels[r->depth++] = (struct resp_level){.left = items, .attribute = attribute};
    return RESP_READY;
}

static enum resp_step frame_aggregate(struct resp_reader *r, char type, struct str line, size_t next) {
    uint64_t count;
    bool null = type == '*' && str_eq(line, STR("-1")), pairs = type == '%' || type == '|';
    if (!null && !str_to_u64(line, &count)) return not_resp(r, "the length of an aggregate is no number");
    r->pos = next;
    if (null) {
        item_done(r);
        return RESP_READY;
    }
    if (count > r->limits.max_items) return broken(r, ERR_UPSTREAM_TOO_LARGE, "a reply has too many items");
    return level_open(r, pairs ? count * 2 : count, type == '|');
}

static enum resp_step frame_bulk(struct resp_reader *r, char type, struct str line, size_t next) {
    uint64_t length;
    if (type == '$' && str_eq(line, STR("-1"))) {
        r->pos = next;
        item_done(r);
        return RESP_READY;
    }
    if (!str_to_u64(line, &length)) return not_resp(r, "the length of a string is no number");
    if (length > r->limits.max_bytes) return broken(r, ERR_UPSTREAM_TOO_LARGE, "a string is too long");
    if (r->in.n - next < length + 2) {
        // The line is looked for again when more has come: its end is known.
        r->seen = next - 2;
        return RESP_MORE;
    }
    const char *p = r->in.p + next;
    if (p[length] != '\r' || p[length + 1] != '\n') return not_resp(r, "a string does not end where it should");
    if (type == '=' && (length < 4 || p[3] != ':')) return not_resp(r, "a verbatim string without its kind");
    r->pos = r->seen = next + length + 2;
    item_done(r);
    return RESP_READY;
}

static enum resp_step frame_one(struct resp_reader *r) {
    struct str line;
    size_t next = 0;
    enum resp_step step = line_find(r, &line, &next);
    if (step != RESP_READY) return step;
    if (!line.n) return not_resp(r, "an empty line");
    char type = line.p[0];
    line = str_from(line, 1);
    switch (type) {
    case '*':
    case '~':
    case '%':
    case '>':
    case '|':
        return frame_aggregate(r, type, line, next);
    case '$':
    case '!':
    case '=':
        return frame_bulk(r, type, line, next);
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
    case '_':
        r->pos = next;
        item_done(r);
        return RESP_READY;
    default:
        return not_resp(r, "an unknown type of reply");
    }
}

static enum resp_step frame(struct resp_reader *r) {
    if (!r->begun) {
        if (r->pos == r->in.n) return RESP_MORE;
        r->begun = true;
        r->items = 0;
        r->depth = 0;
    }
    while (r->begun) {
        enum resp_step step = frame_one(r);
        if (step == RESP_BROKEN) return step;
        if (r->pos - r->at > r->limits.max_bytes || (step == RESP_MORE && r->in.n - r->at > r->limits.max_bytes))
            return broken(r, ERR_UPSTREAM_TOO_LARGE, "a reply is too large");
        if (step == RESP_MORE) return step;
    }
    return RESP_READY;
}

// --- values ---

struct walk {
    struct resp_reader *r;
    const char *p; // framed already: every line and string in here is whole
    const char *end;
};

static struct str walk_line(struct walk *w) {
    const char *from = w->p, *cr = memchr(from, '\r', (size_t)(w->end - from));
    INVARIANT(cr != NULL);
    w->p = cr + 2;
    return str_of(from, (size_t)(cr - from));
}

static bool digits_only(struct str s) {
    struct str d = s.n && (s.p[0] == '-' || s.p[0] == '+') ? str_from(s, 1) : s;
    for (size_t i = 0; i < d.n; i++)
        if (d.p[i] < '0' || d.p[i] > '9') return false;
    return d.n > 0;
}

static bool double_parse(struct str s, double *out_value) {
    char text[64], *end;
    if (str_eq(s, STR("inf")) || str_eq(s, STR("+inf"))) return *out_value = (double)INFINITY, true;
    if (str_eq(s, STR("-inf"))) return *out_value = -(double)INFINITY, true;
    if (str_eq(s, STR("nan")) || str_eq(s, STR("-nan"))) return *out_value = (double)NAN, true;
    if (!s.n || s.n >= sizeof text) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!memchr("0123456789+-.eE", s.p[i], 15)) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *out_value = strtod(text, &end);
    return end == text + s.n;
}

static bool scalar(struct walk *w, char type, struct str line, struct resp *out) {
    switch (type) {
    case '+':
        *out = (struct resp){.type = RESP_STRING, .text = line};
        return true;
    case '-':
        *out = (struct resp){.type = RESP_ERROR, .text = line};
        return true;
    case ':':
        *out = (struct resp){.type = RESP_INT};
        if (!str_to_i64(line.n && line.p[0] == '+' ? str_from(line, 1) : line, &out->integer))
            return not_resp(w->r, "an integer that is none"), false;
        out->number = (double)out->integer;
        return true;
    case ',':
        *out = (struct resp){.type = RESP_DOUBLE, .text = line};
        return double_parse(line, &out->number) || (not_resp(w->r, "a double that is none"), false);
    case '#':
        *out = (struct resp){.type = RESP_BOOL, .integer = str_eq(line, STR("t"))};
        return out->integer || str_eq(line, STR("f")) || (not_resp(w->r, "a boolean that is none"), false);
    case '(':
        *out = (struct resp){.type = RESP_BIG, .text = line};
        return digits_only(line) || (not_resp(w->r, "a big number that is none"), false);
    default: // '_'
        *out = (struct resp){.type = RESP_NULL};
        return line.n == 0 || (not_resp(w->r, "a null with something in it"), false);
    }
}

static void bulk(struct walk *w, char type, struct str line, struct resp *out) {
    uint64_t length = 0;
    if (!str_to_u64(line, &length)) { // "-1", or framing would have refused it
        *out = (struct resp){.type = RESP_NULL};
        return;
    }
    struct str text = str_of(w->p, (size_t)length);
    w->p += length + 2;
    if (type == '=') text = str_from(text, 4);
    *out = (struct resp){.type = type == '!' ? RESP_ERROR : RESP_STRING, .text = text};
}

static bool value(struct walk *w, struct resp *out);

static bool items(struct walk *w, enum resp_type type, uint64_t n, struct resp *out) {
    struct resp *list = n ? arena_alloc(&w->r->arena, (size_t)n * sizeof *list) : NULL;
    if (n && !list) return broken(w->r, ERR_NO_MEMORY, "out of memory"), false;
    for (uint64_t i = 0; i < n; i++)
        if (!value(w, &list[i])) return false;
    *out = (struct resp){.type = type, .items = list, .n = (size_t)n};
    return true;
}

static bool aggregate(struct walk *w, char type, struct str line, struct resp *out) {
    uint64_t n = 0;
    if (!str_to_u64(line, &n)) {
        *out = (struct resp){.type = RESP_NULL};
        return true;
    }
    switch (type) {
    case '%':
        return items(w, RESP_MAP, n * 2, out);
    case '~':
        return items(w, RESP_SET, n, out);
    case '>':
        return items(w, RESP_PUSH, n, out);
    default:
        return items(w, RESP_ARRAY, n, out);
    }
}

// The depth was bounded by framing.
static bool value(struct walk *w, struct resp *out) {
    char type = *w->p;
    while (type == '|') {
        struct resp about;
        uint64_t n = 0;
        w->p++;
        if (!str_to_u64(walk_line(w), &n)) return false;
        for (uint64_t i = 0; i < n * 2; i++)
            if (!value(w, &about)) return false;
        type = *w->p;
    }
    w->p++;
    struct str line = walk_line(w);
    if (memchr("$!=", type, 3)) return bulk(w, type, line, out), true;
    if (memchr("*~%>", type, 4)) return aggregate(w, type, line, out);
    return scalar(w, type, line, out);
}

enum resp_step resp_next(struct resp_reader *r, const struct resp **out_reply, struct err *err) {
    enum resp_step step = r->broken      ? RESP_BROKEN
                          : r->in.failed ? broken(r, ERR_NO_MEMORY, "a reply is too large, or memory is short")
                                         : frame(r);
    if (step == RESP_READY) {
        arena_free(&r->arena);
        struct walk w = {.r = r, .p = r->in.p + r->at, .end = r->in.p + r->pos};
        if (!value(&w, &r->reply)) step = RESP_BROKEN;
        *out_reply = &r->reply;
        r->at = r->pos;
    }
    if (step == RESP_BROKEN) *err = r->why;
    return step;
}

// --- commands ---

void resp_put_array(struct buf *out, size_t n) {
    buf_putc(out, '*');
    buf_put_u64(out, n);
    buf_lit(out, "\r\n");
}

void resp_put_bulk(struct buf *out, struct str s) {
    buf_putc(out, '$');
    buf_put_u64(out, s.n);
    buf_lit(out, "\r\n");
    buf_put(out, s);
    buf_lit(out, "\r\n");
}

void resp_put_i64(struct buf *out, int64_t v) {
    char text[24], *p = text + sizeof text;
    uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (v < 0) *--p = '-';
    resp_put_bulk(out, str_of(p, (size_t)(text + sizeof text - p)));
}

void resp_put_command(struct buf *out, const struct str *args, size_t n) {
    resp_put_array(out, n);
    for (size_t i = 0; i < n; i++) resp_put_bulk(out, args[i]);
}

// --- answers ---

bool resp_integer(const struct resp *reply, int64_t *out_value) {
    if (reply->type == RESP_INT) {
        *out_value = reply->integer;
        return true;
    }
    return reply->type == RESP_STRING && str_to_i64(reply->text, out_value);
}

const struct resp *resp_member(const struct resp *reply, struct str key) {
    if (reply->type != RESP_MAP && reply->type != RESP_ARRAY) return NULL;
    for (size_t i = 0; i + 1 < reply->n; i += 2)
        if (reply->items[i].type == RESP_STRING && str_eq(reply->items[i].text, key)) return &reply->items[i + 1];
    return NULL;
}
