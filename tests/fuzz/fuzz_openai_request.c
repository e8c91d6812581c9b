// Fuzzes requests in OpenAI's dialect: what is read is inside the body, and what is rewritten reads as what was wanted.
#include "base/mem.h"
#include "model/demo.h"
#include "model/openai_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str part, struct str whole) {
    return part.p == NULL || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_rewritten(const struct openai_request *q, struct arena *arena, bool ask) {
    const struct openai_rewrite rewrite = {.model = STR("up/stream \"\x01\xc3\xa9\\"), .ask_usage = ask};
    struct str slices[JSON_EDIT_SLICES_MAX];
    struct err err;
    size_t n;
    INVARIANT(openai_request_rewrite(q, &rewrite, arena, slices, &n, &err) && n <= JSON_EDIT_SLICES_MAX);
    BUF_AUTO struct buf body = BUF_INIT((size_t)1 << 24);
    for (size_t i = 0; i < n; i++) buf_put(&body, slices[i]);
    INVARIANT(!body.failed);
    struct openai_request again;
    INVARIANT(openai_request_read(q->endpoint, buf_str(&body), 64, arena, &again, &err));
    INVARIANT(str_eq(again.model, rewrite.model) && again.stream == q->stream);
    INVARIANT(again.wants_usage == (q->wants_usage || (ask && q->stream)));
    INVARIANT(str_eq(again.input, q->input));
}

static void check_demo(const struct openai_request *q, struct arena *arena) {
    struct demo d;
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT((size_t)64 << 20);
    INVARIANT(demo_open(q, STR("echo"), STR("1"), 1, arena, &d, &err));
    enum demo_next next = DEMO_MORE;
    while (next == DEMO_MORE) next = demo_next(&d, &out);
    INVARIANT(next == DEMO_LAST && out.n && !out.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    enum openai_endpoint endpoint = (enum openai_endpoint)(data[0] % 3);
    struct str body = str_of((const char *)data + 1, size - 1);
    struct openai_request q;
    struct arena arena;
    struct err err;
    arena_init(&arena, NULL, 0, (size_t)16 << 20);
    if (openai_request_read(endpoint, body, 64, &arena, &q, &err)) {
        INVARIANT(inside(q.body, body) && inside(q.input, q.body) && inside(q.model_raw, q.body));
        INVARIANT(inside(q.stream_options, q.body) && inside(q.include_usage, q.body));
        INVARIANT(q.model.n > 0 && q.model.n <= 256);
        check_rewritten(&q, &arena, false);
        check_rewritten(&q, &arena, true);
        check_demo(&q, &arena);
    } else {
        INVARIANT(err.status >= 400 && err.message[0] && memchr(err.message, 0, sizeof err.message));
    }
    arena_free(&arena);
    return 0;
}
