// Streams of events on their way to the client: cut at every byte, in every dialect of line ends, what comes out is
// what went in, less the usage events that are to be taken out.
#include "check.h"
#include "model/relay.h"

#include <stdlib.h>

#define MAX_EVENT ((size_t)4096)
#define ROLE "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}],\"usage\":null}\n\n"
#define WORD "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\xc3\xa9llo\"}}]}\n\n"
#define USAGE                                                                                                          \
    "data: "                                                                                                           \
    "{\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n"
#define DONE "data: [DONE]\n\n"

struct event {
    struct str text;
    bool usage_only;
};
struct fixture {
    const char *name;
    struct event events[8];
    bool has_usage;
    uint64_t prompt, output;
    uint64_t data_lines;
};

#define E(lit)                                                                                                         \
    { STR_INIT(lit), false }
#define U(lit)                                                                                                         \
    { STR_INIT(lit), true }

static const struct fixture k_fixtures[] = {
    {"plain", {E(ROLE), E(WORD), E(WORD), U(USAGE), E(DONE)}, true, 7, 3, 5},
    {"no usage", {E(ROLE), E(WORD), E(DONE)}, false, 0, 0, 3},
    {"usage first", {U(USAGE), E(WORD), E(DONE)}, true, 7, 3, 3},
    {"usage last, no [DONE]", {E(WORD), U(USAGE)}, true, 7, 3, 2},
    {"only usage", {U(USAGE)}, true, 7, 3, 1},
    {"usage with choices stays",
     {E(WORD),
      E("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"
        "\"completion_tokens\":2}}\n\n"),
      E(DONE)},
     true,
     1,
     2,
     3},
    {"usage without choices stays",
     {E("data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n")},
     true,
     1,
     2,
     1},
    {"white space in JSON",
     {E(WORD),
      U("data:   { \"choices\" : [ ] ,  \"usage\" :\t{ \"prompt_tokens\" : 5 , \"completion_tokens\" : 6 } } \n\n"),
      E(DONE)},
     true,
     5,
     6,
     3},
    {"CRLF",
     {E("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n"),
      U("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\r\n\r\n"),
      E("data: [DONE]\r\n\r\n")},
     true,
     1,
     1,
     3},
    {"LF lines and CRLF blank lines",
     {E("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\r\n"),
      U("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\r\n"),
      E("data: [DONE]\n\r\n")},
     true,
     1,
     1,
     3},
    {"comments, ids and names",
     {E(": keep-alive\n\n"), E("event: message\nid: 1\nretry: 5\n" WORD), E(":\n\n"),
      U("event: message\nid: 2\n: a remark\n" USAGE), E(": bye\n" DONE)},
     true,
     7,
     3,
     3},
    {"several data lines are let be",
     {E("data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n"), E(DONE)},
     false,
     0,
     0,
     3},
    {"usage in text",
     {E("data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":1}\"}}]}\n\n"),
      E("data: {\"choices\":[{\"delta\":{\"content\":\"usage\"}}],\"note\":\"usage\"}\n\n"),
      E("data: {\"choices\":[{\"delta\":{\"content\":\"data: data: data:\"}}]}\n\n"), E(DONE)},
     false,
     0,
     0,
     4},
    {"usage deeper down",
     {E("data: {\"choices\":[],\"x\":{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}}\n\n"), E(DONE)},
     false,
     0,
     0,
     2},
    {"usage deeper down and at the top",
     {U("data: {\"x\":{\"usage\":null},\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":8}}\n\n"),
      E(DONE)},
     true,
     9,
     8,
     2},
    {"usage that is no usage",
     {E("data: {\"choices\":[],\"usage\":{}}\n\n"), E("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":\"x\"}}\n\n"),
      E("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}\n\n"), E("data: {\"choices\":[],\"usage\":[1]}\n\n"),
      E("data: \"usage\":{\"prompt_tokens\":1}\n\n"), E(DONE)},
     false,
     0,
     0,
     6},
    {"an error event", {E(WORD), E("event: error\ndata: {\"error\":{\"message\":\"no\"}}\n\n")}, false, 0, 0, 2},
    {"data without a space",
     {E("data:{\"choices\":[{}]}\n\n"),
      U("data:"
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,"
        "\"completion_tokens\":1}}\n\n"),
      E("data:[DONE]\n\n")},
     true,
     1,
     1,
     3},
    {"blank lines in a row", {E("\n\n\n"), E(WORD), E("\n\n"), E(WORD), U(USAGE), E(DONE)}, true, 7, 3, 4},
};

