// Tests of bulk insertion: whatever integers go in are what SQLite reads back, and a refusal changes nothing.
#include "check.h"
#include "temp_dir.h"

#include "base/buf.h"
#include "base/mem.h"
#include "os/rand.h"
#include "store/migrate.h"
#include "store/sql.h"

static struct err err;

static struct sql *make(const char *name, const char *schema) {
    struct sql *db = NULL;
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 1000};
    REQUIRE(sql_open(temp_path(name), &options, &db, &err));
    REQUIRE(sql_exec(db, str_c(schema), &err));
    return db;
}

static int64_t one(struct sql *db, const char *text) {
    int64_t v = -1;
    CHECK(sql_query_i64(sql_platform(db), str_c(text), &v, &err));
    return v;
}

static bool checks(struct sql *db, const char *pragma) {
    struct sql_stmt *st;
    bool row;
    REQUIRE(sql_prepare(sql_platform(db), str_c(pragma), &st, &err) && sql_step(st, &row, &err) && row);
    bool ok = str_eq(sql_col_text(st, 0), STR("ok"));
    sql_reset(st);
    return ok;
}

static bool is_sound(struct sql *db) { return checks(db, "PRAGMA main.integrity_check"); }

static bool insert(struct sql *db) {
    if (!sql_bulk_load(db, &err) || !sql_begin(db, &err)) return false;
    if (sql_bulk_insert(db, &err)) return sql_commit(db, &err);
    sql_rollback(db);
    return false;
}

#define T "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER) STRICT"

// Around every boundary of the format: each width of a number, of either sign.
static void test_every_width(void) {
    struct sql *db = make("widths", T);
    int64_t key = -1000, values[3];
    struct sql_stmt *st;
    bool row;
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    for (unsigned bit = 0; bit < 64; bit++)
        for (int64_t d = -1; d <= 1; d++) {
            uint64_t v = (1ULL << bit) + (uint64_t)d;
            values[0] = key++;
            values[1] = (int64_t)v;
            values[2] = (int64_t)(0 - v);
            CHECK(sql_bulk_add(db, values, 0));
        }
    CHECK(insert(db));
    CHECK(is_sound(db));
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT id, a, b FROM t ORDER BY id"), &st, &err));
    key = -1000;
    for (unsigned bit = 0; bit < 64; bit++)
        for (int64_t d = -1; d <= 1; d++) {
            uint64_t v = (1ULL << bit) + (uint64_t)d;
            REQUIRE(sql_step(st, &row, &err) && row);
            CHECK_INT(sql_col_i64(st, 0), key++);
            CHECK_INT(sql_col_i64(st, 1), (int64_t)v);
            CHECK_INT(sql_col_i64(st, 2), (int64_t)(0 - v));
        }
    CHECK(sql_step(st, &row, &err) && !row);
    // What SQLite itself would have stored is as long: a type is the smallest that holds the value.
    CHECK_INT(one(db, "SELECT count(*) FROM t WHERE typeof(a) <> 'integer'"), 0);
    sql_close(db);
}

// As many rows as make one page, two, and many; keys of every size.
static void test_many_rows(void) {
    static const size_t counts[] = {1, 2, 300, 1000, 3000, 50000};
    struct sql *db = make("many", T);
    int64_t key = INT64_MIN, total = 0, sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
        for (size_t k = 0; k < counts[i]; k++) {
            int64_t values[3] = {key, (int64_t)(rand_u64() >> (11 + rand_u64() % 53)), 0};
            sum += values[1] >> 20;
            total++;
            REQUIRE(sql_bulk_add(db, values, k % 3 == 0 ? 4 : 0));
            key += 1 + (int64_t)(rand_u64() >> (17 + rand_u64() % 40));
        }
        CHECK(insert(db));
        CHECK_INT(one(db, "SELECT count(*) FROM t"), total);
        CHECK_INT(one(db, "SELECT sum(a >> 20) FROM t"), sum);
        CHECK(is_sound(db));
    }
    CHECK_INT(one(db, "SELECT count(*) FROM t WHERE b IS NULL"), 1 + 1 + 100 + 334 + 1000 + 16667);
    sql_close(db);
}

