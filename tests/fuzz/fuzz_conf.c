// Fuzzes the configuration: any bytes give a snapshot or problems, never a crash, a leak or a long wait.
#include "conf/change.h"
#include "conf/show.h"

static const char *env_get(void *ctx, const char *name) {
    (void)ctx;
    return strcmp(name, "KEY") == 0 ? "value" : NULL;
}

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)max;
    if (!str_eq(path, STR("/key"))) return err_set(err, ERR_NOT_FOUND, "no such file");
    buf_lit(out, "value\n");
    return true;
}

// What is shown reads back to the same, except for the secrets that are masked in it.
static void check_shown(const struct conf *conf, enum conf_show_what what) {
    static const struct conf_env env = {.get = env_get, .read_file = env_read};
    struct conf_show how = {.what = what, .sources = true};
    struct buf text = BUF_INIT((size_t)1 << 26);
    struct conf_problems problems;
    struct conf_changes changes;
    struct conf *again = NULL;
    struct err err;
    conf_problems_init(&problems);
    conf_changes_init(&changes);
    INVARIANT(conf_show_yaml(conf, &how, &text, &err));
    bool loads = conf_load_text(buf_str(&text), STR("shown.yaml"), &env, &problems, &again);
    // A wait that a shorter total cuts off is refused when it is stated, and not when it is inherited.
    INVARIANT(loads || what == SHOW_EFFECTIVE);
    if (loads) conf_compare(conf, again, &changes);
    for (size_t i = 0; i < changes.list.n; i++) INVARIANT(changes.list.p[i].secret);
    changes.list.n = 0;
    conf_compare(conf, conf, &changes);
    INVARIANT(changes.list.n == 0);
    conf_unref(again);
    conf_changes_free(&changes);
    conf_problems_free(&problems);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct conf_env env = {.get = env_get, .read_file = env_read};
    struct str text = str_of((const char *)data, size);
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    bool ok = conf_load_text(text, STR("fuzz.yaml"), &env, &problems, &conf);
    INVARIANT(ok == (problems.errors == 0) && ok == (conf != NULL));
    struct buf out = BUF_INIT((size_t)1 << 22);
    conf_problems_print(&problems, &out);
    conf_problems_json(&problems, &out);
    if (ok) {
        struct conf_choice choice;
        (void)!conf_resolve(conf, NULL, str_head(text, 40), &choice);
        for (size_t i = 0; i < conf->aliases.n; i++)
            INVARIANT(conf_resolve(conf, NULL, conf->aliases.p[i].name, &choice));
        for (size_t i = 0; i < conf->models.n; i++)
            INVARIANT(conf_resolve(conf, NULL, conf->models.p[i].name, &choice));
        for (size_t i = 0; i < conf->tenants.n; i++) {
            const struct conf_tenant *t = &conf->tenants.p[i];
            for (size_t k = 0; k < t->aliases.n; k++) INVARIANT(conf_resolve(conf, t, t->aliases.p[k].name, &choice));
            for (size_t k = 0; k < conf->aliases.n; k++)
                INVARIANT(conf_resolve(conf, t, conf->aliases.p[k].name, &choice));
            INVARIANT(t->limits.max_body <= conf->limits.max_body);
        }
        check_shown(conf, SHOW_SET);
        check_shown(conf, SHOW_EFFECTIVE);
    }
    conf_unref(conf);
    conf_problems_free(&problems);
    buf_free(&out);
    return 0;
}
