// The Vault client against a Vault of our own that answers as the real one does.
#include "store/vault.h"

#include "base/mem.h"
#include "check.h"
#include "fake_vault.h"
#include "net/fetch.h"
#include "os/clock.h"
#include "store/vault_internal.h"
#include "temp_dir.h"

#include <stdatomic.h>

#define MOUNT "sys/internal/ui/mounts/"
#define KV2(path)                                                                                                      \
    "{\"request_id\":\"a5d9\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":{\"accessor\":"      \
    "\"kv_9\",\"config\":{},\"description\":\"key/value secret storage\",\"options\":{\"version\":\"2\"},\"path\":"    \
    "\"" path "\",\"type\":\"kv\",\"uuid\":\"e2\"},\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n"
#define KV1(path) "{\"data\":{\"options\":{\"version\":\"1\"},\"path\":\"" path "\",\"type\":\"kv\"}}"
#define ENGINE(path, type) "{\"data\":{\"options\":null,\"path\":\"" path "\",\"type\":\"" type "\"}}"
#define SECRET(data)                                                                                                   \
    "{\"request_id\":\"b1\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":{\"data\":" data       \
    ",\"metadata\":{\"created_time\":\"2026-11-21T10:00:00Z\",\"custom_metadata\":null,\"deletion_time\":\"\","        \
    "\"destroyed\":false,\"version\":3}},\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n"
#define LOGIN(token, ttl, renewable)                                                                                   \
    "{\"request_id\":\"c2\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":null,\"auth\":{"       \
    "\"client_token\":\"" token "\",\"accessor\":\"f\",\"policies\":[\"default\"],\"lease_duration\":" #ttl            \
    ",\"renewable\":" #renewable ",\"entity_id\":\"d\",\"token_type\":\"service\"}}\n"
#define LOOKUP(ttl, renewable)                                                                                         \
    "{\"data\":{\"accessor\":\"x\",\"id\":\"s.root\",\"ttl\":" #ttl ",\"renewable\":" #renewable                       \
    ",\"type\":\"service\"}}"
#define LEASED(id, ttl, renewable, data)                                                                               \
    "{\"request_id\":\"e\",\"lease_id\":\"" id "\",\"renewable\":" #renewable ",\"lease_duration\":" #ttl              \
    ",\"data\":" data ",\"wrap_info\":null,\"warnings\":null,\"auth\":null}"
#define DENIED "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}\n"
#define SEALED "{\"errors\":[\"Vault is sealed\"]}\n"

struct rig {
    struct fake_vault fake;
    struct vault *vault;
    struct conf_vault settings;
    char address[64];
    struct err err;
    struct buf out;
    bool changed;
};

static void rig_open(struct rig *r) {
    *r = (struct rig){0};
    fake_up(&r->fake);
    snprintf(r->address, sizeof r->address, "http://127.0.0.1:%u/", r->fake.port);
    r->settings = (struct conf_vault){.address = str_c(r->address),
                                      .auth = VAULT_AUTH_TOKEN,
                                      .tls_verify = true,
                                      .timeout = 20000,
                                      .poll_interval = 1000};
    static char root[] = "s.root";
    r->settings.token = (struct secret){root, 6};
    buf_init(&r->out, 1 << 20);
    REQUIRE(vault_create(&r->vault, &r->err));
    fake_set(&r->fake, "GET auth/token/lookup-self", 200, LOOKUP(0, false));
    fake_set(&r->fake, "GET " MOUNT "secret/*", 200, KV2("secret/"));
    fake_set(&r->fake, "GET secret/data/app", 200,
             SECRET("{\"api_key\":\"sk-\\u0031\\\"\",\"port\":5432,\"on\":true}"));
}

static void rig_close(struct rig *r) {
    vault_free(r->vault);
    fake_down(&r->fake);
    buf_free(&r->out);
}

static bool rd(struct rig *r, const char *name) {
    buf_clear(&r->out);
    r->err = (struct err){0};
    return vault_read(r->vault, &r->settings, str_c(name), &r->out, &r->err);
}

static bool gives(struct rig *r, const char *name, const char *value) {
    bool ok = rd(r, name);
    if (!ok || !str_eq(buf_str(&r->out), str_c(value)))
        fprintf(stderr, "%s gives \"%.*s\", %s\n", name, STR_ARG(buf_str(&r->out)), r->err.message);
    return ok && str_eq(buf_str(&r->out), str_c(value));
}

// It fails, with all of these texts in the message (ends with NULL).
static bool refuses(struct rig *r, const char *name, const char *a, const char *b) {
    bool ok = rd(r, name);
    bool said = !ok && r->out.n == 0 && strstr(r->err.message, a) && (!b || strstr(r->err.message, b));
    if (!said) fprintf(stderr, "%s: %s: \"%s\"\n", name, ok ? "read" : "refused", r->err.message);
    return said && !strstr(r->err.message, "s.root") && !strstr(r->err.message, "sk-");
}

static bool refresh(struct rig *r) {
    r->changed = false;
    r->err = (struct err){0};
    return vault_refresh(r->vault, &r->changed, &r->err);
}

static struct vault_health health(struct rig *r) {
    struct vault_health h;
    vault_health_get(r->vault, &h);
    return h;
}

static void later(struct rig *r, uint64_t seconds) { r->vault->skew_ns += seconds * NS_PER_SEC; }

static void kv_two(void) {
    struct rig r;
    rig_open(&r);
    CHECK(!health(&r).used);
    CHECK(gives(&r, "secret/app#api_key", "sk-1\""));
    CHECK(gives(&r, "secret/app#port", "5432") && gives(&r, "secret/app#on", "true"));
    CHECK(gives(&r, "secret/data/app#port", "5432")); // as the API writes it
    CHECK_INT(fake_count(&r.fake, "GET auth/token/lookup-self [s.root]"), 1);
    CHECK_INT(fake_count(&r.fake, "GET " MOUNT), 1); // the engine is asked for once, whatever is read from it
    CHECK_INT(fake_count(&r.fake, "GET secret/data/app [s.root]"), 2);
    CHECK(health(&r).used && health(&r).ok && health(&r).last_ok_ns > 0);
    CHECK_STR(str_c(r.fake.name_space), STR(""));

    fake_set(&r.fake, "GET secret/data/one/only", 200, SECRET("{\"value\":\"v\"}"));
    CHECK(gives(&r, "secret/one/only", "v") && gives(&r, "secret/one/only#value", "v"));
    fake_set(&r.fake, "GET secret/data/odd%20name%3F%C3%BC", 200, SECRET("{\"v\":{\"a\":[1, 2]}}"));
    CHECK(gives(&r, "secret/odd name?\xc3\xbc", "{\"a\":[1, 2]}"));
    rig_close(&r);
}

static void other_engines(void) {
    struct rig r;
    rig_open(&r);
    fake_set(&r.fake, "GET " MOUNT "old/app", 200, KV1("old/"));
    fake_set(&r.fake, "GET old/app", 200, LEASED("", 2764800, false, "{\"k\":\"v1\"}"));
    CHECK(gives(&r, "old/app#k", "v1"));
    // A mount of several parts, and one that an old Vault does not tell about.
    fake_set(&r.fake, "GET " MOUNT "team/a/kv/app", 200, KV2("team/a/kv/"));
    fake_set(&r.fake, "GET team/a/kv/data/app", 200, SECRET("{\"k\":\"v2\"}"));
    CHECK(gives(&r, "team/a/kv/app#k", "v2"));
    fake_set(&r.fake, "GET ancient/app", 200, LEASED("", 0, false, "{\"k\":\"v0\"}"));
    CHECK(gives(&r, "ancient/app#k", "v0"));
    rig_close(&r);
}

static void what_is_wrong(void) {
    struct rig r;
    rig_open(&r);
    CHECK(refuses(&r, "secret/app#pasword", "no key \"pasword\"", "api_key, port, on"));
    CHECK(refuses(&r, "secret/app", "several keys", "api_key, port, on"));
    CHECK(health(&r).ok); // a wrong reference is no fault of Vault's
    CHECK(refuses(&r, "secret/nothing#k", "404", "secret/data/nothing"));
    CHECK(!health(&r).ok && strstr(health(&r).last_error, "secret/data/nothing"));
    fake_set(&r.fake, "GET secret/data/gone", 404, SECRET("null"));
    CHECK(refuses(&r, "secret/gone#k", "secret/gone was deleted", NULL));
    fake_set(&r.fake, "GET secret/data/hidden", 403, DENIED);
    CHECK(refuses(&r, "secret/hidden#k", "403", "permission denied"));
    CHECK(strstr(r.err.message, "policies do not allow") && !strchr(r.err.message, '\n'));
    fake_set(&r.fake, "GET secret/data/null", 200, SECRET("{\"k\":null}"));
    CHECK(refuses(&r, "secret/null#k", "is null", NULL));
    fake_set(&r.fake, "GET secret/data/empty", 200, SECRET("{}"));
    CHECK(refuses(&r, "secret/empty", "no keys at all", NULL));
    fake_set(&r.fake, "GET secret/data/twice", 200, SECRET("{\"k\":\"a\",\"k\":\"b\"}"));
    CHECK(refuses(&r, "secret/twice#k", "same key twice", NULL));
    fake_set(&r.fake, "GET " MOUNT "nosuch/app", 403,
             "{\"errors\":[\"preflight capability check returned 403, please ensure client's policies grant access to "
             "path \\\"nosuch/app/\\\"\"]}");
    CHECK(refuses(&r, "nosuch/app#k", "preflight", "no such mount"));
    fake_set(&r.fake, "GET " MOUNT "whole", 200, KV2("whole/"));
    CHECK(refuses(&r, "whole#k", "whole is a mount", NULL));
    fake_set(&r.fake, "GET secret/data/moved", 307, "");
    CHECK(refuses(&r, "secret/moved#k", "307", "active node"));
    fake_set(&r.fake, "GET secret/data/quota", 429, "{\"errors\":[\"request path: rate limit quota exceeded\"]}");
    CHECK(refuses(&r, "secret/quota#k", "rate limit quota", NULL));
    fake_set(&r.fake, "GET secret/data/sealed", 503, SEALED);
    CHECK(refuses(&r, "secret/sealed#k", "Vault is sealed", "unseal"));
    CHECK(gives(&r, "secret/app#port", "5432")); // what was read before does not mind
    rig_close(&r);
}

static void odd_answers(void) {
    static const char *const answers[] = {
        "",
        "<html>hello</html>",
        "[]",
        "{}",
        "{\"data\":7}",
        "{\"data\":{\"data\":\"text\"}}",
        "{\"data\":{\"metadata\":{}}}",
        "{\"data\":{\"data\":{\"k\":\"a\"}},\"data\":{}}",
        "{\"data\":{\"data\":{\"k\":\"\xff\"}}}",
        "{\"data\":{\"data\":{\"k\":\"a\"}}} trailing",
        "{\"data\":{\"data\":{\"k\":\"a\"}},\"lease_duration\":1.5}",
        "{\"data\":{\"data\":{\"k\":\"a\"}},\"lease_id\":17}",
    };
    struct rig r;
    rig_open(&r);
    REQUIRE(rd(&r, "secret/app#port")); // now the mount is known
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        fake_set(&r.fake, "GET secret/data/odd", 200, answers[i]);
        CHECK(refuses(&r, "secret/odd#k", "not one of Vault", "vault.address"));
        CHECK_INT(r.err.code, ERR_UPSTREAM_INVALID);
    }
    fake_set(&r.fake, "GET " MOUNT "x/y", 200, KV2("elsewhere/"));
    CHECK(refuses(&r, "x/y#k", "not one of Vault", NULL));
    static char large[VAULT_ANSWER_MAX + 100];
    memset(large, ' ', sizeof large - 1);
    fake_set(&r.fake, "GET secret/data/large", 200, large);
    CHECK(refuses(&r, "secret/large#k", "larger than", NULL));
    rig_close(&r);
}

static void bad_names(void) {
    static const char *const names[] = {
        "",      "#k",     "/secret/app#k", "secret/app/#k", "secret//app#k", "secret/../sys#k",
        "./a#k", "a\nb#k", "secret/app#"};
    struct rig r;
    rig_open(&r);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) CHECK(refuses(&r, names[i], "write path#key", NULL));
    static char longest[9000];
    memset(longest, 'a', sizeof longest - 1);
    CHECK(refuses(&r, longest, "too long", NULL));
    CHECK_INT(fake_count(&r.fake, "\n"), 0); // none of it was sent
    r.settings.address = STR("");
    CHECK(refuses(&r, "secret/app#k", "vault.address", NULL));
    rig_close(&r);
}

