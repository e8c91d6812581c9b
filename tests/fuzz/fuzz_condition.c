// Fuzzes conditions: whatever text is compiled, its evaluation ends, asks only for names that the condition is said to
// use, and gives the same each time, also where numbers are others below what makes a difference.
#include "conf/condition.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    uint64_t seed, uses;
    struct str text;
    bool lower; // of what may be any number below another
};

static void check(bool ok) {
    if (!ok) abort();
}

static bool world_get(const void *ctx, enum condition_name name, struct str member, double from,
                      struct condition_value *out) {
    const struct world *w = ctx;
    check(w->uses & CONDITION_USES(name));
    check((condition_name_info(name)->kind == CONDITION_KIND_MEMBERS) == (member.p != NULL));
    const uint64_t draw = (w->seed + (uint64_t)name * 7 + member.n) * 0x9e3779b97f4a7c15u;
    if (draw >> 62 == 0) return false;
    switch (condition_name_info(name)->kind) {
    case CONDITION_KIND_NUMBER:
        out->number = (double)(draw >> 40);
        if (w->lower && out->number < from) out->number = from - 1 - fabs(from);
        break;
    case CONDITION_KIND_BOOL:
        out->truth = (draw >> 60 & 1) != 0;
        break;
    case CONDITION_KIND_STRING:
    case CONDITION_KIND_MEMBERS:
        out->text = str_head(w->text, draw >> 50 & 31);
        break;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 8192) return 0;
    struct arena arena;
    struct err err;
    const struct condition *c;
    const struct str text = str_of((const char *)data, size);
    arena_init(&arena, NULL, 0, 1 << 20);
    if (condition_compile(text, &arena, &c, &err)) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            const struct world w = {seed, condition_uses(c), text, false}, low = {seed, w.uses, text, true};
            const struct condition_env env = {world_get, &w}, lower = {world_get, &low};
            check(condition_holds(c, &env) == condition_holds(c, &env));
            check(condition_holds(c, &env) == condition_holds(c, &lower));
        }
    } else {
        check(err.code == ERR_CONFIG_INVALID && err.message[0]);
    }
    check(condition_glob(STR("*"), text) && (size == 0 || !condition_glob(STR(""), text)));
    condition_glob(str_head(text, size / 2), str_from(text, size / 2));
    arena_free(&arena);
    return 0;
}
