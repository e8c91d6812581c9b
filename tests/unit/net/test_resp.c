// Tests of the RESP reader and writer: every type, nesting, cuts at every byte, limits, and what is not RESP.
#include "net/resp.h"

#include "base/mem.h"
#include "check.h"

#include <stdlib.h>

// --- replies as text ---

static void show(struct buf *out, const struct resp *v) {
    static const char open[] = {[RESP_ARRAY] = '[', [RESP_SET] = '{', [RESP_MAP] = '<', [RESP_PUSH] = '>'};
    switch (v->type) {
    case RESP_NULL:
        buf_lit(out, "null");
        break;
    case RESP_STRING:
        buf_printf(out, "'%.*s'", STR_ARG(v->text));
        break;
    case RESP_ERROR:
        buf_printf(out, "!%.*s!", STR_ARG(v->text));
        break;
    case RESP_INT:
        buf_printf(out, "%lld", (long long)v->integer);
        break;
    case RESP_DOUBLE:
        buf_printf(out, "%gd", v->number);
        break;
    case RESP_BOOL:
        buf_putc(out, v->integer ? 'T' : 'F');
        break;
    case RESP_BIG:
        buf_printf(out, "%.*sn", STR_ARG(v->text));
        break;
    case RESP_ARRAY:
    case RESP_SET:
    case RESP_MAP:
    case RESP_PUSH:
        buf_putc(out, open[v->type]);
        for (size_t i = 0; i < v->n; i++) {
            if (i) buf_putc(out, ' ');
            show(out, &v->items[i]);
        }
        buf_lit(out, "]");
    }
}

// Feeds `wire` in pieces of `step`, the first `first` long; the replies as text, then "~" when it broke.
static void read_all(struct str wire, size_t first, size_t step, const struct resp_limits *limits, struct buf *out) {
    struct resp_reader r;
    struct err err = {0};
    enum resp_step how = RESP_MORE;
    resp_reader_init(&r, limits);
    buf_clear(out);
    while (wire.n && how != RESP_BROKEN) {
        struct str piece = str_head(wire, first ? first : step);
        const struct resp *reply;
        wire = str_from(wire, piece.n);
        first = 0;
        // A copy of its own, so that a sanitizer sees a look past its end.
        char *copy = mem_strdup(piece);
        REQUIRE(copy);
        resp_feed(&r, str_of(copy, piece.n));
        mem_free(copy);
        while ((how = resp_next(&r, &reply, &err)) == RESP_READY) {
            show(out, reply);
            buf_putc(out, ';');
        }
    }
    if (how == RESP_BROKEN) {
        const struct resp *reply;
        CHECK(err.message[0] && (err.code == ERR_UPSTREAM_INVALID || err.code == ERR_UPSTREAM_TOO_LARGE));
        CHECK(resp_next(&r, &reply, &err) == RESP_BROKEN);
        resp_feed(&r, STR("+OK\r\n"));
        CHECK(resp_next(&r, &reply, &err) == RESP_BROKEN);
        buf_putc(out, '~');
    }
    resp_reader_free(&r);
}

static void expect(struct str wire, const char *want) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    for (size_t cut = 0; cut <= wire.n; cut++) {
        read_all(wire, cut, SIZE_MAX, NULL, &out);
        CHECK_STR(buf_str(&out), str_c(want));
    }
    for (size_t step = 1; step < 4; step++) {
        read_all(wire, 0, step, NULL, &out);
        CHECK_STR(buf_str(&out), str_c(want));
    }
}
#define EXPECT(wire, want) expect(STR(wire), want)

static void test_every_type(void) {
    EXPECT("+OK\r\n", "'OK';");
    EXPECT("+\r\n", "'';");
    EXPECT("-ERR wrong\r\n", "!ERR wrong!;");
    EXPECT(":0\r\n:-12\r\n:+7\r\n:9223372036854775807\r\n:-9223372036854775808\r\n",
           "0;-12;7;9223372036854775807;-9223372036854775808;");
    EXPECT("$0\r\n\r\n", "'';");
    EXPECT("$5\r\nhello\r\n", "'hello';");
    EXPECT("$4\r\n\r\n\r\n\r\n", "'\r\n\r\n';");
    EXPECT("$-1\r\n*-1\r\n_\r\n", "null;null;null;");
    EXPECT("*0\r\n", "[];");
    EXPECT("*2\r\n:1\r\n$1\r\na\r\n", "[1 'a'];");
    EXPECT("#t\r\n#f\r\n", "T;F;");
    EXPECT(",1.5\r\n,-2\r\n,1e3\r\n,inf\r\n,-inf\r\n", "1.5d;-2d;1000d;infd;-infd;");
    EXPECT("(3492890328409238509324850943850943825024385\r\n(-1\r\n",
           "3492890328409238509324850943850943825024385n;-1n;");
    EXPECT("!8\r\nERR a\r\nb\r\n", "!ERR a\r\nb!;");
    EXPECT("=7\r\ntxt:abc\r\n=4\r\ntxt:\r\n", "'abc';'';");
    EXPECT("%2\r\n+a\r\n:1\r\n+b\r\n_\r\n%0\r\n", "<'a' 1 'b' null];<];");
    EXPECT("~2\r\n+a\r\n#t\r\n", "{'a' T];");
    EXPECT(">3\r\n$7\r\nmessage\r\n+c\r\n+x\r\n:1\r\n", ">'message' 'c' 'x'];1;");
}

