// The rules for tenants: parents exist, nothing is wider than what it is taken from, names lead somewhere; what is not
// set is filled in from the parent.
#include "conf/conf_impl.h"
#include "conf/value.h"

#include "base/mem.h"

#define WHERE_MAX 40 // "tenants[19999]."

static size_t index_of(const struct conf *c, const struct conf_tenant *t) { return (size_t)(t - c->tenants.p); }

static void put_where(char out[WHERE_MAX], const struct conf *c, const struct conf_tenant *t) {
    snprintf(out, WHERE_MAX, "tenants[%zu].", index_of(c, t));
}

// --- names and parents ---

static void index_tenants(struct opt_bind *b, struct conf *c) {
    for (size_t i = 0; i < c->tenants.n; i++) {
        struct conf_tenant *t = &c->tenants.p[i];
        const struct conf_tenant *old = t->name.n ? conf_tenant_find(c, t->name) : NULL;
        map_init(&t->model_map, c->model_map.seed);
        map_init(&t->alias_map, c->alias_map.seed);
        map_init(&t->price_map, c->price_map.seed);
        if (old)
            conf_complain(b, CONF_ERROR, &t->name, t,
                          "tenants[%zu]: the name \"%.*s\" is taken by tenants[%zu] at line %u", i, STR_ARG(t->name),
                          index_of(c, old), conf_line_of(b, &old->name));
        else if (t->name.n)
            conf_index_put(b, &c->tenant_map, t->name, t);
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
    char of[200], place[32];
    value_put_size(&a, *own);
    value_put_size(&z, *most);
    unsigned line = conf_line_of(b, most);
    snprintf(place, sizeof place, line ? " at line %u" : " (a default)", line);
    if (above)
        snprintf(of, sizeof of, "tenants[%zu].%s of \"%.*s\"", index_of(c, above), s->name, STR_ARG(above->name));
    else
        snprintf(of, sizeof of, "the general %s", s->name);
    conf_complain(b, CONF_ERROR, own, t, "tenants[%zu].%s: %.*s is above %s%s, which is %.*s: lower it or raise that",
                  index_of(c, t), s->name, STR_ARG(buf_str(&a)), of, place, STR_ARG(buf_str(&z)));
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
                  "tenants[%zu].%s is %.*s, but tenants[%zu].%s at line %u ends every call after %.*s: lower the one "
                  "or raise the other",
                  index_of(c, p), part->name, STR_ARG(buf_str(&a)), index_of(c, w), total->name,
                  conf_line_of(b, long_one), STR_ARG(buf_str(&z)));
}

static void check_scalars(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t) {
    for (size_t i = 0; i < ARRAY_LEN(k_limits); i++) check_limit(b, c, t, &k_limits[i]);
    check_wait(b, c, t, &k_timeouts[1], &k_timeouts[3]);
    check_wait(b, c, t, &k_timeouts[2], &k_timeouts[3]);
}

static int64_t inherited(const struct conf_tenant *t, const struct scalar *s, int64_t otherwise) {
    const struct conf_tenant *from = setter(t, s);
    return from ? *value_of(from, s) : otherwise;
}

