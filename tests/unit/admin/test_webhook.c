// Webhooks: what is posted, the signature, another try after a failure, order, bounds, and a prompt end.
#include "admin/webhook.h"

#include "admin_rig.h"
#include "net/webhook_sign.h"

struct post {
    int fd;
    struct buf text; // head and body
};

static struct rig *open_rig(struct rig *rig, uint16_t port, const char *more) {
    struct err err;
    char conf[1024];
    memset(rig, 0, sizeof *rig);
    signal(SIGPIPE, SIG_IGN);
    REQUIRE(fetch_global_begin(&err));
    snprintf(conf, sizeof conf, "webhooks: [{name: hook, url: 'http://127.0.0.1:%u/in'%s}]\n", port, more);
    rig_set_conf(rig, conf);
    struct metrics_options m = {.shards = 1, .max_series = 1000, .version = STR("test")};
    REQUIRE(metrics_create(&m, &rig->metrics, &err));
    REQUIRE(event_bus_create(&rig->events, &err));
    rig->host = (struct admin_host){.ctx = rig, .events = rig->events, .conf = rig_conf};
    return rig;
}

static struct webhooks *start(struct rig *rig) {
    struct webhooks_options o = {.host = &rig->host, .metrics = rig->metrics, .boot = STR("boot0000")};
    struct webhooks *w;
    struct err err;
    REQUIRE(webhooks_start(&o, &w, &err));
    return w;
}

static void close_rig(struct rig *rig) {
    metrics_free(rig->metrics);
    event_bus_free(rig->events);
    conf_unref(rig->conf);
}

static void take(int listener, struct post *p) {
    buf_init(&p->text, 1 << 20);
    p->fd = accept(listener, NULL, NULL);
    REQUIRE(p->fd >= 0);
    wire_limits(p->fd);
    REQUIRE(wire_read_until(p->fd, &p->text, STR("\r\n\r\n")));
    size_t head = str_find(buf_str(&p->text), STR("\r\n\r\n")) + 4,
           at = str_find(buf_str(&p->text), STR("Content-Length: "));
    uint64_t n;
    struct str digits = str_from(buf_str(&p->text), at + 16);
    REQUIRE(str_to_u64(str_head(digits, str_find_char(digits, '\r')), &n));
    REQUIRE(wire_read_n(p->fd, &p->text, head + n));
}

static void answer(struct post *p, const char *status) {
    char text[128];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", status);
    CHECK(wire_send(p->fd, str_of(text, (size_t)n)));
    close(p->fd);
}

static struct str field(const struct post *p, const char *name) {
    char line[64];
    int n = snprintf(line, sizeof line, "\r\n%s: ", name);
    size_t at = str_find(buf_str(&p->text), str_of(line, (size_t)n));
    if (at == p->text.n) return STR("");
    struct str rest = str_from(buf_str(&p->text), at + (size_t)n);
    return str_head(rest, str_find_char(rest, '\r'));
}

static struct str body(const struct post *p) {
    return str_from(buf_str(&p->text), str_find(buf_str(&p->text), STR("\r\n\r\n")) + 4);
}

static bool holds(struct str text, const char *part) {
    bool there = str_find(text, str_c(part)) < text.n;
    if (!there) fprintf(stderr, "not there: %s\nin: %.*s\n", part, STR_ARG(text));
    return there;
}

static uint64_t counted(struct rig *rig, const char *result) {
    struct buf text = BUF_INIT(1 << 20);
    char series[128];
    int n =
        snprintf(series, sizeof series, "penstock_webhook_deliveries_total{webhook=\"hook\",result=\"%s\"} ", result);
    metrics_render(rig->metrics, &text, false);
    size_t at = str_find(buf_str(&text), str_of(series, (size_t)n));
    uint64_t v = 0;
    if (at < text.n) {
        struct str rest = str_from(buf_str(&text), at + (size_t)n);
        CHECK(str_to_u64(str_head(rest, str_find_char(rest, '\n')), &v));
    }
    buf_free(&text);
    return v;
}

