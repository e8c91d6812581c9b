// What the files of the catalogue share.
#ifndef MODEL_CATALOG_IMPL_H
#define MODEL_CATALOG_IMPL_H

#include "base/arena.h"
#include "base/json_read.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/catalog.h"

#include <stdatomic.h>

struct catalog_source {
    struct str vendor, as_of, from;
};
struct model_catalog {
    atomic_uint refs;
    struct model_catalog *under;
    struct arena arena;
    VEC(struct model_entry) entries; // by name, once it is made
    size_t own;
    struct str source;
    struct map by_name;
};

// A text being read. What is wrong with it fails the reader, at the place where it is wrong.
struct catalog_read {
    struct model_catalog *catalog;
    struct json_reader json;
    struct str name; // of the model being read, for errors; empty = none
    VEC(struct catalog_source) sources;
    bool lenient; // of what is in it twice one stays
};
// Fails the reader: `what` is wrong at that place, STR_NONE = where the cursor stands. Always false.
bool catalog_wrong(struct catalog_read *r, struct str at, const char *what);
// The string under the cursor, decoded, in the catalogue's arena; from 1 to max bytes of printable text.
NODISCARD bool catalog_text(struct catalog_read *r, size_t max, struct str *out_text);
NODISCARD bool catalog_tokens(struct catalog_read *r, uint64_t *out_tokens);
// The number under the cursor, from 0 to max, times `unit`, rounded.
NODISCARD bool catalog_money(struct catalog_read *r, double max, double unit, int64_t *out_value);
bool catalog_is_day(struct str text);  // "2027-01-31"
bool catalog_is_name(struct str text); // "openai/gpt-4o"
NODISCARD bool catalog_add(struct catalog_read *r, const struct model_entry *entry);
// An object as `model_catalog_read` begins it: inside it, before its first member.
bool catalog_read_own(struct catalog_read *r);
bool catalog_read_litellm(struct catalog_read *r);

#endif
