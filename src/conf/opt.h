// Option tables: each configurable struct has one, from which its parser, validation, defaults, comparison and
// reference page all come.
//
// Ownership: tables are static; values are written into a struct of the caller's, their text into the arena given.
// Thread rule: pure. Units: sizes in bytes, durations in milliseconds, prices in picodollars a token (which is
// microdollars a million tokens). Errors: all of them are collected in a struct conf_problems.
#ifndef CONF_OPT_H
#define CONF_OPT_H

#include "base/secret.h"
#include "conf/env.h"
#include "conf/node.h"

enum opt_type {
    OPT_BOOL,       // bool
    OPT_INT,        // int64_t
    OPT_SIZE,       // int64_t bytes
    OPT_DURATION,   // int64_t milliseconds
    OPT_DECIMAL,    // int64_t millionths
    OPT_STR,        // struct str, NUL-terminated behind its end
    OPT_SECRET,     // struct secret; the arena holds its bytes: its owner wipes them, nobody calls secret_free
    OPT_ENUM,       // int
    OPT_STRUCT,     // the struct itself, described by `sub`
    OPT_LIST,       // OPT_LIST_OF(struct), each described by `sub`
    OPT_STRS,       // OPT_LIST_OF(struct str)
    OPT_MAP,        // OPT_LIST_OF(struct opt_pair): name to text
    OPT_STRUCT_MAP, // OPT_LIST_OF(struct) whose first member is a struct str that takes the name
    OPT_PROFILES,   // bool, never set: a map from names to parts of the whole table, taken up when layers are joined
};

enum opt_flag {
    OPT_REQUIRED = 1 << 0, // must be given
    OPT_PRIVATE = 1 << 1,  // never shown (OPT_SECRET always is)
    OPT_RELOAD = 1 << 2,   // a reload applies it; without the flag a restart is needed
    OPT_MAYBE = 1 << 3,    // numbers and durations without default: OPT_UNSET when absent
    OPT_NAMED = 1 << 4,    // OPT_LIST: items are known by their first option `name`; layers join, and a comparison
                           // pairs, those of the same name
    OPT_LINES = 1 << 6,    // OPT_STR: may have several lines
    OPT_DRAIN = 1 << 5,    // with OPT_RELOAD: connections and streams that are open keep the old value until they end
};
#define OPT_UNSET INT64_C(-1)

struct opt_enum {
    const char *name; // NULL ends the list
    int value;
    const char *help; // may be NULL
};

struct opt_table;
struct opt {
    const char *name;
    enum opt_type type;
    unsigned flags;
    size_t offset;
    int64_t min,
        max;         // numbers: the range; text: length in bytes; lists and maps: entries. 0, 0 = the type's own limits
    const char *def; // as one would write it in the file; NULL = none (false, 0, empty, or OPT_UNSET)
    const struct opt_enum *values;            // OPT_ENUM
    const struct opt_table *sub;              // OPT_STRUCT, OPT_LIST, OPT_STRUCT_MAP
    const char *(*check)(struct str text);    // text: NULL when it is well-formed, else what was expected
    const char *(*check_key)(struct str key); // maps: likewise for the names
    const char *help;                         // one or two sentences, Markdown
    const char *example;                      // YAML for the value, or NULL
    const char *since;                        // the version it came with; NULL = 0.1.0
    const char *see;                          // related keys, spaces between; NULL = those beside it
    const char *deprecated;                   // what to use in its place, or NULL
};

struct opt_table {
    const char *title;
    size_t size; // of the struct
    const struct opt *opts;
    size_t n;
};
#define OPT_TABLE(heading, type, rows)                                                                                 \
    { .title = (heading), .size = sizeof(type), .opts = (rows), .n = ARRAY_LEN(rows) }

#define OPT_LIST_OF(type)                                                                                              \
    struct {                                                                                                           \
        type *p;                                                                                                       \
        size_t n;                                                                                                      \
    }
struct opt_list { // any OPT_LIST_OF, as the generic code sees it
    void *p;
    size_t n;
};
struct opt_pair {
    struct str name, value;
};
// Where a value came from: the start of provenance, and what places cross-field problems.
struct opt_mark {
    const void *field; // the value's address in its final struct
    const struct conf_node *node;
    size_t order; // a struct and its first member share an address: the later mark is the member's
};

// What references named, for those who watch over them.
struct opt_refs {
    VEC(struct str) files; // ${file:…}
    VEC(struct str) vault; // ${vault:…}
};

struct opt_bind {
    struct arena *arena; // takes the values' text and lists
    const struct conf_env *env;
    const struct conf_stores *stores; // NULL: ${secret:…} and ${vault:…} can't be used here
    bool partial;                     // what is required may be missing: a part of a configuration
    bool below;                       // only some options are wanted now: other keys of the root are passed over
    struct opt_refs refs;
    struct conf_problems *problems;
    VEC(struct opt_mark) marks;
    bool sorted;                // marks, by field and order; they are, once any was looked for
    VEC(struct secret) secrets; // what must be wiped later
    bool failed;                // out of memory
};
void opt_bind_free(struct opt_bind *b); // marks and secrets; not the secrets' bytes
// Fills *out (zeroed memory of table->size) with defaults, then with what root says; root may be NULL. Problems are
// added to b->problems and b->arena's running dry sets b->failed; after either *out is unfit for use, though sound.
void opt_bind_root(struct opt_bind *b, const struct opt_table *table, const struct conf_node *root, void *out);
// The node that set a field, or NULL (a default).
const struct conf_node *opt_mark_find(struct opt_bind *b, const void *field);
// The option of that name, or NULL; table may be NULL.
const struct opt *opt_get(const struct opt_table *table, struct str name);
// The nearest of n names by edit distance, when near enough to suggest; else STR_NONE.
struct str opt_nearest(struct str name, const struct str *names, size_t n);

// The reference of a table and all below it, as Markdown.
void opt_describe(const struct opt_table *table, struct buf *out);
// Its JSON Schema (2020-12), over several lines; the root's OPT_PROFILES hold the same without anything required.
void opt_schema(const struct opt_table *table, const char *title, const char *description, struct buf *out);

#endif
