// Roles: the built-in ones, inheritance, and what can be written.
#include "access/policy_impl.h"

#include "base/json_read.h"

#include <stdlib.h>

static const struct policy_role k_builtin[] = {
#define BUILTIN(name, parents, permissions, help) {0, STR_INIT(name), STR_INIT(parents), STR_INIT(permissions)},
#include "access/role.def"
#undef BUILTIN
};
static const struct str k_help[] = {
#define BUILTIN(name, parents, permissions, help) STR_INIT(help),
#include "access/role.def"
#undef BUILTIN
};

size_t policy_builtin_count(void) { return ARRAY_LEN(k_builtin); }
const struct policy_role *policy_builtin(size_t i) { return &k_builtin[i]; }
struct str policy_builtin_help(size_t i) {
    return k_help[i];
}

static bool is_builtin(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(k_builtin); i++)
        if (str_eq(k_builtin[i].name, name)) return true;
    return false;
}

// --- the table ---

bool role_table_add(struct role_table *table, const struct policy_role *role, size_t *io_faults) {
    struct role r = {.tenant = role->tenant, .name = role->name, .parents = role->parents};
    struct err ignored;
    if (role->permissions.n && !permission_read_json(&r.own, role->permissions, &ignored)) ++*io_faults;
    return vec_push(&table->list, r);
}

static int compare(int64_t tenant, struct str name, const struct role *r) {
    if (tenant != r->tenant) return tenant < r->tenant ? -1 : 1;
    return str_cmp(name, r->name);
}
static int by_tenant_and_name(const void *a, const void *b) {
    const struct role *x = a;
    return compare(x->tenant, x->name, b);
}

static struct role *find_in(const struct role_table *table, int64_t tenant, struct str name) {
    size_t low = 0, high = table->list.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(tenant, name, &table->list.p[middle]);
        if (order == 0) return &table->list.p[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct role *role_table_find(const struct role_table *table, int64_t tenant, struct str name) {
    struct role *r = find_in(table, 0, name);
    return r ? r : find_in(table, tenant, name);
}

#define REACH_MAX 256 // roles that one inherits from
#define PARENTS_MAX 64

// Names of roles are short; a longer text is none.
#define ROLE_NAME_MAX 128
struct names {
    size_t n;
    struct str list[PARENTS_MAX];
    char space[PARENTS_MAX * 64];
};

// The texts of a JSON array. False when it is none, or too long.
static bool read_names(struct str json, struct names *out_names) {
    struct json_reader r;
    struct str raw;
    enum json_kind kind;
    struct err ignored;
    struct buf space = {.p = out_names->space, .cap = sizeof out_names->space, .max = sizeof out_names->space};
    bool good = true;
    out_names->n = 0;
    if (json.n == 0) return true;
    json_reader_init(&r, json, 2);
    if (json_enter_array(&r)) {
        while (good && json_element(&r, &kind)) {
            size_t before = space.n;
            if (!json_string(&r, &raw)) break;
            good = out_names->n < PARENTS_MAX && json_string_len(raw) <= space.cap - space.n &&
                   json_string_decode(raw, &space);
            if (good) out_names->list[out_names->n++] = str_of(space.p + before, space.n - before);
        }
    }
    return good && json_end(&r, &ignored);
}

// Its parents as places in the table. False: out of memory.
static bool link_parents(struct role_table *table, struct role *role, size_t *io_faults) {
    struct names parents;
    if (!read_names(role->parents, &parents)) ++*io_faults;
    if (parents.n == 0) return true;
    role->links = ARENA_ARRAY(table->arena, uint32_t, parents.n);
    if (!role->links) return false;
    for (size_t i = 0; i < parents.n; i++) {
        const struct role *parent = role_table_find(table, role->tenant, parents.list[i]);
        if (parent)
            role->links[role->n_links++] = (uint32_t)(parent - table->list.p);
        else
            ++*io_faults;
    }
    return true;
}

static bool among(const uint32_t *list, size_t n, uint32_t one) {
    for (size_t i = 0; i < n; i++)
        if (list[i] == one) return true;
    return false;
}

// All roles that can be reached, each once. Those of a circle so give the same, wherever one begins: who breaks the
// circle by changing one of them gives nothing to the others.
static void resolve(struct role_table *table, uint32_t at, size_t *io_faults) {
    uint32_t reached[REACH_MAX] = {at};
    struct role *role = &table->list.p[at];
    size_t n = 1;
    for (size_t i = 0; i < n; i++) {
        const struct role *from = &table->list.p[reached[i]];
        for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) role->all.actions[t] |= from->own.actions[t];
        for (size_t k = 0; k < from->n_links; k++) {
            if (from->links[k] == at) ++*io_faults;
            if (among(reached, n, from->links[k])) continue;
            if (n < REACH_MAX)
                reached[n++] = from->links[k];
            else
                ++*io_faults;
        }
    }
}

bool role_table_resolve(struct role_table *table, size_t *io_faults) {
    if (table->list.n) qsort(table->list.p, table->list.n, sizeof *table->list.p, by_tenant_and_name);
    for (size_t i = 0; i < table->list.n; i++)
        if (!link_parents(table, &table->list.p[i], io_faults)) return false;
    for (size_t i = 0; i < table->list.n; i++) resolve(table, (uint32_t)i, io_faults);
    return true;
}

// --- looking ---

static void view(const struct role *role, struct policy_role_view *out_role) {
    *out_role = (struct policy_role_view){role->tenant, role->name, &role->all};
}

size_t policy_role_count(const struct policy *policy) { return policy->roles.list.n; }

void policy_role_at(const struct policy *policy, size_t i, struct policy_role_view *out_role) {
    view(&policy->roles.list.p[i], out_role);
}

bool policy_role_find(const struct policy *policy, int64_t tenant, struct str name, struct policy_role_view *out_role) {
    const struct role *role = role_table_find(&policy->roles, tenant, name);
    if (role) view(role, out_role);
    return role != NULL;
}

static void put_permissions(struct json_writer *w, const struct permission_set *set) {
    json_put_object(w);
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) {
        if (!set->actions[t]) continue;
        json_put_member_array(w, resource_type_name((enum resource_type)t));
        for (unsigned a = 0; a < ACTION_COUNT; a++)
            if (set->actions[t] >> a & 1) json_put_str(w, action_name((enum action)a));
        json_put_array_end(w);
    }
    json_put_object_end(w);
}

