// Ollama's dialect: requests read and written, streams and answers both ways, embeddings, failures.
#include "stream_check.h"

#include "base/json_write.h"
#include "model/embed.h"
#include "model/provider.h"

#include <inttypes.h>

static struct arena g_arena; // emptied by each case
static const struct dialect_ops *ollama(void) { return dialect_get(DIALECT_OLLAMA); }
static const struct dialect_ops *generate(void) { return dialect_get(DIALECT_OLLAMA_GENERATE); }

static bool peek_as(const struct dialect_ops *ops, enum operation operation, const char *body,
                    struct model_request *out, struct err *err) {
    struct model_request_in in = {.operation = operation, .body = str_c(body), .depth = 64};
    return ops->peek(&in, &g_arena, out, err);
}

static bool read_as(const struct dialect_ops *ops, const char *body, struct chat *out, struct err *err) {
    struct model_request q;
    return peek_as(ops, OPERATION_CHAT, body, &q, err) && ops->read(&q, &g_arena, out, err);
}

static void expect_fault(const struct dialect_ops *ops, const char *body, const char *param) {
    struct chat chat;
    struct err err = {0};
    CHECK(!read_as(ops, body, &chat, &err));
    CHECK_STR(str_c(err.param), str_c(param));
    CHECK_INT(err.status, 400);
}

static void peek_tells_what_routing_needs(void) {
    struct model_request q;
    struct err err;
    CHECK(peek_as(ollama(), OPERATION_CHAT, " {\"model\":\"a\\u0062\",\"messages\":[]} ", &q, &err));
    CHECK_STR(q.model, STR("ab"));
    CHECK(q.stream);
    CHECK_INT(q.max_output, 0);
    CHECK(peek_as(ollama(), OPERATION_CHAT,
                  "{\"model\":\"m\",\"messages\":[],\"stream\":false,\"options\":{\"num_predict\":12}}", &q, &err));
    CHECK(!q.stream);
    CHECK_INT(q.max_output, 12);
    CHECK(peek_as(generate(), OPERATION_CHAT, "{\"model\":\"m\",\"prompt\":\"x\",\"options\":{\"num_predict\":-1}}", &q,
                  &err));
    CHECK_INT(q.max_output, 0);
    CHECK_INT(q.dialect, DIALECT_OLLAMA_GENERATE);
    CHECK(peek_as(ollama(), OPERATION_EMBEDDINGS, "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", &q, &err));
    CHECK_INT(q.inputs, 2);
    CHECK(!q.stream);
    CHECK(!peek_as(ollama(), OPERATION_CHAT, "", &q, &err));
    CHECK(!peek_as(ollama(), OPERATION_CHAT, "{\"messages\":[]}", &q, &err));
    CHECK_STR(str_c(err.param), STR("model"));
    CHECK(!peek_as(ollama(), OPERATION_CHAT, "{\"model\":\"\",\"messages\":[]}", &q, &err));
    CHECK(!peek_as(ollama(), OPERATION_CHAT, "{\"model\":\"m\",\"messages\":{}}", &q, &err));
    CHECK(!peek_as(ollama(), OPERATION_CHAT, "{\"model\":\"m\",\"messages\":[]", &q, &err));
}

