// The metrics of one loop, with the handles of each provider and model looked up once.
#include "gateway/meter.h"

#include "base/mem.h"
#include "os/rand.h"

#define SERIES_MAX 4096
#define KEY_MAX 600

static void look_up(struct metric_shard *shard, struct str endpoint, struct str model, struct str provider,
                    struct meter_series *out) {
    const struct str three[] = {endpoint, model, provider}, two[] = {model, provider};
#define WITH(family, ...)                                                                                              \
    metric_find(shard, METRIC_##family, (const struct str[]){__VA_ARGS__},                                             \
                sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
    *out = (struct meter_series){.requests_ok = WITH(REQUESTS, endpoint, model, provider, STR("200")),
                                 .duration = metric_find(shard, METRIC_REQUEST_DURATION, three, 3)};
    if (!provider.n) return; // no model call: nothing else is counted for it
    *out = (struct meter_series){
        .requests_ok = out->requests_ok,
        .duration = out->duration,
        .first_token = metric_find(shard, METRIC_FIRST_TOKEN, three, 3),
        .input = WITH(TOKENS, model, provider, STR("input")),
        .output = WITH(TOKENS, model, provider, STR("output")),
        .cached = WITH(TOKENS, model, provider, STR("cached")),
        .reasoning = WITH(TOKENS, model, provider, STR("reasoning")),
        .cost = metric_find(shard, METRIC_COST, two, 2),
        .unpriced = metric_find(shard, METRIC_UNPRICED, two, 2),
        .upstream_ok = WITH(UPSTREAM_REQUESTS, provider, STR("200")),
        .upstream_duration = WITH(UPSTREAM_DURATION, provider),
    };
#undef WITH
}

bool meter_create(struct metric_shard *shard, struct meter **out_meter, struct err *err) {
    struct meter *meter = mem_zalloc(1, sizeof *meter);
    if (!meter) return err_no_memory(err);
    meter->shard = shard;
    map_init(&meter->known, rand_u64());
    map_init(&meter->tenants, rand_u64());
    arena_init(&meter->arena, NULL, 0, (size_t)8 << 20);
    *out_meter = meter;
    return true;
}

void meter_free(struct meter *meter) {
    if (!meter) return;
    map_free(&meter->known);
    map_free(&meter->tenants);
    arena_free(&meter->arena);
    mem_free(meter);
}

static size_t make_key(char out[KEY_MAX], struct str endpoint, struct str model, struct str provider) {
    size_t n = 0;
    const struct str parts[] = {endpoint, model, provider};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t take = MIN(parts[i].n, (size_t)190);
        if (take) memcpy(out + n, parts[i].p, take);
        n += take;
        out[n++] = '\0';
    }
    return n;
}

const struct meter_series *meter_series(struct meter *meter, struct str endpoint, struct str model,
                                        struct str provider) {
    static const struct meter_series none = {0};
    char key[KEY_MAX];
    struct str k = str_of(key, make_key(key, endpoint, model, provider));
    struct meter_series *series = map_get(&meter->known, k);
    if (series) return series;
    if (meter->known.n >= SERIES_MAX && !str_eq(model, STR("other")))
        return meter_series(meter, endpoint, STR("other"), provider);
    series = ARENA_NEW(&meter->arena, struct meter_series);
    k = arena_str(&meter->arena, k);
    if (!series || !k.p) return &none;
    look_up(meter->shard, endpoint, model, provider, series);
    if (!map_put(&meter->known, k, series)) return &none;
    return series;
}

const struct meter_tenant *meter_tenant(struct meter *meter, struct str tenant) {
    static const struct meter_tenant none = {0};
    struct metric_shard *shard = meter->shard;
    struct meter_tenant *series = map_get(&meter->tenants, tenant);
    if (series) return series;
    if (meter->tenants.n >= SERIES_MAX && !str_eq(tenant, STR("other"))) return meter_tenant(meter, STR("other"));
    series = ARENA_NEW(&meter->arena, struct meter_tenant);
    tenant = arena_str(&meter->arena, tenant);
    if (!series || !tenant.p) return &none;
    *series = (struct meter_tenant){
        .ok = metric_find(shard, METRIC_TENANT_REQUESTS, (const struct str[]){tenant, STR("200")}, 2),
        .input = metric_find(shard, METRIC_TENANT_TOKENS, (const struct str[]){tenant, STR("input")}, 2),
        .output = metric_find(shard, METRIC_TENANT_TOKENS, (const struct str[]){tenant, STR("output")}, 2),
        .cost = metric_find(shard, METRIC_TENANT_COST, &tenant, 1),
    };
    if (!map_put(&meter->tenants, tenant, series)) return &none;
    return series;
}
