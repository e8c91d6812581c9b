// Names to addresses: literals at once, names through the resolver, what is no name at all, and giving up.
#include "base/mem.h"
#include "check.h"
#include "os/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct rig {
    struct loop *loop;
    struct dns *dns;
    struct dns_query *query;
    struct timer watchdog;
    int answers, failures;
    struct dns_answer answer;
};

static void on_answer(void *ctx, const struct dns_answer *answer, const char *error) {
    struct rig *rig = ctx;
    if (answer)
        rig->answers++, rig->answer = *answer;
    else
        rig->failures += error && error[0];
    rig->query = NULL;
    loop_stop(rig->loop);
}

static void on_watchdog(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, watchdog);
    CHECK(!rig->query);
    loop_stop(rig->loop);
}

static void open_rig(struct rig *rig) {
    struct err err;
    *rig = (struct rig){0};
    REQUIRE(loop_create(0, &rig->loop, &err) && dns_create(rig->loop, &rig->dns, &err));
    timer_init(&rig->watchdog, rig->loop, on_watchdog);
    timer_set(&rig->watchdog, 60000);
}

static void close_rig(struct rig *rig) {
    timer_stop(&rig->watchdog);
    loop_drain_handles(rig->loop);
    dns_free(rig->dns);
    loop_free(rig->loop);
}

static bool resolve(struct rig *rig, struct str host, struct err *err) {
    return dns_resolve(rig->dns, host, 8080, on_answer, rig, &rig->answer, &rig->query, err);
}

static void test_literals(void) {
    struct rig rig;
    struct err err;
    open_rig(&rig);
    REQUIRE(resolve(&rig, STR("192.0.2.1"), &err) && !rig.query);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&rig.answer.addresses[0];
    CHECK(rig.answer.count == 1 && v4->sin_family == AF_INET && ntohs(v4->sin_port) == 8080);
    CHECK_INT(ntohl(v4->sin_addr.s_addr), 0xc0000201);
    REQUIRE(resolve(&rig, STR("2001:db8::1"), &err) && !rig.query);
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&rig.answer.addresses[0];
    CHECK(rig.answer.count == 1 && v6->sin6_family == AF_INET6 && ntohs(v6->sin6_port) == 8080);
    CHECK_INT(dns_lookups(rig.dns), 0);
    close_rig(&rig);
}

static void test_localhost(void) {
    struct rig rig;
    struct err err;
    open_rig(&rig);
    REQUIRE(resolve(&rig, STR("LocalHost"), &err) && !rig.query);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&rig.answer.addresses[0];
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&rig.answer.addresses[1];
    CHECK(rig.answer.count == 2 && v6->sin6_family == AF_INET6 && ntohs(v6->sin6_port) == 8080);
    CHECK(v4->sin_family == AF_INET && ntohs(v4->sin_port) == 8080);
    CHECK_INT(ntohl(v4->sin_addr.s_addr), 0x7f000001);
    CHECK_INT(dns_lookups(rig.dns), 0);
    close_rig(&rig);
}

// The old short form of an address, which the system's resolver knows without asking anybody.
static void test_lookup(void) {
    struct rig rig;
    struct err err;
    open_rig(&rig);
    REQUIRE(resolve(&rig, STR("127.1"), &err) && rig.query);
    CHECK(rig.answers == 0); // never from inside
    loop_run(rig.loop);
    CHECK(rig.answers == 1 && rig.answer.count >= 1);
    for (size_t i = 0; i < rig.answer.count; i++) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)&rig.answer.addresses[i];
        CHECK(a->sin_family == AF_INET || a->sin_family == AF_INET6);
        CHECK_INT(ntohs(a->sin_port), 8080); // at the same place in both
    }
    // The second time from memory, with a port of its own.
    REQUIRE(dns_resolve(rig.dns, STR("127.1"), 99, on_answer, &rig, &rig.answer, &rig.query, &err));
    CHECK(!rig.query);
    CHECK_INT(ntohs(((const struct sockaddr_in *)&rig.answer.addresses[0])->sin_port), 99);
    CHECK_INT(dns_lookups(rig.dns), 1);
    close_rig(&rig);
}

static void test_unknown_name(void) {
    struct rig rig;
    struct err err;
    open_rig(&rig);
    REQUIRE(resolve(&rig, STR("no-such-host.invalid"), &err) && rig.query);
    loop_run(rig.loop);
    CHECK(rig.answers == 0 && rig.failures == 1);
    close_rig(&rig);
}

static void test_no_names(void) {
    struct rig rig;
    struct err err;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    open_rig(&rig);
    const struct str bad[] = {STR(""), STR("a\0b"), str_of(longest, 256), str_of(longest, sizeof longest)};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!resolve(&rig, bad[i], &err));
        CHECK_INT(err.code, ERR_UPSTREAM_REFUSED);
    }
    mem_fail_nth(1);
    CHECK(!resolve(&rig, STR("192.0.2.1"), &err) && err.code == ERR_NO_MEMORY);
    mem_fail_nth(0);
    close_rig(&rig);
}

static void test_cancel(void) {
    struct rig rig;
    struct err err;
    struct mem_stats before, after;
    mem_stats_get(&before);
    open_rig(&rig);
    for (int i = 0; i < 20; i++) { // more than the pool has threads: some never start
        REQUIRE(resolve(&rig, STR("127.1"), &err) && rig.query);
        dns_cancel(rig.query);
        rig.query = NULL;
    }
    close_rig(&rig);
    CHECK(rig.answers == 0 && rig.failures == 0);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

TEST_MAIN(test_literals, test_localhost, test_lookup, test_unknown_name, test_no_names, test_cancel)
