// Reads and writes the names of configuration values, and finds what the option tables say of them.
#include "conf/tree.h"

#define SHOWN 60

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '/' || c == '*' || c == ':' || c == '@';
}

static bool wrong(struct err *err, struct str text, const char *why) {
    return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is no key: %s", STR_ARG(str_head(text, SHOWN)), why);
}

// A step in double quotes; *text begins after the first of them.
static bool take_quoted(struct str *text, struct arena *a, struct str *out_step) {
    char *step = arena_alloc(a, text->n + 1);
    size_t n = 0, i = 0;
    if (!step) return false;
    for (; i < text->n && text->p[i] != '"'; i++) {
        if (text->p[i] == '\\' && i + 1 < text->n) i++;
        step[n++] = text->p[i];
    }
    if (i == text->n) return false;
    *text = str_from(*text, i + 1);
    *out_step = str_of(step, n);
    return true;
}

static bool take_step(struct str whole, struct str *text, struct arena *a, struct conf_path *path, struct err *err) {
    struct str *step = &path->steps[path->n];
    bool bracket = text->p[0] == '[';
    path->quoted[path->n] = false;
    if (bracket) *text = str_from(*text, 1);
    if (text->n && text->p[0] == '"') {
        *text = str_from(*text, 1);
        path->quoted[path->n] = true;
        if (!take_quoted(text, a, step)) return wrong(err, whole, "a quote is not closed");
    } else {
        size_t n = 0;
        while (n < text->n && (bracket ? text->p[n] != ']' : is_word(text->p[n]))) n++;
        *step = str_head(*text, n);
        *text = str_from(*text, n);
    }
    if (!step->n && !path->quoted[path->n]) return wrong(err, whole, "a name is missing");
    path->n++;
    if (!bracket) return true;
    if (!text->n || text->p[0] != ']') return wrong(err, whole, "\"]\" is missing");
    *text = str_from(*text, 1);
    return true;
}

bool conf_path_parse(struct str text, struct arena *a, struct conf_path *out_path, struct err *err) {
    struct conf_path path = {.n = 0};
    struct str rest = text;
    if (!rest.n) return wrong(err, text, "it is empty");
    for (bool more = true; more;) {
        if (path.n == CONF_PATH_MAX) return wrong(err, text, "it has too many parts");
        if (!rest.n) return wrong(err, text, "a name is missing");
        if (!take_step(text, &rest, a, &path, err)) return false;
        more = rest.n != 0;
        if (more && rest.p[0] == '.')
            rest = str_from(rest, 1);
        else if (more && rest.p[0] != '[')
            return wrong(err, text,
                         "names have dots between them; one with others than a-z, A-Z, 0-9, _ - / : @ * stands in "
                         "double quotes, as in models.\"gpt-4.1\"");
    }
    *out_path = path;
    return true;
}

static bool plain_step(struct str step) {
    bool digits = step.n != 0;
    for (size_t i = 0; i < step.n; i++) {
        if (!is_word(step.p[i])) return false;
        digits = digits && step.p[i] >= '0' && step.p[i] <= '9';
    }
    return step.n && !digits;
}

void conf_path_put(struct buf *out, struct str step) {
    if (out->n) buf_putc(out, '.');
    if (plain_step(step)) {
        buf_put(out, step);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < step.n; i++) {
        if (step.p[i] == '"' || step.p[i] == '\\') buf_putc(out, '\\');
        buf_putc(out, step.p[i]);
    }
    buf_putc(out, '"');
}

// --- what the tables say ---

static bool unknown(const struct opt_table *table, const struct conf_path *path, size_t at, struct err *err) {
    struct str names[64], name = path->steps[at];
    struct buf in = BUF_INIT(512);
    size_t n = 0;
    for (; n < table->n && n < ARRAY_LEN(names); n++) names[n] = str_c(table->opts[n].name);
    for (size_t i = 0; i < at; i++) {
        uint64_t index;
        if (i && !path->quoted[i] && str_to_u64(path->steps[i], &index))
            buf_printf(&in, "[%.*s]", STR_ARG(path->steps[i]));
        else
            conf_path_put(&in, path->steps[i]);
    }
    struct str near = opt_nearest(name, names, n);
    err_set(err, ERR_NOT_FOUND, "there is no option \"%.*s\"%s%.*s%s%.*s%s", STR_ARG(str_head(name, SHOWN)),
            in.n ? " in " : "", STR_ARG(buf_str(&in)), near.n ? "; did you mean \"" : "", STR_ARG(near),
            near.n ? "\"?" : "");
    buf_free(&in);
    return false;
}

// Options whose values have names or positions of their own.
static bool has_items(const struct opt *opt) {
    return opt->type == OPT_LIST || opt->type == OPT_STRUCT_MAP || opt->type == OPT_STRS || opt->type == OPT_MAP ||
           opt->type == OPT_PROFILES;
}

