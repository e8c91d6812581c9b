// Tests of access/key.h: the key's text, its hash, creation with good and bad wishes, revocation.
#include "check.h"
#include "test_database.h"

#include "access/key.h"
#include "base/mem.h"

static struct err err;
static const int64_t k_now = 1700000000000000000;

static struct sql *open_all(const char *name, struct datadir *out_dir) {
    struct sql *db = NULL;
    REQUIRE(test_datadir(name, out_dir, &err) && datadir_open_db(out_dir, 1000, &db, &err));
    return db;
}

static void test_shape(void) {
    CHECK(key_text_valid(STR("ps-0123456789012345678901234567890123456789-_z")));
    CHECK(!key_text_valid(STR("")));
    CHECK(!key_text_valid(STR_NONE));
    CHECK(!key_text_valid(STR("ps-")));
    CHECK(!key_text_valid(STR("ps-0123456789012345678901234567890123456789-_")));
    CHECK(!key_text_valid(STR("ps-0123456789012345678901234567890123456789-_zz")));
    CHECK(!key_text_valid(STR("sk-0123456789012345678901234567890123456789-_z")));
    CHECK(!key_text_valid(STR("PS-0123456789012345678901234567890123456789-_z")));
    CHECK(!key_text_valid(STR("ps-0123456789012345678901234567890123456789+/z")));
    CHECK(!key_text_valid(STR("ps-0123456789012345678901234567890123456789-_\0")));
    CHECK(!key_text_valid(STR("ps-0123456789012345678901234567890123456789 _z")));
    CHECK(!key_text_valid(STR("ps-0123456789012345678901234567890123456789\xc3\xa4z")));
}

static void test_hash(void) {
    struct secret a = {0}, b = {0};
    char h1[KEY_HASH_SIZE], h2[KEY_HASH_SIZE];
    REQUIRE(secret_set(&a, STR("0123456789abcdef0123456789abcdef")) &&
            secret_set(&b, STR("0123456789abcdef0123456789abcdeF")));
    key_hash(&a, STR("ps-x"), h1);
    key_hash(&a, STR("ps-x"), h2);
    CHECK(key_hash_eq(h1, h2));
    // Computed with Python's hashlib.blake2b(b"ps-x", key=…, digest_size=32).
    BUF_AUTO struct buf hex = BUF_INIT(64);
    hex_put(&hex, str_of(h1, sizeof h1));
    CHECK_STR(buf_str(&hex), STR("5839e7f6d9ee7ebe8bf97b3f40def5c19fbd32e85e1cdffec1e2f040b4a2abef"));
    key_hash(&a, STR("ps-y"), h2);
    CHECK(!key_hash_eq(h1, h2));
    key_hash(&b, STR("ps-x"), h2);
    CHECK(!key_hash_eq(h1, h2));
    secret_free(&a);
    secret_free(&b);
}

