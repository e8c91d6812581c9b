// The block pool: size classes, reuse, accounting, trimming.
#include "base/pool.h"

#include "base/mem.h"

#include "check.h"

static void blocks_are_reused(void) {
    struct pool pool;
    size_t cap, again_cap;
    pool_init(&pool, 1 << 20);
    void *p = pool_get(&pool, 600, &cap);
    REQUIRE(p);
    CHECK_INT(cap, 1024);
    CHECK_INT(pool.used_bytes, 1024);
    memset(p, 'x', cap);
    pool_put(&pool, p, cap);
    CHECK_INT(pool.idle_bytes, 1024);
    void *again = pool_get(&pool, 1000, &again_cap);
    CHECK(again == p && again_cap == 1024 && pool.idle_bytes == 0);
    pool_put(&pool, again, again_cap);
    pool_put(&pool, NULL, 5);
    pool_free(&pool);
    CHECK(pool.idle_bytes == 0 && pool.used_bytes == 0);
}

static void classes_have_their_edges(void) {
    static const size_t sizes[][2] = {{0, 512},     {1, 512},         {512, 512},       {513, 1024},       {4096, 4096},
                                      {4097, 8192}, {262144, 262144}, {262145, 262145}, {1000000, 1000000}};
    struct pool pool;
    pool_init(&pool, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t cap = 0;
        void *p = pool_get(&pool, sizes[i][0], &cap);
        REQUIRE(p);
        CHECK_INT(cap, sizes[i][1]);
        memset(p, 1, cap);
        pool_put(&pool, p, cap);
    }
    CHECK_INT(pool.used_bytes, 0);
    pool_free(&pool);
}

static void idle_memory_is_bounded(void) {
    struct mem_stats before, after;
    struct pool pool;
    void *p[100];
    size_t cap[100];
    mem_stats_get(&before);
    pool_init(&pool, 10 * 1024);
    for (int i = 0; i < 100; i++) p[i] = mem_must(pool_get(&pool, 1024, &cap[i]));
    for (int i = 0; i < 100; i++) pool_put(&pool, p[i], cap[i]);
    CHECK_INT(pool.idle_bytes, 10 * 1024);
    pool_trim(&pool, 3 * 1024);
    CHECK_INT(pool.idle_bytes, 3 * 1024);
    pool_free(&pool);
    mem_stats_get(&after);
    CHECK(after.bytes == before.bytes);
}

static void failure_changes_nothing(void) {
    struct pool pool;
    size_t cap = 7;
    pool_init(&pool, 1 << 20);
    mem_fail_nth(1);
    CHECK(pool_get(&pool, 600, &cap) == NULL);
    CHECK(cap == 7 && pool.used_bytes == 0);
    mem_fail_nth(0);
    pool_free(&pool);
}

TEST_MAIN(blocks_are_reused, classes_have_their_edges, idle_memory_is_bounded, failure_changes_nothing)
