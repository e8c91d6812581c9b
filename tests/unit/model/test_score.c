// Tests of the scorers: texts out of answers, refusals in several languages, loops, schemas, hostile bytes.
#include "model/score.h"

#include "../check.h"

static struct arena g_arena;

static struct score_answer read_openai(const char *body) {
    struct score_answer a = {0};
    REQUIRE(score_read(dialect_get(DIALECT_OPENAI), str_c(body), &g_arena, &a));
    return a;
}

static void whole_answers_are_read(void) {
    struct score_answer a = read_openai("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
                                        "\"assistant\",\"content\":\"a \\\"b\\\"\\n\\u00e9\"},\"finish_reason\":"
                                        "\"length\"}]}");
    CHECK_STR(a.text, STR("a \"b\"\n\xc3\xa9"));
    CHECK_INT(a.finish, CHAT_FINISH_LENGTH);
    CHECK(!a.cut && !a.tools && !a.refusal && !score_empty(&a));
    a = read_openai("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                    "\"content\":\" \\n\"},\"finish_reason\":\"stop\"}]}");
    CHECK(score_empty(&a));
    a = read_openai("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                    "\"content\":null,\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}");
    CHECK(a.refusal && !score_empty(&a));
    a = read_openai("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                    "\"content\":\"\"},\"finish_reason\":\"content_filter\"}]}");
    CHECK(a.refusal);
    a = read_openai("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                    "\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                    "\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}");
    CHECK(a.tools && !score_empty(&a));
    CHECK(!score_read(dialect_get(DIALECT_OPENAI), STR("{\"error\":"), &g_arena, &a));
}

static void other_dialects_are_read(void) {
    struct score_answer a = {0};
    CHECK(score_read(dialect_get(DIALECT_ANTHROPIC),
                     STR("{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[{"
                         "\"type\":\"text\",\"text\":\"hi\"}],\"stop_reason\":\"max_tokens\",\"usage\":{"
                         "\"input_tokens\":1,\"output_tokens\":1}}"),
                     &g_arena, &a));
    CHECK_STR(a.text, STR("hi"));
    CHECK_INT(a.finish, CHAT_FINISH_LENGTH);
    CHECK(score_read(dialect_get(DIALECT_ANTHROPIC),
                     STR("{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],"
                         "\"stop_reason\":\"refusal\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}"),
                     &g_arena, &a));
    CHECK(a.refusal);
}

static const char k_stream[] =
    "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"one"
    "\"}}]}\n\ndata: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" two\"}}]}\n\n"
    "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
    "data: [DONE]\n\n";

static void streams_are_read(void) {
    const struct dialect_ops *ops = dialect_get(DIALECT_OPENAI);
    struct score_answer a = {0};
    CHECK(score_read_stream(ops, ops->frames, str_c(k_stream), false, &g_arena, &a));
    CHECK_STR(a.text, STR("one two"));
    CHECK_INT(a.finish, CHAT_FINISH_LENGTH);
    // Of a beginning it is not known how it ends.
    CHECK(score_read_stream(ops, ops->frames, str_head(str_c(k_stream), sizeof k_stream - 60), true, &g_arena, &a));
    CHECK_STR(a.text, STR("one two"));
    CHECK(a.cut && a.finish == CHAT_FINISH_NONE && !score_empty(&a));
}

