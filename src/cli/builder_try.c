// Tries what was answered, with the checks of "penstock config test".
#include "cli/builder.h"
#include "cli/check_view.h"

static const struct built_secret *typed_secret(const struct builder *b, struct str name) {
    for (size_t i = 0; i < b->secrets.n; i++)
        if (str_eq(b->secrets.p[i].name, name)) return &b->secrets.p[i];
    return NULL;
}

// Secrets typed here are not sealed yet.
static bool read_secret(void *ctx, const struct conf_stores *stores, enum conf_store store, struct str name,
                        struct buf *out, struct err *err) {
    struct builder *b = ctx;
    const struct built_secret *typed = store == CONF_STORE_SEALED ? typed_secret(b, name) : NULL;
    if (!typed) return b->system.read_secret(b->system.ctx, stores, store, name, out, err);
    buf_put(out, secret_str(&typed->value));
    return !out->failed || err_no_memory(err);
}

struct conf *build_load(struct builder *b, struct str text) {
    struct conf_env env = b->system;
    struct conf_problems problems;
    struct conf *conf = NULL;
    env.ctx = b;
    env.read_secret = read_secret;
    env.read_live = NULL;
    env.variables = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(text, STR_NONE, &env, &problems, &conf)) {
        conf = NULL;
        build_say(b, "not valid:\n");
        for (size_t i = 0; i < problems.list.n; i++)
            if (problems.list.p[i].severity == CONF_ERROR)
                build_say(b, "    %.*s\n", STR_ARG(problems.list.p[i].message));
    }
    conf_problems_free(&problems);
    return conf;
}

static void tell(struct builder *b, const struct check_list *list) {
    struct buf out BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
    size_t n = check_list_count(list);
    for (size_t i = 0; i < n; i++) {
        const struct check *c = check_list_at(list, i);
        if (n > 1) buf_printf(&out, "%s    %.*s: ", i ? "" : "\n", STR_ARG(c->name));
        check_view_put_outcome(&out, c, b->args->io->color_err);
        buf_putc(&out, '\n');
        if (c->hint[0]) buf_printf(&out, "    %s\n", c->hint);
    }
    build_say(b, "%.*s", STR_ARG(buf_str(&out)));
}

static bool worked(const struct check_list *list) {
    for (size_t i = 0; i < check_list_count(list); i++)
        if (check_list_at(list, i)->verdict == CHECK_FAILED) return false;
    return true;
}

static bool tried(struct builder *b, struct str text, unsigned kinds) {
    struct check_list *list;
    struct err err;
    struct conf *conf = build_load(b, text);
    if (!conf) return false;
    bool ok = check_list_make(conf, kinds, &list, &err);
    if (ok) {
        check_list_run(list, &(struct check_watch){0});
        tell(b, list);
        ok = worked(list);
        check_list_free(list);
    } else {
        build_say(b, "%s\n", err.message);
    }
    conf_unref(conf);
    return ok;
}

bool build_try(struct builder *b, const char *what, struct str text, unsigned kinds, enum build_next *out_next) {
    static const char *const words[] = {"again", "keep", "drop", NULL};
    static const enum build_next meaning[] = {BUILD_AGAIN, BUILD_GO_ON, BUILD_DROP};
    size_t choice;
    *out_next = BUILD_GO_ON;
    build_say(b, "  testing %s … ", what);
    if (tried(b, text, kinds)) return true;
    if (!build_ask_choice(b, "  again, keep it as it is, or drop it?", words, 0, &choice)) return false;
    *out_next = meaning[choice];
    return true;
}

void build_find_local(struct builder *b, bool out_found[PROVIDER_KIND_COUNT]) {
    struct buf text BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
    struct check_list *list;
    struct err err;
    memset(out_found, 0, PROVIDER_KIND_COUNT * sizeof *out_found);
    buf_lit(&text, "timeouts: {connect: 300ms, total: 1s}\nproviders:\n");
    for (unsigned k = 0; k < PROVIDER_KIND_COUNT; k++) {
        const struct provider_preset *p = provider_preset_get((enum provider_kind)k);
        if (p->local_port) buf_printf(&text, "  - {name: %.*s}\n", STR_ARG(p->name));
    }
    struct conf *conf = build_load(b, buf_str(&text));
    if (!conf) return;
    if (check_list_make(conf, CHECK_KIND(CHECK_PROVIDER), &list, &err)) {
        check_list_run(list, &(struct check_watch){0});
        for (size_t i = 0; i < check_list_count(list); i++) {
            const struct check *c = check_list_at(list, i);
            const struct provider_preset *p = provider_preset_find(c->name);
            if (p && c->verdict != CHECK_FAILED) out_found[p->kind] = true;
        }
        check_list_free(list);
    }
    conf_unref(conf);
}