static void join(const struct fixture *f, bool strip, struct buf *out) {
    for (size_t i = 0; i < ARRAY_LEN(f->events); i++)
        if (!strip || !f->events[i].usage_only) buf_put(out, f->events[i].text);
}

// One piece, in memory of its own that is gone after the call: what was given out must have been taken by then.
static bool feed(struct relay *s, struct str piece, bool last, struct buf *out) {
    struct str parts[RELAY_PARTS];
    struct err err;
    size_t count = 99;
    char *p = malloc(piece.n + 1);
    REQUIRE(p);
    if (piece.n) memcpy(p, piece.p, piece.n);
    bool ok = relay_feed(s, str_of(p, piece.n), last, parts, &count, &err);
    CHECK(count <= RELAY_PARTS);
    if (!ok) CHECK(err.code == ERR_UPSTREAM_TOO_LARGE && count == 0);
    for (size_t i = 0; ok && i < count; i++) {
        CHECK(parts[i].n > 0);
        buf_put(out, parts[i]);
    }
    free(p);
    return ok;
}

// way < n: cut there; from n on: pieces of way - n + 1 bytes.
static void run(const struct fixture *f, struct str input, struct str want, size_t way, bool strip, bool empty_end) {
    struct relay s;
    struct buf out = BUF_INIT((size_t)1 << 20);
    size_t step = way < input.n ? 0 : way - input.n + 1;
    relay_init(&s, MAX_EVENT);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = strip;
    for (size_t at = 0, n; at < input.n; at += n) {
        n = step ? MIN(step, input.n - at) : at == 0 && way ? way : input.n - at;
        bool last = at + n == input.n && !empty_end;
        CHECK(feed(&s, str_of(input.p + at, n), last, &out));
    }
    if (empty_end) CHECK(feed(&s, STR_NONE, true, &out));
    if (!str_eq(buf_str(&out), want)) fprintf(stderr, "fixture \"%s\", way %zu\n", f->name, way);
    CHECK_STR(buf_str(&out), want);
    CHECK(s.has_usage == f->has_usage);
    if (f->has_usage) CHECK(s.usage.prompt == f->prompt && s.usage.output == f->output);
    CHECK_INT(s.events, f->data_lines);
    buf_free(&out);
    relay_free(&s);
}

static void test_every_cut(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_fixtures); i++) {
        for (unsigned strip = 0; strip < 2; strip++) {
            const struct fixture *f = &k_fixtures[i];
            struct buf input = BUF_INIT((size_t)1 << 16), want = BUF_INIT((size_t)1 << 16);
            join(f, false, &input);
            join(f, strip, &want);
            for (size_t way = 0; way < input.n + 8; way++) {
                run(f, buf_str(&input), buf_str(&want), way, strip, false);
                run(f, buf_str(&input), buf_str(&want), way, strip, true);
            }
            buf_free(&input);
            buf_free(&want);
        }
    }
}

// Without the last blank line, and broken off at every byte: all of it comes out at the end.
static void test_no_blank_line_at_the_end(void) {
    struct str text = STR(ROLE WORD WORD DONE);
    for (size_t n = 0; n <= text.n; n++) {
        for (size_t step = 1; step < 200; step += 33) {
            struct relay s;
            struct buf out = BUF_INIT((size_t)1 << 16);
            relay_init(&s, MAX_EVENT);
            relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
            s.strip_usage = true;
            for (size_t at = 0; at < n; at += step)
                CHECK(feed(&s, str_of(text.p + at, MIN(step, n - at)), false, &out));
            CHECK(feed(&s, STR_NONE, true, &out));
            CHECK_STR(buf_str(&out), str_head(text, n));
            buf_free(&out);
            relay_free(&s);
        }
    }
    struct relay s;
    struct buf out = BUF_INIT((size_t)1 << 16);
    relay_init(&s, MAX_EVENT);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = true;
    struct str usage = STR(USAGE);
    CHECK(feed(&s, STR(WORD), false, &out));
    CHECK(feed(&s, str_head(usage, usage.n - 1), true, &out)); // one LF is missing
    CHECK_STR(buf_str(&out), STR(WORD));
    CHECK(s.has_usage);
    buf_free(&out);
    relay_free(&s);
}

