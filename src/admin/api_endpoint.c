// All endpoints, and finding one by method and path.
#include "admin/api.h"

#include "conf/opt.h"

#define API_TABLE(name) extern const struct api_table api_table_##name;
#include "admin/api_tables.def"
#undef API_TABLE

static const struct api_table *const k_tables[] = {
#define API_TABLE(name) &api_table_##name,
#include "admin/api_tables.def"
#undef API_TABLE
};

size_t api_table_count(void) { return ARRAY_LEN(k_tables); }
const struct api_table *api_table_at(size_t i) { return k_tables[i]; }

size_t api_endpoint_count(void) {
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(k_tables); i++) n += k_tables[i]->n;
    return n;
}

const struct api_endpoint *api_endpoint_at(size_t i) {
    size_t t = 0;
    while (i >= k_tables[t]->n) i -= k_tables[t++]->n;
    return &k_tables[t]->endpoints[i];
}

// Part by part; ":name" is any one part. *out_exact: how many parts were literal.
static bool path_fits(struct str pattern, struct str path, struct str *out_params, size_t *out_exact) {
    struct str want, have;
    size_t n = 0;
    *out_exact = 0;
    while (str_split(&pattern, '/', &want)) {
        if (!str_split(&path, '/', &have)) return false;
        bool param = want.n && want.p[0] == ':';
        if (param && (!have.n || n == API_PARAMS_MAX)) return false;
        if (param)
            out_params[n++] = have;
        else if (!str_eq(want, have))
            return false;
        else
            ++*out_exact;
    }
    return !str_split(&path, '/', &have);
}

static struct str also_allowed(struct arena *a, struct str list, enum http_method method) {
    struct str name = http_method_text(method), one, rest = list;
    while (rest.n && str_split(&rest, ',', &one))
        if (str_eq(str_trim(one), name)) return list;
    return list.n ? arena_printf(a, "%.*s, %.*s", STR_ARG(list), STR_ARG(name)) : name;
}

const struct api_endpoint *api_endpoint_find(enum http_method method, struct str path, struct str *out_params,
                                             struct arena *arena, struct str *out_allow) {
    const struct api_endpoint *best = NULL;
    size_t best_exact = 0;
    *out_allow = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(k_tables); i++)
        for (size_t k = 0; k < k_tables[i]->n; k++) {
            const struct api_endpoint *e = &k_tables[i]->endpoints[k];
            struct str params[API_PARAMS_MAX] = {{NULL, 0}};
            size_t exact;
            if (!path_fits(e->path, path, params, &exact)) continue;
            *out_allow = also_allowed(arena, *out_allow, e->method);
            if (e->method != method || (best && exact <= best_exact)) continue;
            best = e;
            best_exact = exact;
            memcpy(out_params, params, sizeof params);
        }
    return best;
}

struct str api_endpoint_near(struct str path) {
    struct str names[512];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(k_tables); i++)
        for (size_t k = 0; k < k_tables[i]->n && n < ARRAY_LEN(names); k++) names[n++] = k_tables[i]->endpoints[k].path;
    return opt_nearest(path, names, n);
}
