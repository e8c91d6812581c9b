// Tests that streams are cut into the same frames wherever the network cuts them.
#include "check.h"
#include "model/frame.h"

#include <stdlib.h>

struct seen {
    struct buf text; // "event|data\n" a frame
};

static bool note(void *arg, const struct frame *frame, struct err *err) {
    (void)err;
    struct seen *s = arg;
    buf_put(&s->text, frame->event);
    buf_putc(&s->text, '|');
    buf_put(&s->text, frame->data);
    buf_put(&s->text, frame->exception ? STR("!\n") : STR("\n"));
    return true;
}

// What the frames of `text` are, fed in pieces of the lengths first, step, step, …
static bool cut(enum frame_kind kind, struct str text, size_t first, size_t step, struct seen *out_seen) {
    struct framer f;
    struct err err;
    bool ok = true;
    framer_init(&f, kind, 4096);
    for (size_t at = 0, n = first; ok && (at < text.n || at == 0); at += n, n = step) {
        n = MIN(n, text.n - at);
        char *copy = malloc(n + 1); // so that a read past it is seen
        memcpy(copy, text.p + at, n);
        ok = framer_feed(&f, str_of(copy, n), at + n == text.n, note, out_seen, &err);
        free(copy);
        if (!n) break;
    }
    framer_free(&f);
    return ok;
}

static void check_cuts(enum frame_kind kind, struct str text, const char *wanted) {
    for (size_t first = 1; first <= text.n; first++) {
        for (size_t step = 1; step <= text.n; step += step < 4 ? 1 : text.n) {
            struct seen s = {.text = BUF_INIT(100000)};
            CHECK(cut(kind, text, first, step, &s));
            CHECK_STR(buf_str(&s.text), str_c(wanted));
            buf_free(&s.text);
        }
    }
}

static void test_events(void) {
    check_cuts(FRAME_SSE, STR("data: a\n\ndata: b\n\n"), "|a\n|b\n");
    check_cuts(FRAME_SSE,
               STR("\xef\xbb\xbf"
                   "event: x\r\ndata:a\r\ndata: \xc3\xa9\r\n\r\n: a comment\r\n\r\nid: 7\ndata:  two\n\n"),
               "x|a\n\xc3\xa9\n| two\n");
    check_cuts(FRAME_SSE, STR("\n\n\ndata: a\n\n\n\r\ndata: no blank line"), "|a\n|no blank line\n");
    check_cuts(FRAME_SSE, STR("event: alone\n\nretry: 5\n\ndata\n\n"), "");
    check_cuts(FRAME_SSE, STR(": only\n"), "");
}

static void test_lines(void) {
    check_cuts(FRAME_LINES, STR("{\"a\":1}\r\n\n{\"b\":\"\xc3\xa9\"}\n{\"c\":3}"),
               "|{\"a\":1}\n|{\"b\":\"\xc3\xa9\"}\n|{\"c\":3}\n");
}

static void test_array(void) {
    check_cuts(FRAME_ARRAY, STR("[{\"a\":\"]}\\\"\"}\n,\r\n{\"b\":[{},[]]}]\n"),
               "|{\"a\":\"]}\\\"\"}\n|{\"b\":[{},[]]}\n");
    check_cuts(FRAME_ARRAY, STR("[]"), "");
    check_cuts(FRAME_ARRAY, STR("[{\"a\":1},{\"cut\":"), "|{\"a\":1}\n");
    static const struct str wrong[] = {STR_INIT("{\"a\":1}"), STR_INIT("x"), STR_INIT("[1]"), STR_INIT("[{}]]"),
                                       STR_INIT("[{}]{}")};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct seen s = {.text = BUF_INIT(1000)};
        CHECK(!cut(FRAME_ARRAY, wrong[i], wrong[i].n, 1, &s));
        CHECK(!cut(FRAME_ARRAY, wrong[i], 1, 1, &s));
        buf_free(&s.text);
    }
}

static void test_too_large(void) {
    static char big[6000];
    memset(big, 'x', sizeof big);
    memcpy(big, "data: ", 6);
    for (enum frame_kind kind = FRAME_SSE; kind <= FRAME_LINES; kind++) {
        struct framer f;
        struct seen s = {.text = BUF_INIT(100000)};
        struct err err;
        framer_init(&f, kind, 4096);
        CHECK(framer_feed(&f, str_of(big, 3000), false, note, &s, &err));
        CHECK(!framer_feed(&f, str_of(big + 3000, 3000), false, note, &s, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_TOO_LARGE);
        framer_free(&f);
        buf_free(&s.text);
    }
}

// A message as Bedrock sends it, made by AWS' own encoder (botocore's tests of its decoder use the like).
static const char k_aws[] = "\x00\x00\x00\x3d\x00\x00\x00\x20\x07\xfd\x83\x96\x0c"
                            "content-type\x07\x00\x10"
                            "application/json"
                            "{'foo':'bar'}\x8d\x9c\x08\xb1";

static void test_aws(void) {
    struct str one = str_of(k_aws, sizeof k_aws - 1);
    check_cuts(FRAME_AWS, one, "|{'foo':'bar'}\n");
    for (size_t i = 0; i < one.n; i++) { // any byte that is wrong is seen
        char copy[sizeof k_aws];
        struct seen s = {.text = BUF_INIT(1000)};
        memcpy(copy, k_aws, sizeof k_aws);
        copy[i] = (char)(copy[i] ^ 0x20);
        CHECK(!cut(FRAME_AWS, str_of(copy, one.n), one.n, 1, &s));
        buf_free(&s.text);
    }
    struct seen s = {.text = BUF_INIT(1000)};
    CHECK(!cut(FRAME_AWS, str_head(one, one.n - 1), one.n - 1, 1, &s)); // cut off
    buf_free(&s.text);
}

TEST_MAIN(test_events, test_lines, test_array, test_too_large, test_aws)
