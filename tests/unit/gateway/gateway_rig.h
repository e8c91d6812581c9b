// A whole gateway on one loop with two upstreams, "a" before "b", and a script on another thread that plays the client
// and both upstreams.
#ifndef TESTS_GATEWAY_RIG_H
#define TESTS_GATEWAY_RIG_H

#include "gateway/gateway.h"
#include "gateway/keys.h"
#include "net/wire.h"
#include "os/clock.h"
#include "temp_dir.h"

#ifndef RIG_TENANTS // a suite may add some
#define RIG_TENANTS ""
#endif

struct rig {
    struct wire wire;
    int a, b; // the upstreams' listeners
    uint16_t a_port, b_port;
    struct conf *conf;
    struct board *board;
    struct runtime *runtime;
    struct metrics *metrics;
    struct datadir dir;
    struct ledger *ledger;
    struct keys *keys;
    struct gateway *gateway;
    struct gateway_loop *gl;
    struct http_server *http;
    size_t worst_bytes;
    struct timer sampler;
};

static inline struct rig *rig_of(struct wire *w) { return CONTAINER_OF(w, struct rig, wire); }

static inline const char *rig_no_var(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}
static inline bool rig_no_file(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)out;
    return err_set(err, ERR_NOT_FOUND, "no such file");
}

static inline struct conf *rig_conf(const struct rig *rig) {
    struct buf text = BUF_INIT(8192);
    struct conf_problems problems;
    struct conf_env env = {.get = rig_no_var, .read_file = rig_no_file};
    struct conf *conf = NULL;
    buf_printf(&text,
               "providers:\n"
               "  - {name: a, kind: openai, base_url: 'http://127.0.0.1:%u/v1', api_key: sk-a}\n"
               "  - {name: b, kind: openai, base_url: 'http://127.0.0.1:%u/deep/path', api_key: sk-b}\n"
               "  - {name: demo, kind: demo}\n"
               "models:\n"
               "  - name: m\n"
               "    price: {input: 1, output: 2}\n"
               "    targets:\n"
               "      - {provider: a, model: a-model}\n"
               "      - {provider: b, model: b-model, priority: 1}\n"
               "  - {name: only-a, targets: [{provider: a, model: only-a}]}\n"
               "  - {name: demo-then-b, targets: [{provider: demo, model: fail-503}, {provider: b, priority: 1}]}\n"
               "auth: {required: false}\n"
               "routing: {breaker: {failures: 0, min_requests: 1000000}}\n"
               "limits: {max_event: 64KiB, max_response: 1MiB, stream_buffer: 64KiB}\n" RIG_TENANTS,
               rig->a_port, rig->b_port);
    conf_problems_init(&problems);
    if (!conf_load_text(buf_str(&text), STR("penstock.yaml"), &env, &problems, &conf)) {
        buf_clear(&text);
        conf_problems_print(&problems, &text);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
    }
    conf_problems_free(&problems);
    buf_free(&text);
    REQUIRE(conf != NULL);
    return conf;
}

// Targets that were told to be left alone are asked again.
static inline void rig_calm(struct rig *rig) {
    struct board_slot *slots[16];
    size_t n = board_slots(rig->board, slots, ARRAY_LEN(slots));
    for (size_t i = 0; i < n; i++) {
        board_cooldown(slots[i], 0, clock_mono_ns());
        board_slot_put(slots[i]);
    }
}

static inline int rig_connect(struct wire *w) {
    rig_calm(rig_of(w));
    return wire_connect(w);
}

static inline void rig_on_ledger(void *arg, enum ledger_event event, const char *message) {
    (void)arg, (void)event, (void)message;
}

static inline void rig_open_store(struct rig *rig, char *dir, size_t size, unsigned writers) {
    static unsigned n;
    struct err err;
    snprintf(dir, size, "%s/data%u", temp_dir(), n++);
    REQUIRE(datadir_open(str_c(dir), &rig->dir, &err));
    struct sql *db = NULL;
    REQUIRE(datadir_open_db(&rig->dir, 20000, &db, &err));
    sql_close(db);
    struct ledger_options o = {.data_dir = str_c(dir), .writers = writers, .apply_ms = 10, .on_event = rig_on_ledger};
    REQUIRE(ledger_open(&o, &rig->ledger, &err));
    REQUIRE(keys_create(&rig->dir, &rig->keys, &err));
}

static inline void rig_sample(struct timer *timer) {
    struct rig *rig = CONTAINER_OF(timer, struct rig, sampler);
    struct mem_stats now;
    mem_stats_get(&now);
    rig->worst_bytes = MAX(rig->worst_bytes, (size_t)(now.bytes - rig->wire.before.bytes));
    timer_set(timer, 2);
}

static inline void rig_on_request(struct http_req *req) { gateway_on_request(http_server_ctx(req->server), req); }

static inline void rig_on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena,
                                 struct buf *out_body, struct http_field *out_fields, size_t *io_count) {
    gateway_on_reject(ctx, err, peer, arena, out_body, out_fields, io_count);
}

