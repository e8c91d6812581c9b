// Trees of configuration values: joined, changed, read, compared, written.
#include "../../fuzz/tree_maker.h"
#include "check.h"

static struct arena arena;

static struct conf_node *parse_named(const char *text, const char *name, enum conf_layer layer) {
    struct conf_source *source = ARENA_NEW(&arena, struct conf_source);
    struct conf_problems problems;
    struct conf_node *tree = NULL;
    *source = (struct conf_source){.name = str_c(name), .text = str_c(text), .layer = layer};
    conf_problems_init(&problems);
    bool ok = conf_parse(source, &arena, &problems, &tree);
    if (!ok) fprintf(stderr, "%s\n%.*s\n", text, STR_ARG(problems.list.p[0].message));
    conf_problems_free(&problems);
    REQUIRE(ok);
    return tree;
}

static struct conf_node *parse(const char *text) { return parse_named(text, "t", LAYER_FILE); }

static void expect_json(const struct conf_node *node, const char *want) {
    struct buf out = BUF_INIT((size_t)1 << 20);
    conf_tree_json(node, &out);
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
}

static struct conf_node *join(const char *low, const char *high) {
    struct conf_node *out = NULL;
    REQUIRE(conf_tree_join(&conf_table, parse(low), parse(high), &arena, &out));
    return out;
}

