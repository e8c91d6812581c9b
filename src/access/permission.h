// The permission matrix: types of resources and what can be done with them.
//
// Thread rule: pure values. Errors: parsing says what is wrong with a text and names what is near.
#ifndef ACCESS_PERMISSION_H
#define ACCESS_PERMISSION_H

#include "base/err.h"

enum resource_type {
#define RESOURCE(id, name, actions, help) RESOURCE_##id,
#include "access/permission.def"
#undef RESOURCE
    RESOURCE_TYPE_COUNT
};

// Every action that any resource has. The bits of struct permission_set: not stored as numbers.
enum action {
    ACTION_READ,
    ACTION_CREATE,
    ACTION_UPDATE,
    ACTION_DELETE,
    ACTION_USE,
    ACTION_EXPORT,
    ACTION_ROTATE,
    ACTION_REKEY,
    ACTION_SUSPEND,
    ACTION_ACT_AS,
    ACTION_DELEGATE,
    ACTION_APPROVE,
    ACTION_VERIFY,
    ACTION_COUNT
};

struct str resource_type_name(enum resource_type type);
struct str resource_type_help(enum resource_type type);
struct str action_name(enum action action);
bool resource_type_parse(struct str name, enum resource_type *out_type);
bool action_parse(struct str name, enum action *out_action);
// The actions a type has, as bits (1 << action).
uint32_t resource_actions(enum resource_type type);

// A set of permissions: for each type the actions in it.
struct permission_set {
    uint32_t actions[RESOURCE_TYPE_COUNT];
};
// Adds "key:create", "key:*", "*:read" or "*". ERR_INVALID_FIELD names the part that is unknown and the nearest known.
NODISCARD bool permission_add(struct permission_set *set, struct str text, struct err *err);
static inline bool permission_has(const struct permission_set *set, enum resource_type type, enum action action) {
    return set->actions[type] >> action & 1;
}
// Whether all of `part` is in `whole`.
bool permission_subset(const struct permission_set *part, const struct permission_set *whole);

#endif
