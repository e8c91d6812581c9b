// The figures that metrics take from elsewhere: each loop's own every second, the process's when they are read.
#include "server/server_internal.h"

static void set_plain(struct metrics *m, enum metric_family family, uint64_t v) {
    metrics_set(m, metric_series(m, family, NULL, 0), v);
}

static void collect(void *arg, struct metrics *m) {
    struct server *s = arg;
    struct ledger_health health;
    struct log_stats log;
    ledger_health(s->ledger, &health);
    log_stats_get(s->log, &log);
    set_plain(m, METRIC_LEDGER_APPENDED, health.appended);
    set_plain(m, METRIC_LEDGER_APPLIED, health.applied);
    set_plain(m, METRIC_LEDGER_DROPPED, health.dropped);
    set_plain(m, METRIC_LEDGER_PENDING, health.pending);
    set_plain(m, METRIC_LEDGER_QUEUED, health.queued);
    set_plain(m, METRIC_LOG_DROPPED, log.dropped);
    targets_collect(s, m);
}

bool figures_register(struct server *s, struct err *err) {
    return metrics_collect(s->metrics, collect, s) || err_no_memory(err);
}

static void set_own(struct metric_shard *shard, enum metric_family family, uint64_t v) {
    metric_set(shard, metric_find(shard, family, NULL, 0), v);
}

static void connections_of_loop(struct server_loop *sl, struct metric_shard *shard) {
    const struct runtime *rt = sl->gl->runtime;
    for (size_t i = 0; i < rt->conf->providers.n; i++) {
        const struct runtime_provider *p = &rt->providers[i];
        size_t idle, active;
        if (p->demo) continue;
        http_client_origin_stats(sl->gl->client, &p->origin, &idle, &active);
        const struct str idle_labels[] = {p->conf->name, STR("idle")}, active_labels[] = {p->conf->name, STR("active")};
        metric_set(shard, metric_find(shard, METRIC_UPSTREAM_CONNECTIONS, idle_labels, 2), idle);
        metric_set(shard, metric_find(shard, METRIC_UPSTREAM_CONNECTIONS, active_labels, 2), active);
    }
}

static void redis_of_loop(struct server_loop *sl, struct metric_shard *shard, struct str index) {
    struct redis_stats stats;
    if (!sl->redis) return;
    redis_stats_get(sl->redis, &stats);
    metric_set(shard, metric_find(shard, METRIC_REDIS_UP, &index, 1), stats.up);
}

void figures_of_loop(struct server_loop *sl) {
    struct metric_shard *shard = sl->gl->shard;
    struct http_server_stats http;
    struct http_client_stats client;
    struct loop_stats loop;
    char text[20];
    const struct str index = str_of(text, fmt_u64(text, loop_index(sl->loop)));
    http_server_stats_get(sl->http, &http);
    http_client_stats_get(sl->gl->client, &client);
    loop_stats_get(sl->loop, &loop);
    set_own(shard, METRIC_OPEN_CONNECTIONS, http.open);
    redis_of_loop(sl, shard, index);
    set_own(shard, METRIC_ACTIVE_REQUESTS, sl->gl->active);
    set_own(shard, METRIC_UPSTREAM_CONNECTS, client.connects);
    set_own(shard, METRIC_UPSTREAM_WARMED, client.warmed);
    set_own(shard, METRIC_UPSTREAM_REUSED, client.reused);
    connections_of_loop(sl, shard);
    metric_set(shard, metric_find(shard, METRIC_LOOP_BUSY, &index, 1), loop.busy_ns);
    metric_set(shard, metric_find(shard, METRIC_LOOP_MAX_TURN, &index, 1), loop.max_turn_ns);
}
