// Who is next of those that wait: a lane for each thing that is waited for; in each the highest class first, within a
// class a turn for each key, and of a key's own the one with the earliest deadline.
//
// Who waits for several things stands in several lanes, and leaves all of them when it has its turn in one. So whatever
// else a key's calls would take as well, it has no more turns of any one thing for it.
//
// Keys take turns by start-time fair queueing with all turns alike: one that has much to ask waits behind its own, and
// one that comes anew is not ahead of what the others are owed. Who could not go when it was its turn is owed nothing.
//
// Places are shared likewise. Where all are taken, who comes takes the last one of a lower class, or else of the key of
// its own class that has most, if that has more than the newcomer's with it; who has had to give up a place is kept for
// its owner to be told.
//
// Ownership: items are part of their owners, who take them out before they go. Thread rule: plain data, its owner's
// thread. Units: deadlines in any that grows. Sources: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", 1996; the
// place: B. Suter et al., "Buffer Management Schemes for Supporting TCP in Gigabit Routers with Per-flow Queueing"
// (longest queue drop), 1999.
#ifndef GATEWAY_LINE_H
#define GATEWAY_LINE_H

#include "base/defs.h"

#define LINE_CLASSES 3
#define LINE_LANES_MAX 24 // that one waits in

struct line_flow;
struct line_item;
// Of an item in one lane.
struct line_entry {
    struct line_flow *flow;
    struct line_entry *next, *prev;
    struct line_item *item;
};
struct line_item {
    struct line_entry *entries; // its owner's: room for the lanes that it waits in
    size_t count;               // 0: it waits in none
    uint64_t deadline;
    void *owner; // whose it is; the line does not look at it
    bool out;    // it has had to give up its place, and its owner was not told yet
    struct line_item *next_out, *prev_out;
};
struct line_lane {
    struct line_lane *next;
    const void *id;
    size_t waiting;
    uint64_t clock[LINE_CLASSES]; // the turn that was served last
    struct line_flow *flows[LINE_CLASSES];
    size_t idle; // flows without items, kept for what they have had
};
struct line {
    struct line_lane *lanes; // each has somebody waiting; the one that was served last is the last
    size_t waiting;
    struct line_item *out; // those who have had to give up their places
};
// Where somebody waits.
struct line_seat {
    const void *lanes[LINE_LANES_MAX]; // each once
    size_t count;
    unsigned class; // 0 goes first
    uint64_t key;
    size_t places; // of a lane
};

// In which of its lanes there is a place, or one that somebody has to give up: a bit for each.
unsigned line_places(const struct line *line, const struct line_seat *seat);
// False without memory. Only where there are places. A zeroed line is empty.
NODISCARD bool line_add(struct line *line, const struct line_seat *seat, uint64_t deadline, struct line_item *item);
// One of that owner's who have had to give up their places, taken out; NULL: none has.
struct line_item *line_take_out(struct line *line, const void *owner);
// It leaves without having had a turn; nothing when it does not wait.
void line_leave(struct line *line, struct line_item *item);
// It has had its turn in that lane.
void line_serve(struct line *line, struct line_item *item, const void *lane);
// Who is next there of those who may go; may NULL: all.
typedef bool line_may(const struct line_item *item, void *arg);
struct line_item *line_first(const struct line_lane *lane, line_may *may, void *arg);

#endif
