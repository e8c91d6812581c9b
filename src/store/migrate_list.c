// The schema steps of this build, whose scripts are files in schema/.
#include "store/migrate.h"

#define STEP(number, id, title)                                                                                        \
    extern const char embedded_step_##number##_##id##_sqlite[];                                                        \
    extern const size_t embedded_step_##number##_##id##_sqlite_size;
#include "store/schema/steps.def"
#undef STEP

static const struct {
    int version;
    struct str name;
    const char *sqlite;
    const size_t *sqlite_size;
} k_steps[] = {
#define STEP(number, id, title)                                                                                        \
    {number, STR_INIT(title), embedded_step_##number##_##id##_sqlite, &embedded_step_##number##_##id##_sqlite_size},
#include "store/schema/steps.def"
#undef STEP
};

static_assert(ARRAY_LEN(k_steps) == MIGRATE_STEPS, "MIGRATE_STEPS counts the rows of steps.def");

bool migrate_to(struct sql *db, size_t n, struct err *err) {
    struct migration steps[MIGRATE_STEPS];
    INVARIANT(n <= MIGRATE_STEPS);
    for (size_t i = 0; i < n; i++)
        steps[i] = (struct migration){.version = k_steps[i].version,
                                      .name = k_steps[i].name,
                                      .script = str_of(k_steps[i].sqlite, *k_steps[i].sqlite_size)};
    return migrate(db, (struct migrations){steps, n}, err);
}