static void test_nesting_and_attributes(void) {
    EXPECT("*2\r\n*2\r\n:1\r\n*0\r\n%1\r\n+k\r\n*1\r\n$-1\r\n:5\r\n", "[[1 []] <'k' [null]]];5;");
    EXPECT("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "[[[[1]]]];");
    EXPECT("|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n:2\r\n", "'v';2;");
    EXPECT("*2\r\n:1\r\n|1\r\n+a\r\n*2\r\n:8\r\n:9\r\n:2\r\n", "[1 2];");
    EXPECT("|0\r\n|1\r\n+a\r\n+b\r\n*1\r\n|1\r\n+c\r\n+d\r\n*0\r\n", "[[]];");
}

static void test_not_resp(void) {
    static const struct {
        struct str wire;
        const char *want;
    } bad[] = {
        {STR_INIT("hello\r\n"), "~"},
        {STR_INIT("\r\n"), "~"},
        {STR_INIT("HTTP/1.1 400 Bad Request\r\n\r\n"), "~"},
        {STR_INIT("+a\rb\r\n"), "~"},
        {STR_INIT("+a\n"), "~"},
        {STR_INIT(":\r\n"), "~"},
        {STR_INIT(":1x\r\n"), "~"},
        {STR_INIT(":9223372036854775808\r\n"), "~"},
        {STR_INIT(":--1\r\n"), "~"},
        {STR_INIT("$\r\n"), "~"},
        {STR_INIT("$-2\r\n"), "~"},
        {STR_INIT("$ 1\r\na\r\n"), "~"},
        {STR_INIT("$18446744073709551615\r\n"), "~"},
        {STR_INIT("$18446744073709551616\r\n"), "~"},
        {STR_INIT("$99999999999\r\n"), "~"},
        {STR_INIT("$3\r\nabcd\r\n"), "~"},
        {STR_INIT("$3\r\nabc\n\n\n"), "~"},
        {STR_INIT("$?\r\n;1\r\na\r\n"), "~"},
        {STR_INIT("*?\r\n"), "~"},
        {STR_INIT("*-2\r\n"), "~"},
        {STR_INIT("*18446744073709551615\r\n"), "~"},
        {STR_INIT("*65537\r\n"), "~"},
        {STR_INIT("%9223372036854775808\r\n"), "~"},
        {STR_INIT("%-1\r\n"), "~"},
        {STR_INIT("~-1\r\n"), "~"},
        {STR_INIT("!-1\r\n"), "~"},
        {STR_INIT("#x\r\n"), "~"},
        {STR_INIT("#\r\n"), "~"},
        {STR_INIT(",\r\n"), "~"},
        {STR_INIT(",1.5x\r\n"), "~"},
        {STR_INIT(",0x10\r\n"), "~"},
        {STR_INIT("(12a\r\n"), "~"},
        {STR_INIT("(\r\n"), "~"},
        {STR_INIT("_x\r\n"), "~"},
        {STR_INIT("=3\r\ntxt\r\n"), "~"},
        {STR_INIT("=4\r\nabcd\r\n"), "~"},
        {STR_INIT("*2\r\n:1\r\n?\r\n"), "~"},
        {STR_INIT(":1\r\n:2\r\nx\r\n"), "1;2;~"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) expect(bad[i].wire, bad[i].want);
}

static void test_depth(void) {
    BUF_AUTO struct buf wire = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    for (int i = 0; i < RESP_DEPTH_MAX; i++) buf_lit(&wire, "*1\r\n");
    buf_lit(&wire, ":1\r\n");
    read_all(buf_str(&wire), 0, 7, NULL, &out);
    CHECK(out.n && out.p[out.n - 1] == ';');
    BUF_AUTO struct buf deeper = BUF_INIT(1 << 20);
    buf_lit(&deeper, "*1\r\n");
    buf_put(&deeper, buf_str(&wire));
    read_all(buf_str(&deeper), 0, 7, NULL, &out);
    CHECK_STR(buf_str(&out), STR("~"));
}

static void test_limits(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    const struct resp_limits l = {.max_bytes = 32, .max_items = 4, .max_depth = 2};
    for (size_t step = 1; step < 64; step++) {
        read_all(STR("$24\r\n012345678901234567890123\r\n"), 0, step, &l, &out); // 31 bytes
        CHECK_STR(buf_str(&out), STR("'012345678901234567890123';"));
        read_all(STR("$26\r\n01234567890123456789012345\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("$33\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n:1\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("[1 2 3 4];1;"));
        read_all(STR("*5\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("*2\r\n*3\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("%3\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("*1\r\n*1\r\n*1\r\n:1\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("+0123456789012345678901234567890123456789\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
        read_all(STR("|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n"), 0, step, &l, &out);
        CHECK_STR(buf_str(&out), STR("~"));
    }
}

static void test_long_line(void) {
    BUF_AUTO struct buf wire = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    buf_lit(&wire, "+");
    for (size_t i = 0; i < RESP_LINE_MAX; i++) buf_putc(&wire, 'a');
    read_all(buf_str(&wire), 0, 1000, NULL, &out);
    CHECK_STR(buf_str(&out), STR("~"));
}

// What comes later may be read with little memory: a large reply's buffer does not stay.
static void test_memory_given_back(void) {
    struct resp_reader r;
    struct err err;
    const struct resp *reply;
    BUF_AUTO struct buf big = BUF_INIT(8 << 20);
    size_t length = (size_t)4 << 20;
    resp_reader_init(&r, NULL);
    buf_printf(&big, "$%zu\r\n", length);
    for (size_t i = 0; i < length; i++) buf_putc(&big, (char)('a' + i % 26));
    buf_lit(&big, "\r\n");
    resp_feed(&r, buf_str(&big));
    REQUIRE(resp_next(&r, &reply, &err) == RESP_READY);
    CHECK_INT(reply->text.n, length);
    CHECK(resp_next(&r, &reply, &err) == RESP_MORE);
    resp_feed(&r, STR(":1\r\n"));
    CHECK(resp_next(&r, &reply, &err) == RESP_READY && reply->integer == 1);
    CHECK(r.in.cap < 65537);
    resp_reader_free(&r);
}

static void test_out_of_memory(void) {
    static const char wire[] = "*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n:2\r\n+x\r\n";
    for (uint64_t nth = 1; nth < 10; nth++) {
        struct resp_reader r;
        struct err err;
        const struct resp *reply;
        resp_reader_init(&r, NULL);
        mem_fail_nth(nth);
        resp_feed(&r, str_c(wire));
        enum resp_step step = resp_next(&r, &reply, &err);
        mem_fail_nth(0);
        CHECK(step == RESP_READY || (step == RESP_BROKEN && err.code == ERR_NO_MEMORY));
        resp_reader_free(&r);
    }
}

static void test_commands(void) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    const struct str args[] = {STR("SET"), STR("a\r\nb"), STR("")};
    resp_put_command(&out, args, ARRAY_LEN(args));
    CHECK_STR(buf_str(&out), STR("*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n"));
    static const struct {
        int64_t v;
        const char *want;
    } ints[] = {{0, "$1\r\n0\r\n"},
                {-1, "$2\r\n-1\r\n"},
                {1234567, "$7\r\n1234567\r\n"},
                {INT64_MIN, "$20\r\n-9223372036854775808\r\n"},
                {INT64_MAX, "$19\r\n9223372036854775807\r\n"}};
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
        buf_clear(&out);
        resp_put_i64(&out, ints[i].v);
        CHECK_STR(buf_str(&out), str_c(ints[i].want));
    }
}

static void test_answers(void) {
    struct resp_reader r;
    struct err err;
    const struct resp *reply;
    int64_t v = 0;
    resp_reader_init(&r, NULL);
    resp_feed(&r, STR("%2\r\n+a\r\n:1\r\n+b\r\n$2\r\n12\r\n*3\r\n+a\r\n+x\r\n+b\r\n:3\r\n"));
    REQUIRE(resp_next(&r, &reply, &err) == RESP_READY);
    CHECK(resp_integer(resp_member(reply, STR("b")), &v) && v == 12);
    CHECK(resp_integer(resp_member(reply, STR("a")), &v) && v == 1);
    CHECK(!resp_member(reply, STR("c")));
    REQUIRE(resp_next(&r, &reply, &err) == RESP_READY);
    CHECK(!resp_integer(resp_member(reply, STR("a")), &v));
    CHECK(!resp_member(reply, STR("b"))); // a key without value
    REQUIRE(resp_next(&r, &reply, &err) == RESP_READY);
    CHECK(resp_integer(reply, &v) && v == 3 && !resp_member(reply, STR("a")));
    resp_reader_free(&r);
}

TEST_MAIN(test_every_type, test_nesting_and_attributes, test_not_resp, test_depth, test_limits, test_long_line,
          test_memory_given_back, test_out_of_memory, test_commands, test_answers)
