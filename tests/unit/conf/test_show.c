// The configuration as it is shown: it reads back the same, tells sources, and never shows a secret.
#include "base/json_read.h"
#include "check.h"
#include "conf/change.h"
#include "conf/show.h"
#include "os/file.h"

#define TEXT_MAX ((size_t)4 << 20)

static const char *env_get(void *ctx, const char *name) {
    static const char *const values[][2] = {
        {"WORKERS", "3"},     {"MAX_BODY", "1 MiB"},     {"IDLE", "5s"},
        {"REQUIRED", "true"}, {"LEVEL", "warn"},         {"TEAM", "hidden-team"},
        {"PRICE", "2.5"},     {"BRAND", "hidden-brand"}, {"TARGET", "hidden-target"}};
    (void)ctx;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strcmp(values[i][0], name) == 0) return values[i][1];
    return strstr(name, "_KEY") && strncmp(name, "PENSTOCK", 8) != 0 ? "hidden-variable" : NULL;
}

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)err;
    buf_lit(out, "hidden-file\n");
    return true;
}

static bool env_secret(void *ctx, const struct conf_stores *stores, enum conf_store store, struct str name,
                       struct buf *out, struct err *err) {
    (void)ctx, (void)stores, (void)store, (void)name, (void)err;
    buf_lit(out, "hidden-store");
    return true;
}

static const struct conf_env plain_env = {.get = env_get, .read_file = env_read, .read_secret = env_secret};

static struct conf *load_with(struct str text, struct str name, const struct conf_env *env) {
    struct conf_problems problems;
    struct conf *c = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(text, name, env, &problems, &c)) {
        struct buf b = BUF_INIT(1 << 16);
        conf_problems_print(&problems, &b);
        fprintf(stderr, "%.*s in\n%.*s", STR_ARG(buf_str(&b)), STR_ARG(text));
        buf_free(&b);
    }
    conf_problems_free(&problems);
    REQUIRE(c != NULL);
    return c;
}

static struct conf *load(const char *text) { return load_with(str_c(text), STR("penstock.yaml"), &plain_env); }

// --- reading back ---

static bool in_text(struct str text, const char *part) { return str_find(text, str_c(part)) < text.n; }

// What a model takes over from the general routing is shown as its own: it holds all the same once it is read back.
static void holds_the_same(const struct conf *a, const struct conf *b) {
    struct conf_show how = {.what = SHOW_EFFECTIVE};
    BUF_AUTO struct buf x = BUF_INIT(TEXT_MAX), y = BUF_INIT(TEXT_MAX);
    struct err err;
    CHECK(conf_show_yaml(a, &how, &x, &err) && conf_show_yaml(b, &how, &y, &err));
    CHECK_STR(buf_str(&x), buf_str(&y));
}

static bool is_models_routing(struct str path) { return in_text(path, "models.") && in_text(path, ".routing."); }

static void reads_back(const struct conf *c, enum conf_show_what what, bool sources, struct str name) {
    struct conf_show how = {.what = what, .sources = sources};
    struct buf text = BUF_INIT(TEXT_MAX);
    struct conf_changes changes;
    struct err err;
    CHECK(conf_show_yaml(c, &how, &text, &err));
    CHECK(!in_text(buf_str(&text), "hidden-"));
    struct conf *again = load_with(buf_str(&text), STR("shown.yaml"), &plain_env);
    conf_changes_init(&changes);
    conf_compare(c, again, &changes);
    if (what == SHOW_EFFECTIVE) holds_the_same(c, again);
    for (size_t i = 0; i < changes.list.n; i++) {
        const struct conf_change *change = &changes.list.p[i];
        // A secret that stands in the file itself is masked, and so reads back as another one.
        if (change->secret || (what == SHOW_EFFECTIVE && is_models_routing(change->path))) continue;
        fprintf(stderr, "%.*s, mode %d: %.*s: %.*s, then %.*s\n", STR_ARG(name), (int)what, STR_ARG(change->path),
                STR_ARG(change->before), STR_ARG(change->after));
        CHECK(change->secret);
    }
    conf_changes_free(&changes);
    conf_unref(again);
    buf_free(&text);
}

static void json_is_valid(const struct conf *c, enum conf_show_what what) {
    struct conf_show how = {.what = what};
    struct buf text = BUF_INIT(TEXT_MAX);
    struct err err;
    CHECK(conf_show_json(c, &how, &text, &err));
    CHECK(!in_text(buf_str(&text), "hidden-"));
    struct str rest = buf_str(&text), line;
    while (rest.n && str_split(&rest, '\n', &line)) {
        bool ok = json_validate(line, 0, &err);
        if (!ok) fprintf(stderr, "%s: %.*s\n", err.message, STR_ARG(line));
        CHECK(ok);
    }
    buf_free(&text);
}

