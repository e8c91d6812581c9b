// Computes what a call cost.
#include "model/price.h"

__extension__ typedef unsigned __int128 u128;

#define MICRO_TO_PICO INT64_C(1000000) // an image's price is written in dollars, kept in microdollars

void price_settle(struct price *price) {
    const struct price_rates *r = &price->rates;
    price->known = (r->input != PRICE_NONE && r->output != PRICE_NONE) || r->image != PRICE_NONE;
}

static bool rate_set(int64_t *rate, int64_t from) {
    if (from == OPT_UNSET) return false;
    *rate = from;
    return true;
}

static bool rates_overlay(struct price_rates *rates, const struct conf_rates *own) {
    bool any = rate_set(&rates->input, own->input);
    any = rate_set(&rates->output, own->output) || any;
    any = rate_set(&rates->cached_input, own->cached_input) || any;
    any = rate_set(&rates->cache_write, own->cache_write) || any;
    any = rate_set(&rates->cache_write_1h, own->cache_write_1h) || any;
    any = rate_set(&rates->reasoning, own->reasoning) || any;
    any = rate_set(&rates->audio_in, own->audio_input) || any;
    return rate_set(&rates->audio_out, own->audio_output) || any;
}

// A price of one's own is one price: the catalogue's other one for long prompts no longer goes with it.
void price_overlay(struct price *price, const struct conf_price *own) {
    static const struct price_rates none = PRICE_RATES_NONE;
    struct price_rates beyond = none;
    int64_t image;
    if (!own) return;
    bool base = rates_overlay(&price->rates, &own->rates), any = base;
    if (rate_set(&image, own->image)) {
        price->rates.image = image * MICRO_TO_PICO;
        any = true;
    }
    any = rate_set(&price->batch, own->batch) || any;
    if (base) price->long_from = 0;
    if (rates_overlay(&beyond, &own->long_prompt.rates) && own->long_prompt.above != OPT_UNSET) {
        price->long_from = (uint64_t)own->long_prompt.above;
        price->long_rates = beyond;
        if (beyond.input == PRICE_NONE) price->long_rates.input = price->rates.input;
        if (beyond.output == PRICE_NONE) price->long_rates.output = price->rates.output;
        any = true;
    }
    if (!any) return;
    price->source = PRICE_FROM_CONF;
    price_settle(price);
}

static int64_t or_else(int64_t rate, int64_t otherwise) { return rate == PRICE_NONE ? otherwise : rate; }

static u128 times(uint64_t count, int64_t rate) { return rate <= 0 ? 0 : (u128)count * (uint64_t)rate; }

static bool is_sound(const struct usage *u) {
    uint64_t cache, spoken;
    return !__builtin_add_overflow(u->cached, u->cache_write, &cache) && cache <= u->prompt &&
           !__builtin_add_overflow(u->reasoning, u->audio_out, &spoken) && spoken <= u->output &&
           u->cache_write_1h <= u->cache_write && u->audio_in <= u->prompt;
}

// What only counts tokens says nothing of an image that was made, unless it has tokens.
static bool is_priced(const struct price_rates *r, const struct usage *u) {
    if (r->input == PRICE_NONE || r->output == PRICE_NONE) return r->image != PRICE_NONE && u->images;
    return !u->images || r->image != PRICE_NONE || u->output;
}

bool price_cost(const struct price *price, const struct usage *u, uint64_t *out_nano) {
    if (!price->known || !is_sound(u)) return false;
    const struct price_rates *r = &price->rates;
    if (price->long_from && u->prompt > price->long_from) r = &price->long_rates;
    if (!is_priced(r, u)) return false;

    uint64_t fresh = u->prompt - u->cached - u->cache_write, audio = MIN(u->audio_in, fresh);
    int64_t write = or_else(r->cache_write, r->input);
    const u128 parts[] = {times(fresh - audio, r->input),
                          times(audio, or_else(r->audio_in, r->input)),
                          times(u->cached, or_else(r->cached_input, r->input)),
                          times(u->cache_write - u->cache_write_1h, write),
                          times(u->cache_write_1h, or_else(r->cache_write_1h, write)),
                          times(u->output - u->reasoning - u->audio_out, r->output),
                          times(u->reasoning, or_else(r->reasoning, r->output)),
                          times(u->audio_out, or_else(r->audio_out, r->output)),
                          times(u->images, r->image)};
    u128 pico = 0; // a product of 64 bits and 63 always fits
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (__builtin_add_overflow(pico, parts[i], &pico)) return false;
    }
    if (u->batch && price->batch != PRICE_NONE) {
        if (pico > ~(u128)0 / (uint64_t)PRICE_BATCH_SAME) return false;
        pico = pico * (uint64_t)price->batch / (uint64_t)PRICE_BATCH_SAME;
    }
    if (__builtin_add_overflow(pico, (u128)500, &pico)) return false;
    u128 nano = pico / 1000;
    if (nano > UINT64_MAX) return false;
    *out_nano = (uint64_t)nano;
    return true;
}