void policy_put_matrix(const struct policy *policy, int64_t tenant, struct json_writer *w) {
    json_put_object(w);
    json_put_member_array(w, STR("resources"));
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) {
        enum resource_type type = (enum resource_type)t;
        json_put_object(w);
        json_put_member_str(w, STR("type"), resource_type_name(type));
        json_put_member_str(w, STR("what"), resource_type_help(type));
        json_put_member_array(w, STR("actions"));
        for (unsigned a = 0; a < ACTION_COUNT; a++)
            if (resource_actions(type) >> a & 1) json_put_str(w, action_name((enum action)a));
        json_put_array_end(w);
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_put_member_array(w, STR("roles"));
    for (size_t i = 0; i < policy->roles.list.n; i++) {
        const struct role *role = &policy->roles.list.p[i];
        if (tenant && role->tenant && role->tenant != tenant) continue;
        json_put_object(w);
        json_put_member_str(w, STR("name"), role->name);
        json_put_member_bool(w, STR("builtin"), role->tenant == 0);
        if (role->tenant) json_put_member_i64(w, STR("tenant"), role->tenant);
        json_put_key(w, STR("permissions"));
        put_permissions(w, &role->all);
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_put_object_end(w);
}

// --- writing ---

// Whether `from` is the role `name` or inherits from it; in doubt, yes.
static bool leads_to(const struct role_table *table, const struct role *from, struct str name) {
    uint32_t reached[REACH_MAX] = {(uint32_t)(from - table->list.p)};
    size_t n = 1;
    for (size_t i = 0; i < n; i++) {
        const struct role *role = &table->list.p[reached[i]];
        if (str_eq(role->name, name)) return true;
        for (size_t k = 0; k < role->n_links; k++) {
            if (among(reached, n, role->links[k])) continue;
            if (n == REACH_MAX) return true;
            reached[n++] = role->links[k];
        }
    }
    return false;
}

static bool add_parent(const struct policy *policy, const struct policy_role *role, struct str parent,
                       struct permission_set *io_permissions, struct err *err) {
    const struct role *found = role_table_find(&policy->roles, role->tenant, parent);
    bool self = str_eq(parent, role->name);
    if (!found && !self)
        return err_set(err, ERR_INVALID_FIELD, "role \"%.*s\": there is no role \"%.*s\" to inherit from",
                       STR_ARG(str_head(role->name, 80)), STR_ARG(str_head(parent, 80)));
    if (self || leads_to(&policy->roles, found, role->name))
        return err_set(err, ERR_INVALID_FIELD,
                       "role \"%.*s\" cannot inherit from \"%.*s\", which leads back to it (or inherits from too many)",
                       STR_ARG(str_head(role->name, 80)), STR_ARG(str_head(parent, 80)));
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) io_permissions->actions[t] |= found->all.actions[t];
    return true;
}

bool policy_role_check(const struct policy *policy, const struct policy_role *role,
                       struct permission_set *out_permissions, struct err *err) {
    struct permission_set all = {0};
    struct names parents;
    if (role->name.n == 0 || role->name.n > ROLE_NAME_MAX)
        return err_set(err, ERR_INVALID_FIELD, "a role's name has 1 to %d bytes", ROLE_NAME_MAX);
    if (is_builtin(role->name))
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is a built-in role; give yours another name",
                       STR_ARG(role->name));
    if (role->permissions.n && !permission_read_json(&all, role->permissions, err)) return false;
    if (!read_names(role->parents, &parents))
        return err_set(err, ERR_INVALID_FIELD, "the parents of a role are a list of at most %d names", PARENTS_MAX);
    for (size_t i = 0; i < parents.n; i++)
        if (!add_parent(policy, role, parents.list[i], &all, err)) return false;
    *out_permissions = all;
    return true;
}