static void test_delivery(void) {
    struct rig rig;
    struct post p;
    uint16_t port;
    int listener = wire_listen(&port);
    struct webhooks *w = start(open_rig(&rig, port, ", secret: whsec_eA==, events: [config.*]"));
    event_tell(rig.events, STR("vault.unreachable"), STR("{}"));
    event_tell(rig.events, STR("config.applied"), STR("{\"version\":3}"));
    take(listener, &p);
    CHECK(holds(buf_str(&p.text), "POST /in HTTP/1.1\r\n"));
    CHECK_STR(field(&p, "content-type"), STR("application/json"));
    CHECK_STR(field(&p, "webhook-id"), STR("boot0000-2"));
    CHECK(holds(body(&p), "{\"id\":\"boot0000-2\",\"type\":\"config.applied\",\"timestamp\":\"2"));
    CHECK(holds(body(&p), "\"data\":{\"version\":3}}"));
    int64_t at;
    struct buf want = BUF_INIT(256);
    struct err err;
    CHECK(str_to_i64(field(&p, "webhook-timestamp"), &at));
    CHECK(webhook_sign(STR("x"), STR("boot0000-2"), at, body(&p), &want, &err));
    CHECK_STR(field(&p, "webhook-signature"), buf_str(&want));
    answer(&p, "204 No Content");
    buf_free(&want);
    buf_free(&p.text);
    webhooks_end(w);
    close(listener);
    CHECK_INT(counted(&rig, "retry") + counted(&rig, "failed") + counted(&rig, "dropped"), 0);
    close_rig(&rig);
}

// What failed comes again, with the same id, before what came after it.
static void test_retry(void) {
    struct rig rig;
    struct post p;
    uint16_t port;
    int listener = wire_listen(&port);
    struct webhooks *w = start(open_rig(&rig, port, ""));
    event_tell(rig.events, STR("a"), STR("{}"));
    event_tell(rig.events, STR("b"), STR("{}"));
    take(listener, &p);
    CHECK_STR(field(&p, "webhook-id"), STR("boot0000-1"));
    CHECK_STR(field(&p, "webhook-signature"), STR("")); // there is no secret
    answer(&p, "503 Not Now");
    buf_free(&p.text);
    take(listener, &p);
    CHECK_STR(field(&p, "webhook-id"), STR("boot0000-1"));
    CHECK_INT(counted(&rig, "retry"), 1);
    answer(&p, "200 OK");
    buf_free(&p.text);
    take(listener, &p);
    CHECK_STR(field(&p, "webhook-id"), STR("boot0000-2"));
    CHECK_INT(counted(&rig, "ok"), 1);
    answer(&p, "302 Found"); // is not followed, and no success
    buf_free(&p.text);
    take(listener, &p);
    CHECK_STR(field(&p, "webhook-id"), STR("boot0000-2"));
    CHECK_INT(counted(&rig, "retry"), 2);
    answer(&p, "200 OK");
    buf_free(&p.text);
    webhooks_end(w);
    close(listener);
    close_rig(&rig);
}

// One webhook takes its time: the bus does not wait, the oldest of too many are dropped, and the end is prompt.
static void test_stuck(void) {
    struct rig rig;
    struct post p;
    uint16_t port;
    int listener = wire_listen(&port);
    struct webhooks *w = start(open_rig(&rig, port, ", timeout: 60s"));
    event_tell(rig.events, STR("a"), STR("{}"));
    take(listener, &p);
    for (int i = 0; i < 900; i++) event_tell(rig.events, STR("b"), STR("{}"));
    answer(&p, "200 OK");
    buf_free(&p.text);
    take(listener, &p); // the 900 are taken up
    for (int i = 0; i < 200; i++) event_tell(rig.events, STR("c"), STR("{}"));
    answer(&p, "200 OK");
    buf_free(&p.text);
    take(listener, &p); // and the 200
    CHECK_INT(counted(&rig, "dropped"), 899 + 200 - WEBHOOKS_WAITING_MAX);
    webhooks_end(w); // nobody answers
    close(p.fd);
    buf_free(&p.text);
    close(listener);
    close_rig(&rig);
}

// The webhook goes from the configuration while a delivery waits for its next try; another takes its place.
static void test_gone(void) {
    struct rig rig;
    struct post p;
    uint16_t port;
    int listener = wire_listen(&port);
    struct webhooks *w = start(open_rig(&rig, port, ""));
    event_tell(rig.events, STR("a"), STR("{}"));
    take(listener, &p);
    webhooks_end(w);
    close(p.fd);
    buf_free(&p.text);
    char conf[256];
    snprintf(conf, sizeof conf, "webhooks: [{name: other, url: 'http://127.0.0.1:%u/other'}]\n", port);
    rig_set_conf(&rig, conf);
    w = start(&rig);
    take(listener, &p);
    CHECK(holds(buf_str(&p.text), "POST /other HTTP/1.1\r\n"));
    answer(&p, "200 OK");
    buf_free(&p.text);
    webhooks_end(w);
    close(listener);
    close_rig(&rig);
}

static void test_bad_secret(void) {
    struct rig rig;
    uint16_t port;
    int listener = wire_listen(&port);
    struct webhooks *w = start(open_rig(&rig, port, ", secret: whsec_no"));
    event_tell(rig.events, STR("a"), STR("{}"));
    while (counted(&rig, "retry") == 0) wire_breathe();
    webhooks_end(w);
    close(listener);
    close_rig(&rig);
}

TEST_MAIN(test_delivery, test_retry, test_stuck, test_gone, test_bad_secret)
