// Tests of keyring_renew: after any change the renewed ring says what one that is loaded anew says, and what was not
// changed is not read again.
#include "check.h"
#include "test_database.h"

#include "access/keyring.h"
#include "base/mem.h"
#include "os/clock.h"

static struct err err;

#define NOW INT64_C(1700000000000000000)
#define KEYS_MAX 64

struct world {
    struct datadir dir;
    struct sql *db;
    struct secret keys[KEYS_MAX];
    size_t n_keys;
    uint64_t random;
};

static unsigned pick(struct world *w, unsigned below) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(w->random >> 33) % below;
}

static void run(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void run(struct world *w, const char *format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    REQUIRE(n > 0 && (size_t)n < sizeof text);
    if (sql_exec(w->db, str_of(text, (size_t)n), &err)) return;
    fprintf(stderr, "%s: %s\n", text, err.message);
    REQUIRE(false);
}

static void make_key(struct world *w) {
    struct key_created key = {0};
    struct key_wanted wanted = {.tenant = pick(w, 2) ? STR("acme") : STR("beta")};
    REQUIRE(w->n_keys < KEYS_MAX && key_create(w->db, &w->dir, &wanted, NOW, &key, &err));
    w->keys[w->n_keys++] = key.text;
}

static void open_world(struct world *w, const char *name, uint64_t seed) {
    *w = (struct world){.random = seed};
    REQUIRE(test_datadir(name, &w->dir, &err) && datadir_open_db(&w->dir, 1000, &w->db, &err));
    run(w, "INSERT INTO tenant (id, name) VALUES (10, 'acme'), (20, 'beta');"
           "INSERT INTO team (tenant_id, created_at, updated_at, name) VALUES (10, 0, 0, 'red'),"
           " (20, 0, 0, 'x'), (10, 0, 0, 'blue');"
           "INSERT INTO project (tenant_id, created_at, updated_at, team_id, name) VALUES (10, 0, 0, 1, 'p'),"
           " (20, 0, 0, 2, 'q')");
    for (int i = 1; i <= 8; i++)
        run(w, "INSERT INTO app_user (tenant_id, created_at, updated_at, email) VALUES (%d, 0, 0, 'u%d')",
            i % 3 ? 10 : 20, i);
    // The others have nothing but what they are lent.
    for (int i = 1; i <= 3; i++)
        run(w,
            "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role)"
            " VALUES (%d, 0, 0, 'user', %d, 'developer')",
            i % 3 ? 10 : 20, i);
    run(w, "INSERT INTO service_account (id, tenant_id, created_at, updated_at, name) VALUES (1, 10, 0, 0, 'bot'),"
           " (2, 20, 0, 0, 'tob');"
           "INSERT INTO role (id, tenant_id, created_at, updated_at, name, parents, permissions) VALUES"
           " (1, 10, 0, 0, 'coder', '[\"viewer\"]', '[\"model:use\"]')");
    for (int i = 0; i < 20; i++) make_key(w);
    for (int i = 1; i <= 16; i++)
        run(w, "UPDATE api_key SET owner_kind = 'user', owner_id = %d WHERE id = %d", i / 2, i);
}

static void close_world(struct world *w) {
    for (size_t i = 0; i < w->n_keys; i++) secret_free(&w->keys[i]);
    sql_close(w->db);
    datadir_close(&w->dir);
}

// --- the same answers ---

static void same_key(const struct keyring *a, const struct keyring *b, struct str text) {
    static const char *const models[] = {"gpt-5", "gpt-4", "secret-1", "other"};
    static const char *const places[] = {"10.1.2.3", "192.0.2.1"};
    const struct key_entry *x = NULL, *y = NULL;
    struct err ours = {0}, theirs = {0};
    CHECK(keyring_check(a, text, NOW, &x, &ours) == keyring_check(b, text, NOW, &y, &theirs));
    CHECK_STR(str_c(ours.message), str_c(theirs.message));
    if (!x || !y) return;
    CHECK(x->id == y->id && x->tenant_id == y->tenant_id && x->team_id == y->team_id && x->owner.id == y->owner.id);
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        CHECK(keyring_admits(a, x, str_c(places[i]), STR(""), &err) ==
              keyring_admits(b, y, str_c(places[i]), STR(""), &err));
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        ours = theirs = (struct err){0};
        CHECK(keyring_check_model(a, x, str_c(models[i]), NOW, &ours) ==
              keyring_check_model(b, y, str_c(models[i]), NOW, &theirs));
        CHECK_STR(str_c(ours.message), str_c(theirs.message));
    }
}

