// Properties of the strategies, over many draws: shares, turns, what stays where it was, and who is preferred.
#include "routes.h"

#include <math.h>

#define DRAWS 100000
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

#define PROVIDER "providers: [{name: p, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: k}]\n"

static uint64_t mix(uint64_t x) { // splitmix64
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static double part(uint64_t *seed) {
    *seed = mix(*seed);
    return (double)(*seed >> 11) * 0x1p-53;
}

// The place of the target that is asked first, in the configuration's order.
static size_t first_of(struct routes *w, const struct route_need *need, uint64_t now_ns, uint64_t draw) {
    struct route_ask ask = routes_ask(w, NULL, draw);
    struct route r;
    struct err err;
    ask.need = need;
    ask.now_ns = now_ns;
    REQUIRE(route_resolve(&ask, STR("m"), &r, NULL, &err));
    return (size_t)(r.targets[0].node - w->table->models[0].nodes);
}

static struct route_node *node(struct routes *w, size_t i) { return &w->table->models[0].nodes[i]; }

static bool near(double got, double want, double off) {
    if (fabs(got - want) <= off) return true;
    fprintf(stderr, "got %g, want %g within %g\n", got, want, off);
    return false;
}

static void open_with(struct routes *w, const char *model, const char *targets) {
    struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, PROVIDER "models:\n  - name: m\n%s    targets:\n%s", model, targets);
    routes_open(w, buf_str(&text));
    buf_free(&text);
}

// So many failures that its breaker opens.
static void sicken(struct routes *w, size_t i, uint64_t now_ns) {
    struct board_outcome bad = {.failure = FAILURE_SERVER_ERROR};
    for (int k = 0; k < 50; k++) {
        struct board_ticket ticket;
        struct board_refusal refusal;
        if (!board_begin(node(w, i)->slot, limit_tokens(1, 0), 0, now_ns, 1, &ticket, &refusal)) break;
        board_end(node(w, i)->slot, &ticket, &bad, now_ns);
    }
    struct board_view view;
    board_view(node(w, i)->slot, now_ns, &view);
    CHECK(!view.usable);
}

// An answer that began after so long.
static void serve(struct routes *w, size_t i, uint64_t began_ns, uint64_t first_ns) {
    struct board_outcome good = {.failure = FAILURE_NONE};
    struct board_ticket ticket;
    struct board_refusal refusal;
    if (!board_begin(node(w, i)->slot, limit_tokens(1, 0), 0, began_ns, 1, &ticket, &refusal)) return;
    board_first_token(node(w, i)->slot, &ticket, began_ns + first_ns);
    board_end(node(w, i)->slot, &ticket, &good, began_ns + first_ns);
}

static void test_weights(void) {
    struct routes w;
    size_t counts[4] = {0};
    open_with(&w, "",
              "      - {provider: p, model: a, weight: 1}\n      - {provider: p, model: b, weight: 2}\n"
              "      - {provider: p, model: c, weight: 3}\n      - {provider: p, model: d, weight: 4}\n");
    for (uint64_t i = 0; i < DRAWS; i++) counts[first_of(&w, NULL, 1000, mix(i))]++;
    for (size_t i = 0; i < 4; i++)
        CHECK(near((double)counts[i] / DRAWS, (double)(i + 1) / 10, 0.02 * (double)(i + 1) / 10));
    routes_close(&w);
}

static void check_turns(const char *targets, const double *weights, size_t n) {
    struct routes w;
    size_t counts[8] = {0}, last[8] = {0}, gap[8] = {0};
    double total = 0;
    open_with(&w, "    strategy: round_robin\n", targets);
    for (size_t i = 0; i < n; i++) total += weights[i];
    for (size_t turn = 1; turn <= DRAWS; turn++) {
        size_t at = first_of(&w, NULL, 1000, turn);
        counts[at]++;
        gap[at] = MAX(gap[at], turn - last[at]);
        last[at] = turn;
    }
    for (size_t i = 0; i < n; i++) {
        CHECK(near((double)counts[i] / DRAWS, weights[i] / total, 0.02 * weights[i] / total));
        CHECK((double)gap[i] <= 3 * total / weights[i] + 2); // nobody waits long
        CHECK(DRAWS - last[i] <= 3 * (size_t)(total / weights[i]) + 2);
    }
    // Who only looks takes nobody's turn.
    struct route_ask ask = routes_ask(&w, NULL, 1);
    struct route a, b;
    struct err err;
    ask.look = true;
    REQUIRE(route_resolve(&ask, STR("m"), &a, NULL, &err) && route_resolve(&ask, STR("m"), &b, NULL, &err));
    CHECK(a.targets[0].node == b.targets[0].node);
    routes_close(&w);
}

