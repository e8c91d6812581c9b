// The control plane over HTTP: who may, what is there, and what the host is asked for.
#include "admin_rig.h"

#include "base/json_read.h"

static const struct str NO_BODY = STR_INIT("");

// One request of the admin's on the connection.
static void ask(struct wire *w, int fd, struct rig_answer *a, const char *line, const char *fields, const char *body) {
    struct err err;
    rig_send(fd, line, fields, secret_str(&rig_of(w)->admin_key.text), str_c(body));
    rig_read(fd, a);
    if (!json_validate(buf_str(&a->body), 0, &err))
        fprintf(stderr, "%s: %s: %.*s\n", line, err.message, STR_ARG(buf_str(&a->body)));
    CHECK(json_validate(buf_str(&a->body), 0, &err));
    CHECK(a->body.n && a->body.p[a->body.n - 1] == '\n');
}

static void check_wish(struct wire *w, const char *what, const char *rest) {
    char want[512];
    snprintf(want, sizeof want, "%s by admin key %.*s (ops)%s", what, 9, rig_of(w)->admin_key.text.p, rest);
    CHECK_STR(buf_str(&rig_of(w)->wish), str_c(want));
}

// --- who may ---

static void script_auth(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    const struct {
        struct str key;
        int status;
        const char *code;
    } cases[] = {
        {STR(""), 401, "invalid_api_key"},
        {STR("ps-"), 401, "invalid_api_key"},
        {STR("ps-0000000000000000000000000000000000000000000"), 401, "invalid_api_key"},
        {secret_str(&rig->plain_key.text), 404, "not_found"},
        {secret_str(&rig->admin_key.text), 404, "not_found"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_send(fd, "GET /api/v1/nothing", "", cases[i].key, NO_BODY);
        rig_read(fd, &a);
        CHECK_INT(a.status, cases[i].status);
        CHECK(rig_holds(&a, cases[i].code));
        CHECK_INT(rig_field(&a, "www-authenticate").n != 0, a.status == 401);
    }
    rig_send(fd, "GET /api/v1/config", "", secret_str(&rig->plain_key.text), NO_BODY);
    rig_read(fd, &a);
    CHECK_INT(a.status, 403);
    CHECK(rig_holds(&a, "permission_denied"));
    // The other field for keys.
    struct buf field = BUF_INIT(200);
    buf_printf(&field, "x-api-key: %.*s\r\n", STR_ARG(secret_str(&rig->admin_key.text)));
    rig_send(fd, "GET /api", buf_cstr(&field), STR_NONE, NO_BODY);
    rig_read(fd, &a);
    CHECK_INT(a.status, 404);
    buf_free(&field);
    // A key revoked is refused from the next request on.
    struct err err;
    CHECK(key_revoke(rig->db, &rig->dir, rig->admin_key.id, clock_unix_ns(), &err));
    rig_send(fd, "GET /api/v1/config", "", secret_str(&rig->admin_key.text), NO_BODY);
    rig_read(fd, &a);
    CHECK_INT(a.status, 401);
    close(fd);
    rig_answer_free(&a);
}

static void test_auth(void) { rig_run(script_auth); }

// --- what is there ---

static void script_paths(struct wire *w) {
    static const struct {
        const char *line;
        int status;
        const char *text;
    } cases[] = {
        {"GET /api/v1/confg", 404, "did you mean /api/v1/config?"},
        {"GET /api/v1/config/", 404, "nothing at"},
        {"GET /api//v1/config", 404, "nothing at"},
        {"GET /api/v1/config/history/", 404, "nothing at"},
        {"GET /api/v1/config/history/1/2", 404, "nothing at"},
        {"PUT /api/v1/config", 405, "GET, PATCH"},
        {"GET /api/v1/config/reload", 405, "takes POST"},
        {"HEAD /api/v1/config?x=1", 0, ""},
        {"PATCH /api/v1/config?dryrun=1", 400, "did you mean \\\"dry_run\\\"?"},
        {"PATCH /api/v1/config?dry_run=yes", 400, "dry_run is 1 or 0"},
        {"PATCH /api/v1/config?dry_run=1&dry_run=0", 400, "twice"},
        {"PATCH /api/v1/config?dry_run=%3", 400, "hexadecimal"},
        {"PATCH /api/v1/config?dry%5frun=%zz", 400, "hexadecimal"},
        {"GET /api/v1/config/schema?a=1", 400, "takes no query"},
        {"GET /api/v1/config?view=all", 400, "view is set"},
        {"GET /api/v1/config?key=lgo", 404, "log"},
        {"GET /api/v1/config?tenant=nobody", 404, "nobody"},
        {"GET /api/v1/config/history?limit=0", 400, "limit is a number"},
        {"GET /api/v1/config/history?limit=99999999999999999999", 400, "limit is a number"},
        {"GET /api/v1/config/history/0", 400, "whole number"},
        {"GET /api/v1/config/history/x", 400, "whole number"},
        {"GET /api/v1/config/history/7", 404, "not_found"},
        {"GET /api/v1/events?after=x", 400, "no event"},
        {"DELETE /api/v1/config/live?key=", 400, "key is empty"},
        {"POST /api/v1/config/rollback", 400, "error"},
    };
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (!cases[i].status) continue;
        ask(w, fd, &a, cases[i].line, "", "");
        if (a.status != cases[i].status) fprintf(stderr, "%s: %d\n", cases[i].line, a.status);
        CHECK_INT(a.status, cases[i].status);
        CHECK(rig_holds(&a, cases[i].text));
        if (a.status == 405) CHECK(rig_field(&a, "allow").n != 0);
    }
    CHECK_INT(rig_of(w)->wishes, 0);
    close(fd);
    rig_answer_free(&a);
}

