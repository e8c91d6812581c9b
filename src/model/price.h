// What tokens cost: prices, and exact integer arithmetic on them.
//
// Units: prices are picodollars a token (1 $ a million tokens = 1,000,000) and picodollars an image; costs are
// nanodollars. Ownership: a price is a value. Thread rule: pure. An unknown price is said to be unknown: never 0.
#ifndef MODEL_PRICE_H
#define MODEL_PRICE_H

#include "conf/conf.h"
#include "model/usage.h"

#define PRICE_NONE INT64_C(-1) // this figure is not known

enum price_source { PRICE_FROM_NOWHERE, PRICE_FROM_TABLE, PRICE_FROM_CONF };

// Each after the first two may be PRICE_NONE.
struct price_rates {
    int64_t input, output;
    int64_t cached_input;        // else as input
    int64_t cache_write;         // else as input
    int64_t cache_write_1h;      // else as cache_write
    int64_t reasoning;           // else as output
    int64_t audio_in, audio_out; // else as input, as output
    int64_t image;               // one that is made; else it costs its tokens alone
};
#define PRICE_RATES_NONE                                                                                               \
    { PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE }
#define PRICE_BATCH_SAME INT64_C(1000000)
struct price {
    bool known; // rates.input and rates.output are set, or rates.image is
    enum price_source source;
    struct price_rates rates;
    uint64_t long_from; // a prompt of more tokens than this costs long_rates; 0 = all cost the same
    struct price_rates long_rates;
    int64_t batch; // millionths of all of it that a batch costs; PRICE_NONE: not known, so the whole
};
#define PRICE_UNKNOWN                                                                                                  \
    { .rates = PRICE_RATES_NONE, .long_rates = PRICE_RATES_NONE, .batch = PRICE_NONE }

// Sets `known` by what is set.
void price_settle(struct price *price);
// A price of the configuration over another: what it leaves out stays. NULL is fine.
void price_overlay(struct price *price, const struct conf_price *own);
// Cost in nanodollars, rounded half up once, at the end. False (nothing set) when the price is unknown, the usage
// contradicts itself (parts are more than what they are parts of) or the sum overflows. Audio that was read from the
// cache costs what is read from the cache.
NODISCARD bool price_cost(const struct price *price, const struct usage *usage, uint64_t *out_nano);

#endif
