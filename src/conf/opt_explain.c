// Finds an option by a key in which items may be left out, and says all that the tables know of it.
#include "conf/opt_explain.h"
#include "conf/opt_text.h"
#include "conf/path.h"

#define KEY_MAX 1024

// --- Walking down the tables ----------------------------------------------------------------------------------------

struct walk {
    const struct opt_table *root, *table; // the next step names an option of `table`; NULL: none can follow
    const struct opt_table *parent;       // the table `opt` stands in
    const struct opt *opt;
    bool item;
    struct buf key, variable, parent_key; // parent_key: up to and with its last dot
    struct str near;                      // in the arena
    struct arena *arena;
};

static struct str kept(struct walk *w, struct buf *text) { return arena_str(w->arena, buf_str(text)); }

static void enter_item(struct walk *w) {
    w->item = true;
    buf_put(&w->key, str_c(opt_item_text(w->opt)));
    opt_variable_put(&w->variable, opt_item_variable(w->opt));
    w->table = w->opt->sub;
    if (w->opt->type != OPT_PROFILES) return;
    // A profile holds the same options again.
    w->opt = NULL;
    w->item = false;
    w->table = w->root;
    buf_clear(&w->key);
    buf_clear(&w->variable);
}

static void enter_option(struct walk *w, const struct opt *opt) {
    if (w->opt && opt_has_items(w->opt) && !w->item) enter_item(w);
    w->parent = w->table;
    if (w->key.n) buf_putc(&w->key, '.');
    buf_clear(&w->parent_key);
    buf_put(&w->parent_key, buf_str(&w->key));
    buf_put(&w->key, str_c(opt->name));
    opt_variable_put(&w->variable, opt->name);
    w->opt = opt;
    w->item = false;
    w->table = opt->type == OPT_PROFILES ? w->root : opt->sub;
}

static struct str nearest_of(const struct opt_table *table, struct str name) {
    struct str names[128];
    size_t n = 0;
    for (size_t i = 0; table && i < table->n && n < ARRAY_LEN(names); i++) names[n++] = str_c(table->opts[i].name);
    return opt_nearest(name, names, n);
}

// The first key anywhere below `table` whose last part is `name`.
static bool key_anywhere(const struct opt_table *table, struct str name, struct buf *path) {
    size_t start = path->n;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        path->n = start;
        buf_printf(path, "%s%s", start ? "." : "", opt->name);
        if (str_eq(str_c(opt->name), name)) return true;
        if (opt_has_items(opt)) buf_put(path, str_c(opt_item_text(opt)));
        if (opt->sub && key_anywhere(opt->sub, name, path)) return true;
    }
    path->n = start;
    return false;
}

static bool not_found(struct walk *w, struct str step, struct err *err) {
    struct buf near = BUF_INIT(KEY_MAX);
    struct str where = buf_str(&w->key), name = nearest_of(w->table, step);
    if (name.n) {
        buf_printf(&near, "%.*s%s%.*s", STR_ARG(where), where.n ? "." : "", STR_ARG(name));
    } else {
        key_anywhere(w->root, step, &near);
    }
    w->near = kept(w, &near);
    buf_free(&near);
    if (!w->table) return err_set(err, ERR_NOT_FOUND, "%.*s has no options in it", STR_ARG(where));
    return err_set(err, ERR_NOT_FOUND, "there is no option \"%.*s\"%s%.*s", STR_ARG(str_head(step, 60)),
                   where.n ? " in " : "", STR_ARG(where));
}

static bool is_position(struct str step) {
    uint64_t n;
    return str_to_u64(step, &n);
}

static bool step_take(struct walk *w, struct str step, bool quoted, bool last, struct err *err) {
    bool item_next = w->opt && opt_has_items(w->opt) && !w->item;
    const struct opt *opt = item_next && quoted ? NULL : opt_get(w->table, step);
    if (opt) {
        enter_option(w, opt);
        return true;
    }
    if (!item_next) return not_found(w, step, err);
    // What is nearly an option at the end is one that was misspelt, rather than an item's name.
    if (last && !quoted && !is_position(step) && w->table && nearest_of(w->table, step).n) {
        if (w->opt->type != OPT_PROFILES) buf_put(&w->key, str_c(opt_item_text(w->opt)));
        return not_found(w, step, err);
    }
    enter_item(w);
    return true;
}