// Whether SQLite copies rows as they lie: a program for each column takes four times as long.
static bool copies(struct sql *db, const char *text) {
    struct sql_stmt *st;
    bool row, all = true;
    unsigned n = 0;
    REQUIRE(sql_prepare(sql_platform(db), str_c(text), &st, &err));
    while (sql_step(st, &row, &err) && row) {
        n++;
        if (str_eq(sql_col_text(st, 1), STR("Column"))) all = false;
    }
    CHECK(n > 0);
    return all;
}
#define COPY_T "EXPLAIN INSERT INTO main.t SELECT * FROM bulk.t"

// The index comes in any order, has leaves and a root of its own, and is what SQLite would have made of the rows.
static void test_index(void) {
    static const size_t counts[] = {1, 2, 300, 1000, 3000, 50000, 500, 50000};
    struct sql *db = make("index", T "; CREATE INDEX t_by_b ON t (b, a)");
    int64_t key = 0;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        bool ordered = i % 2;
        REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
        for (size_t k = 0; k < counts[i]; k++) {
            int64_t b = ordered ? key : (int64_t)rand_u64() >> (rand_u64() % 64);
            REQUIRE(sql_bulk_add(db, (int64_t[]){key++, (int64_t)(rand_u64() % 3), b}, 0));
        }
        CHECK(insert(db));
        CHECK(copies(db, COPY_T) && checks(db, "PRAGMA bulk.integrity_check"));
        CHECK_INT(one(db, "SELECT count(*) FROM t"), key);
        CHECK_INT(one(db, "SELECT count(*) FROM t INDEXED BY t_by_b WHERE b > -9223372036854775808 OR a < 3"), key);
        CHECK(is_sound(db));
    }
    // One of the rows that a lot has is there: nothing of the lot is, nor in the index.
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    for (int64_t id = key - 1; id < key + 500; id++) CHECK(sql_bulk_add(db, (int64_t[]){id, 7, 7}, 0));
    CHECK(!insert(db));
    CHECK(is_sound(db));
    CHECK_INT(one(db, "SELECT count(*) FROM t WHERE b = 7 AND a = 7"), 0);
    // NULL is not for the index of an image; the rows are for others to insert.
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    CHECK(!sql_bulk_add(db, (int64_t[]){key, 7, 7}, 4));
    sql_close(db);
}

// What an image cannot have as the table has it, it does not have: SQLite makes the entries itself.
static void test_other_indexes(void) {
    static const char *const indexes[] = {"CREATE INDEX i ON t (a DESC)",
                                          "CREATE UNIQUE INDEX i ON t (a)",
                                          "CREATE INDEX i ON t (a) WHERE a > 4500",
                                          "CREATE INDEX i ON t (a + b)",
                                          "CREATE INDEX i ON t (a, id)",
                                          "CREATE INDEX i ON t (a, b, a, b)",
                                          "CREATE INDEX i ON t (a); CREATE INDEX j ON t (b)"};
    for (size_t i = 0; i < ARRAY_LEN(indexes); i++) {
        char name[16];
        snprintf(name, sizeof name, "other-%zu", i);
        struct sql *db = make(name, T);
        REQUIRE(sql_exec(db, str_c(indexes[i]), &err));
        REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
        for (int64_t id = 0; id < 1000; id++) CHECK(sql_bulk_add(db, (int64_t[]){id, 5000 - id, id / 2}, 0));
        CHECK(insert(db));
        CHECK_INT(one(db, "SELECT count(*) FROM t"), 1000);
        CHECK(is_sound(db));
        sql_close(db);
    }
}

// An index that usage gets, or a column, must not make each row of it dear unnoticed.
static void test_usage(void) {
    struct sql *db = make("usage", "");
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    unsigned columns = (unsigned)one(db, "SELECT count(*) FROM pragma_table_info('usage')");
    REQUIRE(columns > 2 && columns <= 64 && sql_bulk_begin(db, STR("usage"), columns, &err));
    for (int64_t id = 1; id <= 1000; id++) {
        int64_t values[64] = {id, 1, id * 7919 % 1000, id % 9};
        CHECK(sql_bulk_add(db, values, 0));
    }
    CHECK(insert(db));
    CHECK(copies(db, "EXPLAIN INSERT INTO main.usage SELECT * FROM bulk.usage"));
    CHECK(is_sound(db));
    sql_close(db);
}