static void a_chat_is_read(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_as(
        ollama(),
        "{\"model\":\"m\",\"keep_alive\":\"5m\",\"stream\":false,\"think\":\"high\",\"format\":{\"type\":\"object\"},"
        "\"options\":{\"temperature\":0.5,\"top_k\":40,\"num_ctx\":8192,\"num_predict\":99,\"min_p\":0.1,"
        "\"stop\":[\"a\",\"b\"]},\"messages\":["
        "{\"role\":\"system\",\"content\":\"Be \\\"brief\\\".\"},"
        "{\"role\":\"user\",\"content\":\"Look\",\"images\":[\"iVBORw0KGgoAAA\"]},"
        "{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\",\"tool_calls\":["
        "{\"function\":{\"name\":\"now\",\"arguments\":{}}},"
        "{\"function\":{\"name\":\"rain\",\"arguments\":{\"city\":\"Z\"}}}]},"
        "{\"role\":\"tool\",\"tool_name\":\"rain\",\"content\":\"no\"},"
        "{\"role\":\"tool\",\"content\":\"12:00\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"now\",\"description\":\"d\"}}],\"top_logprobs\":3}",
        &c, &err));
    CHECK_INT(c.count, 5);
    CHECK(!c.stream);
    CHECK_STR(c.turns[0].parts[0].text, STR("\"Be \\\"brief\\\".\""));
    CHECK_INT(c.turns[1].count, 2);
    CHECK_INT(c.turns[1].parts[0].kind, CHAT_IMAGE);
    CHECK_STR(c.turns[1].parts[0].media.mime, STR("image/png"));
    CHECK_INT(c.turns[2].count, 3);
    CHECK_INT(c.turns[2].parts[0].kind, CHAT_THINKING);
    CHECK_STR(c.turns[2].parts[2].args, STR("{\"city\":\"Z\"}"));
    // Results without ids go by the tool's name, then by order.
    CHECK_STR(c.turns[3].parts[0].id, c.turns[2].parts[2].id);
    CHECK_STR(c.turns[4].parts[0].id, c.turns[2].parts[1].id);
    CHECK_STR(c.turns[4].parts[0].name, STR("\"now\""));
    CHECK_INT(c.reasoning.effort, CHAT_EFFORT_HIGH);
    CHECK_INT(c.output, CHAT_OUTPUT_SCHEMA);
    CHECK_STR(c.sampling.temperature, STR("0.5"));
    CHECK_INT(c.max_output, 99);
    CHECK_INT(c.stop_count, 2);
    CHECK_INT(c.tool_count, 1);
    CHECK(!c.tools[0].schema.p);
    CHECK_INT(c.other_count, 2);
    CHECK_STR(c.others[0], STR("options.min_p"));
    CHECK_STR(c.others[1], STR("top_logprobs"));
}

static void a_single_prompt_is_read(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_as(generate(),
                    "{\"model\":\"m\",\"prompt\":\"Hi\",\"system\":\"S\",\"images\":[\"/9j/AA\"],\"context\":[1,2],"
                    "\"raw\":true,\"template\":\"\",\"suffix\":\"end\",\"think\":false,\"format\":\"json\"}",
                    &c, &err));
    CHECK_INT(c.count, 2);
    CHECK_INT(c.turns[0].role, CHAT_SYSTEM);
    CHECK_INT(c.turns[1].count, 2);
    CHECK_STR(c.turns[1].parts[1].text, STR("\"Hi\""));
    CHECK(c.stream);
    CHECK_INT(c.reasoning.effort, CHAT_EFFORT_NONE);
    CHECK_INT(c.output, CHAT_OUTPUT_JSON);
    CHECK_INT(c.other_count, 3);
    CHECK_STR(c.others[0], STR("suffix"));
    CHECK_STR(c.others[1], STR("raw"));
    CHECK_STR(c.others[2], STR("context"));
}

