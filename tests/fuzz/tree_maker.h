// Makes configuration trees out of bytes, shaped by the option tables; compares and applies changes of them.
#ifndef TESTS_TREE_MAKER_H
#define TESTS_TREE_MAKER_H

#include "base/utf8.h"
#include "conf/conf.h"
#include "conf/tree.h"

struct maker {
    const uint8_t *p;
    size_t n;
    struct arena *a;
    unsigned budget; // nodes
};

static inline unsigned maker_byte(struct maker *m) {
    if (!m->n) return 0;
    m->n--;
    return *m->p++;
}

// Text that YAML has its difficulties with.
static const char *const maker_parts[] = {"a",
                                          "b",
                                          "openai",
                                          " ",
                                          ": ",
                                          ":",
                                          "- ",
                                          "-",
                                          "#",
                                          " #",
                                          "0",
                                          "12",
                                          "1.5",
                                          "~",
                                          "null",
                                          "true",
                                          "no",
                                          "\"",
                                          "'",
                                          "\\",
                                          "\n",
                                          "\r\n",
                                          "\t",
                                          "{",
                                          "}",
                                          "[",
                                          "]",
                                          ",",
                                          "&x",
                                          "*x",
                                          "!t",
                                          "|",
                                          ">",
                                          "%",
                                          "@",
                                          "`",
                                          "?",
                                          "? ",
                                          "<<",
                                          "=",
                                          ".",
                                          "---",
                                          "...",
                                          "${",
                                          "${env:X}",
                                          "$${",
                                          "\x7f",
                                          "\x01",
                                          "\xc3\xa9",
                                          "\xc2\x85",
                                          "\xc2\xa0",
                                          "\xe2\x80\xa8",
                                          "\xe2\x80\xa9",
                                          "\xef\xbb\xbf",
                                          "\xf0\x9f\x98\x80",
                                          "\xef\xbf\xbf"};

static inline struct str maker_text(struct maker *m) {
    struct buf out = BUF_INIT(4096);
    for (unsigned left = maker_byte(m) % 5; left; left--)
        buf_put(&out, str_c(maker_parts[maker_byte(m) % ARRAY_LEN(maker_parts)]));
    if (maker_byte(m) == 77) // longer than libyaml's longest simple key
        for (int i = 0; i < 400; i++) buf_lit(&out, "long");
    char *z = arena_cstr(m->a, buf_str(&out));
    struct str kept = str_of(z, z ? out.n : 0);
    buf_free(&out);
    return kept;
}

static inline struct conf_node *maker_node(struct maker *m, enum conf_node_kind kind, struct str text, size_t n) {
    struct conf_node *node = ARENA_NEW(m->a, struct conf_node);
    if (!node) abort();
    *node = (struct conf_node){.kind = kind, .weight = 1, .text = text};
    node->values = ARENA_ARRAY(m->a, struct conf_node *, n + 1);
    node->keys = kind == NODE_MAP ? ARENA_ARRAY(m->a, struct conf_node *, n + 1) : NULL;
    return node;
}

static inline struct conf_node *maker_scalar(struct maker *m) {
    struct conf_node *node = maker_node(m, NODE_SCALAR, maker_text(m), 0);
    // Only what YAML could have given without quotes.
    bool simple = true;
    for (size_t i = 0; i < node->text.n; i++) {
        char c = node->text.p[i];
        simple = simple && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'));
    }
    node->plain = (simple || str_eq(node->text, STR("~")) || str_eq(node->text, STR("1.5"))) && maker_byte(m) % 2;
    return node;
}

static inline bool maker_has(const struct conf_node *map, struct str key) {
    for (size_t i = 0; i < map->n; i++)
        if (str_eq(map->keys[i]->text, key)) return true;
    return false;
}

static inline void maker_add(struct maker *m, struct conf_node *map, struct str key, struct conf_node *value) {
    if (maker_has(map, key)) return;
    map->keys[map->n] = maker_node(m, NODE_SCALAR, key, 0);
    map->values[map->n++] = value;
}

static inline struct conf_node *maker_table(struct maker *m, const struct opt_table *table, unsigned depth);

