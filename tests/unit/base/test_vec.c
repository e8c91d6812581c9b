// The growable array.
#include "base/vec.h"

#include "check.h"

static void pushes(void) {
    struct pair {
        int a, b;
    };
    VEC(struct pair) v = {0};
    for (int i = 0; i < 1000; i++) REQUIRE(vec_push(&v, (struct pair){i, -i}));
    CHECK(v.n == 1000 && v.cap >= 1000);
    for (int i = 0; i < 1000; i++) CHECK(v.p[i].a == i && v.p[i].b == -i);
    vec_free(&v);
    CHECK(v.p == NULL && v.n == 0 && v.cap == 0);
    REQUIRE(vec_push(&v, (struct pair){1, 2}));
    vec_free(&v);
}

static void no_memory_changes_nothing(void) {
    VEC(int) v = {0};
    mem_fail_nth(1);
    CHECK(!vec_push(&v, 1) && v.n == 0 && v.p == NULL);
    mem_fail_nth(0);
    for (int i = 0; i < 8; i++) REQUIRE(vec_push(&v, i));
    mem_fail_nth(1);
    CHECK(!vec_push(&v, 8) && v.n == 8 && v.p[7] == 7);
    mem_fail_nth(0);
    CHECK(vec_push(&v, 8) && v.n == 9 && v.p[8] == 8);
    vec_free(&v);
}

static void an_impossible_size_is_refused(void) {
    void *p = NULL;
    size_t cap = SIZE_MAX / 4;
    CHECK(!vec_grow(&p, cap, &cap, 64) && p == NULL && cap == SIZE_MAX / 4);
}

TEST_MAIN(pushes, no_memory_changes_nothing, an_impossible_size_is_refused)
