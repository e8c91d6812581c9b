// Finds the smallest changes that make one tree of configuration values into another.
#include "conf/tree.h"

#include "base/map.h"

struct comparing {
    const struct opt_table *root;
    conf_tree_change *fn;
    void *ctx;
    struct buf path;
};

static bool compare_table(struct comparing *c, const struct opt_table *table, const struct conf_node *from,
                          const struct conf_node *to);

static bool equal(const struct conf_node *a, const struct conf_node *b) {
    if (conf_node_is_null(a) || conf_node_is_null(b)) return conf_node_is_null(a) && conf_node_is_null(b);
    if (a->kind != b->kind || a->n != b->n) return false;
    if (a->kind == NODE_SCALAR) return str_eq(a->text, b->text);
    for (size_t i = 0; i < a->n; i++) {
        const struct conf_node *other = a->kind == NODE_MAP ? conf_node_get(b, a->keys[i]->text) : b->values[i];
        if (!equal(a->values[i], other)) return false;
    }
    return true;
}

static bool tell(struct comparing *c, const struct conf_node *value) { return c->fn(c->ctx, buf_str(&c->path), value); }

// Items by their names; false when one has none, or two have the same, or memory is out.
static bool names_map(const struct opt *opt, const struct conf_node *list, struct map *out) {
    map_init(out, (uint64_t)(uintptr_t)list);
    for (size_t i = 0; i < list->n; i++) {
        struct str name = conf_item_name(opt, list->values[i]);
        if (!name.n || map_get(out, name) || !map_put(out, name, list->values[i])) return false;
    }
    return true;
}

// Whether taking items away and adding new ones at the end gives `to` in its order.
static bool in_order(const struct opt *opt, const struct conf_node *from, const struct map *froms,
                     const struct conf_node *to, const struct map *tos) {
    size_t at = 0;
    for (size_t i = 0; i < from->n; i++) {
        struct str name = conf_item_name(opt, from->values[i]);
        if (!map_get(tos, name)) continue;
        if (at == to->n || !str_eq(conf_item_name(opt, to->values[at++]), name)) return false;
    }
    for (; at < to->n; at++)
        if (map_get(froms, conf_item_name(opt, to->values[at]))) return false;
    return true;
}

static bool compare_each(struct comparing *c, const struct opt *opt, const struct conf_node *from,
                         const struct map *froms, const struct conf_node *to, const struct map *tos) {
    size_t base = c->path.n;
    bool ok = true;
    for (size_t i = 0; ok && i < from->n; i++) {
        struct str name = conf_item_name(opt, from->values[i]);
        const struct conf_node *other = map_get(tos, name);
        conf_path_put(&c->path, name);
        ok = other ? compare_table(c, opt->sub, from->values[i], other) : tell(c, NULL);
        c->path.n = base;
    }
    for (size_t i = 0; ok && i < to->n; i++) {
        struct str name = conf_item_name(opt, to->values[i]);
        if (map_get(froms, name)) continue;
        conf_path_put(&c->path, name);
        ok = tell(c, to->values[i]);
        c->path.n = base;
    }
    return ok;
}

static bool compare_items(struct comparing *c, const struct opt *opt, const struct conf_node *from,
                          const struct conf_node *to) {
    struct map froms, tos = {0};
    bool by_name = names_map(opt, from, &froms) && names_map(opt, to, &tos) && in_order(opt, from, &froms, to, &tos);
    bool ok = by_name ? compare_each(c, opt, from, &froms, to, &tos) : equal(from, to) || tell(c, to);
    map_free(&froms);
    map_free(&tos);
    return ok;
}

static bool compare_key(struct comparing *c, const struct opt_table *sub, const struct conf_node *a,
                        const struct conf_node *b) {
    bool no_a = conf_node_is_null(a), no_b = conf_node_is_null(b);
    if (no_a && no_b) return true;
    if (no_a || no_b) return tell(c, no_b ? NULL : b);
    if (sub && a->kind == NODE_MAP && b->kind == NODE_MAP) return compare_table(c, sub, a, b);
    return equal(a, b) || tell(c, b);
}

static bool compare_maps(struct comparing *c, const struct opt_table *sub, const struct conf_node *from,
                         const struct conf_node *to) {
    size_t base = c->path.n;
    bool ok = true;
    for (size_t i = 0; ok && i < from->n + to->n; i++) {
        struct str key = i < from->n ? from->keys[i]->text : to->keys[i - from->n]->text;
        const struct conf_node *a = conf_node_get(from, key);
        if (i >= from->n && a) continue; // seen in the first half
        conf_path_put(&c->path, key);
        ok = compare_key(c, sub, a, conf_node_get(to, key));
        c->path.n = base;
    }
    return ok;
}

static bool compare_value(struct comparing *c, const struct opt *opt, const struct conf_node *a,
                          const struct conf_node *b) {
    bool maps = a && b && a->kind == NODE_MAP && b->kind == NODE_MAP;
    bool lists = a && b && a->kind == NODE_LIST && b->kind == NODE_LIST;
    if (opt->type == OPT_LIST && (opt->flags & OPT_NAMED) && lists) return compare_items(c, opt, a, b);
    if (opt->type == OPT_MAP && maps) return compare_maps(c, NULL, a, b);
    if (opt->type == OPT_STRUCT_MAP && maps) return compare_maps(c, opt->sub, a, b);
    // A section says no more than what is in it: one that is gone, or new, is told value by value.
    bool section = opt->type == OPT_STRUCT && (conf_node_is_null(a) || a->kind == NODE_MAP) &&
                   (conf_node_is_null(b) || b->kind == NODE_MAP);
    if (section) return compare_table(c, opt->sub, a, b);
    return compare_key(c, NULL, a, b);
}

static bool compare_table(struct comparing *c, const struct opt_table *table, const struct conf_node *from,
                          const struct conf_node *to) {
    size_t base = c->path.n;
    bool ok = true;
    for (size_t i = 0; ok && i < table->n; i++) {
        struct str name = str_c(table->opts[i].name);
        conf_path_put(&c->path, name);
        ok = compare_value(c, &table->opts[i], conf_node_get(from, name), conf_node_get(to, name));
        c->path.n = base;
    }
    return ok && !c->path.failed;
}

bool conf_tree_compare(const struct opt_table *table, const struct conf_node *from, const struct conf_node *to,
                       conf_tree_change *fn, void *ctx) {
    struct comparing c = {.root = table, .fn = fn, .ctx = ctx, .path = BUF_INIT(8192)};
    bool ok = compare_table(&c, table, from, to);
    buf_free(&c.path);
    return ok;
}
