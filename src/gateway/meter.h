// The metrics of one loop, with the handles of each provider and model looked up once.
//
// Ownership: meter_create … meter_free. Thread rule: the loop's thread.
#ifndef GATEWAY_METER_H
#define GATEWAY_METER_H

#include "base/arena.h"
#include "base/map.h"
#include "obs/metrics.h"

struct meter {
    struct metric_shard *shard;
    struct map known;   // "endpoint\0model\0provider" → meter_series
    struct map tenants; // name → meter_tenant
    struct arena arena;
};

// The series of one endpoint, model and provider.
struct meter_series {
    struct metric requests_ok, duration, first_token;
    struct metric input, output, cached, reasoning, cost, unpriced;
    struct metric upstream_ok, upstream_duration;
};

struct meter_tenant {
    struct metric ok, input, output, cost;
};

NODISCARD bool meter_create(struct metric_shard *shard, struct meter **out_meter, struct err *err);
void meter_free(struct meter *meter);
// Never NULL: past a bound on names, or out of memory, all share one whose labels say "other".
const struct meter_series *meter_series(struct meter *meter, struct str endpoint, struct str model,
                                        struct str provider);
// Never NULL either. Tenants past a bound share one that says "other".
const struct meter_tenant *meter_tenant(struct meter *meter, struct str tenant);

#endif
