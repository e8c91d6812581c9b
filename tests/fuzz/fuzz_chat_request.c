// Fuzzes the way of requests from every client's dialect into every provider's: what is written is valid JSON, and the
// same each time.
#include "base/json_read.h"
#include "model/dialect.h"
#include "model/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// By a letter, so that seeds can be read: o(penai), a(nthropic), g(emini), r(esponses), c(ompletions), l (Ollama),
// n (its generate), b(edrock), h (Cohere); any other byte is a number.
static const struct dialect_ops *pick(uint8_t byte, bool client) {
    static const struct {
        char letter;
        const char *name;
    } k_letters[] = {{'o', "openai"},          {'a', "anthropic"},   {'g', "gemini"},
                     {'r', "responses"},       {'c', "completions"}, {'l', "ollama"},
                     {'n', "ollama_generate"}, {'b', "bedrock"},     {'h', "cohere"}};
    const struct dialect_ops *named = NULL;
    for (size_t i = 0; i < ARRAY_LEN(k_letters); i++)
        if (byte == k_letters[i].letter) named = dialect_find(str_c(k_letters[i].name));
    for (unsigned i = 0; i < DIALECT_COUNT; i++) {
        const struct dialect_ops *d = named && i == 0 ? named : dialect_get((enum dialect)((byte + i) % DIALECT_COUNT));
        if (client ? d->read != NULL : d->write != NULL) return d;
    }
    return NULL;
}

static struct model_request_in as_input(const struct dialect_ops *d, struct str body) {
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = body, .content_type = STR("application/json")};
    if (str_eq(d->name, STR("completions"))) in.operation = OPERATION_COMPLETIONS;
    if (str_eq(d->name, STR("gemini"))) {
        in.model = STR("m");
        in.action = STR("generateContent");
    }
    return in;
}

static bool read(const struct dialect_ops *d, struct str body, struct arena *arena, struct chat *out) {
    const struct model_request_in in = as_input(d, body);
    struct model_request request;
    struct err err;
    *out = (struct chat){.count = 0};
    return d->peek(&in, arena, &request, &err) && d->read(&request, arena, out, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct chat chat;
    struct arena arena;
    struct err err;
    if (size < 3) return 0;
    const struct dialect_ops *from = pick(data[0], true), *to = pick(data[1], false);
    if (!from || !to) return 0;
    BUF_AUTO struct buf out = BUF_INIT((size_t)64 << 20), twice = BUF_INIT((size_t)64 << 20);
    arena_init(&arena, NULL, 0, (size_t)256 << 20);
    struct str body = str_of((const char *)data + 3, size - 3);
    const struct chat_target target = {
        .model = STR("m"),
        .max_output = data[2] & 1 ? 4096 : 0,
        .traits = provider_traits_get((enum provider_kind)((unsigned)data[2] % PROVIDER_KIND_COUNT))};
    struct chat_report report = {.count = 0}, report2 = {.count = 0};
    if (read(from, body, &arena, &chat) && to->write(&chat, &target, &arena, &out, &report, &err)) {
        INVARIANT(json_validate(buf_str(&out), JSON_DEPTH_MAX, &err));
        // The same request gives the same bytes: the provider's prompt cache goes by them.
        INVARIANT(to->write(&chat, &target, &arena, &twice, &report2, &err) && str_eq(buf_str(&out), buf_str(&twice)));
    }
    arena_free(&arena);
    return 0;
}
