// Cohere's dialect: requests, streams cut anywhere, whole answers, embeddings, rerankings in both shapes.
#include "stream_check.h"

#include "event_text.h"
#include "model/chat_order.h"
#include "model/embed.h"
#include "model/provider.h"

static struct arena g_arena; // emptied by each case
static const struct dialect_ops *cohere(void) { return dialect_get(DIALECT_COHERE); }
static const struct dialect_ops *openai(void) { return dialect_get(DIALECT_OPENAI); }

// What the request in Anthropic's dialect, a compact way to say one, becomes.
static void expect_body(const char *anthropic, const char *body, const char *drops) {
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = str_c(anthropic), .depth = 64};
    const struct dialect_ops *from = dialect_get(DIALECT_ANTHROPIC);
    struct chat_target target = {.model = STR("command-a")};
    BUF_AUTO struct buf out = BUF_INIT(1 << 16), names = BUF_INIT(4096);
    struct chat_report report = {0};
    struct model_request q;
    struct chat chat;
    struct err err;
    REQUIRE(from->peek(&in, &g_arena, &q, &err));
    REQUIRE(from->read(&q, &g_arena, &chat, &err));
    REQUIRE(cohere()->write(&chat, &target, &g_arena, &out, &report, &err));
    REQUIRE(json_validate(buf_str(&out), 0, &err));
    CHECK_STR(buf_str(&out), str_c(body));
    for (size_t i = 0; i < report.count; i++) buf_printf(&names, "%s%.*s", i ? " " : "", STR_ARG(report.names[i]));
    CHECK_STR(buf_str(&names), str_c(drops));
    arena_free(&g_arena);
}

static void a_plain_request(void) {
    expect_body("{\"model\":\"m\",\"max_tokens\":5,\"system\":\"S\",\"temperature\":0.5,\"top_p\":0.9,\"top_k\":3,"
                "\"stop_sequences\":[\"x\"],\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":["
                "{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                "\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]}]}",
                "{\"model\":\"command-a\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":\"image_url\","
                "\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]}],\"max_tokens\":5,\"temperature\":0.5,"
                "\"p\":0.9,\"k\":3,\"stop_sequences\":[\"x\"],\"stream\":true}",
                "");
}

