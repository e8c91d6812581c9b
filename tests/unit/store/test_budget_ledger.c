// What was used of budgets by the ledger, and its hours, against a plain look at every record: some in the tables, some
// only in the segments, some begun and not ended.
#include "ledger_fixture.h"

#include "store/budget_ledger.h"
#include "store/usage_hours.h"

#define HOUR INT64_C(3600000000000)
#define START (HOUR * 490000)
#define SPAN 60 // hours
#define RECORDS 1500
#define LATE 80  // of them in the segments
#define BEGUN 12 // of them not ended
#define BUDGETS 200

static uint64_t state = 88172645463325252ULL;
static uint64_t roll(uint64_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static const struct str models[] = {STR_INIT("gpt-5"), STR_INIT("gpt-5-mini"), STR_INIT("other")};
static const struct str tags[] = {STR_INIT(""), STR_INIT("{\"env\":\"prod\"}"),
                                  STR_INIT("{\"app\":\"a\",\"env\":\"test\"}")};
static struct usage_record all[RECORDS];

static struct usage_record random_record(uint64_t id) {
    static const uint16_t statuses[] = {200, 200, 200, 200, 499, 429, 500};
    return (struct usage_record){.id = id,
                                 .tenant_id = 1 + roll(2),
                                 .key_id = roll(3),
                                 .team_id = roll(3),
                                 .project_id = roll(3),
                                 .owner_kind = (uint8_t)(2 + roll(2)),
                                 .owner_id = roll(3),
                                 .ts = START + (int64_t)roll(SPAN) * HOUR + (int64_t)roll(3600) * 1000000000,
                                 .provider = STR("p"),
                                 .model = models[roll(3)],
                                 .upstream_model = models[roll(3)],
                                 .tags = tags[roll(3)],
                                 .endpoint = (uint16_t)roll(USAGE_ENDPOINT_COUNT),
                                 .status = statuses[roll(ARRAY_LEN(statuses))],
                                 .tokens_in = roll(1000),
                                 .tokens_out = roll(500),
                                 .cost_nano = (int64_t)roll(100000),
                                 .latency_us = 1 + roll(5000),
                                 .reserved_tokens = roll(3000),
                                 .reserved_nano = roll(300000)};
}

static struct budget_row random_budget(void) {
    static const struct str names[] = {STR_INIT("gpt-5"), STR_INIT("gpt-5*"), STR_INIT("*"), STR_INIT("none")};
    static const struct str wanted[] = {STR_INIT("env=prod"), STR_INIT("env=test"), STR_INIT("app=b")};
    struct budget_row b = {.id = 1,
                           .tenant_id = 1 + (int64_t)roll(2),
                           .scope = (enum budget_scope)roll(BUDGET_SCOPE_COUNT),
                           .metric = (enum budget_metric)roll(BUDGET_CONCURRENCY),
                           .scope_id = 1 + (int64_t)roll(2)};
    if (b.scope == BUDGET_SCOPE_MODEL) b.scope_text = names[roll(4)];
    if (b.scope == BUDGET_SCOPE_TAG) b.scope_text = wanted[roll(3)];
    return b;
}

static bool is_of(const struct budget_row *b, const struct usage_record *r) {
    uint64_t id = (uint64_t)b->scope_id;
    if (r->tenant_id != (uint64_t)b->tenant_id || r->endpoint == USAGE_ENDPOINT_SHADOW) return false;
    switch (b->scope) {
    case BUDGET_SCOPE_TEAM:
        return r->team_id == id;
    case BUDGET_SCOPE_PROJECT:
        return r->project_id == id;
    case BUDGET_SCOPE_USER:
        return r->owner_kind == 2 && r->owner_id == id;
    case BUDGET_SCOPE_SERVICE_ACCOUNT:
        return r->owner_kind == 3 && r->owner_id == id;
    case BUDGET_SCOPE_KEY:
        return r->key_id == id;
    case BUDGET_SCOPE_MODEL:
        return str_eq(b->scope_text, STR("*")) || str_eq(b->scope_text, r->model) ||
               (str_eq(b->scope_text, STR("gpt-5*")) && str_starts(r->model, STR("gpt-5")));
    case BUDGET_SCOPE_TAG:
        return (str_eq(b->scope_text, STR("env=prod")) && str_eq(r->tags, tags[1])) ||
               (str_eq(b->scope_text, STR("env=test")) && str_eq(r->tags, tags[2]));
    case BUDGET_SCOPE_TENANT:
    case BUDGET_SCOPE_COUNT:
        break;
    }
    return true;
}

static uint64_t worth(enum budget_metric metric, const struct usage_record *r, bool begun) {
    bool call = r->endpoint != USAGE_ENDPOINT_OTHER && r->endpoint != USAGE_ENDPOINT_MODELS &&
                r->endpoint != USAGE_ENDPOINT_CHAIN;
    if (metric == BUDGET_TOKENS) return begun ? r->reserved_tokens : r->tokens_in + r->tokens_out;
    if (metric == BUDGET_COST) return begun ? r->reserved_nano : (uint64_t)r->cost_nano;
    return call && (begun || r->status < 400 || r->status == 499);
}

static void check_budget(struct budget_ledger *ledgers[2], struct budget_row b) {
    struct err err;
    int64_t since = START + (int64_t)roll(SPAN) * HOUR / 2 + (int64_t)(roll(2) * roll(3600)) * 1000000000,
            until = since + (int64_t)roll(SPAN) * HOUR + (int64_t)roll(3600) * 1000000000;
    uint64_t used, reserved, want = 0, open = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        bool begun = i >= RECORDS - BEGUN;
        if (!is_of(&b, &all[i]) || all[i].ts < since || all[i].ts >= until) continue;
        if (begun)
            open += worth(b.metric, &all[i], true);
        else
            want += worth(b.metric, &all[i], false);
    }
    REQUIRE(budget_ledger_used(ledgers[b.tenant_id - 1], &b, since, until, &used, &reserved, &err));
    CHECK_INT(used, want);
    CHECK_INT(reserved, open);
}

