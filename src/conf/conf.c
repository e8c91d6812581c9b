// The snapshot in use: counting references.
#include "conf/conf.h"

struct conf *conf_ref(struct conf *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void conf_unref(struct conf *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < c->secrets.n; i++) secret_wipe(c->secrets.p[i].p, c->secrets.p[i].n);
    map_free(&c->provider_map);
    map_free(&c->model_map);
    map_free(&c->alias_map);
    map_free(&c->price_map);
    map_free(&c->tenant_map);
    struct conf_level_at at = {0};
    for (struct conf_tenant *t; (t = conf_level_next(c, &at)) != NULL;) {
        map_free(&t->model_map);
        map_free(&t->alias_map);
        map_free(&t->price_map);
        map_free(&t->team_map);
        map_free(&t->project_map);
        map_free(&t->key_map);
    }
    arena_wipe_free(&c->tree_arena);
    arena_free(&c->arena);
    mem_free(c);
}
