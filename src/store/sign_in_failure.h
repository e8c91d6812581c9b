// Rows that count failed sign-ins, by e-mail address and by the client's address.
//
// Thread rule: the connection's. Units: unix ns. Errors: those of sql.h.
#ifndef STORE_SIGN_IN_FAILURE_H
#define STORE_SIGN_IN_FAILURE_H

#include "store/sql.h"

struct sign_in_failure {
    int64_t failures;
    int64_t failed_at;    // the last one
    int64_t locked_until; // 0 = not
};
// All zero when nothing is known of the subject.
NODISCARD bool sign_in_failure_get(struct sql *db, struct str subject, struct sign_in_failure *out_row,
                                   struct err *err);
// A row without failures is removed.
NODISCARD bool sign_in_failure_put(struct sql *db, struct str subject, const struct sign_in_failure *row,
                                   struct err *err);
// Removes rows whose last failure is older and whose lock is over, a thousand at most.
NODISCARD bool sign_in_failure_purge(struct sql *db, int64_t before, int64_t now_ns, struct err *err);

#endif
