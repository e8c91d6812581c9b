// Fills structs from a configuration tree by their option tables, checking everything and collecting all problems.
#include "conf/opt_impl.h"
#include "conf/ref.h"

#define TEXT_MAX 4096 // bytes in a value, unless the option says otherwise

struct place { // how a value is reached, for messages; frames live on the stack
    const struct place *up;
    struct str name; // key or map name; p NULL = list item `index`
    size_t index;
};

static bool bind_table(struct opt_bind *b, const struct opt_table *table, const struct conf_node *node,
                       const struct place *at, void *out);

static void path_put(struct buf *out, const struct place *at) {
    if (!at) return;
    path_put(out, at->up);
    if (!at->name.p) {
        buf_printf(out, "[%zu]", at->index);
        return;
    }
    if (out->n) buf_putc(out, '.');
    buf_put(out, str_head(at->name, 100));
}

PRINTF_LIKE(5, 6)
static bool complain(struct opt_bind *b, enum conf_severity severity, const struct conf_node *node,
                     const struct place *at, const char *fmt, ...) {
    char message[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    struct buf path = BUF_INIT(1024);
    path_put(&path, at);
    conf_problem_add(b->problems, severity, node ? node->source : NULL, node ? node->pos : (struct conf_pos){0},
                     "%.*s%s%s", STR_ARG(buf_str(&path)), path.n ? ": " : "", message);
    buf_free(&path);
    return false;
}

static bool no_memory(struct opt_bind *b) {
    if (!b->failed) conf_problem_add(b->problems, CONF_ERROR, NULL, (struct conf_pos){0}, "out of memory");
    b->failed = true;
    return false;
}

static bool is_private(const struct opt *opt) { return opt->type == OPT_SECRET || (opt->flags & OPT_PRIVATE); }

static enum conf_severity severity_of(const struct opt *opt) {
    return is_private(opt) ? CONF_ERROR_PRIVATE : CONF_ERROR;
}

static void mark(struct opt_bind *b, const void *field, const struct conf_node *node) {
    b->sorted = false;
    if (node && !vec_push(&b->marks, (struct opt_mark){field, node, b->marks.n})) no_memory(b);
}

// The bytes are the arena's, which is written to only by its owner.
static struct secret secret_of(struct str text) { return (struct secret){(char *)(uintptr_t)text.p, text.n}; }

static void keep_secret(struct opt_bind *b, struct str text) {
    if (text.n && !vec_push(&b->secrets, secret_of(text))) no_memory(b);
}

static bool expected(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                     const char *what) {
    // An address may hold a password.
    bool login = node->kind == NODE_SCALAR && str_find(node->text, STR("://")) < node->text.n &&
                 str_find_char(node->text, '@') < node->text.n;
    if (is_private(opt) || login) return complain(b, CONF_ERROR_PRIVATE, node, at, "expected %s", what);
    struct str found = conf_node_found(node, &b->problems->arena);
    return complain(b, CONF_ERROR, node, at, "expected %s, found %.*s", what, STR_ARG(found));
}

// NULL, or what was expected of it.
static const char *text_fault(const struct opt *opt, struct str s) {
    bool lines = (opt->flags & OPT_LINES) != 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (lines && (c == '\n' || c == '\t' || c == '\r')) continue;
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return lines ? "expected text, found a control character"
                         : "expected one line of text, found a line end or control character";
    }
    return NULL;
}

// The scalar's text with references resolved, in the arena.
static bool scalar_text(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                        struct str *out_text) {
    if (!ref_present(node->text)) {
        char *z = arena_cstr(b->arena, node->text);
        *out_text = str_of(z, z ? node->text.n : 0);
        if (is_private(opt)) keep_secret(b, *out_text);
        return z ? true : no_memory(b);
    }
    struct err err;
    if (!ref_expand(b, node->text, out_text, &err)) return complain(b, severity_of(opt), node, at, "%s", err.message);
    keep_secret(b, *out_text); // whatever it is for, it may have come from a secret place
    return true;
}

// A reference that was not looked up.
static bool open_reference(const struct opt_bind *b, const struct conf_node *node) {
    return b->env && b->env->offline && str_find(node->text, STR("${")) < node->text.n;
}

// Outside files nothing tells numbers from text: what wants a number takes both.
static bool untyped(const struct opt *opt, const struct conf_node *node) {
    return opt->type == OPT_SIZE || opt->type == OPT_DURATION || !node->source || node->source->layer > LAYER_FILE;
}

