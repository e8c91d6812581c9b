// Tests of admin/share.h: how much runs at once, whose turn it is, what is refused and what is forgotten.
#include "check.h"

#include "admin/share.h"
#include "os/thread.h"

#define JOBS_MAX 40

struct job {
    struct share_work work;
    struct stage *stage;
    int number;
    bool begun, ran, done;
};

// Jobs wait on it until they are let go; the loop ends when all that are expected are done.
struct stage {
    struct loop *loop;
    struct share *share;
    struct mutex lock;
    struct cond news;
    unsigned running, heavy, most, most_heavy, may_end;
    int order[JOBS_MAX];
    size_t n_ran, n_done, expected;
    struct job jobs[JOBS_MAX];
    struct timer timer;
    void (*script)(struct stage *stage);
};

static struct err err;

static void job_run(struct share_work *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct stage *s = job->stage;
    mutex_lock(&s->lock);
    s->order[s->n_ran++] = job->number;
    job->ran = true;
    s->running++;
    s->heavy += work->heavy;
    s->most = MAX(s->most, s->running);
    s->most_heavy = MAX(s->most_heavy, s->heavy);
    cond_broadcast(&s->news);
    while (!s->may_end) cond_wait(&s->news, &s->lock);
    s->may_end--;
    s->running--;
    s->heavy -= work->heavy;
    mutex_unlock(&s->lock);
}

static void job_done(struct share_work *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->done = true;
    if (++job->stage->n_done == job->stage->expected) loop_stop(job->stage->loop);
}

static bool begin(struct stage *s, int number, bool heavy) {
    struct job *job = &s->jobs[number];
    *job = (struct job){.work = {.run = job_run, .done = job_done, .heavy = heavy}, .stage = s, .number = number};
    job->begun = share_work_begin(s->share, s->loop, &job->work, &err);
    s->expected += job->begun;
    return job->begun;
}

static bool cancel(struct stage *s, int number) {
    bool was = share_work_cancel(&s->jobs[number].work);
    s->expected -= was;
    return was;
}

static void wait_running(struct stage *s, size_t n) {
    mutex_lock(&s->lock);
    while (s->n_ran < n) cond_wait(&s->news, &s->lock);
    mutex_unlock(&s->lock);
}

static void let_go(struct stage *s, unsigned n) {
    mutex_lock(&s->lock);
    s->may_end += n;
    cond_broadcast(&s->news);
    mutex_unlock(&s->lock);
}

static void on_timer(struct timer *timer) {
    struct stage *s = CONTAINER_OF(timer, struct stage, timer);
    s->script(s);
}

static void stage_play(struct stage *s, const struct share_limits *limits, void (*script)(struct stage *s)) {
    memset(s, 0, sizeof *s);
    mutex_init(&s->lock);
    cond_init(&s->news);
    s->script = script;
    REQUIRE(loop_create(0, &s->loop, &err) && share_create(limits, &s->share, &err));
    timer_init(&s->timer, s->loop, on_timer);
    timer_set(&s->timer, 1);
    loop_run(s->loop);
    CHECK_INT(s->running, 0);
    share_free(s->share);
    loop_free(s->loop);
    cond_free(&s->news);
    mutex_free(&s->lock);
}

static void script_share(struct stage *s) {
    for (int i = 0; i < 4; i++) CHECK(begin(s, i, true));  // 2 run
    for (int i = 4; i < 8; i++) CHECK(begin(s, i, false)); // 2 run
    wait_running(s, 4);
    CHECK_INT(s->n_ran, 4);
    CHECK(!s->jobs[2].ran && !s->jobs[3].ran && !s->jobs[6].ran && !s->jobs[7].ran);
    for (int i = 8; i < 10; i++) CHECK(begin(s, i, i == 8));
    CHECK(!begin(s, 10, false) && err.code == ERR_OVERLOADED && err.status == 503 && err.retry_s > 0);
    CHECK(!begin(s, 11, true));
    // One that left makes room; what runs cannot be called back.
    CHECK(cancel(s, 6) && !cancel(s, 6) && !cancel(s, 0) && begin(s, 10, false));
    CHECK(cancel(s, 10) && cancel(s, 3) && begin(s, 11, true) && begin(s, 12, false));
    let_go(s, JOBS_MAX);
}

static void test_share(void) {
    struct stage s;
    stage_play(&s, &(struct share_limits){.running = 4, .heavy = 2, .waiting = 6}, script_share);
    CHECK_INT(s.n_ran, s.expected);
    CHECK_INT(s.n_done, s.expected);
    CHECK_INT(s.most, 4);
    CHECK_INT(s.most_heavy, 2);
    CHECK(!s.jobs[6].ran && !s.jobs[3].ran && !s.jobs[10].ran && s.jobs[12].done);
}

// One at a time: in the order they came, save that the heavy wait for each other.
static void script_order(struct stage *s) {
    for (int i = 0; i < 9; i++) CHECK(begin(s, i, i % 3 == 0));
    CHECK(cancel(s, 4) && cancel(s, 8));
    CHECK(begin(s, 4, false));
    let_go(s, JOBS_MAX);
}

static void test_order(void) {
    static const int want[] = {0, 1, 2, 3, 5, 6, 7, 4};
    struct stage s;
    stage_play(&s, &(struct share_limits){.running = 1, .heavy = 1, .waiting = 20}, script_order);
    CHECK_INT(s.n_ran, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) CHECK_INT(s.order[i], want[i]);
}

// The light pass by the heavy that have no room.
static void script_passing(struct stage *s) {
    for (int i = 0; i < 3; i++) CHECK(begin(s, i, true));
    for (int i = 3; i < 6; i++) CHECK(begin(s, i, false));
    wait_running(s, 2);
    CHECK(s->jobs[0].ran && s->jobs[3].ran && !s->jobs[1].ran);
    let_go(s, JOBS_MAX);
}

static void test_passing(void) {
    struct stage s;
    stage_play(&s, &(struct share_limits){.running = 2, .heavy = 1, .waiting = 20}, script_passing);
    CHECK_INT(s.n_done, 6);
    CHECK_INT(s.most_heavy, 1);
}

static void test_workers(void) {
    loop_workers_set(16); // the environment of the tests' main said otherwise
    CHECK_INT(loop_workers(), 7);
    REQUIRE(setenv("UV_THREADPOOL_SIZE", "none", 1) == 0);
    CHECK_INT(loop_workers(), 1);
    REQUIRE(setenv("UV_THREADPOOL_SIZE", "5000", 1) == 0);
    CHECK_INT(loop_workers(), 1024);
    REQUIRE(unsetenv("UV_THREADPOOL_SIZE") == 0);
    CHECK_INT(loop_workers(), 4);
    loop_workers_set(16);
    CHECK_INT(loop_workers(), 16);
}

// First: the pool is made with the first work.
static void test_setting(void) { REQUIRE(setenv("UV_THREADPOOL_SIZE", "7", 1) == 0); }

TEST_MAIN(test_setting, test_share, test_order, test_passing, test_workers)
