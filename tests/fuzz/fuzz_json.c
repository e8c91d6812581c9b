// Fuzzes the JSON reader at every instruction-set level: it never crashes, and agrees with a plain recursive checker.
#include "base/json_read.h"
#include "base/scan_level.h"

#include "json_naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH 16

// Walks every value through the cursor, so that entering and iterating are covered as well as skipping.
static void walk(struct json_reader *r, enum json_kind kind, struct buf *out) {
    struct str key, raw;
    bool yes;
    double d;
    int64_t i;
    switch (kind) {
    case JSON_OBJECT:
        if (json_enter_object(r))
            while (json_member(r, &key, &kind)) walk(r, kind, out);
        break;
    case JSON_ARRAY:
        if (json_enter_array(r))
            while (json_element(r, &kind)) walk(r, kind, out);
        break;
    case JSON_STRING:
        buf_clear(out);
        if (!json_string(r, &raw)) break;
        INVARIANT(json_string_decode(raw, out));
        INVARIANT(json_string_len(raw) == out->n && json_string_eq(raw, buf_str(out)));
        break;
    case JSON_NUMBER:
        if (!json_number(r, &raw)) break;
        if (json_raw_i64(raw, &i)) INVARIANT(json_raw_double(raw, &d));
        break;
    case JSON_BOOL:
        (void)json_bool(r, &yes);
        break;
    case JSON_NULL:
        (void)json_null(r);
        break;
    }
}

static bool walked(struct str input, const struct scan_ops *ops, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    BUF_AUTO struct buf out = BUF_INIT(input.n + 1);
    json_reader_init(&r, input, DEPTH);
    r.ops = ops;
    if (json_peek(&r, &kind)) walk(&r, kind, &out);
    return json_end(&r, err);
}

static bool skipped(struct str input, const struct scan_ops *ops, struct err *err) {
    struct json_reader r;
    json_reader_init(&r, input, DEPTH);
    r.ops = ops;
    return json_end(&r, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str input = str_of((const char *)data, size);
    bool want = naive_json_valid(data, size, DEPTH);
    for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
        const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
        struct err by_skip, by_walk;
        if (!ops) continue;
        bool skip = skipped(input, ops, &by_skip), walk_ok = walked(input, ops, &by_walk);
        INVARIANT(skip == want);
        INVARIANT(walk_ok == want);
        if (!want) INVARIANT(strcmp(by_skip.message, by_walk.message) == 0);
    }
    return 0;
}
