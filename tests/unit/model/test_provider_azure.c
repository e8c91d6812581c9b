// Where Azure OpenAI's operations are.
#include "check.h"

#include "model/provider.h"

#include <stdlib.h>

static void expect(const char *base_path, const char *version, enum operation operation, const char *target) {
    struct arena arena;
    struct err err;
    struct str got;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    struct conf_provider p = {.name = STR("az"), .kind = PROVIDER_AZURE, .api_version = str_c(version)};
    p.url.path = str_c(base_path);
    struct provider_call call = {
        .provider = &p, .operation = operation, .dialect = DIALECT_OPENAI, .model = STR("gpt 4o/x")};
    REQUIRE(provider_target(&call, &arena, &got, &err));
    CHECK_STR(got, str_c(target));
    arena_free(&arena);
}

static void deployments(void) {
    expect("", "2024-10-21", OPERATION_CHAT,
           "/openai/deployments/gpt%204o%2Fx/chat/completions?api-version=2024-10-21");
    expect("/openai", "2024-10-21", OPERATION_EMBEDDINGS,
           "/openai/deployments/gpt%204o%2Fx/embeddings?api-version=2024-10-21");
    expect("/gate/openai/deployments/mine", "v", OPERATION_CHAT,
           "/gate/openai/deployments/mine/chat/completions?api-version=v");
}

static void newer_paths(void) {
    expect("", "", OPERATION_CHAT, "/openai/v1/chat/completions");
    expect("/openai", "", OPERATION_CHAT, "/openai/v1/chat/completions");
    expect("/openai/v1", "", OPERATION_IMAGE, "/openai/v1/images/generations");
    expect("/openai/v1", "preview", OPERATION_CHAT, "/openai/v1/chat/completions?api-version=preview");
}

static void what_it_does_not_have(void) {
    struct arena arena;
    struct err err;
    struct str got;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    struct conf_provider p = {.name = STR_INIT("az"), .kind = PROVIDER_AZURE};
    struct provider_call call = {
        .provider = &p, .operation = OPERATION_COUNT_TOKENS, .dialect = DIALECT_OPENAI, .model = STR_INIT("m")};
    CHECK(!provider_target(&call, &arena, &got, &err));
    arena_free(&arena);
}

TEST_MAIN(deployments, newer_paths, what_it_does_not_have)
