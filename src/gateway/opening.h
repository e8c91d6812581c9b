// The beginning of a stream: its head, and what comes before its first event, are held back.
//
// An error that comes first is so a failure like one that a status tells, and of two attempts the first to bring an
// event wins.
//
// What is held back is little, and not for long: after OPENING_HOLD_MS the head and what there is go out, so that
// nobody between us and the client takes the connection for dead; keep-alives follow as they come. Only where
// routing.timeouts.first_token says how long a beginning is waited for, it is held back as long as that, for another
// target is asked then. Nothing is copied but what comes before the first event.
//
// Ownership: part of its attempt; the memory is the call's arena's, but for what opening_free gives back. Thread rule:
// the call's loop.
#ifndef GATEWAY_OPENING_H
#define GATEWAY_OPENING_H

#include "gateway/attempt.h"
#include "net/http.h"

#define OPENING_HOLD_MS 10000

// The head of an answer has come. False: it is none that is held back, and nothing was taken.
NODISCARD bool opening_begin(struct attempt *a, int status, const struct http_field *fields, size_t count);
// What follows it, while a->opening. The call may be gone after this.
void opening_data(struct attempt *a, struct str data, bool last);
void opening_free(struct attempt *a);

#endif