static void token_login(void) {
    struct rig r;
    rig_open(&r);
    fake_set(&r.fake, "GET auth/token/lookup-self", 200, LOOKUP(3600, true));
    fake_set(&r.fake, "POST auth/token/renew-self", 200, LOGIN("s.root", 3600, true));
    CHECK(gives(&r, "secret/app#port", "5432"));
    later(&r, 1000);
    CHECK(refresh(&r) && !r.changed);
    CHECK_INT(fake_count(&r.fake, "renew-self"), 0);
    later(&r, 1500);
    CHECK(refresh(&r) && !r.changed);
    CHECK_INT(fake_count(&r.fake, "POST auth/token/renew-self [s.root] {}"), 1);
    later(&r, 1500);
    CHECK(refresh(&r));
    CHECK_INT(fake_count(&r.fake, "renew-self"), 1);
    // It may not be renewed any more, and ends: the last good value stays, and the reason is told.
    fake_set(&r.fake, "POST auth/token/renew-self", 403, DENIED);
    later(&r, 1500);
    CHECK(refresh(&r) && health(&r).ok);
    fake_set(&r.fake, "GET auth/token/lookup-self", 403, DENIED);
    fake_set(&r.fake, "GET secret/data/app", 403, "{\"errors\":[\"permission denied\",\"invalid token\"]}");
    later(&r, 1500);
    CHECK(refresh(&r) && !r.changed && !health(&r).ok);
    CHECK(strstr(health(&r).last_error, "give a new one"));
    CHECK(gives(&r, "secret/app#port", "5432"));

    r.settings.token = (struct secret){0};
    CHECK(refuses(&r, "secret/app#port", "vault.token is not set", NULL));
    rig_close(&r);
}

