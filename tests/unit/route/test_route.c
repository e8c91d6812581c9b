// From a model's name to targets: priorities, weights, aliases, names passed through, and names that nobody has.
#include "routes.h"

static bool resolve(struct routes *w, const struct conf_tenant *tenant, struct str name, uint64_t draw,
                    struct route *out_route, struct err *err) {
    const struct route_ask ask = routes_ask(w, tenant, draw);
    return route_resolve(&ask, name, out_route, NULL, err);
}

#define PROVIDERS                                                                                                      \
    "providers:\n"                                                                                                     \
    "  - {name: a, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: k}\n"                                     \
    "  - {name: b, kind: openai, base_url: 'http://127.0.0.1:2/v1', api_key: k}\n"                                     \
    "  - {name: c, kind: openai, base_url: 'http://127.0.0.1:3/v1', api_key: k}\n"

// "abc": the providers' names in the order of the targets.
static void order_of(const struct route *r, char out[ROUTE_TARGETS_MAX + 1]) {
    for (size_t i = 0; i < r->count; i++) out[i] = r->targets[i].provider->name.p[0];
    out[r->count] = '\0';
}

static void test_priorities_and_weights(void) {
    struct routes w;
    routes_open(&w, STR(PROVIDERS "models:\n"
                                  "  - name: m\n"
                                  "    targets:\n"
                                  "      - {provider: a, model: x, priority: 5}\n"
                                  "      - {provider: b, model: y, priority: 1, weight: 3}\n"
                                  "      - {provider: c, model: z, priority: 1, weight: 1}\n"));
    unsigned first_b = 0, first_c = 0;
    for (uint64_t draw = 0; draw < 4000; draw++) {
        struct route r;
        struct err err;
        char order[ROUTE_TARGETS_MAX + 1];
        REQUIRE(resolve(&w, NULL, STR("m"), draw, &r, &err));
        CHECK(r.model != NULL);
        CHECK_INT(r.count, 3);
        order_of(&r, order);
        first_b += str_eq(str_c(order), STR("bca"));
        first_c += str_eq(str_c(order), STR("cba"));
    }
    CHECK(first_b > 2850 && first_b < 3150); // every draw counts the same
    CHECK(first_c > 850 && first_c < 1150);
    struct route r;
    struct err err;
    REQUIRE(resolve(&w, NULL, STR("m"), UINT64_MAX, &r, &err));
    CHECK_INT(r.count, 3);
    routes_close(&w);
}

static void test_weight_of_nothing(void) {
    struct routes w;
    routes_open(&w, STR(PROVIDERS "models:\n"
                                  "  - {name: m, targets: [{provider: a, weight: 0}, {provider: b}]}\n"));
    struct route r;
    struct err err;
    char order[ROUTE_TARGETS_MAX + 1];
    for (uint64_t draw = 0; draw < 100; draw++) {
        REQUIRE(resolve(&w, NULL, STR("m"), draw, &r, &err));
        order_of(&r, order);
        CHECK_STR(str_c(order), STR("b"));
        CHECK_STR(r.targets[0].model, STR("m"));
    }
    routes_close(&w);
}

// More targets than a route holds: those of the lowest priority numbers stay, wherever they stand.
static void test_many_targets(void) {
    struct buf text = BUF_INIT(1 << 16);
    buf_lit(&text, PROVIDERS "models:\n  - name: m\n    targets:\n");
    for (int i = 0; i < 40; i++) buf_printf(&text, "      - {provider: a, model: m%02d, priority: %d}\n", i, 40 - i);
    struct routes w;
    routes_open(&w, buf_str(&text));
    struct route r;
    struct err err;
    REQUIRE(resolve(&w, NULL, STR("m"), 7, &r, &err));
    CHECK_INT(r.count, ROUTE_OWN_MAX);
    for (size_t i = 0; i < r.count; i++) {
        char want[8];
        snprintf(want, sizeof want, "m%02zu", 39 - i);
        CHECK_STR(r.targets[i].model, str_c(want));
    }
    routes_close(&w);
    buf_free(&text);
}

