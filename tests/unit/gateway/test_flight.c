// Coalesced calls over several loops at once: clients that ask the same, read it whole or leave in the middle, while
// the configuration changes under them. For the thread sanitizer above all.
#include "gateway_rig.h"
#include "os/thread.h"

#define LOOPS 3
#define CLIENTS 9
#define ROUNDS 24
#define PATH "/v1/chat/completions"

struct side {
    struct loop *loop;
    struct gateway_loop *gl;
    struct http_server *http;
    struct thread thread;
    struct task task;
    struct timer watch; // until nothing is under way
    uint16_t port;
    struct runtime *next;
    bool ending;
};

struct house {
    struct rig rig; // its store, metrics, board and gateway; what it has of a loop is not used
    struct side sides[LOOPS];
    struct runtime *runtimes[2];
    atomic_uint answered, shared, left, wrong;
};

struct client {
    struct house *house;
    unsigned number;
    struct thread thread;
};

// --- the server's side ---

static void side_main(void *arg) {
    struct side *side = arg;
    loop_run(side->loop);
}

static void on_watch(struct timer *timer) {
    struct side *side = CONTAINER_OF(timer, struct side, watch);
    if (side->gl->active || http_server_open(side->http)) {
        timer_set(timer, 1);
        return;
    }
    gateway_loop_quiesce(side->gl);
    loop_stop(side->loop);
}

static void side_end(struct task *task) {
    struct side *side = CONTAINER_OF(task, struct side, task);
    http_server_drain(side->http);
    timer_init(&side->watch, side->loop, on_watch);
    timer_set(&side->watch, 1);
}

static void side_switch(struct task *task) {
    struct side *side = CONTAINER_OF(task, struct side, task);
    gateway_loop_set_runtime(side->gl, side->next);
    side->task.fn = NULL;
}

static struct conf *load(void) {
    static const char text[] = "providers: [{name: demo, kind: demo}]\n"
                               "models:\n"
                               "  - {name: words, targets: [{provider: demo, model: slow-2}]}\n"
                               "  - {name: broken, targets: [{provider: demo, model: cut}]}\n"
                               "auth: {required: false}\n"
                               "routing: {coalesce: all, breaker: {failures: 0, min_requests: 1000000}}\n"
                               "limits: {stream_buffer: 4KiB}\n";
    struct conf_problems problems;
    struct conf_env env = {.get = rig_no_var, .read_file = rig_no_file};
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    REQUIRE(conf_load_text(str_of(text, sizeof text - 1), STR("penstock.yaml"), &env, &problems, &conf));
    conf_problems_free(&problems);
    return conf;
}

static void open_side(struct house *h, unsigned i, struct keyring *ring) {
    struct side *side = &h->sides[i];
    struct err err;
    REQUIRE(loop_create(i, &side->loop, &err));
    struct gateway_loop_options o = {.loop = side->loop, .runtime = h->runtimes[0], .ring = ring, .epoch = i + 1};
    REQUIRE(gateway_loop_create(h->rig.gateway, &o, &side->gl, &err));
    struct http_server_options so = gateway_server_options(h->runtimes[0]->conf, LOOPS);
    struct http_handler handler = {.ctx = side->gl,
                                   .on_request = rig_on_request,
                                   .on_abort = gateway_on_abort,
                                   .on_drained = gateway_on_drained,
                                   .on_reject = rig_on_reject};
    REQUIRE(http_server_create(side->loop, &so, &handler, &side->http, &err));
    REQUIRE(http_server_listen(side->http, STR("127.0.0.1"), 0, NULL, &side->port, &err));
}

static void open_house(struct house *h) {
    struct rig *rig = &h->rig;
    struct model_catalog *models;
    struct keyring *ring;
    struct err err;
    char dir[256];
    memset(h, 0, sizeof *h);
    REQUIRE(model_catalog_builtin(&models, &err));
    rig->board = board_create();
    for (size_t i = 0; i < ARRAY_LEN(h->runtimes); i++) {
        struct conf *conf = load();
        REQUIRE(runtime_create(conf, models, rig->board, NULL, &h->runtimes[i], &err));
        route_table_tune(h->runtimes[i]->routes);
        conf_unref(conf);
    }
    model_catalog_unref(models);
    struct metrics_options m = {.shards = LOOPS, .max_series = 1000, .version = STR("test")};
    REQUIRE(metrics_create(&m, &rig->metrics, &err));
    rig_open_store(rig, dir, sizeof dir, LOOPS);
    struct gateway_options g = {
        .metrics = rig->metrics, .ledger = rig->ledger, .keys = rig->keys, .version = STR("test")};
    REQUIRE(gateway_create(&g, &rig->gateway, &err));
    REQUIRE(keys_current(rig->keys, &ring, &err));
    for (unsigned i = 0; i < LOOPS; i++) open_side(h, i, ring);
    keyring_unref(ring);
    for (unsigned i = 0; i < LOOPS; i++)
        REQUIRE(thread_start(&h->sides[i].thread, "side", 0, side_main, &h->sides[i], &err));
}