static void approle(struct rig *r) {
    static char id[] = "sid\"1";
    r->settings.auth = VAULT_AUTH_APPROLE;
    r->settings.role_id = STR("rid");
    r->settings.secret_id = (struct secret){id, 5};
}

static void approle_login(void) {
    struct rig r;
    rig_open(&r);
    approle(&r);
    r.settings.name_space = STR("team-a");
    fake_set(&r.fake, "POST auth/approle/login", 400, "{\"errors\":[\"invalid role or secret ID\"]}\n");
    CHECK(refuses(&r, "secret/app#port", "logging in", "invalid role or secret ID"));
    CHECK(!strstr(r.err.message, "sid"));
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.one", 1200, true));
    CHECK(gives(&r, "secret/app#port", "5432"));
    CHECK_INT(fake_count(&r.fake, "POST auth/approle/login [] {\"role_id\":\"rid\",\"secret_id\":\"sid\\\"1\"}"), 2);
    CHECK_INT(fake_count(&r.fake, "GET secret/data/app [hvs.one]"), 1);
    CHECK_STR(str_c(r.fake.name_space), STR("team-a"));

    // Renewed at two thirds; when that is refused, or gives too little, a new login.
    fake_set(&r.fake, "POST auth/token/renew-self", 200, LOGIN("hvs.one", 1200, true));
    later(&r, 900);
    CHECK(refresh(&r));
    CHECK_INT(fake_count(&r.fake, "renew-self [hvs.one]"), 1);
    CHECK_INT(fake_count(&r.fake, "approle/login"), 2);
    fake_set(&r.fake, "POST auth/token/renew-self", 200, LOGIN("hvs.one", 300, true));
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.two", 1200, true));
    later(&r, 900);
    CHECK(refresh(&r));
    CHECK_INT(fake_count(&r.fake, "approle/login"), 3);
    CHECK_INT(fake_count(&r.fake, "GET secret/data/app [hvs.two]"), 1);
    fake_set(&r.fake, "POST auth/token/renew-self", 403, DENIED);
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.three", 1200, false));
    later(&r, 900);
    CHECK(refresh(&r));
    CHECK_INT(fake_count(&r.fake, "GET secret/data/app [hvs.three]"), 1);
    // One that can't be renewed is replaced; while it lasts, a failing login does no harm.
    fake_set(&r.fake, "POST auth/approle/login", 500, "{\"errors\":[\"storage trouble\"]}");
    later(&r, 900);
    fake_count(&r.fake, NULL);
    CHECK(refresh(&r) && health(&r).ok);
    CHECK_INT(fake_count(&r.fake, "renew-self"), 0);
    CHECK_INT(fake_count(&r.fake, "GET secret/data/app [hvs.three]"), 1);
    later(&r, 400);
    CHECK(!refresh(&r) && !health(&r).ok && strstr(health(&r).last_error, "storage trouble"));
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.four", 1200, false));
    CHECK(refresh(&r) && health(&r).ok);
    rig_close(&r);
}

