// Tests of the usage ledger: records reach the table once each, over closing, killing and replaying.
#include "ledger_fixture.h"

#include "base/mem.h"

#include <signal.h>
#include <sys/mman.h>

static void requests_make(struct ledger_writer *w, uint64_t from, uint64_t to) {
    for (uint64_t id = from; id < to; id++) {
        struct usage_record rec = fixture_record(id);
        // The next segment may be late on a busy machine; once there is one it takes both.
        while (ledger_begin(w, &rec) == LEDGER_LOST) usleep(100);
        CHECK_INT(ledger_end(w, &rec), LEDGER_KEPT);
    }
}

static void test_close_leaves_rows_only(void) {
    struct fixture f;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    requests_make(ledger_writer(l, 0), 1, 50);
    requests_make(ledger_writer(l, 1), 50, 101);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 100);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    CHECK_INT(fixture_query(&f, "SELECT last_used_at FROM api_key WHERE id = 3"), 1000100);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM wal_applied"), 0);
    CHECK_INT(fixture_files(&f, "wal"), 0);
    for (size_t i = 0; i < ARRAY_LEN(f.events); i++) CHECK_INT(f.events[i], 0);
}

static void test_applied_while_running(void) {
    struct fixture f;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    for (uint64_t round = 0; round < 5; round++) {
        requests_make(ledger_writer(l, 0), 1 + round * 10, 11 + round * 10);
        WAIT_FOR(fixture_health(l).applied == (round + 1) * 10);
        CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), (round + 1) * 10);
    }
    struct ledger_health h = fixture_health(l);
    CHECK_INT(h.appended, 50);
    CHECK_INT(h.pending, 0);
    CHECK(h.syncs > 0);
    CHECK(!h.disk_full && !h.db_busy);
    ledger_close(l, 20000);
}

static void count_ok(void *arg, bool ok) {
    if (ok) atom_add(arg, 1);
}

static void test_sync_wait(void) {
    struct fixture f;
    uint64_t done = 0;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    for (uint64_t i = 1; i <= 20; i++) {
        requests_make(ledger_writer(l, 0), i, i + 1);
        CHECK(ledger_sync_wait(ledger_writer(l, 0), count_ok, &done));
        if (i % 4 == 0) WAIT_FOR(atom_load(&done) == i);
    }
    CHECK(ledger_sync_wait(ledger_writer(l, 1), count_ok, &done));
    ledger_close(l, 20000);
    CHECK_INT(done, 21);
}

static void test_second_server_refused(void) {
    struct fixture f;
    struct err err;
    struct ledger *second = NULL;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    struct ledger_options opt = fixture_options(&f);
    CHECK(!ledger_open(&opt, &second, &err));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    CHECK(str_find(str_c(err.message), str_c(f.dir)) < strlen(err.message));
    ledger_close(l, 20000);
    l = fixture_open(&f);
    ledger_close(l, 20000);
}

// Each record with names of its own and one of many keys, more than are remembered, in batches of all sizes.
static void test_many_names(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct ledger_options opt = fixture_options(&f);
    opt.segment_bytes = 4 << 20;
    struct ledger *l = NULL;
    REQUIRE(ledger_open(&opt, &l, &err));
    for (uint64_t id = 1; id <= 12000; id++) {
        char model[32], upstream[8];
        struct usage_record rec = fixture_record(id);
        rec.model = str_of(model, (size_t)snprintf(model, sizeof model, "model-%d", (int)id));
        rec.upstream_model = str_of(upstream, (size_t)snprintf(upstream, sizeof upstream, "%d", (int)(id % 997)));
        rec.error = id % 5 ? STR_NONE : STR("overloaded");
        rec.key_id = id % 300;
        CHECK_INT(ledger_end(ledger_writer(l, id % 2), &rec), LEDGER_KEPT);
        if (id % 3000 == 7) WAIT_FOR(fixture_health(l).applied == id);
    }
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 12000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record u JOIN name m ON m.id = u.model_id JOIN name p ON p.id ="
                                " u.upstream_model_id WHERE m.text = 'model-' || u.id AND p.text = '' || (u.id % 997)"),
              12000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE (error_id = 0) = (id % 5 <> 0) AND key_id = id"
                                " % 300"),
              12000);
    CHECK_INT(fixture_query(&f, "SELECT last_used_at FROM api_key WHERE id = 3"), 1000000 + 11703);
}

