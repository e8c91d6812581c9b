// A byte stream over TCP, with TLS or without.
#include "net/stream.h"

#define TLS_CHUNK ((size_t)16 * 1024)
#define TLS_SLICE ((size_t)64 * 1024)

static struct stream *of_tcp(struct tcp *tcp) { return CONTAINER_OF(tcp, struct stream, tcp); }

static void end(struct stream *s, const char *reason) {
    if (s->ended || s->tcp.closing) return;
    s->ended = true;
    tcp_read_stop(&s->tcp);
    s->ops->on_end(s, reason);
}

// Sends what the TLS session has produced.
static void tls_flush(struct stream *s) {
    struct str out = tls_pending(s->tls);
    if (out.n == 0) return;
    tcp_write(&s->tcp, &out, 1);
    tls_sent(s->tls, out.n);
}

// Hands out the plaintext that is there, as long as somebody reads.
static void tls_deliver(struct stream *s) {
    if (s->delivering) return; // reading was resumed from within on_read: the loop below goes on
    char plain[TLS_CHUNK];
    size_t n;
    s->delivering = true;
    while (!s->ended && s->tcp.reading && (n = tls_read(s->tls, plain, sizeof plain)) > 0) s->ops->on_read(s, plain, n);
    s->delivering = false;
    if (s->ended || s->tcp.closing) return;
    tls_flush(s); // reading may have had something to answer: key updates, alerts
    enum tls_state state = tls_state(s->tls);
    if (state == TLS_FAILED) end(s, tls_error(s->tls));
    if (state == TLS_CLOSED) end(s, NULL);
}

static void tls_moved(struct stream *s, enum tls_state state) {
    tls_flush(s);
    if (state == TLS_FAILED) {
        end(s, tls_error(s->tls));
        return;
    }
    if (!s->ready && state == TLS_OPEN) {
        s->ready = true;
        s->ops->on_ready(s);
    }
    if (!s->tcp.closing && !s->ended) tls_deliver(s);
}

static void on_read(struct tcp *tcp, char *p, size_t n) {
    struct stream *s = of_tcp(tcp);
    if (LIKELY(!s->tls))
        s->ops->on_read(s, p, n);
    else
        tls_moved(s, tls_feed(s->tls, str_of(p, n)));
}

static void on_end(struct tcp *tcp, int code) {
    struct stream *s = of_tcp(tcp);
    if (code < 0)
        end(s, tcp_error_text(code));
    else
        end(s, !s->tls    ? NULL
               : s->ready ? "the peer closed without a TLS close_notify, so its data may be cut short"
                          : "the peer closed during the TLS handshake");
}

static void on_drained(struct tcp *tcp) {
    struct stream *s = of_tcp(tcp);
    if (!s->ended) s->ops->on_drained(s);
}

static void on_connect(struct tcp *tcp, int code) {
    struct stream *s = of_tcp(tcp);
    if (code < 0) {
        end(s, tcp_error_text(code));
        return;
    }
    tcp_read_start(tcp);
    if (s->tls) {
        tls_moved(s, tls_start(s->tls));
    } else {
        s->ready = true;
        s->ops->on_ready(s);
    }
}

static void on_closed(struct tcp *tcp) {
    struct stream *s = of_tcp(tcp);
    tls_free(s->tls);
    s->tls = NULL;
    s->ops->on_closed(s);
}

static const struct tcp_ops k_tcp_ops = {
    .on_read = on_read,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_connect = on_connect,
    .on_closed = on_closed,
};

bool stream_init(struct stream *s, struct loop *loop, const struct stream_ops *ops, struct err *err) {
    *s = (struct stream){.ops = ops};
    return tcp_init(&s->tcp, loop, &k_tcp_ops, err);
}

