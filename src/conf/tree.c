// Joins trees of configuration values layer by layer, and sets single values in them.
#include "conf/tree.h"

#include "base/map.h"

struct str conf_item_name(const struct opt *opt, const struct conf_node *item) {
    const struct conf_node *name = conf_node_get(item, str_c(opt->sub->opts[0].name));
    return name && name->kind == NODE_SCALAR ? name->text : STR_NONE;
}

// A copy with room for `more` further entries.
static struct conf_node *copy(const struct conf_node *old, size_t more, struct arena *a) {
    struct conf_node *node = ARENA_NEW(a, struct conf_node);
    size_t cap = old->n + more;
    if (!node) return NULL;
    *node = *old;
    if (old->kind == NODE_SCALAR) return node;
    node->values = ARENA_ARRAY(a, struct conf_node *, cap + 1);
    node->keys = old->kind == NODE_MAP ? ARENA_ARRAY(a, struct conf_node *, cap + 1) : NULL;
    if (!node->values || (old->kind == NODE_MAP && !node->keys)) return NULL;
    if (old->n) memcpy(node->values, old->values, old->n * sizeof *node->values);
    if (old->n && node->keys) memcpy(node->keys, old->keys, old->n * sizeof *node->keys);
    return node;
}

static void drop(struct conf_node *node, size_t i) {
    size_t after = node->n - i - 1;
    memmove(node->values + i, node->values + i + 1, after * sizeof *node->values);
    if (node->kind == NODE_MAP) memmove(node->keys + i, node->keys + i + 1, after * sizeof *node->keys);
    node->n--;
}

// --- joining ---

static bool join_value(const struct opt_table *root, const struct opt *opt, struct conf_node *low,
                       struct conf_node *high, struct arena *a, struct conf_node **out);

enum members { BY_TABLE, BY_KEY }; // what the keys of a map are: options, or names with values alike

// What a key's value is described by.
static const struct opt *member(const struct opt_table *table, enum members members, const struct opt *each,
                                struct str key) {
    return members == BY_KEY ? each : opt_get(table, key);
}

static void close_gaps(struct conf_node *map) {
    size_t kept = 0;
    for (size_t i = 0; i < map->n; i++) {
        if (!map->values[i]) continue;
        map->keys[kept] = map->keys[i];
        map->values[kept++] = map->values[i];
    }
    map->n = kept;
}

static bool join_maps(const struct opt_table *root, const struct opt_table *table, enum members members,
                      const struct opt *each, struct conf_node *low, struct conf_node *high, struct arena *a,
                      struct conf_node **out) {
    struct conf_node *node = copy(low, high->n, a);
    struct map slots;
    if (!node) return false;
    node->weight = low->weight + high->weight;
    map_init(&slots, (uint64_t)(uintptr_t)node);
    bool ok = true, gaps = false;
    for (size_t i = 0; ok && i < low->n; i++) ok = map_put(&slots, low->keys[i]->text, (void *)(i + 1));
    for (size_t i = 0; ok && i < high->n; i++) {
        size_t slot = (size_t)map_get(&slots, high->keys[i]->text);
        bool taken_away = members == BY_KEY && slot && conf_node_is_null(high->values[i]);
        if (taken_away) {
            node->values[slot - 1] = NULL;
            gaps = true;
            continue;
        }
        if (!slot) {
            slot = ++node->n;
            node->values[slot - 1] = NULL;
        }
        node->keys[slot - 1] = high->keys[i];
        ok = join_value(root, member(table, members, each, high->keys[i]->text), node->values[slot - 1],
                        high->values[i], a, &node->values[slot - 1]);
    }
    map_free(&slots);
    if (gaps) close_gaps(node);
    *out = node;
    return ok;
}

static bool join_items(const struct opt_table *root, const struct opt *opt, struct conf_node *low,
                       struct conf_node *high, struct arena *a, struct conf_node **out) {
    struct conf_node *node = copy(low, high->n, a);
    struct map slots;
    if (!node) return false;
    node->weight = low->weight + high->weight;
    map_init(&slots, (uint64_t)(uintptr_t)node);
    bool ok = true;
    for (size_t i = 0; ok && i < low->n; i++) {
        struct str name = conf_item_name(opt, low->values[i]);
        if (name.n) ok = map_put(&slots, name, (void *)(i + 1));
    }
    for (size_t i = 0; ok && i < high->n; i++) {
        struct str name = conf_item_name(opt, high->values[i]);
        // Once only: a name that one layer gives twice stays a mistake.
        size_t slot = name.n ? (size_t)map_del(&slots, name) : 0;
        if (!slot)
            node->values[node->n++] = high->values[i];
        else
            ok = join_maps(root, opt->sub, BY_TABLE, NULL, node->values[slot - 1], high->values[i], a,
                           &node->values[slot - 1]);
    }
    map_free(&slots);
    *out = node;
    return ok;
}

static bool both(const struct conf_node *low, const struct conf_node *high, enum conf_node_kind kind) {
    return low && low->kind == kind && high->kind == kind;
}

