// The HTTP/2 engine against hostile bytes: wrong prefaces, floods, broken frames, and no memory.
#include "http2_rig.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS_FRAME "\0\0\0\4\0\0\0\0\0"

static void feed(struct rig *rig, struct str bytes) { http2_feed(rig->h2, bytes); }

static struct rig *rig_raw(void) {
    struct rig *rig = rig_plain();
    feed(rig, STR(PREFACE SETTINGS_FRAME));
    REQUIRE(!rig->finished);
    return rig;
}

static void put_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t id, struct str payload) {
    const unsigned char head[9] = {(unsigned char)(payload.n >> 16),
                                   (unsigned char)(payload.n >> 8),
                                   (unsigned char)payload.n,
                                   type,
                                   flags,
                                   (unsigned char)(id >> 24),
                                   (unsigned char)(id >> 16),
                                   (unsigned char)(id >> 8),
                                   (unsigned char)id};
    buf_append(out, head, sizeof head);
    buf_put(out, payload);
}

// A GET of /hold: three indexed fields and a literal path and authority.
#define HEAD_GET                                                                                                       \
    STR("\x82\x86\x04\x05/hold\x01\x01"                                                                                \
        "a")

// Whether the last thing the engine wrote is a GOAWAY of that code.
static bool said_goaway(struct rig *rig, uint32_t code) {
    rig_down(rig);
    return rig->goaways > 0 && rig->goaway_code == code;
}

static void test_wrong_preface(void) {
    static const struct str k_cases[] = {
        STR_INIT("GET / HTTP/1.1\r\n\r\n"), STR_INIT("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
        STR_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        STR_INIT(PREFACE "\0\0\0\6\0\0\0\0\0"), // no SETTINGS first
    };
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        struct rig *rig = rig_plain();
        feed(rig, k_cases[i]);
        CHECK(rig->finished);
        feed(rig, STR(PREFACE));
        rig_free(rig);
    }
}

static void test_rapid_reset(void) {
    struct rig *rig = rig_raw();
    size_t sent = 0;
    for (uint32_t id = 1; !rig->finished && id < 10000; id += 2, sent++) {
        struct buf bytes = BUF_INIT(1000);
        put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, HEAD_GET);
        put_frame(&bytes, NGHTTP2_RST_STREAM, 0, id, STR("\0\0\0\x08"));
        // Now and then the handler gets to see one.
        feed(rig, str_head(buf_str(&bytes), id % 3 ? SIZE_MAX : bytes.n - 13));
        if (id % 3 == 0) feed(rig, str_from(buf_str(&bytes), bytes.n - 13));
        buf_free(&bytes);
    }
    CHECK(rig->finished);
    CHECK(sent > 300 && sent < 1000);
    CHECK(said_goaway(rig, NGHTTP2_ENHANCE_YOUR_CALM));
    CHECK_INT(rig->held_n, 0);
    CHECK_INT(rig->aborts, rig->requests);
    rig_free(rig);
}

// The server is provoked into doing the resetting (a window increment of 0 on an open stream).
static void test_provoked_reset(void) {
    struct rig *rig = rig_raw();
    size_t sent = 0;
    for (uint32_t id = 1; !rig->finished && id < 10000; id += 2, sent++) {
        struct buf bytes = BUF_INIT(1000);
        put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, HEAD_GET);
        put_frame(&bytes, NGHTTP2_DATA, 0, id, STR("data after the end"));
        feed(rig, buf_str(&bytes));
        buf_free(&bytes);
    }
    CHECK(rig->finished);
    CHECK(sent < 1000);
    CHECK_INT(rig->held_n, 0);
    rig_free(rig);
}

// Resets are fine as long as requests are also answered.
static void test_moderate_resets(void) {
    struct rig *rig = rig_plain();
    for (size_t i = 0; i < 900; i++) {
        int32_t a = rig_get(rig, "/hold");
        rig_pump(rig);
        if (i % 2)
            rig_reply(rig->held[0], 200, STR("ok"));
        else
            nghttp2_submit_rst_stream(rig->client, 0, a, NGHTTP2_CANCEL);
        if (i % 2) rig->held_n = 0;
        rig_pump(rig);
    }
    CHECK(!rig->finished);
    CHECK_INT(rig->aborts, 450);
    rig_free(rig);
}

static void flood(uint8_t type, uint8_t flags, uint32_t id, struct str payload, bool open_stream) {
    struct rig *rig = rig_raw();
    struct buf bytes = BUF_INIT(1 << 20);
    if (open_stream) put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, HEAD_GET);
    feed(rig, buf_str(&bytes));
    buf_clear(&bytes);
    put_frame(&bytes, type, flags, id, payload);
    size_t n = 0;
    while (!rig->finished && n < 100000) {
        feed(rig, buf_str(&bytes));
        buf_clear(&rig->out);
        n++;
    }
    CHECK(rig->finished);
    CHECK(n < 10000);
    buf_free(&bytes);
    rig_free(rig);
}

