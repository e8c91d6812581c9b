// What the files of the configuration share with one another, and with no other room.
#ifndef CONF_CONF_IMPL_H
#define CONF_CONF_IMPL_H

#include "conf/conf.h"

// Puts a value at a dotted key ("listeners.0.address") of the tree: maps and lists on the way are copied, or made.
// *root may be NULL.
NODISCARD bool conf_node_set(struct conf_node **root, struct str key, struct conf_node *value, struct arena *a);
// The YAML of a `providers` list with what env knows of: keys in the environment, servers found; else `demo`.
void conf_discover(const struct conf_env *env, struct buf *out);
// All rules between values; fills the derived fields and maps. Problems go to b->problems.
void conf_check(struct opt_bind *b, struct conf *c);
void conf_check_models(struct opt_bind *b, struct conf *c);
// Where a value stands: its own node, else the second's.
PRINTF_LIKE(5, 6)
void conf_complain(struct opt_bind *b, enum conf_severity severity, const void *field, const void *fallback,
                   const char *fmt, ...);

#endif
