// Makes the rows of what holds for a tenant: its own, its parents', the general configuration's.
#include "base/map.h"
#include "conf/conf_tables.h"
#include "conf/show_impl.h"
#include "conf/tree.h"

#define CHAIN_MAX 64

const struct opt_table *show_level_table(enum conf_level_kind kind) {
    switch (kind) {
    case LEVEL_TEAM:
        return &team_table;
    case LEVEL_PROJECT:
        return &project_table;
    case LEVEL_KEY:
        return &key_table;
    case LEVEL_TENANT:
    case LEVEL_KIND_COUNT:
        break;
    }
    return &tenant_table;
}

const struct conf_node *show_level_node(const struct conf *c, const struct conf_tenant *level) {
    const struct conf_tenant *of = level->of;
    const struct conf_node *node = opt_item_node(conf_node_get(c->root, STR("tenants")), (size_t)(of - c->tenants.p));
    switch (level->kind) {
    case LEVEL_TEAM:
        return opt_item_node(conf_node_get(node, STR("teams")), (size_t)(level - of->teams.p));
    case LEVEL_PROJECT:
        return opt_item_node(conf_node_get(node, STR("projects")), (size_t)(level - of->projects.p));
    case LEVEL_KEY:
        return opt_item_node(conf_node_get(node, STR("keys")), (size_t)(level - of->keys.p));
    case LEVEL_TENANT:
    case LEVEL_KIND_COUNT:
        break;
    }
    return node;
}

struct str show_level_label(const struct conf_tenant *level, struct arena *a) {
    return arena_printf(a, "%s %.*s", conf_level_word(level->kind), STR_ARG(level->name));
}

struct level {
    const struct conf_tenant *tenant; // NULL: the general configuration
    const struct conf_node *node;     // of the tenant, or the root
    struct str label;
};
struct levels {
    struct level list[CHAIN_MAX + 1]; // the tenant first
    size_t n;
    const struct conf_tenant *tenant;
};

static void levels_make(struct show_walk *w, const struct conf_tenant *tenant, struct levels *levels) {
    *levels = (struct levels){.tenant = tenant};
    for (const struct conf_tenant *t = tenant; t && levels->n < CHAIN_MAX; t = t->up)
        levels->list[levels->n++] = (struct level){t, show_level_node(w->conf, t), show_level_label(t, w->arena)};
    levels->list[levels->n++] = (struct level){NULL, w->conf->root, STR("general")};
}

static const void *field_of(const struct show_walk *w, const struct level *l, const struct opt *opt) {
    return (l->tenant ? (const char *)l->tenant : (const char *)w->conf) + opt->offset;
}

// --- values that the nearest level decides ---

// What a level says of an option inside a section, and by which option it does: the general one has its own table.
static const struct conf_node *said(const struct level *l, const struct opt *section, const struct opt *opt,
                                    const struct opt **out_opt) {
    const struct opt *own = l->tenant ? section : opt_get(&conf_table, str_c(section->name));
    *out_opt = l->tenant ? opt : own ? opt_get(own->sub, str_c(opt->name)) : NULL;
    return *out_opt ? conf_node_get(conf_node_get(l->node, str_c(section->name)), str_c(opt->name)) : NULL;
}

// What levels above the one that won say.
static const struct show_lower *lower_of(struct show_walk *w, const struct levels *levels, size_t from,
                                         const struct opt *section, const struct opt *opt) {
    const struct show_lower *first = NULL;
    for (size_t i = levels->n; i-- > from;) {
        const struct opt *own;
        const struct conf_node *node = said(&levels->list[i], section, opt, &own);
        struct show_lower *lower = node ? ARENA_NEW(w->arena, struct show_lower) : NULL;
        if (!lower) continue;
        *lower = (struct show_lower){levels->list[i].label, own, node, first};
        first = lower;
    }
    return first;
}

// A tenant's time limits go before the provider's, which go before the general ones: those are no level of its own.
static size_t levels_for(const struct levels *levels, const struct opt *section) {
    return strcmp(section->name, "timeouts") == 0 ? levels->n - 1 : levels->n;
}

