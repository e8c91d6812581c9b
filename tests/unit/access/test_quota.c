// Tests of access/quota.h: every scope, metric and period; reserving, settling, giving back; replacement; what is told.
#include "quota_rig.h"

#define T0 (INT64_C(1774771200) * SECOND) // 2026-03-29T08:00:00Z

static struct quota_subject subject(void) {
    static const struct str tags[] = {STR_INIT("env=prod"), STR_INIT("cost-centre=12")};
    return (struct quota_subject){.tenant = TENANT,
                                  .team = 3,
                                  .project = 4,
                                  .key = 5,
                                  .owner_kind = PRINCIPAL_USER,
                                  .owner_id = 6,
                                  .model = STR("gpt-5-mini"),
                                  .tags = tags,
                                  .n_tags = 2};
}

// How many of `n` requests are granted; all stay held unless they are closed here.
static unsigned granted(struct quota_seat *seat, struct quota_subject s, int64_t now, unsigned n) {
    unsigned yes = 0;
    for (unsigned i = 0; i < n; i++) {
        struct quota_grant g;
        struct quota_refusal r;
        if (quota_reserve(seat, &s, &k_one, now, &g, &r)) {
            yes++;
            quota_settle(&g, &k_one);
        }
        quota_close(&g);
    }
    return yes;
}

