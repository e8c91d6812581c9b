// A YAML document as a tree of nodes with their places, read strictly and within limits.
//
// Ownership: the tree lives in the arena given; it borrows the source. An alias shares the anchored node, so a tree is
// an acyclic graph: it must not be changed. Thread rule: pure. Errors: collected in a struct conf_problems.
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include "conf/problem.h"

#define CONF_FILE_MAX ((size_t)8 << 20) // bytes in a file
#define CONF_DEPTH_MAX 32               // lists and maps inside one another
#define CONF_NODES_MAX 1000000          // nodes after aliases are expanded

enum conf_node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct conf_node {
    enum conf_node_kind kind;
    bool plain;               // a scalar without quotes or block style
    uint32_t weight;          // nodes in it, aliases expanded
    struct conf_pos pos, end; // end: just past its last character
    const struct conf_source *source;
    const struct conf_node *under; // the value of a lower layer that this one took the place of, or NULL
    struct str text;               // NODE_SCALAR, NUL-terminated behind its end
    // NODE_LIST: the items in values; NODE_MAP: keys[i] (always scalars, unique) names values[i].
    struct conf_node **keys, **values;
    size_t n;
};

// False when no tree could be made. A true one may still have added problems (a key given twice). An empty document
// gives NULL.
NODISCARD bool conf_parse(const struct conf_source *source, struct arena *a, struct conf_problems *problems,
                          struct conf_node **out_root);
// NULL when absent or when map is not a map.
const struct conf_node *conf_node_get(const struct conf_node *map, struct str key);
// null, ~ or nothing at all: the same as leaving the key out.
bool conf_node_is_null(const struct conf_node *node);
// "a list", "a map", "true", "the text \"x\"", …: for messages.
struct str conf_node_found(const struct conf_node *node, struct arena *a);
// Overwrites all text in the tree, which may hold secrets.
void conf_node_wipe(struct conf_node *node);

#endif
