// Fuzzes the HTTP/2 engine: any bytes from a client, against a handler that answers, streams, holds and gives up.
#include "base/mem.h"
#include "net/http2_internal.h"
#include "os/loop.h"

#define HELD_MAX 64
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

struct fuzz {
    struct http_server server;
    struct http_req *held[HELD_MAX];
    size_t held_n;
    uint64_t open; // handed over and not ended
    uint64_t written;
    bool finished;
};

static void end_reply(struct fuzz *f, struct http_req *req, struct str body) {
    f->open--;
    http_reply_data(req, &body, 1, true);
}

static void on_request(struct http_req *req) {
    struct fuzz *f = http_server_ctx(req->server);
    INVARIANT(req->field_count <= f->server.options.max_fields && req->body.n <= f->server.options.max_body);
    INVARIANT(req->target.n <= f->server.options.max_target && req->method_text.n && req->host.n <= 4096);
    f->open++;
    const struct http_field field = {STR("content-type"), STR("text/plain")};
    if (req->method == HTTP_POST || f->held_n == HELD_MAX) {
        http_reply_head(req, 200, &field, 1, req->body.n);
        end_reply(f, req, req->body);
        return;
    }
    if (req->query.n) http_reply_head(req, 200, &field, 1, HTTP_LENGTH_UNKNOWN);
    f->held[f->held_n++] = req;
}

static void on_abort(struct http_req *req) {
    struct fuzz *f = http_server_ctx(req->server);
    f->open--;
    for (size_t i = 0; i < f->held_n; i++)
        if (f->held[i] == req) f->held[i] = f->held[--f->held_n];
}

static void on_drained(struct http_req *req) {
    struct str more = STR("more");
    http_reply_data(req, &more, 1, false);
}

static void on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena, struct buf *out_body,
                      struct http_field *out_fields, size_t *io_count) {
    (void)ctx, (void)peer, (void)arena, (void)out_fields, (void)io_count;
    buf_put(out_body, str_c(err->message));
}

static size_t on_write(void *owner, const struct str *parts, size_t count) {
    struct fuzz *f = owner;
    for (size_t i = 0; i < count; i++) f->written += parts[i].n;
    return f->written % 3 == 0 ? (size_t)1 << 20 : 0; // now and then the link is full
}

static void on_finish(void *owner) {
    struct fuzz *f = owner;
    INVARIANT(!f->finished);
    f->finished = true;
}

// Something happens to a held request between two reads, as the bytes say.
static void act(struct fuzz *f, struct http2 *h2, uint8_t what) {
    static const char k_block[70000];
    if (what % 16 == 15) http2_drain(h2);
    if (what % 4 == 0) http2_drained(h2);
    if (what % 32 == 9 && h2->timer.deadline) {
        for (struct http2_stream *s = h2->streams; s; s = s->next) s->progress_ms -= 4000;
        h2->timer.fn(&h2->timer);
    }
    if (f->held_n == 0) return;
    struct http_req *req = f->held[what % f->held_n];
    struct str part = str_of(k_block, what % 3 ? what : sizeof k_block);
    if (what % 8 < 3) { // an answer in full, or the end of a stream
        f->held[what % f->held_n] = f->held[f->held_n - 1];
        f->held_n--;
        if (what % 8 == 2) {
            f->open--;
            http_reply_abort(req);
            return;
        }
        if (!req->query.n) http_reply_head(req, 200, NULL, 0, part.n);
        end_reply(f, req, part);
    } else if (req->query.n) {
        http_reply_data(req, &part, 1, false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct loop *loop;
    struct err err;
    if (!loop) INVARIANT(loop_create(0, &loop, &err));
    struct fuzz f = {.server = {.loop = loop}};
    f.server.options = (struct http_server_options){.max_head = 2048,
                                                    .max_fields = 16,
                                                    .max_target = 256,
                                                    .max_body = 10000,
                                                    .header_ms = 5000,
                                                    .body_ms = 5000,
                                                    .keepalive_ms = 5000,
                                                    .write_ms = 5000};
    f.server.handler = (struct http_handler){
        .ctx = &f, .on_request = on_request, .on_abort = on_abort, .on_drained = on_drained, .on_reject = on_reject};
    const struct http2_link link = {.owner = &f, .write = on_write, .finish = on_finish, .peer = STR("::1")};
    struct http2 *h2 = http2_create(&f.server, &link);
    if (!h2 || size < 2) {
        http2_free(h2);
        return 0;
    }
    if (data[0] & 1) http2_feed(h2, STR(PREFACE));
    size_t cut = data[0] / 2 ? data[0] / 2 : size;
    for (size_t at = 1; at < size; at += cut) {
        http2_feed(h2, str_of((const char *)data + at, size - at < cut ? size - at : cut));
        act(&f, h2, data[at]);
    }
    http2_free(h2);
    INVARIANT(f.open == 0 && loop_pool(loop)->used_bytes == 0);
    return 0;
}
