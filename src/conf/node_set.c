// Puts a value into a configuration tree at a dotted key without changing nodes that others may share.
#include "conf/conf_impl.h"

static struct conf_node *node_copy(const struct conf_node *old, enum conf_node_kind kind, const struct conf_node *value,
                                   struct arena *a) {
    struct conf_node *node = ARENA_NEW(a, struct conf_node);
    size_t n = old && old->kind == kind ? old->n : 0;
    if (!node) return NULL;
    *node = (struct conf_node){.kind = kind, .weight = 1, .pos = value->pos, .source = value->source, .n = n};
    if (n) node->pos = old->pos, node->source = old->source;
    node->values = ARENA_ARRAY(a, struct conf_node *, n + 1);
    node->keys = ARENA_ARRAY(a, struct conf_node *, n + 1);
    if (!node->values || !node->keys) return NULL;
    if (n) memcpy(node->values, old->values, n * sizeof *node->values);
    if (n && kind == NODE_MAP) memcpy(node->keys, old->keys, n * sizeof *node->keys);
    return node;
}

static struct conf_node *key_new(struct str name, const struct conf_node *value, struct arena *a) {
    struct conf_node *key = ARENA_NEW(a, struct conf_node);
    char *z = arena_cstr(a, name);
    if (!key || !z) return NULL;
    *key = (struct conf_node){.kind = NODE_SCALAR, .weight = 1, .pos = value->pos, .source = value->source};
    key->text = str_of(z, name.n);
    return key;
}

static size_t slot_find(const struct conf_node *map, struct str name) {
    for (size_t i = 0; i < map->n; i++) {
        if (str_eq(map->keys[i]->text, name)) return i;
    }
    return map->n;
}

bool conf_node_set(struct conf_node **root, struct str key, struct conf_node *value, struct arena *a) {
    struct str part;
    if (!str_split(&key, '.', &part) || !part.n) return false;
    uint64_t index;
    bool is_index = str_to_u64(part, &index);
    struct conf_node *node = node_copy(*root, is_index ? NODE_LIST : NODE_MAP, value, a);
    if (!node || (is_index && index > node->n)) return false;
    size_t slot = is_index ? (size_t)index : slot_find(node, part);
    if (slot == node->n) {
        if (!is_index && !(node->keys[slot] = key_new(part, value, a))) return false;
        node->values[slot] = NULL;
        node->n++;
    }
    if (!key.p)
        node->values[slot] = value;
    else if (!conf_node_set(&node->values[slot], key, value, a))
        return false;
    *root = node;
    return true;
}
