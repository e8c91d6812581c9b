// Layers: values from variables, overrides and live changes; files and their includes; profiles, references, origins.
#include "world.h"

// --- values from elsewhere than files ---

static const char base_text[] = "providers:\n"
                                "  - name: a\n"
                                "    kind: demo\n"
                                "  - {name: b, kind: vllm}\n"
                                "models:\n"
                                "  - {name: gpt-4.1, targets: [{provider: a, weight: 2}, {provider: b}]}\n"
                                "aliases: {fast: gpt-4.1, Slow/One: gpt-4.1}\n"
                                "tenants: [{name: acme, allow_models: [gpt-4.1, fast]}]\n"
                                "log: {level: warn}\n"
                                "version: 2\n";

static void expect_tree(const struct conf *c, const char *key, const char *want) {
    struct arena a;
    struct buf out = BUF_INIT(65536);
    arena_init(&a, NULL, 0, (size_t)1 << 20);
    conf_tree_json(node_at(c, key, &a), &out);
    if (!str_eq(buf_str(&out), str_c(want))) fprintf(stderr, "%s:\n", key);
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
    arena_free(&a);
}

static void variables(void) {
    struct world w = {.files = {{"main.yaml", base_text}},
                      .vars = {"PENSTOCK_MODELS__GPT_4_1__TARGETS__0__WEIGHT=7",
                               "PENSTOCK_PROVIDERS__A__TLS_VERIFY=false",
                               "PENSTOCK_PROVIDERS__1__MAX_IDLE_CONNECTIONS=3", "PENSTOCK_ALIASES__SLOW_ONE=fast",
                               "PENSTOCK_ALIASES__NEW=fast", "PENSTOCK_TENANTS__ACME__ALLOW_MODELS__1=new",
                               "PENSTOCK_TENANTS__OTHER__ALLOW_MODELS=[\"fast\", \"fast*\"]",
                               "PENSTOCK_PRICES={gpt-4.1: {input: 2.5}}", "PENSTOCK_PASSTHROUGH_MODELS=false",
                               "PENSTOCK_LOG__LEVEL=null", "PENSTOCK_STORAGE__DATA=/srv: {x}",
                               "PENSTOCK_SERVER__DRAIN_TIMEOUT=${env:DRAIN}", "DRAIN=7s",
                               // Somebody else's.
                               "PENSTOCK_PORT=tcp://10.0.0.1:8080", "PENSTOCK_PORT_8080_TCP_ADDR=10.0.0.1",
                               "PENSTOCK_SERVICE_HOST=10.0.0.1", "PENSTOCK_SERVICE_PORT=8080", "PENSTOCK_LOG=x",
                               "PENSTOCK_VERSION=9", "PENSTOCKX__Y=1", "LOG__LEVEL=x"}};
    struct conf *c = load_good(&w);
    CHECK_INT(c->models.p[0].targets.p[0].weight, 7);
    CHECK_INT(c->models.p[0].targets.n, 2);
    CHECK(!c->providers.p[0].tls_verify);
    CHECK_INT(c->providers.p[1].max_idle_connections, 3);
    expect_tree(c, "aliases", "{\"fast\":\"gpt-4.1\",\"Slow/One\":\"fast\",\"new\":\"fast\"}");
    expect_tree(c, "tenants.acme.allow_models", "[\"gpt-4.1\",\"new\"]");
    expect_tree(c, "tenants.other.allow_models", "[\"fast\",\"fast*\"]");
    CHECK_INT(conf_price_find(c, NULL, STR("a"), STR("gpt-4.1"))->rates.input, 2500000);
    CHECK(!c->passthrough_models);
    CHECK_INT(c->log.level, CONF_LOG_INFO);
    CHECK_STR(c->storage.data, STR("/srv: {x}"));
    CHECK_INT(c->server.drain_timeout, 7000);
    CHECK_INT(c->server.port, 8080);
    CHECK_INT(c->version, 2);
    done(&w, c);
}