static void test_turns(void) {
    check_turns("      - {provider: p, model: a}\n      - {provider: p, model: b}\n      - {provider: p, model: c}\n",
                (const double[]){1, 1, 1}, 3);
    check_turns("      - {provider: p, model: a, weight: 7}\n      - {provider: p, model: b, weight: 2}\n"
                "      - {provider: p, model: c, weight: 1}\n",
                (const double[]){7, 2, 1}, 3);
}

// Two kinds of request that take turns: one may go to all, the other to some. Each spreads over all that it may go to.
static void test_turns_of_two_kinds(void) {
    static const char *const weights[] = {"", ", weight: 2"};
    for (size_t i = 0; i < ARRAY_LEN(weights); i++) {
        struct routes w;
        size_t counts[2][4] = {{0}};
        char targets[400];
        snprintf(targets, sizeof targets,
                 "      - {provider: p, model: a, tags: [x]%s}\n      - {provider: p, model: b, tags: [x]}\n"
                 "      - {provider: p, model: c}\n      - {provider: p, model: d}\n",
                 weights[i]);
        open_with(&w, "    strategy: round_robin\n", targets);
        struct route_need needs[2] = {{.tier = TIER_SIMPLE}, {.tier = TIER_SIMPLE}};
        needs[1].tags[needs[1].tag_count++] = STR("x");
        for (uint64_t turn = 0; turn < 4000; turn++) counts[turn % 2][first_of(&w, &needs[turn % 2], 1000, turn)]++;
        double total = i ? 5 : 4, some = i ? 3 : 2;
        for (size_t k = 0; k < 4; k++) {
            double weight = i && !k ? 2 : 1;
            CHECK(near((double)counts[0][k], 2000 * weight / total, 4));
            CHECK(near((double)counts[1][k], k < 2 ? 2000 * weight / some : 0, 4));
        }
        routes_close(&w);
    }
}

// A request is one turn, also where there are further priorities to be ordered for it.
static void test_turns_of_priorities(void) {
    struct routes w;
    size_t counts[4] = {0};
    open_with(&w, "    strategy: round_robin\n",
              "      - {provider: p, model: a}\n      - {provider: p, model: b}\n"
              "      - {provider: p, model: c, priority: 1}\n      - {provider: p, model: d, priority: 1}\n");
    for (uint64_t turn = 0; turn < 300; turn++) counts[first_of(&w, NULL, 1000, turn)]++;
    CHECK_INT(counts[0], 150);
    CHECK_INT(counts[1], 150);
    for (size_t i = 0; i < 2; i++) sicken(&w, i, 1000);
    for (uint64_t turn = 0; turn < 300; turn++) counts[first_of(&w, NULL, 1000, turn)]++;
    CHECK_INT(counts[2], 150); // now theirs
    CHECK_INT(counts[3], 150);
    routes_close(&w);
}

// --- sticky, ab ---

#define KEYS 20000

static void targets_but(struct buf *out, size_t n, size_t without) {
    for (size_t i = 0; i < n; i++)
        if (i != without) buf_printf(out, "      - {provider: p, model: t%zu}\n", i);
}

// To whom each key belongs, by the target's model.
static void owners(size_t n, size_t without, size_t sick, char out[KEYS][4]) {
    struct routes w;
    struct buf text = BUF_INIT(1 << 16);
    targets_but(&text, n, without);
    open_with(&w, "    strategy: sticky\n", buf_cstr(&text));
    if (sick < n) sicken(&w, sick, 1000);
    for (size_t k = 0; k < KEYS; k++) {
        struct route_need need = {.affinity = mix(k)};
        struct str model = node(&w, first_of(&w, &need, 2000, mix(k + 77777)))->conf->model;
        snprintf(out[k], 4, "%.*s", STR_ARG(model));
    }
    routes_close(&w);
    buf_free(&text);
}

