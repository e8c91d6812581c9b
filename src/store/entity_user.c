// The entity user: a person who signs in; passwords and second factors are not among its fields.
#include "store/entity_fields.h"

static const char *const k_status[] = {"active", "disabled", NULL};

static const struct entity_field k_fields[] = {
    {.name = STR_INIT("email"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_REQUIRED | ENTITY_FILTER | ENTITY_SORT,
     .min = 3,
     .max = 254,
     .check = entity_check_email,
     .help = "Kept in lower case; unique in the tenant",
     .example = "ada@example.com"},
    {.name = STR_INIT("name"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_FILTER | ENTITY_SORT,
     .max = 200,
     .help = "The person's name"},
    {.name = STR_INIT("status"),
     .type = ENTITY_ENUM,
     .names = k_status,
     .flags = ENTITY_FILTER,
     .fallback = "active",
     .help = "Who is disabled cannot sign in, and keys they own are refused"},
    {.name = STR_INIT("locked_until"),
     .type = ENTITY_TIME,
     .flags = ENTITY_READ_ONLY,
     .help = "After too many wrong passwords"},
    {.name = STR_INIT("last_sign_in_at"),
     .type = ENTITY_TIME,
     .flags = ENTITY_READ_ONLY | ENTITY_FILTER | ENTITY_SORT,
     .help = "When they last signed in"},
    {.name = STR_INIT("last_sign_in_address"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_READ_ONLY,
     .help = "And from where"},
    ENTITY_TAGS_FIELD,
};

const struct entity entity_user = {
    .name = STR_INIT("user"),
    .plural = STR_INIT("users"),
    .title = STR_INIT("User"),
    .table = STR_INIT("app_user"),
    .prefix = STR_INIT("user_"),
    .called_by = STR_INIT("email"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "A person who signs in",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
