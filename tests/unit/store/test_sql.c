// Tests of store/sql.h over SQLite: values, statements, transactions, and each way a database can refuse.
#include "check.h"
#include "temp_dir.h"

#include "base/mem.h"
#include "os/file.h"
#include "store/sql.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;

static struct sql *open_db(struct str path, enum sql_mode mode, unsigned busy_ms) {
    struct sql_options options = {.mode = mode, .busy_ms = busy_ms};
    struct sql *db = NULL;
    if (!sql_open(path, &options, &db, &err)) return NULL;
    return db;
}

static int64_t count(struct sql *db) {
    int64_t n = -1;
    return sql_query_i64(sql_platform(db), STR("SELECT count(*) FROM t"), &n, &err) ? n : -1;
}

static bool put(struct sql *db, int64_t id, struct str text) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("INSERT INTO t (id, v) VALUES (?1, ?2)"), &st, &err)) return false;
    sql_bind_i64(st, 1, id);
    sql_bind_text(st, 2, text);
    return sql_run(st, &err);
}

#define MAKE_T STR("CREATE TABLE t (id INTEGER PRIMARY KEY, v); -- a comment\n")

static void test_values(void) {
    struct sql *db = open_db(STR(":memory:"), SQL_CREATE, 0);
    struct sql_stmt *st, *again;
    bool row, has;
    REQUIRE(db);
    CHECK(sql_has_table(db, STR_NONE, &has, &err) && !has);
    CHECK(sql_exec(db, MAKE_T, &err));
    CHECK(sql_has_table(db, STR_NONE, &has, &err) && has);
    CHECK(sql_has_table(db, STR("t"), &has, &err) && has);
    CHECK(sql_has_table(db, STR("u"), &has, &err) && !has);

    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT ?1, ?2, ?3, ?4, ?5, ?6"), &st, &err));
    sql_bind_i64(st, 1, INT64_MIN);
    sql_bind_text(st, 2, STR("a\0b \xf0\x9f\x8e\x88"));
    sql_bind_blob(st, 3, STR("\0\xff"));
    sql_bind_null(st, 4);
    sql_bind_text(st, 5, STR_NONE);
    sql_bind_blob(st, 6, STR_NONE);
    REQUIRE(sql_step(st, &row, &err) && row);
    CHECK_INT(sql_col_i64(st, 0), INT64_MIN);
    CHECK_STR(sql_col_text(st, 1), STR("a\0b \xf0\x9f\x8e\x88"));
    CHECK_STR(sql_col_blob(st, 2), STR("\0\xff"));
    CHECK(sql_col_is_null(st, 3) && sql_col_i64(st, 3) == 0 && sql_col_text(st, 3).n == 0);
    CHECK(!sql_col_is_null(st, 4) && sql_col_text(st, 4).n == 0);
    CHECK(!sql_col_is_null(st, 5) && sql_col_blob(st, 5).n == 0);
    CHECK(sql_step(st, &row, &err) && !row);

    // The same text is the same statement, with nothing bound.
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT ?1, ?2, ?3, ?4, ?5, ?6"), &again, &err));
    CHECK(again == st);
    REQUIRE(sql_step(st, &row, &err) && row);
    CHECK(sql_col_is_null(st, 0));

    CHECK(put(db, 7, STR("x")));
    CHECK_INT(sql_changes(db), 1);
    CHECK_INT(count(db), 1);
    int64_t none;
    CHECK(!sql_query_i64(sql_platform(db), STR("SELECT id FROM t WHERE id = 8"), &none, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    sql_close(db);
    sql_close(NULL);
}

struct scanned {
    int asked;
    int64_t rows, sum, texts;
    int64_t last; // the scan ends behind it; 0: never
};
static bool on_row(void *arg, const int64_t *row, struct err *e) {
    struct scanned *s = arg;
    s->rows++;
    s->sum += row[0];
    s->texts += row[1];
    return row[0] != s->last || err_set(e, ERR_OVERLOADED, "enough");
}

static bool is_odd(void *arg, int64_t number) {
    ((struct scanned *)arg)->asked++;
    return number % 2 != 0;
}

// What says which rows are wanted is asked of those alone that the other conditions let pass.
static void test_scan_wants(void) {
    struct sql *db = open_db(STR(":memory:"), SQL_CREATE, 0);
    struct sql_stmt *st;
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    for (int64_t id = 1; id <= 100; id++) REQUIRE(put(db, id, STR("1")));
    if (sql_scan_asks(db)) {
        struct scanned s = {0};
        struct str text = STR("SELECT id, v FROM t WHERE id > 80 AND " SQL_SCAN_WANTS "(id)");
        REQUIRE(sql_prepare_scan(sql_platform(db), text, 2, &st, &err));
        CHECK(sql_scan(st, 2, &(struct sql_scan){on_row, is_odd, &s}, &err));
        CHECK_INT(s.asked, 20);
        CHECK_INT(s.rows, 10);
        CHECK_INT(s.sum, 900);
        CHECK(sql_scan(st, 2, &(struct sql_scan){on_row, NULL, &s}, &err));
        CHECK_INT(s.rows, 30);
    }
    sql_close(db);
}

static void test_scan(void) {
    struct sql *db = open_db(STR(":memory:"), SQL_CREATE, 0);
    struct sql_stmt *st;
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    for (int64_t id = 1; id <= 100; id++) REQUIRE(put(db, id, id % 2 ? STR("7") : STR_NONE));
    // A condition that is looked up for each row is no less one.
    struct str text = STR("SELECT id, v FROM t WHERE id > ?1 AND EXISTS (SELECT 1 FROM t o WHERE o.id = t.id + 10)");
    for (int again = 0; again < 2; again++) {
        struct scanned s = {0};
        REQUIRE(sql_prepare_scan(sql_platform(db), text, 2, &st, &err));
        sql_bind_i64(st, 1, 80);
        CHECK(sql_scan(st, 2, &(struct sql_scan){on_row, NULL, &s}, &err));
        CHECK_INT(s.rows, 10);
        CHECK_INT(s.sum, 855);
        CHECK_INT(s.texts, 5 * 7);
    }
    struct scanned none = {0}, some = {.last = 85};
    REQUIRE(sql_prepare_scan(sql_platform(db), text, 2, &st, &err));
    sql_bind_i64(st, 1, 90);
    CHECK(sql_scan(st, 2, &(struct sql_scan){on_row, NULL, &none}, &err));
    CHECK_INT(none.rows, 0);
    sql_bind_i64(st, 1, 80);
    CHECK(!sql_scan(st, 2, &(struct sql_scan){on_row, NULL, &some}, &err) && err.code == ERR_OVERLOADED);
    CHECK_STR(str_c(err.message), STR("enough"));
    CHECK_INT(some.rows, 5);
    CHECK_INT(count(db), 100); // the connection is as before
    // As many columns as there may be.
    REQUIRE(sql_prepare_scan(sql_platform(db),
                             STR("SELECT id, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,"
                                 " 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 FROM t"),
                             SQL_SCAN_MAX, &st, &err));
    CHECK(sql_scan(st, SQL_SCAN_MAX, &(struct sql_scan){on_row, NULL, &none}, &err));
    CHECK_INT(none.sum, 5050);
    CHECK(!sql_prepare_scan(sql_platform(db), STR("SELECT x FROM nowhere"), 1, &st, &err));
    sql_close(db);
}

static void test_mistakes(void) {
    struct sql *db = open_db(STR(":memory:"), SQL_CREATE, 0);
    struct sql_stmt *st;
    bool row;
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    CHECK(!sql_prepare(sql_platform(db), STR("SELEC 1"), &st, &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(!sql_prepare(sql_platform(db), STR("  "), &st, &err));
    CHECK(!sql_prepare(sql_platform(db), STR("SELECT \"nonsense\""), &st, &err)); // no string in double quotes
    CHECK(!sql_exec(db, STR("CREATE TABLE u (a); SELECT nonsense"), &err));
    CHECK(sql_exec(db, STR(" ; -- nothing"), &err) && sql_exec(db, STR_NONE, &err));

    // A bind that cannot be is told by the step, once.
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT ?1"), &st, &err));
    sql_bind_i64(st, 2, 1);
    CHECK(!sql_step(st, &row, &err));
    CHECK(sql_step(st, &row, &err) && row);
    sql_reset(st);

    CHECK(put(db, 1, STR("x")));
    CHECK(!put(db, 1, STR("y")));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK(!sql_exec(db, STR("CREATE TABLE c (a CHECK (a > 0)); INSERT INTO c VALUES (0)"), &err));
    CHECK_INT(err.code, ERR_STORE);
    // Foreign keys are watched.
    CHECK(!sql_exec(db, STR("CREATE TABLE f (a REFERENCES t (id)); INSERT INTO f VALUES (99)"), &err));
    CHECK_INT(err.code, ERR_STORE);
    sql_close(db);
}

static void test_transactions(void) {
    struct sql *db = open_db(temp_path("tx.db"), SQL_CREATE, 0), *other;
    struct stat st;
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    CHECK(stat(temp_path("tx.db").p, &st) == 0 && (st.st_mode & 077) == 0);
    CHECK(stat(temp_path("tx.db-wal").p, &st) == 0 && (st.st_mode & 077) == 0);
    REQUIRE(other = open_db(temp_path("tx.db"), SQL_READ_WRITE, 0));
    uint64_t v1, v2, v3;
    CHECK(sql_data_version(other, &v1, &err));
    CHECK(sql_begin(db, &err) && put(db, 1, STR("a")));
    CHECK_INT(count(other), 0);
    CHECK(sql_data_version(other, &v2, &err) && v2 == v1);
    CHECK(!sql_begin(db, &err)); // not nested
    CHECK(sql_commit(db, &err));
    CHECK_INT(count(other), 1);
    CHECK(sql_data_version(other, &v3, &err) && v3 != v1);
    CHECK(sql_begin(db, &err) && put(db, 2, STR("b")));
    sql_rollback(db);
    sql_rollback(db);
    CHECK_INT(count(db), 1);
    CHECK(!sql_commit(db, &err)); // there is none
    // What is open when the connection closes is rolled back.
    CHECK(sql_begin(db, &err) && put(db, 3, STR("c")));
    sql_close(db);
    CHECK_INT(count(other), 1);
    sql_close(other);
}

// What a report reads is of one moment, and nobody waits for it.
static void test_snapshot(void) {
    struct sql *db = open_db(temp_path("snapshot.db"), SQL_CREATE, 0), *other;
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    REQUIRE(other = open_db(temp_path("snapshot.db"), SQL_READ_WRITE, 0));
    REQUIRE(sql_begin_read(other, &err));
    CHECK_INT(count(other), 0);
    CHECK(sql_begin(db, &err) && put(db, 1, STR("a")) && sql_commit(db, &err));
    CHECK_INT(count(other), 0);
    sql_rollback(other);
    CHECK_INT(count(other), 1);
    sql_close(other);
    sql_close(db);
}

static void test_busy(void) {
    struct sql *db = open_db(temp_path("busy.db"), SQL_CREATE, 0), *other;
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    REQUIRE(other = open_db(temp_path("busy.db"), SQL_READ_WRITE, 20));
    CHECK(sql_exec(db, STR("BEGIN EXCLUSIVE"), &err));
    CHECK(!sql_begin(other, &err));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    CHECK(!put(other, 1, STR("x")));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    CHECK_INT(count(other), 0); // readers go on
    CHECK(sql_commit(db, &err));
    CHECK(put(other, 1, STR("x")));
    sql_close(other);

    // In the exclusive locking mode nobody else gets in at all, not even to read.
    CHECK(sql_exec(db, STR("PRAGMA locking_mode = EXCLUSIVE; DELETE FROM t"), &err));
    other = open_db(temp_path("busy.db"), SQL_READ_WRITE, 20);
    CHECK(!other || count(other) == -1);
    CHECK_INT(err.code, ERR_STORE_BUSY);
    sql_close(other);
    sql_close(db);
}

static void test_full(void) {
    char large[3000];
    struct sql *db = open_db(temp_path("full.db"), SQL_CREATE, 0);
    memset(large, 'x', sizeof large);
    REQUIRE(db && sql_exec(db, MAKE_T, &err) && sql_exec(db, STR("PRAGMA max_page_count = 10"), &err));
    int64_t id = 1;
    while (id < 100 && put(db, id, str_of(large, sizeof large))) id++;
    CHECK(id < 100);
    CHECK_INT(err.code, ERR_STORE_FULL);
    CHECK_INT(count(db), id - 1);
    // A transaction that found the disk full can be ended and begun again.
    CHECK(sql_begin(db, &err));
    CHECK(!put(db, id, str_of(large, sizeof large)));
    sql_rollback(db);
    CHECK(sql_exec(db, STR("PRAGMA max_page_count = 1000"), &err));
    CHECK(sql_begin(db, &err) && put(db, id, str_of(large, sizeof large)) && sql_commit(db, &err));
    CHECK_INT(count(db), id);
    sql_close(db);
}

static void test_refused_files(void) {
    struct sql *db;
    CHECK(!open_db(temp_path("absent.db"), SQL_READ_WRITE, 0));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(!open_db(temp_path("absent.db"), SQL_READ_ONLY, 0));
    CHECK(!open_db(temp_path("no/dir/x.db"), SQL_CREATE, 0));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!open_db(STR("x\0y"), SQL_CREATE, 0));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    CHECK(!open_db(STR("postgres://user:hunter2@host/db"), SQL_CREATE, 0));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(!strstr(err.message, "hunter2"));

    static const char text[] = "This is no database, but a text that is long enough to be taken for a header of one.";
    char junk[8192];
    memset(junk, 'j', sizeof junk);
    memcpy(junk, text, sizeof text);
    REQUIRE(file_replace(temp_path("text.db"), str_of(junk, sizeof junk), 0600, &err));
    CHECK(!open_db(temp_path("text.db"), SQL_CREATE, 0));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "not a database") && strstr(err.message, "restore"));

    REQUIRE(db = open_db(temp_path("ro.db"), SQL_CREATE, 0));
    CHECK(sql_exec(db, MAKE_T, &err) && put(db, 1, STR("x")));
    sql_close(db);
    REQUIRE(db = open_db(temp_path("ro.db"), SQL_READ_ONLY, 0));
    CHECK_INT(count(db), 1);
    CHECK(!put(db, 2, STR("x")));
    CHECK_INT(err.code, ERR_STORE);
    sql_close(db);
}

static void test_damage(void) {
    struct sql *db = open_db(temp_path("damaged.db"), SQL_CREATE, 0);
    char line[600], junk[4096];
    memset(line, 'x', sizeof line);
    REQUIRE(db && sql_exec(db, MAKE_T, &err));
    for (int64_t i = 1; i <= 100; i++) CHECK(put(db, i, str_of(line, sizeof line)));
    sql_close(db); // all of it is in the main file now
    CLEANUP(file_close) struct file f = {0};
    memset(junk, 0x5a, sizeof junk);
    REQUIRE(file_open(temp_path("damaged.db"), FILE_READ | FILE_WRITE, 0, &f, &err));
    for (uint64_t page = 1; page < 10; page++) CHECK(file_write_at(&f, page * 4096, str_of(junk, sizeof junk), &err));
    REQUIRE(db = open_db(temp_path("damaged.db"), SQL_READ_WRITE, 0));
    CHECK_INT(count(db), -1);
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "damaged"));
    sql_close(db);
}

