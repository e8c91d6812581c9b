// Says where a value came from.
#include "conf/show_impl.h"

// Names of files and of those who changed something may hold anything: one line of text comes out.
static void clean_put(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_putc(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
}

static enum conf_layer layer_of(const struct conf_node *node) {
    return node->source ? node->source->layer : LAYER_DEFAULT;
}

static bool has_place(const struct conf_node *node) {
    enum conf_layer layer = layer_of(node);
    return node->pos.line && (layer == LAYER_INCLUDE || layer == LAYER_FILE || layer == LAYER_PROFILE);
}

static void place_put(struct buf *out, const struct conf_node *node) {
    struct str name = node->source->name;
    clean_put(out, name);
    if (has_place(node))
        buf_printf(out, name.n ? ":%u:%u" : "line %u:%u", (unsigned)node->pos.line, (unsigned)node->pos.col);
}

void show_node_put(struct buf *out, const struct conf *c, const struct conf_node *node) {
    enum conf_layer layer = layer_of(node);
    if (layer == LAYER_DEFAULT || layer == LAYER_FOUND || !node->source) {
        buf_put(out, layer == LAYER_FOUND ? STR("found") : STR("default"));
    } else if (layer == LAYER_PROFILE) {
        buf_printf(out, "profile %.*s (", STR_ARG(c->profile));
        place_put(out, node);
        buf_putc(out, ')');
    } else {
        place_put(out, node);
    }
}

void show_node_json(struct json_writer *w, const struct conf *c, const struct conf_node *node) {
    enum conf_layer layer = layer_of(node);
    json_put_member_str(w, STR("layer"), str_c(conf_layer_name(layer)));
    if (layer == LAYER_PROFILE) json_put_member_str(w, STR("profile"), c->profile);
    if (!node->source) return;
    json_put_member_str(w, STR("name"), node->source->name);
    if (!has_place(node)) return;
    json_put_member_u64(w, STR("line"), node->pos.line);
    json_put_member_u64(w, STR("column"), node->pos.col);
}

static void plain_origin_put(struct buf *out, const struct conf *c, const struct show_row *row) {
    if (row->origin == FROM_NODE)
        show_node_put(out, c, row->node);
    else
        buf_put(out, row->origin == FROM_RULE ? row->rule : STR("default"));
    if (row->origin == FROM_NODE || !row->node) return;
    buf_lit(out, ", taken away by "); // "null" over what a lower layer set
    show_node_put(out, c, row->node);
}

void show_origin_put(struct buf *out, const struct conf *c, const struct show_row *row) {
    if (row->level.n) buf_printf(out, "%.*s (", STR_ARG(row->level));
    plain_origin_put(out, c, row);
    if (row->level.n) buf_putc(out, ')');
}

void show_origin_json(struct json_writer *w, const struct conf *c, const struct show_row *row) {
    if (row->origin == FROM_NODE) {
        show_node_json(w, c, row->node);
        return;
    }
    json_put_member_str(w, STR("layer"), row->origin == FROM_RULE ? STR("derived") : STR("default"));
    if (row->rule.n) json_put_member_str(w, STR("name"), row->rule);
}