static void joining(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    static const struct {
        const char *low, *high, *want;
    } rows[] = {
        {"", "", "null"},
        {"log: {level: info}", "", "{\"log\":{\"level\":\"info\"}}"},
        {"", "log: {level: info}", "{\"log\":{\"level\":\"info\"}}"},
        {"log: {level: info, access: true}", "log: {level: debug}", "{\"log\":{\"level\":\"debug\",\"access\":true}}"},
        {"log: {level: info}", "log: null", "{\"log\":null}"},
        {"log: null", "log: {level: info}", "{\"log\":{\"level\":\"info\"}}"},
        {"log: {level: info}", "log: 3", "{\"log\":3}"},
        // Lists of named items.
        {"providers: [{name: a, kind: demo}, {name: b, kind: vllm}]", "providers: [{name: c}, {name: a, base_url: x}]",
         "{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\",\"base_url\":\"x\"},{\"name\":\"b\",\"kind\":\"vllm\"},"
         "{\"name\":\"c\"}]}"},
        {"listeners: [{address: ':1'}]", "listeners: [{address: ':1', tls: {cert: c}}, {address: ':2'}]",
         "{\"listeners\":[{\"address\":\":1\",\"tls\":{\"cert\":\"c\"}},{\"address\":\":2\"}]}"},
        // A name given twice in one layer stays a mistake.
        {"providers: [{name: a}]", "providers: [{name: a, kind: demo}, {name: a}]",
         "{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\"},{\"name\":\"a\"}]}"},
        {"providers: [{name: a}]", "providers: [{kind: demo}, 3, {name: [b]}]",
         "{\"providers\":[{\"name\":\"a\"},{\"kind\":\"demo\"},3,{\"name\":[\"b\"]}]}"},
        // Lists of others are replaced.
        {"models: [{name: m, targets: [{provider: a}, {provider: b}]}]",
         "models: [{name: m, targets: [{provider: c}]}]",
         "{\"models\":[{\"name\":\"m\",\"targets\":[{\"provider\":\"c\"}]}]}"},
        {"tenants: [{name: t, allow_models: [a, b]}]", "tenants: [{name: t, allow_models: [c]}]",
         "{\"tenants\":[{\"name\":\"t\",\"allow_models\":[\"c\"]}]}"},
        // Maps of names.
        {"aliases: {a: x, b: y}", "aliases: {b: z, c: w}", "{\"aliases\":{\"a\":\"x\",\"b\":\"z\",\"c\":\"w\"}}"},
        {"aliases: {a: x, b: y}", "aliases: {a: null}", "{\"aliases\":{\"b\":\"y\"}}"},
        {"prices: {a: {input: 1}, b: {input: 2}}", "prices: {a: {output: 3}, b: ~}",
         "{\"prices\":{\"a\":{\"input\":1,\"output\":3}}}"},
        {"profiles: {dev: {log: {level: debug}}}", "profiles: {dev: {log: {access: false}}, prod: {}}",
         "{\"profiles\":{\"dev\":{\"log\":{\"level\":\"debug\",\"access\":false}},\"prod\":{}}}"},
        // What the tables do not know is kept, to be told of later.
        {"zebra: {a: 1}", "zebra: {b: 2}", "{\"zebra\":{\"b\":2}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) expect_json(join(rows[i].low, rows[i].high), rows[i].want);
    arena_free(&arena);
}

static void origins(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    struct conf_node *a = parse_named("log: {level: info}\nserver: {workers: 1}\n", "a", LAYER_INCLUDE);
    struct conf_node *b = parse_named("log:\n  level: warn\n", "b", LAYER_FILE), *ab, *abc;
    struct conf_node *c = parse_named("{log: {level: error}}", "c", LAYER_ENV);
    REQUIRE(conf_tree_join(&conf_table, a, b, &arena, &ab) && conf_tree_join(&conf_table, ab, c, &arena, &abc));
    const struct conf_node *level = conf_node_get(conf_node_get(abc, STR("log")), STR("level"));
    static const char *const names[] = {"c", "b", "a"}, *const texts[] = {"error", "warn", "info"};
    for (size_t i = 0; i < 3; i++, level = level->under) {
        REQUIRE(level != NULL);
        CHECK_STR(level->text, str_c(texts[i]));
        CHECK_STR(level->source->name, str_c(names[i]));
    }
    CHECK(!level);
    const struct conf_node *workers = conf_node_get(conf_node_get(abc, STR("server")), STR("workers"));
    CHECK(workers && !workers->under && workers->source->layer == LAYER_INCLUDE);
    // What was joined is as it was.
    expect_json(a, "{\"log\":{\"level\":\"info\"},\"server\":{\"workers\":1}}");
    expect_json(b, "{\"log\":{\"level\":\"warn\"}}");
    arena_free(&arena);
}

static void expect_set(const char *from, const char *key, const char *value, const char *want) {
    struct conf_node *root = parse(from), *before = root;
    struct conf_path path;
    struct err err;
    struct buf untouched = BUF_INIT(65536), after = BUF_INIT(65536);
    conf_tree_json(before, &untouched);
    REQUIRE(conf_path_parse(str_c(key), &arena, &path, &err));
    if (!conf_tree_set(&conf_table, &root, &path, parse(value), &arena, &err)) {
        CHECK_STR(str_c(err.message), str_c(want));
        CHECK(root == before);
    } else {
        expect_json(root, want);
    }
    conf_tree_json(before, &after);
    CHECK_STR(buf_str(&after), buf_str(&untouched));
    buf_free(&untouched);
    buf_free(&after);
}

static void setting(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    static const char list[] = "providers: [{name: a, kind: demo}, {name: '1', kind: vllm}]";
    expect_set("", "log.level", "debug", "{\"log\":{\"level\":\"debug\"}}");
    expect_set("log: 3", "log.level", "debug", "{\"log\":{\"level\":\"debug\"}}");
    expect_set("log: {level: info}", "log", "{access: true}", "{\"log\":{\"access\":true}}");
    expect_set("log: {level: info}", "log.level", "null", "{\"log\":{}}");
    expect_set("log: {level: info}", "log", "null", "{}");
    // Nothing there to take away.
    expect_set("", "log.level", "null", "null");
    expect_set("{}", "limits.max_body", "null", "{}");
    expect_set("log: {}", "log.level", "null", "{\"log\":{}}");
    expect_set("", "models.gpt.targets[0].weight", "null", "null");
    expect_set("providers: []", "providers[3]", "null", "{\"providers\":[]}");
    // Items.
    expect_set(
        list, "providers.a.base_url", "x",
        "{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\",\"base_url\":\"x\"},{\"name\":\"1\",\"kind\":\"vllm\"}]}");
    expect_set(
        list, "providers[1].base_url", "x",
        "{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\"},{\"name\":\"1\",\"kind\":\"vllm\",\"base_url\":\"x\"}]}");
    expect_set(list, "providers.\"1\".kind", "demo",
               "{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\"},{\"name\":\"1\",\"kind\":\"demo\"}]}");
    expect_set(list, "providers.a", "null", "{\"providers\":[{\"name\":\"1\",\"kind\":\"vllm\"}]}");
    expect_set(list, "providers[0]", "null", "{\"providers\":[{\"name\":\"1\",\"kind\":\"vllm\"}]}");
    expect_set(list, "providers.zebra", "null",
               "{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\"},{\"name\":\"1\",\"kind\":\"vllm\"}]}");
    expect_set("", "providers.new.kind", "demo", "{\"providers\":[{\"name\":\"new\",\"kind\":\"demo\"}]}");
    expect_set("", "providers.new", "{kind: demo}", "{\"providers\":[{\"name\":\"new\",\"kind\":\"demo\"}]}");
    expect_set("", "providers[0].name", "x", "{\"providers\":[{\"name\":\"x\"}]}");
    expect_set("", "listeners.\":80\".tls.cert", "c",
               "{\"listeners\":[{\"address\":\":80\",\"tls\":{\"cert\":\"c\"}}]}");
    expect_set(list, "providers[3].kind", "x", "position 3 is past the end: there are 2");
    expect_set("models: [{name: m, targets: [{provider: a}]}]", "models.m.targets.b", "{provider: b}",
               "\"targets\" is a list: its items are known by their position, as in targets[0]");
    expect_set("tenants: [{name: t, allow_models: [a, b]}]", "tenants.t.allow_models[1]", "c",
               "{\"tenants\":[{\"name\":\"t\",\"allow_models\":[\"a\",\"c\"]}]}");
    expect_set("tenants: [{name: t, allow_models: [a, b]}]", "tenants.t.allow_models[0]", "null",
               "{\"tenants\":[{\"name\":\"t\",\"allow_models\":[\"b\"]}]}");
    // Maps of names.
    expect_set("", "aliases.\"gpt-4.1\"", "x", "{\"aliases\":{\"gpt-4.1\":\"x\"}}");
    expect_set("aliases: {a: x}", "aliases.a", "null", "{\"aliases\":{}}");
    expect_set("", "prices.m.input", "3", "{\"prices\":{\"m\":{\"input\":3}}}");
    expect_set("", "profiles.dev.log.level", "debug", "{\"profiles\":{\"dev\":{\"log\":{\"level\":\"debug\"}}}}");
    // What there is not.
    expect_set("", "log.levle", "x", "there is no option \"levle\" in log; did you mean \"level\"?");
    expect_set("", "profiles.dev.lgo.level", "x", "there is no option \"lgo\" in profiles.dev; did you mean \"log\"?");
    expect_set("", "log.level.x", "x", "\"level\" has no parts, so no \"x\"");
    // Anchors are shared; setting one place leaves the other.
    expect_set("timeouts: &t {idle: 1s}\nproviders: [{name: a, timeouts: *t}]", "timeouts.idle", "2s",
               "{\"timeouts\":{\"idle\":\"2s\"},\"providers\":[{\"name\":\"a\",\"timeouts\":{\"idle\":\"1s\"}}]}");
    arena_free(&arena);
}

static void set_keeps_what_was_under(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    struct conf_node *root = parse_named("log: {level: info}", "file", LAYER_FILE);
    struct conf_path path;
    struct err err;
    REQUIRE(conf_path_parse(STR("log.level"), &arena, &path, &err));
    REQUIRE(conf_tree_set(&conf_table, &root, &path, parse_named("warn", "env", LAYER_ENV), &arena, &err));
    REQUIRE(conf_tree_set(&conf_table, &root, &path, parse_named("error", "cli", LAYER_OVERRIDE), &arena, &err));
    const struct conf_node *level = conf_tree_get(&conf_table, root, &path);
    REQUIRE(level && level->under && level->under->under);
    CHECK_STR(level->source->name, STR("cli"));
    CHECK_STR(level->under->source->name, STR("env"));
    CHECK_STR(level->under->under->source->name, STR("file"));
    CHECK(!level->under->under->under);
    arena_free(&arena);
}

static void getting(void) {
    static const char text[] = "log: {level: info}\nproviders: [{name: a, headers: {X: y}}]\naliases: {\"0\": z}\n"
                               "profiles: {dev: {log: {level: debug}}}\ntenants: [{name: t, allow_models: [m]}]\n";
    static const struct {
        const char *key, *want;
    } rows[] = {
        {"log.level", "info"},
        {"providers.a.name", "a"},
        {"providers[0].headers.X", "y"},
        {"providers[1].name", NULL},
        {"providers.\"0\".name", NULL},
        {"aliases[0]", "z"},
        {"aliases.\"0\"", "z"},
        {"profiles.dev.log.level", "debug"},
        {"profiles.prod.log.level", NULL},
        {"tenants.t.allow_models[0]", "m"},
        {"log.level.x", NULL},
        {"aliases.\"0\".x.y", NULL},
        {"zebra", NULL},
    };
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    struct conf_node *root = parse(text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_path path;
        struct err err;
        REQUIRE(conf_path_parse(str_c(rows[i].key), &arena, &path, &err));
        const struct conf_node *node = conf_tree_get(&conf_table, root, &path);
        CHECK_STR(node ? node->text : STR("none"), rows[i].want ? str_c(rows[i].want) : STR("none"));
    }
    arena_free(&arena);
}

// --- comparing ---

static bool put_change(void *ctx, struct str path, const struct conf_node *value) {
    struct buf *out = ctx;
    buf_printf(out, "%.*s=", STR_ARG(path));
    if (value)
        conf_tree_json(value, out);
    else
        buf_lit(out, "-");
    buf_lit(out, "\n");
    return true;
}

static void expect_changes(const char *from, const char *to, const char *want) {
    struct buf out = BUF_INIT(65536);
    REQUIRE(conf_tree_compare(&conf_table, parse(from), parse(to), put_change, &out));
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
}

static void comparing(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    expect_changes("", "", "");
    expect_changes("", "log: {level: info}", "log.level=\"info\"\n");
    expect_changes("log: {level: info}", "", "log.level=-\n");
    expect_changes("log: {level: info, access: true}", "log: {level: warn, access: true}", "log.level=\"warn\"\n");
    expect_changes("log: {}", "", "");
    expect_changes("log: 3", "", "log=-\n");
    expect_changes("log: {level: info}", "log: 3", "log=3\n");
    expect_changes("", "listeners: [{address: ':1', tls: {cert: c}}]",
                   "listeners=[{\"address\":\":1\",\"tls\":{\"cert\":\"c\"}}]\n");
    expect_changes("log: {level: info}", "log: {level: null}", "log.level=-\n");
    expect_changes("log: {level: info}", "log: {level: \"info\"}", "");
    expect_changes("providers: [{name: a}, {name: b}]", "providers: [{name: b}, {name: a}]",
                   "providers=[{\"name\":\"b\"},{\"name\":\"a\"}]\n");
    expect_changes("providers: [{name: a}, {name: \"1\"}]", "providers: [{name: \"1\", kind: demo}, {name: c.d}]",
                   "providers.a=-\nproviders.\"1\".kind=\"demo\"\nproviders.\"c.d\"={\"name\":\"c.d\"}\n");
    expect_changes("providers: [{name: a}, {name: a}]", "providers: [{name: a}, {name: a, kind: demo}]",
                   "providers=[{\"name\":\"a\"},{\"name\":\"a\",\"kind\":\"demo\"}]\n");
    expect_changes("models: [{name: m, targets: [{provider: a}]}]", "models: [{name: m, targets: [{provider: b}]}]",
                   "models.m.targets=[{\"provider\":\"b\"}]\n");
    expect_changes("aliases: {a: x, \"b.c\": y}", "aliases: {a: z}", "aliases.a=\"z\"\naliases.\"b.c\"=-\n");
    expect_changes("prices: {m: {input: 1}}", "prices: {m: {input: 2}, n: {}}", "prices.m.input=2\nprices.n={}\n");
    arena_free(&arena);
}

static void fill(uint8_t *bytes, size_t n, uint64_t *seed) {
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(*seed >> 33);
    }
}

static void changes_lead_there(void) {
    uint64_t seed = 1;
    size_t changes = 0, joined = 0;
    for (int turn = 0; turn < 4000; turn++) {
        uint8_t bytes[400];
        fill(bytes, sizeof bytes, &seed);
        arena_init(&arena, NULL, 0, (size_t)16 << 20);
        struct maker m = {.p = bytes, .n = sizeof bytes, .a = &arena, .budget = 200};
        struct conf_node *a = maker_table(&m, &conf_table, 0), *b = maker_table(&m, &conf_table, 0), *both;
        struct applying ap = {.root = a, .a = &arena};
        REQUIRE(conf_tree_compare(&conf_table, a, b, maker_apply, &ap));
        CHECK(maker_same(ap.root, b));
        changes += ap.changes;
        struct applying again = {.root = b, .a = &arena};
        REQUIRE(conf_tree_compare(&conf_table, ap.root, b, maker_apply, &again));
        CHECK_INT(again.changes, 0);
        // A tree joined over itself, or over nothing, is itself.
        REQUIRE(conf_tree_join(&conf_table, NULL, a, &arena, &both));
        CHECK(maker_same(both, a));
        REQUIRE(conf_tree_join(&conf_table, a, b, &arena, &both));
        joined += both->n > a->n;
        arena_free(&arena);
    }
    CHECK(changes > 4000 && joined > 100);
}

// --- text ---

static void typed_alike(const struct conf_node *a, const struct conf_node *b) {
    static const struct str words[] = {STR_INIT("true"), STR_INIT("null"), STR_INIT("~"),
                                       STR_INIT("0"),    STR_INIT("12"),   STR_INIT("1.5")};
    CHECK(conf_node_is_null(a) == conf_node_is_null(b));
    for (size_t i = 0; !conf_node_is_null(a) && a->kind == NODE_SCALAR && i < ARRAY_LEN(words); i++)
        if (str_eq(a->text, words[i])) CHECK(a->plain == b->plain);
    for (size_t i = 0; i < a->n; i++) typed_alike(a->values[i], b->values[i]);
}

static void reads_back(struct conf_node *tree, const struct buf *text, bool types) {
    struct conf_node *again;
    REQUIRE(!text->failed);
    again = parse(arena_cstr(&arena, buf_str(text)));
    bool same = maker_same(tree, again);
    if (!same) fprintf(stderr, "%.*s\n", STR_ARG(buf_str(text)));
    CHECK(same);
    if (same && types) typed_alike(tree, again);
}

static bool has_long_key(const struct conf_node *node) {
    for (size_t i = 0; i < node->n; i++)
        if ((node->kind == NODE_MAP && node->keys[i]->text.n > 200) || has_long_key(node->values[i])) return true;
    return false;
}

static void text_reads_back(void) {
    uint64_t seed = 7;
    size_t longs = 0;
    for (int turn = 0; turn < 6000; turn++) {
        uint8_t bytes[300];
        struct buf text = BUF_INIT((size_t)1 << 22);
        fill(bytes, sizeof bytes, &seed);
        arena_init(&arena, NULL, 0, (size_t)16 << 20);
        struct maker m = {.p = bytes, .n = sizeof bytes, .a = &arena, .budget = 200};
        struct conf_node *tree = maker_table(&m, &conf_table, 0);
        conf_tree_yaml(tree, &text);
        reads_back(tree, &text, true);
        buf_clear(&text);
        conf_tree_json(tree, &text);
        bool is_long = has_long_key(tree);
        longs += is_long;
        if (!is_long) reads_back(tree, &text, true);
        buf_free(&text);
        arena_free(&arena);
    }
    CHECK(longs > 0);
}

static void yaml_looks_right(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    static const char text[] = "server:\n"
                               "  workers: 4\n"
                               "providers:\n"
                               "- name: a\n"
                               "  headers: {}\n"
                               "  api_key: \"${env:A}\"\n"
                               "- name: \"1\"\n"
                               "models: []\n"
                               "aliases:\n"
                               "  \"yes\": \"no\"\n"
                               "  \"a: b\": \"- c\"\n"
                               "log: null\n";
    struct buf out = BUF_INIT(65536);
    conf_tree_yaml(parse(text), &out);
    CHECK_STR(buf_str(&out), str_c(text));
    buf_clear(&out);
    conf_tree_yaml(NULL, &out);
    CHECK_INT(out.n, 0);
    // Bytes that are no UTF-8 come back as U+FFFD, and the text can still be read.
    struct conf_node odd = {.kind = NODE_SCALAR,
                            .text = STR("a\xff"
                                        "b")};
    conf_tree_yaml(&odd, &out);
    CHECK_STR(buf_str(&out), STR("\"a\xef\xbf\xbd"
                                 "b\"\n"));
    buf_free(&out);
    arena_free(&arena);
}

static void json_from_others(void) {
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"{\"a\":1}", "{\"a\":1}"},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"\"\\uD83D\\uDE00x\"", "\"\xf0\x9f\x98\x80x\""},
        {"\"\\ud83dx\"", "\"\xef\xbf\xbdx\""},
        {"\"\\ude00\\ud83d\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\"\\\\ud83d\\\\ude00\"", "\"\\\\ud83d\\\\ude00\""}, // an escaped backslash, then text
        {"\"\\u00e9\\n\"", "\"\\u00e9\\n\""},
        {"\"a\xe2\x80\xa8"
         "b\x7f\xc2\x85\"",
         "\"a\\u2028b\\u007f\\u0085\""},
        {"\"\\", "\"\\"},
        {"\xff", "\xff"},
        {"\\\xc3\xa9", "\\\xc3\xa9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(4096);
        conf_json_as_yaml(str_c(rows[i].json), &out);
        CHECK_STR(buf_str(&out), str_c(rows[i].want));
        buf_free(&out);
    }
}

TEST_MAIN(joining, origins, setting, set_keeps_what_was_under, getting, comparing, changes_lead_there, text_reads_back,
          yaml_looks_right, json_from_others)
