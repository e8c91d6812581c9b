// Compares two configurations value by value along the option tables.
#include "conf/change_impl.h"
#include "conf/conf_tables.h"
#include "conf/opt_text.h"
#include "conf/opt_value.h"
#include "conf/tree.h"

#define ARENA_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)1 << 16)
#define TEXT_SHOWN ((size_t)2048) // of a value; the rest is "…"

struct side {
    const void *p;                // a field, an item, or a whole struct; NULL: it is not there
    const struct conf_node *node; // what set it, or NULL
};
struct comparing {
    const struct conf *a, *b;
    struct conf_changes *out;
    struct touching touching;
    struct conf_change touched; // whom the item that is looked at concerns
    struct touched_place at;
    bool found;     // `touched` is filled
    unsigned depth; // of lists inside one another
    struct buf path;
};

void conf_changes_init(struct conf_changes *changes) {
    *changes = (struct conf_changes){0};
    arena_init(&changes->arena, NULL, 0, ARENA_MAX);
}

void conf_changes_free(struct conf_changes *changes) {
    vec_free(&changes->list);
    arena_free(&changes->arena);
}

const char *conf_apply_name(enum conf_apply apply) {
    return apply == APPLY_LIVE ? "live" : apply == APPLY_DRAIN ? "drain" : "restart";
}

static enum conf_apply apply_of(const struct opt *opt) {
    if (!(opt->flags & OPT_RELOAD)) return APPLY_RESTART;
    return opt->flags & OPT_DRAIN ? APPLY_DRAIN : APPLY_LIVE;
}

// The strongest of all options in it.
static enum conf_apply apply_within(const struct opt_table *table) {
    enum conf_apply strongest = APPLY_LIVE;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        enum conf_apply own = opt->type == OPT_STRUCT ? apply_within(opt->sub) : apply_of(opt);
        if (own > strongest) strongest = own;
        if (opt->type == OPT_LIST || opt->type == OPT_STRUCT_MAP) {
            own = apply_within(opt->sub);
            if (own > strongest) strongest = own;
        }
    }
    return strongest;
}

// --- telling ---

bool conf_is_confidential(const struct conf *c, struct str text) {
    for (size_t i = 0; text.n && i < c->secrets.n; i++)
        if (c->secrets.p[i].p == text.p) return true;
    return false;
}

static struct str keep(struct comparing *c, struct buf *text) {
    bool cut = text->n > TEXT_SHOWN;
    if (cut) {
        size_t n = TEXT_SHOWN;
        while (n && ((unsigned char)text->p[n] & 0xc0) == 0x80) n--;
        text->n = n;
        buf_lit(text, "…");
    }
    struct str kept = arena_str(&c->out->arena, buf_str(text));
    if (text->failed || (text->n && !kept.p)) c->out->failed = true;
    return kept;
}

static struct str value_text(struct comparing *c, const struct conf *conf, const struct opt *opt, struct side s) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    bool taken = opt->type == OPT_STR && !s.node && conf_is_confidential(conf, opt_text_at(s.p));
    if (taken)
        buf_lit(&text, OPT_MASK);
    else
        opt_value_put(&text, opt, s.p, s.node, &c->out->arena);
    if (text.failed) { // too long to be told
        buf_clear(&text);
        buf_printf(&text, "%zu entries", opt_has_items(opt) ? opt_list_at(s.p).n : (size_t)0);
    }
    return keep(c, &text);
}

static struct str item_text(struct comparing *c, const struct opt *opt, struct side s) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    if (!s.p) return STR_NONE;
    if (opt_is_secret(opt)) return STR(OPT_MASK);
    if (opt->type == OPT_MAP)
        opt_shown_yaml(&text, opt_shown_text(opt, ((const struct opt_pair *)s.p)->value, s.node));
    else
        opt_item_put(&text, opt->sub, s.p, s.node, opt->type == OPT_LIST, &c->out->arena);
    if (text.failed) {
        buf_clear(&text);
        buf_lit(&text, "{…}");
    }
    return keep(c, &text);
}

