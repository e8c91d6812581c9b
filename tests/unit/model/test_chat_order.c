// Tests that events in any order come out in the order that encoders are promised.
#include "check.h"
#include "event_text.h"
#include "model/chat_order.h"

struct rig {
    struct event_text out;
    struct chat_order order;
};

static void rig_open(struct rig *r, unsigned choices, size_t max) {
    event_text_init(&r->out);
    chat_order_init(&r->order, &r->out.sink, choices, max);
}

static void rig_close(struct rig *r, const char *wanted) {
    chat_order_end(&r->order);
    chat_order_end(&r->order); // once is enough
    CHECK_STR(buf_str(&r->out.text), str_c(wanted));
    chat_order_free(&r->order);
    buf_free(&r->out.text);
}

static void emit(struct rig *r, struct chat_event e) { chat_emit(&r->order.sink, &e); }
#define PART(number, what)                                                                                             \
    (struct chat_event) { .kind = CHAT_PART_BEGIN, .part = number, .part_kind = CHAT_##what }
#define CALL(number, its)                                                                                              \
    (struct chat_event) {                                                                                              \
        .kind = CHAT_PART_BEGIN, .part = number, .part_kind = CHAT_TOOL_CALL, .id = STR_INIT(its),                     \
        .name = STR_INIT("f")                                                                                          \
    }
#define DELTA(number, said)                                                                                            \
    (struct chat_event) { .kind = CHAT_DELTA, .part = number, .text = STR_INIT(said) }
#define PART_END(number)                                                                                               \
    (struct chat_event) { .kind = CHAT_PART_END, .part = number }
#define FINISH(how)                                                                                                    \
    (struct chat_event) { .kind = CHAT_FINISH, .finish = CHAT_FINISH_##how }

static void plain(void) {
    struct rig r;
    rig_open(&r, 1, 1000);
    emit(&r, (struct chat_event){.kind = CHAT_BEGIN, .id = STR("i"), .name = STR("m")});
    emit(&r, (struct chat_event){.kind = CHAT_BEGIN, .id = STR("again"), .name = STR("m")});
    emit(&r, PART(0, TEXT));
    emit(&r, DELTA(0, ""));
    emit(&r, DELTA(0, "hello"));
    emit(&r, FINISH(STOP));
    struct usage usage = {.prompt = 3, .output = 1};
    emit(&r, (struct chat_event){.kind = CHAT_USAGE, .usage = &usage});
    rig_close(&r, "answer i m\nbegin 0.0 text  \ndelta 0.0 hello\nusage 3 1\nend 0.0\nfinish 0 stop \nover\n");
}

static void nothing_at_all(void) {
    struct rig r;
    rig_open(&r, 1, 1000);
    rig_close(&r, "answer  \nfinish 0 stop \nover\n");
}

// A call without arguments has "{}"; a provider that says stop has called all the same.
static void calls(void) {
    struct rig r;
    rig_open(&r, 1, 1000);
    emit(&r, CALL(5, "a"));
    emit(&r, CALL(6, "b"));
    emit(&r, DELTA(6, "{\\\"x\\\":1}"));
    emit(&r, FINISH(STOP));
    rig_close(&r, "answer  \nbegin 0.0 call a f\ndelta 0.0 {}\nend 0.0\nbegin 0.1 call b f\ndelta 0.1 "
                  "{\\\"x\\\":1}\nend 0.1\nfinish 0 tools \nover\n");
}

// The second waits until the first has all of its arguments, and is live from there.
static void interleaved(void) {
    struct rig r;
    rig_open(&r, 1, 1000);
    emit(&r, CALL(0, "a"));
    emit(&r, CALL(1, "b"));
    emit(&r, DELTA(0, "{\\\"x\\\":\\\"}"));
    emit(&r, DELTA(1, "{\\\"y\\\":"));
    emit(&r, DELTA(0, "\\\\\\\"}"));
    CHECK_STR(buf_str(&r.out.text),
              STR("answer  \nbegin 0.0 call a f\ndelta 0.0 {\\\"x\\\":\\\"}\ndelta 0.0 \\\\\\\"}\n"));
    emit(&r, DELTA(0, "\\\"}"));
    emit(&r, DELTA(1, "2}"));
    rig_close(&r, "answer  \nbegin 0.0 call a f\ndelta 0.0 {\\\"x\\\":\\\"}\ndelta 0.0 \\\\\\\"}\ndelta 0.0 "
                  "\\\"}\nend 0.0\nbegin 0.1 call b f\ndelta 0.1 {\\\"y\\\":\ndelta 0.1 2}\nend 0.1\nfinish 0 tools "
                  "\nover\n");
}

// Escapes of quotes as \u0022 count as quotes.
static void escapes(void) {
    struct rig r;
    rig_open(&r, 1, 1000);
    emit(&r, CALL(0, "a"));
    emit(&r, DELTA(0, "{\\u0022x\\u0022:\\u0022}\\u005c\\u0022\\u0022}"));
    emit(&r, CALL(1, "b"));
    CHECK(r.order.choice[0].held.n == 0);
    rig_close(&r, "answer  \nbegin 0.0 call a f\ndelta 0.0 "
                  "{\\u0022x\\u0022:\\u0022}\\u005c\\u0022\\u0022}\nend 0.0\nbegin 0.1 call b f\ndelta 0.1 {}\nend "
                  "0.1\nfinish 0 tools \nover\n");
}

// Text that a call has broken into goes on in a part of its own; thoughts stay thoughts.
static void text_goes_on(void) {
    struct rig r;
    rig_open(&r, 1, 1000);
    emit(&r, PART(0, THINKING));
    emit(&r, DELTA(0, "hm"));
    emit(&r, PART(1, TEXT));
    emit(&r, DELTA(1, "so"));
    emit(&r, DELTA(0, "lost"));
    emit(&r, DELTA(1, "!"));
    emit(&r, PART_END(1));
    emit(&r, FINISH(LENGTH));
    rig_close(&r, "answer  \nbegin 0.0 thinking  \ndelta 0.0 hm\nend 0.0\nbegin 0.1 text  \ndelta 0.1 so\nend "
                  "0.1\nbegin 0.2 thinking  \ndelta 0.2 lost\nend 0.2\nbegin 0.3 text  \ndelta 0.3 !\nend "
                  "0.3\nfinish 0 length \nover\n");
}

static void choices(void) {
    struct rig r;
    rig_open(&r, 2, 1000);
    struct chat_event e = PART(0, TEXT);
    for (e.choice = 0; e.choice < 3; e.choice++) emit(&r, e);
    e = FINISH(STOP_SEQUENCE);
    e.choice = 1;
    e.text = STR("END");
    emit(&r, e);
    rig_close(&r, "answer  \nbegin 0.0 text  \nbegin 1.0 text  \nend 0.0\nfinish 0 stop \nend 1.0\nfinish 1 "
                  "stop_sequence END\nover\n");
}

static void failure(void) {
    struct rig r;
    static const struct chat_failure f = {.status = 529, .message = STR_INIT("busy")};
    rig_open(&r, 1, 1000);
    emit(&r, PART(0, TEXT));
    emit(&r, (struct chat_event){.kind = CHAT_FAIL, .failure = &f});
    emit(&r, DELTA(0, "more"));
    rig_close(&r, "answer  \nbegin 0.0 text  \nfail 529 busy\nover\n");
}

// What is held back is bounded.
static void bounded(void) {
    struct rig r;
    rig_open(&r, 1, 2000);
    emit(&r, CALL(0, "a"));
    emit(&r, CALL(1, "b"));
    for (int i = 0; i < 1000; i++) emit(&r, DELTA(1, "0123456789abcdef"));
    CHECK(r.order.failed);
    CHECK(r.order.choice[0].held.p[0].text.n <= 2000);
    chat_order_free(&r.order);
    buf_free(&r.out.text);
}

TEST_MAIN(plain, nothing_at_all, calls, interleaved, escapes, text_goes_on, choices, failure, bounded)
