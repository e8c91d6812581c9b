// A provider's credential that has to be fetched and renewed: an access token, or a key to sign with.
//
// Fetched by a worker thread, never twice at once, whatever loops ask for it, and anew some minutes before it runs out,
// while calls go on with the one that still holds; only where none holds, calls wait. Adding a way to fetch one: a file
// credential_NAME.c with a credential_fetch, and its line in credential_create.
//
// Ownership: the runtime's, one a provider. Thread rule: any thread; a fetch blocks. Errors: those of the fetch; after
// one, the next attempt waits a second, and calls that come meanwhile fail with the same error.
#ifndef GATEWAY_CREDENTIAL_H
#define GATEWAY_CREDENTIAL_H

#include "base/arena.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "model/sigv4.h"

#include <stdatomic.h>

struct call;
struct credential;
struct gateway_loop;

struct credential_token {
    struct secret text;        // or the secret key, which then has the following two
    struct secret id, session; // what belongs to it
    uint64_t lifetime_s;       // from now on
};
void credential_token_free(struct credential_token *token);
struct credential_asker {
    const struct conf_provider *provider;
    atomic_bool *stop; // once true, a fetch fails within about a second
};
// Blocks. False with *err set: nothing was fetched.
typedef bool credential_fetch(const struct credential_asker *by, struct credential_token *out_token, struct err *err);
credential_fetch credential_fetch_google; // a service account's key, or a metadata server
credential_fetch credential_fetch_azure;  // an access token of Entra ID
credential_fetch credential_fetch_aws;    // a temporary key of a role

// *out_credential is NULL for a provider that needs none.
NODISCARD bool credential_create(const struct conf_provider *provider, struct credential **out_credential,
                                 struct err *err);
void credential_free(struct credential *credential);

// The process ends: what is being fetched is given up, and the loop waits for no other loop's fetch. No call may wait
// for one.
void credential_stop(struct gateway_loop *gl);

enum credential_state {
    CREDENTIAL_READY, // credential_bearer tells it
    CREDENTIAL_WAIT,  // the call waits; pipeline_resume is called
    CREDENTIAL_FAIL,  // *err set
};
// What the call's provider (call->at->provider) needs before it can be sent anything.
enum credential_state credential_want(struct call *call, struct err *err);
// "Bearer …" in the arena; empty without one, or memory.
// *out_serial: which one it is of those that were fetched.
struct str credential_bearer(struct credential *credential, struct arena *arena, uint64_t *out_serial);
// The key to sign with, in the arena. False without one, or memory.
NODISCARD bool credential_key(struct credential *credential, struct arena *arena, struct sigv4_key *out_key,
                              uint64_t *out_serial);
// Whether a text tells it.
bool credential_is_in(struct credential *credential, struct str text);
// Whether an error answer says that it holds no more. AWS does so with 403, which else means that a right is missing.
bool credential_is_over(const struct credential *credential, int status, struct str body);
// The provider has refused that one: the next call fetches another. False: so it was with the one before it, a moment
// ago, and another will hardly help.
bool credential_refused(struct credential *credential, uint64_t serial);

#endif
