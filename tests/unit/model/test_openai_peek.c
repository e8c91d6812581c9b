// Requests in OpenAI's dialect before they are routed, and passed through: what is refused and why, and what is
// changed, byte for byte.
#include "check.h"
#include "model/openai/openai.h"

#include <stdio.h>

static struct arena new_arena(void) {
    struct arena arena;
    arena_init(&arena, NULL, 0, (size_t)1 << 22);
    return arena;
}

static bool peek(enum operation operation, struct str body, unsigned depth, struct arena *arena,
                 struct model_request *out, struct err *err) {
    const struct model_request_in in = {.operation = operation, .body = body, .depth = depth};
    return dialect_get(DIALECT_OPENAI)->peek(&in, arena, out, err);
}

struct wish {
    struct str model;
    bool ask_usage;
};

// For a target that differs in nothing else.
static bool rewrite_for(const struct model_request *q, const struct wish *wish, struct arena *arena,
                        struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    const struct provider_traits traits = {.kind = PROVIDER_OPENAI, .asks_usage = wish->ask_usage};
    const struct chat_target target = {.model = wish->model, .traits = &traits};
    return dialect_get(DIALECT_OPENAI)->rewrite(q, &target, arena, out_slices, out_count, err);
}

#define M "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

// --- reading ---

static void test_read(void) {
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    struct str body =
        STR(" \n{\"model\":\"gpt-4o\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}\r\n");
    REQUIRE(peek(OPERATION_CHAT, body, 0, &arena, &q, &err));
    CHECK_STR(q.body, str_trim(body));
    CHECK_STR(q.model, STR("gpt-4o"));
    CHECK_STR(q.model_raw, STR("\"gpt-4o\""));
    CHECK_STR(q.input, STR("[{\"role\":\"user\",\"content\":\"hi\"}]"));
    CHECK(q.stream && q.wants_usage);
    CHECK_STR(q.stream_options, STR("{\"include_usage\":true}"));
    CHECK_STR(q.include_usage, STR("true"));
    CHECK_INT(model_request_estimate(&q), (q.input.n + 3) / 4);

    REQUIRE(peek(OPERATION_CHAT, STR("{\"model\":\"a\"," M "}"), 0, &arena, &q, &err));
    CHECK(!q.stream && !q.wants_usage && !q.stream_options.p && !q.include_usage.p);
    REQUIRE(peek(OPERATION_CHAT, STR("{\"model\":\"a\"," M ",\"stream\":null,\"stream_options\":null}"), 0, &arena, &q,
                 &err));
    CHECK(!q.stream && !q.wants_usage);
    // Escapes in keys and in the model's name; members of the same name deeper down.
    REQUIRE(
        peek(OPERATION_CHAT,
             STR("{\"x\":{\"model\":\"no\",\"stream\":true},\"mod\\u0065l\":\"a\\u002fb\\\"\\u00e9\",\"messages\":[]}"),
             0, &arena, &q, &err));
    CHECK_STR(q.model, STR("a/b\"\xc3\xa9"));
    CHECK_STR(q.model_raw, STR("\"a\\u002fb\\\"\\u00e9\""));
    CHECK(!q.stream);
    // Embeddings do not stream.
    REQUIRE(peek(OPERATION_EMBEDDINGS, STR("{\"model\":\"a\",\"input\":\"x\",\"stream\":true}"), 0, &arena, &q, &err));
    CHECK(!q.stream);
    // A completion may go without a prompt.
    REQUIRE(peek(OPERATION_COMPLETIONS, STR("{\"model\":\"a\"}"), 0, &arena, &q, &err));
    CHECK(q.input.n == 0 && model_request_estimate(&q) == 0);
    REQUIRE(peek(OPERATION_COMPLETIONS, STR("{\"model\":\"a\",\"prompt\":null}"), 0, &arena, &q, &err));
    arena_free(&arena);
}

struct wrong {
    enum operation operation;
    struct str body;
    enum err_code code;
    struct str param;
};
#define W(operation, body, code, param)                                                                                \
    { operation, STR_INIT(body), code, STR_INIT(param) }

