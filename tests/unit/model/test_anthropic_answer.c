// Whole answers, failures and token counts in Anthropic's dialect, both ways.
#include "check.h"
#include "model/anthropic/anthropic.h"
#include "model/chat_order.h"
#include "model/event_text.h"

#include <stdlib.h>

#define ROOM ((size_t)1 << 20)

static const struct chat_reply k_reply = {.id = STR_INIT("0123"), .model = STR_INIT("my/model")};

#define ANSWER                                                                                                         \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\",\"content\":["                 \
    "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"EqQB/+==\"},"                                          \
    "{\"type\":\"redacted_thinking\",\"data\":\"EmwK\"},"                                                              \
    "{\"type\":\"text\",\"text\":\"a \\\"b\\\"\",\"citations\":[{\"type\":\"page_location\",\"cited_text\":\"c\"}]},"  \
    "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{\"q\":1}},"                         \
    "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"x\": \"\\\"y\\\"\"}},"                           \
    "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}],"                                              \
    "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":7," \
    "\"cache_creation_input_tokens\":3,\"output_tokens\":9}}"

static void test_decode_answer(void) {
    struct event_text text;
    struct chat_order order;
    struct arena arena;
    struct err err;
    arena_init(&arena, NULL, 0, ROOM);
    event_text_init(&text);
    chat_order_init(&order, &text.sink, 1, ROOM);
    REQUIRE(anthropic_decode_answer(STR(ANSWER), &arena, &order.sink, &err));
    chat_order_end(&order);
    CHECK_STR(buf_str(&text.text),
              STR("answer msg_1 claude\nbegin 0.0 thinking  \ndelta 0.0 hm\nsignature 0.0 EqQB/+==\nend 0.0\n"
                  "begin 0.1 redacted  \ndelta 0.1 EmwK\nend 0.1\nbegin 0.2 text  \ndelta 0.2 a \\\"b\\\"\n"
                  "citation 0.2 {\"type\":\"page_location\",\"cited_text\":\"c\"}\nend 0.2\n"
                  "begin 0.3 call t1 f\ndelta 0.3 {\\\"x\\\": \\\"\\\\\\\"y\\\\\\\"\\\"}\nend 0.3\n"
                  "begin 0.4 call t2 g\ndelta 0.4 {}\nend 0.4\nusage 15 9\nfinish 0 tools \nover\n"));
    static const char *const k_wrong[] = {
        "", "{", "[]", "{}", "{\"content\":\"x\"}", "{\"type\":\"error\",\"error\":{}}"};
    for (size_t i = 0; i < ARRAY_LEN(k_wrong); i++) {
        CHECK(!anthropic_decode_answer(str_c(k_wrong[i]), &arena, &order.sink, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    }
    // Content of no type that is known.
    CHECK(anthropic_decode_answer(STR("{\"content\":[7,null,{},{\"type\":7},[]],\"usage\":[],\"stop_reason\":{}}"),
                                  &arena, &order.sink, &err));
    chat_order_free(&order);
    buf_free(&text.text);
    arena_free(&arena);
}

static void test_put_answer(void) {
    struct chat_answer_part parts[] = {
        {.kind = CHAT_THINKING, .text = STR("hm"), .signature = STR("S/+=")},
        {.kind = CHAT_REDACTED_THINKING, .text = STR("R")},
        {.kind = CHAT_TEXT, .text = STR("a \\\"b\\\""), .citations = STR("{\"c\":1},{\"c\":2}")},
        {.kind = CHAT_IMAGE, .mime = STR("image/webp"), .text = STR("AAAA")},
        {.kind = CHAT_TOOL_CALL, .id = STR("call_1"), .name = STR("f"), .text = STR("{\\\"x\\\": \\\"\\\\n\\\"}")},
        {.kind = CHAT_TOOL_CALL, .name = STR("g"), .text = STR("")},
        {.kind = CHAT_TOOL_CALL, .id = STR("c3"), .name = STR("h"), .text = STR("{\\\"cut")},
        {.kind = CHAT_AUDIO, .text = STR("UklGR")},
        {.kind = CHAT_TEXT, .choice = 1, .text = STR("another answer")},
    };
    struct chat_answer answer = {.parts = parts, .count = ARRAY_LEN(parts), .choices = 2, .has_usage = true};
    answer.finish[0] = CHAT_FINISH_STOP; // trap 7: a call is a call, whatever the provider says
    answer.usage = (struct usage){.prompt = 100, .cached = 60, .cache_write = 30, .cache_write_1h = 10, .output = 9};
    answer.usage.reasoning = 4;
    struct buf out = BUF_INIT(ROOM);
    anthropic_put_answer(&answer, &k_reply, &out);
    CHECK_STR(
        buf_str(&out),
        STR("{\"id\":\"msg_0123\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"my/model\",\"content\":["
            "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"S/+=\"},"
            "{\"type\":\"redacted_thinking\",\"data\":\"R\"},"
            "{\"type\":\"text\",\"text\":\"a \\\"b\\\"\",\"citations\":[{\"c\":1},{\"c\":2}]},"
            "{\"type\":\"text\",\"text\":\"![image](data:image/webp;base64,AAAA)\"},"
            "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"f\",\"input\":{\"x\": \"\\n\"}},"
            "{\"type\":\"tool_use\",\"id\":\"toolu_0123_5\",\"name\":\"g\",\"input\":{}},"
            "{\"type\":\"tool_use\",\"id\":\"c3\",\"name\":\"h\",\"input\":{\"_invalid\":\"{\\\"cut\"}}],"
            "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"
            "\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":60,\"cache_creation\":{"
            "\"ephemeral_5m_input_tokens\":20,\"ephemeral_1h_input_tokens\":10},\"output_tokens\":9,"
            "\"output_tokens_details\":{\"thinking_tokens\":4}}}"));
    buf_clear(&out);
    answer = (struct chat_answer){.choices = 1, .stop_sequence = STR("\\n")};
    answer.finish[0] = CHAT_FINISH_STOP_SEQUENCE;
    anthropic_put_answer(&answer, &k_reply, &out);
    CHECK(str_find(buf_str(&out), STR("\"content\":[],\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"\\n\"")) <
          out.n);
    buf_free(&out);
}

static void test_stop_reason_words(void) {
    CHECK_STR(anthropic_stop_reason(CHAT_FINISH_STOP, false), STR("end_turn"));
    CHECK_STR(anthropic_stop_reason(CHAT_FINISH_NONE, false), STR("end_turn"));
    CHECK_STR(anthropic_stop_reason(CHAT_FINISH_LENGTH, true), STR("max_tokens"));
    CHECK_STR(anthropic_stop_reason(CHAT_FINISH_FILTER, false), STR("refusal"));
    CHECK_STR(anthropic_stop_reason(CHAT_FINISH_PAUSE, false), STR("pause_turn"));
    CHECK_STR(anthropic_stop_reason(CHAT_FINISH_TOOLS, false), STR("tool_use"));
}

// Trap 8.
static void test_usage_is_merged_by_presence(void) {
    struct usage u = {0};
    REQUIRE(
        anthropic_usage_of(STR("{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,"
                               "\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":30,\"cache_creation\":{"
                               "\"ephemeral_5m_input_tokens\":20,\"ephemeral_1h_input_tokens\":10},"
                               "\"output_tokens\":1}}}"),
                           &u));
    CHECK(u.prompt == 140 && u.cached == 100 && u.cache_write == 30 && u.cache_write_1h == 10 && u.output == 1);
    REQUIRE(anthropic_usage_of(STR("{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":50}}"), &u));
    CHECK(u.prompt == 140 && u.cached == 100 && u.output == 50);
    // A zero that is told counts.
    REQUIRE(anthropic_usage_of(STR("{\"usage\":{\"input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":51,"
                                   "\"output_tokens_details\":{\"thinking_tokens\":40}}}"),
                               &u));
    CHECK(u.prompt == 30 && u.cached == 0 && u.cache_write == 30 && u.output == 51 && u.reasoning == 40);
    REQUIRE(anthropic_usage_of(STR("{\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":null,"
                                   "\"output_tokens\":51}}"),
                               &u));
    CHECK(u.prompt == 35 && u.cache_write == 30);
    static const char *const k_none[] = {"",
                                         "{}",
                                         "{\"type\":\"ping\"}",
                                         "{\"usage\":null}",
                                         "{\"usage\":[]}",
                                         "{\"usage\":{\"output_tokens\":-1}}",
                                         "{\"usage\":{\"output_tokens\":\"7\"}}",
                                         "{\"message\":{\"usage\":{}}}",
                                         "{\"usage\":{\"output_tokens\":7}"};
    for (size_t i = 0; i < ARRAY_LEN(k_none); i++) CHECK(!anthropic_usage_of(str_c(k_none[i]), &u));
    REQUIRE(anthropic_usage_of(STR("{\"usage\":{\"input_tokens\":18446744073709551615,\"cache_read_input_tokens\":"
                                   "18446744073709551615,\"output_tokens\":18446744073709551615}}"),
                               &u));
    CHECK(u.prompt >= u.cached + u.cache_write);
}

// Trap 18.
static void test_failures_read(void) {
    static const struct {
        const char *body;
        int status;
        enum chat_failure_kind kind;
        const char *message, *type;
    } k_failures[] = {
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"},\"request_id\":"
         "\"r\"}",
         529, CHAT_FAIL_OVERLOADED, "Overloaded", "overloaded_error"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow \\\"down\\\"\"}}", 429,
         CHAT_FAIL_RATE_LIMIT, "slow \\\"down\\\"", "rate_limit_error"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 210000 "
         "tokens > "
         "200000 maximum\"}}",
         400, CHAT_FAIL_CONTEXT_LENGTH, "prompt is too long: 210000 tokens > 200000 maximum", "invalid_request_error"},
        {"{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"max_tokens: Field required\"}}", 400,
         CHAT_FAIL_INVALID, "max_tokens: Field required", "invalid_request_error"},
        {"{\"error\":{\"type\":\"authentication_error\",\"message\":\"x\"}}", 401, CHAT_FAIL_AUTHENTICATION, "x",
         "authentication_error"},
        {"{\"error\":{\"type\":\"permission_error\",\"message\":\"x\"}}", 403, CHAT_FAIL_PERMISSION, "x",
         "permission_error"},
        {"{\"error\":{\"type\":\"not_found_error\",\"message\":\"model: x\"}}", 404, CHAT_FAIL_NOT_FOUND, "model: x",
         "not_found_error"},
        {"{\"error\":{\"type\":\"request_too_large\",\"message\":\"x\"}}", 413, CHAT_FAIL_TOO_LARGE, "x",
         "request_too_large"},
        {"{\"error\":{\"type\":\"billing_error\",\"message\":\"x\"}}", 402, CHAT_FAIL_QUOTA, "x", "billing_error"},
        {"{\"error\":{\"type\":\"timeout_error\",\"message\":\"x\"}}", 504, CHAT_FAIL_TIMEOUT, "x", "timeout_error"},
        {"{\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}", 500, CHAT_FAIL_SERVER, "x", "api_error"},
        {"{\"error\":\"nope\"}", 529, CHAT_FAIL_OVERLOADED, "nope", ""},
        {"{\"error\":{\"message\":7}}", 503, CHAT_FAIL_OVERLOADED, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_failures); i++) {
        struct chat_failure f;
        REQUIRE(anthropic_read_failure(str_c(k_failures[i].body), k_failures[i].status, NULL, &f));
        CHECK_INT(f.kind, k_failures[i].kind);
        CHECK_INT(f.status, k_failures[i].status);
        CHECK_STR(f.message, str_c(k_failures[i].message));
        CHECK_STR(f.type, str_c(k_failures[i].type));
    }
    struct chat_failure f;
    static const char *const k_none[] = {"", "<html>", "{}", "{\"error\":null}", "{\"error\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(k_none); i++) CHECK(!anthropic_read_failure(str_c(k_none[i]), 500, NULL, &f));
}

static void test_failures_written(void) {
    static const struct {
        enum chat_failure_kind kind;
        int status;
        const char *type;
    } k_kinds[] = {
        {CHAT_FAIL_INVALID, 400, "invalid_request_error"},
        {CHAT_FAIL_AUTHENTICATION, 401, "authentication_error"},
        {CHAT_FAIL_PERMISSION, 403, "permission_error"},
        {CHAT_FAIL_NOT_FOUND, 404, "not_found_error"},
        {CHAT_FAIL_TOO_LARGE, 413, "request_too_large"},
        {CHAT_FAIL_RATE_LIMIT, 429, "rate_limit_error"},
        {CHAT_FAIL_QUOTA, 429, "rate_limit_error"},
        {CHAT_FAIL_QUOTA, 402, "billing_error"},
        {CHAT_FAIL_CONTEXT_LENGTH, 400, "invalid_request_error"},
        {CHAT_FAIL_CONTENT_POLICY, 400, "invalid_request_error"},
        {CHAT_FAIL_OVERLOADED, 529, "overloaded_error"},
        {CHAT_FAIL_TIMEOUT, 504, "timeout_error"},
        {CHAT_FAIL_SERVER, 500, "api_error"},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_kinds); i++) {
        struct buf out = BUF_INIT(ROOM);
        char want[200];
        const struct chat_failure f = {
            .kind = k_kinds[i].kind, .status = k_kinds[i].status, .message = STR("a \\\"b\\\"")};
        anthropic_put_failure(&f, STR("req_1"), &out);
        snprintf(
            want, sizeof want,
            "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"a \\\"b\\\"\"},\"request_id\":\"req_1\"}",
            k_kinds[i].type);
        CHECK_STR(buf_str(&out), str_c(want));
        buf_clear(&out);
        anthropic_put_failure_event(&f, STR(""), &out);
        CHECK(str_starts(buf_str(&out), STR("event: error\ndata: {\"type\":\"error\",\"error\":{")));
        CHECK(str_ends(buf_str(&out), STR("\"}}\n\n")));
        buf_free(&out);
    }
}

TEST_MAIN(test_decode_answer, test_put_answer, test_stop_reason_words, test_usage_is_merged_by_presence,
          test_failures_read, test_failures_written)
