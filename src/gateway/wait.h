// Calls that wait for something their loop is fetching: a list that a call can leave at any time.
//
// Ownership: the list borrows the calls. Thread rule: the loop's.
#ifndef GATEWAY_WAIT_H
#define GATEWAY_WAIT_H

struct call;
struct wait_list {
    struct call *first;
};
void wait_add(struct wait_list *list, struct call *call);
// Leaves the list the call waits in, if it waits.
void wait_leave(struct call *call);
// Takes out all that wait now, into an empty list; those woken may begin to wait anew meanwhile.
void wait_move(struct wait_list *from, struct wait_list *to);
// The next one, taken out; NULL at the end. The latest goes first.
struct call *wait_take(struct wait_list *list);
// The one that has waited longest, likewise.
struct call *wait_take_oldest(struct wait_list *list);

#endif