static size_t folder_reads_back(const char *folder) {
    struct file_names names = {0};
    struct err err;
    size_t count = 0;
    REQUIRE(dir_list(str_c(folder), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        struct buf path = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX);
        struct str name = str_c(names.p[i]);
        if (!str_ends(name, STR(".yaml"))) continue;
        buf_printf(&path, "%s/%.*s", folder, STR_ARG(name));
        REQUIRE(file_read_all(buf_str(&path), TEXT_MAX, &text, &err));
        struct conf *c = load_with(buf_str(&text), name, &plain_env);
        reads_back(c, SHOW_SET, false, name);
        reads_back(c, SHOW_SET, true, name);
        reads_back(c, SHOW_EFFECTIVE, true, name);
        reads_back(c, SHOW_CHANGED, true, name);
        json_is_valid(c, SHOW_EFFECTIVE);
        json_is_valid(c, SHOW_DEFAULTS);
        conf_unref(c);
        buf_free(&path);
        buf_free(&text);
        count++;
    }
    file_names_free(&names);
    return count;
}

static void everything_reads_back(void) {
    CHECK(folder_reads_back("tests/unit/conf/good") >= 5);
    CHECK(folder_reads_back("src/conf/templates") >= 5);
    struct conf *c = load("");
    reads_back(c, SHOW_SET, false, STR("nothing"));
    reads_back(c, SHOW_EFFECTIVE, true, STR("nothing"));
    conf_unref(c);
}

// Texts that YAML would take for something else without quotes.
static void odd_texts(void) {
    static const char *const texts[] = {"true", "null", "~",    "12",  "1.5",  "a: b", "a #b",      "#a",        "- a",
                                        "a:",   "[a]",  "{a}",  "'a'", "\\\"", "\\\\", "*a",        "&a",        "!a",
                                        "%a",   "@a",   "a, b", "yes", "0x10", "é ü",  "a\\u2028b", "a\\u0085b", " a",
                                        "a ",   "=",    "<<",   "?",   "-",    "a ? b"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf text = BUF_INIT(4096);
        buf_printf(&text, "log: {file: \"%s\"}\nproviders: [{name: a, kind: demo}]\n", texts[i]);
        struct conf *c = load_with(buf_str(&text), STR("f"), &plain_env);
        reads_back(c, SHOW_SET, false, str_c(texts[i]));
        reads_back(c, SHOW_EFFECTIVE, true, str_c(texts[i]));
        conf_unref(c);
        buf_free(&text);
    }
}

// --- sources ---

static const char layered[] = "log: {level: warn, file: a.log}\n"
                              "limits: {max_body: 16 MiB}\n"
                              "providers:\n"
                              "- {name: openai, api_key: hidden-literal, headers: {X-A: hidden-a}}\n"
                              "- {name: local, kind: openai, base_url: \"http://127.0.0.1:1/v1\"}\n"
                              "tenants:\n"
                              "- {name: acme, allow_models: [\"m*\"], limits: {max_body: 8 MiB}, branding: {name: A}}\n"
                              "- {name: team, parent: acme, allow_models: [m1], timeouts: {total: 300s},\n"
                              "   models: [{name: m1, targets: [{provider: local}]}]}\n"
                              "models:\n"
                              "- {name: m1, targets: [{provider: openai}]}\n"
                              "- {name: m2, targets: [{provider: openai}]}\n"
                              "profiles: {prod: {log: {level: error}, limits: {max_uri: 4 KiB}}}\n";

static bool live_one(void *ctx, const struct conf_stores *stores, struct arena *arena, struct conf_override **out_list,
                     size_t *out_n, struct err *err) {
    static struct conf_override list[] = {
        {.key = STR_INIT("limits.max_uri"), .value = STR_INIT("\"2 KiB\""), .origin = STR_INIT("live change by\nme")},
        {.key = STR_INIT("log.file"), .value = STR_INIT("null"), .origin = STR_INIT("live change by me")}};
    (void)ctx, (void)stores, (void)arena, (void)err;
    *out_list = list;
    *out_n = ARRAY_LEN(list);
    return true;
}

static struct conf *load_layered(void) {
    static const char *const variables[] = {"PENSTOCK_LOG__LEVEL=debug", "PENSTOCK_PROVIDERS__OPENAI__API_KEY=hidden-b",
                                            NULL};
    static const struct conf_override overrides[] = {
        {.key = STR_INIT("log.level"), .value = STR_INIT("trace"), .origin = STR_INIT("--log-level")},
        {.key = STR_INIT("webhooks"),
         .value = STR_INIT("[{name: w, url: \"http://127.0.0.1:5/\", secret: hidden-c}]"),
         .origin = STR_INIT("--config-override")}};
    struct conf_env env = plain_env;
    env.variables = variables;
    env.overrides = overrides;
    env.n_overrides = ARRAY_LEN(overrides);
    env.profile = STR("prod");
    env.read_live = live_one;
    return load_with(str_c(layered), STR("penstock.yaml"), &env);
}

