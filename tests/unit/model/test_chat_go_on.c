// Tests of the request by which another provider is asked to go on with an answer.
#include "model/chat_go_on.h"

#include "check.h"
#include "model/dialect.h"

static struct chat_part k_part = {.kind = CHAT_TEXT, .text = STR_INIT("\"Hello\"")};
static struct chat_turn k_turn = {.role = CHAT_USER, .parts = &k_part, .count = 1};

// What the assistant is shown to have said, its quotes included; empty: nothing.
static struct str shown(const char *said, bool prefill, struct arena *arena, struct chat *out_chat,
                        struct str *out_skip) {
    const struct chat chat = {.turns = &k_turn, .count = 1};
    const struct chat_go_on g = {.said = str_c(said), .prefill = prefill};
    struct err err;
    REQUIRE(chat_go_on(&chat, &g, arena, out_chat, out_skip, &err));
    CHECK_INT(out_chat->turns[0].role, CHAT_USER);
    if (out_chat->count == 1) return STR("");
    CHECK_INT(out_chat->count, prefill ? 2 : 3);
    CHECK_INT(out_chat->turns[1].role, CHAT_ASSISTANT);
    if (!prefill) CHECK_INT(out_chat->turns[2].role, CHAT_USER);
    return out_chat->turns[1].parts[0].text;
}

static void check(const char *said, bool prefill, const char *want, const char *skip) {
    struct arena arena;
    struct chat chat;
    struct str skipped;
    arena_init(&arena, NULL, 0, 1 << 20);
    CHECK_STR(shown(said, prefill, &arena, &chat, &skipped), str_c(want));
    CHECK_STR(skipped, str_c(skip));
    arena_free(&arena);
}

static void what_was_said(void) {
    check("Once upon", true, "\"Once upon\"", "");
    check("Once upon", false, "\"Once upon\"", "");
    check("", true, "", "");
    check("", false, "", "");
}

// No message may end with white space where the model goes on with it.
static void white_space(void) {
    check("Once ", true, "\"Once\"", " ");
    check("Once\\n\\t \\r", true, "\"Once\"", "\\n\\t \\r");
    check("a\\\\n", true, "\"a\\\\n\"", ""); // a backslash and a letter
    check("a\\\"", true, "\"a\\\"\"", "");
    check("Once ", false, "\"Once \"", "");
    check(" \\n", true, "", " \\n");
    check(" \\n", false, "", " \\n");
    check(" \\ud83c", false, "", " ");
}

static void half_a_character(void) {
    check("a\\ud83c", true, "\"a\"", "");
    check("a\\uD83C", false, "\"a\"", "");
    check("a \\ud83c", true, "\"a\"", " ");
    check("a\\ud83c\\udf0a", true, "\"a\\ud83c\\udf0a\"", "");
    check("a\\u00e9", true, "\"a\\u00e9\"", "");
    check("a\\u", true, "\"a\\u\"", "");
}

static void tokens(void) {
    struct arena arena;
    struct chat chat = {.turns = &k_turn, .count = 1, .max_output = 100}, made;
    struct chat_go_on g = {.said = STR("a"), .tokens = 40};
    struct str skip;
    struct err err;
    arena_init(&arena, NULL, 0, 1 << 20);
    REQUIRE(chat_go_on(&chat, &g, &arena, &made, &skip, &err));
    CHECK_INT(made.max_output, 60);
    g.tokens = 1000;
    REQUIRE(chat_go_on(&chat, &g, &arena, &made, &skip, &err));
    CHECK_INT(made.max_output, 1);
    chat.reasoning.budget = 50; // part of the limit is for thoughts
    REQUIRE(chat_go_on(&chat, &g, &arena, &made, &skip, &err));
    CHECK_INT(made.max_output, 100);
    CHECK_INT(chat.count, 1);
    arena_free(&arena);
}

static void no_memory(void) {
    struct arena arena;
    struct chat made;
    struct str skip;
    struct err err;
    const struct chat chat = {.turns = &k_turn, .count = 1};
    const struct chat_go_on g = {.said = STR("some text")};
    arena_init(&arena, NULL, 0, 64);
    CHECK(!chat_go_on(&chat, &g, &arena, &made, &skip, &err));
    arena_free(&arena);
}

static bool prefills(const char *model, struct chat chat) {
    const struct chat_target target = {.model = str_c(model)};
    const struct dialect_ops *d = dialect_get(DIALECT_ANTHROPIC);
    return d->prefills(&chat, &target);
}

static void who_goes_on_by_itself(void) {
    const struct chat plain = {.count = 0}, thinks = {.reasoning = {.budget = 1024}};
    CHECK(prefills("claude-sonnet-4-5-20250929", plain));
    CHECK(prefills("us.anthropic.claude-3-5-haiku-20241022-v1:0", plain));
    CHECK(!prefills("claude-sonnet-4-5", thinks));
    CHECK(!prefills("claude-opus-4-6", plain));
    CHECK(!prefills("claude-opus-5", plain));
    CHECK(!prefills("somebody-elses", plain));
    CHECK(!dialect_get(DIALECT_OPENAI)->prefills);
}

static void statuses(void) {
    const struct chat_failure said = {.kind = CHAT_FAIL_OVERLOADED, .status = 529},
                              unsaid = {.kind = CHAT_FAIL_OVERLOADED, .status = 500},
                              well = {.kind = CHAT_FAIL_INVALID, .status = 200},
                              server = {.kind = CHAT_FAIL_SERVER, .status = 500}, odd = {.kind = CHAT_FAIL_SERVER};
    CHECK_INT(chat_failure_status(&said), 529);
    CHECK_INT(chat_failure_status(&unsaid), 503);
    CHECK_INT(chat_failure_status(&well), 400);
    CHECK_INT(chat_failure_status(&server), 500);
    CHECK_INT(chat_failure_status(&odd), 502);
}

TEST_MAIN(what_was_said, white_space, half_a_character, tokens, no_memory, who_goes_on_by_itself, statuses)
