// Fuzzes the pass-through of event streams: whole and in pieces it gives out the same bytes; without taking out it
// gives out what came in.
#include "model/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool feed(struct relay *s, struct str text, size_t step, struct buf *out) {
    for (bool last = false; !last;) {
        struct str parts[RELAY_PARTS], piece = str_head(text, step);
        struct err err;
        size_t count;
        text = str_from(text, piece.n);
        last = text.n == 0;
        if (!relay_feed(s, piece, last, parts, &count, &err)) return false;
        for (size_t i = 0; i < count; i++) buf_put(out, parts[i]);
    }
    return true;
}

static bool run(struct str text, size_t step, bool strip, struct buf *out, struct usage *out_usage) {
    struct relay s;
    relay_init(&s, 2000);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = strip;
    bool ok = feed(&s, text, step, out);
    INVARIANT(s.rest.cap <= 4 * (2000 + ((size_t)1 << 20)));
    struct arena arena;
    struct chat_failure failure;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    INVARIANT(!ok || !relay_failed(&s, 1, &arena, &failure) || failure.kind <= CHAT_FAIL_SERVER);
    arena_free(&arena);
    *out_usage = s.usage;
    relay_free(&s);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct str text = str_of((const char *)data + 1, size - 1);
    size_t step = 1 + data[0] % 64u;
    BUF_AUTO struct buf a = BUF_INIT((size_t)1 << 22), b = BUF_INIT((size_t)1 << 22), c = BUF_INIT((size_t)1 << 22);
    struct usage ua, ub, uc;
    if (run(text, step, false, &a, &ua)) INVARIANT(str_eq(buf_str(&a), text));
    bool whole = run(text, SIZE_MAX, true, &b, &ub), pieces = run(text, step, true, &c, &uc);
    INVARIANT(b.n <= text.n && c.n <= text.n);
    if (whole && pieces) INVARIANT(memcmp(&ub, &uc, sizeof ub) == 0);
    return 0;
}
