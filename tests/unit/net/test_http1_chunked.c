// The chunked decoder: good and bad bodies, cut in every way.
#include "base/buf.h"
#include "check.h"
#include "net/http1_parse.h"

// Feeds `text` in two pieces (or in pieces of `step` bytes), collecting the data. *out_rest: what was not used.
static enum http1_result decode(struct str text, size_t cut, size_t step, struct buf *out, size_t *out_rest) {
    struct http1_chunked c;
    enum http1_result r = HTTP1_MORE;
    size_t at = 0;
    http1_chunked_init(&c);
    buf_clear(out);
    while (at < text.n && r == HTTP1_MORE) {
        size_t n = step ? MIN(step, text.n - at) : at == 0 && cut ? cut : text.n - at;
        char *piece = malloc(n);
        REQUIRE(piece);
        memcpy(piece, text.p + at, n);
        struct str in = str_of(piece, n), data;
        at += n;
        do {
            r = http1_chunked_next(&c, &in, &data);
            buf_put(out, data);
        } while (r == HTTP1_MORE && data.n);
        if (r == HTTP1_MORE) CHECK_INT(in.n, 0);
        *out_rest = in.n + (text.n - at);
        free(piece);
    }
    return r;
}

static void check_all_cuts(struct str text, enum http1_result want, struct str body, size_t rest) {
    struct buf out = BUF_INIT((size_t)1 << 20);
    for (size_t way = 0; way < text.n + 3; way++) {
        size_t left = 0;
        enum http1_result r =
            way < text.n ? decode(text, way, 0, &out, &left) : decode(text, 0, way - text.n + 1, &out, &left);
        if (r != want) fprintf(stderr, "way %zu: %.*s\n", way, STR_ARG(str_head(text, 60)));
        CHECK_INT(r, want);
        CHECK_STR(buf_str(&out), body);
        if (want == HTTP1_DONE) CHECK_INT(left, rest);
    }
    buf_free(&out);
}

static void test_good(void) {
    check_all_cuts(STR("5\r\nhello\r\n0\r\n\r\n"), HTTP1_DONE, STR("hello"), 0);
    check_all_cuts(STR("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nNEXT"), HTTP1_DONE, STR("hello world"), 4);
    check_all_cuts(STR("0\r\n\r\n"), HTTP1_DONE, STR(""), 0);
    check_all_cuts(STR("00000\r\n\r\n"), HTTP1_DONE, STR(""), 0);
    check_all_cuts(STR("A\r\n0123456789\r\n00a\r\nabcdefghij\r\n0\r\n\r\n"), HTTP1_DONE, STR("0123456789abcdefghij"),
                   0);
    check_all_cuts(STR("2;ext\r\nhi\r\n3;a=b;c=\"d\"\r\nyou\r\n0;last\r\n\r\n"), HTTP1_DONE, STR("hiyou"), 0);
    check_all_cuts(STR("2 ;ext\r\nhi\r\n0\r\n\r\n"), HTTP1_DONE, STR("hi"), 0);
    check_all_cuts(STR("4\r\n\r\n\r\n\r\n0\r\n\r\n"), HTTP1_DONE, STR("\r\n\r\n"), 0);
    check_all_cuts(STR("1\r\nx\r\n0\r\nTrailer: y\r\nOther: z\r\n\r\nrest"), HTTP1_DONE, STR("x"), 4);
}

static void test_bad(void) {
    static const struct {
        struct str text, body;
    } cases[] = {
        {STR_INIT("\r\n"), STR_INIT("")},
        {STR_INIT("g\r\n"), STR_INIT("")},
        {STR_INIT("-5\r\nhello"), STR_INIT("")},
        {STR_INIT("+5\r\nhello"), STR_INIT("")},
        {STR_INIT("0x5\r\nhello"), STR_INIT("")},
        {STR_INIT(" 5\r\nhello"), STR_INIT("")},
        {STR_INIT("5\nhello"), STR_INIT("")},
        {STR_INIT("5\rhello"), STR_INIT("")},
        {STR_INIT("5\r\rhello"), STR_INIT("")},
        {STR_INIT(";ext\r\n"), STR_INIT("")},
        {STR_INIT("5 5\r\nhello"), STR_INIT("")},
        {STR_INIT("5;a\nb\r\nhello"), STR_INIT("")},
        {STR_INIT("5;a\0b\r\nhello"), STR_INIT("")},
        {STR_INIT("5;a\rb\r\nhello"), STR_INIT("")},
        {STR_INIT("5\r\nhelloX\r\n"), STR_INIT("hello")},
        {STR_INIT("5\r\nhello\n0\r\n\r\n"), STR_INIT("hello")},
        {STR_INIT("5\r\nhello\rX0\r\n\r\n"), STR_INIT("hello")},
        {STR_INIT("5\r\nhello\r\n\r\n"), STR_INIT("hello")},
        {STR_INIT("10000000000000000\r\n"), STR_INIT("")},
        {STR_INIT("FFFFFFFFFFFFFFFFFFFF\r\n"), STR_INIT("")},
        {STR_INIT("0\r\n\n"), STR_INIT("")},
        {STR_INIT("0\r\n\rX"), STR_INIT("")},
        {STR_INIT("0\r\nA: b\n\r\n"), STR_INIT("")},
        {STR_INIT("0\r\nA: b\rC\r\n\r\n"), STR_INIT("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_all_cuts(cases[i].text, HTTP1_BAD, cases[i].body, 0);
}

static void test_incomplete(void) {
    struct str text = STR("5;x\r\nhello\r\n0\r\nT: u\r\n\r\n");
    struct buf out = BUF_INIT(100);
    for (size_t n = 0; n < text.n; n++) {
        size_t left;
        CHECK_INT(decode(str_head(text, n), 0, 0, &out, &left), HTTP1_MORE);
    }
    buf_free(&out);
}

// What carries no data is bounded: size lines, extensions, all trailers together.
static void test_bounds(void) {
    static const char *const heads[] = {"", "5;", "0\r\nX: ", "0\r\n"};
    static const char *const pieces[] = {"0", "y", "y", "A: bcdefg\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct buf text = BUF_INIT((size_t)1 << 20), out = BUF_INIT(100);
        size_t left;
        buf_put(&text, str_c(heads[i]));
        while (text.n < 5000) buf_put(&text, str_c(pieces[i]));
        CHECK_INT(decode(buf_str(&text), 0, 0, &out, &left), HTTP1_BAD);
        CHECK_INT(decode(buf_str(&text), 0, 1, &out, &left), HTTP1_BAD);
        buf_free(&text);
        buf_free(&out);
    }
    // A chunk of the largest size is only a number until its bytes come.
    struct buf out = BUF_INIT(100);
    size_t left;
    CHECK_INT(decode(STR("7fffffffffffffff\r\nabc"), 0, 0, &out, &left), HTTP1_MORE);
    CHECK_STR(buf_str(&out), STR("abc"));
    buf_free(&out);
}

TEST_MAIN(test_good, test_bad, test_incomplete, test_bounds)
