// Token counts out of what the Responses dialect says.
#include "model/chat_scan.h"
#include "model/responses/responses.h"

static bool read_count(struct str object, struct str name, uint64_t *io_value) {
    struct str raw;
    return json_get(object, &name, 1, &raw) && chat_tokens_of(raw, io_value);
}

bool responses_usage_read(struct str raw, struct usage *io_usage) {
    struct str details;
    struct usage u = *io_usage;
    if (json_raw_kind(raw) != JSON_OBJECT) return false;
    bool in = read_count(raw, STR("input_tokens"), &u.prompt), out = read_count(raw, STR("output_tokens"), &u.output);
    if (!in && !out) return false;
    if (JSON_GET(raw, &details, STR("input_tokens_details")) && json_raw_kind(details) == JSON_OBJECT)
        read_count(details, STR("cached_tokens"), &u.cached);
    if (JSON_GET(raw, &details, STR("output_tokens_details")) && json_raw_kind(details) == JSON_OBJECT)
        read_count(details, STR("reasoning_tokens"), &u.reasoning);
    u.cached = MIN(u.cached, u.prompt);
    u.reasoning = MIN(u.reasoning, u.output);
    *io_usage = u;
    return true;
}

bool responses_usage_of(struct str data, struct usage *io_usage) {
    struct json_field f[] = {{.name = STR_INIT("usage")}, {.name = STR_INIT("response")}};
    struct json_field inner[] = {{.name = STR_INIT("usage")}};
    struct err err;
    if (!json_scan(data, f, ARRAY_LEN(f), &err)) return false;
    if (f[0].found && responses_usage_read(f[0].raw, io_usage)) return true;
    return f[1].found && f[1].kind == JSON_OBJECT && json_scan(f[1].raw, inner, 1, &err) && inner[0].found &&
           responses_usage_read(inner[0].raw, io_usage);
}