static inline void rig_open(struct rig *rig) {
    struct err err;
    char dir[256];
    memset(rig, 0, sizeof *rig);
    wire_open(&rig->wire, false);
    rig->wire.stop_on_script = true;
    rig->a = wire_listen(&rig->a_port);
    rig->b = wire_listen(&rig->b_port);
    rig->conf = rig_conf(rig);
    struct model_catalog *models;
    REQUIRE(model_catalog_builtin(&models, &err));
    REQUIRE(runtime_create(rig->conf, models, rig->board = board_create(), NULL, &rig->runtime, &err));
    route_table_tune(rig->runtime->routes);
    model_catalog_unref(models);
    struct metrics_options m = {.shards = 1, .max_series = 1000, .version = STR("test")};
    REQUIRE(metrics_create(&m, &rig->metrics, &err));
    rig_open_store(rig, dir, sizeof dir, 1);
    struct gateway_options g = {
        .metrics = rig->metrics, .ledger = rig->ledger, .keys = rig->keys, .version = STR("test")};
    REQUIRE(gateway_create(&g, &rig->gateway, &err));
    struct keyring *ring;
    REQUIRE(keys_current(rig->keys, &ring, &err));
    struct gateway_loop_options o = {.loop = rig->wire.loop, .runtime = rig->runtime, .ring = ring, .epoch = 1};
    REQUIRE(gateway_loop_create(rig->gateway, &o, &rig->gl, &err));
    keyring_unref(ring);
    struct http_server_options so = gateway_server_options(rig->conf, 1);
    struct http_handler handler = {.ctx = rig->gl,
                                   .on_request = rig_on_request,
                                   .on_abort = gateway_on_abort,
                                   .on_drained = gateway_on_drained,
                                   .on_reject = rig_on_reject};
    REQUIRE(http_server_create(rig->wire.loop, &so, &handler, &rig->http, &err));
    REQUIRE(http_server_listen(rig->http, STR("127.0.0.1"), 0, NULL, &rig->wire.port, &err));
    timer_init(&rig->sampler, rig->wire.loop, rig_sample);
    timer_set(&rig->sampler, 2);
}

// Ends everything; every call has been recorded once.
static inline void rig_close(struct rig *rig, size_t records) {
    struct ledger_health health;
    http_server_stop(rig->http);
    gateway_loop_quiesce(rig->gl);
    timer_stop(&rig->sampler);
    wire_end_script(&rig->wire);
    CHECK_INT(rig->gl->active, 0);
    CHECK_INT(http_server_open(rig->http), 0);
    http_server_free(rig->http);
    gateway_loop_free(rig->gl);
    gateway_free(rig->gateway);
    keys_free(rig->keys);
    ledger_health(rig->ledger, &health);
    if (records != SIZE_MAX) CHECK_INT(health.appended, records);
    ledger_close(rig->ledger, 5000);
    datadir_close(&rig->dir);
    runtime_unref(rig->runtime);
    board_free(rig->board);
    metrics_free(rig->metrics);
    conf_unref(rig->conf);
    close(rig->a);
    close(rig->b);
    wire_close(&rig->wire);
}

static inline void rig_run(void (*script)(struct wire *w), size_t records) {
    struct rig rig;
    rig_open(&rig);
    wire_start(&rig.wire, script);
    loop_run(rig.wire.loop);
    rig_close(&rig, records);
}

// --- for scripts ---

static inline int rig_accept(int listener) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    wire_limits(fd);
    return fd;
}

// Sends a request with a counted body.
static inline void rig_post(int fd, const char *path, struct str body) {
    char head[256];
    int n = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: %zu\r\n\r\n", path, body.n);
    CHECK(wire_send(fd, str_of(head, (size_t)n)));
    CHECK(wire_send(fd, body));
}

// One answer of the gateway, its framing taken off.
struct rig_answer {
    int status;
    bool whole; // its end was seen
    struct buf head, body, in;
};

static inline void rig_answer_init(struct rig_answer *a) {
    *a = (struct rig_answer){0};
    buf_init(&a->head, 1 << 16);
    buf_init(&a->body, (size_t)64 << 20);
    buf_init(&a->in, (size_t)64 << 20);
}
static inline void rig_answer_free(struct rig_answer *a) {
    buf_free(&a->head);
    buf_free(&a->body);
    buf_free(&a->in);
}

// The value of a field, or "" when there is none.
static inline struct str rig_field(const struct rig_answer *a, const char *name) {
    char line[100];
    int n = snprintf(line, sizeof line, "\r\n%s: ", name);
    size_t at = str_find(buf_str(&a->head), str_of(line, (size_t)n));
    if (at == a->head.n) return STR("");
    struct str rest = str_from(buf_str(&a->head), at + (size_t)n);
    return str_head(rest, str_find_char(rest, '\r'));
}

static inline bool rig_read_chunks(int fd, struct rig_answer *a) {
    for (;;) {
        if (!wire_read_until(fd, &a->in, STR("\r\n"))) return false;
        size_t line = str_find(buf_str(&a->in), STR("\r\n"));
        size_t n = (size_t)strtoul(buf_cstr(&a->in), NULL, 16);
        if (!wire_read_n(fd, &a->in, line + 2 + n + 2)) return false;
        buf_append(&a->body, a->in.p + line + 2, n);
        buf_drop(&a->in, line + 2 + n + 2);
        if (n == 0) return true;
    }
}

static inline void rig_read_answer(int fd, struct rig_answer *a) {
    uint64_t n = 0;
    a->status = 0;
    a->whole = false;
    buf_clear(&a->head);
    buf_clear(&a->body);
    if (!wire_read_until(fd, &a->in, STR("\r\n\r\n"))) return;
    size_t head_n = str_find(buf_str(&a->in), STR("\r\n\r\n")) + 4;
    buf_append(&a->head, a->in.p, head_n);
    buf_drop(&a->in, head_n);
    CHECK(str_to_u64(str_head(str_from(buf_str(&a->head), 9), 3), &n));
    a->status = (int)n;
    CHECK(rig_field(a, "x-request-id").n > 10);
    if (rig_field(a, "transfer-encoding").n) {
        a->whole = rig_read_chunks(fd, a);
        return;
    }
    if (!str_to_u64(rig_field(a, "content-length"), &n)) return;
    a->whole = wire_read_n(fd, &a->in, n);
    buf_append(&a->body, a->in.p, MIN(n, a->in.n));
    buf_drop(&a->in, MIN(n, a->in.n));
}

#endif
