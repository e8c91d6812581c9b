// Requests written for Anthropic: every trap that its API has, by name.
#include "check.h"
#include "model/anthropic/anthropic.h"

#include <stdlib.h>

#define ROOM ((size_t)1 << 20)
#define OLD "claude-3-5-sonnet-20241022"
#define MID "claude-sonnet-4-5"
#define NEW "claude-opus-4-8"
#define ALWAYS "claude-opus-5-5"

struct made {
    struct arena arena;
    struct chat chat;
    struct chat_report report;
    struct buf out;
    struct err err;
    bool ok;
};
typedef void tweak(struct chat *chat);

// Reads a request of the same dialect, changes what only others can say, and writes it for the model.
static struct made make(const char *model, const char *messages_and_more, tweak *change) {
    struct made m = {.ok = false};
    struct model_request q;
    char *body = malloc(ROOM);
    arena_init(&m.arena, NULL, 0, ROOM * 4);
    buf_init(&m.out, ROOM);
    snprintf(body, ROOM, "{\"model\":\"x\",%s}", messages_and_more);
    struct str text = arena_str(&m.arena, str_c(body));
    free(body);
    const struct model_request_in in = {.operation = OPERATION_CHAT, .body = text};
    if (!anthropic_peek(&in, &m.arena, &q, &m.err) || !anthropic_read(&q, &m.arena, &m.chat, &m.err)) {
        fprintf(stderr, "%s\n", m.err.message);
        REQUIRE(false);
    }
    if (change) change(&m.chat);
    const struct chat_target target = {.model = str_c(model)};
    m.ok = anthropic_write(&m.chat, &target, &m.arena, &m.out, &m.report, &m.err);
    struct err ignored;
    if (m.ok) CHECK(json_validate(buf_str(&m.out), 0, &ignored));
    return m;
}

static void drop(struct made *m) {
    buf_free(&m->out);
    arena_free(&m->arena);
}

// One member of what was written.
static struct str member(const struct made *m, const char *name) {
    struct str raw;
    struct str path[] = {str_c(name)};
    return json_get(buf_str(&m->out), path, 1, &raw) ? raw : STR("(none)");
}

static bool reported(const struct made *m, const char *name) {
    for (size_t i = 0; i < m->report.count; i++)
        if (str_eq(m->report.names[i], str_c(name))) return true;
    return false;
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define USER(content) "{\"role\":\"user\",\"content\":" content "}"
#define ASSISTANT(content) "{\"role\":\"assistant\",\"content\":" content "}"
#define SYSTEM(content) "{\"role\":\"system\",\"content\":" content "}"
#define TEXT(t) "{\"type\":\"text\",\"text\":\"" t "\"}"
#define CALL(id) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":{\"a\":1.50}}"
#define RESULT(id) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"content\":\"ok\"}"
#define TOOLS "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}]"

static void check_member(const char *model, const char *body, tweak *change, const char *name, const char *want) {
    struct made m = make(model, body, change);
    REQUIRE(m.ok);
    CHECK_STR(member(&m, name), str_c(want));
    drop(&m);
}

static void test_plain(void) {
    struct made m = make(MID, HI ",\"max_tokens\":10,\"stream\":true", NULL);
    REQUIRE(m.ok);
    CHECK_STR(buf_str(&m.out), STR("{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":10,\"stream\":true,\"messages\":[{"
                                   "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}"));
    CHECK_INT(m.report.count, 0);
    drop(&m);
}

// Trap 1.
static void test_system_is_joined(void) {
    check_member(MID, "\"system\":\"Be brief\"," HI, NULL, "system", "\"Be brief\"");
    check_member(MID, "\"messages\":[" SYSTEM("\"a\"") "," SYSTEM("\"b\"") "," USER("\"hi\"") "]", NULL, "system",
                 "[" TEXT("a") "," TEXT("b") "]");
    check_member(
        MID,
        "\"system\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]," HI,
        NULL, "system",
        "[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]");
}

static void test_system_amid_the_conversation(void) {
    static const char body[] = "\"messages\":[" USER("\"a\"") "," ASSISTANT("\"b\"") "," USER("\"c\"") "," SYSTEM(
        "\"now\"") "," ASSISTANT("\"d\"") "," SYSTEM("\"too early\"") "," USER("\"e\"") "]";
    // Older models take them at the top alone, and nothing else changes its place.
    check_member(MID, body, NULL, "system", "[" TEXT("now") "," TEXT("too early") "]");
    check_member(MID, body, NULL, "messages",
                 "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" TEXT("b") "]") "," USER("[" TEXT("c") "]") "," ASSISTANT(
                     "[" TEXT("d") "]") "," USER("[" TEXT("e") "]") "]");
    // Newer ones where a message of the user's is before it and one of the assistant's behind.
    check_member(NEW, body, NULL, "system", "\"too early\"");
    check_member(NEW, body, NULL, "messages",
                 "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" TEXT("b") "]") "," USER("[" TEXT("c") "]") "," SYSTEM(
                     "[" TEXT("now") "]") "," ASSISTANT("[" TEXT("d") "]") "," USER("[" TEXT("e") "]") "]");
}