static bool bind_text(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                      struct str *out) {
    struct str text;
    if (node->kind != NODE_SCALAR || conf_node_is_null(node)) return expected(b, opt, node, at, "text");
    if (!scalar_text(b, opt, node, at, &text)) return false;
    if (open_reference(b, node)) {
        *out = text; // what it stands for is not known
        return true;
    }
    size_t max = opt->max > 0 && opt->type != OPT_STRS && opt->type != OPT_MAP ? (size_t)opt->max : TEXT_MAX;
    const char *fault = text_fault(opt, text);
    if (fault) return complain(b, severity_of(opt), node, at, "%s", fault);
    if (text.n > max) return complain(b, severity_of(opt), node, at, "longer than %zu bytes", max);
    if (!text.n && opt->min > 0) return complain(b, severity_of(opt), node, at, "must not be empty");
    const char *wrong = opt->check && text.n ? opt->check(text) : NULL;
    if (wrong) return expected(b, opt, node, at, wrong);
    *out = text;
    return true;
}

static bool bind_bool(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                      struct str text, bool *out) {
    static const struct str others[] = {STR_INIT("yes"),  STR_INIT("no"),   STR_INIT("on"), STR_INIT("off"),
                                        STR_INIT("y"),    STR_INIT("n"),    STR_INIT("1"),  STR_INIT("0"),
                                        STR_INIT("true"), STR_INIT("false")};
    if (str_eq(text, STR("true")) || str_eq(text, STR("false"))) {
        *out = text.n == 4;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (!str_eq_nocase(text, others[i])) continue;
        const char *want = i == 0 || i == 2 || i == 4 || i == 6 || i == 8 ? "true" : "false";
        return complain(b, CONF_ERROR, node, at, "expected true or false, found \"%.*s\"; write %s", STR_ARG(text),
                        want);
    }
    return expected(b, opt, node, at, "true or false");
}

static bool bind_enum(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                      struct str text, int *out) {
    struct str names[64];
    size_t n = 0;
    struct buf list = BUF_INIT(1024);
    for (const struct opt_enum *e = opt->values; e->name && n < ARRAY_LEN(names); e++) {
        if (str_eq(text, str_c(e->name))) {
            *out = e->value;
            buf_free(&list);
            return true;
        }
        names[n++] = str_c(e->name);
        buf_printf(&list, "%s%s", n == 1 ? "" : e[1].name ? ", " : " or ", e->name);
    }
    struct str near = opt_nearest(text, names, n);
    if (near.n)
        complain(b, CONF_ERROR, node, at, "expected %.*s, found \"%.*s\"; did you mean \"%.*s\"?",
                 STR_ARG(buf_str(&list)), STR_ARG(str_head(text, 60)), STR_ARG(near));
    else
        complain(b, CONF_ERROR, node, at, "expected %.*s, found \"%.*s\"", STR_ARG(buf_str(&list)),
                 STR_ARG(str_head(text, 60)));
    buf_free(&list);
    return false;
}

static bool bind_number(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                        struct str text, int64_t *out) {
    int64_t v;
    if (!opt_number_parse(opt->type, text, &v)) return expected(b, opt, node, at, opt_type_expected(opt->type));
    int64_t min = 0, max = INT64_MAX;
    if (opt->min || opt->max) min = opt->min, max = opt->max;
    if (v >= min && v <= max) {
        *out = v;
        return true;
    }
    struct buf range = BUF_INIT(256);
    opt_range_put(&range, opt);
    complain(b, CONF_ERROR, node, at, "out of range: expected %.*s, found %.*s", STR_ARG(buf_str(&range)),
             STR_ARG(str_head(text, 60)));
    buf_free(&range);
    return false;
}

static bool bind_scalar(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                        void *out) {
    if (opt->type == OPT_STR || opt->type == OPT_SECRET) {
        struct str text;
        if (!bind_text(b, opt, node, at, &text)) return false;
        if (opt->type == OPT_STR)
            memcpy(out, &text, sizeof text);
        else
            *(struct secret *)out = secret_of(text);
        return true;
    }
    const char *what = opt->type == OPT_BOOL   ? "true or false"
                       : opt->type == OPT_ENUM ? "a name"
                                               : opt_type_expected(opt->type);
    struct str text;
    if (node->kind != NODE_SCALAR) return expected(b, opt, node, at, what);
    if (!scalar_text(b, opt, node, at, &text)) return false;
    if (open_reference(b, node)) return true;
    if (opt->type == OPT_ENUM) return bind_enum(b, opt, node, at, text, out);
    if (!node->plain && !ref_present(node->text) && !untyped(opt, node))
        return complain(b, CONF_ERROR, node, at, "expected %s, found the text \"%.*s\"; leave out the quotes", what,
                        STR_ARG(str_head(text, 60)));
    if (opt->type == OPT_BOOL) return bind_bool(b, opt, node, at, text, out);
    return bind_number(b, opt, node, at, text, out);
}