static void test_floods(void) {
    flood(NGHTTP2_PING, 0, 0, STR("12345678"), false);
    flood(NGHTTP2_SETTINGS, 0, 0, STR(""), false);
    flood(NGHTTP2_PRIORITY, 0, 3, STR("\0\0\0\0\x10"), false);
    flood(NGHTTP2_DATA, 0, 1, STR(""), true);
}

// Acknowledgements to a client that does not read do not pile up.
static void test_unread_acknowledgements(void) {
    struct rig *rig = rig_raw();
    rig->stuck = true;
    rig->stuck_bytes = 1 << 20;
    struct buf bytes = BUF_INIT(1 << 20);
    for (size_t i = 0; i < 1000; i++) put_frame(&bytes, NGHTTP2_PING, 0, 0, STR("12345678"));
    size_t before = rig->out.n;
    feed(rig, buf_str(&bytes));
    feed(rig, buf_str(&bytes));
    http2_drained(rig->h2);
    http2_drained(rig->h2);
    CHECK(rig->finished);
    CHECK(rig->out.n - before < 64 * 1024);
    buf_free(&bytes);
    rig_free(rig);
}

static void test_continuation_flood(void) {
    struct rig *rig = rig_raw();
    struct buf bytes = BUF_INIT(1 << 20);
    put_frame(&bytes, NGHTTP2_HEADERS, 0, 1, HEAD_GET);
    for (size_t i = 0; i < 1000; i++) put_frame(&bytes, NGHTTP2_CONTINUATION, 0, 1, STR("\x40\x01x\x01y"));
    feed(rig, buf_str(&bytes));
    CHECK(rig->finished);
    CHECK_INT(rig->requests, 0);
    buf_free(&bytes);
    rig_free(rig);
}

// A head that is begun and never finished.
static void test_slow_head(void) {
    struct rig *rig = rig_raw();
    struct buf bytes = BUF_INIT(1000);
    put_frame(&bytes, NGHTTP2_HEADERS, 0, 1, HEAD_GET);
    feed(rig, buf_str(&bytes));
    CHECK(!rig->finished);
    rig_age(rig, 10001);
    CHECK(rig->finished);
    buf_free(&bytes);
    rig_free(rig);
}

// A small header block that expands to a very large one through the compression table.
static void test_header_bomb(void) {
    struct rig *rig = rig_raw();
    struct buf block = BUF_INIT(64 * 1024), bytes = BUF_INIT(64 * 1024);
    buf_put(&block, HEAD_GET);
    buf_lit(&block, "\x40\x01x\x7f\x81\x07"); // x: 1024 bytes, kept in the table
    for (size_t i = 0; i < 1024; i++) buf_putc(&block, 'v');
    for (size_t i = 0; i < 14000; i++) buf_putc(&block, (char)0xbe); // that field again
    put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, buf_str(&block));
    struct mem_stats before, after;
    mem_stats_get(&before);
    feed(rig, buf_str(&bytes));
    mem_stats_get(&after);
    CHECK(after.bytes < before.bytes + 256 * 1024);
    CHECK_INT(rig->requests, 0);
    CHECK(rig->finished || rig->reject_code == ERR_HEADERS_TOO_LARGE);
    buf_free(&block);
    buf_free(&bytes);
    rig_free(rig);
}