static void renew(struct world *w, struct keyring **io_ring) {
    struct keyring *renewed = NULL, *loaded = NULL;
    datadir_key_changed(&w->dir);
    CHECK(keyring_stale(*io_ring));
    REQUIRE(keyring_renew(w->db, *io_ring, &renewed, &err));
    CHECK(!keyring_stale(renewed));
    keyring_unref(*io_ring);
    *io_ring = renewed;
    REQUIRE(keyring_load(w->db, &w->dir, &loaded, &err));
    CHECK_INT(keyring_count(renewed), keyring_count(loaded));
    CHECK_INT(keyring_damaged(renewed), keyring_damaged(loaded));
    for (size_t i = 0; i < w->n_keys; i++) same_key(renewed, loaded, secret_str(&w->keys[i]));
    keyring_unref(loaded);
}

// --- any change ---

static void change_grant(struct world *w) {
    static const char *const kinds[] = {"user", "user", "user", "service_account", "team", "tenant"};
    static const char *const resources[] = {"", "", "model/gpt-*", "model/secret-1", "project/*"};
    const char *kind = kinds[pick(w, ARRAY_LEN(kinds))];
    unsigned who = kind[0] == 'u' ? 1 + pick(w, 8) : kind[1] == 'e' && kind[2] == 'n' ? 10 : 1 + pick(w, 2);
    switch (pick(w, 5)) {
    case 0:
        run(w, "UPDATE access_grant SET revoked_at = 1 - revoked_at WHERE id = %u", 1 + pick(w, 30));
        break;
    case 1:
        run(w,
            "DELETE FROM access_grant WHERE id = %u AND id NOT IN"
            " (SELECT parent_id FROM access_grant WHERE parent_id IS NOT NULL)",
            1 + pick(w, 30));
        break;
    case 2: // delegated by somebody, perhaps of what was delegated
        run(w,
            "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role,"
            " parent_id, granted_by_kind, granted_by_id) SELECT tenant_id, 0, 0, 'user', %u, 'developer', id,"
            " principal_kind, principal_id FROM access_grant WHERE principal_kind = 'user' AND id %% 7 = %u LIMIT 1",
            1 + pick(w, 8), pick(w, 7));
        break;
    default:
        run(w,
            "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role, resource,"
            " effect) VALUES (%u, 0, 0, '%s', %u, '%s', '%s', '%s')",
            pick(w, 4) ? 10 : 20, kind, who, pick(w, 2) ? "developer" : "coder",
            resources[pick(w, ARRAY_LEN(resources))], pick(w, 4) ? "allow" : "deny");
    }
}

static void change_key(struct world *w) {
    unsigned id = 1 + pick(w, (unsigned)w->n_keys);
    switch (pick(w, 7)) {
    case 0:
        run(w, "UPDATE api_key SET revoked_at = 1 - revoked_at WHERE id = %u", id);
        break;
    case 1:
        run(w, "UPDATE api_key SET owner_kind = 'user', owner_id = %u WHERE id = %u", 1 + pick(w, 9), id);
        break;
    case 2:
        run(w, "UPDATE api_key SET owner_kind = '%s', owner_id = 1 WHERE id = %u",
            pick(w, 4) ? "service_account" : "alien", id);
        break;
    case 3:
        run(w, "UPDATE api_key SET allowed_models = '%s' WHERE id = %u", pick(w, 3) ? "[\"gpt-*\"]" : "[", id);
        break;
    case 4:
        run(w, "UPDATE api_key SET scopes = '%s', addresses = '%s' WHERE id = %u",
            pick(w, 3) ? "[\"model:use\"]" : "[\"key:read\"]", pick(w, 2) ? "[\"10.0.0.0/8\"]" : "[]", id);
        break;
    case 5:
        run(w, "UPDATE api_key SET last_used_at = last_used_at + 1 WHERE id = %u", id);
        break;
    default:
        if (w->n_keys < KEYS_MAX) make_key(w);
    }
}

static void change_anything(struct world *w) {
    unsigned user = 1 + pick(w, 8);
    switch (pick(w, 16)) {
    case 0:
    case 1:
        run(w, "UPDATE app_user SET status = '%s' WHERE id = %u", pick(w, 2) ? "active" : "suspended", user);
        break;
    case 2:
        run(w,
            "INSERT INTO team_member (tenant_id, team_id, principal_kind, principal_id, created_at)"
            " VALUES (10, %u, 'user', %u, 0) ON CONFLICT DO NOTHING",
            pick(w, 2) ? 1 : 3, user);
        break;
    case 3:
        run(w, "DELETE FROM team_member WHERE principal_id = %u", user);
        break;
    case 4:
        run(w, "UPDATE tenant SET status = '%s' WHERE id = %u", pick(w, 3) ? "active" : "suspended",
            pick(w, 2) ? 10 : 20);
        break;
    case 5:
        run(w, "UPDATE role SET permissions = '[\"model:%s\"]'", pick(w, 2) ? "use" : "read");
        break;
    case 6:
        run(w, "UPDATE project SET team_id = %u WHERE id = 1", pick(w, 2) ? 1 : 3);
        break;
    case 7:
        run(w, "INSERT INTO app_user (tenant_id, created_at, updated_at, email) VALUES (10, 0, 0, 'new-%u-%u')",
            pick(w, 1000000), pick(w, 1000000));
        break;
    case 8:
        if (!pick(w, 4)) run(w, "DELETE FROM api_key WHERE id = %u", 1 + pick(w, (unsigned)w->n_keys));
        break;
    case 9:
    case 10:
    case 11:
        change_key(w);
        break;
    default:
        change_grant(w);
    }
}

