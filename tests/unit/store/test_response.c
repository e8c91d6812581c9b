// Tests of store/response.h: kept, found only from its place, its chain kept alive, expired, sealed.
#include "check.h"
#include "test_database.h"

#include "store/response.h"
#include "store/tenant.h"

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct arena arena;

#define SECOND INT64_C(1000000000)
#define DAY (INT64_C(86400) * SECOND)

static void set_up(void) {
    arena_init(&arena, NULL, 0, SIZE_MAX);
    REQUIRE(test_datadir("responses", &dir, &err) && datadir_open_db(&dir, 20000, &db, &err));
}

static void tear_down(void) {
    sql_close(db);
    datadir_close(&dir);
    arena_free(&arena);
}

static struct sql_scope one(void) { return sql_tenant(db, TENANT_DEFAULT); }

static bool put(struct sql_scope scope, const char *name, const char *previous, const char *place, int64_t at,
                int64_t until) {
    struct response_row row = {.key_id = 3,
                               .name = str_c(name),
                               .previous = str_c(previous),
                               .place = str_c(place),
                               .model = STR("m"),
                               .private = str_eq(str_c(name), STR("resp_a")),
                               .input = STR("{\"in\":1}"),
                               .answer = STR("{\"out\":2}"),
                               .created_at = at,
                               .expires_at = until};
    REQUIRE(sql_begin(scope.db, &err));
    if (response_put(scope, &dir, &row, &err)) return sql_commit(scope.db, &err);
    sql_rollback(scope.db);
    return false;
}

static bool get(struct sql_scope scope, const char *name, const char *place, int64_t now, struct response_row *out) {
    struct response_row row;
    return response_get(scope, &dir, str_c(name), str_c(place), now, &arena, out ? out : &row, &err);
}

static void kept_and_found(void) {
    struct response_row row;
    int64_t other;
    REQUIRE(tenant_intern(db, STR("other"), &other, &err));
    REQUIRE(put(one(), "resp_a", "", "project:1", 5, 5 * DAY));
    REQUIRE(get(one(), "resp_a", "project:1", 6, &row));
    CHECK_STR(row.input, STR("{\"in\":1}"));
    CHECK_STR(row.answer, STR("{\"out\":2}"));
    CHECK(row.key_id == 3 && row.created_at == 5 && row.previous.n == 0 && row.private);
    // From nowhere else, and not for ever.
    CHECK(!get(one(), "resp_a", "project:2", 6, NULL) && err.code == ERR_NOT_FOUND);
    CHECK(!get(one(), "resp_a", "", 6, NULL));
    CHECK(!get(sql_tenant(db, other), "resp_a", "project:1", 6, NULL));
    CHECK(!get(one(), "resp_b", "project:1", 6, NULL));
    CHECK(!get(one(), "resp_a", "project:1", 5 * DAY, NULL));
    // A second of the same name changes nothing; another tenant may have one.
    REQUIRE(put(one(), "resp_a", "resp_x", "project:1", 7, 9 * DAY));
    REQUIRE(get(one(), "resp_a", "project:1", 6, &row));
    CHECK(row.previous.n == 0 && row.created_at == 5);
    CHECK(put(sql_tenant(db, other), "resp_a", "", "", 7, 9 * DAY) &&
          get(sql_tenant(db, other), "resp_a", "", 8, NULL));
}

static void names_that_are_none(void) {
    char name[RESPONSE_NAME_MAX + 2];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    CHECK(!get(one(), name, "", 6, NULL) && err.code == ERR_NOT_FOUND);
    CHECK(!get(one(), "\xff", "", 6, NULL) && err.code == ERR_NOT_FOUND);
    struct response_row row;
    CHECK(!response_get(one(), &dir, str_of("a\0b", 3), STR(""), 6, &arena, &row, &err) && err.code == ERR_NOT_FOUND);
    CHECK(!response_delete(one(), str_of("a\0b", 3), STR(""), 6, &err) && err.code == ERR_NOT_FOUND);
}

// Who goes on from a response keeps all before it.
static void chains_live_on(void) {
    struct response_row row;
    REQUIRE(put(one(), "c1", "", "", 0, 10 * DAY) && put(one(), "c2", "c1", "", DAY, 11 * DAY));
    REQUIRE(put(one(), "c3", "c2", "", 9 * DAY, 19 * DAY));
    REQUIRE(response_expire(db, 18 * DAY, &err));
    CHECK(get(one(), "c1", "", 18 * DAY, &row) && row.expires_at >= 19 * DAY);
    CHECK(get(one(), "c2", "", 18 * DAY, &row));
    CHECK_STR(row.previous, STR("c1"));
    // A chain that was cut does not stop anybody.
    REQUIRE(response_delete(one(), STR("c2"), STR(""), 18 * DAY, &err));
    CHECK(put(one(), "c4", "c3", "", 18 * DAY, 28 * DAY) && put(one(), "c5", "gone", "", 18 * DAY, 28 * DAY));
}

static void tenants_may_keep_for_less(void) {
    struct response_row row;
    int64_t brief;
    REQUIRE(tenant_intern(db, STR("brief"), &brief, &err));
    REQUIRE(sql_exec(db, STR("UPDATE tenant SET retention_s = 60 WHERE name = 'brief'"), &err));
    struct sql_scope scope = sql_tenant(db, brief);
    REQUIRE(put(scope, "r1", "", "", 0, DAY) && get(scope, "r1", "", 1, &row));
    CHECK_INT(row.expires_at, 60 * SECOND);
    REQUIRE(put(scope, "r2", "r1", "", 30 * SECOND, DAY));
    CHECK(!get(scope, "r1", "", 61 * SECOND, NULL) && get(scope, "r2", "", 61 * SECOND, NULL));
}

static void deleted_and_expired(void) {
    REQUIRE(put(one(), "d1", "", "user:7", 0, DAY) && put(one(), "d2", "", "", 0, DAY));
    CHECK(!response_delete(one(), STR("d1"), STR(""), 1, &err) && err.code == ERR_NOT_FOUND);
    CHECK(response_delete(one(), STR("d1"), STR("user:7"), 1, &err));
    CHECK(!response_delete(one(), STR("d1"), STR("user:7"), 1, &err) && err.code == ERR_NOT_FOUND);
    for (int i = 0; i < 700; i++) {
        char name[20];
        snprintf(name, sizeof name, "e%d", i);
        REQUIRE(put(one(), name, "", "", 0, DAY));
    }
    int64_t n;
    REQUIRE(response_expire(db, DAY, &err));
    REQUIRE(sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM response WHERE name LIKE 'e%'"), &n, &err));
    CHECK_INT(n, 0);
}

static void sealed_on_the_disk(void) {
    int64_t n;
    REQUIRE(put(one(), "s1", "", "", 0, DAY));
    REQUIRE(sql_query_i64(sql_platform(db),
                          STR("SELECT count(*) FROM response WHERE name = 's1' AND length(input) > 12"
                              " AND length(answer) > 12"),
                          &n, &err));
    CHECK_INT(n, 1);
    // What was changed by hand does not open.
    REQUIRE(sql_exec(db, STR("UPDATE response SET answer = input WHERE name = 's1'"), &err));
    CHECK(!get(one(), "s1", "", 1, NULL) && err.code == ERR_STORE);
}

TEST_MAIN(set_up, kept_and_found, names_that_are_none, chains_live_on, tenants_may_keep_for_less, deleted_and_expired,
          sealed_on_the_disk, tear_down)
