// Reading an answer off an upstream connection: head, then a counted, chunked or open-ended body.
#include "net/http_client_internal.h"

static void fail_invalid(struct upstream *up, const char *why) {
    struct err err;
    const struct http_origin *o = up->pool->origin;
    err_set(&err, ERR_UPSTREAM_INVALID, "provider \"%.*s\": %s", STR_ARG(o->name), why);
    exchange_fail(up->x, &err);
}

// The answer is complete: the connection goes back first, so that whoever hears of it may use it at once.
static void finish(struct upstream *up, struct str data) {
    struct http_exchange *x = up->x;
    struct buf in = up->in; // data may lie in it
    buf_init(&up->in, in.max);
    up->x = NULL;
    x->up = NULL;
    upstream_to_idle(up);
    x->pool->client->stats.active--;
    x->ops->on_data(x, data, true);
    exchange_free(x);
    buf_free(&in);
}

static void body_counted(struct upstream *up, struct str in) {
    struct str data = str_head(in, up->left < in.n ? (size_t)up->left : in.n);
    up->left -= data.n;
    if (up->left == 0) {
        if (in.n > data.n) up->keep_alive = false; // bytes after the end: a confused peer
        finish(up, data);
    } else if (data.n) {
        up->x->ops->on_data(up->x, data, false);
    }
}

// The chunks of one read are moved together in place, so that they are handed on (and sent on) as one piece.
static void body_chunked(struct upstream *up, char *p, size_t n) {
    struct str in = str_of(p, n), data;
    char *joined = NULL;
    size_t joined_n = 0;
    enum http1_result r;
    while ((r = http1_chunked_next(&up->chunked, &in, &data)) == HTTP1_MORE && data.n) {
        char *at = p + (data.p - p);
        if (!joined)
            joined = at;
        else
            memmove(joined + joined_n, at, data.n);
        joined_n += data.n;
    }
    struct str all = str_of(joined, joined_n);
    if (r == HTTP1_DONE) {
        if (in.n) up->keep_alive = false;
        finish(up, all);
        return;
    }
    // What was good before a fault is still the client's.
    struct http_exchange *x = up->x;
    if (all.n) x->ops->on_data(x, all, false);
    if (r == HTTP1_BAD && up->x == x) fail_invalid(up, "its chunked body is malformed");
}

static void body(struct upstream *up, char *p, size_t n) {
    upstream_arm(up);
    if (up->framing == HTTP1_LENGTH)
        body_counted(up, str_of(p, n));
    else if (up->framing == HTTP1_CHUNKED)
        body_chunked(up, p, n);
    else if (n)
        up->x->ops->on_data(up->x, str_of(p, n), false);
}

void upstream_body_closed(struct upstream *up) {
    up->keep_alive = false;
    finish(up, STR_NONE);
}

static void proxy_answered(struct upstream *up, const struct http1_head *head) {
    const struct http_origin *o = up->pool->origin;
    struct err err;
    if (head->status / 100 != 2) {
        err_set(&err, ERR_UPSTREAM_REFUSED, "the proxy refused the connection with status %d", head->status);
        exchange_fail(up->x, &err);
        return;
    }
    buf_clear(&up->in); // the proxy's answer is not the provider's
    up->proxied = true;
    up->state = UPSTREAM_CONNECT;
    if (!stream_start_tls(&up->stream, o->tls, o->host, &err)) exchange_fail(up->x, &err);
}

// The head is complete; p is what followed it.
static void head_arrived(struct upstream *up, const struct http1_head *head, char *p, size_t n) {
    struct http_exchange *x = up->x;
    if (up->state == UPSTREAM_PROXY) {
        proxy_answered(up, head);
        return;
    }
    if (head->status == 101) {
        fail_invalid(up, "it switched protocols without being asked");
        return;
    }
    up->framing = (uint8_t)head->framing;
    up->keep_alive = head->keep_alive;
    up->left = head->content_length;
    up->state = UPSTREAM_BODY;
    http1_chunked_init(&up->chunked);
    upstream_arm(up);
    x->ops->on_head(x, head);
    if (up->x != x) return; // cancelled
    if (head->framing == HTTP1_NO_BODY) {
        if (n) up->keep_alive = false;
        finish(up, STR_NONE);
    } else if (n) {
        body(up, p, n);
    }
}

// Keeps a partial head, which may lie in `in` already.
static void head_keep(struct upstream *up, const char *p, size_t n) {
    if (up->in.n && p >= up->in.p && p <= up->in.p + up->in.n) {
        buf_drop(&up->in, up->in.n - n);
        return;
    }
    buf_clear(&up->in);
    buf_append(&up->in, p, n);
    if (up->in.failed) fail_invalid(up, "there was no memory for its answer");
}

static void head(struct upstream *up, char *p, size_t n) {
    struct http1_limits limits = {
        .max_head = up->pool->client->max_head, .max_fields = HTTP1_FIELDS_MAX, .max_target = SIZE_MAX};
    struct http1_head h;
    struct err err;
    bool head_method = up->x->head_method && up->state != UPSTREAM_PROXY;
    for (;;) {
        switch (http1_response(str_of(p, n), &up->scanned, &limits, head_method, &h, &err)) {
        case HTTP1_BAD:
            fail_invalid(up, err.message);
            return;
        case HTTP1_MORE:
            head_keep(up, p, n);
            return;
        case HTTP1_DONE:
            break;
        }
        up->scanned = 0;
        p += h.size;
        n -= h.size;
        if (h.status >= 200 || h.status == 101) break; // 100, 103, …: the real one follows
        if (n == 0) {
            buf_clear(&up->in);
            return;
        }
    }
    head_arrived(up, &h, p, n);
}

void upstream_receive(struct upstream *up, char *p, size_t n) {
    if (up->state == UPSTREAM_BODY) {
        body(up, p, n);
        return;
    }
    if (up->in.n == 0) {
        head(up, p, n);
        return;
    }
    buf_append(&up->in, p, n);
    if (up->in.failed)
        fail_invalid(up, "its header section is too large");
    else
        head(up, up->in.p, up->in.n);
}
