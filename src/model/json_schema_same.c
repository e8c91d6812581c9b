// Compares raw JSON values: numbers by what they are worth, objects in any order of their members.
#include "model/json_schema_impl.h"

// Takes from what is left; false when it is not enough.
static bool pay(uint64_t *work, uint64_t n) {
    bool enough = *work >= n;
    *work = enough ? *work - n : 0;
    return enough;
}

int json_number_order(struct str a, struct str b) {
    int64_t x, y;
    double v = 0, w = 0;
    if (json_raw_i64(a, &x) && json_raw_i64(b, &y)) return (x > y) - (x < y);
    if (!json_raw_double(a, &v) || !json_raw_double(b, &w)) return 0;
    return (v > w) - (v < w);
}

static bool same_lists(struct str a, struct str b, uint64_t *work) {
    struct json_reader x, y;
    enum json_kind kind;
    struct str one, other;
    json_reader_init(&x, a, 0);
    json_reader_init(&y, b, 0);
    if (!json_enter_array(&x) || !json_enter_array(&y)) return false;
    for (;;) {
        bool more = json_element(&x, &kind), others = json_element(&y, &kind);
        if (!more || !others) return more == others;
        if (!json_skip(&x, &one) || !json_skip(&y, &other) || !json_same(one, other, work)) return false;
    }
}

static size_t members(struct str raw) {
    struct json_reader r;
    struct str key;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, raw, 0);
    if (!json_enter_object(&r)) return 0;
    while (json_member(&r, &key, &kind)) n++;
    return n;
}

static bool has_same(struct str object, struct str key, struct str value, uint64_t *work) {
    BUF_AUTO struct buf name = BUF_INIT(key.n + 1);
    struct str text, other;
    if (!pay(work, object.n)) return false;
    if (!json_string_borrow(key, &text)) {
        if (!json_string_decode(key, &name)) return false;
        text = buf_str(&name);
    }
    return json_get(object, &text, 1, &other) && json_same(value, other, work);
}

static bool same_objects(struct str a, struct str b, uint64_t *work) {
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    if (members(a) != members(b)) return false;
    json_reader_init(&r, a, 0);
    if (!json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind))
        if (!json_skip(&r, &value) || !has_same(b, key, value, work)) return false;
    return true;
}

static bool same_strings(struct str a, struct str b) {
    BUF_AUTO struct buf text = BUF_INIT(b.n + 1);
    struct str plain;
    if (json_string_borrow(b, &plain)) return json_string_eq(a, plain);
    return json_string_decode(b, &text) && json_string_eq(a, buf_str(&text));
}

bool json_same(struct str a, struct str b, uint64_t *work) {
    enum json_kind kind = json_raw_kind(a);
    if (!pay(work, a.n + b.n + 16) || kind != json_raw_kind(b)) return false;
    switch (kind) {
    case JSON_NUMBER:
        return json_number_order(a, b) == 0;
    case JSON_STRING:
        return same_strings(a, b);
    case JSON_ARRAY:
        return same_lists(a, b, work);
    case JSON_OBJECT:
        return same_objects(a, b, work);
    default:
        return str_eq(a, b);
    }
}
