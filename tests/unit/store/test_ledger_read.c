// Tests of reports over the ledger: table and segments as one, filters, groups.
#include "ledger_fixture.h"

#include "store/ledger_read.h"

#define DAY 86400000000000LL

struct seen {
    uint64_t rows, requests, in, errors, unpriced, unknown;
    int64_t cost, last_ts;
    uint64_t ids[64];
    char names[8][32];
    uint64_t counts[8], tenants[8];
    uint64_t stop_after;
    bool unordered;
};

static bool see(void *arg, const struct ledger_row *row) {
    struct seen *s = arg;
    if (s->rows < 64) s->ids[s->rows] = row->rec.id;
    if (s->rows < 8) {
        struct str name = row->rec.model.n ? row->rec.model : row->rec.provider;
        snprintf(s->names[s->rows], 32, "%.*s", STR_ARG(name));
        s->counts[s->rows] = row->requests;
        s->tenants[s->rows] = row->rec.tenant_id;
    }
    if (s->rows && row->rec.ts > s->last_ts) s->unordered = true;
    s->last_ts = row->rec.ts;
    s->rows++;
    s->requests += row->requests;
    s->in += row->rec.tokens_in;
    s->cost += row->rec.cost_nano;
    s->errors += row->errors;
    s->unpriced += row->unpriced;
    s->unknown += row->requests == 1 && row->rec.status == USAGE_STATUS_UNKNOWN;
    return s->rows != s->stop_after;
}

static struct seen read_query(const struct fixture *f, struct ledger_query q) {
    struct seen s = {0};
    struct err err;
    q.data_dir = str_c(f->dir);
    q.database = str_c(f->db);
    CHECK(ledger_read(&q, see, &s, &err));
    return s;
}

static void ends_make(struct ledger *l, uint64_t from, uint64_t to) {
    for (uint64_t id = from; id < to; id++) {
        struct usage_record rec = fixture_record(id);
        CHECK_INT(ledger_end(ledger_writer(l, id % 2), &rec), LEDGER_KEPT);
    }
}

static uint64_t sum_to(uint64_t n) { return n * (n + 1) / 2; }

static void check_all(const struct fixture *f, uint64_t n) {
    struct seen s = read_query(f, (struct ledger_query){0});
    CHECK_INT(s.rows, n);
    CHECK_INT(s.in, 3 * sum_to(n));
    CHECK_INT(s.cost, (int64_t)(7 * sum_to(n)));
    CHECK(!s.unordered);
    CHECK_INT(s.ids[0], n);
}

static void test_beside_a_server(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    struct ledger *l = fixture_open(&f);
    ends_make(l, 1, 21);
    WAIT_FOR(fixture_health(l).applied == 20);
    REQUIRE(sql_begin(db, &err)); // nothing is applied from here on
    ends_make(l, 21, 51);
    check_all(&f, 50);
    CHECK_INT(fixture_query(&f, "SELECT count(*) FROM record"), 20);
    sql_rollback(db);
    for (uint64_t n = 51; n <= 90; n++) {
        ends_make(l, n, n + 1);
        check_all(&f, n); // whichever place each is in at this moment
    }
    WAIT_FOR(fixture_health(l).applied == 90);
    check_all(&f, 90);
    ledger_close(l, 20000);
    check_all(&f, 90);
    sql_close(db);
}

static void test_after_a_kill(void) {
    struct fixture f;
    fixture_make(&f);
    IN_KILLED_CHILD({
        struct ledger *l = fixture_open(&f);
        ends_make(l, 1, 11);
        WAIT_FOR(fixture_health(l).applied == 10);
        ends_make(l, 11, 31);
        struct usage_record rec = fixture_record(40);
        (void)ledger_begin(ledger_writer(l, 0), &rec);
    });
    check_all(&f, 30);
    CHECK(fixture_files(&f, "wal") > 0); // reading changed nothing
    ledger_close(fixture_open(&f), 20000);
    struct seen s = read_query(&f, (struct ledger_query){0});
    CHECK_INT(s.rows, 31);
    CHECK_INT(s.unknown, 1);
}

// A row of unknown status whose END is in a segment is that END.
static void test_unknown_superseded(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    fixture_row(db, 1, 5, 0);
    fixture_row(db, 2, 6, 0);
    struct ledger *l = fixture_open(&f);
    REQUIRE(sql_begin(db, &err));
    ends_make(l, 1, 2);
    struct seen s = read_query(&f, (struct ledger_query){0});
    CHECK_INT(s.rows, 2);
    CHECK_INT(s.unknown, 1);
    CHECK_INT(s.in, 3);
    sql_rollback(db);
    ledger_close(l, 20000);
    s = read_query(&f, (struct ledger_query){0});
    CHECK_INT(s.rows, 2);
    CHECK_INT(s.in, 3);
    sql_close(db);
}

