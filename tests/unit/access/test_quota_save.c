// Tests of quota_save and of what budgets begin with: thresholds are told once, also by the next process; what was used
// is saved, and found again in the usage ledger.
#include "quota_rig.h"

#define T0 (INT64_C(1774771200) * SECOND) // 2026-03-29T08:00:00Z

static struct {
    unsigned n;
    unsigned percent[50];
    uint64_t used[50];
    int64_t start[50], end[50];
    int64_t id[50];
} g_told;

static void note(void *arg, const struct quota_notice *notice) {
    CHECK(arg == &g_told);
    if (g_told.n == 50) return;
    g_told.percent[g_told.n] = notice->percent;
    g_told.used[g_told.n] = notice->used;
    g_told.start[g_told.n] = notice->period_start;
    g_told.end[g_told.n] = notice->period_end;
    g_told.id[g_told.n++] = notice->budget->id;
}

static unsigned save(struct quota *q, struct sql *db, int64_t now) {
    g_told.n = 0;
    struct quota_listener listener = {.told = note, .arg = &g_told};
    CHECK(quota_save(q, db, now, &listener, &err));
    return g_told.n;
}

static struct quota_subject subject(void) { return (struct quota_subject){.tenant = TENANT, .key = 5}; }

static void use(struct quota *q, int64_t now, uint64_t requests, uint64_t tokens) {
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_ask what = {.requests = requests, .tokens = tokens};
    struct quota_grant g;
    struct quota_refusal r;
    quota_seat_init(&seat, q);
    if (quota_reserve(&seat, &s, &what, now, &g, &r)) quota_settle(&g, &what);
    quota_close(&g);
    quota_seat_free(&seat);
}

static int64_t query(struct sql *db, const char *text) {
    int64_t v = -1;
    if (!sql_query_i64(sql_platform(db), str_c(text), &v, &err)) return -1;
    return v;
}

static void test_told_once(void) {
    struct sql *db = rig_open("told.db");
    rig_budget(db, 1, "tenant", "0", "requests", "month", 10, "");
    struct quota *q = rig_load(db, T0);
    CHECK_INT(save(q, db, T0), 0);
    use(q, T0, 4, 0);
    CHECK_INT(save(q, db, T0 + SECOND), 0);
    use(q, T0, 1, 0);
    CHECK_INT(save(q, db, T0 + 2 * SECOND), 1);
    CHECK_INT(g_told.percent[0], 50);
    CHECK_INT(g_told.used[0], 5);
    CHECK_INT(g_told.start[0], INT64_C(1772323200) * SECOND);
    CHECK_INT(g_told.end[0], INT64_C(1775001600) * SECOND);
    CHECK_INT(save(q, db, T0 + 3 * SECOND), 0);
    // Over two thresholds at once: the higher is told.
    use(q, T0, 5, 0);
    CHECK_INT(save(q, db, T0 + 4 * SECOND), 1);
    CHECK_INT(g_told.percent[0], 100);
    CHECK_INT(query(db, "SELECT told FROM budget_use"), 100);
    CHECK_INT(query(db, "SELECT used FROM budget_use"), 10);
    // The next process, and another one at the same time, say nothing.
    struct quota *again = rig_load(db, T0);
    use(again, T0, 10, 0);
    CHECK_INT(save(again, db, T0 + 5 * SECOND), 0);
    // The next month begins anew.
    int64_t next = INT64_C(1775001600) * SECOND;
    use(q, next, 5, 0);
    use(again, next, 5, 0);
    CHECK_INT(save(q, db, next + SECOND), 1);
    CHECK_INT(save(again, db, next + SECOND), 0);
    CHECK_INT(query(db, "SELECT CAST(count(*) AS BIGINT) FROM budget_use"), 2);
    quota_free(again);
    quota_free(q);
    sql_close(db);
}