static void add(struct comparing *c, struct conf_change change) {
    if (!c->found) touching_find(&c->touching, &c->at, &c->touched);
    c->found = true;
    change.path = keep(c, &c->path);
    change.models = c->touched.models;
    change.aliases = c->touched.aliases;
    change.tenants = c->touched.tenants;
    change.teams = c->touched.teams;
    change.projects = c->touched.projects;
    change.keys = c->touched.keys;
    change.listeners = c->touched.listeners;
    change.all = c->touched.all;
    if (c->path.failed || !vec_push(&c->out->list, change)) c->out->failed = true;
}

// The same reference, or two values of which none is shown, may stand for something else than before.
static void tell_set(struct comparing *c, const struct opt *opt, struct side a, struct side b, enum conf_apply apply) {
    struct conf_change change = {.kind = CHANGE_SET, .apply = apply, .secret = opt_is_secret(opt)};
    change.before = change.secret ? STR(OPT_MASK) : value_text(c, c->a, opt, a);
    change.after = change.secret ? STR(OPT_MASK) : value_text(c, c->b, opt, b);
    if (!change.secret && str_eq(change.before, change.after))
        change.after = arena_printf(&c->out->arena, "%.*s (another value)", STR_ARG(change.after));
    add(c, change);
}

static void tell_item(struct comparing *c, const struct opt *opt, struct side a, struct side b) {
    struct conf_change change = {.kind = a.p ? CHANGE_REMOVED : CHANGE_ADDED, .apply = apply_of(opt)};
    if (opt->sub) change.apply = apply_within(opt->sub);
    if (opt->sub && apply_of(opt) > change.apply) change.apply = apply_of(opt);
    change.secret = opt_is_secret(opt);
    change.before = item_text(c, opt, a);
    change.after = item_text(c, opt, b);
    add(c, change);
}

// --- comparing ---

static void compare_table(struct comparing *c, const struct opt_table *table, struct side a, struct side b);

static void compare_scalar(struct comparing *c, const struct opt *opt, struct side a, struct side b) {
    if (opt_equal(opt, a.p, b.p)) return;
    // Neither was set: it follows from something else, which is told where it changed. A key that comes from the
    // environment follows from nothing else.
    bool derived = conf_node_is_null(a.node) && conf_node_is_null(b.node) && opt->type != OPT_SECRET;
    if (!derived) tell_set(c, opt, a, b, apply_of(opt));
}

// Items of one side by name; those of the same name one after another.
struct index {
    struct map heads; // name → position + 1
    size_t *next;     // position + 1 of the following of that name
};

static bool index_make(struct index *x, const struct opt *opt, struct opt_list list) {
    map_init(&x->heads, (uint64_t)(uintptr_t)list.p);
    x->next = list.n ? mem_zalloc(list.n, sizeof *x->next) : NULL;
    bool ok = !list.n || x->next;
    for (size_t i = list.n; ok && i-- > 0;) {
        struct str name = opt_text_at(opt_item_at(opt, list, i));
        x->next[i] = (size_t)map_get(&x->heads, name);
        ok = map_put(&x->heads, name, (void *)(i + 1));
    }
    return ok;
}

static void index_free(struct index *x) {
    map_free(&x->heads);
    mem_free(x->next);
}

// The position + 1 of the first item of that name that was not taken yet; 0 = none.
static size_t index_take(struct index *x, struct str name) {
    size_t at = (size_t)map_del(&x->heads, name);
    // Room for it was just made.
    if (at && x->next[at - 1] && !map_put(&x->heads, name, (void *)x->next[at - 1])) return 0;
    return at;
}

static struct side item_of(const struct opt *opt, struct side list, size_t i) {
    return (struct side){opt_item_at(opt, opt_list_at(list.p), i), opt_item_node(list.node, i)};
}

