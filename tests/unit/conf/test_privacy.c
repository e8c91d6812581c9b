// Whether a provider is in the house, by its address and by what stands between.
#include "conf/conf.h"

#include "check.h"

static const char *no_var(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}
static bool no_file(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)out;
    return err_set(err, ERR_NOT_FOUND, "no such file");
}

static int privacy_of(const char *base_url, const char *more) {
    struct buf text = BUF_INIT(4096);
    struct conf_problems problems;
    struct conf_env env = {.get = no_var, .read_file = no_file};
    struct conf *c = NULL;
    buf_printf(&text, "providers: [{name: p, kind: openai, api_key: k, base_url: '%s'%s}]\n", base_url, more);
    conf_problems_init(&problems);
    REQUIRE(conf_load_text(buf_str(&text), STR("penstock.yaml"), &env, &problems, &c));
    int privacy = c->providers.p[0].privacy;
    conf_problems_free(&problems);
    conf_unref(c);
    buf_free(&text);
    return privacy;
}

static void test_addresses(void) {
    static const struct {
        const char *url;
        bool near;
    } cases[] = {{"http://127.0.0.1:1/v1", true},
                 {"http://127.9.9.9:1/v1", true},
                 {"http://localhost:1/v1", true},
                 {"http://LocalHost:1/v1", true},
                 {"http://10.1.2.3/v1", true},
                 {"http://172.16.0.1/v1", true},
                 {"http://172.32.0.1/v1", false},
                 {"http://192.168.1.1/v1", true},
                 {"http://[::1]:1/v1", true},
                 {"http://[fd00::1]:1/v1", true},
                 {"http://[2001:db8::1]:1/v1", false},
                 {"http://[::ffff:8.8.8.8]:1/v1", false},
                 {"http://8.8.8.8/v1", false},
                 {"http://10.0.0.1.example.com/v1", false},
                 {"http://localhost.example/v1", false},
                 {"https://api.openai.com/v1", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool near = privacy_of(cases[i].url, "") == PRIVACY_LOCAL;
        if (near != cases[i].near) fprintf(stderr, "%s\n", cases[i].url);
        CHECK(near == cases[i].near);
    }
}

static void test_proxies(void) {
    CHECK_INT(privacy_of("http://10.0.0.7:1/v1", ", proxy: 'http://proxy.example.com:3128'"), PRIVACY_REMOTE);
    CHECK_INT(privacy_of("http://10.0.0.7:1/v1", ", proxy: 'http://10.0.0.1:3128'"), PRIVACY_LOCAL);
    CHECK_INT(privacy_of("https://api.openai.com/v1", ", proxy: 'http://10.0.0.1:3128'"), PRIVACY_REMOTE);
    CHECK_INT(privacy_of("http://10.0.0.7:1/v1", ", proxy: 'http://proxy.example.com:3128', privacy: local"),
              PRIVACY_LOCAL);
}

static void test_what_is_said(void) {
    CHECK_INT(privacy_of("http://127.0.0.1:1/v1", ", privacy: remote"), PRIVACY_REMOTE);
    CHECK_INT(privacy_of("https://api.openai.com/v1", ", privacy: local"), PRIVACY_LOCAL);
}

TEST_MAIN(test_addresses, test_proxies, test_what_is_said)
