// What the files of signing in share: locks by subject, events, checking one's own password again.
#ifndef ACCESS_SIGN_IN_IMPL_H
#define ACCESS_SIGN_IN_IMPL_H

#include "access/sign_in.h"
#include "access/throttle.h"

#define SUBJECT_MAX 80
struct subject {
    char p[SUBJECT_MAX];
    size_t n; // 0: there is none
};
static inline struct str subject_str(const struct subject *s) { return (struct str){s->p, s->n}; }

struct attempt {
    struct subject email, address;
    struct str email_text;
    struct sign_in_failure count; // of the e-mail address, this attempt included
};
// Counts an attempt; ERR_RATE_LIMITED when it is locked.
NODISCARD bool attempt_begin(const struct sign_in_room *room, struct str email, struct str address, int64_t now_ns,
                             struct attempt *out_attempt, struct err *err);
// It was right: within a transaction. wholly: earlier failures are forgotten too.
NODISCARD bool attempt_right(const struct sign_in_room *room, const struct attempt *attempt, bool wholly,
                             struct err *err);
// It was neither right nor wrong: as if it had not been. A count that cannot be taken back stays.
void attempt_undo(const struct sign_in_room *room, const struct attempt *attempt);
// Forgets failures and locks of an address: within a transaction.
NODISCARD bool attempt_forget(const struct sign_in_room *room, struct str email, struct err *err);
// Removes counts that no longer matter.
NODISCARD bool attempt_purge(struct sql *db, int64_t now_ns, struct err *err);

struct note {
    const char *action;
    enum audit_outcome outcome;
    const char *reason;          // NULL: none
    const struct user_row *user; // whom it is about; NULL: nobody known
    struct str email;            // that was typed, when nobody is known
    int64_t session;             // 0: none
    struct str after;            // JSON, or empty
    bool by_user;                // the user is who did it; else who room->from says
};
// Within a transaction; does nothing without a signer.
NODISCARD bool note_put(const struct sign_in_room *room, int64_t tenant, const struct note *note, int64_t now_ns,
                        struct err *err);
// What a failed attempt leaves: events in the chains of these users' tenants, or of the tenant given when there are
// none.
NODISCARD bool note_failure(const struct sign_in_room *room, const struct attempt *attempt, const char *action,
                            const struct user_row *users, size_t n, int64_t tenant, int64_t now_ns, struct err *err);

#endif
