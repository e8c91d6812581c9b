// Chooses and orders entries of the catalogue, for the API and the command line alike.
//
// Ownership: text is the caller's. Thread rule: pure. Errors: ERR_INVALID_FIELD names the parameter.
#ifndef MODEL_CATALOG_QUERY_H
#define MODEL_CATALOG_QUERY_H

#include "base/arena.h"
#include "model/catalog.h"

enum model_sort { MODEL_SORT_NAME, MODEL_SORT_COST, MODEL_SORT_CONTEXT, MODEL_SORT_OUTPUT };
struct model_query {
    unsigned can;        // all of them
    struct str provider; // a kind, or a vendor's word; empty = all
    struct str search;   // part of the name; empty = all
    bool has_mode;
    enum model_mode mode;
    enum model_sort sort;
    bool backwards;
};
struct model_query_text {
    struct str can;  // "vision,tools"
    struct str mode; // "embedding"
    struct str sort; // "name", "cost", "context", "output"; "-context": the largest first
    struct str provider, search;
};
NODISCARD bool model_query_read(const struct model_query_text *text, struct model_query *out_query, struct err *err);
// The entries that fit, in their order, the smallest first, or backwards; what is not known comes last. Cost is that of
// four tokens, three of them input. NULL: out of memory.
const struct model_entry **model_query_run(const struct model_catalog *catalog, const struct model_query *query,
                                           struct arena *arena, size_t *out_n);
// {"source","total","data":[…]}; each with id, provider, model, what model_entry_put gives, as_of.
NODISCARD bool model_query_put(const struct model_catalog *catalog, const struct model_query *query,
                               struct arena *arena, struct buf *out, struct err *err);

#endif