// What was refused has reached its limit, whatever fits below it; a period that ended between two looks is told, too.
static void test_refused(void) {
    struct sql *db = rig_open("refused.db");
    rig_budget(db, 1, "tenant", "0", "tokens", "minute", 100, "");
    struct quota *q = rig_load(db, T0);
    use(q, T0, 1, 10);
    CHECK_INT(save(q, db, T0), 0);
    use(q, T0 + SECOND, 1, 95);
    use(q, T0 + 61 * SECOND, 1, 60);
    CHECK_INT(save(q, db, T0 + 61 * SECOND), 2);
    CHECK_INT(g_told.percent[0], 100);
    CHECK_INT(g_told.start[0], T0);
    CHECK_INT(g_told.percent[1], 50);
    CHECK_INT(g_told.start[1], T0 + 60 * SECOND);
    quota_free(q);
    sql_close(db);
}

static void count(void *arg, const struct quota_notice *notice) {
    (void)notice;
    *(int *)arg += 100;
}

static bool no_record(void *arg, struct sql *db, const struct quota_notice *notice, struct err *e) {
    (void)db;
    CHECK_INT(notice->percent, 50);
    return --*(int *)arg < 0 || err_set(e, ERR_STORE_FULL, "no");
}

// What cannot be recorded is told later.
static void test_recorded(void) {
    struct sql *db = rig_open("recorded.db");
    int refusals = 2;
    struct quota_listener listener = {.record = no_record, .told = note, .arg = &refusals};
    rig_budget(db, 1, "tenant", "0", "requests", "day", 10, "");
    struct quota *q = rig_load(db, T0);
    use(q, T0, 5, 0);
    for (int i = 0; i < 2; i++) {
        CHECK(!quota_save(q, db, T0, &listener, &err));
        CHECK_INT(err.code, ERR_STORE_FULL);
        CHECK_INT(query(db, "SELECT CAST(count(*) AS BIGINT) FROM budget_use"), 0);
    }
    listener.told = count;
    CHECK(quota_save(q, db, T0, &listener, &err));
    CHECK_INT(refusals, 99);
    CHECK_INT(query(db, "SELECT told FROM budget_use"), 50);
    CHECK(quota_save(q, db, T0, &listener, &err));
    CHECK_INT(refusals, 99);
    quota_free(q);
    sql_close(db);
}

static void test_what_is_told(void) {
    struct sql *db = rig_open("what.db");
    rig_budget(db, 1, "tenant", "0", "requests", "day", 10, "");
    rig_budget(db, 2, "tenant", "0", "requests", "day", 10, ", 'notify', ''");
    rig_budget(db, 3, "tenant", "0", "tokens", "day", 0, "");
    rig_sql(db, "UPDATE budget SET notify_at = '[]' WHERE id = 1");
    rig_sql(db, "UPDATE budget SET notify_at = '[150, 10, 10]' WHERE id = 2");
    struct quota *q = rig_load(db, T0);
    use(q, T0, 1, 0);
    CHECK_INT(save(q, db, T0), 1);
    CHECK_INT(g_told.id[0], 2);
    CHECK_INT(g_told.percent[0], 10);
    use(q, T0, 9, 0);
    CHECK_INT(save(q, db, T0 + SECOND), 0);
    rig_sql(db, "UPDATE budget SET amount = 1000 WHERE id = 1");
    uint64_t damaged;
    CHECK(quota_load(q, db, T0, &damaged, &err));
    use(q, T0, 5, 0);
    CHECK_INT(save(q, db, T0 + SECOND), 1);
    CHECK_INT(g_told.percent[0], 150);
    quota_free(q);
    sql_close(db);
}