static void faults_are_named(void) {
    const char *const head = "{\"model\":\"m\",\"messages\":[";
    static const struct {
        const char *rest, *param;
    } cases[] = {
        {"]}", "messages"},
        {"1]}", "messages[0]"},
        {"{\"content\":\"x\"}]}", "messages[0].role"},
        {"{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"wizard\",\"content\":\"x\"}]}", "messages[1].role"},
        {"{\"role\":\"user\",\"content\":[]}]}", "messages[0].content"},
        {"{\"role\":\"user\",\"images\":[\"not an image\"]}]}", "messages[0].images"},
        {"{\"role\":\"user\",\"images\":[7]}]}", "messages[0].images"},
        {"{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{}}]}]}", "messages[0].tool_calls[0].function.name"},
        {"{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"n\",\"arguments\":[]}}]}]}",
         "messages[0].tool_calls[0].function.arguments"},
        {"{\"role\":\"user\"}],\"think\":\"maybe\"}", "think"},
        {"{\"role\":\"user\"}],\"format\":\"xml\"}", "format"},
        {"{\"role\":\"user\"}],\"options\":{\"temperature\":\"hot\"}}", "options.temperature"},
        {"{\"role\":\"user\"}],\"options\":{\"stop\":[1]}}", "options.stop"},
        {"{\"role\":\"user\"}],\"tools\":[{\"function\":{\"name\":1}}]}", "tools[0].function.name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = arena_printf(&g_arena, "%s%s", head, cases[i].rest);
        expect_fault(ollama(), arena_cstr(&g_arena, body), cases[i].param);
    }
    expect_fault(generate(), "{\"model\":\"m\"}", "prompt");
    expect_fault(generate(), "{\"model\":\"m\",\"prompt\":\"x\",\"context\":\"y\"}", "context");
    arena_free(&g_arena);
}

static void write_to(const char *body, struct buf *out, struct chat_report *report) {
    struct chat c;
    struct err err;
    struct chat_target target = {.model = STR("upstream")};
    REQUIRE(read_as(ollama(), body, &c, &err));
    REQUIRE(ollama()->write(&c, &target, &g_arena, out, report, &err));
    REQUIRE(json_validate(buf_str(out), 0, &err));
}

static void a_chat_is_written(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct chat_report report = {0};
    write_to(
        "{\"model\":\"m\",\"stream\":false,\"options\":{\"top_k\":4,\"num_predict\":9,\"min_p\":1},\"format\":\"json\","
        "\"think\":true,\"messages\":[{\"role\":\"user\",\"content\":\"a\\n\",\"images\":[\"iVBORw0KGgo\"]},"
        "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]"
        "},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"r\"}],"
        "\"tools\":[{\"function\":{\"name\":\"f\"}}]}",
        &out, &report);
    CHECK_STR(
        buf_str(&out),
        STR("{\"model\":\"upstream\",\"messages\":["
            "{\"role\":\"user\",\"content\":\"a\\n\",\"images\":[\"iVBORw0KGgo\"]},"
            "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\","
            "\"arguments\":{\"x\":1}}}]},"
            "{\"role\":\"tool\",\"content\":\"r\",\"tool_name\":\"f\",\"tool_call_id\":\"c1\"}],"
            "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":"
            "{\"type\":\"object\",\"properties\":{}}}}],\"format\":\"json\",\"think\":true,"
            "\"options\":{\"top_k\":4,\"num_predict\":9},\"stream\":false}"));
    CHECK_INT(report.count, 1);
    CHECK_STR(report.names[0], STR("options.min_p"));
}

static void what_ollama_cannot_be_told_is_reported(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct chat_report report = {0};
    struct err err;
    struct chat_target target = {.model = STR("u")};
    struct chat_part parts[] = {{.kind = CHAT_AUDIO, .media = {.data = STR_INIT("AA")}},
                                {.kind = CHAT_IMAGE, .media = {.url = STR_INIT("\"https://x\"")}},
                                {.kind = CHAT_TEXT, .text = STR_INIT("\"t\"")}};
    struct chat_turn turns[] = {{.role = CHAT_USER, .parts = parts, .count = 3, .name = STR_INIT("\"Ann\"")}};
    struct chat_tool tools[] = {{.name = STR_INIT("\"f\"")}};
    struct chat c = {.turns = turns,
                     .count = 1,
                     .tools = tools,
                     .tool_count = 1,
                     .tool_choice = CHAT_CHOICE_NONE,
                     .parallel_tools = 0,
                     .choices = 2,
                     .user = STR("\"u\""),
                     .logit_bias = STR("{}"),
                     .stream = true};
    REQUIRE(ollama()->write(&c, &target, &g_arena, &out, &report, &err));
    CHECK_STR(buf_str(&out), STR("{\"model\":\"u\",\"messages\":[{\"role\":\"user\",\"content\":\"t\"}],"
                                 "\"options\":{},\"stream\":true}"));
    static const struct str want[] = {STR_INIT("messages[].name"),
                                      STR_INIT("messages[].content[].input_audio"),
                                      STR_INIT("messages[].content[].image_url"),
                                      STR_INIT("parallel_tool_calls"),
                                      STR_INIT("user"),
                                      STR_INIT("n"),
                                      STR_INIT("logit_bias")};
    REQUIRE(report.count == ARRAY_LEN(want));
    for (size_t i = 0; i < report.count; i++) CHECK_STR(report.names[i], want[i]);
    arena_free(&g_arena);
}

// --- streams ---

static void replay(const char *file, const struct dialect_ops *to, struct buf *out, struct usage *usage) {
    struct err err;
    char path[128];
    BUF_AUTO struct buf data = BUF_INIT(1 << 20);
    snprintf(path, sizeof path, "tests/data/streams/ollama/%s", file);
    stream_load(path, &data);
    REQUIRE(stream_translate(ollama(), to, buf_str(&data), data.n, out, usage, &err));
    stream_check_lines(buf_str(out));
    stream_check_cuts(ollama(), to, buf_str(&data), buf_str(out));
}

#define HEAD "{\"model\":\"m\",\"created_at\":\"2023-11-14T22:13:20.000Z\","
#define TAIL(in, out)                                                                                                  \
    "\"done\":true,\"done_reason\":\"stop\",\"total_duration\":5000000,\"load_duration\":0,\"prompt_eval_count\":" in  \
    ",\"prompt_eval_duration\":0,\"eval_count\":" out ",\"eval_duration\":5000000}\n"
#define MESSAGE(rest) HEAD "\"message\":{\"role\":\"assistant\",\"content\":" rest

static void a_stream_with_thinking(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct usage usage;
    replay("chat.ndjson", ollama(), &out, &usage);
    CHECK_STR(buf_str(&out),
              STR(MESSAGE("\"\",\"thinking\":\"The user asks about “water”.\"},\"done\":false}\n") MESSAGE(
                  "\"\",\"thinking\":\" Short.\"},\"done\":false}\n") MESSAGE("\"Wasser \"},\"done\":false}\n")
                      MESSAGE("\"strömt \\ud83c\\udf0a\\n\"},\"done\":false}\n") MESSAGE("\"\"},") TAIL("26", "12")));
    CHECK_INT(usage.prompt, 26);
    CHECK_INT(usage.output, 12);
    buf_clear(&out);
    replay("chat.ndjson", generate(), &out, &usage);
    CHECK_STR(buf_str(&out),
              STR(HEAD "\"response\":\"\",\"thinking\":\"The user asks about “water”.\",\"done\":false}\n" HEAD
                       "\"response\":\"\",\"thinking\":\" Short.\",\"done\":false}\n" HEAD
                       "\"response\":\"Wasser \",\"done\":false}\n" HEAD
                       "\"response\":\"strömt \\ud83c\\udf0a\\n\",\"done\":false}\n" HEAD
                       "\"response\":\"\"," TAIL("26", "12")));
}

static void a_stream_with_parallel_tools(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    replay("tools.ndjson", ollama(), &out, NULL);
    CHECK_STR(buf_str(&out),
              STR(MESSAGE("\"Let me look.\"},\"done\":false}\n") MESSAGE(
                  "\"\",\"tool_calls\":[{\"id\":\"call_a1b2\",\"function\":{\"index\":0,\"name\":\"get_weather\","
                  "\"arguments\":{\"city\":\"Zürich \\\"Nord\\\"\",\"days\":[1, "
                  "2],\"unit\":\"\\u00b0C\"}}}]},\"done\":false}\n")
                      MESSAGE("\"\",\"tool_calls\":[{\"id\":\"call_2\",\"function\":{\"index\":1,\"name\":\"now\","
                              "\"arguments\":{}}}]},\"done\":false}\n") MESSAGE("\"\"},") TAIL("151", "40")));
}

static void a_stream_that_fails(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    replay("error.ndjson", ollama(), &out, NULL);
    CHECK_STR(
        buf_str(&out),
        STR(MESSAGE("\"One\"},\"done\":false}\n") "{\"error\":\"an error was encountered while running the model: "
                                                  "CUDA error: out of memory\"}\n"));
}

static void a_stream_that_breaks_off_still_ends(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    replay("cut.ndjson", ollama(), &out, NULL);
    CHECK(str_starts(buf_str(&out), STR(MESSAGE("\"cut\"},\"done\":false}\n"))));
    CHECK(str_find(buf_str(&out), STR("\"done\":true")) < out.n);
    CHECK(str_find(buf_str(&out), STR("eval_count")) == out.n);
}

static void what_is_no_stream_is_refused(void) {
    static const char *const bad[] = {"no json\n", "[1]\n", "{\"message\":{\"tool_calls\":[1]}}\n",
                                      "{\"model\":\"m\"\n"};
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!stream_translate(ollama(), ollama(), str_c(bad[i]), 1, &out, NULL, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    }
}

// Other dialects stream a call's arguments in pieces, and may be cut in the middle of them.
static void arguments_in_pieces_become_an_object(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct arena arena;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    struct chat_reply reply = {.model = STR("m"), .created = 1700000000, .arena = &arena};
    struct chat_sink *sink = arena_zalloc(&arena, ollama()->encoder_size);
    ollama()->encoder_init(sink, &reply, &out);
    static const struct chat_event events[] = {
        {.kind = CHAT_BEGIN},
        {.kind = CHAT_PART_BEGIN, .part_kind = CHAT_TOOL_CALL, .id = STR_INIT("i"), .name = STR_INIT("f")},
        {.kind = CHAT_DELTA, .text = STR_INIT("{\\\"a\\\":")},
        {.kind = CHAT_DELTA, .text = STR_INIT(" \\\"b\\\\n\\\"}")},
        {.kind = CHAT_PART_END},
        {.kind = CHAT_PART_BEGIN, .part = 1, .part_kind = CHAT_TOOL_CALL, .id = STR_INIT("j"), .name = STR_INIT("g")},
        {.kind = CHAT_DELTA, .part = 1, .text = STR_INIT("{\\\"cut")},
        {.kind = CHAT_PART_END, .part = 1},
        {.kind = CHAT_FINISH, .finish = CHAT_FINISH_LENGTH},
        {.kind = CHAT_END}};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) chat_emit(sink, &events[i]);
    stream_check_lines(buf_str(&out));
    CHECK(str_find(buf_str(&out), STR("\"arguments\":{\"a\": \"b\\n\"}")) < out.n);
    CHECK(str_find(buf_str(&out), STR("\"arguments\":{\"_invalid\":\"{\\\"cut\"}")) < out.n);
    CHECK(str_find(buf_str(&out), STR("\"done_reason\":\"length\"")) < out.n);
    arena_free(&arena);
}

