// Whole answers, failures, counts and embeddings in OpenAI's dialect, from honest upstreams and others.
#include "base/json_read.h"
#include "check.h"
#include "event_text.h"
#include "model/chat_order.h"
#include "model/embed.h"
#include "model/provider.h"
#include "model/translate.h"

#include <stdlib.h>

static struct arena new_arena(void) {
    struct arena arena;
    arena_init(&arena, NULL, 0, (size_t)1 << 24);
    return arena;
}

static const struct chat_reply k_reply = {
    .id = STR_INIT("0000g"), .model = STR_INIT("m"), .created = 1700000000, .wants_usage = true};

// --- answers ---

static void translate(struct str body, enum dialect to, struct buf *out) {
    struct arena arena = new_arena();
    struct err err;
    struct usage usage;
    bool has_usage;
    struct chat_reply reply = k_reply;
    reply.arena = &arena;
    if (translate_answer(dialect_get(DIALECT_OPENAI), dialect_get(to), &reply, body, &arena, out, &usage, &has_usage,
                         &err))
        CHECK(json_validate(buf_str(out), 0, &err));
    else
        buf_printf(out, "%s: %s", err_info(err.code)->name, err.message);
    arena_free(&arena);
}

static void check_answer(struct str body, enum dialect to, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT((size_t)1 << 20);
    translate(body, to, &out);
    CHECK_STR(buf_str(&out), want);
}
#define HEAD                                                                                                           \
    "{\"id\":\"chatcmpl-0000g\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\",\"choices\":["
#define MESSAGE(text) "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" text
#define STOPPED "},\"logprobs\":null,\"finish_reason\":\"stop\"}]"

static void test_answers(void) {
    check_answer(STR("{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\\u00e9\\\"\"},"
                     "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,"
                     "\"prompt_tokens_details\":{\"cached_tokens\":1}}}"),
                 DIALECT_OPENAI,
                 STR(HEAD MESSAGE("\"a\\u00e9\\\"\",\"refusal\":null") STOPPED
                     ",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,"
                     "\"prompt_tokens_details\":{\"cached_tokens\":1,\"audio_tokens\":0},\"completion_tokens_details\":"
                     "{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                     "\"rejected_prediction_tokens\":0}}}"));
    // Calls without ids of the same index, one with an object, one without any arguments.
    check_answer(STR("{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":["
                     "{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":\"\\n\"}}},"
                     "{\"id\":\"b\",\"function\":{\"name\":\"g\"},\"extra_content\":{\"google\":"
                     "{\"thought_signature\":\"U0l=\"}}}]},\"finish_reason\":\"stop\"}]}"),
                 DIALECT_OPENAI,
                 STR(HEAD MESSAGE("null,\"refusal\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
                                  "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":\\\"\\\\n\\\"}\"}},"
                                  "{\"id\":\"b__thought__U0l=\",\"type\":\"function\",\"function\":{\"name\":\"g\","
                                  "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":"
                                  "\"U0l=\"}}}]") "},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}]}"));
    // Thoughts in blocks, in their order.
    check_answer(STR("{\"choices\":[{\"message\":{\"content\":\"c\",\"reasoning_content\":\"ab\",\"thinking_blocks\":["
                     "{\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\","
                     "\"data\":\"r\"},{\"type\":\"thinking\",\"thinking\":\"b\",\"signature\":\"t\"}]},"
                     "\"finish_reason\":\"stop\"}]}"),
                 DIALECT_OPENAI,
                 STR(HEAD MESSAGE("\"c\",\"refusal\":null,\"reasoning_content\":\"ab\",\"thinking_blocks\":["
                                  "{\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"s\"},"
                                  "{\"type\":\"redacted_thinking\",\"data\":\"r\"},"
                                  "{\"type\":\"thinking\",\"thinking\":\"b\",\"signature\":\"t\"}]") STOPPED "}"));
    check_answer(STR("{\"choices\":[{\"message\":{\"content\":\"c\"},\"finish_reason\":\"stop\"}],\"search_results\":"
                     "[{\"title\":\"T\",\"url\":\"https://a\"}]}"),
                 DIALECT_OPENAI,
                 STR(HEAD MESSAGE("\"c\",\"refusal\":null,\"annotations\":[{\"type\":\"url_citation\","
                                  "\"url_citation\":{\"start_index\":0,\"end_index\":0,\"url\":\"https://a\",\"title\":"
                                  "\"T\"}}]") STOPPED "}"));
    check_answer(STR("{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"},"
                     "{\"index\":1,\"message\":{\"content\":\"b\"},\"finish_reason\":\"length\"}]}"),
                 DIALECT_COMPLETIONS,
                 STR("{\"id\":\"cmpl-0000g\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"m\","
                     "\"choices\":[{\"text\":\"a\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"},"
                     "{\"text\":\"b\",\"index\":1,\"logprobs\":null,\"finish_reason\":\"length\"}]}"));
    check_answer(STR("{\"error\":{\"message\":\"no\"}}"), DIALECT_OPENAI,
                 STR("UPSTREAM_STATUS: the provider's answer is an error: no"));
    check_answer(STR("{\"hello\":1}"), DIALECT_OPENAI,
                 STR("UPSTREAM_INVALID: the provider's answer: the answer has no choices"));
    check_answer(STR("{\"choices\":[7]}"), DIALECT_OPENAI,
                 STR("UPSTREAM_INVALID: the provider's answer: a choice is no object"));
}

