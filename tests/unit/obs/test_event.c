// Tests the event bus: order, what is kept, long data, no memory, waking, and many threads that come and go.
#include "check.h"

#include "base/mem.h"
#include "obs/event.h"
#include "os/clock.h"
#include "os/thread.h"

#include <stdlib.h>

static struct event_bus *bus_new(void) {
    struct event_bus *bus;
    struct err err;
    REQUIRE(event_bus_create(&bus, &err));
    return bus;
}

struct seen {
    uint64_t first, last, count;
    int64_t at;
    bool wrong;
    struct buf names, data;
};
static void seen_init(struct seen *seen) {
    *seen = (struct seen){0};
    buf_init(&seen->names, 1 << 20);
    buf_init(&seen->data, 1 << 20);
}
static void seen_free(struct seen *seen) {
    buf_free(&seen->names);
    buf_free(&seen->data);
}

static void visit(void *ctx, const struct event *event) {
    struct seen *seen = ctx;
    if (!seen->first) seen->first = event->seq;
    if (seen->last && event->seq != seen->last + 1) seen->wrong = true;
    if (event->at < seen->at) seen->wrong = true;
    seen->at = event->at;
    seen->last = event->seq;
    seen->count++;
    buf_printf(&seen->names, "%.*s ", STR_ARG(event->name));
    buf_printf(&seen->data, "%.*s ", STR_ARG(event->data));
}

static void test_order(void) {
    struct event_bus *bus = bus_new();
    struct seen seen;
    seen_init(&seen);
    int64_t before = clock_unix_ns();
    CHECK_INT(event_each(bus, 0, visit, &seen), 0);
    char text[] = "config.applied";
    event_tell(bus, str_c(text), STR("{\"version\":1}"));
    memset(text, 'x', sizeof text - 1); // the bus has a copy
    event_tell(bus, STR("config.refused"), STR("{}"));
    event_tell(bus, STR(""), STR_NONE);
    CHECK_INT(event_each(bus, 0, visit, &seen), 3);
    CHECK_STR(buf_str(&seen.names), STR("config.applied config.refused  "));
    CHECK_STR(buf_str(&seen.data), STR("{\"version\":1} {}  "));
    CHECK(seen.first == 1 && seen.count == 3 && !seen.wrong && seen.at >= before);
    seen_free(&seen);
    seen_init(&seen);
    CHECK_INT(event_each(bus, 1, visit, &seen), 3);
    CHECK_STR(buf_str(&seen.data), STR("{}  "));
    // Nothing after the last, nor after a number that is not given yet.
    CHECK_INT(event_each(bus, 3, visit, &seen), 3);
    CHECK_INT(event_each(bus, UINT64_MAX, visit, &seen), 3);
    CHECK_INT(seen.count, 2);
    seen_free(&seen);
    event_bus_free(bus);
    event_tell(NULL, STR("nobody"), STR("{}"));
    event_bus_free(NULL);
}

static void test_ring(void) {
    struct event_bus *bus = bus_new();
    for (uint64_t n = 1; n <= 2 * EVENT_KEEP + 5; n++) {
        struct seen seen;
        event_tell(bus, STR("n"), STR("{}"));
        if (n != 1 && n != EVENT_KEEP && n != EVENT_KEEP + 1 && n != 2 * EVENT_KEEP + 5) continue;
        seen_init(&seen);
        CHECK_INT(event_each(bus, 0, visit, &seen), n);
        CHECK_INT(seen.count, MIN(n, (uint64_t)EVENT_KEEP));
        CHECK_INT(seen.last, n);
        CHECK(!seen.wrong);
        seen_free(&seen);
    }
    event_bus_free(bus);
}

// Large events push out more than one each.
static void test_bytes(void) {
    static char large[60000];
    struct event_bus *bus = bus_new();
    struct seen seen;
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 100; i++) event_tell(bus, STR("n"), STR("{}"));
    for (int i = 0; i < 40; i++) event_tell(bus, STR("n"), str_of(large, sizeof large));
    seen_init(&seen);
    CHECK_INT(event_each(bus, 0, visit, &seen), 140);
    CHECK_INT(seen.count, EVENT_KEEP_BYTES / (sizeof large + 1));
    CHECK(seen.last == 140 && !seen.wrong);
    event_tell(bus, STR("n"), STR("{}")); // a small one finds room
    seen_free(&seen);
    seen_init(&seen);
    CHECK_INT(event_each(bus, 0, visit, &seen), 141);
    CHECK(seen.count >= EVENT_KEEP_BYTES / (sizeof large + 1) && !seen.wrong);
    seen_free(&seen);
    event_bus_free(bus);
}

static void test_long_data(void) {
    static char text[EVENT_DATA_MAX + 1];
    struct event_bus *bus = bus_new();
    struct seen seen;
    memset(text, 'x', sizeof text);
    event_tell(bus, STR("most"), str_of(text, EVENT_DATA_MAX));
    event_tell(bus, STR("more"), str_of(text, EVENT_DATA_MAX + 1));
    seen_init(&seen);
    event_each(bus, 0, visit, &seen);
    CHECK_INT(seen.data.n, EVENT_DATA_MAX + 1 + STR("{\"truncated\":true} ").n);
    CHECK(str_ends(buf_str(&seen.data), STR("x {\"truncated\":true} ")));
    seen_free(&seen);
    event_bus_free(bus);
}

