// Answers in Google's dialect: streams and whole ones, into events and out of them, cut at every byte; counts; errors.
#include "gemini_rig.h"

static const char *const k_streams[] = {"text",      "tools", "thinking", "blocked", "safety", "length",
                                        "grounding", "image", "code",     "two",     "error",  "cut"};

static struct str fixture(const char *name, struct arena *arena) {
    char path[256];
    snprintf(path, sizeof path, "tests/data/streams/gemini/%s.sse", name);
    return file_text(path, arena);
}

struct pipe {
    struct framer framer;
    struct chat_order order;
    struct teller teller;
    struct gemini_decoder decoder;
};

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    struct pipe *p = arg;
    return gemini_decode(&p->decoder, frame, &p->order.sink, err);
}

// What the stream tells, fed in three pieces.
static void tell(struct str stream, size_t cut, size_t step, struct buf *out) {
    struct pipe p = {.teller = {.sink.take = teller_take, .out = BUF_INIT(1 << 20)}};
    struct err err;
    framer_init(&p.framer, FRAME_SSE, 1 << 20);
    chat_order_init(&p.order, &p.teller.sink, CHAT_CHOICES_MAX, 1 << 20);
    gemini_decoder_init(&p.decoder);
    bool good = framer_feed(&p.framer, str_head(stream, cut), false, on_frame, &p, &err);
    for (size_t at = cut; good && at < stream.n; at += step)
        good = framer_feed(&p.framer, str_head(str_from(stream, at), step), false, on_frame, &p, &err);
    good = good && framer_feed(&p.framer, STR(""), true, on_frame, &p, &err);
    CHECK(good);
    gemini_decode_end(&p.decoder, &p.order.sink);
    chat_order_end(&p.order);
    buf_clear(out);
    buf_put(out, buf_str(&p.teller.out));
    framer_free(&p.framer);
    chat_order_free(&p.order);
    buf_free(&p.teller.out);
}

#define CHECK_TOLD(name, wanted)                                                                                       \
    do {                                                                                                               \
        struct rig g_;                                                                                                 \
        rig_begin(&g_);                                                                                                \
        tell(fixture(name, &g_.arena), 0, SIZE_MAX / 2, &g_.out);                                                      \
        CHECK_STR(buf_str(&g_.out), str_c(wanted));                                                                    \
        rig_end(&g_);                                                                                                  \
    } while (0)

static void text_and_its_last_counts(void) {
    CHECK_TOLD("text",
               "begin Xq4eabc123 gemini-2.5-flash\ntext\n+Wasser\n+ strömt ☃\n+ \\\"durch\\\" das Tor\\n🌊\nend\n"
               "usage 8 4 11 0 0\nfinish stop\nover\n");
    CHECK_TOLD("length",
               "begin Xq4eabc123 gemini-2.5-flash\ntext\n+One two\nend\nusage 5 0 2 0 0\nfinish length\nover\n");
    CHECK_TOLD("two", "begin Xq4eabc123 gemini-2.5-flash\ntext\n+Heads\n1:text\n1:+Tails\n+.\n1:+!\nend\n1:end\n"
                      "usage 3 0 4 0 0\nfinish stop\n1:finish length\nover\n");
}

static void trap_7_calls_finish_as_calls(void) {
    struct rig g;
    rig_begin(&g);
    tell(fixture("tools", &g.arena), 0, SIZE_MAX / 2, &g.out);
    struct str told = buf_str(&g.out);
    CHECK(str_find(told, STR("finish tools\n")) < told.n);
    // Arguments without the white space between them, escaped once; the id has the signature in it.
    CHECK(str_find(told, STR("__ts_EpYBCpMBAdHtim9-_ab get_weather\n+{\\\"city\\\":\\\"Zürich\\\",\\\"days\\\":[1,2],"
                             "\\\"note\\\":\\\"say \\\\\\\"hi\\\\\\\" \\\\\\\\ there\\\"}\nend\ncall call_")) < told.n);
    CHECK(str_find(told, STR(" get_time\n+{}\nend\nusage 40 0 43 12 0\n")) < told.n);
    rig_end(&g);
}

static void trap_7_filters(void) {
    CHECK_TOLD("blocked", "begin bl0cked gemini-2.5-flash\nusage 12 0 0 0 0\nfinish filter\nover\n");
    CHECK_TOLD("safety",
               "begin Xq4eabc123 gemini-2.5-flash\ntext\n+I would\nend\nusage 5 0 2 0 0\nfinish filter\nover\n");
}