// Whatever member has whatever kind: an answer or an error, never a crash.
static void test_hostile(void) {
    static const char *const values[] = {"null", "true", "7",    "\"x\"",  "[]",
                                         "{}",   "[7]",  "[{}]", "[null]", "{\"a\":1}"};
    static const char *const shapes[] = {
        "{\"choices\":%s}",
        "{\"choices\":[%s]}",
        "{\"choices\":[{\"message\":%s,\"delta\":%s}]}",
        "{\"choices\":[{\"index\":%s,\"message\":{\"content\":\"x\"}}]}",
        "{\"choices\":[{\"message\":{\"content\":%s,\"refusal\":%s,\"reasoning_content\":%s}}]}",
        "{\"choices\":[{\"message\":{\"tool_calls\":%s,\"function_call\":%s,\"audio\":%s,\"images\":%s}}]}",
        "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":%s,\"index\":%s,\"function\":%s}]}}]}",
        "{\"choices\":[{\"message\":{\"tool_calls\":[{\"function\":{\"name\":%s,\"arguments\":%s}}]}}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\",\"annotations\":%s,\"citations\":%s}}],\"usage\":%s}",
        "{\"choices\":[{\"message\":{\"thinking_blocks\":%s,\"reasoning_details\":%s},\"finish_reason\":%s}]}",
        "{\"id\":%s,\"model\":%s,\"error\":%s,\"search_results\":%s,\"x_groq\":%s,\"choices\":[]}",
    };
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++)
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            BUF_AUTO struct buf body = BUF_INIT(65536), out = BUF_INIT(65536);
            struct str rest = str_c(shapes[s]);
            for (size_t at; (at = str_find(rest, STR("%s"))) < rest.n; rest = str_from(rest, at + 2)) {
                buf_put(&body, str_head(rest, at));
                buf_put(&body, str_c(values[i]));
            }
            buf_put(&body, rest);
            translate(buf_str(&body), DIALECT_OPENAI, &out);
            CHECK(out.n > 0);
            struct chat_failure failure;
            struct arena arena = new_arena();
            (void)dialect_get(DIALECT_OPENAI)->read_failure(buf_str(&body), 500, &arena, &failure);
            arena_free(&arena);
        }
}