// "[]" becomes any position, and a variable's name becomes a key.
static void key_plain(struct str key, struct buf *out) {
    if (str_starts(key, STR(OPT_VARIABLE_PREFIX))) {
        key = str_from(key, sizeof OPT_VARIABLE_PREFIX - 1);
        for (size_t i = 0; i < key.n; i++) {
            char c = key.p[i];
            bool step = c == '_' && i + 1 < key.n && key.p[i + 1] == '_';
            buf_putc(out, (char)(step ? '.' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
            i += step;
        }
        return;
    }
    for (size_t i = 0; i < key.n; i++) {
        bool open = i > 0 && key.p[i - 1] == '[' && key.p[i] == ']';
        if (open) buf_putc(out, '0');
        buf_putc(out, key.p[i]);
    }
}

static bool walk_key(struct walk *w, struct str key, struct err *err) {
    struct conf_path path = {.n = 0};
    struct buf plain = BUF_INIT(KEY_MAX);
    key_plain(key, &plain);
    struct str text = str_trim(kept(w, &plain));
    bool fits = !plain.failed;
    buf_free(&plain);
    if (!fits) return err_set(err, ERR_NOT_FOUND, "the key is longer than %d bytes", KEY_MAX);
    if (!text.n) return true;
    if (!conf_path_parse(text, w->arena, &path, err)) return false;
    for (size_t i = 0; i < path.n; i++) {
        if (!step_take(w, path.steps[i], path.quoted[i], i + 1 == path.n, err)) return false;
    }
    return true;
}

// --- The facts ------------------------------------------------------------------------------------------------------

const char *opt_writing(enum opt_type type) {
    switch (type) {
    case OPT_SIZE:
        return "64 KiB, 32 MiB or 1 GiB; a number alone is bytes";
    case OPT_DURATION:
        return "500ms, 30s, 5m or 1h30m";
    case OPT_DECIMAL:
        return "2.5 or 0.075, six decimals at most";
    case OPT_LIST:
    case OPT_STRS:
        return "[a, b], or \"- a\" lines";
    case OPT_MAP:
    case OPT_STRUCT_MAP:
    case OPT_PROFILES:
        return "\"name: value\" lines";
    case OPT_BOOL:
    case OPT_INT:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
    case OPT_STRUCT:
        break;
    }
    return "";
}

static struct str without_ticks(struct walk *w, struct buf *text) {
    struct buf out = BUF_INIT(text->n + 1);
    for (size_t i = 0; i < text->n; i++) {
        if (text->p[i] != '`') buf_putc(&out, text->p[i]);
    }
    struct str s = kept(w, &out);
    buf_free(&out);
    return s;
}

static void related_add(struct opt_facts *facts, struct str key) {
    if (key.n && facts->n_related < OPT_RELATED_MAX) facts->related[facts->n_related++] = key;
}

static void related_fill(struct walk *w, struct opt_facts *facts) {
    struct str rest = str_c(facts->opt ? facts->opt->see : NULL), word;
    while (rest.n && str_split(&rest, ' ', &word)) related_add(facts, word);
    if (facts->n_related || !facts->opt || facts->below) return;
    for (size_t i = 0; i < w->parent->n; i++) {
        const struct opt *beside = &w->parent->opts[i];
        if (beside == facts->opt) continue;
        related_add(facts, arena_printf(w->arena, "%.*s%s", STR_ARG(buf_str(&w->parent_key)), beside->name));
    }
}

static void indent_put(struct buf *out, size_t depth) {
    for (size_t i = 0; i < depth * 2; i++) buf_putc(out, ' ');
}

// "providers[].api_key" as the lines that lead to it, then its value.
static void example_fill(struct walk *w, struct opt_facts *facts) {
    const struct opt *opt = facts->opt;
    const char *value = opt->example ? opt->example : opt->def && *opt->def ? opt->def : NULL;
    if (!value || facts->item) return;
    struct buf out = BUF_INIT(65536);
    struct str rest = facts->key, step;
    bool first = false; // in a list's item: "- " stands before it
    for (size_t depth = 0; rest.n && str_split(&rest, '.', &step); depth++) {
        bool list = str_ends(step, STR("[]"));
        if (list) step.n -= 2;
        if (out.n) buf_putc(&out, '\n');
        indent_put(&out, first ? depth - 1 : depth);
        buf_printf(&out, "%s%.*s:", first ? "- " : "", STR_ARG(step));
        if (list) depth++;
        first = list;
    }
    buf_printf(&out, " %s", value);
    facts->example = kept(w, &out);
    buf_free(&out);
}

static void facts_fill(struct walk *w, struct opt_facts *facts) {
    const struct opt *opt = facts->opt = w->opt;
    struct buf text = BUF_INIT(8192);
    facts->item = w->item;
    facts->below = opt ? opt->sub : w->root;
    if (opt && opt->type == OPT_PROFILES) facts->below = NULL;
    facts->key = kept(w, &w->key);
    buf_put(&text, facts->key);
    if (opt && facts->below && opt_has_items(opt) && !w->item) buf_put(&text, str_c(opt_item_text(opt)));
    if (text.n) buf_putc(&text, '.');
    facts->below_key = kept(w, &text);
    if (!opt) {
        buf_free(&text);
        return;
    }
    if (!opt_is_about_files(opt) && (opt->type != OPT_STRUCT || w->item))
        facts->variable = arena_printf(w->arena, OPT_VARIABLE_PREFIX "%.*s", STR_ARG(buf_str(&w->variable)));
    buf_clear(&text);
    opt_type_put(&text, opt);
    facts->type = without_ticks(w, &text);
    buf_clear(&text);
    opt_limits_put(&text, opt);
    facts->limits = kept(w, &text);
    buf_free(&text);
    example_fill(w, facts);
    related_fill(w, facts);
}

bool opt_explain(const struct opt_table *root, struct str key, struct arena *a, struct opt_facts *out_facts,
                 struct str *out_near, struct err *err) {
    struct walk w = {.root = root, .table = root, .parent = root, .arena = a};
    buf_init(&w.key, KEY_MAX);
    buf_init(&w.variable, KEY_MAX);
    buf_init(&w.parent_key, KEY_MAX);
    *out_near = STR_NONE;
    bool ok = walk_key(&w, key, err);
    if (ok) {
        struct opt_facts facts = {0};
        facts_fill(&w, &facts);
        *out_facts = facts;
    } else {
        *out_near = w.near;
    }
    buf_free(&w.key);
    buf_free(&w.variable);
    buf_free(&w.parent_key);
    return ok;
}
