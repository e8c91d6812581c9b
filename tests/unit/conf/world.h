// A world for tests of the configuration: files, variables, secrets and live changes, none of them real.
#ifndef TESTS_CONF_WORLD_H
#define TESTS_CONF_WORLD_H

#include "check.h"
#include "conf/conf_impl.h"
#include "conf/tree.h"

#include <fnmatch.h>

#define FILES 24
struct world {
    struct {
        const char *path, *text;
    } files[FILES];
    const char *vars[FILES]; // "NAME=value"
    const char *secrets[8];  // "secret:name=value", "vault:path#key=value"
    struct conf_override live[8], given[8];
    size_t n_live, n_given;
    const char *profile;
    bool offline, live_fails;
    // What was asked.
    struct buf asked;
};

static inline const char *after(const char *const *list, size_t n, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i < n && list[i]; i++)
        if (strncmp(list[i], name, len) == 0 && list[i][len] == '=') return list[i] + len + 1;
    return NULL;
}

static inline const char *world_get(void *ctx, const char *name) {
    const struct world *w = ctx;
    return after(w->vars, FILES, name);
}

static inline bool world_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    const struct world *w = ctx;
    for (size_t i = 0; i < FILES && w->files[i].path; i++) {
        if (!str_eq(path, str_c(w->files[i].path))) continue;
        if (strlen(w->files[i].text) > max) return err_set(err, ERR_BODY_TOO_LARGE, "too large");
        buf_put(out, str_c(w->files[i].text));
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "cannot open %.*s: No such file or directory", STR_ARG(path));
}

static inline bool world_match(void *ctx, struct str pattern, struct buf *out, struct err *err) {
    const struct world *w = ctx;
    char z[256];
    (void)err;
    snprintf(z, sizeof z, "%.*s", STR_ARG(pattern));
    const char *names[FILES];
    size_t n = 0;
    for (size_t i = 0; i < FILES && w->files[i].path; i++) {
        if (fnmatch(z, w->files[i].path, FNM_PATHNAME | FNM_PERIOD) != 0) continue;
        size_t at = n++;
        for (; at && strcmp(names[at - 1], w->files[i].path) > 0; at--) names[at] = names[at - 1];
        names[at] = w->files[i].path;
    }
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s\n", names[i]);
    return true;
}

static inline bool world_secret(void *ctx, const struct conf_stores *stores, enum conf_store store, struct str name,
                                struct buf *out, struct err *err) {
    struct world *w = ctx;
    char z[128];
    const char *kind = store == CONF_STORE_VAULT ? "vault" : "secret";
    snprintf(z, sizeof z, "%s:%.*s", kind, STR_ARG(name));
    buf_printf(&w->asked, "%s in %.*s", z, STR_ARG(stores->data));
    if (store == CONF_STORE_VAULT)
        buf_printf(&w->asked, " at %.*s by %.*s", STR_ARG(stores->vault->address),
                   STR_ARG(secret_str(&stores->vault->token)));
    buf_lit(&w->asked, "\n");
    const char *value = after(w->secrets, ARRAY_LEN(w->secrets), z);
    if (!value) return err_set(err, ERR_NOT_FOUND, "there is no such secret");
    buf_put(out, str_c(value));
    return true;
}

static inline bool world_live(void *ctx, const struct conf_stores *stores, struct arena *a,
                              struct conf_override **out_list, size_t *out_n, struct err *err) {
    struct world *w = ctx;
    (void)a;
    buf_printf(&w->asked, "live in %.*s\n", STR_ARG(stores->data));
    if (w->live_fails) return err_set(err, ERR_STORE, "the database is locked");
    *out_list = w->live;
    *out_n = w->n_live;
    return true;
}

// Loads "main.yaml" of the world, or none; *out_text has the problems.
static inline struct conf *load(struct world *w, struct buf *out_text) {
    struct conf_env env = {.ctx = w,
                           .get = world_get,
                           .read_file = world_read,
                           .match_files = world_match,
                           .variables = w->vars,
                           .read_secret = world_secret,
                           .read_live = world_live,
                           .offline = w->offline,
                           .profile = str_c(w->profile),
                           .overrides = w->given,
                           .n_overrides = w->n_given};
    struct conf_problems problems;
    struct conf *c = NULL;
    buf_free(&w->asked);
    w->asked = (struct buf)BUF_INIT(65536);
    conf_problems_init(&problems);
    bool any = w->files[0].path != NULL;
    bool ok = conf_load(any ? str_c(w->files[0].path) : STR(""), &env, &problems, &c);
    CHECK(ok == (c != NULL) && ok == (problems.errors == 0));
    conf_problems_print(&problems, out_text);
    conf_problems_free(&problems);
    return c;
}

static inline struct conf *load_good(struct world *w) {
    struct buf text = BUF_INIT(1 << 20);
    struct conf *c = load(w, &text);
    if (!c) fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
    REQUIRE(c != NULL);
    buf_free(&text);
    return c;
}

static inline void expect_wrong(struct world *w, const char *want) {
    struct buf text = BUF_INIT(1 << 20);
    struct conf *c = load(w, &text);
    CHECK(c == NULL);
    CHECK_STR(buf_str(&text), str_c(want));
    conf_unref(c);
    buf_free(&text);
    buf_free(&w->asked);
}

static inline void done(struct world *w, struct conf *c) {
    conf_unref(c);
    buf_free(&w->asked);
}

static inline const struct conf_node *node_at(const struct conf *c, const char *key, struct arena *a) {
    struct conf_path path;
    struct err err;
    REQUIRE(conf_path_parse(str_c(key), a, &path, &err));
    return conf_tree_get(&conf_table, c->root, &path);
}

#endif