static void json_variable(void) {
    struct world w = {.files = {{"main.yaml", base_text}},
                      .vars = {"PENSTOCK_CONFIG_JSON={\"log\":{\"level\":\"error\"},\"aliases\":{\"fast\":null},"
                               "\"providers\":[{\"name\":\"c\",\"kind\":\"demo\"}],\"tenants\":[{\"name\":\"t\","
                               "\"branding\":{\"name\":\"\\ud83d\\ude00 AI\"}}]}"}};
    struct conf *c = load_good(&w);
    CHECK_INT(c->log.level, CONF_LOG_ERROR);
    expect_tree(c, "aliases", "{\"Slow/One\":\"gpt-4.1\"}");
    CHECK_INT(c->providers.n, 3);
    CHECK_STR(conf_tenant_find(c, STR("t"))->branding.name, STR("\xf0\x9f\x98\x80 AI"));
    done(&w, c);
}

static void overrides(void) {
    struct world w = {.files = {{"main.yaml", base_text}}, .n_given = 8};
    const struct conf_override given[8] = {
        {STR("models.\"gpt-4.1\".targets[1].weight"), STR("9"), STR("--config-override"), false},
        {STR("providers.b"), STR("null"), STR("--config-override"), false},
        {STR("models[gpt-4.1].targets[1]"), STR("null"), STR("--config-override"), false},
        {STR("aliases"), STR("{only: gpt-4.1}"), STR("--config-override"), false},
        {STR("tenants"), STR("null"), STR("--config-override"), false},
        {STR("storage.data"), STR("~"), STR("--data"), true},
        {STR("limits.max_body"), STR("null"), STR("--config-override"), false},
        {STR("vault.timeout"), STR("null"), STR("--config-override"), false}};
    memcpy(w.given, given, sizeof given);
    struct conf *c = load_good(&w);
    CHECK_INT(c->models.p[0].targets.n, 1);
    CHECK_INT(c->providers.n, 1);
    expect_tree(c, "aliases", "{\"only\":\"gpt-4.1\"}");
    CHECK_INT(c->tenants.n, 0);
    CHECK_STR(c->storage.data, STR("~"));
    CHECK_INT(c->limits.max_body, 32 << 20);
    struct buf yaml = BUF_INIT(65536); // what a version in the history is made of
    conf_tree_yaml(c->stated, &yaml);
    CHECK(yaml.n > 0 && str_find(buf_str(&yaml), STR("vault")) == yaml.n);
    buf_free(&yaml);
    done(&w, c);
}

static void live_changes(void) {
    struct world w = {.files = {{"main.yaml", base_text}}, .n_live = 4, .n_given = 1};
    const struct conf_override live[4] = {
        {STR("log.level"), STR("\"error\""), STR("live change, version 3, ops"), false},
        {STR("server.drain_timeout"), STR("\"9s\""), STR("live"), false},
        {STR("aliases.fast"), STR("null"), STR("live"), false},
        {STR("limits.max_headers"), STR("\"50\""), STR("live"), false}};
    memcpy(w.live, live, sizeof live);
    w.given[0] = (struct conf_override){STR("log.level"), STR("debug"), STR("--log-level"), false};
    struct conf *c = load_good(&w);
    CHECK_STR(buf_str(&w.asked), STR("live in ./data\n"));
    CHECK_INT(c->log.level, CONF_LOG_ERROR);
    CHECK_INT(c->server.drain_timeout, 9000);
    CHECK_INT(c->limits.max_headers, 50);
    expect_tree(c, "aliases", "{\"Slow/One\":\"gpt-4.1\"}");
    // base is without them.
    struct conf_path path = {.steps = {STR("log"), STR("level")}, .n = 2};
    CHECK_STR(conf_tree_get(&conf_table, c->base, &path)->text, STR("debug"));
    CHECK_STR(conf_tree_get(&conf_table, c->stated, &path)->text, STR("error"));
    CHECK_STR(conf_tree_get(&conf_table, c->root, &path)->source->name, STR("live change, version 3, ops"));
    done(&w, c);
    w.live_fails = true;
    expect_wrong(&w, "live changes: the database is locked\n");
}

