// The hash map against a plain array, over random operations.
#include "base/map.h"

#include "base/mem.h"

#include "check.h"

#define KEYS 300

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Iterates and compares with the model.
static void check_all(const struct map *m, int *const model[KEYS]) {
    size_t it = 0, seen = 0, want = 0;
    for (int i = 0; i < KEYS; i++) want += model[i] != NULL;
    for (const struct map_entry *e; (e = map_next(m, &it)) != NULL; seen++) {
        uint64_t key = KEYS;
        CHECK(str_to_u64(str_from(e->key, 1), &key) && key < KEYS && e->value == (void *)model[key % KEYS]);
    }
    CHECK(seen == want && m->n == want);
}

static void random_operations(uint64_t seed, uint64_t range) {
    static char names[KEYS][16];
    static int values[16];
    int *model[KEYS] = {0};
    struct map m;
    map_init(&m, seed);
    for (int i = 0; i < KEYS; i++) snprintf(names[i], sizeof names[i], "k%d", i);
    for (int round = 0; round < 20000; round++) {
        size_t k = random_next(&seed) % range;
        struct str key = str_c(names[k]);
        int *value = &values[random_next(&seed) % ARRAY_LEN(values)];
        switch (random_next(&seed) % 4) {
        case 0:
        case 1:
            CHECK(map_put(&m, key, value));
            model[k] = value;
            break;
        case 2:
            CHECK(map_del(&m, key) == model[k]);
            model[k] = NULL;
            break;
        default:
            CHECK(map_get(&m, key) == model[k]);
        }
        if (round % 1000 == 0) check_all(&m, model);
    }
    check_all(&m, model);
    for (size_t k = 0; k < range; k++) CHECK(map_del(&m, str_c(names[k])) == model[k]);
    CHECK_INT(m.n, 0);
    map_free(&m);
}

static void agrees_with_a_plain_array(void) {
    random_operations(1, KEYS);
    random_operations(2, 10);
    random_operations(3, 1);
    random_operations(4, 100);
}

static void an_empty_map(void) {
    struct map m;
    size_t it = 0;
    map_init(&m, 1);
    CHECK(map_get(&m, STR("a")) == NULL && map_del(&m, STR("a")) == NULL && map_next(&m, &it) == NULL);
    map_free(&m);
    int v;
    CHECK(map_put(&m, STR(""), &v) && map_get(&m, STR_NONE) == &v);
    CHECK(map_get(&m, STR("\0")) == NULL);
    map_free(&m);
}

static void no_memory_leaves_the_map_as_it_was(void) {
    static char names[64][24];
    struct map m;
    int v;
    map_init(&m, 5);
    mem_fail_nth(1);
    CHECK(!map_put(&m, STR("a"), &v) && m.n == 0);
    mem_fail_nth(0);
    size_t put = 0;
    bool refused = false;
    for (; put < 64 && !refused; put++) {
        snprintf(names[put], sizeof names[put], "%zu", put);
        mem_fail_nth(put < 12 ? 0 : 1); // the first table is full then
        refused = !map_put(&m, str_c(names[put]), &v);
    }
    mem_fail_nth(0);
    CHECK(refused && m.n == put - 1);
    for (size_t i = 0; i + 1 < put; i++) CHECK(map_get(&m, str_c(names[i])) == &v);
    CHECK(map_put(&m, str_c(names[put - 1]), &v) && m.n == put);
    map_free(&m);
}

TEST_MAIN(agrees_with_a_plain_array, an_empty_map, no_memory_leaves_the_map_as_it_was)
