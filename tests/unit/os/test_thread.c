// Tests of os/thread.h: mutual exclusion, hand-over through a condition, timeouts, names, one-time set-up.
#include "check.h"

#include "os/clock.h"
#include "os/thread.h"

#include <signal.h>

struct shared {
    struct mutex lock;
    struct cond changed;
    uint64_t plain, atomic;
    int turn;
    char name[16];
    bool term_blocked, fault_blocked;
};

static void add_many(void *arg) {
    struct shared *s = arg;
    for (int i = 0; i < 20000; i++) {
        mutex_lock(&s->lock);
        s->plain++;
        mutex_unlock(&s->lock);
        atom_add_relaxed(&s->atomic, 1);
    }
}

static void test_counting(void) {
    struct shared s = {0};
    struct thread threads[4] = {0};
    struct err err;
    mutex_init(&s.lock);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        REQUIRE(thread_start(&threads[i], "counter", 256 * 1024, add_many, &s, &err));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) thread_join(&threads[i]);
    thread_join(&threads[0]); // again: nothing happens
    CHECK_INT(s.plain, 80000);
    CHECK_INT(atom_load(&s.atomic), 80000);
    CHECK(mutex_try(&s.lock));
    CHECK(!mutex_try(&s.lock));
    mutex_unlock(&s.lock);
    mutex_free(&s.lock);
}

static void answer(void *arg) {
    struct shared *s = arg;
    sigset_t mask;
    mutex_lock(&s->lock);
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    s->term_blocked = sigismember(&mask, SIGTERM) == 1;
    s->fault_blocked = sigismember(&mask, SIGSEGV) == 1;
    while (s->turn != 1) cond_wait(&s->changed, &s->lock);
    s->turn = 2;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

static void test_hand_over(void) {
    struct shared s = {0};
    struct thread t = {0};
    struct err err;
    mutex_init(&s.lock);
    cond_init(&s.changed);
    REQUIRE(thread_start(&t, "a-name-that-is-too-long", 0, answer, &s, &err));
    mutex_lock(&s.lock);
    s.turn = 1;
    cond_signal(&s.changed);
    while (s.turn != 2) CHECK(cond_wait_for(&s.changed, &s.lock, 60 * NS_PER_SEC) || s.turn == 2);
    // Nobody signals any more.
    uint64_t before = clock_mono_ns();
    while (cond_wait_for(&s.changed, &s.lock, 2 * NS_PER_MS)) {
    }
    CHECK(clock_mono_ns() - before >= 2 * NS_PER_MS);
    mutex_unlock(&s.lock);
    thread_join(&t);
    CHECK_STR(str_c(s.name), STR("a-name-that-is-"));
    CHECK(s.term_blocked && !s.fault_blocked);
    cond_free(&s.changed);
    mutex_free(&s.lock);
}

static uint64_t g_setups;
static void set_up(void) { atom_add(&g_setups, 1); }

static void test_once(void) {
    static struct once once = ONCE_INIT;
    once_run(&once, set_up);
    once_run(&once, set_up);
    CHECK_INT(g_setups, 1);
}

static void test_failures(void) {
    struct thread t = {0};
    struct err err;
    CHECK(!thread_start(&t, "tiny", 1, add_many, NULL, &err)); // a stack of one byte
    CHECK_INT(err.code, ERR_INTERNAL);
    CHECK(!t.started);
    CHECK(thread_cpus() >= 1);
}

TEST_MAIN(test_counting, test_hand_over, test_once, test_failures)
