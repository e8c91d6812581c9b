// Tests of store/row_writer.h: all that fits is written once, whatever happens to the database; what does not fit is
// counted and told.
#include "ledger_fixture.h"

#include "base/mem.h"
#include "store/row_writer.h"

#define ROWS_MAX 50
#define SOON_NS (30 * NS_PER_SEC)

static struct err err;
static struct datadir dir;
static struct log *lines;
static char log_path[512];
static struct sql *db; // the test's own connection
static uint64_t expired;

struct thing {
    int64_t n;
    struct str body, more;
};

static bool write_row(const struct datadir *d, struct sql *to, const void *row, struct err *e) {
    const struct thing *t = row;
    struct sql_stmt *st;
    if (d != &dir) return err_set(e, ERR_INTERNAL, "not the directory it was started with");
    if (t->n < 0) return err_set(e, ERR_STORE, "the row is not one the database can hold");
    if (!sql_prepare(sql_platform(to), STR("INSERT INTO thing (n, body, more) VALUES (?1, ?2, ?3)"), &st, e))
        return false;
    sql_bind_i64(st, 1, t->n);
    sql_bind_text(st, 2, t->body);
    sql_bind_text(st, 3, t->more);
    return sql_run(st, e);
}

static bool expire(struct sql *to UNUSED, struct err *e UNUSED) {
    atom_add(&expired, 1);
    return true;
}

static const struct row_kind k_small = {
    .name = "small-log", .max_rows = ROWS_MAX, .max_bytes = (size_t)1 << 20, .write = write_row, .expire = expire};
static const struct row_kind k_large = {
    .name = "large-log", .max_rows = 100000, .max_bytes = (size_t)64 << 20, .gather_ns = NS_PER_MS, .write = write_row};

static struct row_writer *start(const struct row_kind *kind, struct metrics *metrics) {
    struct row_writer *w = NULL;
    REQUIRE(
        row_writer_start(kind, &(struct row_writer_options){.dir = &dir, .log = lines, .metrics = metrics}, &w, &err));
    return w;
}

static uint64_t in(uint64_t ns) { return clock_mono_ns() + ns; }

static void put(struct row_writer *w, int64_t n, struct str body) {
    char more[32];
    struct thing t = {.n = n, .body = body, .more = str_of(more, (size_t)snprintf(more, sizeof more, "<%d>", (int)n))};
    const struct str *const texts[] = {&t.body, &t.more};
    row_writer_put(w, &t, sizeof t, texts, ARRAY_LEN(texts), (uint64_t)n);
    memset(more, '#', sizeof more);
}

static void put_many(struct row_writer *w, int64_t from, int64_t to) {
    for (int64_t n = from; n < to; n++) put(w, n, STR("body"));
}

static int64_t count(const char *where) {
    char text[200];
    int64_t n = -1;
    snprintf(text, sizeof text, "SELECT count(*) FROM thing WHERE %s", where);
    CHECK(sql_query_i64(sql_platform(db), str_c(text), &n, &err));
    return n;
}

static struct row_writer_stats stats(struct row_writer *w) {
    struct row_writer_stats s;
    row_writer_stats_get(w, &s);
    return s;
}

static int log_has(const char *text) {
    int n = 0;
    BUF_AUTO struct buf all = BUF_INIT((size_t)1 << 20);
    CHECK(log_flush(lines, 10000));
    REQUIRE(file_read_all(str_c(log_path), (size_t)1 << 20, &all, &err));
    for (struct str s = buf_str(&all); s.n >= strlen(text); s = str_from(s, 1)) n += str_starts(s, str_c(text));
    return n;
}

#define NO_ROWS "the database takes no rows now"
#define ROWS_AGAIN "the database takes rows again"
#define ROWS_LOST "rows were lost"

