// Tests of the scripts that count in Redis, on a real server: all or nothing, once, nothing leaked, never past a limit.
#include "gateway/quota_redis_internal.h"

#include "net/redis_rig.h"

static struct server g_server;

struct got {
    int64_t v[8];
    size_t n;
    char error[200];
};

static void on_got(void *ctx, const struct resp *reply, const struct err *err) {
    struct got *g = ctx;
    if (!reply) {
        snprintf(g->error, sizeof g->error, "%.190s", err->message);
    } else if (reply->type == RESP_ARRAY) {
        for (g->n = 0; g->n < reply->n && g->n < 8; g->n++) CHECK(resp_integer(&reply->items[g->n], &g->v[g->n]));
    } else if (resp_integer(reply, &g->v[0])) {
        g->n = 1;
    }
}

static struct got command(const struct str *args, size_t n) {
    const struct redis_options o = {.at = {.host = "127.0.0.1", .port = g_server.port}};
    const struct redis_ask ask = {args, n};
    struct got g = {0};
    struct err err;
    REQUIRE(redis_ask_all(&o, &ask, 1, RIG_MS, on_got, &g, &err));
    return g;
}

// "ttl 5 10" after EVAL script numkeys; keys: {1}:due, held, swept, then `counters`.
static struct got eval(enum quota_script script, const char *counters, const char *argv) {
    struct str args[64] = {STR("EVAL"), quota_script_text(script)}, rest;
    size_t n = 3, keys = 3;
    char count[24];
    args[n++] = STR("{1}:due");
    args[n++] = STR("{1}:held");
    args[n++] = STR("{1}:swept");
    for (rest = str_c(counters); rest.n && str_split(&rest, ' ', &args[n]); n++) keys++;
    for (rest = str_c(argv); str_split(&rest, ' ', &args[n]); n++) {
    }
    snprintf(count, sizeof count, "%zu", keys);
    args[2] = str_c(count);
    struct got g = command(args, n);
    CHECK_STR(str_c(g.error), STR(""));
    return g;
}

static int64_t field(const char *key, const char *name) {
    const struct str args[] = {STR("HGET"), str_c(key), str_c(name)};
    struct got g = command(args, 3);
    return g.n ? g.v[0] : -1;
}

static int64_t size_of(const char *how, const char *key) {
    const struct str args[] = {str_c(how), str_c(key)};
    return command(args, 2).v[0];
}

static void clean(void) {
    const struct str args[] = {STR("FLUSHALL")};
    command(args, 1);
}

static void nothing_held(void) {
    CHECK_INT(size_of("HLEN", "{1}:held"), 0);
    CHECK_INT(size_of("ZCARD", "{1}:due"), 0);
}

static void test_all_or_nothing(void) {
    clean();
    // amount, limit, expiry, seed, calls at once
    struct got g = eval(QUOTA_SCRIPT_RESERVE, "{1}:a {1}:b", "r1 60000 5 10 0 3 0 7 100 0 0 0");
    CHECK(g.n == 3 && g.v[0] == 0 && g.v[1] == 3 && g.v[2] == 0);
    CHECK(field("{1}:a", "u") == 3 && field("{1}:a", "r") == 5 && field("{1}:b", "r") == 7);
    g = eval(QUOTA_SCRIPT_RESERVE, "{1}:b {1}:a", "r2 60000 7 100 0 0 0 3 10 0 0 0"); // a: 3 + 5 + 3 > 10
    CHECK(g.n == 2 && g.v[0] == 2 && g.v[1] == 8);
    CHECK(field("{1}:b", "r") == 7 && field("{1}:a", "r") == 5);
    g = eval(QUOTA_SCRIPT_RESERVE, "{1}:a", "r3 60000 2 10 0 0 0"); // to the last
    CHECK(g.v[0] == 0 && field("{1}:a", "r") == 7);
    g = eval(QUOTA_SCRIPT_RESERVE, "{1}:a", "r4 60000 9 -1 0 0 0"); // one that only notifies
    CHECK(g.v[0] == 0 && field("{1}:a", "r") == 16);
}