static void path_item(struct comparing *c, const struct opt *opt, struct side s) {
    // A name that was given by a reference is told as it was written.
    struct opt text = {.type = OPT_STR};
    const struct conf_node *name = opt->type == OPT_LIST ? conf_node_get(s.node, str_c(opt->sub->opts[0].name)) : NULL;
    conf_path_put(&c->path, opt_shown_text(&text, opt_text_at(s.p), name).text);
}

// Below a tenant, its levels are those who are touched.
static bool enter_item(struct comparing *c, const struct opt *opt, unsigned depth, struct str name) {
    enum conf_level_kind kind = LEVEL_TENANT;
    if (depth == 1 && strcmp(c->at.section->name, "tenants") == 0)
        kind = opt->sub == &team_table      ? LEVEL_TEAM
               : opt->sub == &project_table ? LEVEL_PROJECT
               : opt->sub == &key_table     ? LEVEL_KEY
                                            : LEVEL_TENANT;
    if (depth && kind == LEVEL_TENANT) return false;
    if (!depth)
        c->at.item = name;
    else
        c->at.level = name;
    c->at.kind = kind;
    c->found = false;
    return true;
}

static void leave_item(struct comparing *c, unsigned depth) {
    if (!depth) c->at.item = STR_NONE;
    c->at.level = STR_NONE;
    c->at.kind = LEVEL_TENANT;
    c->found = false;
}

static void compare_item(struct comparing *c, const struct opt *opt, struct side a, struct side b) {
    size_t base = c->path.n;
    path_item(c, opt, a.p ? a : b);
    unsigned depth = c->depth++;
    bool placed = enter_item(c, opt, depth, opt_text_at(a.p ? a.p : b.p));
    if (!a.p || !b.p) {
        tell_item(c, opt, a, b);
    } else if (opt->type == OPT_MAP) {
        const struct opt_pair *x = a.p, *y = b.p;
        struct opt text = {.type = OPT_STR, .flags = opt->flags};
        if (!str_eq(x->value, y->value))
            tell_set(c, &text, (struct side){&x->value, a.node}, (struct side){&y->value, b.node}, apply_of(opt));
    } else {
        compare_table(c, opt->sub, a, b);
    }
    c->depth = depth;
    if (placed) leave_item(c, depth);
    c->path.n = base;
}

// Providers' order decides which of them a name without a provider goes to.
static void compare_order(struct comparing *c, const struct opt *opt, struct side a, struct side b,
                          const size_t *pairs) {
    struct opt_list x = opt_list_at(a.p), y = opt_list_at(b.p);
    BUF_AUTO struct buf before = BUF_INIT(TEXT_MAX), after = BUF_INIT(TEXT_MAX);
    size_t last = 0;
    bool moved = false;
    if (c->depth || strcmp(opt->name, "providers") != 0) return;
    for (size_t i = 0; i < x.n; i++) {
        moved = moved || (pairs[i] && pairs[i] < last);
        if (pairs[i]) last = pairs[i];
    }
    if (!moved) return;
    for (size_t i = 0; i < x.n; i++)
        buf_printf(&before, "%s%.*s", i ? ", " : "", STR_ARG(opt_text_at(opt_item_at(opt, x, i))));
    for (size_t i = 0; i < y.n; i++)
        buf_printf(&after, "%s%.*s", i ? ", " : "", STR_ARG(opt_text_at(opt_item_at(opt, y, i))));
    struct conf_change change = {.kind = CHANGE_SET, .apply = apply_of(opt)};
    change.before = keep(c, &before);
    change.after = keep(c, &after);
    c->found = false;
    add(c, change);
}

