// Everything the tables know of one option, found by its key, and the environment variables of all of them.
//
// Ownership: texts live in the arena given or are the tables' own. Thread rule: pure.
#ifndef CONF_OPT_EXPLAIN_H
#define CONF_OPT_EXPLAIN_H

#include "conf/opt.h"

#define OPT_RELATED_MAX 64

struct opt_facts {
    const struct opt *opt;         // NULL: the whole configuration
    const struct opt_table *below; // the options in it, or NULL
    bool item;                     // an entry of the list or map `opt`, not opt itself
    struct str key;                // "providers[].api_key", "prices.NAME.input"
    struct str below_key;          // what the keys of its options begin with: "providers[]."
    struct str variable;           // "PENSTOCK_PROVIDERS__NAME__API_KEY"; empty = none sets it
    struct str type, limits;       // as opt_type_put and opt_limits_put say, without backticks
    struct str example;            // lines of YAML from the file's top on; empty = none
    struct str related[OPT_RELATED_MAX];
    size_t n_related;
};
// Positions and names of items may stand in the key, or "[]" for them, or be left out; a variable's name is a key too.
// False with err when there is no such option; *out_near is then the key most like it, or empty.
NODISCARD bool opt_explain(const struct opt_table *root, struct str key, struct arena *a, struct opt_facts *out_facts,
                           struct str *out_near, struct err *err);
// How a value of a type is written: "64 KiB, 32 MiB or 1 GiB"; "" where there is nothing to say.
const char *opt_writing(enum opt_type type);
// Each option's variable as a Markdown table, a section for each option of the root.
void opt_variables(const struct opt_table *root, struct buf *out);

#endif
