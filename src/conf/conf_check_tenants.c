// The rules for tenants: parents exist, nothing is wider than what it is taken from, names lead somewhere; what is not
// set is filled in from the parent.
#include "conf/conf_impl.h"
#include "conf/value.h"

#include "base/mem.h"

#define WHERE_MAX 80 // "tenants[19999].projects[9999]"

static size_t index_of(const struct conf *c, const struct conf_tenant *t) { return (size_t)(t - c->tenants.p); }

// Where a level stands: a tenant, or a list of one.
static struct opt_list siblings(const struct conf *c, const struct conf_tenant *t) {
    const struct conf_tenant *of = t->of;
    switch (t->kind) {
    case LEVEL_TEAM:
        return (struct opt_list){of->teams.p, of->teams.n};
    case LEVEL_PROJECT:
        return (struct opt_list){of->projects.p, of->projects.n};
    case LEVEL_KEY:
        return (struct opt_list){of->keys.p, of->keys.n};
    case LEVEL_TENANT:
    case LEVEL_KIND_COUNT:
        break;
    }
    return (struct opt_list){c->tenants.p, c->tenants.n};
}

struct where {
    char text[WHERE_MAX]; // "tenants[3].teams[0]"
};
static struct where where_of(const struct conf *c, const struct conf_tenant *t) {
    struct where w;
    struct opt_list list = siblings(c, t);
    size_t at = (size_t)(t - (const struct conf_tenant *)list.p);
    if (t->kind == LEVEL_TENANT)
        snprintf(w.text, sizeof w.text, "tenants[%zu]", at);
    else
        snprintf(w.text, sizeof w.text, "tenants[%zu].%ss[%zu]", index_of(c, t->of), conf_level_word(t->kind), at);
    return w;
}

// --- names and parents ---

static void index_level(struct opt_bind *b, struct conf *c, struct conf_tenant *t, struct map *names) {
    const struct conf_tenant *old = t->name.n ? map_get(names, t->name) : NULL;
    struct map *maps[] = {&t->model_map, &t->alias_map, &t->price_map, &t->team_map, &t->project_map, &t->key_map};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) map_init(maps[i], c->model_map.seed);
    if (old)
        conf_complain(b, CONF_ERROR, &t->name, t, "%s: the name \"%.*s\" is taken by %s at line %u",
                      where_of(c, t).text, STR_ARG(t->name), where_of(c, old).text, conf_line_of(b, &old->name));
    else if (t->name.n)
        conf_index_put(b, names, t->name, t);
}

static void index_list(struct opt_bind *b, struct conf *c, struct conf_tenant *of, enum conf_level_kind kind,
                       struct conf_tenant *list, size_t n, struct map *names) {
    for (size_t i = 0; i < n; i++) {
        list[i].kind = kind;
        list[i].of = of;
        list[i].up = of;
        index_level(b, c, &list[i], names);
    }
}

static void index_tenants(struct opt_bind *b, struct conf *c) {
    for (size_t i = 0; i < c->tenants.n; i++) {
        struct conf_tenant *t = &c->tenants.p[i];
        t->of = t;
        index_level(b, c, t, &c->tenant_map);
        index_list(b, c, t, LEVEL_TEAM, t->teams.p, t->teams.n, &t->team_map);
        index_list(b, c, t, LEVEL_PROJECT, t->projects.p, t->projects.n, &t->project_map);
        index_list(b, c, t, LEVEL_KEY, t->keys.p, t->keys.n, &t->key_map);
    }
}

static struct str nearest_tenant(const struct opt_bind *b, const struct conf *c, const struct conf_tenant *t) {
    struct str names[CONF_SUGGEST_MAX];
    size_t n = 0;
    if (!conf_may_suggest(b)) return STR_NONE;
    for (size_t i = 0; i < c->tenants.n && n < CONF_SUGGEST_MAX; i++)
        if (&c->tenants.p[i] != t) names[n++] = c->tenants.p[i].name;
    return opt_nearest(t->parent, names, n);
}

static void find_parent(struct opt_bind *b, struct conf *c, struct conf_tenant *t) {
    if (!t->parent.n) return;
    t->up = conf_tenant_find(c, t->parent);
    if (t->up) return;
    struct str near = nearest_tenant(b, c, t);
    conf_complain(b, CONF_ERROR, &t->parent, t, "tenants[%zu].parent: there is no tenant \"%.*s\"%s%.*s%s",
                  index_of(c, t), STR_ARG(t->parent), near.n ? "; did you mean \"" : "", STR_ARG(near),
                  near.n ? "\"?" : "; leave it out to inherit the general configuration");
}