static void trap_8_thoughts_are_output(void) {
    CHECK_TOLD("thinking",
               "begin Xq4eabc123 gemini-2.5-flash\nthinking\n+**Weighing**\\n\\n\n+It is even.\nend\n"
               "text\n+Yes\n+, it is.\nsignature CiQB0e2Kb0aa\nend\nusage 9 0 37 32 0\nfinish stop\nover\n");
}

static void sources_become_citations(void) {
#define SOURCE(letter, path)                                                                                           \
    "citation {\"type\":\"web_search_result_location\",\"url\":\"https://" letter ".example/" path                     \
    "\",\"title\":\"" letter ".example\",\"cited_text\":\"Rain is likely.\",\"encrypted_index\":\"\"}\n"
    CHECK_TOLD("grounding", "begin Xq4eabc123 gemini-2.5-flash\ntext\n+Rain is \n+likely.\n" SOURCE("a", "x")
                                SOURCE("b", "y") "end\n"
                                                 "usage 62 0 4 0 0\nfinish stop\nover\n");
}

static void images_and_code(void) {
    CHECK_TOLD("image",
               "begin Xq4eabc123 gemini-2.5-flash\ntext\n+Here it is.\nend\nimage image/png\n+iVBORw0KGgo=\nend\n"
               "usage 6 0 1293 0 1\nfinish stop\nover\n");
    CHECK_TOLD("code", "begin Xq4eabc123 gemini-2.5-flash\ntext\n+```python\\n\n+print(6 * "
                       "7)\n+\\n```\\n\n+```\\n\n+42\\n\n+\\n```\\n\n"
                       "+It is 42.\nend\nusage 6 0 20 0 0\nfinish stop\nover\n");
}

static void streams_that_end_badly(void) {
    struct rig g;
    rig_begin(&g);
    tell(fixture("error", &g.arena), 0, SIZE_MAX / 2, &g.out);
    struct str told = buf_str(&g.out);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "fail %d 503 The model is overloaded. Please try again later.\nover\n",
             CHAT_FAIL_OVERLOADED);
    CHECK(str_ends(told, str_c(wanted)));
    tell(fixture("cut", &g.arena), 0, SIZE_MAX / 2, &g.out);
    told = buf_str(&g.out);
    CHECK(str_ends(told, STR("end\nusage 3 0 2 0 0\nfinish stop\nover\n")));
    rig_end(&g);
}

static void every_cut_tells_the_same(void) {
    struct rig g;
    struct buf cut = BUF_INIT(1 << 20);
    rig_begin(&g);
    for (size_t i = 0; i < ARRAY_LEN(k_streams); i++) {
        struct str stream = fixture(k_streams[i], &g.arena);
        tell(stream, 0, SIZE_MAX / 2, &g.out);
        for (size_t at = 1; at < stream.n; at++) {
            tell(stream, at, SIZE_MAX / 2, &cut);
            if (!str_eq(buf_str(&cut), buf_str(&g.out))) CHECK_STR(buf_str(&cut), buf_str(&g.out));
        }
        tell(stream, 0, 1, &cut);
        CHECK_STR(buf_str(&cut), buf_str(&g.out));
    }
    buf_free(&cut);
    rig_end(&g);
}

static void what_is_no_answer(void) {
    static const char *const bad[] = {"[]", "{", "7",
                                      "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\x01\"}]}}]}"};
    static const char *const odd[] = {
        "{}",
        "{\"candidates\":7}",
        "{\"candidates\":[7,{}]}",
        "{\"candidates\":[{\"index\":-1}]}",
        "{\"candidates\":[{\"index\":99,\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
        "{\"candidates\":[{\"content\":{\"parts\":[7,{},{\"text\":7},{\"functionCall\":{}}]}}]}",
        "{\"usageMetadata\":{\"promptTokenCount\":\"x\"}}",
        "[DONE]",
        ""};
    for (size_t i = 0; i < ARRAY_LEN(bad) + ARRAY_LEN(odd); i++) {
        bool is_bad = i < ARRAY_LEN(bad);
        struct teller t = {.sink.take = teller_take, .out = BUF_INIT(1 << 16)};
        struct gemini_decoder d;
        struct err err = {.code = ERR_INTERNAL};
        struct frame frame = {.data = str_c(is_bad ? bad[i] : odd[i - ARRAY_LEN(bad)])};
        gemini_decoder_init(&d);
        CHECK_INT(gemini_decode(&d, &frame, &t.sink, &err), !is_bad);
        if (is_bad) CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
        buf_free(&t.out);
    }
}

