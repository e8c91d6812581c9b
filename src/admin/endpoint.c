// How the endpoints are carried out that the core leaves to HTTP; their permissions stand in api_config.c.
#include "admin/call.h"

static const struct admin_endpoint k_endpoints[] = {
    {HTTP_GET, STR_INIT("/api/v1/config"), "view sources tenant team project api_key key", api_config_get},
    {HTTP_PATCH, STR_INIT("/api/v1/config"), "dry_run", api_config_patch},
    {HTTP_DELETE, STR_INIT("/api/v1/config/live"), "key dry_run", api_config_live_delete},
    {HTTP_POST, STR_INIT("/api/v1/config/reload"), "dry_run", api_config_reload},
    {HTTP_POST, STR_INIT("/api/v1/config/rollback"), "dry_run", api_config_rollback},
    {HTTP_POST, STR_INIT("/api/v1/config/validate"), "", api_config_validate},
    {HTTP_POST, STR_INIT("/api/v1/config/diff"), "", api_config_diff},
    {HTTP_GET, STR_INIT("/api/v1/config/schema"), "", api_config_schema},
    {HTTP_GET, STR_INIT("/api/v1/config/history"), "limit", api_config_history},
    {HTTP_GET, STR_INIT("/api/v1/config/history/:version"), "", api_config_history_one},
    {HTTP_POST, STR_INIT("/api/v1/models/catalog/refresh"), "dry_run", api_models_refresh},
    {HTTP_GET, STR_INIT("/api/v1/events"), "after names", api_events_get},
};

const struct admin_endpoint *admin_endpoint_of(const struct api_endpoint *e) {
    for (size_t i = 0; i < ARRAY_LEN(k_endpoints); i++)
        if (k_endpoints[i].method == e->method && str_eq(k_endpoints[i].path, e->path)) return &k_endpoints[i];
    return NULL;
}
