// The option tables of models and prices.
#include "conf/conf_tables.h"

#define PRICE(field, text)                                                                                             \
    {                                                                                                                  \
        .name = #field, .type = OPT_DECIMAL, .flags = RELOAD | OPT_MAYBE, AT(conf_price, field), .min = 0,             \
        .max = INT64_C(1000000000000), .help = text                                                                    \
    }
static const struct opt price_opts[] = {
    PRICE(input, "Dollars for a million input tokens."),
    PRICE(output, "Dollars for a million output tokens."),
    PRICE(cached_input,
          "Dollars for a million input tokens read from the provider's cache; as `input` when not known."),
    PRICE(cache_write,
          "Dollars for a million input tokens written to the provider's cache; as `input` when not known."),
    PRICE(reasoning, "Dollars for a million reasoning tokens; as `output` when not known."),
};
static const struct opt_table price_table =
    OPT_TABLE("a price; what is left out is taken from the built-in table", struct conf_price, price_opts);

static const struct opt target_opts[] = {
    {.name = "provider",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_target, provider),
     .min = 1,
     .max = 64,
     .help = "The name of one of `providers`."},
    {.name = "model",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_target, model),
     .check = check_model_name,
     .help = "What the provider calls it; the model's own name when not given."},
    {.name = "weight",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_target, weight),
     .def = "1",
     .min = 0,
     .max = 1000000,
     .help = "Its share among targets of the same priority; 0 takes it out."},
    {.name = "priority",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_target, priority),
     .def = "0",
     .min = 0,
     .max = 1000,
     .help = "Targets of a lower number go first."},
};
static const struct opt_table target_table = OPT_TABLE("where a model is served", struct conf_target, target_opts);

static const struct opt model_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_model, name),
     .min = 1,
     .check = check_model_name,
     .help = "What applications ask for."},
    {.name = "targets",
     .type = OPT_LIST,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_model, targets),
     .min = 1,
     .max = 64,
     .sub = &target_table,
     .help = "Where it is served."},
    {.name = "price",
     .type = OPT_STRUCT,
     .flags = RELOAD,
     AT(conf_model, price),
     .sub = &price_table,
     .help = "What it costs, in place of the built-in table's price."},
};
const struct opt_table model_table = OPT_TABLE("a model as applications see it", struct conf_model, model_opts);

#define NAMED_PRICE(field, text)                                                                                       \
    {                                                                                                                  \
        .name = #field, .type = OPT_DECIMAL, .flags = RELOAD | OPT_MAYBE, AT(conf_named_price, price.field), .min = 0, \
        .max = INT64_C(1000000000000), .help = text                                                                    \
    }
static const struct opt named_price_opts[] = {
    NAMED_PRICE(input, "As in `models[].price`."),        NAMED_PRICE(output, "As in `models[].price`."),
    NAMED_PRICE(cached_input, "As in `models[].price`."), NAMED_PRICE(cache_write, "As in `models[].price`."),
    NAMED_PRICE(reasoning, "As in `models[].price`."),
};
const struct opt_table named_price_table =
    OPT_TABLE("the price of a model by name", struct conf_named_price, named_price_opts);
