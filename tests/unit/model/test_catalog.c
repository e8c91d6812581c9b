// The catalogue of models: what is built in, names with versions, files over it, and files that are wrong in every way.
#include "base/buf.h"
#include "base/json_write.h"
#include "check.h"
#include "model/catalog.h"

#include <stdlib.h>

static struct model_catalog *builtin(void) {
    struct model_catalog *c;
    struct err err;
    if (!model_catalog_builtin(&c, &err)) fprintf(stderr, "%s\n", err.message), exit(1);
    return c;
}

static int64_t input_of(const struct model_catalog *c, const char *kind, const char *name) {
    const struct model_entry *e = model_catalog_find(c, str_c(kind), str_c(name));
    return e ? e->price.rates.input : PRICE_NONE;
}

static const struct {
    const char *kind, *name;
    int64_t input; // PRICE_NONE: unknown
} named[] = {
    {"openai", "gpt-4o-2024-08-06", 2500000},
    {"openai", "gpt-4o-2024-05-13", 5000000},
    {"openai", "gpt-4o-mini-2024-07-18", 150000},
    {"openai", "gpt-4-1106-preview", 10000000},
    {"openai", "gpt-4-0613", 30000000},
    {"openai", "gpt-3.5-turbo-0125", 500000},
    {"openai", "gpt-5-chat-latest", 1250000},
    {"anthropic", "claude-sonnet-4-20250514", 3000000},
    {"anthropic", "claude-sonnet-4@20250514", 3000000},
    {"anthropic", "claude-opus-4-5-20251101", 5000000},
    {"anthropic", "claude-opus-4-20250514", 15000000},
    {"anthropic", "claude-3-5-haiku-latest", 800000},
    {"anthropic", "claude-opus-4-99", PRICE_NONE},
    {"gemini", "models/gemini-2.5-flash", 300000},
    {"gemini", "gemini-2.5-pro-preview-05-06", 1250000},
    {"gemini", "gemini-2.0-flash-001", 100000},
    {"gemini", "gemini-3-pro-preview", 2000000},
    {"mistral", "mistral-large-latest", 500000},
    {"mistral", "mistral-large-2411", 2000000},
    {"mistral", "codestral-2508", 300000},
    {"xai", "grok-4-0709", 3000000},
    {"deepseek", "deepseek-chat", 280000},
    {"openrouter", "openai/gpt-4o", 2500000},
    {"openrouter", "anthropic/claude-opus-4.5", 5000000},
    {"openrouter", "anthropic/claude-3.5-haiku", 800000},
    {"openrouter", "google/gemini-2.5-pro", 1250000},
    {"openrouter", "x-ai/grok-4", 3000000},
    {"openrouter", "meta-llama/llama-3-8b", PRICE_NONE},
    {"openrouter", "gpt-4o", PRICE_NONE},
    {"azure", "gpt-4o-2024-08-06", 2500000},
    {"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3000000},
    {"bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-3-haiku-20240307-v1:0", 250000},
    {"bedrock", "us.nobody.knows-v1:0", PRICE_NONE},
    {"vertex", "publishers/google/models/gemini-2.5-pro", 1250000},
    {"vertex", "claude-opus-4-1@20250805", 15000000},
    {"github", "openai/gpt-4o", 2500000},
    {"fireworks", "kimi-k2p6", 950000},
    {"openai", "ft:gpt-4o-mini-2024-07-18:acme:bot:id", 300000},
    {"nobody", "gpt-4o", PRICE_NONE},
};

static void versions(void) {
    struct model_catalog *c = builtin();
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        int64_t input = input_of(c, named[i].kind, named[i].name);
        if (input != named[i].input) fprintf(stderr, "%s/%s\n", named[i].kind, named[i].name);
        CHECK_INT(input, named[i].input);
    }
    static const char *const names[] = {"",  "gpt",         "gpt-99",      "claude-sonnet-4-5",
                                        "-", "gpt-4o:free", "ft:gpt-4o:x", "2024-08-06"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) CHECK(!model_catalog_find(c, STR("openai"), str_c(names[i])));
    char long_name[600];
    memset(long_name, 'a', sizeof long_name);
    CHECK(!model_catalog_find(c, STR("openai"), str_of(long_name, sizeof long_name)));
    memcpy(long_name, "anthropic/", 10);
    CHECK(!model_catalog_find(c, STR("openrouter"), str_of(long_name, sizeof long_name)));
    CHECK(!model_catalog_find(c, STR("fireworks"), str_of(long_name + 10, 250)));
    CHECK(model_catalog_get(c, STR("openai/gpt-4o")) == model_catalog_find(c, STR("openai"), STR("gpt-4o-2099-01-01")));
    CHECK(!model_catalog_get(c, STR("gpt-4o")));
    model_catalog_unref(c);
}