static void test_system_alone_is_the_users(void) {
    check_member(MID, "\"messages\":[" SYSTEM("\"Write a poem\"") "]", NULL, "messages",
                 "[" USER("[" TEXT("Write a poem") "]") "]");
}

// Trap 2.
static void test_roles_alternate(void) {
    check_member(MID,
                 "\"messages\":[" USER("\"a\"") "," USER("\"b\"") "," ASSISTANT("\"c\"") "," ASSISTANT(
                     "\"d\"") "," USER("\"e\"") "]",
                 NULL, "messages",
                 "[" USER("[" TEXT("a") "," TEXT("b") "]") "," ASSISTANT("[" TEXT("c") "," TEXT("d") "]") "," USER(
                     "[" TEXT("e") "]") "]");
}

static void test_the_first_is_the_users(void) {
    check_member(MID, "\"messages\":[" ASSISTANT("\"a\"") "," USER("\"b\"") "]", NULL, "messages",
                 "[" USER("\"Continue.\"") "," ASSISTANT("[" TEXT("a") "]") "," USER("[" TEXT("b") "]") "]");
}

static void test_results_in_one_message_and_first(void) {
    check_member(MID,
                 TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT("[" CALL("t1") "," CALL("t2") "]") "," USER(
                     "[" RESULT("t1") "]") "," USER("\"and\"") "," USER("[" RESULT("t2") "]") "]",
                 NULL, "messages",
                 "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" CALL("t1") "," CALL("t2") "]") "," USER(
                     "[" RESULT("t1") "," RESULT("t2") "," TEXT("and") "]") "]");
}

static void test_empty_texts_are_left_out(void) {
    check_member(
        MID,
        "\"messages\":[" USER("\"a\"") "," ASSISTANT("\"\"") "," USER("[" TEXT("  \\n\\t") "," TEXT(
            "b") "]") "," ASSISTANT("[" TEXT("\\u0020\\u000a") "," TEXT("c") "]") "," USER("\"d\"") "]",
        NULL, "messages",
        "[" USER("[" TEXT("a") "," TEXT("b") "]") "," ASSISTANT("[" TEXT("c") "]") "," USER("[" TEXT("d") "]") "]");
    struct made m = make(MID, "\"messages\":[" USER("\" \"") "]", NULL);
    CHECK(!m.ok && m.err.code == ERR_INVALID_FIELD);
    CHECK_STR(str_c(m.err.param), STR("messages"));
    drop(&m);
}

static void test_white_space_at_the_end(void) {
    static const struct {
        const char *said, *want;
    } k_texts[] = {
        {"a \\n", "a"},   {"a\\\\n", "a\\\\n"}, {"a\\\\\\n", "a\\\\"}, {"a b\\u0020\\u000A ", "a b"}, {"\\\"", "\\\""},
        {"a\\t\\r", "a"}, {"a", "a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_texts); i++) {
        char body[200], want[200];
        snprintf(body, sizeof body, "\"messages\":[" USER("\"x\"") "," ASSISTANT("\"%s\"") "]", k_texts[i].said);
        snprintf(want, sizeof want, "[" USER("[" TEXT("x") "]") "," ASSISTANT("[" TEXT("%s") "]") "]", k_texts[i].want);
        check_member(MID, body, NULL, "messages", want);
    }
    // In the middle it stays.
    check_member(MID, "\"messages\":[" USER("\"x\"") "," ASSISTANT("\"a \"") "," USER("\"y \"") "]", NULL, "messages",
                 "[" USER("[" TEXT("x") "]") "," ASSISTANT("[" TEXT("a ") "]") "," USER("[" TEXT("y ") "]") "]");
}

// Trap 4: the arguments' bytes stay.
static void test_arguments_stay(void) {
    check_member(
        MID, TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT("[" CALL("t1") "]") "," USER("[" RESULT("t1") "]") "]",
        NULL, "messages",
        "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" CALL("t1") "]") "," USER("[" RESULT("t1") "]") "]");
}