static void test_scopes(void) {
    static const struct {
        const char *scope, *of;
        bool applies;
    } cases[] = {{"tenant", "0", true},
                 {"team", "3", true},
                 {"team", "4", false},
                 {"project", "4", true},
                 {"project", "3", false},
                 {"user", "6", true},
                 {"service_account", "6", false},
                 {"key", "5", true},
                 {"key", "6", false},
                 {"model", "gpt-5-mini", true},
                 {"model", "gpt-5", false},
                 {"model", "gpt-5*", true},
                 {"model", "*", true},
                 {"model", "claude-*", false},
                 {"tag", "env=prod", true},
                 {"tag", "env=dev", false},
                 {"tag", "cost-centre=12", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[32];
        snprintf(name, sizeof name, "scope%zu.db", i);
        struct sql *db = rig_open(name);
        struct quota_seat seat;
        rig_budget(db, 1, cases[i].scope, cases[i].of, "requests", "minute", 2, "");
        struct quota *q = rig_load(db, T0);
        CHECK_INT(quota_count(q), 1);
        quota_seat_init(&seat, q);
        unsigned yes = granted(&seat, subject(), T0, 5);
        if (yes != (cases[i].applies ? 2u : 5u)) fprintf(stderr, "%s %s\n", cases[i].scope, cases[i].of);
        CHECK_INT(yes, cases[i].applies ? 2 : 5);
        // The same ids of another tenant are somebody else's.
        struct quota_subject other = subject();
        other.tenant = 8;
        CHECK_INT(granted(&seat, other, T0, 3), 3);
        quota_seat_free(&seat);
        quota_free(q);
        sql_close(db);
    }
}

static void test_service_account(void) {
    struct sql *db = rig_open("service.db");
    struct quota_seat seat;
    struct quota_subject s = subject();
    rig_budget(db, 1, "service_account", "6", "requests", "minute", 2, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    s.owner_kind = PRINCIPAL_SERVICE_ACCOUNT;
    CHECK_INT(granted(&seat, s, T0, 5), 2);
    s.owner_kind = PRINCIPAL_NOBODY;
    CHECK_INT(granted(&seat, s, T0, 5), 5);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_periods(void) {
    static const struct {
        const char *period, *zone;
        int64_t last, next; // seconds after T0: of the window T0 lies in the last, and of the next the first
    } cases[] = {{"minute", "UTC", 59, 60},
                 {"hour", "UTC", 3599, 3600},
                 {"hour", "Asia/Kolkata", 1799, 1800},
                 {"day", "UTC", 16 * 3600 - 1, 16 * 3600},
                 // The day of 23 hours: it ends at 22:00 UTC.
                 {"day", "Europe/Berlin", 14 * 3600 - 1, 14 * 3600},
                 {"month", "UTC", (2 * 24 + 16) * 3600 - 1, (2 * 24 + 16) * 3600},
                 {"month", "America/New_York", (2 * 24 + 20) * 3600 - 1, (2 * 24 + 20) * 3600},
                 {"total", "UTC", INT64_C(3000000000), 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[32], text[100];
        snprintf(name, sizeof name, "period%zu.db", i);
        struct sql *db = rig_open(name);
        struct quota_seat seat;
        snprintf(text, sizeof text, "UPDATE tenant SET time_zone = '%s' WHERE id = 7", cases[i].zone);
        rig_sql(db, text);
        rig_budget(db, 1, "tenant", "0", "requests", cases[i].period, 3, "");
        struct quota *q = rig_load(db, T0);
        quota_seat_init(&seat, q);
        CHECK_INT(granted(&seat, subject(), T0, 2), 2);
        CHECK_INT(granted(&seat, subject(), T0 + cases[i].last * SECOND, 2), 1);
        if (cases[i].next) CHECK_INT(granted(&seat, subject(), T0 + cases[i].next * SECOND, 5), 3);
        // A request from just before the turn counts in what is current.
        CHECK_INT(granted(&seat, subject(), T0 + cases[i].last * SECOND, 2), 0);
        quota_seat_free(&seat);
        quota_free(q);
        sql_close(db);
    }
}

static void state_of(const struct quota_grant *g, unsigned i, uint64_t *used, uint64_t *settled) {
    struct quota_state s;
    REQUIRE(i < g->n && quota_part_state(&g->parts[i], &s));
    *used = s.used;
    *settled = s.settled;
}

static void test_settle(void) {
    struct sql *db = rig_open("settle.db");
    struct quota_seat seat;
    struct quota_grant g, other;
    struct quota_refusal r;
    struct quota_subject s = subject();
    uint64_t used, settled;
    rig_budget(db, 1, "tenant", "0", "tokens", "day", 1000, "");
    rig_budget(db, 2, "key", "5", "cost", "month", 5000, "");
    rig_budget(db, 3, "key", "5", "concurrency", "minute", 2, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    struct quota_ask ask = {.requests = 1, .tokens = 600, .cost_nano = 2000}, real = {1, 50, 100};
    CHECK(quota_reserve(&seat, &s, &ask, T0, &g, &r));
    CHECK_INT(g.n, 3);
    state_of(&g, 0, &used, &settled);
    CHECK_INT(used, 600);
    CHECK_INT(settled, 0);
    // No room for as much again, and nothing of it is left behind in the others.
    CHECK(!quota_reserve(&seat, &s, &ask, T0, &other, &r));
    CHECK_INT(r.budget->id, 1);
    CHECK_INT(r.used, 600);
    CHECK_INT(r.asked, 600);
    CHECK(!other.held);
    quota_close(&other);
    quota_settle(&g, &real);
    quota_settle(&g, &real); // once
    for (unsigned i = 0; i < g.n; i++) {
        state_of(&g, i, &used, &settled);
        uint64_t want = g.parts[i].budget->id == 1 ? 50 : g.parts[i].budget->id == 2 ? 100 : 0;
        CHECK_INT(used, want);
        CHECK_INT(settled, want);
    }
    quota_close(&g);
    quota_close(&g);
    // More than was reserved.
    CHECK(quota_reserve(&seat, &s, &ask, T0, &g, &r));
    real.tokens = 5000;
    quota_settle(&g, &real);
    state_of(&g, 0, &used, &settled);
    CHECK_INT(used, 5050);
    quota_close(&g);
    ask.tokens = 1;
    CHECK(!quota_reserve(&seat, &s, &ask, T0, &g, &r));
    quota_close(&g);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_refund(void) {
    struct sql *db = rig_open("refund.db");
    struct quota_seat seat;
    struct quota_grant g[3];
    struct quota_refusal r;
    struct quota_subject s = subject();
    uint64_t used, settled;
    rig_budget(db, 1, "key", "5", "concurrency", "total", 2, "");
    rig_budget(db, 2, "tenant", "0", "requests", "total", 9, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g[0], &r));
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g[1], &r));
    CHECK(!quota_reserve(&seat, &s, &k_one, T0, &g[2], &r));
    CHECK_INT(r.budget->metric, BUDGET_CONCURRENCY);
    CHECK_INT(r.resets_at, 0);
    quota_close(&g[2]);
    quota_refund(&g[0]);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g[2], &r));
    quota_close(&g[2]);          // refunds
    quota_settle(&g[0], &k_one); // nothing is held any more
    for (unsigned i = 0; i < 2; i++) {
        state_of(&g[1], i, &used, &settled);
        CHECK_INT(used, 1);
        CHECK_INT(settled, 0);
    }
    quota_close(&g[0]);
    quota_close(&g[1]);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

// What is settled late counts in the period it was reserved in, or nowhere.
static void test_late(void) {
    struct sql *db = rig_open("late.db");
    struct quota_seat seat;
    struct quota_grant g, now;
    struct quota_refusal r;
    struct quota_subject s = subject();
    uint64_t used, settled;
    rig_budget(db, 1, "tenant", "0", "tokens", "minute", 1000, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    for (int late = 1; late < 8; late++) {
        int64_t begun = T0 + (int64_t)late * 1000 * 60 * SECOND;
        CHECK(quota_reserve(&seat, &s, &k_one, begun, &g, &r));
        for (int i = 1; i <= late; i++) CHECK_INT(granted(&seat, s, begun + i * 60 * SECOND, 2), 2);
        struct quota_ask real = {.tokens = 7};
        quota_settle(&g, &real);
        CHECK(quota_reserve(&seat, &s, &k_one, begun + late * 60 * SECOND, &now, &r));
        state_of(&now, 0, &used, &settled);
        CHECK_INT(used, 300);
        CHECK_INT(settled, 200);
        quota_close(&now);
        quota_close(&g);
    }
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

// A clock that jumps gives nobody a second helping.
static void test_clock_put_back(void) {
    struct sql *db = rig_open("clock.db");
    struct quota_seat seat;
    rig_budget(db, 1, "tenant", "0", "requests", "hour", 3, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK_INT(granted(&seat, subject(), T0, 2), 2);
    CHECK_INT(granted(&seat, subject(), T0 - 5 * SECOND, 1), 1);
    CHECK_INT(granted(&seat, subject(), T0 - 5 * SECOND, 1), 0);
    CHECK_INT(granted(&seat, subject(), T0 - 30 * 3600 * SECOND, 5), 0);
    CHECK_INT(granted(&seat, subject(), T0, 5), 0);
    CHECK_INT(granted(&seat, subject(), T0 + 3600 * SECOND, 2), 2);
    CHECK_INT(granted(&seat, subject(), T0 + 30 * 3600 * SECOND, 2), 2);
    CHECK_INT(granted(&seat, subject(), T0 + 3600 * SECOND, 5), 1);
    CHECK_INT(granted(&seat, subject(), T0 + 30 * 3600 * SECOND, 5), 1);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_actions(void) {
    struct sql *db = rig_open("actions.db");
    struct quota_seat seat;
    struct quota_grant g;
    struct quota_refusal r;
    struct quota_subject s = subject();
    rig_budget(db, 1, "tenant", "0", "requests", "day", 1, ", 'notify', ''");
    rig_budget(db, 2, "key", "5", "requests", "day", 3, ", 'downgrade', 'small'");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK_INT(granted(&seat, s, T0, 5), 3);
    CHECK(!quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    CHECK_INT(r.budget->action, BUDGET_DOWNGRADE);
    CHECK_STR(r.budget->downgrade_to, STR("small"));
    quota_close(&g);
    // The model it goes to is not stopped by it, but counted.
    s.model = STR("small");
    CHECK_INT(granted(&seat, s, T0, 5), 5);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_replacement(void) {
    struct sql *db = rig_open("replace.db");
    struct quota_seat seat;
    struct quota_grant g;
    struct quota_refusal r;
    struct quota_subject s = subject();
    uint64_t damaged, used, settled;
    bool edited;
    rig_budget(db, 1, "tenant", "0", "requests", "day", 3, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(quota_edited(q, db, &edited, &err) && !edited);
    CHECK_INT(granted(&seat, s, T0, 5), 3);
    // A higher limit keeps the count; a grant of before is settled in the same counter.
    rig_sql(db, "UPDATE budget SET amount = 5 WHERE id = 1");
    CHECK(quota_edited(q, db, &edited, &err) && edited);
    CHECK(quota_load(q, db, T0, &damaged, &err));
    CHECK(quota_edited(q, db, &edited, &err) && !edited);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    rig_sql(db, "UPDATE budget SET amount = 6, name = 'renamed' WHERE id = 1");
    CHECK(quota_load(q, db, T0, &damaged, &err));
    CHECK_INT(granted(&seat, s, T0, 5), 2);
    CHECK_STR(g.parts[0].budget->name, STR("b1"));
    quota_settle(&g, &k_one);
    state_of(&g, 0, &used, &settled);
    CHECK_INT(used, 6);
    CHECK_INT(settled, 6);
    quota_close(&g);
    // Another period is another count.
    rig_sql(db, "UPDATE budget SET period = 'month' WHERE id = 1");
    CHECK(quota_load(q, db, T0, &damaged, &err));
    CHECK_INT(granted(&seat, s, T0, 8), 6);
    rig_sql(db, "UPDATE budget SET enabled = 0 WHERE id = 1");
    CHECK(quota_load(q, db, T0, &damaged, &err));
    CHECK_INT(granted(&seat, s, T0, 8), 8);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_damage(void) {
    static const char *const bad[] = {
        "UPDATE budget SET scope_kind = 'galaxy'",     "UPDATE budget SET metric = ''",
        "UPDATE budget SET period = 'fortnight'",      "UPDATE budget SET amount = -1",
        "UPDATE budget SET action = 'explode'",        "UPDATE budget SET notify_at = '[0]'",
        "UPDATE budget SET notify_at = 'x'",           "UPDATE budget SET notify_at = '[1,2,3,4,5,6,7,8,9]'",
        "UPDATE budget SET action = 'downgrade'",      "UPDATE budget SET scope_kind = 'key', scope_id = 0",
        "UPDATE budget SET scope_kind = 'model'",      "UPDATE budget SET scope_kind = 'tag', scope_text = 'x'",
        "UPDATE tenant SET time_zone = 'Mars/Olympus'"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char name[32];
        uint64_t damaged = 0;
        struct quota *q;
        snprintf(name, sizeof name, "bad%zu.db", i);
        struct sql *db = rig_open(name);
        rig_budget(db, 1, "tenant", "0", "requests", "day", 3, "");
        rig_sql(db, bad[i]);
        REQUIRE(quota_create(&q, &err));
        CHECK(quota_load(q, db, T0, &damaged, &err));
        if (damaged != 1) fprintf(stderr, "%s\n", bad[i]);
        CHECK_INT(damaged, 1);
        quota_free(q);
        sql_close(db);
    }
}

static void test_too_many(void) {
    struct sql *db = rig_open("many.db");
    struct quota_seat seat;
    struct quota_grant g;
    struct quota_refusal r;
    struct quota_subject s = subject();
    struct err e;
    for (int i = 1; i <= QUOTA_GRANT_MAX + 1; i++) rig_budget(db, i, "tenant", "0", "requests", "day", 100, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(!quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    CHECK(r.budget == NULL);
    quota_refusal_err(&r, T0, &e);
    CHECK_INT(e.code, ERR_RATE_LIMITED);
    quota_close(&g);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_none(void) {
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_grant g;
    struct quota_refusal r;
    quota_seat_init(&seat, NULL);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    CHECK_INT(g.n, 0);
    quota_settle(&g, &k_one);
    quota_close(&g);
    quota_seat_free(&seat);
}

static void test_cap(void) {
    struct sql *db = rig_open("cap.db");
    struct quota_seat seat;
    struct quota_grant g;
    struct quota_refusal r;
    struct quota_subject s = subject();
    rig_budget(db, 1, "tenant", "0", "requests", "day", 10, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(quota_match(&seat, &s, &k_one, T0, &g));
    quota_cap(&g.parts[0], 2);
    quota_close(&g);
    CHECK_INT(granted(&seat, s, T0, 5), 2);
    CHECK(!quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    CHECK(r.by_cap);
    quota_cap(&g.parts[0], QUOTA_NO_CAP);
    quota_force(&g);
    CHECK(g.held);
    quota_settle(&g, &k_one);
    quota_close(&g);
    CHECK_INT(granted(&seat, s, T0, 20), 7);
    CHECK(!quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    CHECK(!r.by_cap);
    quota_close(&g);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

// What all have used is heard of another moment than what is given back of it.
static void test_heard_less(void) {
    struct sql *db = rig_open("less.db");
    struct quota_seat seat;
    struct quota_grant g[3];
    struct quota_refusal r;
    struct quota_state state;
    struct quota_subject s = subject();
    rig_budget(db, 1, "tenant", "0", "tokens", "day", 1000, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    for (int i = 0; i < 3; i++) CHECK(quota_reserve(&seat, &s, &k_one, T0, &g[i], &r));
    quota_sync(&g[0].parts[0], 100);
    for (int i = 0; i < 3; i++) quota_settle(&g[i], &(struct quota_ask){.requests = 1, .tokens = 20});
    REQUIRE(quota_part_state(&g[0].parts[0], &state));
    CHECK(state.used == 60 && state.settled == 60);
    CHECK_INT(quota_part_shown(&g[0].parts[0]), 60);
    for (int i = 0; i < 3; i++) quota_close(&g[i]);
    CHECK_INT(granted(&seat, s, T0, 20), 9);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_heard_at_once(void) {
    struct sql *db = rig_open("heard_at_once.db");
    struct quota_seat seat;
    struct quota_grant g, own;
    struct quota_refusal r;
    struct quota_subject s = subject();
    rig_budget(db, 1, "tenant", "0", "concurrency", "total", 2, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &own, &r));
    quota_sync(&own.parts[0], 2); // another node has one, and ends it without a word
    CHECK_INT(quota_part_shown(&own.parts[0]), 2);
    quota_refuse(&own, 0, 2, &r);
    CHECK_INT(r.used, 2);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    quota_close(&g);
    quota_sync(&own.parts[0], 1); // one that knows nothing of this node's
    CHECK_INT(quota_part_shown(&own.parts[0]), 1);
    quota_settle(&own, &k_one);
    quota_close(&own);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &own, &r));
    quota_close(&g);
    quota_close(&own);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

// What others are told later is left out of what they are told now, until they were told, also past the grant.
static void test_told(void) {
    struct sql *db = rig_open("told.db");
    struct quota_seat seat;
    struct quota_grant g;
    struct quota_refusal r;
    struct quota_subject s = subject();
    rig_budget(db, 1, "tenant", "0", "requests", "minute", 10, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g, &r));
    struct quota_pin one = quota_pin(&g.parts[0]), other = quota_pin(&g.parts[0]);
    quota_settle(&g, &k_one);
    quota_close(&g);
    CHECK_INT(quota_pin_told(&one), 1);
    quota_pin_settled(&one, 1);
    CHECK_INT(quota_pin_told(&other), 0);
    CHECK_INT(granted(&seat, s, T0, 3), 3);
    CHECK_INT(quota_pin_told(&other), 3);
    quota_unpin(&one);
    CHECK_INT(quota_pin_told(&other), 4);
    for (int64_t minute = 1; minute < 6; minute++) CHECK_INT(granted(&seat, s, T0 + minute * 60 * SECOND, 1), 1);
    quota_pin_settled(&other, 1); // of a window that is gone
    CHECK_INT(quota_pin_told(&other), 0);
    quota_seat_free(&seat);
    quota_free(q);
    quota_unpin(&other);
    sql_close(db);
}

TEST_MAIN(test_scopes, test_service_account, test_periods, test_settle, test_refund, test_late, test_clock_put_back,
          test_actions, test_replacement, test_damage, test_too_many, test_none, test_cap, test_heard_less,
          test_heard_at_once, test_told)
