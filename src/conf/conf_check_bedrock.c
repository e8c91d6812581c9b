// What a provider of kind bedrock takes from the environment, and where it is.
#include "conf/conf_impl.h"

static struct str variable(const struct opt_bind *b, const char *name) {
    const char *value = b->env && b->env->get ? b->env->get(b->env->ctx, name) : NULL;
    return str_c(value);
}

static bool is_one_word(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

static void take_secret(struct opt_bind *b, const struct conf_provider *p, size_t i, const char *name,
                        struct secret *out) {
    struct str value = variable(b, name);
    if (!value.n) return;
    if (!is_one_word(value)) {
        conf_complain(b, CONF_ERROR, p, p, "providers[%zu]: %s holds a space, line end or control character", i, name);
        return;
    }
    char *z = arena_cstr(b->arena, value);
    if (!z || !vec_push(&b->secrets, (struct secret){z, value.n})) {
        b->failed = true;
        return;
    }
    *out = (struct secret){z, value.n};
}

static void take_text(struct opt_bind *b, const char *name, struct str *out) {
    struct str value = variable(b, name);
    if (!value.n || !is_one_word(value)) return;
    *out = arena_str(b->arena, value);
    if (!out->p) b->failed = true;
}

static void take_credentials(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (opt_mark_find(b, &p->api_key) || opt_mark_find(b, &p->access_key_id) || p->keys.n) return;
    if (variable(b, "AWS_BEARER_TOKEN_BEDROCK").n) {
        take_secret(b, p, i, "AWS_BEARER_TOKEN_BEDROCK", &p->api_key);
        return;
    }
    if (!variable(b, "AWS_ACCESS_KEY_ID").n || !variable(b, "AWS_SECRET_ACCESS_KEY").n) return;
    take_text(b, "AWS_ACCESS_KEY_ID", &p->access_key_id);
    take_secret(b, p, i, "AWS_SECRET_ACCESS_KEY", &p->api_key);
    if (!opt_mark_find(b, &p->session_token)) take_secret(b, p, i, "AWS_SESSION_TOKEN", &p->session_token);
}

void conf_check_bedrock(struct opt_bind *b, struct conf_provider *p, size_t i) {
    take_credentials(b, p, i);
    if (!p->region.n) take_text(b, "AWS_REGION", &p->region);
    if (!p->region.n) take_text(b, "AWS_DEFAULT_REGION", &p->region);
    if (p->access_key_id.n && !p->api_key.n)
        conf_complain(b, CONF_ERROR, &p->access_key_id, p,
                      "providers[%zu]: the key \"api_key\" is missing; it is the secret that belongs to access_key_id",
                      i);
    if (p->access_key_id.n && !p->region.n)
        conf_complain(b, CONF_ERROR, &p->access_key_id, p,
                      "providers[%zu]: the key \"region\" is missing, and AWS_REGION is not set", i);
    if (p->base_url.n || !p->region.n) return;
    p->base_url = arena_printf(b->arena, "https://bedrock-runtime.%.*s.amazonaws.com", STR_ARG(p->region));
    if (!p->base_url.n) b->failed = true;
}