static void test_at_once(void) {
    struct sql *db = rig_open("at-once.db");
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_grant g[3];
    struct quota_refusal r;
    rig_budget(db, 1, "key", "5", "concurrency", "total", 2, "");
    struct quota *q = rig_load(db, T0);
    quota_seat_init(&seat, q);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g[0], &r));
    CHECK_INT(save(q, db, T0), 1);
    CHECK_INT(g_told.percent[0], 50);
    CHECK_INT(save(q, db, T0 + SECOND), 0);
    CHECK(quota_reserve(&seat, &s, &k_one, T0, &g[1], &r));
    CHECK_INT(save(q, db, T0 + SECOND), 1);
    CHECK_INT(g_told.percent[0], 100);
    quota_settle(&g[1], &k_one);
    CHECK_INT(save(q, db, T0 + 2 * SECOND), 0);
    // Once an hour.
    CHECK_INT(save(q, db, T0 + 3600 * SECOND), 1);
    CHECK_INT(g_told.percent[0], 50);
    for (int i = 0; i < 2; i++) quota_close(&g[i]);
    CHECK_INT(save(q, db, T0 + 7200 * SECOND), 0);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

static void test_deleted_meanwhile(void) {
    struct sql *db = rig_open("deleted.db");
    rig_budget(db, 1, "tenant", "0", "requests", "day", 10, "");
    struct quota *q = rig_load(db, T0);
    use(q, T0, 6, 0);
    rig_sql(db, "DELETE FROM budget");
    CHECK_INT(save(q, db, T0), 0);
    CHECK_INT(query(db, "SELECT CAST(count(*) AS BIGINT) FROM budget_use"), 0);
    quota_free(q);
    sql_close(db);
}

// --- what budgets begin with ---

static void usage_row(struct sql *db, int id, int64_t at, int dim, int tokens, int cost, int reserved) {
    char text[400];
    snprintf(text, sizeof text,
             "INSERT INTO usage (id, tenant_id, ts, dim_id, flags, tokens_in, tokens_cached, tokens_cache_write,"
             " tokens_out, tokens_reasoning, cost_nano, latency_us, ttft_us, reserved_tokens, reserved_nano)"
             " VALUES (%d, 7, %lld, %d, 0, %d, 0, 0, 1, 0, %d, 0, 0, %d, %d)",
             id, (long long)at, dim, tokens, cost, reserved, reserved);
    rig_sql(db, text);
}

static void usage_dim(struct sql *db, int id, int key, int model, int endpoint, int status, int tags) {
    char text[400];
    snprintf(text, sizeof text,
             "INSERT INTO usage_dim (id, tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id,"
             " model_id, upstream_model_id, endpoint, status, error_id, tags_id)"
             " VALUES (%d, 7, %d, 3, 4, 2, 6, 0, %d, 0, %d, %d, 0, %d)",
             id, key, model, endpoint, status, tags);
    rig_sql(db, text);
}

static void fill_usage(struct sql *db) {
    const int64_t minute = 60 * SECOND, hour = 60 * minute;
    rig_sql(db, "INSERT INTO name (id, text) VALUES (901, 'gpt-5'), (902, 'gpt-5-mini'), (903, 'claude'),"
                " (904, '{\"env\": \"prod\", \"n\":\"1\"}')");
    usage_dim(db, 1, 5, 901, 1, 200, 904);
    usage_dim(db, 2, 8, 902, 1, 200, 0);
    usage_dim(db, 3, 5, 903, 1, 502, 0); // failed: no request, no tokens
    usage_dim(db, 4, 5, 903, 4, 200, 0); // a list of models
    usage_dim(db, 5, 5, 901, 1, 0, 904); // begun and not ended
    usage_dim(db, 6, 5, 903, 1, 499, 0); // left
    usage_dim(db, 7, 5, 903, 1, 429, 0);
    int id = 1;
    for (int dim = 1; dim <= 7; dim++) {
        int tokens = dim <= 2 || dim == 6 ? 99 : 0, reserved = dim == 5 ? 1000 : dim == 1 ? 7777 : 0;
        usage_row(db, id++, T0 - 30 * minute, dim, tokens, tokens * 10, reserved);    // the hour before
        usage_row(db, id++, T0 - 3 * hour, dim, tokens, tokens * 10, reserved);       // the same day
        usage_row(db, id++, T0 - 2 * 24 * hour, dim, tokens, tokens * 10, reserved);  // the same month
        usage_row(db, id++, T0 - 40 * 24 * hour, dim, tokens, tokens * 10, reserved); // another
        usage_row(db, id++, T0 + minute, dim, tokens, tokens * 10, reserved);         // the next minute
    }
    rig_sql(db, "INSERT INTO usage_hour SELECT tenant_id, ts / 3600000000000, dim_id, count(*), 0, sum(tokens_in),"
                " sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out), sum(tokens_reasoning), sum(cost_nano),"
                " sum(latency_us), sum(ttft_us), 0, 0, 0, 0 FROM usage GROUP BY tenant_id, ts / 3600000000000, dim_id");
}