static void test_calls_without_tools(void) {
    struct made m = make(MID,
                         "\"messages\":[" USER("\"a\"") "," ASSISTANT("[" CALL("t1") "," CALL("t2") "]") "," USER(
                             "[" RESULT("t1") "," RESULT("t2") "]") "]",
                         NULL);
    REQUIRE(m.ok);
    CHECK_STR(member(&m, "tools"), STR("[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}]"));
    CHECK_STR(member(&m, "tool_choice"), STR("{\"type\":\"none\"}"));
    drop(&m);
}

// Ids and names of other vendors.
static void test_ids_in_their_alphabet(void) {
    check_member(MID,
                 TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT("[" CALL("call:1|x") "]") "," USER(
                     "[" RESULT("call:1|x") "]") "]",
                 NULL, "messages",
                 "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" CALL("_enc_call_3a1_7cx") "]") "," USER(
                     "[" RESULT("_enc_call_3a1_7cx") "]") "]");
    static const char *const k_names[] = {"maps.route", "_enc_", "_enc_a_2eb", "Zürich", "a b\\\"c", "", "ok-_9"};
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    for (size_t i = 0; i < ARRAY_LEN(k_names); i++) {
        char back[ANTHROPIC_NAME_MAX], quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\"", k_names[i]);
        struct str name = anthropic_name(&arena, str_c(quoted));
        REQUIRE(name.p);
        for (size_t k = 0; k < chat_inner(name).n; k++) {
            char c = chat_inner(name).p[k];
            CHECK((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-');
        }
        CHECK_STR(anthropic_name_back(chat_inner(name), back), str_c(k_names[i]));
    }
    static const char *const k_no[] = {"_enc_a_", "_enc_a_2", "_enc_a_zz", "_enc", "plain"};
    for (size_t i = 0; i < ARRAY_LEN(k_no); i++) {
        char back[ANTHROPIC_NAME_MAX];
        CHECK_STR(anthropic_name_back(str_c(k_no[i]), back), str_c(k_no[i]));
    }
    arena_free(&arena);
}

// Trap 10.
#define SIGNED "{\"type\":\"thinking\",\"thinking\":\"hm \\u00e9\",\"signature\":\"EqQB+/==\"}"
#define REDACTED "{\"type\":\"redacted_thinking\",\"data\":\"EmwK/+==\"}"

static void test_thoughts_first_and_byte_exact(void) {
    check_member(
        MID,
        "\"messages\":[" USER("\"a\"") "," ASSISTANT("[" TEXT("b") "," SIGNED "," REDACTED "]") "," USER("\"c\"") "]",
        NULL, "messages",
        "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" SIGNED "," REDACTED
                                                  "," TEXT("b") "]") "," USER("[" TEXT("c") "]") "]");
    // Those between calls stay where they are.
    check_member(MID,
                 TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT(
                     "[" SIGNED "," TEXT("b") "," REDACTED "," CALL("t") "]") "," USER("[" RESULT("t") "]") "]",
                 NULL, "messages",
                 "[" USER("[" TEXT("a") "]") "," ASSISTANT(
                     "[" SIGNED "," TEXT("b") "," REDACTED "," CALL("t") "]") "," USER("[" RESULT("t") "]") "]");
}

static void test_unsigned_thoughts_are_left_out(void) {
    static const char *const k_thoughts[] = {"{\"type\":\"thinking\",\"thinking\":\"hm\"}",
                                             "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"}",
                                             "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"gAAAAABo\"}"};
    for (size_t i = 0; i < ARRAY_LEN(k_thoughts); i++) {
        char body[400];
        snprintf(body, sizeof body,
                 "\"messages\":[" USER("\"a\"") "," ASSISTANT("[%s," TEXT("b") "]") "," USER("\"c\"") "]",
                 k_thoughts[i]);
        struct made m = make(MID, body, NULL);
        REQUIRE(m.ok);
        CHECK_STR(member(&m, "messages"),
                  STR("[" USER("[" TEXT("a") "]") "," ASSISTANT("[" TEXT("b") "]") "," USER("[" TEXT("c") "]") "]"));
        CHECK(reported(&m, "messages[].reasoning_content"));
        drop(&m);
    }
}

