// Who is next of those that wait: lanes for those who wait for the same, in each the highest class first, within a
// class a turn for each key, and of a key's own the one with the earliest deadline.
//
// Keys take turns by start-time fair queueing with all turns alike: one that has much to ask waits behind its own, and
// one that comes anew is not ahead of what the others are owed.
//
// Ownership: items are part of their owners, who take them out before they go. Thread rule: plain data, its owner's
// thread. Units: deadlines in any that grows. Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", 1996.
#ifndef GATEWAY_LINE_H
#define GATEWAY_LINE_H

#include "base/defs.h"

#define LINE_CLASSES 3

struct line_flow;
struct line_item {
    struct line_flow *flow; // NULL: it waits in none
    struct line_item *next, *prev;
    uint64_t deadline;
};
struct line_lane {
    struct line_lane *next;
    uint64_t id;
    size_t waiting;
    uint64_t clock[LINE_CLASSES]; // the turn that was served last
    struct line_flow *flows[LINE_CLASSES];
    size_t idle; // flows without items, kept for what they have had
};
struct line {
    struct line_lane *lanes; // each has somebody waiting
    size_t waiting;
};

// False without memory. class: 0 goes first. A zeroed line is empty.
NODISCARD bool line_add(struct line *line, uint64_t lane, unsigned class, uint64_t key, uint64_t deadline,
                        struct line_item *item);
// It leaves without having had a turn; nothing when it does not wait.
void line_leave(struct line *line, struct line_item *item);
// It has had its turn.
void line_serve(struct line *line, struct line_item *item);
// Another lane is the first.
void line_turn(struct line *line);
// Who is next there.
struct line_item *line_first(const struct line_lane *lane);

#endif
