// The entity role: a tenant's own named set of permissions.
#include "store/entity_fields.h"

static const struct entity_field k_fields[] = {
    {.name = STR_INIT("name"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_REQUIRED | ENTITY_CREATE_ONLY | ENTITY_FILTER | ENTITY_SORT,
     .min = 1,
     .max = ENTITY_NAME_MAX,
     .check = entity_check_name,
     .help = "Unique in the tenant, and none of the built-in ones; grants refer to it",
     .example = "release-manager"},
    ENTITY_TITLE_FIELD,
    {.name = STR_INIT("parents"),
     .type = ENTITY_LIST,
     .max = 16,
     .help = "Roles whose permissions it has too",
     .example = "[\"viewer\"]"},
    {.name = STR_INIT("permissions"),
     .type = ENTITY_LIST,
     .max = 256,
     .help = "\"TYPE:ACTION\", with * for all of either",
     .example = "[\"key:rotate\",\"budget:*\"]"},
};

const struct entity entity_role = {
    .name = STR_INIT("role"),
    .plural = STR_INIT("roles"),
    .title = STR_INIT("Role"),
    .table = STR_INIT("role"),
    .prefix = STR_INIT("role_"),
    .called_by = STR_INIT("name"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "A named set of permissions; it has those of its parents too",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
