// Fuzzes the chunked decoder: in one piece and in many it finds the same data, the same end and the same faults.
#include "base/buf.h"
#include "net/http1_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http1_result decode(struct str text, size_t step, struct buf *out, size_t *out_rest) {
    struct http1_chunked c;
    enum http1_result r = HTTP1_MORE;
    http1_chunked_init(&c);
    while (text.n && r == HTTP1_MORE) {
        struct str in = str_head(text, step), data;
        size_t n = in.n;
        do {
            r = http1_chunked_next(&c, &in, &data);
            INVARIANT(r == HTTP1_MORE || data.n == 0);
            buf_put(out, data);
        } while (r == HTTP1_MORE && data.n);
        INVARIANT(r != HTTP1_MORE || in.n == 0);
        text = str_from(text, n - in.n);
    }
    *out_rest = text.n;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct str text = str_of((const char *)data + 1, size - 1);
    BUF_AUTO struct buf whole = BUF_INIT((size_t)1 << 20), pieces = BUF_INIT((size_t)1 << 20);
    size_t rest_a, rest_b;
    enum http1_result a = decode(text, SIZE_MAX, &whole, &rest_a);
    enum http1_result b = decode(text, 1 + data[0] % 32u, &pieces, &rest_b);
    INVARIANT(a == b && str_eq(buf_str(&whole), buf_str(&pieces)));
    if (a == HTTP1_DONE) INVARIANT(rest_a == rest_b);
    return 0;
}