static void check_moves(char was[KEYS][4], char is[KEYS][4], const char *only, double share) {
    size_t moved = 0;
    for (size_t k = 0; k < KEYS; k++) {
        bool same = !strcmp(was[k], is[k]);
        moved += !same;
        // Only what belongs to the one that came or went.
        CHECK(same || !strcmp(was[k], only) || !strcmp(is[k], only));
    }
    CHECK(moved > 0);
    CHECK((double)moved / KEYS <= share * 1.1); // as many as hash to it
}

static void test_sticky(void) {
    static char all[KEYS][4], again[KEYS][4], fewer[KEYS][4], sick[KEYS][4], more[KEYS][4];
    owners(10, SIZE_MAX, SIZE_MAX, all);
    owners(10, SIZE_MAX, SIZE_MAX, again);
    CHECK(!memcmp(all, again, sizeof all));
    owners(10, 4, SIZE_MAX, fewer); // taken away
    check_moves(all, fewer, "t4", 0.1);
    owners(10, SIZE_MAX, 4, sick); // failing: where its keys go, they would go without it too
    CHECK(!memcmp(fewer, sick, sizeof sick));
    owners(11, SIZE_MAX, SIZE_MAX, more); // added
    check_moves(all, more, "t10", 1.0 / 11);
}

static void test_sticky_weights(void) {
    struct routes w;
    size_t counts[2] = {0};
    open_with(&w, "    strategy: sticky\n",
              "      - {provider: p, model: a, weight: 3}\n      - {provider: p, model: b, weight: 1}\n");
    for (uint64_t k = 0; k < DRAWS; k++) {
        struct route_need need = {.affinity = mix(k)};
        counts[first_of(&w, &need, 1000, 5)]++;
    }
    CHECK(near((double)counts[0] / DRAWS, 0.75, 0.02 * 0.75));
    routes_close(&w);
}

#define ARMS                                                                                                           \
    "      - {provider: p, model: a1, arm: a, weight: 2}\n      - {provider: p, model: a2, arm: a, weight: 1}\n"       \
    "      - {provider: p, model: b1, arm: b, weight: 1}\n"

static void test_arms(void) {
    struct routes w;
    size_t counts[3] = {0};
    static bool arm_a[DRAWS];
    open_with(&w, "    strategy: ab\n    routing: {breaker: {max_ejected: 1}}\n", ARMS);
    for (uint64_t k = 0; k < DRAWS; k++) {
        struct route_need need = {.affinity = mix(k)};
        size_t at = first_of(&w, &need, 1000, mix(k + 5));
        counts[at]++;
        arm_a[k] = at < 2;
        for (uint64_t d = 0; k < 2000 && d < 8; d++) CHECK((first_of(&w, &need, 1000, mix(d)) < 2) == arm_a[k]);
    }
    CHECK(near((double)(counts[0] + counts[1]) / DRAWS, 0.75, 0.02 * 0.75));
    CHECK(near((double)counts[0] / DRAWS, 0.5, 0.02 * 0.5)); // within the arm by weight
    sicken(&w, 0, 1000);
    for (uint64_t k = 0; k < 5000; k++) { // one of an arm is out: nobody changes his arm
        struct route_need need = {.affinity = mix(k)};
        CHECK_INT(first_of(&w, &need, 2000, mix(k)), arm_a[k] ? 1 : 2);
    }
    sicken(&w, 1, 1000);
    for (uint64_t k = 0; k < 5000; k++) {
        struct route_need need = {.affinity = mix(k)};
        CHECK_INT(first_of(&w, &need, 2000, mix(k)), 2);
    }
    routes_close(&w);
}

// --- cost and quality ---

#define PRICED(name, rest) "      - {provider: p, model: " name rest "}\n"
#define PRICES                                                                                                         \
    "prices:\n  p/cheap-in: {input: 0.1, output: 8}\n  p/cheap-out: {input: 3, output: 1}\n"                           \
    "  p/poor: {input: 0.01, output: 0.01}\n  p/dear: {input: 20, output: 60}\n"
