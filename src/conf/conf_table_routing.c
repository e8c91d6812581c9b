// The option tables of routing: for all models, where each option has a default, and for one model, where none has.
#include "conf/conf_tables.h"

#define ONE INT64_C(1000000) // of OPT_DECIMAL
#define DAY (24 * HOUR)

// An option of both tables: in the general one it has a default, in a model's it may be left out.
#define GENERAL(text) .def = (text)
#define OF_MODEL(text) .def = NULL
#define VALUE(owner, field, kind, how, default_part, low, high, text)                                                  \
    {                                                                                                                  \
        .name = #field, .type = kind, .flags = RELOAD | (how), AT(owner, field), default_part, .min = low,             \
        .max = high, .help = text                                                                                      \
    }
#define TABLE(name, title, owner, ROWS)                                                                                \
    static const struct opt name##_opts[] = {ROWS(0, GENERAL)}, model_##name##_opts[] = {ROWS(OPT_MAYBE, OF_MODEL)};   \
    static const struct opt_table name##_table = OPT_TABLE(title, struct owner, name##_opts),                          \
                                  model_##name##_table = OPT_TABLE(title, struct owner, model_##name##_opts)

#define RETRY(how, D)                                                                                                  \
    VALUE(conf_retry, attempts, OPT_INT, how, D("5"), 1, 64,                                                           \
          "How many calls to providers are made for one request at most, the first one counted."),                     \
        VALUE(conf_retry, same_target, OPT_INT, how, D("0"), 0, 10,                                                    \
              "How often a target is asked again when it has failed and no other is left. Clients' libraries mostly "  \
              "try again themselves."),                                                                                \
        VALUE(conf_retry, base, OPT_DURATION, how, D("250ms"), 1, HOUR,                                                \
              "How long the first wait before the same target is asked again is at most; each further one may be "     \
              "twice as long. The time is drawn between nothing and that, unless the provider said when to come "      \
              "back."),                                                                                                \
        VALUE(conf_retry, max, OPT_DURATION, how, D("8s"), 1, HOUR,                                                    \
              "The longest wait; a provider that asks for a longer one is not asked again."),                          \
        VALUE(conf_retry, share, OPT_DECIMAL, how, D("0.2"), 0, ONE,                                                   \
              "The share of requests that may be tried anew, so that trying does not bury a fleet in trouble.")
TABLE(retry, "what is tried again", conf_retry, RETRY);

#define HEDGE(how, D)                                                                                                  \
    VALUE(conf_hedge, share, OPT_DECIMAL, how, D("0"), 0, ONE,                                                         \
          "The share of requests that may be sent to a second target while the first has not begun to answer; the "    \
          "answer that begins first is taken and the other call is given up. 0: none."),                               \
        VALUE(conf_hedge, after, OPT_DURATION, OPT_MAYBE, .def = NULL, 1, HOUR,                                        \
              "How long the first target has before the second one is asked. As long as `quantile` of its answers "    \
              "began within, when not given."),                                                                        \
        VALUE(conf_hedge, quantile, OPT_DECIMAL, how, D("0.95"), 500000, 999999,                                       \
              "The share of answers that are not waited for longer.")
TABLE(hedge, "asking a second target when the first is slow", conf_hedge, HEDGE);

