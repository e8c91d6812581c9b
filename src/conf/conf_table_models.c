// The option tables of models and prices.
#include "conf/conf_tables.h"

#define DOLLARS(owner, at, word, text)                                                                                 \
    {                                                                                                                  \
        .name = word, .type = OPT_DECIMAL, .flags = RELOAD | OPT_MAYBE, AT(owner, at), .min = 0,                       \
        .max = INT64_C(1000000000000), .help = text                                                                    \
    }
// `in` stands before the field: empty, or "price."
#define RATES(owner, in)                                                                                               \
    DOLLARS(owner, in rates.input, "input", "Dollars for a million input tokens."),                                    \
        DOLLARS(owner, in rates.output, "output", "Dollars for a million output tokens."),                             \
        DOLLARS(owner, in rates.cached_input, "cached_input",                                                          \
                "Dollars for a million input tokens read from the provider's cache; as `input` when not known."),      \
        DOLLARS(owner, in rates.cache_write, "cache_write",                                                            \
                "Dollars for a million input tokens written to the provider's cache; as `input` when not known."),     \
        DOLLARS(owner, in rates.cache_write_1h, "cache_write_1h",                                                      \
                "The same for what is to be kept for an hour; as `cache_write` when not known."),                      \
        DOLLARS(owner, in rates.reasoning, "reasoning",                                                                \
                "Dollars for a million reasoning tokens; as `output` when not known."),                                \
        DOLLARS(owner, in rates.audio_input, "audio_input",                                                            \
                "Dollars for a million input tokens of audio; as `input` when not known."),                            \
        DOLLARS(owner, in rates.audio_output, "audio_output",                                                          \
                "Dollars for a million output tokens of audio; as `output` when not known.")

static const struct opt long_price_opts[] = {
    {.name = "above",
     .type = OPT_INT,
     .flags = RELOAD | OPT_MAYBE,
     AT(conf_long_price, above),
     .min = 1,
     .max = 100000000,
     .help = "How many tokens a prompt has at most for the ordinary price to hold."},
    RATES(conf_long_price, ),
};
static const struct opt_table long_price_table =
    OPT_TABLE("what a call with a long prompt costs", struct conf_long_price, long_price_opts);

#define PRICE(owner, in)                                                                                               \
    RATES(owner, in), DOLLARS(owner, in image, "image", "Dollars for one image that is made."),                        \
        {.name = "batch",                                                                                              \
         .type = OPT_DECIMAL,                                                                                          \
         .flags = RELOAD | OPT_MAYBE,                                                                                  \
         AT(owner, in batch),                                                                                          \
         .min = 0,                                                                                                     \
         .max = 1000000,                                                                                               \
         .help = "The part of the price that a call in the provider's own batch API costs, such as 0.5."},             \
    {                                                                                                                  \
        .name = "long_prompt", .type = OPT_STRUCT, .flags = RELOAD, AT(owner, in long_prompt),                         \
        .sub = &long_price_table, .help = "What a call costs whose prompt has more than so many tokens."               \
    }

static const struct opt price_opts[] = {PRICE(conf_price, )};
static const struct opt_table price_table =
    OPT_TABLE("a price; what is left out is taken from the catalogue", struct conf_price, price_opts);

static const char *check_tier(struct str text) {
#define TIER(id, name, help)                                                                                           \
    if (str_eq(text, STR(name))) return NULL;
#include "conf/tier.def"
#undef TIER
    return "simple, medium, complex or reasoning";
}

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
    {.name = "when",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_target, when),
     .max = 2000,
     .help = "The condition for it to be asked, in the language of the guide to routing.",
     .example = "'tokens > 32000 && tenant == \"acme\"'"},
    {.name = "region",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_target, region),
     .max = 40,
     .check = check_slug,
     .help = "Where it runs, for requests that are to stay in a region; the provider's `region` when not given.",
     .example = "eu"},
    {.name = "tags",
     .type = OPT_STRS,
     .flags = RELOAD,
     AT(conf_target, tags),
     .max = 32,
     .check = check_slug,
     .help = "Words that requests can ask for with `x-penstock-tags`."},
    {.name = "tiers",
     .type = OPT_STRS,
     .flags = RELOAD,
     AT(conf_target, tiers),
     .max = 4,
     .check = check_tier,
     .help =
         "How hard the prompts are that it is for, with the strategy `complexity`: of `simple`, `medium`, `complex` "
         "and `reasoning`. All of them when not given.",
     .example = "[simple, medium]"},
    {.name = "arm",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_target, arm),
     .max = 40,
     .check = check_slug,
     .help = "The arm of the experiment that it belongs to, with the strategy `ab`. Without it the target is an arm of "
             "its own. An arm's share is the sum of its targets' weights."},
    {.name = "limits",
     .type = OPT_STRUCT,
     AT(conf_target, limits),
     .sub = &rate_limit_table,
     .help = "How much this target is sent at most."},
};
static const struct opt_table target_table = OPT_TABLE("where a model is served", struct conf_target, target_opts);

