// The name of a value in a configuration: "limits.max_body", "listeners[0].tls.cert", "models.\"gpt-4.1\".targets".
//
// Steps are separated by dots; a step with a dot, a bracket or a quote in it stands in double quotes (\" and
// \\ inside). A list item is named by its position, [0] or .0, or, where items have names, by its name.
//
// Ownership: a parsed path borrows its text, or the arena where quotes were taken off. Thread rule: pure.
#ifndef CONF_PATH_H
#define CONF_PATH_H

#include "conf/opt.h"

#define CONF_PATH_MAX 16 // steps

struct conf_path {
    struct str steps[CONF_PATH_MAX];
    bool quoted[CONF_PATH_MAX]; // a quoted step is never a position
    size_t n;
};
NODISCARD bool conf_path_parse(struct str text, struct arena *a, struct conf_path *out_path, struct err *err);
// Appends a step, quoted where it must be, with a dot before it when *out is not empty.
void conf_path_put(struct buf *out, struct str step);

// What the tables say of a path.
struct conf_place {
    const struct opt *opt;         // the option; of its item when `item` is set. NULL: the whole configuration
    const struct opt_table *table; // the one `opt` stands in
    bool item;                     // the path names an item of opt, not opt itself
};
// False with err naming the step at fault, and the nearest known name.
NODISCARD bool conf_path_find(const struct opt_table *root, const struct conf_path *path, struct conf_place *out_place,
                              struct err *err);

// PENSTOCK_PROVIDERS__OPENAI__API_KEY: parts of a path, joined by "__", in capitals; names of items are found in the
// tree without regard to case, and with "_" for any of "-./: ". False with err when it names no option.
NODISCARD bool conf_path_of_variable(const struct opt_table *root, const struct conf_node *tree, struct str variable,
                                     struct arena *a, struct buf *out_path, struct err *err);

#endif
