// The entity tenant: an organisation, and all that is its own.
#include "store/entity_fields.h"

static const char *const k_status[] = {"active", "suspended", "deleting", NULL};

static const struct entity_field k_fields[] = {
    {.name = STR_INIT("name"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_REQUIRED | ENTITY_CREATE_ONLY | ENTITY_FILTER | ENTITY_SORT,
     .min = 1,
     .max = ENTITY_NAME_MAX,
     .check = entity_check_name,
     .empty = "default",
     .help = "What the configuration and the header X-Penstock-Tenant call it",
     .example = "acme"},
    ENTITY_TITLE_FIELD,
    {.name = STR_INIT("status"),
     .type = ENTITY_ENUM,
     .names = k_status,
     .flags = ENTITY_READ_ONLY | ENTITY_FILTER,
     .help = "A suspended tenant's keys and people are refused"},
    {.name = STR_INIT("status_at"), .type = ENTITY_TIME, .flags = ENTITY_READ_ONLY, .help = "Since when"},
    {.name = STR_INIT("status_reason"), .type = ENTITY_TEXT, .flags = ENTITY_READ_ONLY, .help = "Why"},
    {.name = STR_INIT("time_zone"),
     .type = ENTITY_TEXT,
     .max = 64,
     .check = entity_check_zone,
     .fallback = "UTC",
     .help = "Where its days and months begin",
     .example = "Europe/Vienna"},
    {.name = STR_INIT("region"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_FILTER,
     .max = 64,
     .check = entity_check_name,
     .help = "Where its data is to stay",
     .example = "eu"},
    {.name = STR_INIT("retention"),
     .column = STR_INIT("retention_s"),
     .type = ENTITY_DURATION,
     .max = 10 * 365 * 86400,
     .help = "How long logged contents of its requests are kept at most; null = as the configuration says",
     .example = "30d"},
    ENTITY_TAGS_FIELD,
};

const struct entity entity_tenant = {
    .name = STR_INIT("tenant"),
    .plural = STR_INIT("tenants"),
    .title = STR_INIT("Tenant"),
    .table = STR_INIT("tenant"),
    .prefix = STR_INIT("tenant_"),
    .called_by = STR_INIT("name"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "An organisation and all that is its own",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