static bool price_sound(const struct price *p) {
    const struct price_rates *r = &p->rates;
    const int64_t all[] = {r->input,     r->output,   r->cached_input, r->cache_write, r->cache_write_1h,
                           r->reasoning, r->audio_in, r->audio_out,    r->image};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] < 0 && all[i] != PRICE_NONE) return false;
    if (p->known && r->input != PRICE_NONE && r->cached_input > r->input) return false;
    if (p->batch != PRICE_NONE && (p->batch <= 0 || p->batch > PRICE_BATCH_SAME)) return false;
    if (p->long_from && (p->long_rates.input < r->input || p->long_rates.output == PRICE_NONE)) return false;
    return p->known == (p->source == PRICE_FROM_TABLE);
}

// Every row of what is built in.
static void built_in(void) {
    struct model_catalog *c = builtin();
    size_t priced = 0, n = model_catalog_count(c);
    CHECK(n > 500);
    CHECK_INT(model_catalog_own(c), n);
    CHECK_STR(model_catalog_source(c), STR("built in"));
    for (size_t i = 0; i < n; i++) {
        const struct model_entry *e = model_catalog_at(c, i);
        bool sound = price_sound(&e->price) && (!e->context_window || e->max_output <= e->context_window) &&
                     e->as_of.n == 10 && e->from.n && (!i || str_cmp(e[-1].name, e->name) < 0) &&
                     (!(e->can & MODEL_CAN_PARALLEL_TOOLS) || e->can & MODEL_CAN_TOOLS) &&
                     (!(e->can & MODEL_CAN_TOOLS) || e->mode == MODEL_CHAT);
        if (!sound) fprintf(stderr, "%.*s\n", STR_ARG(e->name));
        CHECK(sound);
        CHECK(model_catalog_get(c, e->name) == e);
        priced += e->price.known;
    }
    CHECK(priced * 10 > n * 8);
    const struct model_entry *e = model_catalog_get(c, STR("anthropic/claude-sonnet-4-5"));
    REQUIRE(e);
    CHECK_INT(e->context_window, 200000);
    CHECK_INT(e->max_output, 64000);
    CHECK_INT(e->price.rates.cache_write, 3750000);
    CHECK_INT(e->price.rates.cache_write_1h, 6000000);
    CHECK_INT(e->price.long_from, 200000);
    CHECK_INT(e->price.long_rates.input, 6000000);
    CHECK_INT(e->price.batch, 500000);
    CHECK((e->can & (MODEL_CAN_VISION | MODEL_CAN_TOOLS | MODEL_CAN_STREAMING)) ==
          (MODEL_CAN_VISION | MODEL_CAN_TOOLS | MODEL_CAN_STREAMING));
    model_catalog_unref(c);
}

static const char own_text[] =
    "{\"penstock_models\": 1, \"models\": {\n"
    "  \"openai/gpt-4o\": {\"mode\": \"chat\", \"context_window\": 1000, \"max_output_tokens\": 10,\n"
    "    \"capabilities\": [\"vision\", \"pdf\"], \"cannot\": [\"tools\"], \"deprecated\": \"2027-01-31\", \"price\": "
    "{\"input\": 1e-1,\n"
    "    \"output\": 7, \"cached_input\": 0, \"audio_output\": 3.5, \"image\": 0.04, \"batch\": 0.25,\n"
    "    \"long_prompt\": {\"above\": 500, \"input\": 2, \"output\": 14}}},\n"
    "  \"mine/z\\u0061p\": {\"mode\": \"embedding\"}},\n"
    " \"sources\": {\"openai\": {\"as_of\": \"2026-11-21\", \"from\": \"a page\"}}}";

