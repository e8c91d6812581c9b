// Calls that wait because all their targets are at their limits: one line for the process, served as line.h says.
//
// One that has been told so by its last target (429) waits as well, for as long as the target asks to be left alone.
//
// Calls of all loops stand in one line, so keys take turns whichever loop they came to. Only its own loop takes a
// target for a call: a call that ends has the loops woken whose calls are next, and each looks every QUEUE_LOOK_MS
// while somebody of its own waits. Classes hold across lanes: while a call of a higher class waits for a target, none
// of a lower one takes it, not even one that has failed elsewhere; nor does a call that has just come take what others
// of its class wait for.
//
// Ownership: the line borrows the calls. Thread rule: a call's functions on its loop; struct queue_line is locked.
#ifndef GATEWAY_QUEUE_H
#define GATEWAY_QUEUE_H

#include "gateway/line.h"
#include "os/loop.h"
#include "os/thread.h"

#include <stdatomic.h>

#define QUEUE_LOOK_MS 10

struct call;
struct err;
struct route_target;
struct gateway_loop;

enum queue_ahead {
    QUEUE_HIGHER_CLASSES,
    QUEUE_OWN_CLASS, // and the higher ones: it has just come
};
enum queue_class { QUEUE_HIGH, QUEUE_NORMAL, QUEUE_LOW };

// Of the process.
struct queue_line {
    struct mutex lock; // for the line
    struct line line;
    atomic_size_t waiting;
};
// Of a loop.
struct queue {
    size_t waiting; // calls
    struct timer timer;
    struct task task;
    atomic_bool posted;
};
// A call's place.
struct queue_place {
    struct line_item item;
    bool waits;
    struct timer timer;     // its deadline
    uint32_t whole;         // targets that it waits for as their provider has no room
    uint32_t left_out;      // those that it does not wait for: they have failed, or all places are taken there
    uint64_t wants;         // the same for all that wait for the same
    enum queue_ahead ahead; // who goes first
    enum queue_class class;
    bool class_known;
    uint64_t since_ns;  // 0: it has not waited
    uint64_t waited_ns; // in all, before since_ns
};

// "high", "normal" or "low". False: no such class.
bool queue_class_named(struct str word, enum queue_class *out_class);
// How important a call is: as its key says, and less when the request asks for less.
enum queue_class queue_class_of(struct call *call);
void queue_line_init(struct queue_line *line);
void queue_line_free(struct queue_line *line);
void queue_init(struct gateway_loop *gl);
void queue_stop(struct gateway_loop *gl);
void queue_place_init(struct call *call);
// Has the call wait, if its model lets it and there can be room in time: it goes on by pipeline_resume with a target
// taken, or fails. False: it does not wait, and err stays, or says that too many wait.
NODISCARD bool queue_join(struct call *call, struct err *err);
// Whether it may wait so long for a target that asked to be left alone.
bool queue_may_wait(struct call *call, uint64_t ns);
// Nothing when it does not wait.
void queue_leave(struct call *call);
// Whether others who wait for the target go first.
bool queue_yields(struct call *call, const struct route_target *t);
// A target may have room: those who are next are looked at soon.
void queue_wake(struct gateway_loop *gl);

#endif