static void test_paths(void) { rig_run(script_paths); }

// --- reading ---

static void script_read(struct wire *w) {
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    ask(w, fd, &a, "GET /api/v1/config?view=set", "", "");
    CHECK_INT(a.status, 200);
    CHECK_STR(rig_field(&a, "etag"), STR("\"0\""));
    CHECK(rig_holds(&a, "{\"version\":0,\"view\":\"set\",\"values\":["));
    CHECK(rig_holds(&a, "{\"key\":\"log.level\",\"value\":\"debug\"}"));
    CHECK(rig_holds(&a, "\"***\""));
    CHECK(str_find(buf_str(&a.body), STR("sk-secret")) == a.body.n);
    ask(w, fd, &a, "GET /api/v1/config?key=log.level&sources=1", "", "");
    CHECK(rig_holds(&a, "\"source\":{"));
    CHECK(rig_holds(&a, "penstock.yaml"));
    ask(w, fd, &a, "GET /api/v1/config/schema", "", "");
    CHECK(rig_holds(&a, "\"$schema\""));
    ask(w, fd, &a, "GET /api/v1/config/history", "", "");
    CHECK(rig_holds(&a, "{\"versions\":[]}"));
    // A version with what must not be told.
    struct err err;
    struct config_version_row row = {.actor = STR("me"),
                                     .cause = STR("api"),
                                     .changes = STR("[]"),
                                     .tree = STR("providers:\n- {name: a, kind: openai, api_key: sk-secret, headers: "
                                                 "{x: hidden, y: '${env:Y}'}}\nlog: {level: debug}\nodd: hidden\n"
                                                 "tenants: [{name: t, allow_models: [m]}]\n")};
    int64_t version;
    CHECK(config_version_add(rig_of(w)->db, &rig_of(w)->dir, &row, NULL, -1, &version, &err));
    ask(w, fd, &a, "GET /api/v1/config/history/1", "", "");
    CHECK_INT(a.status, 200);
    CHECK(rig_holds(&a, "\"actor\":\"me\""));
    CHECK(rig_holds(&a, "{\"name\":\"a\",\"kind\":\"openai\",\"api_key\":\"***\",\"headers\":{\"x\":\"***\",\"y\":"
                        "\"${env:Y}\"}}"));
    CHECK(rig_holds(&a, "\"allow_models\":[\"m\"]"));
    CHECK(str_find(buf_str(&a.body), STR("hidden")) == a.body.n);
    ask(w, fd, &a, "GET /api/v1/config/history?limit=5", "", "");
    CHECK(rig_holds(&a, "{\"versions\":[{\"version\":1,\"at\":\""));
    ask(w, fd, &a, "GET /api/v1/config", "", "");
    CHECK_STR(rig_field(&a, "etag"), STR("\"1\""));
    close(fd);
    rig_answer_free(&a);
}

static void test_read(void) { rig_run(script_read); }

// --- checking ---

