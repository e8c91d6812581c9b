// Finds whom a change touches: models, aliases, tenants and listeners.
#include "conf/change_impl.h"
#include "conf/path.h"

#define CHAIN_MAX 64 // aliases or tenants one above another; longer chains are refused when a configuration is loaded

struct names {
    VEC(struct str) list;
};

static int reach_cmp(const void *va, const void *vb) {
    const struct reach *a = va, *b = vb;
    int c = str_cmp(a->to, b->to);
    return c ? c : str_cmp(a->alias, b->alias);
}

static bool reaches_add(struct touching *t, const struct conf *c) {
    for (size_t i = 0; i < c->aliases.n; i++) {
        const struct opt_pair *at = &c->aliases.p[i];
        for (int steps = 0; at && steps < CHAIN_MAX; steps++) {
            if (!vec_push(&t->reaches, (struct reach){at->value, c->aliases.p[i].name})) return false;
            at = map_get(&c->alias_map, at->value);
        }
    }
    return true;
}

static int tenant_cmp(const void *va, const void *vb) {
    const struct touched_tenant *a = va, *b = vb;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    return str_cmp(a->name, b->name);
}

// "acme/ml"; a name that holds what tells names apart stands in quotes.
static struct str full_name(struct touching *t, const struct conf_tenant *level) {
    struct buf name = BUF_INIT(1024);
    if (level->kind == LEVEL_TENANT) return level->name;
    conf_path_put(&name, level->name);
    struct str full = arena_printf(t->arena, "%.*s/%.*s", STR_ARG(level->of->name), STR_ARG(buf_str(&name)));
    if (name.failed || !full.p) t->failed = true;
    buf_free(&name);
    return full;
}

static int allowed_cmp(const void *a, const void *b) {
    return str_cmp(((const struct allowed *)a)->model, ((const struct allowed *)b)->model);
}

// Tenants of the same name become one, and so do their levels.
static bool tenants_add(struct touching *t) {
    size_t kept = 0;
    for (size_t side = 0; side < ARRAY_LEN(t->sides); side++) {
        struct conf_level_at at = {0};
        for (const struct conf_tenant *tenant; (tenant = conf_level_next(t->sides[side], &at)) != NULL;) {
            struct touched_tenant row = {.kind = tenant->kind, .name = full_name(t, tenant)};
            row.of[side] = tenant;
            if (!vec_push(&t->tenants, row)) return false;
        }
    }
    if (t->tenants.n) qsort(t->tenants.p, t->tenants.n, sizeof *t->tenants.p, tenant_cmp);
    for (size_t i = 0; i < t->tenants.n; i++) {
        const struct touched_tenant *row = &t->tenants.p[i];
        if (!kept || tenant_cmp(&t->tenants.p[kept - 1], row) != 0) t->tenants.p[kept++] = *row;
        for (size_t side = 0; side < ARRAY_LEN(row->of); side++)
            if (row->of[side]) t->tenants.p[kept - 1].of[side] = row->of[side];
    }
    t->tenants.n = kept;
    return true;
}

// What a tenant lists is found by the model's name; the nearest level that has a list says enough.
static bool allowed_add(struct touching *t, size_t at, const struct conf_tenant *tenant) {
    const struct conf_tenant *level = tenant;
    for (int steps = 0; level && !level->allow_models.n && steps < CHAIN_MAX; steps++) level = level->up;
    if (!level) t->tenants.p[at].open = true;
    for (size_t i = 0; level && i < level->allow_models.n; i++) {
        struct str model = level->allow_models.p[i];
        if (str_ends(model, STR("*")))
            t->tenants.p[at].open = true;
        else if (!vec_push(&t->allowed, (struct allowed){model, at}))
            return false;
    }
    return true;
}