static void test_malformed_requests(void) {
    static const struct {
        const char *method, *path, *name, *value;
    } k_cases[] = {
        {"GET", "", "a", "b"},
        {"GET", "no-slash", "a", "b"},
        {"GET", "/", "in valid", "b"},
        {"GET", "/", "a", "line\nbreak"},
        {"GET", "/", "connection", "close"},
        {"GET", "/", "transfer-encoding", "chunked"},
        {"G ET", "/", "a", "b"},
        {"POST", "/", "content-length", "-1"},
        {"POST", "/", "content-length", "99999999999999999999"},
        {"POST", "/", "content-length", "5"}, // and there is no body
        {"GET", "/", ":path", "/again"},
        {"GET", "/", ":unknown", "x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        struct rig *rig = rig_plain();
        const nghttp2_nv nv[] = {RIG_NV(":method", k_cases[i].method), RIG_NV(":scheme", "http"),
                                 RIG_NV(":authority", "a"), RIG_NV(":path", k_cases[i].path),
                                 RIG_NV(k_cases[i].name, k_cases[i].value)};
        int32_t id = rig_submit(rig, nv, 5, NULL, 0);
        rig_pump(rig);
        CHECK_INT(rig->requests, 0);
        CHECK(rig_stream(rig, id)->closed || rig->finished);
        if (rig->requests) fprintf(stderr, "malformed request %zu was let through\n", i);
        rig_free(rig);
    }
}

static void test_upper_case_name(void) {
    struct rig *rig = rig_raw();
    struct buf block = BUF_INIT(1000), bytes = BUF_INIT(1000);
    buf_put(&block, HEAD_GET);
    buf_lit(&block, "\x40\x01X\x01y");
    put_frame(&bytes, NGHTTP2_HEADERS, 5, 1, buf_str(&block));
    feed(rig, buf_str(&bytes));
    CHECK_INT(rig->requests, 0);
    CHECK(http2_idle(rig->h2));
    buf_free(&block);
    buf_free(&bytes);
    rig_free(rig);
}

static void test_broken_frames(void) {
    static const struct {
        uint8_t type, flags;
        uint32_t id;
        struct str payload;
    } k_cases[] = {
        {NGHTTP2_HEADERS, 5, 0, STR_INIT("\x82")},                         // on stream 0
        {NGHTTP2_HEADERS, 5, 2, STR_INIT("\x82\x86\x84")},                 // an even stream
        {NGHTTP2_HEADERS, 5, 1, STR_INIT("\xff\xff\xff\xff\xff\xff\xff")}, // not HPACK
        {NGHTTP2_DATA, 0, 1, STR_INIT("data")},                            // on an idle stream
        {NGHTTP2_RST_STREAM, 0, 1, STR_INIT("\0\0\0\x08")},                // on an idle stream
        {NGHTTP2_SETTINGS, 0, 0, STR_INIT("\0\4\xff\xff\xff\xff")},        // a window past 2^31-1
        {NGHTTP2_SETTINGS, 0, 0, STR_INIT("short")},
        {NGHTTP2_PING, 0, 0, STR_INIT("short")},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, STR_INIT("\0\0\0\0")},
        {NGHTTP2_PUSH_PROMISE, 4, 1, STR_INIT("\0\0\0\2\x82")},
        {NGHTTP2_CONTINUATION, 4, 1, STR_INIT("\x82")},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        struct rig *rig = rig_raw();
        struct buf bytes = BUF_INIT(1000);
        put_frame(&bytes, k_cases[i].type, k_cases[i].flags, k_cases[i].id, k_cases[i].payload);
        feed(rig, buf_str(&bytes));
        CHECK(rig->finished);
        if (!rig->finished) fprintf(stderr, "broken frame %zu was let through\n", i);
        rig_down(rig);
        CHECK(rig->goaways > 0 && rig->goaway_code != NGHTTP2_NO_ERROR);
        CHECK_INT(rig->requests, 0);
        buf_free(&bytes);
        rig_free(rig);
    }
}

// A broken frame while requests are open: each hears of it once.
static void test_broken_frame_aborts(void) {
    struct rig *rig = rig_raw();
    struct buf bytes = BUF_INIT(1000);
    put_frame(&bytes, NGHTTP2_HEADERS, 5, 1, HEAD_GET);
    put_frame(&bytes, NGHTTP2_HEADERS, 5, 3, HEAD_GET);
    feed(rig, buf_str(&bytes));
    REQUIRE(rig->held_n == 2);
    buf_clear(&bytes);
    put_frame(&bytes, NGHTTP2_HEADERS, 5, 5, HEAD_GET); // complete, but too late to be handed over
    put_frame(&bytes, NGHTTP2_PING, 0, 0, STR("short"));
    feed(rig, buf_str(&bytes));
    CHECK(rig->finished);
    CHECK_INT(rig->aborts, 2);
    CHECK_INT(rig->requests, 2);
    buf_free(&bytes);
    rig_free(rig);
}

// Each allocation fails in turn, through a whole exchange: no crash, no leak, no request lost without a word.
static void test_no_memory(void) {
    static char body[3000];
    for (uint64_t nth = 1; nth < 120; nth++) {
        struct rig *rig = rig_plain();
        rig_pump(rig);
        rig_post(rig, "/echo", body, sizeof body);
        rig_get(rig, "/hold");
        mem_fail_nth(nth);
        const uint8_t *p;
        for (ssize_t n; (n = nghttp2_session_mem_send(rig->client, &p)) > 0;)
            http2_feed(rig->h2, str_of((const char *)p, (size_t)n));
        for (size_t i = rig->held_n; i-- > 0 && rig->held_n;) {
            struct http_req *req = rig->held[--rig->held_n];
            rig_reply(req, 200, str_of(body, sizeof body));
        }
        mem_fail_nth(0);
        rig_age(rig, 0);
        http2_abort_all(rig->h2);
        CHECK(http2_idle(rig->h2));
        rig_free(rig);
    }
}

TEST_MAIN(test_wrong_preface, test_rapid_reset, test_provoked_reset, test_moderate_resets, test_floods,
          test_unread_acknowledgements, test_continuation_flood, test_slow_head, test_header_bomb,
          test_malformed_requests, test_upper_case_name, test_broken_frames, test_broken_frame_aborts, test_no_memory)
