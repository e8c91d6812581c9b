// Finds providers without a configuration: by keys in the environment and by servers on this machine.
#include "conf/conf_impl.h"

static bool env_has(const struct conf_env *env, struct str name) {
    const char *value = env && env->get && name.n ? env->get(env->ctx, name.p) : NULL;
    return value && *value;
}

void conf_discover(const struct conf_env *env, struct buf *out) {
    bool any = false;
    for (enum provider_kind k = 0; k < PROVIDER_KIND_COUNT; k++) {
        const struct provider_preset *p = provider_preset_get(k);
        bool key = env_has(env, p->variable), url = k == PROVIDER_OPENAI && env_has(env, STR("OPENAI_BASE_URL"));
        bool elsewhere = !p->base_url.n && !url; // a key alone does not say where
        if ((!key && !url) || elsewhere) continue;
        buf_printf(out, "- {name: %.*s, kind: %.*s", STR_ARG(p->name), STR_ARG(p->name));
        if (key) buf_printf(out, ", api_key: \"${env:%.*s}\"", STR_ARG(p->variable));
        if (url) buf_lit(out, ", base_url: \"${env:OPENAI_BASE_URL}\"");
        buf_lit(out, "}\n");
        any = true;
    }
    for (size_t i = 0; env && i < env->n_local; i++) {
        const struct provider_preset *p = provider_preset_get(env->local[i].kind);
        buf_printf(out, "- {name: %.*s, kind: %.*s, base_url: \"%.*s\"}\n", STR_ARG(p->name), STR_ARG(p->name),
                   STR_ARG(env->local[i].base_url));
        any = true;
    }
    if (!any) buf_lit(out, "- {name: demo, kind: demo}\n");
}