static void over_it(void) {
    struct model_catalog *below = builtin(), *c;
    struct err err;
    size_t n = model_catalog_count(below);
    REQUIRE(model_catalog_read(str_c(own_text), STR("a file"), below, &c, &err));
    model_catalog_unref(below);
    CHECK_INT(model_catalog_count(c), n + 1);
    CHECK_INT(model_catalog_own(c), 2);
    CHECK_STR(model_catalog_source(c), STR("a file"));
    const struct model_entry *e = model_catalog_get(c, STR("openai/gpt-4o"));
    REQUIRE(e);
    CHECK_INT(e->context_window, 1000);
    CHECK_INT(e->can, MODEL_CAN_VISION | MODEL_CAN_PDF);
    CHECK_INT(e->cannot, MODEL_CAN_TOOLS);
    CHECK_INT(e->price.rates.input, 100000);
    CHECK_INT(e->price.rates.cached_input, 0);
    CHECK_INT(e->price.rates.cache_write, PRICE_NONE);
    CHECK_INT(e->price.rates.audio_out, 3500000);
    CHECK_INT(e->price.rates.image, 40000000000);
    CHECK_INT(e->price.batch, 250000);
    CHECK_INT(e->price.long_from, 500);
    CHECK_STR(e->deprecated, STR("2027-01-31"));
    CHECK_STR(e->as_of, STR("2026-11-21"));
    CHECK_INT(input_of(c, "anthropic", "claude-opus-4-5"), 5000000); // what is below is there
    e = model_catalog_get(c, STR("mine/zap"));
    REQUIRE(e);
    CHECK(!e->price.known && e->mode == MODEL_EMBEDDING && !e->as_of.n);
    for (size_t i = 1; i < model_catalog_count(c); i++)
        CHECK(str_cmp(model_catalog_at(c, i - 1)->name, model_catalog_at(c, i)->name) < 0);
    model_catalog_unref(c);
}

// What is written of an entry is what a file says of it.
static void round_trip(void) {
    struct model_catalog *c, *again;
    struct err err;
    struct buf out = BUF_INIT(1 << 20);
    REQUIRE(model_catalog_read(str_c(own_text), STR("f"), NULL, &c, &err));
    model_catalog_put(c, &out);
    REQUIRE(!out.failed);
    if (!model_catalog_read(buf_str(&out), STR("g"), NULL, &again, &err)) fprintf(stderr, "%s\n", err.message);
    REQUIRE(model_catalog_count(again) == model_catalog_count(c));
    for (size_t i = 0; i < model_catalog_count(c); i++) {
        const struct model_entry *a = model_catalog_at(c, i), *b = model_catalog_at(again, i);
        CHECK_STR(b->name, a->name);
        CHECK(a->mode == b->mode && a->can == b->can && a->cannot == b->cannot &&
              a->context_window == b->context_window);
        CHECK(!memcmp(&a->price.rates, &b->price.rates, sizeof a->price.rates));
        CHECK(!memcmp(&a->price.long_rates, &b->price.long_rates, sizeof a->price.rates));
        CHECK(a->price.batch == b->price.batch && a->price.long_from == b->price.long_from);
        CHECK_STR(b->deprecated, a->deprecated);
        CHECK_STR(b->from, a->from);
    }
    model_catalog_unref(again);
    model_catalog_unref(c);
    buf_free(&out);
}

#define ONE(model) "{\"penstock_models\": 1, \"models\": {\"a/b\": " model "}}"
#define PRICED(price) ONE("{\"mode\": \"chat\", \"price\": " price "}")
#define LITELLM(members) "{\"x\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\"" members "}}"

