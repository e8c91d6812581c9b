// The rows of custom roles, as the policy is made from them. (The entity role writes them.)
//
// Ownership: texts shown to a visitor are borrowed for the call. Thread rule: the connection's. Errors: those of sql.h.
#ifndef STORE_ROLE_H
#define STORE_ROLE_H

#include "store/sql.h"

struct role_row {
    int64_t id, tenant_id;
    struct str name, parents, permissions; // the latter JSON arrays
};
typedef bool role_visit(void *arg, const struct role_row *row, struct err *err);
// A tenant's, or all; the visitor ends the walk by returning false with *err set.
NODISCARD bool role_each(struct sql_scope scope, role_visit *visit, void *arg, struct err *err);

#endif