void touching_init(struct touching *t, const struct conf *a, const struct conf *b, struct arena *arena) {
    *t = (struct touching){.sides = {a, b}, .arena = arena};
    t->failed = !reaches_add(t, a) || !reaches_add(t, b) || !tenants_add(t);
    for (size_t i = 0; !t->failed && i < t->tenants.n; i++)
        for (size_t side = 0; side < ARRAY_LEN(t->sides); side++)
            if (t->tenants.p[i].of[side] && !allowed_add(t, i, t->tenants.p[i].of[side])) t->failed = true;
    if (t->reaches.n) qsort(t->reaches.p, t->reaches.n, sizeof *t->reaches.p, reach_cmp);
    if (t->allowed.n) qsort(t->allowed.p, t->allowed.n, sizeof *t->allowed.p, allowed_cmp);
}

void touching_free(struct touching *t) {
    vec_free(&t->reaches);
    vec_free(&t->tenants);
    vec_free(&t->allowed);
}

// --- sets of names ---

static void names_add(struct touching *t, struct names *names, struct str name) {
    if (name.n && !vec_push(&names->list, name)) t->failed = true;
}

static int name_cmp(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

static void names_sort(struct names *names) {
    size_t kept = 0;
    if (names->list.n) qsort(names->list.p, names->list.n, sizeof *names->list.p, name_cmp);
    for (size_t i = 0; i < names->list.n; i++)
        if (!kept || !str_eq(names->list.p[kept - 1], names->list.p[i])) names->list.p[kept++] = names->list.p[i];
    names->list.n = kept;
}

static struct str names_text(struct touching *t, const struct names *names) {
    BUF_AUTO struct buf text = BUF_INIT((size_t)16 << 20);
    for (size_t i = 0; i < names->list.n; i++) {
        if (i) buf_lit(&text, ", ");
        buf_put(&text, names->list.p[i]);
    }
    struct str kept = arena_str(t->arena, buf_str(&text));
    if (text.failed || (text.n && !kept.p)) t->failed = true;
    return kept;
}

// Whether a name or beginning ("gpt-*") can mean the same as another.
static bool patterns_meet(struct str a, struct str b) {
    bool open_a = str_ends(a, STR("*")), open_b = str_ends(b, STR("*"));
    struct str x = open_a ? str_head(a, a.n - 1) : a, y = open_b ? str_head(b, b.n - 1) : b;
    if (open_a && str_starts(y, x)) return true;
    if (open_b && str_starts(x, y)) return true;
    return !open_a && !open_b && str_eq(x, y);
}

// --- models, aliases ---

// The first pair whose `to` is not before the name.
static size_t reach_lower(const struct touching *t, struct str to) {
    size_t low = 0, high = t->reaches.n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (str_cmp(t->reaches.p[mid].to, to) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// Aliases that lead to any of the models; a model may be "provider/*".
static void aliases_to(struct touching *t, const struct names *models, struct names *aliases) {
    for (size_t i = 0; i < models->list.n; i++) {
        struct str name = models->list.p[i];
        bool open = str_ends(name, STR("/*"));
        if (open) name.n--;
        for (size_t k = reach_lower(t, name); k < t->reaches.n; k++) {
            struct str to = t->reaches.p[k].to;
            if (open ? !str_starts(to, name) : !str_eq(to, name)) break;
            names_add(t, aliases, t->reaches.p[k].alias);
        }
    }
}

static bool uses_provider(const struct conf_model *m, struct str provider) {
    for (size_t i = 0; i < m->targets.n; i++)
        if (str_eq(m->targets.p[i].provider, provider)) return true;
    return false;
}

static void models_of_provider(struct touching *t, const struct conf *c, struct str provider, struct names *models) {
    for (size_t i = 0; i < c->models.n; i++)
        if (uses_provider(&c->models.p[i], provider)) names_add(t, models, c->models.p[i].name);
    if (!c->passthrough_models || !conf_provider_find(c, provider)) return;
    names_add(t, models, arena_printf(t->arena, "%.*s/*", STR_ARG(provider)));
}

// A price's name is a model's, or "provider/model" for what targets and callers name so.
static void models_of_price(struct touching *t, const struct conf *c, struct str name, struct names *models) {
    size_t slash = str_find_char(name, '/');
    names_add(t, models, name);
    for (size_t i = 0; i < c->models.n; i++) {
        const struct conf_model *m = &c->models.p[i];
        for (size_t k = 0; k < m->targets.n; k++) {
            const struct conf_target *g = &m->targets.p[k];
            bool exact = slash < name.n && str_eq(g->provider, str_head(name, slash)) &&
                         str_eq(g->model, str_from(name, slash + 1));
            if (exact || str_eq(g->model, name)) names_add(t, models, m->name);
        }
    }
}

// --- tenants ---

static bool level_allows(const struct conf_tenant *level, struct str name) {
    for (size_t i = 0; i < level->allow_models.n; i++)
        if (patterns_meet(level->allow_models.p[i], name)) return true;
    return !level->allow_models.n;
}

static bool has_own(const struct conf_tenant *level, struct str name) {
    for (size_t i = 0; i < level->models.n; i++)
        if (str_eq(level->models.p[i].name, name)) return true;
    return false;
}

// Whether the name is the general model for it: allowed on every level, and not one of its own.
static bool may_use(const struct conf_tenant *tenant, struct str name) {
    int steps = 0;
    for (const struct conf_tenant *level = tenant; level && steps < CHAIN_MAX; level = level->up, steps++)
        if (!level_allows(level, name) || has_own(level, name)) return false;
    return true;
}

static void tenant_try(struct touched_tenant *row, struct str name) {
    for (size_t side = 0; !row->touched && side < ARRAY_LEN(row->of); side++)
        row->touched = row->of[side] && may_use(row->of[side], name);
}

// Tenants that may use the name; those that list names and not this one are passed over unseen.
static void tenants_try(struct touching *t, struct str name) {
    bool open = str_ends(name, STR("*"));
    size_t low = 0, high = t->allowed.n;
    for (size_t i = 0; i < t->tenants.n; i++)
        if (open || t->tenants.p[i].open) tenant_try(&t->tenants.p[i], name);
    while (!open && low < high) {
        size_t mid = (low + high) / 2;
        if (str_cmp(t->allowed.p[mid].model, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; !open && low < t->allowed.n && str_eq(t->allowed.p[low].model, name); low++)
        tenant_try(&t->tenants.p[t->allowed.p[low].tenant], name);
}

static bool own_model_uses(const struct conf_tenant *tenant, struct str provider) {
    int steps = 0;
    for (const struct conf_tenant *level = tenant; level && steps < CHAIN_MAX; level = level->up, steps++)
        for (size_t i = 0; i < level->models.n; i++)
            if (uses_provider(&level->models.p[i], provider)) return true;
    return false;
}

static bool is_below(const struct conf_tenant *tenant, const struct touched_place *at) {
    struct str name = at->kind == LEVEL_TENANT ? at->item : at->level;
    int steps = 0;
    for (const struct conf_tenant *level = tenant; level && steps < CHAIN_MAX; level = level->up, steps++)
        if (level->kind == at->kind && str_eq(level->name, name) && str_eq(level->of->name, at->item)) return true;
    return false;
}

static void tenants_of_models(struct touching *t, const struct names *models, const struct names *aliases,
                              struct str provider) {
    for (size_t i = 0; i < models->list.n; i++) tenants_try(t, models->list.p[i]);
    for (size_t i = 0; i < aliases->list.n; i++) tenants_try(t, aliases->list.p[i]);
    for (size_t i = 0; provider.n && i < t->tenants.n; i++) {
        struct touched_tenant *row = &t->tenants.p[i];
        for (size_t side = 0; !row->touched && side < ARRAY_LEN(row->of); side++)
            row->touched = row->of[side] && own_model_uses(row->of[side], provider);
    }
}

static struct str tenants_text(struct touching *t, enum conf_level_kind kind) {
    struct str *last = &t->last[kind];
    BUF_AUTO struct buf text = BUF_INIT((size_t)16 << 20);
    for (size_t i = 0; i < t->tenants.n; i++) {
        if (!t->tenants.p[i].touched || t->tenants.p[i].kind != kind) continue;
        if (text.n) buf_lit(&text, ", ");
        buf_put(&text, t->tenants.p[i].name);
        t->tenants.p[i].touched = false;
    }
    if (str_eq(buf_str(&text), *last)) return *last;
    *last = arena_str(t->arena, buf_str(&text));
    if (text.failed || (text.n && !last->p)) t->failed = true;
    return *last;
}

// --- all of it ---

struct touched {
    struct names models, aliases, listeners;
};

enum section {
    SECTION_NOBODY, // nobody in particular
    SECTION_ALL,
    SECTION_PROVIDERS,
    SECTION_MODELS,
    SECTION_ALIASES,
    SECTION_PRICES,
    SECTION_TENANTS,
    SECTION_LISTENERS,
};

static enum section section_of(const struct opt *opt) {
    static const struct {
        const char *name;
        enum section section;
    } rows[] = {
        {"providers", SECTION_PROVIDERS}, {"models", SECTION_MODELS},   {"aliases", SECTION_ALIASES},
        {"prices", SECTION_PRICES},       {"tenants", SECTION_TENANTS}, {"listeners", SECTION_LISTENERS},
        {"limits", SECTION_ALL},          {"timeouts", SECTION_ALL},    {"auth", SECTION_ALL},
        {"server", SECTION_ALL},          {"cors", SECTION_ALL},        {"passthrough_models", SECTION_ALL},
        {"catalog", SECTION_ALL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, opt->name) == 0) return rows[i].section;
    return SECTION_NOBODY;
}

static void find_models(struct touching *t, enum section section, struct str item, struct touched *w) {
    for (size_t side = 0; side < ARRAY_LEN(t->sides); side++) {
        if (section == SECTION_PROVIDERS) models_of_provider(t, t->sides[side], item, &w->models);
        if (section == SECTION_PRICES) models_of_price(t, t->sides[side], item, &w->models);
    }
    if (section == SECTION_MODELS) names_add(t, &w->models, item);
    names_sort(&w->models);
    aliases_to(t, &w->models, &w->aliases);
    if (section == SECTION_ALIASES) {
        struct names self = {0};
        names_add(t, &self, item);
        names_add(t, &w->aliases, item);
        aliases_to(t, &self, &w->aliases);
        vec_free(&self.list);
    }
    names_sort(&w->aliases);
    tenants_of_models(t, &w->models, &w->aliases, section == SECTION_PROVIDERS ? item : STR_NONE);
}

static void find_tenants(struct touching *t, const struct touched_place *at) {
    for (size_t i = 0; i < t->tenants.n; i++) {
        struct touched_tenant *row = &t->tenants.p[i];
        for (size_t side = 0; !row->touched && side < ARRAY_LEN(row->of); side++)
            row->touched = row->of[side] && is_below(row->of[side], at);
    }
}

void touching_find(struct touching *t, const struct touched_place *at, struct conf_change *out) {
    enum section section = section_of(at->section);
    struct str item = at->item;
    struct touched w = {0};
    bool of_models = section >= SECTION_PROVIDERS && section <= SECTION_PRICES;
    if (of_models && item.n) find_models(t, section, item, &w);
    if (section == SECTION_TENANTS && item.n) find_tenants(t, at);
    if (section == SECTION_LISTENERS) names_add(t, &w.listeners, item);
    out->all = section == SECTION_ALL || (section > SECTION_ALL && !item.n);
    out->models = names_text(t, &w.models);
    out->aliases = names_text(t, &w.aliases);
    out->tenants = tenants_text(t, LEVEL_TENANT);
    out->teams = tenants_text(t, LEVEL_TEAM);
    out->projects = tenants_text(t, LEVEL_PROJECT);
    out->keys = tenants_text(t, LEVEL_KEY);
    out->listeners = names_text(t, &w.listeners);
    vec_free(&w.models.list);
    vec_free(&w.aliases.list);
    vec_free(&w.listeners.list);
}
