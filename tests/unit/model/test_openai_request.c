// Requests in OpenAI's dialect: what is read, what is refused and why, and what is changed, byte for byte.
#include "check.h"
#include "model/openai_request.h"

static struct arena new_arena(void) {
    struct arena arena;
    arena_init(&arena, NULL, 0, (size_t)1 << 22);
    return arena;
}

#define M "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

// --- reading ---

static void test_read(void) {
    struct arena arena = new_arena();
    struct openai_request q;
    struct err err;
    struct str body =
        STR(" \n{\"model\":\"gpt-4o\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}\r\n");
    REQUIRE(openai_request_read(OPENAI_CHAT, body, 0, &arena, &q, &err));
    CHECK_STR(q.body, str_trim(body));
    CHECK_STR(q.model, STR("gpt-4o"));
    CHECK_STR(q.model_raw, STR("\"gpt-4o\""));
    CHECK_STR(q.input, STR("[{\"role\":\"user\",\"content\":\"hi\"}]"));
    CHECK(q.stream && q.wants_usage);
    CHECK_STR(q.stream_options, STR("{\"include_usage\":true}"));
    CHECK_STR(q.include_usage, STR("true"));
    CHECK_INT(openai_request_estimate(&q), (q.input.n + 3) / 4);

    REQUIRE(openai_request_read(OPENAI_CHAT, STR("{\"model\":\"a\"," M "}"), 0, &arena, &q, &err));
    CHECK(!q.stream && !q.wants_usage && !q.stream_options.p && !q.include_usage.p);
    REQUIRE(openai_request_read(OPENAI_CHAT, STR("{\"model\":\"a\"," M ",\"stream\":null,\"stream_options\":null}"), 0,
                                &arena, &q, &err));
    CHECK(!q.stream && !q.wants_usage);
    // Escapes in keys and in the model's name; members of the same name deeper down.
    REQUIRE(openai_request_read(
        OPENAI_CHAT,
        STR("{\"x\":{\"model\":\"no\",\"stream\":true},\"mod\\u0065l\":\"a\\u002fb\\\"\\u00e9\",\"messages\":[]}"), 0,
        &arena, &q, &err));
    CHECK_STR(q.model, STR("a/b\"\xc3\xa9"));
    CHECK_STR(q.model_raw, STR("\"a\\u002fb\\\"\\u00e9\""));
    CHECK(!q.stream);
    // Embeddings do not stream.
    REQUIRE(openai_request_read(OPENAI_EMBEDDINGS, STR("{\"model\":\"a\",\"input\":\"x\",\"stream\":true}"), 0, &arena,
                                &q, &err));
    CHECK(!q.stream);
    // A completion may go without a prompt.
    REQUIRE(openai_request_read(OPENAI_COMPLETIONS, STR("{\"model\":\"a\"}"), 0, &arena, &q, &err));
    CHECK(q.input.n == 0 && openai_request_estimate(&q) == 0);
    REQUIRE(openai_request_read(OPENAI_COMPLETIONS, STR("{\"model\":\"a\",\"prompt\":null}"), 0, &arena, &q, &err));
    arena_free(&arena);
}

struct wrong {
    enum openai_endpoint endpoint;
    struct str body;
    enum err_code code;
    struct str param;
};
#define W(endpoint, body, code, param)                                                                                 \
    { endpoint, STR_INIT(body), code, STR_INIT(param) }

static const struct wrong k_wrong[] = {
    W(OPENAI_CHAT, "", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, " \r\n\t", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "\xef\xbb\xbf{\"model\":\"a\"," M "}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "\0", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M "}x", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M "}{}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{'model':'a'}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"x\":\"\xff\"}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"x\":\"\\ud800\"}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"x\":NaN}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"x\":01}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"x\":\"\n\"}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"x\":[[[[[[[[1]]]]]]]]}", ERR_INVALID_JSON, ""),
    W(OPENAI_CHAT, "[]", ERR_INVALID_FIELD, ""),
    W(OPENAI_CHAT, "\"text\"", ERR_INVALID_FIELD, ""),
    W(OPENAI_CHAT, "null", ERR_INVALID_FIELD, ""),
    W(OPENAI_CHAT, "{}", ERR_MISSING_FIELD, "model"),
    W(OPENAI_CHAT, "{" M "}", ERR_MISSING_FIELD, "model"),
    W(OPENAI_CHAT, "{\"Model\":\"a\"," M "}", ERR_MISSING_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":\"a\"}", ERR_MISSING_FIELD, "messages"),
    W(OPENAI_EMBEDDINGS, "{\"model\":\"a\"}", ERR_MISSING_FIELD, "input"),
    W(OPENAI_CHAT, "{\"model\":null," M "}", ERR_INVALID_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":1," M "}", ERR_INVALID_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":[\"a\"]," M "}", ERR_INVALID_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":\"\"," M "}", ERR_INVALID_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":\"a\",\"messages\":\"hi\"}", ERR_INVALID_FIELD, "messages"),
    W(OPENAI_CHAT, "{\"model\":\"a\",\"messages\":null}", ERR_INVALID_FIELD, "messages"),
    W(OPENAI_CHAT, "{\"model\":\"a\",\"messages\":{}}", ERR_INVALID_FIELD, "messages"),
    W(OPENAI_COMPLETIONS, "{\"model\":\"a\",\"prompt\":1}", ERR_INVALID_FIELD, "prompt"),
    W(OPENAI_EMBEDDINGS, "{\"model\":\"a\",\"input\":null}", ERR_INVALID_FIELD, "input"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"stream\":\"true\"}", ERR_INVALID_FIELD, "stream"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"stream\":1}", ERR_INVALID_FIELD, "stream"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":true}", ERR_INVALID_FIELD, "stream_options"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":[]}", ERR_INVALID_FIELD, "stream_options"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":{\"include_usage\":1}}", ERR_INVALID_FIELD,
      "include_usage"),
    W(OPENAI_CHAT, "{\"model\":\"a\",\"model\":\"b\"," M "}", ERR_INVALID_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":\"a\",\"mod\\u0065l\":\"a\"," M "}", ERR_INVALID_FIELD, "model"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M "," M "}", ERR_INVALID_FIELD, "messages"),
    W(OPENAI_CHAT, "{\"model\":\"a\",\"stream\":true," M ",\"stream\":false}", ERR_INVALID_FIELD, "stream"),
    W(OPENAI_CHAT, "{\"model\":\"a\"," M ",\"stream_options\":{\"include_usage\":true,\"include_usage\":false}}",
      ERR_INVALID_FIELD, "include_usage"),
};