static void mixed_make(struct ledger *l) {
    for (uint64_t id = 1; id <= 30; id++) {
        struct usage_record rec = fixture_record(id);
        rec.ts = (int64_t)(id % 3) * DAY + 3600;
        rec.key_id = id % 5;
        rec.tenant_id = id % 4; // 0 is stored as the first
        rec.provider = id % 2 ? STR("one") : STR("two");
        rec.status = id % 10 ? 200 : 503;
        if (id % 10 == 0) rec.error = STR("overloaded");
        if (id == 5) rec.error = STR("upstream_reset"); // in the middle of a stream: status 200
        if (id % 15 == 0) rec.flags |= USAGE_PRICE_UNKNOWN;
        CHECK_INT(ledger_end(ledger_writer(l, 0), &rec), LEDGER_KEPT);
    }
}

static void mixed_check(const struct fixture *f) {
    struct seen s = read_query(f, (struct ledger_query){.group = LEDGER_GROUP_PROVIDER});
    CHECK_INT(s.rows, 2);
    CHECK_STR(str_c(s.names[0]), STR("two")); // costs more
    CHECK_INT(s.counts[0], 15);
    CHECK_INT(s.requests, 30);
    CHECK_INT(s.in, 3 * sum_to(30));
    CHECK_INT(s.errors, 4);
    CHECK_INT(s.unpriced, 2);
    CHECK_INT(read_query(f, (struct ledger_query){.group = LEDGER_GROUP_MODEL}).rows, 3);
    CHECK_INT(read_query(f, (struct ledger_query){.group = LEDGER_GROUP_KEY}).rows, 5);
    s = read_query(f, (struct ledger_query){.group = LEDGER_GROUP_DAY});
    CHECK_INT(s.rows, 3);
    CHECK(!s.unordered);
    CHECK_INT(s.last_ts, 0);
    CHECK_INT(s.counts[0], 10);
    CHECK_INT(read_query(f, (struct ledger_query){.group = LEDGER_GROUP_DAY, .limit = 2}).rows, 2);

    s = read_query(f, (struct ledger_query){.group = LEDGER_GROUP_TENANT});
    CHECK_INT(s.rows, 3);
    CHECK_INT(s.counts[0], 15); // 4, 8, … and 1, 5, …
    CHECK_INT(s.tenants[0], 1);
    CHECK_INT(s.requests, 30);
    CHECK_INT(s.in, 3 * sum_to(30));
    CHECK_INT(read_query(f, (struct ledger_query){.tenant_id = 3}).rows, 7);
    CHECK_INT(read_query(f, (struct ledger_query){.tenant_id = 3, .key_id = 2}).rows, 2);
    CHECK_INT(read_query(f, (struct ledger_query){.tenant_id = 1}).rows, 15);

    CHECK_INT(read_query(f, (struct ledger_query){.key_id = 3}).rows, 6);
    CHECK_INT(read_query(f, (struct ledger_query){.key_id = 99}).rows, 0);
    CHECK_INT(read_query(f, (struct ledger_query){.model = STR("small")}).rows, 10);
    CHECK_INT(read_query(f, (struct ledger_query){.model = STR("gpt-4o-mini-2024-07-18")}).rows, 30);
    CHECK_INT(read_query(f, (struct ledger_query){.model = STR("' OR 1=1 --")}).rows, 0);
    CHECK_INT(read_query(f, (struct ledger_query){.since = DAY}).rows, 20);
    CHECK_INT(read_query(f, (struct ledger_query){.since = DAY, .until = 2 * DAY}).rows, 10);
    CHECK_INT(read_query(f, (struct ledger_query){.limit = 7}).rows, 7);
    CHECK_INT(read_query(f, (struct ledger_query){.limit = UINT64_MAX}).rows, 30);
}

static void test_filters_and_groups(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    REQUIRE(sql_begin(db, &err));
    struct ledger *l = fixture_open(&f);
    mixed_make(l);
    mixed_check(&f); // all in segments
    sql_rollback(db);
    ledger_close(l, 20000);
    mixed_check(&f); // all in the table
    struct seen s = {.stop_after = 4};
    struct ledger_query q = {.data_dir = str_c(f.dir), .database = str_c(f.db)};
    CHECK(ledger_read(&q, see, &s, &err));
    CHECK_INT(s.rows, 4);
    sql_close(db);
}

static void test_nothing_there(void) {
    struct err err;
    struct seen s = {0};
    struct ledger_query q = {.data_dir = STR("/nonexistent")};
    CHECK(!ledger_read(&q, see, &s, &err));
    struct fixture f;
    fixture_make(&f);
    CHECK_INT(read_query(&f, (struct ledger_query){0}).rows, 0);
    CHECK_INT(read_query(&f, (struct ledger_query){.group = LEDGER_GROUP_DAY}).rows, 0);
    q = (struct ledger_query){.data_dir = str_c(f.dir), .database = STR("/nonexistent.db")};
    CHECK(!ledger_read(&q, see, &s, &err));
}

TEST_MAIN(test_beside_a_server, test_after_a_kill, test_unknown_superseded, test_filters_and_groups, test_nothing_there)