// Vault was restored or the token revoked: a login cures that; a policy's no it does not, and none is tried.
static void token_lost(void) {
    struct rig r;
    rig_open(&r);
    approle(&r);
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.one", 0, true));
    CHECK(gives(&r, "secret/app#port", "5432"));
    fake_set(&r.fake, "GET secret/data/hidden", 403, DENIED);
    CHECK(refuses(&r, "secret/hidden#k", "permission denied", NULL));
    CHECK_INT(fake_count(&r.fake, "approle/login"), 1);

    fake_set(&r.fake, "GET auth/token/lookup-self", 403, DENIED);
    fake_set(&r.fake, "GET secret/data/app", 403, DENIED);
    fake_add(&r.fake,
             (struct rule){.request = "GET secret/data/new", .status = 403, .answer = DENIED, .token = "hvs.one"});
    fake_add(&r.fake,
             (struct rule){.request = "GET secret/data/new", .status = 200, .answer = SECRET("{\"k\":\"n\"}")});
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.two", 0, true));
    CHECK(gives(&r, "secret/new#k", "n"));
    CHECK_INT(fake_count(&r.fake, "approle/login"), 2);
    CHECK_INT(fake_count(&r.fake, "GET secret/data/new [hvs.two]"), 1);
    rig_close(&r);
}