static const char k_priced[] =
    PRICED("dear", "") PRICED("cheap-in", "") PRICED("cheap-out", "") PRICED("poor", "") PRICES;

static uint64_t cost_at(struct routes *w, size_t i, uint64_t prompt, uint64_t output) {
    struct usage usage = {.prompt = prompt, .output = output};
    uint64_t nano = 0;
    CHECK(price_cost(&node(w, i)->facts->price, &usage, &nano));
    return nano;
}

// A floor under quality: what is cheapest of all is left out, and of the rest each request goes where it costs least.
// What is spent, with outputs that nobody knew before, against what one who knew them would have spent.
static void test_cost(void) {
    struct routes w;
    uint64_t seed = 3, spent = 0, least = 0;
    open_with(&w, "    strategy: cost\n    routing: {min_quality: 0.6, quality: {explore: 0}}\n", k_priced);
    for (size_t i = 0; i < 4; i++)
        for (int k = 0; k < 60; k++) board_quality_add(node(&w, i)->slot, 0, i == 3 ? 0.1F : 0.9F, 4, 900);
    for (int q = 0; q < 20000; q++) {
        uint64_t prompt = (uint64_t)exp(part(&seed) * 10), expected = (uint64_t)exp(part(&seed) * 8);
        uint64_t real = (uint64_t)((double)expected * (0.5 + part(&seed)));
        struct route_need need = {.model = {.tokens = prompt}, .expected = {.prompt = prompt, .output = expected}};
        size_t at = first_of(&w, &need, 1000, mix((uint64_t)q));
        CHECK(at < 3);
        uint64_t best = UINT64_MAX, known = UINT64_MAX;
        for (size_t i = 0; i < 3; i++) {
            best = MIN(best, cost_at(&w, i, prompt, real));
            known = MIN(known, cost_at(&w, i, prompt, expected));
        }
        CHECK(cost_at(&w, at, prompt, expected) <= known + 1);
        spent += cost_at(&w, at, prompt, real);
        least += best;
    }
    CHECK((double)spent <= 1.05 * (double)least);
    printf("cost: %.3f of the least that hindsight could have spent\n", (double)spent / (double)least);
    routes_close(&w);
}

static void test_quality_within_a_budget(void) {
    struct routes w;
    open_with(&w, "    strategy: quality\n    routing: {max_cost: 0.01, quality: {explore: 0}}\n", k_priced);
    static const float scores[] = {0.99F, 0.6F, 0.8F, 0.2F};
    for (size_t i = 0; i < 4; i++)
        for (int k = 0; k < 60; k++) board_quality_add(node(&w, i)->slot, 0, scores[i], 4, 900);
    struct route_need small = {.expected = {.prompt = 10, .output = 10}},
                      large = {.expected = {.prompt = 500, .output = 300}};
    struct route_need huge = {.expected = {.prompt = 100000, .output = 10}};
    for (uint64_t d = 0; d < 200; d++) {
        CHECK_INT(first_of(&w, &small, 1000, mix(d)), 0); // the best, as long as it is affordable
        CHECK_INT(first_of(&w, &large, 1000, mix(d)), 2);
        CHECK(first_of(&w, &huge, 1000, mix(d)) == 3); // nothing else is
    }
    routes_close(&w);
}

static void check_balance(const char *balance, size_t want) {
    struct routes w;
    char model[200];
    snprintf(model, sizeof model, "    strategy: balanced\n    routing: {quality: {explore: 0}, balance: {%s}}\n",
             balance);
    open_with(&w, model, k_priced);
    static const float scores[] = {0.99F, 0.6F, 0.8F, 0.2F};
    static const uint64_t first_ms[] = {900, 40, 700, 500};
    struct route_need need = {.expected = {.prompt = 1000, .output = 1000}};
    for (size_t i = 0; i < 4; i++) {
        for (int k = 0; k < 60; k++) board_quality_add(node(&w, i)->slot, 0, scores[i], 4, 900);
        serve(&w, i, SECOND, first_ms[i] * MS);
    }
    for (uint64_t d = 0; d < 200; d++) CHECK_INT(first_of(&w, &need, 2 * SECOND, mix(d)), want);
    routes_close(&w);
}

