// The table of endpoints, and finding one by method and path.
#include "admin/call.h"

#include "conf/opt.h"

static const struct admin_endpoint k_endpoints[] = {
    {HTTP_GET, STR_INIT("/api/v1/config"), "view sources tenant key", api_config_get},
    {HTTP_PATCH, STR_INIT("/api/v1/config"), "dry_run", api_config_patch},
    {HTTP_DELETE, STR_INIT("/api/v1/config/live"), "key dry_run", api_config_live_delete},
    {HTTP_POST, STR_INIT("/api/v1/config/reload"), "dry_run", api_config_reload},
    {HTTP_POST, STR_INIT("/api/v1/config/rollback"), "dry_run", api_config_rollback},
    {HTTP_POST, STR_INIT("/api/v1/config/validate"), "", api_config_validate},
    {HTTP_POST, STR_INIT("/api/v1/config/diff"), "", api_config_diff},
    {HTTP_GET, STR_INIT("/api/v1/config/schema"), "", api_config_schema},
    {HTTP_GET, STR_INIT("/api/v1/config/history"), "limit", api_config_history},
    {HTTP_GET, STR_INIT("/api/v1/config/history/:version"), "", api_config_history_one},
    {HTTP_GET, STR_INIT("/api/v1/events"), "after names", api_events_get},
};

// Part by part; ":name" is any one part.
static bool path_fits(struct str pattern, struct str path, struct str *out_params) {
    struct str want, have;
    size_t n = 0;
    while (str_split(&pattern, '/', &want)) {
        if (!str_split(&path, '/', &have)) return false;
        bool param = want.n && want.p[0] == ':';
        if (param && (!have.n || n == ADMIN_PARAMS_MAX)) return false;
        if (param)
            out_params[n++] = have;
        else if (!str_eq(want, have))
            return false;
    }
    return !str_split(&path, '/', &have);
}

const struct admin_endpoint *admin_endpoint_find(enum http_method method, struct str path, struct str *out_params,
                                                 struct arena *a, struct str *out_allow) {
    *out_allow = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(k_endpoints); i++) {
        const struct admin_endpoint *e = &k_endpoints[i];
        struct str name = http_method_text(e->method);
        if (!path_fits(e->path, path, out_params)) continue;
        if (e->method == method) return e;
        *out_allow = out_allow->n ? arena_printf(a, "%.*s, %.*s", STR_ARG(*out_allow), STR_ARG(name)) : name;
    }
    return NULL;
}

struct str admin_endpoint_near(struct str path) {
    struct str names[ARRAY_LEN(k_endpoints)];
    for (size_t i = 0; i < ARRAY_LEN(k_endpoints); i++) names[i] = k_endpoints[i].path;
    return opt_nearest(path, names, ARRAY_LEN(names));
}