#define BREAKER(how, D)                                                                                                \
    VALUE(conf_breaker, failures, OPT_INT, how, D("5"), 0, 1000,                                                       \
          "After how many failures one after another a target is left out. 0: they are not counted."),                 \
        VALUE(conf_breaker, error_rate, OPT_DECIMAL, how, D("0.5"), 1, ONE,                                            \
              "The share of failures within `window` from which it is left out."),                                     \
        VALUE(conf_breaker, min_requests, OPT_INT, how, D("20"), 1, 1000000,                                           \
              "How many requests there must be in `window` for their share of failures to say something."),            \
        VALUE(conf_breaker, window, OPT_DURATION, how, D("10s"), 1000, HOUR,                                           \
              "The time over which failures are counted."),                                                            \
        VALUE(conf_breaker, open, OPT_DURATION, how, D("5s"), 10, DAY,                                                 \
              "How long it is left out at first; each further time twice as long."),                                   \
        VALUE(conf_breaker, max_open, OPT_DURATION, how, D("5m"), 10, DAY, "How long it is left out at most."),        \
        VALUE(conf_breaker, probes, OPT_INT, how, D("1"), 1, 100,                                                      \
              "How many requests at a time try whether it is well again, and how many of them must succeed."),         \
        VALUE(conf_breaker, max_ejected, OPT_DECIMAL, how, D("0.5"), 0, ONE,                                           \
              "The share of a model's targets that may be left out; when more fail, all are asked, for the fault is "  \
              "likely elsewhere."),                                                                                    \
        VALUE(conf_breaker, slow_start, OPT_DURATION, how, D("10s"), 0, HOUR,                                          \
              "The time within which a target that came back gets from a little to all of its share.")
TABLE(breaker, "when a target is left out", conf_breaker, BREAKER);

#define ANSWER_WAITS                                                                                                   \
    VALUE(conf_answer_waits, first_token, OPT_DURATION, OPT_MAYBE, .def = NULL, 1, DAY,                                \
          "How long a target has until an answer that is streamed begins, before the next one is asked."),             \
        VALUE(conf_answer_waits, inter_token, OPT_DURATION, OPT_MAYBE, .def = NULL, 1, DAY,                            \
              "How long a stream may stand still."),                                                                   \
        VALUE(conf_answer_waits, total, OPT_DURATION, OPT_MAYBE, .def = NULL, 1, DAY,                                  \
              "How long a request may take, all its attempts together."),                                              \
        VALUE(conf_answer_waits, min_rate, OPT_DECIMAL, OPT_MAYBE, .def = NULL, 1, 1000000 * ONE,                      \
              "How many tokens a second a stream has to bring on average, once it has run for some seconds.")
static const struct opt answer_waits_opts[] = {ANSWER_WAITS};
static const struct opt_table answer_waits_table =
    OPT_TABLE("how long answers are waited for", struct conf_answer_waits, answer_waits_opts);

#define BALANCE(how, D)                                                                                                \
    VALUE(conf_balance, cost, OPT_DECIMAL, how, D("1"), 0, 1000 * ONE, "How much it counts what the request costs."),  \
        VALUE(conf_balance, latency, OPT_DECIMAL, how, D("1"), 0, 1000 * ONE,                                          \
              "How much it counts how soon the answer begins."),                                                       \
        VALUE(conf_balance, quality, OPT_DECIMAL, how, D("1"), 0, 1000 * ONE,                                          \
              "How much it counts how good its answers were.")
TABLE(balance, "what counts how much", conf_balance, BALANCE);

#define QUEUE(how, D)                                                                                                  \
    VALUE(conf_queue, max_wait, OPT_DURATION, how, D("0"), 0, HOUR,                                                    \
          "How long a request waits in all when its targets are at the limits set for them, or have answered 429 and " \
          "asked to be left alone. 0: it is refused."),                                                                \
        VALUE(conf_queue, max_length, OPT_INT, how, D("1000"), 1, 1000000,                                             \
              "How many requests may wait for the same targets. When all places are taken, who comes takes one of a "  \
              "lower class, or else of the key that has most.")
TABLE(queue, "waiting for room", conf_queue, QUEUE);

#define FALLBACK(field, text)                                                                                          \
    {                                                                                                                  \
        .name = #field, .type = OPT_STRS, .flags = RELOAD, AT(conf_fallbacks, field), .max = 16,                       \
        .check = check_model_name, .help = text                                                                        \
    }
#define FALLBACKS(none)                                                                                                \
    FALLBACK(general, "The models that are asked, in this order, when all targets have failed; " none),                \
        FALLBACK(context_window,                                                                                       \
                 "Those that are asked when the prompt is too long; the general ones when not given; " none),          \
        FALLBACK(content_policy,                                                                                       \
                 "Those that are asked when a provider will not answer on grounds of its content policy; " none),      \
        FALLBACK(timeout, "Those that are asked when no answer came in time; the general ones when not given; " none), \
        FALLBACK(rate_limit, "Those that are asked when a limit is reached; the general ones when not given; " none)
