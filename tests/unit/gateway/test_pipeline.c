// The table of endpoints: what conditions may call them.
#include "base/arena.h"
#include "check.h"
#include "conf/condition.h"
#include "gateway/pipeline.h"

static const struct {
    enum http_method method;
    struct str path, suffix, name;
} k_rows[] = {
#define STAGE(name)
#define STAGES(...)
#define ENDPOINT(method, path, suffix, name, ...) {HTTP_##method, STR_INIT(path), STR_INIT(suffix), STR_INIT(name)},
#include "gateway/endpoint.def"
#undef STAGE
#undef STAGES
#undef ENDPOINT
};

static bool chooses_target(const struct endpoint *e) {
    for (size_t i = 0; e->stages[i]; i++)
        if (e->stages[i] == stage_route) return true;
    return false;
}

static bool compiles(struct str name, struct arena *arena) {
    const struct condition *c;
    struct err err;
    return condition_compile(arena_printf(arena, "endpoint == '%.*s'", STR_ARG(name)), arena, &c, &err);
}

// Those at which targets are chosen, and no others.
static void conditions_know_the_endpoints(void) {
    size_t chosen = 0;
    struct arena arena;
    arena_init(&arena, NULL, 0, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(k_rows); i++) {
        bool below = k_rows[i].path.n > 1 && str_ends(k_rows[i].path, STR("/")), other;
        struct str path =
            arena_printf(&arena, "%.*s%s%.*s", STR_ARG(k_rows[i].path), below ? "x" : "", STR_ARG(k_rows[i].suffix));
        const struct endpoint *e = endpoint_find(k_rows[i].method, path, &other);
        REQUIRE(e);
        CHECK_STR(e->name, k_rows[i].name);
        bool wanted = chooses_target(e);
        chosen += wanted;
        if (compiles(e->name, &arena) != wanted) fprintf(stderr, "%.*s\n", STR_ARG(e->name));
        CHECK(compiles(e->name, &arena) == wanted);
    }
    CHECK(chosen > 20);
    arena_free(&arena);
}

TEST_MAIN(conditions_know_the_endpoints)
