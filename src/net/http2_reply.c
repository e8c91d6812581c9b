// Replies over HTTP/2: heads, data under flow control, and what waits for a slow client.
#include "net/http2_internal.h"

#include "base/mem.h"

#include <stdio.h>

#define DRAINED_BELOW ((size_t)8 * 1024) // ask for more before the queue has run dry

static struct http2_stream *of_req(struct http_req *req) { return CONTAINER_OF(req, struct http2_stream, req); }

static void consume(struct http2_stream *s, size_t n) {
    s->out_at += n;
    s->progress_ms = loop_now_ms(s->h2->server->loop);
    if (s->out_at == s->out.n) {
        buf_free(&s->out);
        s->out_at = 0;
    }
    if (s->wants_drained && http2_stream_queued(s) <= DRAINED_BELOW) {
        s->wants_drained = false;
        s->drained = true;
        http2_event(s);
    }
}

static ssize_t take_data(nghttp2_session *session, int32_t id, uint8_t *p, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    (void)session, (void)id, (void)user;
    struct http2_stream *s = source->ptr;
    size_t n = MIN(room, http2_stream_queued(s));
    if (n == 0 && !s->last) return NGHTTP2_ERR_DEFERRED;
    if (n) {
        memcpy(p, s->out.p + s->out_at, n);
        consume(s, n);
    }
    if (s->last && http2_stream_queued(s) == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv nv_of(struct str name, struct str value) {
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.p,
                        .value = (uint8_t *)(uintptr_t)value.p,
                        .namelen = name.n,
                        .valuelen = value.n};
}

// "date: …\r\n" without its name and ending.
static struct str date_value(struct http_server *server) {
    struct str line = http_server_date(server);
    return str_trim(str_from(line, sizeof "date:" - 1));
}

// libnghttp2 copies the fields, and holds the frame until something is flushed.
static bool submit_head(struct http2_stream *s, int status, const struct http_field *fields, size_t count,
                        uint64_t length) {
    nghttp2_nv *nv = arena_alloc(&s->req.arena, (count + 3) * sizeof *nv);
    if (!nv) return false;
    size_t n = 0;
    char status_text[4], length_text[20];
    snprintf(status_text, sizeof status_text, "%03u", (unsigned)status % 1000);
    nv[n++] = nv_of(STR(":status"), str_of(status_text, 3));
    nv[n++] = nv_of(STR("date"), date_value(s->h2->server));
    for (size_t i = 0; i < count; i++)
        if (!http_is_hop_by_hop(fields[i].name)) nv[n++] = nv_of(fields[i].name, fields[i].value);
    if (length != HTTP_LENGTH_UNKNOWN && status != 204)
        nv[n++] = nv_of(STR("content-length"), str_of(length_text, fmt_u64(length_text, length)));
    const nghttp2_data_provider provider = {.source.ptr = s, .read_callback = take_data};
    return nghttp2_submit_response(s->h2->session, s->id, nv, n, &provider) == 0;
}

static void reply_head(struct http_req *req, int status, const struct http_field *fields, size_t count,
                       uint64_t length) {
    struct http2_stream *s = of_req(req);
    s->bodyless = req->method == HTTP_HEAD || status == 204 || status == 304;
    if (s->closed) return;
    http2_enter(s->h2, true);
    if (!submit_head(s, status, fields, count, length)) http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
    s->h2->depth--; // held back: nothing is written yet
}

static void queue_parts(struct http2_stream *s, const struct str *parts, size_t count) {
    if (s->bodyless) return;
    if (http2_stream_queued(s) == 0) s->progress_ms = loop_now_ms(s->h2->server->loop);
    if (s->out_at > s->out.n / 2) {
        buf_drop(&s->out, s->out_at);
        s->out_at = 0;
    }
    for (size_t i = 0; i < count; i++) buf_put(&s->out, parts[i]);
    if (s->out.failed) http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}

static size_t reply_data(struct http_req *req, const struct str *parts, size_t count, bool last) {
    struct http2_stream *s = of_req(req);
    struct http2 *h2 = s->h2;
    http2_enter(h2, true);
    if (last) s->phase = HTTP2_DONE;
    if (!s->closed) {
        queue_parts(s, parts, count);
        s->last = last;
        nghttp2_session_resume_data(h2->session, s->id);
        if (h2->depth == 1) http2_flush(h2);
    } else {
        http2_event(s);
    }
    size_t queued = s->closed ? 0 : http2_stream_queued(s);
    s->wants_drained = queued && !last;
    http2_leave(h2);
    return queued;
}

static void reply_flush(struct http_req *req) {
    struct http2 *h2 = of_req(req)->h2;
    http2_enter(h2, true);
    http2_leave(h2);
}

static void reply_abort(struct http_req *req) {
    struct http2_stream *s = of_req(req);
    struct http2 *h2 = s->h2;
    http2_enter(h2, true);
    s->phase = HTTP2_DONE;
    if (s->closed)
        http2_event(s);
    else
        http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
    http2_leave(h2);
}

const struct http_reply_ops http2_reply_ops = {
    .head = reply_head,
    .data = reply_data,
    .flush = reply_flush,
    .abort = reply_abort,
};