bool stream_accept(struct stream *s, struct loop *loop, struct listener *listener, struct tls_ctx *tls_ctx,
                   const struct stream_ops *ops, struct err *err) {
    if (!stream_init(s, loop, ops, err)) return false;
    bool ok = tcp_accept(&s->tcp, listener);
    if (ok && tls_ctx) {
        s->tls = tls_new(tls_ctx, STR_NONE);
        ok = s->tls != NULL;
    }
    if (!ok) {
        stream_close(s); // the caller keeps the memory until on_closed
        return err_set(err, ERR_IO, "a waiting connection could not be taken over");
    }
    tcp_read_start(&s->tcp);
    if (!tls_ctx) {
        s->ready = true;
        s->ops->on_ready(s);
    }
    return true;
}

bool stream_connect(struct stream *s, const struct sockaddr *address, struct tls_ctx *tls_ctx, struct str host,
                    struct err *err) {
    if (tls_ctx) {
        s->tls = tls_new(tls_ctx, host);
        if (!s->tls) return err_no_memory(err);
    }
    int rc = tcp_connect(&s->tcp, address);
    if (rc < 0) return err_set(err, ERR_UPSTREAM_REFUSED, "%s", tcp_error_text(rc));
    return true;
}

bool stream_connect_unix(struct stream *s, const char *path, struct err *err) {
    int rc = tcp_connect_unix(&s->tcp, path);
    if (rc < 0) return err_set(err, ERR_UPSTREAM_REFUSED, "%s", tcp_error_text(rc));
    on_connect(&s->tcp, 0);
    return true;
}

bool stream_start_tls(struct stream *s, struct tls_ctx *tls_ctx, struct str host, struct err *err) {
    s->tls = tls_new(tls_ctx, host);
    if (!s->tls) return err_no_memory(err);
    s->ready = false;
    tls_moved(s, tls_start(s->tls));
    return true;
}

void stream_read_start(struct stream *s) {
    if (s->ended) return;
    tcp_read_start(&s->tcp);
    // Plaintext left over from before the pause has no event of its own on the socket.
    if (s->tls && s->ready) tls_deliver(s);
}

void stream_read_stop(struct stream *s) { tcp_read_stop(&s->tcp); }

void stream_read_into(struct stream *s, char *p, size_t n) {
    s->tcp.into = s->tls ? NULL : p;
    s->tcp.into_room = n;
}

// Encrypts and sends in slices, so that a large piece is not held twice.
static bool tls_send(struct stream *s, struct str part) {
    while (part.n) {
        struct str slice = str_head(part, TLS_SLICE);
        if (!tls_write(s->tls, slice)) return false;
        tls_flush(s);
        part = str_from(part, slice.n);
    }
    return true;
}

// Small parts share a TLS record.
static bool tls_send_parts(struct stream *s, const struct str *parts, size_t count) {
    char block[TLS_CHUNK];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n > sizeof block - n) {
            if (!tls_send(s, str_of(block, n)) || !tls_send(s, parts[i])) return false;
            n = 0;
        } else if (parts[i].n) {
            memcpy(block + n, parts[i].p, parts[i].n);
            n += parts[i].n;
        }
    }
    return tls_send(s, str_of(block, n));
}

size_t stream_write(struct stream *s, const struct str *parts, size_t count) {
    if (LIKELY(!s->tls)) return tcp_write(&s->tcp, parts, count);
    bool sent = count == 1 ? tls_send(s, parts[0]) : tls_send_parts(s, parts, count);
    if (!sent) {
        stream_reset(s);
        return 0;
    }
    return tcp_queued(&s->tcp);
}

static void say_bye(struct stream *s) {
    if (!s->tls || !s->ready || s->ended || s->tcp.closing) return;
    tls_shutdown(s->tls);
    tls_flush(s);
}

void stream_shutdown(struct stream *s) {
    say_bye(s);
    tcp_shutdown(&s->tcp);
}

void stream_close(struct stream *s) {
    say_bye(s);
    tcp_close(&s->tcp);
}

void stream_reset(struct stream *s) { tcp_reset(&s->tcp); }

struct str stream_alpn(const struct stream *s) {
    return s->tls ? tls_alpn(s->tls) : STR_NONE;
}
