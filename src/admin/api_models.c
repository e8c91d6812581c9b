// The API of the catalogue of models: what there is, and taking it up anew.
#include "admin/api_impl.h"
#include "model/catalog_query.h"

static bool catalog(struct api_call *call, struct err *err) {
    const struct model_query_text text = {.can = api_param(call, "can"),
                                          .mode = api_param(call, "mode"),
                                          .sort = api_param(call, "sort"),
                                          .provider = api_param(call, "provider"),
                                          .search = api_param(call, "q")};
    struct model_query query;
    struct model_catalog *models = call->api->models ? call->api->models(call->api->ctx) : NULL;
    if (!models) return err_set(err, ERR_NOT_FOUND, "no server runs here that has a catalogue");
    bool ok =
        model_query_read(&text, &query, err) && model_query_put(models, &query, call->arena, &call->reply->body, err);
    model_catalog_unref(models);
    return ok;
}

#define ENTRY                                                                                                          \
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"provider\":{\"type\":\"string\"},"            \
    "\"model\":{\"type\":\"string\"},\"mode\":{\"type\":\"string\"},"                                                  \
    "\"context_window\":{\"type\":[\"integer\",\"null\"]},\"max_output_tokens\":{\"type\":[\"integer\",\"null\"]},"    \
    "\"capabilities\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"modalities\":{\"type\":\"object\"},"      \
    "\"price\":{\"type\":[\"object\",\"null\"]},\"deprecated\":{\"type\":[\"string\",\"null\"]},"                      \
    "\"as_of\":{\"type\":[\"string\",\"null\"]}}}"

static bool targets(struct api_call *call, struct err *err) {
    const struct api *api = call->api;
    struct buf *out = &call->reply->body;
    if (!api->targets) return err_set(err, ERR_NOT_FOUND, "no server runs here that has targets");
    buf_lit(out, "{\"data\":");
    if (!api->targets(api->ctx, out, err)) return false;
    buf_putc(out, '}');
    return true;
}

#define TARGET                                                                                                         \
    "{\"type\":\"object\",\"properties\":{\"provider\":{\"type\":\"string\"},\"model\":{\"type\":\"string\"},"         \
    "\"state\":{\"type\":\"string\"},\"why\":{\"type\":[\"string\",\"null\"]},"                                        \
    "\"until\":{\"type\":[\"string\",\"null\"]},\"breaker\":{\"type\":\"string\"},\"healthy\":{\"type\":\"boolean\"}," \
    "\"in_flight\":{\"type\":\"integer\"},\"first_token_ms\":{\"type\":[\"number\",\"null\"]},"                        \
    "\"first_token_slow_ms\":{\"type\":[\"number\",\"null\"]},\"total_ms\":{\"type\":[\"number\",\"null\"]},"          \
    "\"tokens_per_second\":{\"type\":[\"number\",\"null\"]},\"error_rate\":{\"type\":\"number\"},"                     \
    "\"requests\":{\"type\":\"integer\"},\"quality\":{\"type\":\"number\"},\"share\":{\"type\":\"number\"},"           \
    "\"headroom\":{\"type\":\"object\"},\"totals\":{\"type\":\"object\"}}}"

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/models/catalog"),
     .resource = RESOURCE_MODEL,
     .action = ACTION_READ,
     .handle = catalog,
     .query = "can mode provider q sort",
     .answer = "{\"type\":\"object\",\"properties\":{\"source\":{\"type\":\"string\"},\"total\":{\"type\":\"integer\"},"
               "\"data\":{\"type\":\"array\",\"items\":" ENTRY "}}}",
     .summary = "Lists the models that are known: what they can do, how much they take, what they cost"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/models/catalog/refresh"),
     .resource = RESOURCE_CONFIG,
     .action = ACTION_UPDATE,
     .flags = API_STREAM | API_PLATFORM,
     .query = "dry_run",
     .answer =
         "{\"type\":\"object\",\"properties\":{\"source\":{\"type\":\"string\"},\"models\":{\"type\":\"integer\"},"
         "\"own\":{\"type\":\"integer\"},\"dry_run\":{\"type\":\"boolean\"}}}",
     .summary = "Reads or fetches the catalogue of models again"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/targets"),
     .resource = RESOURCE_CONFIG,
     .action = ACTION_READ,
     .flags = API_PLATFORM,
     .handle = targets,
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":" TARGET "}}}",
     .summary = "Lists the targets of routing: whether each can be asked, how busy, fast and good it is"},
};
const struct api_table api_table_models = {"Models", k_endpoints, ARRAY_LEN(k_endpoints)};
