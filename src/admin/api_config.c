// The endpoints of configuration and events, which HTTP answers itself; their permissions stand here with all others.
#include "admin/api.h"

#define CONFIG(m, p, act, q, text)                                                                                     \
    {                                                                                                                  \
        .method = HTTP_##m, .path = STR_INIT("/api/v1/" p), .resource = RESOURCE_CONFIG, .action = ACTION_##act,       \
        .flags = API_STREAM | API_PLATFORM, .query = q, .answer = "{\"type\":\"object\"}", .summary = text             \
    }

static const struct api_endpoint k_endpoints[] = {
    CONFIG(GET, "config", READ, "view sources tenant team project api_key key", "Shows the configuration in force"),
    CONFIG(PATCH, "config", UPDATE, "dry_run", "Changes the configuration of the running server"),
    CONFIG(DELETE, "config/live", UPDATE, "key dry_run", "Takes live changes back"),
    CONFIG(POST, "config/reload", UPDATE, "dry_run", "Reads all layers of the configuration again"),
    CONFIG(POST, "config/rollback", UPDATE, "dry_run", "Makes an earlier version effective again"),
    CONFIG(POST, "config/validate", READ, "", "Checks a configuration"),
    CONFIG(POST, "config/diff", READ, "", "Compares a configuration with the one in force"),
    CONFIG(GET, "config/schema", READ, "", "The JSON Schema of the configuration"),
    CONFIG(GET, "config/history", READ, "limit", "Lists versions of the configuration"),
    CONFIG(GET, "config/history/:version", READ, "", "Shows a version of the configuration"),
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/events"),
     .resource = RESOURCE_EVENT,
     .action = ACTION_READ,
     .flags = API_STREAM | API_PLATFORM,
     .query = "after names",
     .answer = "",
     .summary = "Streams events as they happen (server-sent events)"},
};
const struct api_table api_table_config = {"Configuration and events", k_endpoints, ARRAY_LEN(k_endpoints)};
