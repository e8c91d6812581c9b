// The event bus: what happened, told by any room to whoever listens.
//
// The last EVENT_KEEP events are kept; a listener asks for those after the last one it saw, and is woken when there are
// new ones. Names are dotted: "config.applied", "config.refused", "vault.unreachable".
//
// Ownership: event_bus_create … event_bus_free, after all listeners are gone. Thread rule: any thread. Units: unix
// nanoseconds. Errors: an event that finds no memory is counted (event_bus_dropped), never waited for.
#ifndef OBS_EVENT_H
#define OBS_EVENT_H

#include "base/buf.h"
#include "base/err.h"

#define EVENT_KEEP 1024
#define EVENT_KEEP_BYTES ((size_t)1 << 20) // of their data; the newest is kept in any case
#define EVENT_DATA_MAX ((size_t)64 * 1024)

struct event_bus;
struct event {
    uint64_t seq; // 1, 2, …
    int64_t at;
    struct str name, data; // data: one JSON object on one line
};
NODISCARD bool event_bus_create(struct event_bus **out_bus, struct err *err);
void event_bus_free(struct event_bus *bus);
// data longer than EVENT_DATA_MAX is left out of the event, which then says {"truncated":true}. A NULL bus hears
// nothing.
void event_tell(struct event_bus *bus, struct str name, struct str data);
// Calls back for each kept event after `after`, oldest first, under the bus's lock: fn must not call the bus. Returns
// the last seq there is.
typedef void event_visit(void *ctx, const struct event *event);
uint64_t event_each(struct event_bus *bus, uint64_t after, event_visit *fn, void *ctx);

// wake is called on the telling thread, without the bus's lock, after an event was added: it posts to the owner's loop
// or signals its thread. Several threads may be in one listener's wake at once; it may call event_each, but must not
// tell, listen or unlisten. Embed it in the owner, who sets `wake`; the rest is the bus's. event_unlisten returns when
// no wake is under way, and none follows.
struct event_listener {
    struct event_listener *next, *prev;
    void (*wake)(struct event_listener *listener);
    unsigned waking; // threads that are in wake
    bool leaving;
};
void event_listen(struct event_bus *bus, struct event_listener *listener);
void event_unlisten(struct event_bus *bus, struct event_listener *listener);
uint64_t event_bus_dropped(struct event_bus *bus);

#endif