// More calls than can be told apart end the answer.
static void test_too_many_calls(void) {
    BUF_AUTO struct buf body = BUF_INIT(65536), out = BUF_INIT((size_t)1 << 20);
    buf_lit(&body, "{\"choices\":[{\"message\":{\"tool_calls\":[");
    for (int i = 0; i < 300; i++)
        buf_printf(&body, "%s{\"id\":\"c%d\",\"function\":{\"name\":\"f\"}}", i ? "," : "", i);
    buf_lit(&body, "]}}]}");
    translate(buf_str(&body), DIALECT_OPENAI, &out);
    CHECK_STR(buf_str(&out), STR("UPSTREAM_STATUS: the provider's answer is an error: the provider's answer calls too "
                                 "many tools"));
}

// --- failures ---

struct failed {
    int status;
    struct str body, message, code, type;
    enum chat_failure_kind kind;
    int want_status;
};
#define FAILED(status, body, message, code, type, kind, want)                                                          \
    { status, STR_INIT(body), STR_INIT(message), STR_INIT(code), STR_INIT(type), CHAT_FAIL_##kind, want }

static const struct failed k_failed[] = {
    FAILED(401,
           "{\"error\":{\"message\":\"Bad "
           "\\\"key\\\"\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}",
           "Bad \\\"key\\\"", "invalid_api_key", "invalid_request_error", AUTHENTICATION, 401),
    FAILED(400,
           "{\"error\":{\"message\":\"This model's maximum context length is "
           "5\",\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}",
           "This model's maximum context length is 5", "context_length_exceeded", "invalid_request_error",
           CONTEXT_LENGTH, 400),
    FAILED(429, "{\"error\":{\"message\":\"q\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}", "q",
           "insufficient_quota", "insufficient_quota", QUOTA, 429),
    FAILED(429, "[{\"error\":{\"code\":429,\"message\":\"Resource\",\"status\":\"RESOURCE_EXHAUSTED\"}}]", "Resource",
           "429", "RESOURCE_EXHAUSTED", RATE_LIMIT, 429),
    FAILED(404, "{\"error\":\"model 'x' not found\"}", "model 'x' not found", "", "", NOT_FOUND, 404),
    FAILED(400, "{\"code\":\"Client specified an invalid argument\",\"error\":\"Model not found\"}", "Model not found",
           "Client specified an invalid argument", "", INVALID, 400),
    FAILED(400,
           "{\"object\":\"error\",\"message\":\"maximum context "
           "length\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
           "maximum context length", "400", "BadRequestError", CONTEXT_LENGTH, 400),
    FAILED(422,
           "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"x\"],\"msg\":\"Extra inputs are not "
           "permitted\"}]}",
           "Extra inputs are not permitted", "", "", INVALID, 422),
    FAILED(422,
           "{\"object\":\"error\",\"message\":{\"detail\":[{\"msg\":\"Field "
           "required\"}]},\"type\":\"invalid_request_error\"}",
           "Field required", "", "invalid_request_error", INVALID, 422),
    FAILED(401, "{\"message\":\"Unauthorized\",\"request_id\":\"1\"}", "Unauthorized", "", "", AUTHENTICATION, 401),
    FAILED(404, "{\"status\":404,\"title\":\"Not Found\",\"detail\":\"Function x: not found\"}",
           "Function x: not found", "", "", NOT_FOUND, 404),
    FAILED(400, "{\"success\":false,\"errors\":[{\"message\":\"AiError: bad\",\"code\":5006}],\"result\":{}}",
           "AiError: bad", "5006", "", INVALID, 400),
    FAILED(200, "{\"error\":{\"message\":\"Provider returned error\",\"code\":502}}", "Provider returned error", "502",
           "", SERVER, 502),
    FAILED(503, "{\"error\":{}}", "", "", "", OVERLOADED, 503),
    FAILED(500, "{\"error\":{\"message\":[],\"type\":7,\"code\":{}}}", "", "", "", SERVER, 500),
};

static void test_failures(void) {
    struct arena arena = new_arena();
    for (size_t i = 0; i < ARRAY_LEN(k_failed); i++) {
        const struct failed *f = &k_failed[i];
        struct chat_failure got;
        bool ok = dialect_get(DIALECT_OPENAI)->read_failure(f->body, f->status, &arena, &got);
        CHECK(ok);
        if (!ok || got.kind != f->kind) fprintf(stderr, "%.*s\n", STR_ARG(f->body));
        if (!ok) continue;
        CHECK_STR(got.message, f->message);
        CHECK_STR(got.code, f->code);
        if (f->type.n) CHECK_STR(got.type, f->type);
        CHECK_INT(got.kind, f->kind);
        CHECK_INT(got.status, f->want_status);
        BUF_AUTO struct buf out = BUF_INIT(4096);
        struct err err;
        dialect_get(DIALECT_OPENAI)->put_failure(&got, STR("req_1"), &out);
        CHECK(json_validate(buf_str(&out), 0, &err));
    }
    static const char *const none[] = {"",
                                       "<html>",
                                       "{}",
                                       "[]",
                                       "[1]",
                                       "\"x\"",
                                       "{\"choices\":[]}",
                                       "{\"error\":null}",
                                       "{\"errors\":[]}",
                                       "{\"x\":{\"error\":{\"message\":\"m\"}}}",
                                       "{\"error\":{"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        struct chat_failure got;
        bool ok = dialect_get(DIALECT_OPENAI)->read_failure(str_c(none[i]), 500, &arena, &got);
        if (ok) fprintf(stderr, "%s\n", none[i]);
        CHECK(!ok);
    }
    arena_free(&arena);
}

static void test_failures_written(void) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    const struct dialect_ops *o = dialect_get(DIALECT_OPENAI);
    struct chat_failure f = {
        .kind = CHAT_FAIL_OVERLOADED, .status = 529, .message = STR("a\\n"), .type = STR("overloaded_error")};
    o->put_failure(&f, STR("r"), &out);
    CHECK_STR(buf_str(&out),
              STR("{\"error\":{\"message\":\"a\\n\",\"type\":\"server_error\",\"param\":null,\"code\":null}}"));
    buf_clear(&out);
    f = (struct chat_failure){.kind = CHAT_FAIL_CONTEXT_LENGTH,
                              .status = 400,
                              .message = STR("m"),
                              .param = STR("messages"),
                              .code = STR("x")};
    o->put_failure_event(&f, STR("r"), &out);
    CHECK_STR(buf_str(&out),
              STR("data: {\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":\"messages\","
                  "\"code\":\"context_length_exceeded\"}}\n\n"));
}