static void script_check(struct wire *w) {
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    ask(w, fd, &a, "POST /api/v1/config/validate", "", "providers: [{name: demo, kind: demo}]\n");
    CHECK(rig_holds(&a, "{\"valid\":true,\"problems\":[]}"));
    ask(w, fd, &a, "POST /api/v1/config/validate", "", "{\"providers\": [{\"name\": \"demo\", \"kind\": \"dmeo\"}]}");
    CHECK_INT(a.status, 200);
    CHECK(rig_holds(&a, "{\"valid\":false,\"problems\":[{"));
    ask(w, fd, &a, "POST /api/v1/config/validate", "", "\x01\x02");
    CHECK(rig_holds(&a, "{\"valid\":false,\"problems\":[{"));
    ask(w, fd, &a, "POST /api/v1/config/diff", "",
        "providers: [{name: demo, kind: demo}, {name: a, kind: openai, base_url: 'http://127.0.0.1:1/v1', "
        "api_key: sk-other}]\nlog: {level: warn}\n");
    CHECK_INT(a.status, 200);
    CHECK(rig_holds(&a, "\"key\":\"log.level\""));
    CHECK(rig_holds(&a, "\"restarts\":0"));
    CHECK(str_find(buf_str(&a.body), STR("sk-")) == a.body.n);
    ask(w, fd, &a, "POST /api/v1/config/diff", "", "log: {level: loud}\n");
    CHECK_INT(a.status, 422);
    CHECK(rig_holds(&a, "\"problems\":[{"));
    close(fd);
    rig_answer_free(&a);
}

static void test_check(void) { rig_run(script_check); }

static void script_large(struct wire *w) {
    struct rig_answer a;
    struct buf body = BUF_INIT((size_t)16 << 20);
    rig_answer_init(&a);
    int fd = wire_connect(w);
    for (size_t i = 0; i <= (size_t)8 << 20; i++) buf_putc(&body, ' ');
    rig_send(fd, "POST /api/v1/config/validate", "", secret_str(&rig_of(w)->admin_key.text), buf_str(&body));
    rig_read(fd, &a);
    CHECK_INT(a.status, 413);
    close(fd);
    buf_free(&body);
    rig_answer_free(&a);
}

static void test_large(void) { rig_run(script_large); }

// --- changing ---

static void script_change(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    ask(w, fd, &a, "PATCH /api/v1/config", "", "{\"log\":{\"level\":\"debug\"},\"models\":{\"m\":null}}");
    CHECK_INT(a.status, 200);
    CHECK_STR(rig_field(&a, "etag"), STR("\"8\""));
    CHECK(rig_holds(&a, "{\"version\":8,\"changes\":[{\"key\":\"log.level\"}],\"restarts\":1,\"dry_run\":false}"));
    check_wish(w, "patch", "; log.level=\"debug\"; models.m=null");
    ask(w, fd, &a, "PATCH /api/v1/config?dry_run=1", "if-match: \"7\"\r\n", "{\"log\":{\"level\":\"debug\"}}");
    CHECK(rig_holds(&a, "{\"version\":null,"));
    check_wish(w, "patch (dry)", " from 7; log.level=\"debug\"");
    CHECK_INT(rig_field(&a, "etag").n, 0);
    ask(w, fd, &a, "DELETE /api/v1/config/live?key=log.level", "", "");
    check_wish(w, "revert", "; log.level=");
    ask(w, fd, &a, "DELETE /api/v1/config/live", "", "");
    check_wish(w, "revert", "");
    ask(w, fd, &a, "POST /api/v1/config/reload", "", "");
    check_wish(w, "reload", "");
    ask(w, fd, &a, "POST /api/v1/config/rollback?dry_run", "", "{\"version\":3}");
    check_wish(w, "rollback (dry)", " to 3");
    CHECK_INT(rig->wishes, 6);
    rig->refuse = true;
    ask(w, fd, &a, "PATCH /api/v1/config", "", "{\"log\":null}");
    CHECK_INT(a.status, 422);
    CHECK(rig_holds(&a, "\"code\":\"config_invalid\"},\"problems\":[{\"message\":\"no\"}]}"));
    rig->refuse = false;
    rig->lost = true;
    ask(w, fd, &a, "PATCH /api/v1/config", "if-match: \"7\"\r\n", "{\"log\":null}");
    CHECK_INT(a.status, 412);
    CHECK(rig_holds(&a, "version_conflict"));
    ask(w, fd, &a, "PATCH /api/v1/config", "if-match: *\r\n", "{\"log\":null}");
    CHECK_INT(a.status, 409);
    close(fd);
    rig_answer_free(&a);
}

static void test_change(void) { rig_run(script_change); }

