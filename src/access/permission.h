// The permission matrix: types of resources and what can be done with them.
//
// Thread rule: pure values. Errors: parsing says what is wrong with a text and names what is near.
#ifndef ACCESS_PERMISSION_H
#define ACCESS_PERMISSION_H

#include "base/err.h"
#include "base/json_write.h"

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
// A JSON array of such texts; all of a text that is wrong is left out, *err names the first.
NODISCARD bool permission_read_json(struct permission_set *set, struct str json, struct err *err);
// The shortest texts that mean the set, as a JSON array: "*", "key:*", "key:create".
void permission_put_json(struct json_writer *w, const struct permission_set *set);
// All permissions there are.
void permission_all(struct permission_set *out_set);
// Whether all of `part` is in `whole`.
bool permission_subset(const struct permission_set *part, const struct permission_set *whole);
bool permission_empty(const struct permission_set *set);
// "key:create", cut to fit.
#define PERMISSION_TEXT_MAX 32
struct str permission_text(enum resource_type type, enum action action, char out[PERMISSION_TEXT_MAX]);

#endif
