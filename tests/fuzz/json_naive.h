// A second, deliberately plain JSON checker, written from RFC 8259 alone: what the reader's verdicts are compared with.
#ifndef TESTS_JSON_NAIVE_H
#define TESTS_JSON_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct naive {
    const uint8_t *p;
    size_t n, i;
    unsigned depth_max;
};

static int naive_peek(const struct naive *s) { return s->i < s->n ? s->p[s->i] : -1; }
static bool naive_eat(struct naive *s, int c) { return naive_peek(s) == c ? (s->i++, true) : false; }
static void naive_space(struct naive *s) {
    while (naive_eat(s, ' ') || naive_eat(s, '\t') || naive_eat(s, '\n') || naive_eat(s, '\r')) {
    }
}

static size_t naive_digits(struct naive *s) {
    size_t n = 0;
    for (int c; (c = naive_peek(s)) >= '0' && c <= '9'; n++) s->i++;
    return n;
}

static bool naive_number(struct naive *s) {
    naive_eat(s, '-');
    bool zero = naive_peek(s) == '0';
    size_t n = naive_digits(s);
    if (n == 0 || (zero && n > 1)) return false;
    if (naive_eat(s, '.') && naive_digits(s) == 0) return false;
    if (naive_eat(s, 'e') || naive_eat(s, 'E')) {
        if (!naive_eat(s, '+')) naive_eat(s, '-');
        if (naive_digits(s) == 0) return false;
    }
    return true;
}

static long naive_hex4(struct naive *s) {
    long v = 0;
    for (int k = 0; k < 4; k++) {
        int c = naive_peek(s);
        s->i++;
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v * 16 + (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            v = v * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return v;
}

static bool naive_escape(struct naive *s) {
    int c = naive_peek(s);
    s->i++;
    if (c != 'u') return c > 0 && strchr("\"\\/bfnrt", c) != NULL;
    long v = naive_hex4(s);
    if (v < 0 || (v >= 0xdc00 && v <= 0xdfff)) return false;
    if (v < 0xd800 || v > 0xdbff) return true;
    if (!naive_eat(s, '\\') || !naive_eat(s, 'u')) return false;
    v = naive_hex4(s);
    return v >= 0xdc00 && v <= 0xdfff;
}

// One non-ASCII character, by decoding it and asking whether this was its shortest form.
static bool naive_utf8(struct naive *s) {
    uint32_t lead = s->p[s->i++], v;
    int more;
    if ((lead & 0xe0) == 0xc0) {
        v = lead & 0x1f, more = 1;
    } else if ((lead & 0xf0) == 0xe0) {
        v = lead & 0x0f, more = 2;
    } else if ((lead & 0xf8) == 0xf0) {
        v = lead & 0x07, more = 3;
    } else {
        return false;
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (int k = 0; k < more; k++) {
        int c = naive_peek(s);
        if (c < 0 || (c & 0xc0) != 0x80) return false;
        v = v << 6 | (uint32_t)(c & 0x3f);
        s->i++;
    }
    return v >= least[more] && v <= 0x10ffff && !(v >= 0xd800 && v <= 0xdfff);
}

static bool naive_string(struct naive *s) {
    if (!naive_eat(s, '"')) return false;
    for (int c; (c = naive_peek(s)) != '"';) {
        if (c < 0x20) return false;
        if (c >= 0x80) {
            if (!naive_utf8(s)) return false;
        } else {
            s->i++;
            if (c == '\\' && !naive_escape(s)) return false;
        }
    }
    s->i++;
    return true;
}

static bool naive_word(struct naive *s, const char *word) {
    size_t n = strlen(word);
    if (s->n - s->i < n || memcmp(s->p + s->i, word, n) != 0) return false;
    s->i += n;
    return true;
}

static bool naive_value(struct naive *s, unsigned depth) {
    bool object = naive_peek(s) == '{';
    if (naive_peek(s) == '"') return naive_string(s);
    if (!object && naive_peek(s) != '[') {
        if (naive_word(s, "true") || naive_word(s, "false") || naive_word(s, "null")) return true;
        return naive_number(s);
    }
    if (depth == s->depth_max) return false;
    s->i++;
    naive_space(s);
    int end = object ? '}' : ']';
    if (naive_eat(s, end)) return true;
    for (;;) {
        naive_space(s);
        if (object) {
            if (!naive_string(s)) return false;
            naive_space(s);
            if (!naive_eat(s, ':')) return false;
            naive_space(s);
        }
        if (!naive_value(s, depth + 1)) return false;
        naive_space(s);
        if (naive_eat(s, end)) return true;
        if (!naive_eat(s, ',')) return false;
    }
}

static inline bool naive_json_valid(const void *p, size_t n, unsigned depth_max) {
    struct naive s = {.p = p, .n = n, .depth_max = depth_max};
    naive_space(&s);
    if (!naive_value(&s, 0)) return false;
    naive_space(&s);
    return s.i == s.n;
}

static inline bool naive_utf8_valid(const void *p, size_t n) {
    struct naive s = {.p = p, .n = n};
    while (s.i < s.n) {
        if (s.p[s.i] < 0x80)
            s.i++;
        else if (!naive_utf8(&s))
            return false;
    }
    return true;
}

#endif
