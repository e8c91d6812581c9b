// Tests of access/keyring.h: who passes and why not, models, changes by other processes and by hand, many readers.
#include "check.h"
#include "test_database.h"

#include "access/keyring.h"
#include "base/mem.h"
#include "base/zone.h"

#include <sys/wait.h>

static struct err err;
static const int64_t k_now = 1700000000000000000;

static struct sql *open_all(const char *name, struct datadir *out_dir) {
    struct sql *db = NULL;
    REQUIRE(test_datadir(name, out_dir, &err) && datadir_open_db(out_dir, 1000, &db, &err));
    return db;
}

static struct key_created create(struct sql *db, struct datadir *dir, struct key_wanted wanted) {
    struct key_created key = {0};
    REQUIRE(key_create(db, dir, &wanted, k_now, &key, &err));
    return key;
}

// Whether the key is refused with a message that holds `why` and nothing of the key beyond its prefix.
static bool refused(const struct keyring *ring, struct str key, int64_t now, const char *why) {
    const struct key_entry *entry = NULL;
    err = (struct err){0};
    if (keyring_check(ring, key, now, &entry, &err) || entry) return false;
    if (err.code != ERR_UNAUTHENTICATED || err.status != 401 || !strstr(err.message, why)) return false;
    struct str message = str_c(err.message);
    return key.n <= KEY_PREFIX_LEN || str_find(message, str_head(key, KEY_PREFIX_LEN + 1)) == message.n;
}

static void test_check(void) {
    struct datadir dir;
    struct sql *db = open_all("check", &dir);
    struct key_created plain = create(db, &dir, (struct key_wanted){.name = STR_INIT("plain")});
    struct key_created admin = create(db, &dir, (struct key_wanted){.is_admin = true});
    struct key_created brief =
        create(db, &dir, (struct key_wanted){.expires_at = k_now + 100, .tenant = STR_INIT("acme")});
    struct key_created gone = create(db, &dir, (struct key_wanted){0});
    struct keyring *ring;
    const struct key_entry *entry;
    CHECK(key_revoke(db, &dir, gone.id, k_now, &err));
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    CHECK_INT(keyring_count(ring), 4);
    CHECK_INT(keyring_damaged(ring), 0);
    CHECK(!keyring_stale(ring));

    CHECK(keyring_check(ring, secret_str(&plain.text), k_now, &entry, &err));
    CHECK_INT(entry->id, plain.id);
    CHECK_STR(entry->name, STR("plain"));
    CHECK_STR(entry->prefix, str_head(secret_str(&plain.text), KEY_PREFIX_LEN));
    CHECK(!entry->is_admin && entry->tenant_id == TENANT_DEFAULT);
    CHECK_STR(entry->tenant, STR(""));
    CHECK(keyring_check(ring, secret_str(&admin.text), k_now, &entry, &err) && entry->is_admin);
    CHECK(keyring_check(ring, secret_str(&brief.text), k_now + 99, &entry, &err) && entry->id == brief.id);
    CHECK(entry->tenant_id != TENANT_DEFAULT);
    CHECK_STR(entry->tenant, STR("acme"));
    CHECK(refused(ring, secret_str(&brief.text), k_now + 100, "expired on 2023-11-14T22:13:20.000Z"));
    CHECK(refused(ring, secret_str(&gone.text), k_now, "was revoked on 2023-11-14T22:13:20.000Z"));

    CHECK(refused(ring, STR("ps-0123456789012345678901234567890123456789-_z"), k_now, "ps-012345… is not known"));
    CHECK(refused(ring, STR(""), k_now, "Authorization: Bearer"));
    CHECK(refused(ring, STR_NONE, k_now, "Authorization: Bearer"));
    CHECK(refused(ring, STR("ps-0123456789"), k_now, "has 13 bytes"));
    CHECK(refused(ring, STR("sk-proj-0123456789012345678901234567890123456789"), k_now, "provider's own key"));
    CHECK(refused(ring, STR("ps-\xff\xfe\0\n34567890123456789012345678901234567890123"), k_now, "malformed"));
    static char huge[100000];
    memset(huge, 'p', sizeof huge);
    CHECK(refused(ring, str_of(huge, sizeof huge), k_now, "not a key of this server"));
    // One wrong bit anywhere.
    for (size_t i = 3; i < KEY_TEXT_LEN; i++) {
        char text[KEY_TEXT_LEN];
        memcpy(text, plain.text.p, sizeof text);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        CHECK(refused(ring, str_of(text, sizeof text), k_now, "is damaged: its last characters, a checksum,"));
    }
    keyring_unref(ring);
    keyring_unref(NULL);
    key_created_free(&plain);
    key_created_free(&admin);
    key_created_free(&brief);
    key_created_free(&gone);
    sql_close(db);
    datadir_close(&dir);
}

