// Does for calls what blocks on the database and takes a while: short steps, one after the other, on a thread of its
// own with its own connection, so that the worker pool stays free for what every request needs.
//
// A job belongs to a call: while it is at the clerk's the call waits; when the client leaves meanwhile, the job learns
// of it when it comes back (`call` is NULL then). A job that is with its call (between two steps) is freed with it.
//
// Ownership: clerk_start … clerk_end, when no loop runs any more that has jobs; jobs own all that `run` needs. Thread
// rule: clerk_ask, `done` and `drained`: the loop's; `run`: the clerk's. Errors: ERR_OVERLOADED when too many wait.
#ifndef GATEWAY_CLERK_H
#define GATEWAY_CLERK_H

#include "gateway/call.h"
#include "store/datadir.h"

struct clerk;
NODISCARD bool clerk_start(const struct datadir *dir, struct clerk **out_clerk, struct err *err);
// What waits is done first; nobody may ask any more.
void clerk_end(struct clerk *clerk); // NULL is fine

struct clerk_job {
    struct call *call; // NULL: its client has left
    bool (*run)(struct clerk_job *job, struct sql *db, struct err *err);
    void (*done)(struct clerk_job *job);    // goes on: asks again, or answers and frees
    void (*drained)(struct clerk_job *job); // the client has taken what was sent; may be NULL
    void (*free)(struct clerk_job *job);
    bool ok;
    struct err err;
    // The clerk's own.
    struct gateway_loop *gl;
    struct task task;
    struct clerk_job *next;
    bool away;
};
// The call's job from here on. False: *err says why; the job is as before.
NODISCARD bool clerk_ask(struct call *call, struct clerk_job *job, struct err *err);
// The call ends: its job goes, now or when it comes back.
void clerk_leave(struct call *call);
// The job has answered, or its call failed: takes it from the call and frees it.
void clerk_finish(struct clerk_job *job);

#endif