static void test_names(void) {
    struct routes w;
    routes_open(&w, STR(PROVIDERS
                        "models:\n"
                        "  - {name: fast-model, targets: [{provider: a, model: up}], price: {input: 1, output: 2}}\n"
                        "aliases: {quick: fast-model, other: b/deep/name}\n"));
    struct route r;
    struct err err;
    REQUIRE(resolve(&w, NULL, STR("quick"), 0, &r, &err));
    CHECK(r.model && r.count == 1);
    CHECK_STR(r.targets[0].model, STR("up"));
    CHECK(r.targets[0].price->known);
    REQUIRE(resolve(&w, NULL, STR("other"), 0, &r, &err));
    CHECK(!r.model && r.count == 1);
    CHECK_STR(r.targets[0].provider->name, STR("b"));
    CHECK_STR(r.targets[0].model, STR("deep/name"));
    CHECK(!r.targets[0].price->known);
    REQUIRE(resolve(&w, NULL, STR("c/gpt-4o"), 0, &r, &err));
    CHECK_STR(r.targets[0].provider->name, STR("c"));
    CHECK_STR(r.targets[0].model, STR("gpt-4o"));
    CHECK(r.targets[0].price->known);
    routes_close(&w);
}

static void test_unknown_names(void) {
    struct routes w;
    routes_open(&w, STR(PROVIDERS "models:\n  - {name: fast-model, targets: [{provider: a, model: up}]}\n"
                                  "passthrough_models: false\n"));
    static const struct {
        struct str name;
        bool suggested;
    } cases[] = {
        {STR_INIT("fast-modle"), true}, {STR_INIT("zzzzzzzzzzzzzzzzzzzz"), false}, {STR_INIT("a/gpt-4o"), false},
        {STR_INIT("/"), false},         {STR_INIT("\x01\xff\"\\"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct route r = {.count = 77};
        struct err err;
        CHECK(!resolve(&w, NULL, cases[i].name, 0, &r, &err));
        CHECK_INT(err.code, ERR_MODEL_NOT_FOUND);
        CHECK_INT(err.status, 404);
        CHECK_STR(str_c(err.param), STR("model"));
        CHECK((strstr(err.message, "did you mean") != NULL) == cases[i].suggested);
        CHECK_INT(r.count, 77);
    }
    char long_name[256];
    struct route r;
    struct err err;
    memset(long_name, 'x', sizeof long_name);
    CHECK(!resolve(&w, NULL, str_of(long_name, sizeof long_name), 0, &r, &err));
    routes_close(&w);
}

static void test_tenants(void) {
    struct routes w;
    routes_open(&w, STR(PROVIDERS "models:\n"
                                  "  - {name: shared, price: {input: 1, output: 2}, targets: [{provider: a}]}\n"
                                  "tenants:\n"
                                  "  - name: acme\n"
                                  "    models:\n"
                                  "      - {name: acme-own, targets: [{provider: b}]}\n"
                                  "    prices: {shared: {input: 3}, gpt-4o: {input: 5, output: 6}}\n"
                                  "  - name: team\n"
                                  "    parent: acme\n"
                                  "    allow_models: [shared, acme-own]\n"
                                  "    models:\n"
                                  "      - name: acme-own\n"
                                  "        price: {input: 7, output: 8}\n"
                                  "        targets: [{provider: c}]\n"
                                  "    prices: {acme-own: {input: 9, output: 9, cached_input: 1}}\n"
                                  "  - {name: other, models: [{name: sharee, targets: [{provider: a}]}]}\n"
                                  "passthrough_models: false\n"));
    const struct conf_tenant *acme = conf_tenant_find(w.conf, STR("acme")),
                             *team = conf_tenant_find(w.conf, STR("team"));
    struct route r;
    struct err err;
    REQUIRE(resolve(&w, acme, STR("acme-own"), 0, &r, &err));
    CHECK_STR(r.targets[0].provider->name, STR("b"));
    CHECK(!r.targets[0].price->known);
    REQUIRE(resolve(&w, team, STR("acme-own"), 0, &r, &err));
    CHECK_STR(r.targets[0].provider->name, STR("c"));
    CHECK_INT(r.targets[0].price->rates.input, 7000000); // the model's own goes before prices by name
    CHECK_INT(r.targets[0].price->rates.cached_input, 1000000);
    REQUIRE(resolve(&w, NULL, STR("shared"), 0, &r, &err));
    CHECK_INT(r.targets[0].price->rates.input, 1000000);
    REQUIRE(resolve(&w, team, STR("shared"), 0, &r, &err));
    CHECK_INT(r.targets[0].price->rates.input, 3000000); // the parent's
    CHECK_INT(r.targets[0].price->rates.output, 2000000);
    // Nobody hears of what is another's, or of what is closed to him.
    CHECK(!resolve(&w, NULL, STR("acme-owm"), 0, &r, &err));
    CHECK(!strstr(err.message, "acme-own"));
    CHECK(!resolve(&w, acme, STR("acme-owm"), 0, &r, &err));
    CHECK(strstr(err.message, "did you mean \"acme-own\"") != NULL);
    CHECK(!resolve(&w, team, STR("sharex"), 0, &r, &err));
    CHECK(strstr(err.message, "did you mean \"shared\"") != NULL);
    CHECK(!resolve(&w, conf_tenant_find(w.conf, STR("other")), STR("acme-own"), 0, &r, &err));
    CHECK_INT(err.code, ERR_MODEL_NOT_FOUND);
    routes_close(&w);
}

static bool begin(const struct route_table *table) {
    struct board_ticket ticket;
    struct board_refusal refusal;
    return board_begin(table->models[0].nodes[0].slot, limit_tokens(1, 0), 0, 1000, 0, &ticket, &refusal);
}

// A configuration that was made and never came in force, as of a dry run, leaves the targets as they are.
static void test_only_what_is_in_force(void) {
    struct routes w;
    struct err err;
    struct route_table *next;
    routes_open(&w, STR("providers: [{name: a, kind: demo}]\n"
                        "models: [{name: m, targets: [{provider: a, model: x, limits: {concurrency: 2}}]}]\n"));
    struct conf *conf = routes_load(STR("providers: [{name: a, kind: demo}]\n"
                                        "models: [{name: m, targets: [{provider: a, model: x,"
                                        " limits: {concurrency: 1}}]}]\n"));
    CHECK(begin(w.table));
    REQUIRE(route_table_create(conf, w.models, w.board, 1, &next, &err));
    CHECK(begin(w.table));
    CHECK(!begin(w.table));
    route_table_free(next);
    REQUIRE(route_table_create(conf, w.models, w.board, 1, &next, &err));
    struct board_view view;
    board_view(next->models[0].nodes[0].slot, 1000, &view);
    CHECK_INT(view.concurrency, 2);
    route_table_tune(next);
    board_view(next->models[0].nodes[0].slot, 1000, &view);
    CHECK_INT(view.concurrency, 1);
    route_table_free(next);
    conf_unref(conf);
    routes_close(&w);
}

// A target of several models: the smallest of each of its limits holds, for else the first model's word.
static void test_a_target_of_two_models(void) {
    static const char *const models[] = {
        "models: [{name: m, targets: [{provider: a, model: x, limits: {requests_per_minute: 2}}, {provider: b}],\n"
        "          routing: {breaker: {failures: 1}}},\n"
        "         {name: n, targets: [{provider: a, model: x, limits: {concurrency: 7}}]}]\n",
        "models: [{name: m, targets: [{provider: a, model: x, limits: {concurrency: 9}}, {provider: b}],\n"
        "          routing: {breaker: {failures: 1}}}]\n"
        "tenants: [{name: t, models: [{name: m, targets: [{provider: a, model: x,\n"
        "           limits: {concurrency: 7, requests_per_minute: 2}}]}]}]\n"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        struct routes w;
        struct board_ticket ticket;
        struct board_refusal refusal;
        struct buf text = BUF_INIT(1 << 16);
        buf_printf(&text, PROVIDERS "%s", models[i]);
        routes_open(&w, buf_str(&text));
        struct board_slot *slot = w.table->models[0].nodes[0].slot;
        REQUIRE(slot == w.table->models[1].nodes[0].slot);
        struct board_view view;
        board_view(slot, 1000, &view);
        CHECK_INT(view.concurrency, 7);
        CHECK(view.room[LIMIT_OF_REQUESTS] == 2);
        // One of them has nobody else to ask.
        struct board_outcome limited = {.failure = FAILURE_RATE_LIMIT}, failed = {.failure = FAILURE_SERVER_ERROR};
        REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, 1000, 0, &ticket, &refusal));
        board_end(slot, &ticket, &limited, 1000);
        REQUIRE(board_begin(slot, limit_tokens(1, 0), 0, 1000, 0, &ticket, &refusal));
        board_end(slot, &ticket, &failed, 1000);
        board_view(slot, 1000, &view);
        CHECK_INT(view.breaker, BREAKER_OPEN);
        CHECK_INT(view.why, BOARD_REQUESTS);
        buf_free(&text);
        routes_close(&w);
    }
}