// Said once, at its first tenant in the file, where the circle is then cut so that all chains end.
static void cut_circle(struct opt_bind *b, struct conf *c, const struct conf_tenant *in_circle) {
    const struct conf_tenant *first = in_circle, *t = in_circle->up;
    for (; t != in_circle; t = t->up)
        if (t < first) first = t;
    struct conf_tenant *at = &c->tenants.p[index_of(c, first)];
    conf_complain(b, CONF_ERROR, &at->parent, at,
                  "tenants[%zu].parent: \"%.*s\" comes to be its own parent (%.*s → %.*s%s); one of them must inherit "
                  "from elsewhere",
                  index_of(c, at), STR_ARG(at->name), STR_ARG(at->name), STR_ARG(at->parent),
                  at->up != at ? " → …" : "");
    at->up = NULL;
}

// Each tenant is walked over once: `seen` is the number of the walk that came by.
static void check_circles(struct opt_bind *b, struct conf *c, size_t *seen) {
    for (size_t i = 0; i < c->tenants.n; i++) {
        const struct conf_tenant *t = &c->tenants.p[i];
        for (; t && !seen[index_of(c, t)]; t = t->up) seen[index_of(c, t)] = i + 1;
        if (t && seen[index_of(c, t)] == i + 1) cut_circle(b, c, t);
    }
}

// Said for the first that is too deep; those below it then have their depth from there.
static void check_depth(struct opt_bind *b, struct conf *c, struct conf_tenant *t) {
    size_t depth = 0;
    const struct conf_tenant *up = t;
    for (; up && depth <= CONF_TENANT_DEPTH; up = up->up) depth++;
    if (up || depth <= CONF_TENANT_DEPTH) return;
    conf_complain(b, CONF_ERROR, &t->parent, t,
                  "tenants[%zu].parent: \"%.*s\" has %d tenants above it; a chain may have %d with it", index_of(c, t),
                  STR_ARG(t->name), CONF_TENANT_DEPTH, CONF_TENANT_DEPTH);
    t->up = NULL;
}

// --- teams, projects, keys ---

static struct str nearest_level(const struct opt_bind *b, struct str name, const struct conf_tenant *list, size_t n) {
    struct str names[CONF_SUGGEST_MAX];
    if (!conf_may_suggest(b)) return STR_NONE;
    n = MIN(n, (size_t)CONF_SUGGEST_MAX);
    for (size_t i = 0; i < n; i++) names[i] = list[i].name;
    return opt_nearest(name, names, n);
}

// The team or project that a level says it lies in; NULL when it says none, or there is none, which is said.
static const struct conf_tenant *find_outer(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t,
                                            const struct str *name, enum conf_level_kind kind) {
    const struct conf_tenant *found = conf_level_find(t->of, kind, *name);
    const char *word = conf_level_word(kind);
    if (found || !name->n) return found;
    bool team = kind == LEVEL_TEAM;
    struct str near =
        nearest_level(b, *name, team ? t->of->teams.p : t->of->projects.p, team ? t->of->teams.n : t->of->projects.n);
    char instead[WHERE_MAX + 40];
    snprintf(instead, sizeof instead, "; add it under tenants[%zu].%ss", index_of(c, t->of), word);
    conf_complain(b, CONF_ERROR, name, t, "%s.%s: tenant \"%.*s\" has no %s \"%.*s\" here%s%.*s%s", where_of(c, t).text,
                  word, STR_ARG(t->of->name), word, STR_ARG(*name), near.n ? "; did you mean \"" : "", STR_ARG(near),
                  near.n ? "\"?" : instead);
    return NULL;
}

static void check_key_team(struct opt_bind *b, const struct conf *c, const struct conf_tenant *key,
                           const struct conf_tenant *project) {
    if (str_eq(project->team, key->team)) return;
    conf_complain(b, CONF_ERROR, &key->team, key,
                  "%s.team: project \"%.*s\" is of %s%.*s%s, not of \"%.*s\"; leave it out, or correct %s.team",
                  where_of(c, key).text, STR_ARG(project->name), project->team.n ? "team \"" : "no team",
                  STR_ARG(project->team), project->team.n ? "\"" : "", STR_ARG(key->team), where_of(c, project).text);
}