// Several processes create the same new database at once.
static void test_open_race(void) {
    enum { RACERS = 6 };
    fflush(NULL);
    for (int i = 0; i < RACERS; i++) {
        if (fork() != 0) continue;
        struct sql *db = open_db(temp_path("race.db"), SQL_CREATE, 20000);
        if (!db) {
            fprintf(stderr, "%s\n", err.message);
            _exit(1);
        }
        bool ok = sql_begin(db, &err) &&
                  sql_exec(db, STR("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)"), &err) &&
                  put(db, i, STR("x")) && sql_commit(db, &err);
        sql_close(db);
        _exit(ok ? 0 : 2);
    }
    for (int i = 0, status; i < RACERS; i++) {
        REQUIRE(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct sql *db = open_db(temp_path("race.db"), SQL_READ_WRITE, 0);
    REQUIRE(db);
    CHECK_INT(count(db), RACERS);
    sql_close(db);
}

// What another process does with the database named in the environment: a row goes in, and the process leaves.
static void visit(void) {
    const char *path = getenv("PENSTOCK_TEST_VISIT");
    if (!path) return;
    struct sql *db = open_db(str_c(path), SQL_CREATE, 1000);
    bool ok = db && put(db, 2, STR("y"));
    sql_close(db);
    _exit(ok ? 0 : 1);
}

// A process that has the database open twice keeps its locks, so that another one, which comes and goes, does not take
// itself for the last one and remove the log.
static void test_locks_stay(void) {
    struct str path = temp_path("locks.db");
    struct sql *one = open_db(path, SQL_CREATE, 1000), *two = open_db(path, SQL_CREATE, 1000);
    REQUIRE(one && two);
    CHECK(sql_exec(one, STR("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"), &err));
    CHECK(put(one, 1, STR("x")));
    fflush(NULL);
    // A program image of its own: after a fork alone, SQLite's notes on locks would be shared.
    pid_t child = fork();
    if (child == 0) {
        setenv("PENSTOCK_TEST_VISIT", path.p, 1);
        execl("/proc/self/exe", "visit", (char *)NULL);
        _exit(127);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(access(temp_path("locks.db-wal").p, F_OK), 0);
    CHECK_INT(count(one), 2);
    CHECK_INT(count(two), 2);
    CHECK(put(two, 3, STR("z")));
    CHECK_INT(count(one), 3);
    sql_close(one);
    sql_close(two);
}

static bool everything(void) {
    struct sql *db = open_db(temp_path("memory.db"), SQL_CREATE, 0);
    if (!db) return false;
    bool ok = sql_exec(db, STR("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)"), &err) &&
              sql_begin(db, &err) && sql_exec(db, STR("DELETE FROM t"), &err) && put(db, 1, STR("x")) &&
              sql_commit(db, &err) && count(db) == 1;
    sql_close(db);
    return ok;
}

// SQLite allocates through base/mem as well, so this walks through its failures and ours.
static void test_no_memory(void) {
    struct mem_stats before, after;
    int refusals = 0;
    CHECK(everything());
    mem_stats_get(&before);
    for (uint64_t nth = 1;; nth++) {
        struct mem_stats now;
        mem_stats_get(&now);
        uint64_t failed = now.failed;
        err.code = ERR_INTERNAL;
        mem_fail_nth(nth);
        bool ok = everything();
        mem_fail_nth(0);
        mem_stats_get(&now);
        if (!ok) {
            refusals++;
            CHECK_INT(err.code, ERR_NO_MEMORY);
        }
        if (now.failed == failed) break; // fewer allocations than nth: all have had their turn
        REQUIRE(nth < 20000);
    }
    CHECK(refusals > 10);
    CHECK(everything());
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

TEST_MAIN(visit, test_values, test_scan, test_scan_wants, test_mistakes, test_transactions, test_snapshot, test_busy,
          test_full, test_refused_files, test_damage, test_open_race, test_no_memory, test_locks_stay)
