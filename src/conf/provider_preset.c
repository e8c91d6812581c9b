// The rows of provider_preset.def as data.
#include "conf/provider_preset.h"

static const struct provider_preset presets[] = {
#define PRESET(id, kind_name, kind_title, key_variable, url, auth_style, port, model_prefixes)                         \
    {.kind = PROVIDER_##id,                                                                                            \
     .name = STR_INIT(kind_name),                                                                                      \
     .title = STR_INIT(kind_title),                                                                                    \
     .variable = STR_INIT(key_variable),                                                                               \
     .base_url = STR_INIT(url),                                                                                        \
     .auth = PROVIDER_AUTH_##auth_style,                                                                               \
     .local_port = port,                                                                                               \
     .prefixes = STR_INIT(model_prefixes)},
#include "conf/provider_preset.def"
#undef PRESET
};

const struct provider_preset *provider_preset_get(enum provider_kind kind) {
    INVARIANT((size_t)kind < ARRAY_LEN(presets));
    return &presets[kind];
}

const struct provider_preset *provider_preset_find(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (str_eq(presets[i].name, name)) return &presets[i];
    }
    return NULL;
}

bool provider_preset_owns(const struct provider_preset *preset, struct str model) {
    struct str rest = preset->prefixes, prefix;
    while (preset->prefixes.n && str_split(&rest, ',', &prefix)) {
        if (str_starts(model, prefix)) return true;
    }
    return false;
}
