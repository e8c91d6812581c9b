// The entity project: what keys are made for and costs are told by; a tenant's or a team's.
#include "store/entity_fields.h"

static const struct entity_field k_fields[] = {
    ENTITY_NAME_FIELD("Unique in the tenant", "assistant"),
    ENTITY_TITLE_FIELD,
    {.name = STR_INIT("team_id"),
     .type = ENTITY_REF,
     .ref = &entity_team,
     .flags = ENTITY_NULL | ENTITY_FILTER,
     .help = "The team it is of; null: the tenant's own"},
    ENTITY_TAGS_FIELD,
};

const struct entity entity_project = {
    .name = STR_INIT("project"),
    .plural = STR_INIT("projects"),
    .title = STR_INIT("Project"),
    .table = STR_INIT("project"),
    .prefix = STR_INIT("proj_"),
    .called_by = STR_INIT("name"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "What keys are made for and costs are told by",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
