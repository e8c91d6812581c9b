// Tests of the usage ledger under faults: a locked or full database, a full disk, no memory, threads at once.
#include "ledger_fixture.h"

#include "base/mem.h"

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void ends_make(struct ledger_writer *w, uint64_t from, uint64_t to) {
    for (uint64_t id = from; id < to; id++) {
        struct usage_record rec = fixture_record(id);
        CHECK(ledger_end(w, &rec) != LEDGER_LOST);
    }
}

static void test_locked_database(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    struct ledger *l = fixture_open(&f);
    REQUIRE(sql_begin(db, &err));
    ends_make(ledger_writer(l, 0), 1, 501);
    WAIT_FOR(fixture_health(l).db_busy);
    struct ledger_health h = fixture_health(l);
    CHECK_INT(h.pending, 500);
    CHECK_INT(h.applied, 0);
    CHECK(strlen(h.last_error) > 0);
    ends_make(ledger_writer(l, 1), 501, 601);
    REQUIRE(sql_commit(db, &err));
    WAIT_FOR(fixture_health(l).applied == 600);
    CHECK(!fixture_health(l).db_busy);
    CHECK_INT(atom_load(&f.events[LEDGER_DB_ERROR]), 1);
    CHECK_INT(atom_load(&f.events[LEDGER_RECOVERED]), 1);
    sql_close(db);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 600);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
}

// Locked at the start, when an earlier run's records wait, and still so at the end.
static void test_locked_over_a_whole_run(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    IN_KILLED_CHILD({
        struct ledger_options opt = fixture_options(&f);
        opt.apply_ms = 100000;
        struct ledger *l = NULL;
        REQUIRE(ledger_open(&opt, &l, &err));
        ends_make(ledger_writer(l, 0), 1, 11);
    });
    struct sql *db = fixture_db(&f);
    REQUIRE(sql_begin(db, &err));
    struct ledger *l = fixture_open(&f);
    CHECK(fixture_health(l).db_busy);
    ends_make(ledger_writer(l, 0), 11, 21);
    ledger_close(l, 100);
    CHECK(fixture_files(&f, "wal") >= 2);
    REQUIRE(sql_commit(db, &err));
    sql_close(db);
    l = fixture_open(&f);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 20);
    ledger_close(l, 20000);
    CHECK_INT(fixture_files(&f, "wal"), 0);
}

static void test_full_database(void) {
    struct fixture f;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    ends_make(ledger_writer(l, 0), 1, 11);
    WAIT_FOR(fixture_health(l).applied == 10);
    // Segments of 16 KiB still fit; what SQLite writes at a higher offset does not.
    limit_files(20000);
    uint64_t id = 11;
    for (; id < 3000 && !fixture_health(l).db_busy; id++) {
        ends_make(ledger_writer(l, 0), id, id + 1);
        usleep(100);
    }
    CHECK(fixture_health(l).db_busy);
    CHECK(strlen(fixture_health(l).last_error) > 0);
    ends_make(ledger_writer(l, 0), id, id + 500);
    id += 500;
    limit_files(RLIM_INFINITY);
    WAIT_FOR(fixture_health(l).applied == id - 1);
    CHECK(!fixture_health(l).db_busy);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), (int64_t)id - 1);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
}

// The disk is full once a segment and its spare are there: what is left of them is for records of ends.
static void test_the_last_room_is_for_ends(void) {
    struct fixture f;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    struct ledger_writer *w = ledger_writer(l, 0);
    ends_make(w, 1, 2);
    limit_files(8192);
    unsigned both = 0, end_only = 0;
    enum ledger_result end = LEDGER_KEPT;
    for (uint64_t id = 2; end == LEDGER_KEPT && id < 3000; id++) {
        struct usage_record rec = fixture_record(id);
        bool begun = ledger_begin(w, &rec) == LEDGER_KEPT;
        end = ledger_end(w, &rec);
        CHECK(!begun || end == LEDGER_KEPT);
        if (end == LEDGER_KEPT) begun ? both++ : end_only++;
    }
    CHECK_INT(end, LEDGER_QUEUED);
    CHECK(both > 10 && end_only > 0);
    limit_files(RLIM_INFINITY);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), both + end_only + 2);
}

static void count_outcome(void *arg, bool ok) {
    uint64_t *n = arg;
    atom_add(&n[ok], 1);
}

static void test_full_disk(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct ledger_options opt = fixture_options(&f);
    opt.queue_max = 50;
    struct ledger *l = NULL;
    limit_files(8192); // from the start: no segment can be made, and the database takes nothing
    REQUIRE(ledger_open(&opt, &l, &err));
    struct ledger_writer *w = ledger_writer(l, 0);
    uint64_t outcomes[2] = {0};
    for (uint64_t id = 1; id <= 60; id++) {
        struct usage_record rec = fixture_record(id);
        CHECK_INT(ledger_begin(w, &rec), LEDGER_LOST);
        enum ledger_result r = ledger_end(w, &rec);
        // The apply thread may hold a part of the queue in its hands for a moment.
        CHECK(id <= 50 ? r == LEDGER_QUEUED : r != LEDGER_KEPT);
    }
    CHECK(ledger_sync_wait(w, count_outcome, outcomes));
    WAIT_FOR(atom_load(&outcomes[0]) == 1);
    struct ledger_health h = fixture_health(l);
    CHECK(h.disk_full);
    CHECK(atom_load(&f.events[LEDGER_DISK_FULL]) >= 1);
    if (h.dropped) WAIT_FOR(atom_load(&f.events[LEDGER_DROPPED]) >= 1);
    limit_files(RLIM_INFINITY);
    WAIT_FOR(fixture_health(l).pending == 0);
    h = fixture_health(l);
    CHECK_INT(h.applied + h.dropped, 60);
    CHECK_INT(h.queued, 0);
    WAIT_FOR(!fixture_health(l).disk_full);
    struct usage_record rec = fixture_record(100);
    WAIT_FOR(ledger_begin(w, &rec) == LEDGER_KEPT);
    CHECK_INT(ledger_end(w, &rec), LEDGER_KEPT);
    CHECK(ledger_sync_wait(w, count_outcome, outcomes));
    WAIT_FOR(atom_load(&outcomes[1]) == 1);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), (int64_t)(61 - h.dropped));
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    CHECK_INT(fixture_files(&f, "wal"), 0);
}

