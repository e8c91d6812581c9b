// Configurations that are right: defaults, every key, references, discovery, overrides, names, and comparison.
#include "check.h"
#include "conf/change.h"

struct fake {
    const char *const *vars; // name, value, …, NULL
};

static const char *fake_get(void *ctx, const char *name) {
    const struct fake *f = ctx;
    for (size_t i = 0; f && f->vars[i]; i += 2) {
        if (strcmp(f->vars[i], name) == 0) return f->vars[i + 1];
    }
    return NULL;
}

static bool fake_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx;
    if (max < 10 || !str_eq(path, STR("/run/key"))) return err_set(err, ERR_NOT_FOUND, "no such file");
    buf_lit(out, "from-file\n");
    return true;
}

static struct conf *load_env(const char *text, const struct conf_env *env) {
    struct conf_problems problems;
    struct conf *c = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(str_c(text), STR("penstock.yaml"), env, &problems, &c)) {
        struct buf b = BUF_INIT(1 << 16);
        conf_problems_print(&problems, &b);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    conf_problems_free(&problems);
    REQUIRE(c != NULL);
    return c;
}

static struct conf *load(const char *text, const char *const *vars) {
    static const char *const none[] = {NULL};
    struct fake fake = {vars ? vars : none};
    struct conf_env env = {.ctx = &fake, .get = fake_get, .read_file = fake_read};
    return load_env(text, &env);
}

static void defaults(void) {
    struct conf *c = load("", NULL);
    REQUIRE(c->listeners.n == 1);
    CHECK_STR(c->listeners.p[0].addr.host, STR("127.0.0.1"));
    CHECK_INT(c->listeners.p[0].addr.port, 8080);
    CHECK_INT(c->listeners.p[0].tls.min_version, TLS_1_3);
    CHECK_INT(c->server.workers, 0);
    CHECK_INT(c->server.drain_timeout, 30000);
    CHECK(c->metrics.is_public && c->auth.required && c->log.access && c->passthrough_models);
    CHECK_INT(c->limits.max_body, 32 << 20);
    CHECK_INT(c->limits.max_header_bytes, 65536);
    CHECK_INT(c->limits.max_headers, 100);
    CHECK_INT(c->limits.max_uri, 8192);
    CHECK_INT(c->limits.max_response, 32 << 20);
    CHECK_INT(c->limits.max_event, 1 << 20);
    CHECK_INT(c->limits.max_connections, 65536);
    CHECK_INT(c->limits.stream_buffer, 65536);
    CHECK_INT(c->limits.json_depth, 128);
    CHECK_INT(c->timeouts.header, 10000);
    CHECK_INT(c->timeouts.body, 30000);
    CHECK_INT(c->timeouts.keepalive, 75000);
    CHECK_INT(c->timeouts.connect, 5000);
    CHECK_INT(c->timeouts.first_byte, 120000);
    CHECK_INT(c->timeouts.idle, 120000);
    CHECK_INT(c->timeouts.total, 600000);
    CHECK_INT(c->timeouts.write, 60000);
    CHECK_INT(c->log.level, CONF_LOG_INFO);
    CHECK_INT(c->storage.group_interval, 4);
    CHECK_STR(c->storage.data, STR("./data"));
    CHECK(c->storage.data.p[c->storage.data.n] == 0);
    REQUIRE(c->providers.n == 1);
    CHECK(c->discovered);
    CHECK_INT(c->providers.p[0].kind, PROVIDER_DEMO);
    conf_unref(c);
}

static void discovery(void) {
    static const char *const vars[] = {"OPENAI_API_KEY",
                                       "k1",
                                       "OPENAI_BASE_URL",
                                       "http://127.0.0.1:9/v1",
                                       "XAI_API_KEY",
                                       "k2",
                                       "ANTHROPIC_API_KEY",
                                       "",
                                       NULL};
    static const struct conf_local local[] = {{PROVIDER_OLLAMA, STR_INIT("http://127.0.0.1:11434/v1")}};
    struct fake fake = {vars};
    struct conf_env env = {.ctx = &fake, .get = fake_get, .local = local, .n_local = 1};
    struct conf *c = load_env("", &env);
    REQUIRE(c->providers.n == 3);
    CHECK_STR(c->providers.p[0].name, STR("openai"));
    CHECK_STR(c->providers.p[0].base_url, STR("http://127.0.0.1:9/v1"));
    CHECK_STR(secret_str(&c->providers.p[0].api_key), STR("k1"));
    CHECK_STR(c->providers.p[1].name, STR("xai"));
    CHECK_STR(c->providers.p[1].base_url, STR("https://api.x.ai/v1"));
    CHECK_STR(c->providers.p[2].name, STR("ollama"));
    CHECK_INT(c->providers.p[2].url.port, 11434);
    conf_unref(c);
    c = load_env("providers: [{name: a, kind: demo}]\n", &env);
    CHECK(!c->discovered && c->providers.n == 1);
    conf_unref(c);
}

