// The option tables of what a model is tried against: canaries and shadows.
#include "conf/conf_tables.h"
#include "conf/value.h"

#define ONE INT64_C(1000000) // of OPT_DECIMAL
#define DAY (24 * HOUR)

static const char *check_share(struct str text) {
    int64_t share;
    if (!value_decimal(text, &share) || share < 1 || share > ONE) return "a share above 0 and up to 1, such as 0.05";
    return NULL;
}

#define NUMBER(owner, field, kind, default_text, low, high, text)                                                      \
    {                                                                                                                  \
        .name = #field, .type = kind, .flags = RELOAD, AT(owner, field), .def = default_text, .min = low, .max = high, \
        .help = text                                                                                                   \
    }

static const struct opt canary_opts[] = {
    {.name = "model",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_canary, model),
     .check = check_model_name,
     .help = "The model that is tried: one of `models`, an alias, or `PROVIDER/MODEL`. When it fails, the targets of "
             "the model itself are asked.",
     .example = "claude-sonnet-4-5"},
    {.name = "steps",
     .type = OPT_STRS,
     .flags = RELOAD,
     AT(conf_canary, steps),
     .max = CONF_CANARY_STEPS_MAX,
     .check = check_share,
     .help = "The shares of the requests that it takes one after another, rising. `[0.01, 0.05, 0.25, 1]` when not "
             "given.",
     .example = "[0.01, 0.05, 0.25, 1]"},
    NUMBER(conf_canary, every, OPT_DURATION, "10m", 1, 365 * DAY, "How long each step takes at least."),
    NUMBER(conf_canary, min_requests, OPT_INT, "100", 0, INT64_C(1000000000),
           "How many requests the canary must have had in a step before the next one."),
    NUMBER(conf_canary, max_error_increase, OPT_DECIMAL, "0", 0, ONE,
           "How much larger its share of failures may be than the model's."),
    NUMBER(conf_canary, max_quality_drop, OPT_DECIMAL, "0", 0, ONE,
           "How much worse, of 0 to 1, its answers may be judged than the model's."),
    NUMBER(conf_canary, significance, OPT_DECIMAL, "0.05", 1, 500000,
           "How likely it may be that a canary that is no worse than that is rolled back all the same."),
};
const struct opt_table canary_table =
    OPT_TABLE("a model that takes a growing share of the requests", struct conf_canary, canary_opts);

static const struct opt shadow_opts[] = {
    {.name = "model",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_shadow, model),
     .check = check_model_name,
     .help = "The model that is asked besides: one of `models`, an alias, or `PROVIDER/MODEL`.",
     .example = "local/llama3.3"},
    NUMBER(conf_shadow, share, OPT_DECIMAL, "0.01", 0, ONE, "The share of the requests that it is sent."),
    NUMBER(conf_shadow, max_in_flight, OPT_INT, "4", 1, 10000,
           "How many requests it may be answering at a time; while it is, others are not sent to it."),
    {.name = "charge",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_shadow, charge),
     .def = "false",
     .help = "Whether what it uses counts in the budgets of whoever made the request."},
};
const struct opt_table shadow_table =
    OPT_TABLE("a model that a share of the requests is sent to as well", struct conf_shadow, shadow_opts);