static void test_settled_once(void) {
    clean();
    eval(QUOTA_SCRIPT_RESERVE, "{1}:a {1}:b", "r1 60000 5 10 0 0 0 1 4 0 0 1");
    struct got g = eval(QUOTA_SCRIPT_SETTLE, "{1}:a {1}:b", "r1 1 3 0 0 0 0 0");
    CHECK_INT(g.v[0], 1);
    for (int i = 0; i < 3; i++) {
        CHECK(field("{1}:a", "u") == 3 && field("{1}:a", "r") == 0);
        CHECK(field("{1}:b", "u") == 0 && field("{1}:b", "r") == 0);
        g = eval(QUOTA_SCRIPT_SETTLE, "{1}:a {1}:b", "r1 0 3 0 0 0 0 0");
        CHECK_INT(g.v[0], 0);
    }
    nothing_held();
}

static void test_without_reservation(void) {
    clean();
    CHECK_INT(eval(QUOTA_SCRIPT_SETTLE, "{1}:a", "none 0 3 0 10").v[0], 0);
    CHECK_INT(size_of("EXISTS", "{1}:a"), 0);
    for (int i = 0; i < 3; i++) CHECK_INT(eval(QUOTA_SCRIPT_SETTLE, "{1}:a", "gone 1 3 0 10").v[0], i ? 0 : 3);
    CHECK_INT(field("{1}:a", "u"), 13);
}

// Over two connections the settlement may be there first, of a request that counts or of one that does not.
static void test_reserved_after_it_was_settled(void) {
    clean();
    CHECK_INT(eval(QUOTA_SCRIPT_SETTLE, "{1}:a", "r1 0 0 0 10").v[0], 0);
    CHECK_INT(eval(QUOTA_SCRIPT_SETTLE, "{1}:a", "r2 1 3 0 10").v[0], 3);
    for (int i = 1; i <= 2; i++) {
        struct got g = eval(QUOTA_SCRIPT_RESERVE, "{1}:a", i == 1 ? "r1 60000 5 100 0 10 0" : "r2 60000 5 100 0 10 0");
        CHECK(g.n == 1 && g.v[0] == 0);
        CHECK(field("{1}:a", "u") == 13 && field("{1}:a", "r") <= 0);
        nothing_held();
    }
}

// What nobody renewed becomes used; what it really used is put right when it is told after all, once.
static void test_swept(void) {
    clean();
    eval(QUOTA_SCRIPT_RESERVE, "{1}:a {1}:b", "dead 1 5 10 0 0 0 1 4 0 0 1");
    usleep(5000);
    struct got g = eval(QUOTA_SCRIPT_RESERVE, "{1}:a {1}:b", "r2 60000 5 10 0 0 0 4 4 0 0 1");
    CHECK_INT(g.v[0], 0); // 5 used and 5 more; all four places
    CHECK(field("{1}:a", "u") == 5 && field("{1}:a", "r") == 5);
    CHECK(field("{1}:b", "u") == 0 && field("{1}:b", "r") == 4);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(eval(QUOTA_SCRIPT_SETTLE, "{1}:a {1}:b", "dead 1 2 0 0 0 0 0").v[0], i ? 0 : 2);
        CHECK(field("{1}:a", "u") == 2 && field("{1}:a", "r") == 5 && field("{1}:b", "r") == 4);
    }
}

static void test_renewed(void) {
    clean();
    eval(QUOTA_SCRIPT_RESERVE, "{1}:a", "alive 200 5 100 0 0 0");
    eval(QUOTA_SCRIPT_RENEW, "", "60000 alive unknown");
    usleep(300000);
    eval(QUOTA_SCRIPT_RESERVE, "{1}:a", "r2 60000 1 100 0 0 0");
    CHECK(field("{1}:a", "u") == 0 && field("{1}:a", "r") == 6);
    CHECK_INT(size_of("ZCARD", "{1}:due"), 2);
}

static void test_expiry(void) {
    char argv[100];
    clean();
    const struct str time[] = {STR("TIME")};
    int64_t now_ms = command(time, 1).v[0] * 1000;
    snprintf(argv, sizeof argv, "r1 60000 1 10 %lld 0 0", (long long)now_ms + 100000);
    eval(QUOTA_SCRIPT_RESERVE, "{1}:a", argv);
    int64_t left = size_of("PTTL", "{1}:a");
    CHECK(left > 0 && left <= 101000);
    // Settled after the counter is gone: it does not come back.
    const struct str del[] = {STR("DEL"), STR("{1}:a")};
    command(del, 2);
    eval(QUOTA_SCRIPT_SETTLE, "{1}:a", "r1 1 1 0 0");
    CHECK_INT(size_of("EXISTS", "{1}:a"), 0);
    nothing_held();
}

