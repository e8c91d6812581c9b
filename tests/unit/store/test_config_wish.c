// Tests of store/config_wish.h: wishes in their order, answers, who waits no longer, sealed texts.
#include "check.h"
#include "test_database.h"

#include "store/config_wish.h"

#define AT INT64_C(1700000000000000000)

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct arena arena;

static void open_data(const char *name) {
    arena_init(&arena, NULL, 0, 1 << 20);
    REQUIRE(test_datadir(name, &dir, &err));
    REQUIRE(datadir_open_db(&dir, 1000, &db, &err));
}

static void close_data(void) {
    arena_free(&arena);
    sql_close(db);
    datadir_close(&dir);
}

static int64_t add(const char *text, int64_t at) {
    int64_t id = 0;
    CHECK(config_wish_add(db, &dir, str_c(text), at, &id, &err));
    return id;
}

static int64_t take(const char *want, int64_t at) {
    int64_t id = -1;
    struct str text = STR_NONE;
    CHECK(config_wish_take(db, &dir, at, &arena, &id, &text, &err));
    if (id) CHECK_STR(text, str_c(want));
    return id;
}

static void check_answer(int64_t id, const char *want) {
    struct str text;
    CHECK(config_wish_collect(db, &dir, id, &arena, &text, &err));
    if (want)
        CHECK_STR(text, str_c(want));
    else
        CHECK(!text.p);
}

static void in_order(void) {
    open_data("order");
    CHECK_INT(take("", AT), 0);
    int64_t one = add("first", AT), two = add("second", AT + 1);
    CHECK(one && two > one);
    check_answer(one, NULL);
    CHECK_INT(take("first", AT + 2), one);
    CHECK(config_wish_answer(db, &dir, one, STR("done"), &err));
    CHECK_INT(take("second", AT + 3), two);
    check_answer(one, "done");
    check_answer(one, NULL); // it went with the reading
    check_answer(two, NULL);
    CHECK(config_wish_drop(db, two, &err));
    CHECK_INT(take("", AT + 4), 0);
    CHECK(add("third", AT + 5) > two); // numbers do not come back
    close_data();
}

static void nobody_waits(void) {
    open_data("late");
    add("old", AT);
    add("older", AT - 1);
    int64_t fresh = add("fresh", AT + CONFIG_WISH_WAIT_NS);
    CHECK_INT(take("fresh", AT + CONFIG_WISH_WAIT_NS + 1), fresh);
    close_data();
}

static int64_t count(const char *query) {
    int64_t n = -1;
    CHECK(sql_query_i64(sql_platform(db), str_c(query), &n, &err));
    return n;
}

static void sealed(void) {
    open_data("sealed");
    int64_t one = add("canary one", AT), two = add("canary two", AT);
    CHECK(config_wish_answer(db, &dir, one, STR("canary three"), &err));
    CHECK_INT(count(test_server()
                        ? "SELECT count(*) FROM config_wish WHERE position('canary'::bytea IN wish || answer) > 0"
                        : "SELECT count(*) FROM config_wish WHERE instr(wish, x'63616e617279') OR instr(answer, "
                          "x'63616e617279')"),
              0);
    // Texts that change places are refused.
    CHECK(sql_exec(db, STR("UPDATE config_wish SET wish = (SELECT wish FROM config_wish WHERE id = 1) WHERE id = 2"),
                   &err));
    int64_t id;
    struct str text;
    CHECK(!config_wish_take(db, &dir, AT, &arena, &id, &text, &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(config_wish_drop(db, two, &err));
    check_answer(one, "canary three");
    close_data();
}

TEST_MAIN(in_order, nobody_waits, sealed)
