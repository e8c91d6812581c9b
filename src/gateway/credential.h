// A provider's credential that has to be fetched and renewed: an access token.
//
// Fetched by a worker thread, never twice at once, and anew some minutes before it runs out, while calls go on with the
// one that still holds; only where none holds, calls wait. Adding a way to fetch one: a file credential_NAME.c with a
// credential_fetch, and its line in credential_create.
//
// Ownership: the runtime's, one a provider. Thread rule: any thread; a fetch blocks. Errors: those of the fetch; after
// one, the next attempt waits a second, and calls that come meanwhile fail with the same error.
#ifndef GATEWAY_CREDENTIAL_H
#define GATEWAY_CREDENTIAL_H

#include "base/arena.h"
#include "base/secret.h"
#include "conf/conf.h"

struct call;
struct credential;

struct credential_token {
    struct secret text;
    uint64_t lifetime_s; // from now on
};
// Blocks. False with *err set: nothing was fetched.
typedef bool credential_fetch(const struct conf_provider *provider, struct credential_token *out_token,
                              struct err *err);
credential_fetch credential_fetch_google; // a service account's key, or a metadata server

// *out_credential is NULL for a provider that needs none.
NODISCARD bool credential_create(const struct conf_provider *provider, struct credential **out_credential,
                                 struct err *err);
void credential_free(struct credential *credential);

enum credential_state {
    CREDENTIAL_READY, // credential_bearer tells it
    CREDENTIAL_WAIT,  // the call waits; pipeline_resume is called
    CREDENTIAL_FAIL,  // *err set
};
// What the call's provider (call->at->provider) needs before it can be sent anything.
enum credential_state credential_want(struct call *call, struct err *err);
// "Bearer …" in the arena; empty without one, or memory.
struct str credential_bearer(struct credential *credential, struct arena *arena);
// Whether a text tells it.
bool credential_is_in(struct credential *credential, struct str text);
// The provider has refused it: the next call fetches another.
void credential_refused(struct credential *credential);

#endif
