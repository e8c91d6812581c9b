// HTTP/1.1 heads: what is taken, what is refused, and that the way the bytes come makes no difference.
#include "base/buf.h"
#include "check.h"
#include "net/http1_parse.h"

static const struct http1_limits k_limits = {.max_head = 2048, .max_fields = 20, .max_target = 256};

// The result of the last call; *err is poisoned before, so that an error without a message shows.
static enum http1_result parse(bool response, bool head_method, struct str in, size_t *scanned, struct http1_head *h,
                               struct err *err) {
    memset(err, 'x', sizeof *err);
    enum http1_result r = response ? http1_response(in, scanned, &k_limits, head_method, h, err)
                                   : http1_request(in, scanned, &k_limits, h, err);
    if (r != HTTP1_BAD) return r;
    size_t n = strnlen(err->message, sizeof err->message);
    CHECK(n > 0 && n < sizeof err->message);
    CHECK(err->message[0] != 'x');
    CHECK(err->status >= 400 && err->status < 600);
    return r;
}

static bool same_head(const struct http1_head *a, const struct http1_head *b) {
    if (a->upgrade_h2c || b->upgrade_h2c) return a->upgrade_h2c == b->upgrade_h2c; // the rest is not set
    return a->size == b->size && a->framing == b->framing && a->content_length == b->content_length &&
           a->keep_alive == b->keep_alive && a->field_count == b->field_count && a->minor == b->minor;
}

// However the text is cut in two, and byte by byte, the outcome is that of the whole. Each piece lies in an allocation
// of its exact size, so that a byte too far is seen by a sanitizer.
static enum http1_result outcome(bool response, bool head_method, struct str text, struct http1_head *out_head,
                                 struct err *err) {
    struct http1_head h;
    struct err e;
    size_t scanned = 0;
    enum http1_result whole = parse(response, head_method, text, &scanned, out_head, err);
    for (size_t cut = 0; cut < text.n; cut++) {
        char *part = malloc(cut + 1);
        REQUIRE(part);
        memcpy(part, text.p, cut);
        scanned = 0;
        enum http1_result r = parse(response, head_method, str_of(part, cut), &scanned, &h, &e);
        if (r == HTTP1_MORE) r = parse(response, head_method, text, &scanned, &h, &e);
        CHECK_INT(r, whole);
        if (r == HTTP1_BAD && whole == HTTP1_BAD) CHECK_INT(e.code, err->code);
        if (r == HTTP1_DONE && whole == HTTP1_DONE) CHECK(same_head(&h, out_head));
        free(part);
    }
    scanned = 0;
    enum http1_result r = HTTP1_MORE;
    for (size_t n = 0; n <= text.n && r == HTTP1_MORE; n++)
        r = parse(response, head_method, str_head(text, n), &scanned, &h, &e);
    CHECK_INT(r, whole);
    return whole;
}

struct refused {
    const char *what;
    enum err_code code;
    struct str text;
};