static const struct wrong k_wrong[] = {
    W(OPERATION_CHAT, "", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, " \r\n\t", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "\xef\xbb\xbf{\"model\":\"a\"," M "}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "\0", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M "}x", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M "}{}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{'model':'a'}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"x\":\"\xff\"}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"x\":\"\\ud800\"}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"x\":NaN}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"x\":01}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"x\":\"\n\"}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"x\":[[[[[[[[1]]]]]]]]}", ERR_INVALID_JSON, ""),
    W(OPERATION_CHAT, "[]", ERR_INVALID_FIELD, ""),
    W(OPERATION_CHAT, "\"text\"", ERR_INVALID_FIELD, ""),
    W(OPERATION_CHAT, "null", ERR_INVALID_FIELD, ""),
    W(OPERATION_CHAT, "{}", ERR_MISSING_FIELD, "model"),
    W(OPERATION_CHAT, "{" M "}", ERR_MISSING_FIELD, "model"),
    W(OPERATION_CHAT, "{\"Model\":\"a\"," M "}", ERR_MISSING_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":\"a\"}", ERR_MISSING_FIELD, "messages"),
    W(OPERATION_EMBEDDINGS, "{\"model\":\"a\"}", ERR_MISSING_FIELD, "input"),
    W(OPERATION_CHAT, "{\"model\":null," M "}", ERR_INVALID_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":1," M "}", ERR_INVALID_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":[\"a\"]," M "}", ERR_INVALID_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":\"\"," M "}", ERR_INVALID_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":\"a\",\"messages\":\"hi\"}", ERR_INVALID_FIELD, "messages"),
    W(OPERATION_CHAT, "{\"model\":\"a\",\"messages\":null}", ERR_INVALID_FIELD, "messages"),
    W(OPERATION_CHAT, "{\"model\":\"a\",\"messages\":{}}", ERR_INVALID_FIELD, "messages"),
    W(OPERATION_COMPLETIONS, "{\"model\":\"a\",\"prompt\":1}", ERR_INVALID_FIELD, "prompt"),
    W(OPERATION_EMBEDDINGS, "{\"model\":\"a\",\"input\":null}", ERR_INVALID_FIELD, "input"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"stream\":\"true\"}", ERR_INVALID_FIELD, "stream"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"stream\":1}", ERR_INVALID_FIELD, "stream"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":true}", ERR_INVALID_FIELD, "stream_options"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":[]}", ERR_INVALID_FIELD, "stream_options"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":{\"include_usage\":1}}", ERR_INVALID_FIELD,
      "include_usage"),
    W(OPERATION_CHAT, "{\"model\":\"a\",\"model\":\"b\"," M "}", ERR_INVALID_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":\"a\",\"mod\\u0065l\":\"a\"," M "}", ERR_INVALID_FIELD, "model"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M "," M "}", ERR_INVALID_FIELD, "messages"),
    W(OPERATION_CHAT, "{\"model\":\"a\",\"stream\":true," M ",\"stream\":false}", ERR_INVALID_FIELD, "stream"),
    W(OPERATION_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":{\"include_usage\":true,\"include_usage\":false}}",
      ERR_INVALID_FIELD, "include_usage"),
};

// Whether there may be more to it than text, told by the members' names.
static void test_asks_more(void) {
    static const struct {
        struct str body;
        bool more;
    } cases[] = {
        {STR_INIT("{\"model\":\"m\"," M "}"), false},
        {STR_INIT("{\"model\":\"m\"," M ",\"tools\":[]}"), true},
        {STR_INIT("{\"model\":\"m\"," M ",\"too\\u006cs\":[]}"), true},
        {STR_INIT("{\"model\":\"m\"," M ",\"metadata\":{\"tools\":1}}"), false},
        {STR_INIT("{\"audio\":{},\"model\":\"m\"," M "}"), true},
        {STR_INIT("{\"model\":\"m\"," M ",\"reasoning_effort\":\"low\"}"), true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = new_arena();
        struct model_request q;
        struct err err;
        REQUIRE(peek(OPERATION_CHAT, cases[i].body, 0, &arena, &q, &err));
        CHECK(q.asks == cases[i].more);
        arena_free(&arena);
    }
}

static void test_wrong(void) {
    struct arena arena = new_arena();
    for (size_t i = 0; i < ARRAY_LEN(k_wrong); i++) {
        struct model_request q = {.model = STR_INIT("untouched")};
        struct err err;
        memset(&err, 'x', sizeof err);
        bool ok = peek(k_wrong[i].operation, k_wrong[i].body, 8, &arena, &q, &err);
        if (ok || err.code != k_wrong[i].code || !str_eq(str_c(err.param), k_wrong[i].param))
            fprintf(stderr, "%.*s\n  %s: %s (%s)\n", STR_ARG(k_wrong[i].body), ok ? "taken" : err_info(err.code)->name,
                    ok ? "" : err.message, ok ? "" : err.param);
        CHECK(!ok);
        if (ok) continue;
        CHECK_INT(err.code, k_wrong[i].code);
        CHECK_STR(str_c(err.param), k_wrong[i].param);
        CHECK_INT(err.status, 400);
        CHECK_STR(q.model, STR("untouched"));
    }
    arena_free(&arena);
}

static void test_model_length(void) {
    struct arena arena = new_arena();
    char body[1024];
    for (int n = 255; n <= 258; n++) {
        struct model_request q;
        struct err err;
        int len = snprintf(body, sizeof body, "{\"messages\":[],\"model\":\"%0*d\"}", n, 0);
        CHECK(peek(OPERATION_CHAT, str_of(body, (size_t)len), 0, &arena, &q, &err) == (n <= 256));
    }
    arena_free(&arena);
}

// Every truncation of a good body is refused.
static void test_truncated(void) {
    struct arena arena = new_arena();
    struct str body =
        STR("{\"model\":\"a\\u00e9\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":null},\"n\":-1.5e3}");
    for (size_t n = 0; n <= body.n; n++) {
        struct model_request q;
        struct err err;
        CHECK(peek(OPERATION_CHAT, str_head(body, n), 0, &arena, &q, &err) == (n == body.n));
    }
    arena_free(&arena);
}

