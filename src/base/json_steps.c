// Checks JSON step by step and tells exactly what is wrong: the judge of what the vector kernels refuse, and the
// portable level.
#include "base/json_read.h"
#include "base/scan_level.h"
#include "base/scan_word.h"
#include "base/utf8.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Four hexadecimal digits at p.
static bool hex4(const char *p, const char *end, uint32_t *out_value) {
    if (end - p < 4) return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0) return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out_value = v;
    return true;
}

const char *json_unicode_escape(const char *p, const char *end, uint32_t *out_code_point) {
    uint32_t high, low;
    if (end - p < 5 || !hex4(p + 1, end, &high)) return NULL;
    if (high < 0xd800 || high > 0xdfff) {
        *out_code_point = high;
        return p + 5;
    }
    bool pair = high < 0xdc00 && end - p >= 11 && p[5] == '\\' && p[6] == 'u' && hex4(p + 7, end, &low);
    if (!pair || low < 0xdc00 || low > 0xdfff) return NULL;
    *out_code_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return p + 11;
}

static const char *fault(struct json_fault *out, const char *what, const char *at) {
    *out = (struct json_fault){.what = what, .at = at};
    return NULL;
}

static const char *unicode_check(const char *p, const char *end, struct json_fault *out) {
    uint32_t value;
    const char *after = json_unicode_escape(p, end, &value);
    if (after) return after;
    if (hex4(p + 1, end, &value)) return fault(out, "a \\u escape is half of a surrogate pair", p - 1);
    return fault(out, "a \\u escape needs four hexadecimal digits", p - 1);
}

// p stands on a backslash. The place after the escape, or NULL with the fault set.
static const char *escape_check(const char *p, const char *end, struct json_fault *out) {
    p++;
    if (p == end) return p;
    if (*p == 'u') return unicode_check(p, end, out);
    if (*p && strchr("\"\\/bfnrt", *p)) return p + 1;
    return fault(out, "unknown escape in a string", p - 1);
}

const char *json_string_steps(const char *p, const char *end, struct json_fault *out_fault) {
    const char *open = p - 1;
    while ((p = skip_plain(p, end)) < end) {
        unsigned char c = (unsigned char)*p;
        if (c == '"') return p + 1;
        if (c < 0x20) return fault(out_fault, "a control character in a string must be written as an escape", p);
        if (c == '\\') {
            p = escape_check(p, end, out_fault);
            if (!p) return NULL;
            continue;
        }
        uint32_t ignored;
        size_t n = utf8_decode(str_of(p, (size_t)(end - p)), &ignored);
        if (n == 0) return fault(out_fault, "bytes in a string are not valid UTF-8", p);
        p += n;
    }
    return fault(out_fault, "the string that starts here has no end", open);
}

// At least one digit.
static const char *digits(const char *p, const char *end, struct json_fault *out_fault) {
    const char *after = skip_digits(p, end);
    return after > p ? after : fault(out_fault, "a digit is missing in a number", p);
}

static const char *number_steps(const char *p, const char *end, struct json_fault *out_fault) {
    if (*p == '-') p++;
    const char *first = p;
    p = digits(p, end, out_fault);
    if (!p) return NULL;
    if (*first == '0' && p - first > 1) return fault(out_fault, "a number has a leading zero", first);
    if (p < end && *p == '.') p = digits(p + 1, end, out_fault);
    if (!p || p == end || (*p | 0x20) != 'e') return p;
    p++;
    if (p < end && (*p == '+' || *p == '-')) p++;
    return digits(p, end, out_fault);
}

static const char *word_steps(const char *p, const char *end, struct json_fault *out_fault) {
    static const struct str words[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null")};
    struct str rest = str_of(p, (size_t)(end - p));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_starts(rest, words[i])) return p + words[i].n;
    return fault(out_fault, "expected a value", p);
}

static const char *skip_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    return p;
}

// From a member's key to the first byte of its value.
static const char *member_start(const char *p, const char *end, struct json_fault *out_fault) {
    if (p == end || *p != '"') return fault(out_fault, "expected a member name in quotes", p);
    p = json_string_steps(p + 1, end, out_fault);
    if (!p) return NULL;
    p = skip_space(p, end);
    if (p == end || *p != ':') return fault(out_fault, "expected ':' after the member name", p);
    return skip_space(p + 1, end);
}

struct steps {
    const char *end;
    struct json_fault *fault;
    unsigned depth, depth_max;
    uint64_t is_object[JSON_DEPTH_MAX / 64];
};

static bool in_object(const struct steps *s) { return s->is_object[(s->depth - 1) / 64] >> ((s->depth - 1) % 64) & 1; }

// p stands on '{' or '['. Returns where its first value starts, or the place after it when it is empty (*out_empty).
static const char *container_start(const char *p, struct steps *s, bool *out_empty) {
    bool object = *p == '{';
    if (s->depth >= s->depth_max) return fault(s->fault, "nested too deep", p);
    p = skip_space(p + 1, s->end);
    if (p == s->end) return fault(s->fault, object ? "the object has no end" : "the array has no end", p);
    *out_empty = *p == (object ? '}' : ']');
    if (*out_empty) return p + 1;
    uint64_t bit = 1ULL << (s->depth % 64), *word = &s->is_object[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    return object ? member_start(p, s->end, s->fault) : p;
}

// p stands after a value. Goes over the closing brackets and the comma that follow: to the start of the next value, or
// to the place after the outermost container (depth 0).
static const char *value_next(const char *p, struct steps *s) {
    while (s->depth) {
        bool object = in_object(s);
        p = skip_space(p, s->end);
        if (p == s->end) return fault(s->fault, object ? "the object has no end" : "the array has no end", p);
        if (*p == ',') {
            p = skip_space(p + 1, s->end);
            return object ? member_start(p, s->end, s->fault) : p;
        }
        if (*p != (object ? '}' : ']'))
            return fault(s->fault, object ? "expected ',' or '}'" : "expected ',' or ']'", p);
        s->depth--;
        p++;
    }
    return p;
}

static const char *scalar_steps(const char *p, struct steps *s) {
    if (*p == '"') return json_string_steps(p + 1, s->end, s->fault);
    if (*p == '-' || byte_is_digit(*p)) return number_steps(p, s->end, s->fault);
    return word_steps(p, s->end, s->fault);
}

const char *json_value_steps(const char *p, const char *end, unsigned depth_max, struct json_fault *out_fault) {
    struct steps s = {.end = end, .fault = out_fault, .depth_max = depth_max};
    do {
        bool empty = true;
        if (p == end) return fault(out_fault, "expected a value", p);
        p = *p == '{' || *p == '[' ? container_start(p, &s, &empty) : scalar_steps(p, &s);
        if (p && empty) p = value_next(p, &s);
        if (!p) return NULL;
    } while (s.depth);
    return p;
}
