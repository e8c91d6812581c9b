// What is known of a target: the catalogue's entry, and what the configuration says over it.
#include "check.h"
#include "model/facts.h"

static const char conf_text[] =
    "providers: [{name: openai, api_key: x}, {name: mine, kind: vllm}, {name: other, api_key: y}]\n"
    "models:\n"
    "- {name: smart, targets: [{provider: openai, model: gpt-4o}], price: {output: 8}}\n"
    "- {name: own, targets: [{provider: other}], price: {input: 1, output: 2, reasoning: 3}}\n"
    "prices:\n"
    "  openai/gpt-4o: {input: 2, output: 9}\n"
    "  gpt-5.4: {input: 1}\n"
    "  smart: {cache_write: 4}\n"
    "  half: {input: 1}\n"
    "tenants:\n"
    "- {name: acme, prices: {openai/gpt-4o: {output: 5}}, models: [{name: bot, base: openai/gpt-4o-mini,\n"
    "   targets: [{provider: openai, model: ft-acme-1}], context_window: 9000, capabilities: [tools]}]}\n";

static void configured(void) {
    struct conf_problems problems;
    struct conf_env env = {0};
    struct conf *c = NULL;
    struct model_catalog *catalog;
    struct model_entry facts;
    struct err err;
    REQUIRE(model_catalog_builtin(&catalog, &err));
    conf_problems_init(&problems);
    REQUIRE(conf_load_text(str_c(conf_text), STR("f"), &env, &problems, &c));
    const struct conf_provider *openai = conf_provider_find(c, STR("openai"));
    struct price p = model_price(catalog, c, NULL, &(struct model_target){NULL, openai, STR("gpt-4o")});
    CHECK(p.known && p.source == PRICE_FROM_CONF);
    CHECK_INT(p.rates.input, 2000000);
    CHECK_INT(p.rates.output, 9000000);
    CHECK_INT(p.rates.cached_input, 1250000);
    p = model_price(catalog, c, NULL, &(struct model_target){conf_model_find(c, STR("smart")), openai, STR("gpt-4o")});
    CHECK_INT(p.rates.input, 2000000);
    CHECK_INT(p.rates.output, 8000000);
    p = model_price(catalog, c, NULL, &(struct model_target){NULL, openai, STR("gpt-5.4")});
    CHECK_INT(p.rates.input, 1000000);
    CHECK_INT(p.rates.output, 15000000);
    CHECK_INT(p.long_from, 0);
    p = model_price(
        catalog, c, NULL,
        &(struct model_target){conf_model_find(c, STR("own")), conf_provider_find(c, STR("other")), STR("own")});
    CHECK(p.known && p.rates.reasoning == 3000000);
    p = model_price(catalog, c, NULL, &(struct model_target){NULL, openai, STR("half")});
    CHECK(!p.known && p.source == PRICE_FROM_CONF);
    p = model_price(catalog, c, NULL, &(struct model_target){NULL, openai, STR("gpt-4o-mini")});
    CHECK(p.known && p.source == PRICE_FROM_TABLE);
    p = model_price(catalog, c, NULL, &(struct model_target){NULL, conf_provider_find(c, STR("mine")), STR("x")});
    CHECK(p.known && p.rates.input == 0);

    const struct conf_tenant *acme = conf_tenant_find(c, STR("acme"));
    p = model_price(catalog, c, acme, &(struct model_target){NULL, openai, STR("gpt-4o")});
    CHECK_INT(p.rates.output, 5000000);
    CHECK_INT(p.rates.input, 2000000);
    struct model_target bot = {map_get(&acme->model_map, STR("bot")), openai, STR("ft-acme-1")};
    REQUIRE(bot.model);
    CHECK(model_facts(catalog, c, acme, &bot, &facts));
    CHECK_STR(facts.name, STR("openai/gpt-4o-mini"));
    CHECK_INT(facts.context_window, 9000);
    CHECK_INT(facts.max_output, 9000);
    CHECK_INT(facts.can, MODEL_CAN_TOOLS | MODEL_CAN_STREAMING);
    CHECK(facts.price.known && facts.price.rates.input == 150000);
    CHECK(!model_facts(catalog, c, NULL, &(struct model_target){NULL, openai, STR("nobody")}, &facts));
    CHECK(!facts.name.n && !facts.price.known && !facts.can && !facts.context_window);
    CHECK(!model_facts(catalog, c, NULL, &(struct model_target){NULL, conf_provider_find(c, STR("mine")), STR("x")},
                       &facts));
    CHECK(facts.price.known && facts.price.rates.output == 0);
    model_catalog_unref(catalog);
    conf_unref(c);
    conf_problems_free(&problems);
}

TEST_MAIN(configured)
