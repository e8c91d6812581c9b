// Lets a bounded part of the control plane's work onto the worker pool, and keeps the rest in two queues.
#include "admin/share.h"

#include "base/mem.h"
#include "os/thread.h"

#define RETRY_S 2

struct queue {
    struct share_work *first, *last;
};

struct share {
    struct share_limits limits;
    struct mutex lock; // of all below, and of `waiting` and `next` of what waits
    unsigned running, heavy;
    size_t waiting;
    uint64_t turns;
    struct queue queues[2]; // light, heavy
};

bool share_create(const struct share_limits *limits, struct share **out_share, struct err *err) {
    struct share *share = mem_zalloc(1, sizeof *share);
    if (!share) return err_no_memory(err);
    share->limits = *limits;
    mutex_init(&share->lock);
    *out_share = share;
    return true;
}

void share_free(struct share *share) {
    if (!share) return;
    INVARIANT(!share->running && !share->waiting);
    mutex_free(&share->lock);
    mem_free(share);
}

// --- the queues; under the lock ---

static void queue_put(struct share *share, struct share_work *work) {
    struct queue *q = &share->queues[work->heavy];
    work->next = NULL;
    work->turn = share->turns++;
    work->waiting = true;
    *(q->first ? &q->last->next : &q->first) = work;
    q->last = work;
    share->waiting++;
}

static void queue_remove(struct share *share, struct share_work *work) {
    struct queue *q = &share->queues[work->heavy];
    struct share_work *before = NULL;
    for (struct share_work *at = q->first; at != work; at = at->next) before = at;
    *(before ? &before->next : &q->first) = work->next;
    if (q->last == work) q->last = before;
    work->waiting = false;
    share->waiting--;
}

static bool has_room(const struct share *share, bool heavy) {
    return share->running < share->limits.running && (!heavy || share->heavy < share->limits.heavy);
}

static void take(struct share *share, const struct share_work *work) {
    share->running++;
    share->heavy += work->heavy;
}

static struct share_work *take_next(struct share *share) {
    struct share_work *light = has_room(share, false) ? share->queues[0].first : NULL;
    struct share_work *heavy = has_room(share, true) ? share->queues[1].first : NULL;
    struct share_work *next = !light || (heavy && heavy->turn < light->turn) ? heavy : light;
    if (!next) return NULL;
    queue_remove(share, next);
    take(share, next);
    return next;
}

// --- running ---

static void leave(struct share *share, bool heavy) {
    mutex_lock(&share->lock);
    share->running--;
    share->heavy -= heavy;
    struct share_work *next = take_next(share);
    mutex_unlock(&share->lock);
    // To the pool from its own loop's thread alone.
    if (next) loop_post(next->loop, &next->start);
}

static void on_run(struct work *given) {
    struct share_work *work = CONTAINER_OF(given, struct share_work, work);
    work->run(work);
    leave(work->share, work->heavy);
}

static void on_done(struct work *given) {
    struct share_work *work = CONTAINER_OF(given, struct share_work, work);
    work->done(work);
}

static bool enter(struct share_work *work) {
    work->work = (struct work){.run = on_run, .done = on_done};
    if (loop_work(work->loop, &work->work)) return true;
    leave(work->share, work->heavy);
    return false;
}

static void on_start(struct task *task) {
    struct share_work *work = CONTAINER_OF(task, struct share_work, start);
    if (!enter(work)) work->done(work);
}

bool share_work_begin(struct share *share, struct loop *loop, struct share_work *work, struct err *err) {
    work->share = share;
    work->loop = loop;
    work->start.fn = on_start;
    work->waiting = false;
    mutex_lock(&share->lock);
    bool now = has_room(share, work->heavy), full = !now && share->waiting >= share->limits.waiting;
    if (now)
        take(share, work);
    else if (!full)
        queue_put(share, work);
    mutex_unlock(&share->lock);
    if (full) {
        err_set(err, ERR_OVERLOADED, "more requests wait for the control plane than it takes: try again later");
        err->retry_s = RETRY_S;
        return false;
    }
    return !now || enter(work) || err_no_memory(err);
}

bool share_work_cancel(struct share_work *work) {
    mutex_lock(&work->share->lock);
    bool waited = work->waiting;
    if (waited) queue_remove(work->share, work);
    mutex_unlock(&work->share->lock);
    return waited;
}