static const char *check_base(struct str text) {
    size_t slash = str_find_char(text, '/');
    return slash && slash + 1 < text.n ? check_model_name(text) : "a provider and a model: openai/gpt-4o-mini";
}

static const char *check_capability(struct str text) {
#define CAPABILITY(id, name, help)                                                                                     \
    if (str_eq(text, STR(name))) return NULL;
#include "conf/capability.def"
#undef CAPABILITY
    return "something a model can do, such as vision, tools, json_schema, reasoning or streaming";
}

static const struct opt_enum step_failures[] = {
    {"stop", STEP_STOP, "the request fails"},
    {"skip", STEP_SKIP, "the chain goes on; the step's answer is empty"},
    {"fallback", STEP_FALLBACK, "the model of `fallback` is asked; when it fails too, the request fails"},
    {0}};

static const struct opt step_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_step, name),
     .min = 1,
     .max = 40,
     .check = check_slug,
     .help = "By what later steps call its answer: `{{draft}}`."},
    {.name = "model",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_step, model),
     .min = 1,
     .check = check_model_name,
     .help =
         "The model that is asked: one of `models`, an alias, or `provider/model`. The caller's key must be allowed "
         "to use it."},
    {.name = "prompt",
     .type = OPT_STR,
     .flags = RELOAD | OPT_LINES,
     AT(conf_step, prompt),
     .max = 100000,
     .help = "What it is asked. `{{input}}` stands for the last text of the user, `{{system}}` for the system's, "
             "`{{NAME}}` for the answer of an earlier step. `{{input}}` when not given.",
     .example = "'Write a plan for this task: {{input}}'"},
    {.name = "system",
     .type = OPT_STR,
     .flags = RELOAD | OPT_LINES,
     AT(conf_step, system),
     .max = 100000,
     .help = "What the system says to it, likewise a template."},
    {.name = "conversation",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_step, conversation),
     .def = "false",
     .help = "Whether it is sent all of the conversation, the prompt in the place of the user's last text; else the "
             "prompt alone."},
    {.name = "answer",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_step, answer),
     .def = "false",
     .help = "Whether its answer is the chain's; the last step's is when none is marked so."},
    {.name = "max_tokens",
     .type = OPT_INT,
     .flags = RELOAD | OPT_MAYBE,
     AT(conf_step, max_tokens),
     .min = 1,
     .max = 100000000,
     .help = "How many tokens its answer has at most."},
    {.name = "max_cost",
     .type = OPT_DECIMAL,
     .flags = RELOAD,
     AT(conf_step, max_cost),
     .def = "0",
     .min = 0,
     .max = INT64_C(1000000000000),
     .help = "Dollars that it may be expected to cost: one that is dearer, or whose price is not known, has failed "
             "before it is asked. 0: any."},
    DURATION(conf_step, timeout, RELOAD | OPT_MAYBE, NULL, 1, 24 * HOUR, "How long it may take."),
    {.name = "when",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_step, when),
     .max = 2000,
     .help = "A condition on the request without which it is left out.",
     .example = "'tokens > 2000'"},
    {.name = "pass",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_step, pass),
     .max = 1000,
     .help = "A text that its answer has to contain; without it the step has failed.",
     .example = "APPROVED"},
    {.name = "on_failure",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_step, on_failure),
     .def = "stop",
     .values = step_failures,
     .help = "What follows when it fails."},
    {.name = "fallback",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_step, fallback),
     .check = check_model_name,
     .help = "The model that is asked when it fails, with `on_failure: fallback`."},
};
static const struct opt_table step_table = OPT_TABLE("a step of a chain", struct conf_step, step_opts);

#define TOKENS(word, field, text)                                                                                      \
    {                                                                                                                  \
        .name = #word, .type = OPT_INT, .flags = RELOAD | OPT_MAYBE, AT(conf_model, field), .min = 1,                  \
        .max = 100000000, .help = text " In place of what the catalogue says."                                         \
    }
