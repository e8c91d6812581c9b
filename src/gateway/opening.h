// The beginning of a stream: its head, and what comes before its first event, are held back.
//
// An error that comes first is so a failure like one that a status tells, and of two attempts the first to bring an
// event wins.
//
// What is held back is little, and not for long: keep-alives go out after a while, as they keep the client's
// connection open too. Nothing is copied but what comes before the first event.
//
// Ownership: part of its attempt; the memory is the call's arena's, but for what opening_free gives back. Thread rule:
// the call's loop.
#ifndef GATEWAY_OPENING_H
#define GATEWAY_OPENING_H

#include "gateway/attempt.h"
#include "net/http.h"

// The head of an answer has come. False: it is none that is held back, and nothing was taken.
NODISCARD bool opening_begin(struct attempt *a, int status, const struct http_field *fields, size_t count);
// What follows it, while a->opening. The call may be gone after this.
void opening_data(struct attempt *a, struct str data, bool last);
void opening_free(struct attempt *a);

#endif
