// The control plane's share of the worker pool: so much of its requests' work runs at once, the rest waits for its
// turn.
//
// The pool also refreshes the key ring, looks up tokens and asks for addresses, for every call of a model:
// administration that takes long must leave it threads. What is heavy (it goes over a whole trail or tenant) has a
// smaller share yet, so that it does not keep the light waiting either. Within its kind, what came first goes first.
//
// Ownership: share_create … share_free, when nothing is under way; a share_work is embedded in its owner, which lives
// until `done` or a cancellation. Thread rule: share_work_begin and share_work_cancel on the loop's thread; loops share
// it. Errors: ERR_OVERLOADED, with when to try again.
#ifndef ADMIN_SHARE_H
#define ADMIN_SHARE_H

#include "os/loop.h"

struct share;
struct share_limits {
    unsigned running, heavy; // at once; of those running
    size_t waiting;
};
NODISCARD bool share_create(const struct share_limits *limits, struct share **out_share, struct err *err);
void share_free(struct share *share); // NULL is fine

struct share_work {
    void (*run)(struct share_work *work);  // a pool thread
    void (*done)(struct share_work *work); // the loop's thread; without `run` when there was no memory to queue it
    bool heavy;
    // The share's own.
    struct share *share;
    struct loop *loop;
    struct work work;
    struct task start;
    struct share_work *next;
    uint64_t turn;
    bool waiting;
};
// run, done and heavy are set. False: neither will be called.
NODISCARD bool share_work_begin(struct share *share, struct loop *loop, struct share_work *work, struct err *err);
// True: it was still waiting, neither run nor done will be called. Of work that was begun and is not done.
bool share_work_cancel(struct share_work *work);

#endif