// Teams lie in their tenant, projects in a team, keys in a project: no circle can be written.
static void find_outers(struct opt_bind *b, const struct conf *c, struct conf_tenant *tenant) {
    for (size_t i = 0; i < tenant->projects.n; i++) {
        struct conf_tenant *p = &tenant->projects.p[i];
        const struct conf_tenant *team = find_outer(b, c, p, &p->team, LEVEL_TEAM);
        if (team) p->up = team;
    }
    for (size_t i = 0; i < tenant->keys.n; i++) {
        struct conf_tenant *k = &tenant->keys.p[i];
        const struct conf_tenant *project = find_outer(b, c, k, &k->project, LEVEL_PROJECT);
        const struct conf_tenant *team = find_outer(b, c, k, &k->team, LEVEL_TEAM);
        if (project && team) check_key_team(b, c, k, project);
        if (project)
            k->up = project;
        else if (team)
            k->up = team;
    }
}

static bool check_parents(struct opt_bind *b, struct conf *c) {
    size_t before = b->problems->errors;
    size_t *seen = mem_zalloc(c->tenants.n, sizeof *seen);
    if (!seen) {
        b->failed = true;
        return false;
    }
    for (size_t i = 0; i < c->tenants.n; i++) find_parent(b, c, &c->tenants.p[i]);
    check_circles(b, c, seen);
    mem_free(seen);
    for (size_t i = 0; i < c->tenants.n; i++) check_depth(b, c, &c->tenants.p[i]);
    for (size_t i = 0; i < c->tenants.n; i++) find_outers(b, c, &c->tenants.p[i]);
    return b->problems->errors == before;
}

// --- limits, timeouts ---