// A target is as its provider's keys are: while none can be used, it goes last and says until when.
static void test_keys(void) {
    struct routes w;
    struct route r;
    struct err err;
    struct board_state state;
    struct board_view v;
    routes_open(&w,
                STR("providers:\n"
                    "  - {name: a, kind: openai, base_url: 'http://127.0.0.1:1/v1', keys: [{name: k1, api_key: k},\n"
                    "     {name: k2, api_key: k, limits: {concurrency: 1}}, {name: k3, api_key: k, weight: 0}]}\n"
                    "  - {name: b, kind: demo}\n"
                    "models: [{name: m, strategy: priority, targets: [{provider: a, model: x}, {provider: b}]}]\n"));
    const struct route_node *node = &w.table->models[0].nodes[0];
    board_cooldown(node->keys[0], 9000, 1000);
    route_node_state(node, 1000, &state);
    CHECK(state.usable);
    board_cooldown(node->keys[1], 5000, 1000);
    route_node_state(node, 1000, &state);
    CHECK(!state.usable && state.why == BOARD_COOLDOWN);
    route_node_view(node, 1000, &v);
    CHECK(!v.usable && v.why == BOARD_COOLDOWN && v.retry_at_ns == 5000);
    REQUIRE(resolve(&w, NULL, STR("m"), 0, &r, &err));
    CHECK_STR(r.targets[0].provider->name, STR("b"));
    CHECK(r.count == 2 && r.targets[1].last);
    // Of a key that cools down and is at its own limits, too, the later counts.
    struct board_ticket ticket;
    struct board_refusal refusal;
    REQUIRE(board_begin(node->wholes[1], limit_tokens(1, 0), 0, 1000, 0, &ticket, &refusal));
    route_node_view(node, 1000, &v);
    CHECK(v.why == BOARD_COOLDOWN && v.retry_at_ns == 9000);
    board_end(node->wholes[1], &ticket, &(struct board_outcome){.failure = FAILURE_NONE}, 1000);
    route_node_view(node, 5000, &v);
    CHECK(v.usable);
    board_cooldown(node->keys[1], 0, 1000);
    REQUIRE(resolve(&w, NULL, STR("m"), 0, &r, &err));
    CHECK_STR(r.targets[0].provider->name, STR("a"));
    routes_close(&w);
}