// Keys that an early version made have no checksum, and stay good.
static void test_early(void) {
    struct datadir dir;
    struct sql *db = open_all("early", &dir);
    struct str text = STR("ps-0123456789012345678901234567890123456789-_z");
    struct key_row row = {.tenant_id = TENANT_DEFAULT, .prefix = str_head(text, KEY_PREFIX_LEN), .any_model = true};
    struct keyring *ring;
    const struct key_entry *entry;
    int64_t id;
    key_hash(datadir_secret(&dir), text, row.hash);
    REQUIRE(key_insert(db, &row, &id, &err));
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    CHECK(keyring_check(ring, text, k_now, &entry, &err) && entry->id == id);
    CHECK(refused(ring, STR("ps-0123456789012345678901234567890123456789-_y"), k_now, "is not known"));
    keyring_unref(ring);
    sql_close(db);
    datadir_close(&dir);
}

static void test_models(void) {
    static const struct str two[] = {STR_INIT("gpt-4o"), STR_INIT("claude-*")}, all[] = {STR_INIT("*")};
    struct key_entry any = {.any_model = true}, none = {.any_model = false};
    struct key_entry some = {.models = two, .n_models = 2, .prefix = STR_INIT("ps-abc123")};
    struct key_entry star = {.models = all, .n_models = 1};
    CHECK(key_allows_model(&any, STR("x")) && key_allows_model(&star, STR("x")) && key_allows_model(&star, STR("")));
    CHECK(!key_allows_model(&none, STR("x")) && !key_allows_model(&none, STR("")));
    CHECK(key_allows_model(&some, STR("gpt-4o")) && key_allows_model(&some, STR("claude-")));
    CHECK(key_allows_model(&some, STR("claude-3")));
    CHECK(!key_allows_model(&some, STR("gpt-4o-mini")) && !key_allows_model(&some, STR("gpt-4")));
    CHECK(!key_allows_model(&some, STR("claude")) && !key_allows_model(&some, STR("GPT-4O")));
    CHECK(!key_allows_model(&some, STR("")) && !key_allows_model(&some, STR("*")));

    CHECK(key_check_model(&some, STR("gpt-4o"), &err));
    CHECK(!key_check_model(&some, STR("o1"), &err));
    CHECK_INT(err.code, ERR_MODEL_NOT_ALLOWED);
    CHECK_STR(str_c(err.message),
              STR("The API key ps-abc123… may not use the model \"o1\". It may use: gpt-4o, claude-*."));
    CHECK_STR(str_c(err.param), STR("model"));
    CHECK(!key_check_model(&none, STR("o1"), &err) && strstr(err.message, "It may use: none."));
    static char name[KEY_MODEL_NAME_MAX];
    memset(name, 'm', sizeof name);
    struct str many[30];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) many[i] = str_of(name, i < 29 ? 10 + i : sizeof name);
    struct key_entry wide = {.models = many, .n_models = ARRAY_LEN(many)};
    CHECK(!key_check_model(&wide, str_of(name, sizeof name - 1), &err) && str_ends(str_c(err.message), STR(", …")));
}