static bool join_value(const struct opt_table *root, const struct opt *opt, struct conf_node *low,
                       struct conf_node *high, struct arena *a, struct conf_node **out) {
    static const struct opt text = {.type = OPT_STR};
    if (opt && opt->type == OPT_STRUCT && both(low, high, NODE_MAP))
        return join_maps(root, opt->sub, BY_TABLE, NULL, low, high, a, out);
    if (opt && opt->type == OPT_LIST && (opt->flags & OPT_NAMED) && both(low, high, NODE_LIST))
        return join_items(root, opt, low, high, a, out);
    if (opt && opt->type == OPT_MAP && both(low, high, NODE_MAP))
        return join_maps(root, NULL, BY_KEY, &text, low, high, a, out);
    if (opt && (opt->type == OPT_STRUCT_MAP || opt->type == OPT_PROFILES) && both(low, high, NODE_MAP)) {
        struct opt each = {.type = OPT_STRUCT, .sub = opt->type == OPT_PROFILES ? root : opt->sub};
        return join_maps(root, NULL, BY_KEY, &each, low, high, a, out);
    }
    if (!low || low == high) {
        *out = high;
        return true;
    }
    struct conf_node *node = copy(high, 0, a);
    if (!node) return false;
    node->under = low;
    *out = node;
    return true;
}

bool conf_tree_join(const struct opt_table *table, struct conf_node *low, struct conf_node *high, struct arena *a,
                    struct conf_node **out_root) {
    if (!low || !high || low->kind != NODE_MAP || high->kind != NODE_MAP) {
        *out_root = high ? high : low;
        return true;
    }
    return join_maps(table, table, BY_TABLE, NULL, low, high, a, out_root);
}

// --- one value ---

struct setting {
    const struct opt_table *root;
    const struct conf_path *path;
    struct conf_node *value; // NULL = taken away
    struct arena *a;
    struct err *err;
};

static bool set_option(struct setting *s, const struct opt_table *table, struct conf_node **io, size_t at);

static bool no_memory(struct setting *s) { return err_no_memory(s->err); }

static struct conf_node *new_node(struct setting *s, enum conf_node_kind kind, struct str text) {
    struct conf_node *node = ARENA_NEW(s->a, struct conf_node);
    char *z = arena_cstr(s->a, text);
    if (!node || !z) return NULL;
    *node = (struct conf_node){.kind = kind, .weight = 1, .text = str_of(z, text.n)};
    if (s->value) node->source = s->value->source, node->pos = s->value->pos;
    return node;
}

// The map or list to change, made when there is none.
static struct conf_node *open_node(struct setting *s, const struct conf_node *old, enum conf_node_kind kind) {
    if (old && old->kind == kind) return copy(old, 1, s->a);
    struct conf_node *fresh = new_node(s, kind, STR(""));
    if (!fresh) return NULL;
    fresh->under = old;
    return copy(fresh, 1, s->a);
}

static bool put_leaf(struct setting *s, struct conf_node **io) {
    struct conf_node *node = copy(s->value, 0, s->a);
    if (!node) return no_memory(s);
    node->under = *io;
    *io = node;
    return true;
}

typedef bool descend_fn(struct setting *s, const void *what, struct conf_node **io, size_t at);

static bool descend_table(struct setting *s, const void *table, struct conf_node **io, size_t at) {
    return set_option(s, table, io, at);
}

static bool too_deep(struct setting *s, const void *what, struct conf_node **io, size_t at) {
    (void)what;
    (void)io;
    return err_set(s->err, ERR_INVALID_FIELD, "\"%.*s\" has no parts, so no \"%.*s\"", STR_ARG(s->path->steps[at - 1]),
                   STR_ARG(s->path->steps[at]));
}

static bool set_key(struct setting *s, struct conf_node **io, size_t at, descend_fn *descend, const void *what) {
    struct str name = s->path->steps[at];
    struct conf_node *node = open_node(s, *io, NODE_MAP);
    if (!node) return no_memory(s);
    size_t slot = 0;
    while (slot < node->n && !str_eq(node->keys[slot]->text, name)) slot++;
    bool last = at + 1 == s->path->n;
    if (slot == node->n) {
        if (last && !s->value) return true; // nothing there to take away
        if (!(node->keys[slot] = new_node(s, NODE_SCALAR, name))) return no_memory(s);
        node->values[slot] = NULL;
        node->n++;
    }
    if (last && !s->value)
        drop(node, slot);
    else if (!(last ? put_leaf(s, &node->values[slot]) : descend(s, what, &node->values[slot], at + 1)))
        return false;
    *io = node;
    return true;
}

// An item put in by its name may leave the name out.
static bool name_item(struct setting *s, const struct opt *opt, struct conf_node **io, struct str name) {
    if ((*io)->kind != NODE_MAP || conf_item_name(opt, *io).n) return true;
    struct conf_node *item = copy(*io, 1, s->a);
    if (!item) return no_memory(s);
    memmove(item->keys + 1, item->keys, item->n * sizeof *item->keys);
    memmove(item->values + 1, item->values, item->n * sizeof *item->values);
    item->keys[0] = new_node(s, NODE_SCALAR, str_c(opt->sub->opts[0].name));
    item->values[0] = new_node(s, NODE_SCALAR, name);
    item->n++;
    if (!item->keys[0] || !item->values[0]) return no_memory(s);
    *io = item;
    return true;
}

