// What a configuration names, tried for real against servers and files of our own: each verdict, and what it says.
#include "admin/check.h"

#include "check.h"
#include "net/fetch.h"
#include "net/tls_certs.h"
#include "temp_dir.h"
#include "test_server.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#define SECRET "sk-hush-0123456789"
#define MODELS "{\"object\":\"list\",\"data\":[{\"id\":\"small\"},{\"id\":\"models/large\"},{\"id\":\"local:latest\"}]}"

static struct conf *load(const char *yaml) {
    struct conf_env env = conf_env_system();
    struct conf_problems problems;
    struct conf *conf = NULL;
    env.variables = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(str_c(yaml), STR("penstock.yaml"), &env, &problems, &conf)) {
        struct buf text = BUF_INIT(1 << 20);
        conf_problems_print(&problems, &text);
        fprintf(stderr, "%.*s\n%s\n", STR_ARG(buf_str(&text)), yaml);
        buf_free(&text);
        REQUIRE(conf != NULL);
    }
    conf_problems_free(&problems);
    return conf;
}

static void on_done(void *ctx, const struct check *c) {
    (*(size_t *)ctx)++;
    CHECK(c->detail[0] != '\0');
    CHECK(!strstr(c->detail, SECRET) && !strstr(c->hint, SECRET));
    CHECK(c->verdict == CHECK_OK || c->where.n > 0);
}

static struct check_list *run(const char *yaml, unsigned kinds) {
    struct conf *conf = load(yaml);
    struct check_list *list;
    struct err err;
    size_t done = 0;
    REQUIRE(check_list_make(conf, kinds, &list, &err));
    check_list_run(list, &(struct check_watch){.ctx = &done, .done = on_done});
    CHECK_INT(done, check_list_count(list));
    conf_unref(conf);
    return list;
}

static bool says(const struct check *c, const char *detail, const char *hint) {
    bool ok = strstr(c->detail, detail) && (!hint || strstr(c->hint, hint));
    if (!ok) fprintf(stderr, "%.*s: \"%s\" / \"%s\"\n", STR_ARG(c->name), c->detail, c->hint);
    return ok;
}

// The only check of its kind comes out like this.
static void check_one(const char *yaml, enum check_kind kind, enum check_verdict verdict, const char *detail,
                      const char *hint) {
    struct check_list *list = run(yaml, CHECK_KIND(kind));
    REQUIRE(check_list_count(list) == 1);
    const struct check *c = check_list_at(list, 0);
    CHECK_INT(c->verdict, verdict);
    CHECK(says(c, detail, hint));
    check_list_free(list);
}

// --- providers ---

static void provider_yaml(char out[2048], const char *scheme, uint16_t port, const char *more) {
    snprintf(out, 2048,
             "providers:\n  - {name: p, kind: openai, base_url: \"%s://localhost:%u/v1/\", %s}\n"
             "models:\n  - {name: m, targets: [{provider: p, model: small}, {provider: p, model: large}]}\n",
             scheme, port, more);
}

static void check_answer(int status, const char *body, const char *more, enum check_verdict verdict, const char *detail,
                         const char *hint) {
    const struct test_route routes[] = {{"/v1/models", status, body}, {NULL, 0, NULL}};
    struct test_server s = {.routes = routes};
    char yaml[2048];
    test_server_start(&s);
    provider_yaml(yaml, "http", s.port, more);
    check_one(yaml, CHECK_PROVIDER, verdict, detail, hint);
    test_server_stop(&s);
    if (strstr(more, SECRET)) CHECK(test_server_saw(&s, "authorization: Bearer " SECRET "\r\n"));
    CHECK(test_server_saw(&s, "GET /v1/models HTTP/1.1\r\n"));
}