// Everything was given back, and every call has been recorded once.
static void close_house(struct house *h, uint64_t calls) {
    struct rig *rig = &h->rig;
    struct ledger_health health;
    struct board_slot *slots[16];
    for (unsigned i = 0; i < LOOPS; i++) {
        h->sides[i].task.fn = side_end;
        loop_post(h->sides[i].loop, &h->sides[i].task);
    }
    for (unsigned i = 0; i < LOOPS; i++) thread_join(&h->sides[i].thread);
    for (unsigned i = 0; i < LOOPS; i++) loop_drain_handles(h->sides[i].loop);
    size_t n = board_slots(rig->board, slots, ARRAY_LEN(slots));
    for (size_t i = 0; i < n; i++) {
        struct board_view view;
        board_view(slots[i], clock_mono_ns(), &view);
        CHECK_INT(view.in_flight, 0);
        board_slot_put(slots[i]);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        CHECK_INT(h->sides[i].gl->active, 0);
        http_server_free(h->sides[i].http);
        gateway_loop_free(h->sides[i].gl);
        loop_free(h->sides[i].loop);
    }
    gateway_free(rig->gateway);
    keys_free(rig->keys);
    ledger_health(rig->ledger, &health);
    CHECK_INT(health.appended, calls);
    ledger_close(rig->ledger, 5000);
    datadir_close(&rig->dir);
    for (size_t i = 0; i < ARRAY_LEN(h->runtimes); i++) runtime_unref(h->runtimes[i]);
    board_free(rig->board);
    metrics_free(rig->metrics);
}

// --- the clients' ---

static int connect_to(uint16_t port, int receive_buffer) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (receive_buffer) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    wire_limits(fd);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    close(fd);
    return -1;
}

// Whether it is what can be expected. No CHECK here, which is of one thread.
static bool read_reply(struct house *h, int fd, bool broken) {
    struct buf in = BUF_INIT(1 << 20);
    enum wire_end end = wire_read_end(fd, &in);
    struct str all = buf_str(&in), last = STR("\r\n0\r\n\r\n");
    bool good = str_starts(all, STR("HTTP/1.1 200 ")), chunked = str_find(all, STR("chunked\r\n")) < all.n;
    if (str_find(all, STR("x-penstock-coalesced")) < all.n) atomic_fetch_add(&h->shared, 1);
    bool whole = end == WIRE_CLOSED && (!chunked || str_ends(all, last));
    bool failed = str_starts(all, STR("HTTP/1.1 502 "));
    buf_free(&in);
    return whole && (good || (broken && failed));
}

static void ask(struct client *c, unsigned round) {
    struct house *h = c->house;
    int fd = connect_to(h->sides[(c->number + round) % LOOPS].port, c->number ? 0 : 4096);
    char body[200], head[256];
    // Neighbours in time ask the same; every second time as a stream, every fifth of a provider that breaks off.
    int n = snprintf(body, sizeof body,
                     "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"%u\"}]}",
                     round % 5 == 4 ? "broken" : "words", round % 2 ? "true" : "false", round / 3);
    int m = snprintf(head, sizeof head,
                     "POST " PATH " HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n", n);
    bool sent = fd >= 0 && wire_send(fd, str_of(head, (size_t)m)) && wire_send(fd, str_of(body, (size_t)n));
    if (!sent) {
        atomic_fetch_add(&h->wrong, 1);
        if (fd >= 0) close(fd);
        return;
    }
    if ((c->number + round) % 4 == 3) { // at any moment
        usleep((c->number * 7919 + round * 104729) % 9000);
        atomic_fetch_add(&h->left, 1);
        close(fd);
        return;
    }
    bool good = read_reply(h, fd, round % 5 == 4);
    atomic_fetch_add(good ? &h->answered : &h->wrong, 1);
    close(fd);
}

static void client_main(void *arg) {
    struct client *c = arg;
    for (unsigned round = 0; round < ROUNDS; round++) ask(c, round);
}

static void test_many_loops(void) {
    static struct house h;
    static struct client clients[CLIENTS];
    struct err err;
    open_house(&h);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.house = &h, .number = i};
        REQUIRE(thread_start(&clients[i].thread, "client", 0, client_main, &clients[i], &err));
    }
    usleep(30000);
    for (unsigned i = 0; i < LOOPS; i++) { // to another configuration, one loop after the other
        h.sides[i].next = h.runtimes[1];
        h.sides[i].task.fn = side_switch;
        loop_post(h.sides[i].loop, &h.sides[i].task);
        usleep(2000);
    }
    for (unsigned i = 0; i < CLIENTS; i++) thread_join(&clients[i].thread);
    CHECK_INT(h.wrong, 0);
    CHECK_INT(h.answered + h.left, CLIENTS * ROUNDS);
    CHECK(h.shared > 0);
    close_house(&h, CLIENTS * ROUNDS);
}

TEST_MAIN(test_many_loops)
