// Every template is a valid configuration once the variables and files it names are there, with nothing to warn about.
#include "check.h"
#include "conf/conf.h"
#include "conf/template.h"

static const char *env_get(void *ctx, const char *name) {
    (void)ctx;
    size_t n = strlen(name);
    bool key = str_find(str_of(name, n), STR("_API_KEY")) < n;
    return key ? "a-key" : NULL;
}

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)max;
    bool known = str_starts(path, STR("/var/run/secrets/penstock/")) || str_starts(path, STR("/etc/penstock/"));
    if (!known) return err_set(err, ERR_NOT_FOUND, "no such file");
    buf_lit(out, "a-key\n");
    return true;
}

static struct conf *load(const struct conf_template *t) {
    const struct conf_env env = {.get = env_get, .read_file = env_read};
    struct conf_problems problems;
    struct conf *conf = NULL;
    struct buf out = BUF_INIT(1 << 20);
    conf_problems_init(&problems);
    CHECK(conf_load_text(t->text, t->name, &env, &problems, &conf));
    conf_problems_print(&problems, &out);
    CHECK_STR(buf_str(&out), STR(""));
    buf_free(&out);
    conf_problems_free(&problems);
    return conf;
}

static void all_load(void) {
    CHECK_INT(conf_template_count(), 7);
    for (size_t i = 0; i < conf_template_count(); i++) {
        struct conf_template t = conf_template_at(i), found;
        CHECK(str_starts(t.text, STR("# yaml-language-server: $schema=penstock.schema.json\n# ")));
        CHECK(str_ends(t.text, STR("\n")));
        CHECK(str_find_char(t.text, '\t') == t.text.n);
        CHECK(conf_template_find(t.name, &found) && found.text.p == t.text.p);
        struct conf *conf = load(&t);
        REQUIRE(conf != NULL);
        CHECK_INT(conf->version, CONF_VERSION);
        CHECK(!conf->discovered);
        CHECK(conf->models.n > 0);
        conf_unref(conf);
    }
    struct conf_template none;
    CHECK(!conf_template_find(STR("prod"), &none));
}

static struct conf *named(const char *name) {
    struct conf_template t;
    REQUIRE(conf_template_find(str_c(name), &t));
    struct conf *conf = load(&t);
    REQUIRE(conf != NULL);
    return conf;
}

static bool is_local(const struct conf_provider *p) {
    return str_ends(p->url.host, STR(".internal.example")) || str_eq(p->url.host, STR("127.0.0.1"));
}

static void what_they_promise(void) {
    struct conf *conf = named("air-gapped");
    CHECK(!conf->passthrough_models);
    for (size_t i = 0; i < conf->providers.n; i++) CHECK(is_local(&conf->providers.p[i]));
    conf_unref(conf);
    conf = named("production");
    CHECK(conf->auth.required && !conf->metrics.is_public && conf->listeners.p[0].tls.cert.n && conf->log.file.n);
    conf_unref(conf);
    conf = named("kubernetes");
    CHECK_STR(conf->listeners.p[0].addr.host, STR("0.0.0.0"));
    CHECK_INT(conf->server.drain_timeout, 50000);
    conf_unref(conf);
    conf = named("high-availability");
    CHECK(conf->models.p[0].targets.n >= 3);
    conf_unref(conf);
    conf = named("development");
    CHECK_STR(conf->listeners.p[0].addr.host, STR("127.0.0.1"));
    conf_unref(conf);
}

TEST_MAIN(all_load, what_they_promise)
