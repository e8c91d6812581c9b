// What the ways to fetch a credential share: asking, and reading what comes.
//
// Ownership: the token's secrets are the caller's (credential_token_free). Thread rule: blocks; any thread. Errors:
// tell nothing of what was sent.
#ifndef GATEWAY_CREDENTIAL_ASK_H
#define GATEWAY_CREDENTIAL_ASK_H

#include "gateway/credential.h"
#include "net/fetch.h"

// The answer, when its status is 200. The provider's certificates and timeouts hold for it, and its proxy, but not on
// the way to an address of this machine or its link, where metadata servers are.
NODISCARD bool credential_ask(const struct credential_asker *by, struct fetch_request *request,
                              struct fetch_answer *out_answer, struct err *err);
// With its secrets wiped.
void credential_answer_free(struct fetch_answer *answer);
// An access token in the form of OAuth 2.0 (RFC 6749, section 5).
NODISCARD bool credential_ask_token(const struct credential_asker *by, struct fetch_request *request,
                                    struct credential_token *out_token, struct err *err);
// "&NAME=VALUE", the value escaped.
void credential_pair_put(struct buf *out, const char *name, struct str value);
// The token in identity->token_file, as it is now, or else identity->token. *out is the caller's.
NODISCARD bool credential_read_token(const struct conf_provider *provider, struct secret *out, struct err *err);

#endif
