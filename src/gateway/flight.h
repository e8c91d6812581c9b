// Coalescing: one call to a provider for all identical requests that are under way at a time, on whichever loops.
//
// A flight is a request of this server's own (net/http_inner.h), made in the name of the first that asked. Its answer
// is kept as it comes, and every request that waits for it is a rider, which reads it at its own pace, from the
// beginning; the first that asked is a rider like the others, so that none depends on another's client. With the last
// rider gone, the call is given up. A rider went through all stages before the call by itself: its key, its rights and
// its budgets are its own, and so is its record.
//
// Of a long stream, FLIGHT_KEPT bytes are kept; beyond, nobody joins any more, and who falls behind the first by as
// much is given up on. The provider waits for the first rider, and for no other.
//
// Ownership: struct flights is the gateway's; a flight belongs to its riders and its call together; a rider lives in
// its call's arena. Thread rule: calls are their loops'; flights are shared, under locks of their own. Units: bytes.
// Errors: those of the call, the same for all riders.
#ifndef GATEWAY_FLIGHT_H
#define GATEWAY_FLIGHT_H

#include "gateway/call.h"

#define FLIGHT_KEPT ((size_t)4 << 20)
#define FLIGHT_IDENTITY_MAX ((size_t)1 << 20)

struct flights;

NODISCARD bool flights_create(struct flights **out_flights, struct err *err);
void flights_free(struct flights *flights); // none may be under way; NULL is fine

// Joins the flight of that identity, or sets one off; its last bytes are the body. The call is answered by it from here
// on. False: it has to go alone.
NODISCARD bool flight_join(struct call *call, struct str identity);
// The rider's client left: writes its record.
void flight_leave(struct call *call);
// The rider's client has caught up.
void flight_resume(struct call *call);

// Of a flight's call: its target is being asked, or is not any more.
void flight_asks(const struct call *call, bool asks);

// The call of a flight itself, which has neither record nor budget.
static inline bool flight_is(const struct call *call) { return call->inner && call->inner->flight; }

#endif
