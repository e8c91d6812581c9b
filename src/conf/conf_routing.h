// Routing as it is configured: how a model's targets are chosen, and what is done when one fails.
//
// Part of the snapshot of conf.h, whose ownership and thread rule hold. Units: milliseconds; shares in millionths;
// money in microdollars.
#ifndef CONF_CONF_ROUTING_H
#define CONF_CONF_ROUTING_H

#include "conf/opt.h"

enum conf_strategy {
#define STRATEGY(id, name, help) STRATEGY_##id,
#include "conf/strategy.def"
#undef STRATEGY
    STRATEGY_COUNT
};
enum conf_tier {
#define TIER(id, name, help) TIER_##id,
#include "conf/tier.def"
#undef TIER
    TIER_COUNT
};
enum conf_affinity { AFFINITY_INHERIT, AFFINITY_SESSION, AFFINITY_USER, AFFINITY_KEY, AFFINITY_PROMPT };
enum conf_coalesce { COALESCE_INHERIT, COALESCE_OFF, COALESCE_DETERMINISTIC, COALESCE_ALL };
enum conf_routing_state { ROUTING_STATE_LOCAL, ROUTING_STATE_REDIS };
enum conf_redis_failure { REDIS_FAILURE_SHARE, REDIS_FAILURE_OPEN, REDIS_FAILURE_CLOSED };
enum conf_coalesce_billing { COALESCE_BILLING_INHERIT, COALESCE_BILLING_EACH, COALESCE_BILLING_ONE };
enum conf_warm { WARM_INHERIT, WARM_OFF, WARM_FAILOVER, WARM_ALWAYS };
enum conf_privacy { PRIVACY_AUTO, PRIVACY_LOCAL, PRIVACY_REMOTE }; // where a provider's answers are made
enum conf_calls { CALLS_INHERIT, CALLS_ANY, CALLS_PRIVATE };       // what requests of a level are
#define CONF_REGIONS_MAX 8
#define CONF_REGION_ANY "any"
#define CONF_PRIVATE_WHEN_MAX 32
#define CONF_PRIVATE_WHEN_NONE "none"

// What a provider, or one of its models, takes at most; OPT_UNSET where nothing is said.
struct conf_rate_limits {
    int64_t requests_per_minute, tokens_per_minute, input_tokens_per_minute, output_tokens_per_minute, concurrency;
};

struct conf_retry {
    int64_t attempts;    // calls to providers for one request, in all
    int64_t same_target; // of them, further ones at a target that failed
    int64_t base, max;   // waits between them
    int64_t share;       // of all requests
};
struct conf_hedge {
    int64_t share; // of all requests; 0: none
    int64_t after; // OPT_UNSET: as long as `quantile` of the answers began within
    int64_t quantile;
};
struct conf_breaker {
    int64_t failures;                 // one after another; 0: not looked at
    int64_t error_rate, min_requests; // within `window`
    int64_t window;
    int64_t open, max_open; // how long: at first, at most
    int64_t probes;
    int64_t max_ejected; // share of a model's targets
    int64_t slow_start;
};
struct conf_answer_waits { // OPT_UNSET: not watched
    int64_t first_token, inter_token, total;
    int64_t min_rate; // millionths of a token a second
};
struct conf_balance {
    int64_t cost, latency, quality; // millionths
};
#define CONF_FALLBACK_NONE "none"
struct conf_fallbacks { // models' names, or CONF_FALLBACK_NONE alone
    OPT_LIST_OF(struct str) general, context_window, content_policy, timeout, rate_limit;
};
struct conf_queue {
    int64_t max_wait; // 0: nothing waits
    int64_t max_length;
};

// What is wrong with an answer, as bits: what `quality.retry_on` names, and what a score is made of.
enum conf_fault {
#define FAULT(id, name, hard, score, help) FAULT_##id,
#include "conf/fault.def"
#undef FAULT
    FAULT_COUNT
};
struct conf_judge {
    struct str model; // empty: none
    int64_t share;    // of the answers that are scored
};
struct conf_quality {
    int64_t share; // of the answers; OPT_UNSET: all where the strategy goes by quality, else none
    struct conf_judge judge;
    int64_t explore; // of the requests, where the strategy goes by quality: another target goes first
    OPT_LIST_OF(struct str) retry_on;
    unsigned retry_set; // 1 << enum conf_fault
    bool leads;         // the strategy goes by it
};

#define CONF_STEPS_MAX 16
enum conf_step_failure { STEP_STOP, STEP_SKIP, STEP_FALLBACK };
// A step of a model that is a chain.
struct conf_step {
    struct str name, model;
    struct str system, prompt;   // templates (conf/step_template.h); empty: none, the conversation's last text
    struct str pass;             // that its answer has to contain; empty: nothing
    struct str when;             // a condition, or empty
    struct str fallback;         // the model that is asked when `model` fails
    int64_t max_tokens, timeout; // OPT_UNSET: not said
    int64_t max_cost;            // 0: any
    bool conversation, answer;
    int on_failure; // enum conf_step_failure
    // Derived.
    const struct condition *condition; // `when`; NULL: none
};

#define CONF_CANARY_STEPS_MAX 16
// `models[].canary`: a model that takes a growing share of a model's requests.
struct conf_canary {
    struct str model; // empty: none
    OPT_LIST_OF(struct str) steps;
    int64_t every, min_requests;
    int64_t max_error_increase, max_quality_drop, significance;
    // Derived: the steps in millionths.
    int64_t shares[CONF_CANARY_STEPS_MAX];
    size_t share_count;
};
// `models[].shadow`: a model that is asked besides, and whose answers nobody sees.
struct conf_shadow {
    struct str model; // empty: none
    int64_t share, max_in_flight;
    bool charge;
};

// `routing`, and `models[].routing`.
struct conf_routing {
    struct conf_retry retry;
    struct conf_hedge hedge;
    struct conf_breaker breaker;
    struct conf_answer_waits timeouts;
    struct conf_balance balance;
    struct conf_queue queue;
    struct conf_fallbacks fallbacks;
    struct conf_quality quality;
    int64_t min_quality;                  // of answers, for the strategies that weigh cost
    int64_t max_cost;                     // of one request; 0: any
    int64_t continuations;                // of one answer; 0: none
    int affinity;                         // enum conf_affinity: what `sticky` and `ab` go by
    int coalesce;                         // enum conf_coalesce
    int coalesce_billing;                 // enum conf_coalesce_billing
    int warm;                             // enum conf_warm
    OPT_LIST_OF(struct str) private_when; // names of pii_kind.h; the general one alone
    int state, on_redis_failure;          // enum conf_routing_state, conf_redis_failure; the general ones alone
};

#endif
