// Tests of access/key_rotate.h: what is due, what is made of it, once, and collecting.
#include "check.h"
#include "test_database.h"

#include "access/key_rotate.h"
#include "base/mem.h"

#define HOUR ((int64_t)3600 * 1000000000)

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct audit_signer *signer;
static struct arena arena;
static const int64_t k_now = 1700000000000000000;

static void begin(const char *name) {
    REQUIRE(test_datadir(name, &dir, &err) && datadir_open_db(&dir, 1000, &db, &err));
    REQUIRE(audit_signer_create(&dir, &signer, &err));
    arena_init(&arena, NULL, 0, 64 << 20);
}

static void end(void) {
    arena_free(&arena);
    audit_signer_free(signer);
    sql_close(db);
    datadir_close(&dir);
}

static struct sql_scope scope(void) { return sql_tenant(db, TENANT_DEFAULT); }

static int64_t number(const char *text) {
    int64_t n;
    REQUIRE(sql_query_i64(sql_platform(db), str_c(text), &n, &err));
    return n;
}

static void run(const char *text) { REQUIRE(sql_exec(db, str_c(text), &err)); }

static int64_t make(const char *name) {
    struct key_created key = {0};
    REQUIRE(key_create(db, &dir, &(struct key_wanted){.name = str_c(name)}, k_now, &key, &err));
    int64_t id = key.id;
    key_created_free(&key);
    return id;
}

static struct entity_row *row_of(int64_t id) {
    struct entity_row *row = ARENA_NEW(&arena, struct entity_row);
    REQUIRE(row && entity_get(scope(), &entity_key, id, &arena, row, &err));
    return row;
}

struct told {
    size_t n;
    struct key_rotated last;
};
static void told(void *ctx, const struct key_rotated *rotated) {
    struct told *t = ctx;
    t->n++;
    t->last = *rotated;
    t->last.name = STR_NONE; // borrowed for the call
}

static void test_due(void) {
    begin("due");
    struct told t = {0};
    bool due;
    int64_t plain = make("plain"), old = make("old"), revoked = make("revoked"), over = make("over"),
            later = make("later");
    run("UPDATE api_key SET rotate_every_s = 7200, rotate_overlap_s = 1800, rotate_at = 1700000000000000000"
        " WHERE name <> 'plain'");
    run("UPDATE api_key SET revoked_at = 1 WHERE name = 'revoked'");
    run("UPDATE api_key SET expires_at = 1700000000000000000 WHERE name = 'over'");
    run("UPDATE api_key SET rotate_at = rotate_at + 1 WHERE name = 'later'");
    CHECK(key_rotation_is_due(db, k_now - 1, &due, &err) && !due);
    CHECK(key_rotation_is_due(db, k_now, &due, &err) && due);
    uint64_t generation = datadir_key_generation(&dir);
    CHECK(key_rotate_due(db, &dir, signer, k_now - 1, told, &t, &err) && t.n == 0);
    CHECK(key_rotate_due(db, &dir, signer, k_now, told, &t, &err) && t.n == 1);
    CHECK(datadir_key_generation(&dir) > generation);
    CHECK_INT(t.last.key, old);
    CHECK_INT(t.last.until_ns, k_now + 2 * HOUR);
    CHECK(key_rotation_is_due(db, k_now, &due, &err) && !due);
    CHECK(key_rotate_due(db, &dir, signer, k_now, told, &t, &err) && t.n == 1);
    CHECK_INT(number("SELECT count(*) FROM api_key"), 6);
    CHECK_INT(number("SELECT count(*) FROM api_key WHERE handover IS NOT NULL AND rotate_at = 0"), 1);
    CHECK_INT(number("SELECT count(*) FROM audit_event WHERE action = 'key.rotate' AND actor_kind = 'system'"), 1);
    CHECK_INT(number("SELECT expires_at FROM api_key WHERE name = 'old' AND replaced_by <> 0"), k_now + 2 * HOUR);
    // What waits is not due, however late it is; the one that was later is.
    CHECK(key_rotate_due(db, &dir, signer, k_now + 100 * HOUR, told, &t, &err) && t.n == 2);
    CHECK_INT(t.last.key, later);
    CHECK(row_of(plain)->version == 1 && row_of(revoked)->version == 1 && row_of(over)->version == 1);
    end();
}

