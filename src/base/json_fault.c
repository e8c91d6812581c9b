// Tells exactly what is wrong with a JSON string or number that the fast kernels refused, and checks \u escapes.
#include "base/scan_level.h"
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

static void fault(struct json_fault *out, const char *what, const char *at) {
    *out = (struct json_fault){.what = what, .at = at};
}

static void unicode_fault(const char *p, const char *end, struct json_fault *out) {
    uint32_t value;
    if (hex4(p + 1, end, &value))
        fault(out, "a \\u escape is half of a surrogate pair", p - 1);
    else
        fault(out, "a \\u escape needs four hexadecimal digits", p - 1);
}

// p stands on a backslash. The place after the escape, or NULL with the fault set.
static const char *escape_check(const char *p, const char *end, struct json_fault *out) {
    p++;
    if (p == end) return p;
    if (*p == 'u') {
        uint32_t ignored;
        const char *after = json_unicode_escape(p, end, &ignored);
        if (!after) unicode_fault(p, end, out);
        return after;
    }
    if (*p && strchr("\"\\/bfnrt", *p)) return p + 1;
    fault(out, "unknown escape in a string", p - 1);
    return NULL;
}

void json_string_fault(const char *p, const char *end, struct json_fault *out_fault) {
    const char *open = p - 1;
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c == '"') break;
        if (c < 0x20) {
            fault(out_fault, "a control character in a string must be written as an escape", p);
            return;
        }
        if (c == '\\') {
            p = escape_check(p, end, out_fault);
            if (!p) return;
            continue;
        }
        uint32_t ignored;
        size_t n = utf8_decode(str_of(p, (size_t)(end - p)), &ignored);
        if (n == 0) {
            fault(out_fault, "bytes in a string are not valid UTF-8", p);
            return;
        }
        p += n;
    }
    // A kernel that refuses a good string would be a bug of ours.
    INVARIANT(p == end);
    fault(out_fault, "the string that starts here has no end", open);
}

static const char *digits(const char *p, const char *end) {
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

void json_number_fault(const char *p, const char *end, struct json_fault *out_fault) {
    if (*p == '-') p++;
    const char *after = digits(p, end);
    if (after - p > 1 && *p == '0') {
        fault(out_fault, "a number has a leading zero", p);
        return;
    }
    bool more = after > p;
    if (more && after < end && *after == '.') {
        p = after + 1;
        after = digits(p, end);
        more = after > p;
    }
    if (more && after < end && (*after | 0x20) == 'e') {
        p = after + 1;
        if (p < end && (*p == '+' || *p == '-')) p++;
        after = digits(p, end);
        more = after > p;
    }
    INVARIANT(!more);
    fault(out_fault, "a digit is missing in a number", p);
}
