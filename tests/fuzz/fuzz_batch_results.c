// Fuzzes what is read of a provider's batch API: its objects, its lists, its files of results.
#include "gateway/batch_native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_all(const struct native_results *r) {
    int status;
    struct str body;
    for (size_t i = 0; i < r->index.n; i++) {
        INVARIANT(i == 0 || r->index.p[i - 1].line <= r->index.p[i].line);
        INVARIANT(native_results_find(r, r->index.p[i].line, &status, &body));
        INVARIANT(status >= 200 && status <= 599 && body.p >= r->text.p && body.p + body.n <= r->text.p + r->text.n);
    }
    INVARIANT(!native_results_find(r, BATCH_LINES_MAX, &status, &body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    struct arena arena;
    struct native_batch batch;
    struct str last;
    struct native_results results = {.text = BUF_INIT(1 << 20)};
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    (void)native_hear_id(text, &arena);
    INVARIANT(native_hear_error(text).n <= 200);
    (void)native_hear_batch(text, &arena, &batch);
    (void)native_hear_list(text, STR("file-1"), &arena, &batch, &last);
    buf_put(&results.text, text);
    if (!results.text.failed && native_results_index(&results)) find_all(&results);
    buf_free(&results.text);
    vec_free(&results.index);
    arena_free(&arena);
    return 0;
}