static void test_wrong(void) {
    struct arena arena = new_arena();
    for (size_t i = 0; i < ARRAY_LEN(k_wrong); i++) {
        struct openai_request q = {.model = STR_INIT("untouched")};
        struct err err;
        memset(&err, 'x', sizeof err);
        bool ok = openai_request_read(k_wrong[i].endpoint, k_wrong[i].body, 8, &arena, &q, &err);
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
        struct openai_request q;
        struct err err;
        int len = snprintf(body, sizeof body, "{\"messages\":[],\"model\":\"%0*d\"}", n, 0);
        CHECK(openai_request_read(OPENAI_CHAT, str_of(body, (size_t)len), 0, &arena, &q, &err) == (n <= 256));
    }
    arena_free(&arena);
}

// Every truncation of a good body is refused.
static void test_truncated(void) {
    struct arena arena = new_arena();
    struct str body =
        STR("{\"model\":\"a\\u00e9\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":null},\"n\":-1.5e3}");
    for (size_t n = 0; n <= body.n; n++) {
        struct openai_request q;
        struct err err;
        CHECK(openai_request_read(OPENAI_CHAT, str_head(body, n), 0, &arena, &q, &err) == (n == body.n));
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
        struct openai_request q;
        struct err err;
        struct str slices[JSON_EDIT_SLICES_MAX];
        struct buf out = BUF_INIT((size_t)1 << 16);
        size_t n = 0;
        REQUIRE(openai_request_read(OPENAI_CHAT, k_edits[i].before, 0, &arena, &q, &err));
        const struct openai_rewrite rewrite = {.model = k_edits[i].model, .ask_usage = k_edits[i].ask};
        CHECK(openai_request_rewrite(&q, &rewrite, &arena, slices, &n, &err));
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
    struct openai_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n, borrowed = 0;
    buf_lit(&body, "{\"model\":\"a\",\"messages\":[\"");
    while (body.n < (size_t)2 << 20) buf_lit(&body, "0123456789abcdef");
    buf_lit(&body, "\"],\"stream\":true}");
    REQUIRE(openai_request_read(OPENAI_CHAT, buf_str(&body), 0, &arena, &q, &err));
    const struct openai_rewrite rewrite = {.model = STR("longer-name"), .ask_usage = true};
    REQUIRE(openai_request_rewrite(&q, &rewrite, &arena, slices, &n, &err));
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
                 {"\"max_tokens\":18446744073709551615", OPENAI_OUTPUT_MAX},
                 {"\"max_tokens\":99999999999999999999999", 0},
                 {"\"max_tokens\":4000000000,\"n\":18446744073709551615", OPENAI_OUTPUT_MAX}};
    struct arena arena = new_arena();
    struct openai_request q;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = arena_printf(&arena, "{\"model\":\"a\"," M ",%s}", cases[i].members);
        REQUIRE(openai_request_read(OPENAI_CHAT, body, 0, &arena, &q, &err));
        CHECK_INT(q.max_output, cases[i].want);
    }
    REQUIRE(openai_request_read(OPENAI_EMBEDDINGS, STR("{\"model\":\"a\",\"input\":\"x\",\"max_tokens\":5}"), 0, &arena,
                                &q, &err));
    CHECK_INT(q.max_output, 0);
    arena_free(&arena);
}

// A model that was changed on the way is written into the body, also when it is called the same upstream.
static void test_renamed(void) {
    struct arena arena = new_arena();
    struct openai_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n;
    struct buf out = BUF_INIT(4096);
    REQUIRE(openai_request_read(OPENAI_CHAT, STR("{\"model\":\"dear\"," M "}"), 0, &arena, &q, &err));
    q.model = STR("cheap");
    q.renamed = true;
    const struct openai_rewrite rewrite = {.model = STR("cheap")};
    REQUIRE(openai_request_rewrite(&q, &rewrite, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    CHECK_STR(buf_str(&out), STR("{\"model\":\"cheap\"," M "}"));
    buf_free(&out);
    arena_free(&arena);
}

TEST_MAIN(test_read, test_wrong, test_model_length, test_truncated, test_rewrite, test_rewrite_copies_nothing,
          test_output_limit, test_renamed)
