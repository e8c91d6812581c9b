// Access tokens on the data plane: who presents one, as the database has it, remembered for half a second.
//
// A token is checked on the worker pool, since its signature takes longer than a key's hash and what its bearer may do
// is looked up; requests with the same token meanwhile wait for the one check. What was revoked is so everywhere within
// a second.
//
// Ownership: one a loop, made with the first token. Thread rule: the loop's. Errors: those of token_check and
// keyring_of_token.
#ifndef GATEWAY_TOKENS_H
#define GATEWAY_TOKENS_H

#include "gateway/pipeline.h"

struct tokens;
// DONE: call->ring and call->key are set. WAIT: the call is resumed when it is known.
enum stage_result tokens_find(struct call *call, struct str text, struct err *err);
void tokens_free(struct tokens *tokens); // NULL is fine

#endif
