// Fuzzes the rewriting of old files: what is rewritten loads to the same configuration, without a word about old keys.
#include "conf/change.h"
#include "conf/migrate.h"

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

static struct conf *load(struct str text, bool *out_old_keys) {
    static const struct conf_env env = {.get = env_get, .read_file = env_read};
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(text, STR("fuzz.yaml"), &env, &problems, &conf)) conf = NULL;
    *out_old_keys = false;
    for (size_t i = 0; i < problems.list.n; i++) {
        struct str message = problems.list.p[i].message;
        bool warning = problems.list.p[i].severity == CONF_WARNING;
        if (warning && str_find(message, STR("config migrate")) < message.n) *out_old_keys = true;
    }
    conf_problems_free(&problems);
    return conf;
}

static void compare(struct str old_text, struct str new_text) {
    bool warned;
    struct conf *old = load(old_text, &warned), *new = load(new_text, &warned);
    INVARIANT(!warned);
    INVARIANT(!old || new);
    struct conf_changes changes;
    conf_changes_init(&changes);
    if (old) conf_compare(old, new, &changes);
    INVARIANT(changes.list.n == 0);
    conf_changes_free(&changes);
    conf_unref(old);
    conf_unref(new);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct conf_source source = {.name = STR("fuzz.yaml"), .text = str_of((const char *)data, size)};
    struct conf_problems problems;
    struct buf out = BUF_INIT((size_t)1 << 22);
    int64_t from;
    conf_problems_init(&problems);
    bool ok = conf_migrate_text(&source, &problems, &out, &from);
    INVARIANT(ok == (problems.errors == 0));
    if (ok) {
        struct buf again = BUF_INIT((size_t)1 << 22);
        compare(source.text, buf_str(&out));
        struct conf_source next = {.name = STR("fuzz.yaml"), .text = buf_str(&out)};
        INVARIANT(conf_migrate_text(&next, &problems, &again, &from) && from == CONF_VERSION);
        INVARIANT(str_eq(buf_str(&again), buf_str(&out)));
        buf_free(&again);
    }
    conf_problems_free(&problems);
    buf_free(&out);
    return 0;
}
