// The event loop: one a thread, with timers, messages from other threads, and work handed to a pool of threads.
//
// Ownership: loop_create … loop_free. Thread rule: everything here belongs to the loop's own thread except loop_post
// and loop_stop. Units: milliseconds since an arbitrary start, cached once a turn.
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include "base/err.h"
#include "base/pool.h"
#include "os/timer.h"

struct loop;
struct uv_loop_s;

// What is posted to a loop or run by the pool; embed it in the owner. Must stay alive until its fn has run.
struct task {
    struct task *next;
    void (*fn)(struct task *task);
};

// index: 0-based, for per-loop slots elsewhere.
NODISCARD bool loop_create(unsigned index, struct loop **out_loop, struct err *err);
// Runs until loop_stop. Handles still open are closed on the way out.
void loop_run(struct loop *loop);
// Any thread: ends loop_run after the current turn.
void loop_stop(struct loop *loop);
// After loop_run: runs what was posted and lets everything that is closing finish, so that the owners of
// what was on the loop may be freed before the loop itself.
void loop_drain_handles(struct loop *loop);
void loop_free(struct loop *loop);

unsigned loop_index(const struct loop *loop);
uint64_t loop_now_ms(const struct loop *loop);
// The loop's memory pool, for connections and arenas.
struct pool *loop_pool(struct loop *loop);
// Any thread: task->fn runs on the loop's thread, in the order posted.
void loop_post(struct loop *loop, struct task *task);
// What blocks: `run` on a pool thread, then `done` back on the loop. False when it could not be queued.
struct work {
    void (*run)(struct work *work);  // a pool thread
    void (*done)(struct work *work); // the loop's thread
    void *handle;                    // the pool's own
};
NODISCARD bool loop_work(struct loop *loop, struct work *work);
// How many pool threads there are to be, unless the environment says so (UV_THREADPOOL_SIZE). Once, before other
// threads and before any work.
void loop_workers_set(unsigned wanted);
unsigned loop_workers(void);

// Figures for the metrics; any thread may read them.
struct loop_stats {
    uint64_t turns;       // times the loop woke up
    uint64_t busy_ns;     // time spent in callbacks
    uint64_t max_turn_ns; // the longest turn since the last read
};
void loop_stats_get(struct loop *loop, struct loop_stats *out_stats);

// For the rest of the os room.
struct uv_loop_s *loop_uv(struct loop *loop);
struct timer_heap *loop_timers(struct loop *loop);
void loop_timers_changed(struct loop *loop);
struct tcp;
// The connections with corked writes, in the order in which they leave at the end of each turn.
struct tcp_corked {
    struct tcp *first, *last;
};
struct tcp_corked *loop_corked(struct loop *loop);
void tcp_flush_corked(struct loop *loop);
// The buffer that reads land in before their owner takes what it needs; shared by all sockets of the loop.
#define LOOP_READ_SIZE ((size_t)64 * 1024)
char *loop_read_buffer(struct loop *loop);

#endif