// --- whole answers, failures, embeddings ---

static void a_whole_answer(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct usage usage;
    bool has_usage;
    struct err err;
    struct chat_reply reply = {.model = STR("m\"x"), .created = 1700000000, .elapsed_ns = 9, .arena = &g_arena};
    struct str body =
        STR("{\"model\":\"q\",\"created_at\":\"x\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi\\n\","
            "\"thinking\":\"t\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":"
            "{\"a\":\"\\\\\"}}}]},\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":3,"
            "\"eval_count\":4}");
    REQUIRE(translate_answer(ollama(), ollama(), &reply, body, &g_arena, &out, &usage, &has_usage, &err));
    CHECK_STR(
        buf_str(&out),
        STR("{\"model\":\"m\\\"x\",\"created_at\":\"2023-11-14T22:13:20.000Z\",\"message\":{\"role\":\"assistant\","
            "\"content\":\"Hi\\n\",\"thinking\":\"t\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"index\":0,"
            "\"name\":\"f\",\"arguments\":{\"a\":\"\\\\\"}}}]},\"done\":true,\"done_reason\":\"length\","
            "\"total_duration\":9,\"load_duration\":0,\"prompt_eval_count\":3,\"prompt_eval_duration\":0,"
            "\"eval_count\":4,\"eval_duration\":9}"));
    CHECK(has_usage);
    CHECK_INT(usage.output, 4);
    arena_free(&g_arena);
}

