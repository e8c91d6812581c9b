// The kinds of provider and what each implies: address, key variable, how the key is sent.
//
// It lives in this room because the configuration's defaults come from it; upper rooms include it from here.
// Thread rule: constant data.
#ifndef CONF_PROVIDER_PRESET_H
#define CONF_PROVIDER_PRESET_H

#include "base/str.h"

enum provider_kind {
#define PRESET(id, kind, title, variable, url, auth, port, prefixes) PROVIDER_##id,
#include "conf/provider_preset.def"
#undef PRESET
    PROVIDER_KIND_COUNT
};

// The dialects that `dialect:` can name.
enum provider_speech {
    PROVIDER_SPEECH_AUTO, // what its kind speaks
    PROVIDER_SPEECH_OPENAI,
    PROVIDER_SPEECH_RESPONSES,
    PROVIDER_SPEECH_ANTHROPIC,
    PROVIDER_SPEECH_GEMINI,
    PROVIDER_SPEECH_OLLAMA,
    PROVIDER_SPEECH_COHERE,
    PROVIDER_SPEECH_BEDROCK,
};

enum provider_auth {
    PROVIDER_AUTH_NONE,      // no key
    PROVIDER_AUTH_BEARER,    // authorization: Bearer KEY
    PROVIDER_AUTH_X_API_KEY, // x-api-key: KEY
    PROVIDER_AUTH_API_KEY,   // api-key: KEY
    PROVIDER_AUTH_GOOG,      // x-goog-api-key: KEY
};

struct provider_preset {
    enum provider_kind kind;
    struct str name;     // "openai", as in `kind:`
    struct str title;    // "OpenAI"
    struct str variable; // "OPENAI_API_KEY", NUL-terminated; empty when no key is needed
    struct str
        base_url; // without trailing slash; empty for what answers in process, or is at another one for each customer
    enum provider_auth auth;
    uint16_t local_port; // where a server of this kind listens on one's own machine; 0 = it is not a local kind
    struct str prefixes; // "gpt-,o1": model names that belong to it
};

const struct provider_preset *provider_preset_get(enum provider_kind kind);
// NULL when there is no such kind.
const struct provider_preset *provider_preset_find(struct str name);
// Whether a model name starts with one of the preset's prefixes.
bool provider_preset_owns(const struct provider_preset *preset, struct str model);

#endif
