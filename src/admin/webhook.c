// Takes events off the bus and posts them, with retries, on a thread of its own.
#include "admin/webhook.h"

#include "admin/call.h"
#include "base/json_write.h"
#include "base/text.h"
#include "conf/conf.h"
#include "net/fetch.h"
#include "net/webhook_sign.h"
#include "os/clock.h"
#include "os/thread.h"

#define ANSWER_MAX ((size_t)64 * 1024)
#define ID_MAX 40

static const unsigned k_backoff_s[] = {1, 5, 30, 120};
#define TRIES_MAX (ARRAY_LEN(k_backoff_s) + 1)

// An event on its way to one webhook.
struct delivery {
    struct delivery *next; // to the same webhook
    uint64_t seq;
    unsigned tries;
    char id[ID_MAX];
    struct str body; // the rest of this block
};

// A webhook that has deliveries, or is known to fail.
struct hook {
    struct hook *next;
    struct str name; // the rest of this block
    struct delivery *first, *last;
    uint64_t due_ns; // not tried before
    bool failing;
};

struct webhooks {
    struct webhooks_options o;
    struct event_listener listener;
    struct thread thread;
    struct mutex lock;
    struct cond news;
    bool told;        // under the lock: there are events to look at
    atomic_bool stop; // read by fetch, too
    // The thread's own.
    uint64_t after;
    struct hook *hooks;
    size_t waiting;
};

static void count(struct webhooks *w, struct str name, const char *result) {
    const struct str labels[] = {name, str_c(result)};
    if (w->o.metrics) metrics_add(w->o.metrics, metric_series(w->o.metrics, METRIC_WEBHOOK_DELIVERIES, labels, 2), 1);
}

// --- what waits ---

static struct hook *hook_get(struct webhooks *w, struct str name) {
    for (struct hook *h = w->hooks; h; h = h->next)
        if (str_eq(h->name, name)) return h;
    struct hook *h = mem_zalloc(1, sizeof *h + name.n);
    if (!h) return NULL;
    char *text = (char *)(h + 1);
    if (name.n) memcpy(text, name.p, name.n);
    h->name = str_of(text, name.n);
    h->next = w->hooks;
    w->hooks = h;
    return h;
}

static void drop_first(struct webhooks *w, struct hook *h) {
    struct delivery *d = h->first;
    h->first = d->next;
    if (!h->first) h->last = NULL;
    w->waiting--;
    mem_free(d);
}

static void drop_oldest(struct webhooks *w) {
    struct hook *oldest = NULL;
    for (struct hook *h = w->hooks; h; h = h->next)
        if (h->first && (!oldest || h->first->seq < oldest->first->seq)) oldest = h;
    if (!oldest) return;
    count(w, oldest->name, "dropped");
    drop_first(w, oldest);
}

static void hooks_free(struct webhooks *w) {
    while (w->hooks) {
        struct hook *h = w->hooks;
        while (h->first) drop_first(w, h);
        w->hooks = h->next;
        mem_free(h);
    }
}

// Only those that are configured, that have something to deliver, or whose failure must end with a word are kept.
static void forget_gone(struct webhooks *w, const struct conf *conf) {
    for (struct hook **at = &w->hooks; *at;) {
        struct hook *h = *at;
        bool known = false;
        for (size_t i = 0; i < conf->webhooks.n && !known; i++) known = str_eq(conf->webhooks.p[i].name, h->name);
        if (known) {
            at = &h->next;
            continue;
        }
        while (h->first) drop_first(w, h);
        *at = h->next;
        mem_free(h);
    }
}

// --- taking events off the bus ---

struct taking {
    struct webhooks *w;
    const struct conf *conf;
    struct buf body;
};

static bool wants(const struct conf_webhook *hook, struct str name) {
    for (size_t i = 0; i < hook->events.n; i++)
        if (event_matches(hook->events.p[i], name)) return true;
    return hook->events.n == 0;
}

static void put_body(struct buf *out, const struct event *event, struct str id) {
    struct json_writer w;
    char at[TIME_TEXT_LEN];
    time_text(at, event->at);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), id);
    json_put_member_str(&w, STR("type"), event->name);
    json_put_member_str(&w, STR("timestamp"), str_of(at, TIME_TEXT_LEN));
    json_put_member_raw(&w, STR("data"), event->data.n ? event->data : STR("{}"));
    json_put_object_end(&w);
}

