// Options are found by keys in which items may be left out, and what is said of them is what their rows say.
#include "check.h"
#include "conf/conf.h"
#include "conf/opt_explain.h"
#include "conf/opt_text.h"

static struct arena g_arena;

static struct opt_facts explained(const char *key) {
    struct opt_facts facts = {0};
    struct str near;
    struct err err;
    bool found = opt_explain(&conf_table, str_c(key), &g_arena, &facts, &near, &err);
    if (!found) fprintf(stderr, "%s: %s\n", key, err.message);
    CHECK(found);
    return facts;
}

static void check_key(const char *asked, const char *key) { CHECK_STR(explained(asked).key, str_c(key)); }

static void items_may_be_left_out(void) {
    check_key("providers.api_key", "providers[].api_key");
    check_key("providers[].api_key", "providers[].api_key");
    check_key("providers[0].api_key", "providers[].api_key");
    check_key("providers.0.api_key", "providers[].api_key");
    check_key("providers.openai.api_key", "providers[].api_key");
    check_key("providers.\"a.b\".api_key", "providers[].api_key");
    check_key("providers.\"api_key\".api_key", "providers[].api_key");
    check_key("models.targets.weight", "models[].targets[].weight");
    check_key("models.\"gpt-4.1\".targets[1].weight", "models[].targets[].weight");
    check_key("tenants.acme.models.targets.weight", "tenants[].models[].targets[].weight");
    check_key("prices.input", "prices.NAME.input");
    check_key("prices.openai/gpt-4o.input", "prices.NAME.input");
    check_key("aliases", "aliases");
    check_key("aliases.fast", "aliases.NAME");
    check_key("providers.openai.headers.X-Team", "providers[].headers.NAME");
    check_key("include[0]", "include[]");
    check_key("include[]", "include[]");
    check_key("providers[]", "providers[]");
    check_key("profiles.staging.limits.max_body", "limits.max_body");
    check_key("profiles.limits.max_body", "limits.max_body");
    check_key("limits", "limits");
    check_key("limits.max_body", "limits.max_body");
    check_key("", "");
}

static void variables_are_keys(void) {
    check_key("PENSTOCK_LIMITS__MAX_BODY", "limits.max_body");
    check_key("PENSTOCK_PROVIDERS__OPENAI__API_KEY", "providers[].api_key");
    CHECK_STR(explained("limits.max_body").variable, STR("PENSTOCK_LIMITS__MAX_BODY"));
    CHECK_STR(explained("providers.api_key").variable, STR("PENSTOCK_PROVIDERS__NAME__API_KEY"));
    CHECK_STR(explained("listeners.address").variable, STR("PENSTOCK_LISTENERS__0__ADDRESS"));
    CHECK_STR(explained("models.targets.weight").variable, STR("PENSTOCK_MODELS__NAME__TARGETS__0__WEIGHT"));
    CHECK_STR(explained("profiles.a.log.level").variable, STR("PENSTOCK_LOG__LEVEL"));
    CHECK_STR(explained("profiles").variable, STR(""));
    CHECK_STR(explained("include").variable, STR(""));
}

static void check_none(const char *key, const char *near, const char *message) {
    struct opt_facts facts = {0};
    struct str got;
    struct err err = {0};
    CHECK(!opt_explain(&conf_table, str_c(key), &g_arena, &facts, &got, &err));
    CHECK_STR(got, str_c(near));
    if (!strstr(err.message, message)) fprintf(stderr, "%s: %s\n", key, err.message);
    CHECK(strstr(err.message, message) != NULL);
}