static void kubernetes_login(void) {
    struct rig r;
    rig_open(&r);
    const char *path = temp_path("jwt").p;
    r.settings.auth = VAULT_AUTH_KUBERNETES;
    r.settings.jwt_file = str_c(path);
    CHECK(refuses(&r, "secret/app#port", "vault.role is not set", NULL));
    r.settings.role = STR("penstock");
    CHECK(refuses(&r, "secret/app#port", "vault.jwt_file", path));
    FILE *f = fopen(path, "w");
    REQUIRE(f && fputs("eyJhbGciOi.J9.x\n", f) > 0 && fclose(f) == 0);
    fake_set(&r.fake, "POST auth/kubernetes/login", 403, DENIED);
    CHECK(refuses(&r, "secret/app#port", "logging in", "permission denied"));
    CHECK(!strstr(r.err.message, "eyJ"));
    r.settings.mount = STR("auth/k8s/prod/"); // however it is written
    fake_set(&r.fake, "POST auth/k8s/prod/login", 200, LOGIN("hvs.k", 3600, true));
    CHECK(gives(&r, "secret/app#port", "5432"));
    CHECK_INT(fake_count(&r.fake, "login [] {\"role\":\"penstock\",\"jwt\":\"eyJhbGciOi.J9.x\"}"), 2);
    rig_close(&r);
}

static void odd_logins(void) {
    static const char *const answers[] = {"{}",
                                          "{\"auth\":null}",
                                          "{\"auth\":{\"client_token\":\"\",\"lease_duration\":1}}",
                                          "{\"auth\":{\"client_token\":\"t\"}}",
                                          "{\"auth\":{\"client_token\":\"t\",\"lease_duration\":-1}}",
                                          "{\"auth\":{\"client_token\":\"t\",\"lease_duration\":\"1h\"}}",
                                          "not json"};
    struct rig r;
    rig_open(&r);
    approle(&r);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        fake_set(&r.fake, "POST auth/approle/login", 200, answers[i]);
        CHECK(refuses(&r, "secret/app#port", "logging in", "not one of Vault"));
    }
    // A token that could split a header field is no token.
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("a\\r\\nX-B: c", 60, true));
    CHECK(refuses(&r, "secret/app#port", "header field", NULL));
    r.settings.role_id = STR("");
    CHECK(refuses(&r, "secret/app#port", "vault.role_id is not set", NULL));
    rig_close(&r);
}