static void what_cannot_be_set(void) {
    static const struct {
        const char *key, *value, *want;
    } rows[] = {
        {"log.levle", "x", "given: there is no option \"levle\" in log; did you mean \"level\"?\n"},
        {"log.level", "verbose", "given: log.level: expected trace, debug, info, warn or error, found \"verbose\"\n"},
        {"log", "[1",
         "given:2:1: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence that "
         "starts at line 1\n"},
        {"log", "{levle: x}",
         "given:1:2: unknown key \"levle\" in log; did you mean \"level\"?\n      1 | {levle: x}\n"
         "        |  ^\n"},
        {"models.gpt-4.1.targets", "[]", "given: there is no option \"1\" in models.gpt-4\n"},
        {"models.\"gpt-4.1\".targets.a.weight", "1",
         "given: \"targets\" is a list: its items are known by their position, as in targets[0]\n"},
        {"include", "[x.yaml]", "given: include: is taken up in files only; put it into the main file\n"},
        {"include[0]", "x.yaml", "given: include: is taken up in files only; put it into the main file\n"},
        {"profiles.dev.log.level", "debug", "given: profiles: is taken up before this; choose one with --env\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w = {.files = {{"main.yaml", base_text}}, .n_given = 1};
        w.given[0] = (struct conf_override){str_c(rows[i].key), str_c(rows[i].value), STR("given"), false};
        expect_wrong(&w, rows[i].want);
    }
    struct world w = {.files = {{"main.yaml", base_text}},
                      .vars = {"PENSTOCK_LOG__LEVLE=x", "PENSTOCK_LIMITS__MAX_BODY=1 KB", "PENSTOCK_LOG__=x",
                               "PENSTOCK_INCLUDE=[x.yaml]", "PENSTOCK_PROVIDERS__A__API_KEY=canary\n2",
                               "PENSTOCK_CONFIG_JSON={\"log\": {\"levle\": 1}}"}};
    expect_wrong(&w, "$PENSTOCK_CONFIG_JSON:1:10: unknown key \"levle\" in log; did you mean \"level\"?\n"
                     "      1 | {\"log\": {\"levle\": 1}}\n"
                     "        |          ^\n"
                     "$PENSTOCK_INCLUDE: include: is taken up in files only; put it into the main file\n"
                     "$PENSTOCK_LIMITS__MAX_BODY: limits.max_body: out of range: expected 1 KiB to 1 GiB, found 1 KB\n"
                     "$PENSTOCK_LOG__: \"PENSTOCK_LOG__\" is no key: a name is missing, or there are too many\n"
                     "$PENSTOCK_LOG__LEVLE: there is no option \"levle\" in log; did you mean \"level\"?\n"
                     "$PENSTOCK_PROVIDERS__A__API_KEY: providers[0].api_key: expected one line of text, found a line "
                     "end or control character\n");
}

// --- where values came from ---

static void origins(void) {
    struct world w = {.files = {{"etc/main.yaml", "include: [inc.yaml]\nlog:\n  level: warn\n  access: true\n"
                                                  "profiles:\n  p:\n    log: {level: debug}\n"},
                                {"etc/inc.yaml", "# first\nlog:\n  level: error\n  format: json\n"}},
                      .vars = {"PENSTOCK_LOG__ACCESS=false"},
                      .profile = "p"};
    struct conf *c = load_good(&w);
    struct arena a;
    arena_init(&a, NULL, 0, (size_t)1 << 20);
    const struct conf_node *n = node_at(c, "log.level", &a);
    static const struct {
        const char *file;
        uint32_t line, col;
        enum conf_layer layer;
    } chain[] = {{"etc/main.yaml", 7, 18, LAYER_PROFILE},
                 {"etc/main.yaml", 3, 10, LAYER_FILE},
                 {"etc/inc.yaml", 3, 10, LAYER_INCLUDE}};
    for (size_t i = 0; i < ARRAY_LEN(chain); i++, n = n->under) {
        REQUIRE(n != NULL);
        CHECK_STR(n->source->name, str_c(chain[i].file));
        CHECK_INT(n->pos.line, chain[i].line);
        CHECK_INT(n->pos.col, chain[i].col);
        CHECK_INT(n->source->layer, chain[i].layer);
    }
    CHECK(!n);
    n = node_at(c, "log.access", &a);
    CHECK_STR(n->source->name, STR("$PENSTOCK_LOG__ACCESS"));
    CHECK(n->under && n->under->pos.line == 4);
    CHECK_INT(node_at(c, "log.format", &a)->pos.line, 4);
    CHECK_INT(node_at(c, "providers", &a)->source->layer, LAYER_FOUND);
    CHECK(c->discovered);
    CHECK_STR(c->profile, STR("p"));
    CHECK_STR(c->file, STR("etc/main.yaml"));
    // Nothing of the files' text is kept but what was parsed.
    CHECK(!node_at(c, "log.format", &a)->source->text.p);
    arena_free(&a);
    done(&w, c);
}

// --- files ---

static void expect_watched(const struct conf *c, const char *want) {
    struct buf got = BUF_INIT(65536);
    for (size_t i = 0; i < c->watch.n; i++) buf_printf(&got, "%s%.*s", i ? " " : "", STR_ARG(c->watch.p[i]));
    CHECK_STR(buf_str(&got), str_c(want));
    buf_free(&got);
}

static void include_files(void) {
    struct world w = {
        .files = {{"/etc/p/main.yaml", "include: [a.yaml, models/*.yaml, /opt/x.yaml]\nserver: {workers: 3}\n"
                                       "providers: [{name: k, kind: demo, headers: {X: \"${file:/run/s}\"}}]\n"},
                  {"/etc/p/a.yaml", "include: [deep/b.yaml]\nserver: {workers: 1}\nlimits: {max_headers: 11}\n"},
                  {"/etc/p/deep/b.yaml", "include: [c.yaml]\nlimits: {max_headers: 10, json_depth: 10}\n"},
                  {"/etc/p/deep/c.yaml", "limits: {json_depth: 9, max_uri: 999}\n"},
                  {"/etc/p/models/2.yaml", "limits: {max_headers: 13}\naliases: {b: k/two}\n"},
                  {"/etc/p/models/1.yaml", "limits: {max_headers: 12}\naliases: {a: k/one, b: k/one}\n"},
                  {"/etc/p/models/.hidden.yaml", "zebra: 1\n"},
                  {"/etc/p/models/3.yaml~", "zebra: 1\n"},
                  {"/etc/p/conf.d/20.yaml", "aliases: {c: k/20}\n"},
                  {"/etc/p/conf.d/10.yaml", "aliases: {a: k/10, c: k/10}\nlimits: {max_headers: 14}\n"},
                  {"/etc/p/conf.d/readme.txt", "not: [yaml"},
                  {"/opt/x.yaml", "log: {level: error}\n"},
                  {"/run/s", "secret\n"}}};
    struct conf *c = load_good(&w);
    CHECK_INT(c->server.workers, 3);
    CHECK_INT(c->limits.max_headers, 14);
    CHECK_INT(c->limits.json_depth, 10);
    CHECK_INT(c->limits.max_uri, 999);
    CHECK_INT(c->log.level, CONF_LOG_ERROR);
    expect_tree(c, "aliases", "{\"a\":\"k/10\",\"b\":\"k/two\",\"c\":\"k/20\"}");
    expect_watched(c, "/etc/p/main.yaml /etc/p /etc/p/a.yaml /etc/p/deep /etc/p/deep/b.yaml /etc/p/deep/c.yaml "
                      "/etc/p/models /etc/p/models/1.yaml /etc/p/models/2.yaml /opt /opt/x.yaml /etc/p/conf.d "
                      "/etc/p/conf.d/10.yaml /etc/p/conf.d/20.yaml /run/s");
    done(&w, c);
}

static void include_patterns(void) {
    struct world w = {.files = {{"main.yaml", "include: [\"*/m[12].yaml\", \"none-?.yaml\"]\n"},
                                {"x/m1.yaml", "aliases: {a: demo/y}\n"},
                                {"y/m2.yaml", "aliases: {b: demo/y}\n"}}};
    struct conf *c = load_good(&w);
    CHECK_INT(c->aliases.n, 2);
    expect_watched(c, "main.yaml . x/m1.yaml y/m2.yaml conf.d");
    done(&w, c);
    // The format of an included file is its own.
    w = (struct world){.files = {{"main.yaml", "version: 2\ninclude: [old.yaml]\n"},
                                 {"old.yaml", "server: {public_metrics: false}\n"}}};
    c = load_good(&w);
    CHECK(!c->metrics.is_public);
    done(&w, c);
}

static void wrong_includes(void) {
    struct world w = {.files = {{"main.yaml", "include: [nowhere.yaml]\nlog: {level: warn}\n"}}};
    expect_wrong(&w, "main.yaml:1:11: include: nowhere.yaml: there is no such file\n"
                     "      1 | include: [nowhere.yaml]\n"
                     "        |           ^\n");
    w = (struct world){.files = {{"main.yaml", "include:\n  - a.yaml\n"}, {"a.yaml", "include: [main.yaml]\n"}}};
    expect_wrong(&w, "a.yaml:1:11: include: main.yaml: includes itself, over others or directly\n"
                     "      1 | include: [main.yaml]\n"
                     "        |           ^\n");
    w = (struct world){.files = {{"d/main.yaml", "include: [a.yaml, b.yaml]\nzebra: 1\n"},
                                 {"d/a.yaml", "log: {levle: x}\nlimits: {max_body: 1 KB}\n"},
                                 {"d/b.yaml", "- a\n- list\n"},
                                 {"d/conf.d/z.yaml", "log: [\n"}}};
    expect_wrong(
        &w, "d/a.yaml:1:7: unknown key \"levle\" in log; did you mean \"level\"?\n"
            "      1 | log: {levle: x}\n"
            "        |       ^\n"
            "d/a.yaml:2:20: limits.max_body: out of range: expected 1 KiB to 1 GiB, found 1 KB\n"
            "      2 | limits: {max_body: 1 KB}\n"
            "        |                    ^\n"
            "d/b.yaml:1:1: expected a map of options (\"name: value\" lines)\n"
            "      1 | - a\n"
            "        | ^\n"
            "d/conf.d/z.yaml:2:1: not valid YAML: did not find expected node content, while parsing a flow "
            "node that starts at line 2\n"
            "d/main.yaml:2:1: unknown key \"zebra\"; there are version, include, profiles, listeners, server, "
            "limits, timeouts, providers, models, aliases, passthrough_models, prices, catalog, routing, auth, log, "
            "storage, metrics, vault, redis, translation, responses, files, batches, quota, webhooks, "
            "content_log, audit, usage and "
            "tenants\n"
            "      2 | zebra: 1\n"
            "        | ^\n");
    // Nine files, each including the next.
    w = (struct world){.files = {{"0.yaml", "include: [1.yaml]\n"},
                                 {"1.yaml", "include: [2.yaml]\n"},
                                 {"2.yaml", "include: [3.yaml]\n"},
                                 {"3.yaml", "include: [4.yaml]\n"},
                                 {"4.yaml", "include: [5.yaml]\n"},
                                 {"5.yaml", "include: [6.yaml]\n"},
                                 {"6.yaml", "include: [7.yaml]\n"},
                                 {"7.yaml", "include: [8.yaml]\n"},
                                 {"8.yaml", "include: [9.yaml]\n"},
                                 {"9.yaml", "log: {}\n"}}};
    expect_wrong(&w, "8.yaml:1:11: include: 9.yaml: more than 8 files deep\n"
                     "      1 | include: [9.yaml]\n"
                     "        |           ^\n");
}

// Files that include one another in all ways without a circle are bounded in number.
static void too_many_files(void) {
    struct world w = {.files = {{"0.yaml", "include: [\"[1-9].yaml\"]\n"}}};
    static char names[8][24], texts[8][96];
    for (int i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "%d.yaml", i + 1);
        snprintf(texts[i], sizeof texts[i], i == 7 ? "log: {}\n" : "include: [\"[%d-9].yaml\", \"[%d-9].yaml\"]\n",
                 i + 2, i + 2);
        w.files[i + 1].path = names[i], w.files[i + 1].text = texts[i];
    }
    struct buf text = BUF_INIT(1 << 20);
    struct conf *c = load(&w, &text);
    CHECK(!c);
    CHECK(str_find(buf_str(&text), STR("this would be more than 1000 files")) < text.n);
    buf_free(&text);
    done(&w, c);
}

