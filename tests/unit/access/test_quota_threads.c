// Tests of access/quota.h with many threads: nobody ever gets past a limit, whatever is replaced, turned and given back
// meanwhile; nothing is lost or left over.
#include "quota_rig.h"

#include "os/thread.h"

#define T0 (INT64_C(1774771200) * SECOND)
#define THREADS 8

struct worker {
    struct thread thread;
    struct quota *quota;
    unsigned index, n;
    int64_t now, step; // each request's time is step later than the one before
    uint64_t granted, tokens;
    uint64_t *inside, *most; // shared: held at once
};

static uint64_t next(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static struct quota_subject subject(void) {
    return (struct quota_subject){.tenant = TENANT, .team = 3, .project = 4, .key = 5, .model = STR("m")};
}

static void note_most(struct worker *w) {
    uint64_t now = atom_add(w->inside, 1), most = atom_load(w->most);
    while (now > most && !__atomic_compare_exchange_n(w->most, &most, now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

static void work(void *arg) {
    struct worker *w = arg;
    struct quota_seat seat;
    struct quota_subject s = subject();
    uint64_t x = 0x9e3779b97f4a7c15ULL * (w->index + 1);
    quota_seat_init(&seat, w->quota);
    for (unsigned i = 0; i < w->n; i++) {
        struct quota_grant g;
        struct quota_refusal r;
        struct quota_ask ask = {.requests = 1, .tokens = next(&x) % 100 + 1, .cost_nano = 10}, real = ask;
        if (quota_reserve(&seat, &s, &ask, w->now + (int64_t)i * w->step, &g, &r)) {
            if (w->inside) note_most(w);
            real.tokens = next(&x) % ask.tokens + 1;
            if (w->inside) atom_sub(w->inside, 1);
            if (next(&x) % 4) {
                quota_settle(&g, &real);
                w->granted++;
                w->tokens += real.tokens;
            } else {
                quota_refund(&g);
            }
        }
        quota_close(&g);
    }
    quota_seat_free(&seat);
}

static void run(struct worker workers[THREADS]) {
    for (unsigned i = 0; i < THREADS; i++)
        REQUIRE(thread_start(&workers[i].thread, "worker", 0, work, &workers[i], &err));
}

static void join(struct worker workers[THREADS]) {
    for (unsigned i = 0; i < THREADS; i++) thread_join(&workers[i].thread);
}

static struct quota_state state_of(struct quota *q, int64_t now, enum budget_metric metric) {
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_grant g;
    struct quota_state state = {0};
    quota_seat_init(&seat, q);
    quota_match(&seat, &s, &k_one, now, &g);
    for (unsigned i = 0; i < g.n; i++)
        if (g.parts[i].budget->metric == metric) CHECK(quota_part_state(&g.parts[i], &state));
    quota_close(&g);
    quota_seat_free(&seat);
    return state;
}

// What is granted is what is counted, and no more than the limit allows at any time.
static void test_limits(void) {
    struct sql *db = rig_open("limits.db");
    struct worker workers[THREADS];
    uint64_t inside = 0, most = 0, granted = 0, tokens = 0;
    rig_budget(db, 1, "tenant", "0", "requests", "day", 12345, "");
    rig_budget(db, 2, "team", "3", "tokens", "day", 100000000, "");
    rig_budget(db, 3, "project", "4", "cost", "month", 1000000, "");
    rig_budget(db, 4, "key", "5", "concurrency", "total", 3, "");
    rig_budget(db, 5, "model", "*", "requests", "hour", 1000000, "");
    struct quota *q = rig_load(db, T0);
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.quota = q, .index = i, .n = 6000, .now = T0, .inside = &inside, .most = &most};
    run(workers);
    join(workers);
    for (unsigned i = 0; i < THREADS; i++) granted += workers[i].granted, tokens += workers[i].tokens;
    CHECK(granted > 0 && granted <= 12345);
    CHECK(most >= 1 && most <= 3);
    CHECK_INT(state_of(q, T0, BUDGET_CONCURRENCY).used, 0);
    CHECK_INT(state_of(q, T0, BUDGET_TOKENS).used, tokens);
    CHECK_INT(state_of(q, T0, BUDGET_TOKENS).settled, tokens);
    CHECK_INT(state_of(q, T0, BUDGET_COST).settled, granted * 10);
    quota_free(q);
    sql_close(db);
}

struct single {
    struct thread thread;
    struct quota *quota;
    uint64_t *at_start, *granted, *spent;
};

// One request as a server has them: reserved, all of them at once, then settled with what it really cost.
static void one_request(void *arg) {
    struct single *one = arg;
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_grant g;
    struct quota_refusal r;
    struct quota_ask ask = {.requests = 1, .tokens = 1000, .cost_nano = 2000000};
    quota_seat_init(&seat, one->quota);
    while (!atom_load(one->at_start)) {
    }
    if (quota_reserve(&seat, &s, &ask, T0, &g, &r)) {
        atom_add(one->granted, 1);
        ask.cost_nano = 1999000;
        atom_add(one->spent, ask.cost_nano);
        quota_settle(&g, &ask);
    }
    quota_close(&g);
    quota_seat_free(&seat);
}

// 1,000 requests at the same moment against money for 250 of them.
static void test_thousand(void) {
    static struct single ones[1000];
    struct sql *db = rig_open("thousand.db");
    uint64_t start = 0, granted = 0, spent = 0;
    rig_budget(db, 1, "tenant", "0", "cost", "month", 500000000, "");
    struct quota *q = rig_load(db, T0);
    for (size_t i = 0; i < ARRAY_LEN(ones); i++) {
        ones[i] = (struct single){.quota = q, .at_start = &start, .granted = &granted, .spent = &spent};
        REQUIRE(thread_start(&ones[i].thread, "one", 64 * 1024, one_request, &ones[i], &err));
        if (i == 100) atom_store(&start, 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(ones); i++) thread_join(&ones[i].thread);
    CHECK(spent <= 500000000);
    CHECK(granted >= 250 && granted <= 251);
    CHECK_INT(state_of(q, T0, BUDGET_COST).settled, spent);
    CHECK_INT(state_of(q, T0, BUDGET_COST).used, spent);
    quota_free(q);
    sql_close(db);
}

// Budgets are replaced all the time, windows turn, and the saver looks on.
static void nothing(void *arg, const struct quota_notice *notice) {
    (void)notice;
    (*(unsigned *)arg)++;
}

static void test_replaced(void) {
    struct sql *db = rig_open("replaced.db");
    struct worker workers[THREADS];
    uint64_t granted = 0, damaged;
    unsigned told = 0;
    struct quota_listener listener = {.told = nothing, .arg = &told};
    rig_budget(db, 1, "tenant", "0", "requests", "total", 1000000, "");
    rig_budget(db, 2, "key", "5", "requests", "minute", 100, "");
    struct quota *q = rig_load(db, T0);
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.quota = q, .index = i, .n = 4000, .now = T0, .step = SECOND / 4};
    run(workers);
    for (int i = 0; i < 40; i++) {
        rig_sql(db, i % 2 ? "DELETE FROM budget WHERE id = 3"
                          : "INSERT INTO budget (tenant_id, created_at, updated_at, id, name, scope_kind, scope_id,"
                            " metric, period, amount) VALUES (7, 0, 0, 3, 'b3', 'team', 3, 'tokens', 'hour', 900000)");
        CHECK(quota_load(q, db, T0, &damaged, &err));
        CHECK(quota_save(q, db, T0 + i * 20 * SECOND, &listener, &err));
    }
    join(workers);
    for (unsigned i = 0; i < THREADS; i++) granted += workers[i].granted;
    struct quota_state total = {0};
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_grant g;
    quota_seat_init(&seat, q);
    quota_match(&seat, &s, &k_one, T0, &g);
    for (unsigned i = 0; i < g.n; i++)
        if (g.parts[i].budget->id == 1) CHECK(quota_part_state(&g.parts[i], &total));
    CHECK_INT(total.settled, granted);
    CHECK_INT(total.used, granted);
    quota_close(&g);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

TEST_MAIN(test_limits, test_thousand, test_replaced)
