// What targets can and may: ten thousand requests of all kinds, none of which goes where it cannot be served or may not
// go, and none of which is refused where somebody could; what is said of each decision.
#include "routes.h"

#include "base/json_read.h"
#include "route/explain.h"
#include "route/filter.h"

#define REQUESTS 10000

static uint64_t mix(uint64_t x) { // splitmix64
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static const char k_config[] =
    "providers:\n"
    "  - {name: openai, kind: openai, api_key: k}\n"
    "  - {name: eu, kind: openai, base_url: 'https://eu.example.com/v1', api_key: k, region: eu-central-1}\n"
    "  - {name: claude, kind: anthropic, api_key: k, region: us-east-1}\n"
    "  - {name: google, kind: gemini, api_key: k, region: europe-west4}\n"
    "  - {name: house, kind: openai, base_url: 'http://127.0.0.1:9/v1', api_key: k, region: eu-north}\n"
    "  - {name: tunnel, kind: openai, base_url: 'http://127.0.0.1:8/v1', api_key: k, privacy: remote}\n"
    "models:\n"
    "  - name: m\n"
    "    routing: {fallbacks: {general: [spare, openai/gpt-4o], context_window: [claude/claude-sonnet-4-5]}}\n"
    "    targets:\n"
    "      - {provider: openai, model: gpt-4o, tags: [fast, good]}\n"
    "      - {provider: openai, model: gpt-3.5-turbo, tags: [fast, cheap]}\n"
    "      - {provider: openai, model: gpt-4o-audio-preview}\n"
    "      - {provider: openai, model: o3, tags: [good], region: us-west-2}\n"
    "      - {provider: eu, model: gpt-4o-mini, tags: [cheap, fast]}\n"
    "      - {provider: eu, model: gpt-4, weight: 0}\n"
    "      - {provider: claude, model: claude-sonnet-4-5, tags: [good], when: 'tokens > 50k'}\n"
    "      - {provider: google, model: gemini-2.5-flash, tags: [cheap]}\n"
    "      - {provider: house, model: gpt-3.5-turbo, tags: [cheap]}\n"
    "      - {provider: house, model: never-heard-of}\n"
    "      - {provider: tunnel, model: gpt-4o}\n"
    "  - {name: local-vision, context_window: 8000, capabilities: [vision], targets: [{provider: house, model: v}]}\n"
    "  - {name: spare, targets: [{provider: openai, model: gpt-4.1}, {provider: house, model: spare}]}\n";

static bool get(const void *ctx, enum condition_name name, struct str member, double from,
                struct condition_value *out) {
    const struct route_need *need = ctx;
    (void)member, (void)from;
    if (name != CONDITION_TOKENS) return false;
    out->number = (double)need->model.tokens;
    return true;
}

static struct route_need need_of(uint64_t seed, const struct condition_env *env) {
    static const struct str regions[] = {STR_INIT("eu"), STR_INIT("us"), STR_INIT("eu-central-1"),
                                         STR_INIT("EU-NORTH")};
    static const struct str tags[] = {STR_INIT("fast"), STR_INIT("cheap"), STR_INIT("good"), STR_INIT("none")};
    struct route_need need = {.env = env};
    uint64_t r = mix(seed);
    for (unsigned bit = 0; bit < MODEL_CAN_COUNT; bit++)
        if ((mix(r + bit) & 7) == 0) need.model.can |= 1u << bit;
    need.model.tokens = mix(r + 100) % 10 < 7 ? mix(r + 101) % 9000 : mix(r + 102) % 1500000;
    need.model.most = need.model.tokens * 4;
    need.model.counted = true;
    need.private = (mix(r + 103) & 3) == 0;
    if ((mix(r + 104) & 3) == 0) need.regions[need.region_count++] = regions[mix(r + 105) & 3];
    if ((mix(r + 104) & 15) == 0) need.regions[need.region_count++] = regions[mix(r + 106) & 3];
    if ((mix(r + 107) & 3) == 0) need.tags[need.tag_count++] = tags[mix(r + 108) & 3];
    if ((mix(r + 107) & 15) == 0) need.tags[need.tag_count++] = tags[mix(r + 109) & 3];
    return need;
}

// --- the same rules, said in another way ---

static bool in_a_region(struct str is, const struct route_need *need) {
    char text[64], want[64];
    if (!need->region_count) return true;
    snprintf(text, sizeof text, "%.*s-", STR_ARG(is));
    for (size_t i = 0; i < need->region_count; i++) {
        snprintf(want, sizeof want, "%.*s-", STR_ARG(need->regions[i]));
        for (char *p = want; *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
        if (is.n && strncmp(text, want, strlen(want)) == 0) return true;
    }
    return false;
}

static bool has_tags(const struct conf_target *t, const struct route_need *need) {
    for (size_t i = 0; i < need->tag_count; i++) {
        size_t k = 0;
        while (k < t->tags.n && !str_eq(t->tags.p[k], need->tags[i])) k++;
        if (k == t->tags.n) return false;
    }
    return true;
}

static bool is_house(const struct conf_provider *p) { return str_eq(p->name, STR("house")); }

// lenient: of those that nobody is known to be able among.
static bool suits(const struct route_node *n, const struct route_need *need, bool lenient) {
    uint64_t window = n->facts->context_window;
    bool able = !n->known || (n->facts->can & need->model.can) == need->model.can ||
                (lenient && !(n->facts->cannot & need->model.can));
    bool fits = !window || need->model.tokens <= window;
    bool when = !n->when || need->model.tokens > 50000;
    return n->conf->weight > 0 && able && fits && when && (!need->private || is_house(n->conf->peer)) &&
           in_a_region(n->conf->region, need) && has_tags(n->conf, need);
}

static void check_direct(const struct routes *w, const struct route_target *t, const struct route_need *need) {
    const struct model_entry *facts = model_catalog_find(w->models, t->provider->preset->name, t->model);
    REQUIRE(facts);
    CHECK(in_a_region(t->provider->region, need) && !need->tag_count);
    CHECK((facts->can & need->model.can) == need->model.can);
    CHECK(!facts->context_window || need->model.tokens <= facts->context_window);
}

static void check_targets(const struct routes *w, const struct route *r, const struct route_need *need, bool lenient) {
    for (size_t i = 0; i < r->count; i++) {
        const struct route_target *t = &r->targets[i];
        CHECK(!need->private || is_house(t->provider));
        if (t->node)
            CHECK(suits(t->node, need, lenient));
        else
            check_direct(w, t, need);
    }
}

static void test_requests_of_all_kinds(void) {
    struct routes w;
    routes_open(&w, str_c(k_config));
    size_t served = 0, refused = 0, private = 0;
    for (uint64_t q = 0; q < REQUESTS; q++) {
        struct route_need need = need_of(q, NULL);
        struct condition_env env = {.get = get, .ctx = &need};
        struct route_ask ask = routes_ask(&w, NULL, mix(q));
        struct route r;
        struct err err;
        size_t able = 0, perhaps = 0;
        need.env = &env;
        ask.need = &need;
        for (size_t i = 0; i < w.table->models[0].count; i++) {
            able += suits(&w.table->models[0].nodes[i], &need, false);
            perhaps += suits(&w.table->models[0].nodes[i], &need, true);
        }
        bool ok = route_resolve(&ask, STR("m"), &r, NULL, &err);
        if (ok) {
            CHECK(r.count >= able);
            CHECK(able == 0 || !r.fallen);
            bool lenient = able == 0 && !r.fallen;
            check_targets(&w, &r, &need, lenient);
            private += need.private;
            if (route_fall_back(&ask, (enum failure)(mix(q) % FAILURE_COUNT), &r))
                check_targets(&w, &r, &need, lenient);
        } else {
            CHECK_INT(able + perhaps, 0);
            CHECK(err.code == ERR_NO_TARGET || err.code == ERR_CONTEXT_WINDOW);
            CHECK(err.message[0] != '\0');
        }
        served += ok;
        refused += !ok;
    }
    CHECK(served > REQUESTS / 10 && refused > REQUESTS / 50 && private > 100); // the test has seen something
    printf("%zu served, %zu of them private, %zu refused\n", served, private, refused);
    routes_close(&w);
}

// By the provider's name too, and in the place of what failed by the client's own list.
static void test_private_by_name(void) {
    struct routes w;
    struct route_need need = {.private = true};
    struct route r;
    struct err err;
    routes_open(&w, str_c(k_config));
    struct route_ask ask = routes_ask(&w, NULL, 1);
    ask.need = &need;
    static const struct str remote[] = {STR_INIT("openai/gpt-4o"), STR_INIT("tunnel/x"), STR_INIT("claude/x")};
    for (size_t i = 0; i < ARRAY_LEN(remote); i++) {
        CHECK(!route_resolve(&ask, remote[i], &r, NULL, &err));
        CHECK_INT(err.code, ERR_NO_TARGET);
    }
    REQUIRE(route_resolve(&ask, STR("house/any"), &r, NULL, &err));
    CHECK(!route_fall_back_on(&ask, remote, ARRAY_LEN(remote), &r));
    CHECK_INT(r.count, 1);
    need.private = false;
    CHECK(route_resolve(&ask, remote[0], &r, NULL, &err));
    routes_close(&w);
}

static void test_what_is_missing_is_named(void) {
    struct routes w;
    struct route r;
    struct err err;
    routes_open(&w, STR("providers: [{name: openai, kind: openai, api_key: k}]\n"
                        "models:\n"
                        "  - {name: words, targets: [{provider: openai, model: gpt-3.5-turbo}]}\n"
                        "  - {name: wards, targets: [{provider: openai, model: gpt-4o}]}\n"));
    struct route_need need = {.model = {.can = MODEL_CAN_VISION}};
    struct route_ask ask = routes_ask(&w, NULL, 1);
    ask.need = &need;
    CHECK(!route_resolve(&ask, STR("words"), &r, NULL, &err));
    CHECK(strstr(err.message, "vision") && strstr(err.message, "\"wards\" can"));
    need.model = (struct model_need){.tokens = 50000, .most = 200000, .counted = true};
    CHECK(!route_resolve(&ask, STR("words"), &r, NULL, &err));
    CHECK_INT(err.code, ERR_CONTEXT_WINDOW);
    CHECK(strstr(err.message, "50000") && strstr(err.message, "\"wards\" can"));
    routes_close(&w);
}

// --- explained ---

static struct str explained(struct routes *w, struct route_need *need, bool open, struct buf *out) {
    static struct route_trace trace;
    struct route_ask ask = routes_ask(w, NULL, 1);
    struct json_writer writer;
    struct route r;
    struct err err;
    ask.need = need;
    bool served = route_resolve(&ask, STR("m"), &r, &trace, &err);
    struct route_explained e = {.name = STR("m"),
                                .route = &r,
                                .trace = &trace,
                                .need = need,
                                .open = open,
                                .load = open,
                                .err = served ? NULL : &err,
                                .now_ns = ask.now_ns};
    buf_clear(out);
    json_writer_init(&writer, out);
    json_put_object(&writer);
    route_explain_put(&writer, &e);
    json_put_object_end(&writer);
    json_writer_done(&writer);
    CHECK(json_validate(buf_str(out), 32, &err));
    return buf_str(out);
}

static bool says(struct str text, const char *what) {
    if (str_find(text, str_c(what)) < text.n) return true;
    fprintf(stderr, "%.*s\ndoes not say %s\n", STR_ARG(text), what);
    return false;
}

static void test_reasons(void) {
    struct routes w;
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    struct route_need need = {.model = {.can = MODEL_CAN_VISION | MODEL_CAN_TOOLS, .tokens = 3, .most = 12}};
    struct condition_env env = {.get = get, .ctx = &need};
    need.env = &env;
    routes_open(&w, str_c(k_config));
    struct str text = explained(&w, &need, true, &out);
    CHECK(says(text, "it lacks what the request needs: vision"));
    CHECK(says(text, "its condition does not hold: tokens > 50k"));
    CHECK(says(text, "its weight is 0"));
    CHECK(says(explained(&w, &need, false, &out), "its condition does not hold\""));
    need.model = (struct model_need){.tokens = 150000, .most = 600000};
    text = explained(&w, &need, true, &out);
    CHECK(says(text, "the prompt has about 150000 tokens, and its context window takes 128000"));
    need.model.counted = need.private = true;
    CHECK(says(explained(&w, &need, true, &out), "the request is private, and it is not in the house"));
    need.private = false;
    need.regions[0] = STR("eu"), need.region_count = 1;
    text = explained(&w, &need, true, &out);
    CHECK(says(text, "it is in us-east-1, and the request may go to: eu"));
    CHECK(says(text, "it is not known where it is, and the request may go to: eu"));
    need.region_count = 0;
    need.tags[0] = STR("fast"), need.tags[1] = STR("odd"), need.tag_count = 2;
    text = explained(&w, &need, true, &out);
    CHECK(says(text, "it does not have the tag fast, odd"));
    CHECK(says(text, "it does not have the tag odd"));
    CHECK(says(text, "\"served\":false"));
    CHECK(says(text, "\"order\":[]"));
    routes_close(&w);
}

static void test_reasons_of_state(void) {
    struct routes w;
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    struct route_need need = {.expected = {.prompt = 1000, .output = 1000}};
    routes_open(&w,
                STR("providers: [{name: p, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: k}]\n"
                    "models:\n"
                    "  - {name: m, strategy: quality, routing: {max_cost: 0.01}, targets: [{provider: p, model: a}, "
                    "{provider: p, model: b}, {provider: p, model: c}, {provider: p, model: d}]}\n"
                    "prices:\n  p/a: {input: 1, output: 1}\n  p/b: {input: 100, output: 100}\n"
                    "  p/c: {input: 1, output: 1}\n"));
    board_cooldown(w.table->models[0].nodes[2].slot, 12500000000, 1000);
    struct str text = explained(&w, &need, true, &out);
    CHECK(says(text, "\"order\":[{\"provider\":\"p\",\"model\":\"a\",\"last_resort\":false}"));
    CHECK(says(text, "the request would cost $0.2 there, and max_cost is $0.01"));
    CHECK(says(text, "nobody knows what the request would cost there"));
    CHECK(says(text, "it asked to be left alone for a while; it may be asked again in 12.5 s"));
    CHECK(says(text, "\"cost_usd\":0.002000000"));
    CHECK(says(text, "\"in_flight\":0"));
    text = explained(&w, &need, false, &out);
    CHECK(says(text, "it asked to be left alone for a while; it may be asked again in 12.5 s"));
    CHECK(str_find(text, STR("in_flight")) == text.n);
    routes_close(&w);
}

TEST_MAIN(test_requests_of_all_kinds, test_private_by_name, test_what_is_missing_is_named, test_reasons,
          test_reasons_of_state)
