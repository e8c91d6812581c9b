// Moves what has another place by now when a file of an older format is loaded.
#include "conf/migrate.h"
#include "conf/conf.h"

static const struct migrate_rule rows[] = {
#define MOVE(version, from, to) {version, STR_INIT(from), STR_INIT(to), STR_INIT("")},
#define DROP(version, from, why) {version, STR_INIT(from), STR_INIT(""), STR_INIT(why)},
#include "conf/migrate.def"
#undef MOVE
#undef DROP
};
const struct migrate_rules conf_migrate_rules = {CONF_VERSION, rows, ARRAY_LEN(rows)};

struct migration {
    struct arena *arena;
    struct conf_problems *problems;
    const struct migrate_rule *rule;
};

static bool fail_memory(struct conf_problems *problems) {
    conf_problem_add(problems, CONF_ERROR, NULL, (struct conf_pos){0}, "out of memory");
    return false;
}

static size_t slot_find(const struct conf_node *map, struct str name) {
    size_t i = 0;
    while (i < map->n && !str_eq(map->keys[i]->text, name)) i++;
    return i;
}

// The node may be shared, so what changes is a copy; with room for one more pair.
static struct conf_node *map_copy(struct migration *m, const struct conf_node *old, const struct conf_node *at) {
    struct conf_node *node = ARENA_NEW(m->arena, struct conf_node);
    bool is_map = old && old->kind == NODE_MAP;
    size_t n = is_map ? old->n : 0;
    if (!node) return NULL;
    *node =
        is_map
            ? *old
            : (struct conf_node){.kind = NODE_MAP, .weight = 1, .pos = at->pos, .end = at->end, .source = at->source};
    node->keys = ARENA_ARRAY(m->arena, struct conf_node *, n + 1);
    node->values = ARENA_ARRAY(m->arena, struct conf_node *, n + 1);
    if (!node->keys || !node->values) return NULL;
    if (n) memcpy(node->keys, old->keys, n * sizeof *node->keys);
    if (n) memcpy(node->values, old->values, n * sizeof *node->values);
    return node;
}

// The old key's place stays with it, so that what is wrong with its value is shown where it was written.
static struct conf_node *key_named(struct migration *m, const struct conf_node *key, struct str name) {
    struct conf_node *node = ARENA_NEW(m->arena, struct conf_node);
    char *z = arena_cstr(m->arena, name);
    if (!node || !z) return NULL;
    *node = *key;
    node->text = str_of(z, name.n);
    return node;
}

// *map without the pair at the path; maps that are empty then go too (*map becomes NULL). The pair exists.
static bool pair_take(struct migration *m, struct conf_node **map, struct str path) {
    struct str name;
    (void)!str_split(&path, '.', &name);
    size_t i = slot_find(*map, name);
    struct conf_node *copy = map_copy(m, *map, *map);
    if (!copy) return false;
    struct conf_node *below = NULL;
    if (path.p) {
        below = copy->values[i];
        if (!pair_take(m, &below, path)) return false;
        copy->values[i] = below;
    }
    if (!below) {
        copy->n--;
        for (size_t k = i; k < copy->n; k++) copy->keys[k] = copy->keys[k + 1], copy->values[k] = copy->values[k + 1];
    }
    *map = copy->n ? copy : NULL;
    return true;
}

static bool pair_put(struct migration *m, struct conf_node **map, struct str path, const struct conf_node *key,
                     struct conf_node *value) {
    struct str name;
    (void)!str_split(&path, '.', &name);
    struct conf_node *copy = map_copy(m, *map, key);
    if (!copy) return false;
    size_t i = slot_find(copy, name);
    if (i == copy->n) {
        if (!(copy->keys[i] = key_named(m, key, name))) return false;
        copy->values[i] = NULL;
        copy->n++;
    }
    if (!path.p)
        copy->values[i] = value;
    else if (!pair_put(m, &copy->values[i], path, key, value))
        return false;
    *map = copy;
    return true;
}

