// Finds the price of a model and computes what a call cost.
#include "model/price.h"

__extension__ typedef unsigned __int128 u128;

#define NONE (-1.0)
#define PICO(dollars) ((dollars) < 0 ? PRICE_NONE : (int64_t)((dollars)*1e6 + 0.5))
#define RATES(in, cached, write, out)                                                                                  \
    {                                                                                                                  \
        .input = PICO(in), .output = PICO(out), .cached_input = PICO(cached), .cache_write = PICO(write),              \
        .reasoning = PRICE_NONE                                                                                        \
    }

struct row {
    enum provider_kind kind;
    struct str model;
    struct price_rates rates;
};
static const struct row rows[] = {
#define VENDOR(kind, day, source)
#define PRICE(owner, name, in, cached, write, out)                                                                     \
    {.kind = PROVIDER_##owner, .model = STR_INIT(name), .rates = RATES(in, cached, write, out)},
#define PRICE_LONG(owner, name, from, in, cached, write, out)
#include "model/price_table.def"
#undef PRICE
#undef PRICE_LONG
};

struct long_row {
    enum provider_kind kind;
    struct str model;
    uint64_t from;
    struct price_rates rates;
};
static const struct long_row long_rows[] = {
#define PRICE(owner, name, in, cached, write, out)
#define PRICE_LONG(owner, name, tokens, in, cached, write, out)                                                        \
    {.kind = PROVIDER_##owner, .model = STR_INIT(name), .from = tokens, .rates = RATES(in, cached, write, out)},
#include "model/price_table.def"
#undef VENDOR
#undef PRICE
#undef PRICE_LONG
};

struct vendor {
    enum provider_kind kind;
    struct str as_of;
};
static const struct vendor vendors[] = {
#define VENDOR(owner, day, source) {.kind = PROVIDER_##owner, .as_of = STR_INIT(day)},
#define PRICE(owner, name, in, cached, write, out)
#define PRICE_LONG(owner, name, from, in, cached, write, out)
#include "model/price_table.def"
#undef VENDOR
#undef PRICE
#undef PRICE_LONG
};

struct str price_as_of(enum provider_kind kind) {
    for (size_t i = 0; i < ARRAY_LEN(vendors); i++) {
        if (vendors[i].kind == kind) return vendors[i].as_of;
    }
    return STR_NONE;
}

static const struct row *row_find(enum provider_kind kind, struct str model) {
    size_t low = 0, high = ARRAY_LEN(rows);
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = rows[mid].kind != kind ? (rows[mid].kind < kind ? -1 : 1) : str_cmp(rows[mid].model, model);
        if (order == 0) return &rows[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static bool all_digits(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return s.n > 0;
}

// The part after the last '-' or '@', and what is before it.
static bool last_part(struct str s, struct str *out_head, struct str *out_part) {
    size_t i = s.n;
    while (i > 0 && s.p[i - 1] != '-' && s.p[i - 1] != '@') i--;
    if (i < 2) return false;
    *out_head = str_head(s, i - 1);
    *out_part = str_from(s, i);
    return true;
}

// Drops what names a version from the end: a word, a number of three digits or more ("-001", "-0613", "-20250514"), or
// a day in parts ("-2024-08-06", "-05-06"). A short number alone ("-4-5") is part of the name.
static bool version_drop(struct str *model) {
    static const struct str words[] = {STR_INIT("latest"), STR_INIT("preview"), STR_INIT("exp"), STR_INIT("beta")};
    struct str head, part, head2, part2;
    if (!last_part(*model, &head, &part)) return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq(part, words[i])) continue;
        *model = head;
        return true;
    }
    if (!all_digits(part)) return false;
    bool two = part.n == 2 && last_part(head, &head2, &part2) && part2.n == 2 && all_digits(part2);
    if (part.n < 3 && !two) return false;
    *model = two ? head2 : head;
    return true;
}

static const struct row *row_find_any(enum provider_kind kind, struct str model) {
    const struct row *row;
    while (!(row = row_find(kind, model)) && version_drop(&model)) {
    }
    return row;
}

// "anthropic/claude-opus-4.5" → kind anthropic, "claude-opus-4-5" (written to buffer).
static bool vendor_split(struct str *model, char *buffer, size_t size, enum provider_kind *out_kind) {
    static const struct {
        struct str prefix;
        enum provider_kind kind;
    } owners[] = {{STR_INIT("openai/"), PROVIDER_OPENAI},     {STR_INIT("anthropic/"), PROVIDER_ANTHROPIC},
                  {STR_INIT("google/"), PROVIDER_GEMINI},     {STR_INIT("mistralai/"), PROVIDER_MISTRAL},
                  {STR_INIT("deepseek/"), PROVIDER_DEEPSEEK}, {STR_INIT("x-ai/"), PROVIDER_XAI}};
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        if (!str_starts(*model, owners[i].prefix)) continue;
        struct str name = str_from(*model, owners[i].prefix.n);
        if (name.n > size) return false;
        for (size_t k = 0; k < name.n; k++) {
            bool dot = name.p[k] == '.' && owners[i].kind == PROVIDER_ANTHROPIC;
            buffer[k] = dot ? '-' : name.p[k];
        }
        *model = str_of(buffer, name.n);
        *out_kind = owners[i].kind;
        return true;
    }
    return false;
}

static const struct price_rates rates_none = {PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE, PRICE_NONE};

struct price price_list(enum provider_kind kind, struct str model) {
    struct price price = {.rates = rates_none, .long_rates = rates_none};
    char buffer[256];
    if (kind == PROVIDER_DEMO || provider_preset_get(kind)->local_port) {
        price.rates.input = price.rates.output = 0;
        price.known = true;
        price.source = PRICE_FROM_TABLE;
        return price;
    }
    if (str_starts(model, STR("models/"))) model = str_from(model, 7);
    if (kind == PROVIDER_OPENROUTER && !vendor_split(&model, buffer, sizeof buffer, &kind)) return price;
    const struct row *row = row_find_any(kind, model);
    if (!row) return price;
    price.known = true;
    price.source = PRICE_FROM_TABLE;
    price.rates = row->rates;
    for (size_t i = 0; i < ARRAY_LEN(long_rows); i++) {
        if (long_rows[i].kind != kind || !str_eq(long_rows[i].model, row->model)) continue;
        price.long_from = long_rows[i].from;
        price.long_rates = long_rows[i].rates;
    }
    return price;
}

static bool rate_set(int64_t *rate, int64_t from) {
    if (from == OPT_UNSET) return false;
    *rate = from;
    return true;
}

// A price of one's own is one price: the table's other one for long prompts no longer goes with it.
static void price_overlay(struct price *price, const struct conf_price *own) {
    if (!own) return;
    bool base = rate_set(&price->rates.input, own->input);
    base = rate_set(&price->rates.output, own->output) || base;
    bool any = rate_set(&price->rates.cached_input, own->cached_input);
    any = rate_set(&price->rates.cache_write, own->cache_write) || any;
    any = rate_set(&price->rates.reasoning, own->reasoning) || any;
    if (!base && !any) return;
    price->long_from = 0;
    price->source = PRICE_FROM_CONF;
    price->known = price->rates.input != PRICE_NONE && price->rates.output != PRICE_NONE;
}

// What one level says: the price by name, over it that of the model when it is of this level.
static void price_level(struct price *price, const struct conf *conf, const struct conf_tenant *tenant,
                        const struct price_subject *of) {
    const struct conf_price *named = conf_price_find(conf, tenant, of->peer->name, of->upstream);
    if (!named && of->model) named = conf_price_find(conf, tenant, STR_NONE, of->model->name);
    price_overlay(price, named);
    const struct conf_model *m = of->model, *list = tenant ? tenant->models.p : conf->models.p;
    size_t n = tenant ? tenant->models.n : conf->models.n;
    if (m && list && m >= list && m < list + n) price_overlay(price, &m->price);
}

struct price price_find(const struct conf *conf, const struct conf_tenant *tenant, const struct price_subject *of) {
    struct price price = price_list((enum provider_kind)of->peer->kind, of->upstream);
    const struct conf_tenant *chain[CONF_CHAIN_DEPTH];
    size_t n = 0;
    for (const struct conf_tenant *t = tenant; t && n < CONF_CHAIN_DEPTH; t = t->up) chain[n++] = t;
    price_level(&price, conf, NULL, of);
    while (n) price_level(&price, conf, chain[--n], of);
    return price;
}

static int64_t or_else(int64_t rate, int64_t otherwise) { return rate == PRICE_NONE ? otherwise : rate; }

static u128 times(uint64_t tokens, int64_t rate) { return (u128)tokens * (uint64_t)rate; }

bool price_cost(const struct price *price, const struct usage *u, uint64_t *out_nano) {
    uint64_t part;
    if (!price->known || u->reasoning > u->output) return false;
    if (__builtin_add_overflow(u->cached, u->cache_write, &part) || part > u->prompt) return false;
    const struct price_rates *r = &price->rates;
    if (price->long_from && u->prompt > price->long_from) r = &price->long_rates;

    u128 pico = times(u->prompt - part, r->input); // a product of 64 bits and 63 always fits
    const u128 parts[] = {
        times(u->cached, or_else(r->cached_input, r->input)), times(u->cache_write, or_else(r->cache_write, r->input)),
        times(u->output - u->reasoning, r->output), times(u->reasoning, or_else(r->reasoning, r->output))};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (__builtin_add_overflow(pico, parts[i], &pico)) return false;
    }
    if (__builtin_add_overflow(pico, (u128)500, &pico)) return false;
    u128 nano = pico / 1000;
    if (nano > UINT64_MAX) return false;
    *out_nano = (uint64_t)nano;
    return true;
}
