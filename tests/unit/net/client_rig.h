// An HTTP client on a loop, exchanges that note what happened to them, and scripted servers on another thread.
#ifndef TESTS_CLIENT_RIG_H
#define TESTS_CLIENT_RIG_H

#include "net/http1_parse.h"
#include "net/http_client.h"
#include "wire.h"

enum rig_when { NEVER, IN_HEAD, IN_DATA };

struct rig;
struct get {
    struct rig *rig;
    struct http_exchange *x;
    enum rig_when cancel, pause;
    int heads, lasts, errors, cancels, status;
    struct err err;
    struct buf body;
    struct timer timer;
};

struct rig {
    struct wire wire;
    struct http_client *client;
    struct http_origin origin;
    struct get calls[1];
    size_t sent; // requests so far
    void (*on_ended)(struct rig *rig, struct get *g);
    // The script's.
    struct str answer;
    uint64_t requests; // that a script has read whole; atomic
    uint64_t accepted;
    size_t cut;
    bool cut_all, close_after, reset_after;
    void *user;
};

static inline struct rig *rig_of(struct wire *w) { return CONTAINER_OF(w, struct rig, wire); }
static inline uint64_t rig_requests(struct rig *rig) { return __atomic_load_n(&rig->requests, __ATOMIC_ACQUIRE); }
static inline void rig_saw_request(struct rig *rig) { __atomic_add_fetch(&rig->requests, 1, __ATOMIC_ACQ_REL); }

static inline bool get_ended(const struct get *g) { return g->lasts + g->errors + g->cancels > 0; }

static inline void rig_ended(struct get *g) {
    g->x = NULL;
    CHECK_INT(g->lasts + g->errors + g->cancels, 1);
    if (g->rig->on_ended)
        g->rig->on_ended(g->rig, g);
    else
        loop_stop(g->rig->wire.loop);
}

static inline void rig_cancel(struct get *g) {
    struct http_exchange *x = g->x;
    g->cancels++;
    http_exchange_cancel(x);
    rig_ended(g);
}

static inline void rig_on_head(struct http_exchange *x, const struct http1_head *head) {
    struct get *g = http_exchange_user(x);
    CHECK(!get_ended(g) && g->heads == 0 && g->body.n == 0);
    g->heads++;
    g->status = head->status;
    if (g->cancel == IN_HEAD)
        rig_cancel(g);
    else if (g->pause == IN_HEAD)
        http_exchange_pause(x);
}

static inline void rig_on_data(struct http_exchange *x, struct str data, bool last) {
    struct get *g = http_exchange_user(x);
    CHECK(!get_ended(g) && g->heads == 1);
    buf_put(&g->body, data);
    if (last) {
        g->lasts++;
        rig_ended(g);
    } else if (g->cancel == IN_DATA) {
        rig_cancel(g);
    } else if (g->pause == IN_DATA) {
        http_exchange_pause(x);
    }
}

static inline void rig_on_error(struct http_exchange *x, const struct err *err) {
    struct get *g = http_exchange_user(x);
    CHECK(!get_ended(g));
    CHECK(err->message[0] && memchr(err->message, 0, sizeof err->message));
    g->errors++;
    g->err = *err;
    rig_ended(g);
}

static const struct http_exchange_ops k_rig_ops = {
    .on_head = rig_on_head, .on_data = rig_on_data, .on_error = rig_on_error};

static inline void rig_open(struct rig *rig, bool listens) {
    struct err err;
    memset(rig, 0, sizeof *rig);
    wire_open(&rig->wire, listens);
    REQUIRE(http_client_create(rig->wire.loop, 4096, &rig->client, &err));
    rig->origin = (struct http_origin){.name = STR("mock"),
                                       .host = STR("127.0.0.1"),
                                       .port = rig->wire.port,
                                       .max_idle = 4,
                                       .connect_ms = WIRE_MS,
                                       .first_byte_ms = WIRE_MS,
                                       .idle_ms = WIRE_MS,
                                       .total_ms = 2 * WIRE_MS};
    for (size_t i = 0; i < ARRAY_LEN(rig->calls); i++) {
        rig->calls[i].rig = rig;
        buf_init(&rig->calls[i].body, (size_t)64 << 20);
    }
}

// Forgets what an earlier exchange left in g.
static inline void get_clear(struct get *g) {
    buf_clear(&g->body);
    g->heads = g->lasts = g->errors = g->cancels = g->status = 0;
}

static inline bool rig_send_request(struct get *g, const struct http_request *r) {
    struct rig *rig = g->rig;
    rig->sent++;
    get_clear(g);
    if (http_client_send(rig->client, &rig->origin, r, &k_rig_ops, g, &g->x, &g->err)) {
        CHECK(!get_ended(g)); // no callback before the return
        return true;
    }
    CHECK(!get_ended(g));
    return false;
}

static inline bool rig_get(struct get *g) {
    const struct http_request r = {.method = STR("GET"), .target = STR("/x"), .authority = STR("mock")};
    return rig_send_request(g, &r);
}

static inline void rig_close(struct rig *rig) {
    http_client_forget(rig->client, &rig->origin);
    for (size_t i = 0; i < ARRAY_LEN(rig->calls); i++) timer_stop(&rig->calls[i].timer);
    wire_end_script(&rig->wire);
    struct http_client_stats stats;
    http_client_stats_get(rig->client, &stats);
    CHECK_INT(stats.active, 0);
    CHECK_INT(stats.idle, 0);
    http_client_free(rig->client);
    for (size_t i = 0; i < ARRAY_LEN(rig->calls); i++) buf_free(&rig->calls[i].body);
    wire_close(&rig->wire);
}

// Answers every request on every connection with rig->answer: cut in two (at a place that moves on each time when
// cut_all), then closes when so told.
static inline void rig_serve(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct buf request = BUF_INIT((size_t)32 << 20);
    for (int fd; (fd = wire_accept(w)) >= 0;) {
        rig->accepted++;
        while (wire_read_request(fd, &request)) {
            rig_saw_request(rig);
            // The end leaves together with the last bytes, so that whoever has the answer could know of the end.
            if (rig->close_after) setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
            if (!wire_send_cut(fd, rig->answer, rig->cut % (rig->answer.n + 1))) break;
            if (rig->cut_all) rig->cut++;
            if (rig->close_after || rig->reset_after) break;
        }
        if (rig->reset_after) {
            if (rig->answer.n) wire_breathe();
            wire_reset(fd);
        } else {
            close(fd);
        }
    }
    buf_free(&request);
}

#endif