static void tools_plans_and_results(void) {
    expect_body(
        "{\"model\":\"m\",\"max_tokens\":5,\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true},"
        "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}],"
        "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":["
        "{\"type\":\"thinking\",\"thinking\":\"plan\",\"signature\":\"s\"},"
        "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":\"\\\"\"}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":["
        "{\"type\":\"text\",\"text\":\"1\"},{\"type\":\"text\",\"text\":\"2\"}]},"
        "{\"type\":\"text\",\"text\":\"and\"}]}]}",
        "{\"model\":\"command-a\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
        "\"tool_plan\":\"plan\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":\\\"\\\\\\\"\\\"}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\\n2\"},{\"role\":\"user\",\"content\":["
        "{\"type\":\"text\",\"text\":\"and\"}]}],\"tools\":[{\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}],"
        "\"tool_choice\":\"REQUIRED\",\"max_tokens\":5,\"stream\":false}",
        "parallel_tool_calls");
}

static void thinking_and_schema(void) {
    expect_body("{\"model\":\"m\",\"max_tokens\":5000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},"
                "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}},"
                "\"metadata\":{\"user_id\":\"u\"},\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
                "{\"model\":\"command-a\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"response_format\":"
                "{\"type\":\"json_object\",\"json_schema\":{\"type\":\"object\"}},\"thinking\":{\"type\":\"enabled\","
                "\"token_budget\":2000},\"max_tokens\":5000,\"stream\":false}",
                "user");
}

// --- streams ---

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    void **both = arg;
    struct chat_order *order = both[1];
    return cohere()->decode(both[0], frame, &order->sink, err);
}

static bool decode(struct str data, size_t cut, struct buf *out, struct err *err) {
    struct event_text text;
    struct chat_order order;
    struct framer framer;
    void *decoder = mem_zalloc(1, cohere()->decoder_size);
    void *both[] = {decoder, &order};
    bool ok = true;
    REQUIRE(decoder);
    event_text_init(&text);
    chat_order_init(&order, &text.sink, 1, 1 << 20);
    framer_init(&framer, FRAME_SSE, 1 << 20);
    for (size_t at = 0; ok && at < data.n;) {
        size_t n = !cut ? 1 : at == 0 && cut < data.n ? cut : data.n - at;
        ok = framer_feed(&framer, str_of(data.p + at, n), at + n == data.n, on_frame, both, err);
        at += n;
    }
    cohere()->decode_end(decoder, &order.sink);
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
    snprintf(path, sizeof path, "tests/data/streams/cohere/%s.sse", name);
    stream_load(path, &data);
    for (size_t cut = 0; cut < data.n; cut++) {
        buf_clear(&got);
        REQUIRE(decode(buf_str(&data), cut, &got, &err));
        CHECK_STR(buf_str(&got), str_c(want));
    }
}

#define ID "answer 29f14a5a-11de-4cae-9800-25e4747408ea \n"

static void streams(void) {
    expect_stream("text", ID "begin 0.0 text  \ndelta 0.0 Wasser \ndelta 0.0 strömt 🌊\\n\\\"hier\\\"\n"
                             "citation 0.0 {\"type\":\"search_result_location\",\"cited_text\":\"Wasser\","
                             "\"source\":\"doc:0\",\"title\":\"Tides\"}\n"
                             "citation 0.0 {\"type\":\"web_search_result_location\",\"cited_text\":\"st\","
                             "\"url\":\"https://x.example/tide\",\"title\":\"T\"}\n"
                             "end 0.0\nusage 7 9\nfinish 0 stop \nover\n");
    expect_stream("tools", ID "begin 0.0 thinking  \ndelta 0.0 I will\ndelta 0.0  look.\nend 0.0\n"
                              "begin 0.1 call weather_nsz5 weather\ndelta 0.1 {\\n  \\\"city\\\"\n"
                              "delta 0.1 : \\\"Zürich\\\"}\nend 0.1\nbegin 0.2 call now_1 now\ndelta 0.2 {}\nend 0.2\n"
                              "usage 20 30\nfinish 0 tools \nover\n");
    expect_stream("thinking", ID "begin 0.0 thinking  \ndelta 0.0 The tide\nend 0.0\nbegin 0.1 text  \ndelta 0.1 Low.\n"
                                 "end 0.1\nusage 3 4\nfinish 0 length \nover\n");
    expect_stream("error", ID "begin 0.0 text  \ndelta 0.0 One\nfail 500 internal \\\"failure\\\"\nover\n");
    expect_stream("cut", ID "begin 0.0 text  \ndelta 0.0 One\nend 0.0\nfinish 0 stop \nover\n");
}

static void what_is_no_stream_is_refused(void) {
    static const char *const bad[] = {"data: no\n\n", "data: [1]\n\n",
                                      "data: {\"type\":\"content-delta\",\"index\":-1}\n\n",
                                      "data: {\"type\":\"content-delta\",\"index\":100001}\n\n"};
    struct err err;
    BUF_AUTO struct buf got = BUF_INIT(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!decode(str_c(bad[i]), 1, &got, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    }
}

// --- whole ---

static void whole_answers(void) {
    struct event_text text;
    struct err err;
    event_text_init(&text);
    REQUIRE(cohere()->decode_answer(
        STR("{\"id\":\"i\",\"finish_reason\":\"TOOL_CALL\",\"message\":{\"role\":\"assistant\",\"tool_plan\":\"p\","
            "\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"citations\":[{\"text\":\"c\"}],\"tool_calls\":[{\"id\":"
            "\"x\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
            "\"usage\":{\"tokens\":{\"input_tokens\":3.0,\"output_tokens\":4}}}"),
        &g_arena, &text.sink, &err));
    CHECK_STR(buf_str(&text.text),
              STR("answer i \nbegin 0.0 thinking  \ndelta 0.0 p\nend 0.0\nbegin 0.1 text  \ndelta 0.1 a\ncitation 0.1 "
                  "{\"type\":\"search_result_location\",\"cited_text\":\"c\"}\nend 0.1\nbegin 0.2 call x f\n"
                  "delta 0.2 {}\nend 0.2\nusage 3 4\nfinish 0 tools \n"));
    CHECK(!cohere()->decode_answer(STR("{\"id\":\"i\"}"), &g_arena, &text.sink, &err));
    CHECK(!cohere()->decode_answer(STR("{\"message\":{\"content\":[1]}}"), &g_arena, &text.sink, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    buf_free(&text.text);
}

static void failures(void) {
    struct chat_failure f;
    BUF_AUTO struct buf out = BUF_INIT(1024);
    REQUIRE(cohere()->read_failure(STR("{\"message\":\"too many tokens: size limit exceeded\"}"), 400, &g_arena, &f));
    CHECK_INT(f.kind, CHAT_FAIL_CONTEXT_LENGTH);
    cohere()->put_failure(&f, STR("req_1"), &out);
    CHECK_STR(buf_str(&out), STR("{\"id\":\"req_1\",\"message\":\"too many tokens: size limit exceeded\"}"));
    CHECK(!cohere()->read_failure(STR("{}"), 400, &g_arena, &f));
}

static void embeddings(void) {
    struct embed_input inputs[] = {{.text = STR_INIT("\"a\"")}, {.text = STR_INIT("\"b\"")}};
    struct embed_request q = {.inputs = inputs, .count = 2, .dimensions = 256, .truncate = STR("true")};
    struct chat_target target = {.model = STR("embed-v4.0")};
    struct chat_report report = {0};
    struct embed_answer a;
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT(4096);
    REQUIRE(cohere()->embed->write(&q, &target, &g_arena, &out, &report, &err));
    CHECK_STR(buf_str(&out), STR("{\"model\":\"embed-v4.0\",\"texts\":[\"a\",\"b\"],\"input_type\":\"search_document\","
                                 "\"embedding_types\":[\"float\"],\"output_dimension\":256,\"truncate\":\"END\"}"));
    CHECK_INT(cohere()->embed->max_inputs, 96);
    REQUIRE(cohere()->embed->read_answer(
        STR("{\"id\":\"i\",\"embeddings\":{\"float\":[[1],[2]]},\"meta\":{\"billed_units\":"
            "{\"input_tokens\":2}}}"),
        &g_arena, &a, &err));
    CHECK_INT(a.count, 2);
    CHECK_INT(a.usage.prompt, 2);
    CHECK(!a.base64);
    REQUIRE(cohere()->embed->read_answer(STR("{\"embeddings\":{\"base64\":[\"AA==\"]}}"), &g_arena, &a, &err));
    CHECK(a.base64);
    CHECK(!cohere()->embed->read_answer(STR("{\"embeddings\":[]}"), &g_arena, &a, &err));
    CHECK(!cohere()->embed->read_answer(STR("{\"embeddings\":{\"float\":[1]}}"), &g_arena, &a, &err));
    inputs[0] = (struct embed_input){.tokens = STR("[1]")};
    CHECK(!cohere()->embed->write(&q, &target, &g_arena, &out, &report, &err));
    CHECK_STR(str_c(err.param), STR("input"));
}

// --- rerankings ---

static bool read_rerank(const struct dialect_ops *ops, const char *body, struct rerank_request *out, struct err *err) {
    struct model_request_in in = {.operation = OPERATION_RERANK, .body = str_c(body), .depth = 64};
    struct model_request q;
    return ops->peek(&in, &g_arena, &q, err) && ops->rerank->read(&q, &g_arena, out, err);
}

static void rerankings(void) {
    struct rerank_request q;
    struct rerank_answer a;
    struct chat_reply reply = {.id = STR("0000g"), .model = STR("m"), .prompt_estimate = 6};
    struct chat_target target = {.model = STR("rerank-v3.5")};
    struct chat_report report = {0};
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT(4096);
    REQUIRE(read_rerank(openai(),
                        "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"},{\"x\":1}],"
                        "\"top_n\":2,\"return_documents\":true,\"rank_fields\":[\"x\"]}",
                        &q, &err));
    CHECK_INT(q.count, 3);
    CHECK_STR(q.others[0], STR("rank_fields"));
    REQUIRE(cohere()->rerank->write(&q, &target, &g_arena, &out, &report, &err));
    CHECK_STR(buf_str(&out),
              STR("{\"model\":\"rerank-v3.5\",\"query\":\"q\",\"documents\":[\"a\",\"b\",\"{\\\"x\\\":1}\"],"
                  "\"top_n\":2}"));
    REQUIRE(
        cohere()->rerank->read_answer(STR("{\"id\":\"i\",\"results\":[{\"index\":1,\"relevance_score\":0.9},"
                                          "{\"index\":0,\"relevance_score\":1e-3},{\"index\":7,\"relevance_score\":0}],"
                                          "\"meta\":{\"billed_units\":{\"search_units\":1}}}"),
                                      &g_arena, &a, &err));
    CHECK_INT(a.search_units, 1);
    buf_clear(&out);
    openai()->rerank->put_answer(&a, &q, &reply, &out);
    CHECK_STR(
        buf_str(&out),
        STR("{\"id\":\"0000g\",\"object\":\"list\",\"model\":\"m\",\"results\":[{\"index\":1,\"relevance_score\":0.9,"
            "\"document\":{\"text\":\"b\"}},{\"index\":0,\"relevance_score\":1e-3,\"document\":{\"text\":\"a\"}}],"
            "\"usage\":{\"prompt_tokens\":6,\"total_tokens\":6},\"meta\":{\"api_version\":{\"version\":\"2\"},"
            "\"billed_units\":{\"search_units\":1}}}"));
    q.return_documents = false;
    q.top_n = 0;
    REQUIRE(openai()->rerank->read_answer(STR("{\"results\":[{\"index\":1,\"relevance_score\":0.9}],\"usage\":"
                                              "{\"total_tokens\":15}}"),
                                          &g_arena, &a, &err));
    CHECK_INT(a.usage.prompt, 15);
    buf_clear(&out);
    cohere()->rerank->put_answer(&a, &q, &reply, &out);
    CHECK_STR(buf_str(&out), STR("{\"id\":\"0000g\",\"results\":[{\"index\":1,\"relevance_score\":0.9}],\"meta\":"
                                 "{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"input_tokens\":15}}}"));
}

static void wrong_rerankings(void) {
    static const struct {
        const char *body, *param;
    } cases[] = {{"{\"model\":\"m\",\"documents\":[\"a\"]}", "query"},
                 {"{\"model\":\"m\",\"query\":\"q\"}", "documents"},
                 {"{\"model\":\"m\",\"query\":\"q\",\"documents\":[]}", "documents"},
                 {"{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",7]}", "documents[1]"},
                 {"{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":0}", "top_n"},
                 {"{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":\"1\"}", "top_n"},
                 {"{\"model\":\"\",\"query\":\"q\",\"documents\":[\"a\"]}", "model"}};
    struct rerank_request q;
    struct rerank_answer a;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        CHECK(!read_rerank(cohere(), cases[i].body, &q, &err));
        CHECK_STR(str_c(err.param), str_c(cases[i].param));
        CHECK_INT(err.status, 400);
    }
    static const char *const bad[] = {"{}",
                                      "{\"results\":[1]}",
                                      "{\"results\":[{\"index\":-1,\"relevance_score\":1}]}",
                                      "{\"results\":[{\"index\":0,\"relevance_score\":\"x\"}]}",
                                      "[]",
                                      "x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        CHECK(!cohere()->rerank->read_answer(str_c(bad[i]), &g_arena, &a, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
        CHECK(!openai()->rerank->read_answer(str_c(bad[i]), &g_arena, &a, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    }
}

static void begin(void) { arena_init(&g_arena, NULL, 0, SIZE_MAX); }
static void end(void) { arena_free(&g_arena); }

TEST_MAIN(begin, a_plain_request, tools_plans_and_results, thinking_and_schema, streams, what_is_no_stream_is_refused,
          whole_answers, failures, embeddings, rerankings, wrong_rerankings, end)