static void bind_default(const struct opt *opt, void *out) {
    struct str def = str_c(opt->def);
    switch (opt->type) {
    case OPT_BOOL:
        *(bool *)out = str_eq(def, STR("true"));
        break;
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
        *(int64_t *)out = opt->flags & OPT_MAYBE ? OPT_UNSET : 0;
        if (opt->def) INVARIANT(opt_number_parse(opt->type, def, out));
        break;
    case OPT_STR:
        memcpy(out, &def, sizeof def);
        break;
    case OPT_ENUM:
        for (const struct opt_enum *e = opt->values; opt->def && e->name; e++) {
            if (str_eq(def, str_c(e->name))) *(int *)out = e->value;
        }
        break;
    case OPT_SECRET:
    case OPT_STRUCT:
    case OPT_LIST:
    case OPT_STRS:
    case OPT_MAP:
    case OPT_STRUCT_MAP:
    case OPT_PROFILES:
        break;
    }
}

static bool entries_check(struct opt_bind *b, const struct opt *opt, const struct conf_node *node,
                          const struct place *at) {
    if (opt->max > 0 && node->n > (size_t)opt->max)
        return complain(b, severity_of(opt), node, at, "has %zu entries; at most %lld are possible", node->n,
                        (long long)opt->max);
    if (node->n < (size_t)opt->min)
        return complain(b, severity_of(opt), node, at, "must have at least %lld", (long long)opt->min);
    return true;
}

static bool bind_list(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                      void *out) {
    bool texts = opt->type == OPT_STRS;
    if (node->kind != NODE_LIST) {
        char entries[100] = "a list of texts (\"- text\" lines, or [a, b])";
        if (!texts) snprintf(entries, sizeof entries, "a list (\"- %s: …\" entries)", opt->sub->opts[0].name);
        return expected(b, opt, node, at, entries);
    }
    if (!entries_check(b, opt, node, at)) return false;
    size_t size = texts ? sizeof(struct str) : opt->sub->size;
    char *items = node->n ? arena_zalloc(b->arena, size * node->n) : NULL;
    if (node->n && !items) return no_memory(b);
    for (size_t i = 0; i < node->n; i++) {
        struct place here = {.up = at, .index = i};
        mark(b, items + i * size, node->values[i]);
        if (texts)
            bind_text(b, opt, node->values[i], &here, (struct str *)(void *)(items + i * size));
        else
            bind_table(b, opt->sub, node->values[i], &here, items + i * size);
    }
    memcpy(out, &(struct opt_list){items, node->n}, sizeof(struct opt_list));
    return true;
}

static bool bind_map(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                     void *out) {
    bool texts = opt->type == OPT_MAP;
    if (node->kind != NODE_MAP) return expected(b, opt, node, at, "a map (\"name: value\" lines)");
    if (!entries_check(b, opt, node, at)) return false;
    size_t size = texts ? sizeof(struct opt_pair) : opt->sub->size;
    char *items = node->n ? arena_zalloc(b->arena, size * node->n) : NULL;
    if (node->n && !items) return no_memory(b);
    for (size_t i = 0; i < node->n; i++) {
        struct place here = {.up = at, .name = node->keys[i]->text};
        char *item = items + i * size, *name = arena_cstr(b->arena, node->keys[i]->text);
        struct str key = str_of(name, node->keys[i]->text.n);
        if (!name) return no_memory(b);
        const char *wrong = opt->check_key ? opt->check_key(key) : NULL;
        if (wrong) complain(b, severity_of(opt), node->keys[i], &here, "the name must be %s", wrong);
        if (!texts) bind_table(b, opt->sub, node->values[i], &here, item);
        mark(b, item, node->keys[i]);
        memcpy(item, &key, sizeof key);
        if (texts) bind_text(b, opt, node->values[i], &here, &((struct opt_pair *)(void *)item)->value);
    }
    memcpy(out, &(struct opt_list){items, node->n}, sizeof(struct opt_list));
    return true;
}

static void bind_value(struct opt_bind *b, const struct opt *opt, const struct conf_node *node, const struct place *at,
                       void *out) {
    mark(b, out, node);
    switch (opt->type) {
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
        bind_scalar(b, opt, node, at, out);
        break;
    case OPT_STRUCT:
        bind_table(b, opt->sub, node, at, out);
        break;
    case OPT_LIST:
    case OPT_STRS:
        bind_list(b, opt, node, at, out);
        break;
    case OPT_MAP:
    case OPT_STRUCT_MAP:
        bind_map(b, opt, node, at, out);
        break;
    case OPT_PROFILES: // taken up when layers are joined
        break;
    }
}

static struct str nearest_key(const struct opt_table *table, struct str key) {
    struct str names[64];
    size_t n = MIN(table->n, ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) names[i] = str_c(table->opts[i].name);
    return opt_nearest(key, names, n);
}

