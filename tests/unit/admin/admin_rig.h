// A control plane on one loop over a host that plays the server: it notes the wishes and answers them as it is told.
#ifndef TESTS_ADMIN_RIG_H
#define TESTS_ADMIN_RIG_H

#include "access/key.h"
#include "admin/admin.h"
#include "net/fetch.h"
#include "net/wire.h"
#include "os/clock.h"
#include "store/config_history.h"
#include "temp_dir.h"

struct rig {
    struct wire wire;
    struct datadir dir;
    struct sql *db; // the test's own
    struct event_bus *events;
    struct conf *conf;
    struct metrics *metrics;
    struct admin_host host;
    struct admin *admin;
    struct admin_loop *al;
    struct http_server *http;
    struct key_created admin_key, plain_key;
    uint64_t ids;
    // The last wish, as text, and what comes of it.
    struct buf wish;
    atomic_bool refuse, lost; // with problems; with another version
    atomic_size_t wishes;
    // A wish of this kind is held back until the client has gone.
    struct admin_wish *_Atomic held;
    atomic_bool hold;
};

static inline struct rig *rig_of(struct wire *w) { return CONTAINER_OF(w, struct rig, wire); }

static inline struct conf *rig_conf_of(struct str text, struct conf_problems *problems) {
    struct conf_env env = {.get = NULL, .read_file = NULL};
    struct conf *conf = NULL;
    return conf_load_text(text, STR("penstock.yaml"), &env, problems, &conf) ? conf : NULL;
}

static inline struct conf *rig_conf(void *ctx) {
    struct rig *rig = ctx;
    return conf_ref(rig->conf);
}

static inline bool rig_check(void *ctx, struct str text, struct conf_problems *problems, struct conf **out_conf) {
    (void)ctx;
    struct conf *conf = rig_conf_of(text, problems);
    if (conf) *out_conf = conf;
    return conf != NULL;
}

static inline bool rig_ring(void *ctx, struct keyring **out_ring, struct err *err) {
    struct rig *rig = ctx;
    struct sql *db;
    if (!datadir_open_db(&rig->dir, 5000, &db, err)) return false;
    bool ok = keyring_load(db, &rig->dir, out_ring, err);
    sql_close(db);
    return ok;
}

static inline void rig_wish_answer(struct task *task) {
    struct admin_wish *wish = CONTAINER_OF(task, struct admin_wish, task);
    wish->done(wish);
}

static inline void rig_wish(void *ctx, struct admin_wish *wish) {
    static const char *const kinds[] = {"reload", "patch", "revert", "rollback"};
    struct rig *rig = ctx;
    buf_clear(&rig->wish);
    rig->wishes++;
    buf_printf(&rig->wish, "%s%s by %.*s", kinds[wish->kind], wish->dry_run ? " (dry)" : "", STR_ARG(wish->actor));
    if (wish->kind == WISH_ROLLBACK) buf_printf(&rig->wish, " to %lld", (long long)wish->version);
    if (wish->expected >= 0) buf_printf(&rig->wish, " from %lld", (long long)wish->expected);
    for (size_t i = 0; i < wish->n; i++)
        buf_printf(&rig->wish, "; %.*s=%.*s", STR_ARG(wish->list[i].key), STR_ARG(wish->list[i].value));
    wish->ok = !rig->refuse && !rig->lost;
    if (rig->refuse) err_set(&wish->err, ERR_CONFIG_INVALID, "the configuration is not valid");
    if (rig->lost) err_set(&wish->err, ERR_EXISTS, "version 8 is newer");
    wish->problems = rig->refuse ? STR("[{\"message\":\"no\"}]") : STR_NONE;
    wish->changes = STR("[{\"key\":\"log.level\"}]");
    wish->new_version = wish->dry_run ? 0 : 8;
    wish->restarts = 1;
    wish->task.fn = rig_wish_answer;
    if (rig->hold)
        rig->held = wish;
    else
        loop_post(wish->loop, &wish->task);
}

static inline bool rig_next_id(void *ctx, uint64_t *out_id) {
    struct rig *rig = ctx;
    *out_id = ++rig->ids;
    return true;
}

