// Tests that an answer which breaks off anywhere is gone on with by another provider: one message, both texts.
#include "model/chat_collect.h"
#include "stream_check.h"

#define MAX_EVENT ((size_t)1 << 20)
#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer)
#define STEP 13 // what sanitizers look for does not need every place
#else
#define STEP 2
#endif

struct recorded {
    enum dialect dialect;
    const char *path;
};
static const struct recorded k_first[] = {{DIALECT_OPENAI, "tests/data/streams/openai/text.sse"},
                                          {DIALECT_OPENAI, "tests/data/streams/openai/deepseek_reasoning.sse"},
                                          {DIALECT_ANTHROPIC, "tests/data/streams/anthropic/text.sse"},
                                          {DIALECT_ANTHROPIC, "tests/data/streams/anthropic/thinking.sse"},
                                          {DIALECT_RESPONSES, "tests/data/streams/responses/text.sse"},
                                          {DIALECT_GEMINI, "tests/data/streams/gemini/text.sse"},
                                          {DIALECT_BEDROCK, "tests/data/streams/bedrock/text.bin"},
                                          {DIALECT_COHERE, "tests/data/streams/cohere/text.sse"}};
static const struct recorded k_second[] = {{DIALECT_OPENAI, "tests/data/streams/openai/text.sse"},
                                           {DIALECT_ANTHROPIC, "tests/data/streams/anthropic/thinking.sse"},
                                           {DIALECT_RESPONSES, "tests/data/streams/responses/text.sse"},
                                           {DIALECT_GEMINI, "tests/data/streams/gemini/text.sse"}};

// What a client's stream has once; of a part too, when it was open as the first provider broke off.
static const struct {
    enum dialect dialect;
    struct str once[4], of_part[3];
} k_once[] = {
    {DIALECT_OPENAI,
     {STR_INIT("\"role\":\"assistant\""), STR_INIT("\"finish_reason\":\""), STR_INIT("[DONE]")},
     {STR_INIT("")}},
    {DIALECT_ANTHROPIC,
     {STR_INIT("event: message_start"), STR_INIT("event: message_stop"), STR_INIT("\"stop_reason\":\"")},
     {STR_INIT("\"content_block\":{\"type\":\"text\"")}},
    {DIALECT_RESPONSES,
     {STR_INIT("event: response.created"), STR_INIT("event: response.completed")},
     {STR_INIT("event: response.output_text.done"), STR_INIT("event: response.content_part.added")}},
    {DIALECT_GEMINI, {STR_INIT("\"finishReason\":\"")}, {STR_INIT("")}},
    {DIALECT_OLLAMA, {STR_INIT("\"done\":true")}, {STR_INIT("")}},
};

struct rig {
    struct arena arena;
    struct chat chat;
    struct model_request request;
    struct translator t;
};

static void rig_begin(struct rig *r, enum dialect from, enum dialect to) {
    struct err err;
    *r = (struct rig){.chat = {.stream = true},
                      .request = {.dialect = to, .body = STR("{}"), .model = STR("m"), .stream = true}};
    arena_init(&r->arena, NULL, 0, (size_t)16 << 20);
    const struct chat_reply reply = {.id = STR("0000g00000000"),
                                     .model = STR("m"),
                                     .created = 1700000000,
                                     .wants_usage = true,
                                     .prompt_estimate = 7,
                                     .request = &r->request,
                                     .chat = &r->chat,
                                     .arena = &r->arena};
    REQUIRE(translator_init(&r->t, dialect_get(from), dialect_get(to), &reply, MAX_EVENT, &r->arena, &err));
    translator_gather(&r->t, MAX_EVENT);
}

static void rig_end(struct rig *r) {
    translator_free(&r->t);
    arena_free(&r->arena);
}

static size_t count_of(struct str text, struct str word) {
    size_t n = 0;
    for (size_t at; (at = str_find(text, word)) < text.n; n++) text = str_from(text, at + word.n);
    return n;
}

static void check_each(const struct str *words, size_t n, struct str out) {
    for (size_t i = 0; i < n && words[i].n; i++)
        if (count_of(out, words[i]) != 1) CHECK_STR(STR("it is there once"), words[i]);
}

static void check_once(enum dialect dialect, bool open, struct str out) {
    for (size_t i = 0; i < ARRAY_LEN(k_once); i++) {
        if (k_once[i].dialect != dialect) continue;
        check_each(k_once[i].once, ARRAY_LEN(k_once[i].once), out);
        if (open) check_each(k_once[i].of_part, ARRAY_LEN(k_once[i].of_part), out);
    }
}

static bool decode_frame(void *arg, const struct frame *frame, struct err *err) {
    struct rig *r = arg;
    return r->t.from->decode(r->t.decoder, frame, &r->t.order.sink, err);
}