static void set_up(void) {
    static unsigned n;
    char name[32];
    snprintf(name, sizeof name, "writer%u", n);
    REQUIRE(test_datadir(name, &dir, &err) && datadir_open_db(&dir, 20000, &db, &err));
    REQUIRE(sql_exec(db, STR("CREATE TABLE thing (n BIGINT NOT NULL, body TEXT NOT NULL, more TEXT NOT NULL)"), &err));
    snprintf(log_path, sizeof log_path, "%s/log%u", temp_dir(), n++);
    REQUIRE(log_open(&(struct log_options){.file = str_c(log_path)}, &lines, &err));
}

static void tear_down(void) {
    log_close(lines);
    sql_close(db);
    datadir_close(&dir);
}

// --- as it goes well ---

static void all_are_written(void) {
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    put_many(w, 1, 3001);
    put(w, 3001, STR(""));
    row_writer_settle(w, 3001, SOON_NS);
    CHECK_INT(count("n = 3001 AND body = ''"), 1);
    put_many(w, 3002, 4001);
    row_writer_put(NULL, "", 0, NULL, 0, 0);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(count("1 = 1"), 4000);
    CHECK_INT(count("n <> 3001 AND body <> 'body'"), 0);
    char each[] = "more <> '<' || n || '>'";
    CHECK_INT(count(each), 0);
    int64_t distinct = 0;
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT count(DISTINCT n) FROM thing"), &distinct, &err) &&
          distinct == 4000);
    CHECK_INT(log_has("\"msg\""), 0);
    row_writer_end(NULL, 0);
    tear_down();
}

static void settles_only_what_was_asked_for(void) {
    set_up();
    atom_store(&expired, 0);
    struct row_writer *w = start(&k_small, NULL);
    for (int64_t n = 1; n <= 200; n++) {
        put(w, n, STR("b"));
        row_writer_settle(w, (uint64_t)n, SOON_NS);
        CHECK_INT(count("1 = 1"), n);
    }
    WAIT_FOR(atom_load(&expired) > 0);
    REQUIRE(sql_begin(db, &err));
    put(w, 201, STR("b"));
    row_writer_settle(w, 5, SOON_NS);     // is written long since
    row_writer_settle(w, 201, NS_PER_MS); // is not, and the wait ends
    CHECK_INT(stats(w).waiting, 1);
    sql_rollback(db);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(count("1 = 1"), 201);
    tear_down();
}

struct putter {
    struct row_writer *w;
    int64_t from;
    struct thread thread;
};

static void put_a_thousand(void *arg) {
    struct putter *p = arg;
    for (int64_t n = p->from; n < p->from + 1000; n++) {
        put(p->w, n, STR("body"));
        if (n % 100 == 0) row_writer_settle(p->w, (uint64_t)n, SOON_NS);
    }
}

static void threads_at_once(void) {
    struct putter p[4] = {0};
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    for (int i = 0; i < 4; i++) {
        p[i] = (struct putter){.w = w, .from = 1 + 1000 * i};
        REQUIRE(thread_start(&p[i].thread, "putter", 0, put_a_thousand, &p[i], &err));
    }
    for (int i = 0; i < 4; i++) thread_join(&p[i].thread);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(count("1 = 1"), 4000);
    tear_down();
}

// --- faults ---

static void locked_database(void) {
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    REQUIRE(sql_begin(db, &err));
    put_many(w, 1, 501);
    WAIT_FOR(log_has(NO_ROWS) == 1);
    put_many(w, 501, 1001);
    CHECK_INT(stats(w).waiting, 1000);
    sql_rollback(db);
    WAIT_FOR(stats(w).waiting == 0);
    CHECK_INT(count("1 = 1"), 1000);
    WAIT_FOR(log_has(ROWS_AGAIN) == 1);
    CHECK(log_has(NO_ROWS) == 1 && log_has(ROWS_LOST) == 0);
    CHECK_INT(stats(w).dropped, 0);
    row_writer_end(w, UINT64_MAX);
    tear_down();
}

