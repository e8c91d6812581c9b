// Names of configuration values: read, written, looked up in the tables, made from environment variables.
#include "check.h"
#include "conf/conf.h"
#include "conf/path.h"
#include "conf/tree.h"

static struct arena arena;

static void expect_steps(const char *text, const char *want) {
    struct conf_path path;
    struct err err;
    struct buf got = BUF_INIT(4096);
    bool ok = conf_path_parse(str_c(text), &arena, &path, &err);
    for (size_t i = 0; ok && i < path.n; i++)
        buf_printf(&got, "%s%s%.*s", i ? "|" : "", path.quoted[i] ? "'" : "", STR_ARG(path.steps[i]));
    CHECK_STR(ok ? buf_str(&got) : str_c(err.message), str_c(want));
    buf_free(&got);
}

static void parsing(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    expect_steps("limits.max_body", "limits|max_body");
    expect_steps("listeners[0].tls.cert", "listeners|0|tls|cert");
    expect_steps("listeners.0.tls", "listeners|0|tls");
    expect_steps("listeners.[0]", "listeners|0");
    expect_steps("models.\"gpt-4.1\".targets[1]", "models|'gpt-4.1|targets|1");
    expect_steps("models[gpt-4.1].price", "models|gpt-4.1|price");
    expect_steps("models[\"a]b\"]", "models|'a]b");
    expect_steps("aliases.\"a\\\"b\\\\c\"", "aliases|'a\"b\\c");
    expect_steps("aliases.\"\"", "aliases|'");
    expect_steps("aliases.openai/gpt-4o:latest@x*", "aliases|openai/gpt-4o:latest@x*");
    expect_steps("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p", "a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p");
    arena_free(&arena);
}

static void wrong_paths(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    expect_steps("", "\"\" is no key: it is empty");
    expect_steps(".", "\".\" is no key: a name is missing");
    expect_steps("a.", "\"a.\" is no key: a name is missing");
    expect_steps(".a", "\".a\" is no key: a name is missing");
    expect_steps("a..b", "\"a..b\" is no key: a name is missing");
    expect_steps("a[]", "\"a[]\" is no key: a name is missing");
    expect_steps("a[0", "\"a[0\" is no key: \"]\" is missing");
    expect_steps("a[\"b\"", "\"a[\"b\"\" is no key: \"]\" is missing");
    expect_steps("a.\"", "\"a.\"\" is no key: a quote is not closed");
    expect_steps("a.\"b\\\"", "\"a.\"b\\\"\" is no key: a quote is not closed");
    expect_steps("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q",
                 "\"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q\" is no key: it has too many parts");
    static const char why[] =
        " is no key: names have dots between them; one with others than a-z, A-Z, 0-9, _ - / : @ * "
        "stands in double quotes, as in models.\"gpt-4.1\"";
    static const char *const odd[] = {"a b", "a[0]b", "a=b", "a\"b\"", "log.level ", "a#"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        char want[256];
        snprintf(want, sizeof want, "\"%s\"%s", odd[i], why);
        expect_steps(odd[i], want);
    }
    arena_free(&arena);
}

// Whatever the names of the steps are, the text made of them is read as the same steps.
static void round_trip(void) {
    static const char bytes[] = "ab09.[]\"\\ _-/:@*=\n\x7f\xc3\xa9~";
    uint64_t seed = 42;
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    for (int turn = 0; turn < 20000; turn++) {
        struct str steps[CONF_PATH_MAX];
        char text[CONF_PATH_MAX][8];
        struct buf out = BUF_INIT(4096);
        struct conf_path path;
        struct err err;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t n = 1 + (seed >> 33) % CONF_PATH_MAX;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t len = (seed >> 33) % sizeof text[i];
            if (!i && !len) len = 1;
            for (size_t k = 0; k < len; k++) text[i][k] = bytes[(seed >> (8 + 7 * k)) % (sizeof bytes - 1)];
            steps[i] = str_of(text[i], len);
            conf_path_put(&out, steps[i]);
        }
        REQUIRE(conf_path_parse(buf_str(&out), &arena, &path, &err));
        CHECK_INT(path.n, n);
        for (size_t i = 0; i < n && i < path.n; i++) CHECK_STR(path.steps[i], steps[i]);
        buf_free(&out);
    }
    arena_free(&arena);
}

static void expect_place(const char *text, const char *want) {
    struct conf_path path;
    struct conf_place place;
    struct err err;
    REQUIRE(conf_path_parse(str_c(text), &arena, &path, &err));
    if (!conf_path_find(&conf_table, &path, &place, &err)) {
        CHECK_STR(str_c(err.message), str_c(want));
        return;
    }
    REQUIRE(place.opt && place.table);
    struct str got = arena_printf(&arena, "%s%s", place.opt->name, place.item ? "[]" : "");
    CHECK_STR(got, str_c(want));
}