struct seen {
    uint64_t requests, tokens;
    int64_t cost, last;
    bool unordered;
};

static bool see(void *arg, const struct usage_hour_row *row, struct err *err) {
    struct seen *s = arg;
    (void)err;
    s->unordered = s->unordered || row->hour < s->last;
    s->last = row->hour;
    s->requests += row->requests;
    s->tokens += row->rec.tokens_in + row->rec.tokens_out;
    s->cost += row->rec.cost_nano;
    return true;
}

// Whatever hours a file is of: its lines are what the ledger has, and the mark tells when they are not any more.
static void check_hours(struct sql *db) {
    struct err err;
    for (int64_t from = START / HOUR; from < START / HOUR + SPAN; from += 1 + (int64_t)roll(5)) {
        int64_t to = from + 1 + (int64_t)roll(24);
        struct seen s = {0}, want = {0};
        struct usage_mark mark;
        for (size_t i = 0; i < RECORDS - BEGUN; i++) {
            if (all[i].ts < from * HOUR || all[i].ts >= to * HOUR) continue;
            want.requests++;
            want.tokens += all[i].tokens_in + all[i].tokens_out;
            want.cost += all[i].cost_nano;
        }
        REQUIRE(usage_hours_each(db, from, to, see, &s, &err));
        CHECK(s.requests == want.requests && s.tokens == want.tokens && s.cost == want.cost && !s.unordered);
        REQUIRE(usage_hours_mark(db, from, to, &mark, &err));
        CHECK(mark.requests == (int64_t)want.requests && mark.tokens == (int64_t)want.tokens &&
              mark.cost_nano == want.cost);
    }
}

static void open_both(struct fixture *f, bool segments, struct budget_ledger *out[2]) {
    struct datadir dir = {.path = f->dir, .database = f->db};
    struct err err;
    for (int64_t i = 0; i < 2; i++) REQUIRE(budget_ledger_open(&dir, i + 1, segments, &out[i], &err));
}

