// Tests of what callers are told of budgets: fields of answers, structured as their RFC wants, and messages of
// refusals.
#include "quota_rig.h"

#define T0 (INT64_C(1774771200) * SECOND) // 2026-03-29T08:00:00Z

static struct arena arena;

static struct str field(const struct quota_header *all, unsigned n, const char *name) {
    for (unsigned i = 0; i < n; i++)
        if (str_eq(all[i].name, str_c(name))) return all[i].value;
    return STR("(absent)");
}

struct told {
    struct quota_grant grant;
    struct quota_refusal refusal;
    bool granted;
    struct quota_header headers[QUOTA_HEADERS_MAX];
    unsigned n;
    struct err err;
};

static void ask(struct quota *q, const struct quota_ask *what, int64_t now, struct told *out) {
    static struct quota_seat seat;
    struct quota_subject s = {.tenant = TENANT, .team = 3, .key = 5, .model = STR("m")};
    quota_seat_init(&seat, q);
    *out = (struct told){0};
    out->granted = quota_reserve(&seat, &s, what, now, &out->grant, &out->refusal);
    out->n = quota_headers(&out->grant, out->granted ? NULL : &out->refusal, now, &arena, out->headers);
    if (!out->granted) quota_refusal_err(&out->refusal, now, &out->err);
    quota_settle(&out->grant, what);
    quota_close(&out->grant);
    quota_seat_free(&seat);
}

static void test_fields(void) {
    struct sql *db = rig_open("fields.db");
    struct told t;
    rig_budget(db, 1, "tenant", "0", "requests", "minute", 100, "");
    rig_budget(db, 2, "key", "5", "requests", "day", 10, "");
    rig_budget(db, 3, "team", "3", "tokens", "hour", 1000, "");
    rig_budget(db, 4, "tenant", "0", "cost", "month", 5000000, "");
    rig_budget(db, 5, "key", "5", "concurrency", "total", 4, "");
    rig_budget(db, 6, "key", "5", "tokens", "total", 100000, "");
    rig_budget(db, 7, "key", "5", "tokens", "hour", 1, ", 'notify', ''");
    rig_sql(db, "UPDATE budget SET name = 'a \"q\" \\ \xc3\xbc' WHERE id = 1");
    struct quota *q = rig_load(db, T0);
    ask(q, &k_one, T0 + 10 * SECOND, &t);
    CHECK(t.granted);
    CHECK_STR(field(t.headers, t.n, "ratelimit-policy"),
              STR("\"a \\\"q\\\" \\\\ ??\";q=100;w=60, \"b4\";q=5000;qu=\"microdollars\";w=2678400, "
                  "\"b3\";q=1000;qu=\"tokens\";w=3600, \"b2\";q=10;w=86400, \"b5\";q=4;qu=\"concurrent-requests\", "
                  "\"b6\";q=100000;qu=\"tokens\""));
    CHECK_STR(field(t.headers, t.n, "ratelimit"),
              STR("\"a \\\"q\\\" \\\\ ??\";r=99;t=50, \"b4\";r=4999;t=230390, \"b3\";r=900;t=3590, "
                  "\"b2\";r=9;t=57590, \"b5\";r=3, \"b6\";r=99900"));
    CHECK_STR(field(t.headers, t.n, "ratelimit-limit"), STR("10"));
    CHECK_STR(field(t.headers, t.n, "ratelimit-remaining"), STR("9"));
    CHECK_STR(field(t.headers, t.n, "ratelimit-reset"), STR("57590"));
    CHECK_STR(field(t.headers, t.n, "x-ratelimit-limit-requests"), STR("10"));
    CHECK_STR(field(t.headers, t.n, "x-ratelimit-remaining-requests"), STR("9"));
    CHECK_STR(field(t.headers, t.n, "x-ratelimit-reset-requests"), STR("15h59m50s"));
    CHECK_STR(field(t.headers, t.n, "x-ratelimit-limit-tokens"), STR("1000"));
    CHECK_STR(field(t.headers, t.n, "x-ratelimit-remaining-tokens"), STR("900"));
    CHECK_STR(field(t.headers, t.n, "x-ratelimit-reset-tokens"), STR("59m50s"));
    CHECK_STR(field(t.headers, t.n, "retry-after"), STR("(absent)"));
    quota_free(q);
    sql_close(db);
}