// --- rewriting ---

struct edit {
    struct str before, model;
    bool ask;
    struct str after;
};
#define ED(before, model, ask, after)                                                                                  \
    { STR_INIT(before), STR_INIT(model), ask, STR_INIT(after) }

static const struct edit k_edits[] = {
    ED("{\"model\":\"a\"," M "}", "a", true, "{\"model\":\"a\"," M "}"),
    ED("  {\"model\":\"a\"," M "}\n", "b/c", true, "{\"model\":\"b/c\"," M "}"),
    ED("{\"model\":\"a\"," M "}", "x\"y\\z\n", false, "{\"model\":\"x\\\"y\\\\z\\n\"," M "}"),
    // The same name, differently written, stays as it was.
    ED("{\"model\":\"\\u0061\"," M "}", "a", false, "{\"model\":\"\\u0061\"," M "}"),
    // Not streamed: usage is not asked for.
    ED("{\"model\":\"a\"," M ",\"stream\":false,\"stream_options\":{}}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":false,\"stream_options\":{}}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true}", "a", false, "{\"model\":\"a\"," M ",\"stream\":true}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true}", "a", true,
       "{\"stream_options\":{\"include_usage\":true},\"model\":\"a\"," M ",\"stream\":true}"),
    ED("{ \"model\": \"a\", " M ", \"stream\": true }", "b", true,
       "{\"stream_options\":{\"include_usage\":true}, \"model\": \"b\", " M ", \"stream\": true }"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":null}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{}}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{ }}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true }}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"x\":1}}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":1}}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":false}}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":null,\"x\":[]}}", "a", true,
       "{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":[]}}"),
    ED("{\"model\":\"a\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\" : true }}", "b", true,
       "{\"model\":\"b\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\" : true }}"),
    // What is not understood stays, duplicates and odd numbers too.
    ED("{\"z\":1e400,\"z\":\"\\u0000\",\"model\":\"a\",\"messages\":[],\"tools\":[{\"model\":\"a\"}]}", "b", true,
       "{\"z\":1e400,\"z\":\"\\u0000\",\"model\":\"b\",\"messages\":[],\"tools\":[{\"model\":\"a\"}]}"),
};

static void test_rewrite(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_edits); i++) {
        struct arena arena = new_arena();
        struct model_request q;
        struct err err;
        struct str slices[JSON_EDIT_SLICES_MAX];
        struct buf out = BUF_INIT((size_t)1 << 16);
        size_t n = 0;
        REQUIRE(peek(OPERATION_CHAT, k_edits[i].before, 0, &arena, &q, &err));
        const struct wish rewrite = {.model = k_edits[i].model, .ask_usage = k_edits[i].ask};
        CHECK(rewrite_for(&q, &rewrite, &arena, slices, &n, &err));
        for (size_t k = 0; k < n; k++) buf_put(&out, slices[k]);
        CHECK_STR(buf_str(&out), k_edits[i].after);
        buf_free(&out);
        arena_free(&arena);
    }
}