static void test_whole_events_only(void) {
    struct relay s;
    struct buf out = BUF_INIT((size_t)1 << 16);
    struct str word = STR(WORD);
    relay_init(&s, MAX_EVENT);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = false;
    CHECK(feed(&s, str_head(word, word.n - 1), false, &out));
    CHECK_INT(out.n, 0);
    CHECK(feed(&s, STR("\ndata: {"), false, &out));
    CHECK_STR(buf_str(&out), word);
    CHECK(feed(&s, STR("}\n\n"), false, &out));
    CHECK(feed(&s, STR("data: [DONE]\n\n"), false, &out));
    buf_free(&out);
    relay_free(&s);
}

static void test_oversized(void) {
    for (size_t step = 1; step <= 8192; step *= 16) {
        struct relay s;
        struct buf out = BUF_INIT((size_t)1 << 20);
        char block[8192];
        memset(block, 'x', sizeof block);
        relay_init(&s, MAX_EVENT);
        relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
        s.strip_usage = false;
        CHECK(feed(&s, STR(WORD "data: "), false, &out));
        bool ok = true;
        size_t sent = 6;
        for (; ok && sent < 3 * MAX_EVENT; sent += step) ok = feed(&s, str_of(block, step), false, &out);
        CHECK(!ok);
        CHECK(sent >= MAX_EVENT - step);
        CHECK(s.rest.cap <= 4 * MAX_EVENT + 2 * sizeof block);
        CHECK_STR(buf_str(&out), STR(WORD));
        buf_free(&out);
        relay_free(&s);
    }
    // Exactly the limit is taken.
    struct relay s;
    struct buf out = BUF_INIT((size_t)1 << 20);
    char block[MAX_EVENT];
    memset(block, 'x', sizeof block);
    relay_init(&s, MAX_EVENT);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = false;
    CHECK(feed(&s, str_of(block, sizeof block), false, &out));
    CHECK(feed(&s, STR("\n\n"), false, &out));
    CHECK_INT(out.n, MAX_EVENT + 2);
    buf_free(&out);
    relay_free(&s);
}

static void test_several_usage_events_in_one_read(void) {
    struct relay s;
    struct buf out = BUF_INIT((size_t)1 << 20);
    relay_init(&s, MAX_EVENT);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = true;
    CHECK(feed(&s, STR(USAGE USAGE WORD USAGE WORD USAGE DONE), true, &out));
    CHECK_STR(buf_str(&out), STR(WORD WORD DONE));
    buf_free(&out);
    relay_free(&s);
}

static void test_nothing(void) {
    struct relay s;
    struct buf out = BUF_INIT(100);
    relay_init(&s, MAX_EVENT);
    relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
    s.strip_usage = true;
    for (int i = 0; i < 3; i++) CHECK(feed(&s, STR_NONE, false, &out));
    CHECK(feed(&s, STR_NONE, true, &out));
    CHECK(out.n == 0 && !s.has_usage && s.events == 0);
    buf_free(&out);
    relay_free(&s);
}

