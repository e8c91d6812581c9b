// Looks into a configuration tree, puts values into it from outside, and wipes it.
#include "conf/node.h"
#include "base/secret.h"

const struct conf_node *conf_node_get(const struct conf_node *map, struct str key) {
    if (!map || map->kind != NODE_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++) {
        if (str_eq(map->keys[i]->text, key)) return map->values[i];
    }
    return NULL;
}

bool conf_node_is_null(const struct conf_node *node) {
    if (!node) return true;
    return node->kind == NODE_SCALAR && node->plain &&
           (node->text.n == 0 || str_eq(node->text, STR("~")) || str_eq(node->text, STR("null")));
}

struct str conf_node_found(const struct conf_node *node, struct arena *a) {
    if (node->kind == NODE_LIST) return STR("a list");
    if (node->kind == NODE_MAP) return STR("a map");
    if (conf_node_is_null(node)) return STR("nothing");
    size_t n = MIN(node->text.n, (size_t)60);
    while (n < node->text.n && n > 0 && ((unsigned char)node->text.p[n] & 0xc0) == 0x80) n--;
    struct str head = arena_str(a, str_head(node->text, n));
    for (size_t i = 0; head.p && i < head.n; i++) {
        if ((unsigned char)head.p[i] < 0x20) ((char *)(uintptr_t)head.p)[i] = ' ';
    }
    return arena_printf(a, "\"%.*s%s\"", STR_ARG(head), n < node->text.n ? "…" : "");
}

void conf_node_wipe(struct conf_node *node) {
    if (!node) return;
    secret_wipe((char *)(uintptr_t)node->text.p, node->text.n);
    node->text.n = 0;
    for (size_t i = 0; i < node->n; i++) conf_node_wipe(node->values[i]);
}