static void places(void) {
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    expect_place("limits", "limits");
    expect_place("limits.max_body", "max_body");
    expect_place("listeners[0]", "listeners[]");
    expect_place("listeners[0].tls.sni[1].cert", "cert");
    expect_place("models.gpt.targets[0].weight", "weight");
    expect_place("aliases.x", "aliases[]");
    expect_place("prices.x.input", "input");
    expect_place("tenants.acme.allow_models[0]", "allow_models[]");
    expect_place("profiles.dev.log.level", "level");
    expect_place("profiles.dev", "profiles[]");
    expect_place("limit.max_body", "there is no option \"limit\"; did you mean \"limits\"?");
    expect_place("limits.max_bdy", "there is no option \"max_bdy\" in limits; did you mean \"max_body\"?");
    expect_place("listeners[0].tsl.cert", "there is no option \"tsl\" in listeners[0]; did you mean \"tls\"?");
    expect_place("zebra", "there is no option \"zebra\"");
    expect_place("log.level.x", "\"level\" has no parts, so no \"x\"");
    expect_place("aliases.x.y", "\"x\" has no parts, so no \"y\"");
    expect_place("tenants.acme.allow_models[0].y", "\"0\" has no parts, so no \"y\"");
    arena_free(&arena);
}

static const char tree_text[] = "providers: [{name: my-openai, kind: openai}]\n"
                                "models: [{name: gpt-4.1, targets: [{provider: my-openai}]}]\n"
                                "aliases: {Fast/One: gpt-4.1}\n";

static void expect_variable(const struct conf_node *tree, const char *name, const char *want) {
    struct buf path = BUF_INIT(4096);
    struct err err;
    bool ok = conf_path_of_variable(&conf_table, tree, str_c(name), &arena, &path, &err);
    CHECK_STR(ok ? buf_str(&path) : str_c(err.message), str_c(want));
    buf_free(&path);
}

static void variables(void) {
    struct conf_source source = {.name = STR("t"), .text = str_c(tree_text)};
    struct conf_problems problems;
    struct conf_node *tree;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    conf_problems_init(&problems);
    REQUIRE(conf_parse(&source, &arena, &problems, &tree));
    expect_variable(tree, "PENSTOCK_LOG__LEVEL", "log.level");
    expect_variable(tree, "PENSTOCK_PASSTHROUGH_MODELS", "passthrough_models");
    expect_variable(tree, "PENSTOCK_PROVIDERS__MY_OPENAI__API_KEY", "providers.my-openai.api_key");
    expect_variable(tree, "PENSTOCK_PROVIDERS__0__API_KEY", "providers[0].api_key");
    expect_variable(tree, "PENSTOCK_PROVIDERS__NEW__API_KEY", "providers.new.api_key");
    expect_variable(tree, "PENSTOCK_MODELS__GPT_4_1__TARGETS__0__WEIGHT", "models.\"gpt-4.1\".targets[0].weight");
    expect_variable(tree, "PENSTOCK_ALIASES__FAST_ONE", "aliases.Fast/One");
    expect_variable(tree, "PENSTOCK_ALIASES__7", "aliases.\"7\"");
    expect_variable(tree, "PENSTOCK_TENANTS__ACME__ALLOW_MODELS__0", "tenants.acme.allow_models[0]");
    expect_variable(NULL, "PENSTOCK_PROVIDERS__OPENAI__TIMEOUTS__IDLE", "providers.openai.timeouts.idle");
    expect_variable(tree, "PENSTOCK_LOG__LEVLE", "there is no option \"levle\" in log; did you mean \"level\"?");
    expect_variable(tree, "PENSTOCK_LOG__LEVEL__X",
                    "\"PENSTOCK_LOG__LEVEL__X\" is no key: it goes on below a value that has no parts");
    expect_variable(tree, "PENSTOCK_LOG__", "\"PENSTOCK_LOG__\" is no key: a name is missing, or there are too many");
    expect_variable(tree, "PENSTOCK___LEVEL",
                    "\"PENSTOCK___LEVEL\" is no key: a name is missing, or there are too many");
    expect_variable(tree, "PENSTOCK_", "\"PENSTOCK_\" is no key: it does not begin with PENSTOCK_");
    expect_variable(tree, "OTHER__X", "\"OTHER__X\" is no key: it does not begin with PENSTOCK_");
    conf_problems_free(&problems);
    arena_free(&arena);
}

TEST_MAIN(parsing, wrong_paths, round_trip, places, variables)