static void counts(void) {
    static const struct {
        const char *raw;
        bool found;
        struct usage wanted;
    } rows[] = {
        {"{\"promptTokenCount\":10,\"cachedContentTokenCount\":4,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7,"
         "\"toolUsePromptTokenCount\":3,\"totalTokenCount\":25}",
         true,
         {.prompt = 13, .cached = 4, .output = 12, .reasoning = 7}},
        {"{\"promptTokenCount\":10,\"totalTokenCount\":25}", true, {.prompt = 10, .output = 15}},
        {"{\"promptTokenCount\":10,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":4},{\"modality\":"
         "\"AUDIO\","
         "\"tokenCount\":6}],\"candidatesTokenCount\":2,\"candidatesTokensDetails\":[{\"modality\":\"AUDIO\","
         "\"tokenCount\":2}]}",
         true,
         {.prompt = 10, .output = 2, .audio_in = 6, .audio_out = 2}},
        {"{\"promptTokenCount\":3,\"cachedContentTokenCount\":9,\"candidatesTokenCount\":\"4\"}",
         true,
         {.prompt = 3, .cached = 3, .output = 4}},
        {"{\"trafficType\":\"ON_DEMAND\"}", false, {0}},
        {"{\"promptTokenCount\":-4,\"candidatesTokenCount\":1e300}", true, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct usage u = {0};
        CHECK_INT(gemini_usage_read(str_c(rows[i].raw), &u), rows[i].found);
        CHECK(memcmp(&u, &rows[i].wanted, sizeof u) == 0);
    }
    struct usage u = {.prompt = 9, .output = 1};
    CHECK(gemini_usage_of(STR("{\"candidates\":[],\"usageMetadata\":{\"candidatesTokenCount\":6}}"), &u));
    CHECK_INT(u.prompt, 9); // merged by presence
    CHECK_INT(u.output, 6);
    CHECK(!gemini_usage_of(STR("{\"candidates\":[]}"), &u));
}

// --- the client's side ---

static struct chat_reply reply_of(struct rig *g, bool array) {
    return (struct chat_reply){
        .id = STR("0000g"), .model = STR("m"), .array = array, .chat = &g->chat, .arena = &g->arena};
}

static void stream_as(struct rig *g, struct str stream, bool array, struct buf *out) {
    struct translator t;
    struct chat_reply reply = reply_of(g, array);
    const struct dialect_ops *ops = dialect_get(DIALECT_GEMINI);
    REQUIRE(translator_init(&t, ops, ops, &reply, 1 << 20, &g->arena, &g->err));
    CHECK(translator_feed(&t, stream, true, &g->err));
    buf_clear(out);
    buf_put(out, buf_str(&t.out));
    translator_free(&t);
}

#define TAIL ",\"modelVersion\":\"m\",\"responseId\":\"0000g\"}"
#define CHUNK(part) "{\"candidates\":[{\"content\":{\"parts\":[" part "],\"role\":\"model\"},\"index\":0}]" TAIL
#define LAST(reason, usage)                                                                                            \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"" reason        \
    "\",\"index\":0}],\"usageMetadata\":{" usage "}" TAIL
#define SSE(chunk) "data: " chunk "\r\n\r\n"

static void encodes_streams(void) {
    struct rig g;
    rig_begin(&g);
    stream_as(&g, fixture("length", &g.arena), false, &g.out);
    CHECK_STR(buf_str(&g.out),
              STR(SSE(CHUNK("{\"text\":\"One two\"}")) SSE(
                  LAST("MAX_TOKENS", "\"promptTokenCount\":5,\"candidatesTokenCount\":2,\"totalTokenCount\":7"))));
    stream_as(&g, fixture("length", &g.arena), true, &g.out);
    CHECK_STR(buf_str(&g.out),
              STR("[" CHUNK("{\"text\":\"One two\"}") ",\r\n" LAST(
                  "MAX_TOKENS", "\"promptTokenCount\":5,\"candidatesTokenCount\":2,\"totalTokenCount\":7") "]"));
    stream_as(&g, fixture("image", &g.arena), false, &g.out);
    CHECK(str_find(buf_str(&g.out),
                   STR(CHUNK("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBORw0KGgo=\"}}"))) < g.out.n);
    stream_as(&g, fixture("tools", &g.arena), false, &g.out);
    CHECK(str_find(buf_str(&g.out),
                   STR("\"name\":\"get_weather\",\"args\":{\"city\":\"Zürich\",\"days\":[1,2],\"note\":\"say "
                       "\\\"hi\\\" \\\\ there\"}}")) < g.out.n);
    CHECK(str_find(buf_str(&g.out), STR("\"thoughtsTokenCount\":12")) < g.out.n);
    stream_as(&g, fixture("grounding", &g.arena), false, &g.out);
    CHECK(str_find(buf_str(&g.out),
                   STR("\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://a.example/x\","
                       "\"title\":\"a.example\"}},{\"web\"")) < g.out.n);
    rig_end(&g);
}

static void thoughts_are_told_to_those_who_ask(void) {
    struct rig g;
    rig_begin(&g);
    stream_as(&g, fixture("thinking", &g.arena), false, &g.out);
    CHECK(str_find(buf_str(&g.out), STR("{\"text\":\"It is even.\",\"thought\":true}")) < g.out.n);
    g.chat.reasoning.hidden = true;
    stream_as(&g, fixture("thinking", &g.arena), false, &g.out);
    CHECK(str_find(buf_str(&g.out), STR("thought\":true")) == g.out.n);
    CHECK(str_find(buf_str(&g.out), STR("\"text\":\"Yes\"")) < g.out.n);
    rig_end(&g);
}

// Also a stream that fails is valid: events, or one array.
static void failures_keep_the_framing(void) {
    struct rig g;
    struct err invalid;
    rig_begin(&g);
    stream_as(&g, fixture("error", &g.arena), true, &g.out);
    CHECK(json_validate(buf_str(&g.out), 0, &invalid));
    CHECK(str_find(buf_str(&g.out), STR(",\r\n{\"error\":{\"code\":503,")) < g.out.n);
    stream_as(&g, STR("data: {\"error\":{\"code\":500,\"message\":\"m\",\"status\":\"INTERNAL\"}}\n\n"), true, &g.out);
    CHECK(json_validate(buf_str(&g.out), 0, &invalid));
    stream_as(&g, fixture("error", &g.arena), false, &g.out);
    CHECK(str_find(buf_str(&g.out),
                   STR("data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded. Please try "
                       "again later.\",\"status\":\"UNAVAILABLE\"")) < g.out.n);
    for (size_t i = 0; i < ARRAY_LEN(k_streams); i++) {
        stream_as(&g, fixture(k_streams[i], &g.arena), true, &g.out);
        CHECK(json_validate(buf_str(&g.out), 0, &invalid));
    }
    rig_end(&g);
}

static void arguments_that_are_cut_off(void) {
    struct rig g;
    struct gemini_encoder e;
    rig_begin(&g);
    struct chat_reply reply = reply_of(&g, false);
    gemini_encoder_init(&e.sink, &reply, &g.out);
    struct chat_event ev = {.kind = CHAT_PART_BEGIN, .part_kind = CHAT_TOOL_CALL, .id = STR("c1"), .name = STR("f")};
    chat_emit(&e.sink, &ev);
    ev.kind = CHAT_DELTA, ev.text = STR("{\\\"a\\\":\\\"b");
    chat_emit(&e.sink, &ev);
    ev.kind = CHAT_PART_END;
    chat_emit(&e.sink, &ev);
    CHECK(str_find(buf_str(&g.out), STR("\"args\":{\"_invalid\":\"{\\\"a\\\":\\\"b\"}")) < g.out.n);
    rig_end(&g);
}

static void whole_answers(void) {
    struct rig g;
    struct usage usage = {0};
    bool has_usage = false;
    const struct dialect_ops *ops = dialect_get(DIALECT_GEMINI);
    rig_begin(&g);
    struct chat_reply reply = reply_of(&g, false);
    static const char body[] =
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"T\",\"thought\":true},{\"text\":\"A\"},"
        "{\"functionCall\":{\"id\":\"i1\",\"name\":\"f\",\"args\":{\"x\": [1, "
        "2]}}}],\"role\":\"model\"},\"finishReason\":\"STOP\"}],"
        "\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":3,\"totalTokenCount\":7},\"responseId\":"
        "\"r\"}";
    REQUIRE(translate_answer(ops, ops, &reply, str_c(body), &g.arena, &g.out, &usage, &has_usage, &g.err));
    CHECK_STR(buf_str(&g.out),
              STR("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"T\",\"thought\":true},{\"text\":\"A\"},"
                  "{\"functionCall\":{\"id\":\"i1\",\"name\":\"f\",\"args\":{\"x\":[1,2]}}}],\"role\":\"model\"},"
                  "\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":4,"
                  "\"candidatesTokenCount\":3,\"totalTokenCount\":7}" TAIL));
    CHECK(has_usage && usage.prompt == 4);
    buf_clear(&g.out);
    REQUIRE(translate_answer(ops, ops, &reply, STR("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"), &g.arena,
                             &g.out, &usage, &has_usage, &g.err));
    CHECK_STR(buf_str(&g.out), STR("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
                                   "\"finishReason\":\"SAFETY\",\"index\":0}]" TAIL));
    rig_end(&g);
}

// --- errors ---

static void errors_of_google(void) {
    static const struct {
        const char *body;
        int status;
        enum chat_failure_kind kind;
        unsigned retry_s;
    } rows[] = {
        {"{\"error\":{\"code\":429,\"message\":\"q\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"x\"},{"
         "\"@type\":"
         "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"12.5s\"}]}}",
         429, CHAT_FAIL_RATE_LIMIT, 13},
        {"[{\"error\":{\"code\":400,\"message\":\"bad\",\"status\":\"INVALID_ARGUMENT\"}}]", 400, CHAT_FAIL_INVALID, 0},
        {"{\"error\":{\"code\":400,\"message\":\"API key not "
         "valid.\",\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":"
         "\"API_KEY_INVALID\"}]}}",
         400, CHAT_FAIL_AUTHENTICATION, 0},
        {"{\"error\":{\"message\":\"The input token count (9) exceeds the maximum number of tokens allowed "
         "(8).\",\"status\":"
         "\"INVALID_ARGUMENT\"}}",
         400, CHAT_FAIL_CONTEXT_LENGTH, 0},
        {"{\"error\":{\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}", 503, CHAT_FAIL_OVERLOADED, 0},
        {"{\"error\":{\"message\":\"m\",\"status\":\"NEW_STATUS\"}}", 404, CHAT_FAIL_NOT_FOUND, 0},
    };
    struct rig g;
    rig_begin(&g);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct chat_failure f;
        REQUIRE(gemini_read_failure(str_c(rows[i].body), rows[i].status, &g.arena, &f));
        CHECK_INT(f.kind, rows[i].kind);
        CHECK_INT(f.status, rows[i].status);
        CHECK_INT(f.retry_s, rows[i].retry_s);
    }
    static const char *const none[] = {"", "x", "[]", "{}", "{\"error\":\"text\"}", "{\"error\":{}}", "[7]", "<html>"};
    struct chat_failure f;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) CHECK(!gemini_read_failure(str_c(none[i]), 500, &g.arena, &f));
    rig_end(&g);
}