static void refusals_are_told(void) {
    static const char *const refusals[] = {
        "I'm sorry, but I can't assist with that request.",
        "I\xe2\x80\x99m sorry, but I can\xe2\x80\x99t help with that.",
        "Sorry. As an AI language model, I cannot do so.",
        "Es tut mir leid, aber ich kann dir dabei nicht helfen.",
        "JE SUIS DÉSOLÉ, mais je ne peux pas faire cela.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Mi dispiace, ma non posso aiutarti.",
        "Desculpe, mas não posso ajudar com isso.",
        "Het spijt me, maar ik kan je daar niet mee helpen.",
        "Przykro mi, ale nie mogę pomóc.",
        "抱歉，我无法满足这个请求。",
        "申し訳ありませんが、そのご要望にはお応えできません。",
        "죄송하지만 도와드릴 수 없습니다.",
        "Извините, но я не могу помочь с этим.",
        "Λυπάμαι, αλλά δεν μπορώ να βοηθήσω.",
        "عذرا، لا أستطيع المساعدة في ذلك",
        "ขออภัย ฉันไม่สามารถช่วยได้",
    };
    static const char *const answers[] = {
        "Paris is the capital of France.",
        "",
        "You can't divide by zero: the result is not defined.",
        "Ich kann das gern erklären: es gibt drei Gründe.",
        "Here is a letter of apology for your landlord.",
        "Sí, puedo ayudarte con eso.",
        "Это столица Франции.",
        "これは例です。",
        "\xff\xfe\x80 I can\xe2",
    };
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (!score_refused(str_c(refusals[i]))) fprintf(stderr, "not told: %s\n", refusals[i]);
        CHECK(score_refused(str_c(refusals[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (score_refused(str_c(answers[i]))) fprintf(stderr, "told: %s\n", answers[i]);
        CHECK(!score_refused(str_c(answers[i])));
    }
}

static void long_answers_are_no_refusals(void) {
    BUF_AUTO struct buf b = BUF_INIT(10000);
    buf_put(&b, STR("I can't help with the second part, but here is the first. "));
    for (int i = 0; i < 300; i++) buf_printf(&b, "Step %d. ", i);
    CHECK(!score_refused(buf_str(&b)));
}

static void loops_are_found(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 20);
    buf_put(&b, STR("The answer is as follows. "));
    for (int i = 0; i < 40; i++) buf_put(&b, STR("and then and then "));
    CHECK(score_repeats(buf_str(&b)));
    buf_clear(&b);
    for (int i = 0; i < 30; i++) buf_printf(&b, "The cat sat on the mat in the sun. Number %d is next.\n", i);
    CHECK(score_repeats(buf_str(&b))); // every second sentence is the same
    buf_clear(&b);
    for (int i = 0; i < 2000; i++) buf_put(&b, STR("\xe3\x81\xaf\xe3\x81\x84"));
    CHECK(score_repeats(buf_str(&b)));
}

static void other_texts_are_none(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 20);
    CHECK(!score_repeats(STR("")));
    CHECK(!score_repeats(STR("ha ha ha ha ha ha")));
    for (int i = 0; i < 200; i++) buf_printf(&b, "Line %d says that %d times %d is %d.\n", i, i, i + 1, i * (i + 1));
    CHECK(!score_repeats(buf_str(&b)));
    buf_clear(&b);
    for (int i = 0; i < 60; i++) buf_printf(&b, "    if (a%d) {\n        f(%d);\n    }\n", i, i * 7);
    CHECK(!score_repeats(buf_str(&b)));
}

static void schemas_are_held_against(void) {
    struct str schema = STR("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}");
    CHECK_INT(score_schema(schema, STR(" {\"n\": 3}\n"), &g_arena), SCORE_SCHEMA_VALID);
    CHECK_INT(score_schema(schema, STR("{\"n\":\"3\"}"), &g_arena), SCORE_SCHEMA_INVALID);
    CHECK_INT(score_schema(schema, STR("Here it is: {\"n\":3}"), &g_arena), SCORE_SCHEMA_INVALID);
    CHECK_INT(score_schema(STR("{\"unheard_of\":1}"), STR("{}"), &g_arena), SCORE_SCHEMA_UNKNOWN);
    CHECK_INT(score_schema(STR(""), STR("[1]"), &g_arena), SCORE_SCHEMA_VALID);
    CHECK_INT(score_schema(STR(""), STR("no"), &g_arena), SCORE_SCHEMA_INVALID);
}

static void hostile_texts_are_bounded(void) {
    BUF_AUTO struct buf b = BUF_INIT((size_t)4 << 20);
    struct score_answer a;
    buf_put(&b, STR("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                    "\"content\":\""));
    for (size_t i = 0; i < 2 * SCORE_TEXT_MAX; i++) buf_putc(&b, (char)('a' + i % 23));
    buf_put(&b, STR("\"},\"finish_reason\":\"stop\"}]}"));
    CHECK(score_read(dialect_get(DIALECT_OPENAI), buf_str(&b), &g_arena, &a));
    CHECK(a.cut && a.text.n <= SCORE_TEXT_MAX && !score_empty(&a));
    char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37 % 256);
    (void)score_refused(str_of(bytes, sizeof bytes));
    (void)score_repeats(str_of(bytes, sizeof bytes));
    for (size_t n = 0; n < 40; n++) CHECK(!score_refused(str_of(bytes, n)));
}

static void with_arena(void) { arena_init(&g_arena, NULL, 0, (size_t)64 << 20); }
static void without_arena(void) { arena_free(&g_arena); }

TEST_MAIN(with_arena, whole_answers_are_read, other_dialects_are_read, streams_are_read, refusals_are_told,
          long_answers_are_no_refusals, loops_are_found, other_texts_are_none, schemas_are_held_against,
          hostile_texts_are_bounded, without_arena)
