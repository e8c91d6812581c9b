// Requests in Anthropic's dialect: what routing sees, what is read of them, what is refused and why, and the bytes that
// change for a provider of the same dialect.
#include "check.h"
#include "model/anthropic/anthropic.h"

#include <stdlib.h>

#define ROOM ((size_t)1 << 22)
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static struct arena new_arena(void) {
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    return arena;
}

static bool peek(const char *body, enum operation operation, struct arena *arena, struct model_request *q,
                 struct err *err) {
    const struct model_request_in in = {.operation = operation, .body = str_c(body), .depth = 20};
    return anthropic_peek(&in, arena, q, err);
}

static bool read(const char *body, struct arena *arena, struct chat *chat, struct err *err) {
    struct model_request q;
    return peek(body, OPERATION_CHAT, arena, &q, err) && anthropic_read(&q, arena, chat, err);
}

static void test_peek(void) {
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    REQUIRE(peek(" {\"model\":\"cl\\u0061ude\",\"max_tokens\":12,\"stream\":true," HI ",\"strict\":true}\n",
                 OPERATION_CHAT, &arena, &q, &err));
    CHECK_STR(q.model, STR("claude"));
    CHECK_STR(q.model_raw, STR("\"cl\\u0061ude\""));
    CHECK_STR(q.input, STR("[{\"role\":\"user\",\"content\":\"hi\"}]"));
    CHECK_STR(q.strict, STR("true"));
    CHECK(q.stream && q.max_output == 12 && q.dialect == DIALECT_ANTHROPIC && !q.wants_usage);
    REQUIRE(peek("{\"model\":\"c\",\"stream\":true," HI "}", OPERATION_COUNT_TOKENS, &arena, &q, &err));
    CHECK(!q.stream && !q.max_output);
    static const struct {
        const char *body;
        enum err_code code;
        const char *param;
    } k_wrong[] = {
        {"", ERR_INVALID_JSON, ""},
        {"{", ERR_INVALID_JSON, ""},
        {"[]", ERR_INVALID_FIELD, ""},
        {"{" HI "}", ERR_MISSING_FIELD, "model"},
        {"{\"model\":7," HI "}", ERR_INVALID_FIELD, "model"},
        {"{\"model\":\"\"," HI "}", ERR_INVALID_FIELD, "model"},
        {"{\"model\":\"c\"}", ERR_MISSING_FIELD, "messages"},
        {"{\"model\":\"c\",\"messages\":{}}", ERR_INVALID_FIELD, "messages"},
        {"{\"model\":\"c\",\"stream\":1," HI "}", ERR_INVALID_FIELD, "stream"},
        {"{\"model\":\"c\",\"max_tokens\":\"9\"," HI "}", ERR_INVALID_FIELD, "max_tokens"},
        {"{\"model\":\"c\",\"x\":[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]," HI "}", ERR_INVALID_JSON, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_wrong); i++) {
        CHECK(!peek(k_wrong[i].body, OPERATION_CHAT, &arena, &q, &err));
        CHECK_INT(err.code, k_wrong[i].code);
        if (k_wrong[i].param[0]) CHECK_STR(str_c(err.param), str_c(k_wrong[i].param));
    }
    arena_free(&arena);
}

