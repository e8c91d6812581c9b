// Connections that are kept: the same one comes again, and nothing of who had it before holds or shows.
#include "test_database.h"

#include "store/sql_pool.h"

static struct datadir dir;
static struct sql_pool *pool;
static struct err err;

static int64_t count(struct sql *db) {
    int64_t n;
    return sql_query_i64(sql_platform(db), STR("SELECT COUNT(*) FROM pooled"), &n, &err) ? n : -1;
}

static void test_left_in_the_middle(void) {
    struct sql *first, *second, *again;
    struct sql_stmt *st;
    bool row = false;
    REQUIRE(sql_pool_take(pool, &first, &err));
    REQUIRE(sql_exec(first, STR("CREATE TABLE pooled (n BIGINT NOT NULL); INSERT INTO pooled VALUES (1), (2)"), &err));
    REQUIRE(sql_begin_read(first, &err));
    REQUIRE(sql_prepare(sql_platform(first), STR("SELECT n FROM pooled"), &st, &err));
    REQUIRE(sql_step(st, &row, &err));
    CHECK(row);
    REQUIRE(sql_pool_take(pool, &second, &err));
    CHECK(second != first);
    REQUIRE(sql_exec(second, STR("INSERT INTO pooled VALUES (3)"), &err));
    sql_pool_give(pool, first);
    REQUIRE(sql_pool_take(pool, &again, &err));
    CHECK(again == first);
    CHECK_INT(count(again), 3);
    // What was begun is undone.
    REQUIRE(sql_begin(again, &err));
    REQUIRE(sql_exec(again, STR("DELETE FROM pooled"), &err));
    sql_pool_give(pool, again);
    CHECK_INT(count(second), 3);
    sql_pool_give(pool, second);
}

// A statement outside of a transaction holds on to the file as well.
static void test_statement_alone(void) {
    struct sql *db, *other;
    struct sql_stmt *st;
    bool row = false;
    REQUIRE(sql_pool_take(pool, &db, &err));
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT n FROM pooled"), &st, &err));
    REQUIRE(sql_step(st, &row, &err));
    CHECK(row);
    sql_pool_give(pool, db);
    REQUIRE(datadir_open_db(&dir, SQL_BUSY_MS_DEFAULT, &other, &err));
    REQUIRE(sql_exec(other, STR("INSERT INTO pooled VALUES (4)"), &err));
    sql_close(other);
    REQUIRE(sql_pool_take(pool, &other, &err));
    CHECK(other == db);
    CHECK_INT(count(other), 4);
    sql_pool_give(pool, other);
}

static void test_start(void) {
    REQUIRE(test_datadir("pool", &dir, &err));
    REQUIRE(sql_pool_create(&dir, &pool, &err));
}

static void test_end(void) {
    sql_pool_free(pool);
    datadir_close(&dir);
}

TEST_MAIN(test_start, test_left_in_the_middle, test_statement_alone, test_end)