// --- profiles ---

static const char profiles_text[] = "log: {level: warn}\n"
                                    "profiles:\n"
                                    "  dev: {log: {level: debug}, aliases: {a: demo/y}}\n"
                                    "  empty:\n"
                                    "  prod:\n"
                                    "    log: {level: error}\n";

static void profiles(void) {
    struct world w = {.files = {{"main.yaml", profiles_text}}};
    struct conf *c = load_good(&w);
    CHECK_INT(c->log.level, CONF_LOG_WARN);
    CHECK_INT(c->profile.n, 0);
    done(&w, c);
    w.vars[0] = "PENSTOCK_ENV=dev";
    c = load_good(&w);
    CHECK_INT(c->log.level, CONF_LOG_DEBUG);
    CHECK_INT(c->aliases.n, 1);
    done(&w, c);
    w.profile = "prod"; // goes before the variable
    c = load_good(&w);
    CHECK_INT(c->log.level, CONF_LOG_ERROR);
    done(&w, c);
    w.profile = "empty";
    c = load_good(&w);
    CHECK_INT(c->log.level, CONF_LOG_WARN);
    done(&w, c);
    w.profile = "prdo";
    expect_wrong(&w, "main.yaml:3:3: there is no profile \"prdo\"; did you mean \"prod\"?\n"
                     "      3 |   dev: {log: {level: debug}, aliases: {a: demo/y}}\n"
                     "        |   ^\n");
    w.files[0].text = "log: {}\n";
    expect_wrong(&w, "there is no profile \"prdo\": `profiles` is not set\n");
}

