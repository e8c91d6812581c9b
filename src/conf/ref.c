// Replaces references in configuration values.
#include "conf/ref.h"
#include "base/secret.h"
#include "conf/conf.h"

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

static bool note(struct opt_bind *b, struct str name, bool is_file) {
    struct str copy = arena_str(b->arena, name);
    return copy.p && (is_file ? vec_push(&b->refs.files, copy) : vec_push(&b->refs.vault, copy));
}

static bool store_append(struct opt_bind *b, enum conf_store store, struct str name, struct buf *out, struct err *err) {
    const char *kind = store == CONF_STORE_VAULT ? "vault" : "secret";
    if (!name.n || name.n > 1024) return err_set(err, ERR_CONFIG_INVALID, "${%s:…} needs a name", kind);
    if (store == CONF_STORE_VAULT && str_find_char(name, '#') == name.n)
        return err_set(err, ERR_CONFIG_INVALID, "${vault:%.*s} needs a key: ${vault:path#key}",
                       STR_ARG(str_head(name, 60)));
    if (b->env && b->env->offline) return true;
    if (!b->stores || !b->env || !b->env->read_secret)
        return err_set(err, ERR_CONFIG_INVALID, "${%s:%.*s} cannot be used here", kind, STR_ARG(str_head(name, 60)));
    if (store == CONF_STORE_VAULT && !b->stores->vault->address.n)
        return err_set(err, ERR_CONFIG_INVALID, "${vault:%.*s} needs vault.address, which is not set",
                       STR_ARG(str_head(name, 60)));
    if (store == CONF_STORE_VAULT && !note(b, name, false)) return err_no_memory(err);
    size_t before = out->n;
    if (!b->env->read_secret(b->env->ctx, b->stores, store, name, out, err))
        return err_wrap(err, "${%s:%.*s}", kind, STR_ARG(str_head(name, 60)));
    return out->n > before ||
           err_set(err, ERR_CONFIG_INVALID, "${%s:%.*s} is empty", kind, STR_ARG(str_head(name, 60)));
}

static bool reference_append(struct opt_bind *b, struct str inner, struct buf *out, struct err *err) {
    bool offline = b->env && b->env->offline;
    if (ref_present(inner))
        return err_set(err, ERR_CONFIG_INVALID, "${%.*s…: a reference cannot stand in another one",
                       STR_ARG(str_head(inner, str_find_char(inner, ':'))));
    if (str_starts(inner, STR("env:"))) return offline || env_append(b->env, str_from(inner, 4), out, err);
    if (str_starts(inner, STR("file:"))) {
        if (!offline && !note(b, str_from(inner, 5), true)) return err_no_memory(err);
        return offline || file_append(b->env, str_from(inner, 5), out, err);
    }
    if (str_starts(inner, STR("secret:"))) return store_append(b, CONF_STORE_SEALED, str_from(inner, 7), out, err);
    if (str_starts(inner, STR("vault:"))) return store_append(b, CONF_STORE_VAULT, str_from(inner, 6), out, err);
    return err_set(err, ERR_CONFIG_INVALID,
                   "unknown reference ${%.*s}; there are ${env:NAME}, ${file:/path}, ${secret:name} and "
                   "${vault:path#key}, and $${ stands for ${ itself",
                   STR_ARG(str_head(inner, 60)));
}

static bool expand(struct opt_bind *b, struct str text, struct buf *out, struct err *err) {
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
        if (!reference_append(b, str_head(text, end), out, err)) return false;
        text = str_from(text, end + 1);
    }
    return out->failed ? err_set(err, ERR_CONFIG_INVALID, "the value is longer than 64 KiB") : true;
}

bool ref_expand(struct opt_bind *b, struct str text, struct str *out_text, struct err *err) {
    struct buf out = BUF_INIT(CONF_VALUE_MAX);
    bool ok = expand(b, text, &out, err);
    if (ok) {
        struct str value = b->env && b->env->offline ? text : buf_str(&out);
        char *z = arena_cstr(b->arena, value);
        if (z)
            *out_text = str_of(z, value.n);
        else
            ok = err_no_memory(err);
    }
    buf_wipe(&out);
    return ok;
}