// What a client of that dialect reads: the text is appended to out. Its stream has to be one that ends well.
static void read_back(enum dialect dialect, struct str stream, struct buf *out) {
    struct rig r;
    struct err err = {0};
    struct chat_collect collect;
    struct chat_order order;
    rig_begin(&r, dialect, DIALECT_OPENAI); // for its memory
    chat_collect_init(&collect, &r.arena, MAX_EVENT);
    chat_order_init(&order, &collect.sink, 1, MAX_EVENT);
    chat_order_free(&r.t.order);
    r.t.order = order;
    bool ok = framer_feed(&r.t.framer, stream, true, decode_frame, &r, &err);
    if (!ok) CHECK_STR(STR("it can be read"), str_c(err.message));
    r.t.from->decode_end(r.t.decoder, &r.t.order.sink);
    chat_order_end(&r.t.order);
    CHECK(!collect.has_failure && !collect.failed);
    const struct chat_answer *answer = chat_collect_answer(&collect);
    CHECK_INT(answer->finish[0], CHAT_FINISH_STOP);
    for (size_t i = 0; i < answer->count; i++)
        if (answer->parts[i].kind == CHAT_TEXT) buf_put(out, answer->parts[i].text);
    chat_collect_free(&collect);
    rig_end(&r);
}

static void text_of(const struct recorded *of, struct str data, struct buf *out) {
    struct rig r;
    struct err err;
    rig_begin(&r, of->dialect, DIALECT_OPENAI);
    REQUIRE(translator_feed(&r.t, data, true, &err));
    buf_put(out, buf_str(&r.t.said));
    rig_end(&r);
}

// Cut at n. Whether somebody could go on there.
static bool cut_at(const struct recorded *first, struct str data, size_t n, const struct recorded *second,
                   struct str more, struct str more_text, enum dialect to) {
    struct rig r;
    struct err err;
    rig_begin(&r, first->dialect, to);
    REQUIRE(translator_feed(&r.t, str_head(data, n), false, &err));
    bool can = translator_can_go_on(&r.t) && !translator_is_done(&r.t, 1);
    bool open = r.t.order.choice[0].open || !r.t.begun;
    if (can) {
        BUF_AUTO struct buf want = BUF_INIT(MAX_EVENT), got = BUF_INIT(MAX_EVENT);
        buf_put(&want, buf_str(&r.t.said));
        buf_put(&want, more_text);
        REQUIRE(translator_go_on(&r.t, dialect_get(second->dialect), STR(""), &r.arena, &err));
        REQUIRE(translator_feed(&r.t, more, true, &err));
        int before = g_check_failures;
        read_back(to, buf_str(&r.t.out), &got);
        CHECK_STR(buf_str(&got), buf_str(&want));
        check_once(to, open, buf_str(&r.t.out));
        if (g_check_failures != before)
            fprintf(stderr, "%s cut at %zu, then %s, in %.*s's dialect:\n%.*s\n", first->path, n, second->path,
                    STR_ARG(dialect_get(to)->name), STR_ARG(buf_str(&r.t.out)));
    }
    rig_end(&r);
    return can;
}

static void every_cut(const struct recorded *first, const struct recorded *second) {
    BUF_AUTO struct buf data = BUF_INIT(MAX_EVENT), more = BUF_INIT(MAX_EVENT), text = BUF_INIT(MAX_EVENT);
    stream_load(first->path, &data);
    stream_load(second->path, &more);
    text_of(second, buf_str(&more), &text);
    CHECK(text.n > 0);
    for (size_t k = 0; k < ARRAY_LEN(k_once); k++) {
        int before = g_check_failures;
        size_t could = 0;
        for (size_t n = 0; n < data.n && g_check_failures == before; n += STEP)
            could += cut_at(first, buf_str(&data), n, second, buf_str(&more), buf_str(&text), k_once[k].dialect);
        CHECK(could > data.n / STEP / 8);
    }
}

static void anywhere(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_first); i++) every_cut(&k_first[i], &k_second[i % ARRAY_LEN(k_second)]);
    for (size_t i = 0; i < ARRAY_LEN(k_second); i++) every_cut(&k_first[0], &k_second[i]);
}

// --- where nobody can ---

#define CHUNK(delta) "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define FINISH "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define ERROR "data: {\"error\":{\"message\":\"broke\",\"code\":503}}\n\n"

static bool after(const char *stream, bool *out_done) {
    struct rig r;
    struct err err;
    rig_begin(&r, DIALECT_OPENAI, DIALECT_ANTHROPIC);
    REQUIRE(translator_feed(&r.t, str_c(stream), false, &err));
    bool can = translator_can_go_on(&r.t);
    if (out_done) *out_done = translator_is_done(&r.t, 1);
    rig_end(&r);
    return can;
}