static void test_random(void) {
    int rounds = test_server() ? 60 : 300;
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct world w;
        struct keyring *ring;
        char name[16];
        snprintf(name, sizeof name, "random%u", seed);
        open_world(&w, name, seed);
        REQUIRE(keyring_load(w.db, &w.dir, &ring, &err));
        for (int i = 0; i < rounds; i++) {
            for (unsigned n = pick(&w, 4); n > 0; n--) change_anything(&w);
            renew(&w, &ring);
        }
        keyring_unref(ring);
        close_world(&w);
    }
}

// --- what is read again ---

// Whether all keys were read again: then the policy is another.
static bool reads_all(struct world *w, struct keyring **io_ring) {
    struct policy *before = policy_ref((struct policy *)(uintptr_t)keyring_policy(*io_ring));
    renew(w, io_ring);
    bool other = keyring_policy(*io_ring) != before;
    policy_unref(before);
    return other;
}

static void test_extent(void) {
    struct world w;
    struct keyring *ring, *same;
    open_world(&w, "extent", 7);
    REQUIRE(keyring_load(w.db, &w.dir, &ring, &err));
    same = ring;
    renew(&w, &ring);
    CHECK(ring == same); // nothing was changed: it serves on
    make_key(&w);
    CHECK(!reads_all(&w, &ring));
    run(&w, "UPDATE api_key SET owner_kind = 'user', owner_id = 8 WHERE id = 21; UPDATE api_key SET revoked_at = 1"
            " WHERE id = 3");
    CHECK(!reads_all(&w, &ring));
    CHECK_INT(keyring_count(ring), 21);
    run(&w, "INSERT INTO app_user (tenant_id, created_at, updated_at, email) VALUES (10, 0, 0, 'new');"
            "INSERT INTO team (tenant_id, created_at, updated_at, name) VALUES (10, 0, 0, 'new');"
            "INSERT INTO project (tenant_id, created_at, updated_at, name) VALUES (10, 0, 0, 'new');"
            "INSERT INTO tenant (id, name) VALUES (30, 'new');"
            "UPDATE app_user SET status = 'suspended' WHERE id = 2;"
            "UPDATE access_grant SET revoked_at = 1 WHERE principal_id = 4");
    CHECK(!reads_all(&w, &ring));
    // What can concern anybody.
    run(&w, "UPDATE role SET permissions = '[]'");
    CHECK(reads_all(&w, &ring));
    run(&w, "UPDATE tenant SET status = 'suspended' WHERE id = 10");
    CHECK(reads_all(&w, &ring));
    run(&w, "DELETE FROM api_key WHERE id = 5");
    CHECK(reads_all(&w, &ring));
    // More than are worth telling apart.
    run(&w,
        "INSERT INTO api_key (tenant_id, hash, prefix, created_at)"
        " SELECT 10, "
        "%s"
        ", 'ps-x', 1 FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
        " i < 300) SELECT i FROM n) n",
        test_server() ? "decode(lpad(to_hex(i), 64, '0'), 'hex')" : "CAST(printf('%032d', i) AS BLOB)");
    CHECK(reads_all(&w, &ring));
    keyring_unref(ring);
    close_world(&w);
}

static void test_no_memory(void) {
    struct world w;
    struct keyring *ring, *renewed = NULL;
    open_world(&w, "memory", 9);
    REQUIRE(keyring_load(w.db, &w.dir, &ring, &err));
    make_key(&w);
    for (uint64_t nth = 1;; nth++) {
        struct mem_stats before, after;
        mem_stats_get(&before);
        mem_fail_nth(nth);
        bool ok = keyring_renew(w.db, ring, &renewed, &err);
        mem_fail_nth(0);
        mem_stats_get(&after);
        if (!ok) CHECK(err.code == ERR_NO_MEMORY && !renewed);
        if (after.failed == before.failed) break;
        if (ok) keyring_unref(renewed), renewed = NULL;
        REQUIRE(nth < 5000);
    }
    REQUIRE(renewed);
    CHECK_INT(keyring_count(renewed), 21);
    keyring_unref(renewed);
    keyring_unref(ring);
    close_world(&w);
}

TEST_MAIN(test_random, test_extent, test_no_memory)