// Of how many answers a stream has said how they end, in whatever pieces it comes.
static void test_ends(void) {
    static const struct {
        enum dialect dialect;
        const char *data;
        uint64_t ends;
    } cases[] = {
        {DIALECT_OPENAI, "{\"choices\":[{\"delta\":{},\"finish_reason\":null}]}", 0},
        {DIALECT_OPENAI, "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", 1},
        {DIALECT_OPENAI, "{\"choices\":[{\"finish_reason\" :  \"length\"},{\"finish_reason\":\"stop\"}]}", 2},
        {DIALECT_OPENAI, "{\"choices\":[{\"finish_reason\":\"insufficient_system_resource\"}]}", 0},
        {DIALECT_OPENAI, "{\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}}]}", 0},
        {DIALECT_OPENAI, "{\"native_finish_reason\":\"stop\"}", 0},
        {DIALECT_OPENAI, "{\"finish_reason\":\"", 0},
        {DIALECT_ANTHROPIC, "{\"type\":\"message_start\",\"message\":{\"stop_reason\":null}}", 0},
        {DIALECT_ANTHROPIC, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}", 1},
        {DIALECT_GEMINI, "{\"candidates\":[{\"finishReason\": \"STOP\"}]}", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        int n = snprintf(text, sizeof text, "data: %s\n\n", cases[i].data);
        struct str all = str_of(text, (size_t)n), parts[RELAY_PARTS];
        for (size_t cut = 0; cut < all.n; cut += 7) {
            struct relay s;
            size_t count;
            struct err err;
            relay_init(&s, MAX_EVENT);
            relay_begin(&s, dialect_get(cases[i].dialect), RELAY_EVENTS, false);
            REQUIRE(relay_feed(&s, str_head(all, cut), false, parts, &count, &err));
            REQUIRE(relay_feed(&s, str_from(all, cut), false, parts, &count, &err));
            CHECK_INT(relay_finished(&s), cases[i].ends);
            relay_free(&s);
        }
    }
}

// Of an array, too, where its end could follow what has come.
static void test_ends_of_an_array(void) {
    static const struct {
        const char *data;
        uint64_t finished;
        const char *end;
    } cases[] = {
        {"[{\"candidates\":[{\"content\":{}}]}", 0, "]"},
        {"[{\"a\":1},\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}", 1, "]"},
        {"[{\"candidates\":[{\"finishReason\":\"STOP\"},{\"finishReason\":\"STOP\"}]}\r\n", 2, "]"},
        {"[{\"candidates\":[{\"finishReason\":\"STOP\"}]}\n]\n", 1, ""},
        {"[{\"candidates\":[{\"finishReason\":\"STOP\"}]},", 0, NULL},
        {"[{\"candidates\":[{\"finishReason\":\"STOP\"}]}, {\"usage", 0, NULL},
        {"[{\"candidates\":[{\"finishReason\":\"STOP\"}]} x", 0, NULL},
        {"[", 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str all = str_c(cases[i].data), parts[RELAY_PARTS];
        for (size_t cut = 0; cut < all.n; cut++) {
            struct relay s;
            size_t count;
            struct err err;
            relay_init(&s, MAX_EVENT);
            relay_begin(&s, dialect_get(DIALECT_GEMINI), RELAY_FRAMES, true);
            REQUIRE(relay_feed(&s, str_head(all, cut), false, parts, &count, &err));
            bool fed = relay_feed(&s, str_from(all, cut), false, parts, &count, &err);
            CHECK(fed == !str_ends(all, STR("x")));
            CHECK_INT(relay_finished(&s), cases[i].finished);
            if (cases[i].end) CHECK_STR(relay_end(&s), str_c(cases[i].end));
            relay_free(&s);
        }
    }
}

#define SSE(data) "data: " data "\n\n"
#define CHUNK SSE("{\"choices\":[{\"delta\":{\"content\":\"say \\\"error\\\"\"},\"finish_reason\":null}]}")
#define FINISHED SSE("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}")
#define BROKEN SSE("{\"error\":{\"message\":\"no room\",\"code\":\"worker_lost\"}}")
#define CLAUDE                                                                                                         \
    "event: content_block_delta\n" SSE(                                                                                \
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"error\"}}")

// What an error within a stream is told by, in whatever pieces it comes.
static void test_failed(void) {
    static const struct {
        enum dialect dialect;
        enum relay_kind kind;
        bool array, failed;
        enum chat_failure_kind what;
        const char *text;
    } cases[] = {
        {DIALECT_OPENAI, RELAY_EVENTS, false, true, CHAT_FAIL_SERVER, CHUNK BROKEN},
        {DIALECT_OPENAI, RELAY_EVENTS, false, true, CHAT_FAIL_SERVER, CHUNK BROKEN SSE("[DONE]")},
        {DIALECT_OPENAI, RELAY_EVENTS, false, true, CHAT_FAIL_SERVER, CHUNK "event: error\r\n" BROKEN},
        {DIALECT_OPENAI, RELAY_EVENTS, false, false, 0, CHUNK SSE("[DONE]")},
        {DIALECT_OPENAI, RELAY_EVENTS, false, false, 0, CHUNK FINISHED SSE("[DONE]")},
        {DIALECT_OPENAI, RELAY_EVENTS, false, false, 0, CHUNK FINISHED BROKEN},
        {DIALECT_OPENAI, RELAY_EVENTS, false, false, 0, CHUNK "data: {\"error\":{\"message\":\"no"},
        {DIALECT_ANTHROPIC, RELAY_EVENTS, false, true, CHAT_FAIL_OVERLOADED,
         CLAUDE "event: error\n" SSE(
             "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}")},
        {DIALECT_ANTHROPIC, RELAY_EVENTS, false, false, 0, CLAUDE},
        {DIALECT_GEMINI, RELAY_EVENTS, false, true, CHAT_FAIL_OVERLOADED,
         SSE("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}")
             SSE("{\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}")},
        {DIALECT_GEMINI, RELAY_FRAMES, true, true, CHAT_FAIL_OVERLOADED,
         "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},\n{\"error\":{\"code\":503,\"message\":"
         "\"overloaded\","
         "\"status\":\"UNAVAILABLE\"}}]"},
        {DIALECT_OLLAMA, RELAY_FRAMES, false, true, CHAT_FAIL_SERVER,
         "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"error\":\"an error was encountered\"}\n"},
        {DIALECT_OLLAMA, RELAY_FRAMES, false, false, 0,
         "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"done\":true,\"eval_count\":1,\"prompt_eval_count\":1}"
         "\n"},
        {DIALECT_RESPONSES, RELAY_EVENTS, false, true, CHAT_FAIL_SERVER,
         "event: response.failed\n" SSE(
             "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":"
             "\"server_error\",\"message\":\"no\"},\"usage\":null}}")},
        {DIALECT_RESPONSES, RELAY_EVENTS, false, true, CHAT_FAIL_SERVER,
         "event: error\n" SSE("{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"no\",\"param\":null}")},
        {DIALECT_OPENAI, RELAY_BYTES, false, false, 0, BROKEN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str all = str_c(cases[i].text), parts[RELAY_PARTS];
        for (size_t cut = 0; cut <= all.n; cut += 3) {
            struct relay s;
            struct arena arena;
            struct chat_failure failure = {0};
            size_t count;
            struct err err;
            arena_init(&arena, NULL, 4096, 1 << 20);
            relay_init(&s, MAX_EVENT);
            relay_begin(&s, dialect_get(cases[i].dialect), cases[i].kind, cases[i].array);
            REQUIRE(relay_feed(&s, str_head(all, cut), false, parts, &count, &err));
            REQUIRE(relay_feed(&s, str_from(all, cut), true, parts, &count, &err));
            if (relay_failed(&s, 1, &arena, &failure) != cases[i].failed) fprintf(stderr, "case %zu\n", i);
            CHECK(relay_failed(&s, 1, &arena, &failure) == cases[i].failed);
            if (cases[i].failed) CHECK(failure.kind == cases[i].what && failure.message.n);
            relay_free(&s);
            arena_free(&arena);
        }
    }
}

// Of two answers one may end well before the other breaks off; what is behind both is none of theirs.
static void test_failed_of_several(void) {
    struct arena arena;
    arena_init(&arena, NULL, 4096, 1 << 20);
    for (uint64_t choices = 1; choices <= 2; choices++) {
        struct relay s;
        struct buf out = BUF_INIT((size_t)1 << 16);
        struct chat_failure failure;
        relay_init(&s, MAX_EVENT);
        relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
        CHECK(feed(&s, STR(FINISHED CHUNK BROKEN), true, &out));
        CHECK(relay_failed(&s, choices, &arena, &failure) == (choices == 2));
        buf_free(&out);
        relay_free(&s);
    }
    arena_free(&arena);
}

// However long its message, and wherever the stream is cut: what follows it may be as much as all that is kept of a
// stream's end.
static void test_failed_large(void) {
    static const struct {
        enum dialect dialect;
        enum relay_kind kind;
        bool array;
        enum chat_failure_kind what;
        const char *before, *begin, *end, *after;
    } cases[] = {
        {DIALECT_OPENAI, RELAY_EVENTS, false, CHAT_FAIL_OVERLOADED, CHUNK, "data: {\"error\":{\"message\":\"",
         "\",\"code\":503}}\n\n", SSE("[DONE]")},
        {DIALECT_OPENAI, RELAY_EVENTS, false, CHAT_FAIL_RATE_LIMIT, CHUNK,
         "event: error\r\ndata: {\"type\":\"rate_limit_error\",\"message\":\"", "\"}\r\n\r\n", ""},
        {DIALECT_ANTHROPIC, RELAY_EVENTS, false, CHAT_FAIL_OVERLOADED, CLAUDE,
         "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"", "\"}}\n\n",
         ""},
        {DIALECT_GEMINI, RELAY_EVENTS, false, CHAT_FAIL_OVERLOADED,
         SSE("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}"), "data: {\"error\":{\"message\":\"",
         "\",\"code\":503,\"status\":\"UNAVAILABLE\"}}\n\n", ""},
        {DIALECT_GEMINI, RELAY_FRAMES, true, CHAT_FAIL_OVERLOADED,
         "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},\n", "{\"error\":{\"message\":\"",
         "\",\"code\":503,\"status\":\"UNAVAILABLE\"}}", "]"},
        {DIALECT_OLLAMA, RELAY_FRAMES, false, CHAT_FAIL_SERVER, "{\"message\":{\"content\":\"a\"},\"done\":false}\n",
         "{\"error\":\"", "\"}\n", ""},
        {DIALECT_RESPONSES, RELAY_EVENTS, false, CHAT_FAIL_SERVER, "",
         "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\","
         "\"error\":{\"code\":\"server_error\",\"message\":\"no\"},\"instructions\":\"",
         "\"}}\n\n", ""},
    };
    static const size_t sizes[] = {900, 1000, 1100, 1900, 2000, 2100, 5000, 60000};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            struct buf text = BUF_INIT((size_t)1 << 17);
            buf_put(&text, str_c(cases[i].before));
            buf_put(&text, str_c(cases[i].begin));
            for (size_t n = 0; n < sizes[k]; n++) buf_putc(&text, (char)('a' + n % 26));
            buf_put(&text, str_c(cases[i].end));
            buf_put(&text, str_c(cases[i].after));
            for (size_t cut = 0; cut <= text.n; cut += sizes[k] > 5000 ? 997 : 1) {
                struct relay s;
                struct arena arena;
                struct chat_failure failure = {0};
                size_t count;
                struct str parts[RELAY_PARTS], all = buf_str(&text);
                struct err err;
                arena_init(&arena, NULL, 4096, 1 << 20);
                relay_init(&s, (size_t)1 << 17);
                relay_begin(&s, dialect_get(cases[i].dialect), cases[i].kind, cases[i].array);
                REQUIRE(relay_feed(&s, str_head(all, cut), false, parts, &count, &err));
                REQUIRE(relay_feed(&s, str_from(all, cut), true, parts, &count, &err));
                bool failed = relay_failed(&s, 1, &arena, &failure) && failure.kind == cases[i].what;
                if (!failed) fprintf(stderr, "case %zu of %zu bytes, cut at %zu\n", i, sizes[k], cut);
                REQUIRE(failed);
                relay_free(&s);
                arena_free(&arena);
            }
            buf_free(&text);
        }
    }
}

// Large events that tell no error keep nothing, even where they say "error"; nor does what is larger than any error.
static void test_large_without_failure(void) {
    static const char *const k_open[] = {"data: {\"choices\":[{\"delta\":{\"content\":\"error ",
                                         "data: {\"choices\":[],\"error\":null,\"x\":\"",
                                         "data: {\"error\":{\"message\":\""};
    static const char *const k_close[] = {"\"}}]}\n\n", "\"}\n\n", "\"}}\n\n"};
    for (size_t i = 0; i < ARRAY_LEN(k_open); i++) {
        struct relay s;
        struct arena arena;
        struct chat_failure failure;
        struct buf text = BUF_INIT((size_t)1 << 20), out = BUF_INIT((size_t)1 << 20);
        arena_init(&arena, NULL, 4096, 1 << 20);
        buf_put(&text, str_c(k_open[i]));
        for (size_t n = 0; n < (i == 2 ? (size_t)200000 : (size_t)10000); n++) buf_putc(&text, 'x');
        buf_put(&text, str_c(k_close[i]));
        relay_init(&s, (size_t)1 << 20);
        relay_begin(&s, dialect_get(DIALECT_OPENAI), RELAY_EVENTS, false);
        CHECK(feed(&s, buf_str(&text), true, &out));
        CHECK_INT(s.failed.cap, 0);
        CHECK(!relay_failed(&s, 1, &arena, &failure));
        buf_free(&text);
        buf_free(&out);
        relay_free(&s);
        arena_free(&arena);
    }
}

TEST_MAIN(test_failed, test_failed_large, test_large_without_failure, test_failed_of_several, test_ends,
          test_ends_of_an_array, test_every_cut, test_no_blank_line_at_the_end, test_whole_events_only, test_oversized,
          test_several_usage_events_in_one_read, test_nothing)