static void test_refusal(void) {
    static const struct {
        const char *scope, *of, *metric, *period;
        long long amount;
        unsigned before; // requests that pass
        enum err_code code;
        const char *retry, *message;
    } cases[] = {
        {"tenant", "0", "requests", "minute", 2, 2, ERR_RATE_LIMITED, "60",
         "The budget \"b1\" of tenant \"acme\" is used up: it allows 2 requests a minute, of which 2 requests are used "
         "or reserved, and this request may need 1 request; it begins anew in 61 s."},
        {"key", "5", "tokens", "day", 250, 2, ERR_RATE_LIMITED, "57600",
         "The budget \"b1\" of key is used up: it allows 250 tokens a day, of which 200 tokens are used or reserved, "
         "and this request may need 100 tokens; it begins anew on 2026-03-30 at 00:00:00 UTC."},
        {"model", "m", "cost", "month", 10000, 10, ERR_QUOTA_EXCEEDED, "230400",
         "The budget \"b1\" of model \"m\" is used up: it allows 0.000010 USD a month, of which 0.000010 USD are used "
         "or reserved, and this request may need 0.000001 USD; it begins anew on 2026-04-01 at 00:00:00 UTC."},
        {"tenant", "0", "cost", "total", 2000, 2, ERR_QUOTA_EXCEEDED, "(absent)",
         "The budget \"b1\" of tenant \"acme\" is used up: it allows 0.000002 USD in all, of which 0.000002 USD are "
         "used or reserved, and this request may need 0.000001 USD; it does not begin anew by itself."},
        {"tenant", "0", "tokens", "hour", 99, 0, ERR_RATE_LIMITED, "3600",
         "The budget \"b1\" of tenant \"acme\" allows 99 tokens an hour, and this request alone may need 100 tokens: "
         "lower max_tokens, or send less."},
        {"tenant", "0", "concurrency", "total", 0, 0, ERR_RATE_LIMITED, "1",
         "The budget \"b1\" of tenant \"acme\" is used up: it allows 0 requests at once, of which 0 requests are used "
         "or reserved, and this request may need 1 request; try again when one of them has ended."},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[32];
        struct told t;
        snprintf(name, sizeof name, "refusal%zu.db", i);
        struct sql *db = rig_open(name);
        rig_budget(db, 1, cases[i].scope, cases[i].of, cases[i].metric, cases[i].period, cases[i].amount, "");
        struct quota *q = rig_load(db, T0);
        for (unsigned k = 0; k < cases[i].before; k++) {
            ask(q, &k_one, T0, &t);
            CHECK(t.granted);
        }
        ask(q, &k_one, T0, &t);
        CHECK(!t.granted);
        CHECK_INT(t.err.code, cases[i].code);
        CHECK_INT(t.err.status, 429);
        CHECK_STR(str_c(t.err.message), str_c(cases[i].message));
        CHECK_STR(field(t.headers, t.n, "retry-after"), str_c(cases[i].retry));
        CHECK(t.n >= 2);
        quota_free(q);
        sql_close(db);
    }
}

#define QUOTES "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""

// Names as long as they may be, quotes all of them, in the most budgets that are shown: all of it fits.
static void test_long_names(void) {
    struct sql *db = rig_open("long.db");
    struct told t;
    for (int i = 1; i <= 12; i++) rig_budget(db, i, "tenant", "0", "cost", "month", INT64_MAX, "");
    rig_sql(db, "UPDATE budget SET name = '" QUOTES QUOTES QUOTES QUOTES "' || id");
    struct quota *q = rig_load(db, T0);
    ask(q, &k_one, T0, &t);
    struct str policy = field(t.headers, t.n, "ratelimit-policy"), state = field(t.headers, t.n, "ratelimit");
    CHECK_INT(policy.n, 8 * (2 + 128 + strlen(";q=999999999999999;qu=\"microdollars\";w=2678400")) + 7 * 2);
    CHECK(str_ends(state, STR(";t=230400")));
    CHECK(t.n == 2);
    quota_free(q);
    sql_close(db);
}

static void test_nothing(void) {
    struct quota_grant none = {0};
    struct quota_header headers[QUOTA_HEADERS_MAX];
    CHECK_INT(quota_headers(&none, NULL, T0, &arena, headers), 0);
}

static void start(void) { arena_init(&arena, NULL, 0, 1 << 20); }
static void stop(void) { arena_free(&arena); }

TEST_MAIN(start, test_fields, test_refusal, test_long_names, test_nothing, stop)