static const struct {
    const char *text, *says;
} wrong[] = {
    {"", "invalid JSON"},
    {"{", "invalid JSON"},
    {"[]", "wrong value"},
    {"{}", "no model"},
    {"{\"models\": {}}", "penstock_models"},
    {"{\"penstock_models\": 1, \"models\": {}}", "no model"},
    {"{\"penstock_models\": 2, \"models\": {}}", "version 1"},
    {"{\"penstock_models\": 1, \"models\": {}, \"x\": 1}", "not known here"},
    {"{\"penstock_models\": 1, \"models\": {}, \"models\": {}}", "there twice"},
    {"{\"penstock_models\": 1, \"models\": {}, \"sources\": []}", "wrong value"},
    {"{\"penstock_models\": 1, \"models\": {}, \"sources\": {\"a\": {\"as_of\": \"soon\"}}}", "a day"},
    {"{\"penstock_models\": 1, \"models\": {}, \"sources\": {\"a\": {\"b\": 1}}}", "not known here"},
    {"{\"penstock_models\": 1, \"models\": {\"gpt\": {\"mode\": \"chat\"}}}", "a provider's kind and a model"},
    {"{\"penstock_models\": 1, \"models\": {\"/gpt\": {\"mode\": \"chat\"}}}", "a provider's kind and a model"},
    {"{\"penstock_models\": 1, \"models\": {\"gpt/\": {\"mode\": \"chat\"}}}", "a provider's kind and a model"},
    {"{\"penstock_models\": 1, \"models\": {\"a/b\": {\"mode\": \"chat\"}, \"a/b\": {\"mode\": \"chat\"}}}",
     "\"a/b\" is in it twice"},
    {ONE("[]"), "model \"a/b\": wrong value"},
    {ONE("{}"), "mode is missing"},
    {ONE("{\"mode\": \"chat\", \"capabilities\": [\"pdf\"], \"cannot\": [\"pdf\"]}"), "can and cannot do"},
    {ONE("{\"mode\": \"chatty\"}"), "expected chat"},
    {ONE("{\"mode\": 1}"), "wrong value"},
    {ONE("{\"mode\": \"chat\", \"mode\": \"chat\"}"), "there twice"},
    {ONE("{\"mode\": \"chat\", \"window\": 5}"), "not known here"},
    {ONE("{\"mode\": \"chat\", \"context_window\": -1}"), "negative or too large"},
    {ONE("{\"mode\": \"chat\", \"context_window\": 1e12}"), "negative or too large"},
    {ONE("{\"mode\": \"chat\", \"context_window\": 1e999}"), "negative or too large"},
    {ONE("{\"mode\": \"chat\", \"context_window\": 1.5}"), "whole number"},
    {ONE("{\"mode\": \"chat\", \"context_window\": \"8k\"}"), "wrong value"},
    {ONE("{\"mode\": \"chat\", \"context_window\": 5, \"max_output_tokens\": 6}"), "more than context_window"},
    {ONE("{\"mode\": \"chat\", \"capabilities\": [\"telepathy\"]}"), "not something a model can do"},
    {ONE("{\"mode\": \"chat\", \"capabilities\": \"vision\"}"), "wrong value"},
    {ONE("{\"mode\": \"chat\", \"capabilities\": [1]}"), "wrong value"},
    {ONE("{\"mode\": \"chat\", \"deprecated\": \"2027-13-01\"}"), "a day"},
    {ONE("{\"mode\": \"chat\", \"deprecated\": \"2027-1-1\"}"), "a day"},
    {ONE("{\"mode\": \"chat\", \"deprecated\": \"\"}"), "empty or too long"},
    {PRICED("7"), "wrong value"},
    {PRICED("{}"), "a price has"},
    {PRICED("{\"input\": 1}"), "a price has"},
    {PRICED("{\"input\": 1, \"output\": -1}"), "negative or too large"},
    {PRICED("{\"input\": 1, \"output\": 1e7}"), "negative or too large"},
    {PRICED("{\"input\": 1, \"output\": \"2\"}"), "wrong value"},
    {PRICED("{\"input\": 1, \"output\": 2, \"input\": 1}"), "there twice"},
    {PRICED("{\"input\": 1, \"output\": 2, \"inputs\": 1}"), "not known here"},
    {PRICED("{\"input\": 1, \"output\": 2, \"batch\": 1.5}"), "negative or too large"},
    {PRICED("{\"input\": 1, \"output\": 2, \"long_prompt\": {\"above\": 5, \"input\": 1}}"), "above, input"},
    {PRICED("{\"input\": 1, \"output\": 2, \"long_prompt\": {\"input\": 1, \"output\": 2}}"), "above, input"},
    {PRICED("{\"input\": 1, \"output\": 2, \"long_prompt\": {\"over\": 1}}"), "not known here"},
    {"{\"x\": 1}", "model \"x\": wrong value"},
    {"{\"x\": {\"mode\": \"chat\"}}", "no model"},
    {LITELLM(", \"input_cost_per_token\": -1"), "model \"x\": wrong value"},
    {LITELLM(", \"input_cost_per_token\": 2"), "negative or too large"},
    {LITELLM(", \"output_cost_per_token_above_200k_tokens\": \"x\""), "wrong value"},
    {LITELLM(", \"max_input_tokens\": \"many\""), "wrong value"},
    {LITELLM(", \"supports_vision\": \"yes\""), "wrong value"},
    {"{\"x\": {\"litellm_provider\": \"openai\", \"mode\": \"telepathy\"}}", "no model"},
};

static void wrong_files(void) {
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct model_catalog *c = NULL;
        struct err err;
        bool ok = model_catalog_read(str_c(wrong[i].text), STR("f"), NULL, &c, &err);
        CHECK(!ok && !c);
        if (ok || strstr(err.message, wrong[i].says)) continue;
        fprintf(stderr, "%s\n  said: %s\n", wrong[i].text, err.message);
        CHECK(false);
    }
}

static void where_it_is_wrong(void) {
    struct model_catalog *c;
    struct err err;
    static const char text[] = "{\"penstock_models\": 1,\n \"models\": {\n  \"a/b\": {\"mode\": \"chat\",\n"
                               "    \"price\": {\"input\": 1, \"output\": \"free\"}}}}";
    CHECK(!model_catalog_read(str_c(text), STR("f"), NULL, &c, &err));
    CHECK(strstr(err.message, "line 4, column 37"));
}

