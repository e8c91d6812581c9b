// What the files that compare and show configurations share: who is touched by a change, what is not to be shown.
#ifndef CONF_CHANGE_IMPL_H
#define CONF_CHANGE_IMPL_H

#include "conf/change.h"

struct reach { // an alias, and one of the names it leads over or to
    struct str to, alias;
};
struct touched_tenant { // or one of its teams, projects, keys
    enum conf_level_kind kind;
    struct str name;                 // "acme", "acme/ml"
    const struct conf_tenant *of[2]; // on each side, or NULL
    bool touched;                    // by the change that is looked at
    bool open;                       // it may use models that it does not name
};
struct allowed { // a model's name that a tenant lists
    struct str model;
    size_t tenant; // in `tenants`
};
struct touching {
    const struct conf *sides[2];        // as it was, as it will be
    VEC(struct reach) reaches;          // of both, sorted
    VEC(struct touched_tenant) tenants; // of both, by kind and name
    VEC(struct allowed) allowed;        // by the model's name
    struct str last[LEVEL_KIND_COUNT];  // the texts made last: mostly they are the same again
    struct arena *arena;
    bool failed;
};
void touching_init(struct touching *t, const struct conf *a, const struct conf *b, struct arena *arena);
void touching_free(struct touching *t);
// A part of the configuration: an option of the root, the item in it where it has items, and of a tenant the level.
struct touched_place {
    const struct opt *section;
    struct str item;
    enum conf_level_kind kind; // LEVEL_TENANT: the item itself
    struct str level;
};
// Fills the names in *out for a change there.
void touching_find(struct touching *t, const struct touched_place *at, struct conf_change *out);

// Whether the text is what a reference, or a secret option, stood for: not to be shown.
bool conf_is_confidential(const struct conf *c, struct str text);

#endif