static const struct {
    const char *scope, *of, *metric, *period;
    uint64_t used; // at T0 + 2 minutes
} k_begins[] = {
    {"tenant", "0", "requests", "hour", 4},
    {"tenant", "0", "requests", "day", 12},
    {"tenant", "0", "requests", "month", 16},
    {"tenant", "0", "requests", "total", 20},
    {"tenant", "0", "requests", "minute", 0},
    {"key", "5", "requests", "day", 9},
    {"key", "8", "requests", "total", 5},
    {"key", "9", "requests", "total", 0},
    {"team", "3", "requests", "hour", 4},
    {"project", "4", "requests", "hour", 4},
    {"user", "6", "requests", "hour", 4},
    {"service_account", "6", "requests", "hour", 0},
    {"model", "gpt-5", "requests", "day", 6},
    {"model", "gpt-5*", "requests", "day", 9},
    {"model", "*", "requests", "day", 12},
    {"model", "gpt-4", "requests", "day", 0},
    {"tag", "env=prod", "requests", "day", 6},
    {"tag", "n=1", "requests", "day", 6},
    {"tag", "env=dev", "requests", "day", 0},
    // A token more than tokens_in each; what was begun and not ended, with what was set aside for it.
    {"key", "8", "tokens", "day", 300},
    {"tenant", "0", "tokens", "hour", 300 + 1000 + 3},
    {"model", "gpt-5", "cost", "month", 4 * 990 + 4 * 1000},
    {"tenant", "0", "cost", "total", 5 * 3 * 990 + 5 * 1000},
    {"tenant", "0", "concurrency", "total", 0},
};

static void test_begins_with(void) {
    struct sql *db = rig_open("begins.db");
    fill_usage(db);
    for (size_t i = 0; i < ARRAY_LEN(k_begins); i++) {
        struct quota_seat seat;
        struct quota_subject s = {.tenant = TENANT,
                                  .team = 3,
                                  .project = 4,
                                  .owner_kind = PRINCIPAL_USER,
                                  .owner_id = 6,
                                  .key = k_begins[i].of[0] >= '0' ? k_begins[i].of[0] - '0' : 0,
                                  .model = str_c(k_begins[i].of)};
        struct str tag = str_c(k_begins[i].of);
        struct quota_grant g;
        struct quota_state state = {.used = 999999};
        s.tags = &tag;
        s.n_tags = 1;
        if (str_eq(str_c(k_begins[i].scope), STR("service_account"))) s.owner_kind = PRINCIPAL_SERVICE_ACCOUNT;
        rig_sql(db, "DELETE FROM budget");
        rig_budget(db, (int)i + 1, k_begins[i].scope, k_begins[i].of, k_begins[i].metric, k_begins[i].period, 1000000,
                   "");
        struct quota *q = rig_load(db, T0 + 120 * SECOND);
        quota_seat_init(&seat, q);
        CHECK(quota_match(&seat, &s, &k_one, T0 + 120 * SECOND, &g));
        CHECK(g.n == 1 && quota_part_state(&g.parts[0], &state));
        if (state.used != k_begins[i].used)
            fprintf(stderr, "%s %s %s %s\n", k_begins[i].scope, k_begins[i].of, k_begins[i].metric, k_begins[i].period);
        CHECK_INT(state.used, k_begins[i].used);
        CHECK_INT(state.settled, k_begins[i].used);
        quota_close(&g);
        quota_seat_free(&seat);
        quota_free(q);
    }
    sql_close(db);
}