static const struct opt_enum strategies[] = {
#define STRATEGY(id, name, help) {name, STRATEGY_##id, help},
#include "conf/strategy.def"
#undef STRATEGY
    {0}};

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
     .flags = RELOAD,
     AT(conf_model, targets),
     .min = 1,
     .max = 64,
     .sub = &target_table,
     .help = "Where it is served. Needed, but for a chain."},
    {.name = "chain",
     .type = OPT_LIST,
     .flags = RELOAD,
     AT(conf_model, chain),
     .max = CONF_STEPS_MAX,
     .sub = &step_table,
     .help = "In place of targets: the steps that a request goes through, one after the other, each asking a model. "
             "Applications call them as one model."},
    {.name = "chain_max_cost",
     .type = OPT_DECIMAL,
     .flags = RELOAD,
     AT(conf_model, chain_max_cost),
     .def = "0",
     .min = 0,
     .max = INT64_C(1000000000000),
     .help = "Dollars that all steps of the chain together may cost; a step that may go beyond has failed. 0: any."},
    DURATION(conf_model, chain_timeout, RELOAD | OPT_MAYBE, NULL, 1, 24 * HOUR,
             "How long all steps of the chain together may take."),
    {.name = "base",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_model, base),
     .check = check_base,
     .help = "The catalogue's entry that it is like, for a fine-tuned model or one under a name of your own: what it "
             "can do, how much it takes and what it costs come from there. `penstock models` lists them.",
     .example = "openai/gpt-4o-mini"},
    TOKENS(context_window, context_window, "How many tokens of input it takes."),
    TOKENS(max_output_tokens, max_output, "How many tokens it gives at most."),
    {.name = "capabilities",
     .type = OPT_STRS,
     .flags = RELOAD,
     AT(conf_model, capabilities),
     .max = 32,
     .check = check_capability,
     .help = "What it can do, in place of what the catalogue says: of `vision`, `audio_input`, `pdf`, `video_input`, "
             "`image_output`, `audio_output`, `tools`, `parallel_tools`, `json_schema`, `reasoning`, `caching` and "
             "`streaming`, which goes without saying. Of the others it cannot do what is not named.",
     .example = "[vision, tools, streaming]"},
    {.name = "price",
     .type = OPT_STRUCT,
     .flags = RELOAD,
     AT(conf_model, price),
     .sub = &price_table,
     .help = "What it costs, in place of the catalogue's price."},
    {.name = "strategy",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_model, strategy),
     .def = "weighted",
     .values = strategies,
     .help = "How one is chosen of the targets of the same priority that can and may serve a request. The others "
             "follow when it fails."},
    {.name = "tasks",
     .type = OPT_MAP,
     .flags = RELOAD,
     AT(conf_model, tasks),
     .max = 64,
     .check_key = check_slug,
     .check = check_model_name,
     .help = "The model that is asked for a task, by the task's name: what the request's `metadata.task` says, else "
             "what the prompt reads like (`summarise`, `translate`, `code`, …). Other tasks go to the targets.",
     .example = "{code: claude-sonnet-4-5, summarise: gpt-4o-mini}"},
    {.name = "canary",
     .type = OPT_STRUCT,
     AT(conf_model, canary),
     .sub = &canary_table,
     .help = "A model that takes a growing share of the requests in its place, and loses it when it does worse."},
    {.name = "shadow",
     .type = OPT_STRUCT,
     AT(conf_model, shadow),
     .sub = &shadow_table,
     .help = "A model that a share of the requests is sent to as well, to compare; its answers go to nobody."},
    {.name = "routing",
     .type = OPT_STRUCT,
     AT(conf_model, routing),
     .sub = &model_routing_table,
     .help = "What it has in place of `routing`."},
};
const struct opt_table model_table = OPT_TABLE("a model as applications see it", struct conf_model, model_opts);

static const struct opt named_price_opts[] = {PRICE(conf_named_price, price.)};
const struct opt_table named_price_table =
    OPT_TABLE("the price of a model by name", struct conf_named_price, named_price_opts);

static const struct opt catalog_opts[] = {
    {.name = "file",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_catalog, file),
     .help = "A JSON file with models, over those that are built in: in Penstock's own form or "
             "that of LiteLLM's list of prices. It is read at the start, with each reload, and by `penstock models "
             "refresh`.",
     .example = "/etc/penstock/models.json"},
    {.name = "url",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_catalog, url),
     .check = check_url,
     .help = "Where to fetch such a file instead, at the start and when it is asked for. The last good one is kept in "
             "the data directory, for when it cannot be had.",
     .example = "https://models.example.com/models.json"},
    {.name = "tls_ca",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_catalog, tls_ca),
     .help = "PEM file with the authorities the URL's certificate must come from; the system's when not given."},
    DURATION(conf_catalog, timeout, RELOAD, "5s", 100, 60000, "How long fetching it may take."),
};
const struct opt_table catalog_table = OPT_TABLE("what models can do and cost", struct conf_catalog, catalog_opts);
