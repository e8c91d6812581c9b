// Writes JSON onto a buf.
#include "base/json_write.h"

#include "base/scan.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(JSON_WRITE_DEPTH_MAX <= 64, "one bit a level");

void json_writer_init(struct json_writer *w, struct buf *out) { *w = (struct json_writer){.out = out}; }

void json_writer_done(const struct json_writer *w) { INVARIANT(w->depth == 0 && w->comma && !w->keyed); }

static bool in_object(const struct json_writer *w) { return w->depth && w->is_object >> (w->depth - 1) & 1; }

// Every value comes through here: it needs a key in an object, and there is one top value only.
static void before_value(struct json_writer *w) {
    INVARIANT(in_object(w) == w->keyed);
    INVARIANT(w->depth || !w->comma);
    if (w->comma && !w->keyed) buf_putc(w->out, ',');
    w->keyed = false;
    w->comma = true;
}

static void open(struct json_writer *w, bool object) {
    before_value(w);
    INVARIANT(w->depth < JSON_WRITE_DEPTH_MAX);
    uint64_t bit = 1ULL << w->depth++;
    w->is_object = object ? w->is_object | bit : w->is_object & ~bit;
    w->comma = false;
    buf_putc(w->out, object ? '{' : '[');
}

static void close(struct json_writer *w, bool object) {
    INVARIANT(w->depth && in_object(w) == object && !w->keyed);
    w->depth--;
    w->comma = true;
    buf_putc(w->out, object ? '}' : ']');
}

void json_put_object(struct json_writer *w) { open(w, true); }
void json_put_object_end(struct json_writer *w) { close(w, true); }
void json_put_array(struct json_writer *w) { open(w, false); }
void json_put_array_end(struct json_writer *w) { close(w, false); }

static void put_escape(struct buf *out, char c) {
    static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";
    const char *hit = c ? strchr(values, c) : NULL;
    if (hit) {
        const char two[2] = {'\\', names[hit - values]};
        buf_append(out, two, sizeof two);
    } else {
        static const char digits[] = "0123456789abcdef";
        const char six[6] = {'\\', 'u', '0', '0', digits[(unsigned char)c >> 4], digits[c & 15]};
        buf_append(out, six, sizeof six);
    }
}

static void escape_valid(struct buf *out, struct str text) {
    for (;;) {
        size_t n = scan_json_escape(text);
        buf_put(out, str_head(text, n));
        if (n == text.n) return;
        put_escape(out, text.p[n]);
        text = str_from(text, n + 1);
    }
}

void json_escape_put(struct buf *out, struct str text) {
    if (LIKELY(utf8_valid(text))) {
        escape_valid(out, text);
        return;
    }
    while (text.n) {
        size_t n = utf8_valid_prefix(text);
        escape_valid(out, str_head(text, n));
        if (n == text.n) return;
        buf_lit(out, "\xef\xbf\xbd");
        text = str_from(text, n + 1);
    }
}

static void put_quoted(struct buf *out, struct str text) {
    buf_putc(out, '"');
    json_escape_put(out, text);
    buf_putc(out, '"');
}

void json_put_key(struct json_writer *w, struct str key) {
    INVARIANT(in_object(w) && !w->keyed);
    if (w->comma) buf_putc(w->out, ',');
    put_quoted(w->out, key);
    buf_putc(w->out, ':');
    w->keyed = true;
}

void json_put_raw(struct json_writer *w, struct str raw) {
    before_value(w);
    buf_put(w->out, raw);
}

void json_put_str(struct json_writer *w, struct str text) {
    before_value(w);
    put_quoted(w->out, text);
}

void json_put_i64(struct json_writer *w, int64_t v) {
    before_value(w);
    buf_put_i64(w->out, v);
}

void json_put_u64(struct json_writer *w, uint64_t v) {
    before_value(w);
    buf_put_u64(w->out, v);
}

void json_put_bool(struct json_writer *w, bool v) { json_put_raw(w, v ? STR("true") : STR("false")); }
void json_put_null(struct json_writer *w) { json_put_raw(w, STR("null")); }

void json_put_double(struct json_writer *w, double v) {
    if (!isfinite(v)) {
        json_put_null(w);
        return;
    }
    char text[40];
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) == 0) break;
    }
    json_put_raw(w, str_of(text, (size_t)n));
}

void json_put_member_str(struct json_writer *w, struct str key, struct str text) {
    json_put_key(w, key);
    json_put_str(w, text);
}
void json_put_member_text(struct json_writer *w, struct str key, struct str text) {
    if (text.n)
        json_put_member_str(w, key, text);
    else
        json_put_member_null(w, key);
}
void json_put_member_i64(struct json_writer *w, struct str key, int64_t v) {
    json_put_key(w, key);
    json_put_i64(w, v);
}
void json_put_member_u64(struct json_writer *w, struct str key, uint64_t v) {
    json_put_key(w, key);
    json_put_u64(w, v);
}
void json_put_member_double(struct json_writer *w, struct str key, double v) {
    json_put_key(w, key);
    json_put_double(w, v);
}
void json_put_member_fixed(struct json_writer *w, struct str key, int64_t v, unsigned digits) {
    char text[48];
    uint64_t unit = 1, size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    INVARIANT(digits > 0 && digits <= 18);
    for (unsigned i = 0; i < digits; i++) unit *= 10;
    int n = snprintf(text, sizeof text, "%s%llu.%0*llu", v < 0 ? "-" : "", (unsigned long long)(size / unit),
                     (int)digits, (unsigned long long)(size % unit));
    json_put_member_raw(w, key, str_of(text, (size_t)n));
}
void json_put_member_bool(struct json_writer *w, struct str key, bool v) {
    json_put_key(w, key);
    json_put_bool(w, v);
}
void json_put_member_null(struct json_writer *w, struct str key) {
    json_put_key(w, key);
    json_put_null(w);
}
void json_put_member_raw(struct json_writer *w, struct str key, struct str raw) {
    json_put_key(w, key);
    json_put_raw(w, raw);
}
void json_put_member_object(struct json_writer *w, struct str key) {
    json_put_key(w, key);
    json_put_object(w);
}
void json_put_member_array(struct json_writer *w, struct str key) {
    json_put_key(w, key);
    json_put_array(w);
}