// --- counts ---

static void test_usage(void) {
    const struct dialect_ops *o = dialect_get(DIALECT_OPENAI);
    struct usage u = {0};
    CHECK(o->usage_of(
        STR("{\"usage\":{\"input_tokens\":50,\"output_tokens\":40,\"total_tokens\":90,\"input_tokens_details\":{"
            "\"image_tokens\":40,\"text_tokens\":10}},\"data\":[{\"b64_json\":\"AA\"},{\"b64_json\":\"AA\"}]}"),
        &u));
    CHECK_INT(u.prompt, 50);
    CHECK_INT(u.output, 40);
    CHECK_INT(u.images, 2);
    u = (struct usage){0};
    CHECK(o->usage_of(STR("{\"created\":1,\"data\":[{\"url\":\"https://x\"}]}"), &u));
    CHECK_INT(u.images, 1);
    u = (struct usage){0};
    CHECK(o->usage_of(STR("{\"text\":\"x\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{"
                          "\"text_tokens\":0,\"audio_tokens\":14},\"output_tokens\":5,\"total_tokens\":19}}"),
                      &u));
    CHECK_INT(u.audio_in, 14);
    CHECK(!o->usage_of(STR("{\"text\":\"x\",\"usage\":{\"type\":\"duration\",\"seconds\":3}}"), &u));
    // What is present replaces, what is absent stays.
    u = (struct usage){.prompt = 9, .cached = 4, .output = 1};
    CHECK(o->usage_of(STR("{\"usage\":{\"completion_tokens\":7}}"), &u));
    CHECK_INT(u.prompt, 9);
    CHECK_INT(u.cached, 4);
    CHECK_INT(u.output, 7);
    // Thoughts beside the output.
    u = (struct usage){0};
    CHECK(o->usage_of(STR("{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":35,\"completion_"
                          "tokens_details\":{\"reasoning_tokens\":20}}}"),
                      &u));
    CHECK_INT(u.output, 25);
    CHECK_INT(u.reasoning, 20);
    CHECK(o->only_usage(STR("{\"choices\":[ ],\"usage\":{\"prompt_tokens\":1}}")));
    CHECK(!o->only_usage(STR("{\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}")));
    CHECK(!o->only_usage(STR("{\"choices\":[],\"usage\":null}")));
    CHECK(!o->only_usage(STR("{\"usage\":{\"prompt_tokens\":1}}")));
}

