// Explains options by any key: what is found is found again by the key that it is given.
#include "base/banned.h"
#include "conf/conf.h"
#include "conf/opt_explain.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct opt_facts facts, again;
    struct str near;
    struct err err;
    arena_init(&arena, NULL, 0, (size_t)16 << 20);
    if (opt_explain(&conf_table, str_of((const char *)data, size), &arena, &facts, &near, &err)) {
        if (!opt_explain(&conf_table, facts.key, &arena, &again, &near, &err)) abort();
        if (again.opt != facts.opt || !str_eq(again.key, facts.key)) abort();
    } else if (near.n && !opt_explain(&conf_table, near, &arena, &again, &near, &err)) {
        abort();
    }
    arena_free(&arena);
    return 0;
}