static void effort_low(struct chat *c) { c->reasoning.effort = CHAT_EFFORT_LOW; }
static void effort_minimal(struct chat *c) { c->reasoning.effort = CHAT_EFFORT_MINIMAL; }
static void effort_high(struct chat *c) { c->reasoning.effort = CHAT_EFFORT_HIGH; }
static void effort_max(struct chat *c) { c->reasoning.effort = CHAT_EFFORT_MAX; }
static void effort_none(struct chat *c) { c->reasoning.effort = CHAT_EFFORT_NONE; }
static void adaptive(struct chat *c) { c->reasoning.adaptive = true; }

static void test_budget_below_max_tokens(void) {
    struct made m = make(MID, HI ",\"max_tokens\":4096", effort_high);
    REQUIRE(m.ok);
    CHECK_STR(member(&m, "thinking"), STR("{\"type\":\"enabled\",\"budget_tokens\":4095}"));
    CHECK_STR(member(&m, "max_tokens"), STR("4096"));
    drop(&m);
    // Too little room for any thought.
    m = make(MID, HI ",\"max_tokens\":1024", effort_high);
    CHECK_STR(member(&m, "thinking"), STR("(none)"));
    CHECK(reported(&m, "reasoning_effort"));
    drop(&m);
    check_member(MID, HI ",\"max_tokens\":1025", effort_minimal, "thinking",
                 "{\"type\":\"enabled\",\"budget_tokens\":1024}");
    check_member(MID, HI, effort_low, "thinking", "{\"type\":\"enabled\",\"budget_tokens\":4096}");
    check_member(MID, HI, adaptive, "thinking", "{\"type\":\"enabled\",\"budget_tokens\":8192}");
    check_member(MID, HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},\"max_tokens\":9000", NULL,
                 "thinking", "{\"type\":\"enabled\",\"budget_tokens\":2000}");
}

static void test_effort_of_newer_models(void) {
    check_member(NEW, HI, effort_high, "thinking", "{\"type\":\"adaptive\",\"display\":\"summarized\"}");
    check_member(NEW, HI, effort_high, "output_config", "{\"effort\":\"high\"}");
    check_member(NEW, HI, effort_minimal, "output_config", "{\"effort\":\"low\"}");
    check_member(NEW, HI, effort_max, "output_config", "{\"effort\":\"max\"}");
    check_member(NEW, HI, adaptive, "output_config", "(none)");
    check_member(NEW, HI, effort_none, "thinking", "{\"type\":\"disabled\"}");
    check_member("claude-sonnet-5-5", HI, effort_none, "thinking", "{\"type\":\"between_tools\"}");
    check_member(NEW, HI ",\"max_tokens\":9000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":6000}", NULL,
                 "output_config", "{\"effort\":\"medium\"}");
    check_member(NEW, HI ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"}", NULL, "thinking",
                 "{\"type\":\"adaptive\",\"display\":\"omitted\"}");
    struct made m = make(ALWAYS, HI, effort_none);
    CHECK_STR(member(&m, "thinking"), STR("(none)"));
    CHECK_STR(member(&m, "output_config"), STR("{\"effort\":\"low\"}"));
    CHECK(reported(&m, "reasoning_effort"));
    drop(&m);
    m = make(OLD, HI, effort_high);
    CHECK_STR(member(&m, "thinking"), STR("(none)"));
    CHECK(reported(&m, "reasoning_effort"));
    drop(&m);
}

static void test_no_thinking_where_the_history_lacks_it(void) {
    static const char body[] =
        TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT("[" CALL("t") "]") "," USER("[" RESULT("t") "]") "]";
    struct made m = make(MID, body, effort_high);
    CHECK_STR(member(&m, "thinking"), STR("(none)"));
    CHECK(reported(&m, "reasoning_effort"));
    drop(&m);
    check_member(NEW, body, effort_high, "thinking", "{\"type\":\"adaptive\",\"display\":\"summarized\"}");
    check_member(MID,
                 TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT("[" SIGNED "," CALL("t") "]") "," USER(
                     "[" RESULT("t") "]") "]",
                 effort_low, "thinking", "{\"type\":\"enabled\",\"budget_tokens\":4096}");
}

static void any_and_effort(struct chat *c) {
    c->tool_choice = CHAT_CHOICE_ANY;
    c->reasoning.effort = CHAT_EFFORT_HIGH;
}