static void wrong_profiles(void) {
    struct world w = {.files = {{"main.yaml", "profiles:\n  dev: {log: {level: loud}, lgo: 1}\n  other: 3\n"
                                              "  third: {include: [x.yaml], server: {workers: \"${env:NONE}\"}}\n"}}};
    // Not chosen, but checked; their references are not looked up.
    expect_wrong(&w, "main.yaml:2:22: log.level: expected trace, debug, info, warn or error, found \"loud\"\n"
                     "      2 |   dev: {log: {level: loud}, lgo: 1}\n"
                     "        |                      ^\n"
                     "main.yaml:2:29: unknown key \"lgo\"; did you mean \"log\"?\n"
                     "      2 |   dev: {log: {level: loud}, lgo: 1}\n"
                     "        |                             ^\n"
                     "main.yaml:3:10: expected a map of options (\"name: value\" lines), found \"3\"\n"
                     "      3 |   other: 3\n"
                     "        |          ^\n"
                     "main.yaml:4:11: profiles.third: \"include\" cannot be in a profile\n"
                     "      4 |   third: {include: [x.yaml], server: {workers: \"${env:NONE}\"}}\n"
                     "        |           ^\n");
    w = (struct world){.files = {{"main.yaml", "profiles: [a]\n"}}};
    expect_wrong(&w, "main.yaml:1:11: profiles: expected a map from names to parts of a configuration\n"
                     "      1 | profiles: [a]\n"
                     "        |           ^\n");
}