// A large batch of which some rows are there already, one of them as unknown.
static void test_batch_over_rows(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    fixture_row(db, 700, 1, 0);
    fixture_row(db, 701, 77, 404);
    REQUIRE(sql_begin(db, &err)); // so that all of it is one batch
    struct ledger *l = fixture_open(&f);
    for (uint64_t id = 1000; id > 0; id--) {
        struct usage_record rec = fixture_record(id);
        while (ledger_end(ledger_writer(l, 0), &rec) == LEDGER_LOST) usleep(100);
    }
    sql_rollback(db);
    sql_close(db);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 1000);
    CHECK_INT(fixture_query(&f, "SELECT tokens_in FROM record WHERE id = 700"), 2100);
    CHECK_INT(fixture_query(&f, "SELECT ts FROM record WHERE id = 701 AND status = 404"), 77);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE status = 200 AND tokens_in = id * 3"), 999);
}

static void test_many_segments(void) {
    struct fixture f;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    struct ledger_writer *w = ledger_writer(l, 0);
    // One request that outlives many segments must not keep them.
    struct usage_record slow = fixture_record(1);
    CHECK_INT(ledger_begin(w, &slow), LEDGER_KEPT);
    for (uint64_t id = 2; id <= 5000; id++) {
        struct usage_record rec = fixture_record(id);
        while (ledger_begin(w, &rec) != LEDGER_KEPT) usleep(100); // a record faster than files can be made
        CHECK(ledger_end(w, &rec) != LEDGER_LOST);
        if (id % 100 == 0) {
            struct usage_record other = fixture_record(100000 + id); // begun, and ended much later
            while (ledger_begin(w, &other) != LEDGER_KEPT) usleep(100);
        }
    }
    WAIT_FOR(fixture_health(l).applied == 4999);
    WAIT_FOR(fixture_health(l).segments <= 9);
    WAIT_FOR(fixture_query(&f, "SELECT count(*) FROM record WHERE id = 1 AND status = 0") == 1); // comes last
    CHECK_INT(ledger_end(w, &slow), LEDGER_KEPT);
    for (uint64_t id = 100; id <= 5000; id += 100) {
        struct usage_record other = fixture_record(100000 + id);
        CHECK_INT(ledger_end(w, &other), LEDGER_KEPT);
    }
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE status = 200"), 5050);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 5050);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    CHECK_INT(fixture_files(&f, "wal"), 0);
}

static void test_begun_and_killed(void) {
    struct fixture f;
    fixture_make(&f);
    IN_KILLED_CHILD({
        struct ledger *l = fixture_open(&f);
        requests_make(ledger_writer(l, 0), 1, 21);
        for (uint64_t id = 21; id <= 25; id++) {
            struct usage_record rec = fixture_record(id);
            rec.status = 0;
            (void)ledger_begin(ledger_writer(l, 1), &rec);
        }
    });
    struct ledger *l = fixture_open(&f);
    struct ledger_health h = fixture_health(l);
    CHECK_INT(h.unknown, 5);
    CHECK_INT(h.damaged, 0);
    CHECK_INT(f.events[LEDGER_REPLAYED], 1);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE status = 0"), 5);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE status = 200"), 20);
    // A request that is open when the server closes is unknown as well.
    struct usage_record rec = fixture_record(30);
    CHECK_INT(ledger_begin(ledger_writer(l, 0), &rec), LEDGER_KEPT);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT status FROM record WHERE id = 30"), 0);
    CHECK_INT(fixture_files(&f, "wal"), 0);
}

