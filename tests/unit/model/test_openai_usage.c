// Token counts and error objects in OpenAI's dialect, from honest upstreams and others.
#include "base/buf.h"
#include "base/json_read.h"
#include "check.h"
#include "model/openai/openai.h"
#include "model/openai_error.h"

struct counted {
    struct str raw;
    bool known;
    struct usage usage;
};

static const struct counted k_counted[] = {
    {STR_INIT("{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}"), true, {.prompt = 7, .output = 3}},
    {STR_INIT("{\"prompt_tokens\":7,\"total_tokens\":7}"), true, {.prompt = 7}},
    {STR_INIT("{\"total_tokens\":9}"), true, {.prompt = 9}},
    {STR_INIT("{\"completion_tokens\":4,\"total_tokens\":9}"), true, {.prompt = 5, .output = 4}},
    {STR_INIT("{\"completion_tokens\":9,\"total_tokens\":4}"), true, {.output = 9}},
    {STR_INIT("{\"prompt_tokens\":10,\"completion_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":4,"
              "\"audio_tokens\":1},\"completion_tokens_details\":{\"reasoning_tokens\":5,\"audio_tokens\":2}}"),
     true,
     {.prompt = 10, .cached = 4, .output = 8, .reasoning = 5, .audio_in = 1, .audio_out = 2}},
    {STR_INIT("{\"prompt_tokens\":10,\"prompt_cache_hit_tokens\":3,\"completion_tokens\":0}"),
     true,
     {.prompt = 10, .cached = 3}},
    // Parts larger than the whole are cut to it.
    {STR_INIT("{\"prompt_tokens\":2,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":9},"
              "\"completion_tokens_details\":{\"reasoning_tokens\":9}}"),
     true,
     {.prompt = 2, .cached = 2, .output = 1, .reasoning = 1}},
    {STR_INIT(
         "{\"prompt_tokens\":3,\"cache_creation_input_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":1}}"),
     true,
     {.prompt = 3, .cached = 1, .cache_write = 2}},
    {STR_INIT("{\"prompt_tokens\":3,\"prompt_tokens_details\":null,\"completion_tokens_details\":[1]}"),
     true,
     {.prompt = 3}},
    {STR_INIT("{\"prompt_tokens\":18446744073709551615}"), true, {.prompt = (uint64_t)1 << 40}},
    {STR_INIT("{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":1}"),
     true,
     {.prompt = (uint64_t)1 << 40, .output = 1}},
    {STR_INIT("{\"prompt_tokens\":-5,\"completion_tokens\":1}"), true, {.output = 1}},
    {STR_INIT("{\"prompt_tokens\":1.5,\"completion_tokens\":1}"), true, {.prompt = 1, .output = 1}},
    {STR_INIT("{}"), false, {0}},
    {STR_INIT("{\"tokens\":5}"), false, {0}},
    {STR_INIT("{\"prompt_tokens\":\"7\"}"), false, {0}},
    {STR_INIT("{\"prompt_tokens\":7"), false, {0}},
    {STR_INIT("[7]"), false, {0}},
    {STR_INIT("null"), false, {0}},
    {STR_INIT(""), false, {0}},
};

static void test_usage(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_counted); i++) {
        struct usage u = {0};
        bool known = openai_usage_merge(k_counted[i].raw, &u);
        if (known != k_counted[i].known || memcmp(&u, &k_counted[i].usage, sizeof u) != 0)
            fprintf(stderr, "%.*s\n", STR_ARG(k_counted[i].raw));
        CHECK(known == k_counted[i].known);
        CHECK(memcmp(&u, &k_counted[i].usage, sizeof u) == 0);
    }
}

static void test_usage_of_answer(void) {
    static const struct {
        struct str body;
        bool known;
    } cases[] = {
        {STR_INIT("{\"x\":1,\"usage\":{\"prompt_tokens\":7}}"), true},
        {STR_INIT(" {\"usage\":null} "), false},
        {STR_INIT("{}"), false},
        {STR_INIT("{\"y\":{\"usage\":{\"prompt_tokens\":7}}}"), false},
        {STR_INIT("{\"usage\":{\"prompt_tokens\":7}}x"), false},
        {STR_INIT("{\"usage\":{\"prompt_tokens\":7}"), false},
        {STR_INIT("{\"usage\":{\"prompt_tokens\":7},\"z\":\"\xff\"}"), false},
        {STR_INIT("<html>"), false},
        {STR_INIT(""), false},
        {STR_INIT("[]"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct usage u = {0};
        bool known = dialect_get(DIALECT_OPENAI)->usage_of(cases[i].body, &u);
        if (known != cases[i].known) fprintf(stderr, "%.*s\n", STR_ARG(cases[i].body));
        CHECK(known == cases[i].known && u.prompt == (known ? 7 : 0));
    }
}

static bool recognise(struct str body, struct chat_failure *out_failure) {
    struct arena arena;
    arena_init(&arena, NULL, 4096, 64 * 1024);
    bool known = dialect_get(DIALECT_OPENAI)->read_failure(body, 500, &arena, out_failure); // slices of the body
    arena_free(&arena);
    return known;
}

static void test_recognise(void) {
    static const struct {
        struct str body, message;
        bool known;
    } cases[] = {
        {STR_INIT("{\"error\":{\"message\":\"no \\\"x\\\"\",\"code\":null}}"), STR_INIT("no \\\"x\\\""), true},
        {STR_INIT("{\"error\":\"plain\"}"), STR_INIT("plain"), true},
        {STR_INIT("{\"error\":{}}"), STR_INIT(""), true},
        {STR_INIT("{\"error\":{\"message\":5}}"), STR_INIT("5"), true},
        {STR_INIT("{\"error\":null}"), STR_INIT(""), false},
        {STR_INIT("{\"error\":true}"), STR_INIT(""), false},
        {STR_INIT("{\"message\":\"x\"}"), STR_INIT("x"), true},
        {STR_INIT("<html>"), STR_INIT(""), false},
        {STR_INIT(""), STR_INIT(""), false},
        {STR_INIT("{\"error\":{\"message\":\"x\"}"), STR_INIT(""), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct chat_failure failure = {.message = STR("")};
        CHECK(recognise(cases[i].body, &failure) == cases[i].known);
        if (cases[i].known) CHECK_STR(failure.message, cases[i].message);
    }
}

static void test_error_text(void) {
    struct err err;
    struct buf out = BUF_INIT(8192);
    for (unsigned code = 0; code < ERR_COUNT; code++) {
        struct err e2;
        buf_clear(&out);
        err_set(&err, (enum err_code)code, "a \"b\"\n\x01\xff%c", 'c'); // not even UTF-8
        if (code % 2) memcpy(err.param, "model", sizeof "model");
        openai_error_put(&out, &err);
        CHECK(json_validate(buf_str(&out), 0, &e2));
        struct chat_failure failure;
        CHECK(recognise(buf_str(&out), &failure) && failure.message.n);
    }
    buf_free(&out);
}

TEST_MAIN(test_usage, test_usage_of_answer, test_recognise, test_error_text)
