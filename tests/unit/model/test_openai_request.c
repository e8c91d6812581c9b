// Requests in OpenAI's dialect: read into the neutral form and written for its vendors, or refused with the member at
// fault.
//
// The cases stand in tests/data/requests/openai.txt: after "# name" the lines "to KIND MODEL", "in BODY", then what
// must come: "out BODY" with "dropped NAMES", or "error PARAM: MESSAGE". UPDATE_EXPECTED=1 writes what comes.
#include "base/json_read.h"
#include "check.h"
#include "model/provider.h"

#include <stdio.h>
#include <stdlib.h>

#define CASES "tests/data/requests/openai.txt"

static void file_read(const char *path, struct buf *out) {
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;
    REQUIRE(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) buf_append(out, piece, n);
    fclose(f);
}

static const struct provider_traits *traits_of(struct str kind) {
    static const struct {
        struct str name;
        enum provider_kind kind;
    } kinds[] = {
        {STR_INIT("openai"), PROVIDER_OPENAI},
        {STR_INIT("mistral"), PROVIDER_MISTRAL},
        {STR_INIT("groq"), PROVIDER_GROQ},
        {STR_INIT("deepseek"), PROVIDER_DEEPSEEK},
        {STR_INIT("xai"), PROVIDER_XAI},
        {STR_INIT("openrouter"), PROVIDER_OPENROUTER},
        {STR_INIT("perplexity"), PROVIDER_PERPLEXITY},
        {STR_INIT("vllm"), PROVIDER_VLLM},
        {STR_INIT("github"), PROVIDER_GITHUB},
        {STR_INIT("together"), PROVIDER_TOGETHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].name, kind)) return provider_traits_get(kinds[i].kind);
    fprintf(stderr, "no kind %.*s\n", STR_ARG(kind));
    REQUIRE(false);
    return NULL;
}

static bool make(const struct dialect_ops *ops, enum operation operation, struct str body,
                 const struct chat_target *target, struct arena *arena, struct buf *out, struct chat_report *report,
                 struct err *err) {
    struct model_request_in in = {.operation = operation, .body = body};
    struct model_request request;
    struct chat chat;
    if (!ops->peek(&in, arena, &request, err) || !ops->read(&request, arena, &chat, err)) return false;
    for (size_t i = 0; i < chat.other_count; i++) chat_drop(report, chat.others[i]);
    return dialect_get(DIALECT_OPENAI)->write(&chat, target, arena, out, report, err);
}

// The result of one case as it stands in the file.
static void run(struct str kind, struct str model, struct str body, struct buf *out) {
    struct arena arena;
    struct err err;
    struct chat_report report = {.count = 0};
    BUF_AUTO struct buf written = BUF_INIT((size_t)1 << 20);
    bool older = str_starts(kind, STR("completions/"));
    if (older) kind = str_from(kind, sizeof "completions/" - 1);
    const struct dialect_ops *ops = dialect_get(older ? DIALECT_COMPLETIONS : DIALECT_OPENAI);
    const struct chat_target target = {.model = model, .traits = traits_of(kind)};
    arena_init(&arena, NULL, 0, SIZE_MAX);
    if (make(ops, older ? OPERATION_COMPLETIONS : OPERATION_CHAT, body, &target, &arena, &written, &report, &err)) {
        CHECK(json_validate(buf_str(&written), 0, &err));
        buf_printf(out, "out %.*s\n", STR_ARG(buf_str(&written)));
        if (report.count) buf_lit(out, "dropped");
        for (size_t i = 0; i < report.count; i++) buf_printf(out, " %.*s", STR_ARG(report.names[i]));
        if (report.count) buf_lit(out, "\n");
    } else {
        buf_printf(out, "error %s: %s\n", err.param, err.message);
    }
    arena_free(&arena);
}

struct line_case {
    struct str name, kind, model;
    bool inputs;
};

static void test_cases(void) {
    BUF_AUTO struct buf wanted = BUF_INIT((size_t)1 << 22), got = BUF_INIT((size_t)1 << 22);
    struct str rest, line, kind = STR("openai"), model = STR("gpt-4o");
    int n = 0;
    file_read(CASES, &wanted);
    rest = buf_str(&wanted);
    while (str_split(&rest, '\n', &line)) {
        if (!line.n && !rest.p) break;
        if (str_starts(line, STR("out ")) || str_starts(line, STR("error ")) || str_starts(line, STR("dropped")))
            continue;
        buf_printf(&got, "%.*s\n", STR_ARG(line));
        if (str_starts(line, STR("to "))) {
            line = str_from(line, 3);
            size_t space = str_find_char(line, ' ');
            kind = str_head(line, space);
            model = str_from(line, space + 1);
        }
        if (str_starts(line, STR("in "))) {
            run(kind, model, str_from(line, 3), &got);
            n++;
        }
    }
    if (getenv("UPDATE_EXPECTED")) {
        FILE *f = fopen(CASES, "wb");
        REQUIRE(f && fwrite(got.p, 1, got.n, f) == got.n);
        fclose(f);
        return;
    }
    CHECK(n > 60);
    struct str a = buf_str(&got), b = buf_str(&wanted), x, y;
    while (str_split(&a, '\n', &x) && str_split(&b, '\n', &y)) CHECK_STR(x, y);
    CHECK_INT(got.n, wanted.n);
}

// The same request with each allocation failing: an error, never a crash, never half a request.
static void test_no_memory(void) {
    struct str body = STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                          "\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA\"}}]},"
                          "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a__thought__b\",\"type\":\"function\","
                          "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]}],\"stop\":[\"a\",\"b\"],"
                          "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}");
    for (size_t max = 0; max < 20000; max += 100) {
        struct arena arena;
        struct err err = {0};
        struct chat_report report = {.count = 0};
        BUF_AUTO struct buf out = BUF_INIT((size_t)1 << 20);
        const struct chat_target target = {.model = STR("m"), .traits = provider_traits_get(PROVIDER_OPENAI)};
        arena_init(&arena, NULL, 64, max);
        bool ok = make(dialect_get(DIALECT_OPENAI), OPERATION_CHAT, body, &target, &arena, &out, &report, &err);
        CHECK(ok || err.code == ERR_NO_MEMORY);
        arena_free(&arena);
    }
}

// A long list takes time in proportion to its length.
static void test_long(void) {
    BUF_AUTO struct buf body = BUF_INIT((size_t)1 << 26), out = BUF_INIT((size_t)1 << 26);
    buf_lit(&body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}");
    for (int i = 0; i < 50000; i++)
        buf_lit(&body, ",{\"role\":\"tool\",\"tool_call_id\":\"c__thought__xx\",\"content\":\"__thought__\"}");
    buf_lit(&body, "]}");
    struct arena arena;
    struct err err;
    struct chat_report report = {.count = 0};
    const struct chat_target target = {.model = STR("m"), .traits = provider_traits_get(PROVIDER_OPENAI)};
    arena_init(&arena, NULL, 0, SIZE_MAX);
    CHECK(make(dialect_get(DIALECT_OPENAI), OPERATION_CHAT, buf_str(&body), &target, &arena, &out, &report, &err));
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = buf_str(&body)};
    struct model_request request;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t count;
    REQUIRE(dialect_get(DIALECT_OPENAI)->peek(&in, &arena, &request, &err));
    REQUIRE(dialect_get(DIALECT_OPENAI)->rewrite(&request, &target, &arena, slices, &count, &err));
    CHECK_INT(json_slices_len(slices, count), body.n - 50000 * strlen("__thought__xx"));
    arena_free(&arena);
}

TEST_MAIN(test_cases, test_no_memory, test_long)