static const char everything[] =
    "listeners:\n"
    "  - address: \"[::]:8443\"\n"
    "    tls: {cert: c.pem, key: k.pem, client_ca: ca.pem, client_auth: optional, min_version: \"1.2\",\n"
    "          sni: [{name: \"*.example.com\", cert: s.pem, key: t.pem}]}\n"
    "server: {workers: 4, drain_timeout: 1m30s, public_metrics: false}\n"
    "limits: {max_body: 1.5 MiB, max_headers: 50}\n"
    "timeouts: &t {connect: 2s, idle: 90s}\n"
    "providers:\n"
    "  - name: openai\n"
    "    api_key: ${env:KEY}\n"
    "    headers: {OpenAI-Organization: \"org-${env:ORG}\", X-Cost: \"$${not-a-reference}\"}\n"
    "    proxy: http://proxy:3128\n"
    "    timeouts: {<<: *t, connect: 7s}\n"
    "  - {name: local, kind: vllm, base_url: \"http://gpu:8000/v1/\", api_key: \"${file:/run/key}\", tls_verify: "
    "false}\n"
    "  - {name: groq}\n"
    "models:\n"
    "  - name: smart\n"
    "    targets:\n"
    "      - {provider: openai, model: gpt-4o, weight: 3}\n"
    "      - {provider: local, priority: 1}\n"
    "    price: {input: 2.5, output: 10, cached_input: 0.0375}\n"
    "aliases: {best: smart, top: best, mini: openai/gpt-4o-mini}\n"
    "prices: {openai/gpt-4o-mini: {input: 0.15}, other: {output: 1}}\n"
    "auth: {required: false}\n"
    "log: {level: debug, format: json, access: false, file: /tmp/x.log}\n"
    "storage: {data: /var/lib/penstock, durability: sync, group_interval: 10ms, queue_records: 2048}\n"
    "metrics: {max_series: 500}\n";
static const char *const everything_vars[] = {"KEY", "s3cr3t", "ORG", "42", "GROQ_API_KEY", "g", NULL};

static void every_key(void) {
    struct conf *c = load(everything, everything_vars);
    const struct conf_listener *l = &c->listeners.p[0];
    CHECK_STR(l->addr.host, STR("::"));
    CHECK_INT(l->tls.client_auth, CLIENT_AUTH_OPTIONAL);
    CHECK_INT(l->tls.min_version, TLS_1_2);
    CHECK_STR(l->tls.sni.p[0].name, STR("*.example.com"));
    CHECK_INT(c->server.drain_timeout, 90000);
    CHECK_INT(c->limits.max_body, 1572864);
    const struct conf_provider *p = &c->providers.p[0];
    CHECK_STR(secret_str(&p->api_key), STR("s3cr3t"));
    CHECK_STR(p->headers.p[0].value, STR("org-42"));
    CHECK_STR(p->headers.p[1].value, STR("${not-a-reference}"));
    CHECK_INT(p->proxy_url.port, 3128);
    CHECK_INT(p->timeouts.connect, 7000);
    CHECK_INT(p->timeouts.idle, 90000);
    CHECK_INT(p->timeouts.total, 600000);
    CHECK_INT(p->max_idle_connections, 256);
    CHECK_STR(secret_str(&c->providers.p[1].api_key), STR("from-file"));
    CHECK_STR(c->providers.p[1].url.path, STR("/v1"));
    CHECK(!c->providers.p[1].tls_verify);
    CHECK_INT(c->providers.p[2].kind, PROVIDER_GROQ);
    CHECK_STR(secret_str(&c->providers.p[2].api_key), STR("g"));
    const struct conf_model *m = conf_model_find(c, STR("smart"));
    REQUIRE(m != NULL);
    CHECK(m->targets.p[0].peer == p && m->targets.p[1].peer == &c->providers.p[1]);
    CHECK_STR(m->targets.p[1].model, STR("smart"));
    CHECK_INT(m->price.rates.cached_input, 37500);
    CHECK_INT(m->price.rates.reasoning, OPT_UNSET);
    CHECK_INT(conf_price_find(c, NULL, STR("openai"), STR("gpt-4o-mini"))->rates.input, 150000);
    CHECK_INT(conf_price_find(c, NULL, STR("groq"), STR("other"))->rates.output, 1000000);
    CHECK(!conf_price_find(c, NULL, STR("groq"), STR("gpt-4o-mini")));
    CHECK_INT(c->storage.durability, DURABILITY_SYNC);
    CHECK_INT(c->metrics.max_series, 500);
    conf_unref(c);
}

