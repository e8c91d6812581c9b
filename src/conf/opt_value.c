// Reads bound values by their option and turns them into text for people and programs.
#include "conf/opt_value.h"
#include "conf/opt_impl.h"
#include "conf/opt_text.h"
#include "conf/ref.h"
#include "conf/tree.h"

#define LIST_SHOWN 16 // texts of a list that lost
#define LIST_MAX ((size_t)1 << 17)

static_assert(sizeof(struct secret) == sizeof(struct str) && offsetof(struct secret, n) == offsetof(struct str, n),
              "a secret is read as text");

struct str opt_text_at(const void *field) {
    struct str s;
    memcpy(&s, field, sizeof s);
    return s;
}

struct opt_list opt_list_at(const void *field) {
    struct opt_list l;
    memcpy(&l, field, sizeof l);
    return l;
}

int64_t opt_number_at(const struct opt *opt, const void *field) {
    if (opt->type == OPT_BOOL) return *(const bool *)field;
    if (opt->type == OPT_ENUM) return *(const int *)field;
    return *(const int64_t *)field;
}

static bool is_text(const struct opt *opt) { return opt->type == OPT_STR || opt->type == OPT_SECRET; }

bool opt_is_unset(const struct opt *opt, const void *field) {
    if (is_text(opt)) return !opt_text_at(field).n;
    if (opt_is_number(opt)) return (opt->flags & OPT_MAYBE) && opt_number_at(opt, field) == OPT_UNSET;
    return opt_has_items(opt) && opt->type != OPT_PROFILES && !opt_list_at(field).n;
}

bool opt_is_default(const struct opt *opt, const void *field) {
    struct str def = str_c(opt->def);
    int64_t v = 0;
    if (is_text(opt)) return str_eq(opt_text_at(field), def);
    if (opt_has_items(opt)) return opt_is_unset(opt, field);
    if (opt->type == OPT_BOOL) return opt_number_at(opt, field) == str_eq(def, STR("true"));
    if (opt->type == OPT_ENUM) {
        for (const struct opt_enum *e = opt->values; def.n && e->name; e++)
            if (str_eq(def, str_c(e->name))) v = e->value;
        return opt_number_at(opt, field) == v;
    }
    if (opt->type == OPT_STRUCT) return false;
    if (!opt->def) v = opt->flags & OPT_MAYBE ? OPT_UNSET : 0;
    return (!opt->def || opt_number_parse(opt->type, def, &v)) && opt_number_at(opt, field) == v;
}

bool opt_equal(const struct opt *opt, const void *a, const void *b) {
    if (is_text(opt)) return str_eq(opt_text_at(a), opt_text_at(b));
    if (opt->type != OPT_STRS) return opt_number_at(opt, a) == opt_number_at(opt, b);
    struct opt_list x = opt_list_at(a), y = opt_list_at(b);
    const struct str *p = x.p, *q = y.p;
    for (size_t i = 0; x.n == y.n && i < x.n; i++)
        if (!str_eq(p[i], q[i])) return false;
    return x.n == y.n;
}

// --- one scalar ---

// Nothing but references, and at most the name of an authentication scheme before them: nothing in it is secret.
static bool only_references(struct str text) {
    static const struct str schemes[] = {STR_INIT("Bearer "), STR_INIT("Basic ")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(text, schemes[i])) text = str_from(text, schemes[i].n);
    if (!text.n) return false;
    while (text.n) {
        size_t end = str_find_char(text, '}');
        if (!str_starts(text, STR("${")) || end == text.n) return false;
        text = str_from(text, end + 1);
    }
    return true;
}

static struct opt_shown text_shown(struct str text) { return (struct opt_shown){SHOWN_TEXT, text}; }

struct opt_shown opt_shown_text(const struct opt *opt, struct str value, const struct conf_node *node) {
    bool reference = node && node->kind == NODE_SCALAR && ref_present(node->text);
    if (opt_is_secret(opt)) return text_shown(reference && only_references(node->text) ? node->text : STR(OPT_MASK));
    return text_shown(reference ? node->text : value);
}