static void full_disk(void) {
    if (test_server()) return;
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    put_many(w, 1, 11);
    row_writer_settle(w, 10, SOON_NS);
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 20000; // what SQLite writes at a higher offset does not fit
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    put_many(w, 11, 2011);
    usleep(300000);
    limit.rlim_cur = RLIM_INFINITY;
    uint64_t waiting = stats(w).waiting;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(waiting > 0);
    WAIT_FOR(stats(w).waiting == 0);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(count("1 = 1"), 2010);
    CHECK(log_has(NO_ROWS) == 1 && log_has(ROWS_AGAIN) == 1);
    CHECK_INT(log_has(ROWS_LOST), 0);
    tear_down();
}

// PostgreSQL ends the writer's connection, in the middle of what it does and between.
static void lost_connections(void) {
    if (!test_server()) return;
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    for (int64_t i = 0; i < 20; i++) {
        put_many(w, 1 + 500 * i, 501 + 500 * i);
        if (i % 2) row_writer_settle(w, (uint64_t)(500 + 500 * i), SOON_NS);
        test_server_exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                         " WHERE application_name = 'penstock' AND pid <> pg_backend_pid() AND query LIKE '%thing%'");
    }
    row_writer_settle(w, 10000, SOON_NS);
    WAIT_FOR(stats(w).waiting == 0);
    CHECK_INT(stats(w).dropped, 0);
    row_writer_end(w, UINT64_MAX);
    sql_close(db); // it may have been ended as well
    REQUIRE(datadir_open_db(&dir, 20000, &db, &err));
    int64_t distinct = 0;
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT count(DISTINCT n) FROM thing"), &distinct, &err));
    CHECK_INT(distinct, 10000);
    tear_down();
}

static void bounded(void) {
    set_up();
    struct metrics *m;
    BUF_AUTO struct buf text = BUF_INIT((size_t)1 << 20);
    REQUIRE(metrics_create(&(struct metrics_options){.shards = 1}, &m, &err));
    struct row_writer *w = start(&k_small, m);
    REQUIRE(sql_begin(db, &err));
    put_many(w, 1, ROWS_MAX + 11);
    CHECK(stats(w).waiting == ROWS_MAX && stats(w).dropped == 10);
    metrics_render(m, &text, false);
    CHECK(str_find(buf_str(&text), STR("penstock_rows_waiting{writer=\"small-log\"} 50")) < text.n);
    CHECK(str_find(buf_str(&text), STR("penstock_rows_dropped_total{writer=\"small-log\"} 10")) < text.n);
    WAIT_FOR(log_has(ROWS_LOST) == 1);
    CHECK_INT(log_has("\"rows\":10"), 1);
    put_many(w, 100, 120);
    sql_rollback(db);
    WAIT_FOR(stats(w).waiting == 0);
    CHECK_INT(log_has(ROWS_LOST), 1); // the second time within a minute waits
    // By bytes: one that is too large, and the next one that is not.
    char *large = mem_alloc((size_t)1 << 20);
    REQUIRE(large);
    memset(large, 'x', (size_t)1 << 20);
    put(w, 200, str_of(large, (size_t)1 << 20));
    put(w, 201, STR("small"));
    row_writer_drop(w);
    mem_free(large);
    CHECK_INT(stats(w).dropped, 32);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(log_has("\"rows\":22"), 1);
    CHECK_INT(count("n <= 50 OR n = 201"), ROWS_MAX + 1);
    CHECK_INT(count("1 = 1"), ROWS_MAX + 1);
    metrics_free(m);
    tear_down();
}

static void no_memory(void) {
    set_up();
    struct row_writer *w = start(&k_small, NULL);
    REQUIRE(sql_begin(db, &err)); // the writer allocates nothing meanwhile
    put(w, 1, STR("b"));
    WAIT_FOR(log_has(NO_ROWS) == 1);
    mem_fail_nth(1);
    put(w, 2, STR("b"));
    mem_fail_nth(0);
    CHECK(stats(w).waiting + stats(w).dropped == 2);
    uint64_t dropped = stats(w).dropped;
    sql_rollback(db);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(count("1 = 1"), 2 - (int64_t)dropped);
    tear_down();
}