static void others_are_refused(void) {
    check_none("limts", "limits", "there is no option \"limts\"");
    check_none("limits.max_bdy", "limits.max_body", "\"max_bdy\" in limits");
    check_none("providers.api_kye", "providers[].api_key", "\"api_kye\" in providers[]");
    check_none("providers.openai.api_kye", "providers[].api_key", "\"api_kye\"");
    check_none("max_body", "limits.max_body", "\"max_body\"");
    check_none("api_key", "providers[].api_key", "\"api_key\"");
    check_none("zebra", "", "\"zebra\"");
    check_none("limits.max_body.x", "", "limits.max_body has no options");
    check_none("aliases.a.b", "", "has no options");
    check_none("profiles.staging.limts", "limits", "\"limts\"");
    check_none("a..b", "", "a name is missing");
    check_none("limits[", "", "is no key");
    check_none("a.\"b", "", "quote");
    char longest[3000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    check_none(longest, "", "longer");
}

static void facts_are_the_rows(void) {
    struct opt_facts size = explained("limits.max_body");
    CHECK_STR(size.type, STR("size"));
    CHECK_STR(size.limits, STR("1 KiB to 1 GiB"));
    CHECK_STR(size.example, STR("limits:\n  max_body: 32 MiB"));
    CHECK(size.n_related > 3 && !size.below && !size.item);
    CHECK_STR(size.related[0], STR("limits.max_header_bytes"));
    struct opt_facts key = explained("providers.api_key");
    CHECK(opt_is_secret(key.opt));
    CHECK_STR(key.example, STR("providers:\n  - api_key: ${env:OPENAI_API_KEY}"));
    CHECK_STR(explained("models.targets.weight").example, STR("models:\n  - targets:\n      - weight: 1"));
    struct opt_facts section = explained("providers");
    CHECK(section.below && section.below->n > 5);
    CHECK_STR(section.below_key, STR("providers[]."));
    CHECK_STR(section.limits, STR("1 to 1000 entries"));
    CHECK(explained("providers.openai").item);
    CHECK(explained("").opt == NULL && explained("").below == &conf_table);
    CHECK_STR(explained("log.level").type, STR("trace, debug, info, warn, error"));
    CHECK_STR(str_c(opt_apply_name(explained("storage.data").opt)), STR("restart"));
    CHECK_STR(str_c(opt_apply_name(explained("log.level").opt)), STR("live"));
    CHECK_STR(str_c(opt_apply_name(explained("timeouts.keepalive").opt)), STR("drain"));
}

// What is asked for by a key that an answer gave is that answer again.
static void keys_are_stable(const struct opt_table *table, const char *before) {
    for (size_t i = 0; i < table->n; i++) {
        char key[256];
        snprintf(key, sizeof key, "%s%s", before, table->opts[i].name);
        struct opt_facts facts = explained(key);
        CHECK(facts.opt == &table->opts[i]);
        CHECK_STR(facts.key, str_c(key));
        if (!facts.below) continue;
        snprintf(key, sizeof key, "%.*s", STR_ARG(facts.below_key));
        keys_are_stable(facts.below, key);
    }
}
static void every_option_is_found(void) { keys_are_stable(&conf_table, ""); }

static void related_keys_exist(void) {
    const struct opt_table *table = &conf_table;
    for (size_t i = 0; i < table->n; i++) {
        struct opt_facts facts = explained(table->opts[i].name);
        for (size_t k = 0; k < facts.n_related; k++) {
            char key[256];
            snprintf(key, sizeof key, "%.*s", STR_ARG(facts.related[k]));
            explained(key);
        }
    }
}

static void json_is_laid_out(void) {
    struct buf out = BUF_INIT(4096);
    json_indent(STR("{\"a\":[1,2,{\"b\":\"x, y: {\\\"\"}],\"c\":{}}"), &out);
    CHECK_STR(buf_str(&out), STR("{\"a\": [1, 2, {\"b\": \"x, y: {\\\"\"}], \"c\": {}}\n"));
    buf_clear(&out);
    struct buf json = BUF_INIT(4096);
    buf_lit(&json, "{\"long\":\"");
    for (int i = 0; i < 120; i++) buf_putc(&json, 'x');
    buf_lit(&json, "\",\"list\":[1]}");
    json_indent(buf_str(&json), &out);
    CHECK(str_starts(buf_str(&out), STR("{\n  \"long\": \"xxx")));
    CHECK(str_ends(buf_str(&out), STR("\",\n  \"list\": [1]\n}\n")));
    buf_free(&json);
    buf_free(&out);
}

static void arena_begin(void) { arena_init(&g_arena, NULL, 0, (size_t)1 << 24); }
static void arena_end(void) { arena_free(&g_arena); }

TEST_MAIN(arena_begin, items_may_be_left_out, variables_are_keys, others_are_refused, facts_are_the_rows,
          every_option_is_found, related_keys_exist, json_is_laid_out, arena_end)
