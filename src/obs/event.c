// The event bus: a ring of the last events, and the listeners to wake when there are new ones.
#include "obs/event.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"

struct event_bus {
    struct mutex mutex; // guards all below
    struct cond woken;  // some wake has returned
    struct event *ring[EVENT_KEEP];
    uint64_t first, last; // seqs of those kept: first … last
    size_t bytes;         // of their names and data
    uint64_t dropped;
    struct event_listener *listeners;
};

bool event_bus_create(struct event_bus **out_bus, struct err *err) {
    struct event_bus *bus = mem_zalloc(1, sizeof *bus);
    if (!bus) return err_no_memory(err);
    bus->first = 1;
    mutex_init(&bus->mutex);
    cond_init(&bus->woken);
    *out_bus = bus;
    return true;
}

void event_bus_free(struct event_bus *bus) {
    if (!bus) return;
    INVARIANT(bus->listeners == NULL);
    for (size_t i = 0; i < EVENT_KEEP; i++) mem_free(bus->ring[i]);
    mutex_free(&bus->mutex);
    cond_free(&bus->woken);
    mem_free(bus);
}

static size_t size_of(const struct event *event) { return event->name.n + event->data.n; }

// One block: the event, then its name, then its data.
static struct event *event_new(struct str name, struct str data) {
    struct event *event = mem_alloc(sizeof *event + name.n + data.n);
    if (!event) return NULL;
    char *bytes = (char *)(event + 1);
    if (name.n) memcpy(bytes, name.p, name.n);
    if (data.n) memcpy(bytes + name.n, data.p, data.n);
    *event = (struct event){.name = str_of(bytes, name.n), .data = str_of(bytes + name.n, data.n)};
    return event;
}

// Holds the mutex, and lets go of it during each wake. The count keeps the listener, and with it the way to the next
// one, in the list meanwhile.
static void wake_all(struct event_bus *bus) {
    for (struct event_listener *l = bus->listeners; l; l = l->next) {
        if (l->leaving) continue;
        l->waking++;
        mutex_unlock(&bus->mutex);
        l->wake(l);
        mutex_lock(&bus->mutex);
        if (--l->waking == 0) cond_broadcast(&bus->woken);
    }
}

static void forget_first(struct event_bus *bus) {
    struct event **place = &bus->ring[bus->first++ % EVENT_KEEP];
    bus->bytes -= size_of(*place);
    mem_free(*place);
    *place = NULL;
}

void event_tell(struct event_bus *bus, struct str name, struct str data) {
    if (!bus) return;
    if (data.n > EVENT_DATA_MAX) data = STR("{\"truncated\":true}");
    struct event *event = event_new(name, data);
    mutex_lock(&bus->mutex);
    if (event) {
        event->seq = ++bus->last;
        event->at = clock_unix_ns();
        bus->bytes += size_of(event);
        while (bus->first < event->seq && (event->seq - bus->first >= EVENT_KEEP || bus->bytes > EVENT_KEEP_BYTES))
            forget_first(bus);
        bus->ring[event->seq % EVENT_KEEP] = event;
        wake_all(bus);
    } else {
        bus->dropped++;
    }
    mutex_unlock(&bus->mutex);
}

uint64_t event_each(struct event_bus *bus, uint64_t after, event_visit *fn, void *ctx) {
    mutex_lock(&bus->mutex);
    uint64_t last = bus->last;
    for (uint64_t seq = MAX(after, bus->first - 1); seq < last; seq++) fn(ctx, bus->ring[(seq + 1) % EVENT_KEEP]);
    mutex_unlock(&bus->mutex);
    return last;
}

void event_listen(struct event_bus *bus, struct event_listener *listener) {
    listener->prev = NULL;
    listener->waking = 0;
    listener->leaving = false;
    mutex_lock(&bus->mutex);
    listener->next = bus->listeners;
    if (listener->next) listener->next->prev = listener;
    bus->listeners = listener;
    mutex_unlock(&bus->mutex);
}

void event_unlisten(struct event_bus *bus, struct event_listener *listener) {
    mutex_lock(&bus->mutex);
    listener->leaving = true; // no new wake, so that the wait ends
    while (listener->waking) cond_wait(&bus->woken, &bus->mutex);
    if (listener->prev)
        listener->prev->next = listener->next;
    else
        bus->listeners = listener->next;
    if (listener->next) listener->next->prev = listener->prev;
    mutex_unlock(&bus->mutex);
}

uint64_t event_bus_dropped(struct event_bus *bus) {
    mutex_lock(&bus->mutex);
    uint64_t dropped = bus->dropped;
    mutex_unlock(&bus->mutex);
    return dropped;
}
