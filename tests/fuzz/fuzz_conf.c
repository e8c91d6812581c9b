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

// What a model takes over from the general routing is shown as its own: it holds all the same once it is read back.
static void check_holds(const struct conf *conf, const struct conf *again) {
    struct conf_show how = {.what = SHOW_EFFECTIVE};
    struct buf text = BUF_INIT((size_t)1 << 26), other = BUF_INIT((size_t)1 << 26);
    struct err err;
    INVARIANT(conf_show_yaml(conf, &how, &text, &err) && conf_show_yaml(again, &how, &other, &err));
    INVARIANT(str_eq(buf_str(&text), buf_str(&other)));
    buf_free(&text);
    buf_free(&other);
}

static bool is_in(struct str path, struct str part) { return str_find(path, part) < path.n; }

// Whether it is to read back as it was.
static bool is_bound(const struct conf_change *change, enum conf_show_what what) {
    bool taken_over = is_in(change->path, STR("models.")) && is_in(change->path, STR(".routing."));
    return !change->secret && !(what == SHOW_EFFECTIVE && taken_over);
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
    if (loads && what == SHOW_EFFECTIVE) check_holds(conf, again);
    for (size_t i = 0; i < changes.list.n; i++) INVARIANT(!is_bound(&changes.list.p[i], what));
    changes.list.n = 0;
    conf_compare(conf, conf, &changes);
    INVARIANT(changes.list.n == 0);
    conf_unref(again);
    conf_changes_free(&changes);
    conf_problems_free(&problems);
    buf_free(&text);
}

// Whatever a caller's key, project and team are called: what holds for it is no wider than its tenant.
static void check_callers(const struct conf *conf, const struct conf_tenant *level, struct arena *a) {
    const struct conf_tenant *t = level->of, *held;
    struct conf_choice choice;
    struct err err;
    struct str team = t->teams.n ? t->teams.p[level->name.n % t->teams.n].name : STR_NONE;
    struct str project = t->projects.n ? t->projects.p[level->name.n % t->projects.n].name : STR_NONE;
    const struct conf_caller callers[] = {{.key = level->name},
                                          {.team = level->name, .project = level->name, .key = level->name},
                                          {.team = team, .project = project, .key = level->name}};
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        if (!conf_level_of(t, &callers[i], a, &held, &err)) continue;
        INVARIANT(held->of == t && held->limits.max_body <= t->limits.max_body);
        for (size_t k = 0; k < held->aliases.n; k++)
            (void)!conf_resolve(conf, held, held->aliases.p[k].name, &choice); // it ends
    }
}

static void check_levels(const struct conf *conf) {
    struct conf_level_at at = {0};
    struct conf_choice choice;
    for (const struct conf_tenant *t; (t = conf_level_next(conf, &at)) != NULL;) {
        struct arena a;
        size_t depth = 0;
        arena_init(&a, NULL, 0, 1 << 20);
        for (size_t k = 0; k < t->aliases.n; k++) INVARIANT(conf_resolve(conf, t, t->aliases.p[k].name, &choice));
        for (size_t k = 0; k < conf->aliases.n; k++) INVARIANT(conf_resolve(conf, t, conf->aliases.p[k].name, &choice));
        INVARIANT(t->limits.max_body <= (t->up ? t->up->limits.max_body : conf->limits.max_body));
        for (const struct conf_tenant *up = t; up; up = up->up) depth++;
        INVARIANT(depth <= CONF_CHAIN_DEPTH);
        check_callers(conf, t, &a);
        arena_free(&a);
    }
}

// Tracing any of its values takes what there is as it is.
static void check_traced(const struct conf *conf) {
    static const char *const keys[] = {"limits", "aliases", "models", "prices", "allow_models", "name"};
    struct conf_level_at at = {0};
    size_t n = 0;
    for (const struct conf_tenant *t; n < 8 && (t = conf_level_next(conf, &at)) != NULL; n++) {
        struct conf_show of = {.tenant = t->of->name, .key = str_c(keys[n % ARRAY_LEN(keys)])};
        struct buf out = BUF_INIT((size_t)1 << 24);
        struct err err;
        if (t->kind == LEVEL_TEAM) of.team = t->name;
        if (t->kind == LEVEL_PROJECT) of.project = t->name;
        if (t->kind == LEVEL_KEY) of.api_key = t->name;
        (void)!conf_trace(conf, &of, &out, &err);
        if (conf_trace_json(conf, &of, &out, &err)) INVARIANT(!out.failed);
        buf_free(&out);
    }
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
        check_levels(conf);
        check_traced(conf);
        check_shown(conf, SHOW_SET);
        check_shown(conf, SHOW_EFFECTIVE);
    }
    conf_unref(conf);
    conf_problems_free(&problems);
    buf_free(&out);
    return 0;
}