static struct opt_shown number_shown(const struct opt *opt, int64_t v, struct arena *a) {
    bool bare = opt->type == OPT_INT || opt->type == OPT_DECIMAL;
    if (v == OPT_UNSET && (opt->flags & OPT_MAYBE)) return (struct opt_shown){SHOWN_NULL, STR_NONE};
    BUF_AUTO struct buf text = BUF_INIT(64);
    opt_number_put(&text, opt->type, v);
    return (struct opt_shown){bare ? SHOWN_NUMBER : SHOWN_PLAIN, arena_str(a, buf_str(&text))};
}

static struct opt_shown word_shown(const struct opt *opt, int64_t v) {
    if (opt->type == OPT_BOOL) return (struct opt_shown){SHOWN_NUMBER, v ? STR("true") : STR("false")};
    for (const struct opt_enum *e = opt->values; e->name; e++)
        if (e->value == v) return text_shown(str_c(e->name));
    return (struct opt_shown){SHOWN_NULL, STR_NONE};
}

struct opt_shown opt_shown(const struct opt *opt, const void *field, const struct conf_node *node, struct arena *a) {
    bool given = !conf_node_is_null(node);
    if (is_text(opt)) {
        struct str text = opt_text_at(field);
        bool none = !text.n && !given && !(opt->def && *opt->def);
        return none ? (struct opt_shown){SHOWN_NULL, STR_NONE} : opt_shown_text(opt, text, node);
    }
    if (given && node->kind == NODE_SCALAR && ref_present(node->text)) return text_shown(node->text);
    if (opt->type == OPT_BOOL || opt->type == OPT_ENUM) return word_shown(opt, opt_number_at(opt, field));
    return number_shown(opt, opt_number_at(opt, field), a);
}

static struct opt_shown texts_shown(const struct opt *opt, const struct conf_node *list, struct arena *a) {
    BUF_AUTO struct buf text = BUF_INIT(LIST_MAX);
    buf_putc(&text, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) buf_lit(&text, ", ");
        opt_shown_yaml(&text, opt_shown_text(opt, list->values[i]->text, list->values[i]));
    }
    buf_putc(&text, ']');
    return (struct opt_shown){SHOWN_YAML, arena_str(a, buf_str(&text))};
}

struct opt_shown opt_shown_node(const struct opt *opt, const struct conf_node *node, struct arena *a) {
    int64_t v;
    if (conf_node_is_null(node)) return (struct opt_shown){SHOWN_NULL, STR_NONE};
    if (node->kind == NODE_LIST && opt->type == OPT_STRS && node->n <= LIST_SHOWN) return texts_shown(opt, node, a);
    if (node->kind == NODE_LIST || node->kind == NODE_MAP) {
        struct str what = arena_printf(a, "%zu %s", node->n, node->n == 1 ? "entry" : "entries");
        return (struct opt_shown){SHOWN_PLAIN, what};
    }
    if (opt_is_number(opt) && opt_number_parse(opt->type, node->text, &v)) return number_shown(opt, v, a);
    if (opt->type == OPT_BOOL && !ref_present(node->text)) return word_shown(opt, str_eq(node->text, STR("true")));
    return opt_shown_text(opt, node->text, node);
}

struct opt_shown opt_shown_default(const struct opt *opt, struct arena *a) {
    int64_t v = opt->flags & OPT_MAYBE ? OPT_UNSET : 0;
    if (opt_is_number(opt) && opt->def && !opt_number_parse(opt->type, str_c(opt->def), &v)) v = 0;
    if (opt_is_number(opt)) return number_shown(opt, v, a);
    if (opt->type == OPT_BOOL) return word_shown(opt, str_eq(str_c(opt->def), STR("true")));
    if (opt->def && *opt->def) return text_shown(str_c(opt->def));
    return opt->type == OPT_ENUM ? word_shown(opt, 0) : (struct opt_shown){SHOWN_NULL, STR_NONE};
}

