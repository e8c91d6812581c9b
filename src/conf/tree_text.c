// Writes a tree of configuration values as YAML or as JSON.
#include "base/utf8.h"
#include "conf/tree.h"

#define KEY_MAX 200 // bytes; libyaml finds the colon of a longer key only after "? "

// Whether a character stands for itself in YAML: no control character, no line break of any kind, no byte order mark.
static bool is_printable(uint32_t c) {
    if (c < 0x7f) return c >= 0x20;
    return c >= 0xa0 && c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

static bool starts_plain(char c) { return !strchr("-?:,[]{}#&*!|>'\"%@` \t", c); }

// Whether the text means the same without quotes, in block style and in flow style.
static bool plain_enough(struct str s) {
    if (!s.n || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':') return false;
    if (!starts_plain(s.p[0]) && !(s.p[0] == '-' && s.n > 1 && s.p[1] > ' ')) return false;
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c;
        n = utf8_decode(str_from(s, i), &c);
        if (!n || !is_printable(c) || (c < 0x80 && strchr(",[]{}", (char)c))) return false;
        if ((c == ':' && s.p[i + 1] == ' ') || (c == ' ' && i + 1 < s.n && s.p[i + 1] == '#')) return false;
    }
    return true;
}

// In double quotes, with escapes that YAML and JSON have in common. Bytes that are no UTF-8 become U+FFFD.
static void quoted_put(struct buf *out, struct str s) {
    buf_putc(out, '"');
    for (size_t n; s.n; s = str_from(s, n)) {
        uint32_t c;
        n = utf8_decode(s, &c);
        if (!n)
            buf_put(out, STR("\xef\xbf\xbd")), n = 1;
        else if (c == '"' || c == '\\')
            buf_putc(out, '\\'), buf_putc(out, (char)c);
        else if (c == '\n')
            buf_lit(out, "\\n");
        else if (!is_printable(c))
            buf_printf(out, "\\u%04x", (unsigned)c);
        else
            buf_put(out, str_head(s, n));
    }
    buf_putc(out, '"');
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

void conf_yaml_text(struct buf *out, struct str text, bool plain) {
    if (plain_enough(text) && (plain || !looks_typed(text)))
        buf_put(out, text);
    else
        quoted_put(out, text);
}

static void scalar_put(struct buf *out, const struct conf_node *node) {
    if (conf_node_is_null(node))
        buf_lit(out, "null");
    else
        conf_yaml_text(out, node->text, node->plain);
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
        bool long_key = node->keys[i]->text.n > KEY_MAX;
        if (long_key) buf_lit(out, "? ");
        conf_yaml_text(out, node->keys[i]->text, false);
        if (long_key) {
            buf_putc(out, '\n');
            indent(out, depth);
        }
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

void conf_tree_json(const struct conf_node *node, struct buf *out) {
    if (!node || conf_node_is_null(node)) {
        buf_lit(out, "null");
        return;
    }
    if (node->kind == NODE_SCALAR) {
        struct str s = node->text;
        bool raw = node->plain && (is_json_number(s) || str_eq(s, STR("true")) || str_eq(s, STR("false")));
        if (raw)
            buf_put(out, s);
        else
            quoted_put(out, s);
        return;
    }
    bool map = node->kind == NODE_MAP;
    buf_putc(out, map ? '{' : '[');
    for (size_t i = 0; i < node->n; i++) {
        if (i) buf_putc(out, ',');
        if (map) {
            quoted_put(out, node->keys[i]->text);
            buf_putc(out, ':');
        }
        conf_tree_json(node->values[i], out);
    }
    buf_putc(out, map ? '}' : ']');
}

static bool take_escape(struct str s, uint32_t *out_unit) {
    uint32_t unit = 0;
    if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u') return false;
    for (size_t i = 2; i < 6; i++) {
        const char *digits = "0123456789abcdef", *at = s.p[i] ? strchr(digits, s.p[i] | 0x20) : NULL;
        if (!at) return false;
        unit = unit << 4 | (uint32_t)(at - digits);
    }
    *out_unit = unit;
    return true;
}

// A surrogate, or a pair of them, at the start of s: its length, or 0.
static size_t surrogate_put(struct buf *out, struct str s) {
    uint32_t high, low;
    char utf8[UTF8_MAX_BYTES];
    if (!take_escape(s, &high) || high < 0xd800 || high > 0xdfff) return 0;
    bool pair = high < 0xdc00 && take_escape(str_from(s, 6), &low) && low >= 0xdc00 && low <= 0xdfff;
    size_t n = utf8_encode(utf8, pair ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : 0xfffd);
    buf_put(out, str_of(utf8, n));
    return pair ? 12 : 6;
}

void conf_json_as_yaml(struct str json, struct buf *out) {
    for (size_t n; json.n; json = str_from(json, n)) {
        uint32_t c;
        n = surrogate_put(out, json);
        if (n) continue;
        bool escape = json.p[0] == '\\' && json.n > 1;
        n = escape ? 1 : utf8_decode(json, &c);
        if (escape && (unsigned char)json.p[1] < 0x80) n = 2; // so that the next one is not taken for another's start
        if (!n || escape || c < 0x20 || is_printable(c))
            buf_put(out, str_head(json, n ? n : (n = 1)));
        else
            buf_printf(out, "\\u%04x", (unsigned)c);
    }
}