struct scalar {
    const char *name;
    size_t own, general; // offsets in conf_tenant and conf
};
#define SCALAR(section, field)                                                                                         \
    { #section "." #field, offsetof(struct conf_tenant, section.field), offsetof(struct conf, section.field) }
static const struct scalar k_limits[] = {SCALAR(limits, max_body), SCALAR(limits, max_response)};
static const struct scalar k_timeouts[] = {SCALAR(timeouts, connect), SCALAR(timeouts, first_byte),
                                           SCALAR(timeouts, idle), SCALAR(timeouts, total)};

static const int64_t *value_of(const struct conf_tenant *t, const struct scalar *s) {
    return (const int64_t *)(const void *)((const char *)t + s->own);
}

// The nearest tenant from t upwards that sets it, or NULL. Asked before and after values are filled in: the value is
// the same.
static const struct conf_tenant *setter(const struct conf_tenant *t, const struct scalar *s) {
    while (t && *value_of(t, s) == OPT_UNSET) t = t->up;
    return t;
}

static void check_limit(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t, const struct scalar *s) {
    const struct conf_tenant *above = setter(t->up, s);
    const int64_t *own = value_of(t, s);
    const int64_t *most = above ? value_of(above, s) : (const int64_t *)(const void *)((const char *)c + s->general);
    if (*own == OPT_UNSET || *own <= *most) return;
    BUF_AUTO struct buf a = BUF_INIT(64), z = BUF_INIT(64);
    char of[240], place[32];
    value_put_size(&a, *own);
    value_put_size(&z, *most);
    unsigned line = conf_line_of(b, most);
    snprintf(place, sizeof place, line ? " at line %u" : " (a default)", line);
    if (above)
        snprintf(of, sizeof of, "%s.%s of \"%.*s\"", where_of(c, above).text, s->name,
                 STR_ARG(str_head(above->name, 100)));
    else
        snprintf(of, sizeof of, "the general %s", s->name);
    conf_complain(b, CONF_ERROR, own, t, "%s.%s: %.*s is above %s%s, which is %.*s: lower it or raise that",
                  where_of(c, t).text, s->name, STR_ARG(buf_str(&a)), of, place, STR_ARG(buf_str(&z)));
}

// As for providers: first_byte and idle lie within total, where both are set in the chain.
static void check_wait(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t, const struct scalar *part,
                       const struct scalar *total) {
    const struct conf_tenant *p = setter(t, part), *w = setter(t, total);
    if (!p || !w || (p != t && w != t)) return;
    const int64_t *short_one = value_of(p, part), *long_one = value_of(w, total);
    if (*short_one <= *long_one) return;
    BUF_AUTO struct buf a = BUF_INIT(64), z = BUF_INIT(64);
    value_put_duration(&a, *short_one);
    value_put_duration(&z, *long_one);
    conf_complain(b, CONF_ERROR, p == t ? short_one : long_one, t,
                  "%s.%s is %.*s, but %s.%s at line %u ends every call after %.*s: lower the one or raise the other",
                  where_of(c, p).text, part->name, STR_ARG(buf_str(&a)), where_of(c, w).text, total->name,
                  conf_line_of(b, long_one), STR_ARG(buf_str(&z)));
}

static void check_regions(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t) {
    for (size_t i = 0; t->regions.n > 1 && i < t->regions.n; i++)
        if (str_eq(t->regions.p[i], STR(CONF_REGION_ANY)))
            conf_complain(b, CONF_ERROR, &t->regions.p[i], &t->regions,
                          "%s.regions: " CONF_REGION_ANY " stands alone, for everywhere", where_of(c, t).text);
}

static void check_scalars(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t) {
    for (size_t i = 0; i < ARRAY_LEN(k_limits); i++) check_limit(b, c, t, &k_limits[i]);
    check_regions(b, c, t);
    conf_check_private_when(b, where_of(c, t).text, t->private_when.p, t->private_when.n, &t->private_when);
    check_wait(b, c, t, &k_timeouts[1], &k_timeouts[3]);
    check_wait(b, c, t, &k_timeouts[2], &k_timeouts[3]);
}

static int64_t inherited(const struct conf_tenant *t, const struct scalar *s, int64_t otherwise) {
    const struct conf_tenant *from = setter(t, s);
    return from ? *value_of(from, s) : otherwise;
}

static void fill(struct conf *c, struct conf_tenant *t) {
    t->own.limits = t->limits;
    t->own.timeouts = t->timeouts;
    t->own.branding = t->branding;
    t->limits.max_body = inherited(t, &k_limits[0], c->limits.max_body);
    t->limits.max_response = inherited(t, &k_limits[1], c->limits.max_response);
    t->timeouts.connect = inherited(t, &k_timeouts[0], OPT_UNSET);
    t->timeouts.first_byte = inherited(t, &k_timeouts[1], OPT_UNSET);
    t->timeouts.idle = inherited(t, &k_timeouts[2], OPT_UNSET);
    t->timeouts.total = inherited(t, &k_timeouts[3], OPT_UNSET);
    for (const struct conf_tenant *up = t->up; up && !t->branding.name.n; up = up->up)
        t->branding.name = up->branding.name;
    for (const struct conf_tenant *up = t->up; up && !t->branding.support.n; up = up->up)
        t->branding.support = up->branding.support;
}

// --- models ---

static struct conf_level level_of(struct conf_tenant *t, const char *where) {
    return (struct conf_level){.tenant = t,
                               .where = where,
                               .models = t->models.p,
                               .n_models = t->models.n,
                               .aliases = t->aliases.p,
                               .n_aliases = t->aliases.n,
                               .model_map = &t->model_map,
                               .alias_map = &t->alias_map};
}

static struct where dotted(const struct conf *c, const struct conf_tenant *t) {
    struct where w = where_of(c, t);
    size_t n = strlen(w.text);
    if (n + 1 < sizeof w.text) memcpy(w.text + n, ".", 2);
    return w;
}

static void index_names(struct opt_bind *b, struct conf *c, struct conf_tenant *t) {
    struct where where = dotted(c, t);
    struct conf_level level = level_of(t, where.text);
    conf_index_level(b, &level);
    for (size_t i = 0; i < t->prices.n; i++)
        conf_index_put(b, &t->price_map, t->prices.p[i].name, &t->prices.p[i].price);
    conf_check_prices(b, t->prices.p, t->prices.n, where.text);
}

static void check_usable(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t, const void *at,
                         struct str name) {
    const struct conf_tenant *by = conf_tenant_refuser(t, name);
    if (!by) return;
    conf_complain(b, CONF_WARNING, at, t, "%s: %s own \"%.*s\": allow_models of \"%.*s\" leaves it out",
                  where_of(c, t).text, t->kind == LEVEL_KEY ? "it can't use its" : "its keys can't use its",
                  STR_ARG(name), STR_ARG(by->name));
}

static void check_names(struct opt_bind *b, struct conf *c, struct conf_tenant *t) {
    struct where where = dotted(c, t);
    struct conf_level level = level_of(t, where.text);
    conf_check_level(b, c, &level);
    for (size_t i = 0; i < t->models.n; i++) check_usable(b, c, t, &t->models.p[i].name, t->models.p[i].name);
    for (size_t i = 0; i < t->aliases.n; i++) check_usable(b, c, t, &t->aliases.p[i], t->aliases.p[i].name);
}

// --- allow_models ---

// All names there are, in order: by whose they are (NULL = general), then by name.
struct owned_name {
    const struct conf_tenant *owner;
    struct str name;
};
struct owned_names {
    struct owned_name *p;
    size_t n;
};

static int name_cmp(const void *a, const void *b) {
    const struct owned_name *x = a, *y = b;
    if (x->owner != y->owner) return (uintptr_t)x->owner < (uintptr_t)y->owner ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static void names_add(struct owned_names *names, const struct conf_tenant *owner, const struct conf_model *models,
                      size_t n_models, const struct opt_pair *aliases, size_t n_aliases) {
    for (size_t i = 0; i < n_models; i++) names->p[names->n++] = (struct owned_name){owner, models[i].name};
    for (size_t i = 0; i < n_aliases; i++) names->p[names->n++] = (struct owned_name){owner, aliases[i].name};
}

static bool names_gather(const struct conf *c, struct owned_names *out) {
    size_t n = c->models.n + c->aliases.n;
    struct conf_level_at at = {0};
    for (const struct conf_tenant *t; (t = conf_level_next(c, &at)) != NULL;) n += t->models.n + t->aliases.n;
    *out = (struct owned_names){.p = mem_zalloc(n + 1, sizeof *out->p)};
    if (!out->p) return false;
    names_add(out, NULL, c->models.p, c->models.n, c->aliases.p, c->aliases.n);
    at = (struct conf_level_at){0};
    for (const struct conf_tenant *t; (t = conf_level_next(c, &at)) != NULL;)
        names_add(out, t, t->models.p, t->models.n, t->aliases.p, t->aliases.n);
    qsort(out->p, out->n, sizeof *out->p, name_cmp);
    return true;
}

static bool owner_has(const struct owned_names *names, const struct conf_tenant *owner, struct str pattern) {
    size_t star = str_find_char(pattern, '*');
    struct owned_name wanted = {owner, str_head(pattern, star)};
    size_t low = 0, high = names->n; // the first that is not before it
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (name_cmp(&names->p[mid], &wanted) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < names->n && names->p[low].owner == owner && conf_pattern_matches(pattern, names->p[low].name);
}

// What a level allows may be a model that only its teams, projects or keys have.
static bool below_has(const struct conf *c, const struct owned_names *names, const struct conf_tenant *t,
                      struct str pattern) {
    struct conf_level_at at = {.tenant = index_of(c, t->of)};
    for (const struct conf_tenant *below; (below = conf_level_next(c, &at)) != NULL && below->of == t->of;) {
        const struct conf_tenant *up = below;
        while (up && up != t) up = up->up;
        if (up && owner_has(names, below, pattern)) return true;
    }
    return false;
}

static void check_pattern(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t,
                          const struct owned_names *names, size_t i) {
    struct str pattern = t->allow_models.p[i];
    bool found = !pattern.n || owner_has(names, NULL, pattern); // empty: it was refused
    for (const struct conf_tenant *up = t; up && !found; up = up->up) found = owner_has(names, up, pattern);
    found = found || below_has(c, names, t, pattern);
    if (!found)
        conf_complain(b, CONF_WARNING, &t->allow_models.p[i], &t->allow_models,
                      "%s.allow_models[%zu]: \"%.*s\" is no model that is configured, and passthrough_models is off",
                      where_of(c, t).text, i, STR_ARG(pattern));
}

// Where any name may be passed to a provider, none of them is known to mean nothing.
static void check_allowed(struct opt_bind *b, const struct conf *c) {
    struct owned_names names;
    if (c->passthrough_models) return;
    if (!names_gather(c, &names)) {
        b->failed = true;
        return;
    }
    struct conf_level_at at = {0};
    for (const struct conf_tenant *t; (t = conf_level_next(c, &at)) != NULL;)
        for (size_t k = 0; k < t->allow_models.n; k++) check_pattern(b, c, t, &names, k);
    mem_free(names.p);
}

void conf_check_tenants(struct opt_bind *b, struct conf *c) {
    struct conf_level_at at = {0};
    struct conf_tenant *t;
    if (c->tenants.n == 0) return;
    index_tenants(b, c);
    bool chained = !b->failed && check_parents(b, c);
    while (!b->failed && (t = conf_level_next(c, &at)) != NULL) index_names(b, c, t);
    if (!chained || b->failed) return; // what is inherited is not known
    for (at = (struct conf_level_at){0}; (t = conf_level_next(c, &at)) != NULL;) check_scalars(b, c, t);
    for (at = (struct conf_level_at){0}; (t = conf_level_next(c, &at)) != NULL;) fill(c, t);
    for (at = (struct conf_level_at){0}; (t = conf_level_next(c, &at)) != NULL;) check_names(b, c, t);
    check_allowed(b, c);
}