static void test_provider_answers(void) {
    const char *key = "api_key: " SECRET;
    check_answer(200, MODELS, key, CHECK_OK, "3 models", NULL);
    check_answer(200, "{\"data\":[{\"id\":\"other\"}]}", key, CHECK_WARNING, "does not have \"small\", \"large\"",
                 "the provider's own");
    check_answer(200, "{\"data\":[{\"id\":\"other\"}],\"has_more\":true}", key, CHECK_OK, "1 model on the first page",
                 NULL);
    check_answer(200, "{\"data\":[]}", key, CHECK_WARNING, "0 models", NULL);
    check_answer(200, "<html>", key, CHECK_FAILED, "not with a list of models", "providers.p.base_url");
    check_answer(200, "{\"data\":[{\"id\":3}]}", key, CHECK_FAILED, "not with a list of models", NULL);
    check_answer(200, "{\"data\":[1]}", key, CHECK_FAILED, "not with a list of models", NULL);
    check_answer(200, "{}", key, CHECK_FAILED, "not with a list of models", NULL);
    check_answer(401, "no: " SECRET, key, CHECK_FAILED, "the key was refused (401)", "providers.p.api_key");
    check_answer(403, "{}", key, CHECK_FAILED, "the key was refused (403)", "right to list models");
    check_answer(401, "{}", "headers: {x-a: b}", CHECK_FAILED, "it wants a key (401), and none is set",
                 "set providers.p.api_key");
    check_answer(404, "{}", key, CHECK_FAILED, "no list of models at base_url", "ends with /v1");
    check_answer(307, "{}", key, CHECK_FAILED, "sends its clients elsewhere", NULL);
    check_answer(407, "{}", key, CHECK_FAILED, "the proxy wants a login", NULL);
    check_answer(429, "{}", key, CHECK_WARNING, "too many requests", NULL);
    check_answer(503, "{}", key, CHECK_FAILED, "answered with an error (503)", "try again");
    check_answer(400, "{}", key, CHECK_FAILED, "answered with an error (400)", "base_url");
}

static void test_provider_headers(void) {
    const struct test_route routes[] = {{"/v1/models", 200, MODELS}, {NULL, 0, NULL}};
    struct test_server s = {.routes = routes};
    char yaml[2048];
    test_server_start(&s);
    provider_yaml(yaml, "http", s.port, "headers: {x-team: red}");
    check_one(yaml, CHECK_PROVIDER, CHECK_OK, "3 models", NULL);
    test_server_stop(&s);
    CHECK(test_server_saw(&s, "\r\nx-team: red\r\n") && !test_server_saw(&s, "authorization"));
}

static void test_provider_unreached(void) {
    struct test_server s = {.silent = true};
    char yaml[2048];
    test_server_start(&s);
    provider_yaml(yaml, "http", s.port, "timeouts: {total: 100ms}");
    check_one(yaml, CHECK_PROVIDER, CHECK_FAILED, "waiting for the answer", "firewall");
    test_server_stop(&s);
    provider_yaml(yaml, "http", s.port, "api_key: " SECRET);
    check_one(yaml, CHECK_PROVIDER, CHECK_FAILED, "while connecting", "is it running");
    check_one("providers: [{name: p, kind: vllm, base_url: \"http://nowhere.invalid/v1\"}]", CHECK_PROVIDER,
              CHECK_FAILED, "looking the name up", "written right");
    check_one(
        "providers: [{name: p, kind: vllm, base_url: \"http://a.invalid/v1\", proxy: \"http://nowhere.invalid:1\"}]",
        CHECK_PROVIDER, CHECK_FAILED, "looking the name up", "providers.p.proxy");
    check_one("providers: [{name: demo, kind: demo}]", CHECK_PROVIDER, CHECK_OK, "in process", NULL);
}

