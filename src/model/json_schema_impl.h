// What a JSON schema is made into.
#ifndef MODEL_JSON_SCHEMA_IMPL_H
#define MODEL_JSON_SCHEMA_IMPL_H

#include "base/json_read.h"
#include "base/pattern.h"
#include "model/json_schema.h"

#define SCHEMA_INTEGER (1U << 6) // besides JSON_IS(kind)

struct schema_bound {
    bool set;
    struct str raw;
};
struct schema_node;
struct schema_list {
    struct schema_node **p;
    size_t n;
};
struct schema_member {
    struct str name; // decoded
    struct schema_node *node;
};
struct schema_range {
    uint64_t min, max;
};
struct schema_node {
    const char *raw; // where it stands
    bool never;      // the schema `false`
    unsigned types;  // 0 = any
    struct str *values;
    size_t n_values;     // enum
    struct str constant; // raw; p NULL = none
    struct schema_member *properties;
    size_t n_properties;
    struct str *required; // decoded
    size_t n_required;
    struct schema_node *additional, *items, *negated, *ref;
    struct schema_list prefix, any, all, one;
    struct schema_bound minimum, maximum, above, below, multiple;
    struct schema_range length, count, size; // of strings, arrays, objects
    bool unique;
    const struct pattern *pattern;
};
struct json_schema {
    struct schema_node *top;
};

// <0, 0, >0; numbers as they stand in JSON, exactly where both are integers of 64 bits.
int json_number_order(struct str a, struct str b);

#endif
