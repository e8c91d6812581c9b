// Files of older formats: what each sample in migrate/ becomes, as text and in memory, and what is refused.
//
// A sample NAME.yaml has NAME.expected, the text it becomes, or NAME.refused, the problems. UPDATE_EXPECTED=1 writes
// those files anew, for a person to read through.
#include "check.h"
#include "conf/conf.h"
#include "conf/migrate.h"
#include "os/file.h"

#define FOLDER "tests/unit/conf/migrate/"
#define ARENA_MAX ((size_t)64 << 20)

static bool migrate(struct str text, struct buf *out, int64_t *out_from) {
    struct conf_source source = {.name = STR("penstock.yaml"), .text = text};
    struct conf_problems problems;
    conf_problems_init(&problems);
    bool ok = conf_migrate_text(&source, &problems, out, out_from);
    CHECK(ok == (problems.errors == 0));
    CHECK(!ok || problems.list.n == 0);
    conf_problems_sort(&problems);
    if (!ok) conf_problems_print(&problems, out);
    conf_problems_free(&problems);
    return ok;
}

static void read_file(struct str name, const char *ending, struct buf *out) {
    struct buf path = BUF_INIT(4096);
    struct err err;
    buf_printf(&path, FOLDER "%.*s%s", STR_ARG(name), ending);
    CHECK(file_read_all(buf_str(&path), 1 << 20, out, &err));
    buf_free(&path);
}

static void expect(struct str name, bool ok, struct str got) {
    const char *ending = ok ? ".expected" : ".refused";
    struct buf path = BUF_INIT(4096), want = BUF_INIT(1 << 20);
    struct err err;
    buf_printf(&path, FOLDER "%.*s%s", STR_ARG(name), ending);
    if (getenv("UPDATE_EXPECTED")) REQUIRE(file_replace(buf_str(&path), got, 0644, &err));
    read_file(name, ending, &want);
    if (!str_eq(got, buf_str(&want))) fprintf(stderr, "%.*s:\n", STR_ARG(name));
    CHECK_STR(got, buf_str(&want));
    buf_free(&path);
    buf_free(&want);
}

static void sample(struct str name) {
    struct buf text = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
    int64_t from = 0;
    read_file(name, ".yaml", &text);
    bool ok = migrate(buf_str(&text), &got, &from);
    expect(name, ok, buf_str(&got));
    if (ok) {
        CHECK(migrate(buf_str(&got), &again, &from));
        CHECK_INT(from, CONF_VERSION);
        CHECK_STR(buf_str(&again), buf_str(&got));
    }
    buf_free(&text);
    buf_free(&got);
    buf_free(&again);
}