static void close_both(struct budget_ledger *ledgers[2]) {
    for (int i = 0; i < 2; i++) budget_ledger_close(ledgers[i]);
}

static void fill(struct ledger *l, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        all[i] = random_record(i + 1);
        enum ledger_result kept = i >= RECORDS - BEGUN ? ledger_begin(ledger_writer(l, i % 2), &all[i])
                                                       : ledger_end(ledger_writer(l, i % 2), &all[i]);
        CHECK(kept != LEDGER_LOST);
        if (i % 100 == 99) usleep(2000);
    }
}

static void test_used(void) {
    struct fixture f;
    struct err err;
    struct budget_ledger *ledgers[2];
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    fill(l, 0, RECORDS - LATE);
    WAIT_FOR(fixture_health(l).applied == RECORDS - LATE);
    struct sql *db = fixture_db(&f);
    REQUIRE(sql_begin(db, &err)); // the rest stays in the segments
    fill(l, RECORDS - LATE, RECORDS);
    WAIT_FOR(fixture_health(l).queued == 0);
    open_both(&f, true, ledgers);
    for (int i = 0; i < BUDGETS; i++) check_budget(ledgers, random_budget());
    close_both(ledgers);
    sql_rollback(db);
    WAIT_FOR(fixture_health(l).applied == RECORDS - BEGUN);
    open_both(&f, true, ledgers);
    for (int i = 0; i < BUDGETS; i++) check_budget(ledgers, random_budget());
    close_both(ledgers);
    check_hours(db);
    sql_close(db);
    ledger_close(l, 20000);
}

// --- which files were written ---

static void test_files(void) {
    struct fixture f;
    struct err err;
    struct usage_mark mark = {7, 8, 9, 10}, found;
    struct str a = STR("csv 3600000 /out"), b = STR("jsonl 3600000 /out");
    int64_t last;
    bool is;
    fixture_make(&f);
    struct sql *db = fixture_db(&f);
    CHECK(usage_export_last(db, a, &last, &err) && last == -1);
    CHECK(usage_export_find(db, a, 5 * HOUR, &is, &found, &err) && !is);
    CHECK(usage_export_note(db, a, 5 * HOUR, &mark, 100, 0, &err));
    CHECK(usage_export_note(db, a, 7 * HOUR, &mark, 100, 0, &err));
    mark.requests++;
    CHECK(usage_export_note(db, a, 7 * HOUR, &mark, 200, 6 * HOUR, &err)); // written anew; older ones are forgotten
    CHECK(usage_export_last(db, a, &last, &err) && last == 7 * HOUR);
    CHECK(usage_export_find(db, a, 7 * HOUR, &is, &found, &err) && is && usage_mark_eq(&mark, &found));
    CHECK(usage_export_find(db, a, 5 * HOUR, &is, &found, &err) && !is);
    CHECK(usage_export_last(db, b, &last, &err) && last == -1);
    // One server at a time, until its time is over; for each target.
    CHECK(usage_export_lease(db, a, 11, 1000, 100, &is, &err) && is);
    CHECK(usage_export_lease(db, a, 22, 1100, 200, &is, &err) && !is);
    CHECK(usage_export_lease(db, b, 22, 1100, 200, &is, &err) && is);
    CHECK(usage_export_lease(db, a, 11, 2000, 900, &is, &err) && is);
    CHECK(usage_export_lease(db, a, 22, 3000, 1500, &is, &err) && !is);
    CHECK(usage_export_lease(db, a, 22, 3000, 2001, &is, &err) && is);
    CHECK(usage_export_lease(db, a, 11, 4000, 2002, &is, &err) && !is);
    CHECK(usage_export_last(db, a, &last, &err) && last == 7 * HOUR); // a lease is no file
    sql_close(db);
}

TEST_MAIN(test_used, test_files)
