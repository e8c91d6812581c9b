// People sign in: e-mail address, password, and a code of the second factor where there is one.
//
// What is wrong is not told: an address nobody has takes the same work and gets the same answer as a wrong password,
// also when it is known to several tenants, and is locked after the same number of failures. Each attempt is counted
// before its password is looked at (access/throttle.h), and what came of it is an event of the audit trail.
//
// Without a tenant's name, every attempt is held against SIGN_IN_TENANTS passwords, whether so many tenants know the
// address or none does; who is known to more must name one. One thing does show: a hash made at a lower cost than is
// now configured answers sooner, until its owner's next sign-in renews it.
//
// Ownership: text of the outcome lives in the caller's arena. Thread rule: the connection's; blocks on hashing, so on a
// worker. No transaction may be open. Units: unix ns. Errors: ERR_CREDENTIALS; ERR_SECOND_FACTOR when only the code is
// missing; ERR_RATE_LIMITED says how long the address is locked; ERR_INVALID_FIELD; those of password.h and sql.h.
#ifndef ACCESS_SIGN_IN_H
#define ACCESS_SIGN_IN_H

#include "access/password.h"
#include "access/session.h"
#include "store/audit.h"
#include "store/datadir.h"

#define SIGN_IN_TENANTS 3

// What signing in works with.
struct sign_in_room {
    struct sql *db;
    const struct datadir *dir;
    const struct conf_auth *auth;
    struct password_hasher *hasher;    // NULL: hashing is not bounded
    const struct audit_signer *signer; // NULL: nothing is written to the audit trail
    struct audit_event from;           // actor, address, agent and request_id of the events
    // Told of an event that the trail does not take, in place of refusing what it is of; NULL: no event, no act.
    void (*lose)(const void *ctx, const struct audit_event *event, const struct err *why);
    const void *ctx;
};

struct sign_in_wanted {
    struct str email, password;
    struct str tenant; // its name or id; empty: whichever knows the address
    struct str code;   // of the second factor, or a recovery code; empty: none
};
struct sign_in_done {
    struct session_begun session;
    struct user_row user;
    enum session_due due;
    bool second_factor;
    bool recovery; // a recovery code was used
};
NODISCARD bool sign_in(const struct sign_in_room *room, const struct sign_in_wanted *wanted, int64_t now_ns,
                       struct arena *arena, struct sign_in_done *out_done, struct err *err);
// Of the session it came with. ERR_NOT_FOUND when it is over already.
NODISCARD bool sign_out(const struct sign_in_room *room, const struct who *who, int64_t now_ns, struct err *err);

// In lower case, without space around it. ERR_INVALID_FIELD when it has not the shape of an e-mail address.
NODISCARD bool email_normalize(struct str text, struct arena *arena, struct str *out_email, struct err *err);

#endif
