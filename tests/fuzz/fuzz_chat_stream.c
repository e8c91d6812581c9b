// Fuzzes the reader of streamed chat answers, whole and in pieces, which must agree.
#include "cli/chat_stream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *arg, struct str text) { buf_put(arg, text); }

static bool feed(struct str bytes, size_t piece, struct buf *out) {
    struct chat_stream s;
    struct err err;
    bool ok = true;
    chat_stream_init(&s, take, out);
    while (ok && bytes.n) {
        ok = chat_stream_feed(&s, str_head(bytes, piece), &err);
        bytes = str_from(bytes, piece);
    }
    chat_stream_free(&s);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str bytes = str_of((const char *)data, size);
    BUF_AUTO struct buf whole = BUF_INIT((size_t)1 << 20), pieces = BUF_INIT((size_t)1 << 20);
    bool a = feed(bytes, size ? size : 1, &whole), b = feed(bytes, size ? 1 + data[0] % 16u : 1, &pieces);
    if (a != b || !str_eq(buf_str(&whole), buf_str(&pieces))) abort();
    BUF_AUTO struct buf message = BUF_INIT((size_t)1 << 20);
    chat_error_text(bytes, &message);
    return 0;
}