static void inherited_option(struct show_walk *w, const struct levels *levels, const struct opt *section,
                             const struct opt *opt, unsigned depth) {
    const struct conf_node *node = NULL;
    const struct opt *own;
    size_t i = 0, n = levels_for(levels, section), before = w->rows.n;
    while (i < n && conf_node_is_null(node = said(&levels->list[i], section, opt, &own))) i++;
    // The value is bound in the tenant, whoever set it.
    struct show_value v = {opt, (const char *)levels->tenant + section->offset + opt->offset, i < n ? node : NULL};
    bool unset = opt_is_unset(opt, v.field);
    if (i == n && unset && w->how->what != SHOW_EFFECTIVE) return;
    w->level = i < n ? levels->list[i].label : n == levels->n ? STR("general") : STR_NONE;
    w->rule = n == levels->n || i < n ? STR_NONE : STR("the provider's own");
    w->lower = i < n ? lower_of(w, levels, i + 1, section, opt) : NULL;
    w->force = true;
    show_option(w, v, depth, 2);
    // What no level states is the general default: nothing it follows from.
    if (i == n && n == levels->n && w->rows.n > before) w->rows.p[before].origin = FROM_DEFAULT;
    const struct opt *general = opt_get(&conf_table, str_c(section->name));
    general = general && n == levels->n ? opt_get(general->sub, str_c(opt->name)) : NULL;
    for (size_t k = before; general && k < w->rows.n; k++) show_default(w, &w->rows.p[k], general);
    w->force = false;
    w->rule = STR_NONE;
    w->lower = NULL;
}

static void inherited_section(struct show_walk *w, const struct levels *levels, const struct opt *section) {
    size_t first = w->rows.n;
    w->level = STR_NONE;
    show_section(w, section, str_c(section->name), NULL, 0);
    for (size_t i = 0; i < section->sub->n; i++) {
        const struct opt *opt = &section->sub->opts[i];
        size_t base = w->path.n;
        if (!show_key_wants(w, 1, str_c(opt->name))) continue;
        conf_path_put(&w->path, str_c(opt->name));
        inherited_option(w, levels, section, opt, 1);
        w->path.n = base;
    }
    if (w->rows.n == first + 1) w->rows.n = first;
    w->level = STR_NONE;
}

// Whether a level says anything: a word for "as what it lies in" is the first of its kind.
static bool speaks(const struct show_walk *w, const struct level *l, const struct opt *opt,
                   const struct conf_node **out_node) {
    *out_node = conf_node_get(l->node, str_c(opt->name));
    return !conf_node_is_null(*out_node) && (opt->type != OPT_ENUM || *(const int *)field_of(w, l, opt) != 0);
}

// What the innermost level says that says something. Of models every level narrows what those above it allow.
static void innermost(struct show_walk *w, const struct levels *levels, const struct opt *opt) {
    size_t i = 0, n = levels->n - 1;
    const struct conf_node *node = NULL;
    while (i < n && !speaks(w, &levels->list[i], opt, &node)) i++;
    if (i == n) return;
    const struct show_lower *first = NULL;
    for (size_t k = n; k-- > i + 1;) {
        const struct conf_node *above = conf_node_get(levels->list[k].node, str_c(opt->name));
        struct show_lower *lower = above ? ARENA_NEW(w->arena, struct show_lower) : NULL;
        if (!lower) continue;
        *lower = (struct show_lower){levels->list[k].label, opt, above, first};
        first = lower;
    }
    w->level = levels->list[i].label;
    w->lower = first;
    w->within = strcmp(opt->name, "allow_models") == 0;
    show_option(w, (struct show_value){opt, field_of(w, &levels->list[i], opt), node}, 0, 1);
    w->within = false;
    w->lower = NULL;
    w->level = STR_NONE;
}

// --- items that are joined ---

static struct str item_name(const struct opt *opt, struct opt_list list, size_t i) {
    return opt_text_at(opt_item_at(opt, list, i));
}

// What an item of the same name on a level above says in the value's place: the whole item goes before it.
static void row_lower(struct show_walk *w, const struct levels *levels, size_t from, struct show_row *row) {
    struct conf_path path;
    struct err err;
    if (!row->opt || row->section || from >= levels->n || !conf_path_parse(row->path, w->arena, &path, &err)) return;
    for (size_t i = levels->n; i-- > from;) {
        const struct level *level = &levels->list[i];
        const struct opt_table *table = level->tenant ? show_level_table(level->tenant->kind) : &conf_table;
        const struct conf_node *node = conf_tree_get(table, level->node, &path);
        struct show_lower *lower = node && node->kind == NODE_SCALAR ? ARENA_NEW(w->arena, struct show_lower) : NULL;
        if (!lower) continue;
        *lower = (struct show_lower){level->label, row->opt, node, row->lower};
        row->lower = lower;
    }
}

static void joined_item(struct show_walk *w, const struct levels *levels, size_t from, const struct opt *opt,
                        size_t i) {
    const struct level *level = &levels->list[from];
    const void *item = opt_item_at(opt, opt_list_at(field_of(w, level, opt)), i);
    const struct conf_node *node = opt_item_node(conf_node_get(level->node, str_c(opt->name)), i);
    size_t before = w->rows.n;
    w->level = level->label;
    if (opt->type == OPT_LIST)
        show_list_item(w, opt, i, item, node, 0, 1);
    else
        show_pair(w, opt, item, node, 1, 1);
    for (size_t k = before; k < w->rows.n; k++) row_lower(w, levels, from + 1, &w->rows.p[k]);
}