struct ear {
    struct event_listener listener;
    struct event_bus *bus;
    struct mutex mutex; // wakes come from many threads
    uint64_t wakes, last;
};
static void nothing(void *ctx, const struct event *event) { (void)ctx, (void)event; }
static void wake(struct event_listener *listener) {
    struct ear *ear = CONTAINER_OF(listener, struct ear, listener);
    uint64_t last = event_each(ear->bus, UINT64_MAX, nothing, NULL); // the bus's lock is free
    mutex_lock(&ear->mutex);
    ear->wakes++;
    ear->last = MAX(ear->last, last);
    mutex_unlock(&ear->mutex);
}
static void ear_open(struct ear *ear, struct event_bus *bus) {
    *ear = (struct ear){.bus = bus, .listener = {.wake = wake}};
    mutex_init(&ear->mutex);
    event_listen(bus, &ear->listener);
}

static void test_wake(void) {
    struct event_bus *bus = bus_new();
    struct ear ears[3];
    for (size_t i = 0; i < 3; i++) ear_open(&ears[i], bus);
    event_tell(bus, STR("a"), STR("{}"));
    event_unlisten(bus, &ears[1].listener); // in the middle of the list, then its ends
    event_tell(bus, STR("b"), STR("{}"));
    event_unlisten(bus, &ears[2].listener);
    event_unlisten(bus, &ears[0].listener);
    event_tell(bus, STR("c"), STR("{}"));
    CHECK(ears[0].wakes == 2 && ears[1].wakes == 1 && ears[2].wakes == 2);
    CHECK(ears[0].last == 2 && ears[1].last == 1);
    ear_open(&ears[1], bus); // once more
    event_tell(bus, STR("d"), STR("{}"));
    CHECK_INT(ears[1].wakes, 1);
    event_unlisten(bus, &ears[1].listener);
    event_bus_free(bus);
}

static void test_no_memory(void) {
    struct event_bus *bus = NULL;
    struct err err;
    struct ear ear;
    mem_fail_nth(1);
    CHECK(!event_bus_create(&bus, &err) && err.code == ERR_NO_MEMORY);
    mem_fail_nth(0);
    bus = bus_new();
    ear_open(&ear, bus);
    mem_fail_nth(1);
    event_tell(bus, STR("lost"), STR("{}"));
    mem_fail_nth(0);
    CHECK_INT(event_bus_dropped(bus), 1);
    CHECK_INT(ear.wakes, 0);
    event_tell(bus, STR("kept"), STR("{}"));
    CHECK_INT(ear.last, 1);
    event_unlisten(bus, &ear.listener);
    event_bus_free(bus);
}

#define TELLERS 3
#define TELLS 2000
struct job {
    struct thread thread;
    struct event_bus *bus;
    uint64_t *left; // tellers at work
};
static void tell_many(void *arg) {
    struct job *job = arg;
    for (int i = 0; i < TELLS; i++) event_tell(job->bus, STR("thread"), STR("{\"i\":1}"));
    atom_sub(job->left, 1);
}
// Comes and goes while events are told: after event_unlisten the ear's memory is its own again.
static void come_and_go(void *arg) {
    struct job *job = arg;
    do {
        struct ear *ear = mem_must(mem_alloc(sizeof *ear));
        ear_open(ear, job->bus);
        event_unlisten(job->bus, &ear->listener);
        memset(ear, 0xff, sizeof *ear);
        mem_free(ear);
    } while (atom_load(job->left));
}
static void read_many(void *arg) {
    struct job *job = arg;
    uint64_t after = 0;
    do {
        struct seen seen;
        seen_init(&seen);
        uint64_t last = event_each(job->bus, after, visit, &seen);
        CHECK(!seen.wrong && last >= after && (!seen.count || (seen.first > after && seen.last == last)));
        after = last;
        seen_free(&seen);
    } while (atom_load(job->left));
}

static void test_threads(void) {
    struct event_bus *bus = bus_new();
    struct ear ear;
    struct err err;
    uint64_t left = TELLERS;
    struct job jobs[TELLERS + 2];
    ear_open(&ear, bus);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        jobs[i] = (struct job){.bus = bus, .left = &left};
        thread_main *run = i < TELLERS ? tell_many : i == TELLERS ? come_and_go : read_many;
        REQUIRE(thread_start(&jobs[i].thread, "job", 0, run, &jobs[i], &err));
    }
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) thread_join(&jobs[i].thread);
    CHECK_INT(event_each(bus, UINT64_MAX, nothing, NULL), TELLERS * TELLS);
    // Each event has woken the listener, and the last wake has seen the last event.
    CHECK_INT(ear.wakes, TELLERS * TELLS);
    CHECK_INT(ear.last, TELLERS * TELLS);
    CHECK_INT(event_bus_dropped(bus), 0);
    event_unlisten(bus, &ear.listener);
    event_bus_free(bus);
}

TEST_MAIN(test_order, test_ring, test_bytes, test_long_data, test_wake, test_no_memory, test_threads)
