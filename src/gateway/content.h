// Gathers what a client was answered, where its tenant's contents are kept.
//
// Ownership: the call's. Thread rule: its loop's. Errors: what finds no memory is not kept.
#ifndef GATEWAY_CONTENT_H
#define GATEWAY_CONTENT_H

#include "gateway/call.h"

// Parts of the answer, in their order.
void content_add(struct call *call, const struct str *parts, size_t count);
// At the record's end: hands request and answer over.
void content_end(struct call *call);

#endif
