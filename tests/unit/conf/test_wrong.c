// Every wrong configuration in wrong/ gives exactly the problems that stand in its .txt file.
//
// UPDATE_EXPECTED=1 writes those files anew, for a person to read through.
#include "check.h"
#include "conf/conf.h"
#include "os/file.h"

#define FOLDER "tests/unit/conf/wrong"

static const char *env_get(void *ctx, const char *name) {
    (void)ctx;
    return strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)max, (void)out;
    return err_set(err, ERR_NOT_FOUND, "cannot open %.*s: No such file or directory", STR_ARG(path));
}

static const struct conf_env env = {.get = env_get, .read_file = env_read};

static void problems_of(struct str text, struct buf *out) {
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    bool ok = conf_load_text(text, STR("penstock.yaml"), &env, &problems, &conf);
    CHECK(!ok);
    CHECK(!ok == (problems.errors > 0));
    if (ok) conf_unref(conf);
    conf_problems_print(&problems, out);
    conf_problems_free(&problems);
}

static void wrong_one(struct str name) {
    struct buf text = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), path = BUF_INIT(4096);
    struct err err;
    buf_printf(&path, FOLDER "/%.*s.yaml", STR_ARG(name));
    REQUIRE(file_read_all(buf_str(&path), 1 << 20, &text, &err));
    problems_of(buf_str(&text), &got);
    CHECK(str_find(buf_str(&got), STR("canary")) == got.n);
    buf_clear(&path);
    buf_printf(&path, FOLDER "/%.*s.txt", STR_ARG(name));
    if (getenv("UPDATE_EXPECTED")) REQUIRE(file_replace(buf_str(&path), buf_str(&got), 0644, &err));
    CHECK(file_read_all(buf_str(&path), 1 << 20, &want, &err));
    if (!str_eq(buf_str(&got), buf_str(&want))) fprintf(stderr, "%.*s:\n", STR_ARG(name));
    CHECK_STR(buf_str(&got), buf_str(&want));
    buf_free(&text);
    buf_free(&want);
    buf_free(&got);
    buf_free(&path);
}

static void wrong_configurations(void) {
    struct file_names names = {0};
    struct err err;
    size_t count = 0;
    REQUIRE(dir_list(STR(FOLDER), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        struct str name = str_c(names.p[i]);
        if (!str_ends(name, STR(".yaml"))) continue;
        wrong_one(str_head(name, name.n - 5));
        count++;
    }
    CHECK(count >= 60);
    file_names_free(&names);
}

static void too_large(void) {
    struct buf text = BUF_INIT(CONF_FILE_MAX + 64), got = BUF_INIT(4096);
    while (text.n <= CONF_FILE_MAX) buf_lit(&text, "# padding to pass the limit of the file's size\n");
    problems_of(buf_str(&text), &got);
    CHECK_STR(buf_str(&got), STR("penstock.yaml: the file is larger than 8 MiB, the most that is read\n"));
    buf_free(&text);
    buf_free(&got);
}

static void many_problems_are_counted(void) {
    struct buf text = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
    for (int i = 0; i < 300; i++) buf_printf(&text, "zebra%d: 1\n", i);
    problems_of(buf_str(&text), &got);
    CHECK(str_ends(buf_str(&got), STR("and 100 more\n")));
    buf_free(&text);
    buf_free(&got);
}

static void as_json(void) {
    struct conf_problems problems;
    struct conf *conf;
    struct buf got = BUF_INIT(4096);
    conf_problems_init(&problems);
    CHECK(!conf_load_text(STR("a\"b: 1\n"), STR("x.yaml"), &env, &problems, &conf));
    conf_problems_json(&problems, &got);
    CHECK(str_starts(buf_str(&got), STR("[{\"severity\":\"error\",\"file\":\"x.yaml\",\"line\":1,\"column\":1,"
                                        "\"message\":\"unknown key \\\"a\\\"b\\\"")));
    conf_problems_free(&problems);
    buf_free(&got);
}

TEST_MAIN(wrong_configurations, too_large, many_problems_are_counted, as_json)
