// Merge patches taken apart: which live changes they make, and what hostile ones are answered with.
#include "admin/patch.h"

#include "check.h"
#include "conf/conf.h"

static struct str flatten(struct str body, struct arena *a, struct conf_problems *problems, struct err *err) {
    struct patch patch;
    struct buf out = BUF_INIT((size_t)1 << 20);
    err->message[0] = '\0';
    if (!patch_parse(&conf_table, body, a, problems, &patch, err)) return STR_NONE;
    for (size_t i = 0; i < patch.n; i++)
        buf_printf(&out, "%s%.*s=%.*s", i ? "; " : "", STR_ARG(patch.list[i].key), STR_ARG(patch.list[i].value));
    struct str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s.p ? s : STR("");
}

static const struct {
    const char *body, *want;
} k_good[] = {
    {"{}", ""},
    {"{\"log\":{}}", ""},
    {"{\"log\":{\"level\":\"debug\"}}", "log.level=\"debug\""},
    {" {\"log\" : {\"level\" : \"debug\", \"access\":false }, \"limits\":{\"max_body\":\"64 MiB\"} } ",
     "log.level=\"debug\"; log.access=false; limits.max_body=\"64 MiB\""},
    {"{\"log\":null}", "log=null"},
    {"{\"log\":{\"level\":null}}", "log.level=null"},
    {"{\"l\\u006fg\":{\"lev\\u0065l\":\"\\u0064ebug\"}}", "log.level=\"debug\""},
    // Lists of named items: by name, or all of them.
    {"{\"models\":{\"fast\":{\"price\":{\"input\":1.5}}}}", "models.fast.price.input=1.5"},
    {"{\"models\":{\"gpt-4.1\":{\"targets\":[{\"provider\":\"a\"}]}}}",
     "models.\"gpt-4.1\".targets=[{\"provider\":\"a\"}]"},
    {"{\"models\":{\"0\":{\"price\":{\"input\":1}}}}", "models.\"0\".price.input=1"},
    {"{\"models\":{\"fast\":null}}", "models.fast=null"},
    {"{\"models\":[{\"name\":\"a\", \"targets\":[ ]}]}", "models=[{\"name\":\"a\",\"targets\":[]}]"},
    {"{\"models\":[]}", "models=[]"},
    // Maps, of text and of parts.
    {"{\"aliases\":{\"a\":\"b\",\"x.y\":null}}", "aliases.a=\"b\"; aliases.\"x.y\"=null"},
    {"{\"aliases\":{\"say \\\"hi\\\\\":\"b\"}}", "aliases.\"say \\\"hi\\\\\"=\"b\""},
    {"{\"prices\":{\"openai/gpt-4o\":{\"input\":1}}}", "prices.openai/gpt-4o.input=1"},
    {"{\"providers\":{\"a\":{\"headers\":{\"x-a\":\"1\"}}}}", "providers.a.headers.x-a=\"1\""},
    {"{\"tenants\":{\"t\":{\"models\":{\"m\":{\"price\":{\"input\":1}}}}}}", "tenants.t.models.m.price.input=1"},
    // Values that only the load can judge pass as they are.
    {"{\"log\":\"debug\"}", "log=\"debug\""},
    {"{\"log\":{\"level\":{\"a\":1}}}", "log.level={\"a\":1}"},
    {"{\"limits\":{\"max_body\":1e3}}", "limits.max_body=1e3"},
    {"{\"aliases\":{\"a\":{\"b\":\"c\"}}}", "aliases.a={\"b\":\"c\"}"},
    // YAML knows no surrogates: text is written anew.
    {"{\"aliases\":{\"a\":\"\\ud83d\\ude00\\/\"}}", "aliases.a=\"\xf0\x9f\x98\x80/\""},
};

static void test_good(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_good); i++) {
        struct arena a;
        struct conf_problems problems;
        struct err err;
        arena_init(&a, NULL, 0, (size_t)1 << 24);
        conf_problems_init(&problems);
        struct str got = flatten(str_c(k_good[i].body), &a, &problems, &err);
        if (!got.p) fprintf(stderr, "%s: %s\n", k_good[i].body, err.message);
        CHECK(got.p != NULL);
        CHECK_STR(got, str_c(k_good[i].want));
        CHECK_INT(problems.errors, 0);
        conf_problems_free(&problems);
        arena_free(&a);
    }
}

static const struct {
    const char *body;
    enum err_code code;
    const char *message; // a part of the error, or of the first problem
    unsigned line, col;  // of the problem; 0 = there is none
} k_bad[] = {
    {"", ERR_INVALID_JSON, "", 0, 0},
    {"null", ERR_INVALID_FIELD, "", 0, 0},
    {"[]", ERR_INVALID_FIELD, "", 0, 0},
    {"\"log\"", ERR_INVALID_FIELD, "", 0, 0},
    {"{", ERR_INVALID_JSON, "", 0, 0},
    {"{\"log\":{\"level\":}}", ERR_INVALID_JSON, "", 0, 0},
    {"{\"log\":{\"level\":\"debug\"}", ERR_INVALID_JSON, "", 0, 0},
    {"{\"log\":{\"level\":\"debug\"}} x", ERR_INVALID_JSON, "", 0, 0},
    {"{\"log\":{\"level\":\"\\ud800\"}}", ERR_INVALID_JSON, "", 0, 0},
    {"{\"log\":{\"level\":\"\xff\"}}", ERR_INVALID_JSON, "", 0, 0},
    {"log: {level: debug}", ERR_INVALID_JSON, "", 0, 0},
    {"{\"lgo\":1}", ERR_CONFIG_INVALID, "did you mean \"log\"", 1, 2},
    {"{\"log\":\n  {\"levle\":\"debug\"}}", ERR_CONFIG_INVALID, "did you mean \"level\"", 2, 4},
    {"{\"aliases\":{\"\xc3\xa4\":\"b\"},\"lgo\":1}", ERR_CONFIG_INVALID, "\"lgo\"", 1, 22},
    {"{\"\":1}", ERR_CONFIG_INVALID, "there is no option", 1, 2},
    {"{\"log\":{\"level\":\"a\",\"level\":\"b\"}}", ERR_CONFIG_INVALID, "twice", 1, 21},
    {"{\"log\":{\"level\":\"a\"},\"lo\\u0067\":null}", ERR_CONFIG_INVALID, "twice", 1, 22},
    {"{\"aliases\":{\"\":\"b\"}}", ERR_CONFIG_INVALID, "empty", 1, 13},
    {"{\"aliases\":{\"a\\u0000\":\"b\"}}", ERR_CONFIG_INVALID, "control", 1, 13},
    {"{\"aliases\":{\"a\\n\":\"b\"}}", ERR_CONFIG_INVALID, "control", 1, 13},
    {"{\"models\":{\"m\":{\"pirce\":1}}}", ERR_CONFIG_INVALID, "did you mean \"price\"", 1, 17},
};

