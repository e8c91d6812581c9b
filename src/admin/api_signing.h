// What the endpoints of signing in share: the configuration they go by, cookies, people who ask for themselves.
//
// Ownership, threads, errors: as in api.h.
#ifndef ADMIN_API_SIGNING_H
#define ADMIN_API_SIGNING_H

#include "access/account.h"
#include "admin/api_impl.h"
#include "conf/conf.h"

struct api_auth {
    struct conf *conf; // a reference; NULL: there is none, and the defaults hold
    const struct conf_auth *auth;
};
// False when there is no configuration.
bool api_auth_begin(const struct api *api, struct api_auth *out_auth);
void api_auth_end(struct api_auth *auth);

// The answer sets the session's cookie; text empty: takes it away.
void api_set_cookie(struct api_call *call, struct str text, int64_t expires_at);

#endif
