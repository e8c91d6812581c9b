// JSON Schema in the subset of Google's older Schema; embeddings; the way of a body that is passed through.
#include "gemini_rig.h"

#include "model/embed.h"

static bool schema(const char *text, struct buf *out, struct err *err) {
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, NULL, 0, 1 << 24);
    buf_clear(out);
    json_writer_init(&w, out);
    bool good = gemini_schema_put(&w, str_c(text), &arena, err);
    arena_free(&arena);
    return good;
}

static void trap_13_the_subset_schema(void) {
    static const struct {
        const char *given, *written;
    } rows[] = {
        {"{\"type\":\"string\",\"additionalProperties\":false,\"default\":\"x\"}", "{\"type\":\"STRING\"}"},
        {"{\"type\":[\"string\",\"null\"]}", "{\"type\":\"STRING\",\"nullable\":true}"},
        {"{\"type\":[\"string\",\"integer\"]}", "{\"anyOf\":[{\"type\":\"STRING\"},{\"type\":\"INTEGER\"}]}"},
        {"{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},{\"type\":\"null\"}]}",
         "{\"type\":\"INTEGER\",\"minimum\":1,\"nullable\":true}"},
        {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"},{\"type\":\"null\"}],\"title\":\"t\"}",
         "{\"anyOf\":[{\"type\":\"INTEGER\",\"nullable\":true},{\"type\":\"STRING\",\"nullable\":true}]}"},
        {"{\"oneOf\":[{\"type\":\"boolean\"},{\"type\":\"number\"}]}",
         "{\"anyOf\":[{\"type\":\"BOOLEAN\"},{\"type\":\"NUMBER\"}]}"},
        {"{\"const\":\"a\"}", "{\"type\":\"STRING\",\"enum\":[\"a\"]}"},
        {"{\"enum\":[\"a\",null,\"b\"]}", "{\"type\":\"STRING\",\"enum\":[\"a\",\"b\"]}"},
        {"{\"type\":\"integer\",\"enum\":[1,2]}", "{\"type\":\"INTEGER\"}"},
        {"{\"type\":\"array\"}", "{\"type\":\"ARRAY\",\"items\":{\"type\":\"STRING\"}}"},
        {"{\"items\":{\"type\":\"number\",\"format\":\"double\"}}",
         "{\"type\":\"ARRAY\",\"items\":{\"type\":\"NUMBER\",\"format\":\"double\"}}"},
        {"{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^a\",\"minLength\":2,\"description\":\"d\"}",
         "{\"type\":\"STRING\",\"description\":\"d\",\"pattern\":\"^a\",\"minLength\":2}"},
        {"{\"allOf\":[{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]},{\"$ref\":\"#/definitions/"
         "B\"}],"
         "\"required\":[\"b\",\"gone\"],\"definitions\":{\"B\":{\"type\":\"object\",\"properties\":{\"b\":{},\"a\":{}}}"
         "}}",
         "{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\"},\"b\":{\"type\":\"STRING\"}},\"required\":["
         "\"b\",\"a\"]}"},
        // A reference beside a description; a recursive one ends in an object.
        {"{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\",\"description\":\"d\"}}}",
         "{\"type\":\"OBJECT\",\"properties\":{\"next\":{\"type\":\"OBJECT\",\"description\":\"d\",\"properties\":{"
         "\"next\":"
         "{\"type\":\"OBJECT\",\"description\":\"d\"}}}}}"},
        {"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"type\":\"boolean\"}}}", "{\"type\":\"BOOLEAN\"}"},
        {"{\"$ref\":\"#/$defs/gone\"}", "{\"type\":\"STRING\"}"},
        {"true", "{\"type\":\"OBJECT\"}"},
        {"{}", "{\"type\":\"STRING\"}"},
    };
    struct buf out = BUF_INIT(1 << 20);
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK(schema(rows[i].given, &out, &err));
        CHECK_STR(buf_str(&out), str_c(rows[i].written));
    }
    buf_free(&out);
}