static void test_bad(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_bad); i++) {
        struct arena a;
        struct conf_problems problems;
        struct err err;
        arena_init(&a, NULL, 0, (size_t)1 << 24);
        conf_problems_init(&problems);
        struct str got = flatten(str_c(k_bad[i].body), &a, &problems, &err);
        CHECK(got.p == NULL);
        if (err.code != k_bad[i].code) fprintf(stderr, "%s: %s\n", k_bad[i].body, err.message);
        CHECK_INT(err.code, k_bad[i].code);
        CHECK_INT(problems.list.n != 0, k_bad[i].line != 0);
        if (problems.list.n && k_bad[i].line) {
            const struct conf_problem *p = &problems.list.p[0];
            CHECK_INT(p->pos.line, k_bad[i].line);
            CHECK_INT(p->pos.col, k_bad[i].col);
            if (str_find(p->message, str_c(k_bad[i].message)) == p->message.n)
                fprintf(stderr, "%s: %.*s\n", k_bad[i].body, STR_ARG(p->message));
            CHECK(str_find(p->message, str_c(k_bad[i].message)) < p->message.n);
            CHECK_INT(p->excerpt.n, 0); // what is patched may be secret
        }
        conf_problems_free(&problems);
        arena_free(&a);
    }
}

static void refused(struct buf *body, const char *why) {
    struct arena a;
    struct conf_problems problems;
    struct err err;
    arena_init(&a, NULL, 0, (size_t)1 << 26);
    conf_problems_init(&problems);
    CHECK(!body->failed);
    CHECK(flatten(buf_str(body), &a, &problems, &err).p == NULL);
    if (str_find(str_c(err.message), str_c(why)) == strlen(err.message)) fprintf(stderr, "%s: %s\n", why, err.message);
    CHECK(str_find(str_c(err.message), str_c(why)) < strlen(err.message));
    CHECK(problems.list.n <= CONF_PROBLEMS_MAX);
    conf_problems_free(&problems);
    arena_free(&a);
    buf_free(body);
}

static void test_too_much(void) {
    struct buf body = BUF_INIT((size_t)1 << 24);
    buf_lit(&body, "{\"aliases\":{");
    for (int i = 0; i <= PATCH_CHANGES_MAX; i++) buf_printf(&body, "%s\"a%d\":\"b\"", i ? "," : "", i);
    buf_lit(&body, "}}");
    refused(&body, "too many changes");

    buf_lit(&body, "{\"models\":");
    for (int i = 0; i < 40; i++) buf_putc(&body, '[');
    for (int i = 0; i < 40; i++) buf_putc(&body, ']');
    buf_putc(&body, '}');
    refused(&body, "nests too deeply");

    buf_lit(&body, "{\"aliases\":{\"");
    for (int i = 0; i < 5000; i++) buf_putc(&body, 'a');
    buf_lit(&body, "\":\"b\"}}");
    refused(&body, "too long");

    buf_putc(&body, '{');
    for (int i = 0; i < 5000; i++) buf_printf(&body, "%s\"no%d\":1", i ? "," : "", i);
    buf_putc(&body, '}');
    refused(&body, "not valid");
}

// Each allocation fails in turn: the patch is whole, or refused.
static void test_no_memory(void) {
    const struct str body =
        STR("{\"log\":{\"level\":\"debug\"},\"aliases\":{\"\\u0061\":\"b\"},\"models\":[{\"name\":\"x\"}]}");
    bool done = false;
    for (uint64_t n = 1; n < 200 && !done; n++) {
        struct arena a;
        struct conf_problems problems;
        struct patch patch;
        struct err err;
        struct mem_stats before, after;
        arena_init(&a, NULL, 0, (size_t)1 << 20);
        conf_problems_init(&problems);
        mem_stats_get(&before);
        mem_fail_nth(n);
        bool ok = patch_parse(&conf_table, body, &a, &problems, &patch, &err);
        mem_fail_nth(0);
        mem_stats_get(&after);
        done = after.failed == before.failed;
        if (ok)
            CHECK_INT(patch.n, 3);
        else
            CHECK(err.code == ERR_NO_MEMORY || err.code == ERR_INVALID_FIELD);
        CHECK(ok || !done);
        conf_problems_free(&problems);
        arena_free(&a);
    }
    CHECK(done);
}

TEST_MAIN(test_good, test_bad, test_too_much, test_no_memory)
