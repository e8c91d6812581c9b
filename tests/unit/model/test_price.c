// Prices: the built-in table, names with versions, what the configuration overrides, and exact costs.
#include "check.h"
#include "model/price.h"

static void list_prices(void) {
    struct price p = price_list(PROVIDER_OPENAI, STR("gpt-4o"));
    CHECK(p.known && p.source == PRICE_FROM_TABLE);
    CHECK_INT(p.rates.input, 2500000);
    CHECK_INT(p.rates.cached_input, 1250000);
    CHECK_INT(p.rates.output, 10000000);
    CHECK_INT(p.rates.cache_write, PRICE_NONE);
    p = price_list(PROVIDER_GROQ, STR("openai/gpt-oss-20b"));
    CHECK_INT(p.rates.cached_input, 37500);
    p = price_list(PROVIDER_OPENAI, STR("text-embedding-3-small"));
    CHECK_INT(p.rates.input, 20000);
    CHECK(p.known && p.rates.output == 0);
    p = price_list(PROVIDER_ANTHROPIC, STR("claude-haiku-4-5"));
    CHECK_INT(p.rates.cache_write, 1250000);
}

static void unknown_is_not_zero(void) {
    static const char *const names[] = {"",  "gpt",         "gpt-99",      "claude-sonnet-4-5",
                                        "-", "gpt-4o:free", "ft:gpt-4o:x", "2024-08-06"};
    struct usage u = {.prompt = 1};
    uint64_t nano = 7;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct price p = price_list(PROVIDER_OPENAI, str_c(names[i]));
        CHECK(!p.known && p.source == PRICE_FROM_NOWHERE && p.rates.input == PRICE_NONE);
        CHECK(!price_cost(&p, &u, &nano));
    }
    CHECK_INT(nano, 7);
}