static void test_balance(void) {
    check_balance("cost: 1, latency: 0, quality: 0", 3);
    check_balance("cost: 0, latency: 1, quality: 0", 1);
    check_balance("cost: 0, latency: 0, quality: 1", 0);
}

static void test_balance_has_a_floor(void) {
    struct routes w;
    open_with(&w,
              "    strategy: balanced\n    routing: {min_quality: 0.5, balance: {cost: 1, latency: 0, quality: 0}, "
              "quality: {explore: 0}}\n",
              k_priced);
    struct route_need need = {.expected = {.prompt = 1000, .output = 1000}};
    for (int k = 0; k < 60; k++) board_quality_add(node(&w, 3)->slot, 0, 0.1F, 4, 900);
    for (uint64_t d = 0; d < 200; d++) CHECK(first_of(&w, &need, 1000, mix(d)) != 3);
    routes_close(&w);
}

// --- exploring ---

static void grade(struct routes *w, size_t i, float score, int times) {
    for (int k = 0; k < times; k++) board_quality_add(node(w, i)->slot, 0, score, 4, 900);
}

// How often each of four is asked first.
static void explored(struct routes *w, const struct route_need *need, uint64_t now_ns, double out[4]) {
    size_t counts[4] = {0};
    for (uint64_t d = 0; d < DRAWS; d++) counts[first_of(w, need, now_ns, mix(d))]++;
    for (size_t i = 0; i < 4; i++) out[i] = (double)counts[i] / DRAWS;
}

// Of those that are not the best, who is less known is tried more often; what costs too much is not tried.
static void test_quality_explores(void) {
    struct routes w;
    struct route_need need = {.expected = {.prompt = 500, .output = 300}};
    double got[4];
    open_with(&w, "    strategy: quality\n    routing: {max_cost: 0.01}\n", k_priced);
    grade(&w, 1, 0.95F, 60);
    grade(&w, 2, 0, 2); // 8 scores
    grade(&w, 3, 0, 4); // 16
    explored(&w, &need, 1000, got);
    CHECK(near(got[0], 0, 0)); // too dear
    CHECK(near(got[1], 0.98, 0.002));
    CHECK(near(got[2] + got[3], 0.02, 0.002));
    CHECK(near(got[2] / got[3], 17.0 / 9, 0.3));
    // All that was seen has faded: nobody is known better than another.
    uint64_t later = UINT64_C(1000) * 3600 * SECOND;
    double other[4];
    explored(&w, &need, later, other);
    CHECK(near(other[1] + other[2] + other[3], 1, 1e-9));
    // Who was tried and found better is the first.
    grade(&w, 3, 1, 60);
    grade(&w, 3, 1, 60);
    explored(&w, &need, 1000, got);
    CHECK(near(got[3], 0.98, 0.002));
    routes_close(&w);
}

static struct route_trace g_trace;

static void test_explored_is_said(void) {
    struct routes w;
    struct route_need need = {.expected = {.prompt = 500, .output = 300}};
    struct err err;
    size_t tried = 0;
    open_with(&w, "    strategy: quality\n    routing: {quality: {explore: 0.5}}\n", k_priced);
    grade(&w, 1, 0.95F, 60);
    for (uint64_t d = 0; d < 1000; d++) {
        struct route_ask ask = routes_ask(&w, NULL, mix(d));
        struct route r;
        ask.need = &need;
        REQUIRE(route_resolve(&ask, STR("m"), &r, NULL, &err));
        CHECK_INT(r.count, 4);
        CHECK(r.explored == (r.targets[0].node != node(&w, 1)));
        CHECK(r.targets[r.explored].node == node(&w, 1)); // the best is the next
        tried += r.explored;
        ask.look = true; // nobody is asked: the order is that of the others
        REQUIRE(route_resolve(&ask, STR("m"), &r, &g_trace, &err));
        CHECK(!r.explored && g_trace.explores && r.targets[0].node == node(&w, 1));
    }
    CHECK(near((double)tried / 1000, 0.5, 0.05));
    routes_close(&w);
}