static void compare_named(struct comparing *c, const struct opt *opt, struct side a, struct side b) {
    struct opt_list x = opt_list_at(a.p), y = opt_list_at(b.p);
    struct index index;
    size_t *pairs = x.n ? mem_zalloc(x.n, sizeof *pairs) : NULL; // position + 1 in b
    bool *taken = y.n ? mem_zalloc(y.n, sizeof *taken) : NULL;
    if (!index_make(&index, opt, y) || (x.n && !pairs) || (y.n && !taken)) {
        c->out->failed = true;
        x.n = y.n = 0;
    }
    for (size_t i = 0; i < x.n; i++) {
        pairs[i] = index_take(&index, opt_text_at(opt_item_at(opt, x, i)));
        if (pairs[i]) taken[pairs[i] - 1] = true;
        compare_item(c, opt, item_of(opt, a, i), pairs[i] ? item_of(opt, b, pairs[i] - 1) : (struct side){0});
    }
    for (size_t i = 0; i < y.n; i++)
        if (!taken[i]) compare_item(c, opt, (struct side){0}, item_of(opt, b, i));
    if (x.n) compare_order(c, opt, a, b, pairs);
    index_free(&index);
    mem_free(pairs);
    mem_free(taken);
}

// Items without names are what they are by their position.
static void compare_positions(struct comparing *c, const struct opt *opt, struct side a, struct side b) {
    struct opt_list x = opt_list_at(a.p), y = opt_list_at(b.p);
    size_t base = c->path.n;
    if (x.n != y.n) {
        enum conf_apply within = apply_within(opt->sub);
        tell_set(c, opt, a, b, within > apply_of(opt) ? within : apply_of(opt));
        return;
    }
    for (size_t i = 0; i < x.n; i++) {
        buf_printf(&c->path, "[%zu]", i);
        compare_table(c, opt->sub, item_of(opt, a, i), item_of(opt, b, i));
        c->path.n = base;
    }
}

static void compare_value(struct comparing *c, const struct opt *opt, struct side a, struct side b) {
    switch (opt->type) {
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
    case OPT_STRS:
        compare_scalar(c, opt, a, b);
        break;
    case OPT_STRUCT:
        compare_table(c, opt->sub, a, b);
        break;
    case OPT_LIST:
        if (!(opt->flags & OPT_NAMED))
            compare_positions(c, opt, a, b);
        else
            compare_named(c, opt, a, b);
        break;
    case OPT_MAP:
    case OPT_STRUCT_MAP:
        compare_named(c, opt, a, b);
        break;
    case OPT_PROFILES: // taken up when layers are joined
        break;
    }
}

static void compare_table(struct comparing *c, const struct opt_table *table, struct side a, struct side b) {
    size_t base = c->path.n;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        struct str name = str_c(opt->name);
        conf_path_put(&c->path, name);
        compare_value(c, opt, (struct side){(const char *)a.p + opt->offset, conf_node_get(a.node, name)},
                      (struct side){(const char *)b.p + opt->offset, conf_node_get(b.node, name)});
        c->path.n = base;
    }
}

// A list that neither side states follows from other options, as the listener does from server.host and server.port.
static bool follows(const struct opt *opt, struct side a, struct side b) {
    return opt->type == OPT_LIST && conf_node_is_null(a.node) && conf_node_is_null(b.node);
}

void conf_compare(const struct conf *a, const struct conf *b, struct conf_changes *out) {
    struct comparing c = {.a = a, .b = b, .out = out, .path = BUF_INIT(65536)};
    touching_init(&c.touching, a, b, &out->arena);
    for (size_t i = 0; i < conf_table.n; i++) {
        const struct opt *opt = &conf_table.opts[i];
        struct str name = str_c(opt->name);
        struct side x = {(const char *)a + opt->offset, conf_node_get(a->root, name)};
        struct side y = {(const char *)b + opt->offset, conf_node_get(b->root, name)};
        c.at = (struct touched_place){.section = opt};
        c.found = false;
        // Which files a configuration is made of, and in which format, is not what it means.
        if (opt_is_about_files(opt) || follows(opt, x, y)) continue;
        buf_clear(&c.path);
        conf_path_put(&c.path, name);
        compare_value(&c, opt, x, y);
    }
    if (c.touching.failed) out->failed = true;
    touching_free(&c.touching);
    buf_free(&c.path);
}
