// The allocator's entry: counting, the cap, failing on command.
#include "base/mem.h"

#include "check.h"

static void counts_what_is_held(void) {
    struct mem_stats before, during, after;
    mem_stats_get(&before);
    char *p = mem_alloc(1000);
    REQUIRE(p);
    mem_stats_get(&during);
    CHECK(during.bytes >= before.bytes + 1000 && during.allocs == before.allocs + 1);
    p = mem_realloc(p, 5000);
    REQUIRE(p);
    mem_stats_get(&during);
    CHECK(during.bytes >= before.bytes + 5000);
    mem_free(p);
    mem_free(NULL);
    mem_stats_get(&after);
    CHECK(after.bytes == before.bytes);
    CHECK(after.allocs - before.allocs == after.frees - before.frees);
}

static void zeroes_and_checks_overflow(void) {
    unsigned char *p = mem_zalloc(100, 3);
    REQUIRE(p);
    unsigned sum = 0;
    for (int i = 0; i < 300; i++) sum |= p[i];
    CHECK_INT(sum, 0);
    mem_free(p);
    struct mem_stats before, after;
    mem_stats_get(&before);
    CHECK(mem_zalloc(SIZE_MAX / 2, 3) == NULL);
    mem_stats_get(&after);
    CHECK_INT(after.failed - before.failed, 1);
}

static void nothing_is_something(void) {
    void *p = mem_alloc(0);
    CHECK(p != NULL);
    p = mem_realloc(p, 0);
    CHECK(p != NULL);
    mem_free(p);
    p = mem_zalloc(0, 8);
    CHECK(p != NULL);
    mem_free(p);
    char *z = mem_strdup(STR_NONE);
    REQUIRE(z);
    CHECK(z[0] == '\0');
    mem_free(z);
    z = mem_strdup(STR("abc"));
    REQUIRE(z);
    CHECK(strcmp(z, "abc") == 0);
    mem_free(z);
}

static void fails_the_nth(void) {
    for (uint64_t nth = 1; nth <= 4; nth++) {
        mem_fail_nth(nth);
        void *p[4];
        for (uint64_t i = 0; i < 4; i++) p[i] = mem_alloc(8);
        for (uint64_t i = 0; i < 4; i++) CHECK((p[i] == NULL) == (i + 1 == nth));
        for (int i = 0; i < 4; i++) mem_free(p[i]);
    }
    mem_fail_nth(1);
    mem_fail_nth(0);
    AUTO_FREE void *p = mem_alloc(8);
    CHECK(p != NULL);
}

static void a_failed_realloc_keeps_the_block(void) {
    AUTO_FREE char *p = mem_alloc(10);
    REQUIRE(p);
    memset(p, 'k', 10);
    mem_fail_nth(1);
    void *q = mem_realloc(p, 1 << 20);
    CHECK(q == NULL && p[9] == 'k');
    mem_fail_nth(1);
    CHECK(mem_zalloc(1, 1) == NULL);
    mem_fail_nth(1);
    CHECK(mem_strdup(STR("x")) == NULL);
}

static void the_cap_refuses_the_rest(void) {
    struct mem_stats now;
    mem_stats_get(&now);
    mem_cap_set(now.bytes + 10000);
    AUTO_FREE void *small = mem_alloc(1000);
    void *large = mem_alloc(20000);
    CHECK(small != NULL && large == NULL);
    mem_cap_set(0);
    large = mem_alloc(20000);
    CHECK(large != NULL);
    mem_free(large);
}

TEST_MAIN(counts_what_is_held, zeroes_and_checks_overflow, nothing_is_something, fails_the_nth,
          a_failed_realloc_keeps_the_block, the_cap_refuses_the_rest)