static void test_models_from_rows(void) {
    struct datadir dir;
    struct sql *db = open_all("models", &dir);
    struct str models[] = {STR_INIT("gpt-*"), STR_INIT("say \"hi\" \xc3\xa4")};
    struct key_created key = create(db, &dir, (struct key_wanted){.models = models, .n_models = 2});
    struct keyring *ring;
    const struct key_entry *entry;
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    REQUIRE(keyring_check(ring, secret_str(&key.text), k_now, &entry, &err));
    CHECK_INT(entry->n_models, 2);
    CHECK(key_allows_model(entry, STR("gpt-5")) && key_allows_model(entry, STR("say \"hi\" \xc3\xa4")));
    CHECK(!key_allows_model(entry, STR("say")));
    keyring_unref(ring);

    // A list that someone made unreadable lets the key in, but to no model, and says so to the owner.
    static const char *const bad[] = {
        "", "[", "{}", "\"gpt\"", "[1]", "[\"gpt-*\",null]", "[\"gpt-*\"] x", "[[\"gpt-*\"]]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct sql_stmt *st;
        REQUIRE(sql_prepare(sql_platform(db), STR("UPDATE api_key SET allowed_models = ?1"), &st, &err));
        sql_bind_text(st, 1, str_c(bad[i]));
        REQUIRE(sql_run(st, &err));
        REQUIRE(keyring_load(db, &dir, &ring, &err));
        CHECK_INT(keyring_damaged(ring), 1);
        REQUIRE(keyring_check(ring, secret_str(&key.text), k_now, &entry, &err));
        CHECK(!key_allows_model(entry, STR("gpt-5")));
        keyring_unref(ring);
    }
    CHECK(sql_exec(db, STR("UPDATE api_key SET allowed_models = ' [ ] '"), &err));
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    CHECK_INT(keyring_damaged(ring), 0);
    REQUIRE(keyring_check(ring, secret_str(&key.text), k_now, &entry, &err));
    CHECK(!key_allows_model(entry, STR("gpt-5")));
    keyring_unref(ring);
    key_created_free(&key);
    sql_close(db);
    datadir_close(&dir);
}

// What `penstock key revoke` does while a server runs.
static void test_other_process(void) {
    struct datadir dir;
    struct sql *db = open_all("process", &dir);
    struct key_created key = create(db, &dir, (struct key_wanted){0});
    struct keyring *ring;
    const struct key_entry *entry;
    int status;
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    sql_close(db); // SQLite connections do not pass through fork
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct datadir own;
        struct sql *mine = open_all("process", &own);
        _exit(key_revoke(mine, &own, key.id, k_now + 1, &err) ? 0 : 1);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(keyring_stale(ring));
    CHECK(keyring_check(ring, secret_str(&key.text), k_now, &entry, &err)); // the old ring never changes
    keyring_unref(ring);
    REQUIRE(datadir_open_db(&dir, 1000, &db, &err));
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    CHECK(!keyring_stale(ring));
    CHECK(refused(ring, secret_str(&key.text), k_now, "was revoked on"));
    keyring_unref(ring);
    key_created_free(&key);
    sql_close(db);
    datadir_close(&dir);
}

// The memo answers as the ring does, for every kind of key, the first time and the next, and forgets with its ring.
static void test_memo(void) {
    struct datadir dir;
    struct sql *db = open_all("memo", &dir);
    struct key_created plain = create(db, &dir, (struct key_wanted){0});
    struct key_created brief = create(db, &dir, (struct key_wanted){.expires_at = k_now + 100});
    struct keyring *ring;
    struct keyring_memo memo = {0};
    const struct key_entry *entry = NULL;
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    for (int turn = 0; turn < 3; turn++) {
        CHECK(keyring_check_memo(ring, &memo, secret_str(&plain.text), k_now, &entry, &err) && entry->id == plain.id);
        CHECK(keyring_check_memo(ring, &memo, secret_str(&brief.text), k_now, &entry, &err) && entry->id == brief.id);
        entry = NULL;
        CHECK(!keyring_check_memo(ring, &memo, secret_str(&brief.text), k_now + 100, &entry, &err) && !entry);
        CHECK(strstr(err.message, "expired") != NULL);
        CHECK(!keyring_check_memo(ring, &memo, STR("ps-0123456789012345678901234567890123456789-_z"), k_now, &entry,
                                  &err));
        CHECK(!keyring_check_memo(ring, &memo, STR(""), k_now, &entry, &err) && !entry);
    }
    // Rings come and go, also at the same address; none may be answered for with what another knew.
    for (int turn = 0; turn < 20; turn++) {
        keyring_unref(ring);
        if (turn == 10) REQUIRE(key_revoke(db, &dir, plain.id, k_now, &err));
        REQUIRE(keyring_load(db, &dir, &ring, &err));
        CHECK(keyring_check_memo(ring, &memo, secret_str(&plain.text), k_now, &entry, &err) == (turn < 10));
    }
    keyring_unref(ring);
    key_created_free(&plain);
    key_created_free(&brief);
    sql_close(db);
    datadir_close(&dir);
}

