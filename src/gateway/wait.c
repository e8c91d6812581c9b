// Calls that wait for something their loop is fetching.
#include "gateway/call.h"

void wait_add(struct wait_list *list, struct call *call) {
    call->waits_in = list;
    call->next_waiting = list->first;
    list->first = call;
}

void wait_leave(struct call *call) {
    if (!call->waits_in) return;
    struct call **at = &call->waits_in->first;
    while (*at != call) at = &(*at)->next_waiting;
    *at = call->next_waiting;
    call->waits_in = NULL;
}

void wait_move(struct wait_list *from, struct wait_list *to) {
    *to = *from;
    from->first = NULL;
    for (struct call *call = to->first; call; call = call->next_waiting) call->waits_in = to;
}

struct call *wait_take(struct wait_list *list) {
    struct call *call = list->first;
    if (!call) return NULL;
    list->first = call->next_waiting;
    call->waits_in = NULL;
    return call;
}

struct call *wait_take_oldest(struct wait_list *list) {
    struct call *call = list->first;
    if (!call) return NULL;
    while (call->next_waiting) call = call->next_waiting;
    wait_leave(call);
    return call;
}