static void script_bad_change(struct wire *w) {
    static const struct {
        const char *line, *fields, *body;
        int status;
    } cases[] = {
        {"PATCH /api/v1/config", "", "", 400},
        {"PATCH /api/v1/config", "", "{}", 400},
        {"PATCH /api/v1/config", "", "[1]", 400},
        {"PATCH /api/v1/config", "", "{\"log\":{\"level\":\"debug\"}", 400},
        {"PATCH /api/v1/config", "", "{\"nope\":1}", 422},
        {"PATCH /api/v1/config", "if-match: 7\r\n", "{\"log\":null}", 400},
        {"PATCH /api/v1/config", "if-match: \"-1\"\r\n", "{\"log\":null}", 400},
        {"PATCH /api/v1/config", "if-match: \"99999999999999999999\"\r\n", "{\"log\":null}", 400},
        {"POST /api/v1/config/rollback", "", "{\"version\":0}", 400},
        {"POST /api/v1/config/rollback", "", "{\"version\":1.5}", 400},
        {"POST /api/v1/config/rollback", "", "{\"version\":\"3\"}", 400},
        {"POST /api/v1/config/rollback", "", "{}", 400},
    };
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ask(w, fd, &a, cases[i].line, cases[i].fields, cases[i].body);
        if (a.status != cases[i].status) fprintf(stderr, "%s %s: %d\n", cases[i].line, cases[i].body, a.status);
        CHECK_INT(a.status, cases[i].status);
        CHECK(rig_holds(&a, "{\"error\":{\"message\":\""));
    }
    CHECK_INT(rig_of(w)->wishes, 0);
    close(fd);
    rig_answer_free(&a);
}

static void test_bad_change(void) { rig_run(script_bad_change); }

// The client leaves while its wish, a reading of the keys or other work is under way.
static void script_leave(struct wire *w) {
    struct rig *rig = rig_of(w);
    static const char *const lines[] = {"GET /api/v1/config", "POST /api/v1/config/validate", "GET /api/v1/events",
                                        "GET /api/v1/config/history/1"};
    rig->hold = true;
    int fd = wire_connect(w);
    rig_send(fd, "POST /api/v1/config/reload", "", secret_str(&rig->admin_key.text), NO_BODY);
    while (!atomic_load(&rig->held)) wire_breathe();
    wire_reset(fd);
    for (size_t i = 0; i < ARRAY_LEN(lines) * 4; i++) {
        fd = wire_connect(w);
        rig_send(fd, lines[i % ARRAY_LEN(lines)], "", secret_str(&rig->admin_key.text), STR("log: {}"));
        if (i % 2) wire_breathe();
        wire_reset(fd);
    }
    // Afterwards all is well.
    struct rig_answer a;
    rig_answer_init(&a);
    fd = wire_connect(w);
    rig->hold = false;
    ask(w, fd, &a, "GET /api/v1/config/history", "", "");
    CHECK_INT(a.status, 200);
    close(fd);
    rig_answer_free(&a);
}

static void test_leave(void) { rig_run(script_leave); }

// --- events ---

static bool read_to(int fd, struct rig_answer *a, const char *text) {
    bool there = wire_read_until(fd, &a->in, str_c(text));
    if (!there) fprintf(stderr, "not there: %s\nin: %.*s\n", text, STR_ARG(buf_str(&a->in)));
    return there;
}

