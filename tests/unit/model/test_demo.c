// The demonstration provider: what each of its models answers, streamed and whole, always in good JSON.
#include "base/utf8.h"
#include "check.h"
#include "model/demo.h"
#include "model/dialect.h"

struct run {
    struct arena arena;
    struct model_request request;
    struct demo demo;
    struct buf out;
    enum demo_next last;
    size_t pieces;
    uint64_t waited;
};

static void run_open(struct run *r, enum operation operation, const char *model, struct str body) {
    struct err err;
    *r = (struct run){0};
    arena_init(&r->arena, NULL, 0, (size_t)1 << 22);
    buf_init(&r->out, (size_t)8 << 20);
    const struct model_request_in in = {.operation = operation, .body = body};
    REQUIRE(dialect_get(DIALECT_OPENAI)->peek(&in, &r->arena, &r->request, &err));
    REQUIRE(demo_open(&r->request, str_c(model), STR("id1"), 1700000000, &r->arena, &r->demo, &err));
}

static void run_all(struct run *r) {
    do {
        r->waited += demo_wait_ms(&r->demo);
        r->last = demo_next(&r->demo, &r->out);
        r->pieces++;
    } while (r->last == DEMO_MORE && r->pieces < 10000);
    CHECK(!r->out.failed);
}

static void run_close(struct run *r) {
    buf_free(&r->out);
    arena_free(&r->arena);
}

static bool holds(const struct run *r, struct str text) { return str_find(buf_str(&r->out), text) < r->out.n; }

#define SAY(text)                                                                                                      \
    "{\"model\":\"demo/x\",\"messages\":[{\"role\":\"system\",\"content\":\"be "                                       \
    "kind\"},{\"role\":\"user\",\"content\":" text "}]"
#define HI SAY("\"hi \\u00e9\\n\\\"you\\\"\"")

static void check_json(const struct run *r) {
    struct err err;
    CHECK(json_validate(buf_str(&r->out), 0, &err));
}

static void test_whole(void) {
    static const char *const models[] = {"echo",     "slow",  "slow-7", "anything", "fail-200",
                                         "fail-600", "fail-", "fail-x", "slow-",    "slow-99999999999999999999",
                                         ""};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        struct run r;
        struct usage usage = {0};
        run_open(&r, OPERATION_CHAT, models[i], STR(HI "}"));
        run_all(&r);
        CHECK(r.last == DEMO_LAST && r.pieces == 1);
        CHECK_INT(r.demo.status, 200);
        CHECK_STR(demo_content_type(&r.demo), STR("application/json"));
        CHECK(dialect_get(DIALECT_OPENAI)->usage_of(buf_str(&r.out), &usage) && usage.prompt && usage.output);
        CHECK(holds(&r, STR("hi \xc3\xa9")) || holds(&r, STR("hi \\u00e9")));
        if (i) CHECK(holds(&r, STR("demonstration"))); // says what it is
        CHECK((r.waited > 0) == (i == 1 || i == 2));
        run_close(&r);
    }
}

// The data of all events put together; every one is valid JSON, the last is [DONE].
static void check_events(const struct run *r, struct buf *out_text) {
    struct str rest = buf_str(&r->out), event;
    bool done = false;
    while (rest.n) {
        size_t end = str_find(rest, STR("\n\n"));
        REQUIRE(end < rest.n);
        event = str_head(rest, end);
        rest = str_from(rest, end + 2);
        CHECK(!done && str_starts(event, STR("data: ")));
        struct str data = str_from(event, 6), raw;
        done = str_eq(data, STR("[DONE]"));
        if (done) continue;
        struct err err;
        CHECK(json_validate(data, 0, &err));
        struct json_reader reader;
        enum json_kind kind;
        if (!JSON_GET(data, &raw, STR("choices"))) continue;
        json_reader_init(&reader, raw, 0);
        json_enter_array(&reader);
        while (json_element(&reader, &kind)) {
            struct str choice, text;
            json_skip(&reader, &choice);
            if (JSON_GET(choice, &text, STR("delta"), STR("content")) || JSON_GET(choice, &text, STR("text")))
                CHECK(json_string_decode(text, out_text));
        }
    }
    CHECK(done);
}

static void test_streamed(void) {
    for (int chat = 0; chat < 2; chat++) {
        struct run r;
        struct buf text = BUF_INIT((size_t)1 << 20);
        run_open(&r, chat ? OPERATION_CHAT : OPERATION_COMPLETIONS, "echo",
                 chat ? STR(HI ",\"stream\":true}")
                      : STR("{\"model\":\"x\",\"prompt\":\"hi \\u00e9\\n\\\"you\\\"\",\"stream\":true}"));
        run_all(&r);
        CHECK(r.last == DEMO_LAST && r.pieces > 3);
        CHECK(str_starts(demo_content_type(&r.demo), STR("text/event-stream")));
        check_events(&r, &text);
        CHECK_STR(buf_str(&text), STR("hi \xc3\xa9\n\"you\""));
        CHECK(holds(&r, STR("\"usage\"")));
        buf_free(&text);
        run_close(&r);
    }
}

