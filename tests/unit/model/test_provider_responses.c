// Tests of which providers and models are spoken to in OpenAI's Responses dialect.
#include "check.h"
#include "model/provider.h"

#include <stdlib.h>

static struct conf_provider at(enum provider_kind kind, const char *host, const char *path) {
    struct conf_provider p = {.name = STR("p"), .kind = (int)kind};
    p.url.host = str_c(host);
    p.url.path = str_c(path);
    return p;
}

static bool speaks(const struct conf_provider *p) { return provider_speaks(p, DIALECT_RESPONSES, OPERATION_CHAT); }

static void who_has_it(void) {
    struct conf_provider p = at(PROVIDER_OPENAI, "api.openai.com", "/v1");
    CHECK(speaks(&p) && provider_speaks(&p, DIALECT_OPENAI, OPERATION_CHAT));
    p = at(PROVIDER_OPENAI, "eu.api.openai.com", "/v1");
    CHECK(speaks(&p));
    // Anybody's server of OpenAI's interface may lack it: it is translated, unless its configuration says that it has
    // it.
    p = at(PROVIDER_OPENAI, "127.0.0.1", "/v1");
    CHECK(!speaks(&p) && provider_speaks(&p, DIALECT_OPENAI, OPERATION_CHAT));
    p.dialect = PROVIDER_SPEECH_RESPONSES;
    CHECK(speaks(&p) && !provider_speaks(&p, DIALECT_OPENAI, OPERATION_CHAT));
    CHECK(provider_dialect(&p) == DIALECT_RESPONSES);
    p = at(PROVIDER_OPENAI, "api.openai.com.evil.example", "/v1");
    CHECK(!speaks(&p));
    p = at(PROVIDER_AZURE, "x.openai.azure.com", "");
    CHECK(speaks(&p));
    p.api_version = STR("2024-10-21");
    CHECK(!speaks(&p));
    p = at(PROVIDER_AZURE, "x.openai.azure.com", "/openai/deployments/d");
    CHECK(!speaks(&p));
    p = at(PROVIDER_XAI, "api.x.ai", "/v1");
    CHECK(speaks(&p));
    p = at(PROVIDER_ANTHROPIC, "api.anthropic.com", "/v1");
    CHECK(!speaks(&p));
    p = at(PROVIDER_GROQ, "api.groq.com", "/openai/v1");
    CHECK(!speaks(&p));
}

// Trap: models that the vendor has in this dialect alone.
static void models_that_have_nothing_else(void) {
    static const char *const only[] = {
        "o1-pro",           "o3-pro-2025-06-10",   "gpt-5-pro", "gpt-5.1-codex-max", "codex-mini-latest",
        "o3-deep-research", "computer-use-preview"};
    static const char *const both[] = {"gpt-5", "gpt-4o", "o3", "o4-mini", "gpt-4.1-mini"};
    struct conf_provider p = at(PROVIDER_OPENAI, "api.openai.com", "/v1"),
                         other = at(PROVIDER_OPENAI, "127.0.0.1", "/v1");
    for (size_t i = 0; i < ARRAY_LEN(only); i++) {
        CHECK(provider_only_responses(&p, str_c(only[i])));
        CHECK(!provider_only_responses(&other, str_c(only[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(both); i++) CHECK(!provider_only_responses(&p, str_c(both[i])));
    p.dialect = PROVIDER_SPEECH_OPENAI; // said is said
    CHECK(!provider_only_responses(&p, STR("o3-pro")));
}

static void where_it_is(void) {
    struct arena arena;
    struct err err;
    struct str target;
    struct conf_provider p = at(PROVIDER_OPENAI, "api.openai.com", "/v1");
    struct provider_call call = {
        .provider = &p, .operation = OPERATION_CHAT, .dialect = DIALECT_RESPONSES, .model = STR("m")};
    arena_init(&arena, NULL, 0, SIZE_MAX);
    REQUIRE(provider_target(&call, &arena, &target, &err));
    CHECK_STR(target, STR("/v1/responses"));
    p = at(PROVIDER_AZURE, "x.openai.azure.com", "");
    REQUIRE(provider_target(&call, &arena, &target, &err));
    CHECK_STR(target, STR("/openai/v1/responses"));
    call.operation = OPERATION_EMBEDDINGS;
    CHECK(!provider_target(&call, &arena, &target, &err));
    arena_free(&arena);
}

TEST_MAIN(who_has_it, models_that_have_nothing_else, where_it_is)