// --- embeddings ---

static bool embed(struct str body, struct arena *arena, struct embed_request *out, struct err *err) {
    const struct dialect_ops *o = dialect_get(DIALECT_OPENAI);
    const struct model_request_in in = {.operation = OPERATION_EMBEDDINGS, .body = body};
    struct model_request q;
    return o->peek(&in, arena, &q, err) && o->embed->read(&q, arena, out, err);
}

static void check_embed(struct str body, enum provider_kind kind, const char *want) {
    struct arena arena = new_arena();
    struct embed_request q;
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT(65536);
    struct chat_report report = {.count = 0};
    const struct chat_target target = {.model = STR("t"), .traits = provider_traits_get(kind)};
    if (!embed(body, &arena, &q, &err))
        buf_printf(&out, "%s", err.message);
    else
        CHECK(dialect_get(DIALECT_OPENAI)->embed->write(&q, &target, &arena, &out, &report, &err));
    for (size_t i = 0; i < report.count; i++) buf_printf(&out, " -%.*s", STR_ARG(report.names[i]));
    CHECK_STR(buf_str(&out), str_c(want));
    arena_free(&arena);
}

static void test_embed_requests(void) {
    check_embed(STR("{\"model\":\"m\",\"input\":\"x\"}"), PROVIDER_OPENAI,
                "{\"model\":\"t\",\"input\":\"x\",\"encoding_format\":\"float\"}");
    check_embed(
        STR("{\"model\":\"m\",\"input\":[\"x\",\"y\"],\"dimensions\":3,\"encoding_format\":\"base64\",\"user\":\"u\"}"),
        PROVIDER_OPENAI,
        "{\"model\":\"t\",\"input\":[\"x\",\"y\"],\"dimensions\":3,\"encoding_format\":\"base64\",\"user\":\"u\"}");
    check_embed(STR("{\"model\":\"m\",\"input\":[1,2]}"), PROVIDER_VLLM,
                "{\"model\":\"t\",\"input\":[1,2],\"encoding_format\":\"float\"}");
    check_embed(STR("{\"model\":\"m\",\"input\":[[1],[2,3]],\"dimensions\":3,\"user\":\"u\"}"), PROVIDER_MISTRAL,
                "{\"model\":\"t\",\"input\":[[1],[2,3]],\"output_dimension\":3,\"encoding_format\":\"float\"} -user");
    check_embed(STR("{\"model\":\"m\",\"input\":\"x\",\"input_type\":\"passage\",\"truncate\":\"END\"}"),
                PROVIDER_NVIDIA,
                "{\"model\":\"t\",\"input\":\"x\",\"encoding_format\":\"float\",\"input_type\":\"passage\","
                "\"truncate\":\"END\"}");
    check_embed(STR("{\"model\":\"m\",\"input\":[]}"), PROVIDER_OPENAI, "\"input\" must not be empty");
    check_embed(STR("{\"model\":\"m\",\"input\":[\"a\",1]}"), PROVIDER_OPENAI,
                "\"input\" must be texts or lists of token numbers");
    check_embed(STR("{\"model\":\"m\",\"input\":[[]]}"), PROVIDER_OPENAI,
                "\"input\" must be texts or lists of token numbers");
    check_embed(STR("{\"model\":\"m\",\"input\":\"x\",\"dimensions\":0}"), PROVIDER_OPENAI,
                "\"dimensions\" must be a positive number");
    check_embed(STR("{\"model\":\"m\",\"input\":\"x\",\"encoding_format\":\"hex\"}"), PROVIDER_OPENAI,
                "\"encoding_format\" must be \"float\" or \"base64\"");
}

