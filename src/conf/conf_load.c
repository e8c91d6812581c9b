// From layers to a frozen snapshot: join, discover, bind, check.
#include "conf/conf_impl.h"
#include "conf/migrate.h"
#include "conf/tree.h"

#include "base/secret.h"

#define ARENA_MAX ((size_t)256 << 20)

bool load_fail(struct load *l, const struct conf_source *source, const char *what) {
    conf_problem_add(l->problems, CONF_ERROR, source, (struct conf_pos){0}, "%s", what);
    return false;
}

bool load_parse(struct load *l, struct str text, struct str name, enum conf_layer layer, struct conf_node **out_node) {
    struct arena *a = &l->conf->tree_arena;
    struct conf_source *source = ARENA_NEW(a, struct conf_source);
    char *z = arena_cstr(a, name);
    if (!source || !z || !vec_push(&l->sources, source)) return load_fail(l, NULL, "out of memory");
    *source = (struct conf_source){.name = str_of(z, name.n), .text = text, .layer = layer};
    if (!conf_parse(source, a, l->problems, out_node)) return false;
    return layer > LAYER_FILE || layer < LAYER_INCLUDE || conf_migrate_tree(out_node, a, l->problems);
}

// Providers, when none are given: what the environment and a look around say.
static bool supply_providers(struct load *l, bool *out_discovered) {
    struct conf_path path = {.steps = {STR("providers")}, .n = 1};
    struct conf_node *value = NULL;
    struct err err;
    *out_discovered = conf_node_is_null(conf_node_get(l->tree, path.steps[0]));
    if (!*out_discovered || (l->tree && l->tree->kind != NODE_MAP)) return true;
    struct buf found = BUF_INIT(65536);
    conf_discover(l->env, &found);
    struct str kept = arena_str(&l->conf->tree_arena, buf_str(&found));
    buf_free(&found);
    if (!kept.p || !load_parse(l, kept, STR("the environment"), LAYER_FOUND, &value)) return false;
    return conf_tree_set(&conf_table, &l->tree, &path, value, &l->conf->tree_arena, &err) ||
           load_fail(l, NULL, err.message);
}

// Where sealed secrets are, and the master key that they need: known before any of them can be read.
static bool keep_first(struct load *l) {
    struct conf_storage *storage = ARENA_NEW(&l->below_arena, struct conf_storage);
    struct conf_vault *vault = ARENA_NEW(&l->below_arena, struct conf_vault);
    static const struct conf_vault no_vault = {0};
    if (!storage || !vault) return load_fail(l, NULL, "out of memory");
    *storage = l->below->storage;
    *vault = l->below->vault;
    l->stores =
        (struct conf_stores){.data = storage->data, .storage = storage, .vault = &no_vault, .master_vault = vault};
    return true;
}

// The sections that say where secrets and live changes are, from what the layers so far say. ${secret:…} may name
// Vault's token, so where the sealed secrets are is found first.
static void bind_stores(struct load *l) {
    struct conf_problems problems; // they come again when the whole is bound
    struct opt_bind b = {.arena = &l->below_arena, .env = l->env, .problems = &problems};
    conf_problems_init(&problems);
    for (int turn = 0; turn < 2; turn++) {
        if (turn && !keep_first(l)) break;
        if (turn) b.stores = &l->stores;
        memset(l->below, 0, sizeof *l->below);
        b.below = true;
        opt_bind_root(&b, &conf_stores_table, l->tree, l->below);
    }
    l->stores.vault = &l->below->vault;
    opt_bind_free(&b);
    conf_problems_free(&problems);
}

static bool join_layers(struct load *l, struct str text, struct str name) {
    bool ok = layer_files(l, text, name);
    if (!ok && !l->tree) return false;
    // A file that is no map is refused when it is bound; nothing may stand in for it.
    if (l->tree && l->tree->kind != NODE_MAP) return ok;
    ok = layer_environment(l) && ok;
    ok = layer_profile(l) && ok;
    ok = layer_overrides(l) && ok;
    l->conf->base = l->tree;
    bind_stores(l);
    return layer_live(l) && ok;
}

static bool tree_build(struct load *l, struct str text, struct str name, bool *out_discovered) {
    bool ok = join_layers(l, text, name);
    if (!ok && !l->tree) return false;
    l->conf->stated = l->tree;
    return supply_providers(l, out_discovered) && ok;
}

static bool keep_list(struct conf *c, const struct str *from, size_t n, struct str **out_p, size_t *out_n) {
    struct str *list = n ? ARENA_ARRAY(&c->arena, struct str, n) : NULL;
    size_t kept = 0;
    if (n && !list) return false;
    for (size_t i = 0; i < n; i++) {
        bool seen = false;
        for (size_t k = 0; k < kept && !seen; k++) seen = str_eq(list[k], from[i]);
        char *z = seen ? NULL : arena_cstr(&c->arena, from[i]);
        if (z) list[kept++] = str_of(z, from[i].n);
        if (!seen && !z) return false;
    }
    *out_p = list;
    *out_n = kept;
    return true;
}

