// Writes a tree of configuration values as YAML or as JSON.
#include "base/json_write.h"
#include "conf/tree.h"

static bool starts_plain(char c) { return !strchr("-?:,[]{}#&*!|>'\"%@` \t", c); }

// Whether the text means the same without quotes, in block style and in flow style.
static bool plain_enough(struct str s) {
    if (!s.n || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':') return false;
    if (!starts_plain(s.p[0]) && !(s.p[0] == '-' && s.n > 1 && s.p[1] > ' ')) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || strchr(",[]{}", (char)c)) return false;
        if ((c == ':' && s.p[i + 1] == ' ') || (c == ' ' && i + 1 < s.n && s.p[i + 1] == '#')) return false;
    }
    return true;
}

static void quoted_put(struct buf *out, struct str s) {
    struct json_writer w;
    json_writer_init(&w, out); // JSON's text is YAML's double-quoted text
    json_put_str(&w, s);
}

// A quoted text that would be something else without its quotes keeps them.
static bool looks_typed(struct str s) {
    static const struct str words[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null"), STR_INIT("yes"),
                                       STR_INIT("no"),   STR_INIT("on"),    STR_INIT("off"),  STR_INIT("~")};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(s, words[i])) return true;
    return s.n && ((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-' || s.p[0] == '.' || s.p[0] == '+' ||
                   s.p[0] == '=' || s.p[0] == '<');
}

static void scalar_put(struct buf *out, const struct conf_node *node) {
    if (conf_node_is_null(node))
        buf_lit(out, "null");
    else if (plain_enough(node->text) && (node->plain || !looks_typed(node->text)))
        buf_put(out, node->text);
    else
        quoted_put(out, node->text);
}

static void indent(struct buf *out, unsigned depth) {
    for (unsigned i = 0; i < depth; i++) buf_lit(out, "  ");
}

static void yaml_put(struct buf *out, const struct conf_node *node, unsigned depth, bool in_line);

static void map_put_yaml(struct buf *out, const struct conf_node *node, unsigned depth, bool in_line) {
    for (size_t i = 0; i < node->n; i++) {
        const struct conf_node *value = node->values[i];
        bool nested = value->kind != NODE_SCALAR && value->n;
        if (i || !in_line) indent(out, depth);
        struct conf_node key = {.kind = NODE_SCALAR, .text = node->keys[i]->text};
        scalar_put(out, &key);
        buf_put(out, nested ? STR(":\n") : STR(": "));
        yaml_put(out, value, depth + (value->kind == NODE_LIST ? 0 : 1), false);
    }
}

static void yaml_put(struct buf *out, const struct conf_node *node, unsigned depth, bool in_line) {
    if (node->kind == NODE_SCALAR) {
        scalar_put(out, node);
        buf_putc(out, '\n');
        return;
    }
    if (!node->n) {
        buf_put(out, node->kind == NODE_MAP ? STR("{}\n") : STR("[]\n"));
        return;
    }
    if (node->kind == NODE_MAP) {
        map_put_yaml(out, node, depth, in_line);
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        if (i || !in_line) indent(out, depth);
        buf_lit(out, "- ");
        yaml_put(out, node->values[i], depth + 1, true);
    }
}

void conf_tree_yaml(const struct conf_node *root, struct buf *out) {
    if (root) yaml_put(out, root, 0, false);
}

static bool is_json_number(struct str s) {
    size_t i = s.n && s.p[0] == '-' ? 1 : 0, digits = 0;
    if (i < s.n && s.p[i] == '0' && i + 1 < s.n && s.p[i + 1] != '.') return false;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
    if (!digits || i == s.n) return digits && i == s.n;
    if (s.p[i++] != '.' || i == s.n) return false;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
    return i == s.n;
}

static void json_node(struct json_writer *w, const struct conf_node *node) {
    if (!node || conf_node_is_null(node)) {
        json_put_null(w);
    } else if (node->kind == NODE_SCALAR) {
        struct str s = node->text;
        bool raw = node->plain && (is_json_number(s) || str_eq(s, STR("true")) || str_eq(s, STR("false")));
        if (raw)
            json_put_raw(w, s);
        else
            json_put_str(w, s);
    } else if (node->kind == NODE_LIST) {
        json_put_array(w);
        for (size_t i = 0; i < node->n; i++) json_node(w, node->values[i]);
        json_put_array_end(w);
    } else {
        json_put_object(w);
        for (size_t i = 0; i < node->n; i++) {
            json_put_key(w, node->keys[i]->text);
            json_node(w, node->values[i]);
        }
        json_put_object_end(w);
    }
}

void conf_tree_json(const struct conf_node *node, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_node(&w, node);
}
