// The API's core without HTTP: its tables, transactions and audit events, idempotency, and memory running out.
#include "admin/api.h"

#include "access/key.h"
#include "admin/api_openapi.h"
#include "admin/call.h"
#include "base/json_read.h"
#include "check.h"
#include "conf/opt_text.h"
#include "os/file.h"
#include "temp_dir.h"

static struct datadir g_dir;
static struct sql *g_db; // the test's own
static struct audit_signer *g_signer;
static struct api g_api;
static const struct who k_operator = {
    .principal = {.kind = PRINCIPAL_OPERATOR}, .name = STR_INIT("operator"), .home = 1, .tenant = 1};

static void open_all(void) {
    static unsigned n;
    char path[300];
    struct err err;
    snprintf(path, sizeof path, "%s/data%u", temp_dir(), n++);
    REQUIRE(datadir_open(str_c(path), &g_dir, &err) && datadir_open_db(&g_dir, 5000, &g_db, &err));
    REQUIRE(audit_signer_create(&g_dir, &g_signer, &err));
    g_api = (struct api){.dir = &g_dir, .signer = g_signer};
}
static void close_all(void) {
    audit_signer_free(g_signer);
    sql_close(g_db);
    datadir_close(&g_dir);
}

static struct api_reply g_reply;
static struct str ask(enum http_method method, const char *path, const char *body, const struct api_request *more) {
    struct api_request r = more ? *more : (struct api_request){0};
    static bool used;
    if (used) api_reply_free(&g_reply);
    used = true;
    r.method = method;
    struct str text = str_c(path);
    size_t mark = str_find_char(text, '?');
    r.path = str_head(text, mark);
    r.query = str_from(text, mark + 1);
    r.body = str_c(body ? body : "");
    if (!r.who) r.who = &k_operator;
    r.request_id = STR("req_test");
    api_execute(&g_api, &r, &g_reply);
    return buf_str(&g_reply.body);
}

static int64_t count(const char *sql) {
    struct err err;
    int64_t n = -1;
    if (!sql_query_i64(sql_platform(g_db), str_c(sql), &n, &err)) fprintf(stderr, "%s\n", err.message);
    return n;
}
static bool holds(struct str text, const char *part) { return str_find(text, str_c(part)) < text.n; }

// --- tables ---

static void each_endpoint_is_sound(void) {
    for (size_t i = 0; i < api_endpoint_count(); i++) {
        const struct api_endpoint *e = api_endpoint_at(i);
        bool open = e->flags & API_OPEN, http = e->flags & API_STREAM;
        char name[100];
        snprintf(name, sizeof name, "%.*s %.*s", STR_ARG(http_method_text(e->method)), STR_ARG(e->path));
        // It names a permission that there is, or says that it needs none.
        bool named = open || (resource_actions(e->resource) >> e->action & 1);
        bool carried = http ? admin_endpoint_of(e) && !e->handle : e->handle && !admin_endpoint_of(e);
        // What writes says so, so that it leaves an event. A question may come by POST.
        bool writes = e->method == HTTP_PATCH || e->method == HTTP_PUT || e->method == HTTP_DELETE;
        bool told = http || !writes || e->flags & (API_CHANGES | API_TELLS);
        bool reads = e->method != HTTP_GET || !(e->flags & API_CHANGES);
        if (!named || !carried || !told || !reads) fprintf(stderr, "%s\n", name);
        CHECK(named && carried && told && reads);
        CHECK(e->summary && *e->summary);
        CHECK(!(e->flags & API_ANYBODY) || open);
        for (size_t k = 0; k < i; k++)
            CHECK(api_endpoint_at(k)->method != e->method || !str_eq(api_endpoint_at(k)->path, e->path));
        // Those that only ask without a permission are few, and named here.
        if (open && !(e->flags & API_ANYBODY) && str_starts(e->path, STR("/api/v1/teams"))) CHECK(false);
    }
}

static void paths_are_found(void) {
    struct str params[API_PARAMS_MAX], allow;
    struct arena a;
    arena_init(&a, NULL, 0, 1 << 20);
    const struct api_endpoint *e =
        api_endpoint_find(HTTP_DELETE, STR("/api/v1/teams/x/members/user_1"), params, &a, &allow);
    REQUIRE(e != NULL);
    CHECK_STR(params[0], STR("x"));
    CHECK_STR(params[1], STR("user_1"));
    CHECK(!api_endpoint_find(HTTP_PUT, STR("/api/v1/teams"), params, &a, &allow));
    CHECK_STR(allow, STR("GET, POST"));
    static const char *const none[] = {"",
                                       "/",
                                       "/api",
                                       "/api/v1/teams/",
                                       "/api/v1/teams//members",
                                       "/api/v1/teams/x/y/z",
                                       "api/v1/teams",
                                       "/API/v1/teams"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        CHECK(!api_endpoint_find(HTTP_GET, str_c(none[i]), params, &a, &allow));
        CHECK(!allow.n);
    }
    CHECK_STR(api_endpoint_near(STR("/api/v1/teems")), STR("/api/v1/teams"));
    arena_free(&a);
}