static void copy_segments(const struct fixture *f, const char *from, const char *to) {
    char a[600], b[600];
    struct err err;
    struct file_names names = {0};
    snprintf(a, sizeof a, "%s/%s", f->dir, from);
    snprintf(b, sizeof b, "%s/%s", f->dir, to);
    REQUIRE(dir_make(str_c(b), 0700, &err) && dir_list(str_c(a), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        if (!str_ends(str_c(names.p[i]), STR(".wal"))) continue;
        BUF_AUTO struct buf src = BUF_INIT(4096), dst = BUF_INIT(4096), bytes = BUF_INIT(1 << 20);
        path_join(&src, str_c(a), str_c(names.p[i]));
        path_join(&dst, str_c(b), str_c(names.p[i]));
        REQUIRE(file_read_all(buf_str(&src), 1 << 20, &bytes, &err));
        REQUIRE(file_replace(buf_str(&dst), buf_str(&bytes), 0600, &err));
    }
    file_names_free(&names);
}

static void test_replay_twice(void) {
    struct fixture f;
    fixture_make(&f);
    IN_KILLED_CHILD({
        struct ledger *l = fixture_open(&f);
        requests_make(ledger_writer(l, 0), 1, 101);
        requests_make(ledger_writer(l, 1), 1000, 1101);
        struct usage_record rec = fixture_record(5000);
        (void)ledger_begin(ledger_writer(l, 1), &rec);
    });
    copy_segments(&f, "wal", "saved");
    for (int round = 0; round < 3; round++) {
        struct ledger *l = fixture_open(&f);
        CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 202);
        CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record WHERE status = 0"), 1);
        CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
        ledger_close(l, 20000);
        CHECK_INT(fixture_files(&f, "wal"), 0);
        copy_segments(&f, "saved", "wal");
    }
}

static void damage(const struct fixture *f) {
    char dir[600];
    struct err err;
    struct file_names names = {0};
    snprintf(dir, sizeof dir, "%s/wal", f->dir);
    REQUIRE(dir_list(str_c(dir), &names, &err));
    BUF_AUTO struct buf path = BUF_INIT(4096), bytes = BUF_INIT(1 << 20);
    path_join(&path, str_c(dir), str_c(names.p[0]));
    REQUIRE(file_read_all(buf_str(&path), 1 << 20, &bytes, &err));
    bytes.p[1000] ^= 4;
    REQUIRE(file_replace(buf_str(&path), buf_str(&bytes), 0600, &err));
    file_names_free(&names);
}

static void test_damaged_segment(void) {
    struct fixture f;
    fixture_make(&f);
    IN_KILLED_CHILD({
        struct ledger_options opt = fixture_options(&f);
        opt.apply_ms = 100000; // so that all of it is in the segment only
        struct ledger *l = NULL;
        struct err err;
        REQUIRE(ledger_open(&opt, &l, &err));
        requests_make(ledger_writer(l, 0), 1, 51);
    });
    damage(&f);
    struct ledger *l = fixture_open(&f);
    CHECK_INT(fixture_health(l).damaged, 1);
    CHECK_INT(f.events[LEDGER_DAMAGE], 1);
    CHECK_INT(fixture_files(&f, "wal/quarantine"), 1);
    int64_t n = fixture_query(&f, "SELECT count(*) FROM record");
    CHECK(n > 1 && n < 50);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    ledger_close(l, 20000);
    CHECK_INT(fixture_files(&f, "wal"), 0);
    CHECK_INT(fixture_files(&f, "wal/quarantine"), 1);
}

static void test_foreign_files(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    char path[600];
    snprintf(path, sizeof path, "%s/wal", f.dir);
    REQUIRE(dir_make(str_c(path), 0700, &err));
    // An empty file, a blank one (its maker died early), rubbish, and names that are none.
    static const char blank[4096], rubbish[] = "this is not a segment, but it has the name of one";
    snprintf(path, sizeof path, "%s/wal/00000000000000000001.wal", f.dir);
    REQUIRE(file_replace(str_c(path), STR(""), 0600, &err));
    snprintf(path, sizeof path, "%s/wal/00000000000000000002.wal", f.dir);
    REQUIRE(file_replace(str_c(path), str_of(blank, sizeof blank), 0600, &err));
    snprintf(path, sizeof path, "%s/wal/00000000000000000003.wal", f.dir);
    REQUIRE(file_replace(str_c(path), str_c(rubbish), 0600, &err));
    snprintf(path, sizeof path, "%s/wal/notes.txt", f.dir);
    REQUIRE(file_replace(str_c(path), str_c(rubbish), 0600, &err));
    struct ledger *l = fixture_open(&f);
    CHECK_INT(fixture_health(l).damaged, 1);
    requests_make(ledger_writer(l, 0), 1, 11);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 10);
    CHECK_INT(fixture_files(&f, "wal"), 0);
    CHECK_INT(fixture_files(&f, "wal/quarantine"), 1);
}