void opt_shown_yaml(struct buf *out, struct opt_shown shown) {
    if (shown.kind == SHOWN_NULL)
        buf_lit(out, "null");
    else if (shown.kind == SHOWN_YAML)
        buf_put(out, shown.text);
    else
        conf_yaml_text(out, shown.text, shown.kind != SHOWN_TEXT);
}

void opt_shown_json(struct json_writer *w, struct opt_shown shown) {
    if (shown.kind == SHOWN_NULL)
        json_put_null(w);
    else if (shown.kind == SHOWN_NUMBER)
        json_put_raw(w, shown.text);
    else
        json_put_str(w, shown.text);
}

// --- anything, on one line ---

const struct conf_node *opt_item_node(const struct conf_node *list, size_t i) {
    return list && list->kind != NODE_SCALAR && i < list->n ? list->values[i] : NULL;
}

const void *opt_item_at(const struct opt *opt, struct opt_list list, size_t i) {
    size_t size = opt->type == OPT_STRS  ? sizeof(struct str)
                  : opt->type == OPT_MAP ? sizeof(struct opt_pair)
                                         : opt->sub->size;
    return (const char *)list.p + i * size;
}

// Whether an option of an item is worth telling.
static bool told(const struct opt *opt, const void *field, const struct conf_node *item, const struct conf_node *node) {
    if (opt->type == OPT_STRUCT) return !item || node;
    return item ? !conf_node_is_null(node) : !opt_is_default(opt, field);
}

static void options_put(struct buf *out, const struct opt_table *table, const void *item, const struct conf_node *node,
                        struct arena *a, bool name_too) {
    bool first = true;
    buf_putc(out, '{');
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        const struct conf_node *own = conf_node_get(node, str_c(opt->name));
        const void *field = (const char *)item + opt->offset;
        if ((i == 0 && !name_too) || !told(opt, field, node, own)) continue;
        size_t before = out->n;
        buf_printf(out, "%s%s: ", first ? "" : ", ", opt->name);
        size_t value = out->n;
        opt_value_put(out, opt, field, own, a);
        bool nothing = opt->type == OPT_STRUCT && out->n == value + 2;
        if (nothing) out->n = before;
        first = first && nothing;
    }
    buf_putc(out, '}');
}

void opt_item_put(struct buf *out, const struct opt_table *table, const void *item, const struct conf_node *node,
                  bool without_name, struct arena *a) {
    options_put(out, table, item, node, a, !without_name);
}

static void list_put(struct buf *out, const struct opt *opt, struct opt_list list, const struct conf_node *node,
                     struct arena *a) {
    bool map = opt->type == OPT_MAP || opt->type == OPT_STRUCT_MAP;
    buf_putc(out, map ? '{' : '[');
    for (size_t i = 0; i < list.n; i++) {
        const void *item = opt_item_at(opt, list, i);
        const struct conf_node *own = opt_item_node(node, i);
        if (i) buf_lit(out, ", ");
        if (map) conf_yaml_text(out, opt_text_at(item), false);
        if (map) buf_lit(out, ": ");
        if (opt->type == OPT_STRS)
            opt_shown_yaml(out, opt_shown_text(opt, opt_text_at(item), own));
        else if (opt->type == OPT_MAP)
            opt_shown_yaml(out, opt_shown_text(opt, ((const struct opt_pair *)item)->value, own));
        else
            options_put(out, opt->sub, item, own, a, true);
    }
    buf_putc(out, map ? '}' : ']');
}

void opt_value_put(struct buf *out, const struct opt *opt, const void *field, const struct conf_node *node,
                   struct arena *a) {
    if (opt->type == OPT_STRUCT)
        options_put(out, opt->sub, field, node, a, true);
    else if (opt->type == OPT_PROFILES)
        buf_lit(out, "{}");
    else if (opt_has_items(opt))
        list_put(out, opt, opt_list_at(field), node, a);
    else
        opt_shown_yaml(out, opt_shown(opt, field, node, a));
}
