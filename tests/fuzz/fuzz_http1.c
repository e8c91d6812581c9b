// Fuzzes HTTP/1.1 heads: however the bytes are cut the outcome is the same, and what is taken keeps the promises of the
// header.
#include "base/err.h"
#include "net/http1_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits k_limits = {.max_head = 1024, .max_fields = 12, .max_target = 128};

static enum http1_result parse(unsigned kind, struct str in, size_t *scanned, struct http1_head *h, struct err *err) {
    enum http1_result r = kind ? http1_response(in, scanned, &k_limits, kind == 2, h, err)
                               : http1_request(in, scanned, &k_limits, h, err);
    if (r == HTTP1_BAD) INVARIANT(memchr(err->message, 0, sizeof err->message) && err->message[0]);
    return r;
}

static bool inside(struct str part, struct str whole) {
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_fields(const struct http1_head *h, struct str text) {
    unsigned lengths = 0, codings = 0, hosts = 0;
    INVARIANT(h->field_count <= k_limits.max_fields);
    for (size_t i = 0; i < h->field_count; i++) {
        const struct http_field *f = &h->fields[i];
        INVARIANT(inside(f->name, text) && inside(f->value, text));
        INVARIANT(http_is_token(f->name) && http_is_field_value(f->value));
        lengths += str_eq_nocase(f->name, STR("content-length"));
        codings += str_eq_nocase(f->name, STR("transfer-encoding"));
        hosts += str_eq_nocase(f->name, STR("host"));
    }
    INVARIANT(lengths + codings <= 1);
    if (codings && h->status == 0) INVARIANT(h->framing == HTTP1_CHUNKED);
    if (lengths && h->status == 0) INVARIANT(h->framing == (h->content_length ? HTTP1_LENGTH : HTTP1_NO_BODY));
    if (h->status == 0) INVARIANT(hosts <= 1 && (hosts == 1 || h->minor == 0));
}

static void check_head(unsigned kind, const struct http1_head *h, struct str text) {
    if (h->upgrade_h2c && kind == 0) return;
    INVARIANT(h->size <= text.n && h->size <= k_limits.max_head);
    INVARIANT(memcmp(text.p + h->size - 4, "\r\n\r\n", 4) == 0);
    check_fields(h, text);
    if (kind) {
        INVARIANT(h->status >= 100 && h->status <= 999);
        return;
    }
    INVARIANT(http_is_token(h->method_text) && inside(h->method_text, text));
    INVARIANT(h->target.n && h->target.n <= k_limits.max_target && inside(h->target, text));
    for (size_t i = 0; i < h->target.n; i++) INVARIANT(h->target.p[i] > ' ' && h->target.p[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    unsigned kind = data[0] % 3;
    size_t step = 1 + data[0] / 3 % 40, scanned = 0;
    struct str text = str_of((const char *)data + 1, size - 1);
    struct http1_head whole = {0}, h = {0};
    struct err err;
    enum http1_result r = parse(kind, text, &scanned, &whole, &err), in_steps = HTTP1_MORE;
    if (r == HTTP1_DONE) check_head(kind, &whole, text);
    scanned = 0;
    for (size_t n = 0; in_steps == HTTP1_MORE; n += step) {
        struct str piece = str_head(text, n);
        in_steps = parse(kind, piece, &scanned, &h, &err);
        if (piece.n == text.n) break;
    }
    INVARIANT(r == in_steps);
    if (r == HTTP1_DONE) INVARIANT(whole.size == h.size && whole.framing == h.framing);
    return 0;
}
