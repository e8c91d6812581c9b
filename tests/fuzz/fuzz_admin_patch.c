// Fuzzes merge patches of the configuration: any bytes give changes that the tables know and YAML reads, or an error.
#include "admin/patch.h"
#include "base/json_read.h"
#include "conf/conf.h"
#include "conf/path.h"

static void check_change(const struct conf_override *change, struct arena *a) {
    struct conf_path path;
    struct conf_place place;
    struct err err;
    INVARIANT(conf_path_parse(change->key, a, &path, &err));
    INVARIANT(conf_path_find(&conf_table, &path, &place, &err));
    INVARIANT(json_validate(change->value, PATCH_DEPTH_MAX + 2, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct conf_problems problems;
    struct patch patch;
    struct err err;
    arena_init(&a, NULL, 0, (size_t)64 << 20);
    conf_problems_init(&problems);
    bool ok = patch_parse(&conf_table, str_of((const char *)data, size), &a, &problems, &patch, &err);
    INVARIANT(ok || err.message[0]);
    INVARIANT(!ok || problems.errors == 0);
    for (size_t i = 0; ok && i < patch.n; i++) check_change(&patch.list[i], &a);
    conf_problems_free(&problems);
    arena_free(&a);
    return 0;
}