static void test_provider_tls(void) {
    const char *dir = temp_dir();
    const struct test_route routes[] = {{"/v1/models", 200, MODELS}, {NULL, 0, NULL}};
    struct test_cert ca = test_cert_make(dir, (struct test_cert_spec){.file = "ca", .cn = "CA", .authority = true});
    struct test_cert leaf = test_cert_make(
        dir, (struct test_cert_spec){
                 .file = "l", .cn = "l", .alt = "DNS:localhost", .issuer = &ca, .to_s = 5 * 86400 + 3600});
    struct test_server s = {.routes = routes, .tls = SSL_CTX_new(TLS_server_method())};
    char yaml[2048], more[700];
    REQUIRE(SSL_CTX_use_certificate(s.tls, leaf.x509) == 1 && SSL_CTX_use_PrivateKey(s.tls, leaf.key) == 1);
    test_server_start(&s);
    provider_yaml(yaml, "https", s.port, "api_key: " SECRET);
    check_one(yaml, CHECK_PROVIDER, CHECK_FAILED, "certificate", "providers.p.tls_ca");
    snprintf(more, sizeof more, "api_key: " SECRET ", tls_ca: \"%s\"", ca.cert_path);
    provider_yaml(yaml, "https", s.port, more);
    check_one(yaml, CHECK_PROVIDER, CHECK_WARNING, "its certificate ends in 5 days; 3 models", NULL);
    provider_yaml(yaml, "https", s.port, "tls_verify: false");
    check_one(yaml, CHECK_PROVIDER, CHECK_WARNING, "3 models", NULL);
    provider_yaml(yaml, "https", s.port, "tls_ca: /nonexistent.pem");
    check_one(yaml, CHECK_PROVIDER, CHECK_FAILED, "/nonexistent.pem", "tls_ca");
    test_server_stop(&s);
    test_cert_free(&ca);
    test_cert_free(&leaf);
}

// --- services ---

static void check_vault(const struct test_route *routes, enum check_verdict verdict, const char *detail,
                        const char *hint) {
    struct test_server s = {.routes = routes};
    char yaml[512];
    test_server_start(&s);
    snprintf(yaml, sizeof yaml, "vault: {address: \"http://127.0.0.1:%u/\", token: " SECRET "}\n", s.port);
    check_one(yaml, CHECK_VAULT, verdict, detail, hint);
    test_server_stop(&s);
}

static void test_vault(void) {
    const struct test_route good[] = {
        {"/v1/sys/health", 200, "{}"},
        {"/v1/auth/token/lookup-self", 200, "{\"data\":{\"ttl\":3600,\"renewable\":true}}"},
        {NULL, 0, NULL}};
    const struct test_route standby[] = {{"/v1/sys/health", 429, "{}"}, good[1], {NULL, 0, NULL}};
    const struct test_route sealed[] = {{"/v1/sys/health", 503, "{}"}, {NULL, 0, NULL}};
    const struct test_route empty[] = {{"/v1/sys/health", 501, "{}"}, {NULL, 0, NULL}};
    const struct test_route none[] = {{NULL, 0, NULL}};
    const struct test_route refused[] = {
        good[0], {"/v1/auth/token/lookup-self", 403, "{\"errors\":[\"permission denied\"]}"}, {NULL, 0, NULL}};
    check_vault(good, CHECK_OK, "logged in by token", NULL);
    check_vault(standby, CHECK_OK, "logged in by token", NULL);
    check_vault(sealed, CHECK_FAILED, "it is sealed", "unseal");
    check_vault(empty, CHECK_FAILED, "not been set up", "init");
    check_vault(none, CHECK_FAILED, "does not answer as a Vault does (404", "vault.address");
    check_vault(refused, CHECK_FAILED, "answered 403", "vault.auth");
    check_one("vault: {address: \"http://127.0.0.1:1\", token: x}", CHECK_VAULT, CHECK_FAILED, "while connecting",
              NULL);
}

static void check_webhook(int status, const char *secret, enum check_verdict verdict, const char *detail,
                          const char *hint) {
    const struct test_route routes[] = {{"/hook", status, "x"}, {NULL, 0, NULL}};
    struct test_server s = {.routes = routes};
    char yaml[512];
    test_server_start(&s);
    snprintf(yaml, sizeof yaml, "webhooks: [{name: w, url: \"http://127.0.0.1:%u/hook\"%s}]\n", s.port, secret);
    check_one(yaml, CHECK_WEBHOOK, verdict, detail, hint);
    test_server_stop(&s);
    CHECK(test_server_saw(&s, "POST /hook HTTP/1.1\r\n") && test_server_saw(&s, "\"type\":\"config.test\""));
    CHECK(test_server_saw(&s, "webhook-id: test-") && test_server_saw(&s, "webhook-timestamp: "));
    CHECK_INT(test_server_saw(&s, "webhook-signature: v1,"), *secret != '\0');
}

