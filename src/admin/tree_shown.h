// A recorded tree of configuration values as JSON for people: secrets masked, references as they were written.
//
// Thread rule: pure. Errors: ERR_STORE when the text is no configuration.
#ifndef ADMIN_TREE_SHOWN_H
#define ADMIN_TREE_SHOWN_H

#include "base/json_write.h"
#include "conf/opt.h"

// yaml: as conf_tree_yaml wrote it. Writes one value.
NODISCARD bool tree_shown_put(struct json_writer *w, const struct opt_table *root, struct str yaml, struct arena *a,
                              struct err *err);

#endif
