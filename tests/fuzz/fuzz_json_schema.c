// A schema, a newline, a value: reading and checking end, say what is wrong, and give the same answer twice.
#include "base/json_read.h"
#include "model/json_schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_of((const char *)data, size), value;
    struct json_schema_fault fault;
    const struct json_schema *schema;
    struct arena arena;
    struct err err;
    if (size > 4096) return 0;
    size_t end = str_find_char(text, '\n');
    value = str_from(text, end + 1);
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    if (json_schema_read(str_head(text, end), &arena, &schema, &err)) {
        enum json_schema_verdict verdict = json_schema_check(schema, value, &fault);
        if ((verdict == JSON_SCHEMA_VALID) != (fault.why[0] == '\0')) abort();
        if ((verdict == JSON_SCHEMA_NO_JSON) == json_validate(value, 0, &err)) abort();
        if (json_schema_check(schema, value, NULL) != verdict) abort();
    } else if (!err.message[0]) {
        abort();
    }
    arena_free(&arena);
    return 0;
}