static const char *shown(const struct conf *c, struct conf_show how, struct buf *out) {
    struct err err = {0};
    buf_clear(out);
    if (!conf_show_yaml(c, &how, out, &err)) {
        buf_clear(out);
        buf_put(out, str_c(err.message));
    }
    CHECK(!in_text(buf_str(out), "hidden-"));
    const char *text = buf_cstr(out);
    REQUIRE(text != NULL);
    return text;
}
#define SHOWN(c, ...) str_c(shown(c, (struct conf_show){__VA_ARGS__}, &out))

static void sources(void) {
    struct conf *c = load_layered();
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(SHOWN(c, .sources = true, .key = STR("log")),
              STR("log:\n  level: trace  # --log-level; over: profile prod (penstock.yaml:13:32) error, "
                  "$PENSTOCK_LOG__LEVEL debug, penstock.yaml:1:14 warn\n"));
    CHECK_STR(SHOWN(c, .sources = true, .key = STR("limits")),
              STR("limits:\n  max_body: 16 MiB  # penstock.yaml:2:20\n"
                  "  max_uri: 2 KiB    # live change by?me; over: profile prod (penstock.yaml:13:58) 4 KiB\n"));
    CHECK_STR(SHOWN(c, .sources = true, .key = STR("webhooks")),
              STR("webhooks:\n"
                  "- name: w                   # --config-override\n"
                  "  url: http://127.0.0.1:5/  # --config-override\n"
                  "  secret: \"***\"             # --config-override\n"));
    CHECK_STR(SHOWN(c, .sources = true, .key = STR("providers.openai.api_key")),
              STR("providers:\n- api_key: \"***\"  # $PENSTOCK_PROVIDERS__OPENAI__API_KEY; over: penstock.yaml:4:27 "
                  "\"***\"\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_EFFECTIVE, .sources = true, .key = STR("providers[1].timeouts")),
              STR("providers:\n- timeouts:\n    connect: 5s     # as timeouts.connect\n    first_byte: 2m  # as "
                  "timeouts.first_byte\n    idle: 2m        # as timeouts.idle\n    total: 10m      # as "
                  "timeouts.total\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_EFFECTIVE, .sources = true, .key = STR("listeners[0].address")),
              STR("listeners:\n- address: \"127.0.0.1:8080\"  # from server.host and server.port\n"));
    reads_back(c, SHOW_EFFECTIVE, true, STR("layered"));
    json_is_valid(c, SHOW_SET);
    conf_unref(c);
    buf_free(&out);
}

static void parts(void) {
    struct conf *c =
        load("log: {level: info, format: json}\nproviders: [{name: a.b, kind: demo}]\naliases: {x: a.b/y}\n");
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(SHOWN(c, .what = SHOW_SET),
              STR("version: 2\nproviders:\n- name: a.b\n  kind: demo\naliases:\n  x: a.b/y\nlog:\n  level: info\n  "
                  "format: json\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_CHANGED, .key = STR("log")), STR("log:\n  format: json\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_DEFAULTS, .key = STR("log")),
              STR("log:\n  level: info\n  format: auto\n  access: true\n  file: null\n  access_file: null\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_DEFAULTS, .key = STR("providers")), STR("providers: []\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_DEFAULTS, .key = STR("providers[0].tls_verify")),
              STR("providers:\n- tls_verify: true\n"));
    CHECK_STR(SHOWN(c, .key = STR("providers.\"a.b\".kind")), STR("providers:\n- kind: demo\n"));
    CHECK_STR(SHOWN(c, .key = STR("aliases.x")), STR("aliases:\n  x: a.b/y\n"));
    CHECK_STR(SHOWN(c, .key = STR("aliases.y")), STR(""));
    CHECK_STR(SHOWN(c, .key = STR("providers.nobody")), STR(""));
    CHECK_STR(SHOWN(c, .key = STR("log.lvl")), STR("there is no option \"lvl\" in log; did you mean \"level\"?"));
    CHECK(in_text(SHOWN(c, .key = STR("log..x")), "is no key"));
    CHECK(in_text(SHOWN(c, .key = STR("profiles.x")), "--env NAME"));
    CHECK_STR(SHOWN(c, .tenant = STR("nobody")), STR("there is no tenant \"nobody\""));
    conf_unref(c);
    buf_free(&out);
}

// The value that holds, and that it is the general one; what says nobody is not taken for what says nothing.
static void models_routing(void) {
    struct conf *c =
        load("routing: {fallbacks: {general: [a/x], timeout: [a/y]}, retry: {attempts: 3}}\n"
             "models:\n"
             "- {name: m, targets: [{provider: a}], routing: {fallbacks: {general: [], timeout: [none]}}}\n"
             "providers: [{name: a, kind: demo}]\n");
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(SHOWN(c, .what = SHOW_EFFECTIVE, .sources = true, .key = STR("models.m.routing.fallbacks")),
              STR("models:\n"
                  "- routing:\n"
                  "    fallbacks:\n"
                  "      general: [a/x]      # inherited\n"
                  "      context_window: []  # default\n"
                  "      content_policy: []  # default\n"
                  "      timeout: [none]     # penstock.yaml:3:83\n"
                  "      rate_limit: []      # default\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_EFFECTIVE, .sources = true, .key = STR("models.m.routing.retry.attempts")),
              STR("models:\n- routing:\n    retry:\n      attempts: 3  # inherited\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_SET, .key = STR("models.m.routing.fallbacks")),
              STR("models:\n- routing:\n    fallbacks:\n      general: []\n      timeout: [none]\n"));
    reads_back(c, SHOW_SET, false, STR("routing"));
    reads_back(c, SHOW_EFFECTIVE, false, STR("routing"));
    conf_unref(c);
}

static void json(void) {
    struct conf *c = load_layered();
    struct buf out = BUF_INIT(TEXT_MAX);
    struct err err;
    struct conf_show how = {.key = STR("limits.max_uri")};
    CHECK(conf_show_json(c, &how, &out, &err));
    CHECK_STR(
        buf_str(&out),
        STR("{\"key\":\"limits.max_uri\",\"value\":\"2 KiB\",\"source\":{\"layer\":\"live\",\"name\":\"live change "
            "by\\nme\"},\"overrides\":[{\"value\":\"4 KiB\",\"layer\":\"profile\",\"profile\":\"prod\",\"name\":"
            "\"penstock.yaml\",\"line\":13,\"column\":58}],\"default\":\"8 KiB\"}\n"));
    buf_clear(&out);
    how = (struct conf_show){.what = SHOW_EFFECTIVE, .key = STR("server.workers")};
    CHECK(conf_show_json(c, &how, &out, &err));
    CHECK_STR(buf_str(&out), STR("{\"key\":\"server.workers\",\"value\":0,\"source\":{\"layer\":\"default\"},"
                                 "\"overrides\":[],\"default\":0}\n"));
    conf_unref(c);
    buf_free(&out);
}

// --- tenants ---

static void tenants(void) {
    struct conf *c = load(layered);
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(
        SHOWN(c, .sources = true, .tenant = STR("team")),
        STR("name: team              # tenant team (penstock.yaml:8:10)\n"
            "parent: acme            # tenant team (penstock.yaml:8:24)\n"
            "allow_models: [m1]      # tenant team (penstock.yaml:8:44); within: tenant acme "
            "(penstock.yaml:7:30) [m*]\n"
            "models:\n"
            "- name: m1              # tenant team (penstock.yaml:9:20); over: general (penstock.yaml:11:10) m1\n"
            "  targets:\n"
            "  - provider: local     # tenant team (penstock.yaml:9:45); over: general (penstock.yaml:11:35) openai\n"
            "limits:\n"
            "  max_body: 8 MiB       # tenant acme (penstock.yaml:7:57); over: general (penstock.yaml:2:20) 16 "
            "MiB\n"
            "  max_response: 32 MiB  # general (default)\n"
            "timeouts:\n"
            "  total: 5m             # tenant team (penstock.yaml:8:68)\n"
            "branding:\n"
            "  name: A               # tenant acme (penstock.yaml:7:82)\n"));
    CHECK_STR(
        SHOWN(c, .tenant = STR("acme"), .key = STR("models")),
        STR("models:\n- name: m1\n  targets:\n  - provider: openai\n- name: m2\n  targets:\n  - provider: openai\n"));
    CHECK_STR(SHOWN(c, .tenant = STR("team"), .key = STR("limits.max_body")), STR("limits:\n  max_body: 8 MiB\n"));
    CHECK(in_text(SHOWN(c, .tenant = STR("team"), .key = STR("log")), "there is no option \"log\""));
    conf_unref(c);
    buf_free(&out);
}

// --- tracing ---

static struct str traced(const struct conf *c, const char *key, const char *tenant, struct buf *out) {
    struct err err = {0};
    buf_clear(out);
    if (!conf_trace(c, &(struct conf_show){.key = str_c(key), .tenant = str_c(tenant)}, out, &err)) {
        buf_clear(out);
        buf_put(out, str_c(err.message));
    }
    CHECK(!in_text(buf_str(out), "hidden-"));
    return buf_str(out);
}

static void traces(void) {
    struct conf *c = load_layered();
    struct buf out = BUF_INIT(TEXT_MAX);
    struct err err;
    CHECK_STR(traced(c, "log.level", NULL, &out), STR("log.level\n"
                                                      "    default                             info\n"
                                                      "    penstock.yaml:1:14                  warn\n"
                                                      "    $PENSTOCK_LOG__LEVEL                debug\n"
                                                      "    profile prod (penstock.yaml:13:32)  error\n"
                                                      "  * --log-level                         trace\n"));
    CHECK_STR(traced(c, "server.workers", NULL, &out), STR("server.workers\n  * default  0\n"));
    CHECK_STR(traced(c, "log.file", NULL, &out), STR("log.file\n  * default             null\n"
                                                     "    penstock.yaml:1:26  a.log\n"
                                                     "    live change         null (taken away)\n"));
    CHECK_STR(traced(c, "providers.local.timeouts.idle", NULL, &out),
              STR("providers.local.timeouts.idle\n    default           null\n  * as timeouts.idle  2m\n"));
    CHECK_STR(traced(c, "limits.max_body", "team", &out), STR("limits.max_body\n"
                                                              "    default                           32 MiB\n"
                                                              "    general (penstock.yaml:2:20)      16 MiB\n"
                                                              "  * tenant acme (penstock.yaml:7:57)  8 MiB\n"
                                                              "    tenant team                       inherits\n"));
    CHECK(in_text(traced(c, "providers.openai", NULL, &out), "providers.openai.headers.X-A\n"));
    CHECK_STR(traced(c, "aliases.nobody", NULL, &out), STR("there is nothing of the name \"aliases.nobody\""));
    CHECK_STR(traced(c, "nothing", NULL, &out), STR("there is no option \"nothing\""));
    buf_clear(&out);
    CHECK(conf_trace_json(c, &(struct conf_show){.key = STR("log.level")}, &out, &err));
    CHECK(json_validate(str_trim(buf_str(&out)), 0, &err));
    CHECK(in_text(buf_str(&out),
                  "{\"key\":\"log.level\",\"steps\":[{\"value\":\"info\",\"layer\":\"default\",\"wins\":false},"));
    CHECK(in_text(buf_str(&out),
                  "{\"value\":\"trace\",\"layer\":\"command line\",\"name\":\"--log-level\",\"wins\":true}]}"));
    conf_unref(c);
    buf_free(&out);
}

// --- teams, projects, keys ---

static const char *levels_env_get(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}

static bool levels_live(void *ctx, const struct conf_stores *stores, struct arena *arena,
                        struct conf_override **out_list, size_t *out_n, struct err *err) {
    static struct conf_override live[] = {{.key = STR_INIT("tenants.acme.projects.search.limits.max_body"),
                                           .value = STR_INIT("2 MiB"),
                                           .origin = STR_INIT("live change by ada")}};
    (void)ctx, (void)stores, (void)arena, (void)err;
    *out_list = live;
    *out_n = ARRAY_LEN(live);
    return true;
}

static struct conf *load_levels(void) {
    static const char text[] = "providers: [{name: a, kind: demo}]\n"
                               "limits: {max_body: 16 MiB}\n"
                               "tenants:\n"
                               "- name: acme\n"
                               "  allow_models: [a/*, best]\n"
                               "  limits: {max_body: 8 MiB}\n"
                               "  teams:\n"
                               "  - {name: ml, aliases: {best: a/demo}}\n"
                               "  - {name: web, allow_models: [a/echo], prices: {a/demo: {input: 4}}}\n"
                               "  projects:\n"
                               "  - {name: search, team: ml, limits: {max_body: 3 MiB}}\n"
                               "  keys:\n"
                               "  - {name: nightly run, project: search, aliases: {best: a/echo}}\n"
                               "  prices: {a/demo: {output: 3}}\n"
                               "- {name: lab, parent: acme, teams: [{name: ml}]}\n"
                               "prices: {a/demo: {input: 1, output: 2}, a/echo: {input: 9}}\n";
    static const char *const variables[] = {"PENSTOCK_TENANTS__ACME__TEAMS__WEB__LIMITS__MAX_BODY=4MiB",
                                            "PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_BODY=1MiB", NULL};
    static const struct conf_env env = {.get = levels_env_get, .variables = variables, .read_live = levels_live};
    struct conf_problems problems;
    struct conf *c = NULL;
    conf_problems_init(&problems);
    bool ok = conf_load_text(str_c(text), STR("penstock.yaml"), &env, &problems, &c);
    conf_problems_free(&problems);
    REQUIRE(ok);
    return c;
}

static struct str traced_of(const struct conf *c, struct conf_show of, bool json, struct buf *out) {
    struct err err;
    buf_clear(out);
    if (!(json ? conf_trace_json(c, &of, out, &err) : conf_trace(c, &of, out, &err))) {
        buf_clear(out);
        buf_put(out, str_c(err.message));
    }
    return buf_str(out);
}
#define TRACED(c, ...) traced_of(c, (struct conf_show){.tenant = STR("acme"), __VA_ARGS__}, false, &out)

static void level_traces(void) {
    struct conf *c = load_levels();
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(TRACED(c, .key = STR("limits.max_body")),
              STR("limits.max_body\n"
                  "    default                           32 MiB\n"
                  "    general (penstock.yaml:2:20)      16 MiB\n"
                  "  * tenant acme (penstock.yaml:6:22)  8 MiB\n"
                  "  below:\n"
                  "    team ml                inherits\n"
                  "    team web               4 MiB ($PENSTOCK_TENANTS__ACME__TEAMS__WEB__LIMITS__MAX_BODY)\n"
                  "    project search         2 MiB (live change by ada)\n"
                  "    key nightly run        1 MiB ($PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_BODY)\n"
                  "    tenant lab             inherits\n"
                  "    team ml of tenant lab  inherits\n"));
    CHECK_STR(TRACED(c, .key = STR("limits.max_body"), .team = STR("ml")),
              STR("limits.max_body\n"
                  "    default                           32 MiB\n"
                  "    general (penstock.yaml:2:20)      16 MiB\n"
                  "  * tenant acme (penstock.yaml:6:22)  8 MiB\n"
                  "    team ml                           inherits\n"
                  "  below:\n"
                  "    project search   2 MiB (live change by ada)\n"
                  "    key nightly run  1 MiB ($PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_BODY)\n"));
    CHECK_STR(TRACED(c, .key = STR("limits.max_body"), .project = STR("search")),
              STR("limits.max_body\n"
                  "    default                               32 MiB\n"
                  "    general (penstock.yaml:2:20)          16 MiB\n"
                  "    tenant acme (penstock.yaml:6:22)      8 MiB\n"
                  "    project search (penstock.yaml:11:49)  3 MiB\n"
                  "  * project search (live change by ada)   2 MiB\n"
                  "  below:\n"
                  "    key nightly run  1 MiB ($PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_BODY)\n"));
    CHECK_STR(TRACED(c, .key = STR("limits.max_body"), .api_key = STR("nightly run")),
              STR("limits.max_body\n"
                  "    default                                                                         32 MiB\n"
                  "    general (penstock.yaml:2:20)                                                    16 MiB\n"
                  "    tenant acme (penstock.yaml:6:22)                                                8 MiB\n"
                  "    project search (penstock.yaml:11:49)                                            3 MiB\n"
                  "    project search (live change by ada)                                             2 MiB\n"
                  "  * key nightly run ($PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_BODY)  1 MiB\n"));
    conf_unref(c);
    buf_free(&out);
}

static void level_names(void) {
    struct conf *c = load_levels();
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(TRACED(c, .key = STR("aliases.best"), .api_key = STR("nightly run")),
              STR("aliases.best\n"
                  "    default                                null\n"
                  "    team ml (penstock.yaml:8:32)           a/demo\n"
                  "  * key nightly run (penstock.yaml:13:58)  a/echo\n"));
    CHECK_STR(TRACED(c, .key = STR("aliases"), .team = STR("ml")),
              STR("aliases.best\n"
                  "    default                       null\n"
                  "  * team ml (penstock.yaml:8:32)  a/demo\n"
                  "  below:\n"
                  "    project search   inherits\n"
                  "    key nightly run  a/echo (penstock.yaml:13:58)\n"));
    CHECK_STR(TRACED(c, .key = STR("allow_models"), .team = STR("web")),
              STR("allow_models\n"
                  "    default                           []\n"
                  "  * tenant acme (penstock.yaml:5:17)  [a/*, best]\n"
                  "  * team web (penstock.yaml:9:31)     [a/echo]\n"));
    CHECK_STR(TRACED(c, .key = STR("team"), .project = STR("search")),
              STR("team\n"
                  "    default                               null\n"
                  "  * project search (penstock.yaml:11:26)  ml\n"));
    CHECK_STR(TRACED(c, .key = STR("teams"), .project = STR("search")),
              STR("there is no option \"teams\"; did you mean \"team\"?"));
    CHECK_STR(TRACED(c, .key = STR("name"), .project = STR("nothing")),
              STR("the configuration has no project \"nothing\" of tenant \"acme\""));
    CHECK_STR(TRACED(c, .key = STR("name"), .project = STR("search"), .team = STR("ml")),
              STR("one of team, project and key says whose level it is"));
    conf_unref(c);
    buf_free(&out);
}

static const char k_echo_price[] = "prices:\n"
                                   "  a/echo:\n"
                                   "    input: 9\n"
                                   "    output: null\n"
                                   "    cached_input: null\n"
                                   "    cache_write: null\n"
                                   "    cache_write_1h: null\n"
                                   "    reasoning: null\n"
                                   "    audio_input: null\n"
                                   "    audio_output: null\n"
                                   "    image: null\n"
                                   "    batch: null\n"
                                   "    long_prompt:\n"
                                   "      above: null\n"
                                   "      input: null\n"
                                   "      output: null\n"
                                   "      cached_input: null\n"
                                   "      cache_write: null\n"
                                   "      cache_write_1h: null\n"
                                   "      reasoning: null\n"
                                   "      audio_input: null\n"
                                   "      audio_output: null\n";

// A price is one of amounts that each come from where they are given.
static void level_prices(void) {
    struct conf *c = load_levels();
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(SHOWN(c, .sources = true, .tenant = STR("acme"), .team = STR("ml"), .key = STR("prices")),
              STR("prices:\n"
                  "  a/demo:\n"
                  "    input: 1   # general (penstock.yaml:16:26)\n"
                  "    output: 3  # tenant acme (penstock.yaml:14:29); over: general (penstock.yaml:16:37) 2\n"
                  "  a/echo:\n"
                  "    input: 9   # general (penstock.yaml:16:57)\n"));
    CHECK_STR(TRACED(c, .key = STR("prices.a/demo.output"), .team = STR("web")),
              STR("prices.a/demo.output\n"
                  "    default                            null\n"
                  "    general (penstock.yaml:16:37)      2\n"
                  "  * tenant acme (penstock.yaml:14:29)  3\n"
                  "    team web                           inherits\n"));
    CHECK_STR(TRACED(c, .key = STR("prices.a/demo")), STR("prices.a/demo.input\n"
                                                          "    default                        null\n"
                                                          "  * general (penstock.yaml:16:26)  1\n"
                                                          "    tenant acme                    inherits\n"
                                                          "  below:\n"
                                                          "    team ml                inherits\n"
                                                          "    team web               4 (penstock.yaml:9:66)\n"
                                                          "    project search         inherits\n"
                                                          "    key nightly run        inherits\n"
                                                          "    tenant lab             inherits\n"
                                                          "    team ml of tenant lab  inherits\n"
                                                          "prices.a/demo.output\n"
                                                          "    default                            null\n"
                                                          "    general (penstock.yaml:16:37)      2\n"
                                                          "  * tenant acme (penstock.yaml:14:29)  3\n"
                                                          "  below:\n"
                                                          "    team ml                inherits\n"
                                                          "    team web               inherits\n"
                                                          "    project search         inherits\n"
                                                          "    key nightly run        inherits\n"
                                                          "    tenant lab             inherits\n"
                                                          "    team ml of tenant lab  inherits\n"));
    CHECK_STR(SHOWN(c, .tenant = STR("acme"), .key = STR("prices.a/demo.input")), STR("prices:\n"
                                                                                      "  a/demo:\n"
                                                                                      "    input: 1\n"));
    CHECK_STR(SHOWN(c, .what = SHOW_EFFECTIVE, .tenant = STR("acme"), .key = STR("prices.a/echo")),
              str_c(k_echo_price));
    CHECK_STR(TRACED(c, .key = STR("prices.a/nothing")), STR("there is nothing of the name \"prices.a/nothing\""));
    conf_unref(c);
    buf_free(&out);
}

static void levels_as_json(void) {
    struct conf *c = load_levels();
    struct buf out = BUF_INIT(TEXT_MAX);
    struct err err;
    struct conf_show of = {.key = STR("name"), .team = STR("ml")};
    CHECK_STR(traced_of(c, of, false, &out), STR("a team is one of a tenant: name that too"));
    of = (struct conf_show){.key = STR("limits.max_body"), .tenant = STR("acme"), .project = STR("search")};
    CHECK_STR(traced_of(c, of, true, &out),
              STR("{\"key\":\"limits.max_body\",\"steps\":[{\"value\":\"32 "
                  "MiB\",\"layer\":\"default\",\"wins\":false},{\"value\":\"16 "
                  "MiB\",\"layer\":\"file\",\"name\":\"penstock.yaml\",\"line\":2,\"column\":20,\"level\":\"general\","
                  "\"wins\":false},{\"value\":\"8 "
                  "MiB\",\"layer\":\"file\",\"name\":\"penstock.yaml\",\"line\":6,\"column\":22,\"level\":\"tenant "
                  "acme\",\"wins\":false},{\"value\":\"3 "
                  "MiB\",\"layer\":\"file\",\"name\":\"penstock.yaml\",\"line\":11,\"column\":49,\"level\":\"project "
                  "search\",\"wins\":false},{\"value\":\"2 MiB\",\"layer\":\"live\",\"name\":\"live change by "
                  "ada\",\"level\":\"project search\",\"wins\":true}],\"below\":[{\"level\":\"key nightly "
                  "run\",\"value\":\"1 MiB\",\"inherits\":false,\"from\":\"key nightly "
                  "run\",\"layer\":\"environment\",\"name\":\"$PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_"
                  "BODY\"}]}\n"));
    CHECK(json_validate(str_trim(buf_str(&out)), 0, &err));
    CHECK_STR(
        SHOWN(c, .sources = true, .tenant = STR("acme"), .api_key = STR("nightly run")),
        STR("name: nightly run          # key nightly run (penstock.yaml:13:12)\n"
            "project: search            # key nightly run (penstock.yaml:13:34)\n"
            "allow_models: [a/*, best]  # tenant acme (penstock.yaml:5:17)\n"
            "aliases:\n"
            "  best: a/echo             # key nightly run (penstock.yaml:13:58); over: team ml (penstock.yaml:8:32) "
            "a/demo\n"
            "prices:\n"
            "  a/demo:\n"
            "    input: 1               # general (penstock.yaml:16:26)\n"
            "    output: 3              # tenant acme (penstock.yaml:14:29); over: general (penstock.yaml:16:37) 2\n"
            "  a/echo:\n"
            "    input: 9               # general (penstock.yaml:16:57)\n"
            "limits:\n"
            "  max_body: 1 MiB          # key nightly run "
            "($PENSTOCK_TENANTS__ACME__KEYS__NIGHTLY_RUN__LIMITS__MAX_BODY); over: project search (live change by ada) "
            "2 MiB, tenant acme (penstock.yaml:6:22) 8 MiB, general (penstock.yaml:2:20) 16 MiB\n"
            "  max_response: 32 MiB     # general (default)\n"));
    conf_unref(c);
    buf_free(&out);
}

// --- secrets ---

// Each way that a secret may come and be shown: none of them shows it.
static void secrets(void) {
    struct conf *c =
        load("providers:\n"
             "- {name: openai}\n"
             "- {name: a, kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: \"x${env:TEAM}\",\n"
             "   headers: {A: \"Bearer ${env:TEAM}\", B: \"Bearer hidden-b\", C: \"${env:TEAM} hidden-c\"}}\n"
             "- {name: b, kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: \"${file:/k}\"}\n"
             "models: [{name: \"${env:TARGET}\", targets: [{provider: a}]}]\n"
             "vault: {address: \"http://127.0.0.1:4\", token: hidden-token, role_id: \"${env:TEAM}\"}\n"
             "tenants:\n"
             "- {name: t, branding: {name: \"${env:BRAND}\"}}\n"
             "- {name: u, parent: t}\n");
    struct buf out = BUF_INIT(TEXT_MAX);
    CHECK_STR(SHOWN(c, .what = SHOW_EFFECTIVE, .key = STR("providers.openai.api_key")),
              STR("providers:\n- api_key: \"${env:OPENAI_API_KEY}\"\n"));
    CHECK_STR(SHOWN(c, .key = STR("providers.a.headers")),
              STR("providers:\n- headers:\n    A: \"Bearer ${env:TEAM}\"\n    B: \"***\"\n    C: \"***\"\n"));
    CHECK_STR(SHOWN(c, .key = STR("providers.a.api_key")), STR("providers:\n- api_key: \"***\"\n"));
    CHECK_STR(SHOWN(c, .key = STR("providers.b.api_key")), STR("providers:\n- api_key: \"${file:/k}\"\n"));
    for (int what = SHOW_SET; what <= SHOW_CHANGED; what++) {
        struct conf_show how = {.what = (enum conf_show_what)what, .sources = true};
        struct err err;
        shown(c, how, &out);
        buf_clear(&out);
        CHECK(conf_show_json(c, &how, &out, &err));
        CHECK(!in_text(buf_str(&out), "hidden-"));
    }
    shown(c, (struct conf_show){.what = SHOW_EFFECTIVE, .tenant = STR("u"), .sources = true}, &out);
    for (size_t i = 0; i < conf_table.n; i++) traced(c, conf_table.opts[i].name, NULL, &out);
    struct conf *other = load("providers: [{name: x, kind: demo}]\n");
    struct conf_changes changes;
    conf_changes_init(&changes);
    conf_compare(c, other, &changes);
    conf_compare(other, c, &changes);
    buf_clear(&out);
    for (size_t i = 0; i < changes.list.n; i++) {
        CHECK(!in_text(changes.list.p[i].before, "hidden-"));
        CHECK(!in_text(changes.list.p[i].after, "hidden-"));
        CHECK(!in_text(changes.list.p[i].path, "hidden-"));
    }
    conf_changes_free(&changes);
    conf_unref(other);
    conf_unref(c);
    buf_free(&out);
}

TEST_MAIN(everything_reads_back, odd_texts, sources, parts, models_routing, json, tenants, traces, level_traces,
          level_names, level_prices, levels_as_json, secrets)
