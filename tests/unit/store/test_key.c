// Tests of store/key.h: rows in and out, finding, revoking, touching, the count of edits, damaged rows.
#include "check.h"
#include "test_database.h"

#include "base/mem.h"
#include "store/key.h"
#include "store/migrate.h"

static struct err err;

static struct sql *open_db(const char *name) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 1000};
    struct sql *db = NULL;
    REQUIRE(sql_open(test_database(name), &options, &db, &err));
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    return db;
}

static struct key_row row_of(const char *name, const char *prefix, char fill) {
    struct key_row row = {.id = 99,
                          .tenant_id = TENANT_DEFAULT,
                          .name = str_c(name),
                          .prefix = str_c(prefix),
                          .any_model = true,
                          .created_at = 1000,
                          .revoked_at = 5,
                          .last_used_at = 6};
    memset(row.hash, fill, sizeof row.hash);
    return row;
}

static int64_t insert(struct sql *db, const char *name, const char *prefix, char fill) {
    struct key_row row = row_of(name, prefix, fill);
    int64_t id = 0;
    return key_insert(db, &row, &id, &err) ? id : 0;
}

static void test_insert(void) {
    struct sql *db = open_db("insert.db");
    struct arena arena;
    struct key_row in = row_of("alpha", "ps-aaaaaa", 'a'), out;
    arena_init(&arena, NULL, 0, 1 << 20);
    in.is_admin = true;
    in.any_model = false;
    in.allowed_models = STR("[\"gpt-*\"]");
    in.expires_at = 5000;
    int64_t id = 0, second;
    REQUIRE(key_insert(db, &in, &id, &err));
    CHECK_INT(id, 1);
    REQUIRE(key_find_id(db, id, &arena, &out, &err));
    CHECK_INT(out.id, id);
    CHECK_INT(out.tenant_id, TENANT_DEFAULT);
    CHECK_STR(out.name, STR("alpha"));
    CHECK_STR(out.prefix, STR("ps-aaaaaa"));
    CHECK(memcmp(out.hash, in.hash, sizeof in.hash) == 0);
    CHECK(out.is_admin && !out.any_model);
    CHECK_STR(out.allowed_models, STR("[\"gpt-*\"]"));
    CHECK_INT(out.created_at, 1000);
    CHECK_INT(out.expires_at, 5000);
    CHECK_INT(out.revoked_at, 0); // a new key is neither revoked nor used, whatever the row said
    CHECK_INT(out.last_used_at, 0);

    CHECK(!key_insert(db, &in, &second, &err)); // the same hash
    CHECK_INT(err.code, ERR_EXISTS);
    second = insert(db, "beta", "ps-bbbbbb", 'b');
    CHECK(second > id);
    CHECK(key_find_id(db, second, &arena, &out, &err) && out.any_model && !out.is_admin && out.allowed_models.n == 0);
    arena_free(&arena);
    sql_close(db);
}

