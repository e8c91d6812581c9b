// What people change about how they sign in: password, second factor, recovery codes.
//
// Whoever asks is signed in; what weakens the account asks for the password again, counted against the same lock as
// signing in. Each change is an event of the audit trail. A password that was changed ends all other sessions.
//
// Ownership: codes and secrets given out are the caller's to wipe. Thread rule: as sign_in.h. Units: unix ns. Errors:
// ERR_FORBIDDEN when the present password is wrong; ERR_EXISTS and ERR_NOT_FOUND when there is, or is not, a second
// factor; those of sign_in.h.
#ifndef ACCESS_ACCOUNT_H
#define ACCESS_ACCOUNT_H

#include "access/sign_in.h"
#include "access/totp.h"

// session: the text of the session it came with; it gets another, *out_text.
NODISCARD bool account_change_password(const struct sign_in_room *room, const struct who *who, struct str session,
                                       struct str present, struct str fresh, int64_t now_ns, struct arena *arena,
                                       struct session_text *out_text, struct err *err);
// By an administrator, or a command: must_change makes it good for one sign-in, to change it. Locks are taken off; all
// the user's sessions end. room->from says who did it.
NODISCARD bool account_reset_password(const struct sign_in_room *room, struct sql_scope tenant, int64_t user,
                                      struct str fresh, bool must_change, int64_t now_ns, struct arena *arena,
                                      struct err *err);

// A new secret, in place of one that was not confirmed. ERR_FORBIDDEN: the password is wrong.
NODISCARD bool account_begin_totp(const struct sign_in_room *room, const struct who *who, struct str password,
                                  int64_t now_ns, struct arena *arena, char out_secret[TOTP_SECRET_SIZE],
                                  struct err *err);
struct recovery_codes {
    char p[RECOVERY_CODES][RECOVERY_CODE_LEN];
};
// By a code of it: from then on sign-in asks for one.
NODISCARD bool account_confirm_totp(const struct sign_in_room *room, const struct who *who, struct str code,
                                    int64_t now_ns, struct arena *arena, struct recovery_codes *out_codes,
                                    struct err *err);
NODISCARD bool account_end_totp(const struct sign_in_room *room, const struct who *who, struct str password,
                                int64_t now_ns, struct arena *arena, struct err *err);
// Other codes in place of those there are.
NODISCARD bool account_renew_codes(const struct sign_in_room *room, const struct who *who, struct str password,
                                   int64_t now_ns, struct arena *arena, struct recovery_codes *out_codes,
                                   struct err *err);

#endif