static void failures(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct chat_failure f;
    REQUIRE(ollama()->read_failure(STR("{\"error\":\"model \\\"x\\\" not found\"}"), 404, &g_arena, &f));
    CHECK_INT(f.kind, CHAT_FAIL_NOT_FOUND);
    CHECK_STR(f.message, STR("model \\\"x\\\" not found"));
    ollama()->put_failure(&f, STR("r"), &out);
    CHECK_STR(buf_str(&out), STR("{\"error\":\"model \\\"x\\\" not found\"}"));
    CHECK(!ollama()->read_failure(STR("{\"error\":{}}"), 500, &g_arena, &f));
    CHECK(!ollama()->read_failure(STR("<html>"), 500, &g_arena, &f));
}

static void embeddings_both_ways(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct model_request q;
    struct embed_request e;
    struct embed_answer a;
    struct err err;
    struct chat_report report = {0};
    struct chat_target target = {.model = STR("u")};
    struct chat_reply reply = {.model = STR("m"), .elapsed_ns = 7};
    REQUIRE(peek_as(ollama(), OPERATION_EMBEDDINGS,
                    "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"truncate\":true,\"dimensions\":8,\"x\":1}", &q, &err));
    REQUIRE(ollama()->embed->read(&q, &g_arena, &e, &err));
    CHECK_INT(e.count, 2);
    CHECK(!e.single);
    REQUIRE(ollama()->embed->write(&e, &target, &g_arena, &out, &report, &err));
    CHECK_STR(buf_str(&out), STR("{\"model\":\"u\",\"input\":[\"a\",\"b\"],\"dimensions\":8,\"truncate\":true}"));
    CHECK_INT(report.count, 1);
    REQUIRE(ollama()->embed->read_answer(STR("{\"embeddings\":[[1,2],[3,4e-1]],\"prompt_eval_count\":5}"), &g_arena, &a,
                                         &err));
    CHECK_INT(a.count, 2);
    CHECK_INT(a.usage.prompt, 5);
    buf_clear(&out);
    ollama()->embed->put_answer(&a, &e, &reply, &out);
    CHECK_STR(buf_str(&out), STR("{\"model\":\"m\",\"embeddings\":[[1,2],[3,4e-1]],\"total_duration\":7,"
                                 "\"load_duration\":0,\"prompt_eval_count\":5}"));
    // Where the provider has not counted, it is an estimate.
    a.has_usage = false;
    reply.prompt_estimate = 9;
    buf_clear(&out);
    ollama()->embed->put_answer(&a, &e, &reply, &out);
    CHECK(str_ends(buf_str(&out), STR("\"prompt_eval_count\":9}")));
    REQUIRE(peek_as(generate(), OPERATION_EMBEDDINGS, "{\"model\":\"m\",\"prompt\":\"a\"}", &q, &err));
    REQUIRE(generate()->embed->read(&q, &g_arena, &e, &err));
    CHECK(e.single);
    buf_clear(&out);
    generate()->embed->put_answer(&a, &e, &reply, &out);
    CHECK_STR(buf_str(&out), STR("{\"embedding\":[1,2]}"));
    CHECK(!ollama()->embed->read_answer(STR("{\"embeddings\":[1]}"), &g_arena, &a, &err));
    CHECK(!ollama()->embed->read_answer(STR("{}"), &g_arena, &a, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    REQUIRE(peek_as(ollama(), OPERATION_EMBEDDINGS, "{\"model\":\"m\",\"input\":[\"a\",3]}", &q, &err));
    CHECK(!ollama()->embed->read(&q, &g_arena, &e, &err));
    CHECK_STR(str_c(err.param), STR("input[1]"));
    REQUIRE(peek_as(ollama(), OPERATION_EMBEDDINGS, "{\"model\":\"m\",\"input\":[]}", &q, &err));
    CHECK(!ollama()->embed->read(&q, &g_arena, &e, &err));
    arena_free(&g_arena);
}

static void a_long_list_is_read_in_no_time(void) {
    // Ten thousand calls answered in the reverse order: pairing them must not take their square.
    BUF_AUTO struct buf body = BUF_INIT(1 << 24);
    struct chat c;
    struct err err;
    buf_lit(&body, "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[");
    for (int i = 0; i < 10000; i++) buf_printf(&body, "%s{\"function\":{\"name\":\"f%d\"}}", i ? "," : "", i);
    buf_lit(&body, "]}");
    for (int i = 9999; i >= 0; i--)
        buf_printf(&body, ",{\"role\":\"tool\",\"tool_name\":\"f%d\",\"content\":\"r\"}", i);
    buf_lit(&body, "]}");
    REQUIRE(read_as(ollama(), buf_cstr(&body), &c, &err));
    CHECK_INT(c.count, 10001);
    arena_free(&g_arena);
}

static void begin(void) { arena_init(&g_arena, NULL, 0, SIZE_MAX); }
static void end(void) { arena_free(&g_arena); }

TEST_MAIN(begin, peek_tells_what_routing_needs, a_chat_is_read, a_single_prompt_is_read, faults_are_named,
          a_chat_is_written, what_ollama_cannot_be_told_is_reported, a_stream_with_thinking,
          a_stream_with_parallel_tools, a_stream_that_fails, a_stream_that_breaks_off_still_ends,
          what_is_no_stream_is_refused, arguments_in_pieces_become_an_object, a_whole_answer, failures,
          embeddings_both_ways, a_long_list_is_read_in_no_time, end)
