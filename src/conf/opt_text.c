// Says in words what an option's row says.
#include "conf/opt_text.h"
#include "base/json_write.h"
#include "conf/opt_impl.h"

bool opt_is_number(const struct opt *opt) {
    return opt->type == OPT_INT || opt->type == OPT_SIZE || opt->type == OPT_DURATION || opt->type == OPT_DECIMAL;
}

bool opt_is_secret(const struct opt *opt) { return opt->type == OPT_SECRET || (opt->flags & OPT_PRIVATE); }

void opt_type_put(struct buf *out, const struct opt *opt) {
    static const char *const names[] = {
        [OPT_BOOL] = "true or false",
        [OPT_INT] = "number",
        [OPT_SIZE] = "size",
        [OPT_DURATION] = "duration",
        [OPT_DECIMAL] = "amount",
        [OPT_STR] = "text",
        [OPT_SECRET] = "secret",
        [OPT_ENUM] = NULL,
        [OPT_STRUCT] = "map of options",
        [OPT_LIST] = "list",
        [OPT_STRS] = "list of texts",
        [OPT_MAP] = "map of texts",
        [OPT_STRUCT_MAP] = "map, by name",
        [OPT_PROFILES] = "map, by name",
    };
    if (opt->type != OPT_ENUM) {
        buf_put(out, str_c(names[opt->type]));
        return;
    }
    for (const struct opt_enum *e = opt->values; e->name; e++)
        buf_printf(out, "%s`%s`", e == opt->values ? "" : ", ", e->name);
}

static void count_put(struct buf *out, int64_t min, int64_t max, const char *what) {
    if (min > 0 && max > 0)
        buf_printf(out, "%lld to %lld %s", (long long)min, (long long)max, what);
    else if (max > 0)
        buf_printf(out, "at most %lld %s", (long long)max, what);
    else if (min > 0)
        buf_printf(out, "at least %lld", (long long)min);
}

void opt_limits_put(struct buf *out, const struct opt *opt) {
    bool entries =
        opt->type == OPT_LIST || opt->type == OPT_STRS || opt->type == OPT_MAP || opt->type == OPT_STRUCT_MAP;
    bool text = opt->type == OPT_STR || opt->type == OPT_SECRET;
    if (opt_is_number(opt) && (opt->min || opt->max)) opt_range_put(out, opt);
    if (entries) count_put(out, opt->min, opt->max, "entries");
    if (text && opt->max > 0) count_put(out, 0, opt->max, "bytes");
    if (text && opt->max <= 0 && opt->min > 0) buf_lit(out, "not empty");
}

const char *opt_apply_name(const struct opt *opt) {
    if (!(opt->flags & OPT_RELOAD)) return "restart";
    return opt->flags & OPT_DRAIN ? "drain" : "live";
}

const char *opt_apply_text(const struct opt *opt) {
    if (!(opt->flags & OPT_RELOAD)) return "A change needs a restart.";
    return opt->flags & OPT_DRAIN
               ? "A change applies at once; connections and streams that are open keep the old value until they end."
               : "A change applies at once.";
}

const char *opt_since(const struct opt *opt) { return opt->since ? opt->since : "0.1.0"; }

void opt_note_put(struct buf *out, const struct opt *opt) {
    struct buf limits = BUF_INIT(1024);
    opt_limits_put(&limits, opt);
    if (opt->flags & OPT_REQUIRED) buf_lit(out, "**Required.** ");
    if (opt->def && *opt->def) buf_printf(out, "Default: `%s`. ", opt->def);
    if (limits.n) buf_printf(out, "%s: %.*s. ", opt_is_number(opt) ? "Range" : "Limits", STR_ARG(buf_str(&limits)));
    if (opt->type != OPT_STRUCT) buf_printf(out, "%s ", opt_apply_text(opt));
    if (opt->since) buf_printf(out, "Since %s. ", opt->since);
    if (opt->deprecated) buf_printf(out, "**Deprecated:** use %s. ", opt->deprecated);
    if (out->n && out->p[out->n - 1] == ' ') out->n--;
    buf_free(&limits);
}

bool opt_has_items(const struct opt *opt) {
    return opt->type == OPT_LIST || opt->type == OPT_STRS || opt->type == OPT_MAP || opt->type == OPT_STRUCT_MAP ||
           opt->type == OPT_PROFILES;
}

const char *opt_item_text(const struct opt *opt) {
    return opt->type == OPT_LIST || opt->type == OPT_STRS ? "[]" : ".NAME";
}

const char *opt_item_variable(const struct opt *opt) {
    if (opt->type == OPT_STRS) return "0";
    // Listeners go by their address, which makes no good variable.
    bool named = (opt->flags & OPT_NAMED) && !strcmp(opt->sub->opts[0].name, "name");
    return opt->type == OPT_LIST && !named ? "0" : "NAME";
}

bool opt_is_about_files(const struct opt *opt) {
    return opt->type == OPT_PROFILES || !strcmp(opt->name, "include") || !strcmp(opt->name, "version");
}

void opt_variable_put(struct buf *out, const char *word) {
    if (out->n) buf_lit(out, "__");
    for (; *word; word++) buf_putc(out, (char)(*word >= 'a' && *word <= 'z' ? *word - 'a' + 'A' : *word));
}

// --- Examples: YAML in the table, JSON here -------------------------------------------------------------------------

static bool is_json_word(struct str text) {
    int64_t v;
    return str_eq(text, STR("true")) || str_eq(text, STR("false")) || opt_number_parse(OPT_DECIMAL, text, &v);
}

// Whether a plain word of this option is a number or a boolean of its own.
static bool is_bare(const struct opt *opt, const struct conf_node *node) {
    bool text = !opt || opt->type == OPT_STR || opt->type == OPT_SECRET || opt->type == OPT_ENUM ||
                opt->type == OPT_STRS || opt->type == OPT_MAP;
    return !text && node->plain && is_json_word(node->text);
}

// opt: NULL where the tables end. item: the node is an entry of the option's list or map.
static void node_put(struct json_writer *w, const struct opt *opt, bool item, const struct conf_node *node) {
    bool has_items = opt && (opt->type == OPT_LIST || opt->type == OPT_STRUCT_MAP);
    bool options = opt && opt->sub && (item || !has_items);
    if (node->kind == NODE_SCALAR) {
        if (is_bare(opt, node))
            json_put_raw(w, node->text);
        else
            json_put_str(w, node->text);
        return;
    }
    if (node->kind == NODE_LIST) {
        json_put_array(w);
        for (size_t i = 0; i < node->n; i++) node_put(w, opt, true, node->values[i]);
        json_put_array_end(w);
        return;
    }
    json_put_object(w);
    for (size_t i = 0; i < node->n; i++) {
        const struct opt *below = options ? opt_get(opt->sub, node->keys[i]->text) : opt;
        json_put_key(w, node->keys[i]->text);
        node_put(w, below, !options, node->values[i]);
    }
    json_put_object_end(w);
}

bool opt_example_json(const struct opt *opt, struct buf *out) {
    struct conf_source source = {.name = STR("example"), .text = str_c(opt->example)};
    struct conf_problems problems;
    struct conf_node *root = NULL;
    struct arena arena;
    struct json_writer w;
    if (!opt->example) return false;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    conf_problems_init(&problems);
    bool ok = conf_parse(&source, &arena, &problems, &root) && root;
    json_writer_init(&w, out);
    if (ok) node_put(&w, opt, false, root);
    conf_problems_free(&problems);
    arena_free(&arena);
    return ok;
}
