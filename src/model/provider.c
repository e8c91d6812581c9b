// How each kind of provider differs, and where its operations are.
#include "model/provider_impl.h"

#define SPEAKS(id) (1u << DIALECT_##id)
#define DOES(id) (1u << OPERATION_##id)

static const struct provider_traits k_traits[] = {
#define PROVIDER(id, speech, speaks, does, usage, completion, thoughts, refused)                                       \
    {.kind = PROVIDER_##id,                                                                                            \
     .dialect = DIALECT_##speech,                                                                                      \
     .natives = (speaks),                                                                                              \
     .operations = (does),                                                                                             \
     .asks_usage = (usage),                                                                                            \
     .max_completion_tokens = (completion),                                                                            \
     .reasoning = STR_INIT(thoughts),                                                                                  \
     .refuses = STR_INIT(refused)},
#define BATCHES(id)
#include "model/provider.def"
#undef PROVIDER
#undef BATCHES
};

const struct provider_traits *provider_traits_get(enum provider_kind kind) {
    static const struct provider_traits other = {
        .kind = PROVIDER_OPENAI,
        .dialect = DIALECT_OPENAI,
        .natives = SPEAKS(OPENAI),
        .operations = DOES(COMPLETIONS) | DOES(EMBEDDINGS) | DOES(RERANK),
        .asks_usage = true,
        .max_completion_tokens = false,
        .reasoning = STR_INIT("reasoning_content"),
        .refuses = STR_INIT(""),
    };
    for (size_t i = 0; i < ARRAY_LEN(k_traits); i++)
        if (k_traits[i].kind == kind) return &k_traits[i];
    return &other;
}

bool provider_has_batches(const struct conf_provider *provider) {
    static const enum provider_kind kinds[] = {
#define PROVIDER(...)
#define BATCHES(id) PROVIDER_##id,
#include "model/provider.def"
#undef PROVIDER
#undef BATCHES
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i] == (enum provider_kind)provider->kind) return true;
    return false;
}

// The dialect that `dialect:` names; false: none, its kind's holds.
static bool said_dialect(const struct conf_provider *p, enum dialect *out_dialect) {
    static const struct str names[] = {
        [PROVIDER_SPEECH_AUTO] = STR_INIT(""),
        [PROVIDER_SPEECH_OPENAI] = STR_INIT("openai"),
        [PROVIDER_SPEECH_RESPONSES] = STR_INIT("responses"),
        [PROVIDER_SPEECH_ANTHROPIC] = STR_INIT("anthropic"),
        [PROVIDER_SPEECH_GEMINI] = STR_INIT("gemini"),
        [PROVIDER_SPEECH_OLLAMA] = STR_INIT("ollama"),
        [PROVIDER_SPEECH_COHERE] = STR_INIT("cohere"),
        [PROVIDER_SPEECH_BEDROCK] = STR_INIT("bedrock"),
    };
    bool compatible = str_ends(p->url.path, STR("/openai"));
    struct str name = p->dialect || !compatible ? names[p->dialect] : STR("openai");
    const struct dialect_ops *ops = name.n ? dialect_find(name) : NULL;
    if (ops) *out_dialect = ops->dialect;
    return ops;
}

enum dialect provider_dialect(const struct conf_provider *provider) {
    enum dialect said;
    return said_dialect(provider, &said) ? said : provider_traits_get((enum provider_kind)provider->kind)->dialect;
}

// The vendor itself. What else is configured as its kind is a server of somebody's, which may not have it.
static bool is_openai(const struct conf_provider *p) {
    static const struct str hosts[] = {STR_INIT("api.openai.com"), STR_INIT(".openai.azure.com"),
                                       STR_INIT(".api.openai.com")};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (str_ends(p->url.host, hosts[i])) return true;
    return false;
}

// Responses: the vendor has them, and Azure in the newer form of its interface.
static bool has_responses(const struct conf_provider *p) {
    if (p->dialect) return true;
    if (p->kind == PROVIDER_OPENAI) return is_openai(p);
    if (p->kind != PROVIDER_AZURE) return true;
    return !p->api_version.n && str_find(p->url.path, STR("/deployments/")) == p->url.path.n;
}

