// Fuzzes the configuration: any bytes give a snapshot or problems, never a crash, a leak or a long wait.
#include "conf/conf.h"

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
        INVARIANT(conf_restart_reasons(conf, conf, &out) == 0);
    }
    conf_unref(conf);
    conf_problems_free(&problems);
    buf_free(&out);
    return 0;
}