static void test_edits_by_hand(void) {
    struct datadir dir;
    struct sql *db = open_all("hand", &dir), *hand;
    struct key_created key = create(db, &dir, (struct key_wanted){0});
    struct keyring *ring;
    struct sql_options options = {.mode = SQL_READ_WRITE, .busy_ms = 1000};
    bool edited = true;
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    REQUIRE(sql_open(str_c(dir.database), &options, &hand, &err));
    CHECK(keyring_edited(ring, db, &edited, &err) && !edited);
    // The server's own writing is no reason to load again.
    CHECK(
        sql_exec(hand, STR("INSERT INTO name (id, text) VALUES (1, 'a'); UPDATE api_key SET last_used_at = 9"), &err));
    CHECK(keyring_edited(ring, db, &edited, &err) && !edited);
    CHECK(sql_exec(hand, STR("UPDATE api_key SET revoked_at = 1"), &err));
    CHECK(!keyring_stale(ring));
    CHECK(keyring_edited(ring, db, &edited, &err) && edited);
    sql_close(hand);
    keyring_unref(ring);
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    CHECK(keyring_edited(ring, db, &edited, &err) && !edited);
    CHECK(refused(ring, secret_str(&key.text), k_now, "revoked"));
    keyring_unref(ring);
    key_created_free(&key);
    sql_close(db);
    datadir_close(&dir);
}

struct reader {
    struct keyring *ring;
    struct str key;
    struct thread thread;
    uint64_t passed;
};

static void read_many(void *arg) {
    struct reader *r = arg;
    struct err mine;
    const struct key_entry *entry;
    for (int i = 0; i < 2000; i++) {
        struct keyring *held = keyring_ref(r->ring);
        r->passed += !keyring_stale(held) && keyring_check(held, r->key, k_now, &entry, &mine);
        keyring_unref(held);
    }
    keyring_unref(r->ring);
}

static void test_many(void) {
    enum { KEYS = 300, READERS = 3 };
    struct datadir dir;
    struct sql *db = open_all("many", &dir);
    static struct key_created keys[KEYS];
    struct reader readers[READERS] = {0};
    struct keyring *ring, *empty;
    const struct key_entry *entry;
    REQUIRE(keyring_load(db, &dir, &empty, &err));
    CHECK_INT(keyring_count(empty), 0);
    CHECK(refused(empty, STR("ps-0123456789012345678901234567890123456789-_z"), k_now, "is not known"));
    CHECK(sql_exec(db, STR("PRAGMA synchronous = OFF"), &err));
    for (int i = 0; i < KEYS; i++) keys[i] = create(db, &dir, (struct key_wanted){.name = STR_INIT("one of many")});
    CHECK(keyring_stale(empty));
    keyring_unref(empty);
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    for (int i = 0; i < KEYS; i++)
        CHECK(keyring_check(ring, secret_str(&keys[i].text), k_now, &entry, &err) && entry->id == keys[i].id);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.ring = keyring_ref(ring), .key = secret_str(&keys[i].text)};
        REQUIRE(thread_start(&readers[i].thread, "reader", 0, read_many, &readers[i], &err));
    }
    keyring_unref(ring); // the readers hold it
    for (int i = 0; i < READERS; i++) {
        thread_join(&readers[i].thread);
        CHECK_INT(readers[i].passed, 2000);
    }
    for (int i = 0; i < KEYS; i++) key_created_free(&keys[i]);
    sql_close(db);
    datadir_close(&dir);
}

