// Fuzzes what the PostgreSQL driver reads and converts: values of every type, and placeholders in statements.
#include "store/postgres.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const Oid types[] = {PG_BOOL, PG_BYTEA, PG_INT8, PG_INT2, PG_INT4, PG_TEXT, PG_FLOAT8, PG_NUMERIC, 4711};
    if (size == 0) return 0;
    // A copy of just this size, so that reading past it shows.
    char *copy = malloc(size);
    if (!copy) return 0;
    memcpy(copy, data, size);
    struct str bytes = {copy + 1, size - 1};
    (void)pg_value_i64(types[(unsigned char)copy[0] % ARRAY_LEN(types)], bytes);
    struct buf out = BUF_INIT(1 << 20);
    unsigned values = 0;
    if (pg_text_convert(bytes, &out, &values) && (values > PG_VALUES_MAX || out.n > 4 * size + 16)) abort();
    buf_free(&out);
    free(copy);
    return 0;
}