static void a_change(void) {
    struct rig r;
    rig_open(&r);
    CHECK(refresh(&r) && !r.changed); // nothing is kept yet, nobody is asked
    CHECK_INT(fake_count(&r.fake, "\n"), 0);
    CHECK(gives(&r, "secret/app#port", "5432"));
    CHECK(refresh(&r) && !r.changed);
    fake_set(&r.fake, "GET secret/data/app", 200, SECRET("{\"api_key\":\"changed\",\"port\":5432}"));
    CHECK(refresh(&r) && !r.changed); // but not in what was handed out
    fake_set(&r.fake, "GET secret/data/app", 200, SECRET("{\"port\":5433}"));
    CHECK(refresh(&r) && r.changed);
    CHECK(refresh(&r) && r.changed); // until it is read
    CHECK(gives(&r, "secret/app#port", "5433"));
    CHECK(refresh(&r) && !r.changed);
    fake_set(&r.fake, "GET secret/data/app", 200, SECRET("{\"other\":1}"));
    CHECK(refresh(&r) && r.changed);
    CHECK(refuses(&r, "secret/app#port", "no key \"port\"; it has: other", NULL));
    rig_close(&r);
}

static void down_and_back(void) {
    struct rig r;
    rig_open(&r);
    fake_set(&r.fake, "GET secret/data/two", 200, SECRET("{\"k\":\"v\"}"));
    CHECK(gives(&r, "secret/app#port", "5432") && gives(&r, "secret/two#k", "v"));
    fake_set(&r.fake, "GET secret/data/app", 503, SEALED);
    fake_count(&r.fake, NULL);
    CHECK(!refresh(&r) && strstr(r.err.message, "sealed"));
    CHECK(!health(&r).ok && health(&r).used && strstr(health(&r).last_error, "unseal"));
    CHECK_INT(fake_count(&r.fake, "GET secret/data/two"), 0); // the rest would fare no better
    CHECK(gives(&r, "secret/app#port", "5432"));
    // One secret that is refused does not stop the others.
    fake_set(&r.fake, "GET secret/data/app", 403, DENIED);
    fake_set(&r.fake, "GET secret/data/two", 200, SECRET("{\"k\":\"w\"}"));
    CHECK(refresh(&r) && r.changed && !health(&r).ok);
    CHECK(gives(&r, "secret/app#port", "5432") && gives(&r, "secret/two#k", "w"));

    fake_down(&r.fake);
    CHECK(!refresh(&r));
    CHECK_INT(r.err.code, ERR_UPSTREAM_REFUSED);
    CHECK(!health(&r).ok && strstr(health(&r).last_error, "127.0.0.1"));
    CHECK(gives(&r, "secret/app#port", "5432") && gives(&r, "secret/two#k", "w"));
    CHECK(refuses(&r, "secret/three#k", "Vault", "127.0.0.1"));
    fake_up(&r.fake);
    fake_set(&r.fake, "GET secret/data/app", 200, SECRET("{\"port\":1}"));
    CHECK(refresh(&r) && r.changed && health(&r).ok);
    CHECK(gives(&r, "secret/app#port", "1"));
    rig_close(&r);
}

static void leases(void) {
    struct rig r;
    rig_open(&r);
    fake_set(&r.fake, "GET " MOUNT "database/creds/app", 200, ENGINE("database/", "database"));
    fake_set(&r.fake, "GET database/creds/app", 200,
             LEASED("database/creds/app/abc", 600, true, "{\"username\":\"u1\",\"password\":\"p1\"}"));
    fake_set(&r.fake, "POST sys/leases/renew", 200, LEASED("database/creds/app/abc", 600, true, "null"));
    CHECK(gives(&r, "database/creds/app#username", "u1") && gives(&r, "database/creds/app#password", "p1"));
    CHECK(refresh(&r) && !r.changed);
    CHECK_INT(fake_count(&r.fake, "GET database/creds/app "), 1); // each read would make another user
    later(&r, 450);
    CHECK(vault_due_in(r.vault) == NS_PER_SEC); // two thirds are over, and a second's pause is the least
    CHECK(refresh(&r) && !r.changed);
    CHECK_INT(fake_count(&r.fake, "POST sys/leases/renew [s.root] {\"lease_id\":\"database/creds/app/abc\"}"), 1);
    CHECK(vault_due_in(r.vault) == NS_PER_SEC); // the poll interval
    // The lease can't be renewed much longer: new credentials.
    fake_set(&r.fake, "POST sys/leases/renew", 200, LEASED("database/creds/app/abc", 100, true, "null"));
    fake_set(&r.fake, "GET database/creds/app", 200,
             LEASED("database/creds/app/def", 600, false, "{\"username\":\"u2\",\"password\":\"p2\"}"));
    later(&r, 450);
    CHECK(refresh(&r) && r.changed);
    CHECK(gives(&r, "database/creds/app#username", "u2") && gives(&r, "database/creds/app#password", "p2"));
    // This one can't be renewed at all.
    fake_count(&r.fake, NULL);
    fake_set(&r.fake, "GET database/creds/app", 200,
             LEASED("database/creds/app/ghi", 600, true, "{\"username\":\"u3\",\"password\":\"p3\"}"));
    later(&r, 450);
    CHECK(refresh(&r) && r.changed);
    CHECK_INT(fake_count(&r.fake, "leases/renew"), 0);
    CHECK(gives(&r, "database/creds/app#password", "p3"));
    // Renewal refused (revoked): new credentials too.
    fake_set(&r.fake, "POST sys/leases/renew", 400, "{\"errors\":[\"lease not found\"]}");
    fake_set(&r.fake, "GET database/creds/app", 200,
             LEASED("database/creds/app/jkl", 600, true, "{\"username\":\"u4\",\"password\":\"p4\"}"));
    later(&r, 450);
    CHECK(refresh(&r) && r.changed && health(&r).ok);
    CHECK(gives(&r, "database/creds/app#username", "u4"));
    // Run out while nobody looked: read anew; with Vault down the last value is all there is.
    later(&r, 700);
    fake_down(&r.fake);
    CHECK(gives(&r, "database/creds/app#username", "u4") && !health(&r).ok);
    fake_up(&r.fake);
    fake_set(&r.fake, "GET database/creds/app", 200,
             LEASED("database/creds/app/mno", 600, true, "{\"username\":\"u5\",\"password\":\"p5\"}"));
    CHECK(gives(&r, "database/creds/app#username", "u5") && health(&r).ok);
    rig_close(&r);
}