// --- shares ---

// argv: id ttl limit expiry seed used back want divisor number
static void test_share(void) {
    clean();
    struct got g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n1 60000 100 0 20 0 0 1 8 1");
    CHECK(g.n == 4 && g.v[0] == 10 && g.v[1] == 20 && g.v[2] == 10 && g.v[3] == 10); // an eighth of 80
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n1 60000 100 0 20 0 0 1 8 1");            // the same question again
    CHECK(g.v[0] == 10 && g.v[2] == 10 && g.v[3] == 10);
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n1 60000 100 0 20 4 2 0 8 2"); // used 4, 2 given back, wants none
    CHECK(g.v[0] == 0 && g.v[1] == 24 && g.v[2] == 4 && g.v[3] == 4);
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n1 60000 100 0 20 9 0 0 8 3"); // more than it had
    CHECK(g.v[1] == 33 && g.v[2] == 0 && g.v[3] == 0);
    nothing_held();
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n1 60000 100 0 20 0 0 68 8 4"); // one more than there is
    CHECK(g.v[0] == 0 && g.v[2] == 0);
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n1 60000 100 0 20 0 0 67 8 5"); // all there is
    CHECK(g.v[0] == 67 && g.v[1] == 33 && g.v[2] == 67);
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n2 60000 100 0 20 0 0 1 8 1");
    CHECK_INT(g.v[0], 0);
}

static void test_dead_share(void) {
    clean();
    eval(QUOTA_SCRIPT_LEASE, "{1}:a", "dead 1 80 0 0 0 0 1 8 1"); // 10
    usleep(5000);
    struct got g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "n2 60000 80 0 0 0 0 1 7 1");
    CHECK(g.v[0] == 10 && g.v[1] == 10 && g.v[2] == 10);
    // It was only slow: its share is lost, what it has used counts.
    g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", "dead 60000 80 0 0 3 0 0 8 2");
    CHECK(g.v[0] == 0 && g.v[1] == 13 && g.v[2] == 10 && g.v[3] == 0);
}

// Random servers that use no more than they were granted: never past the limit together.
static void test_shares_never_pass_the_limit(void) {
    uint64_t granted[3] = {0}, used[3] = {0}, number[3] = {0}, seed = 12345;
    char argv[200], id[8];
    clean();
    for (int i = 0; i < 300; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t n = (seed >> 33) % 3;
        uint64_t use = granted[n] ? (seed >> 40) % (granted[n] + 1) : 0, back = (seed >> 20) % 5 ? 0 : granted[n] - use;
        snprintf(id, sizeof id, "n%zu", n);
        snprintf(argv, sizeof argv, "%s 60000 1000 0 0 %llu %llu %llu 4 %llu", id, (unsigned long long)use,
                 (unsigned long long)back, (unsigned long long)((seed >> 50) % 9), (unsigned long long)++number[n]);
        struct got g = eval(QUOTA_SCRIPT_LEASE, "{1}:a", argv);
        REQUIRE(g.n == 4);
        granted[n] += (uint64_t)g.v[0] - use - back;
        used[n] += use;
        CHECK_INT(g.v[3], granted[n]);
        CHECK_INT(g.v[1], used[0] + used[1] + used[2]);
        CHECK_INT(g.v[2], granted[0] + granted[1] + granted[2]);
        CHECK(g.v[1] + g.v[2] <= 1000);
    }
    CHECK(used[0] + used[1] + used[2] > 500);
}

static void start(void) { server_start(&g_server, false, NULL); }
static void end(void) { server_kill(&g_server, SIGKILL); }

TEST_MAIN(start, test_all_or_nothing, test_settled_once, test_without_reservation, test_reserved_after_it_was_settled,
          test_swept, test_renewed, test_expiry, test_share, test_dead_share, test_shares_never_pass_the_limit, end)