static void expect_choice(const struct conf *c, const char *name, const char *model, const char *peer, const char *up) {
    struct conf_choice choice = {0};
    bool found = conf_resolve(c, NULL, str_c(name), &choice);
    if (found != (model || peer)) fprintf(stderr, "%s\n", name);
    CHECK(found == (model || peer));
    if (model) CHECK(choice.model && str_eq(choice.model->name, str_c(model)));
    if (peer) CHECK(!choice.model && choice.peer && str_eq(choice.peer->name, str_c(peer)));
    if (peer) CHECK_STR(choice.upstream, str_c(up));
}

static void names(void) {
    struct conf *c = load(everything, everything_vars);
    expect_choice(c, "smart", "smart", NULL, NULL);
    expect_choice(c, "top", "smart", NULL, NULL);
    expect_choice(c, "mini", NULL, "openai", "gpt-4o-mini");
    expect_choice(c, "local/a/b", NULL, "local", "a/b");
    expect_choice(c, "gpt-5", NULL, "openai", "gpt-5");
    expect_choice(c, "claude-sonnet-4-5", NULL, NULL, NULL);
    expect_choice(c, "local/", NULL, NULL, NULL);
    expect_choice(c, "", NULL, NULL, NULL);
    conf_unref(c);
    c = load("passthrough_models: false\nproviders: [{name: a, kind: demo}]\n", NULL);
    expect_choice(c, "a/b", NULL, NULL, NULL);
    expect_choice(c, "b", NULL, NULL, NULL);
    conf_unref(c);
    c = load("providers: [{name: a, kind: demo}]\n", NULL);
    expect_choice(c, "whatever", NULL, "a", "whatever");
    expect_choice(c, "openai/gpt", NULL, "a", "openai/gpt");
    conf_unref(c);
}

static void overrides(void) {
    static const struct conf_override given[] = {
        {STR_INIT("storage.data"), STR_INIT("/srv: x"), STR_INIT("--data"), true},
        {STR_INIT("listeners"), STR_INIT("[]"), STR_INIT("--listen"), false},
        {STR_INIT("listeners.0.address"), STR_INIT("127.0.0.1:0"), STR_INIT("--listen"), true},
        {STR_INIT("server.workers"), STR_INIT("3"), STR_INIT("--workers"), true},
        {STR_INIT("log"), STR_INIT("{level: warn}"), STR_INIT("--set"), false},
    };
    struct conf_env env = {.overrides = given, .n_overrides = ARRAY_LEN(given)};
    struct conf *c = load_env("log: {access: false}\nserver: {workers: 1, public_metrics: false}\n", &env);
    CHECK_STR(c->storage.data, STR("/srv: x"));
    CHECK_INT(c->listeners.n, 1);
    CHECK_STR(c->listeners.p[0].address, STR("127.0.0.1:0"));
    CHECK_INT(c->server.workers, 3);
    CHECK(!c->metrics.is_public);
    CHECK(c->log.access && c->log.level == CONF_LOG_WARN);
    conf_unref(c);
}

