// The entity service_account: a program with an identity of its own.
#include "store/entity_fields.h"

static const char *const k_status[] = {"active", "disabled", NULL};

static const struct entity_field k_fields[] = {
    ENTITY_NAME_FIELD("Unique in the tenant", "nightly-eval"),
    ENTITY_TITLE_FIELD,
    {.name = STR_INIT("status"),
     .type = ENTITY_ENUM,
     .names = k_status,
     .flags = ENTITY_FILTER,
     .fallback = "active",
     .help = "The keys of a disabled one are refused"},
    ENTITY_TAGS_FIELD,
};

const struct entity entity_service_account = {
    .name = STR_INIT("service_account"),
    .plural = STR_INIT("service_accounts"),
    .title = STR_INIT("Service account"),
    .table = STR_INIT("service_account"),
    .prefix = STR_INIT("sa_"),
    .called_by = STR_INIT("name"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "A program with an identity of its own: it owns keys and holds grants as a person does",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
