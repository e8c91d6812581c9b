// Fuzzes the span editor: edits chosen by the first bytes, made on the valid objects among the rest, keep them valid.
#include "base/json_edit.h"
#include "base/json_read.h"

#include "json_naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAN 8
#define DEPTH 16

struct plan {
    const uint8_t *bytes;
    size_t used;
    unsigned members, left; // of the outer object, before and after
};

static unsigned plan_next(struct plan *p) { return p->bytes[p->used++ % PLAN]; }

// Each member is kept, deleted or replaced, and an object in it may get a new member.
static void plan_members(struct json_reader *r, struct plan *plan, struct json_edits *e) {
    struct str key, raw;
    enum json_kind kind;
    while (json_member(r, &key, &kind)) {
        if (!json_skip(r, &raw)) return;
        plan->members++;
        plan->left++;
        unsigned what = e->n + 2 < JSON_EDITS_MAX ? plan_next(plan) % 5 : 0;
        if (what == 1 || what == 2) {
            json_edit_delete(e, str_of(key.p, (size_t)(raw.p + raw.n - key.p)));
            plan->left--;
        } else if (what == 3) {
            json_edit_replace(e, raw, STR("[\"new\"]"));
        } else if (what == 4 && kind == JSON_OBJECT) {
            json_edit_insert(e, raw, STR("\"inner\":1"));
        }
    }
}

static unsigned count_members(struct str text) {
    struct json_reader r;
    struct str key;
    enum json_kind kind;
    unsigned n = 0;
    json_reader_init(&r, text, DEPTH);
    INVARIANT(json_enter_object(&r));
    while (json_member(&r, &key, &kind)) n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err err;
    struct json_reader r;
    struct json_edits e;
    if (size < PLAN) return 0;
    struct plan plan = {.bytes = data};
    struct str text = str_of((const char *)data + PLAN, size - PLAN);
    if (!json_validate(text, DEPTH, &err)) return 0;
    struct str object = str_trim(text);
    if (json_raw_kind(object) != JSON_OBJECT) return 0;
    json_reader_init(&r, text, DEPTH);
    json_edits_init(&e, text);
    INVARIANT(json_enter_object(&r));
    plan_members(&r, &plan, &e);
    unsigned inserts = plan_next(&plan) % 3;
    for (unsigned i = 0; i < inserts && e.n < JSON_EDITS_MAX; i++, plan.left++)
        json_edit_insert(&e, object, STR("\"added\":{}"));
    // Edits may come in any order.
    if (e.n > 1 && plan_next(&plan) % 2) {
        struct json_edit swapped = e.list[0];
        e.list[0] = e.list[e.n - 1];
        e.list[e.n - 1] = swapped;
    }
    BUF_AUTO struct buf out = BUF_INIT(size + 1024);
    INVARIANT(json_edits_put(&e, &out, &err));
    INVARIANT(naive_json_valid(out.p, out.n, DEPTH + 1));
    INVARIANT(count_members(buf_str(&out)) == plan.left);
    return 0;
}
