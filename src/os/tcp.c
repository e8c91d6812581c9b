// Non-blocking TCP connections on libuv.
#include "os/tcp.h"

#include "base/mem.h"
#include "os/tcp_info.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define CORK_MIN ((size_t)4096)
#define CORK_MAX ((size_t)16 * 1024) // larger writes gain nothing from waiting

// One queued write: a copy of what the kernel did not take.
struct tcp_pending {
    uv_write_t req;
    struct tcp *tcp;
    size_t n;
    char bytes[];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    struct tcp *tcp = handle->data;
    if (tcp->into)
        *out = uv_buf_init(tcp->into, (unsigned)MIN(tcp->into_room, (size_t)1 << 30));
    else
        *out = uv_buf_init(loop_read_buffer(tcp->loop), (unsigned)(tcp->read_hint ? tcp->read_hint : LOOP_READ_SIZE));
}

static void on_uv_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b) {
    struct tcp *tcp = stream->data;
    if (n > 0) {
        tcp->ops->on_read(tcp, b->base, (size_t)n);
    } else if (n < 0) {
        tcp_read_stop(tcp);
        tcp->ops->on_end(tcp, n == UV_EOF ? 0 : (int)n);
    }
}

bool tcp_init(struct tcp *tcp, struct loop *loop, const struct tcp_ops *ops, struct err *err) {
    *tcp = (struct tcp){.ops = ops, .loop = loop, .fd = -1};
    int rc = uv_tcp_init(loop_uv(loop), &tcp->uv);
    if (rc != 0) return err_set(err, ERR_IO, "cannot create a socket: %s", uv_strerror(rc));
    tcp->uv.data = tcp;
    return true;
}

static void on_uv_connect(uv_connect_t *req, int status) {
    struct tcp *tcp = req->data;
    mem_free(req);
    if (tcp->closing) return;
    if (status == 0) uv_tcp_nodelay(&tcp->uv, 1);
    if (status == 0) status = uv_fileno((uv_handle_t *)&tcp->uv, &tcp->fd);
    tcp->ops->on_connect(tcp, status);
}

int tcp_connect(struct tcp *tcp, const struct sockaddr *address) {
    uv_connect_t *req = mem_alloc(sizeof *req);
    if (!req) return UV_ENOMEM;
    req->data = tcp;
    int rc = uv_tcp_connect(req, &tcp->uv, address, on_uv_connect);
    if (rc != 0) mem_free(req);
    return rc;
}

void tcp_read_start(struct tcp *tcp) {
    if (tcp->reading || tcp->closing) return;
    tcp->reading = uv_read_start((uv_stream_t *)&tcp->uv, on_alloc, on_uv_read) == 0;
}

void tcp_read_stop(struct tcp *tcp) {
    if (!tcp->reading) return;
    tcp->reading = false;
    uv_read_stop((uv_stream_t *)&tcp->uv);
}

static void on_uv_written(uv_write_t *req, int status) {
    struct tcp_pending *pending = CONTAINER_OF(req, struct tcp_pending, req);
    struct tcp *tcp = pending->tcp;
    tcp->queued -= pending->n;
    mem_free(pending);
    if (tcp->closing || tcp->failed) return;
    if (status < 0) {
        tcp->failed = true;
        tcp_read_stop(tcp);
        tcp->ops->on_end(tcp, status);
    } else if (tcp->queued == 0) {
        tcp->ops->on_drained(tcp);
    }
}

// A failure found while writing is told from the loop's next turn, not from inside tcp_write: an empty uv_write on a
// broken socket comes back with the error.
static void queue_rest(struct tcp *tcp, const struct str *parts, size_t count, size_t skip) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) n += parts[i].n;
    n -= skip;
    struct tcp_pending *pending = mem_alloc(sizeof *pending + n);
    if (!pending) {
        // Bytes are lost here, so the connection cannot go on.
        tcp->failed = true;
        tcp_reset(tcp);
        return;
    }
    pending->tcp = tcp;
    pending->n = n;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t cut = MIN(skip, parts[i].n);
        if (parts[i].n > cut) memcpy(pending->bytes + at, parts[i].p + cut, parts[i].n - cut);
        at += parts[i].n - cut;
        skip -= cut;
    }
    tcp->queued += n;
    uv_buf_t one = uv_buf_init(pending->bytes, (unsigned)n);
    int rc = uv_write(&pending->req, (uv_stream_t *)&tcp->uv, &one, 1, on_uv_written);
    if (rc != 0) {
        tcp->queued -= n;
        mem_free(pending);
        tcp->failed = true;
        tcp_reset(tcp);
    }
}

