// Fuzzes overrides: any KEY=VALUE lines give a snapshot or problems; a key that is taken names what was put there.
#include "conf/conf.h"
#include "conf/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The tree's own text is a configuration with the same tree, however odd the values are.
static void yaml_reads_back(const struct conf *c, struct arena *a) {
    struct buf yaml = BUF_INIT((size_t)8 << 20);
    struct conf_problems problems;
    struct conf_node *again = NULL;
    conf_tree_yaml(c->stated, &yaml);
    struct conf_source source = {.name = STR("y"), .text = buf_str(&yaml)};
    conf_problems_init(&problems);
    INVARIANT(conf_parse(&source, a, &problems, &again));
    conf_problems_free(&problems);
    buf_free(&yaml);
}

static void key_round_trip(struct str key, struct arena *a) {
    struct conf_path path, again;
    struct conf_place place;
    struct buf text = BUF_INIT(1 << 20);
    struct err err;
    if (!conf_path_parse(key, a, &path, &err)) return;
    for (size_t i = 0; i < path.n; i++) conf_path_put(&text, path.steps[i]);
    bool first_empty = !path.steps[0].n; // nothing before it that a dot could follow
    if (!first_empty) INVARIANT(conf_path_parse(buf_str(&text), a, &again, &err) && again.n == path.n);
    for (size_t i = 0; !first_empty && i < path.n; i++) INVARIANT(str_eq(path.steps[i], again.steps[i]));
    (void)!conf_path_find(&conf_table, &path, &place, &err);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct str file =
        STR_INIT("providers: [{name: a, kind: demo}, {name: b.c, kind: vllm}]\nmodels: [{name: m, targets: [{provider: "
                 "a}]}]\naliases: {x: m}\ntenants: [{name: t, allow_models: [m]}]\nlog: {level: warn}\n");
    struct str rest = str_of((const char *)data, size), line;
    struct conf_override list[32];
    struct arena arena;
    size_t n = 0;
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    while (n < ARRAY_LEN(list) && str_split(&rest, '\n', &line)) {
        size_t eq = str_find_char(line, '=');
        list[n] =
            (struct conf_override){.key = str_head(line, eq), .value = str_from(line, eq + 1), .origin = STR("o")};
        list[n].literal = eq && line.p[eq - 1] == ':';
        if (list[n].literal) list[n].key.n--;
        key_round_trip(list[n++].key, &arena);
    }
    struct conf_env env = {.overrides = list, .n_overrides = n};
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    bool ok = conf_load_text(file, STR("f"), &env, &problems, &conf);
    INVARIANT(ok == (problems.errors == 0) && ok == (conf != NULL));
    if (ok) yaml_reads_back(conf, &arena);
    conf_unref(conf);
    conf_problems_free(&problems);
    arena_free(&arena);
    return 0;
}