// --- references ---

static void references(void) {
    struct world w = {
        .files = {{"main.yaml", "storage: {data: \"/d/${env:WHERE}\"}\n"
                                "vault: {address: \"http://v:8200\", token: \"${secret:vt}\"}\n"
                                "providers:\n"
                                "  - {name: a, api_key: \"${secret:openai}\"}\n"
                                "  - {name: b, api_key: \"${vault:kv/x#key}\", headers: {A: \"Bearer ${file:/t}\"}}\n"
                                "  - {name: c, api_key: \"pre-${vault:kv/x#key}-${secret:openai}\"}\n"},
                  {"/t", "token\r\n\n"}},
        .vars = {"WHERE=here"},
        .secrets = {"secret:openai=s1", "secret:vt=tok", "vault:kv/x#key=v1"}};
    struct conf *c = load_good(&w);
    CHECK_STR(c->storage.data, STR("/d/here"));
    CHECK_STR(secret_str(&c->providers.p[0].api_key), STR("s1"));
    CHECK_STR(secret_str(&c->providers.p[1].api_key), STR("v1"));
    CHECK_STR(c->providers.p[1].headers.p[0].value, STR("Bearer token"));
    CHECK_STR(secret_str(&c->providers.p[2].api_key), STR("pre-v1-s1"));
    CHECK_INT(c->vault_refs.n, 1);
    CHECK_STR(c->vault_refs.p[0], STR("kv/x#key"));
    // Vault is asked with the token that the sealed store has.
    CHECK(str_find(buf_str(&w.asked), STR("vault:kv/x#key in /d/here at http://v:8200 by tok\n")) < w.asked.n);
    expect_watched(c, "main.yaml conf.d /t");
    done(&w, c);
    // What stands in the tree are references, not what they named.
    c = load_good(&w);
    struct buf yaml = BUF_INIT(65536);
    conf_tree_yaml(c->root, &yaml);
    CHECK(str_find(buf_str(&yaml), STR("s1")) == yaml.n && str_find(buf_str(&yaml), STR("${secret:openai}")) < yaml.n);
    buf_free(&yaml);
    done(&w, c);
    // Offline nothing is asked.
    w.offline = true, w.secrets[0] = NULL, w.vars[0] = NULL, w.files[1].path = NULL;
    c = load_good(&w);
    CHECK_STR(buf_str(&w.asked), STR("live in /d/${env:WHERE}\n"));
    CHECK_STR(secret_str(&c->providers.p[0].api_key), STR("${secret:openai}"));
    done(&w, c);
}