static void test_create(void) {
    struct datadir dir;
    struct sql *db = open_all("create", &dir);
    struct arena arena;
    struct key_row row;
    struct key_created key = {0}, other = {0};
    struct str models[] = {STR_INIT("gpt-4o"), STR_INIT("say \"hi\"*")};
    struct key_wanted wanted = {.name = STR_INIT("cli"), .is_admin = true, .models = models, .n_models = 2};
    arena_init(&arena, NULL, 0, 1 << 20);
    wanted.expires_at = k_now + 1;
    uint64_t generation = datadir_key_generation(&dir);
    REQUIRE(key_create(db, &dir, &wanted, k_now, &key, &err));
    CHECK(datadir_key_generation(&dir) > generation);
    struct str text = secret_str(&key.text);
    CHECK(key_text_valid(text));
    REQUIRE(key_find_id(db, key.id, &arena, &row, &err));
    CHECK_STR(row.name, STR("cli"));
    CHECK_STR(row.prefix, str_head(text, KEY_PREFIX_LEN));
    CHECK_STR(row.allowed_models, STR("[\"gpt-4o\",\"say \\\"hi\\\"*\"]"));
    CHECK(row.is_admin && !row.any_model && row.expires_at == k_now + 1 && row.created_at == k_now);
    char hash[KEY_HASH_SIZE];
    key_hash(datadir_secret(&dir), text, hash);
    CHECK(key_hash_eq(hash, row.hash));

    REQUIRE(key_create(db, &dir, &(struct key_wanted){0}, k_now, &other, &err));
    CHECK(!str_eq(text, secret_str(&other.text)));
    CHECK(key_find_id(db, other.id, &arena, &row, &err) && row.any_model && !row.is_admin && row.expires_at == 0);

    generation = datadir_key_generation(&dir);
    CHECK(key_revoke(db, &dir, other.id, k_now + 5, &err));
    CHECK(datadir_key_generation(&dir) > generation);
    CHECK(!key_revoke(db, &dir, 4711, k_now, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    // Neither the text nor the secret is anywhere in the files.
    sql_close(db);
    BUF_AUTO struct buf file = BUF_INIT(1 << 24);
    REQUIRE(file_read_all(str_c(dir.database), 1 << 24, &file, &err));
    CHECK(str_find(buf_str(&file), str_head(text, KEY_PREFIX_LEN)) < file.n);
    CHECK_INT(str_find(buf_str(&file), str_head(text, KEY_PREFIX_LEN + 4)), file.n);
    CHECK_INT(str_find(buf_str(&file), secret_str(datadir_secret(&dir))), file.n);
    key_created_free(&key);
    key_created_free(&other);
    key_created_free(&other);
    datadir_close(&dir);
    arena_free(&arena);
}

static void test_bad_wishes(void) {
    struct datadir dir;
    struct sql *db = open_all("wishes", &dir);
    struct key_created key = {0};
    static char large[KEY_MODEL_NAME_MAX + 1];
    static struct str many[KEY_MODELS_MAX + 1];
    memset(large, 'm', sizeof large);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) many[i] = STR("m");
    const struct str star = STR("a*b"), none = STR_NONE, huge = str_of(large, sizeof large), control = STR("a\nb");
    const struct key_wanted bad[] = {
        {.name = STR_INIT("line\nbreak")},
        {.name = STR_INIT("\xff")},
        {.name = str_of(large, KEY_NAME_MAX + 1)},
        {.models = &star, .n_models = 1},
        {.models = &none, .n_models = 1},
        {.models = &huge, .n_models = 1},
        {.models = &control, .n_models = 1},
        {.models = many, .n_models = ARRAY_LEN(many)},
        {.tenant = STR_INIT("Acme")},
        {.tenant = STR_INIT("acme"), .is_admin = true},
        {.tenant = STR_INIT(" ")},
        {.tenant = STR_INIT("-acme")},
        {.tenant = STR_INIT("ac\0me")},
        {.tenant = str_of(large, KEY_TENANT_MAX + 1)},
        {.expires_at = k_now},
        {.expires_at = -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!key_create(db, &dir, &bad[i], k_now, &key, &err));
        CHECK_INT(err.code, ERR_INVALID_FIELD);
    }
    uint64_t n;
    CHECK(key_count(db, &n, &err) && n == 0);
    CHECK_INT(datadir_key_generation(&dir), 0);
    CHECK(!key.text.p);
    many[0] = str_of(large, KEY_MODEL_NAME_MAX);
    CHECK(key_create(db, &dir, &(struct key_wanted){.models = many, .n_models = KEY_MODELS_MAX}, k_now, &key, &err));
    key_created_free(&key);

    // A database that refuses leaves nothing behind.
    struct sql *other;
    CHECK(datadir_open_db(&dir, 0, &other, &err) && sql_begin(other, &err));
    struct sql_options options = {.mode = SQL_READ_WRITE};
    sql_close(db);
    REQUIRE(sql_open(str_c(dir.database), &options, &db, &err));
    CHECK(!key_create(db, &dir, &(struct key_wanted){0}, k_now, &key, &err));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    CHECK(!key.text.p);
    sql_close(other);
    sql_close(db);
    datadir_close(&dir);
}

static void test_no_memory(void) {
    struct datadir dir;
    struct sql *db = open_all("memory", &dir);
    struct str models[] = {STR_INIT("one"), STR_INIT("two*")};
    struct key_wanted wanted = {.name = STR_INIT("x"), .models = models, .n_models = 2};
    uint64_t made = 0, n;
    for (uint64_t nth = 1;; nth++) {
        struct key_created key = {0};
        struct mem_stats before, after;
        mem_stats_get(&before);
        mem_fail_nth(nth);
        bool ok = key_create(db, &dir, &wanted, k_now, &key, &err);
        mem_fail_nth(0);
        mem_stats_get(&after);
        if (!ok) CHECK_INT(err.code, ERR_NO_MEMORY);
        made += ok;
        key_created_free(&key);
        if (after.failed == before.failed) break;
        REQUIRE(nth < 1000);
    }
    CHECK(key_count(db, &n, &err) && n == made);
    sql_close(db);
    datadir_close(&dir);
}

TEST_MAIN(test_shape, test_hash, test_create, test_bad_wishes, test_no_memory)
