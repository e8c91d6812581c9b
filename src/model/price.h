// What tokens cost: the dated table of list prices built into the binary, and exact integer arithmetic on it.
//
// Units: prices are picodollars a token (1 $ a million tokens = 1,000,000); costs are nanodollars. Ownership: a price
// is a value. Thread rule: pure; the table is constant. An unknown price is said to be unknown: never 0.
#ifndef MODEL_PRICE_H
#define MODEL_PRICE_H

#include "conf/conf.h"
#include "model/usage.h"

#define PRICE_NONE INT64_C(-1) // this figure is not known

enum price_source { PRICE_FROM_NOWHERE, PRICE_FROM_TABLE, PRICE_FROM_CONF };

struct price_rates {
    int64_t input, output;
    int64_t cached_input; // PRICE_NONE: as input
    int64_t cache_write;  // PRICE_NONE: as input
    int64_t reasoning;    // PRICE_NONE: as output
};
struct price {
    bool known; // rates.input and rates.output are set
    enum price_source source;
    struct price_rates rates;
    uint64_t long_from; // a prompt of more tokens than this costs long_rates; 0 = all cost the same
    struct price_rates long_rates;
};

// The day that the table's prices for that kind are of, "2026-05-31"; empty when it has none.
struct str price_as_of(enum provider_kind kind);
// The list price of a provider's model. When the exact name is not in the table, what names a version is dropped from
// its end ("gpt-4o-2024-08-06", "-20250514", "-latest", "-preview-05-06"); a "models/" in front is ignored. Kind
// openrouter looks up "vendor/model" in that vendor's prices. Kinds that run on one's own machine, and demo, cost 0,
// known. Otherwise known = false.
struct price price_list(enum provider_kind kind, struct str model);
struct price_subject {
    const struct conf_model *model; // NULL: passed through by name
    const struct conf_provider *peer;
    struct str upstream; // what the provider calls it
};
// As price_list, but what the configuration says goes first: the model's own `price`, then `prices` by
// "provider/model", then by model name; and of that what the tenant says (NULL: none), then its parent, and at last the
// general part. Figures that one leaves out stay those of the next.
struct price price_find(const struct conf *conf, const struct conf_tenant *tenant, const struct price_subject *of);
// Cost in nanodollars, rounded half up once, at the end. False (nothing set) when the price is unknown, the usage
// contradicts itself (cached + cache_write > prompt, reasoning > output) or the sum overflows. Audio tokens are priced
// as text.
NODISCARD bool price_cost(const struct price *price, const struct usage *usage, uint64_t *out_nano);

#endif