static void test_existing_key(void) {
    struct sql *db = make("existing", T "; INSERT INTO t VALUES (5, 1, 1)");
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    for (int64_t id = 1; id < 10; id++) CHECK(sql_bulk_add(db, (int64_t[]){id, 7, 7}, 0));
    CHECK(!insert(db));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK_INT(one(db, "SELECT count(*) FROM t"), 1);
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    CHECK(sql_bulk_add(db, (int64_t[]){6, 7, 7}, 0));
    CHECK(insert(db));
    CHECK_INT(one(db, "SELECT count(*) FROM t"), 2);
    // Before and between rows that are there.
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    CHECK(sql_bulk_add(db, (int64_t[]){-4, 7, 7}, 0));
    CHECK(sql_bulk_add(db, (int64_t[]){4, 7, 7}, 0));
    CHECK(insert(db));
    CHECK(is_sound(db));
    CHECK_INT(one(db, "SELECT count(*) FROM t"), 4);
    sql_close(db);
}

static void test_refusals(void) {
    struct sql *db = make("refusals", T "; CREATE TABLE \"two\" (id INTEGER PRIMARY KEY, a INTEGER)");
    CHECK(!sql_bulk_begin(db, STR("absent"), 3, &err));
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    CHECK(sql_bulk_add(db, (int64_t[]){5, 1, 1}, 0));
    CHECK(!sql_bulk_add(db, (int64_t[]){5, 1, 1}, 0)); // not in order
    CHECK(!sql_bulk_add(db, (int64_t[]){4, 1, 1}, 0));
    // A table at a time, and each as it is.
    REQUIRE(sql_bulk_begin(db, STR("two"), 2, &err));
    CHECK(sql_bulk_add(db, (int64_t[]){5, 9}, 0));
    CHECK(insert(db));
    CHECK_INT(one(db, "SELECT a FROM two"), 9);
    // Its shape changes: refused, or stored with what is new at its default.
    REQUIRE(sql_exec(db, STR("ALTER TABLE two ADD COLUMN b INTEGER NOT NULL DEFAULT 3"), &err));
    for (int64_t id = 6; id < 8; id++) {
        REQUIRE(sql_bulk_begin(db, STR("two"), 2, &err));
        CHECK(sql_bulk_add(db, (int64_t[]){id, 9}, 0));
        if (!insert(db)) continue;
        CHECK_INT(one(db, "SELECT sum(b) FROM two WHERE id > 5"), 3);
    }
    CHECK(is_sound(db));
    // More than one lot takes: told, not stored in part.
    REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
    int64_t n = 0;
    while (n < 10000000 && sql_bulk_add(db, (int64_t[]){n, INT64_MAX, INT64_MIN}, 0)) n++;
    CHECK(n > 100000 && n < 10000000);
    sql_close(db);
}

// Other transactions of the connection go on while a lot is gathered, over the one loaded before.
static void test_between(void) {
    struct sql *db = make("between", T);
    for (int64_t round = 0; round < 20; round++) {
        REQUIRE(sql_bulk_begin(db, STR("t"), 3, &err));
        for (int64_t i = 0; i < 500 * (round + 1); i++) {
            CHECK(sql_bulk_add(db, (int64_t[]){round * 100000 + i + 10, i, round}, 0));
            if (i % 100) continue;
            CHECK(sql_begin(db, &err));
            CHECK(sql_exec(db, STR("INSERT OR REPLACE INTO t VALUES (1, 2, 3)"), &err));
            CHECK(sql_commit(db, &err));
        }
        CHECK(insert(db));
        if (round % 3 == 0) sql_bulk_end(db);
        if (round % 6 == 0) sql_bulk_end(db);
    }
    CHECK_INT(one(db, "SELECT count(*) FROM t"), 1 + 500 * 210);
    CHECK(is_sound(db));
    sql_close(db);
}

static void test_no_memory(void) {
    struct sql *db = make("memory", T "; CREATE INDEX t_by_b ON t (b)");
    int64_t done = 0;
    for (uint64_t nth = 1; nth < 400; nth++) {
        mem_fail_nth(nth);
        bool ok = sql_bulk_begin(db, STR("t"), 3, &err);
        for (int64_t i = 0; ok && i < 3000; i++) ok = sql_bulk_add(db, (int64_t[]){(int64_t)nth * 10000 + i, i, i}, 0);
        ok = ok && insert(db);
        mem_fail_nth(0);
        done += ok;
        CHECK_INT(one(db, "SELECT count(*) FROM t"), 3000 * done);
    }
    CHECK(is_sound(db));
    CHECK(done > 0);
    sql_close(db);
}

TEST_MAIN(test_every_width, test_many_rows, test_index, test_other_indexes, test_usage, test_existing_key,
          test_refusals, test_between, test_no_memory)
