// Fuzzes the RESP reader: whole and cut into pieces the same replies come out, and no limit is passed.
#include "net/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_items(const struct resp *v, unsigned depth) {
    size_t n = v->n;
    INVARIANT(depth <= RESP_DEPTH_MAX);
    for (size_t i = 0; i < v->n; i++) n += count_items(&v->items[i], depth + 1);
    return n;
}

static void put(struct buf *out, const struct resp *v) {
    buf_printf(out, "%d %zu %lld %zu:", (int)v->type, v->n, (long long)v->integer, v->text.n);
    buf_put(out, v->text);
    for (size_t i = 0; i < v->n; i++) put(out, &v->items[i]);
}

static void run(struct str wire, size_t step, struct buf *out) {
    static const struct resp_limits limits = {.max_bytes = 2000, .max_items = 200};
    struct resp_reader r;
    struct err err;
    const struct resp *reply;
    enum resp_step how = RESP_MORE;
    resp_reader_init(&r, &limits);
    while (wire.n && how != RESP_BROKEN) {
        struct str piece = str_head(wire, step);
        wire = str_from(wire, piece.n);
        resp_feed(&r, piece);
        while ((how = resp_next(&r, &reply, &err)) == RESP_READY) {
            INVARIANT(count_items(reply, 0) <= limits.max_items);
            put(out, reply);
        }
    }
    if (how == RESP_BROKEN) buf_lit(out, "broken");
    resp_reader_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 65536) return 0;
    struct str wire = str_of((const char *)data + 1, size - 1);
    BUF_AUTO struct buf whole = BUF_INIT((size_t)1 << 26), pieces = BUF_INIT((size_t)1 << 26);
    run(wire, 32768, &whole);
    run(wire, 1 + data[0] % 16u, &pieces);
    INVARIANT(whole.failed || pieces.failed || str_eq(buf_str(&whole), buf_str(&pieces)));
    return 0;
}