static void test_webhooks(void) {
    check_webhook(204, ", secret: " SECRET, CHECK_OK, "took a test event, signed (204)", NULL);
    check_webhook(200, "", CHECK_OK, "took a test event, unsigned (200)", NULL);
    check_webhook(401, ", secret: " SECRET, CHECK_FAILED, "did not take a test event", "webhooks.w.secret");
    check_webhook(404, "", CHECK_FAILED, "(404)", "webhooks.w.url");
    check_webhook(500, "", CHECK_FAILED, "(500)", "200 to 299");
    check_one("webhooks: [{name: w, url: \"http://127.0.0.1:1/hook\"}]", CHECK_WEBHOOK, CHECK_FAILED,
              "while connecting", NULL);
}

// --- listeners ---

static void test_listeners(void) {
    const struct test_route penstock[] = {
        {"/readyz", 200, "{\"status\":\"ready\",\"version\":\"1.2.3\",\"uptime_seconds\":1,\"checks\":{}}"},
        {NULL, 0, NULL}};
    const struct test_route other[] = {{"/", 200, "{\"status\":\"ready\"}"}, {NULL, 0, NULL}};
    struct test_server s = {.routes = penstock};
    char yaml[256];
    test_server_start(&s);
    snprintf(yaml, sizeof yaml, "listeners: [{address: \"127.0.0.1:%u\"}]\n", s.port);
    check_one(yaml, CHECK_LISTENER, CHECK_OK, "already served by a running Penstock (1.2.3)", NULL);
    snprintf(yaml, sizeof yaml, "listeners: [{address: \"*:%u\"}]\n", s.port);
    check_one(yaml, CHECK_LISTENER, CHECK_OK, "already served by a running Penstock", NULL);
    s.routes = other;
    check_one(yaml, CHECK_LISTENER, CHECK_FAILED, "another program has the port", "does not answer as a Penstock");
    test_server_stop(&s);
    snprintf(yaml, sizeof yaml, "listeners: [{address: \"127.0.0.1:%u\"}]\n", s.port);
    check_one(yaml, CHECK_LISTENER, CHECK_OK, "free to be listened on", NULL);
    check_one("listeners: [{address: \"192.0.2.1:8080\"}]", CHECK_LISTENER, CHECK_FAILED, "no such address", NULL);
}

static void tls_yaml(char out[8192], const char *cert, const char *key, const char *sni) {
    snprintf(out, 8192, "listeners: [{address: \"127.0.0.1:0\", tls: {cert: \"%s\", key: \"%s\"%s}}]\n", cert, key,
             sni);
}

static void test_certificates(void) {
    const char *dir = temp_dir();
    struct test_cert good = test_cert_make(
        dir, (struct test_cert_spec){.file = "g", .cn = "g", .alt = "DNS:a.example", .to_s = 90 * 86400 + 3600});
    struct test_cert soon = test_cert_make(dir, (struct test_cert_spec){.file = "s", .cn = "s", .to_s = 86000});
    struct test_cert over =
        test_cert_make(dir, (struct test_cert_spec){.file = "o", .cn = "o", .from_s = -7200, .to_s = -60});
    char yaml[8192], sni[4096];
    chmod(good.key_path, 0640);
    chmod(soon.key_path, 0600);
    tls_yaml(yaml, good.cert_path, good.key_path, "");
    check_one(yaml, CHECK_CERTIFICATE, CHECK_OK, "good for 90 days", NULL);
    chmod(good.key_path, 0644);
    check_one(yaml, CHECK_CERTIFICATE, CHECK_WARNING, "everybody on this machine can read its key", "chmod o=");
    chmod(good.key_path, 0600);
    tls_yaml(yaml, soon.cert_path, soon.key_path, "");
    check_one(yaml, CHECK_CERTIFICATE, CHECK_WARNING, "it ends in 23 hours", "renew it");
    tls_yaml(yaml, good.cert_path, soon.key_path, "");
    check_one(yaml, CHECK_CERTIFICATE, CHECK_FAILED, "does not belong to", "listeners[0].tls.cert");
    tls_yaml(yaml, over.cert_path, over.key_path, "");
    check_one(yaml, CHECK_CERTIFICATE, CHECK_FAILED, "has expired", NULL);
    tls_yaml(yaml, "/nonexistent.pem", good.key_path, "");
    check_one(yaml, CHECK_CERTIFICATE, CHECK_FAILED, "/nonexistent.pem", NULL);

    snprintf(sni, sizeof sni,
             ", sni: [{name: a.example, cert: \"%s\", key: \"%s\"}, {name: b.example, cert: \"%s\", key: \"%s\"}]",
             good.cert_path, good.key_path, good.cert_path, good.key_path);
    tls_yaml(yaml, good.cert_path, good.key_path, sni);
    struct check_list *list = run(yaml, CHECK_KIND(CHECK_CERTIFICATE));
    REQUIRE(check_list_count(list) == 3);
    CHECK_INT(check_list_at(list, 1)->verdict, CHECK_OK);
    CHECK_INT(check_list_at(list, 2)->verdict, CHECK_WARNING);
    CHECK(says(check_list_at(list, 2), "it is not for \"b.example\"", "refuse"));
    CHECK_STR(check_list_at(list, 2)->key, STR("listeners[0].tls.sni[1].cert"));
    check_list_free(list);
    test_cert_free(&good);
    test_cert_free(&soon);
    test_cert_free(&over);
}

