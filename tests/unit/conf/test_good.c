// Every configuration in good/, with which the JSON Schema is tested too, is taken without a problem.
#include "check.h"
#include "conf/conf.h"
#include "os/file.h"

#define FOLDER "tests/unit/conf/good"

static const char *env_get(void *ctx, const char *name) {
    static const char *const values[][2] = {{"WORKERS", "3"},     {"MAX_BODY", "1 MiB"}, {"IDLE", "5s"},
                                            {"REQUIRED", "true"}, {"LEVEL", "warn"},     {"TEAM", "a"},
                                            {"PRICE", "2.5"}};
    (void)ctx;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strcmp(values[i][0], name) == 0) return values[i][1];
    return NULL;
}

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)err;
    buf_lit(out, "sk-from-file\n");
    return true;
}

static const struct conf_env env = {.get = env_get, .read_file = env_read};

static void good_one(struct str name) {
    struct buf text = BUF_INIT(1 << 20), path = BUF_INIT(4096), said = BUF_INIT(1 << 20);
    struct conf_problems problems;
    struct conf *conf = NULL;
    struct err err;
    buf_printf(&path, FOLDER "/%.*s", STR_ARG(name));
    REQUIRE(file_read_all(buf_str(&path), 1 << 20, &text, &err));
    conf_problems_init(&problems);
    CHECK(conf_load_text(buf_str(&text), name, &env, &problems, &conf));
    conf_problems_print(&problems, &said);
    CHECK_STR(buf_str(&said), STR(""));
    conf_problems_free(&problems);
    conf_unref(conf);
    buf_free(&text);
    buf_free(&path);
    buf_free(&said);
}

static void good_configurations(void) {
    struct file_names names = {0};
    struct err err;
    size_t count = 0;
    REQUIRE(dir_list(STR(FOLDER), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        if (!str_ends(str_c(names.p[i]), STR(".yaml"))) continue;
        good_one(str_c(names.p[i]));
        count++;
    }
    CHECK(count >= 5);
    file_names_free(&names);
}

TEST_MAIN(good_configurations)