// A prompt of megabytes is not copied: the slices lie in the body.
static void test_rewrite_copies_nothing(void) {
    struct arena arena = new_arena();
    struct buf body = BUF_INIT((size_t)4 << 20);
    struct model_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n, borrowed = 0;
    buf_lit(&body, "{\"model\":\"a\",\"messages\":[\"");
    while (body.n < (size_t)2 << 20) buf_lit(&body, "0123456789abcdef");
    buf_lit(&body, "\"],\"stream\":true}");
    REQUIRE(peek(OPERATION_CHAT, buf_str(&body), 0, &arena, &q, &err));
    const struct wish rewrite = {.model = STR("longer-name"), .ask_usage = true};
    REQUIRE(rewrite_for(&q, &rewrite, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++)
        if (slices[i].p >= body.p && slices[i].p < body.p + body.n) borrowed += slices[i].n;
    CHECK_INT(borrowed, body.n - 3);
    CHECK(arena.held < 64 * 1024);
    buf_free(&body);
    arena_free(&arena);
}

// What the answers may have at the most, as far as the request says so; what is no number is the provider's to refuse.
static void test_output_limit(void) {
    static const struct {
        const char *members;
        uint64_t want;
    } cases[] = {{"\"max_tokens\":20", 20},
                 {"\"max_completion_tokens\":30", 30},
                 {"\"max_tokens\":20,\"max_completion_tokens\":30", 30},
                 {"\"max_tokens\":20,\"n\":3", 60},
                 {"\"n\":3", 0},
                 {"\"max_tokens\":20,\"n\":0", 20},
                 {"\"max_tokens\":null,\"n\":null", 0},
                 {"\"max_tokens\":\"20\"", 0},
                 {"\"max_tokens\":-1", 0},
                 {"\"max_tokens\":2.5", 0},
                 {"\"max_tokens\":[]", 0},
                 {"\"max_tokens\":18446744073709551615", MODEL_OUTPUT_MAX},
                 {"\"max_tokens\":99999999999999999999999", 0},
                 {"\"max_tokens\":4000000000,\"n\":18446744073709551615", MODEL_OUTPUT_MAX}};
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = arena_printf(&arena, "{\"model\":\"a\"," M ",%s}", cases[i].members);
        REQUIRE(peek(OPERATION_CHAT, body, 0, &arena, &q, &err));
        CHECK_INT(q.max_output, cases[i].want);
    }
    REQUIRE(peek(OPERATION_EMBEDDINGS, STR("{\"model\":\"a\",\"input\":\"x\",\"max_tokens\":5}"), 0, &arena, &q, &err));
    CHECK_INT(q.max_output, 0);
    arena_free(&arena);
}