static inline struct conf_node *maker_value(struct maker *m, const struct opt *opt, unsigned depth) {
    unsigned roll = maker_byte(m), n = maker_byte(m) % 4;
    if (m->budget) m->budget--;
    if (roll % 16 == 0 || !m->budget || depth > 6) return maker_scalar(m); // of the wrong kind, most likely
    if (!opt || opt->type < OPT_STRUCT) return maker_scalar(m);
    if (opt->type == OPT_STRUCT) return maker_table(m, opt->sub, depth + 1);
    bool list = opt->type == OPT_LIST || opt->type == OPT_STRS;
    struct conf_node *node = maker_node(m, list ? NODE_LIST : NODE_MAP, STR(""), n);
    const struct opt_table *sub = opt->type == OPT_PROFILES ? &conf_table : opt->sub;
    for (unsigned i = 0; i < n; i++) {
        struct conf_node *item = sub ? maker_table(m, sub, depth + 1) : maker_scalar(m);
        if (list)
            node->values[node->n++] = item;
        else
            maker_add(m, node, maker_text(m), item);
    }
    return node;
}

static inline struct conf_node *maker_table(struct maker *m, const struct opt_table *table, unsigned depth) {
    unsigned n = maker_byte(m) % 5;
    struct conf_node *map = maker_node(m, NODE_MAP, STR(""), n + 1);
    static const struct str names[] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("7"), STR_INIT("x.y"), STR_INIT("\"q\"")};
    unsigned named = maker_byte(m);
    if (depth && named % 4) { // items mostly have names, and often the same in two trees
        struct conf_node *name = maker_node(m, NODE_SCALAR, names[named % ARRAY_LEN(names)], 0);
        maker_add(m, map, str_c(table->opts[0].name), name);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct opt *opt = &table->opts[maker_byte(m) % table->n];
        if (maker_has(map, str_c(opt->name))) continue;
        maker_add(m, map, str_c(opt->name), maker_value(m, opt, depth));
    }
    return map;
}

static inline bool maker_nothing(const struct conf_node *node) {
    if (conf_node_is_null(node)) return true;
    bool nothing = node->kind == NODE_MAP;
    for (size_t i = 0; nothing && i < node->n; i++) nothing = maker_nothing(node->values[i]);
    return nothing;
}

// The same meaning: null and an empty section are as good as absent, and the order of keys does not count.
static inline bool maker_same(const struct conf_node *a, const struct conf_node *b) {
    bool no_a = maker_nothing(a), no_b = maker_nothing(b);
    if (no_a || no_b) return no_a && no_b;
    if (a->kind != b->kind) return false;
    if (a->kind == NODE_SCALAR) return str_eq(a->text, b->text);
    if (a->kind == NODE_LIST) {
        bool same = a->n == b->n;
        for (size_t i = 0; same && i < a->n; i++) same = maker_same(a->values[i], b->values[i]);
        return same;
    }
    for (size_t i = 0; i < a->n; i++)
        if (!maker_same(a->values[i], conf_node_get(b, a->keys[i]->text))) return false;
    for (size_t i = 0; i < b->n; i++)
        if (!maker_same(b->values[i], conf_node_get(a, b->keys[i]->text))) return false;
    return true;
}

struct applying {
    struct conf_node *root;
    struct arena *a;
    size_t changes;
};

static inline bool maker_apply(void *ctx, struct str key, const struct conf_node *value) {
    struct applying *ap = ctx;
    struct conf_path path;
    struct err err;
    struct str kept = arena_str(ap->a, key);
    ap->changes++;
    if (!conf_path_parse(kept, ap->a, &path, &err) ||
        !conf_tree_set(&conf_table, &ap->root, &path, (struct conf_node *)(uintptr_t)value, ap->a, &err)) {
        fprintf(stderr, "%.*s: %s\n", STR_ARG(key), err.message);
        abort();
    }
    // What was put there is there.
    const struct conf_node *now = conf_tree_get(&conf_table, ap->root, &path);
    if (!maker_same(now, value)) abort();
    return true;
}

#endif