// Where the quality is a floor, only those are tried that would cost less if they were good enough.
static void test_a_floor_is_explored(void) {
    struct routes w;
    struct route_need need = {.expected = {.prompt = 1000, .output = 1000}};
    double got[4];
    open_with(&w, "    strategy: cost\n    routing: {min_quality: 0.6, quality: {explore: 0.1}}\n", k_priced);
    struct route_ask look = routes_ask(&w, NULL, 0);
    struct route r;
    struct err err;
    look.need = &need;
    look.look = true;
    REQUIRE(route_resolve(&look, STR("m"), &r, &g_trace, &err));
    CHECK(!g_trace.explores); // none is below it
    grade(&w, 3, 0, 2);       // the cheapest
    grade(&w, 0, 0, 2);       // the dearest
    grade(&w, 1, 0.95F, 9);   // dearer than cheap-out, which stands as it is assumed to
    explored(&w, &need, 1000, got);
    CHECK(near(got[0] + got[1], 0, 0));
    CHECK(near(got[2], 0.9, 0.005));
    CHECK(near(got[3], 0.1, 0.005));
    struct route_ask ask = routes_ask(&w, NULL, 0);
    ask.need = &need;
    do {
        ask.draw++;
        REQUIRE(route_resolve(&ask, STR("m"), &r, NULL, &err));
    } while (!r.explored);
    CHECK(!r.targets[0].last); // for once as good as any
    CHECK(!r.targets[1].last && r.targets[1].node == node(&w, 2));
    CHECK(r.targets[3].last && r.targets[3].node == node(&w, 0));
    routes_close(&w);
}

// Two that cost the same and are good enough have nothing to show.
static void test_equals_are_not_explored(void) {
    struct routes w;
    struct route_need need = {.expected = {.prompt = 1000, .output = 1000}};
    struct err err;
    open_with(&w, "    strategy: cost\n    routing: {min_quality: 0.6, quality: {explore: 0.5}}\n",
              PRICED("poor", "") PRICED("poor", ", region: eu") PRICED("dear", "") PRICES);
    for (uint64_t d = 0; d < 200; d++) {
        struct route_ask ask = routes_ask(&w, NULL, mix(d));
        struct route r;
        ask.need = &need;
        REQUIRE(route_resolve(&ask, STR("m"), &r, &g_trace, &err));
        CHECK(!r.explored && !g_trace.explores);
    }
    routes_close(&w);
}

static void test_who_is_not_explored(void) {
    struct routes w;
    struct route_need need = {.expected = {.prompt = 1000, .output = 1000}};
    double got[4];
    open_with(&w, "    strategy: balanced\n    routing: {quality: {explore: 0.5}, breaker: {max_ejected: 1}}\n",
              PRICED("cheap-in", "") PRICED("cheap-out", "") PRICED("poor", ", priority: 1") PRICED("dear", "") PRICES);
    sicken(&w, 0, 1000);
    explored(&w, &need, 1000, got);
    CHECK(near(got[1], 1, 0)); // the others: out, of a lower priority, and too dear to be the best in any case
    routes_close(&w);
}

// --- load ---

#define FOUR                                                                                                           \
    "      - {provider: p, model: a}\n      - {provider: p, model: b}\n      - {provider: p, model: c}\n"              \
    "      - {provider: p, model: d}\n"

// A hundred requests a second; one target gets slow, and is well again later.
static void test_latency(void) {
    struct routes w;
    open_with(&w, "    strategy: latency\n", FOUR);
    size_t before = 0, during = 0, after = 0, all_during = 0, all_before = 0;
    uint64_t slow_from = 60 * SECOND, well_from = 120 * SECOND, end = 300 * SECOND;
    for (uint64_t now = SECOND; now < end; now += 10 * MS) {
        size_t at = first_of(&w, NULL, now, mix(now));
        bool slow = at == 2 && now >= slow_from && now < well_from;
        serve(&w, at, now, slow ? 2000 * MS : (20 + mix(now + 1) % 20) * MS);
        if (now < slow_from) all_before++, before += at == 2;
        if (now >= slow_from + 10 * SECOND && now < well_from) all_during++, during += at == 2;
        if (now >= end - 60 * SECOND) after += at == 2;
    }
    CHECK((double)before / (double)all_before > 0.1); // it had its share
    CHECK((double)during / (double)all_during <= 0.05);
    CHECK(during > 0);  // and is asked now and then
    CHECK(after > 300); // so that it comes back
    routes_close(&w);
}