static void samples(void) {
    struct file_names names = {0};
    struct err err;
    size_t count = 0;
    REQUIRE(dir_list(STR("tests/unit/conf/migrate"), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        struct str name = str_c(names.p[i]);
        if (!str_ends(name, STR(".yaml"))) continue;
        sample(str_head(name, name.n - 5));
        count++;
    }
    CHECK(count >= 40);
    file_names_free(&names);
}

struct loaded {
    struct arena arena;
    struct conf_source source;
    struct conf_problems problems;
    struct conf_node *root;
};

static bool load(struct loaded *l, const char *text, const struct migrate_rules *rules) {
    *l = (struct loaded){.source = {.name = STR("f"), .text = str_c(text)}};
    arena_init(&l->arena, NULL, 0, ARENA_MAX);
    conf_problems_init(&l->problems);
    return conf_parse(&l->source, &l->arena, &l->problems, &l->root) &&
           conf_migrate_tree_by(rules, &l->root, &l->arena, &l->problems);
}

static void unload(struct loaded *l) {
    conf_problems_free(&l->problems);
    arena_free(&l->arena);
}

static struct str text_at(const struct conf_node *root, const char *section, const char *key) {
    const struct conf_node *node = conf_node_get(conf_node_get(root, str_c(section)), str_c(key));
    return node ? node->text : STR("(none)");
}

static void in_memory(void) {
    struct loaded l;
    CHECK(load(&l, "log: {level: debug}\nserver: {workers: 2, public_metrics: false}\n", &conf_migrate_rules));
    CHECK_STR(text_at(l.root, "metrics", "public"), STR("false"));
    CHECK_STR(text_at(l.root, "server", "workers"), STR("2"));
    CHECK_STR(text_at(l.root, "server", "public_metrics"), STR("(none)"));
    REQUIRE(l.problems.list.n == 1);
    CHECK_INT(l.problems.list.p[0].severity, CONF_WARNING);
    CHECK_INT(l.problems.list.p[0].pos.line, 2);
    CHECK_INT(l.problems.list.p[0].pos.col, 22);
    CHECK_STR(l.problems.list.p[0].message,
              STR("server.public_metrics is now metrics.public; \"penstock config migrate\" rewrites the file"));
    unload(&l);
    CHECK(load(&l, "server: {public_metrics: false}\nmetrics:\n", &conf_migrate_rules));
    CHECK(!conf_node_get(l.root, STR("server")));
    CHECK_STR(text_at(l.root, "metrics", "public"), STR("false"));
    unload(&l);
    CHECK(load(&l, "", &conf_migrate_rules) && !l.root);
    unload(&l);
    CHECK(load(&l, "- server\n", &conf_migrate_rules) && l.problems.list.n == 0);
    unload(&l);
    CHECK(load(&l, "server: [public_metrics]\n", &conf_migrate_rules) && l.problems.list.n == 0);
    unload(&l);
}

// A node that an anchor shares is another place's too.
static void shared_nodes_stay(void) {
    struct loaded l;
    CHECK(load(&l, "log: &s {public_metrics: true, workers: 1}\nserver: *s\nmetrics: {max_series: 500}\n",
               &conf_migrate_rules));
    CHECK_STR(text_at(l.root, "log", "public_metrics"), STR("true"));
    CHECK_STR(text_at(l.root, "server", "public_metrics"), STR("(none)"));
    CHECK_STR(text_at(l.root, "metrics", "public"), STR("true"));
    CHECK_STR(text_at(l.root, "metrics", "max_series"), STR("500"));
    unload(&l);
}

static void current_files_are_left_alone(void) {
    struct loaded l;
    CHECK(load(&l, "version: 2\nserver: {public_metrics: false}\n", &conf_migrate_rules));
    CHECK_INT(l.problems.list.n, 0);
    CHECK_STR(text_at(l.root, "server", "public_metrics"), STR("false"));
    unload(&l);
}

static const struct migrate_rule later_rows[] = {
    {1, STR_INIT("server.public_metrics"), STR_INIT("metrics.public"), STR_INIT("")},
    {2, STR_INIT("metrics.public"), STR_INIT("metrics.open"), STR_INIT("")},
    {2, STR_INIT("log.colour"), STR_INIT(""), STR_INIT("the terminal says it")},
    {2, STR_INIT("workers"), STR_INIT("server.workers"), STR_INIT("")},
    {3, STR_INIT("server.threads"), STR_INIT("threads"), STR_INIT("")},
};
static const struct migrate_rules later = {4, later_rows, ARRAY_LEN(later_rows)};

static void several_versions(void) {
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"server:\n  public_metrics: true\n", "version: 4\nmetrics:\n  open: true\n"},
        {"version: 2\nmetrics: {'public': true}\n", "version: 4\nmetrics: {\"open\": true}\n"},
        {"version: 3\nmetrics: {public: true}\n", "version: 4\nmetrics: {public: true}\n"},
        {"version: 2\nlog:\n  # Red.\n  colour: red\n  level: info\n", "version: 4\nlog:\n  level: info\n"},
        {"version: 2\nlog:\n  colour: red\n", "version: 4\n"},
        {"workers: 3 # three\n\nlog: {level: info}\n",
         "\nversion: 4\nlog: {level: info}\n\nserver:\n  workers: 3 # three\n"},
        {"version: 3\nserver:\n  # Many.\n  threads: 8\n  x:\n    y: 1\n",
         "version: 4\nserver:\n  x:\n    y: 1\n# Many.\nthreads: 8\n"},
        {"version: 3\nserver:\n  threads:\n    a: 8\n\n    b: |\n      text\n",
         "version: 4\nthreads:\n  a: 8\n\n  b: |\n    text\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_source source = {.name = STR("f"), .text = str_c(rows[i].text)};
        struct conf_problems problems;
        struct buf out = BUF_INIT(4096);
        int64_t from;
        conf_problems_init(&problems);
        bool ok = conf_migrate_text_by(&later, &source, &problems, &out, &from);
        if (!ok) conf_problems_print(&problems, &out);
        CHECK(ok);
        CHECK_STR(buf_str(&out), str_c(rows[i].want));
        conf_problems_free(&problems);
        buf_free(&out);
    }
    struct loaded l;
    CHECK(load(&l, "log: {colour: red}\nworkers: 3\nserver: {public_metrics: true}\n", &later));
    CHECK_INT(l.problems.list.n, 4);
    CHECK_STR(text_at(l.root, "metrics", "open"), STR("true"));
    CHECK_STR(text_at(l.root, "server", "workers"), STR("3"));
    CHECK(!conf_node_get(l.root, STR("log")));
    unload(&l);
}

static void ends_of_nodes(void) {
    struct loaded l;
    CHECK(load(&l, "a:\n  b: [1, 2]   # c\n\n  # d\n  e: |\n    text\n\nf: &x \"y z\" \ng: *x\nh:\n- i: \n- k\n",
               &later));
    static const struct {
        const char *key;
        uint32_t line, col;
    } rows[] = {{"a", 8, 1}, {"f", 8, 12}, {"g", 8, 12}, {"h", 12, 4}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct conf_node *node = conf_node_get(l.root, str_c(rows[i].key));
        REQUIRE(node != NULL);
        CHECK_INT(node->end.line, rows[i].line);
        CHECK_INT(node->end.col, rows[i].col);
    }
    const struct conf_node *b = conf_node_get(conf_node_get(l.root, STR("a")), STR("b"));
    CHECK_INT(b->end.line, 2);
    CHECK_INT(b->end.col, 12);
    CHECK_INT(l.root->keys[1]->end.col, 2);
    unload(&l);
}

TEST_MAIN(samples, in_memory, shared_nodes_stay, current_files_are_left_alone, several_versions, ends_of_nodes)
