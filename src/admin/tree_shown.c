// Walks a recorded tree along the option tables, so that it knows what is secret.
#include "admin/tree_shown.h"

#include "conf/opt_text.h"
#include "conf/opt_value.h"
#include "conf/tree.h"

struct showing {
    struct json_writer *w;
    const struct opt_table *root;
};

static void put_node(struct showing *s, const struct opt *opt, const struct conf_node *node);

static void put_options(struct showing *s, const struct opt_table *table, const struct conf_node *node) {
    json_put_object(s->w);
    for (size_t i = 0; i < node->n; i++) {
        json_put_key(s->w, node->keys[i]->text);
        put_node(s, opt_get(table, node->keys[i]->text), node->values[i]);
    }
    json_put_object_end(s->w);
}

// What no table knows is shown to nobody: it may be anything.
static void put_scalar(struct showing *s, const struct opt *opt, const struct conf_node *node) {
    if (conf_node_is_null(node)) {
        json_put_null(s->w);
    } else if (!opt) {
        json_put_str(s->w, STR(OPT_MASK));
    } else if (opt_is_secret(opt)) {
        opt_shown_json(s->w, opt_shown_text(opt, node->text, node));
    } else {
        struct buf text = BUF_INIT(CONF_FILE_MAX);
        conf_tree_json(node, &text);
        json_put_raw(s->w, text.failed ? STR("null") : buf_str(&text));
        if (text.failed) s->w->out->failed = true;
        buf_free(&text);
    }
}

// One of the entries that an option's list or map holds.
static void put_entry(struct showing *s, const struct opt *opt, const struct conf_node *node) {
    const struct opt_table *table = opt->type == OPT_PROFILES ? s->root : opt->sub;
    if (table && node->kind == NODE_MAP)
        put_options(s, table, node);
    else
        put_scalar(s, table || node->kind != NODE_SCALAR ? NULL : opt, node);
}

static void put_entries(struct showing *s, const struct opt *opt, const struct conf_node *node) {
    bool map = node->kind == NODE_MAP;
    if (map)
        json_put_object(s->w);
    else
        json_put_array(s->w);
    for (size_t i = 0; i < node->n; i++) {
        if (map) json_put_key(s->w, node->keys[i]->text);
        put_entry(s, opt, node->values[i]);
    }
    if (map)
        json_put_object_end(s->w);
    else
        json_put_array_end(s->w);
}

static void put_node(struct showing *s, const struct opt *opt, const struct conf_node *node) {
    if (node->kind == NODE_SCALAR || !opt)
        put_scalar(s, node->kind == NODE_SCALAR ? opt : NULL, node);
    else if (opt->type == OPT_STRUCT && node->kind == NODE_MAP)
        put_options(s, opt->sub, node);
    else if (opt_has_items(opt))
        put_entries(s, opt, node);
    else
        put_scalar(s, NULL, node);
}

bool tree_shown_put(struct json_writer *w, const struct opt_table *root, struct str yaml, struct arena *a,
                    struct err *err) {
    const struct conf_source source = {.name = STR("the history"), .text = yaml};
    struct conf_problems problems;
    struct conf_node *node = NULL;
    struct showing s = {.w = w, .root = root};
    conf_problems_init(&problems);
    bool ok = conf_parse(&source, a, &problems, &node) && (!node || node->kind == NODE_MAP);
    conf_problems_free(&problems);
    if (!ok) return err_set(err, ERR_STORE, "the recorded configuration cannot be read");
    if (node)
        put_options(&s, root, node);
    else
        json_put_null(w);
    return true;
}
