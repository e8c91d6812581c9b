// What every request that goes on to a provider is looked at for first.
//
// Thread rule: the call's loop. Errors: ERR_LOOP, ERR_BODY_TOO_LARGE, ERR_INVALID_REQUEST.
#ifndef GATEWAY_READ_H
#define GATEWAY_READ_H

#include "gateway/call.h"

// That it is not one of our own that came back, that its body is as it reads, and that its tenant may send as much.
// Sets what the answer may have.
NODISCARD bool read_admits(struct call *call, struct err *err);

#endif
