// Cuts a provider's stream into frames, wherever the network has cut it.
#include "model/frame.h"

#include "base/scan.h"

#define READ_MAX ((size_t)1 << 20) // of one call's data beside the rest

void framer_init(struct framer *f, enum frame_kind kind, size_t max) {
    *f = (struct framer){.kind = kind, .max = max};
    buf_init(&f->rest, max + READ_MAX);
    buf_init(&f->data, max + READ_MAX);
}

void framer_free(struct framer *f) {
    buf_free(&f->rest);
    buf_free(&f->data);
}

// --- server-sent events ---

// Behind the first blank line at or after `from`; 0: there is none.
static size_t blank_line(struct str s, size_t from) {
    for (;;) {
        const char *lf = from < s.n ? memchr(s.p + from, '\n', s.n - from) : NULL;
        if (!lf) return 0;
        size_t at = (size_t)(lf - s.p) + 1;
        if (at < s.n && s.p[at] == '\n') return at + 1;
        if (at + 1 < s.n && s.p[at] == '\r' && s.p[at + 1] == '\n') return at + 2;
        from = at;
    }
}

size_t frame_event_len(struct str data) { return blank_line(data, 0); }

static struct str value_of(struct str line, size_t name) {
    struct str v = str_from(line, name);
    return v.n && v.p[0] == ' ' ? str_from(v, 1) : v;
}

static bool sse_event(struct framer *f, struct str event, frame_visit *visit, void *arg, struct err *err) {
    struct frame frame = {.event = STR("")};
    struct str line, all = event;
    size_t lines = 0;
    while (str_split(&event, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (str_starts(line, STR("event:"))) frame.event = value_of(line, 6);
        if (!str_starts(line, STR("data:"))) continue;
        struct str data = value_of(line, 5);
        if (lines++ == 0) {
            frame.data = data;
            continue;
        }
        if (lines == 2) {
            buf_clear(&f->data);
            buf_put(&f->data, frame.data);
        }
        buf_putc(&f->data, '\n');
        buf_put(&f->data, data);
    }
    if (lines == 1) frame.raw = all;
    if (lines > 1) frame.data = buf_str(&f->data);
    if (lines > 1 && f->data.failed) return err_no_memory(err);
    return !lines || visit(arg, &frame, err);
}

#define BOM "\xef\xbb\xbf"

static bool take_sse(struct framer *f, struct str all, bool last, size_t *out_used, frame_visit *visit, void *arg,
                     struct err *err) {
    size_t at = 0, search = f->scanned, end;
    if (!f->begun) {
        if (!last && all.n < 3 && str_starts(STR(BOM), all)) return true;
        if (str_starts(all, STR(BOM))) at = 3;
        f->begun = all.n > 0;
    }
    while (at < all.n) {
        struct str rest = str_from(all, at);
        if (rest.p[0] == '\n' || (rest.n > 1 && rest.p[0] == '\r' && rest.p[1] == '\n')) { // no event
            at += rest.p[0] == '\n' ? 1 : 2;
            continue;
        }
        end = blank_line(all, MAX(at, search));
        if (!end && !last) break;
        if (!end) end = all.n;
        if (!sse_event(f, str_of(all.p + at, end - at), visit, arg, err)) return false;
        *out_used = at = end;
    }
    *out_used = at;
    // The blank line may begin in the last bytes that are here.
    f->scanned = all.n - at > 2 ? all.n - at - 2 : 0;
    return true;
}

// --- lines ---

static bool take_lines(struct framer *f, struct str all, bool last, size_t *out_used, frame_visit *visit, void *arg,
                       struct err *err) {
    size_t at = 0;
    while (at < all.n) {
        const char *lf = memchr(all.p + MAX(at, f->scanned), '\n', all.n - MAX(at, f->scanned));
        if (!lf && !last) break;
        size_t end = lf ? (size_t)(lf - all.p) : all.n;
        struct frame frame = {.data = str_trim(str_of(all.p + at, end - at))};
        at = lf ? end + 1 : end;
        *out_used = at;
        if (frame.data.n && !visit(arg, &frame, err)) return false;
    }
    f->scanned = all.n - at;
    return true;
}

// --- the elements of an array ---

// One byte of an element; true: the element ends with it.
static bool element_ends(struct framer *f, char c) {
    if (f->in_string) {
        if (f->escaped)
            f->escaped = false;
        else if (c == '\\')
            f->escaped = true;
        else if (c == '"')
            f->in_string = false;
        return false;
    }
    if (c == '"') f->in_string = true;
    if (c == '{' || c == '[') f->depth++;
    return (c == '}' || c == ']') && --f->depth == 0;
}

static bool between_elements(struct framer *f, char c, struct err *err) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return true;
    if (!f->begun && c == '[') return f->begun = true;
    if (f->begun && c == ',' && !f->ended) return f->comma = true;
    if (f->begun && c == ']' && !f->ended) return f->ended = true;
    return err_set(err, ERR_UPSTREAM_INVALID, "the provider's stream is no JSON array of objects");
}

static bool take_array(struct framer *f, struct str all, size_t *out_used, frame_visit *visit, void *arg,
                       struct err *err) {
    size_t start = 0;
    for (size_t i = f->scanned; i < all.n; i++) {
        char c = all.p[i];
        if (f->depth == 0 && (c != '{' || !f->begun || f->ended)) {
            if (!between_elements(f, c, err)) return false;
            *out_used = start = i + 1;
            continue;
        }
        f->comma = false;
        if (!element_ends(f, c)) continue;
        struct frame frame = {.data = str_of(all.p + start, i + 1 - start)};
        *out_used = start = i + 1;
        if (!visit(arg, &frame, err)) return false;
    }
    f->scanned = all.n - start;
    return true;
}

bool framer_may_end(const struct framer *f) { return f->begun && !f->ended && !f->comma && f->depth == 0; }

// --- all ---

static bool take(struct framer *f, struct str all, bool last, size_t *out_used, frame_visit *visit, void *arg,
                 struct err *err) {
    *out_used = 0;
    switch (f->kind) {
    case FRAME_SSE:
        return take_sse(f, all, last, out_used, visit, arg, err);
    case FRAME_LINES:
        return take_lines(f, all, last, out_used, visit, arg, err);
    case FRAME_ARRAY:
        return take_array(f, all, out_used, visit, arg, err);
    case FRAME_AWS:
        return frame_take_aws(f, all, last, out_used, visit, arg, err);
    }
    return false;
}

bool framer_feed(struct framer *f, struct str data, bool last, frame_visit *visit, void *arg, struct err *err) {
    size_t used;
    bool joined = f->rest.n > 0;
    if (joined) buf_put(&f->rest, data);
    if (f->rest.failed) return err_no_memory(err);
    struct str all = joined ? buf_str(&f->rest) : data;
    if (!take(f, all, last, &used, visit, arg, err)) return false;
    if (all.n - used > f->max)
        return err_set(err, ERR_UPSTREAM_TOO_LARGE,
                       "one event of the provider's stream is larger than limits.max_event");
    if (joined)
        buf_drop(&f->rest, used);
    else
        buf_put(&f->rest, str_from(data, used));
    return !f->rest.failed || err_no_memory(err);
}