static void versions(void) {
    static const struct {
        enum provider_kind kind;
        const char *name;
        int64_t input; // PRICE_NONE: unknown
    } rows[] = {
        {PROVIDER_OPENAI, "gpt-4o-2024-08-06", 2500000},
        {PROVIDER_OPENAI, "gpt-4o-2024-05-13", 5000000},
        {PROVIDER_OPENAI, "gpt-4o-mini-2024-07-18", 150000},
        {PROVIDER_OPENAI, "gpt-4-1106-preview", 10000000},
        {PROVIDER_OPENAI, "gpt-4-0613", 30000000},
        {PROVIDER_OPENAI, "gpt-3.5-turbo-0125", 500000},
        {PROVIDER_OPENAI, "gpt-5-chat-latest", 1250000},
        {PROVIDER_ANTHROPIC, "claude-sonnet-4-20250514", 3000000},
        {PROVIDER_ANTHROPIC, "claude-sonnet-4@20250514", 3000000},
        {PROVIDER_ANTHROPIC, "claude-opus-4-5-20251101", 5000000},
        {PROVIDER_ANTHROPIC, "claude-opus-4-20250514", 15000000},
        {PROVIDER_ANTHROPIC, "claude-3-5-haiku-latest", 800000},
        {PROVIDER_ANTHROPIC, "claude-opus-4-99", PRICE_NONE},
        {PROVIDER_GEMINI, "models/gemini-2.5-flash", 300000},
        {PROVIDER_GEMINI, "gemini-2.5-pro-preview-05-06", 1250000},
        {PROVIDER_GEMINI, "gemini-2.0-flash-001", 100000},
        {PROVIDER_GEMINI, "gemini-3-pro-preview", 2000000},
        {PROVIDER_MISTRAL, "mistral-large-latest", 500000},
        {PROVIDER_MISTRAL, "mistral-large-2411", 2000000},
        {PROVIDER_MISTRAL, "codestral-2508", 300000},
        {PROVIDER_XAI, "grok-4-0709", 3000000},
        {PROVIDER_DEEPSEEK, "deepseek-chat", 280000},
        {PROVIDER_OPENROUTER, "openai/gpt-4o", 2500000},
        {PROVIDER_OPENROUTER, "anthropic/claude-opus-4.5", 5000000},
        {PROVIDER_OPENROUTER, "anthropic/claude-3.5-haiku", 800000},
        {PROVIDER_OPENROUTER, "google/gemini-2.5-pro", 1250000},
        {PROVIDER_OPENROUTER, "x-ai/grok-4", 3000000},
        {PROVIDER_OPENROUTER, "meta-llama/llama-3-8b", PRICE_NONE},
        {PROVIDER_OPENROUTER, "gpt-4o", PRICE_NONE},
        {PROVIDER_OLLAMA, "llama3", 0},
        {PROVIDER_DEMO, "slow", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct price p = price_list(rows[i].kind, str_c(rows[i].name));
        if (p.rates.input != rows[i].input) fprintf(stderr, "%s\n", rows[i].name);
        CHECK_INT(p.rates.input, rows[i].input);
        CHECK(p.known == (rows[i].input != PRICE_NONE));
    }
}

static void costs(void) {
    struct price p = price_list(PROVIDER_OPENAI, STR("gpt-4o"));
    static const struct {
        struct usage u;
        uint64_t nano;
    } rows[] = {
        {{0}, 0},
        {{.prompt = 1000000}, 2500000000},
        {{.prompt = 1000, .output = 500}, 2500000 + 5000000},
        {{.prompt = 1000, .cached = 400}, 600 * 2500 + 400 * 1250},
        {{.prompt = 1000, .cached = 1000}, 1250000},
        {{.prompt = 10, .cache_write = 10}, 25000},
        {{.prompt = 1, .output = 100, .reasoning = 60}, 2500 + 1000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t nano = 1;
        CHECK(price_cost(&p, &rows[i].u, &nano));
        CHECK_INT(nano, rows[i].nano);
    }
}

static void rounding(void) {
    struct price p = {.known = true, .rates = {37500, 499, PRICE_NONE, PRICE_NONE, 1500}};
    uint64_t nano = 0;
    CHECK(price_cost(&p, &(struct usage){.prompt = 1}, &nano)); // 37.5 rounds up
    CHECK_INT(nano, 38);
    CHECK(price_cost(&p, &(struct usage){.prompt = 3}, &nano)); // 112.5, rounded once
    CHECK_INT(nano, 113);
    CHECK(price_cost(&p, &(struct usage){.output = 1}, &nano)); // 0.499
    CHECK_INT(nano, 0);
    CHECK(price_cost(&p, &(struct usage){.output = 2, .reasoning = 1}, &nano)); // 0.499 + 1.5
    CHECK_INT(nano, 2);
}

static void long_prompts(void) {
    struct price p = price_list(PROVIDER_GEMINI, STR("gemini-2.5-pro-preview-06-05"));
    uint64_t nano = 0;
    CHECK(price_cost(&p, &(struct usage){.prompt = 200000, .output = 1000}, &nano));
    CHECK_INT(nano, 250000000 + 10000000);
    CHECK(price_cost(&p, &(struct usage){.prompt = 200001, .output = 1000}, &nano));
    CHECK_INT(nano, 200001 * 2500 + 15000000);
}

static void bad_usage(void) {
    struct price p = price_list(PROVIDER_OPENAI, STR("gpt-4o")),
                 huge = {.known = true, .rates = {INT64_MAX, 1, -1, -1, -1}};
    struct price max = {.known = true, .rates = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
    uint64_t nano = 7;
    CHECK(!price_cost(&p, &(struct usage){.prompt = 5, .cached = 6}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = 5, .cached = 3, .cache_write = 3}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = 5, .cached = UINT64_MAX, .cache_write = 6}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.output = 1, .reasoning = 2}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = UINT64_MAX, .output = UINT64_MAX}, &nano));
    CHECK(!price_cost(&huge, &(struct usage){.prompt = UINT64_MAX}, &nano));
    CHECK(!price_cost(&max, &(struct usage){.prompt = UINT64_MAX, .output = UINT64_MAX}, &nano));
    CHECK_INT(nano, 7);
}

static const char conf_text[] =
    "providers: [{name: openai, api_key: x}, {name: mine, kind: vllm}, {name: other, api_key: y}]\n"
    "models:\n"
    "- {name: smart, targets: [{provider: openai, model: gpt-4o}], price: {output: 8}}\n"
    "- {name: own, targets: [{provider: other}], price: {input: 1, output: 2, reasoning: 3}}\n"
    "prices:\n"
    "  openai/gpt-4o: {input: 2, output: 9}\n"
    "  gpt-5.4: {input: 1}\n"
    "  smart: {cache_write: 4}\n"
    "  half: {input: 1}\n";

