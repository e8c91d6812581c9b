// Asks providers at regular times whether they are there.
#include "gateway/health.h"

#include "base/mem.h"
#include "base/vec.h"
#include "gateway/gateway.h"
#include "model/provider.h"
#include "net/http1_parse.h"
#include "net/http_client.h"
#include "os/clock.h"

#define TARGET_MAX 2048

// One provider's.
struct check {
    struct health *health;
    const struct runtime_provider *provider;
    struct timer timer;
    struct http_exchange *x;
    bool answered; // the one under way has been told of
    bool failing;  // as the last one was
    VEC(struct board_slot *) slots;
};

struct health {
    struct gateway_loop *gl;
    struct runtime *runtime; // that the checks are of; NULL: none
    struct check *checks;    // one a provider
};

bool health_create(struct gateway_loop *gl, struct health **out_health, struct err *err) {
    struct health *h = mem_zalloc(1, sizeof *h);
    if (!h) return err_no_memory(err);
    h->gl = gl;
    *out_health = h;
    return true;
}

void health_stop(struct health *h) {
    for (size_t i = 0; h->checks && i < h->runtime->conf->providers.n; i++) {
        struct check *c = &h->checks[i];
        if (c->x) http_exchange_cancel(c->x);
        if (c->timer.loop) timer_stop(&c->timer);
        vec_free(&c->slots);
    }
    mem_free(h->checks);
    h->checks = NULL;
    runtime_unref(h->runtime);
    h->runtime = NULL;
}

void health_free(struct health *h) {
    if (!h) return;
    health_stop(h);
    mem_free(h);
}

// --- what was found ---

static void found(struct check *c, bool good, const char *why) {
    struct log *log = c->health->gl->gateway->o.log;
    uint64_t now = clock_mono_ns();
    if (c->answered) return;
    c->answered = true;
    for (size_t i = 0; i < c->slots.n; i++) (void)board_health(c->slots.p[i], good, now);
    if (good == !c->failing) return;
    c->failing = !good;
    if (c->failing)
        log_warn(log, LOG_MSG("a provider fails a health check"), LOG_STR("provider", c->provider->conf->name),
                 LOG_STR("error", str_c(why)));
    else
        log_info(log, LOG_MSG("a provider passes its health checks again"),
                 LOG_STR("provider", c->provider->conf->name));
}

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    char why[40];
    snprintf(why, sizeof why, "it answered with status %d", head->status);
    found(http_exchange_user(x), head->status < 500, why);
}

// The rest is of no interest, but the connection can be used again.
static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct check *c = http_exchange_user(x);
    (void)data;
    if (last) c->x = NULL;
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct check *c = http_exchange_user(x);
    c->x = NULL;
    found(c, false, err->message);
}

// --- asking ---

static void ask(struct check *c) {
    static const struct http_exchange_ops ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};
    const struct runtime_provider *p = c->provider;
    const struct conf_health_check *k = &p->conf->health_check;
    const struct dialect_ops *speaks = dialect_get(provider_dialect(p->conf));
    struct http_field fields[RUNTIME_FIELDS_MAX + 2];
    size_t n = 0;
    char target[TARGET_MAX];
    struct str path = k->path.n ? k->path : STR("/models");
    uint64_t wait = (uint64_t)k->timeout;
    struct err err;
    c->answered = false;
    int length = snprintf(target, sizeof target, "%.*s%.*s", STR_ARG(p->conf->url.path), STR_ARG(path));
    if (length < 0 || (size_t)length >= sizeof target) {
        found(c, false, "the path is too long");
        return;
    }
    for (; n < p->field_count; n++) fields[n] = p->fields[n];
    if (speaks->dialect_field.n) fields[n++] = (struct http_field){speaks->dialect_field, speaks->dialect_version};
    fields[n++] = (struct http_field){STR("accept-encoding"), STR("identity")};
    const struct http_request request = {.method = STR("GET"),
                                         .target = str_of(target, (size_t)length),
                                         .authority = p->authority,
                                         .fields = fields,
                                         .field_count = n,
                                         .waits = {wait, wait, wait, wait}};
    if (!http_client_send(c->health->gl->client, &p->origin, &request, &ops, c, &c->x, &err))
        found(c, false, err.message);
}

static void on_timer(struct timer *timer) {
    struct check *c = CONTAINER_OF(timer, struct check, timer);
    uint64_t interval = (uint64_t)c->provider->conf->health_check.interval;
    // A tenth more or less, so that several servers do not ask all at once.
    timer_set(timer, interval - interval / 10 + gateway_draw(c->health->gl) % (interval / 5 + 1));
    if (c->x) http_exchange_cancel(c->x);
    if (c->x) found(c, false, "it did not answer until the next check");
    c->x = NULL;
    ask(c);
}

// --- who is asked ---

static bool has(const struct check *c, const struct board_slot *slot) {
    for (size_t i = 0; i < c->slots.n; i++)
        if (c->slots.p[i] == slot) return true;
    return false;
}

// A target that several models have is told once.
static void collect(struct check *c) {
    const struct route_table *table = c->health->runtime->routes;
    for (size_t i = 0; i < table->count; i++)
        for (size_t k = 0; k < table->models[i].count; k++) {
            const struct route_node *node = &table->models[i].nodes[k];
            if (node->conf->peer == c->provider->conf && !has(c, node->slot)) (void)!vec_push(&c->slots, node->slot);
        }
}

// Nobody looks after it any more.
static void take_for_well(struct check *c) {
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < c->slots.n; i++) {
        struct board_view view;
        board_view(c->slots.p[i], now, &view);
        for (int64_t n = c->provider->conf->health_check.rise; !view.healthy && n > 0; n--)
            (void)board_health(c->slots.p[i], true, now);
    }
}

void health_start(struct health *h) {
    health_stop(h);
    const struct conf *conf = h->gl->runtime->conf;
    h->checks = mem_zalloc(conf->providers.n, sizeof *h->checks);
    if (!h->checks) return; // none, until the next change of the configuration
    h->runtime = runtime_ref(h->gl->runtime);
    for (size_t i = 0; i < conf->providers.n; i++) {
        struct check *c = &h->checks[i];
        c->health = h;
        c->provider = &h->runtime->providers[i];
        collect(c);
        if (c->provider->demo || conf->providers.p[i].health_check.interval == OPT_UNSET) {
            take_for_well(c);
            continue;
        }
        timer_init(&c->timer, h->gl->loop, on_timer);
        timer_set(&c->timer, 1);
    }
}
