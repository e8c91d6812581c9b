// The pooled HTTP/1.1 client: pools, exchanges, and how a request is put together.
#include "net/http_client_internal.h"

#include "base/mem.h"

bool http_client_create(struct loop *loop, size_t max_response_head, struct http_client **out_client, struct err *err) {
    struct http_client *client = mem_zalloc(1, sizeof *client);
    if (!client) return err_no_memory(err);
    client->loop = loop;
    client->max_head = max_response_head;
    if (!dns_create(loop, &client->dns, err)) {
        mem_free(client);
        return false;
    }
    *out_client = client;
    return true;
}

static struct upstream_pool *pool_of(struct http_client *client, const struct http_origin *origin, bool retired) {
    for (struct upstream_pool *pool = client->pools; pool; pool = pool->next)
        if (pool->origin == origin && pool->retired == retired) return pool;
    struct upstream_pool *pool = mem_zalloc(1, sizeof *pool);
    if (!pool) return NULL;
    *pool = (struct upstream_pool){.origin = origin, .client = client, .next = client->pools, .retired = retired};
    client->pools = pool;
    return pool;
}

void upstream_pool_release(struct upstream_pool *pool) {
    if (!pool->retired || pool->users) return;
    struct upstream_pool **at = &pool->client->pools;
    while (*at != pool) at = &(*at)->next;
    *at = pool->next;
    mem_free(pool);
}

void http_client_forget(struct http_client *client, const struct http_origin *origin) {
    for (struct upstream_pool *pool = client->pools; pool; pool = pool->next) {
        if (pool->origin != origin || pool->retired) continue;
        while (pool->warming) http_exchange_cancel(pool->warming);
        pool->retired = true;
        while (pool->idle) upstream_drop(pool->idle);
        upstream_pool_release(pool);
        return;
    }
}

void http_client_free(struct http_client *client) {
    if (!client) return;
    while (client->pools) {
        INVARIANT(client->pools->users == 0);
        client->pools->retired = true;
        upstream_pool_release(client->pools);
    }
    dns_free(client->dns);
    mem_free(client);
}

// --- the request's head ---

static size_t head_size(const struct http_origin *origin, const struct http_request *r) {
    size_t n = 160 + r->method.n + r->target.n + r->authority.n * 2 + origin->proxy_authorization.n;
    for (size_t i = 0; i < r->field_count; i++) n += r->fields[i].name.n + r->fields[i].value.n + 4;
    return n;
}