static void test_forced_calls_and_thinking(void) {
    struct made m = make(MID, TOOLS "," HI, any_and_effort);
    CHECK_STR(member(&m, "tool_choice"), STR("{\"type\":\"any\"}"));
    CHECK_STR(member(&m, "thinking"), STR("(none)"));
    CHECK(reported(&m, "reasoning_effort"));
    drop(&m);
    m = make(NEW, TOOLS "," HI, any_and_effort);
    CHECK_STR(member(&m, "thinking"), STR("{\"type\":\"disabled\"}"));
    drop(&m);
    // One that cannot be forced thinks.
    m = make(ALWAYS, TOOLS "," HI, any_and_effort);
    CHECK_STR(member(&m, "tool_choice"), STR("{\"type\":\"auto\"}"));
    CHECK(reported(&m, "tool_choice") && !reported(&m, "reasoning_effort"));
    drop(&m);
}

static void test_sampling_and_thinking(void) {
    struct made m = make(MID, HI ",\"temperature\":0.5,\"top_k\":5,\"top_p\":0.5", effort_high);
    CHECK_STR(member(&m, "temperature"), STR("(none)"));
    CHECK(reported(&m, "temperature") && reported(&m, "top_k") && reported(&m, "top_p"));
    drop(&m);
    m = make(MID, HI ",\"temperature\":1,\"top_p\":0.95", effort_high);
    CHECK_STR(member(&m, "top_p"), STR("0.95"));
    CHECK_INT(m.report.count, 0);
    drop(&m);
    m = make(MID, HI ",\"temperature\":0.2,\"top_p\":0.9", NULL); // either of them
    CHECK_STR(member(&m, "temperature"), STR("0.2"));
    CHECK(reported(&m, "top_p") && m.report.count == 1);
    drop(&m);
    m = make(OLD, HI ",\"temperature\":1.7,\"top_p\":0.9,\"top_k\":3", NULL); // OpenAI counts to 2
    CHECK_STR(member(&m, "temperature"), STR("1"));
    CHECK_STR(member(&m, "top_p"), STR("0.9"));
    CHECK_STR(member(&m, "top_k"), STR("3"));
    CHECK(reported(&m, "temperature") && m.report.count == 1);
    drop(&m);
    m = make(NEW, HI ",\"temperature\":0,\"top_k\":3", NULL); // newer models take none
    CHECK(reported(&m, "temperature") && reported(&m, "top_k"));
    drop(&m);
    m = make(NEW, HI ",\"temperature\":1.0,\"top_p\":1", NULL); // what is the default anyway
    CHECK_INT(m.report.count, 0);
    drop(&m);
}

// Trap 12.
#define MARK "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"5m\"}"
#define MARKED(t) "{\"type\":\"text\",\"text\":\"" t "\"," MARK "}"

static void test_four_cache_marks(void) {
    struct made m = make(MID,
                         "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}," MARK
                         "}],\"system\":[" MARKED("s") "],\"messages\":[" USER(
                             "[" MARKED("a") ",{\"type\":\"image\",\"source\":{\"type\":\"url\","
                                             "\"url\":\"https://x/y\"}," MARK "}," MARKED("c") "]") "]",
                         NULL);
    REQUIRE(m.ok);
    CHECK_STR(member(&m, "tools"), STR("[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}," MARK "}]"));
    CHECK_STR(member(&m, "system"), STR("[" MARKED("s") "]"));
    CHECK_STR(member(&m, "messages"),
              STR("[" USER("[" MARKED("a") ",{\"type\":\"image\",\"source\":{\"type\":\"url\","
                                           "\"url\":\"https://x/y\"}," MARK "}," TEXT("c") "]") "]"));
    CHECK(reported(&m, "cache_control") && m.report.count == 1);
    drop(&m);
}

// Trap 13.
#define FORMAT(schema) ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":" schema "}}"

