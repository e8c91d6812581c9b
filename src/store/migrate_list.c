// The schema steps of this build, whose scripts are files in schema/.
#include "store/migrate.h"

#define STEP(number, id, title)                                                                                        \
    extern const char embedded_step_##number##_##id##_sqlite[];                                                        \
    extern const char embedded_step_##number##_##id##_postgres[];                                                      \
    extern const size_t embedded_step_##number##_##id##_sqlite_size;                                                   \
    extern const size_t embedded_step_##number##_##id##_postgres_size;
#include "store/schema/steps.def"
#undef STEP
extern const char embedded_isolation_postgres[];
extern const size_t embedded_isolation_postgres_size;

struct script {
    const char *p;
    const size_t *n;
};
static const struct {
    int version;
    struct str name;
    struct script sqlite, postgres;
} k_steps[] = {
#define STEP(number, id, title)                                                                                        \
    {number,                                                                                                           \
     STR_INIT(title),                                                                                                  \
     {embedded_step_##number##_##id##_sqlite, &embedded_step_##number##_##id##_sqlite_size},                           \
     {embedded_step_##number##_##id##_postgres, &embedded_step_##number##_##id##_postgres_size}},
#include "store/schema/steps.def"
#undef STEP
};

static_assert(ARRAY_LEN(k_steps) == MIGRATE_STEPS, "MIGRATE_STEPS counts the rows of steps.def");

bool migrate_to(struct sql *db, size_t n, struct err *err) {
    struct migration steps[MIGRATE_STEPS];
    bool postgres = sql_is_postgres(db);
    INVARIANT(n <= MIGRATE_STEPS);
    for (size_t i = 0; i < n; i++) {
        const struct script *script = postgres ? &k_steps[i].postgres : &k_steps[i].sqlite;
        if (*script->n == 0)
            return err_set(err, ERR_STORE, "schema step %d has no script for this database", (int)i + 1);
        steps[i] = (struct migration){
            .version = k_steps[i].version, .name = k_steps[i].name, .script = str_of(script->p, *script->n)};
    }
    struct str after = postgres ? str_of(embedded_isolation_postgres, embedded_isolation_postgres_size) : STR_NONE;
    return migrate(db, (struct migrations){steps, n, after}, err);
}