static void nobody(void) {
    bool done;
    CHECK(after(CHUNK("{\"role\":\"assistant\",\"content\":\"\"}"), NULL)); // nothing was said
    CHECK(after(CHUNK("{\"content\":\"a\"}"), &done));
    CHECK(!done);
    CHECK(after(CHUNK("{\"content\":\"a\"}") ERROR, &done));
    CHECK(!done);
    CHECK(!after(CHUNK("{\"reasoning_content\":\"a\"}"), NULL));
    CHECK(after(CHUNK("{\"reasoning_content\":\"a\"}") CHUNK("{\"content\":\"a\"}"), NULL));
    CHECK(!after(CHUNK("{\"content\":\"a\"}") CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":"
                                                    "\"f\",\"arguments\":\"\"}}]}"),
                 NULL));
    CHECK(!after(CHUNK("{\"refusal\":\"no\"}"), NULL));
    CHECK(!after(CHUNK("{\"content\":\"a\"}") FINISH, &done)); // all was said
    CHECK(done);
}

// What comes half, or fails, once all was said but the end.
static void after_the_finish(void) {
    static const char *const k_more[] = {"", "data: {\"choices\":[],\"usage\":{\"prompt_tok", ERROR,
                                         "data: {\"cho\n\n"};
    for (size_t i = 0; i < ARRAY_LEN(k_more); i++) {
        struct rig r;
        struct err err;
        rig_begin(&r, DIALECT_OPENAI, DIALECT_OPENAI);
        REQUIRE(translator_feed(&r.t, STR(CHUNK("{\"content\":\"a\"}") FINISH), false, &err));
        (void)!translator_feed(&r.t, str_c(k_more[i]), false, &err);
        CHECK(translator_is_done(&r.t, 1));
        CHECK(!translator_can_go_on(&r.t));
        REQUIRE(translator_end(&r.t, &err));
        CHECK(!r.t.failed);
        CHECK_INT(count_of(buf_str(&r.t.out), STR("\"finish_reason\":\"stop\"")), 1);
        CHECK_INT(count_of(buf_str(&r.t.out), STR("[DONE]")), 1);
        CHECK_INT(count_of(buf_str(&r.t.out), STR("\"error\"")), 0);
        rig_end(&r);
    }
}

// --- failures, and what is repeated ---

static void failures_wait(void) {
    struct rig r;
    struct err err;
    rig_begin(&r, DIALECT_OPENAI, DIALECT_OPENAI);
    REQUIRE(translator_feed(&r.t, STR(CHUNK("{\"content\":\"a\"}") ERROR), true, &err));
    CHECK(r.t.failed);
    CHECK_INT(r.t.failure.kind, CHAT_FAIL_OVERLOADED);
    CHECK_INT(count_of(buf_str(&r.t.out), STR("\"error\"")), 0);
    CHECK_INT(count_of(buf_str(&r.t.out), STR("[DONE]")), 0);
    const struct chat_failure told = {.kind = CHAT_FAIL_SERVER, .status = 502, .message = STR("it broke off")};
    translator_fail(&r.t, &told);
    CHECK_INT(count_of(buf_str(&r.t.out), STR("it broke off")), 1);
    CHECK_INT(count_of(buf_str(&r.t.out), STR("\"finish_reason\":\"")), 0);
    rig_end(&r);
}

static void skips(const char *skip, const char *stream, const char *want) {
    struct rig r;
    struct err err;
    rig_begin(&r, DIALECT_OPENAI, DIALECT_OPENAI);
    REQUIRE(translator_feed(&r.t, STR(CHUNK("{\"content\":\"a\"}")), false, &err));
    REQUIRE(translator_go_on(&r.t, dialect_get(DIALECT_OPENAI), str_c(skip), &r.arena, &err));
    REQUIRE(translator_feed(&r.t, str_c(stream), true, &err));
    CHECK_STR(buf_str(&r.t.said), str_c(want));
    rig_end(&r);
}

static void white_space(void) {
    skips(" ", CHUNK("{\"content\":\" b\"}"), "ab");
    skips(" ", CHUNK("{\"content\":\"b\"}"), "ab");
    skips("\\n\\n", CHUNK("{\"content\":\"\\n\"}") CHUNK("{\"content\":\"\\n b\"}"), "a b");
    skips("\\n", CHUNK("{\"content\":\"\\tb\"}"), "a\\tb");
    skips(" \\n", CHUNK("{\"content\":\" \\tb\"}") CHUNK("{\"content\":\"\\n\"}"), "a\\tb\\n");
    skips("", CHUNK("{\"content\":\" b\"}"), "a b");
}

TEST_MAIN(anywhere, nobody, after_the_finish, failures_wait, white_space)