bool provider_speaks(const struct conf_provider *provider, enum dialect dialect, enum operation operation) {
    const struct provider_traits *t = provider_traits_get((enum provider_kind)provider->kind);
    enum dialect said;
    if (dialect == DIALECT_COMPLETIONS) dialect = DIALECT_OPENAI; // another endpoint of the same
    if (dialect == DIALECT_OLLAMA_GENERATE) dialect = DIALECT_OLLAMA;
    bool speaks = said_dialect(provider, &said) ? said == dialect : (t->natives & 1u << dialect) != 0;
    // What else is asked of a server of an unknown make, it may well have.
    bool has = operation == OPERATION_CHAT || (t->operations & 1u << operation) ||
               (provider->kind == PROVIDER_OPENAI && dialect == DIALECT_OPENAI);
    if (dialect == DIALECT_RESPONSES) speaks = speaks && has_responses(provider);
    return speaks && has;
}

bool provider_only_responses(const struct conf_provider *provider, struct str model) {
    static const struct str parts[] = {STR_INIT("-pro"), STR_INIT("codex"), STR_INIT("-deep-research"),
                                       STR_INIT("computer-use-preview")};
    if (provider->dialect || !is_openai(provider)) return false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (str_find(model, parts[i]) < model.n) return true;
    return false;
}

enum provider_auth provider_auth_of(const struct conf_provider *p) {
    const struct dialect_ops *speaks = dialect_get(provider_dialect(p));
    if (p->preset->auth == PROVIDER_AUTH_NONE || p->access_key_id.n) return PROVIDER_AUTH_NONE;
    if (speaks->auth != PROVIDER_AUTH_NONE) return speaks->auth;
    bool own = p->preset->auth == PROVIDER_AUTH_X_API_KEY || p->preset->auth == PROVIDER_AUTH_GOOG;
    return own ? PROVIDER_AUTH_BEARER : p->preset->auth;
}

// --- where ---

static const struct str k_openai_paths[OPERATION_COUNT] = {
    [OPERATION_CHAT] = STR_INIT("/chat/completions"),
    [OPERATION_COMPLETIONS] = STR_INIT("/completions"),
    [OPERATION_EMBEDDINGS] = STR_INIT("/embeddings"),
    [OPERATION_RERANK] = STR_INIT("/rerank"),
    [OPERATION_MODERATIONS] = STR_INIT("/moderations"),
    [OPERATION_IMAGE] = STR_INIT("/images/generations"),
    [OPERATION_IMAGE_EDIT] = STR_INIT("/images/edits"),
    [OPERATION_IMAGE_VARIATION] = STR_INIT("/images/variations"),
    [OPERATION_SPEECH] = STR_INIT("/audio/speech"),
    [OPERATION_TRANSCRIPTION] = STR_INIT("/audio/transcriptions"),
    [OPERATION_TRANSLATION] = STR_INIT("/audio/translations"),
};

static bool below(const struct provider_call *call, struct str path, struct arena *arena, struct str *out_target,
                  struct err *err) {
    if (!path.n)
        return err_set(err, ERR_INVALID_REQUEST, "provider \"%.*s\" has nothing for this endpoint",
                       STR_ARG(call->provider->name));
    if (call->provider->kind == PROVIDER_AZURE) return provider_azure_target(call, path, arena, out_target, err);
    struct str base = call->provider->url.path;
    char *p = arena_alloc(arena, base.n + path.n);
    if (!p) return err_no_memory(err);
    if (base.n) memcpy(p, base.p, base.n);
    memcpy(p + base.n, path.p, path.n);
    *out_target = str_of(p, base.n + path.n);
    return true;
}

bool provider_target(const struct provider_call *call, struct arena *arena, struct str *out_target, struct err *err) {
    const struct dialect_ops *ops = dialect_get(call->dialect);
    // In a path these are steps to another place, however they are written.
    if (str_eq(call->model, STR(".")) || str_eq(call->model, STR("..")))
        return err_set(err, ERR_INVALID_FIELD, "the model's name is none");
    if (ops->path) {
        struct str path;
        return ops->path(call, arena, &path, err) && below(call, path, arena, out_target, err);
    }
    return below(call, k_openai_paths[call->operation], arena, out_target, err);
}

unsigned provider_lends(const struct conf_provider *provider) {
    enum dialect d = provider_dialect(provider);
    bool by_us =
        d == DIALECT_ANTHROPIC || d == DIALECT_BEDROCK || d == DIALECT_COHERE || provider->kind == PROVIDER_VERTEX;
    return by_us ? MODEL_CAN_JSON_SCHEMA : 0;
}
