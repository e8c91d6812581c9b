// What every request that goes on to a provider is looked at for first.
//
// Thread rule: the call's loop. Errors: ERR_LOOP, ERR_BODY_TOO_LARGE, ERR_INVALID_REQUEST.
#ifndef GATEWAY_READ_H
#define GATEWAY_READ_H

#include "gateway/call.h"

// That it is not one of our own that came back, that its body is as it reads, and that its tenant may send as much.
// Sets what the answer may have.
NODISCARD bool read_admits(struct call *call, struct err *err);
// What a model is called here that one of Ollama's clients names: it takes "name" for "name:latest", so some tools
// always say that.
struct str read_untagged(const struct call *call, struct str name);

#endif