// A text of megabytes without a space, of characters of several bytes, comes in pieces that are whole characters.
static void test_long_word(void) {
    struct run r;
    struct buf body = BUF_INIT((size_t)1 << 20), text = BUF_INIT((size_t)1 << 20);
    buf_lit(&body, "{\"model\":\"x\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"a");
    for (int i = 0; i < 50000; i++) buf_lit(&body, "\xe2\x82\xac");
    buf_lit(&body, "\"}]}");
    run_open(&r, OPERATION_CHAT, "echo", buf_str(&body));
    run_all(&r);
    check_events(&r, &text);
    CHECK_INT(text.n, 150001);
    buf_free(&text);
    buf_free(&body);
    run_close(&r);
}

static void test_failures(void) {
    static const int statuses[] = {400, 401, 404, 418, 429, 500, 503, 599};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct run r;
        char model[20];
        snprintf(model, sizeof model, "fail-%d", statuses[i]);
        run_open(&r, OPERATION_CHAT, model, STR(HI ",\"stream\":true}"));
        run_all(&r);
        CHECK(r.last == DEMO_LAST && r.pieces == 1);
        CHECK_INT(r.demo.status, statuses[i]);
        CHECK_STR(demo_content_type(&r.demo), STR("application/json"));
        check_json(&r);
        CHECK(str_starts(buf_str(&r.out), STR("{\"error\":{")));
        run_close(&r);
    }
    for (int stream = 0; stream < 2; stream++) {
        struct run r;
        run_open(&r, OPERATION_CHAT, "cut", stream ? STR(HI ",\"stream\":true}") : STR(HI "}"));
        run_all(&r);
        CHECK(r.last == DEMO_BREAK && (r.out.n > 0) == stream);
        run_close(&r);
        run_open(&r, OPERATION_CHAT, "stall", stream ? STR(HI ",\"stream\":true}") : STR(HI "}"));
        run_all(&r);
        CHECK(r.last == DEMO_HANG && (r.out.n > 0) == stream);
        run_close(&r);
    }
}

// What stands in for a message may be of any shape.
static void test_odd_messages(void) {
    static const struct {
        struct str body, said;
    } cases[] = {
        {STR_INIT("{\"model\":\"x\",\"messages\":[]}"), STR_INIT("")},
        {STR_INIT("{\"model\":\"x\",\"messages\":[1,null,\"x\",[],{}]}"), STR_INIT("")},
        {STR_INIT("{\"model\":\"x\",\"messages\":[{\"role\":\"user\"}]}"), STR_INIT("")},
        {STR_INIT("{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":null}]}"), STR_INIT("")},
        {STR_INIT("{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":{\"a\":1}}]}"), STR_INIT("")},
        {STR_INIT("{\"model\":\"x\",\"messages\":[{\"role\":\"assistant\",\"content\":\"no\"}]}"), STR_INIT("")},
        {STR_INIT(
             "{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"first\"},{\"role\":\"user\",\"content\":"
             "[{\"type\":\"image_url\"},{\"type\":\"text\",\"text\":\"l\\u0061st\"}]}]}"),
         STR_INIT("last")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r;
        run_open(&r, OPERATION_CHAT, "echo", cases[i].body);
        CHECK_STR(r.demo.text, cases[i].said);
        run_all(&r);
        check_json(&r);
        run_close(&r);
    }
}

static void test_embeddings(void) {
    static const struct {
        struct str body;
        int vectors;
    } cases[] = {
        {STR_INIT("{\"model\":\"x\",\"input\":\"a\"}"), 1},
        {STR_INIT("{\"model\":\"x\",\"input\":[\"a\",\"b\",\"a\"]}"), 3},
        {STR_INIT("{\"model\":\"x\",\"input\":[1,2,3]}"), 1},
        {STR_INIT("{\"model\":\"x\",\"input\":[[1],[2]],\"encoding_format\":\"base64\"}"), 2},
        {STR_INIT("{\"model\":\"x\",\"input\":[]}"), 0},
        {STR_INIT("{\"model\":\"x\",\"input\":\"\"}"), 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r;
        int vectors = 0;
        run_open(&r, OPERATION_EMBEDDINGS, "any", cases[i].body);
        run_all(&r);
        check_json(&r);
        struct str rest = buf_str(&r.out);
        for (size_t at; (at = str_find(rest, STR("\"embedding\":"))) < rest.n; rest = str_from(rest, at + 1)) vectors++;
        CHECK_INT(vectors, cases[i].vectors);
        run_close(&r);
    }
}

TEST_MAIN(test_whole, test_streamed, test_long_word, test_failures, test_odd_messages, test_embeddings)
