// Configurations and their tables of targets for tests of routing.
#ifndef TESTS_UNIT_ROUTE_ROUTES_H
#define TESTS_UNIT_ROUTE_ROUTES_H

#include "check.h"
#include "route/route.h"

static inline const char *routes_no_var(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}
static inline bool routes_no_file(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)out;
    return err_set(err, ERR_NOT_FOUND, "no such file");
}

struct routes {
    struct conf *conf;
    struct model_catalog *models;
    struct board *board;
    struct route_table *table;
    struct arena arena;
};

static inline struct conf *routes_load(struct str text) {
    struct conf_problems problems;
    struct conf_env env = {.get = routes_no_var, .read_file = routes_no_file};
    struct conf *c = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(text, STR("penstock.yaml"), &env, &problems, &c)) {
        struct buf b = BUF_INIT(1 << 16);
        conf_problems_print(&problems, &b);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    conf_problems_free(&problems);
    REQUIRE(c != NULL);
    return c;
}

static inline void routes_open(struct routes *r, struct str text) {
    struct err err;
    r->conf = routes_load(text);
    REQUIRE(model_catalog_builtin(&r->models, &err));
    REQUIRE(r->board = board_create());
    REQUIRE(route_table_create(r->conf, r->models, r->board, 1, &r->table, &err));
    route_table_tune(r->table);
    arena_init(&r->arena, NULL, 0, 64 << 20);
}

static inline void routes_close(struct routes *r) {
    arena_free(&r->arena);
    route_table_free(r->table);
    board_free(r->board);
    model_catalog_unref(r->models);
    conf_unref(r->conf);
}

static inline struct route_ask routes_ask(struct routes *r, const struct conf_tenant *tenant, uint64_t draw) {
    return (struct route_ask){.table = r->table, .tenant = tenant, .arena = &r->arena, .now_ns = 1000, .draw = draw};
}

#endif