static void wrong_references(void) {
    struct world w = {.files = {{"main.yaml", "vault: {token: \"${vault:a#b}\"}\n"
                                              "providers:\n"
                                              "  - {name: a, kind: demo, headers: {A: \"${secret:nope}\"}}\n"
                                              "  - {name: b, kind: demo, headers: {A: \"${vault:kv/x#key}\"}}\n"
                                              "  - {name: c, kind: demo, headers: {A: \"${secret:}\"}}\n"
                                              "  - {name: d, kind: demo, headers: {A: \"${vualt:x}\"}}\n"
                                              "  - {name: e, kind: demo, headers: {A: \"${secret:empty}\"}}\n"
                                              "  - {name: f, kind: demo, headers: {A: \"${vault:kv/x}\"}}\n"}},
                      .secrets = {"secret:empty="}};
    struct buf text = BUF_INIT(65536);
    struct conf *c = load(&w, &text);
    CHECK(!c);
    static const char *const want[] = {
        "main.yaml:1:16: vault.token: ${vault:a#b} needs vault.address, which is not set\n",
        "main.yaml:3:40: providers[0].headers.A: ${secret:nope}: there is no such secret\n",
        "main.yaml:4:40: providers[1].headers.A: ${vault:kv/x#key} needs vault.address, which is not set\n",
        "main.yaml:5:40: providers[2].headers.A: ${secret:…} needs a name\n",
        ("main.yaml:6:40: providers[3].headers.A: unknown reference ${vualt:x}; there are ${env:NAME}, ${file:/path}, "
         "${secret:name} and ${vault:path#key}, and $${ stands for ${ itself\n"),
        "main.yaml:7:40: providers[4].headers.A: ${secret:empty} is empty\n",
        "main.yaml:8:40: providers[5].headers.A: ${vault:kv/x} needs a key: ${vault:path#key}\n"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        if (str_find(buf_str(&text), str_c(want[i])) == text.n) fprintf(stderr, "missing: %s", want[i]);
        CHECK(str_find(buf_str(&text), str_c(want[i])) < text.n);
    }
    buf_free(&text);
    buf_free(&w.asked);
}

// Each allocation fails in turn, with all layers at work.
static void out_of_memory(void) {
    struct world w = {
        .files = {{"main.yaml", "include: [inc.yaml]\nlog: {level: warn}\nprofiles: {p: {log: {level: debug}}}\n"
                                "providers: [{name: a, kind: demo, headers: {X: \"${secret:s}\"}}]\n"},
                  {"inc.yaml", "aliases: {a: a/x}\nproviders: [{name: a}]\n"}},
        .vars = {"PENSTOCK_CONFIG_JSON={\"log\": {\"access\": false}}", "PENSTOCK_ALIASES__A=a/y"},
        .secrets = {"secret:s=v"},
        .profile = "p",
        .n_live = 1,
        .n_given = 1};
    w.live[0] = (struct conf_override){STR("aliases.b"), STR("\"a/z\""), STR("live"), false};
    w.given[0] = (struct conf_override){STR("providers.a.tls_verify"), STR("false"), STR("given"), false};
    bool finished = false;
    for (uint64_t n = 1; !finished && n < 3000; n++) {
        struct mem_stats before, now;
        struct buf text = BUF_INIT(1 << 20);
        mem_stats_get(&before);
        mem_fail_nth(n);
        struct conf *c = load(&w, &text);
        mem_stats_get(&now);
        finished = now.failed == before.failed;
        mem_fail_nth(0);
        conf_unref(c);
        buf_free(&text);
        buf_free(&w.asked);
        mem_stats_get(&now);
        CHECK_INT(now.bytes, before.bytes);
    }
    CHECK(finished);
}

TEST_MAIN(variables, json_variable, overrides, live_changes, what_cannot_be_set, origins, include_files,
          include_patterns, wrong_includes, too_many_files, profiles, wrong_profiles, references, wrong_references,
          out_of_memory)
