// What the files that compare and show configurations share: who is touched by a change, what is not to be shown.
#ifndef CONF_CHANGE_IMPL_H
#define CONF_CHANGE_IMPL_H

#include "conf/change.h"

struct reach { // an alias, and one of the names it leads over or to
    struct str to, alias;
};
struct touched_tenant {
    struct str name;
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
    VEC(struct touched_tenant) tenants; // of both, by name
    VEC(struct allowed) allowed;        // by the model's name
    struct str last_tenants;            // the text made last: mostly it is the same again
    struct arena *arena;
    bool failed;
};
void touching_init(struct touching *t, const struct conf *a, const struct conf *b, struct arena *arena);
void touching_free(struct touching *t);
// Fills the names in *out for a change of an option of the root, in the item of that name where it has items.
void touching_find(struct touching *t, const struct opt *section, struct str item, struct conf_change *out);

// Whether the text is what a reference, or a secret option, stood for: not to be shown.
bool conf_is_confidential(const struct conf *c, struct str text);

#endif
