// The entity team: people and programs of a tenant who work together.
#include "store/entity_fields.h"

static const struct entity_field k_fields[] = {
    ENTITY_NAME_FIELD("Unique in the tenant", "search"),
    ENTITY_TITLE_FIELD,
    ENTITY_TAGS_FIELD,
};

const struct entity entity_team = {
    .name = STR_INIT("team"),
    .plural = STR_INIT("teams"),
    .title = STR_INIT("Team"),
    .table = STR_INIT("team"),
    .prefix = STR_INIT("team_"),
    .called_by = STR_INIT("name"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "People and service accounts of a tenant who work together; what is granted to a team is its members'",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
