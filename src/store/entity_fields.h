// Fields that several entities have, and what texts must look like: for the tables of entities.
#ifndef STORE_ENTITY_FIELDS_H
#define STORE_ENTITY_FIELDS_H

#include "store/entity.h"

#define ENTITY_NAME_MAX 64
// NULL, or what was expected. "web-team": a-z, 0-9, '-', '_', '.'.
const char *entity_check_name(struct str text);
const char *entity_check_email(struct str text);
// "Europe/Vienna", "UTC": the form alone.
const char *entity_check_zone(struct str text);
// "10.0.0.0/8", "2001:db8::1".
const char *entity_check_address(struct str text);
// "https://app.example.com".
const char *entity_check_origin(struct str text);
// "", "model/gpt-5", "model/gpt-*".
const char *entity_check_selector(struct str text);
// "env=prod", "env!=prod".
const char *entity_check_condition(struct str text);

#define ENTITY_TAGS_FIELD                                                                                              \
    {                                                                                                                  \
        .name = STR_INIT("tags"), .type = ENTITY_MAP, .flags = ENTITY_FILTER, .help = "Names and values of your own",  \
        .example = "{\"env\":\"prod\"}"                                                                                \
    }
#define ENTITY_TITLE_FIELD                                                                                             \
    {                                                                                                                  \
        .name = STR_INIT("title"), .type = ENTITY_TEXT, .flags = ENTITY_FILTER | ENTITY_SORT, .max = 200,              \
        .help = "What people call it"                                                                                  \
    }
#define ENTITY_NAME_FIELD(what_for, an_example)                                                                        \
    {                                                                                                                  \
        .name = STR_INIT("name"), .type = ENTITY_TEXT, .flags = ENTITY_REQUIRED | ENTITY_FILTER | ENTITY_SORT,         \
        .min = 1, .max = ENTITY_NAME_MAX, .check = entity_check_name, .help = what_for, .example = an_example          \
    }

#endif