// --- in a model's place ---

static const struct route_need k_plain = {.tier = TIER_SIMPLE};

static bool asks(const struct route *r, const char *provider) {
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->targets[i].provider->name, str_c(provider))) return true;
    return false;
}

static void test_fallbacks_of_a_tenant(void) {
    struct routes w;
    struct route r;
    struct err err;
    routes_open(&w, STR(PROVIDERS "models:\n"
                                  "  - name: m\n"
                                  "    routing: {fallbacks: {general: [closed, open]}}\n"
                                  "    targets: [{provider: a}]\n"
                                  "  - {name: open, targets: [{provider: b}]}\n"
                                  "  - {name: closed, targets: [{provider: c}]}\n"
                                  "tenants:\n"
                                  "  - {name: acme, allow_models: [m, open]}\n"));
    const struct conf_tenant *acme = conf_tenant_find(w.conf, STR("acme"));
    struct route_ask ask = routes_ask(&w, acme, 0);
    REQUIRE(resolve(&w, acme, STR("m"), 0, &r, &err));
    CHECK(route_fall_back(&ask, FAILURE_TIMEOUT_FIRST_TOKEN, &r));
    CHECK(asks(&r, "b"));
    CHECK(!asks(&r, "c")); // it may not use that model, however it comes to it
    ask.tenant = NULL;
    REQUIRE(resolve(&w, NULL, STR("m"), 0, &r, &err));
    CHECK(route_fall_back(&ask, FAILURE_TIMEOUT_FIRST_TOKEN, &r));
    CHECK(asks(&r, "c"));
    routes_close(&w);
}