// --- events ---

static void no_event_no_act(void) {
    ask(HTTP_POST, "/api/v1/teams", "{\"name\":\"one\"}", NULL);
    CHECK_INT(g_reply.status, 201);
    CHECK_INT(count("SELECT count(*) FROM audit_event WHERE action = 'team.create' AND actor_kind = 'operator'"), 1);
    CHECK_INT(count("SELECT count(*) FROM audit_event WHERE request_id = 'req_test' AND resource_name = 'one'"), 1);
    g_api.signer = NULL;
    ask(HTTP_POST, "/api/v1/teams", "{\"name\":\"two\"}", NULL);
    CHECK_INT(g_reply.status, 500);
    ask(HTTP_DELETE, "/api/v1/teams/one", NULL, NULL);
    CHECK_INT(g_reply.status, 500);
    g_api.signer = g_signer;
    CHECK_INT(count("SELECT count(*) FROM team"), 1);
    ask(HTTP_POST, "/api/v1/teams", "{\"name\":\"No\"}", NULL);
    CHECK_INT(g_reply.status, 400);
    CHECK_INT(count("SELECT count(*) FROM audit_event"), 1);
    ask(HTTP_PATCH, "/api/v1/teams/one", "{\"title\":\"Uno\"}", NULL);
    CHECK_INT(
        count("SELECT count(*) FROM audit_event WHERE action = 'team.update' AND before_json LIKE '%\"title\":\"\"%'"
              " AND after_json LIKE '%Uno%'"),
        1);
}

static void denials_are_told(void) {
    struct who nobody = {
        .principal = {PRINCIPAL_USER, 77}, .name = STR_INIT("eve@example.com"), .home = 1, .tenant = 1};
    struct api_request r = {.who = &nobody};
    ask(HTTP_POST, "/api/v1/teams", "{\"name\":\"mine\"}", &r);
    CHECK_INT(g_reply.status, 403);
    CHECK_INT(count("SELECT count(*) FROM audit_event WHERE action = 'team.create' AND actor_name = 'eve@example.com'"),
              1);
    ask(HTTP_GET, "/api/v1/keys", NULL, &r);
    CHECK_INT(g_reply.status, 403);
    r.tenant = STR("default");
    ask(HTTP_GET, "/api/v1/access/matrix", NULL, &r);
    CHECK_INT(g_reply.status, 403);
    CHECK_INT(count("SELECT count(*) FROM audit_event"), 3);
    CHECK_INT(count("SELECT count(*) FROM team"), 0);
    struct who stranger = {.principal = {.kind = PRINCIPAL_NOBODY}};
    r = (struct api_request){.who = &stranger};
    ask(HTTP_GET, "/api/v1/teams", NULL, &r);
    CHECK_INT(g_reply.status, 401);
}

static void acting_for_a_tenant_is_told(void) {
    struct api_request r = {.tenant = STR("acme")};
    ask(HTTP_POST, "/api/v1/tenants", "{\"name\":\"acme\"}", NULL);
    CHECK_INT(g_reply.status, 201);
    ask(HTTP_POST, "/api/v1/teams", "{\"name\":\"theirs\"}", &r);
    CHECK_INT(g_reply.status, 201);
    CHECK_INT(count("SELECT count(*) FROM team t JOIN tenant o ON o.id = t.tenant_id WHERE o.name = 'acme'"), 1);
    CHECK_INT(count("SELECT count(*) FROM audit_event e JOIN tenant o ON o.id = e.tenant_id WHERE o.name = 'acme' AND"
                    " e.on_behalf = 'tenant_0000000000001' AND e.action = 'team.create'"),
              1);
    ask(HTTP_POST, "/api/v1/tenants", "{\"name\":\"default\"}", NULL);
    CHECK_INT(g_reply.status, 400);
}

// --- idempotency ---

