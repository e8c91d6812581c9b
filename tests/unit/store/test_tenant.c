// Tests of store/tenant.h: names get numbers, once; the first has none; databases from before there were tenants.
#include "check.h"
#include "test_database.h"

#include "store/key.h"
#include "store/migrate.h"

static struct err err;

static struct sql *open_db(const char *name, size_t steps) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 1000};
    struct sql *db = NULL;
    REQUIRE(sql_open(test_database(name), &options, &db, &err));
    REQUIRE(migrate_to(db, steps, &err));
    return db;
}

struct seen {
    size_t n, stop_after;
    char text[200];
};

static bool see(void *arg, int64_t id, struct str name, struct err *e) {
    struct seen *s = arg;
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof s->text - used, "%lld=%.*s ", (long long)id, STR_ARG(name));
    return ++s->n != s->stop_after || err_set(e, ERR_INTERNAL, "enough");
}

static void test_names(void) {
    struct sql *db = open_db("names.db", MIGRATE_STEPS);
    struct seen all = {0}, one = {.stop_after = 1};
    int64_t id = 0, again = 0, second = 0;
    CHECK(tenant_intern(db, STR(""), &id, &err));
    CHECK_INT(id, TENANT_DEFAULT);
    CHECK(tenant_intern(db, STR("acme"), &id, &err) && id > TENANT_DEFAULT);
    CHECK(tenant_intern(db, STR("zeta"), &second, &err) && second != id);
    CHECK(tenant_intern(db, STR("acme"), &again, &err));
    CHECK_INT(again, id);
    CHECK(tenant_find(db, STR("zeta"), &again, &err));
    CHECK_INT(again, second);
    CHECK(!tenant_find(db, STR("' OR 1=1 --"), &again, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK_INT(again, second);
    CHECK(tenant_each(db, see, &all, &err));
    CHECK(str_starts(str_c(all.text), STR("1= ")));
    CHECK_INT(all.n, 3);
    CHECK(!tenant_each(db, see, &one, &err));
    CHECK_INT(one.n, 1);
    sql_close(db);
}

static void test_older_database(void) {
    struct sql *db = open_db("older.db", 2);
    struct arena arena;
    struct key_row row;
    arena_init(&arena, NULL, 0, 1 << 20);
    struct sql_stmt *st;
    REQUIRE(sql_prepare(sql_platform(db),
                        STR("INSERT INTO api_key (name, hash, prefix, created_at) VALUES ('old', ?1, 'ps-o', 1)"), &st,
                        &err));
    sql_bind_blob(st, 1, STR("01234567890123456789012345678901"));
    CHECK(sql_run(st, &err));
    CHECK(migrate_to(db, MIGRATE_STEPS, &err));
    CHECK(key_find_name(db, STR("old"), &arena, &row, &err));
    CHECK_INT(row.tenant_id, TENANT_DEFAULT);
    CHECK_STR(row.tenant, STR(""));
    arena_free(&arena);
    sql_close(db);
}

TEST_MAIN(test_names, test_older_database)