struct awaited {
    struct board_ticket ticket;
    uint64_t first_ns;
    size_t at;
};

// So many requests, five a second, to two targets with such first tokens, or given up after so long. How many of them
// the second got.
static size_t second_gets(struct routes *w, size_t requests, uint64_t now_ns, const uint64_t first_ns[2],
                          uint64_t patience_ns) {
    static struct awaited list[1000];
    struct board_refusal refusal;
    size_t n = 0, got = 0;
    for (size_t i = 0; i < requests || n; i++, now_ns += 200 * MS) {
        for (size_t k = 0; k < n;) {
            struct awaited *a = &list[k];
            uint64_t end = MIN(a->first_ns, a->ticket.begun_ns + patience_ns);
            struct board_outcome o = {.failure = end < a->first_ns ? FAILURE_CANCELLED : FAILURE_NONE};
            if (end > now_ns) {
                k++;
                continue;
            }
            if (!o.failure) board_first_token(node(w, a->at)->slot, &a->ticket, end);
            board_end(node(w, a->at)->slot, &a->ticket, &o, end);
            *a = list[--n];
        }
        if (i >= requests) continue;
        struct awaited *a = &list[n++];
        a->at = first_of(w, NULL, now_ns, mix(now_ns));
        a->first_ns = now_ns + first_ns[a->at];
        REQUIRE(board_begin(node(w, a->at)->slot, limit_tokens(1, 0), 0, now_ns, 1, &a->ticket, &refusal));
        got += a->at == 1;
    }
    return got;
}

// Who lets others wait gets no more before the first is answered, be it the first of all, or the first for long.
static void test_latency_of_who_is_awaited(void) {
    static const uint64_t slow[2] = {20 * MS, 6 * SECOND}, hung[2] = {20 * MS, 3600 * SECOND};
    static const uint64_t idle[] = {120 * SECOND, 600 * SECOND, 5000 * SECOND};
    struct routes w;
    open_with(&w, "    strategy: latency\n", "      - {provider: p, model: a}\n      - {provider: p, model: b}\n");
    uint64_t now = SECOND;
    CHECK_INT(second_gets(&w, 30, now, slow, UINT64_MAX / 2), 1);
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        now += 20 * SECOND + idle[i];
        size_t got = second_gets(&w, 30, now, slow, UINT64_MAX / 2);
        CHECK(got == 1);
    }
    // Nor does who never answers look fast, because others give up.
    now += 5000 * SECOND;
    size_t got = second_gets(&w, 300, now, hung, 5 * SECOND);
    CHECK(got >= 1 && got <= 3);
    // All at once, and nothing is known: as many to each.
    routes_close(&w);
    open_with(&w, "    strategy: latency\n", "      - {provider: p, model: a}\n      - {provider: p, model: b}\n");
    got = second_gets(&w, 300, SECOND, (const uint64_t[2]){100 * SECOND, 100 * SECOND}, 3600 * SECOND);
    CHECK_INT(got, 150);
    routes_close(&w);
}

static void test_least_busy(void) {
    struct routes w;
    open_with(&w, "    strategy: least_busy\n",
              "      - {provider: p, model: a}\n      - {provider: p, model: b}\n"
              "      - {provider: p, model: c, weight: 4}\n");
    struct board_ticket tickets[600];
    struct board_refusal refusal;
    size_t counts[3] = {0};
    for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
        size_t at = first_of(&w, NULL, 1000, mix(i));
        struct board_view view[3];
        for (size_t k = 0; k < 3; k++) board_view(node(&w, k)->slot, 1000, &view[k]);
        for (size_t k = 0; k < 3; k++) // nobody is less busy for his weight
            CHECK((double)(view[at].in_flight + 1) / (at == 2 ? 4 : 1) <=
                  (double)(view[k].in_flight + 1) / (k == 2 ? 4 : 1) + 1e-6);
        REQUIRE(board_begin(node(&w, at)->slot, limit_tokens(1, 0), 0, 1000, 1, &tickets[i], &refusal));
        counts[at]++;
    }
    CHECK(near((double)counts[2] / 600, 4.0 / 6, 0.01));
    routes_close(&w);
}

