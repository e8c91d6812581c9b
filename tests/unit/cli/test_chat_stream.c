// Tests the reader of streamed chat answers: pieces of any size, errors in the stream, bytes that are no stream.
#include "check.h"

#include "cli/chat_stream.h"

static const struct str STREAM = STR_INIT(
    ": a comment\r\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n"
    "event: x\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\\u00e9 \\n\"}}]}\n\n"
    "data:{\"choices\":[{\"delta\":{\"content\":\"au lait\"}},{\"delta\":{\"content\":null}}],\"usage\":null}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}\n\n"
    "data: [DONE]\n\n"
    "data: not looked at\n\n");

static void take(void *arg, struct str text) { buf_put(arg, text); }

static bool feed(struct str bytes, size_t piece, struct chat_stream *s, struct buf *out, struct err *err) {
    chat_stream_init(s, take, out);
    while (bytes.n) {
        if (!chat_stream_feed(s, str_head(bytes, piece), err)) return false;
        bytes = str_from(bytes, piece);
    }
    return true;
}

static void test_pieces(void) {
    for (size_t piece = 1; piece <= STREAM.n; piece++) {
        BUF_AUTO struct buf out = BUF_INIT(4096);
        struct chat_stream s;
        struct err err;
        CHECK(feed(STREAM, piece, &s, &out, &err));
        CHECK_STR(buf_str(&out), STR("caf\xc3\xa9 \nau lait"));
        CHECK(s.done);
        CHECK_INT(s.usage.prompt, 12);
        CHECK_INT(s.usage.output, 3);
        chat_stream_free(&s);
    }
}

static void check_bad(struct str bytes, enum err_code code, const char *part) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    struct chat_stream s;
    struct err err = {.code = ERR_INTERNAL};
    CHECK(!feed(bytes, 7, &s, &out, &err));
    CHECK_INT(err.code, code);
    CHECK(strstr(err.message, part) != NULL);
    chat_stream_free(&s);
}

static void test_bad(void) {
    check_bad(STR("data: {\"error\":{\"message\":\"no \\\"such\\\" model\",\"code\":\"x\"}}\n\n"), ERR_UPSTREAM_STATUS,
              "no \"such\" model");
    check_bad(STR("data: {\"error\":\"plain\"}\n\n"), ERR_UPSTREAM_STATUS, "plain");
    check_bad(STR("data: {\"choices\":\n\n"), ERR_UPSTREAM_INVALID, "not what it should be");
    check_bad(STR("data: []\n\n"), ERR_UPSTREAM_INVALID, "");
    check_bad(STR("data: {\"choices\":7}\n\n"), ERR_UPSTREAM_INVALID, "");
    check_bad(STR("data: \xff\n\n"), ERR_UPSTREAM_INVALID, "");
    check_bad(STR("data:\n\n"), ERR_UPSTREAM_INVALID, "");
}

static void test_endless_line(void) {
    static char chunk[65536];
    memset(chunk, 'x', sizeof chunk);
    BUF_AUTO struct buf out = BUF_INIT(4096);
    struct chat_stream s;
    struct err err;
    chat_stream_init(&s, take, &out);
    size_t fed = 0;
    while (chat_stream_feed(&s, str_of(chunk, sizeof chunk), &err)) {
        fed += sizeof chunk;
        REQUIRE(fed <= CHAT_LINE_MAX);
    }
    CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    chat_stream_free(&s);
}

static void check_error_text(struct str body, const char *want) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    chat_error_text(body, &out);
    CHECK_STR(buf_str(&out), str_c(want));
}

static void test_error_text(void) {
    check_error_text(STR("{\"error\":{\"message\":\"a\\nb\"}}"), "a\nb");
    check_error_text(STR("{\"error\":{}}"), "{\"error\":{}}");
    check_error_text(STR(" <html>no</html>\n"), "<html>no</html>");
    check_error_text(STR(""), "");
}

TEST_MAIN(test_pieces, test_bad, test_endless_line, test_error_text)
