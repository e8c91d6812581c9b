// Joining, changing and comparing trees of configuration values by what the option tables say of them.
//
// Ownership: results live in the arena given and may share nodes with what they were made from. Thread rule: pure.
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "conf/path.h"

// high over low: maps join key by key, lists of named items name by name (new ones come after), everything else is
// high's, with `under` telling what it took the place of. null in high takes the value away. Either may be NULL.
NODISCARD bool conf_tree_join(const struct opt_table *table, struct conf_node *low, struct conf_node *high,
                              struct arena *a, struct conf_node **out_root);
// Puts value at the path, making maps and lists on the way; value NULL or null takes what is there away.
NODISCARD bool conf_tree_set(const struct opt_table *table, struct conf_node **root, const struct conf_path *path,
                             struct conf_node *value, struct arena *a, struct err *err);
// The node at a path, or NULL.
const struct conf_node *conf_tree_get(const struct opt_table *table, const struct conf_node *root,
                                      const struct conf_path *path);
// What conf_tree_set would have to do to make `to` out of `from`: each smallest differing value, NULL = taken away. A
// section (OPT_STRUCT) without values is the same as none.
typedef bool conf_tree_change(void *ctx, struct str path, const struct conf_node *value);
NODISCARD bool conf_tree_compare(const struct opt_table *table, const struct conf_node *from,
                                 const struct conf_node *to, conf_tree_change *fn, void *ctx);
// The name that an item of a list of named items goes by, or nothing.
struct str conf_item_name(const struct opt *opt, const struct conf_node *item);
// The tree as YAML (block style) and as JSON (one line), references as written, secrets in clear: for the sealed store.
void conf_tree_yaml(const struct conf_node *root, struct buf *out);
void conf_tree_json(const struct conf_node *node, struct buf *out);
// One scalar as YAML, quoted where it must be. plain: it may be a number or a word such as true; else it is text.
void conf_yaml_text(struct buf *out, struct str text, bool plain);

// JSON in words that YAML has too: characters past U+FFFF written as two \u escapes, and raw ones that YAML takes for
// line breaks or refuses.
void conf_json_as_yaml(struct str json, struct buf *out);

#endif