// --- files ---

static void write_file(struct str path, const char *text, mode_t mode) {
    FILE *f = fopen(path.p, "w");
    REQUIRE(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path.p, mode) == 0);
}

static void check_data(struct str dir, enum check_verdict verdict, const char *detail, const char *hint) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "storage: {data: \"%s\"}\n", dir.p);
    check_one(yaml, CHECK_PATH, verdict, detail, hint);
}

static void test_paths(void) {
    char yaml[1024];
    check_data(str_c(temp_dir()), CHECK_OK, "writable", NULL);
    check_data(temp_path("new/deep"), CHECK_OK, "does not exist yet, can be made", NULL);
    CHECK(access(temp_path("new").p, F_OK) != 0); // a look makes nothing
    struct str file = temp_path("file");
    write_file(file, "x", 0600);
    check_data(file, CHECK_FAILED, file.p, "must be a directory");
    check_data(temp_path("file/below"), CHECK_FAILED, "file", NULL);
    check_data(STR("/proc/penstock"), CHECK_FAILED, "/proc", NULL);

    snprintf(yaml, sizeof yaml, "storage: {data: \"%s\"}\nlog: {file: \"%s\", access_file: \"%s\"}\n", temp_dir(),
             temp_path("file").p, temp_path("absent/log").p);
    struct check_list *list = run(yaml, CHECK_KIND(CHECK_PATH));
    REQUIRE(check_list_count(list) == 3);
    CHECK_INT(check_list_at(list, 1)->verdict, CHECK_OK);
    CHECK_INT(check_list_at(list, 2)->verdict, CHECK_FAILED);
    CHECK(says(check_list_at(list, 2), "does not exist", "mkdir -p"));
    CHECK_STR(check_list_at(list, 2)->where, STR("penstock.yaml:2"));
    check_list_free(list);
    unlink(file.p);
    // Nothing is left behind.
    struct str probe = str_c(temp_dir());
    DIR *dir = opendir(probe.p);
    for (const struct dirent *e; dir && (e = readdir(dir));) CHECK(!strstr(e->d_name, "probe"));
    closedir(dir);
}