// False when there is none. *out_key is NULL then, or the first thing on the way that is neither a map nor nothing.
static bool pair_find(const struct conf_node *map, struct str path, struct conf_node **out_key,
                      struct conf_node **out_value) {
    struct str name;
    *out_key = NULL;
    while (str_split(&path, '.', &name)) {
        if (!map || map->kind != NODE_MAP) {
            if (conf_node_is_null(map)) *out_key = NULL;
            return false;
        }
        size_t i = slot_find(map, name);
        if (i == map->n) {
            *out_key = NULL;
            return false;
        }
        *out_key = map->keys[i];
        *out_value = map->values[i];
        map = map->values[i];
    }
    return true;
}

static bool rule_apply(struct migration *m, struct conf_node **root) {
    struct str from = m->rule->from, to = m->rule->to;
    struct conf_node *key, *value, *other_key, *other;
    if (!pair_find(*root, from, &key, &value)) return true;
    if (!to.n) {
        conf_problem_add(m->problems, CONF_WARNING, key->source, key->pos, "%.*s is gone and ignored: %.*s",
                         STR_ARG(from), STR_ARG(m->rule->why));
        return pair_take(m, root, from) || fail_memory(m->problems);
    }
    bool both = pair_find(*root, to, &other_key, &other);
    if (both || other_key) {
        const char *why = both ? "both are given; take the old one out" : "what should hold it is no map";
        conf_problem_add(m->problems, CONF_ERROR, key->source, key->pos, "%.*s is now %.*s, and %s (line %u)",
                         STR_ARG(from), STR_ARG(to), why, other_key->pos.line);
        return false;
    }
    conf_problem_add(m->problems, CONF_WARNING, key->source, key->pos,
                     "%.*s is now %.*s; \"penstock config migrate\" rewrites the file", STR_ARG(from), STR_ARG(to));
    return (pair_take(m, root, from) && pair_put(m, root, to, key, value)) || fail_memory(m->problems);
}

bool conf_migrate_version(const struct migrate_rules *rules, const struct conf_node *root,
                          struct conf_problems *problems, int64_t *out_version) {
    const struct conf_node *node = conf_node_get(root, STR("version"));
    uint64_t version = 1;
    if (!conf_node_is_null(node) &&
        (node->kind != NODE_SCALAR || !node->plain || !str_to_u64(node->text, &version) || version == 0)) {
        struct str found = conf_node_found(node, &problems->arena);
        conf_problem_add(problems, CONF_ERROR, node->source, node->pos,
                         "version: expected a positive whole number without quotes, at most %lld, found %.*s",
                         (long long)rules->current, STR_ARG(found));
        return false;
    }
    if (version > (uint64_t)rules->current) {
        conf_problem_add(problems, CONF_ERROR, node->source, node->pos,
                         "the file was written for a newer Penstock (version %llu; this one knows %lld): update "
                         "Penstock, or use the file from before it was migrated, kept as FILE.bak-v%lld",
                         (unsigned long long)version, (long long)rules->current, (long long)rules->current);
        return false;
    }
    *out_version = (int64_t)version;
    return true;
}

bool conf_migrate_tree_by(const struct migrate_rules *rules, struct conf_node **root, struct arena *a,
                          struct conf_problems *problems) {
    int64_t version;
    struct conf_node *tree = *root;
    if (!conf_migrate_version(rules, tree, problems, &version)) return false;
    bool ok = true;
    for (size_t i = 0; i < rules->n; i++) {
        struct migration m = {a, problems, &rules->p[i]};
        if (version <= rules->p[i].version) ok = rule_apply(&m, &tree) && ok;
    }
    if (ok) *root = tree;
    return ok;
}

bool conf_migrate_tree(struct conf_node **root, struct arena *a, struct conf_problems *problems) {
    return conf_migrate_tree_by(&conf_migrate_rules, root, a, problems);
}