// Straight to the kernel; what it does not take is queued. Returns the bytes taken; an error shows when the queue is
// worked off.
static size_t send_now(struct tcp *tcp, const struct str *parts, size_t count) {
    static_assert(offsetof(struct str, p) == offsetof(struct iovec, iov_base) &&
                      offsetof(struct str, n) == offsetof(struct iovec, iov_len) &&
                      sizeof(struct str) == sizeof(struct iovec),
                  "a slice is an iovec");
    union {
        const struct str *in;
        struct iovec *out; // sendmsg only reads, though its type lacks const
    } vector = {.in = parts};
    ssize_t n = -1;
    struct msghdr message = {.msg_iov = vector.out, .msg_iovlen = count};
    if (count == 1)
        n = send(tcp->fd, parts[0].p, parts[0].n, MSG_NOSIGNAL | MSG_DONTWAIT);
    else
        n = sendmsg(tcp->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static void write_through(struct tcp *tcp, const struct str *parts, size_t count, size_t total) {
    size_t taken = tcp->queued ? 0 : send_now(tcp, parts, count);
    if (taken < total) queue_rest(tcp, parts, count, taken);
}

// --- the cork ---

static void cork_link(struct tcp *tcp) {
    struct tcp_corked *all = loop_corked(tcp->loop);
    tcp->cork_next = NULL;
    tcp->cork_prev = all->last;
    *(all->last ? &all->last->cork_next : &all->first) = tcp;
    all->last = tcp;
}

static void cork_unlink(struct tcp *tcp) {
    struct tcp_corked *all = loop_corked(tcp->loop);
    *(tcp->cork_prev ? &tcp->cork_prev->cork_next : &all->first) = tcp->cork_next;
    *(tcp->cork_next ? &tcp->cork_next->cork_prev : &all->last) = tcp->cork_prev;
}

static void cork_drop(struct tcp *tcp) {
    if (!tcp->cork) return;
    cork_unlink(tcp);
    pool_put(loop_pool(tcp->loop), tcp->cork, tcp->cork_cap);
    tcp->cork = NULL;
}

static void cork_flush(struct tcp *tcp) {
    if (!tcp->cork) return;
    struct str all = str_of(tcp->cork, tcp->cork_n);
    char *p = tcp->cork;
    cork_unlink(tcp);
    tcp->cork = NULL;
    if (!tcp->closing && !tcp->failed) write_through(tcp, &all, 1, all.n);
    pool_put(loop_pool(tcp->loop), p, tcp->cork_cap);
}

void tcp_flush_corked(struct loop *loop) {
    while (loop_corked(loop)->first) cork_flush(loop_corked(loop)->first);
}

// False when it does not fit or there is no memory: then it is written through.
static bool cork_add(struct tcp *tcp, const struct str *parts, size_t count, size_t total) {
    if (!tcp->cork) {
        tcp->cork = pool_get(loop_pool(tcp->loop), MAX(total, CORK_MIN), &tcp->cork_cap);
        if (!tcp->cork) return false;
        tcp->cork_n = 0;
        cork_link(tcp);
    }
    if (tcp->cork_cap - tcp->cork_n < total) return false;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n) memcpy(tcp->cork + tcp->cork_n, parts[i].p, parts[i].n);
        tcp->cork_n += parts[i].n;
    }
    return true;
}

size_t tcp_write(struct tcp *tcp, const struct str *parts, size_t count) {
    size_t total = 0;
    if (tcp->closing || tcp->failed) return 0;
    for (size_t i = 0; i < count; i++) total += parts[i].n;
    if (total == 0) return tcp->queued;
    tcp->written += total;
    if (total <= CORK_MAX && !tcp->queued && cork_add(tcp, parts, count, total)) return 0;
    cork_flush(tcp);
    if (!tcp->closing && !tcp->failed) write_through(tcp, parts, count, total);
    return tcp->queued;
}

size_t tcp_unsent(const struct tcp *tcp) { return tcp->uv.write_queue_size; }

static void on_uv_shutdown(uv_shutdown_t *req, int status) {
    (void)status; // a failure shows as the end of reading
    mem_free(req);
}

void tcp_shutdown(struct tcp *tcp) {
    cork_flush(tcp);
    uv_shutdown_t *req = tcp->closing ? NULL : mem_alloc(sizeof *req);
    if (req && uv_shutdown(req, (uv_stream_t *)&tcp->uv, on_uv_shutdown) != 0) mem_free(req);
}

static void on_uv_closed(uv_handle_t *handle) {
    struct tcp *tcp = handle->data;
    tcp->ops->on_closed(tcp);
}

void tcp_close(struct tcp *tcp) {
    if (tcp->closing) return;
    cork_flush(tcp);
    if (tcp->closing) return;
    tcp_read_stop(tcp);
    tcp->closing = true;
    uv_close((uv_handle_t *)&tcp->uv, on_uv_closed);
}

void tcp_reset(struct tcp *tcp) {
    if (tcp->closing) return;
    cork_drop(tcp);
    tcp_read_stop(tcp);
    tcp->closing = true;
    if (uv_tcp_close_reset(&tcp->uv, on_uv_closed) != 0) uv_close((uv_handle_t *)&tcp->uv, on_uv_closed);
}

uint64_t tcp_bytes_acked(struct tcp *tcp) { return tcp_info_bytes_acked(tcp->fd); }

struct str tcp_peer_text(struct tcp *tcp, char out[64]) {
    struct sockaddr_storage ss;
    int n = sizeof ss;
    if (uv_tcp_getpeername(&tcp->uv, (struct sockaddr *)&ss, &n) != 0) return STR("-");
    if (uv_ip_name((struct sockaddr *)&ss, out, 64) != 0) return STR("-");
    return str_c(out);
}

const char *tcp_error_text(int code) { return uv_strerror(code); }
