// What providers take from the environment: texts and secrets of one word.
#include "conf/conf_impl.h"

struct str conf_variable(const struct opt_bind *b, const char *name) {
    const char *value = b->env && b->env->get ? b->env->get(b->env->ctx, name) : NULL;
    return str_c(value);
}

static bool is_one_word(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

void conf_variable_text(struct opt_bind *b, const char *name, struct str *out) {
    struct str value = conf_variable(b, name);
    if (!value.n || !is_one_word(value)) return;
    *out = arena_str(b->arena, value);
    if (!out->p) b->failed = true;
}

void conf_variable_secret(struct opt_bind *b, const struct conf_provider *p, size_t i, const char *name,
                          struct secret *out) {
    struct str value = conf_variable(b, name);
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