static void test_usage(void) {
    struct routes w;
    open_with(&w, "    strategy: usage\n",
              "      - {provider: p, model: a, limits: {tokens_per_minute: 10000}}\n"
              "      - {provider: p, model: b, limits: {tokens_per_minute: 50000}}\n"
              "      - {provider: p, model: c, limits: {tokens_per_minute: 1000000}}\n");
    struct board_ticket t;
    struct board_refusal refusal;
    REQUIRE(board_begin(node(&w, 0)->slot, limit_tokens(1000, 0), 0, SECOND, 1, &t, &refusal));   // 90 % left
    REQUIRE(board_begin(node(&w, 1)->slot, limit_tokens(10000, 0), 0, SECOND, 1, &t, &refusal));  // 80 %
    REQUIRE(board_begin(node(&w, 2)->slot, limit_tokens(500000, 0), 0, SECOND, 1, &t, &refusal)); // 50 %
    for (uint64_t d = 0; d < 100; d++) CHECK_INT(first_of(&w, NULL, SECOND + 1000, mix(d)), 0);
    REQUIRE(board_begin(node(&w, 0)->slot, limit_tokens(2000, 0), 0, SECOND, 1, &t, &refusal)); // 70 %
    for (uint64_t d = 0; d < 100; d++) CHECK_INT(first_of(&w, NULL, SECOND + 1000, mix(d)), 1);
    routes_close(&w);
}

static void test_tiers(void) {
    struct routes w;
    open_with(&w, "    strategy: complexity\n",
              "      - {provider: p, model: a, tiers: [simple]}\n      - {provider: p, model: b, tiers: [medium]}\n"
              "      - {provider: p, model: c, tiers: [reasoning]}\n");
    static const size_t want[TIER_COUNT] = {0, 1, 2, 2}; // of harder ones the nearest
    for (unsigned tier = 0; tier < TIER_COUNT; tier++) {
        struct route_need need = {.tier = (enum conf_tier)tier};
        for (uint64_t d = 0; d < 50; d++) CHECK_INT(first_of(&w, &need, 1000, mix(d)), want[tier]);
    }
    routes_close(&w);
}

// Those that cost nothing, and those of which nobody knows, share the load as others do that cost the same.
static void check_spread(const char *strategy, const char *price) {
    struct routes w;
    struct route_need need = {.tier = TIER_SIMPLE, .expected = {.prompt = 100, .output = 10}};
    size_t first[2] = {0};
    char model[200];
    snprintf(model, sizeof model, "    strategy: %s\n%s", strategy, price);
    open_with(&w, model, "      - {provider: p, model: own-a}\n      - {provider: p, model: own-b}\n");
    for (uint64_t d = 0; d < 1000; d++) first[first_of(&w, &need, 1000, mix(d))]++;
    CHECK(first[0] > 300 && first[1] > 300);
    routes_close(&w);
}

static void test_equal_costs_are_spread(void) {
    static const char *const strategies[] = {"cost", "complexity"};
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        check_spread(strategies[i], "    price: {input: 1, output: 2}\n");
        check_spread(strategies[i], "    price: {input: 0, output: 0}\n");
        check_spread(strategies[i], "");
    }
}

TEST_MAIN(test_weights, test_turns, test_turns_of_two_kinds, test_turns_of_priorities, test_sticky, test_sticky_weights,
          test_arms, test_cost, test_equal_costs_are_spread, test_quality_within_a_budget, test_balance,
          test_balance_has_a_floor, test_quality_explores, test_explored_is_said, test_a_floor_is_explored,
          test_equals_are_not_explored, test_who_is_not_explored, test_latency, test_latency_of_who_is_awaited,
          test_least_busy, test_usage, test_tiers)