static void enqueue(struct taking *t, const struct conf_webhook *to, const struct event *event) {
    struct webhooks *w = t->w;
    char id[ID_MAX];
    int id_n = snprintf(id, sizeof id, "%.*s-%llu", STR_ARG(w->o.boot), (unsigned long long)event->seq);
    buf_clear(&t->body);
    put_body(&t->body, event, str_of(id, (size_t)id_n));
    struct hook *h = hook_get(w, to->name);
    struct delivery *d = t->body.failed ? NULL : mem_zalloc(1, sizeof *d + t->body.n);
    if (!h || !d) {
        mem_free(d);
        count(w, to->name, "dropped");
        return;
    }
    char *bytes = (char *)(d + 1);
    memcpy(bytes, t->body.p, t->body.n);
    d->body = str_of(bytes, t->body.n);
    d->seq = event->seq;
    memcpy(d->id, id, sizeof id);
    if (w->waiting == WEBHOOKS_WAITING_MAX) drop_oldest(w);
    if (h->last)
        h->last->next = d;
    else
        h->first = d;
    h->last = d;
    w->waiting++;
}

static void on_event(void *ctx, const struct event *event) {
    struct taking *t = ctx;
    for (size_t i = 0; i < t->conf->webhooks.n; i++)
        if (wants(&t->conf->webhooks.p[i], event->name)) enqueue(t, &t->conf->webhooks.p[i], event);
}

static void take_events(struct webhooks *w) {
    const struct admin_host *host = w->o.host;
    struct conf *conf = host->conf(host->ctx);
    struct taking t = {.w = w, .conf = conf, .body = BUF_INIT(EVENT_DATA_MAX + 4096)};
    forget_gone(w, conf);
    uint64_t before = w->after;
    w->after = event_each(host->events, w->after, on_event, &t);
    if (w->after > EVENT_KEEP && before < w->after - EVENT_KEEP)
        log_warn(host->log, LOG_MSG("events went by before webhooks could be told"),
                 LOG_INT("events", w->after - EVENT_KEEP - before));
    buf_free(&t.body);
    conf_unref(conf);
}

// --- delivering ---

static bool post(struct webhooks *w, const struct conf_webhook *to, const struct delivery *d, struct err *err) {
    struct http_field f[5];
    char time[24];
    struct buf signature = BUF_INIT(256);
    struct fetch_answer answer;
    size_t n = 0;
    int64_t now = clock_unix_ns() / (int64_t)NS_PER_SEC;
    int time_n = snprintf(time, sizeof time, "%lld", (long long)now);
    struct str secret = secret_str(&to->secret), id = str_c(d->id);
    f[n++] = (struct http_field){STR("content-type"), STR("application/json")};
    f[n++] = (struct http_field){STR("webhook-id"), id};
    f[n++] = (struct http_field){STR("webhook-timestamp"), str_of(time, (size_t)time_n)};
    bool ok = !secret.n || webhook_sign(secret, id, now, d->body, &signature, err);
    if (secret.n) f[n++] = (struct http_field){STR("webhook-signature"), buf_str(&signature)};
    struct fetch_request request = {.method = STR("POST"),
                                    .url = to->url,
                                    .fields = f,
                                    .n_fields = n,
                                    .body = d->body,
                                    .timeout_ms = (unsigned)to->timeout,
                                    .max_body = ANSWER_MAX,
                                    .stop = &w->stop};
    if (ok && (ok = fetch(&request, &answer, err))) {
        if (answer.status / 100 != 2)
            ok = err_set(err, ERR_UPSTREAM_STATUS, "it answered with status %d", answer.status);
        fetch_answer_free(&answer);
    }
    buf_free(&signature);
    return ok;
}

static void delivered(struct webhooks *w, struct hook *h) {
    if (h->failing) log_info(w->o.host->log, LOG_MSG("a webhook works again"), LOG_STR("webhook", h->name));
    h->failing = false;
    h->due_ns = 0;
    count(w, h->name, "ok");
    drop_first(w, h);
}

