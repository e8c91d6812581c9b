// Watches which targets are likely to be asked next, and keeps a connection to each ready.
#include "gateway/warm.h"

#include "base/mem.h"
#include "os/clock.h"

#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000

enum seen { SEEN_WELL, SEEN_BACK, SEEN_OUT };

// A provider's.
struct likely {
    bool always;
    uint64_t used_ms;           // loop time of the last request; 0 = none
    uint64_t until_ms;          // as long it is likely next
    uint64_t next_ms, pause_ms; // when a connection may be opened, and how long none may afterwards
};

struct warm {
    struct gateway_loop *gl;
    bool fresh;
    struct likely *providers; // by conf_provider.index; NULL: no memory
    uint8_t *seen;            // enum seen of all targets, model by model
};

bool warm_create(struct gateway_loop *gl, struct warm **out_warm, struct err *err) {
    struct warm *w = mem_zalloc(1, sizeof *w);
    if (!w) return err_no_memory(err);
    w->gl = gl;
    *out_warm = w;
    warm_renew(w);
    return true;
}

void warm_free(struct warm *w) {
    if (!w) return;
    mem_free(w->providers);
    mem_free(w->seen);
    mem_free(w);
}

void warm_renew(struct warm *w) {
    const struct route_table *table = w->gl->runtime->routes;
    size_t nodes = 0;
    mem_free(w->providers);
    mem_free(w->seen);
    for (size_t i = 0; i < table->count; i++) nodes += table->models[i].count;
    w->providers = mem_zalloc(table->conf->providers.n, sizeof *w->providers);
    w->seen = mem_zalloc(nodes + 1, sizeof *w->seen);
    w->fresh = true;
    if (w->seen && w->providers) {
        for (size_t i = 0; i < table->count; i++)
            for (size_t k = 0; k < table->models[i].count; k++)
                if (table->models[i].conf->policy.warm == WARM_ALWAYS)
                    w->providers[table->models[i].nodes[k].conf->peer->index].always = true;
        return;
    }
    mem_free(w->providers);
    w->providers = NULL;
}

void warm_used(struct warm *w, const struct runtime *runtime, const struct runtime_provider *provider) {
    if (w->providers && runtime == w->gl->runtime)
        w->providers[provider - runtime->providers].used_ms = loop_now_ms(w->gl->loop);
}

// --- who is likely ---

static enum seen look_at(const struct route_node *node, uint64_t now_ns) {
    struct board_view view;
    route_node_view(node, now_ns, &view);
    if (view.usable) return view.probe ? SEEN_BACK : SEEN_WELL;
    switch (view.why) {
    case BOARD_UNHEALTHY:
    case BOARD_COOLDOWN:
    case BOARD_KEY_REFUSED:
    case BOARD_OPEN:
        return SEEN_OUT;
    case BOARD_PROBING:
        return SEEN_BACK;
    default:
        return SEEN_WELL; // at its limits for a moment
    }
}

static void want(struct warm *w, const struct route_node *node, uint64_t now_ms) {
    struct likely *p = &w->providers[node->conf->peer->index];
    p->until_ms = now_ms + WARM_FOR_MS;
    p->next_ms = now_ms;
    p->pause_ms = PAUSE_MIN_MS;
}

// Those that would be asked first now: of the best priority, and where the order decides, the first of them.
static void want_first(struct warm *w, const struct route_model *m, const uint8_t *seen, uint64_t now_ms) {
    int64_t best = INT64_MAX;
    for (size_t k = 0; k < m->count; k++)
        if (seen[k] == SEEN_WELL) best = MIN(best, m->nodes[k].conf->priority);
    for (size_t k = 0; k < m->count; k++) {
        if (seen[k] != SEEN_WELL || m->nodes[k].conf->priority != best) continue;
        want(w, &m->nodes[k], now_ms);
        if (m->conf->strategy == STRATEGY_PRIORITY) return;
    }
}

static void look_at_model(struct warm *w, const struct route_model *m, uint8_t *seen, uint64_t now_ms,
                          uint64_t now_ns) {
    bool changed = w->fresh && m->conf->policy.warm == WARM_ALWAYS;
    for (size_t k = 0; k < m->count; k++) {
        enum seen is = look_at(&m->nodes[k], now_ns);
        if (is == SEEN_OUT && seen[k] != SEEN_OUT) changed = true;
        if (is != SEEN_OUT && seen[k] == SEEN_OUT) want(w, &m->nodes[k], now_ms);
        seen[k] = (uint8_t)is;
    }
    if (changed) want_first(w, m, seen, now_ms);
}

// --- opening ---

static void open_missing(struct warm *w, struct likely *p, const struct http_origin *origin, uint64_t now_ms) {
    size_t idle, active;
    if (p->always && p->used_ms && p->until_ms < p->used_ms + WARM_FOR_MS) {
        p->until_ms = p->used_ms + WARM_FOR_MS;
        p->next_ms = now_ms;
        p->pause_ms = PAUSE_MIN_MS;
    }
    if (now_ms >= p->until_ms || now_ms < p->next_ms) return;
    http_client_origin_stats(w->gl->client, origin, &idle, &active);
    if (idle || !http_client_warm(w->gl->client, origin, 1)) return;
    p->next_ms = now_ms + p->pause_ms;
    p->pause_ms = MIN(2 * p->pause_ms, PAUSE_MAX_MS);
}

void warm_look(struct warm *w) {
    const struct runtime *rt = w->gl->runtime;
    uint64_t now_ms = loop_now_ms(w->gl->loop), now_ns = clock_mono_ns();
    uint8_t *seen = w->seen;
    if (!w->providers || atomic_load(&w->gl->gateway->draining)) return;
    for (size_t i = 0; i < rt->routes->count; seen += rt->routes->models[i++].count)
        if (rt->routes->models[i].conf->policy.warm != WARM_OFF)
            look_at_model(w, &rt->routes->models[i], seen, now_ms, now_ns);
    w->fresh = false;
    for (size_t i = 0; i < rt->conf->providers.n; i++)
        if (!rt->providers[i].demo) open_missing(w, &w->providers[i], &rt->providers[i].origin, now_ms);
}