static const char litellm_text[] =
    "{\"sample_spec\": {\"mode\": \"one of\", \"max_tokens\": \"text\"},\n"
    " \"gpt-x\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\", \"max_input_tokens\": 1000000, \"max_tokens\": "
    "5,\n"
    "   \"max_output_tokens\": 2000000, \"input_cost_per_token\": 2.5e-06, \"output_cost_per_token\": 1e-05,\n"
    "   \"cache_read_input_token_cost\": 2.5e-07, \"input_cost_per_token_batches\": 1.25e-06,\n"
    "   \"cache_creation_input_token_cost\": 3e-06, \"cache_creation_input_token_cost_above_1hr\": 6e-06,\n"
    "   \"cache_creation_input_token_cost_above_1hr_above_200k_tokens\": 1.2e-05,\n"
    "   \"input_cost_per_token_above_200k_tokens\": 5e-06, \"output_cost_per_token_above_200k_tokens\": 2e-05,\n"
    "   \"input_cost_per_token_above_500k_tokens\": 1e-04, \"input_cost_per_token_flex\": 1,\n"
    "   \"supports_vision\": true, \"supports_reasoning\": null, \"supports_function_calling\": false,\n"
    "   \"deprecation_date\": \"2027-02-03\", \"anything\": {\"else\": [1]}},\n"
    " \"together_ai/org/m\": {\"litellm_provider\": \"together_ai\", \"mode\": \"embedding\",\n"
    "   \"input_cost_per_token\": 1e-08},\n"
    " \"vertex_ai/x@1\": {\"litellm_provider\": \"vertex_ai-language-models\", \"mode\": \"chat\"},\n"
    " \"o/free\": {\"litellm_provider\": \"o\", \"mode\": \"chat\", \"input_cost_per_token\": 0, "
    "\"output_cost_per_token\": 0},\n"
    " \"deepseek-x\": {\"litellm_provider\": \"deepseek\", \"mode\": \"chat\"},\n"
    " \"deepseek/deepseek-x\": {\"litellm_provider\": \"deepseek\", \"mode\": \"chat\", \"input_cost_per_token\": "
    "1e-06,\n"
    "   \"output_cost_per_token\": 1e-06},\n"
    " \"dall\": {\"litellm_provider\": \"openai\", \"mode\": \"image_generation\", \"output_cost_per_image\": 0.04}}";

static void litellm(void) {
    struct model_catalog *c;
    struct err err;
    if (!model_catalog_read(str_c(litellm_text), STR("f"), NULL, &c, &err))
        fprintf(stderr, "%s\n", err.message), exit(1);
    CHECK_INT(model_catalog_count(c), 6);
    const struct model_entry *e = model_catalog_get(c, STR("openai/gpt-x"));
    REQUIRE(e);
    CHECK_INT(e->context_window, 1000000);
    CHECK_INT(e->cannot, MODEL_CAN_TOOLS);
    CHECK_INT(e->max_output, 1000000);
    CHECK_INT(e->price.rates.input, 2500000);
    CHECK_INT(e->price.rates.output, 10000000);
    CHECK_INT(e->price.rates.cached_input, 250000);
    CHECK_INT(e->price.rates.cache_write, 3000000);
    CHECK_INT(e->price.rates.cache_write_1h, 6000000);
    CHECK_INT(e->price.batch, 500000);
    CHECK_INT(e->price.long_from, 200000);
    CHECK_INT(e->price.long_rates.input, 5000000);
    CHECK_INT(e->price.long_rates.output, 20000000);
    CHECK_INT(e->price.long_rates.cache_write_1h, 12000000);
    CHECK_INT(e->can, MODEL_CAN_VISION | MODEL_CAN_STREAMING);
    CHECK_STR(e->deprecated, STR("2027-02-03"));
    CHECK_INT(input_of(c, "together", "org/m"), 10000);
    CHECK(model_catalog_get(c, STR("together/org/m"))->price.known);
    CHECK(model_catalog_get(c, STR("vertex/x@1")));
    CHECK(!model_catalog_get(c, STR("o/free"))->price.known);
    CHECK_INT(input_of(c, "deepseek", "deepseek-x"), 1000000);
    CHECK_INT(model_catalog_get(c, STR("openai/dall"))->price.rates.image, 40000000000);
    model_catalog_unref(c);
}

TEST_MAIN(versions, built_in, over_it, round_trip, wrong_files, where_it_is_wrong, litellm)