static void test_secret_files(void) {
    char yaml[1024];
    struct str good = temp_path("good"), open = temp_path("open");
    write_file(good, SECRET, 0600);
    write_file(open, SECRET, 0644);
    snprintf(yaml, sizeof yaml,
             "providers:\n  - {name: a, kind: vllm, api_key: \"${file:%s}\"}\n"
             "  - {name: b, kind: vllm, api_key: \"${file:%s}\", headers: {x: \"a ${file:%s} b\", y: "
             "\"$${file:/etc/no}\"}}\n",
             good.p, open.p, good.p);
    struct check_list *list = run(yaml, CHECK_KIND(CHECK_SECRET_FILE));
    REQUIRE(check_list_count(list) == 2);
    CHECK_INT(check_list_at(list, 0)->verdict, CHECK_OK);
    CHECK_INT(check_list_at(list, 1)->verdict, CHECK_WARNING);
    CHECK(says(check_list_at(list, 1), "mode 644", "chmod go="));
    CHECK_STR(check_list_at(list, 1)->where, STR("penstock.yaml:3"));
    check_list_free(list);

    struct conf *conf = load(yaml);
    struct err err;
    size_t done = 0;
    unlink(good.p);
    REQUIRE(check_list_make(conf, CHECK_KIND(CHECK_SECRET_FILE), &list, &err));
    check_list_run(list, &(struct check_watch){.ctx = &done, .done = on_done});
    CHECK_INT(check_list_at(list, 0)->verdict, CHECK_FAILED);
    check_list_free(list);
    conf_unref(conf);
}

// --- the machine ---

static void check_clock(time_t off, enum check_verdict verdict, const char *detail) {
    const struct test_route routes[] = {{"/v1/models", 200, MODELS}, {NULL, 0, NULL}};
    struct test_server s = {.routes = routes};
    char yaml[2048], date[64];
    struct tm tm;
    time_t at = time(NULL) + off;
    REQUIRE(gmtime_r(&at, &tm) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm));
    if (off != -1) s.date = date;
    test_server_start(&s);
    provider_yaml(yaml, "http", s.port, "api_key: x");
    struct check_list *list = run(yaml, CHECK_KIND(CHECK_PROVIDER) | CHECK_KIND(CHECK_CLOCK));
    REQUIRE(check_list_count(list) == 2);
    CHECK_INT(check_list_at(list, 1)->verdict, verdict);
    CHECK(says(check_list_at(list, 1), detail, NULL));
    check_list_free(list);
    test_server_stop(&s);
}

static void test_clock(void) {
    check_clock(0, CHECK_OK, "agrees with 1 server");
    check_clock(-1, CHECK_OK, "nobody answered");
    check_clock(300, CHECK_WARNING, "s short of what 1 server says");
    check_clock(-300, CHECK_WARNING, "s ahead of what 1 server says");
}

static void count_tick(void *ctx, const struct check *const *running, size_t n, size_t left) {
    CHECK(n <= 16 && n <= left);
    for (size_t i = 0; i < n; i++) CHECK(running[i]->name.n > 0);
    (*(size_t *)ctx)++;
}

// More checks than threads: all are done, each once, the clock's at the end.
static void test_many(void) {
    struct buf yaml = BUF_INIT(1 << 20);
    struct err err;
    struct check_list *list;
    size_t ticks = 0;
    buf_lit(&yaml, "providers:\n");
    for (int i = 0; i < 60; i++)
        buf_printf(&yaml, "  - {name: p%d, kind: vllm, base_url: \"http://127.0.0.1:1/v1\"}\n", i);
    struct conf *conf = load(buf_cstr(&yaml));
    REQUIRE(check_list_make(conf, CHECK_ALL, &list, &err));
    check_list_run(list, &(struct check_watch){.ctx = &ticks, .tick = count_tick});
    size_t n = check_list_count(list), failed = 0;
    for (size_t i = 0; i < n; i++)
        failed += check_list_at(list, i)->kind == CHECK_PROVIDER && check_list_at(list, i)->verdict == CHECK_FAILED;
    CHECK_INT(failed, 60);
    CHECK_INT(check_list_at(list, n - 1)->kind, CHECK_CLOCK);
    CHECK(ticks > 0);
    check_list_free(list);
    conf_unref(conf);
    buf_free(&yaml);
}

static void begin(void) {
    struct err err;
    signal(SIGPIPE, SIG_IGN); // the servers' clients may leave early
    REQUIRE(fetch_global_begin(&err));
}

TEST_MAIN(begin, test_provider_answers, test_provider_headers, test_provider_unreached, test_provider_tls, test_vault,
          test_webhooks, test_listeners, test_certificates, test_paths, test_secret_files, test_clock, test_many)