static void test_schema_is_closed(void) {
    check_member(
        MID,
        HI FORMAT(
            "{\"$schema\":\"x\",\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1,"
            "\"description\":\"how many\"},\"b\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":true,"
            "\"properties\":{\"minimum\":{\"type\":\"string\",\"format\":\"date\"}}},\"c\":{\"type\":\"array\","
            "\"minItems\":1,\"maxItems\":3,\"items\":{\"oneOf\":[{\"$ref\":\"#/$defs/d\"},{\"type\":\"null\"}]}}},"
            "\"required\":[\"a\"],\"$defs\":{\"d\":{\"type\":\"object\",\"properties\":{}}}}"),
        NULL, "output_config",
        "{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
        "\"integer\","
        "\"description\":\"how many\\n\\n{minimum: "
        "1}\"},\"b\":{\"type\":[\"object\",\"null\"],\"properties\":{\"minimum\":"
        "{\"type\":\"string\",\"format\":\"date\"}},\"additionalProperties\":false},\"c\":{\"type\":\"array\","
        "\"minItems\":1,\"items\":{\"anyOf\":[{\"$ref\":\"#/$defs/d\"},{\"type\":\"null\"}]},\"description\":"
        "\"{maxItems: 3}\"}},\"required\":[\"a\"],\"$defs\":{\"d\":{\"type\":\"object\",\"properties\":{},"
        "\"additionalProperties\":false}},\"additionalProperties\":false}}}");
}

static void test_schema_for_older_models(void) {
    struct made m = make(OLD, HI FORMAT("{\"type\":\"object\",\"properties\":{\"a\":{}}}"), NULL);
    REQUIRE(m.ok);
    CHECK_STR(member(&m, "tools"), STR("[{\"name\":\"_json_answer\",\"description\":\"Give the answer with this "
                                       "tool.\",\"input_schema\":{\"type\":"
                                       "\"object\",\"properties\":{\"a\":{}}}}]"));
    CHECK_STR(member(&m, "tool_choice"), STR("{\"type\":\"tool\",\"name\":\"_json_answer\"}"));
    CHECK_STR(member(&m, "output_config"), STR("(none)"));
    drop(&m);
    // With tools of its own it is told in words.
    m = make(OLD, TOOLS "," HI FORMAT("{\"type\":\"object\"}"), NULL);
    CHECK_STR(member(&m, "system"),
              STR("[" TEXT("Answer with one valid JSON object and nothing else: no text before or after it and no code "
                           "fence. It must conform to this JSON schema: {\\\"type\\\":\\\"object\\\"}") "]"));
    CHECK_STR(member(&m, "tool_choice"), STR("(none)"));
    drop(&m);
}

static void json_wanted(struct chat *c) { c->output = CHAT_OUTPUT_JSON; }

static void test_json_without_schema(void) {
    check_member(
        MID, "\"system\":\"s\"," HI, json_wanted, "system",
        "[" TEXT("s") "," TEXT("Answer with one valid JSON object and nothing else: no text before or after it and "
                               "no code fence.") "]");
}

// Trap 14.
static void no_parameters(struct chat *c) { c->tools[0].schema = STR_NONE; }
static void not_parallel(struct chat *c) { c->parallel_tools = 0; }

static void test_tools(void) {
    check_member(MID, TOOLS "," HI, no_parameters, "tools",
                 "[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}]");
    check_member(MID, "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{ \"x-unknown\": 1 }}]," HI,
                 NULL, "tools",
                 "[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\", \"x-unknown\": 1 }}]");
    check_member(MID, "\"tools\":[{\"name\":\"f\",\"input_schema\":{ }}]," HI, NULL, "tools",
                 "[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\" }}]");
    check_member(MID, TOOLS "," HI, not_parallel, "tool_choice",
                 "{\"type\":\"auto\",\"disable_parallel_tool_use\":true}");
    check_member(MID,
                 TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}," HI,
                 NULL, "tool_choice", "{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}");
    check_member(MID, TOOLS ",\"tool_choice\":{\"type\":\"none\"}," HI, not_parallel, "tool_choice",
                 "{\"type\":\"none\"}");
    check_member(MID, HI, not_parallel, "tool_choice", "(none)");
    check_member(
        MID,
        "\"tools\":[{\"name\":\"f\",\"strict\":true,\"input_schema\":{\"type\":\"object\",\"properties\":{}}}]," HI,
        NULL, "tools",
        "[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false},"
        "\"strict\":true}]");
    struct made m =
        make(OLD, "\"tools\":[{\"name\":\"f\",\"strict\":true,\"input_schema\":{\"type\":\"object\"}}]," HI, NULL);
    CHECK_STR(member(&m, "tools"), STR("[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]"));
    CHECK(reported(&m, "tools[].function.strict"));
    drop(&m);
}

static void foreign_tool(struct chat *c) { c->tools[0].hosted = STR("{\"type\":\"file_search\",\"x\":1}"); }