static void test_collect(void) {
    begin("collect");
    struct told t = {0};
    struct str text;
    char hash[KEY_HASH_SIZE];
    int64_t old = make("k");
    run("UPDATE api_key SET rotate_every_s = 7200, rotate_overlap_s = 1800, rotate_at = 1");
    struct entity_row *row = row_of(old);
    CHECK(!key_rotate_collect(scope(), &dir, row, -1, k_now, &arena, &text, &err) && err.code == ERR_EXISTS);
    REQUIRE(key_rotate_due(db, &dir, signer, k_now, told, &t, &err) && t.n == 1);
    row = row_of(t.last.next);
    CHECK(!key_rotate_collect(scope(), &dir, row, 99, k_now + HOUR, &arena, &text, &err));
    row = row_of(t.last.next);
    // The failed one's transaction would have been rolled back.
    CHECK_INT(number("SELECT count(*) FROM api_key WHERE handover_at <> 0"), 1);
    end();

    begin("collected");
    t = (struct told){0};
    old = make("k");
    run("UPDATE api_key SET rotate_every_s = 7200, rotate_overlap_s = 1800, rotate_at = 1");
    REQUIRE(key_rotate_due(db, &dir, signer, k_now, told, &t, &err) && t.n == 1);
    row = row_of(t.last.next);
    REQUIRE(key_rotate_collect(scope(), &dir, row, row->version, k_now + HOUR, &arena, &text, &err));
    CHECK(key_text_form(text) == KEY_FORM_GOOD);
    key_text_hash(&dir, text, hash);
    struct key_row found;
    REQUIRE(key_find_id(db, t.last.next, &arena, &found, &err));
    CHECK(key_hash_eq(hash, found.hash));
    CHECK_INT(number("SELECT count(*) FROM api_key WHERE handover IS NOT NULL OR handover_at <> 0"), 0);
    CHECK_INT(number("SELECT rotate_at FROM api_key WHERE replaces <> 0"), k_now + 3 * HOUR);
    CHECK_INT(number("SELECT expires_at FROM api_key WHERE replaced_by <> 0"), k_now + HOUR + HOUR / 2);
    row = row_of(t.last.next);
    CHECK(!key_rotate_collect(scope(), &dir, row, -1, k_now, &arena, &text, &err) && err.code == ERR_EXISTS);
    // A text that cannot be opened is told as such.
    REQUIRE(key_rotate_due(db, &dir, signer, k_now + 3 * HOUR, told, &t, &err) && t.n == 2);
    run("UPDATE api_key SET handover = CAST('damaged, and longer than a head' AS BLOB) WHERE handover IS NOT NULL");
    row = row_of(t.last.next);
    CHECK(!key_rotate_collect(scope(), &dir, row, -1, k_now, &arena, &text, &err) && err.code == ERR_STORE);
    end();
}

// At every allocation that fails nothing is half done.
static void test_no_memory(void) {
    begin("memory");
    struct told t = {0};
    make("k");
    run("UPDATE api_key SET rotate_every_s = 7200, rotate_at = 1");
    bool ok = false;
    for (uint64_t n = 1; !ok && n < 2000; n++) {
        mem_fail_nth(n);
        ok = key_rotate_due(db, &dir, signer, k_now, told, &t, &err);
        mem_fail_nth(0);
        CHECK_INT(number("SELECT count(*) FROM api_key"), ok ? 2 : 1);
        CHECK_INT(t.n, ok);
    }
    CHECK(ok);
    end();
}

TEST_MAIN(test_due, test_collect, test_no_memory)
