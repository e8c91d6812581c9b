// From bytes to a frozen snapshot: parse, override, discover, bind, check.
#include "conf/conf_impl.h"

#define ARENA_MAX ((size_t)64 << 20)

struct load {
    const struct conf_env *env;
    struct conf_problems *problems;
    struct arena scratch; // the tree, and sources made up on the way
    struct conf_node *root;
    struct conf_node *roots[3]; // trees read, for wiping: the file, providers found, default listener
    size_t n_roots;
};

static bool fail(struct load *l, const struct conf_source *source, const char *what) {
    conf_problem_add(l->problems, CONF_ERROR, source, (struct conf_pos){0}, "%s", what);
    return false;
}

static bool parse(struct load *l, struct str text, struct str name, struct conf_node **out_node) {
    struct conf_source *source = ARENA_NEW(&l->scratch, struct conf_source);
    if (!source) return fail(l, NULL, "out of memory");
    *source = (struct conf_source){.name = name, .text = text};
    return conf_parse(source, &l->scratch, l->problems, out_node);
}

static bool literal(struct load *l, const struct conf_override *o, struct conf_node **out_node) {
    struct conf_source *source = ARENA_NEW(&l->scratch, struct conf_source);
    struct conf_node *node = ARENA_NEW(&l->scratch, struct conf_node);
    char *z = arena_cstr(&l->scratch, o->value);
    if (!source || !node || !z) return fail(l, NULL, "out of memory");
    *source = (struct conf_source){.name = o->origin};
    // A command line has no types: "4" is a number where one is wanted.
    *node = (struct conf_node){.kind = NODE_SCALAR, .plain = true, .weight = 1, .source = source};
    node->text = str_of(z, o->value.n);
    *out_node = node;
    return true;
}

static bool override_apply(struct load *l, const struct conf_override *o) {
    struct conf_node *value = NULL;
    if (!(o->literal ? literal(l, o, &value) : parse(l, o->value, o->origin, &value))) return false;
    if (!value && !literal(l, &(struct conf_override){.origin = o->origin}, &value)) return false;
    if (conf_node_set(&l->root, o->key, value, &l->scratch)) return true;
    struct conf_source source = {.name = o->origin};
    conf_problem_add(l->problems, CONF_ERROR, &source, (struct conf_pos){0},
                     "\"%.*s\" is no key that can be set: write names and list positions with dots between",
                     STR_ARG(o->key));
    return false;
}

// Adds `key: text` when the tree has nothing there.
static bool supply(struct load *l, struct str key, struct str text, struct str name, bool *out_supplied) {
    *out_supplied = conf_node_is_null(conf_node_get(l->root, key));
    if (!*out_supplied || (l->root && l->root->kind != NODE_MAP)) return true;
    struct conf_node *value = NULL;
    if (!parse(l, text, name, &value)) return false;
    l->roots[l->n_roots++] = value;
    return conf_node_set(&l->root, key, value, &l->scratch) || fail(l, NULL, "out of memory");
}

static bool tree_build(struct load *l, struct str text, struct str name, bool *out_discovered) {
    if (!parse(l, text, name, &l->root)) return false;
    l->roots[l->n_roots++] = l->root;
    bool ok = true, supplied;
    // A file that is no map is refused when it is bound; an override must not stand in for it.
    bool open = conf_node_is_null(l->root) || l->root->kind == NODE_MAP;
    for (size_t i = 0; open && l->env && i < l->env->n_overrides; i++)
        ok = override_apply(l, &l->env->overrides[i]) && ok;
    struct buf found = BUF_INIT(65536);
    conf_discover(l->env, &found);
    struct str copy = arena_str(&l->scratch, buf_str(&found));
    buf_free(&found);
    if (!copy.p) return fail(l, NULL, "out of memory");
    return supply(l, STR("providers"), copy, STR("the environment"), out_discovered) &&
           supply(l, STR("listeners"), STR("[{address: \"127.0.0.1:8080\"}]"), STR("defaults"), &supplied) && ok;
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

static void fill(struct load *l, struct conf *c, struct str name, bool discovered) {
    struct opt_bind b = {.arena = &c->arena, .env = l->env, .problems = l->problems};
    opt_bind_root(&b, &conf_table, l->root, c);
    if (!b.failed) conf_check(&b, c);
    secrets_keep(&b, c);
    if (b.failed && !l->problems->errors) fail(l, NULL, "out of memory");
    opt_bind_free(&b);
    c->discovered = discovered;
    char *z = arena_cstr(&c->arena, name);
    if (z)
        c->file = str_of(z, name.n);
    else
        fail(l, NULL, "out of memory");
}

static struct conf *conf_new(uint64_t seed) {
    struct conf *c = mem_zalloc(1, sizeof *c);
    if (!c) return NULL;
    arena_init(&c->arena, NULL, 16384, ARENA_MAX);
    map_init(&c->provider_map, seed);
    map_init(&c->model_map, seed);
    map_init(&c->alias_map, seed);
    map_init(&c->price_map, seed);
    atomic_init(&c->refs, 1);
    return c;
}

bool conf_load_text(struct str text, struct str name, const struct conf_env *env, struct conf_problems *problems,
                    struct conf **out_conf) {
    struct load l = {.env = env, .problems = problems};
    size_t before = problems->errors;
    bool discovered = false;
    arena_init(&l.scratch, NULL, 16384, ARENA_MAX);
    struct conf *c = conf_new((uint64_t)(uintptr_t)&l ^ (uint64_t)(uintptr_t)text.p);
    if (!c)
        fail(&l, NULL, "out of memory");
    else if (tree_build(&l, text, name, &discovered) || l.root)
        fill(&l, c, name, discovered);
    for (size_t i = 0; i < l.n_roots; i++) conf_node_wipe(l.roots[i]);
    arena_free(&l.scratch);
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