static void transit(void) {
    struct rig r;
    rig_open(&r);
    fake_set(&r.fake, "POST transit/decrypt/app", 200, "{\"data\":{\"plaintext\":\"c2stdmVyeSBzZWNyZXQ=\"}}");
    CHECK(gives(&r, "transit/decrypt/app#vault:v1:8SDd3WHD+/=", "sk-very secret"));
    CHECK(gives(&r, "transit/decrypt/app#vault:v1:8SDd3WHD+/=", "sk-very secret"));
    CHECK_INT(fake_count(&r.fake, "decrypt/app [s.root] {\"ciphertext\":\"vault:v1:8SDd3WHD+/=\"}"), 1);
    fake_set(&r.fake, "POST crypt/eu/decrypt/app", 200, "{\"data\":{\"plaintext\":\"\"}}");
    CHECK(gives(&r, "crypt/eu/decrypt/app#vault:v2:x", ""));
    CHECK(refresh(&r) && !r.changed);
    CHECK_INT(fake_count(&r.fake, "decrypt"), 2); // what was decrypted can't change
    fake_set(&r.fake, "POST transit/decrypt/app", 400, "{\"errors\":[\"cipher: message authentication failed\"]}");
    CHECK(refuses(&r, "transit/decrypt/app#vault:v1:other", "message authentication failed", "transit/decrypt/app"));
    static const char *const odd[] = {"{\"data\":{\"plaintext\":\"!!\"}}", "{\"data\":{\"plaintext\":\"YQ\"}}",
                                      "{\"data\":{\"plaintext\":7}}", "{\"data\":{}}", "{\"data\":null}"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        fake_set(&r.fake, "POST transit/decrypt/app", 200, odd[i]);
        CHECK(refuses(&r, "transit/decrypt/app#vault:v1:odd", "not one of Vault", NULL));
    }
    // Neither of these is one: they are read as any secret.
    CHECK(refuses(&r, "transit/decrypt/a/b#vault:v1:x", "404", NULL));
    CHECK(refuses(&r, "transit/decrypt/app#k", "404", NULL));
    CHECK_INT(fake_count(&r.fake, "GET transit/decrypt/app "), 1);
    rig_close(&r);
}

