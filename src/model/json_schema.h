// Says whether a JSON value is what a JSON Schema describes.
//
// A strict part of draft 2020-12: type, enum, const, properties, required, additionalProperties, minProperties,
// maxProperties, items, prefixItems, minItems, maxItems, uniqueItems, minimum, maximum, exclusiveMinimum,
// exclusiveMaximum, multipleOf, minLength, maxLength, pattern, anyOf, allOf, oneOf, not, and $ref to a place in the
// same schema (#, #/$defs/NAME). $schema, $id, $comment, title, description, default, examples, format, deprecated,
// readOnly and writeOnly say nothing here. A schema with any other member is refused: what would not be checked is not
// promised. Patterns are those of base/pattern.h. Source: json-schema.org, draft 2020-12, Core and Validation.
//
// Ownership: a schema lives in the arena and points into its text, which must stay. Thread rule: constant once made.
// Errors: ERR_INVALID_JSON, ERR_INVALID_FIELD with the place in the schema.
#ifndef MODEL_JSON_SCHEMA_H
#define MODEL_JSON_SCHEMA_H

#include "base/arena.h"
#include "base/err.h"

#define JSON_SCHEMA_TEXT_MAX ((size_t)1 << 20)
#define JSON_SCHEMA_DEPTH_MAX 64
#define JSON_SCHEMA_NODES_MAX 5000
// A check reads so many bytes at most, each as often as it is looked at.
#define JSON_SCHEMA_WORK_MAX ((uint64_t)64 << 20)

struct json_schema;
NODISCARD bool json_schema_read(struct str text, struct arena *arena, const struct json_schema **out_schema,
                                struct err *err);

enum json_schema_verdict {
    JSON_SCHEMA_VALID,
    JSON_SCHEMA_INVALID,
    JSON_SCHEMA_NO_JSON,  // the text is no JSON value
    JSON_SCHEMA_GIVEN_UP, // too deep, too much work, a $ref that leads to itself
};
// The first thing that is wrong.
struct json_schema_fault {
    char path[160]; // JSON pointer into the value: "/items/3/name"
    char why[160];  // "expected a string"
};
// out_fault may be NULL; set unless it is valid.
enum json_schema_verdict json_schema_check(const struct json_schema *schema, struct str value,
                                           struct json_schema_fault *out_fault);

// Whether two raw values are the same: numbers by what they are worth, objects in any order. They must be valid JSON.
// *io_work is taken from; at 0 the answer is false.
bool json_same(struct str a, struct str b, uint64_t *io_work);

#endif
