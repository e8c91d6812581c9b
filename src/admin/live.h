// Live changes: what a wish makes of those there are, and the version that it becomes.
//
// Ownership: lists and text live in the arena given. Thread rule: the database connection's; blocks. Errors:
// ERR_NOT_FOUND for a version or a key that is not there, ERR_INVALID_FIELD for a key or value that can't be, those of
// config_history.h.
#ifndef ADMIN_LIVE_H
#define ADMIN_LIVE_H

#include "admin/host.h"
#include "store/config_history.h"

struct live_plan {
    struct config_live_list live; // as they will be
    bool changed;                 // they are not as they were
    int64_t newest;               // version when it was made
    uint64_t newest_digest;       // of its tree
};
// base: the tree without live changes (conf->base), for WISH_ROLLBACK only. wish NULL: nothing is wished but what is.
NODISCARD bool live_plan_make(struct sql *db, const struct datadir *dir, const struct admin_wish *wish,
                              const struct conf_node *base, int64_t now_ns, struct arena *a, struct live_plan *out_plan,
                              struct err *err);
// Adds the version that `conf` makes, with its live changes, unless it is what was recorded last (*out_version is that
// one then, and *out_added false). changes: a JSON array.
NODISCARD bool live_record(struct sql *db, const struct datadir *dir, const struct conf *conf,
                           const struct live_plan *plan, const struct config_version_row *about, int64_t *out_version,
                           bool *out_added, struct err *err);
// A value as a person writes it ("debug", "64 MiB", "[a, b]", "null") in the form live changes are kept in: JSON, by
// the option that `key` names. The key comes back in its canonical form.
NODISCARD bool live_value(struct str key, struct str text, struct arena *a, struct str *out_key, struct str *out_json,
                          struct err *err);

#endif