static void unknown_key(struct opt_bind *b, const struct opt_table *table, const struct conf_node *key,
                        const struct place *at) {
    struct buf where = BUF_INIT(512), list = BUF_INIT(512);
    for (size_t i = 0; i < table->n; i++)
        buf_printf(&list, "%s%s", i == 0 ? "" : i + 1 < table->n ? ", " : " and ", table->opts[i].name);
    path_put(&where, at);
    struct str in = buf_str(&where), near = nearest_key(table, key->text);
    struct str shown = str_head(key->text, 60);
    if (near.n)
        conf_problem_add(b->problems, CONF_ERROR, key->source, key->pos,
                         "unknown key \"%.*s\"%s%.*s; did you mean \"%.*s\"?", STR_ARG(shown), in.n ? " in " : "",
                         STR_ARG(in), STR_ARG(near));
    else
        conf_problem_add(b->problems, CONF_ERROR, key->source, key->pos, "unknown key \"%.*s\"%s%.*s; there %s %.*s",
                         STR_ARG(shown), in.n ? " in " : "", STR_ARG(in), table->n == 1 ? "is" : "are",
                         STR_ARG(buf_str(&list)));
    buf_free(&where);
    buf_free(&list);
}

// Whether a key that nobody knows is most likely this one: it is not missing then, and one message will do.
static bool is_misspelt(const struct opt_table *table, const struct conf_node *node, const char *name) {
    for (size_t i = 0; node && i < node->n; i++) {
        struct str key = node->keys[i]->text;
        if (!opt_get(table, key) && str_eq(nearest_key(table, key), str_c(name))) return true;
    }
    return false;
}

#define NAMES_SHOWN 12 // a map of more options says little by their names

static void no_map(struct opt_bind *b, const struct opt_table *table, const struct conf_node *node,
                   const struct place *at) {
    struct str found = conf_node_found(node, &b->problems->arena);
    BUF_AUTO struct buf names = BUF_INIT(1024);
    for (size_t i = 0; i < table->n && table->n <= NAMES_SHOWN; i++)
        buf_printf(&names, "%s%s", i == 0 ? " with " : i + 1 == table->n ? " or " : ", ", table->opts[i].name);
    complain(b, CONF_ERROR, node, at, "expected a map of options (\"name: value\" lines)%.*s, found %.*s",
             STR_ARG(buf_str(&names)), STR_ARG(found));
}

static bool bind_table(struct opt_bind *b, const struct opt_table *table, const struct conf_node *node,
                       const struct place *at, void *out) {
    bool usable = !node || node->kind == NODE_MAP;
    if (!usable) no_map(b, table, node, at);
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        const struct conf_node *value = conf_node_get(node, str_c(opt->name));
        struct place here = {.up = at, .name = str_c(opt->name)};
        char *field = (char *)out + opt->offset;
        bind_default(opt, field);
        if (!conf_node_is_null(value)) {
            bind_value(b, opt, value, &here, field);
            continue;
        }
        if (opt->type == OPT_STRUCT) bind_table(b, opt->sub, NULL, &here, field);
        if ((opt->flags & OPT_REQUIRED) && usable && !b->partial && !is_misspelt(table, node, opt->name))
            complain(b, CONF_ERROR, node, at, "the key \"%s\" is missing", opt->name);
    }
    for (size_t i = 0; usable && node && i < node->n; i++) {
        if (!opt_get(table, node->keys[i]->text) && !(b->below && !at)) unknown_key(b, table, node->keys[i], at);
    }
    return usable;
}

void opt_bind_root(struct opt_bind *b, const struct opt_table *table, const struct conf_node *root, void *out) {
    bind_table(b, table, root, NULL, out);
}

void opt_bind_free(struct opt_bind *b) {
    vec_free(&b->marks);
    vec_free(&b->secrets);
    vec_free(&b->refs.files);
    vec_free(&b->refs.vault);
}

static int mark_cmp(const void *va, const void *vb) {
    const struct opt_mark *a = va, *b = vb;
    uintptr_t x = (uintptr_t)a->field, y = (uintptr_t)b->field;
    if (x != y) return x < y ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

const struct conf_node *opt_mark_find(struct opt_bind *b, const void *field) {
    if (!b->sorted && b->marks.n) qsort(b->marks.p, b->marks.n, sizeof *b->marks.p, mark_cmp);
    b->sorted = true;
    size_t low = 0, high = b->marks.n; // the first mark past the field
    while (low < high) {
        size_t mid = (low + high) / 2;
        if ((uintptr_t)b->marks.p[mid].field <= (uintptr_t)field)
            low = mid + 1;
        else
            high = mid;
    }
    return low && b->marks.p[low - 1].field == field ? b->marks.p[low - 1].node : NULL;
}
