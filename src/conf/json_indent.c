// Lays JSON out over lines for people: what fits into a line stays in one.
#include "conf/opt_text.h"

#define WIDTH 118
#define STEP 2

// The index past the string that starts at `at`.
static size_t string_end(struct str json, size_t at) {
    for (at++; at < json.n && json.p[at] != '"'; at++) {
        if (json.p[at] == '\\') at++;
    }
    return MIN(at + 1, json.n);
}

// The length of the object or array that starts at `at`, spaces after "," and ":" counted; past `max` it only says so.
static size_t container_length(struct str json, size_t at, size_t max) {
    size_t depth = 0, length = 0;
    while (at < json.n && length <= max) {
        char c = json.p[at];
        size_t end = c == '"' ? string_end(json, at) : at + 1;
        length += end - at;
        at = end;
        if (c == ',' || c == ':') length++;
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) return length;
    }
    return max + 1;
}

static void line_put(struct buf *out, size_t depth) {
    buf_putc(out, '\n');
    for (size_t i = 0; i < depth * STEP; i++) buf_putc(out, ' ');
}

struct layout {
    struct str json;
    struct buf *out;
    size_t depth;      // of containers that stand over several lines
    size_t flat;       // of containers within one that stands in a line
    size_t line_start; // in out
};

static void open_put(struct layout *l, size_t at) {
    size_t used = l->out->n - l->line_start;
    buf_putc(l->out, l->json.p[at]);
    if (l->flat || (used < WIDTH && container_length(l->json, at, WIDTH - used - 1) < WIDTH - used)) {
        l->flat++;
        return;
    }
    l->line_start = l->out->n + 1;
    line_put(l->out, ++l->depth);
}

static void close_put(struct layout *l, char c) {
    if (l->flat) {
        l->flat--;
    } else {
        l->line_start = l->out->n + 1;
        line_put(l->out, --l->depth);
    }
    buf_putc(l->out, c);
}

static void comma_put(struct layout *l) {
    buf_putc(l->out, ',');
    if (l->flat) {
        buf_putc(l->out, ' ');
        return;
    }
    l->line_start = l->out->n + 1;
    line_put(l->out, l->depth);
}

void json_indent(struct str json, struct buf *out) {
    struct layout l = {.json = json, .out = out, .line_start = out->n};
    for (size_t at = 0; at < json.n;) {
        char c = json.p[at];
        size_t end = c == '"' ? string_end(json, at) : at + 1;
        if (c == '{' || c == '[')
            open_put(&l, at);
        else if (c == '}' || c == ']')
            close_put(&l, c);
        else if (c == ',')
            comma_put(&l);
        else
            buf_append(out, json.p + at, end - at);
        if (c == ':') buf_putc(out, ' ');
        at = end;
    }
    buf_putc(out, '\n');
}