#define BAD(what, text)                                                                                                \
    { what, ERR_INVALID_HTTP, STR_INIT(text) }
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static const struct refused k_refused[] = {
    BAD("length and transfer-encoding", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("transfer-encoding and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    BAD("length 0 and transfer-encoding", POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    BAD("the same length twice", POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"),
    BAD("a list of lengths", POST "Content-Length: 5, 5\r\n\r\n"),
    BAD("a sign", POST "Content-Length: +5\r\n\r\n"),
    BAD("a negative length", POST "Content-Length: -1\r\n\r\n"),
    BAD("a hexadecimal length", POST "Content-Length: 0x5\r\n\r\n"),
    BAD("a length in quotes", POST "Content-Length: \"5\"\r\n\r\n"),
    BAD("a length with a space in it", POST "Content-Length: 5 5\r\n\r\n"),
    BAD("a length of nothing", POST "Content-Length:\r\n\r\n"),
    BAD("a length of spaces", POST "Content-Length:  \t\r\n\r\n"),
    BAD("a length past 64 bits", POST "Content-Length: 18446744073709551616\r\n\r\n"),
    BAD("a length far past 64 bits", POST "Content-Length: 99999999999999999999999999\r\n\r\n"),
    BAD("chunked twice in a list", POST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    BAD("chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    BAD("chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n"),
    BAD("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n"),
    BAD("chunked with a weight", POST "Transfer-Encoding: chunked;q=1\r\n\r\n"),
    BAD("chunked in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    BAD("identity", POST "Transfer-Encoding: identity\r\n\r\n"),
    BAD("an empty coding", POST "Transfer-Encoding:\r\n\r\n"),
    BAD("a vertical tab before chunked", POST "Transfer-Encoding: \vchunked\r\n\r\n"),
    BAD("transfer-encoding in HTTP/1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
    BAD("a space before the colon", POST "Content-Length : 5\r\n\r\n"),
    BAD("a tab before the colon", POST "Transfer-Encoding\t: chunked\r\n\r\n"),
    BAD("a line folded with a space", POST "X: a\r\n b\r\n\r\n"),
    BAD("a line folded with a tab", POST "X: a\r\n\tb\r\n\r\n"),
    BAD("a first field that begins with a space", "GET / HTTP/1.1\r\n " HOST "\r\n"),
    BAD("no colon", POST "nonsense\r\n\r\n"),
    BAD("an empty name", POST ": x\r\n\r\n"),
    BAD("a name in brackets", POST "X(y): z\r\n\r\n"),
    BAD("a name beyond ASCII", POST "X\xc3\xa9: z\r\n\r\n"),
    BAD("a NUL in a name", POST "X\0y: z\r\n\r\n"),
    BAD("a NUL in a value", POST "X: a\0b\r\n\r\n"),
    BAD("a bare CR in a value", POST "X: a\rb\r\n\r\n"),
    BAD("a bare CR before Content-Length", POST "X: a\rContent-Length: 5\r\n\r\n"),
    BAD("CR CR LF", POST "X: a\r\r\n\r\n"),
    BAD("a bare LF in a value", POST "X: a\nY: b\r\n\r\n"),
    BAD("a bare LF at the end of the request line", "GET / HTTP/1.1\n" HOST "\r\n"),
    BAD("a bare LF at the end of the last field", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    BAD("a bare LF for the empty line, CRLF later", "GET / HTTP/1.1\r\n" HOST "\nX: y\r\n\r\n"),
    BAD("DEL in a value", POST "X: a\x7f\r\n\r\n"),
    BAD("an escape character in a value", POST "X: \x1b[31m\r\n\r\n"),
    BAD("no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"),
    BAD("no field at all", "GET / HTTP/1.1\r\n\r\n"),
    BAD("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
    BAD("the same Host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    BAD("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    BAD("HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n"),
    BAD("HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n"),
    BAD("HTTP/0.9", "GET / HTTP/0.9\r\n" HOST "\r\n"),
    BAD("HTTP/1.10", "GET / HTTP/1.10\r\n" HOST "\r\n"),
    BAD("http/1.1", "GET / http/1.1\r\n" HOST "\r\n"),
    BAD("no version", "GET /\r\n" HOST "\r\n"),
    BAD("a version and a space", "GET / HTTP/1.1 \r\n" HOST "\r\n"),
    BAD("two spaces before the target", "GET  / HTTP/1.1\r\n" HOST "\r\n"),
    BAD("two spaces behind the target", "GET /  HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a tab for a space", "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a NUL in the target", "GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a byte beyond ASCII in the target", "GET /\xff HTTP/1.1\r\n" HOST "\r\n"),
    BAD("no target", "GET HTTP/1.1\r\n" HOST "\r\n"),
    BAD("an empty target", "GET  HTTP/1.1\r\n" HOST "\r\n"),
    BAD("no method", " / HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a method that is no token", "GE(T / HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a method of 33 bytes", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n"),
    BAD("two empty lines before the request", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    BAD("half a preface, then a request", "PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    BAD("a preface with another ending", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"),
    BAD("TLS to a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
};

static void test_refused_requests(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_refused); i++) {
        struct http1_head h;
        struct err err;
        enum http1_result r = outcome(false, false, k_refused[i].text, &h, &err);
        if (r != HTTP1_BAD || err.code != k_refused[i].code) {
            fprintf(stderr, "case \"%s\": result %d\n", k_refused[i].what, (int)r);
            CHECK(false);
        }
    }
}

static struct str repeated(char *out, size_t size, const char *head, const char *piece, size_t count,
                           const char *tail) {
    struct buf b = BUF_INIT(size);
    buf_put(&b, str_c(head));
    for (size_t i = 0; i < count; i++) buf_put(&b, str_c(piece));
    buf_put(&b, str_c(tail));
    REQUIRE(!b.failed);
    memcpy(out, b.p, b.n);
    struct str s = str_of(out, b.n);
    buf_free(&b);
    return s;
}

static void check_code(struct str text, enum http1_result want, enum err_code code) {
    struct http1_head h;
    struct err err;
    enum http1_result r = outcome(false, false, text, &h, &err);
    CHECK_INT(r, want);
    if (r == HTTP1_BAD && want == HTTP1_BAD) CHECK_INT(err.code, code);
}

static void test_limits(void) {
    char text[8192];
    // The target: 256 bytes are taken, 257 are not.
    check_code(repeated(text, sizeof text, "GET ", "/", 256, " HTTP/1.1\r\n" HOST "\r\n"), HTTP1_DONE, 0);
    check_code(repeated(text, sizeof text, "GET ", "/", 257, " HTTP/1.1\r\n" HOST "\r\n"), HTTP1_BAD, ERR_URI_TOO_LONG);
    // Fields: 20 with the Host.
    check_code(repeated(text, sizeof text, "GET / HTTP/1.1\r\n" HOST, "A: b\r\n", 19, "\r\n"), HTTP1_DONE, 0);
    check_code(repeated(text, sizeof text, "GET / HTTP/1.1\r\n" HOST, "A: b\r\n", 20, "\r\n"), HTTP1_BAD,
               ERR_HEADERS_TOO_LARGE);
    // The head: exactly 2048 bytes, and one more.
    const size_t frame = sizeof "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n" - 1;
    check_code(repeated(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "X: ", "y", 2048 - frame, "\r\n\r\n"), HTTP1_DONE,
               0);
    check_code(repeated(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "X: ", "y", 2049 - frame, "\r\n\r\n"), HTTP1_BAD,
               ERR_HEADERS_TOO_LARGE);
    // A head that never ends is refused as soon as the limit is reached.
    check_code(repeated(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "X: ", "y", 3000, ""), HTTP1_BAD,
               ERR_HEADERS_TOO_LARGE);
    check_code(repeated(text, sizeof text, "", "x", 3000, ""), HTTP1_BAD, ERR_HEADERS_TOO_LARGE);
    // A long body behind a short head is none of the head's business.
    check_code(repeated(text, sizeof text, POST "Content-Length: 5000\r\n\r\n", "y", 5000, ""), HTTP1_DONE, 0);
}

static struct http1_head taken(struct str text) {
    struct http1_head h = {0};
    struct err err;
    enum http1_result r = outcome(false, false, text, &h, &err);
    if (r != HTTP1_DONE) fprintf(stderr, "not taken: %.*s\n", STR_ARG(text));
    REQUIRE(r == HTTP1_DONE);
    return h;
}

static void test_taken_requests(void) {
    struct http1_head h =
        taken(STR("POST /v1/x?y=z HTTP/1.1\r\nhOsT: api:80\r\nContent-Length: 12\r\nX-A:b \t\r\n\r\n"));
    CHECK_INT(h.method, HTTP_POST);
    CHECK_STR(h.method_text, STR("POST"));
    CHECK_STR(h.target, STR("/v1/x?y=z"));
    CHECK_STR(h.host, STR("api:80"));
    CHECK_INT(h.minor, 1);
    CHECK_INT(h.framing, HTTP1_LENGTH);
    CHECK_INT(h.content_length, 12);
    CHECK(h.keep_alive && !h.expect_continue && !h.upgrade_h2c);
    CHECK_INT(h.field_count, 3);
    CHECK_STR(h.fields[2].name, STR("X-A"));
    CHECK_STR(h.fields[2].value, STR("b"));

    h = taken(STR(POST "Content-Length: 0\r\n\r\n"));
    CHECK_INT(h.framing, HTTP1_NO_BODY);
    h = taken(STR(POST "Content-Length: 00012\r\n\r\n"));
    CHECK_INT(h.content_length, 12);
    h = taken(STR(POST "Content-Length: 18446744073709551615\r\n\r\n"));
    CHECK(h.framing == HTTP1_LENGTH && h.content_length == UINT64_MAX);
    h = taken(STR(POST "TRANSFER-ENCODING: Chunked\r\n\r\nrest"));
    CHECK_INT(h.framing, HTTP1_CHUNKED);
    CHECK_INT(h.size, sizeof(POST "TRANSFER-ENCODING: Chunked\r\n\r\n") - 1);
    h = taken(STR(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"));
    CHECK(h.expect_continue);
    h = taken(STR("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(h.size, sizeof("\r\nGET / HTTP/1.1\r\n" HOST "\r\n") - 1);
    h = taken(STR("GET / HTTP/1.0\r\n\r\n"));
    CHECK(h.minor == 0 && !h.keep_alive && h.host.p == NULL);
    h = taken(STR("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    CHECK(h.keep_alive);
    h = taken(STR("BREW / HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(h.method, HTTP_METHOD_OTHER);
    CHECK_STR(h.method_text, STR("BREW"));
    h = taken(STR("get / HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(h.method, HTTP_METHOD_OTHER); // methods are case-sensitive
    h = taken(STR("GET / HTTP/1.1\r\nHost:\r\nEmpty:\r\nUtf: \xc3\xa9\r\n\r\n"));
    CHECK(h.host.n == 0 && h.fields[1].value.n == 0);
    h = taken(STR("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_STR(h.target, STR("*"));
    // Methods that begin like the preface.
    taken(STR("PUT / HTTP/1.1\r\n" HOST "\r\n"));
    taken(STR("PROPFIND / HTTP/1.1\r\n" HOST "\r\n"));
    taken(STR("PRINT / HTTP/1.1\r\n" HOST "\r\n"));
}

static void test_connection_field(void) {
    static const struct {
        struct str lines;
        bool keep_alive;
    } cases[] = {
        {STR_INIT(""), true},
        {STR_INIT("Connection: close\r\n"), false},
        {STR_INIT("Connection: CLOSE\r\n"), false},
        {STR_INIT("Connection: x, close ,y\r\n"), false},
        {STR_INIT("Connection: closed\r\n"), true},
        {STR_INIT("Connection: close\r\nConnection: x\r\n"), false},
        {STR_INIT("Connection: close\r\nConnection: keep-alive\r\n"), false},
        {STR_INIT("Connection: keep-alive\r\nConnection: close\r\n"), false},
        {STR_INIT("Connection:\r\n"), true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "%.*s\r\n", STR_ARG(cases[i].lines));
        CHECK(taken(str_of(text, (size_t)n)).keep_alive == cases[i].keep_alive);
    }
}

static void test_preface(void) {
    struct str preface = STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    struct http1_head h;
    struct err err;
    CHECK_INT(outcome(false, false, preface, &h, &err), HTTP1_DONE);
    CHECK(h.upgrade_h2c);
    for (size_t n = 0; n < preface.n; n++) {
        size_t scanned = 0;
        CHECK_INT(parse(false, false, str_head(preface, n), &scanned, &h, &err), HTTP1_MORE);
    }
}

struct answer {
    struct str text;
    bool head_method;
    int status;
    enum http1_framing framing;
    uint64_t length;
    bool keep_alive;
};

static void test_taken_responses(void) {
    static const struct answer cases[] = {
        {STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), false, 200, HTTP1_LENGTH, 5, true},
        {STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), true, 200, HTTP1_NO_BODY, 5, true},
        {STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), true, 200, HTTP1_NO_BODY, 0, true},
        {STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false, 200, HTTP1_CHUNKED, 0, true},
        {STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), false, 200, HTTP1_NO_BODY, 0, true},
        {STR_INIT("HTTP/1.1 200 OK\r\n\r\n"), false, 200, HTTP1_UNTIL_CLOSE, 0, false},
        {STR_INIT("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n"), false, 200, HTTP1_UNTIL_CLOSE, 0, false},
        {STR_INIT("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n"), false, 200, HTTP1_LENGTH, 1, false},
        {STR_INIT("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n"), false, 200, HTTP1_LENGTH,
         1, true},
        {STR_INIT("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), false, 204, HTTP1_NO_BODY, 5, true},
        {STR_INIT("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"), false, 304, HTTP1_NO_BODY, 0,
         true},
        {STR_INIT("HTTP/1.1 100 Continue\r\n\r\n"), false, 100, HTTP1_NO_BODY, 0, true},
        {STR_INIT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), false, 103, HTTP1_NO_BODY, 0, true},
        {STR_INIT("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n"), false, 200, HTTP1_LENGTH, 1, true},
        {STR_INIT("HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n"), false, 200, HTTP1_LENGTH, 1, true},
        {STR_INIT("HTTP/1.1 599 So Be It\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"), false, 599, HTTP1_LENGTH,
         1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct answer *a = &cases[i];
        struct http1_head h;
        struct err err;
        CHECK_INT(outcome(true, a->head_method, a->text, &h, &err), HTTP1_DONE);
        CHECK_INT(h.status, a->status);
        CHECK_INT(h.framing, a->framing);
        if (h.framing == HTTP1_LENGTH) CHECK_INT(h.content_length, a->length);
        if (h.keep_alive != a->keep_alive) fprintf(stderr, "answer %zu\n", i);
        CHECK(h.keep_alive == a->keep_alive);
    }
}

static void test_refused_responses(void) {
    static const struct str cases[] = {
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
        STR_INIT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nX: y\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\n X: y\r\n\r\n"),
        STR_INIT("HTTP/1.1 2x0 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 20 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 2000 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 099 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 +20 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1  200 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1\r\n\r\n"),
        STR_INIT("HTTP/1.2 200 OK\r\n\r\n"),
        STR_INIT("HTTP/2 200\r\n\r\n"),
        STR_INIT("<html>garbage</html>"),
        STR_INIT("\r\nHTTP/1.1 200 OK\r\n\r\n"),
        STR_INIT("SSH-2.0-OpenSSH\r\n"),
        STR_INIT("\0"),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http1_head h;
        struct err err = {0};
        enum http1_result r = outcome(true, false, cases[i], &h, &err);
        if (r != HTTP1_BAD) fprintf(stderr, "taken: %.*s\n", STR_ARG(cases[i]));
        CHECK_INT(r, HTTP1_BAD);
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
        CHECK_INT(err.status, 502);
    }
    char text[8192];
    struct http1_head h;
    struct err err;
    struct str big = repeated(text, sizeof text, "HTTP/1.1 200 OK\r\nX: ", "y", 3000, "\r\n\r\n");
    CHECK_INT(outcome(true, false, big, &h, &err), HTTP1_BAD);
    CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
}

TEST_MAIN(test_refused_requests, test_limits, test_taken_requests, test_connection_field, test_preface,
          test_taken_responses, test_refused_responses)