// Each definition has the next one twice: 2^40 of them, written out.
static void references_that_grow_without_end_are_refused(void) {
    struct buf bomb = BUF_INIT(1 << 16), out = BUF_INIT(1 << 24);
    struct err err;
    buf_lit(&bomb, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (int i = 0; i < 20; i++)
        buf_printf(&bomb,
                   "\"d%d\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d%d\"},\"b\":{\"$ref\":\"#/$defs/d%d\"}}},", i,
                   i + 1, i + 1);
    buf_lit(&bomb, "\"d20\":{\"type\":\"string\"}}}");
    const char *text = buf_cstr(&bomb);
    REQUIRE(text);
    CHECK(!schema(text, &out, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    buf_free(&bomb);
    buf_free(&out);
}

static void deep_schemas_end(void) {
    struct buf deep = BUF_INIT(1 << 16), out = BUF_INIT(1 << 20);
    struct err err;
    for (int i = 0; i < 90; i++) buf_lit(&deep, "{\"properties\":{\"a\":");
    buf_lit(&deep, "{}");
    for (int i = 0; i < 90; i++) buf_lit(&deep, "}}");
    const char *text = buf_cstr(&deep);
    REQUIRE(text);
    CHECK(schema(text, &out, &err));
    CHECK(json_validate(buf_str(&out), 0, &err));
    buf_free(&deep);
    buf_free(&out);
}

// --- embeddings ---

static bool embed_read(struct rig *g, const char *body, struct embed_request *out) {
    struct model_request q = {.operation = OPERATION_EMBEDDINGS, .body = str_c(body)};
    return gemini_embed.read(&q, &g->arena, out, &g->err);
}

static void embeddings_asked_for(void) {
    struct rig g;
    struct embed_request q;
    rig_begin(&g);
    REQUIRE(
        embed_read(&g,
                   "{\"content\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\","
                   "\"title\":\"t\",\"outputDimensionality\":256,\"odd\":1}",
                   &q));
    CHECK(q.single && q.count == 1);
    CHECK_STR(q.inputs[0].text, STR("\"ab\""));
    CHECK_STR(q.purpose, STR("\"search_document\""));
    CHECK_STR(q.title, STR("\"t\""));
    CHECK_INT(q.dimensions, 256);
    CHECK_STR(q.others[0], STR("odd"));
    REQUIRE(embed_read(&g,
                       "{\"requests\":[{\"model\":\"models/m\",\"content\":{\"parts\":[{\"text\":\"a\"}]}},"
                       "{\"content\":{\"parts\":[{\"text\":\"b\"}]}}]}",
                       &q));
    CHECK(!q.single && q.count == 2);
    CHECK(!embed_read(&g, "{}", &q));
    CHECK(!embed_read(&g, "{\"requests\":[]}", &q));
    CHECK(!embed_read(&g, "{\"requests\":[{}]}", &q));
    CHECK(!embed_read(&g, "{\"content\":{\"parts\":[{\"inlineData\":{}}]}}", &q));
    CHECK(!embed_read(&g, "{\"content\":{\"parts\":[]}}", &q));
    rig_end(&g);
}

static void embeddings_of_google(void) {
    struct rig g;
    struct embed_input inputs[] = {{.text = STR("\"a\"")}, {.text = STR("\"b\"")}};
    struct embed_request q = {.inputs = inputs, .count = 2, .dimensions = 8, .purpose = STR("\"search_query\"")};
    struct embed_answer a;
    struct provider_traits traits = {.kind = PROVIDER_VERTEX};
    struct chat_target target = {.model = STR("text-embedding-004")};
    rig_begin(&g);
    REQUIRE(gemini_embed.write(&q, &target, &g.arena, &g.out, &g.report, &g.err));
#define ASKED(text)                                                                                                    \
    "{\"model\":\"models/text-embedding-004\",\"content\":{\"parts\":[{\"text\":\"" text "\"}]},\"taskType\":"         \
    "\"RETRIEVAL_QUERY\",\"outputDimensionality\":8}"
    CHECK_STR(buf_str(&g.out), STR("{\"requests\":[" ASKED("a") "," ASKED("b") "]}"));
    target.traits = &traits;
    buf_clear(&g.out);
    REQUIRE(gemini_embed.write(&q, &target, &g.arena, &g.out, &g.report, &g.err));
    CHECK_STR(buf_str(&g.out),
              STR("{\"instances\":[{\"content\":\"a\",\"task_type\":\"RETRIEVAL_QUERY\"},{\"content\":\"b\","
                  "\"task_type\":\"RETRIEVAL_QUERY\"}],\"parameters\":{\"outputDimensionality\":8}}"));
    inputs[1] = (struct embed_input){.tokens = STR("[1]")};
    CHECK(!gemini_embed.write(&q, &target, &g.arena, &g.out, &g.report, &g.err));
    REQUIRE(
        gemini_embed.read_answer(STR("{\"embeddings\":[{\"values\":[1,2]},{\"values\":[3]}]}"), &g.arena, &a, &g.err));
    CHECK(a.count == 2 && !a.has_usage);
    CHECK_STR(a.vectors[0], STR("[1,2]"));
    REQUIRE(gemini_embed.read_answer(
        STR("{\"predictions\":[{\"embeddings\":{\"values\":[1],\"statistics\":{\"token_count\":3}}},"
            "{\"embeddings\":{\"values\":[2],\"statistics\":{\"token_count\":4}}}]}"),
        &g.arena, &a, &g.err));
    CHECK(a.count == 2 && a.has_usage && a.usage.prompt == 7);
    struct chat_reply reply = {.arena = &g.arena};
    q.single = true;
    buf_clear(&g.out);
    gemini_embed.put_answer(&a, &q, &reply, &g.out);
    CHECK(str_starts(buf_str(&g.out), STR("{\"embedding\":{\"values\":[1]}")));
    q.single = false;
    buf_clear(&g.out);
    gemini_embed.put_answer(&a, &q, &reply, &g.out);
    CHECK(str_starts(buf_str(&g.out), STR("{\"embeddings\":[{\"values\":[1]},{\"values\":[2]}]")));
    static const char *const bad[] = {
        "", "[]", "{}", "{\"embedding\":7}", "{\"embeddings\":[{}]}", "{\"embedding\":{\"values\":1}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!gemini_embed.read_answer(str_c(bad[i]), &g.arena, &a, &g.err));
        CHECK_INT(g.err.code, ERR_UPSTREAM_INVALID);
    }
    rig_end(&g);
}

// --- passed through ---

static void rewriting_names_the_model_where_it_stands(void) {
    struct rig g;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n = 0;
    rig_begin(&g);
    struct model_request q = {.operation = OPERATION_EMBEDDINGS,
                              .model = STR("alias"),
                              .body = STR("{\"requests\":[{\"model\":\"models/alias\",\"content\":{\"model\":\"x\"}}, "
                                          "{\"model\":\"models/alias\"}],\"model\":\"models/alias\"}")};
    struct chat_target target = {.model = STR("real")};
    REQUIRE(gemini_rewrite(&q, &target, &g.arena, slices, &n, &g.err));
    for (size_t i = 0; i < n; i++) buf_put(&g.out, slices[i]);
    CHECK_STR(buf_str(&g.out), STR("{\"requests\":[{\"model\":\"models/real\",\"content\":{\"model\":\"x\"}}, "
                                   "{\"model\":\"models/real\"}],\"model\":\"models/real\"}"));
    q.body = STR("{\"requests\":{\"model\":\"models/alias\"}}");
    REQUIRE(gemini_rewrite(&q, &target, &g.arena, slices, &n, &g.err));
    CHECK(n == 1 && str_eq(slices[0], STR("{\"requests\":{\"model\":\"models/real\"}}")));
    q = (struct model_request){.operation = OPERATION_CHAT, .model = STR("alias"), .body = STR("{\"contents\":[]}")};
    REQUIRE(gemini_rewrite(&q, &target, &g.arena, slices, &n, &g.err));
    CHECK(n == 1 && slices[0].p == q.body.p); // not a byte is touched
    rig_end(&g);
}

static void trap_3_vertex_gets_no_ids(void) {
    struct rig g;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n = 0;
    struct provider_traits traits = {.kind = PROVIDER_VERTEX};
    struct chat_target target = {.model = STR("m"), .traits = &traits};
    rig_begin(&g);
    struct model_request q = {
        .operation = OPERATION_CHAT,
        .model = STR("m"),
        .body = STR(
            "{\"contents\":[{\"id\":1,\"parts\":[{\"functionCall\":{\"id\":\"a\", \"name\":\"f\",\"args\":{\"id\":2}}},"
            "{\"function_response\":{\"name\":\"f\",\"id\":\"a\"}},{\"functionCall\":{\"name\":\"g\"}}]}], \"x\":{}}")};
    REQUIRE(gemini_rewrite(&q, &target, &g.arena, slices, &n, &g.err));
    REQUIRE(n == 1);
    CHECK_STR(slices[0],
              STR("{\"contents\":[{\"id\":1,\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"id\":2}}},"
                  "{\"function_response\":{\"name\":\"f\"}},{\"functionCall\":{\"name\":\"g\"}}]}], \"x\":{}}"));
    // Lists of one, which may stand there without their brackets.
    struct str whole = q.body;
    q.body = STR("{\"contents\":{\"parts\":{\"functionCall\":{\"name\":\"f\",\"id\":\"a\"}}}}");
    REQUIRE(gemini_rewrite(&q, &target, &g.arena, slices, &n, &g.err));
    CHECK_STR(slices[0], STR("{\"contents\":{\"parts\":{\"functionCall\":{\"name\":\"f\"}}}}"));
    q.body = whole;
    traits.kind = PROVIDER_GEMINI;
    REQUIRE(gemini_rewrite(&q, &target, &g.arena, slices, &n, &g.err));
    CHECK(slices[0].p == q.body.p);
    rig_end(&g);
}

// Claude on Vertex AI: the model in the path, the version in the body.
static void anthropic_on_vertex_too(void) {
    const struct dialect_ops *ops = dialect_get(DIALECT_ANTHROPIC);
    struct conf_provider p = {.kind = PROVIDER_VERTEX, .project = STR("p"), .location = STR("l")};
    struct provider_call call = {.provider = &p, .operation = OPERATION_CHAT, .model = STR("claude-x@1")};
    struct provider_traits traits = {.kind = PROVIDER_VERTEX};
    struct chat_target target = {.model = STR("claude-x@1"), .traits = &traits};
    struct str path, slices[JSON_EDIT_SLICES_MAX];
    struct model_request q;
    struct err err;
    size_t n = 0;
    struct rig g;
    rig_begin(&g);
    REQUIRE(ops->path(&call, &g.arena, &path, &err));
    CHECK_STR(path, STR("/projects/p/locations/l/publishers/anthropic/models/claude-x@1:rawPredict"));
    call.stream = true;
    REQUIRE(ops->path(&call, &g.arena, &path, &err));
    CHECK_STR(path, STR("/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict"));
    struct model_request_in in = {
        .operation = OPERATION_CHAT,
        .body = STR("{\"model\":\"c\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}")};
    REQUIRE(ops->peek(&in, &g.arena, &q, &err));
    REQUIRE(ops->rewrite(&q, &target, &g.arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&g.out, slices[i]);
    CHECK_STR(buf_str(&g.out),
              STR("{\"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\":5,\"messages\":[{\"role\":"
                  "\"user\",\"content\":\"a\"}]}"));
    buf_clear(&g.out);
    REQUIRE(ops->read(&q, &g.arena, &g.chat, &err));
    REQUIRE(ops->write(&g.chat, &target, &g.arena, &g.out, &g.report, &err));
    CHECK(str_starts(buf_str(&g.out), STR("{\"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\":5,")));
    rig_end(&g);
}

static void paths(void) {
    static const struct {
        enum provider_kind kind;
        struct provider_call call;
        const char *path;
    } rows[] = {
        {PROVIDER_GEMINI,
         {.operation = OPERATION_CHAT, .model = STR_INIT("gemini-2.5-flash")},
         "/models/gemini-2.5-flash:generateContent"},
        {PROVIDER_GEMINI,
         {.operation = OPERATION_CHAT, .stream = true, .model = STR_INIT("m")},
         "/models/m:streamGenerateContent?alt=sse"},
        {PROVIDER_GEMINI,
         {.operation = OPERATION_CHAT, .stream = true, .array = true, .model = STR_INIT("models/m")},
         "/models/m:streamGenerateContent"},
        {PROVIDER_GEMINI,
         {.operation = OPERATION_EMBEDDINGS, .model = STR_INIT("a/b?c")},
         "/models/a%2Fb%3Fc:batchEmbedContents"},
        {PROVIDER_VERTEX,
         {.operation = OPERATION_CHAT, .model = STR_INIT("m")},
         "/projects/p/locations/l/publishers/google/models/m:generateContent"},
        {PROVIDER_VERTEX,
         {.operation = OPERATION_EMBEDDINGS, .model = STR_INIT("m")},
         "/projects/p/locations/l/publishers/google/models/m:predict"},
        {PROVIDER_GEMINI, {.operation = OPERATION_SPEECH, .model = STR_INIT("m")}, ""},
    };
    struct rig g;
    rig_begin(&g);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_provider p = {.kind = (int)rows[i].kind, .project = STR("p"), .location = STR("l")};
        struct provider_call call = rows[i].call;
        struct str path;
        call.provider = &p;
        REQUIRE(dialect_get(DIALECT_GEMINI)->path(&call, &g.arena, &path, &g.err));
        CHECK_STR(path, str_c(rows[i].path));
    }
    rig_end(&g);
}

TEST_MAIN(trap_13_the_subset_schema, references_that_grow_without_end_are_refused, deep_schemas_end,
          embeddings_asked_for, embeddings_of_google, rewriting_names_the_model_where_it_stands,
          trap_3_vertex_gets_no_ids, anthropic_on_vertex_too, paths)