static void check_vectors(struct str body, bool base64, const char *want) {
    struct arena arena = new_arena();
    struct embed_answer a;
    struct err err;
    const struct embed_ops *o = dialect_get(DIALECT_OPENAI)->embed;
    const struct embed_request q = {.base64 = base64};
    BUF_AUTO struct buf out = BUF_INIT(65536);
    if (o->read_answer(body, &arena, &a, &err))
        o->put_answer(&a, &q, &k_reply, &out);
    else
        buf_printf(&out, "%s", err.message);
    CHECK_STR(buf_str(&out), str_c(want));
    arena_free(&arena);
}
#define VECTORS(data)                                                                                                  \
    "{\"object\":\"list\",\"data\":[" data "],\"model\":\"m\",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}"

static void test_vectors(void) {
    struct str floats =
        STR("{\"data\":[{\"index\":1,\"embedding\":[1e0, "
            "-0.016385675,0.5]},{\"index\":0,\"embedding\":[]}],\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}");
    check_vectors(floats, false,
                  VECTORS("{\"object\":\"embedding\",\"index\":0,\"embedding\":[]},{\"object\":\"embedding\",\"index\":"
                          "1,\"embedding\":[1e0, -0.016385675,0.5]}"));
    check_vectors(floats, true,
                  VECTORS("{\"object\":\"embedding\",\"index\":0,\"embedding\":\"\"},{\"object\":\"embedding\","
                          "\"index\":1,\"embedding\":\"AACAP0A7hrwAAAA/\"}"));
    struct str packed =
        STR("{\"data\":[{\"index\":0,\"embedding\":\"AACAP0A7hrwAAAA/AADAfw==\"}],\"usage\":{\"prompt_tokens\":4}}");
    check_vectors(packed, false,
                  VECTORS("{\"object\":\"embedding\",\"index\":0,\"embedding\":[1,-0.016385674,0.5,null]}"));
    check_vectors(packed, true,
                  VECTORS("{\"object\":\"embedding\",\"index\":0,\"embedding\":\"AACAP0A7hrwAAAA/AADAfw==\"}"));
    check_vectors(STR("{\"data\":[{\"index\":0,\"embedding\":\"A!\"},{\"index\":0,\"embedding\":\"\"}]}"), false,
                  "the provider's embeddings are numbered wrongly");
    check_vectors(STR("{\"data\":[{\"index\":5,\"embedding\":[]}]}"), false,
                  "the provider's embeddings are numbered wrongly");
    check_vectors(STR("{\"data\":[{\"embedding\":[]},{\"embedding\":\"\"}]}"), false,
                  "the provider's embeddings come in two forms");
    check_vectors(STR("{\"data\":[{}]}"), false, "the provider's embeddings lack a vector");
    check_vectors(STR("{\"data\":[7]}"), false, "the provider's embeddings are no objects");
    check_vectors(STR("{}"), false, "the provider's embeddings have no \"data\"");
}

TEST_MAIN(test_answers, test_hostile, test_too_many_calls, test_failures, test_failures_written, test_usage,
          test_embed_requests, test_vectors)