static void bad_overrides(void) {
    static const struct {
        struct conf_override o;
        const char *want;
    } rows[] = {
        {{STR_INIT("server.workers"), STR_INIT("x"), STR_INIT("--workers"), true},
         "--workers: server.workers: expected a whole number, found \"x\"\n"},
        {{STR_INIT("listeners.2.address"), STR_INIT(":1"), STR_INIT("--set"), true},
         "--set: position 2 is past the end: there are 0\n"},
        {{STR_INIT(""), STR_INIT("1"), STR_INIT("--set"), true}, "--set: \"\" is no key: it is empty\n"},
        {{STR_INIT("serv.workers"), STR_INIT("1"), STR_INIT("--set"), true},
         "--set: there is no option \"serv\"; did you mean \"server\"?\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_env env = {.overrides = &rows[i].o, .n_overrides = 1};
        struct conf_problems problems;
        struct conf *c;
        struct buf b = BUF_INIT(4096);
        conf_problems_init(&problems);
        CHECK(!conf_load_text(STR("log: {}\n"), STR("f"), &env, &problems, &c));
        conf_problems_print(&problems, &b);
        CHECK_STR(buf_str(&b), str_c(rows[i].want));
        conf_problems_free(&problems);
        buf_free(&b);
    }
}

// The changes that only a restart applies, a line each.
static size_t restarts(const struct conf *a, const struct conf *b, struct buf *out) {
    struct conf_changes changes;
    size_t n = 0;
    conf_changes_init(&changes);
    conf_compare(a, b, &changes);
    for (size_t i = 0; i < changes.list.n; i++) {
        const struct conf_change *c = &changes.list.p[i];
        if (c->apply != APPLY_RESTART) continue;
        buf_printf(out, "%.*s: %.*s → %.*s\n", STR_ARG(c->path), STR_ARG(c->before), STR_ARG(c->after));
        n++;
    }
    conf_changes_free(&changes);
    return n;
}

static void restart_reasons(void) {
    struct conf *a = load("listeners: [{address: \":1\"}]\nproviders: [{name: openai, api_key: a}]\n", NULL);
    struct conf *b =
        load("listeners: [{address: \":1\", tls: {cert: a, key: b}}]\nproviders: [{name: openai, api_key: b}]\n"
             "timeouts: {idle: 1s}\nmodels: [{name: m, targets: [{provider: openai}]}]\n",
             NULL);
    struct conf *d = load("listeners: [{address: \":2\"}, {address: \":3\"}]\nserver: {workers: 2}\n"
                          "storage: {data: elsewhere}\nproviders: [{name: openai, api_key: a}]\n",
                          NULL);
    struct conf *e = load("listeners: [{address: \":2\"}]\nproviders: [{name: openai, api_key: a}]\n", NULL);
    struct buf out = BUF_INIT(4096);
    CHECK_INT(restarts(a, a, &out), 0);
    CHECK_INT(restarts(a, b, &out), 0);
    CHECK_INT(out.n, 0);
    CHECK_INT(restarts(a, d, &out), 2);
    CHECK_STR(buf_str(&out), STR("server.workers: 0 → 2\n"
                                 "storage.data: \"./data\" → elsewhere\n"));
    buf_clear(&out);
    CHECK_INT(restarts(a, e, &out), 0);
    buf_free(&out);
    conf_unref(a);
    conf_unref(b);
    conf_unref(d);
    conf_unref(e);
}

static void secrets_stay_secret(void) {
    struct conf *a = load("providers: [{name: openai, api_key: aaa}]\n", NULL);
    struct conf *b = load("providers: [{name: openai, api_key: bbb, timeouts: {idle: 1s}}]\n", NULL);
    struct conf_changes changes;
    struct buf out = BUF_INIT(4096);
    conf_changes_init(&changes);
    conf_compare(a, b, &changes);
    conf_changes_print(&changes, &out);
    CHECK_STR(buf_str(&out), STR("~ providers.openai.api_key: *** → ***   live   models openai/*\n"
                                 "~ providers.openai.timeouts.idle: 2m → 1s   live   models openai/*\n"));
    conf_changes_free(&changes);
    buf_free(&out);
    conf_unref(a);
    conf_unref(b);
}

static void counts_references(void) {
    struct conf *c = load("", NULL);
    CHECK(conf_ref(c) == c);
    conf_unref(c);
    CHECK_INT(c->server.drain_timeout, 30000);
    conf_unref(c);
    conf_unref(NULL);
}

static void missing_file(void) {
    struct conf_env env = {.read_file = fake_read};
    struct conf_problems problems;
    struct conf *c;
    struct buf b = BUF_INIT(4096);
    conf_problems_init(&problems);
    CHECK(!conf_load(STR("nowhere.yaml"), &env, &problems, &c));
    conf_problems_print(&problems, &b);
    CHECK_STR(buf_str(&b), STR("nowhere.yaml: no such file\n"));
    conf_problems_free(&problems);
    buf_free(&b);
}

static void many_models(void) {
    struct buf text = BUF_INIT(1 << 20);
    buf_lit(&text, "providers:\n");
    for (int i = 0; i < 500; i++) buf_printf(&text, "- {name: p%d, kind: vllm}\n", i);
    buf_lit(&text, "models:\n");
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "- {name: m%d, targets: [{provider: p%d}, {provider: p%d}]}\n", i, i % 500, i * 7 % 500);
    struct conf *c = load(buf_cstr(&text), NULL);
    CHECK_STR(conf_model_find(c, STR("m4999"))->targets.p[1].peer->name, STR("p493"));
    conf_unref(c);
    buf_free(&text);
}

