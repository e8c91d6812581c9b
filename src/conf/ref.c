// Replaces ${env:NAME} and ${file:/path} in configuration values.
#include "conf/ref.h"
#include "base/secret.h"

bool ref_present(struct str text) { return str_find(text, STR("${")) < text.n; }

// Key material must not stay behind in freed memory.
static void buf_wipe(struct buf *b) {
    secret_wipe(b->p, b->p ? b->cap : 0);
    buf_free(b);
}

static bool env_append(const struct conf_env *env, struct str name, struct buf *out, struct err *err) {
    char z[128];
    if (!name.n || name.n >= sizeof z || memchr(name.p, '=', name.n))
        return err_set(err, ERR_CONFIG_INVALID, "\"%.*s\" is not the name of an environment variable", STR_ARG(name));
    memcpy(z, name.p, name.n);
    z[name.n] = 0;
    const char *value = env && env->get ? env->get(env->ctx, z) : NULL;
    if (!value) return err_set(err, ERR_CONFIG_INVALID, "the environment variable %s is not set", z);
    if (!*value) return err_set(err, ERR_CONFIG_INVALID, "the environment variable %s is empty", z);
    buf_put(out, str_c(value));
    return true;
}

static bool file_append(const struct conf_env *env, struct str path, struct buf *out, struct err *err) {
    char z[1024];
    if (!path.n || path.n >= sizeof z) return err_set(err, ERR_CONFIG_INVALID, "${file:…} needs a path");
    snprintf(z, sizeof z, "%.*s", STR_ARG(path));
    if (!env || !env->read_file) return err_set(err, ERR_CONFIG_INVALID, "the file %s cannot be read here", z);
    struct buf text = BUF_INIT(CONF_VALUE_MAX);
    bool ok = env->read_file(env->ctx, path, CONF_VALUE_MAX, &text, err);
    if (ok) {
        struct str value = buf_str(&text);
        while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r')) value.n--;
        ok = value.n || err_set(err, ERR_CONFIG_INVALID, "the file %s is empty", z);
        buf_put(out, value);
    } else {
        err_wrap(err, "the file %s cannot be read", z);
    }
    buf_wipe(&text);
    return ok;
}

static bool reference_append(const struct conf_env *env, struct str inner, struct buf *out, struct err *err) {
    if (str_starts(inner, STR("env:"))) return env_append(env, str_from(inner, 4), out, err);
    if (str_starts(inner, STR("file:"))) return file_append(env, str_from(inner, 5), out, err);
    return err_set(err, ERR_CONFIG_INVALID,
                   "unknown reference ${%.*s}; there are ${env:NAME} and ${file:/path}, and $${ stands for ${ itself",
                   STR_ARG(str_head(inner, 60)));
}

static bool expand(const struct conf_env *env, struct str text, struct buf *out, struct err *err) {
    while (text.n) {
        size_t at = str_find(text, STR("${"));
        buf_put(out, str_head(text, at));
        if (at == text.n) break;
        bool escaped = at > 0 && text.p[at - 1] == '$';
        text = str_from(text, at + 2);
        if (escaped) { // "$${": one dollar is in out already
            buf_putc(out, '{');
            continue;
        }
        size_t end = str_find_char(text, '}');
        if (end == text.n) return err_set(err, ERR_CONFIG_INVALID, "\"${\" without a closing \"}\"");
        if (!reference_append(env, str_head(text, end), out, err)) return false;
        text = str_from(text, end + 1);
    }
    return out->failed ? err_set(err, ERR_CONFIG_INVALID, "the value is longer than 64 KiB") : true;
}

bool ref_expand(const struct conf_env *env, struct str text, struct arena *a, struct str *out_text, struct err *err) {
    struct buf out = BUF_INIT(CONF_VALUE_MAX);
    bool ok = expand(env, text, &out, err);
    if (ok) {
        char *z = arena_cstr(a, buf_str(&out));
        if (z)
            *out_text = str_of(z, out.n);
        else
            ok = err_no_memory(err);
    }
    buf_wipe(&out);
    return ok;
}