static void errors_of_ours(void) {
    struct buf out = BUF_INIT(4096);
    struct chat_failure f = {.kind = CHAT_FAIL_INVALID,
                             .status = 400,
                             .message = STR("no \\\"x\\\""),
                             .code = STR("invalid_value"),
                             .param = STR("contents")};
    struct err invalid;
    gemini_put_failure(&f, STR("req-1"), &out);
    CHECK_STR(buf_str(&out),
              STR("{\"error\":{\"code\":400,\"message\":\"no \\\"x\\\"\",\"status\":\"INVALID_ARGUMENT\",\"details\":["
                  "{\"@type\":\"type.googleapis.com/"
                  "google.rpc.ErrorInfo\",\"reason\":\"invalid_value\",\"domain\":\"penstock\","
                  "\"metadata\":{\"field\":\"contents\"}},{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\","
                  "\"requestId\":\"req-1\"}]}}"));
    CHECK(json_validate(buf_str(&out), 0, &invalid));
    buf_clear(&out);
    f = (struct chat_failure){.kind = CHAT_FAIL_TIMEOUT, .message = STR("m")};
    gemini_put_failure_event(&f, STR(""), &out);
    CHECK_STR(buf_str(&out),
              STR("data: {\"error\":{\"code\":504,\"message\":\"m\",\"status\":\"DEADLINE_EXCEEDED\"}}\r\n\r\n"));
    buf_free(&out);
}

TEST_MAIN(text_and_its_last_counts, trap_7_calls_finish_as_calls, trap_7_filters, trap_8_thoughts_are_output,
          sources_become_citations, images_and_code, streams_that_end_badly, every_cut_tells_the_same,
          what_is_no_answer, counts, encodes_streams, thoughts_are_told_to_those_who_ask, failures_keep_the_framing,
          arguments_that_are_cut_off, whole_answers, errors_of_google, errors_of_ours)
