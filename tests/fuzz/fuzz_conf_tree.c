// Fuzzes trees: the changes between any two lead from one to the other; their text is read back as the same tree.
#include "tree_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(struct conf_node *tree, struct arena *a, bool json) {
    struct buf text = BUF_INIT((size_t)1 << 22);
    struct conf_problems problems;
    struct conf_node *again;
    if (json)
        conf_tree_json(tree, &text);
    else
        conf_tree_yaml(tree, &text);
    struct conf_source source = {.name = STR("t"), .text = buf_str(&text)};
    conf_problems_init(&problems);
    INVARIANT(!text.failed && conf_parse(&source, a, &problems, &again) && maker_same(tree, again));
    conf_problems_free(&problems);
    buf_free(&text);
}

static bool has_long_key(const struct conf_node *node) {
    for (size_t i = 0; i < node->n; i++)
        if ((node->kind == NODE_MAP && node->keys[i]->text.n > 200) || has_long_key(node->values[i])) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    struct maker m = {.p = data, .n = size, .a = &arena, .budget = 300};
    struct conf_node *a = maker_table(&m, &conf_table, 0), *b = maker_table(&m, &conf_table, 0), *both;
    struct applying ap = {.root = a, .a = &arena};
    INVARIANT(conf_tree_compare(&conf_table, a, b, maker_apply, &ap) && maker_same(ap.root, b));
    struct applying none = {.root = b, .a = &arena};
    INVARIANT(conf_tree_compare(&conf_table, ap.root, b, maker_apply, &none) && none.changes == 0);
    INVARIANT(conf_tree_join(&conf_table, a, b, &arena, &both));
    read_back(both, &arena, false);
    if (!has_long_key(both)) read_back(both, &arena, true);
    arena_free(&arena);
    return 0;
}