// --- killing at any point ---

#define ROUNDS 200
#define PER_ROUND 400
struct drill {
    unsigned char begun[ROUNDS * PER_ROUND], returned[ROUNDS * PER_ROUND];
};

static void drill_child(struct fixture *f, struct drill *d, unsigned round, unsigned stop_after) {
    struct ledger *l = fixture_open(f);
    for (unsigned i = 0; i < PER_ROUND; i++) {
        uint64_t id = (uint64_t)round * PER_ROUND + i + 1;
        struct usage_record rec = fixture_record(id);
        struct ledger_writer *w = ledger_writer(l, i % 2);
        d->begun[id - 1] = 1;
        if (ledger_begin(w, &rec) != LEDGER_KEPT) usleep(200);
        if (ledger_end(w, &rec) == LEDGER_KEPT) d->returned[id - 1] = 1;
        if (i == stop_after) raise(SIGKILL);
        if (i % 16 == 0) usleep(50);
    }
    for (;;) pause();
}

static void test_kill_drill(void) {
    struct fixture f;
    fixture_make(&f);
    struct drill *d = mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(d != MAP_FAILED);
    for (unsigned round = 0; round < ROUNDS; round++) {
        // Half of them at a record, half at a moment that falls anywhere: in the replay, between two stores, while
        // applying.
        unsigned stop_after = round % 2 ? (unsigned)(rand_u64() % PER_ROUND) : UINT32_MAX;
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) drill_child(&f, d, round, stop_after);
        if (stop_after == UINT32_MAX) {
            usleep((useconds_t)(rand_u64() % 20000));
            kill(pid, SIGKILL);
        }
        int status;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE(WIFSIGNALED(status));
    }
    struct ledger *l = fixture_open(&f);
    ledger_close(l, 20000);
    CHECK_INT(fixture_query(&f, FIXTURE_WRONG), 0);
    struct err err;
    struct sql *db = fixture_db(&f);
    struct sql_stmt *st;
    unsigned returned = 0, missing = 0, unasked = 0;
    unsigned char *seen = mem_must(mem_zalloc(ROUNDS * PER_ROUND, 1));
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT u.id, d.status FROM usage u JOIN usage_dim d ON d.id = u.dim_id"),
                        &st, &err));
    for (bool row; sql_step(st, &row, &err) && row;) {
        size_t i = (size_t)sql_col_i64(st, 0) - 1;
        REQUIRE(i < ROUNDS * PER_ROUND);
        seen[i] = sql_col_i64(st, 1) == 200 ? 2 : 1;
        unasked += !d->begun[i];
    }
    sql_close(db);
    for (size_t i = 0; i < ROUNDS * PER_ROUND; i++) {
        returned += d->returned[i];
        missing += d->returned[i] && seen[i] != 2;
    }
    printf("drill: %u records returned in %d rounds\n", returned, ROUNDS);
    CHECK(returned > ROUNDS * 10);
    CHECK_INT(missing, 0);
    CHECK_INT(unasked, 0);
    CHECK_INT(fixture_files(&f, "wal"), 0);
    mem_free(seen);
    munmap(d, sizeof *d);
}

TEST_MAIN(test_close_leaves_rows_only, test_applied_while_running, test_sync_wait, test_second_server_refused,
          test_many_names, test_batch_over_rows, test_many_segments, test_begun_and_killed, test_replay_twice,
          test_damaged_segment, test_foreign_files, test_kill_drill)
