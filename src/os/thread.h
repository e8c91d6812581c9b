// Threads, mutexes, conditions and the few atomic operations the rooms share.
//
// Ownership: each object lives where its owner puts it and must not move while in use. Thread rule: any thread, that is
// their point; no lock is held over a callback. Units: nanoseconds. Errors: only thread_start can fail; misuse aborts.
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include "base/err.h"

#include <pthread.h>

struct mutex {
    pthread_mutex_t os;
};
#define MUTEX_INIT                                                                                                     \
    { .os = PTHREAD_MUTEX_INITIALIZER }
void mutex_init(struct mutex *m);
void mutex_free(struct mutex *m);
void mutex_lock(struct mutex *m);
NODISCARD bool mutex_try(struct mutex *m);
void mutex_unlock(struct mutex *m);

struct cond {
    pthread_cond_t os;
};
void cond_init(struct cond *c); // waits count on the monotonic clock
void cond_free(struct cond *c);
// The mutex is held by the caller; spurious wake-ups happen, so test in a loop.
void cond_wait(struct cond *c, struct mutex *m);
// False when `timeout_ns` passed.
bool cond_wait_for(struct cond *c, struct mutex *m, uint64_t timeout_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

// Runs `setup` once in the process, however many threads come; all of them find it done.
struct once {
    pthread_once_t os;
};
#define ONCE_INIT                                                                                                      \
    { .os = PTHREAD_ONCE_INIT }
void once_run(struct once *once, void (*setup)(void));

typedef void thread_main(void *arg);
struct thread {
    pthread_t os;
    bool started;
};
// name: shown by ps and debuggers, cut to 15 bytes. stack_size 0 = the system's default. All signals save faults are
// blocked in the new thread: they are the main thread's.
NODISCARD bool thread_start(struct thread *out_thread, const char *name, size_t stack_size, thread_main *run, void *arg,
                            struct err *err);
// Waits for its end; a thread never started or already joined is fine.
void thread_join(struct thread *t);
// Names the calling thread.
void thread_name_set(const char *name);
// The calling thread does work nobody waits for: it gives way to the event loops at once and still gets its share of a
// busy processor (nice 10, SCHED_BATCH).
void thread_background(void);
// Processors this process may use, at least 1.
unsigned thread_cpus(void);

// 64-bit cells shared between threads (or, in a mapping, between processes).
static inline uint64_t atom_load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint64_t atom_load_relaxed(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void atom_store(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void atom_store_relaxed(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
// The new value; orders what came before it and what comes after.
static inline uint64_t atom_add(uint64_t *p, uint64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL); }
static inline uint64_t atom_sub(uint64_t *p, uint64_t v) { return __atomic_sub_fetch(p, v, __ATOMIC_ACQ_REL); }
static inline uint64_t atom_add_relaxed(uint64_t *p, uint64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_RELAXED); }

#endif