static void not_delivered(struct webhooks *w, struct hook *h, const struct err *err) {
    struct delivery *d = h->first;
    if (!h->failing)
        log_warn(w->o.host->log, LOG_MSG("a webhook cannot be reached; it is tried again"), LOG_STR("webhook", h->name),
                 LOG_STR("event", str_c(d->id)), LOG_ERR(err));
    h->failing = true;
    if (++d->tries == TRIES_MAX) {
        count(w, h->name, "failed");
        drop_first(w, h);
        h->due_ns = 0;
        return;
    }
    count(w, h->name, "retry");
    h->due_ns = clock_mono_ns() + k_backoff_s[d->tries - 1] * NS_PER_SEC;
}

static void deliver(struct webhooks *w, struct hook *h) {
    const struct admin_host *host = w->o.host;
    struct conf *conf = host->conf(host->ctx);
    const struct conf_webhook *to = NULL;
    struct err err;
    for (size_t i = 0; i < conf->webhooks.n && !to; i++)
        if (str_eq(conf->webhooks.p[i].name, h->name)) to = &conf->webhooks.p[i];
    bool ok = to && post(w, to, h->first, &err);
    if (ok)
        delivered(w, h);
    else if (to && !atomic_load(&w->stop))
        not_delivered(w, h, &err);
    else if (!to)
        drop_first(w, h);
    conf_unref(conf);
}

// The one whose turn is next; *out_due: when.
static struct hook *next_hook(struct webhooks *w, uint64_t *out_due) {
    struct hook *next = NULL;
    for (struct hook *h = w->hooks; h; h = h->next)
        if (h->first && (!next || h->due_ns < next->due_ns)) next = h;
    *out_due = next ? next->due_ns : UINT64_MAX;
    return next;
}

// Until there is news, or `due`. True: there are events to look at.
static bool wait_for_news(struct webhooks *w, uint64_t due) {
    mutex_lock(&w->lock);
    while (!w->told && !atomic_load(&w->stop)) {
        uint64_t now = clock_mono_ns();
        if (due <= now) break;
        if (due == UINT64_MAX)
            cond_wait(&w->news, &w->lock);
        else
            cond_wait_for(&w->news, &w->lock, due - now);
    }
    bool told = w->told;
    w->told = false;
    mutex_unlock(&w->lock);
    return told;
}

static void run(void *arg) {
    struct webhooks *w = arg;
    thread_background();
    while (!atomic_load(&w->stop)) {
        uint64_t due;
        struct hook *h = next_hook(w, &due);
        if (wait_for_news(w, due))
            take_events(w);
        else if (h && !atomic_load(&w->stop))
            deliver(w, h);
    }
}

// --- beginning and ending ---

static void on_news(struct event_listener *listener) {
    struct webhooks *w = CONTAINER_OF(listener, struct webhooks, listener);
    mutex_lock(&w->lock);
    w->told = true;
    cond_signal(&w->news);
    mutex_unlock(&w->lock);
}

bool webhooks_start(const struct webhooks_options *options, struct webhooks **out_webhooks, struct err *err) {
    *out_webhooks = NULL;
    if (!options->host->events) return true;
    struct webhooks *w = mem_zalloc(1, sizeof *w);
    if (!w) return err_no_memory(err);
    w->o = *options;
    w->listener.wake = on_news;
    w->told = true; // what was told before
    mutex_init(&w->lock);
    cond_init(&w->news);
    event_listen(options->host->events, &w->listener);
    *out_webhooks = w;
    if (thread_start(&w->thread, "webhooks", 0, run, w, err)) return true;
    webhooks_end(w);
    *out_webhooks = NULL;
    return false;
}

void webhooks_end(struct webhooks *w) {
    if (!w) return;
    event_unlisten(w->o.host->events, &w->listener);
    mutex_lock(&w->lock);
    atomic_store(&w->stop, true);
    cond_signal(&w->news);
    mutex_unlock(&w->lock);
    thread_join(&w->thread);
    if (w->waiting)
        log_warn(w->o.host->log, LOG_MSG("webhook deliveries were given up at the end"), LOG_INT("count", w->waiting));
    hooks_free(w);
    cond_free(&w->news);
    mutex_free(&w->lock);
    mem_free(w);
}