static void fill(struct conf *c, struct conf_tenant *t) {
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

static void index_names(struct opt_bind *b, struct conf *c, struct conf_tenant *t) {
    char where[WHERE_MAX];
    put_where(where, c, t);
    struct conf_level level = level_of(t, where);
    conf_index_level(b, &level);
    for (size_t i = 0; i < t->prices.n; i++)
        conf_index_put(b, &t->price_map, t->prices.p[i].name, &t->prices.p[i].price);
}

static void check_usable(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t, const void *at,
                         struct str name) {
    const struct conf_tenant *by = conf_tenant_refuser(t, name);
    if (!by) return;
    conf_complain(b, CONF_WARNING, at, t,
                  "tenants[%zu]: its keys can't use its own \"%.*s\": allow_models of \"%.*s\" leaves it out",
                  index_of(c, t), STR_ARG(name), STR_ARG(by->name));
}

static void check_names(struct opt_bind *b, struct conf *c, struct conf_tenant *t) {
    char where[WHERE_MAX];
    put_where(where, c, t);
    struct conf_level level = level_of(t, where);
    conf_check_level(b, c, &level);
    for (size_t i = 0; i < t->models.n; i++) check_usable(b, c, t, &t->models.p[i].name, t->models.p[i].name);
    for (size_t i = 0; i < t->aliases.n; i++) check_usable(b, c, t, &t->aliases.p[i], t->aliases.p[i].name);
}

// --- allow_models ---

// All names there are, in order: by whose they are (0 = general, else 1 + the tenant's index), then by name.
struct owned_name {
    size_t owner;
    struct str name;
};
struct owned_names {
    struct owned_name *p;
    size_t n;
};

static int name_cmp(const void *a, const void *b) {
    const struct owned_name *x = a, *y = b;
    if (x->owner != y->owner) return x->owner < y->owner ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static void names_add(struct owned_names *names, size_t owner, const struct conf_model *models, size_t n_models,
                      const struct opt_pair *aliases, size_t n_aliases) {
    for (size_t i = 0; i < n_models; i++) names->p[names->n++] = (struct owned_name){owner, models[i].name};
    for (size_t i = 0; i < n_aliases; i++) names->p[names->n++] = (struct owned_name){owner, aliases[i].name};
}

static bool names_gather(const struct conf *c, struct owned_names *out) {
    size_t n = c->models.n + c->aliases.n;
    for (size_t i = 0; i < c->tenants.n; i++) n += c->tenants.p[i].models.n + c->tenants.p[i].aliases.n;
    *out = (struct owned_names){.p = mem_zalloc(n + 1, sizeof *out->p)};
    if (!out->p) return false;
    names_add(out, 0, c->models.p, c->models.n, c->aliases.p, c->aliases.n);
    for (size_t i = 0; i < c->tenants.n; i++) {
        const struct conf_tenant *t = &c->tenants.p[i];
        names_add(out, i + 1, t->models.p, t->models.n, t->aliases.p, t->aliases.n);
    }
    qsort(out->p, out->n, sizeof *out->p, name_cmp);
    return true;
}

static bool owner_has(const struct owned_names *names, size_t owner, struct str pattern) {
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

static void check_pattern(struct opt_bind *b, const struct conf *c, const struct conf_tenant *t,
                          const struct owned_names *names, size_t i) {
    struct str pattern = t->allow_models.p[i];
    bool found = !pattern.n || owner_has(names, 0, pattern); // empty: it was refused
    for (const struct conf_tenant *up = t; up && !found; up = up->up)
        found = owner_has(names, index_of(c, up) + 1, pattern);
    if (!found)
        conf_complain(b, CONF_WARNING, &t->allow_models.p[i], &t->allow_models,
                      "tenants[%zu].allow_models[%zu]: \"%.*s\" is no model that is configured, and passthrough_models "
                      "is off",
                      index_of(c, t), i, STR_ARG(pattern));
}

// Where any name may be passed to a provider, none of them is known to mean nothing.
static void check_allowed(struct opt_bind *b, const struct conf *c) {
    struct owned_names names;
    if (c->passthrough_models) return;
    if (!names_gather(c, &names)) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < c->tenants.n; i++)
        for (size_t k = 0; k < c->tenants.p[i].allow_models.n; k++) check_pattern(b, c, &c->tenants.p[i], &names, k);
    mem_free(names.p);
}

void conf_check_tenants(struct opt_bind *b, struct conf *c) {
    if (c->tenants.n == 0) return;
    index_tenants(b, c);
    bool chained = !b->failed && check_parents(b, c);
    for (size_t i = 0; i < c->tenants.n && !b->failed; i++) index_names(b, c, &c->tenants.p[i]);
    if (!chained || b->failed) return; // what is inherited is not known
    for (size_t i = 0; i < c->tenants.n; i++) check_scalars(b, c, &c->tenants.p[i]);
    for (size_t i = 0; i < c->tenants.n; i++) fill(c, &c->tenants.p[i]);
    for (size_t i = 0; i < c->tenants.n; i++) check_names(b, c, &c->tenants.p[i]);
    check_allowed(b, c);
}