static void secrets_keep(struct opt_bind *b, struct conf *c) {
    size_t n = b->secrets.n;
    struct secret *all = n ? ARENA_ARRAY(&c->arena, struct secret, n) : NULL;
    if (all) {
        memcpy(all, b->secrets.p, n * sizeof *all);
        c->secrets.p = all, c->secrets.n = n;
        return;
    }
    if (!n) return;
    b->failed = true;
    conf_problem_add(b->problems, CONF_ERROR, NULL, (struct conf_pos){0}, "out of memory");
    for (size_t i = 0; i < n; i++) secret_wipe(b->secrets.p[i].p, b->secrets.p[i].n);
}

static void watch_keep(struct load *l, struct opt_bind *b, struct conf *c) {
    bool ok = true;
    for (size_t i = 0; ok && i < b->refs.files.n; i++) ok = vec_push(&l->files, b->refs.files.p[i]);
    ok = ok && keep_list(c, l->files.p, l->files.n, &c->watch.p, &c->watch.n) &&
         keep_list(c, b->refs.vault.p, b->refs.vault.n, &c->vault_refs.p, &c->vault_refs.n);
    if (!ok) load_fail(l, NULL, "out of memory");
}

static void fill(struct load *l, struct conf *c, struct str name, bool discovered) {
    struct opt_bind b = {.arena = &c->arena, .env = l->env, .stores = &l->stores, .problems = l->problems};
    c->root = l->tree;
    opt_bind_root(&b, &conf_table, l->tree, c);
    if (!b.failed) conf_check(&b, c);
    secrets_keep(&b, c);
    watch_keep(l, &b, c);
    if (b.failed && !l->problems->errors) load_fail(l, NULL, "out of memory");
    opt_bind_free(&b);
    c->discovered = discovered;
    char *z = arena_cstr(&c->arena, name);
    if (z)
        c->file = str_of(z, name.n);
    else
        load_fail(l, NULL, "out of memory");
}

static struct conf *conf_new(uint64_t seed) {
    struct conf *c = mem_zalloc(1, sizeof *c);
    if (!c) return NULL;
    arena_init(&c->arena, NULL, 16384, ARENA_MAX);
    arena_init(&c->tree_arena, NULL, 16384, ARENA_MAX);
    map_init(&c->provider_map, seed);
    map_init(&c->model_map, seed);
    map_init(&c->alias_map, seed);
    map_init(&c->price_map, seed);
    map_init(&c->tenant_map, seed);
    atomic_init(&c->refs, 1);
    return c;
}

// What only the load needed: the files' text, from which excerpts were made.
static void load_end(struct load *l) {
    for (size_t i = 0; i < l->sources.n; i++) l->sources.p[i]->text = STR_NONE;
    for (size_t i = 0; i < l->texts.n; i++) {
        secret_wipe(l->texts.p[i].p, l->texts.p[i].p ? l->texts.p[i].cap : 0);
        buf_free(&l->texts.p[i]);
    }
    vec_free(&l->texts);
    vec_free(&l->sources);
    vec_free(&l->files);
}

static void load_run(struct load *l, struct conf *c, struct str text, struct str name) {
    bool discovered = false;
    l->below = mem_zalloc(1, sizeof *l->below);
    if (!l->below) {
        load_fail(l, NULL, "out of memory");
        return;
    }
    arena_init(&l->below_arena, NULL, 4096, ARENA_MAX);
    if (tree_build(l, text, name, &discovered) || l->tree) fill(l, c, name, discovered);
    arena_wipe_free(&l->below_arena);
    mem_free(l->below);
}

bool conf_load_text(struct str text, struct str name, const struct conf_env *env, struct conf_problems *problems,
                    struct conf **out_conf) {
    struct conf *c = conf_new((uint64_t)(uintptr_t)problems ^ (uint64_t)(uintptr_t)text.p);
    struct load l = {.env = env, .problems = problems, .conf = c};
    size_t before = problems->errors;
    if (c)
        load_run(&l, c, text, name);
    else
        load_fail(&l, NULL, "out of memory");
    load_end(&l);
    conf_problems_sort(problems);
    if (problems->errors == before) {
        *out_conf = c;
        return true;
    }
    conf_unref(c);
    return false;
}

bool conf_load(struct str path, const struct conf_env *env, struct conf_problems *problems, struct conf **out_conf) {
    if (!path.n) return conf_load_text(STR_NONE, STR_NONE, env, problems, out_conf);
    struct buf text = BUF_INIT(CONF_FILE_MAX + 1);
    struct err err;
    bool ok = env->read_file(env->ctx, path, CONF_FILE_MAX, &text, &err);
    if (ok) {
        ok = conf_load_text(buf_str(&text), path, env, problems, out_conf);
    } else {
        struct conf_source source = {.name = path};
        conf_problem_add(problems, CONF_ERROR, &source, (struct conf_pos){0}, "%s", err.message);
    }
    secret_wipe(text.p, text.p ? text.cap : 0);
    buf_free(&text);
    return ok;
}