static void test_find(void) {
    struct sql *db = open_db("find.db");
    struct arena arena;
    struct key_row out;
    int64_t id = insert(db, "alpha", "ps-aaaaaa", 'a'), second = insert(db, "beta", "ps-bbbbbb", 'b');
    char text[KEY_ID_TEXT_LEN];
    arena_init(&arena, NULL, 0, 1 << 20);
    key_id_text(text, second);
    CHECK(key_find(db, str_of(text, sizeof text), &arena, &out, &err) && out.id == second);
    CHECK(key_find(db, STR("ps-bbbbbb"), &arena, &out, &err) && out.id == second);
    CHECK(key_find(db, STR("ps-bbbbbb…"), &arena, &out, &err) && out.id == second);
    CHECK(key_find(db, STR("ps-bbbbbb..."), &arena, &out, &err) && out.id == second);
    CHECK(key_find(db, STR("alpha"), &arena, &out, &err) && out.id == id);
    CHECK(key_find_prefix(db, STR("ps-aaaaaa"), &arena, &out, &err) && out.id == id);
    CHECK(key_find_name(db, STR("beta"), &arena, &out, &err) && out.id == second);
    CHECK(!key_find(db, STR("gamma"), &arena, &out, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(strstr(err.message, "key list"));
    CHECK(!key_find(db, STR("key_0000000000zzz"), &arena, &out, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!key_find(db, STR(""), &arena, &out, &err));

    // Names need not be unique; then the id is asked for.
    CHECK(insert(db, "beta", "ps-cccccc", 'c') > second);
    CHECK(!key_find(db, STR("beta"), &arena, &out, &err));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK(insert(db, "delta", "ps-cccccc", 'd') != 0);
    CHECK(!key_find(db, STR("ps-cccccc"), &arena, &out, &err));
    CHECK_INT(err.code, ERR_EXISTS);
    arena_free(&arena);
    sql_close(db);
}

static void test_ids_and_limits(void) {
    struct sql *db = open_db("limits.db");
    uint64_t n;
    for (char c = 'a'; c < 'e'; c++) CHECK(insert(db, "x", "ps-x", c) != 0);
    CHECK(key_count(db, &n, &err) && n == 4);
    // An id is never given twice, as usage records speak of it.
    CHECK(sql_exec(db, STR("DELETE FROM api_key WHERE id = 4"), &err));
    CHECK_INT(insert(db, "epsilon", "ps-eeeeee", 'e'), 5);

    char long_name[KEY_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    CHECK_INT(insert(db, long_name, "ps-ffffff", 'f'), 0);
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    sql_close(db);
}

static void test_id_text(void) {
    char text[KEY_ID_TEXT_LEN];
    int64_t id = 0;
    key_id_text(text, 33);
    CHECK_STR(str_of(text, sizeof text), STR("key_0000000000011"));
    CHECK(key_id_parse(str_of(text, sizeof text), &id) && id == 33);
    CHECK(!key_id_parse(STR("key_0000000000000"), &id));
    CHECK(!key_id_parse(STR("key_fzzzzzzzzzzzz"), &id)); // past 63 bits
    CHECK(!key_id_parse(STR("req_0000000000011"), &id));
}

static void test_revoke_and_touch(void) {
    struct sql *db = open_db("touch.db");
    struct arena arena;
    struct key_row row;
    uint64_t e0, e1, e2, e3;
    arena_init(&arena, NULL, 0, 1 << 20);
    CHECK(key_edits(db, &e0, &err));
    int64_t a = insert(db, "a", "ps-a", 'a'), b = insert(db, "b", "ps-b", 'b');
    CHECK(key_edits(db, &e1, &err) && e1 == e0 + 2);
    struct key_use uses[] = {{a, 500}, {12345, 600}, {b, 700}, {a, 400}};
    CHECK(key_touch(db, uses, ARRAY_LEN(uses), &err));
    CHECK(key_touch(db, NULL, 0, &err));
    CHECK(key_find_id(db, a, &arena, &row, &err) && row.last_used_at == 500); // never back
    CHECK(key_find_id(db, b, &arena, &row, &err) && row.last_used_at == 700);
    CHECK(key_edits(db, &e2, &err) && e2 == e1); // use is no edit

    CHECK(key_set_revoked(db, a, 900, &err) && key_set_revoked(db, a, 950, &err));
    CHECK(key_find_id(db, a, &arena, &row, &err) && row.revoked_at == 900);
    CHECK(key_find_id(db, b, &arena, &row, &err) && row.revoked_at == 0);
    CHECK(key_edits(db, &e3, &err) && e3 > e2);
    CHECK(!key_set_revoked(db, 12345, 1, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(sql_exec(db, STR("DELETE FROM api_key WHERE name = 'b'"), &err));
    CHECK(key_edits(db, &e2, &err) && e2 > e3);
    arena_free(&arena);
    sql_close(db);
}

struct walk {
    int64_t ids[8];
    size_t n, stop_after;
};

static bool note(void *arg, const struct key_row *row, struct err *e) {
    struct walk *w = arg;
    w->ids[w->n++] = row->id;
    return w->n < w->stop_after || err_set(e, ERR_INTERNAL, "enough");
}

static void test_each(void) {
    struct sql *db = open_db("each.db");
    struct walk none = {.stop_after = 9}, all = {.stop_after = 9}, some = {.stop_after = 2};
    CHECK(key_each(db, note, &none, &err) && none.n == 0);
    for (char c = 'a'; c < 'e'; c++) CHECK(insert(db, "x", "ps-x", c) != 0);
    CHECK(key_each(db, note, &all, &err) && all.n == 4);
    for (size_t i = 0; i < all.n; i++) CHECK_INT(all.ids[i], i + 1);
    CHECK(!key_each(db, note, &some, &err) && some.n == 2);
    CHECK_STR(str_c(err.message), STR("enough"));
    CHECK(sql_begin(db, &err) && sql_commit(db, &err)); // the walk left nothing open
    sql_close(db);
}

static void test_damaged_row(void) {
    struct sql *db = open_db("damaged.db");
    struct walk w = {.stop_after = 9};
    CHECK(insert(db, "x", "ps-x", 'x') != 0);
    CHECK(!sql_exec(db, STR("UPDATE api_key SET hash = x'00'"), &err)); // the schema stands guard
    struct str spoil = STR("PRAGMA ignore_check_constraints = 1; UPDATE api_key SET hash = x'00'");
    if (test_server())
        spoil = STR("ALTER TABLE api_key DROP CONSTRAINT api_key_hash_check; UPDATE api_key SET hash = '\\x00'");
    CHECK(sql_exec(db, spoil, &err));
    CHECK(!key_each(db, note, &w, &err));
    CHECK_INT(err.code, ERR_STORE);
    sql_close(db);
}

static void test_tenant(void) {
    struct sql *db = open_db("tenant.db");
    struct arena arena;
    struct walk w = {.stop_after = 9};
    struct key_row row = row_of("theirs", "ps-t", 't'), out;
    uint64_t before, after;
    int64_t id;
    arena_init(&arena, NULL, 0, 1 << 20);
    REQUIRE(insert(db, "ours", "ps-o", 'o') && tenant_intern(db, STR("acme"), &row.tenant_id, &err));
    REQUIRE(key_insert(db, &row, &id, &err));
    CHECK(key_find_id(db, id, &arena, &out, &err));
    CHECK_INT(out.tenant_id, row.tenant_id);
    CHECK_STR(out.tenant, STR("acme"));
    CHECK(key_find_name(db, STR("ours"), &arena, &out, &err));
    CHECK_STR(out.tenant, STR(""));
    CHECK(key_edits(db, &before, &err));
    CHECK(sql_exec(db, STR("UPDATE api_key SET tenant_id = 1 WHERE name = 'theirs'"), &err));
    CHECK(key_edits(db, &after, &err) && after == before + 1);
    // A tenant that is gone must not make its key one of the general configuration.
    CHECK(sql_exec(db, STR("UPDATE api_key SET tenant_id = 77 WHERE name = 'theirs'"), &err));
    CHECK(!key_each(db, note, &w, &err));
    CHECK_INT(err.code, ERR_STORE);
    arena_free(&arena);
    sql_close(db);
}

static void test_no_memory(void) {
    struct sql *db = open_db("memory.db");
    struct arena arena;
    struct key_row row;
    REQUIRE(insert(db, "some name that is longer than small", "ps-x", 'x') == 1);
    for (uint64_t nth = 1;; nth++) {
        struct mem_stats before, after;
        arena_init(&arena, NULL, 0, 1 << 20);
        mem_stats_get(&before);
        mem_fail_nth(nth);
        bool ok = key_find(db, STR("some name that is longer than small"), &arena, &row, &err);
        mem_fail_nth(0);
        mem_stats_get(&after);
        if (!ok)
            CHECK_INT(err.code, ERR_NO_MEMORY);
        else
            CHECK_STR(row.name, STR("some name that is longer than small"));
        arena_free(&arena);
        if (after.failed == before.failed) break;
        REQUIRE(nth < 1000);
    }
    sql_close(db);
}

TEST_MAIN(test_insert, test_find, test_ids_and_limits, test_id_text, test_revoke_and_touch, test_each, test_damaged_row,
          test_tenant, test_no_memory)
