// Threads, mutexes and conditions over POSIX threads.
#include "os/thread.h"

#include "base/mem.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void mutex_init(struct mutex *m) { INVARIANT(pthread_mutex_init(&m->os, NULL) == 0); }
void mutex_free(struct mutex *m) { INVARIANT(pthread_mutex_destroy(&m->os) == 0); }
void mutex_lock(struct mutex *m) { INVARIANT(pthread_mutex_lock(&m->os) == 0); }
void mutex_unlock(struct mutex *m) { INVARIANT(pthread_mutex_unlock(&m->os) == 0); }

bool mutex_try(struct mutex *m) {
    int code = pthread_mutex_trylock(&m->os);
    INVARIANT(code == 0 || code == EBUSY);
    return code == 0;
}

void cond_init(struct cond *c) {
    pthread_condattr_t attr;
    INVARIANT(pthread_condattr_init(&attr) == 0);
    INVARIANT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    INVARIANT(pthread_cond_init(&c->os, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void cond_free(struct cond *c) { INVARIANT(pthread_cond_destroy(&c->os) == 0); }
void cond_wait(struct cond *c, struct mutex *m) { INVARIANT(pthread_cond_wait(&c->os, &m->os) == 0); }
void cond_signal(struct cond *c) { INVARIANT(pthread_cond_signal(&c->os) == 0); }
void cond_broadcast(struct cond *c) { INVARIANT(pthread_cond_broadcast(&c->os) == 0); }

bool cond_wait_for(struct cond *c, struct mutex *m, uint64_t timeout_ns) {
    struct timespec until;
    INVARIANT(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ns % 1000000000;
    until.tv_sec += (time_t)(timeout_ns / 1000000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    int code = pthread_cond_timedwait(&c->os, &m->os, &until);
    INVARIANT(code == 0 || code == ETIMEDOUT);
    return code == 0;
}

void once_run(struct once *once, void (*setup)(void)) { INVARIANT(pthread_once(&once->os, setup) == 0); }

struct start {
    thread_main *run;
    void *arg;
    char name[16];
};

static void *thread_entry(void *p) {
    struct start start = *(struct start *)p;
    mem_free(p);
    thread_name_set(start.name);
    start.run(start.arg);
    return NULL;
}

static int create(pthread_t *out_thread, size_t stack_size, struct start *start) {
    pthread_attr_t attr;
    sigset_t all, before;
    int code = pthread_attr_init(&attr);
    if (code) return code;
    if (stack_size) code = pthread_attr_setstacksize(&attr, stack_size);
    if (!code) {
        sigfillset(&all);
        // Faults are the thread's own; blocked, they would kill without reaching a handler.
        static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
        for (size_t i = 0; i < ARRAY_LEN(faults); i++) sigdelset(&all, faults[i]);
        pthread_sigmask(SIG_SETMASK, &all, &before); // inherited by the new thread
        code = pthread_create(out_thread, &attr, thread_entry, start);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
    return code;
}

bool thread_start(struct thread *out_thread, const char *name, size_t stack_size, thread_main *run, void *arg,
                  struct err *err) {
    struct start *start = mem_zalloc(1, sizeof *start);
    if (!start) return err_no_memory(err);
    start->run = run;
    start->arg = arg;
    snprintf(start->name, sizeof start->name, "%.15s", name);
    pthread_t os;
    int code = create(&os, stack_size, start);
    if (code) {
        char reason[128];
        mem_free(start);
        return err_set(err, code == EAGAIN ? ERR_OVERLOADED : ERR_INTERNAL, "cannot start the thread %s: %s", name,
                       strerror_r(code, reason, sizeof reason));
    }
    *out_thread = (struct thread){.os = os, .started = true};
    return true;
}

void thread_join(struct thread *t) {
    if (!t->started) return;
    INVARIANT(pthread_join(t->os, NULL) == 0);
    t->started = false;
}

void thread_name_set(const char *name) {
    char cut[16];
    snprintf(cut, sizeof cut, "%.15s", name);
    (void)pthread_setname_np(pthread_self(), cut); // a name is a convenience
}

void thread_background(void) {
    struct sched_param none = {0};
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    setpriority(PRIO_PROCESS, (id_t)gettid(), 10); // Linux: of this thread alone
}

unsigned thread_cpus(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