static void configured(void) {
    struct conf_problems problems;
    struct conf_env env = {0};
    struct conf *c = NULL;
    conf_problems_init(&problems);
    REQUIRE(conf_load_text(str_c(conf_text), STR("f"), &env, &problems, &c));
    const struct conf_provider *openai = conf_provider_find(c, STR("openai"));
    struct price p = price_find(c, NULL, &(struct price_subject){NULL, openai, STR("gpt-4o")});
    CHECK(p.known && p.source == PRICE_FROM_CONF);
    CHECK_INT(p.rates.input, 2000000);
    CHECK_INT(p.rates.output, 9000000);
    CHECK_INT(p.rates.cached_input, 1250000);
    p = price_find(c, NULL, &(struct price_subject){conf_model_find(c, STR("smart")), openai, STR("gpt-4o")});
    CHECK_INT(p.rates.input, 2000000);
    CHECK_INT(p.rates.output, 8000000);
    p = price_find(c, NULL, &(struct price_subject){NULL, openai, STR("gpt-5.4")});
    CHECK_INT(p.rates.input, 1000000);
    CHECK_INT(p.rates.output, 15000000);
    CHECK_INT(p.long_from, 0);
    p = price_find(
        c, NULL,
        &(struct price_subject){conf_model_find(c, STR("own")), conf_provider_find(c, STR("other")), STR("own")});
    CHECK(p.known && p.rates.reasoning == 3000000);
    p = price_find(c, NULL, &(struct price_subject){NULL, openai, STR("half")});
    CHECK(!p.known && p.source == PRICE_FROM_CONF);
    p = price_find(c, NULL, &(struct price_subject){NULL, openai, STR("gpt-4o-mini")});
    CHECK(p.known && p.source == PRICE_FROM_TABLE);
    p = price_find(c, NULL, &(struct price_subject){NULL, conf_provider_find(c, STR("mine")), STR("x")});
    CHECK(p.known && p.rates.input == 0);
    conf_unref(c);
    conf_problems_free(&problems);
}

struct table_row {
    enum provider_kind kind;
    const char *model;
};
static const struct table_row table[] = {
#define VENDOR(kind, day, source)
#define PRICE(owner, name, in, cached, write, out) {PROVIDER_##owner, name},
#define PRICE_LONG(owner, name, from, in, cached, write, out)
#include "model/price_table.def"
#undef VENDOR
#undef PRICE
#undef PRICE_LONG
};
static const struct table_row long_table[] = {
#define VENDOR(kind, day, source)
#define PRICE(owner, name, in, cached, write, out)
#define PRICE_LONG(owner, name, from, in, cached, write, out) {PROVIDER_##owner, name},
#include "model/price_table.def"
#undef VENDOR
#undef PRICE
#undef PRICE_LONG
};

static void table_is_sound(void) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct price p = price_list(table[i].kind, str_c(table[i].model));
        if (i && (table[i - 1].kind > table[i].kind ||
                  (table[i - 1].kind == table[i].kind && strcmp(table[i - 1].model, table[i].model) >= 0)))
            CHECK(false && "the table is out of order");
        if (!p.known) fprintf(stderr, "%s\n", table[i].model);
        CHECK(p.known && p.rates.input > 0);
        CHECK(p.rates.cached_input <= p.rates.input && p.rates.output >= 0);
        CHECK(price_as_of(table[i].kind).n == 10);
    }
    for (size_t i = 0; i < ARRAY_LEN(long_table); i++) {
        struct price p = price_list(long_table[i].kind, str_c(long_table[i].model));
        CHECK(p.known && p.long_from && p.long_rates.input > p.rates.input);
    }
    CHECK_INT(price_as_of(PROVIDER_OLLAMA).n, 0);
}

TEST_MAIN(list_prices, unknown_is_not_zero, versions, costs, rounding, long_prompts, bad_usage, configured,
          table_is_sound)