static void test_fallbacks_of_whom_it_stands_for(void) {
    struct routes w;
    struct route r;
    struct err err;
    routes_open(&w, STR(PROVIDERS "models:\n"
                                  "  - name: m\n"
                                  "    routing: {fallbacks: {general: [usual]}}\n"
                                  "    targets: [{provider: a}]\n"
                                  "  - {name: next, targets: [{provider: c}]}\n"
                                  "  - {name: usual, targets: [{provider: b}]}\n"));
    struct route_ask ask = routes_ask(&w, NULL, 0);
    REQUIRE(resolve(&w, NULL, STR("next"), 0, &r, &err));
    CHECK(!r.stands_for);
    r.stands_for = route_model_find(w.table, NULL, STR("m"))->conf;
    CHECK(route_fall_back(&ask, FAILURE_SERVER_ERROR, &r));
    CHECK(asks(&r, "b"));
    routes_close(&w);
}

static const struct route_need *tagged(void *call, struct str name) {
    static const struct route_need plain = {.tier = TIER_SIMPLE},
                                   near = {.tier = TIER_SIMPLE, .tags = {STR_INIT("near")}, .tag_count = 1};
    ++*(unsigned *)call;
    return str_eq(name, STR("next")) ? &near : &plain;
}

// Each by what is known of the request for its own sake.
static void test_fallbacks_by_their_own_need(void) {
    struct routes w;
    struct route r;
    struct err err;
    unsigned asked = 0;
    routes_open(&w,
                STR(PROVIDERS "models:\n"
                              "  - name: m\n"
                              "    routing: {fallbacks: {general: [next, c/z]}}\n"
                              "    targets: [{provider: a}]\n"
                              "  - {name: next, targets: [{provider: a, model: far}, {provider: b, tags: [near]}]}\n"));
    struct route_ask ask = routes_ask(&w, NULL, 0);
    ask.need_for = tagged;
    ask.call = &asked;
    REQUIRE(route_resolve(&ask, STR("m"), &r, NULL, &err));
    CHECK_INT(asked, 0); // nobody needs it yet
    CHECK(route_fall_back(&ask, FAILURE_SERVER_ERROR, &r));
    CHECK_INT(asked, 2);
    char order[ROUTE_TARGETS_MAX + 1];
    order_of(&r, order);
    CHECK_STR(str_c(order), STR("abc"));
    routes_close(&w);
}

static bool falls_back(struct routes *w, struct str name, enum failure failure, const char *on) {
    struct route_ask ask = routes_ask(w, NULL, 0);
    struct route r;
    struct err err;
    REQUIRE(resolve(w, NULL, name, 0, &r, &err));
    bool fell = route_fall_back(&ask, failure, &r);
    CHECK(!fell || (on && asks(&r, on)));
    CHECK(fell || r.count == 1);
    return fell;
}

