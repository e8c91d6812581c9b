// Fuzzes the reading of form data, and of its content type: what is found lies in the body, and putting another model
// in its place gives a body that has that model and nothing else changed.
#include "model/openai/openai.h"

#include "model/openai/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool peek(struct str type, struct str body, struct arena *arena, struct model_request *out) {
    const struct model_request_in in = {.operation = OPERATION_IMAGE_EDIT, .body = body, .content_type = type};
    struct err err;
    return dialect_get(DIALECT_OPENAI)->peek(&in, arena, out, &err);
}

static void check_rewrite(struct str type, const struct model_request *q, struct arena *arena) {
    const struct provider_traits traits = {.kind = PROVIDER_OPENAI};
    const struct chat_target target = {.model = STR("another/model"), .traits = &traits};
    struct str slices[JSON_EDIT_SLICES_MAX];
    struct model_request again;
    struct err err;
    size_t n;
    BUF_AUTO struct buf out = BUF_INIT((size_t)1 << 22);
    INVARIANT(dialect_get(DIALECT_OPENAI)->rewrite(q, &target, arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    // A boundary that is part of the new model's name would end it; such are refused by nobody.
    if (str_find(target.model, q->boundary) < target.model.n) return;
    INVARIANT(peek(type, buf_str(&out), arena, &again));
    INVARIANT(str_eq(again.model, target.model) && again.stream == q->stream && str_eq(again.input, q->input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str all = str_of((const char *)data, size), type;
    struct arena arena;
    struct model_request q;
    if (!str_split(&all, '\n', &type) || !all.p) return 0;
    arena_init(&arena, NULL, 0, (size_t)1 << 24);
    if (peek(type, all, &arena, &q) && q.boundary.p) {
        INVARIANT(q.model.n > 0 && q.model.n <= 256);
        INVARIANT(!q.model_raw.p || (q.model_raw.p >= all.p && q.model_raw.p + q.model_raw.n <= all.p + all.n));
        check_rewrite(type, &q, &arena);
    }
    arena_free(&arena);
    return 0;
}