// Records that came late are added once; what this process has used and the ledger does not know yet stays.
static void test_recount(void) {
    struct sql *db = rig_open("recount.db");
    struct quota_seat seat;
    struct quota_subject s = subject();
    struct quota_grant g;
    struct quota_state state;
    rig_budget(db, 1, "tenant", "0", "requests", "day", 1000, "");
    struct quota *q = rig_load(db, T0);
    use(q, T0, 3, 0);
    fill_usage(db);
    CHECK(quota_recount(q, db, &err));
    use(q, T0, 3, 0);
    CHECK(quota_recount(q, db, &err));
    quota_seat_init(&seat, q);
    CHECK(quota_match(&seat, &s, &k_one, T0, &g) && quota_part_state(&g.parts[0], &state));
    CHECK_INT(state.used, 15);
    CHECK_INT(state.settled, 15);
    quota_close(&g);
    quota_seat_free(&seat);
    quota_free(q);
    sql_close(db);
}

// Of all nodes: what others have used counts for thresholds, and is shown, but stops nobody here.
static void test_heard(void) {
    struct sql *db = rig_open("heard.db");
    rig_budget(db, 1, "tenant", "0", "requests", "month", 10, "");
    rig_budget(db, 2, "key", "9", "requests", "month", 10, "");
    rig_sql(db, "INSERT INTO budget (tenant_id, created_at, updated_at, id, name, scope_kind, scope_id, metric, period,"
                " amount) VALUES (8, 0, 0, 3, 'other', 'tenant', 0, 'requests', 'day', 5)");
    struct quota *q = rig_load(db, T0);
    struct quota_list list, all;
    struct quota_state s;
    use(q, T0, 3, 0);
    REQUIRE(quota_list(q, TENANT, T0, &list, &err));
    CHECK_INT(list.n, 2);
    REQUIRE(quota_list(q, 0, T0, &all, &err));
    CHECK_INT(all.n, 3);
    quota_list_free(&all);
    REQUIRE(quota_list(q, 9, T0, &all, &err));
    CHECK_INT(all.n, 0);
    quota_list_free(&all);
    const struct quota_part *part = list.parts[0].budget->id == 1 ? &list.parts[0] : &list.parts[1];
    CHECK_INT(save(q, db, T0), 0);
    quota_heard(part, 6, 2);
    REQUIRE(quota_part_state(part, &s));
    CHECK(s.settled == 3 && s.used == 3 && s.all_used == 6 && s.all_reserved == 2);
    CHECK_INT(quota_part_shown(part), 3);
    quota_others(part, 3);
    CHECK_INT(quota_part_shown(part), 6);
    CHECK_INT(save(q, db, T0 + SECOND), 1);
    CHECK_INT(g_told.percent[0], 50);
    CHECK_INT(g_told.used[0], 6);
    use(q, T0, 1, 0);
    CHECK_INT(quota_part_shown(part), 7);
    quota_sync(part, 8);
    CHECK_INT(quota_part_shown(part), 8);
    // It is worth asking a few more times after the last request, then seldom; never where nothing was used.
    unsigned asked = 0;
    for (int i = 0; i < 40; i++) asked += quota_stirs(part);
    CHECK(asked >= 5 && asked < 12);
    use(q, T0, 1, 0);
    CHECK(quota_stirs(part));
    CHECK(!quota_stirs(part == &list.parts[0] ? &list.parts[1] : &list.parts[0]));
    quota_list_free(&list);
    // The period before is among all of them: it may have reached a threshold at its end.
    int64_t next = INT64_C(1775001600) * SECOND;
    REQUIRE(quota_list(q, 0, next, &all, &err));
    CHECK_INT(all.n, 6);
    quota_list_free(&all);
    quota_free(q);
    sql_close(db);
}

TEST_MAIN(test_told_once, test_refused, test_recorded, test_what_is_told, test_at_once, test_deleted_meanwhile,
          test_begins_with, test_recount, test_heard)