static const struct opt fallback_opts[] = {FALLBACKS("`none` alone: nobody.")},
                        model_fallback_opts[] = {
                            FALLBACKS("`none` alone: nobody. An empty list is as in `routing.fallbacks`.")};
static const struct opt_table fallback_table =
                                  OPT_TABLE("models asked in a model's place", struct conf_fallbacks, fallback_opts),
                              model_fallback_table = OPT_TABLE("models asked in a model's place", struct conf_fallbacks,
                                                               model_fallback_opts);

static const char *check_fault(struct str name) {
    if (str_eq(name, STR("none"))) return NULL;
#define FAULT(id, word, hard, score, help)                                                                             \
    if ((hard) && str_eq(name, STR(word))) return NULL;
#include "conf/fault.def"
#undef FAULT
    return "schema, empty, refused, truncated, repetition or none";
}

#define JUDGE(how, D)                                                                                                  \
    {.name = "model",                                                                                                  \
     .type = OPT_STR,                                                                                                  \
     .flags = RELOAD,                                                                                                  \
     AT(conf_judge, model),                                                                                            \
     .max = 256,                                                                                                       \
     .check = check_model_name,                                                                                        \
     .help = "The model that reads prompts and answers, and says how good these are. It is asked once the answer is "  \
             "out, in the name of the key that asked; it costs what it costs. None when not given."},                  \
        VALUE(conf_judge, share, OPT_DECIMAL, how, D("0.05"), 0, ONE,                                                  \
              "The share of the answers scored that are judged.")
TABLE(judge, "a model that judges answers", conf_judge, JUDGE);

#define QUALITY(how, D, judge_part)                                                                                    \
    VALUE(conf_quality, share, OPT_DECIMAL, OPT_MAYBE, .def = NULL, 0, ONE,                                            \
          "The share of answers that are scored. When not given: all where the strategy goes by quality (`quality`, "  \
          "`balanced`, `cost` with a `min_quality`), else none."),                                                     \
        {.name = "judge",                                                                                              \
         .type = OPT_STRUCT,                                                                                           \
         AT(conf_quality, judge),                                                                                      \
         .sub = &(judge_part),                                                                                         \
         .help = "A model that judges some of them."},                                                                 \
        VALUE(conf_quality, explore, OPT_DECIMAL, how, D("0.02"), 0, ONE / 2,                                          \
              "Where the strategy goes by quality: the share of requests that another target gets first, one that "    \
              "would be before it if its answers were perfect, so that it is found out how good they are. 0: none."),  \
    {                                                                                                                  \
        .name = "retry_on", .type = OPT_STRS, .flags = RELOAD, AT(conf_quality, retry_on), .max = 8,                   \
        .check = check_fault, .example = "[schema, empty]",                                                            \
        .help = "What is wrong with an answer that the client shall not get while there is another target: `schema`, " \
                "`empty`, `refused`, `truncated`, `repetition`; `none` where the general value shall not hold. "       \
                "Streams cannot be held back."                                                                         \
    }
static const struct opt quality_opts[] = {QUALITY(0, GENERAL, judge_table)},
                        model_quality_opts[] = {QUALITY(OPT_MAYBE, OF_MODEL, model_judge_table)};
static const struct opt_table quality_table = OPT_TABLE("scoring of answers", struct conf_quality, quality_opts),
                              model_quality_table =
                                  OPT_TABLE("scoring of answers", struct conf_quality, model_quality_opts);

static const struct opt_enum affinities[] = {{"session", AFFINITY_SESSION, "the session, else the user, else the key"},
                                             {"user", AFFINITY_USER, "the user, else the key"},
                                             {"key", AFFINITY_KEY, "the key"},
                                             {"prompt", AFFINITY_PROMPT, "the beginning of the prompt"},
                                             {"inherit", AFFINITY_INHERIT, "as `routing.affinity`"},
                                             {0}};
