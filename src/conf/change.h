// What differs between two configurations, by meaning: each change with how it is applied and whom it touches.
//
// Ownership: struct conf_changes owns its arena. Thread rule: pure. Secrets: old and new text of private values is
// "***".
#ifndef CONF_CHANGE_H
#define CONF_CHANGE_H

#include "conf/conf.h"

enum conf_change_kind { CHANGE_SET, CHANGE_ADDED, CHANGE_REMOVED };
enum conf_apply {
    APPLY_LIVE,    // from the next request on
    APPLY_DRAIN,   // live; open connections and streams keep the old value until they end
    APPLY_RESTART, // only when the server is started anew
};
struct conf_change {
    struct str path; // as in path.h; of an item for CHANGE_ADDED and CHANGE_REMOVED
    enum conf_change_kind kind;
    enum conf_apply apply;
    struct str before, after; // as text; empty where there is none
    bool secret;              // both are masked
    // Names of whom it touches, sorted, separated by ", "; empty = nobody in particular (or, for `all`, everybody).
    // Teams, projects and keys are "acme/ml"; what else than a-z, 0-9 and the like is in a name stands in double
    // quotes.
    struct str models, aliases, tenants, teams, projects, keys, listeners;
    bool all; // every request
};
struct conf_changes {
    struct arena arena;
    VEC(struct conf_change) list;
    bool failed; // out of memory: the list is not whole
};
void conf_changes_init(struct conf_changes *changes);
void conf_changes_free(struct conf_changes *changes);
// a: as it was; b: as it will be. Lists of named items are compared name by name.
void conf_compare(const struct conf *a, const struct conf *b, struct conf_changes *out);
// Takes the first name off a list of those touched.
void conf_names_next(struct str *io_names, struct str *out_name);
// "live", "drain", "restart".
const char *conf_apply_name(enum conf_apply apply);
// For people: a line each, "~ limits.max_body: 32 MiB → 64 MiB   live   every request".
void conf_changes_print(const struct conf_changes *changes, struct buf *out);
// [{"key","change","before","after","apply","touches":{"all","models","aliases","tenants","teams","projects","keys","listeners"}}];
// at most 100 names of each kind, then "more" counts the others.
void conf_changes_json(const struct conf_changes *changes, struct buf *out);

#endif