// The others are written, whatever their place; the one is given up, but only because others were taken.
static void a_row_the_database_refuses(void) {
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    put(w, -1, STR("bad"));
    WAIT_FOR(log_has(NO_ROWS) == 1);
    for (int64_t n = 1; n <= 100; n++) {
        put(w, n, STR("b"));
        if (n == 50) put(w, -2, STR("bad"));
        if (n % 10 == 0) row_writer_settle(w, (uint64_t)n, SOON_NS);
    }
    CHECK_INT(count("1 = 1"), 100);
    for (int64_t n = 101; stats(w).waiting > 0 && n < 200; n++) {
        put(w, n, STR("b"));
        row_writer_settle(w, (uint64_t)n, SOON_NS);
    }
    CHECK_INT(stats(w).dropped, 2);
    CHECK_INT(stats(w).waiting, 0);
    put(w, -3, STR("alone"));
    usleep(600000); // several tries
    CHECK(stats(w).waiting == 1 && stats(w).dropped == 2);
    row_writer_end(w, in(300 * NS_PER_MS));
    CHECK(log_has(ROWS_LOST) >= 1);
    CHECK_INT(count("n < 0"), 0);
    tear_down();
}

// Those that went before one are written at once: many of them hold nobody up for long.
static void many_rows_the_database_refuses(void) {
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    REQUIRE(sql_begin(db, &err)); // so that they wait together
    for (int64_t n = 1; n <= 400; n++) put(w, n % 8 ? n : -n, STR("b"));
    sql_rollback(db);
    put(w, 401, STR("b"));
    row_writer_settle(w, 401, SOON_NS);
    CHECK_INT(count("1 = 1"), 351);
    CHECK_INT(count("n < 0"), 0);
    row_writer_end(w, in(300 * NS_PER_MS));
    tear_down();
}

// --- the end ---

static void ends_in_time(void) {
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    REQUIRE(sql_begin(db, &err));
    put_many(w, 1, 1001);
    row_writer_end(w, in(50 * NS_PER_MS)); // and a second for a try that is under way
    sql_rollback(db);
    CHECK_INT(count("1 = 1"), 0);
    CHECK_INT(log_has("\"rows\":1000"), 1);
    tear_down();
}

static void let_go(void *arg) {
    usleep(300000);
    sql_rollback(arg);
}

static void ends_with_a_full_queue(void) {
    struct thread other = {0};
    set_up();
    struct row_writer *w = start(&k_large, NULL);
    REQUIRE(sql_begin(db, &err));
    put_many(w, 1, 20001);
    REQUIRE(thread_start(&other, "other", 0, let_go, db, &err));
    row_writer_end(w, in(SOON_NS));
    thread_join(&other);
    CHECK_INT(count("1 = 1"), 20000);
    CHECK_INT(log_has(ROWS_LOST), 0);
    tear_down();
}

// What was written stays, whole lots of it; what waited is gone.
static void killed(void) {
    set_up();
    log_close(lines);
    lines = NULL;
    sql_close(db);
    IN_KILLED_CHILD({
        struct row_writer *w = start(&k_large, NULL);
        put_many(w, 1, 101);
        row_writer_settle(w, 100, SOON_NS);
        put_many(w, 101, 5101);
        usleep(2000);
    });
    REQUIRE(datadir_open_db(&dir, 20000, &db, &err));
    int64_t first = count("n <= 100"), all = count("1 = 1"), max = 0;
    CHECK(sql_query_i64(sql_platform(db), STR("SELECT max(n) FROM thing"), &max, &err));
    CHECK_INT(first, 100);
    CHECK_INT(all, max); // none is missing in between
    struct row_writer *w = start(&k_large, NULL);
    put_many(w, 6000, 6010);
    row_writer_end(w, UINT64_MAX);
    CHECK_INT(count("1 = 1"), all + 10);
    tear_down();
}

static void ignore_size_signal(void) { signal(SIGXFSZ, SIG_IGN); }

TEST_MAIN(ignore_size_signal, all_are_written, settles_only_what_was_asked_for, threads_at_once, locked_database,
          full_disk, lost_connections, bounded, no_memory, a_row_the_database_refuses, many_rows_the_database_refuses,
          ends_in_time, ends_with_a_full_queue, killed)