static void script_events(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a, b;
    rig_answer_init(&a);
    rig_answer_init(&b);
    event_tell(rig->events, STR("config.applied"), STR("{\"version\":1}"));
    event_tell(rig->events, STR("vault.unreachable"), STR("{}"));
    int all = wire_connect(w), some = wire_connect(w);
    rig_send(all, "GET /api/v1/events?after=0", "", secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(rig_read_head(all, &a));
    CHECK_STR(rig_field(&a, "content-type"), STR("text/event-stream"));
    CHECK(read_to(all, &a, "event: config.applied\ndata: {\"timestamp\":\"2"));
    CHECK(read_to(all, &a, "\"data\":{\"version\":1}}\n\n"));
    CHECK(read_to(all, &a, "event: vault.unreachable\n"));
    rig_send(some, "GET /api/v1/events?names=config.*", "", secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(rig_read_head(some, &b));
    CHECK(read_to(some, &b, "retry: "));
    event_tell(rig->events, STR("vault.reachable"), STR("{}"));
    event_tell(rig->events, STR("config.refused"), STR("{\"a\":2}"));
    CHECK(read_to(all, &a, "event: config.refused\n"));
    CHECK(read_to(some, &b, "event: config.refused\n"));
    CHECK(str_find(buf_str(&b.in), STR("vault")) == b.in.n);          // others are not told
    CHECK(str_find(buf_str(&b.in), STR("config.applied")) == b.in.n); // nor what was before
    // Come back where it left off.
    size_t at = str_find(buf_str(&a.in), STR("id: ")) + 4;
    char field[100];
    snprintf(field, sizeof field, "last-event-id: %.*s1\r\n", 9, a.in.p + at);
    close(some);
    some = wire_connect(w);
    buf_clear(&b.in);
    rig_send(some, "GET /api/v1/events", field, secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(read_to(some, &b, "event: config.refused\n"));
    CHECK(str_find(buf_str(&b.in), STR("event: vault.unreachable\n")) < b.in.n);
    CHECK(str_find(buf_str(&b.in), STR("config.applied")) == b.in.n);
    // What another run gave out means nothing here.
    close(some);
    some = wire_connect(w);
    buf_clear(&b.in);
    rig_send(some, "GET /api/v1/events", "last-event-id: zzzzzzzz-4\r\n", secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(read_to(some, &b, "event: config.applied\n"));
    close(all);
    close(some);
    rig_answer_free(&a);
    rig_answer_free(&b);
}

static void test_events(void) { rig_run(script_events); }

// Whose key is revoked is told nothing more.
static void script_revoked(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    struct err err;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    rig_send(fd, "GET /api/v1/events", "", secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(read_to(fd, &a, "retry: "));
    CHECK(key_revoke(rig->db, &rig->dir, rig->admin_key.id, clock_unix_ns(), &err));
    event_tell(rig->events, STR("config.applied"), STR("{}"));
    CHECK(read_to(fd, &a, "\r\n0\r\n\r\n"));
    CHECK(str_find(buf_str(&a.in), STR("config.applied")) == a.in.n);
    close(fd);
    rig_answer_free(&a);
}

static void test_revoked(void) { rig_run(script_revoked); }

// A client that reads nothing is cut in the end, and the server keeps no more for it than it may.
static void script_slow(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct buf data = BUF_INIT(EVENT_DATA_MAX);
    struct mem_stats before, after;
    int fd = wire_connect_small(w->port, 4096);
    struct rig_answer a;
    rig_answer_init(&a);
    rig_send(fd, "GET /api/v1/events", "", secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(read_to(fd, &a, "retry: "));
    buf_lit(&data, "{\"a\":\"");
    while (data.n < 4000) buf_putc(&data, 'x');
    buf_lit(&data, "\"}");
    for (int i = 0; i < EVENT_KEEP; i++) event_tell(rig->events, STR("noise"), buf_str(&data)); // the bus is full now
    mem_stats_get(&before);
    for (int i = 0; i < 8 * EVENT_KEEP; i++) {
        event_tell(rig->events, STR("noise"), buf_str(&data));
        if (i % 64 == 0) wire_breathe();
    }
    mem_stats_get(&after);
    CHECK(after.bytes < before.bytes + ((uint64_t)4 << 20));
    enum wire_end end = wire_read_end(fd, NULL);
    CHECK(end == WIRE_RESET || end == WIRE_CLOSED);
    close(fd);
    buf_free(&data);
    rig_answer_free(&a);
}

static void test_slow(void) { rig_run(script_slow); }

static void drain(struct task *task) {
    struct rig *rig = CONTAINER_OF(task, struct rig, wire.over); // borrowed: the script is not over yet
    admin_loop_drain(rig->al);
    task->fn = wire_on_over;
}

static void script_drain(struct wire *w) {
    struct rig *rig = rig_of(w);
    struct rig_answer a;
    rig_answer_init(&a);
    int fd = wire_connect(w);
    rig_send(fd, "GET /api/v1/events", "", secret_str(&rig->admin_key.text), NO_BODY);
    CHECK(read_to(fd, &a, "retry: "));
    w->over.fn = drain;
    loop_post(w->loop, &w->over);
    CHECK(read_to(fd, &a, "\r\n0\r\n\r\n"));
    buf_clear(&a.in);
    ask(w, fd, &a, "GET /api/v1/events", "", "");
    CHECK_INT(a.status, 503);
    close(fd);
    rig_answer_free(&a);
}

static void test_drain(void) { rig_run(script_drain); }

TEST_MAIN(test_auth, test_paths, test_read, test_check, test_large, test_change, test_bad_change, test_leave,
          test_events, test_revoked, test_slow, test_drain)