static char *put(char *p, struct str s) {
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

static char *put_line(char *p, struct str name, struct str value) {
    p = put(p, name);
    p = put(p, STR(": "));
    p = put(p, value);
    return put(p, STR("\r\n"));
}

// Through a proxy a plain request names the whole URL (RFC 9112, 3.2.2).
static size_t head_write(char *head, const struct http_origin *origin, const struct http_request *r) {
    bool absolute = origin->proxy_host.n && !origin->tls;
    uint64_t length = 0;
    char digits[20], *p = put(head, r->method);
    *p++ = ' ';
    if (absolute) p = put(put(p, STR("http://")), r->authority);
    p = put(p, r->target);
    p = put_line(put(p, STR(" HTTP/1.1\r\n")), STR("host"), r->authority);
    if (absolute && origin->proxy_authorization.n)
        p = put_line(p, STR("proxy-authorization"), origin->proxy_authorization);
    for (size_t i = 0; i < r->field_count; i++) p = put_line(p, r->fields[i].name, r->fields[i].value);
    for (size_t i = 0; i < r->body_count; i++) length += r->body[i].n;
    bool has_body = r->body_count || str_eq(r->method, STR("POST"));
    if (has_body) p = put_line(p, STR("content-length"), str_of(digits, fmt_u64(digits, length)));
    p = put(p, STR("\r\n"));
    return (size_t)(p - head);
}

static struct http_exchange *exchange_new(struct upstream_pool *pool, const struct http_request *r) {
    size_t cap;
    struct http_exchange *x = pool_get(loop_pool(pool->client->loop), sizeof *x + head_size(pool->origin, r), &cap);
    if (!x) return NULL;
    *x = (struct http_exchange){.pool = pool,
                                .body = r->body,
                                .body_count = r->body_count,
                                .pool_cap = cap,
                                .head_method = str_eq(r->method, STR("HEAD"))};
    x->head_n = head_write(x->head, pool->origin, r);
    pool->users++;
    return x;
}

void exchange_free(struct http_exchange *x) {
    struct upstream_pool *pool = x->pool;
    if (x->warm) {
        struct http_exchange **at = &pool->warming;
        while (*at != x) at = &(*at)->next;
        *at = x->next;
    }
    pool_put(loop_pool(pool->client->loop), x, x->pool_cap);
    pool->users--;
    upstream_pool_release(pool);
}

bool http_client_send(struct http_client *client, const struct http_origin *origin, const struct http_request *request,
                      const struct http_exchange_ops *ops, void *user, struct http_exchange **out_exchange,
                      struct err *err) {
    struct upstream_pool *pool = pool_of(client, origin, request->once);
    struct http_exchange *x = pool ? exchange_new(pool, request) : NULL;
    if (!x) {
        if (pool) upstream_pool_release(pool);
        return err_no_memory(err);
    }
    x->ops = ops;
    x->user = user;
    x->waits = request->waits;
    uint64_t total_ms = x->waits.total_ms ? x->waits.total_ms : origin->total_ms;
    x->deadline_ms = total_ms ? loop_now_ms(client->loop) + total_ms : UINT64_MAX;
    if (!upstream_attach(pool, x, false, err)) {
        exchange_free(x);
        return false;
    }
    client->stats.requests++;
    client->stats.active++;
    *out_exchange = x;
    return true;
}

// --- connections before they are needed ---

static void warm_failed(struct http_exchange *x UNUSED, const struct err *err UNUSED) {}

static bool warm_begin(struct upstream_pool *pool) {
    static const struct http_exchange_ops ops = {.on_error = warm_failed};
    struct http_client *client = pool->client;
    struct err err;
    size_t cap;
    struct http_exchange *x = pool_get(loop_pool(client->loop), sizeof *x, &cap);
    if (!x) return false;
    *x = (struct http_exchange){.pool = pool,
                                .ops = &ops,
                                .pool_cap = cap,
                                .deadline_ms = UINT64_MAX,
                                .warm = true,
                                .next = pool->warming,
                                .begun_ms = loop_now_ms(client->loop)};
    pool->warming = x;
    pool->users++;
    if (!upstream_attach(pool, x, true, &err)) {
        exchange_free(x);
        return false;
    }
    client->stats.active++;
    client->stats.warmed++;
    return true;
}

size_t http_client_warm(struct http_client *client, const struct http_origin *origin, size_t n) {
    struct upstream_pool *pool = pool_of(client, origin, false);
    size_t begun = 0, there = pool ? pool->idle_count : 0;
    for (const struct http_exchange *x = pool ? pool->warming : NULL; x; x = x->next) there++;
    n = MIN(n, origin->max_idle);
    while (pool && there + begun < n && warm_begin(pool)) begun++;
    return begun;
}

void exchange_warmed(struct http_exchange *x) {
    struct upstream *up = x->up;
    up->x = NULL;
    up->keep_alive = true;
    x->pool->client->stats.active--;
    exchange_free(x);
    upstream_to_idle(up);
}

void *http_exchange_user(const struct http_exchange *x) { return x->user; }

void exchange_fail(struct http_exchange *x, const struct err *err) {
    if (x->up) {
        x->up->x = NULL;
        upstream_drop(x->up);
    }
    x->pool->client->stats.active--;
    x->ops->on_error(x, err);
    exchange_free(x);
}

void http_exchange_cancel(struct http_exchange *x) {
    x->up->x = NULL;
    upstream_drop(x->up);
    x->pool->client->stats.active--;
    exchange_free(x);
}

void http_exchange_pause(struct http_exchange *x) {
    x->paused = true;
    stream_read_stop(&x->up->stream);
    upstream_arm(x->up);
}

void http_exchange_resume(struct http_exchange *x) {
    if (!x->paused) return;
    x->paused = false;
    upstream_arm(x->up);
    stream_read_start(&x->up->stream);
}

void http_client_origin_stats(const struct http_client *client, const struct http_origin *origin, size_t *out_idle,
                              size_t *out_active) {
    *out_idle = *out_active = 0;
    for (const struct upstream_pool *pool = client->pools; pool; pool = pool->next) {
        if (pool->origin != origin) continue;
        *out_idle += pool->idle_count;
        *out_active += pool->connections - pool->idle_count;
    }
}

void http_client_stats_get(const struct http_client *client, struct http_client_stats *out_stats) {
    *out_stats = client->stats;
    out_stats->idle = 0;
    for (const struct upstream_pool *pool = client->pools; pool; pool = pool->next) out_stats->idle += pool->idle_count;
    out_stats->dns_lookups = dns_lookups(client->dns);
}