// Each allocation fails in turn: never a crash, never a leak, never success without a snapshot.
static void out_of_memory(void) {
    static const char *const none[] = {NULL};
    struct fake fake = {everything_vars};
    struct conf_env env = {.ctx = &fake, .get = fake_get, .read_file = fake_read};
    bool done = false;
    (void)none;
    for (uint64_t n = 1; !done && n < 2000; n++) {
        struct mem_stats before, after;
        struct conf_problems problems;
        struct conf *c = NULL;
        mem_stats_get(&before);
        mem_fail_nth(n);
        conf_problems_init(&problems);
        bool ok = conf_load_text(str_c(everything), STR("f"), &env, &problems, &c);
        mem_stats_get(&after);
        done = after.failed == before.failed;
        mem_fail_nth(0);
        CHECK(ok == (c != NULL) && ok == (problems.errors == 0));
        conf_unref(c);
        conf_problems_free(&problems);
        mem_stats_get(&after);
        CHECK_INT(after.bytes, before.bytes);
    }
    CHECK(done);
}

// A text of several lines, as YAML has it, where one is wanted.
static void several_lines(void) {
    struct conf *c = load("models:\n  - name: m\n    chain:\n      - name: s\n        model: a/x\n        prompt: |\n"
                          "          Plan this:\n          \t{{input}}\n        system: \"Be\\nbrief\"\n"
                          "providers: [{name: a, kind: demo}]\n",
                          NULL);
    CHECK_STR(c->models.p[0].chain.p[0].prompt, STR("Plan this:\n\t{{input}}\n"));
    CHECK_STR(c->models.p[0].chain.p[0].system, STR("Be\nbrief"));
    conf_unref(c);
}

static bool fails_with(const char *text, const char *message) {
    static const char *const none[] = {NULL};
    struct fake fake = {none};
    struct conf_env env = {.ctx = &fake, .get = fake_get, .read_file = fake_read};
    struct buf said = BUF_INIT(1 << 16);
    struct conf_problems problems;
    struct conf *c = NULL;
    conf_problems_init(&problems);
    bool failed = !conf_load_text(str_c(text), STR("penstock.yaml"), &env, &problems, &c);
    conf_problems_print(&problems, &said);
    bool told = str_find(buf_str(&said), str_c(message)) < said.n;
    conf_problems_free(&problems);
    buf_free(&said);
    if (!failed) conf_unref(c);
    return failed && told;
}

#define ONE_PROVIDER "providers: [{name: a, kind: demo}]\n"
#define ONE_MODEL "models:\n  - name: m\n    targets: [{provider: a}]\n"

// What would do nothing is said.
static void said_for_nothing(void) {
    CHECK(fails_with(ONE_PROVIDER ONE_MODEL "    canary: {steps: [0.1, 1]}\n",
                     "models[0].canary: the key \"model\" is missing"));
}

TEST_MAIN(defaults, discovery, every_key, names, overrides, bad_overrides, restart_reasons, secrets_stay_secret,
          counts_references, missing_file, many_models, several_lines, said_for_nothing, out_of_memory)