static inline void rig_on_request(struct http_req *req) {
    struct rig *rig = http_server_ctx(req->server);
    INVARIANT(admin_takes(req->path));
    admin_on_request(rig->al, req);
}

static inline void rig_on_abort(struct http_req *req) {
    struct rig *rig = http_server_ctx(req->server);
    admin_on_abort(req);
    struct admin_wish *wish = atomic_exchange(&rig->held, NULL);
    if (wish) loop_post(wish->loop, &wish->task);
}

static inline void rig_on_reject(void *ctx, const struct err *err, struct str peer, struct arena *arena,
                                 struct buf *out_body, struct http_field *out_fields, size_t *io_count) {
    (void)ctx, (void)peer, (void)arena, (void)out_fields, (void)io_count;
    buf_put(out_body, str_c(err->message));
}

static inline void rig_open_store(struct rig *rig) {
    static unsigned n;
    char dir[256];
    struct err err;
    snprintf(dir, sizeof dir, "%s/data%u", temp_dir(), n++);
    REQUIRE(datadir_open(str_c(dir), &rig->dir, &err) && datadir_open_db(&rig->dir, 5000, &rig->db, &err));
    struct key_wanted admin = {.name = STR("ops"), .is_admin = true}, plain = {.name = STR("app")};
    REQUIRE(key_create(rig->db, &rig->dir, &admin, clock_unix_ns(), &rig->admin_key, &err));
    REQUIRE(key_create(rig->db, &rig->dir, &plain, clock_unix_ns(), &rig->plain_key, &err));
}

static inline void rig_set_conf(struct rig *rig, const char *more) {
    struct conf_problems problems;
    struct buf text = BUF_INIT(8192);
    conf_problems_init(&problems);
    buf_printf(&text,
               "providers: [{name: demo, kind: demo}, {name: a, kind: openai, base_url: 'http://127.0.0.1:1/v1', "
               "api_key: sk-secret}]\nlog: {level: debug}\n%s",
               more);
    struct conf *conf = rig_conf_of(buf_str(&text), &problems);
    if (!conf) {
        buf_clear(&text);
        conf_problems_print(&problems, &text);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
    }
    REQUIRE(conf != NULL);
    conf_unref(rig->conf);
    rig->conf = conf;
    buf_free(&text);
    conf_problems_free(&problems);
}

static inline void rig_open(struct rig *rig, const char *more_conf) {
    struct err err;
    memset(rig, 0, sizeof *rig);
    REQUIRE(fetch_global_begin(&err));
    wire_open(&rig->wire, false);
    rig->wire.stop_on_script = true;
    buf_init(&rig->wish, 1 << 20);
    rig_open_store(rig);
    rig_set_conf(rig, more_conf);
    REQUIRE(event_bus_create(&rig->events, &err));
    struct metrics_options m = {.shards = 1, .max_series = 1000, .version = STR("test")};
    REQUIRE(metrics_create(&m, &rig->metrics, &err));
    rig->host = (struct admin_host){.ctx = rig,
                                    .dir = &rig->dir,
                                    .events = rig->events,
                                    .version = STR("test"),
                                    .wish = rig_wish,
                                    .conf = rig_conf,
                                    .ring = rig_ring,
                                    .check = rig_check};
    struct admin_options o = {.host = &rig->host, .metrics = rig->metrics};
    REQUIRE(admin_create(&o, &rig->admin, &err));
    struct admin_loop_options lo = {.loop = rig->wire.loop, .next_id = rig_next_id, .ctx = rig};
    REQUIRE(admin_loop_create(rig->admin, &lo, &rig->al, &err));
    struct http_server_options so = {.max_head = 8192,
                                     .max_fields = 50,
                                     .max_target = 4096,
                                     .max_body = (size_t)16 << 20,
                                     .max_connections = 100,
                                     .header_ms = 20000,
                                     .body_ms = 20000,
                                     .keepalive_ms = 20000,
                                     .write_ms = 20000};
    struct http_handler handler = {.ctx = rig,
                                   .on_request = rig_on_request,
                                   .on_abort = rig_on_abort,
                                   .on_drained = admin_on_drained,
                                   .on_reject = rig_on_reject};
    REQUIRE(http_server_create(rig->wire.loop, &so, &handler, &rig->http, &err));
    REQUIRE(http_server_listen(rig->http, STR("127.0.0.1"), 0, NULL, &rig->wire.port, &err));
}