static void test_no_memory(void) {
    struct datadir dir;
    struct sql *db = open_all("memory", &dir);
    struct str models[] = {STR_INIT("a*"), STR_INIT("tab\\t \"quoted\""), STR_INIT("c")};
    struct key_created key = {0};
    for (int i = 0; i < 20; i++) {
        key_created_free(&key);
        key = create(db, &dir, (struct key_wanted){.name = STR_INIT("some name"), .models = models, .n_models = 3});
    }
    int refusals = 0;
    for (uint64_t nth = 1;; nth++) {
        struct mem_stats before, after;
        struct keyring *ring = NULL;
        const struct key_entry *entry;
        mem_stats_get(&before);
        mem_fail_nth(nth);
        bool ok = keyring_load(db, &dir, &ring, &err);
        mem_fail_nth(0);
        mem_stats_get(&after);
        if (ok) {
            CHECK_INT(keyring_damaged(ring), 0);
            CHECK(keyring_check(ring, secret_str(&key.text), k_now, &entry, &err) && entry->n_models == 3);
            keyring_unref(ring);
        } else {
            refusals++;
            CHECK_INT(err.code, ERR_NO_MEMORY);
            CHECK(!ring);
        }
        if (after.failed == before.failed) break;
        REQUIRE(nth < 5000);
    }
    CHECK(refusals > 5);
    key_created_free(&key);
    sql_close(db);
    datadir_close(&dir);
}

static void test_locked(void) {
    struct datadir dir;
    struct sql *db = open_all("locked", &dir), *other;
    struct sql_options options = {.mode = SQL_READ_WRITE, .busy_ms = 10};
    struct keyring *ring = NULL;
    REQUIRE(sql_open(str_c(dir.database), &options, &other, &err));
    CHECK(sql_exec(db, STR("BEGIN EXCLUSIVE"), &err));
    CHECK(keyring_load(other, &dir, &ring, &err)); // readers go on beside a writer
    keyring_unref(ring);
    sql_close(other);
    sql_rollback(db);
    CHECK(sql_exec(db, STR("PRAGMA locking_mode = EXCLUSIVE; UPDATE id_lease SET epoch = 1"), &err));
    err.code = ERR_INTERNAL;
    if (sql_open(str_c(dir.database), &options, &other, &err)) {
        CHECK(!keyring_load(other, &dir, &ring, &err));
        sql_close(other);
    }
    CHECK_INT(err.code, ERR_STORE_BUSY);
    sql_close(db);
    datadir_close(&dir);
}

// The clocks of a key are those of its tenant.
static void test_zones(void) {
    struct datadir dir;
    struct sql *db = open_all("zones", &dir);
    const char *zones[] = {"Europe/Berlin", "Asia/Kolkata", "Nowhere/At_all", "../../etc/passwd", ""};
    const int64_t offsets[] = {3600, 19800, 0, 0, 0}; // on that day in November
    struct key_created keys[ARRAY_LEN(zones)];
    struct keyring *ring, *next;
    const struct key_entry *entry;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        char sql[200], name[] = {'t', (char)('a' + i), 0};
        keys[i] = create(db, &dir, (struct key_wanted){.tenant = str_c(name)});
        snprintf(sql, sizeof sql, "UPDATE tenant SET time_zone = '%s' WHERE name = '%s'", zones[i], name);
        CHECK(sql_exec(db, str_c(sql), &err));
    }
    REQUIRE(keyring_load(db, &dir, &ring, &err));
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        REQUIRE(keyring_check(ring, secret_str(&keys[i].text), k_now, &entry, &err));
        CHECK_INT(zone_offset(entry->zone, k_now / 1000000000), offsets[i]);
    }
    CHECK(sql_exec(db, STR("UPDATE tenant SET time_zone = 'Asia/Tokyo' WHERE name = 'ta'"), &err));
    REQUIRE(keyring_renew(db, ring, &next, &err));
    REQUIRE(keyring_check(next, secret_str(&keys[0].text), k_now, &entry, &err));
    CHECK_INT(zone_offset(entry->zone, k_now / 1000000000), 9 * 3600);
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) key_created_free(&keys[i]);
    keyring_unref(ring);
    keyring_unref(next);
    sql_close(db);
    datadir_close(&dir);
}

TEST_MAIN(test_check, test_zones, test_early, test_memo, test_models, test_models_from_rows, test_other_process,
          test_edits_by_hand, test_many, test_no_memory, test_locked)