// One of Google's, which has no type.
static void untyped_tool(struct chat *c) {
    c->tools[0].hosted = STR("{\"google_search\":{}}");
    c->tools[0].name = STR("\"google_search\"");
}

static void test_hosted_tools(void) {
    check_member(MID, "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":5}]," HI, NULL,
                 "tools", "[{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":5}]");
    struct made m = make(MID, TOOLS "," HI, foreign_tool);
    CHECK(reported(&m, "tools[].file_search"));
    drop(&m);
    m = make(MID, TOOLS "," HI, untyped_tool);
    CHECK(reported(&m, "tools[].google_search"));
    drop(&m);
}

// Trap 15.
static void test_max_tokens_by_model(void) {
    static const struct {
        const char *model, *want;
    } k_models[] = {{"claude-3-haiku-20240307", "4096"},
                    {OLD, "8192"},
                    {"claude-opus-4-20250514", "16384"},
                    {"claude-opus-4-1-20250805", "16384"},
                    {MID, "64000"},
                    {"us.anthropic.claude-haiku-4-5-20251001-v1:0", "64000"},
                    {ALWAYS, "128000"},
                    {"claude-new-9", "64000"},
                    {"kimi-k2", "8192"}};
    for (size_t i = 0; i < ARRAY_LEN(k_models); i++)
        check_member(k_models[i].model, HI, NULL, "max_tokens", k_models[i].want);
    check_member(MID, HI ",\"max_tokens\":7", NULL, "max_tokens", "7");
}

static void test_families(void) {
    CHECK(anthropic_family_of(STR("claude-opus-4-15"))->flags & ANTHROPIC_BUDGET);
    CHECK_STR(anthropic_family_of(STR("claude-opus-4-15"))->prefix, STR("claude-opus-4"));
    CHECK_STR(anthropic_family_of(STR("claude-opus-5-5-20260922"))->prefix, STR("claude-opus-5-5"));
    CHECK_STR(anthropic_family_of(STR("claude-opus-5@x"))->prefix, STR("claude-opus-5"));
    CHECK_STR(anthropic_family_of(STR("anthropic/claude-sonnet-4.5"))->prefix, STR("claude-sonnet-4"));
    CHECK_STR(anthropic_family_of(STR("gpt-5"))->prefix, STR(""));
    CHECK_STR(anthropic_family_of(STR(""))->prefix, STR(""));
}

// Trap 16.
static struct chat_part g_part;
static void part_instead(struct chat *c) { c->turns[0].parts[0] = g_part; }

static void check_media(struct chat_part part, const char *want, const char *dropped) {
    g_part = part;
    struct made m = make(MID, "\"messages\":[" USER("[" TEXT("x") "," TEXT("y") "]") "]", part_instead);
    char whole[600];
    snprintf(whole, sizeof whole, "[" USER("[%s%s" TEXT("y") "]") "]", want, want[0] ? "," : "");
    REQUIRE(m.ok);
    CHECK_STR(member(&m, "messages"), str_c(whole));
    CHECK(dropped ? reported(&m, dropped) : m.report.count == 0);
    drop(&m);
}

static void test_pictures_and_documents(void) {
    struct chat_media png = {.mime = STR("image/jpg"), .data = STR("iVBORw0KGgo=")};
    // The bytes go before the name that somebody gave them.
    check_media(
        (struct chat_part){.kind = CHAT_IMAGE, .media = png},
        "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBORw0KGgo=\"}}",
        NULL);
    struct chat_media url = {.mime = STR(""), .url = STR("\"https://x/y.png\""), .detail = STR("\"low\"")};
    check_media((struct chat_part){.kind = CHAT_IMAGE, .media = url},
                "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y.png\"}}",
                "messages[].content[].image_url.detail");
    struct chat_media pdf = {.mime = STR("application/pdf"), .data = STR("JVBERi0="), .name = STR("\"a.pdf\"")};
    check_media((struct chat_part){.kind = CHAT_FILE, .media = pdf},
                "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":"
                "\"JVBERi0=\"},\"title\":\"a.pdf\"}",
                NULL);
    struct chat_media csv = {.mime = STR("text/csv"), .data = STR("YSwiYiIKw6k=")};
    check_media((struct chat_part){.kind = CHAT_FILE, .media = csv},
                "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":"
                "\"a,\\\"b\\\"\\n\xc3\xa9\"}}",
                NULL);
    struct chat_media id = {.mime = STR(""), .file_id = STR("\"file_1\"")};
    check_media((struct chat_part){.kind = CHAT_FILE, .media = id},
                "{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"file_1\"}}", NULL);
    struct chat_media zip = {.mime = STR("application/zip"), .data = STR("UEsDBA==")};
    check_media((struct chat_part){.kind = CHAT_FILE, .media = zip}, "", "messages[].content[].file");
    check_media((struct chat_part){.kind = CHAT_AUDIO, .media = zip}, "", "messages[].content[].input_audio");
    check_media((struct chat_part){.kind = CHAT_VIDEO, .media = url}, "", "messages[].content[].video_url");
}