static inline void rig_close(struct rig *rig) {
    http_server_stop(rig->http);
    admin_loop_quiesce(rig->al);
    wire_end_script(&rig->wire);
    CHECK(!admin_loop_busy(rig->al));
    CHECK_INT(http_server_open(rig->http), 0);
    http_server_free(rig->http);
    admin_loop_free(rig->al);
    admin_free(rig->admin);
    metrics_free(rig->metrics);
    event_bus_free(rig->events);
    conf_unref(rig->conf);
    key_created_free(&rig->admin_key);
    key_created_free(&rig->plain_key);
    sql_close(rig->db);
    datadir_close(&rig->dir);
    buf_free(&rig->wish);
    wire_close(&rig->wire);
}

static inline void rig_run_with(void (*script)(struct wire *w), const char *more_conf) {
    struct rig rig;
    rig_open(&rig, more_conf);
    wire_start(&rig.wire, script);
    loop_run(rig.wire.loop);
    rig_close(&rig);
}
static inline void rig_run(void (*script)(struct wire *w)) { rig_run_with(script, ""); }

// --- for scripts ---

struct rig_answer {
    int status;
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

static inline struct str rig_field(const struct rig_answer *a, const char *name) {
    char line[100];
    int n = snprintf(line, sizeof line, "\r\n%s: ", name);
    size_t at = str_find(buf_str(&a->head), str_of(line, (size_t)n));
    if (at == a->head.n) return STR("");
    struct str rest = str_from(buf_str(&a->head), at + (size_t)n);
    return str_head(rest, str_find_char(rest, '\r'));
}

static inline bool rig_read_head(int fd, struct rig_answer *a) {
    uint64_t n = 0;
    a->status = 0;
    buf_clear(&a->head);
    buf_clear(&a->body);
    if (!wire_read_until(fd, &a->in, STR("\r\n\r\n"))) return false;
    size_t head_n = str_find(buf_str(&a->in), STR("\r\n\r\n")) + 4;
    buf_append(&a->head, a->in.p, head_n);
    buf_drop(&a->in, head_n);
    if (!str_to_u64(str_head(str_from(buf_str(&a->head), 9), 3), &n)) return false;
    a->status = (int)n;
    return true;
}

static inline void rig_read(int fd, struct rig_answer *a) {
    uint64_t n = 0;
    CHECK(rig_read_head(fd, a) && str_to_u64(rig_field(a, "content-length"), &n) && wire_read_n(fd, &a->in, n));
    buf_append(&a->body, a->in.p, MIN(n, a->in.n));
    buf_drop(&a->in, MIN(n, a->in.n));
    CHECK_STR(rig_field(a, "content-type"), STR("application/json"));
    CHECK_STR(rig_field(a, "cache-control"), STR("no-store"));
    CHECK(rig_field(a, "x-request-id").n == 17);
}

static inline void rig_send(int fd, const char *line, const char *fields, struct str key, struct str body) {
    struct buf out = BUF_INIT((size_t)32 << 20);
    buf_printf(&out, "%s HTTP/1.1\r\nhost: a\r\n%scontent-length: %zu\r\n", line, fields, body.n);
    if (key.n) buf_printf(&out, "authorization: Bearer %.*s\r\n", STR_ARG(key));
    buf_lit(&out, "\r\n");
    buf_put(&out, body);
    CHECK(!out.failed && wire_send(fd, buf_str(&out)));
    buf_free(&out);
}

static inline bool rig_holds(const struct rig_answer *a, const char *text) {
    bool holds = str_find(buf_str(&a->body), str_c(text)) < a->body.n;
    if (!holds) fprintf(stderr, "not there: %s\nin: %.*s\n", text, STR_ARG(buf_str(&a->body)));
    return holds;
}

#endif