static void check_rewrite(const char *body, enum operation operation, const char *model, uint64_t max,
                          const char *want) {
    struct arena arena = new_arena();
    struct str slices[JSON_EDIT_SLICES_MAX];
    struct buf out = BUF_INIT(ROOM);
    struct model_request q;
    struct err err;
    size_t n;
    REQUIRE(peek(body, operation, &arena, &q, &err));
    const struct chat_target target = {.model = str_c(model), .max_output = max};
    REQUIRE(anthropic_rewrite(&q, &target, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
    arena_free(&arena);
}

// Trap 20: nothing but these spans changes. Trap 12: so the cached prefix stays as it was.
static void test_rewrite(void) {
    check_rewrite("{ \"max_tokens\" : 5, \"model\" : \"a\" , " HI "}", OPERATION_CHAT, "a", 0,
                  "{ \"max_tokens\" : 5, \"model\" : \"a\" , " HI "}");
    check_rewrite("{ \"max_tokens\" : 5, \"model\" : \"a\" , " HI "}", OPERATION_CHAT, "claude-x", 0,
                  "{ \"max_tokens\" : 5, \"model\" : \"claude-x\" , " HI "}");
    check_rewrite("{\"model\":\"a\"," HI "}", OPERATION_CHAT, "a", 99, "{\"max_tokens\":99,\"model\":\"a\"," HI "}");
    check_rewrite("{\"model\":\"a\"," HI "}", OPERATION_CHAT, "claude-3-haiku-20240307", 0,
                  "{\"max_tokens\":4096,\"model\":\"claude-3-haiku-20240307\"," HI "}");
    check_rewrite("{\"model\":\"a\"," HI ",\"max_tokens\":null}", OPERATION_CHAT, "a", 99,
                  "{\"model\":\"a\"," HI ",\"max_tokens\":99}");
    check_rewrite("{\"model\":\"a\"," HI ",\"max_tokens\":0}", OPERATION_CHAT, "a", 99,
                  "{\"model\":\"a\"," HI ",\"max_tokens\":0}");
    check_rewrite("{\"strict\":true,\"model\":\"a\"," HI ",\"max_tokens\":1}", OPERATION_CHAT, "a", 0,
                  "{\"model\":\"a\"," HI ",\"max_tokens\":1}");
    check_rewrite("{\"model\":\"a\"," HI "}", OPERATION_COUNT_TOKENS, "b", 9, "{\"model\":\"b\"," HI "}");
}

// --- what is read ---

static void test_options(void) {
    struct arena arena = new_arena();
    struct chat c;
    struct err err;
    REQUIRE(read("{\"model\":\"c\",\"max_tokens\":9,\"stream\":true," HI ",\"system\":\"s\",\"temperature\":0.50,"
                 "\"top_p\":0.9,\"top_k\":4,\"stop_sequences\":[\"a\",\"b\"],\"metadata\":{\"user_id\":\"u\",\"x\":1},"
                 "\"service_tier\":\"auto\",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":6000},"
                 "\"output_config\":{\"effort\":\"xhigh\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"a\":1}}},"
                 "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true},"
                 "\"tools\":[{\"type\":\"custom\",\"name\":\"f\",\"description\":\"d\",\"strict\":true,"
                 "\"input_schema\":{\"type\":\"object\"},\"cache_control\":{\"type\":\"ephemeral\"}},"
                 "{\"type\":\"bash_20250124\",\"name\":\"bash\"}]}",
                 &arena, &c, &err));
    CHECK(c.stream && c.max_output == 9 && c.count == 2);
    CHECK(c.turns[0].role == CHAT_SYSTEM && c.turns[1].role == CHAT_USER);
    CHECK_STR(c.turns[0].parts[0].text, STR("\"s\""));
    CHECK_STR(c.sampling.temperature, STR("0.50"));
    CHECK_STR(c.sampling.top_p, STR("0.9"));
    CHECK_STR(c.sampling.top_k, STR("4"));
    CHECK(c.stop_count == 2);
    CHECK_STR(c.stop[1], STR("\"b\""));
    CHECK_STR(c.user, STR("\"u\""));
    CHECK_STR(c.service_tier, STR("\"auto\""));
    CHECK(c.reasoning.budget == 6000 && c.reasoning.effort == CHAT_EFFORT_MAX);
    CHECK(c.output == CHAT_OUTPUT_SCHEMA && c.output_strict == 1);
    CHECK_STR(c.output_schema, STR("{\"a\":1}"));
    CHECK(c.tool_choice == CHAT_CHOICE_ONE && c.parallel_tools == 0);
    CHECK_STR(c.tool_choice_name, STR("\"f\""));
    CHECK(c.tool_count == 2 && c.tools[0].strict == 1 && !c.tools[0].hosted.p);
    CHECK_STR(c.tools[0].cache_control, STR("{\"type\":\"ephemeral\"}"));
    CHECK_STR(c.tools[1].hosted, STR("{\"type\":\"bash_20250124\",\"name\":\"bash\"}"));
    CHECK_STR(c.tools[1].name, STR("\"bash\""));
    CHECK_INT(c.other_count, 1);
    CHECK_STR(c.others[0], STR("metadata.x"));
    arena_free(&arena);
}

static void test_thinking_words(void) {
    static const struct {
        const char *json;
        enum chat_effort effort;
        bool adaptive, hidden;
    } k_words[] = {{"{\"type\":\"disabled\"}", CHAT_EFFORT_NONE, false, false},
                   {"{\"type\":\"between_tools\"}", CHAT_EFFORT_NONE, false, false},
                   {"{\"type\":\"adaptive\",\"display\":\"omitted\"}", CHAT_EFFORT_UNSET, true, true},
                   {"{\"type\":\"enabled\",\"budget_tokens\":2048}", CHAT_EFFORT_LOW, false, false}};
    struct arena arena = new_arena();
    for (size_t i = 0; i < ARRAY_LEN(k_words); i++) {
        char body[300];
        struct chat c;
        struct err err;
        snprintf(body, sizeof body, "{\"model\":\"c\"," HI ",\"thinking\":%s}", k_words[i].json);
        REQUIRE(read(body, &arena, &c, &err));
        CHECK_INT(c.reasoning.effort, k_words[i].effort);
        CHECK(c.reasoning.adaptive == k_words[i].adaptive && c.reasoning.hidden == k_words[i].hidden);
    }
    arena_free(&arena);
}

static void test_content(void) {
    struct arena arena = new_arena();
    struct chat c;
    struct err err;
    REQUIRE(read(
        "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"text\",\"text\":\"t\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}},"
        "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AA\\/A\"}},"
        "{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f1\"}},"
        "{\"type\":\"document\",\"title\":\"T\",\"context\":\"C\",\"citations\":{\"enabled\":true},\"source\":{"
        "\"type\":\"text\","
        "\"media_type\":\"text/plain\",\"data\":\"D\"}},"
        "{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
        "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"http://x\"}},{\"type\":\"text\",\"text\":\"b\"}]}},"
        "{\"type\":\"search_result\",\"source\":\"https://"
        "s\",\"title\":\"T\",\"content\":[{\"type\":\"text\",\"text\":\"r\"}]},"
        "{\"type\":\"container_upload\",\"file_id\":\"f\"}]},"
        "{\"role\":\"assistant\",\"content\":["
        "{\"type\":\"thinking\",\"thinking\":\"h\",\"signature\":\"S\"},{\"type\":\"redacted_thinking\",\"data\":\"R\"}"
        ","
        "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}},"
        "{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"f\",\"input\":{ \"a\" : 1.0 "
        "},\"caller\":{\"type\":\"direct\"}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\",\"is_error\":true,\"content\":"
        "["
        "{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"u\"}}]}]}]}",
        &arena, &c, &err));
    REQUIRE(c.count == 3 && c.turns[0].count == 7);
    const struct chat_part *p = c.turns[0].parts;
    CHECK_STR(p[0].cache_control, STR("{\"type\":\"ephemeral\",\"ttl\":\"1h\"}"));
    CHECK_STR(p[1].media.mime, STR("image/png"));
    CHECK_STR(p[1].media.data, STR("AA/A"));
    CHECK_STR(p[2].media.file_id, STR("\"f1\""));
    CHECK(p[3].kind == CHAT_FILE);
    CHECK_STR(p[3].media.text, STR("\"D\""));
    CHECK_STR(p[3].media.name, STR("\"T\""));
    CHECK_STR(p[4].media.text, STR("\"a\\nb\""));
    CHECK(p[5].kind == CHAT_IMAGE);
    CHECK_STR(p[5].media.url, STR("\"http://x\""));
    CHECK_STR(p[6].text, STR("\"T\\nhttps://s\\nr\""));
    p = c.turns[1].parts;
    REQUIRE(c.turns[1].count == 3);
    CHECK_STR(p[0].signature, STR("\"S\""));
    CHECK(p[1].kind == CHAT_REDACTED_THINKING);
    CHECK_STR(p[1].text, STR("\"R\""));
    CHECK_STR(p[2].args, STR("{ \"a\" : 1.0 }"));
    p = c.turns[2].parts;
    CHECK(p[0].kind == CHAT_TOOL_RESULT && p[0].is_error && p[0].count == 2);
    CHECK_STR(p[0].parts[0].text, STR("\"x\""));
    // What other dialects have no word for is named.
    static const char *const k_others[] = {"messages[].content[].context", "messages[].content[].container_upload",
                                           "messages[].content[].server_tool_use"};
    CHECK_INT(c.other_count, ARRAY_LEN(k_others));
    for (size_t i = 0; i < ARRAY_LEN(k_others) && i < c.other_count; i++) CHECK_STR(c.others[i], str_c(k_others[i]));
    arena_free(&arena);
}

static void test_unknown_members_are_named(void) {
    struct arena arena = new_arena();
    struct chat c;
    struct err err;
    REQUIRE(read("{\"model\":\"c\",\"container\":\"x\",\"mcp_servers\":[],\"context_management\":{},\"betas\":[\"b\"],"
                 "\"inference_geo\":null,\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"id\":1},"
                 "{\"role\":\"user\",\"content\":\"a\",\"id\":1}],\"strict\":false}",
                 &arena, &c, &err));
    static const char *const k_names[] = {"container", "mcp_servers", "context_management", "betas", "messages[].id"};
    CHECK_INT(c.other_count, ARRAY_LEN(k_names));
    for (size_t i = 0; i < ARRAY_LEN(k_names) && i < c.other_count; i++) CHECK_STR(c.others[i], str_c(k_names[i]));
    arena_free(&arena);
}

// --- what is refused ---

static const struct {
    const char *rest;
    enum err_code code;
    const char *param;
} k_wrong[] = {
    {"\"messages\":[]", ERR_INVALID_FIELD, "messages"},
    {"\"messages\":[7]", ERR_INVALID_FIELD, "messages[0]"},
    {"\"messages\":[{\"content\":\"a\"}]", ERR_MISSING_FIELD, "messages[0].role"},
    {"\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]", ERR_INVALID_FIELD, "messages[0].role"},
    {"\"messages\":[{\"role\":\"user\"}]", ERR_MISSING_FIELD, "messages[0].content"},
    {"\"messages\":[{\"role\":\"user\",\"content\":{}}]", ERR_INVALID_FIELD, "messages[0].content"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[\"a\"]}]", ERR_INVALID_FIELD, "messages[0].content[0]"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{}]}]", ERR_INVALID_FIELD, "messages[0].content[0].type"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", ERR_MISSING_FIELD,
     "messages[0].content[0].text"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":1}]}]", ERR_INVALID_FIELD,
     "messages[0].content[0].text"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"text\":\"b\"}]}]",
     ERR_INVALID_FIELD, "messages[0].content[0].text"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\"}}]}]",
     ERR_INVALID_FIELD, "messages[0].content[0].source"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]", ERR_MISSING_FIELD,
     "messages[0].content[0].source"},
    {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\",\"content\":[{"
     "\"type\":"
     "\"text\"}]}]}]",
     ERR_MISSING_FIELD, "messages[0].content[0].content[0].text"},
    {"\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"f\",\"input\":"
     "\"{}\"}]}]",
     ERR_INVALID_FIELD, "messages[0].content[0].input"},
    {HI ",\"system\":7", ERR_INVALID_FIELD, "system"},
    {HI ",\"system\":[{\"type\":\"text\"}]", ERR_MISSING_FIELD, "system.content[0].text"},
    {HI ",\"tools\":{}", ERR_INVALID_FIELD, "tools"},
    {HI ",\"tools\":[1]", ERR_INVALID_FIELD, "tools[0]"},
    {HI ",\"tools\":[{\"name\":\"f\"}]", ERR_MISSING_FIELD, "tools[0].input_schema"},
    {HI ",\"tool_choice\":\"auto\"", ERR_INVALID_FIELD, "tool_choice"},
    {HI ",\"tool_choice\":{\"type\":\"required\"}", ERR_INVALID_FIELD, "tool_choice.type"},
    {HI ",\"tool_choice\":{\"type\":\"tool\"}", ERR_INVALID_FIELD, "tool_choice.name"},
    {HI ",\"thinking\":{\"type\":\"enabled\"}", ERR_INVALID_FIELD, "thinking.budget_tokens"},
    {HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1000}", ERR_INVALID_FIELD, "thinking.budget_tokens"},
    {HI ",\"thinking\":{\"type\":\"on\"}", ERR_INVALID_FIELD, "thinking.type"},
    {HI ",\"output_config\":{\"effort\":\"huge\"}", ERR_INVALID_FIELD, "output_config.effort"},
    {HI ",\"output_config\":{\"format\":{\"type\":\"text\",\"schema\":{}}}", ERR_INVALID_FIELD,
     "output_config.format.type"},
    {HI ",\"output_format\":{\"type\":\"json_schema\"}", ERR_MISSING_FIELD, "output_format.schema"},
    {HI ",\"stop_sequences\":[1]", ERR_INVALID_FIELD, "stop_sequences"},
    {HI ",\"metadata\":{\"user_id\":7}", ERR_INVALID_FIELD, "metadata.user_id"},
    {HI ",\"temperature\":\"1\"", ERR_INVALID_FIELD, "temperature"},
    {HI ",\"max_tokens\":1.5", ERR_INVALID_FIELD, "max_tokens"},
};

static void test_wrong(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_wrong); i++) {
        struct arena arena = new_arena();
        struct chat c;
        struct err err;
        char body[600];
        snprintf(body, sizeof body, "{\"model\":\"c\",%s}", k_wrong[i].rest);
        bool ok = read(body, &arena, &c, &err);
        if (ok) fprintf(stderr, "taken: %s\n", body);
        CHECK(!ok);
        if (!ok) CHECK_INT(err.code, k_wrong[i].code);
        if (!ok) CHECK_STR(str_c(err.param), str_c(k_wrong[i].param));
        arena_free(&arena);
    }
}

TEST_MAIN(test_peek, test_rewrite, test_options, test_thinking_words, test_content, test_unknown_members_are_named,
          test_wrong)