static void answers_are_kept_sealed(void) {
    struct api_request r = {.idempotency_key = STR("k-1")};
    struct str body = ask(HTTP_POST, "/api/v1/keys", "{\"name\":\"s\"}", &r);
    CHECK_INT(g_reply.status, 201);
    size_t at = str_find(body, STR("\"key\":\"ps-"));
    REQUIRE(at < body.n);
    char text[KEY_TEXT_LEN];
    memcpy(text, body.p + at + 7, sizeof text);
    CHECK(key_text_valid(str_of(text, sizeof text)));
    // Nowhere in the database, the answer that is kept included.
    static const char *const where[] = {"SELECT count(*) FROM idempotency WHERE instr(answer, ?1) > 0",
                                        "SELECT count(*) FROM audit_event WHERE instr(after_json, ?1) > 0"};
    for (size_t i = 0; i < ARRAY_LEN(where); i++) {
        struct sql_stmt *st;
        struct err err;
        bool row;
        REQUIRE(sql_prepare(sql_platform(g_db), str_c(where[i]), &st, &err));
        sql_bind_text(st, 1, str_of(text, sizeof text));
        REQUIRE(sql_step(st, &row, &err) && row);
        CHECK_INT(sql_col_i64(st, 0), 0);
        sql_reset(st);
    }
    body = ask(HTTP_POST, "/api/v1/keys", "{\"name\":\"s\"}", &r);
    CHECK(g_reply.replayed && holds(body, "\"key\":\"ps-"));
    CHECK_INT(count("SELECT count(*) FROM api_key"), 1);
    // Another caller's key of the same name is another key.
    struct who other = k_operator;
    other.key_id = 5;
    r.who = &other;
    ask(HTTP_POST, "/api/v1/keys", "{\"name\":\"s\"}", &r);
    CHECK(!g_reply.replayed);
    CHECK_INT(count("SELECT count(*) FROM api_key"), 2);
    struct err err;
    // After a day it is forgotten.
    REQUIRE(sql_exec(g_db, STR("UPDATE idempotency SET at = at - 90000000000000"), &err));
    ask(HTTP_POST, "/api/v1/keys", "{\"name\":\"other\"}", &r);
    CHECK_INT(g_reply.status, 201);
    CHECK_INT(count("SELECT count(*) FROM idempotency"), 1);
}

// --- memory ---

static void whenever_memory_fails_all_or_nothing_is_done(void) {
    ask(HTTP_POST, "/api/v1/projects", "{\"name\":\"p\"}", NULL);
    int64_t keys = 0, made = 0;
    for (uint64_t nth = 1; nth < 4000; nth += nth < 400 ? 7 : 31) {
        mem_fail_nth(nth);
        ask(HTTP_POST, "/api/v1/keys", "{\"name\":\"k\",\"project_id\":\"p\",\"tags\":{\"a\":\"b\"}}", NULL);
        mem_fail_nth(0);
        made += g_reply.status == 201;
        CHECK(g_reply.status == 201 || g_reply.status >= 500);
        keys = count("SELECT count(*) FROM api_key");
        CHECK_INT(keys, made);
        CHECK_INT(count("SELECT count(*) FROM audit_event WHERE action = 'key.create'"), keys);
        if (made > 3) break;
    }
    CHECK(made > 0);
}

// --- the description ---

static void description_is_current(void) {
    struct buf raw = BUF_INIT(1 << 22), want = BUF_INIT(1 << 22), got = BUF_INIT(1 << 22);
    struct err err;
    const struct str path = STR("docs/openapi.json");
    api_openapi_put(&raw);
    CHECK(!raw.failed && json_validate(buf_str(&raw), 0, &err));
    json_indent(buf_str(&raw), &want);
    if (want.n && want.p[want.n - 1] != '\n') buf_putc(&want, '\n');
    if (getenv("UPDATE_DOCS")) REQUIRE(file_replace(path, buf_str(&want), 0644, &err));
    CHECK(file_read_all(path, 1 << 22, &got, &err));
    bool same = str_eq(buf_str(&got), buf_str(&want));
    if (!same) fprintf(stderr, "docs/openapi.json is stale: run this test with UPDATE_DOCS=1\n");
    CHECK(same);
    buf_free(&raw);
    buf_free(&want);
    buf_free(&got);
}

static void with_all(check_case *run) {
    open_all();
    run();
    close_all();
}
static void in_a_directory(void) {
    check_case *const cases[] = {no_event_no_act, denials_are_told, acting_for_a_tenant_is_told,
                                 answers_are_kept_sealed, whenever_memory_fails_all_or_nothing_is_done};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) with_all(cases[i]);
    api_reply_free(&g_reply);
}

TEST_MAIN(each_endpoint_is_sound, paths_are_found, in_a_directory, description_is_current)
