// Configurations of other gateways: what each sample in import/ becomes, what is said about it, and that no secret of
// it is in either.
//
// The samples' own secrets all have "canary" in them. UPDATE_EXPECTED=1 writes the expected results anew, for a person
// to read through.
#include "check.h"
#include "conf/conf.h"
#include "conf/import.h"
#include "os/file.h"

#define FOLDER "tests/unit/conf/import"

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx;
    return file_read_all(path, max, out, err);
}

static void import(struct str path, struct str text, struct buf *got) {
    const struct conf_env env = {.read_file = env_read};
    struct conf_problems problems;
    struct import_result result;
    conf_problems_init(&problems);
    bool portkey = str_ends(path, STR(".json"));
    if (import_run(portkey ? IMPORT_PORTKEY : IMPORT_LITELLM, text, path, &env, &problems, &result)) {
        buf_put(got, buf_str(&result.yaml));
        buf_printf(got, "--- %zu unfinished\n", result.unfinished);
        import_notes_print(&result, got);
        import_result_free(&result);
    } else {
        CHECK(problems.errors > 0);
        conf_problems_sort(&problems);
        conf_problems_print(&problems, got);
    }
    conf_problems_free(&problems);
}

static void sample(struct str name) {
    struct buf path = BUF_INIT(4096), text = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
    struct err err;
    buf_printf(&path, FOLDER "/%.*s", STR_ARG(name));
    REQUIRE(file_read_all(buf_str(&path), 1 << 20, &text, &err));
    import(buf_str(&path), buf_str(&text), &got);
    CHECK(str_find(buf_str(&got), STR("canary")) == got.n);
    CHECK(str_find(buf_str(&got), STR("would not be valid")) == got.n);
    buf_lit(&path, ".expected");
    if (getenv("UPDATE_EXPECTED")) REQUIRE(file_replace(buf_str(&path), buf_str(&got), 0644, &err));
    CHECK(file_read_all(buf_str(&path), 1 << 20, &want, &err));
    if (!str_eq(buf_str(&got), buf_str(&want))) fprintf(stderr, "%.*s:\n", STR_ARG(name));
    CHECK_STR(buf_str(&got), buf_str(&want));
    buf_free(&path);
    buf_free(&text);
    buf_free(&got);
    buf_free(&want);
}

static void samples(void) {
    struct file_names names = {0};
    struct err err;
    size_t count = 0;
    REQUIRE(dir_list(STR(FOLDER), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        struct str name = str_c(names.p[i]);
        if (str_ends(name, STR(".expected"))) continue;
        sample(name);
        count++;
    }
    CHECK(count >= 12);
    file_names_free(&names);
}

static void prices(void) {
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"3e-06", "3"},          {"0.000015", "15"}, {"0.00000002", "0.02"}, {"1.5E-7", "0.15"}, {"0", "0"},
        {"2.5e-12", "0.000002"}, {"1", NULL},        {"e-6", NULL},          {"x", NULL},        {"-1e-6", NULL},
        {"3e-99", NULL},         {"1e-1", "100000"}, {"0.99", "990000"},     {"5.000015", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text = BUF_INIT(4096), got = BUF_INIT(1 << 16), want = BUF_INIT(256);
        buf_printf(&text,
                   "model_list: [{model_name: m, litellm_params: {model: openai/m, input_cost_per_token: %s}}]\n",
                   rows[i].text);
        import(STR("config.yaml"), buf_str(&text), &got);
        buf_printf(&want, "    input: %s\n", rows[i].want ? rows[i].want : "");
        bool found = str_find(buf_str(&got), buf_str(&want)) < got.n;
        bool told = str_find(buf_str(&got), STR("it is no price")) < got.n;
        if (found != (rows[i].want != NULL) || told == found) fprintf(stderr, "%s\n", rows[i].text);
        CHECK(found == (rows[i].want != NULL));
        CHECK(told != found);
        buf_free(&text);
        buf_free(&got);
        buf_free(&want);
    }
}

TEST_MAIN(samples, prices)