static bool find_item(struct setting *s, const struct opt *opt, const struct conf_node *list, size_t at,
                      size_t *out_slot, bool *out_named) {
    struct str step = s->path->steps[at];
    uint64_t index;
    *out_named = false;
    if (!s->path->quoted[at] && str_to_u64(step, &index)) {
        *out_slot = index <= list->n ? (size_t)index : list->n;
        return index <= list->n || err_set(s->err, ERR_INVALID_FIELD, "position %.*s is past the end: there are %zu",
                                           STR_ARG(step), list->n);
    }
    if (!(opt->flags & OPT_NAMED))
        return err_set(s->err, ERR_INVALID_FIELD,
                       "\"%s\" is a list: its items are known by their position, as in %s[0]", opt->name, opt->name);
    *out_named = true;
    for (*out_slot = 0; *out_slot < list->n; ++*out_slot)
        if (str_eq(conf_item_name(opt, list->values[*out_slot]), step)) break;
    return true;
}

static bool set_item(struct setting *s, const struct opt *opt, struct conf_node **io, size_t at) {
    struct conf_node *node = open_node(s, *io, NODE_LIST);
    bool last = at + 1 == s->path->n, named;
    size_t slot = 0;
    if (!node) return no_memory(s);
    if (!find_item(s, opt, node, at, &slot, &named)) return false;
    if (last && !s->value) {
        if (slot < node->n) drop(node, slot);
        *io = node;
        return true;
    }
    if (slot == node->n) {
        node->values[slot] = NULL;
        node->n++;
    }
    bool ok = last ? put_leaf(s, &node->values[slot])
                   : (opt->sub ? set_option(s, opt->sub, &node->values[slot], at + 1)
                               : too_deep(s, NULL, &node->values[slot], at + 1));
    if (ok && named) ok = name_item(s, opt, &node->values[slot], s->path->steps[at]);
    if (ok) *io = node;
    return ok;
}

static bool set_below(struct setting *s, const void *what, struct conf_node **io, size_t at) {
    const struct opt *opt = what;
    switch (opt->type) {
    case OPT_STRUCT:
        return set_option(s, opt->sub, io, at);
    case OPT_LIST:
    case OPT_STRS:
        return set_item(s, opt, io, at);
    case OPT_MAP:
        return set_key(s, io, at, too_deep, NULL);
    case OPT_STRUCT_MAP:
        return set_key(s, io, at, descend_table, opt->sub);
    case OPT_PROFILES:
        return set_key(s, io, at, descend_table, s->root);
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
        break;
    }
    return too_deep(s, NULL, io, at);
}

static bool set_option(struct setting *s, const struct opt_table *table, struct conf_node **io, size_t at) {
    const struct opt *opt = opt_get(table, s->path->steps[at]);
    struct conf_place place;
    if (!opt) // for the message: it knows what is near
        return conf_path_find(s->root, s->path, &place, s->err) ||
               err_set(s->err, ERR_NOT_FOUND, "there is no option \"%.*s\"", STR_ARG(s->path->steps[at]));
    return set_key(s, io, at, set_below, opt);
}

bool conf_tree_set(const struct opt_table *table, struct conf_node **root, const struct conf_path *path,
                   struct conf_node *value, struct arena *a, struct err *err) {
    struct conf_place place;
    struct setting s = {.root = table, .path = path, .value = value, .a = a, .err = err};
    if (conf_node_is_null(value)) s.value = NULL;
    if (!conf_path_find(table, path, &place, err)) return false;
    // Nothing there to take away: no maps are made on the way to it.
    if (!s.value && !conf_tree_get(table, *root, path)) return true;
    return set_option(&s, table, root, 0);
}

// --- looking ---

static const struct conf_node *get_item(const struct opt *opt, const struct conf_node *node, struct str step,
                                        bool quoted) {
    uint64_t index;
    if (!node || node->kind != NODE_LIST) return conf_node_get(node, step);
    if (!quoted && str_to_u64(step, &index)) return index < node->n ? node->values[index] : NULL;
    for (size_t i = 0; opt->sub && i < node->n; i++)
        if (str_eq(conf_item_name(opt, node->values[i]), step)) return node->values[i];
    return NULL;
}

const struct conf_node *conf_tree_get(const struct opt_table *table, const struct conf_node *root,
                                      const struct conf_path *path) {
    const struct opt *opt = NULL;
    const struct opt_table *in = table;
    const struct conf_node *node = root;
    for (size_t i = 0; node && i < path->n; i++) {
        if (opt && opt->type != OPT_STRUCT) {
            node = get_item(opt, node, path->steps[i], path->quoted[i]);
            in = opt->type == OPT_PROFILES ? table : opt->sub;
            opt = NULL;
            continue;
        }
        if (opt) in = opt->sub;
        opt = opt_get(in, path->steps[i]);
        node = conf_node_get(node, path->steps[i]);
    }
    return node;
}
