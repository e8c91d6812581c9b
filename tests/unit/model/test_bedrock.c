// Bedrock's Converse: requests written by its rules, streams cut anywhere, whole answers, errors, addresses.
#include "stream_check.h"

#include "event_text.h"
#include "model/chat_order.h"
#include "model/provider.h"

#define CLAUDE "anthropic.claude-sonnet-4-20250514-v1:0"

static struct arena g_arena; // emptied by each case
static const struct dialect_ops *bedrock(void) { return dialect_get(DIALECT_BEDROCK); }

// --- requests ---

struct written {
    struct buf body;
    struct chat_report report;
};

static void write_chat(const struct chat *chat, const char *model, struct written *w) {
    struct chat_target target = {.model = str_c(model)};
    struct err err;
    *w = (struct written){0};
    buf_init(&w->body, 1 << 20);
    REQUIRE(bedrock()->write(chat, &target, &g_arena, &w->body, &w->report, &err));
    REQUIRE(json_validate(buf_str(&w->body), 0, &err));
}

static void expect_drops(const struct written *w, const char *names) {
    BUF_AUTO struct buf got = BUF_INIT(4096);
    for (size_t i = 0; i < w->report.count; i++) buf_printf(&got, "%s%.*s", i ? " " : "", STR_ARG(w->report.names[i]));
    CHECK_STR(buf_str(&got), str_c(names));
}

// What the request in Anthropic's dialect, a compact way to say one, becomes.
static void expect_body(const char *anthropic, const char *model, const char *body, const char *drops) {
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = str_c(anthropic), .depth = 64};
    const struct dialect_ops *from = dialect_get(DIALECT_ANTHROPIC);
    struct model_request q;
    struct chat chat;
    struct written w;
    struct err err;
    REQUIRE(from->peek(&in, &g_arena, &q, &err));
    REQUIRE(from->read(&q, &g_arena, &chat, &err));
    write_chat(&chat, model, &w);
    CHECK_STR(buf_str(&w.body), str_c(body));
    expect_drops(&w, drops);
    buf_free(&w.body);
    arena_free(&g_arena);
}

#define HEAD "{\"model\":\"m\",\"max_tokens\":2000,"
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define HI_OUT "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]"
#define LIMIT ",\"inferenceConfig\":{\"maxTokens\":2000}"

static void a_plain_request(void) {
    expect_body("{\"model\":\"m\",\"max_tokens\":5,\"system\":\"S\",\"temperature\":0.5,\"top_p\":0.9,"
                "\"stop_sequences\":[\"x\"]," HI "}",
                "mistral.mistral-large",
                "{" HI_OUT ",\"system\":[{\"text\":\"S\"}],\"inferenceConfig\":{\"maxTokens\":5,"
                "\"temperature\":0.5,\"topP\":0.9,\"stopSequences\":[\"x\"]}}",
                "");
}