// What there is no word for.
static void everything(struct chat *c) {
    c->choices = 2;
    c->sampling.seed = c->sampling.frequency_penalty = c->sampling.presence_penalty = STR("1");
    c->metadata = c->logit_bias = c->audio = STR("{}");
    c->verbosity = STR("\"low\"");
    c->logprobs = STR("true");
    c->modalities = STR("[\"text\",\"audio\"]");
    c->safety = STR("[]");
    c->cached_prefix = STR("\"k\"");
    c->service_tier = STR("\"flex\"");
    c->turns[0].name = STR("\"bob\"");
}

static void test_what_cannot_be_said(void) {
    static const char *const k_names[] = {"n",
                                          "seed",
                                          "frequency_penalty",
                                          "presence_penalty",
                                          "metadata",
                                          "logit_bias",
                                          "audio",
                                          "verbosity",
                                          "logprobs",
                                          "modalities",
                                          "safetySettings",
                                          "prompt_cache_key",
                                          "service_tier",
                                          "messages[].name",
                                          "stop"};
    struct made m = make(MID, HI ",\"stop_sequences\":[\"END\",\" \\n\"]", everything);
    REQUIRE(m.ok);
    for (size_t i = 0; i < ARRAY_LEN(k_names); i++) CHECK(reported(&m, k_names[i]));
    CHECK_INT(m.report.count, ARRAY_LEN(k_names));
    CHECK_STR(member(&m, "stop_sequences"), STR("[\"END\"]"));
    drop(&m);
}

static void tier_default(struct chat *c) { c->service_tier = STR("\"default\""); }

static void test_service_tier_and_user(void) {
    check_member(MID, HI ",\"service_tier\":\"standard_only\"", NULL, "service_tier", "\"standard_only\"");
    check_member(MID, HI, tier_default, "service_tier", "\"standard_only\"");
    check_member(MID, HI ",\"metadata\":{\"user_id\":\"u \\u00e9\"}", NULL, "metadata", "{\"user_id\":\"u \\u00e9\"}");
}

static void test_results_with_pictures(void) {
    check_member(MID,
                 TOOLS ",\"messages\":[" USER("\"a\"") "," ASSISTANT("[" CALL("t") "]") "," USER(
                     "[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"is_error\":true,\"content\":[" TEXT(
                         "x") ","
                              "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/"
                              "gif\",\"data\":\"R0lGOD\"}}]," MARK "},"
                              "{\"type\":\"tool_result\",\"tool_use_id\":\"u\"}]") "]",
                 NULL, "messages",
                 "[" USER("[" TEXT("a") "]") "," ASSISTANT("[" CALL("t") "]") "," USER(
                     "[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[" TEXT(
                         "x") ","
                              "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/"
                              "gif\",\"data\":\"R0lGOD\"}}],"
                              "\"is_error\":true," MARK "},{\"type\":\"tool_result\",\"tool_use_id\":\"u\"}]") "]");
}

TEST_MAIN(test_plain, test_system_is_joined, test_system_amid_the_conversation, test_system_alone_is_the_users,
          test_roles_alternate, test_the_first_is_the_users, test_results_in_one_message_and_first,
          test_empty_texts_are_left_out, test_white_space_at_the_end, test_arguments_stay, test_calls_without_tools,
          test_ids_in_their_alphabet, test_thoughts_first_and_byte_exact, test_unsigned_thoughts_are_left_out,
          test_budget_below_max_tokens, test_effort_of_newer_models, test_no_thinking_where_the_history_lacks_it,
          test_forced_calls_and_thinking, test_sampling_and_thinking, test_four_cache_marks, test_schema_is_closed,
          test_schema_for_older_models, test_json_without_schema, test_tools, test_hosted_tools,
          test_max_tokens_by_model, test_families, test_pictures_and_documents, test_what_cannot_be_said,
          test_service_tier_and_user, test_results_with_pictures)