// A model that was changed on the way is written into the body, also when it is called the same upstream.
static void test_renamed(void) {
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n;
    struct buf out = BUF_INIT(4096);
    REQUIRE(peek(OPERATION_CHAT, STR("{\"model\":\"dear\"," M "}"), 0, &arena, &q, &err));
    q.model = STR("cheap");
    q.renamed = true;
    const struct wish rewrite = {.model = STR("cheap")};
    REQUIRE(rewrite_for(&q, &rewrite, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    CHECK_STR(buf_str(&out), STR("{\"model\":\"cheap\"," M "}"));
    buf_free(&out);
    arena_free(&arena);
}

// --- what vendors differ in, where bytes are passed through ---

static void pass(const struct provider_traits *traits, struct str model, struct str body, struct str want,
                 const char *dropped) {
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    struct chat_report report = {.count = 0};
    size_t n = 0;
    struct buf out = BUF_INIT(65536), names = BUF_INIT(4096);
    const struct chat_target target = {.model = model, .traits = traits, .report = &report};
    REQUIRE(peek(OPERATION_CHAT, body, 0, &arena, &q, &err));
    bool ok = dialect_get(DIALECT_OPENAI)->rewrite(&q, &target, &arena, slices, &n, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    CHECK(ok);
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    for (size_t i = 0; i < report.count; i++) buf_printf(&names, " %.*s", STR_ARG(report.names[i]));
    CHECK_STR(buf_str(&out), want);
    CHECK_STR(buf_str(&names), str_c(dropped));
    buf_free(&out);
    buf_free(&names);
    arena_free(&arena);
}
#define PASS(kind, model, body, want, dropped)                                                                         \
    pass(provider_traits_get(PROVIDER_##kind), STR(model), STR(body), STR(want), dropped)

static void test_vendors(void) {
    PASS(OPENAI, "gpt-4o", "{\"model\":\"gpt-4o\"," M ",\"max_tokens\":5,\"strict\":true}",
         "{\"model\":\"gpt-4o\"," M ",\"max_tokens\":5}", "");
    PASS(OPENAI, "o3", "{\"model\":\"o3\"," M ",\"max_tokens\":5}",
         "{\"model\":\"o3\"," M ",\"max_completion_tokens\":5}", "");
    PASS(OPENAI, "o3", "{\"model\":\"o3\"," M ",\"max_tokens\":5,\"max_completion_tokens\":6}",
         "{\"model\":\"o3\"," M ",\"max_tokens\":5,\"max_completion_tokens\":6}", "");
    PASS(MISTRAL, "m", "{\"strict\":false,\"model\":\"x\",\"max\\u005fcompletion_tokens\":5," M "}",
         "{\"model\":\"m\",\"max_tokens\":5," M "}", "");
    PASS(MISTRAL, "m",
         "{\"model\":\"m\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"logit_bias\":{},"
         "\"logprobs\":false,\"store\":null,\"user\":\"u\"}",
         "{\"model\":\"m\"," M ",\"stream\":true}", " user logit_bias");
    PASS(GROQ, "g", "{\"n\":1,\"model\":\"g\"," M "}", "{\"model\":\"g\"," M "}", "");
    PASS(GROQ, "g", "{\"n\":2,\"model\":\"g\"," M "}", "{\"model\":\"g\"," M "}", " n");
    PASS(OPENROUTER, "g", "{\"n\":2,\"model\":\"g\"," M ",\"logit_bias\":{}}",
         "{\"n\":2,\"model\":\"g\"," M ",\"logit_bias\":{}}", "");
}

// Ids of calls that carry what Gemini wants back are cut to what they were; texts that look like it stay.
static void test_marked_ids(void) {
    PASS(OPENAI, "a",
         "{\"model\":\"a\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\": \"c1__thought__AAA=\"}]},"
         "{\"tool_call_id\":\"c1__thought__AAA=\",\"content\":\"x__thought__y \\\"id\\\":\\\"c__thought__z\\\"\"}]}",
         "{\"model\":\"a\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\": \"c1\"}]},"
         "{\"tool_call_id\":\"c1\",\"content\":\"x__thought__y \\\"id\\\":\\\"c__thought__z\\\"\"}]}",
         "");
}

// --- forms ---

#define FORM_TYPE "multipart/form-data; boundary=XX"
#define PART(name, value) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define AUDIO_PART                                                                                                     \
    "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n"     \
    "RIFF\r\n--X\r\n\r\n"

static bool peek_form(struct str body, struct str type, enum operation operation, struct arena *arena,
                      struct model_request *out, struct err *err) {
    const struct model_request_in in = {.operation = operation, .body = body, .content_type = type};
    return dialect_get(DIALECT_OPENAI)->peek(&in, arena, out, err);
}

static void check_form(struct str body, enum operation operation, struct str want_model, struct str want) {
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n;
    struct buf out = BUF_INIT(65536);
    REQUIRE(peek_form(body, STR(FORM_TYPE), operation, &arena, &q, &err));
    CHECK_STR(q.model, want_model);
    const struct wish wish = {.model = STR("new")};
    REQUIRE(rewrite_for(&q, &wish, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    CHECK_STR(buf_str(&out), want);
    const struct wish bad = {.model = STR("a\r\nb")};
    CHECK(!rewrite_for(&q, &bad, &arena, slices, &n, &err));
    buf_free(&out);
    arena_free(&arena);
}

static void test_forms(void) {
    check_form(STR(AUDIO_PART PART("model", "whisper-1") "--XX--\r\n"), OPERATION_TRANSCRIPTION, STR("whisper-1"),
               STR(AUDIO_PART PART("model", "new") "--XX--\r\n"));
    check_form(STR(PART("prompt", "a cat") "--XX--"), OPERATION_IMAGE_EDIT, STR("dall-e-2"),
               STR(PART("model", "new") PART("prompt", "a cat") "--XX--"));
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    REQUIRE(peek_form(STR(PART("stream", "true") PART("model", "m") "--XX--"), STR(FORM_TYPE), OPERATION_TRANSCRIPTION,
                      &arena, &q, &err));
    CHECK(q.stream);
    static const struct {
        struct str type, body;
    } wrong[] = {
        {STR_INIT("application/x-www-form-urlencoded"), STR_INIT("model=a")},
        {STR_INIT("multipart/form-data"), STR_INIT(PART("model", "m") "--XX--")},
        {STR_INIT("multipart/form-data; boundary="), STR_INIT(PART("model", "m") "--XX--")},
        {STR_INIT("multipart/form-data; boundary=XX; boundary=YY"), STR_INIT(PART("model", "m") "--XX--")},
        {STR_INIT("multipart/form-data; boundary=\"X\x01X\""), STR_INIT(PART("model", "m") "--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT("")},
        {STR_INIT(FORM_TYPE), STR_INIT("--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT(PART("model", "m"))},
        {STR_INIT(FORM_TYPE), STR_INIT(PART("model", "m") "--XX")},
        {STR_INIT(FORM_TYPE), STR_INIT("--XX\nContent-Disposition: form-data; name=\"model\"\n\nm\n--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT("preamble\r\n" PART("model", "m") "--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT("--XX\r\nContent-Type: text/plain\r\n\r\nm\r\n--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT(PART("model", "a") PART("model", "b") "--XX--")},
        {STR_INIT(FORM_TYPE),
         STR_INIT("--XX\r\nContent-Disposition: form-data; name=\"model\"; name=\"x\"\r\n\r\nm\r\n--XX--")},
        {STR_INIT(FORM_TYPE),
         STR_INIT("--XX\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\nm\r\n--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT(PART("model", "") "--XX--")},
        {STR_INIT(FORM_TYPE), STR_INIT(PART("prompt", "x") "--XX--")},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        bool ok = peek_form(wrong[i].body, wrong[i].type, OPERATION_TRANSCRIPTION, &arena, &q, &err);
        if (ok) fprintf(stderr, "%.*s\n", STR_ARG(wrong[i].body));
        CHECK(!ok);
        CHECK_INT(err.status, 400);
    }
    arena_free(&arena);
}

// The other endpoints: what they may leave out, and what of them streams.
static void test_operations(void) {
    struct arena arena = new_arena();
    struct model_request q;
    struct err err;
    REQUIRE(peek(OPERATION_MODERATIONS, STR("{\"input\":\"x\"}"), 0, &arena, &q, &err));
    CHECK_STR(q.model, STR("omni-moderation-latest"));
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n;
    struct buf out = BUF_INIT(4096);
    const struct wish wish = {.model = STR("m")};
    REQUIRE(rewrite_for(&q, &wish, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    CHECK_STR(buf_str(&out), STR("{\"model\":\"m\",\"input\":\"x\"}"));
    REQUIRE(peek(OPERATION_IMAGE, STR("{\"prompt\":\"x\",\"stream\":true}"), 0, &arena, &q, &err));
    CHECK(q.stream);
    REQUIRE(peek(OPERATION_SPEECH, STR("{\"model\":\"tts-1\",\"input\":\"x\",\"voice\":\"v\"}"), 0, &arena, &q, &err));
    CHECK(!q.stream);
    REQUIRE(peek(OPERATION_SPEECH, STR("{\"model\":\"tts-1\",\"input\":\"x\",\"stream_format\":\"sse\"}"), 0, &arena,
                 &q, &err));
    CHECK(q.stream);
    CHECK(!peek(OPERATION_SPEECH, STR("{\"model\":\"tts-1\"}"), 0, &arena, &q, &err));
    CHECK(!peek(OPERATION_IMAGE, STR("{\"model\":\"tts-1\",\"prompt\":[]}"), 0, &arena, &q, &err));
    CHECK(!peek(OPERATION_RERANK, STR("{\"model\":\"tts-1\"}"), 0, &arena, &q, &err));
    static const struct {
        struct str input;
        uint64_t count;
    } inputs[] = {{STR_INIT("\"x\""), 1},
                  {STR_INIT("[\"a\",\"b\",\"c\"]"), 3},
                  {STR_INIT("[1,2,3]"), 1},
                  {STR_INIT("[[1],[2]]"), 2},
                  {STR_INIT("[]"), 0}};
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        struct str body = arena_printf(&arena, "{\"model\":\"a\",\"input\":%.*s}", STR_ARG(inputs[i].input));
        REQUIRE(peek(OPERATION_EMBEDDINGS, body, 0, &arena, &q, &err));
        CHECK_INT(q.inputs, inputs[i].count);
    }
    buf_free(&out);
    arena_free(&arena);
}

TEST_MAIN(test_read, test_asks_more, test_wrong, test_model_length, test_truncated, test_rewrite,
          test_rewrite_copies_nothing, test_output_limit, test_renamed, test_vendors, test_marked_ids, test_forms,
          test_operations)
