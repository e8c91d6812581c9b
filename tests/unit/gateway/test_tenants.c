// Keys of tenants at the gateway: models, limits, timeouts and refusals are those of the key's tenant.
#define RIG_TENANTS                                                                                                    \
    "tenants:\n"                                                                                                       \
    "  - name: acme\n"                                                                                                 \
    "    allow_models: [own, m, only-a]\n"                                                                             \
    "    limits: {max_body: 1KiB, max_response: 2KiB}\n"                                                               \
    "    branding: {support: help@example.com}\n"                                                                      \
    "    models: [{name: own, targets: [{provider: b, model: acme-upstream}]}]\n"                                      \
    "  - {name: open}\n"                                                                                               \
    "  - {name: brisk, timeouts: {first_byte: 30ms}}\n"
#include "gateway_rig.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define GOOD "{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}"

// A key for the tenant, as another process would make it.
static void make_key(struct rig *rig, const char *tenant, char out[KEY_TEXT_LEN + 1]) {
    struct sql *db;
    struct err err;
    struct key_created key;
    struct key_wanted wanted = {.tenant = str_c(tenant)};
    REQUIRE(datadir_open_db(&rig->dir, 20000, &db, &err));
    REQUIRE(key_create(db, &rig->dir, &wanted, 1, &key, &err));
    memcpy(out, key.text.p, KEY_TEXT_LEN);
    out[KEY_TEXT_LEN] = '\0';
    key_created_free(&key);
    sql_close(db);
}

static int send_as(struct wire *w, const char *key, const char *method, const char *path, struct str body) {
    char head[400];
    int fd = wire_connect(w);
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\ncontent-length: %zu\r\n\r\n", method,
                     path, key, body.n);
    CHECK(wire_send(fd, str_of(head, (size_t)n)));
    CHECK(wire_send(fd, body));
    return fd;
}

// The upstream's turn: its answer has `size` bytes of body; size 0: it never answers.
static void upstream(int listener, size_t size, const char *want) {
    struct buf request = BUF_INIT(1 << 20), answer = BUF_INIT(1 << 20);
    int fd = rig_accept(listener);
    CHECK(wire_read_request(fd, &request));
    CHECK(str_find(buf_str(&request), str_c(want)) < request.n);
    if (size) {
        buf_printf(&answer, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", size,
                   GOOD);
        for (size_t body = strlen(GOOD); body < size; body++) buf_putc(&answer, ' ');
        (void)wire_send(fd, buf_str(&answer)); // it may be cut off
    } else {
        char byte;
        (void)!read(fd, &byte, 1); // until it is given up
    }
    close(fd);
    buf_free(&request);
    buf_free(&answer);
}

static bool says(const struct rig_answer *a, const char *text) {
    bool found = str_find(buf_str(&a->body), str_c(text)) < a->body.n;
    if (!found) fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&a->body)));
    return found;
}

static void finish(int fd, struct rig_answer *a, int status) {
    rig_read_answer(fd, a);
    CHECK_INT(a->status, status);
    close(fd);
}

static void refusals(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    char acme[KEY_TEXT_LEN + 1], open[KEY_TEXT_LEN + 1], gone[KEY_TEXT_LEN + 1];
    struct buf big = BUF_INIT(1 << 16);
    rig_answer_init(&a);
    make_key(rig, "acme", acme);
    make_key(rig, "open", open);
    make_key(rig, "gone", gone);
    finish(send_as(w, acme, "POST", CHAT, STR("{\"model\":\"demo/echo\"," MESSAGES "}")), &a, 403);
    CHECK(says(&a, "Tenant \\\"acme\\\" may not use the model \\\"demo/echo\\\". It may use: own, m, only-a."));
    CHECK(says(&a, " Ask help@example.com.\""));
    CHECK(says(&a, "\"model_not_allowed\""));
    finish(send_as(w, open, "POST", CHAT, STR("{\"model\":\"own\"," MESSAGES "}")), &a, 404);
    CHECK(str_find(buf_str(&a.body), STR("Ask ")) == a.body.n);
    finish(send_as(w, gone, "POST", CHAT, STR("{\"model\":\"m\"," MESSAGES "}")), &a, 403);
    CHECK(says(&a, "tenant \\\"gone\\\" of this key is not configured"));
    buf_lit(&big, "{\"model\":\"m\"," MESSAGES ",\"user\":\"");
    while (big.n < 1100) buf_putc(&big, 'x');
    buf_lit(&big, "\"}");
    finish(send_as(w, acme, "POST", CHAT, buf_str(&big)), &a, 413);
    CHECK(says(&a, "tenant \\\"acme\\\" may send 1 KiB (its limits.max_body). Ask help@example.com."));
    finish(send_as(w, acme, "GET", "/v1/models", STR("")), &a, 200);
    CHECK(says(&a, "\"own\"") && says(&a, "\"m\"") && says(&a, "\"only-a\""));
    CHECK(str_find(buf_str(&a.body), STR("demo-then-b")) == a.body.n);
    finish(send_as(w, open, "GET", "/v1/models", STR("")), &a, 200);
    CHECK(str_find(buf_str(&a.body), STR("\"own\"")) == a.body.n && says(&a, "demo-then-b"));
    finish(send_as(w, open, "GET", "/v1/models/own", STR("")), &a, 404);
    buf_free(&big);
    rig_answer_free(&a);
}

static void calls(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    char acme[KEY_TEXT_LEN + 1], open[KEY_TEXT_LEN + 1], brisk[KEY_TEXT_LEN + 1];
    rig_answer_init(&a);
    make_key(rig, "acme", acme);
    make_key(rig, "open", open);
    make_key(rig, "brisk", brisk);
    int fd = send_as(w, acme, "POST", CHAT, STR("{\"model\":\"own\"," MESSAGES "}"));
    upstream(rig->b, strlen(GOOD), "\"acme-upstream\"");
    finish(fd, &a, 200);
    // In one piece or in many, an answer over the tenant's limit is none; for others it is one.
    for (size_t size = 2100; size < 300000; size += 290000) {
        fd = send_as(w, acme, "POST", CHAT, STR("{\"model\":\"only-a\"," MESSAGES "}"));
        upstream(rig->a, size, "only-a");
        finish(fd, &a, 502);
        CHECK(says(&a, "larger than limits.max_response of tenant \\\"acme\\\""));
        CHECK(str_find(buf_str(&a.body), STR("Ask ")) == a.body.n);
        fd = send_as(w, open, "POST", CHAT, STR("{\"model\":\"only-a\"," MESSAGES "}"));
        upstream(rig->a, size, "only-a");
        finish(fd, &a, 200);
        CHECK_INT(a.body.n, size);
    }
    fd = send_as(w, brisk, "POST", CHAT, STR("{\"model\":\"only-a\"," MESSAGES "}"));
    upstream(rig->a, 0, "only-a");
    finish(fd, &a, 504);
    CHECK(says(&a, "timeouts.first_byte"));
    rig_answer_free(&a);
}

static void test_refusals(void) { rig_run(refusals, 7); }
static void test_calls(void) { rig_run(calls, 6); }

TEST_MAIN(test_refusals, test_calls)