// What a level says of a price by name, or NULL.
static const void *price_at(const struct show_walk *w, const struct level *l, struct str name) {
    const struct map *map = l->tenant ? &l->tenant->price_map : &w->conf->price_map;
    const char *price = map->n ? map_get(map, name) : NULL;
    return price ? price - offsetof(struct conf_named_price, price) : NULL;
}

// Prices join amount by amount: each is the nearest level's that gives it.
static void joined_amount(struct show_walk *w, const struct levels *levels, size_t from, struct str name,
                          const struct opt *opt) {
    size_t l = from, before = w->rows.n;
    for (; l < levels->n; l++) {
        const char *item = price_at(w, &levels->list[l], name);
        if (item && !opt_is_unset(opt, item + opt->offset)) break;
    }
    if (l == levels->n) l = from;
    const struct level *level = &levels->list[l];
    const struct conf_node *node = conf_node_get(conf_node_get(level->node, STR("prices")), name);
    w->level = level->label;
    show_option(w,
                (struct show_value){opt, (const char *)price_at(w, level, name) + opt->offset,
                                    conf_node_get(node, str_c(opt->name))},
                2, 3);
    for (size_t k = before; k < w->rows.n; k++) row_lower(w, levels, l + 1, &w->rows.p[k]);
}

static void joined_price(struct show_walk *w, const struct levels *levels, size_t from, const struct opt *opt,
                         struct str name) {
    size_t base = w->path.n, first = w->rows.n;
    conf_path_put(&w->path, name);
    show_section(w, opt, name, NULL, 1);
    for (size_t i = 0; i < opt->sub->n; i++) {
        size_t item = w->path.n;
        if (!show_key_wants(w, 2, str_c(opt->sub->opts[i].name))) continue;
        conf_path_put(&w->path, str_c(opt->sub->opts[i].name));
        joined_amount(w, levels, from, name, &opt->sub->opts[i]);
        w->path.n = item;
    }
    if (w->rows.n == first + 1 && w->key.n <= 2) {
        struct show_row *row = &w->rows.p[first];
        row->section = false, row->yaml = row->json = STR("{}");
    } else if (w->rows.n == first + 1) {
        w->rows.n = first;
    }
    w->path.n = base;
}

// Of the same name the nearest level's.
static void joined_section(struct show_walk *w, const struct levels *levels, const struct opt *opt) {
    size_t first = w->rows.n;
    struct map seen;
    bool by_model = opt->type != OPT_STRUCT_MAP; // prices have names of their own
    map_init(&seen, (uint64_t)(uintptr_t)levels->tenant);
    w->level = STR_NONE;
    show_section(w, opt, str_c(opt->name), NULL, 0);
    for (size_t l = 0; l < levels->n; l++) {
        const struct level *level = &levels->list[l];
        const struct opt *own = level->tenant ? opt : opt_get(&conf_table, str_c(opt->name));
        struct opt_list list = opt_list_at(field_of(w, level, own));
        for (size_t i = 0; i < list.n; i++) {
            struct str name = item_name(own, list, i);
            bool wanted = show_key_wants(w, 1, name) && !map_get(&seen, name);
            if (!wanted || (by_model && !conf_tenant_allows(levels->tenant, name))) continue;
            if (!map_put(&seen, name, (void *)(l + 1))) w->failed = true;
            if (by_model)
                joined_item(w, levels, l, own, i);
            else
                joined_price(w, levels, l, own, name);
        }
    }
    if (w->rows.n == first + 1) w->rows.n = first;
    map_free(&seen);
    w->level = STR_NONE;
}

// `teams` and the like: nobody inherits them.
static bool is_level(const struct opt *opt) {
    return opt->sub == &team_table || opt->sub == &project_table || opt->sub == &key_table;
}

void show_tenant(struct show_walk *w, const struct conf_tenant *tenant) {
    struct levels levels;
    levels_make(w, tenant, &levels);
    const struct opt_table *table = show_level_table(tenant->kind);
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        size_t base = w->path.n;
        if (!show_key_wants(w, 0, str_c(opt->name))) continue;
        conf_path_put(&w->path, str_c(opt->name));
        if (opt->type == OPT_STRUCT) {
            inherited_section(w, &levels, opt);
        } else if (opt->type == OPT_STRS || opt->type == OPT_ENUM) {
            innermost(w, &levels, opt);
        } else if (opt->type == OPT_STR || is_level(opt)) {
            w->level = levels.list[0].label;
            show_option(w,
                        (struct show_value){opt, (const char *)tenant + opt->offset,
                                            conf_node_get(levels.list[0].node, str_c(opt->name))},
                        0, 1);
        } else {
            joined_section(w, &levels, opt);
        }
        w->path.n = base;
    }
}
