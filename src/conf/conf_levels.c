// The levels of settings below a tenant: going over them, and finding the one that holds for a caller.
#include "conf/conf.h"
#include "conf/pii_kind.h"

const char *conf_level_word(enum conf_level_kind kind) {
    static const char *const words[LEVEL_KIND_COUNT] = {
        [LEVEL_TENANT] = "tenant", [LEVEL_TEAM] = "team", [LEVEL_PROJECT] = "project", [LEVEL_KEY] = "key"};
    return words[kind];
}

struct conf_tenant *conf_level_next(const struct conf *c, struct conf_level_at *io_at) {
    while (io_at->tenant < c->tenants.n) {
        struct conf_tenant *t = &c->tenants.p[io_at->tenant];
        size_t i = io_at->next++;
        if (i-- == 0) return t;
        if (i < t->teams.n) return &t->teams.p[i];
        i -= t->teams.n;
        if (i < t->projects.n) return &t->projects.p[i];
        i -= t->projects.n;
        if (i < t->keys.n) return &t->keys.p[i];
        *io_at = (struct conf_level_at){io_at->tenant + 1, 0};
    }
    return NULL;
}

const struct conf_tenant *conf_level_find(const struct conf_tenant *tenant, enum conf_level_kind kind,
                                          struct str name) {
    const struct map *maps[LEVEL_KIND_COUNT] = {
        [LEVEL_TEAM] = &tenant->team_map, [LEVEL_PROJECT] = &tenant->project_map, [LEVEL_KEY] = &tenant->key_map};
    const struct map *map = maps[kind];
    return map && map->n && name.n ? map_get(map, name) : NULL;
}

// --- what holds for a caller ---

static int64_t own_or(int64_t own, int64_t otherwise) { return own == OPT_UNSET ? otherwise : own; }

static int64_t own_within(int64_t own, int64_t most) { return own == OPT_UNSET ? most : MIN(own, most); }

// A level as it is when it lies in another than the configuration says.
static const struct conf_tenant *level_in(const struct conf_tenant *level, const struct conf_tenant *up,
                                          struct arena *a) {
    struct conf_tenant *t = ARENA_NEW(a, struct conf_tenant);
    if (!t) return NULL;
    *t = *level;
    t->up = up;
    t->limits.max_body = own_within(t->own.limits.max_body, up->limits.max_body);
    t->limits.max_response = own_within(t->own.limits.max_response, up->limits.max_response);
    t->timeouts.connect = own_or(t->own.timeouts.connect, up->timeouts.connect);
    t->timeouts.first_byte = own_or(t->own.timeouts.first_byte, up->timeouts.first_byte);
    t->timeouts.idle = own_or(t->own.timeouts.idle, up->timeouts.idle);
    t->timeouts.total = own_or(t->own.timeouts.total, up->timeouts.total);
    t->branding.name = t->own.branding.name.n ? t->own.branding.name : up->branding.name;
    t->branding.support = t->own.branding.support.n ? t->own.branding.support : up->branding.support;
    return t;
}

static bool contradicts(const struct conf_tenant *project, const struct conf_caller *caller, struct err *err) {
    return err_set(err, ERR_FORBIDDEN,
                   "project \"%.*s\" of this key lies in team \"%.*s\", and the configuration has it in team \"%.*s\"; "
                   "the operator can correct `team` of the project under `tenants`, or move the project",
                   STR_ARG(project->name), STR_ARG(caller->team), STR_ARG(project->team));
}

// Keys of one name may lie in several projects: a level that names one is of those in it.
static const struct conf_tenant *key_level(const struct conf_tenant *tenant, const struct conf_tenant *project,
                                           const struct conf_caller *caller) {
    const struct conf_tenant *key = conf_level_find(tenant, LEVEL_KEY, caller->key);
    if (!key) return NULL;
    struct str team = caller->team.n || !project ? caller->team : project->team;
    bool in_project = !key->project.n || str_eq(key->project, caller->project);
    return in_project && (!key->team.n || str_eq(key->team, team)) ? key : NULL;
}

bool conf_level_of(const struct conf_tenant *tenant, const struct conf_caller *caller, struct arena *a,
                   const struct conf_tenant **out_level, struct err *err) {
    const struct conf_tenant *level = tenant, *team = conf_level_find(tenant, LEVEL_TEAM, caller->team);
    const struct conf_tenant *project = conf_level_find(tenant, LEVEL_PROJECT, caller->project);
    if (project && project->team.n && caller->team.n && !str_eq(project->team, caller->team))
        return contradicts(project, caller, err);
    if (team) level = team;
    if (project) level = project->team.n || project->up == level ? project : level_in(project, level, a);
    const struct conf_tenant *key = level ? key_level(tenant, project, caller) : NULL;
    if (key) level = key->up == level ? key : level_in(key, level, a);
    if (!level) return err_no_memory(err);
    *out_level = level;
    return true;
}

// --- where requests may go ---

bool conf_level_private(const struct conf_tenant *t) {
    while (t && t->privacy == CALLS_INHERIT) t = t->up;
    return t && t->privacy == CALLS_PRIVATE;
}

static unsigned kinds_of(const struct str *names, size_t n) {
    unsigned kinds = 0;
    for (size_t i = 0; i < n; i++) kinds |= pii_kind_bits(names[i]);
    return kinds;
}

unsigned conf_level_private_when(const struct conf *c, const struct conf_tenant *t) {
    while (t && !t->private_when.n) t = t->up;
    if (t) return kinds_of(t->private_when.p, t->private_when.n);
    return c->routing.private_when.n ? kinds_of(c->routing.private_when.p, c->routing.private_when.n) : 0;
}

size_t conf_level_regions(const struct conf_tenant *t, const struct str **out_regions) {
    while (t && !t->regions.n) t = t->up;
    *out_regions = t ? t->regions.p : NULL;
    return t && !str_eq_nocase(t->regions.p[0], STR(CONF_REGION_ANY)) ? t->regions.n : 0;
}