static void other_settings(void) {
    struct rig r;
    rig_open(&r);
    CHECK(gives(&r, "secret/app#port", "5432"));
    struct conf_vault good = r.settings;
    // Settings that do not serve leave what is in use as it is.
    approle(&r);
    fake_set(&r.fake, "POST auth/approle/login", 400, "{\"errors\":[\"invalid role or secret ID\"]}");
    CHECK(refuses(&r, "secret/app#port", "invalid role", NULL));
    CHECK(health(&r).ok);
    fake_count(&r.fake, NULL);
    r.settings = good;
    r.settings.timeout = 10000; // no reason for a new login
    CHECK(gives(&r, "secret/app#port", "5432") && fake_count(&r.fake, "\n") == 0);
    // Those that serve take over, and nothing of the old ones is used any more.
    approle(&r);
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.n", 60, true));
    fake_set(&r.fake, "GET secret/data/app", 200, SECRET("{\"port\":7}"));
    CHECK(gives(&r, "secret/app#port", "7"));
    CHECK_INT(fake_count(&r.fake, "[s.root]"), 0);
    CHECK(refresh(&r) && !r.changed);
    rig_close(&r);
}

static void what_is_in_use(void) {
    struct rig r;
    const struct str names[] = {STR("secret/app#port"), STR("secret/never#read")};
    rig_open(&r);
    CHECK(vault_due_in(r.vault) == UINT64_MAX);
    fake_set(&r.fake, "GET secret/data/two", 200, SECRET("{\"k\":\"v\"}"));
    fake_set(&r.fake, "POST transit/decrypt/app", 200, "{\"data\":{\"plaintext\":\"YQ==\"}}");
    CHECK(gives(&r, "secret/app#port", "5432") && gives(&r, "secret/two#k", "v"));
    CHECK(gives(&r, "secret/app#on", "true") && gives(&r, "transit/decrypt/app#vault:v1:a", "a"));
    vault_retain(r.vault, names, 2);
    CHECK_INT(r.vault->session->docs.n, 1);
    CHECK_INT(r.vault->session->values.n, 1);
    fake_count(&r.fake, NULL);
    CHECK(refresh(&r) && fake_count(&r.fake, "GET secret/data/two") == 0 && fake_count(&r.fake, "data/app") == 1);
    vault_retain(r.vault, NULL, 0);
    CHECK(!health(&r).used && vault_due_in(r.vault) == UINT64_MAX);
    CHECK(gives(&r, "secret/two#k", "v"));
    rig_close(&r);
}

static void out_of_memory(void) {
    struct mem_stats before, after;
    mem_stats_get(&before);
    struct rig r;
    rig_open(&r);
    approle(&r);
    fake_set(&r.fake, "POST auth/approle/login", 200, LOGIN("hvs.n", 60, true));
    unsigned refused = 0;
    for (uint64_t n = 1; n < 400; n += 3) {
        vault_retain(r.vault, NULL, 0);
        later(&r, 61);
        mem_fail_nth(n);
        refused += !rd(&r, "secret/app#port");
        bool changed;
        if (!vault_refresh(r.vault, &changed, &r.err)) refused++;
        mem_fail_nth(0);
    }
    CHECK(refused > 5);
    CHECK(gives(&r, "secret/app#port", "5432"));
    rig_close(&r);
    mem_stats_get(&after);
    CHECK_INT(after.allocs - before.allocs, after.frees - before.frees);
}

struct crowd {
    struct rig rig;
    atomic_int faults;
};

static void *reader(void *arg) {
    struct crowd *c = arg;
    for (int i = 0; i < 20; i++) {
        struct buf out BUF_AUTO = BUF_INIT(1000);
        struct err err;
        bool changed;
        struct vault_health h;
        if (!vault_read(c->rig.vault, &c->rig.settings, STR("secret/app#port"), &out, &err)) c->faults++;
        if (i % 5 == 0 && !vault_refresh(c->rig.vault, &changed, &err)) c->faults++;
        vault_health_get(c->rig.vault, &h);
    }
    return NULL;
}

static void many_threads(void) {
    struct crowd c = {0};
    pthread_t threads[4];
    rig_open(&c.rig);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) REQUIRE(pthread_create(&threads[i], NULL, reader, &c) == 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) pthread_join(threads[i], NULL);
    CHECK_INT(c.faults, 0);
    CHECK_INT(fake_count(&c.rig.fake, "GET " MOUNT), 1);
    rig_close(&c.rig);
}

static void begin(void) {
    struct err err;
    REQUIRE(fetch_global_begin(&err));
}

TEST_MAIN(begin, kv_two, other_engines, what_is_wrong, odd_answers, bad_names, token_login, approle_login, token_lost,
          kubernetes_login, odd_logins, a_change, down_and_back, leases, transit, other_settings, what_is_in_use,
          out_of_memory, many_threads)
