// Tests of model/need.h: what is plainly text, what a request asks of a model, and how much room it takes.
#include "check.h"

#include "model/dialect.h"
#include "model/need.h"

static struct arena arena;
static struct err err;

static struct model_request peek(enum dialect dialect, enum operation operation, const char *body) {
    struct model_request q = {0};
    struct model_request_in in = {
        .operation = operation, .body = str_c(body), .content_type = STR("application/json"), .depth = 64};
    in.model = dialect == DIALECT_GEMINI ? STR("m") : STR(""); // in its path
    REQUIRE(dialect_get(dialect)->peek(&in, &arena, &q, &err));
    return q;
}

static bool plain(const char *body) {
    struct model_request q = peek(DIALECT_OPENAI, OPERATION_CHAT, body);
    return model_need_plain(&q);
}

static struct model_need need_of(enum dialect dialect, const char *body) {
    struct model_request q = peek(dialect, OPERATION_CHAT, body);
    struct chat chat;
    REQUIRE(dialect_get(dialect)->read(&q, &arena, &chat, &err));
    return model_need_of_chat(&q, &chat);
}

#define HELLO "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"

static void test_plain(void) {
    static const char *const members[] = {"tools", "functions", "reasoning", "reasoning_effort",
                                          "audio", "thinking",  "modalities"};
    CHECK(plain("{" HELLO "}"));
    CHECK(plain("{" HELLO ",\"temperature\":0.5,\"max_tokens\":7,\"stream\":true,\"metadata\":{\"tools\":\"1\"}}"));
    CHECK(plain(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"say \\\"type\\\" and \\\"tools\\\"\"}]}"));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        char body[300];
        snprintf(body, sizeof body, "{" HELLO ",\"%s\":null}", members[i]);
        CHECK(!plain(body));
    }
    CHECK(!plain("{" HELLO ",\"response_format\":{\"type\":\"json_object\"}}"));
    struct model_request q =
        peek(DIALECT_ANTHROPIC, OPERATION_CHAT, "{" HELLO ",\"max_tokens\":9,\"thinking\":{\"budget_tokens\":1024}}");
    CHECK(!model_need_plain(&q));
    q = peek(DIALECT_ANTHROPIC, OPERATION_CHAT, "{" HELLO ",\"max_tokens\":9,\"system\":\"tools\"}");
    CHECK(model_need_plain(&q));
    q = peek(DIALECT_GEMINI, OPERATION_CHAT, "{\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}]}");
    CHECK(!model_need_plain(&q)); // which is not told at a glance there
}

static void test_output(void) {
    struct model_need n = need_of(DIALECT_OPENAI, "{" HELLO ",\"max_tokens\":500,\"n\":3}");
    CHECK_INT(n.output, 1500);
    CHECK_INT(n.each, 500);
    CHECK_INT(n.can, 0);
    n = need_of(DIALECT_OPENAI, "{" HELLO ",\"max_completion_tokens\":500,\"n\":1,\"stream\":true}");
    CHECK_INT(n.each, 500);
    CHECK_INT(n.can, MODEL_CAN_STREAMING);
    CHECK_INT(need_of(DIALECT_OPENAI, "{" HELLO ",\"stream\":false}").each, 0);
    n = need_of(DIALECT_GEMINI, "{\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}],"
                                "\"generationConfig\":{\"maxOutputTokens\":40,\"candidateCount\":2}}");
    CHECK_INT(n.output, 80);
    CHECK_INT(n.each, 40);
}

static void test_room(void) {
    struct model_request q =
        peek(DIALECT_OPENAI, OPERATION_EMBEDDINGS, "{\"model\":\"m\",\"input\":[\"one\",\"two\"]}");
    CHECK_INT(model_need_of_request(&q).most, 0);
    q = peek(DIALECT_OPENAI, OPERATION_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"one\"}");
    CHECK_INT(model_need_of_request(&q).most, 5);
    q = peek(DIALECT_OPENAI, OPERATION_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[\"one\",\"two\"]}");
    CHECK_INT(model_need_of_request(&q).most, 0);

    char data[8000], body[9000];
    memset(data, 'A', sizeof data);
    snprintf(body, sizeof body,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What?\"},"
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,%.8000s\"}}]}]}",
             data);
    struct model_need n = need_of(DIALECT_OPENAI, body);
    CHECK_INT(n.can, MODEL_CAN_VISION);
    CHECK(n.media >= 8000 && n.media < n.most);
    CHECK(n.tokens >= 1000 && n.tokens < 1100);
}

static void test_all(void) {
    arena_init(&arena, NULL, 0, (size_t)8 << 20);
    test_plain();
    test_output();
    test_room();
    arena_free(&arena);
}

TEST_MAIN(test_all)
