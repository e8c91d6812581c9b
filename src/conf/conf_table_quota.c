// The option table of quotas: where they are counted, and what requests are taken to need before it is known.
#include "conf/conf_tables.h"

static const struct opt_enum modes[] = {
    {"local", QUOTA_LOCAL, "each server counts for itself"},
    {"exact", QUOTA_EXACT, "servers count together in Redis, which each request asks first"},
    {"share", QUOTA_SHARE, "servers take shares of each budget from Redis and count those by themselves"},
    {0}};

static const struct opt_enum failures[] = {
    {"open", QUOTA_FAIL_OPEN, "requests go on uncounted"},
    {"closed", QUOTA_FAIL_CLOSED, "requests that a budget applies to are refused"},
    {"local", QUOTA_FAIL_LOCAL, "each server counts for itself until Redis is back"},
    {0}};

static const struct opt quota_opts[] = {
    {.name = "mode",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_quota, mode),
     .def = "local",
     .values = modes,
     .help = "Where budgets are counted. `exact` and `share` need `redis.url`."},
    {.name = "on_failure",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_quota, on_failure),
     .def = "local",
     .values = failures,
     .help = "What holds while Redis can't be asked."},
    DURATION(conf_quota, redis_timeout, RELOAD, "100ms", 1, 60000, "How long a request waits for Redis's answer."),
    {.name = "default_output_tokens",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_quota, default_output_tokens),
     .def = "512",
     .min = 0,
     .max = 1000000,
     .help = "How many tokens an answer is taken to need when the request sets no limit of its own, until answers of "
             "that model have shown how long they are."},
};
const struct opt_table quota_table = OPT_TABLE("quotas", struct conf_quota, quota_opts);