// Trap: all results of one message in one, before anything else of that turn.
static void results_come_together_and_first(void) {
    expect_body(
        HEAD "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],\"messages\":["
             "{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":["
             "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}},"
             "{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"f\",\"input\":{}}]},"
             "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"and\"},"
             "{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":\"1\"}]},"
             "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"b\",\"content\":\"\","
             "\"is_error\":true}]}]}",
        "meta.llama4",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":["
        "{\"toolUse\":{\"toolUseId\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}}},"
        "{\"toolUse\":{\"toolUseId\":\"b\",\"name\":\"f\",\"input\":{}}}]},{\"role\":\"user\",\"content\":["
        "{\"toolResult\":{\"toolUseId\":\"a\",\"content\":[{\"text\":\"1\"}]}},"
        "{\"toolResult\":{\"toolUseId\":\"b\",\"content\":[{\"json\":{}}],\"status\":\"error\"}},"
        "{\"text\":\"and\"}]}]" LIMIT ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":"
        "{\"json\":{\"type\":\"object\"}}}}]}}",
        "");
}

// Trap: calls among the messages without tools in the request are refused.
static void tools_that_were_called_are_named(void) {
    expect_body(
        HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"ab\","
             "\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
             "\"tool_use_id\":\"ab\"}]}]}",
        "amazon.nova-lite-v1:0",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\".\"}]},{\"role\":\"assistant\",\"content\":["
        "{\"toolUse\":{\"toolUseId\":\"ab\",\"name\":\"f\",\"input\":{}}}]},"
        "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"ab\",\"content\":["
        "{\"json\":{}}]}}]}]" LIMIT ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":"
        "{\"json\":{\"type\":\"object\",\"properties\":{}}}}}]}}",
        "");
}

// Ids of other vendors may have anything in them.
static void ids_keep_pairing(void) {
    struct chat_part call = {
        .kind = CHAT_TOOL_CALL, .id = STR_INIT("\"call:1/\u00e9\""), .name = STR_INIT("\"f\""), .args = STR_INIT("{}")};
    struct chat_part result = {.kind = CHAT_TOOL_RESULT, .id = call.id};
    struct chat_turn turns[] = {{.role = CHAT_ASSISTANT, .parts = &call, .count = 1},
                                {.role = CHAT_USER, .parts = &result, .count = 1}};
    struct chat chat = {.turns = turns, .count = 2, .parallel_tools = -1, .output_strict = -1};
    struct written w;
    struct str id;
    write_chat(&chat, "mistral.x", &w);
    struct str body = buf_str(&w.body), rest = str_from(body, str_find(body, STR("\"toolUseId\":\"")) + 12);
    id = str_head(rest, str_find_char(rest, ','));
    CHECK(str_starts(id, STR("\"tooluse_")) && id.n <= 66);
    rest = str_from(rest, id.n);
    CHECK(str_find(rest, id) < rest.n);
    buf_free(&w.body);
}

static void choices_of_tools(void) {
    static const struct {
        const char *choice, *want;
    } cases[] = {{"{\"type\":\"auto\"}", ",\"toolChoice\":{\"auto\":{}}"},
                 {"{\"type\":\"any\"}", ",\"toolChoice\":{\"any\":{}}"},
                 {"{\"type\":\"tool\",\"name\":\"f\"}", ",\"toolChoice\":{\"tool\":{\"name\":\"f\"}}"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUF_AUTO struct buf body = BUF_INIT(4096), want = BUF_INIT(4096);
        buf_printf(&body,
                   HEAD "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}],"
                        "\"tool_choice\":%s," HI "}",
                   cases[i].choice);
        buf_printf(&want,
                   "{" HI_OUT LIMIT ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"description\":\"d\","
                   "\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}]%s}}",
                   cases[i].want);
        expect_body(buf_cstr(&body), "mistral.x", buf_cstr(&want), "");
    }
    expect_body(HEAD "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":"
                     "{\"type\":\"none\"}," HI "}",
                "mistral.x", "{" HI_OUT LIMIT "}", "");
}

// Trap: Claude's thinking has its own rules, here as there.
static void thinking(void) {
    expect_body(HEAD "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1500},\"temperature\":0.2,\"top_k\":5," HI
                     "}",
                CLAUDE,
                "{" HI_OUT LIMIT ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\","
                "\"budget_tokens\":1500}}}",
                "temperature top_k");
    expect_body(HEAD "\"top_k\":5," HI "}", CLAUDE, "{" HI_OUT LIMIT ",\"additionalModelRequestFields\":{\"top_k\":5}}",
                "");
    expect_body(HEAD "\"top_k\":5," HI "}", "amazon.nova-pro-v1:0",
                "{" HI_OUT LIMIT ",\"additionalModelRequestFields\":{\"inferenceConfig\":{\"topK\":5}}}", "");
    expect_body(HEAD "\"top_k\":5,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1500}," HI "}",
                "openai.gpt-oss-120b-1:0",
                "{" HI_OUT LIMIT ",\"additionalModelRequestFields\":{\"reasoning_effort\":\"low\"}}", "top_k");
    expect_body(HEAD "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1500}," HI "}", "cohere.command-r",
                "{" HI_OUT LIMIT "}", "reasoning_effort");
}

static void thoughts_go_back_whole(void) {
    const char *const asked = HEAD
        "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":["
        "{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"EqQBCgIYAhIM\"},"
        "{\"type\":\"redacted_thinking\",\"data\":\"c2VjcmV0\"},{\"type\":\"text\",\"text\":\"a\"}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"  \"},{\"type\":\"text\",\"text\":\"b\"}]}]}";
    expect_body(
        asked, CLAUDE,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":["
        "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"t\",\"signature\":\"EqQBCgIYAhIM\"}}},"
        "{\"reasoningContent\":{\"redactedContent\":\"c2VjcmV0\"}},{\"text\":\"a\"}]},"
        "{\"role\":\"user\",\"content\":[{\"text\":\"b\"}]}]" LIMIT "}",
        "");
    expect_body(
        asked, "meta.llama4",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":["
        "{\"text\":\"a\"}]},{\"role\":\"user\",\"content\":[{\"text\":\"b\"}]}]" LIMIT "}",
        "messages[].content[].thinking messages[].content[].redacted_thinking");
}

static void marks_of_the_cache(void) {
    const char *const asked = HEAD
        "\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],"
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\","
        "\"cache_control\":{\"type\":\"ephemeral\"}}]}]}";
    expect_body(
        asked, CLAUDE,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"},{\"cachePoint\":{\"type\":\"default\"}}]}],"
        "\"system\":[{\"text\":\"S\"},{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}]" LIMIT "}",
        "");
    expect_body(asked, "meta.llama4",
                "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],\"system\":[{\"text\":\"S\"}]" LIMIT
                "}",
                "cache_control");
}

static void media(void) {
    struct chat_part parts[] = {
        {.kind = CHAT_IMAGE, .media = {.mime = STR_INIT("image/JPG"), .data = STR_INIT("/9j/AA==")}},
        {.kind = CHAT_FILE,
         .media = {.mime = STR_INIT("application/pdf"),
                   .data = STR_INIT("JVBERi0="),
                   .name = STR_INIT("\"My_file.pdf\"")}},
        {.kind = CHAT_FILE, .media = {.text = STR_INIT("\"plain\"")}},
        {.kind = CHAT_VIDEO, .media = {.mime = STR_INIT("video/mp4"), .url = STR_INIT("\"s3://b/k\"")}},
        {.kind = CHAT_IMAGE, .media = {.url = STR_INIT("\"https://x/y.png\"")}},
        {.kind = CHAT_AUDIO, .media = {.mime = STR_INIT("audio/midi"), .data = STR_INIT("AA==")}},
        {.kind = CHAT_FILE, .media = {.file_id = STR_INIT("\"file-1\"")}}};
    struct chat_turn turn = {.role = CHAT_USER, .parts = parts, .count = ARRAY_LEN(parts)};
    struct chat chat = {.turns = &turn, .count = 1, .parallel_tools = -1, .output_strict = -1};
    struct written w;
    write_chat(&chat, "amazon.nova-pro-v1:0", &w);
    CHECK_STR(buf_str(&w.body),
              STR("{\"messages\":[{\"role\":\"user\",\"content\":["
                  "{\"image\":{\"format\":\"jpeg\",\"source\":{\"bytes\":\"/9j/AA==\"}}},"
                  "{\"document\":{\"format\":\"pdf\",\"name\":\"My-file-pdf\",\"source\":{\"bytes\":\"JVBERi0=\"}}},"
                  "{\"document\":{\"format\":\"txt\",\"name\":\"document 2\",\"source\":{\"text\":\"plain\"}}},"
                  "{\"video\":{\"format\":\"mp4\",\"source\":{\"s3Location\":{\"uri\":\"s3://b/k\"}}}}]}]}"));
    expect_drops(&w, "messages[].content[].image_url messages[].content[].input_audio messages[].content[].file");
    buf_free(&w.body);
    arena_free(&g_arena);
}

// Trap: older Claude models know a schema as a tool's alone; the call is then the answer's text.
static void schemas_of_older_models(void) {
    struct chat chat = {.parallel_tools = -1,
                        .output = CHAT_OUTPUT_SCHEMA,
                        .output_schema = STR("{\"type\":\"object\"}"),
                        .output_strict = -1};
    struct chat_tool tool = {.name = STR_INIT("\"f\""), .strict = -1};
    struct event_text text;
    struct written w;
    struct err err;
    write_chat(&chat, CLAUDE, &w);
    CHECK_STR(buf_str(&w.body),
              STR("{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\".\"}]}],\"toolConfig\":{\"tools\":["
                  "{\"toolSpec\":{\"name\":\"_json_answer\",\"description\":\"Gives the answer\",\"inputSchema\":"
                  "{\"json\":{\"type\":\"object\"}}}}],\"toolChoice\":{\"tool\":{\"name\":\"_json_answer\"}}}}"));
    expect_drops(&w, "");
    buf_free(&w.body);
    chat.tools = &tool;
    chat.tool_count = 1;
    write_chat(&chat, CLAUDE, &w);
    expect_drops(&w, "response_format");
    buf_free(&w.body);
    event_text_init(&text);
    REQUIRE(bedrock()->decode_answer(
        STR("{\"output\":{\"message\":{\"content\":[{\"toolUse\":{\"toolUseId\":\"i\",\"name\":\"_json_answer\","
            "\"input\":{\"a\":1}}}]}},\"stopReason\":\"tool_use\"}"),
        &g_arena, &text.sink, &err));
    CHECK_STR(buf_str(&text.text), STR("answer  \nbegin 0.0 text  \ndelta 0.0 {\\\"a\\\":1}\nend 0.0\n"
                                       "finish 0 stop \n"));
    buf_free(&text.text);
    arena_free(&g_arena);
}

static void the_rest(void) {
    struct chat chat = {.parallel_tools = 0,
                        .output = CHAT_OUTPUT_SCHEMA,
                        .output_schema = STR("{\"type\":\"object\",\"a\":\"\\\"\"}"),
                        .output_name = STR("\"n\""),
                        .output_strict = -1,
                        .metadata = STR("{\"team\":\"water\"}"),
                        .service_tier = STR("\"flex\""),
                        .user = STR("\"u\""),
                        .sampling = {.seed = STR("1")},
                        .choices = 3};
    struct written w;
    write_chat(&chat, "mistral.x", &w);
    CHECK_STR(buf_str(&w.body),
              STR("{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\".\"}]}],\"outputConfig\":{\"textFormat\":"
                  "{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{\"schema\":"
                  "\"{\\\"type\\\":\\\"object\\\",\\\"a\\\":\\\"\\\\\\\"\\\"}\",\"name\":\"n\"}}}},"
                  "\"serviceTier\":{\"type\":\"flex\"},\"requestMetadata\":{\"team\":\"water\"}}"));
    expect_drops(&w, "parallel_tool_calls user seed n");
    buf_free(&w.body);
    chat.metadata = STR("{\"n\":1}");
    chat.service_tier = STR("\"auto\"");
    chat.output = CHAT_OUTPUT_JSON;
    write_chat(&chat, "mistral.x", &w);
    expect_drops(&w, "response_format metadata parallel_tool_calls user seed n");
    buf_free(&w.body);
    arena_free(&g_arena);
}

// --- streams ---

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    void **both = arg;
    struct chat_order *order = both[1];
    return bedrock()->decode(both[0], frame, &order->sink, err);
}

// Byte by byte with step 1, else in two pieces.
static bool decode(struct str data, size_t cut, struct buf *out, struct err *err) {
    struct event_text text;
    struct chat_order order;
    struct framer framer;
    void *decoder = mem_zalloc(1, bedrock()->decoder_size);
    void *both[] = {decoder, &order};
    bool ok = true;
    REQUIRE(decoder);
    event_text_init(&text);
    chat_order_init(&order, &text.sink, 1, 1 << 20);
    framer_init(&framer, FRAME_AWS, 1 << 20);
    bedrock()->decoder_init(decoder);
    for (size_t at = 0; ok && at < data.n;) {
        size_t n = !cut ? 1 : at == 0 && cut < data.n ? cut : data.n - at;
        ok = framer_feed(&framer, str_of(data.p + at, n), at + n == data.n, on_frame, both, err);
        at += n;
    }
    bedrock()->decode_end(decoder, &order.sink);
    chat_order_end(&order);
    buf_put(out, buf_str(&text.text));
    framer_free(&framer);
    chat_order_free(&order);
    buf_free(&text.text);
    mem_free(decoder);
    return ok;
}

static void expect_stream(const char *name, const char *want) {
    BUF_AUTO struct buf data = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
    char path[128];
    struct err err;
    snprintf(path, sizeof path, "tests/data/streams/bedrock/%s.bin", name);
    stream_load(path, &data);
    for (size_t cut = 0; cut < data.n; cut++) {
        buf_clear(&got);
        REQUIRE(decode(buf_str(&data), cut, &got, &err));
        CHECK_STR(buf_str(&got), str_c(want));
    }
    // A byte that was changed on the way is noticed.
    for (size_t at = 0; at < data.n; at += 7) {
        data.p[at] = (char)(data.p[at] ^ 4);
        buf_clear(&got);
        CHECK(!decode(buf_str(&data), data.n, &got, &err));
        CHECK(err.code == ERR_UPSTREAM_INVALID || err.code == ERR_UPSTREAM_TOO_LARGE);
        data.p[at] = (char)(data.p[at] ^ 4);
    }
}

static void streams(void) {
    expect_stream("text", "answer  \nbegin 0.0 text  \ndelta 0.0 Wasser \ndelta 0.0 strömt 🌊\\n\\\"hier\\\"\nend 0.0\n"
                          "usage 111 7\nfinish 0 stop \nover\n");
    expect_stream("tools",
                  "answer  \nbegin 0.0 text  \ndelta 0.0 Let me look.\nend 0.0\nbegin 0.1 call tooluse_a weather\n"
                  "delta 0.1 {\\\"city\\\": \\\"Zür\ndelta 0.1 ich\\\"}\nend 0.1\nbegin 0.2 call tooluse_b now\n"
                  "delta 0.2 {}\nend 0.2\nusage 30 20\nfinish 0 tools \nover\n");
    expect_stream(
        "thinking",
        "answer  \nbegin 0.0 thinking  \ndelta 0.0 The tide \ndelta 0.0 goes out.\n"
        "signature 0.0 EqQBCgIYAhIM+/==\nend 0.0\nbegin 0.1 redacted  \ndelta 0.1 c2VjcmV0\nend 0.1\n"
        "begin 0.2 text  \ndelta 0.2 Low.\ncitation 0.2 {\"type\":\"page_location\",\"document_index\":0,"
        "\"start_page_number\":3,\"end_page_number\":4,\"cited_text\":\"it goes\",\"document_title\":\"Tides\"}\n"
        "end 0.2\nusage 5 9\nfinish 0 length \nover\n");
    expect_stream("exception", "answer  \nbegin 0.0 text  \ndelta 0.0 One\n"
                               "fail 429 Too many tokens, \\\"please\\\" wait.\nover\n");
    expect_stream("cut", "answer  \nbegin 0.0 text  \ndelta 0.0 One\nend 0.0\nfinish 0 stop \nover\n");
    expect_stream("filtered", "answer  \nbegin 0.0 text  \ndelta 0.0 No\nend 0.0\nusage 1 1\nfinish 0 filter \nover\n");
}

static void to_a_client_of_another_dialect(void) {
    BUF_AUTO struct buf data = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    struct usage usage;
    struct err err;
    stream_load("tests/data/streams/bedrock/text.bin", &data);
    REQUIRE(stream_translate(bedrock(), dialect_get(DIALECT_OLLAMA), buf_str(&data), data.n, &out, &usage, &err));
    stream_check_cuts(bedrock(), dialect_get(DIALECT_OLLAMA), buf_str(&data), buf_str(&out));
    stream_check_lines(buf_str(&out));
    // What the cache gave and took is part of the prompt.
    CHECK_INT(usage.prompt, 111);
    CHECK_INT(usage.cached, 80);
    CHECK_INT(usage.cache_write, 20);
    CHECK_INT(usage.cache_write_1h, 15);
}

static void what_is_no_event_is_refused(void) {
    static const struct {
        const char *event, *data;
    } bad[] = {{"contentBlockDelta", "{}"},
               {"contentBlockDelta", "[]"},
               {"contentBlockDelta", "{\"contentBlockIndex\":256,\"delta\":{}}"},
               {"contentBlockDelta", "{\"contentBlockIndex\":-1,\"delta\":{}}"},
               {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"toolUse\":7}}"},
               {"contentBlockStart", "{\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"name\":\"x\"}}}"},
               {"messageStop", "x"}};
    struct event_text text;
    struct err err;
    event_text_init(&text);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        void *decoder = mem_zalloc(1, bedrock()->decoder_size);
        struct frame frame = {.event = str_c(bad[i].event), .data = str_c(bad[i].data)};
        REQUIRE(decoder);
        CHECK(!bedrock()->decode(decoder, &frame, &text.sink, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
        mem_free(decoder);
    }
    buf_free(&text.text);
}

// --- whole answers, errors, addresses ---

static void whole_answers(void) {
    struct event_text text;
    struct err err;
    event_text_init(&text);
    REQUIRE(bedrock()->decode_answer(
        STR("{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":["
            "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"t\",\"signature\":\"s\"}}},{\"text\":\"a\\n\"},"
            "{\"toolUse\":{\"toolUseId\":\"i\",\"name\":\"f\",\"input\":{\"x\":\"\\\"\"}}},"
            "{\"citationsContent\":{\"content\":[{\"text\":\"c\"}],\"citations\":[{\"title\":\"T\"}]}},{\"new\":{}}]}},"
            "\"stopReason\":\"tool_use\",\"usage\":{\"inputTokens\":3,\"outputTokens\":4}}"),
        &g_arena, &text.sink, &err));
    CHECK_STR(buf_str(&text.text),
              STR("answer  \nbegin 0.0 thinking  \ndelta 0.0 t\nsignature 0.0 s\nend 0.0\nbegin 0.1 text  \n"
                  "delta 0.1 a\\n\nend 0.1\nbegin 0.2 call i f\ndelta 0.2 {\\\"x\\\":\\\"\\\\\\\"\\\"}\nend 0.2\n"
                  "begin 0.3 text  \ndelta 0.3 c\ncitation 0.3 {\"type\":\"web_search_result_location\","
                  "\"cited_text\":\"\",\"document_title\":\"T\"}\nend 0.3\nusage 3 4\nfinish 0 tools \n"));
    CHECK(!bedrock()->decode_answer(STR("{\"output\":[]}"), &g_arena, &text.sink, &err));
    CHECK(!bedrock()->decode_answer(STR("{\"output\":{\"message\":{\"content\":[3]}}}"), &g_arena, &text.sink, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    buf_free(&text.text);
}

static void failures(void) {
    struct chat_failure f;
    REQUIRE(
        bedrock()->read_failure(STR("{\"message\":\"Input is too long for requested model.\"}"), 400, &g_arena, &f));
    CHECK_INT(f.kind, CHAT_FAIL_CONTEXT_LENGTH);
    REQUIRE(
        bedrock()->read_failure(STR("{\"Message\":\"no\",\"__type\":\"AccessDeniedException\"}"), 403, &g_arena, &f));
    CHECK_INT(f.kind, CHAT_FAIL_PERMISSION);
    CHECK_STR(f.type, STR("AccessDeniedException"));
    CHECK(!bedrock()->read_failure(STR("{\"message\":1}"), 400, &g_arena, &f));
    CHECK(!bedrock()->read_failure(STR("<html/>"), 500, &g_arena, &f));
}

static void addresses(void) {
    struct conf_provider p = {.name = STR_INIT("aws"), .kind = PROVIDER_BEDROCK};
    struct provider_call call = {.provider = &p,
                                 .operation = OPERATION_CHAT,
                                 .dialect = DIALECT_BEDROCK,
                                 .model = STR_INIT("arn:aws:bedrock:eu:1:inference-profile/eu.x-v1:0")};
    struct str target;
    struct err err;
    REQUIRE(provider_target(&call, &g_arena, &target, &err));
    CHECK_STR(target, STR("/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ainference-profile%2Feu.x-v1%3A0/converse"));
    call.stream = true;
    REQUIRE(provider_target(&call, &g_arena, &target, &err));
    CHECK(str_ends(target, STR("/converse-stream")));
    call.operation = OPERATION_IMAGE;
    CHECK(!provider_target(&call, &g_arena, &target, &err));
}

static void begin(void) { arena_init(&g_arena, NULL, 0, SIZE_MAX); }
static void end(void) { arena_free(&g_arena); }

TEST_MAIN(begin, a_plain_request, results_come_together_and_first, tools_that_were_called_are_named, ids_keep_pairing,
          choices_of_tools, thinking, thoughts_go_back_whole, marks_of_the_cache, media, schemas_of_older_models,
          the_rest, streams, to_a_client_of_another_dialect, what_is_no_event_is_refused, whole_answers, failures,
          addresses, end)
