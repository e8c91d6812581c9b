// Fuzzes the environment: any NAME=value lines give a snapshot or problems; only PENSTOCK_ ones count.
#include "conf/conf.h"
#include "conf/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VARIABLES 32

static const char *env_get(void *ctx, const char *name) {
    const char *const *list = ctx;
    size_t n = strlen(name);
    for (size_t i = 0; list[i]; i++)
        if (strncmp(list[i], name, n) == 0 && list[i][n] == '=') return list[i] + n + 1;
    return NULL;
}

static void path_is_found(const char *variable, const struct conf_node *tree, struct arena *a) {
    struct buf text = BUF_INIT(4096);
    struct conf_path path;
    struct conf_place place;
    struct err err;
    struct str name = str_head(str_c(variable), str_find_char(str_c(variable), '='));
    // A variable's path is one that can be read and that the tables know.
    if (conf_path_of_variable(&conf_table, tree, name, a, &text, &err))
        INVARIANT(conf_path_parse(buf_str(&text), a, &path, &err) && conf_path_find(&conf_table, &path, &place, &err));
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct str file = STR_INIT(
        "providers: [{name: My-One, kind: demo}, {name: \"7\", kind: vllm}]\nmodels: [{name: gpt-4.1, targets: "
        "[{provider: My-One}]}]\naliases: {a/b:c: gpt-4.1}\ntenants: [{name: t, allow_models: [gpt-4.1]}]\n");
    const char *list[VARIABLES + 1] = {NULL};
    struct str rest = str_of((const char *)data, size), line;
    struct arena arena;
    size_t n = 0;
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    while (n < VARIABLES && str_split(&rest, '\n', &line)) {
        struct str at = line;
        if (memchr(line.p, 0, line.n)) at.n = (size_t)((const char *)memchr(line.p, 0, line.n) - line.p);
        list[n++] = arena_cstr(&arena, at);
    }
    struct conf_env env = {.ctx = (void *)list, .get = env_get, .variables = list};
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    bool ok = conf_load_text(file, STR("f"), &env, &problems, &conf);
    INVARIANT(ok == (problems.errors == 0) && ok == (conf != NULL));
    for (size_t i = 0; i < n; i++) path_is_found(list[i], ok ? conf->root : NULL, &arena);
    conf_unref(conf);
    conf_problems_free(&problems);
    arena_free(&arena);
    return 0;
}
