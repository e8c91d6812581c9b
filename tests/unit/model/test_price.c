// Prices: exact costs of every kind of token, tiers, batches, images.
#include "check.h"
#include "model/price.h"

static struct price gpt_4o(void) {
    struct price p = PRICE_UNKNOWN;
    p.rates.input = 2500000;
    p.rates.cached_input = 1250000;
    p.rates.output = 10000000;
    p.batch = PRICE_BATCH_SAME / 2;
    price_settle(&p);
    return p;
}

static void costs(void) {
    struct price p = gpt_4o();
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
    struct price p = PRICE_UNKNOWN;
    uint64_t nano = 0;
    p.rates.input = 37500;
    p.rates.output = 499;
    p.rates.reasoning = 1500;
    price_settle(&p);
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
    struct price p = {
        .known = true,
        .rates = {1250000, 10000000, 125000, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE},
        .long_from = 200000,
        .long_rates = {2500000, 15000000, 250000, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE,
                       PRICE_NONE},
        .batch = PRICE_NONE};
    uint64_t nano = 0;
    CHECK(price_cost(&p, &(struct usage){.prompt = 200000, .output = 1000}, &nano));
    CHECK_INT(nano, 250000000 + 10000000);
    CHECK(price_cost(&p, &(struct usage){.prompt = 200001, .output = 1000}, &nano));
    CHECK_INT(nano, 200001 * 2500 + 15000000);
}

static void bad_usage(void) {
    struct price p = gpt_4o(), huge = PRICE_UNKNOWN, max = PRICE_UNKNOWN;
    huge.rates.input = INT64_MAX;
    huge.rates.output = 1;
    max.rates.input = max.rates.output = INT64_MAX;
    price_settle(&huge);
    price_settle(&max);
    uint64_t nano = 7;
    CHECK(!price_cost(&p, &(struct usage){.prompt = 5, .cached = 6}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = 5, .cached = 3, .cache_write = 3}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = 5, .cached = UINT64_MAX, .cache_write = 6}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.output = 1, .reasoning = 2}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.output = 3, .reasoning = 2, .audio_out = 2}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.output = 3, .reasoning = 2, .audio_out = UINT64_MAX}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = 3, .audio_in = 4}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = 3, .cache_write = 1, .cache_write_1h = 2}, &nano));
    CHECK(!price_cost(&p, &(struct usage){.prompt = UINT64_MAX, .output = UINT64_MAX}, &nano));
    CHECK(!price_cost(&huge, &(struct usage){.prompt = UINT64_MAX}, &nano));
    CHECK(!price_cost(&max, &(struct usage){.prompt = UINT64_MAX, .output = UINT64_MAX}, &nano));
    CHECK_INT(nano, 7);
}

static void every_kind(void) {
    struct price p = {.known = true,
                      .rates = {.input = 1000,
                                .output = 2000,
                                .cached_input = 100,
                                .cache_write = 1250,
                                .cache_write_1h = 2000,
                                .reasoning = 3000,
                                .audio_in = 8000,
                                .audio_out = 16000,
                                .image = 40000000000},
                      .batch = 250000};
    const struct {
        struct usage u;
        uint64_t nano;
    } rows[] = {
        {{.prompt = 100, .cache_write = 30, .cache_write_1h = 10}, 70 + 25 + 20},
        {{.prompt = 10, .cache_write = 10, .cache_write_1h = 10}, 20},
        {{.prompt = 100, .audio_in = 40}, 60 + 320},
        {{.prompt = 100, .cached = 50, .audio_in = 100}, 5 + 50 * 8}, // what was cached costs that
        {{.output = 100, .audio_out = 10, .reasoning = 20}, 140 + 160 + 60},
        {{.images = 3}, 120000000},
        {{.prompt = 8, .images = 1}, 8 + 40000000},
        {{.prompt = 100, .output = 50, .batch = true}, 50},
        {{.images = 2, .batch = true}, 20000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t nano = 1;
        CHECK(price_cost(&p, &rows[i].u, &nano));
        CHECK_INT(nano, rows[i].nano);
    }
    p.rates.cache_write_1h = PRICE_NONE; // as for five minutes
    uint64_t nano;
    CHECK(price_cost(&p, &(struct usage){.prompt = 4, .cache_write = 4, .cache_write_1h = 4}, &nano));
    CHECK_INT(nano, 5);
    p.batch = PRICE_NONE; // not known: the whole
    CHECK(price_cost(&p, &(struct usage){.prompt = 100, .batch = true}, &nano));
    CHECK_INT(nano, 100);
}

static void images(void) {
    struct price p = PRICE_UNKNOWN, tokens = gpt_4o();
    uint64_t nano = 7;
    price_settle(&p);
    CHECK(!p.known);
    p.rates.image = 80000000000;
    price_settle(&p);
    CHECK(p.known);
    CHECK(price_cost(&p, &(struct usage){.prompt = 100, .images = 1}, &nano)); // its prompt costs nothing
    CHECK_INT(nano, 80000000);
    nano = 7;
    CHECK(!price_cost(&p, &(struct usage){.prompt = 100, .output = 5}, &nano)); // an answer in words has no price
    CHECK(!price_cost(&tokens, &(struct usage){.prompt = 100, .images = 1}, &nano));
    CHECK_INT(nano, 7);
    CHECK(price_cost(&tokens, &(struct usage){.prompt = 100, .output = 1000, .images = 1}, &nano)); // in tokens
    CHECK_INT(nano, 250000 + 10000000);
}

static void overlaid(void) {
    struct conf_rates unset = {OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET};
    struct conf_price own = {unset, OPT_UNSET, OPT_UNSET, {OPT_UNSET, unset}};
    struct price p = gpt_4o();
    p.source = PRICE_FROM_TABLE;
    p.long_from = 5;
    price_overlay(&p, NULL);
    price_overlay(&p, &own);
    CHECK(p.source == PRICE_FROM_TABLE && p.long_from == 5);
    own.batch = 300000;
    price_overlay(&p, &own); // says nothing of the two prices
    CHECK(p.source == PRICE_FROM_CONF && p.long_from == 5 && p.batch == 300000);
    own.rates.audio_output = 7;
    own.image = 2;
    price_overlay(&p, &own);
    CHECK(p.long_from == 0 && p.rates.audio_out == 7 && p.rates.image == 2000000 && p.rates.input == 2500000);
    own.long_prompt.above = 1000;
    own.long_prompt.rates.input = 9;
    price_overlay(&p, &own);
    CHECK_INT(p.long_from, 1000);
    CHECK_INT(p.long_rates.input, 9);
    CHECK_INT(p.long_rates.output, 10000000);
}

TEST_MAIN(costs, rounding, long_prompts, bad_usage, every_kind, images, overlaid)