static void test_queue_bound(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    struct ledger_options opt = fixture_options(&f);
    opt.queue_max = 50;
    struct ledger *l = NULL;
    limit_files(8192);
    REQUIRE(ledger_open(&opt, &l, &err));
    unsigned lost = 0;
    for (uint64_t id = 1; id <= 5000; id++) {
        struct usage_record rec = fixture_record(id);
        lost += ledger_end(ledger_writer(l, id % 2), &rec) == LEDGER_LOST;
    }
    CHECK(lost > 0);
    CHECK_INT(fixture_health(l).dropped, lost);
    CHECK(fixture_health(l).queued <= 100);
    WAIT_FOR(atom_load(&f.events[LEDGER_DROPPED]) >= 1);
    CHECK(atom_load(&f.events[LEDGER_DROPPED]) * 10 < lost); // not once a record; again after a pause
    limit_files(RLIM_INFINITY);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 5000 - (int64_t)lost);
    sql_close(db);
}

static void test_missing_database(void) {
    struct fixture f;
    fixture_make(&f);
    char aside[700];
    snprintf(aside, sizeof aside, "%s.aside", f.db);
    REQUIRE(rename(f.db, aside) == 0);
    struct ledger *l = fixture_open(&f);
    ends_make(ledger_writer(l, 0), 1, 101);
    WAIT_FOR(fixture_health(l).db_busy);
    REQUIRE(rename(aside, f.db) == 0);
    WAIT_FOR(fixture_health(l).applied == 100);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 100);
}

#define PER_THREAD 5000
struct appender {
    struct ledger_writer *w;
    uint64_t from, lost;
    uint64_t *synced;
};

static void append_many(void *arg) {
    struct appender *a = arg;
    for (uint64_t i = 0; i < PER_THREAD; i++) {
        struct usage_record rec = fixture_record(a->from + i);
        (void)ledger_begin(a->w, &rec);
        a->lost += ledger_end(a->w, &rec) == LEDGER_LOST;
        if (i % 500 == 0 && !ledger_sync_wait(a->w, count_outcome, a->synced)) a->lost++;
        if (i % 64 == 0) usleep(20);
    }
}

static void test_threads(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    uint64_t synced[2] = {0};
    struct appender a[2] = {{.w = ledger_writer(l, 0), .from = 1, .synced = synced},
                            {.w = ledger_writer(l, 1), .from = 1 << 20, .synced = synced}};
    struct thread threads[2];
    for (int i = 0; i < 2; i++) REQUIRE(thread_start(&threads[i], "appender", 0, append_many, &a[i], &err));
    while (fixture_health(l).appended < PER_THREAD) usleep(1000);
    for (int i = 0; i < 2; i++) thread_join(&threads[i]);
    ledger_close(l, 30000);
    CHECK_INT(a[0].lost + a[1].lost, 0);
    CHECK_INT(synced[0] + synced[1], 2 * (PER_THREAD / 500));
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 2 * PER_THREAD);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    CHECK_INT(fixture_files(&f, "wal"), 0);
}

static void test_no_memory(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct ledger_options opt = fixture_options(&f);
    uint64_t id = 1, taken = 0;
    for (uint64_t nth = 1; nth < 120; nth++) {
        struct ledger *l = NULL;
        mem_fail_nth(nth);
        bool ok = ledger_open(&opt, &l, &err);
        if (ok) {
            for (unsigned i = 0; i < 20; i++, id++) {
                struct usage_record rec = fixture_record(id);
                (void)ledger_begin(ledger_writer(l, 0), &rec);
                taken += ledger_end(ledger_writer(l, 0), &rec) != LEDGER_LOST;
            }
            ledger_close(l, 5000);
        }
        mem_fail_nth(0);
    }
    struct ledger *l = NULL;
    REQUIRE(ledger_open(&opt, &l, &err));
    ledger_close(l, 20000);
    CHECK(taken > 100);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE status = 200"), (int64_t)taken);
    CHECK_INT(fixture_files(&f, "wal"), 0);
}

static void ignore_sigxfsz(void) {
    signal(SIGXFSZ, SIG_IGN);
    CHECK(true);
}

TEST_MAIN(ignore_sigxfsz, test_locked_database, test_locked_over_a_whole_run, test_full_database,
          test_the_last_room_is_for_ends, test_full_disk, test_queue_bound, test_missing_database, test_threads,
          test_no_memory)
