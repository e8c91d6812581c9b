// What the files of flights share: the flight, its answer as it is kept, its riders.
#ifndef GATEWAY_FLIGHT_IMPL_H
#define GATEWAY_FLIGHT_IMPL_H

#include "base/map.h"
#include "gateway/flight.h"
#include "net/http_inner.h"

struct flights {
    struct mutex lock;
    struct map map; // those that can be joined, by identity
};

// Bytes below n never change.
struct flight_piece {
    struct flight_piece *next;
    size_t n, cap;
    unsigned readers; // riders whose next byte is in it
    char bytes[];
};

// The riders of one loop.
struct flight_seat {
    struct flight_seat *next;
    struct flight *flight;
    struct gateway_loop *gl;
    struct task task; // tells them that there is more
    bool posted;
    struct rider *first, **last; // the loop's alone
    size_t count;
};

// Who is being asked while there is no answer, for those who leave meanwhile.
struct flight_asked {
    const struct runtime_provider *provider; // NULL: nobody
    struct route_target at;
    struct price price;
    struct buf model;
};

// What came before the first byte of the answer.
struct flight_head {
    int status;
    bool whole;  // it all comes at once, at the end
    bool target; // it is known who answers
    struct str type, dropped;
    struct http_field *passed;
    size_t passed_count;
    const struct runtime_provider *provider;
    struct route_target at;
    struct price price;
    struct trial_seat canary; // who of two answers
    size_t attempts, calls;
    struct try_note tried[ROUTE_TARGETS_MAX];
    size_t tried_count;
};

// What the call came to.
struct flight_bill {
    struct usage usage;
    uint64_t cost_nano, reference_nano;
    bool usage_known, cost_known, reference_known;
    const char *error;
};

struct flight {
    atomic_uint refs;
    struct flights *flights;
    struct str identity; // in its own block, as the request is
    // Under the lock of all.
    bool listed;
    size_t riders;
    bool unclaimed; // whose call it was has left; somebody else's record is to have it
    // The request; its loop's.
    struct gateway_loop *gl;
    struct inner_caller caller;
    struct str path, query, body, peer;
    struct http_field *fields;
    size_t field_count, ahead_max;
    struct http_inner *inner; // NULL: it is over
    struct task stop, resume;
    // Under its own lock.
    struct mutex lock;
    struct flight_seat *seats;
    struct rider *all;
    struct flight_piece *first, *last;
    uint64_t total, furthest; // bytes that came, and that some rider has taken
    uint64_t events;
    bool begun, ended, whole; // whole: it came to its end
    bool held, resuming;      // the provider is kept waiting; it is about to go on
    struct flight_asked asked;
    struct flight_head head; // fixed once it has begun
    struct flight_bill bill; // fixed once it has ended
    char id_text[REQUEST_ID_TEXT_LEN];
    struct buf kept; // of the head
};

struct rider {
    struct call *call;
    struct flight *flight;
    struct flight_seat *seat;
    struct rider *next, **prev; // of its seat
    bool full;                  // its client reads slowly
    bool carries;               // the call to the provider is in its record
    // Under the flight's lock.
    struct rider *next_all, **prev_all;
    struct flight_piece *piece;
    size_t at;
    uint64_t pos;
};

static inline struct flight *flight_ref(struct flight *f) {
    atomic_fetch_add(&f->refs, 1);
    return f;
}
void flight_unref(struct flight *f);
// A flight for the call, and nobody's yet. NULL: out of memory.
struct flight *flight_create(struct call *call, struct str identity);
// Begins its call, on this loop.
void flight_begin(struct flight *f);
// Nobody joins it any more.
void flight_unlist(struct flight *f);
// Has riders look; under the flight's lock.
void flight_tell(struct flight *f, struct flight_seat *seat);
// Bytes that all riders have are let go of, and the provider goes on when it can; under the flight's lock.
void flight_moved(struct flight *f);

// Of a seat's task.
void flight_seat_look(struct task *task);

#endif
