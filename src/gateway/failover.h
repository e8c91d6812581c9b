// What follows when a target fails: another one, a fallback, the same again after a while, or the end.
//
// Ownership: part of the call. Thread rule: the call's loop. Source: retry budgets and full jitter as route/retry.h.
#ifndef GATEWAY_FAILOVER_H
#define GATEWAY_FAILOVER_H

#include "model/chat_event.h"
#include "os/timer.h"
#include "route/failure.h"
#include "route/route.h"

struct attempt;
struct call;

// What became of each try, for the client and the log.
struct try_note {
    const struct conf_provider *provider;
    struct str model;
    const char *error; // NULL: the status says it
    int status;
    uint32_t ms, calls;
    bool hedge;
    bool opened; // its target's breaker
};

struct failover {
    size_t next;           // of the route: the first target that was not tried
    size_t again;          // how often all of them were tried anew
    enum failure why;      // how the last one failed
    uint64_t after_ns;     // its provider asked to stay away for so long; 0: it did not
    struct attempt *ready; // what is to be tried next; NULL: the same targets anew, after wait_ns
    uint64_t wait_ns;
    bool queue;         // it waits in the queue for those that asked to be left alone
    uint32_t spent;     // while it does so: the targets that have failed by something else, a bit for each
    bool put_off;       // once more, since none would be asked when the wait was over
    struct timer timer; // before the same target is asked again
    struct timer hedge;
    struct attempt *rival; // under way beside call->at; NULL: none
    uint64_t retry_at_ns;  // when a target that would not be asked may be; UINT64_MAX: nobody knows
    uint64_t room_at_ns;   // the same of one at its limits; 0: when a call ends
    enum board_why refused;
    struct try_note tried[ROUTE_TARGETS_MAX];
    size_t tried_count;
};

void failover_init(struct call *call);
void failover_stop(struct call *call);
// Takes the first target that lets itself be asked, for the call's first try. False: none does, and *err says when.
NODISCARD bool failover_first(struct call *call, struct err *err);
// The same for one that has waited in the queue, when it is its turn.
NODISCARD bool failover_take_queued(struct call *call);
// Whether something else is asked now that call->at has failed so. Then failover_go follows.
NODISCARD bool failover_again(struct call *call, enum failure why);
// Gives up call->at, and goes on with what failover_again has found: at once, or after a while.
void failover_go(struct call *call);
// Whether the target of that index is not to be waited for.
bool failover_is_spent(const struct call *call, size_t target);
void failover_note(struct call *call, struct attempt *a, const char *error, int status);
// Nobody can be asked any more, as *err says: that is the end of a call of which no attempt has failed, else the last
// failure is.
void failover_give_up(struct call *call, const struct err *err);

enum failure failure_of_err(const struct err *err);
// What the body of a provider's error says.
enum failure failure_of_kind(enum chat_failure_kind kind, int status);
// A status with which another target is asked before anything of the body is read.
static inline bool status_is_failure(int status) { return status == 408 || status == 429 || status >= 500; }

#endif