bool conf_path_find(const struct opt_table *root, const struct conf_path *path, struct conf_place *out_place,
                    struct err *err) {
    const struct opt_table *table = root;
    struct conf_place place = {.table = root};
    for (size_t i = 0; i < path->n; i++) {
        if (place.opt && !place.item && has_items(place.opt)) {
            place.item = true; // the step is its name or position
            table = place.opt->type == OPT_PROFILES ? root : place.opt->sub;
            continue;
        }
        if (place.opt && !place.item) table = place.opt->sub;
        if (!table) {
            struct str name = path->steps[i];
            return err_set(err, ERR_NOT_FOUND, "\"%.*s\" has no parts, so no \"%.*s\"", STR_ARG(path->steps[i - 1]),
                           STR_ARG(str_head(name, SHOWN)));
        }
        const struct opt *opt = opt_get(table, path->steps[i]);
        if (!opt) return unknown(table, path, i, err);
        place = (struct conf_place){.opt = opt, .table = table};
    }
    *out_place = place;
    return true;
}

// --- environment variables ---

#define PREFIX STR("PENSTOCK_")

static char fold(char c) {
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return c == '-' || c == '.' || c == '/' || c == ':' || c == ' ' ? '_' : c;
}

static bool folded_eq(struct str a, struct str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (fold(a.p[i]) != fold(b.p[i])) return false;
    return true;
}

static struct str lower(struct str s, struct arena *a) {
    char *p = arena_alloc(a, s.n + 1);
    if (!p) return STR_NONE;
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
    return str_of(p, s.n);
}

// What an item is called in the tree; of a list of named items, their names.
static struct str item_name(const struct opt *opt, const struct conf_node *list, size_t i) {
    if (list->kind == NODE_MAP) return list->keys[i]->text;
    return opt->sub ? conf_item_name(opt, list->values[i]) : STR_NONE;
}

static const struct conf_node *child_of(const struct opt *opt, const struct conf_node *node, struct str *io_step) {
    uint64_t index;
    if (!node || node->kind == NODE_SCALAR) return NULL;
    if (node->kind == NODE_LIST && str_to_u64(*io_step, &index)) return index < node->n ? node->values[index] : NULL;
    for (size_t i = 0; i < node->n; i++) {
        struct str name = item_name(opt, node, i);
        if (!folded_eq(name, *io_step)) continue;
        *io_step = name;
        return node->values[i];
    }
    return NULL;
}

struct naming { // how far a variable's parts have led
    const struct opt_table *root, *table;
    const struct opt *opt; // NULL at the start
    bool item;             // in one of its items
    const struct conf_node *tree;
    struct conf_path path;
    struct str variable;
};

static bool name_step(struct naming *w, struct str step, struct err *err) {
    w->path.steps[w->path.n++] = step;
    if (w->opt && !w->item && has_items(w->opt)) {
        w->item = true;
        w->tree = child_of(w->opt, w->tree, &w->path.steps[w->path.n - 1]);
        w->table = w->opt->type == OPT_PROFILES ? w->root : w->opt->sub;
        return true;
    }
    if (w->opt && !w->item) w->table = w->opt->sub;
    if (!w->table) return wrong(err, w->variable, "it goes on below a value that has no parts");
    w->opt = opt_get(w->table, step);
    w->item = false;
    w->tree = conf_node_get(w->tree, step);
    return w->opt || unknown(w->table, &w->path, w->path.n - 1, err);
}

static void put_step(const struct naming *w, struct buf *out) {
    uint64_t index;
    struct str step = w->path.steps[w->path.n - 1];
    bool list = w->opt->type == OPT_LIST || w->opt->type == OPT_STRS;
    if (w->item && list && str_to_u64(step, &index))
        buf_printf(out, "[%.*s]", STR_ARG(step));
    else
        conf_path_put(out, step);
}

bool conf_path_of_variable(const struct opt_table *root, const struct conf_node *tree, struct str variable,
                           struct arena *a, struct buf *out_path, struct err *err) {
    struct naming w = {.root = root, .table = root, .tree = tree, .variable = variable};
    struct str rest = lower(str_from(variable, PREFIX.n), a);
    if (!str_starts(variable, PREFIX) || !rest.n) return wrong(err, variable, "it does not begin with PENSTOCK_");
    while (rest.n) {
        size_t n = str_find(rest, STR("__"));
        struct str step = str_head(rest, n);
        bool open = n + 2 == rest.n; // "__" at the end
        rest = str_from(rest, MIN(n + 2, rest.n));
        if (!step.n || open || w.path.n == CONF_PATH_MAX)
            return wrong(err, variable, "a name is missing, or there are too many");
        if (!name_step(&w, step, err)) return false;
        put_step(&w, out_path);
    }
    return !out_path->failed || err_no_memory(err);
}
