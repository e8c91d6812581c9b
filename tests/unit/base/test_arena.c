// Arenas: alignment, growth, the cap, strings, and where the memory comes from.
#include "base/arena.h"

#include "base/mem.h"

#include "check.h"

static void allocations_are_aligned_and_apart(void) {
    struct arena a;
    unsigned char *p[500];
    arena_init(&a, NULL, 1024, 1 << 20);
    for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
        p[i] = arena_alloc(&a, i);
        REQUIRE(p[i]);
        CHECK(((uintptr_t)p[i] & 15) == 0);
        memset(p[i], (int)(i & 0xff), i);
    }
    for (unsigned i = 1; i < ARRAY_LEN(p); i++) CHECK(p[i][0] == (i & 0xff) && p[i][i - 1] == (i & 0xff));
    arena_free(&a);
    CHECK_INT(a.held, 0);
    CHECK(arena_alloc(&a, 10) != NULL);
    arena_free(&a);
}

static void the_cap_holds(void) {
    struct arena a;
    arena_init(&a, NULL, 1024, 4096);
    CHECK(arena_alloc(&a, 5000) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL && arena_alloc(&a, SIZE_MAX - 20) == NULL);
    size_t got = 0;
    while (arena_alloc(&a, 100)) got++;
    CHECK(got >= 30 && got <= 40 && a.held <= 4096);
    arena_free(&a);
    arena_init(&a, NULL, 0, 0);
    CHECK(arena_alloc(&a, 1) == NULL);
    arena_free(&a);
}

static void no_memory_is_null(void) {
    struct arena a;
    arena_init(&a, NULL, 0, 1 << 20);
    mem_fail_nth(1);
    CHECK(arena_alloc(&a, 10) == NULL);
    mem_fail_nth(1);
    CHECK(arena_str(&a, STR("text")).p == NULL);
    mem_fail_nth(1);
    CHECK(arena_cstr(&a, STR("text")) == NULL);
    mem_fail_nth(1);
    CHECK(arena_printf(&a, "%d", 1).n == 0);
    mem_fail_nth(0);
    arena_free(&a);
}

static void copies_text(void) {
    struct arena a;
    arena_init(&a, NULL, 0, 1 << 20);
    char text[] = "abc";
    struct str s = arena_str(&a, str_c(text));
    text[0] = 'X';
    CHECK_STR(s, STR("abc"));
    CHECK_INT(arena_str(&a, STR_NONE).n, 0);
    const char *z = arena_cstr(&a, STR("zed"));
    CHECK(z && strcmp(z, "zed") == 0);
    CHECK_STR(arena_printf(&a, "%s=%d", "k", 5), STR("k=5"));
    int *array = ARENA_ARRAY(&a, int, 50);
    REQUIRE(array);
    for (int i = 0; i < 50; i++) CHECK(array[i] == 0);
    arena_free(&a);
}

static void blocks_go_back_to_the_pool(void) {
    struct pool pool;
    struct arena a;
    pool_init(&pool, 1 << 20);
    arena_init(&a, &pool, 4096, 1 << 20);
    for (int i = 0; i < 100; i++) CHECK(arena_alloc(&a, 200) != NULL);
    CHECK(pool.used_bytes >= 20000 && a.held == pool.used_bytes);
    arena_free(&a);
    CHECK(pool.used_bytes == 0 && pool.idle_bytes >= 20000);
    pool_free(&pool);
}

static void a_large_piece_leaves_the_rest_in_use(void) {
    struct arena a;
    arena_init(&a, NULL, 4096, SIZE_MAX);
    char *first = arena_alloc(&a, 100), *large = arena_alloc(&a, 8000);
    REQUIRE(first && large);
    size_t held = a.held;
    char *next = arena_alloc(&a, 2000);
    CHECK(next > first && next - first < 4096);
    CHECK_INT(a.held, held);
    // Of a new block of which more is left, that is used.
    REQUIRE(arena_alloc(&a, 3000) != NULL);
    CHECK_INT(a.held, held + 4096);
    REQUIRE(arena_alloc(&a, 1000) != NULL);
    CHECK_INT(a.held, held + 4096);
    arena_free(&a);
}

TEST_MAIN(allocations_are_aligned_and_apart, the_cap_holds, no_memory_is_null, copies_text,
          a_large_piece_leaves_the_rest_in_use, blocks_go_back_to_the_pool)