static const struct opt_enum coalescings[] = {
    {"off", COALESCE_OFF, "none"},
    {"deterministic", COALESCE_DETERMINISTIC, "those whose answers should not differ: temperature 0, embeddings"},
    {"all", COALESCE_ALL, "all"},
    {"inherit", COALESCE_INHERIT, "as `routing.coalesce`"},
    {0}};
static const struct opt_enum coalesce_billings[] = {
    {"each", COALESCE_BILLING_EACH, "each pays as if it had called"},
    {"one", COALESCE_BILLING_ONE, "one of them, the first unless it has left, pays for the call, the others nothing"},
    {"inherit", COALESCE_BILLING_INHERIT, "as `routing.coalesce_billing`"},
    {0}};

static const struct opt_enum warmings[] = {
    {"off", WARM_OFF, "none; a request opens what it needs"},
    {"failover", WARM_FAILOVER,
     "one when the target before it is left out or cools down, and when it may be asked again itself"},
    {"always", WARM_ALWAYS,
     "besides, one at the start and after each change of the configuration, and again while it was used "
     "in the last "
     "five minutes"},
    {"inherit", WARM_INHERIT, "as `routing.warm`"},
    {0}};

#define SECTION(owner, field, table, text)                                                                             \
    { .name = #field, .type = OPT_STRUCT, AT(owner, field), .sub = &(table), .help = text }
// whose: empty, or what the names of a model's own tables begin with.
#define SECTIONS(whose, fallbacks_text)                                                                                \
    SECTION(conf_routing, retry, whose##retry_table, "What is tried again."),                                          \
        SECTION(conf_routing, hedge, whose##hedge_table, "Asking a second target when the first is slow."),            \
        SECTION(conf_routing, breaker, whose##breaker_table, "When a target is left out."),                            \
        SECTION(conf_routing, timeouts, answer_waits_table, "How long answers are waited for."),                       \
        SECTION(conf_routing, balance, whose##balance_table, "What counts how much for the strategy `balanced`."),     \
        SECTION(conf_routing, queue, whose##queue_table, "Waiting for room at targets."),                              \
        SECTION(conf_routing, fallbacks, whose##fallback_table, fallbacks_text),                                       \
        SECTION(conf_routing, quality, whose##quality_table, "Scoring of answers.")
#define CHOICES(how, D, none)                                                                                          \
    VALUE(conf_routing, min_quality, OPT_DECIMAL, how, D("0"), 0, ONE,                                                 \
          "The quality from 0 to 1 that a target's answers must have had for `cost` and `balanced` to take it."),      \
        VALUE(conf_routing, max_cost, OPT_DECIMAL, how, D("0"), 0, 1000000 * ONE,                                      \
              "Dollars that a request may be expected to cost at the target that `quality` takes. 0: any."),           \
        {.name = "continue",                                                                                           \
         .type = OPT_INT,                                                                                              \
         .flags = RELOAD | (how),                                                                                      \
         AT(conf_routing, continuations),                                                                              \
         D("0"),                                                                                                       \
         .max = 2,                                                                                                     \
         .help = "How often another target is asked to go on with an answer whose stream has broken off in the "       \
                 "middle of its text. 0: the client gets an error."},                                                  \
        {.name = "affinity",                                                                                           \
         .type = OPT_ENUM,                                                                                             \
         .flags = RELOAD,                                                                                              \
         AT(conf_routing, affinity),                                                                                   \
         .def = none("session"),                                                                                       \
         .values = affinities,                                                                                         \
         .help = "What requests have in common that go to the same target with `sticky` and `ab`."},                   \
        {.name = "coalesce",                                                                                           \
         .type = OPT_ENUM,                                                                                             \
         .flags = RELOAD,                                                                                              \
         AT(conf_routing, coalesce),                                                                                   \
         .def = none("off"),                                                                                           \
         .values = coalescings,                                                                                        \
         .help = "Which requests, when the same one is under way already, wait for its answer in place of a call of "  \
                 "their own."},                                                                                        \
        {.name = "coalesce_billing",                                                                                   \
         .type = OPT_ENUM,                                                                                             \
         .flags = RELOAD,                                                                                              \
         AT(conf_routing, coalesce_billing),                                                                           \
         .def = none("each"),                                                                                          \
         .values = coalesce_billings,                                                                                  \
         .help = "Who pays for a call that several requests have waited for."},                                        \
    {                                                                                                                  \
        .name = "warm", .type = OPT_ENUM, .flags = RELOAD, AT(conf_routing, warm), .def = none("failover"),            \
        .values = warmings,                                                                                            \
        .help = "Whether each event loop has a connection ready to a target that is likely to be asked next."          \
    }
#define ITSELF(text) text
#define INHERIT(text) "inherit"

static const struct opt_enum states[] = {
    {"local", ROUTING_STATE_LOCAL, "each server knows what it found itself"},
    {"redis", ROUTING_STATE_REDIS, "servers tell each other of it through Redis, and divide limits among themselves"},
    {0}};
static const struct opt_enum redis_failures[] = {
    {"share", REDIS_FAILURE_SHARE,
     "each server goes on with its part of each limit, as it was when Redis last answered"},
    {"open", REDIS_FAILURE_OPEN, "each server counts alone, against the whole limit"},
    {"closed", REDIS_FAILURE_CLOSED, "targets that have limits are sent nothing"},
    {0}};

static const struct opt routing_opts[] = {
    {.name = "state",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_routing, state),
     .def = "local",
     .values = states,
     .help = "Where it is kept which targets are in trouble and how much they have been sent. `redis` "
             "needs `redis.url`. "
             "Requests never wait for it."},
    {.name = "on_redis_failure",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_routing, on_redis_failure),
     .def = "share",
     .values = redis_failures,
     .help = "With `state: redis`, what becomes of targets' limits while Redis does not answer."},
    {.name = "private_when",
     .type = OPT_STRS,
     .flags = RELOAD,
     AT(conf_routing, private_when),
     .max = CONF_PRIVATE_WHEN_MAX,
     .check = check_pii_kind,
     .help = "Which personal data in its texts makes a request private, so that providers with `privacy: local` alone "
             "see it: `all`, or some of `email`, `credit_card`, `iban`, `phone`, `ip_address`, `us_ssn`, `us_itin`, "
             "`uk_nhs`, `es_nif`, `it_fiscal_code`, `sg_nric`, `fi_hetu` and `in_aadhaar`; `none`. None when not "
             "given. Tenants, teams, projects and keys may have their own.",
     .example = "[email, credit_card]",
     .see = "tenants[].private_when providers[].privacy"},
    SECTIONS(, "Models asked in a model's place when it fails."),
    CHOICES(0, GENERAL, ITSELF)};
const struct opt_table routing_table =
    OPT_TABLE("how targets are chosen, and what is done when one fails", struct conf_routing, routing_opts);
static const struct opt model_routing_opts[] = {SECTIONS(model_, "Models asked in its place when it fails."),
                                                CHOICES(OPT_MAYBE, OF_MODEL, INHERIT)};
const struct opt_table model_routing_table =
    OPT_TABLE("what it has in place of `routing`", struct conf_routing, model_routing_opts);

#define LIMIT(field, text)                                                                                             \
    {                                                                                                                  \
        .name = #field, .type = OPT_INT, .flags = RELOAD | OPT_MAYBE, AT(conf_rate_limits, field), .min = 1,           \
        .max = INT64_C(1000000000000), .help = text " When not given there is no limit."                               \
    }
static const struct opt rate_limit_opts[] = {
    LIMIT(requests_per_minute, "How many requests it is sent within any minute."),
    LIMIT(tokens_per_minute, "How many tokens, of prompts and answers, within any minute."),
    LIMIT(
        input_tokens_per_minute,
        "How many tokens of prompts, within any minute; not those that a provider spoken to in Anthropic's dialect has "
        "read from its prompt cache."),
    LIMIT(output_tokens_per_minute, "How many tokens of answers, within any minute."),
    LIMIT(concurrency, "How many requests are under way there at a time."),
};
const struct opt_table rate_limit_table =
    OPT_TABLE("how much it is sent at most", struct conf_rate_limits, rate_limit_opts);
