// Frames of AWS' event stream: prelude, headers, payload, with a CRC-32 over the prelude and one over all.
//
// Source: "Amazon Transcribe/Bedrock event stream encoding": total length and headers' length (32 bits, big-endian),
// CRC of these eight bytes, headers (name length 8, name, type 8, value), payload, CRC of all before it.
#include "model/frame.h"

#define PRELUDE 12
#define TRAILER 4
#define TYPE_STRING 7

static uint32_t u32_at(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static uint32_t crc32_of(struct str s) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned char)s.p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0 - (crc & 1)));
    }
    return ~crc;
}

static bool broken(struct err *err) {
    return err_set(err, ERR_UPSTREAM_INVALID, "the provider's event stream is damaged");
}

// How many bytes a header's value has, its own length included; SIZE_MAX for a type there is not.
static size_t value_size(unsigned type, struct str rest) {
    static const size_t sizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    if (type > 9) return SIZE_MAX;
    if (type != 6 && type != TYPE_STRING) return sizes[type];
    if (rest.n < 2) return SIZE_MAX;
    return 2 + ((size_t)(unsigned char)rest.p[0] << 8 | (unsigned char)rest.p[1]);
}

static bool read_headers(struct str s, struct frame *frame, struct err *err) {
    while (s.n) {
        size_t name_n = (unsigned char)s.p[0];
        if (s.n < 1 + name_n + 1) return broken(err);
        struct str name = str_of(s.p + 1, name_n);
        unsigned type = (unsigned char)s.p[1 + name_n];
        struct str rest = str_from(s, 1 + name_n + 1);
        size_t n = value_size(type, rest);
        if (n > rest.n) return broken(err);
        struct str value = type == TYPE_STRING ? str_of(rest.p + 2, n - 2) : STR("");
        if (str_eq(name, STR(":event-type")) || str_eq(name, STR(":exception-type")) ||
            str_eq(name, STR(":error-code")))
            frame->event = value;
        if (str_eq(name, STR(":message-type")))
            frame->exception = str_eq(value, STR("exception")) || str_eq(value, STR("error"));
        s = str_from(rest, n);
    }
    return true;
}

bool frame_take_aws(struct framer *f, struct str all, bool last, size_t *out_used, frame_visit *visit, void *arg,
                    struct err *err) {
    size_t at = 0;
    while (all.n - at >= PRELUDE) {
        const char *p = all.p + at;
        size_t total = u32_at(p), headers = u32_at(p + 4);
        if (u32_at(p + 8) != crc32_of(str_of(p, 8)) || total < PRELUDE + TRAILER + headers) return broken(err);
        if (total > f->max)
            return err_set(err, ERR_UPSTREAM_TOO_LARGE,
                           "one event of the provider's stream is larger than limits.max_event");
        if (all.n - at < total) break;
        if (u32_at(p + total - TRAILER) != crc32_of(str_of(p, total - TRAILER))) return broken(err);
        struct frame frame = {.event = STR(""),
                              .data = str_of(p + PRELUDE + headers, total - PRELUDE - headers - TRAILER)};
        if (!read_headers(str_of(p + PRELUDE, headers), &frame, err)) return false;
        *out_used = at += total;
        if (!visit(arg, &frame, err)) return false;
    }
    return !last || at == all.n || broken(err);
}