// For one kind of failure, or for all that have no list of their own.
static void test_fallbacks_none(void) {
    struct routes w;
    routes_open(&w, STR("providers: [{name: a, kind: openai, base_url: 'http://127.0.0.1:9'}]\n"
                        "routing: {fallbacks: {general: [usual], timeout: [slow]}}\n"
                        "models:\n"
                        "  - {name: m, targets: [{provider: a}], routing: {fallbacks: {general: [none]}}}\n"
                        "  - {name: n, targets: [{provider: a}], routing: {fallbacks: {timeout: [none]}}}\n"
                        "  - {name: o, targets: [{provider: a}], routing: {fallbacks: {general: []}}}\n"
                        "  - {name: slow, targets: [{provider: a}]}\n"
                        "  - {name: usual, targets: [{provider: a}]}\n"));
    CHECK(!falls_back(&w, STR("m"), FAILURE_SERVER_ERROR, NULL));
    CHECK(!falls_back(&w, STR("m"), FAILURE_RATE_LIMIT, NULL)); // the general ones are nobody
    CHECK(falls_back(&w, STR("m"), FAILURE_TIMEOUT_FIRST_TOKEN, "a"));
    CHECK(falls_back(&w, STR("n"), FAILURE_SERVER_ERROR, "a"));
    CHECK(!falls_back(&w, STR("n"), FAILURE_TIMEOUT_FIRST_TOKEN, NULL));
    CHECK(falls_back(&w, STR("o"), FAILURE_SERVER_ERROR, "a")); // which says nothing
    routes_close(&w);
}

static void put_targets(struct buf *text, const char *model, const char *provider) {
    buf_printf(text, "  - name: %s\n    targets:\n", model);
    for (int i = 0; i < 20; i++) buf_printf(text, "      - {provider: %s, model: x%d}\n", provider, i);
}

// However many targets those before have, each fallback has a place; also behind a canary and what it stands for.
static void test_fallbacks_of_many_targets(void) {
    struct buf text = BUF_INIT(1 << 16);
    buf_lit(&text, PROVIDERS "models:\n");
    put_targets(&text, "m", "a");
    buf_lit(&text, "    routing: {fallbacks: {general: [many, few]}}\n");
    put_targets(&text, "many", "b");
    put_targets(&text, "canary", "b");
    buf_lit(&text, "  - {name: few, targets: [{provider: c}]}\n");
    struct routes w;
    struct route r;
    struct err err;
    char order[ROUTE_TARGETS_MAX + 1];
    routes_open(&w, buf_str(&text));
    REQUIRE(resolve(&w, NULL, STR("m"), 7, &r, &err));
    CHECK_INT(r.count, 16);
    const struct route_ask ask = routes_ask(&w, NULL, 7);
    CHECK(route_fall_back(&ask, FAILURE_SERVER_ERROR, &r));
    order_of(&r, order);
    CHECK_STR(str_c(order), STR("aaaaaaaaaaaaaaaabbbbbbbc"));
    REQUIRE(resolve(&w, NULL, STR("canary"), 7, &r, &err));
    CHECK(route_fall_back_on(&ask, &(const struct str){.p = "m", .n = 1}, 1, &r));
    r.stands_for = w.table->models[0].conf;
    CHECK(route_fall_back(&ask, FAILURE_SERVER_ERROR, &r));
    order_of(&r, order);
    CHECK(str_starts(str_c(order), STR("bbbbbbbbbbbbbbbbaaaa")) && str_ends(str_c(order), STR("c")));
    buf_free(&text);
    routes_close(&w);
}

static void test_tags_of_a_providers_name(void) {
    struct routes w;
    struct route r;
    struct err err;
    struct route_need need = k_plain;
    routes_open(&w, STR(PROVIDERS "models: [{name: m, targets: [{provider: a, tags: [fast]}]}]\n"));
    struct route_ask ask = routes_ask(&w, NULL, 0);
    ask.need = &need;
    need.tags[need.tag_count++] = STR("fast");
    CHECK(route_resolve(&ask, STR("m"), &r, NULL, &err));
    CHECK(!route_resolve(&ask, STR("a/other"), &r, NULL, &err));
    CHECK_INT(err.code, ERR_NO_TARGET);
    CHECK(strstr(err.message, "tags") != NULL);
    need.tag_count = 0;
    CHECK(route_resolve(&ask, STR("a/other"), &r, NULL, &err));
    routes_close(&w);
}

TEST_MAIN(test_priorities_and_weights, test_weight_of_nothing, test_many_targets, test_names, test_unknown_names,
          test_tenants, test_only_what_is_in_force, test_a_target_of_two_models, test_keys, test_fallbacks_of_a_tenant,
          test_fallbacks_of_whom_it_stands_for, test_fallbacks_by_their_own_need, test_fallbacks_none,
          test_fallbacks_of_many_targets, test_tags_of_a_providers_name)
