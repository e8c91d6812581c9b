// Tests of store/keeper.h: the first keys, early databases, sources of the master key, its change, destruction.
#include "check.h"
#include "temp_dir.h"

#include "store/keeper.h"
#include "store/sealed.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct conf_storage storage;

static struct str at(const char *a, const char *b) {
    char both[256];
    snprintf(both, sizeof both, "%s/%s", a, b);
    return temp_path(both);
}

static bool try_open(const char *name) {
    if (!datadir_open_as(temp_path(name), &storage, NULL, &dir, &err)) return false;
    if (datadir_open_db(&dir, 20000, &db, &err)) return true;
    datadir_close(&dir);
    return false;
}
static void open_data(const char *name) {
    if (try_open(name)) return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}
static void close_data(void) {
    sql_close(db);
    datadir_close(&dir);
}
static struct sql_scope one(void) { return sql_tenant(db, TENANT_DEFAULT); }

static bool put(int64_t tenant, const char *name, const char *value) {
    return sealed_put(sql_tenant(db, tenant), &dir, str_c(name), str_c(value), 1, &err);
}
static bool has(int64_t tenant, const char *name, const char *value) {
    BUF_AUTO struct buf out = BUF_INIT(SEALED_VALUE_MAX);
    return sealed_get(sql_tenant(db, tenant), &dir, str_c(name), &out, &err) && str_eq(buf_str(&out), str_c(value));
}
static int64_t number(const char *text) {
    int64_t n = -1;
    CHECK(sql_query_i64(sql_platform(db), str_c(text), &n, &err));
    return n;
}
static int64_t tenant(const char *name) {
    int64_t id = 0;
    REQUIRE(tenant_intern(db, str_c(name), &id, &err));
    return id;
}

static void plain(void) { storage = (struct conf_storage){.master_key = {.source = MASTER_FILE, .timeout = 10000}}; }
static void from_env(struct conf_master_key *m, const char *name, const char *value) {
    *m = (struct conf_master_key){.source = MASTER_ENV, .env = str_c(name)};
    REQUIRE(setenv(name, value, 1) == 0);
}

#define HEX_A "0f0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f"
#define HEX_B "ff0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f"

// --- keys ---

static void test_keys(void) {
    struct keeper_key a, b, c;
    plain();
    open_data("keys");
    int64_t acme = tenant("acme");
    CHECK_INT(number("SELECT count(*) FROM data_key"), 1); // what hashes API keys; others are made when needed
    CHECK(keeper_newest(dir.keeper, one(), &a, &err) && a.version == 1);
    CHECK(keeper_newest(dir.keeper, sql_platform(db), &b, &err) && memcmp(&a, &b, sizeof a) == 0);
    CHECK(keeper_newest(dir.keeper, sql_tenant(db, acme), &c, &err) && c.version == 1);
    CHECK(memcmp(a.key, c.key, sizeof a.key) != 0 && memcmp(a.id, c.id, sizeof a.id) != 0);
    CHECK(keeper_find(dir.keeper, sql_tenant(db, acme), 1, &b, &err) && memcmp(&b, &c, sizeof b) == 0);
    CHECK(!keeper_find(dir.keeper, one(), 2, &b, &err) && err.code == ERR_NOT_FOUND);
    CHECK(!keeper_early(dir.keeper, db, &b, &err) && err.code == ERR_NOT_FOUND);
    close_data();
    open_data("keys"); // the same after all memory of it is gone
    CHECK(keeper_find(dir.keeper, one(), 1, &b, &err) && memcmp(&a, &b, sizeof a) == 0);
    // A key that was made in a transaction that is taken back is none, and what was remembered of it does not come
    // back.
    int64_t rolled = tenant("rolled");
    REQUIRE(sql_begin(db, &err));
    CHECK(keeper_newest(dir.keeper, sql_tenant(db, rolled), &a, &err));
    sql_rollback(db);
    CHECK(!keeper_find(dir.keeper, sql_tenant(db, rolled), 1, &b, &err));
    CHECK(keeper_newest(dir.keeper, sql_tenant(db, rolled), &b, &err) && memcmp(a.key, b.key, sizeof a.key) != 0);
    close_data();
}

// Of tenant 2.
static void read_wrapped(struct buf *out) {
    struct sql_stmt *st;
    bool row;
    REQUIRE(sql_prepare(sql_platform(db), STR("SELECT wrapped FROM data_key WHERE tenant_id = 2"), &st, &err) &&
            sql_step(st, &row, &err) && row);
    buf_put(out, sql_col_blob(st, 0));
    sql_reset(st);
}
static void write_wrapped(struct str bytes) {
    struct sql_stmt *st;
    REQUIRE(sql_prepare(sql_platform(db), STR("UPDATE data_key SET wrapped = ?1 WHERE tenant_id = 2"), &st, &err));
    sql_bind_blob(st, 1, bytes.n ? bytes : STR(""));
    REQUIRE(sql_run(st, &err));
}

// Rows put in each other's place, and rows of which a bit or more is wrong, open nothing.
static void test_swapped(void) {
    struct keeper_key key;
    plain();
    open_data("swapped");
    int64_t acme = tenant("acme"), other = tenant("other");
    CHECK(put(acme, "n", "value of acme") && put(other, "n", "value of other"));
    CHECK(sql_exec(db,
                   STR("UPDATE sealed_secret SET value = (SELECT s.value FROM sealed_secret s WHERE s.tenant_id = 2)"
                       " WHERE tenant_id = 3"),
                   &err));
    CHECK_INT(acme, 2);
    CHECK_INT(other, 3);
    CHECK(has(acme, "n", "value of acme") && !has(other, "n", "value of acme"));
    CHECK_INT(err.code, ERR_STORE);
    // With the key's row moved along, too.
    CHECK(sql_exec(db,
                   STR("UPDATE data_key SET key_id = (SELECT k.key_id FROM data_key k WHERE k.tenant_id = 2),"
                       " wrapped = (SELECT k.wrapped FROM data_key k WHERE k.tenant_id = 2) WHERE tenant_id = 3"),
                   &err));
    CHECK(!has(other, "n", "value of acme") && err.code == ERR_STORE);
    CHECK(sql_exec(db, STR("UPDATE data_key SET version = 2 WHERE tenant_id = 2"), &err));
    CHECK(!keeper_find(dir.keeper, sql_tenant(db, acme), 2, &key, &err) && err.code == ERR_STORE);
    CHECK(!has(acme, "n", "value of acme"));
    CHECK(sql_exec(db, STR("UPDATE data_key SET version = 1 WHERE tenant_id = 2"), &err) &&
          has(acme, "n", "value of acme"));
    close_data();
    open_data("swapped"); // nothing is unwrapped yet
    BUF_AUTO struct buf wrapped = BUF_INIT(1000);
    read_wrapped(&wrapped);
    REQUIRE(wrapped.n > 60);
    for (size_t i = 0; i < wrapped.n; i++) {
        wrapped.p[i] = (char)(wrapped.p[i] ^ 1 << (i % 8));
        write_wrapped(buf_str(&wrapped));
        CHECK(!keeper_find(dir.keeper, sql_tenant(db, acme), 1, &key, &err) && err.code == ERR_STORE);
        wrapped.p[i] = (char)(wrapped.p[i] ^ 1 << (i % 8));
        write_wrapped(str_head(buf_str(&wrapped), i));
        CHECK(!keeper_find(dir.keeper, sql_tenant(db, acme), 1, &key, &err) && err.code == ERR_STORE);
    }
    buf_putc(&wrapped, 'x');
    write_wrapped(buf_str(&wrapped));
    CHECK(!keeper_find(dir.keeper, sql_tenant(db, acme), 1, &key, &err));
    write_wrapped(str_head(buf_str(&wrapped), wrapped.n - 1));
    CHECK(keeper_find(dir.keeper, sql_tenant(db, acme), 1, &key, &err));
    close_data();
}

static void test_destroy(void) {
    plain();
    open_data("destroy");
    int64_t acme = tenant("acme"), other = tenant("other");
    CHECK(put(acme, "n", "v") && put(other, "n", "w") && has(acme, "n", "v"));
    BUF_AUTO struct buf wrapped = BUF_INIT(1000), file = BUF_INIT(1 << 24);
    read_wrapped(&wrapped);
    CHECK(keeper_destroy(dir.keeper, sql_tenant(db, acme), &err));
    CHECK(!has(acme, "n", "v") && err.code == ERR_STORE && strstr(err.message, "destroyed"));
    CHECK(has(other, "n", "w"));
    CHECK_INT(number("SELECT count(*) FROM data_key WHERE tenant_id = 2"), 0);
    // Nor is the wrapped key in the files, for who has the master key.
    REQUIRE(file_read_all(at("destroy", "penstock.db"), 1 << 23, &file, &err));
    CHECK_INT(str_find(buf_str(&file), buf_str(&wrapped)), file.n);
    buf_clear(&file);
    REQUIRE(file_read_all(at("destroy", "penstock.db-wal"), 1 << 23, &file, &err));
    CHECK_INT(str_find(buf_str(&file), buf_str(&wrapped)), file.n);
    // The tenant's name may be used again, with another key.
    CHECK(put(acme, "m", "again") && has(acme, "m", "again") && !has(acme, "n", "v"));
    CHECK(!keeper_destroy(dir.keeper, one(), &err) && err.code == ERR_INVALID_FIELD);
    CHECK(!keeper_destroy(dir.keeper, sql_platform(db), &err));
    close_data();
}

// --- databases of before there were data keys ---

static void test_early(void) {
    char key[KEEPER_KEY_SIZE];
    struct keeper_key early;
    plain();
    REQUIRE(dir_make(temp_path("early"), 0700, &err));
    for (size_t i = 0; i < sizeof key; i++) key[i] = (char)(i * 7 + 1);
    REQUIRE(file_replace(at("early", "secret.key"), str_of(key, sizeof key), 0600, &err));
    open_data("early");
    CHECK(memcmp(datadir_secret(&dir)->p, key, sizeof key) != 0); // a fresh one has its own
    // As if it had been made by an early version.
    CHECK(sql_exec(db,
                   STR("DELETE FROM data_key; DELETE FROM master_key; INSERT INTO sealed_secret (name, value,"
                       " created_at, updated_at) VALUES ('x', zeroblob(60), 1, 1)"),
                   &err));
    close_data();
    REQUIRE(file_rename(at("early", "secret.key"), at("early", "away"), &err));
    CHECK(!try_open("early") && err.code == ERR_STORE && strstr(err.message, "secret.key is missing"));
    REQUIRE(file_replace(at("early", "secret.key"), str_of(key, 31), 0600, &err));
    CHECK(!try_open("early") && strstr(err.message, "wrong size"));
    REQUIRE(file_rename(at("early", "away"), at("early", "secret.key"), &err));
    open_data("early");
    CHECK(memcmp(datadir_secret(&dir)->p, key, sizeof key) == 0); // API keys go on
    CHECK(keeper_early(dir.keeper, db, &early, &err) && memcmp(early.key, key, sizeof key) == 0);
    close_data();
    // Also where the master key is elsewhere from the start: the file is then no longer needed.
    REQUIRE(dir_make(temp_path("early2"), 0700, &err));
    open_data("early2");
    CHECK(sql_exec(db,
                   STR("DELETE FROM data_key; DELETE FROM master_key; INSERT INTO sealed_secret (name, value,"
                       " created_at, updated_at) VALUES ('x', zeroblob(60), 1, 1)"),
                   &err));
    close_data();
    REQUIRE(file_replace(at("early2", "secret.key"), str_of(key, sizeof key), 0600, &err));
    from_env(&storage.master_key, "TEST_MASTER", HEX_A);
    open_data("early2");
    CHECK(memcmp(datadir_secret(&dir)->p, key, sizeof key) == 0);
    close_data();
    REQUIRE(file_remove(at("early2", "secret.key"), &err));
    open_data("early2");
    CHECK(memcmp(datadir_secret(&dir)->p, key, sizeof key) == 0);
    close_data();
}

// --- where the master key is ---

static void test_env(void) {
    static const char *const same[] = {HEX_A, "Dw4NDAsKCQgHBgUEAwIBAAABAgMEBQYHCAkKCwwNDg8=",
                                       "Dw4NDAsKCQgHBgUEAwIBAAABAgMEBQYHCAkKCwwNDg8", " " HEX_A "\n"};
    static const char *const bad[] = {"",
                                      "x",
                                      "0f0e",
                                      HEX_A "00",
                                      "Dw4NDAsKCQgHBgUEAwIBAAABAgMEBQYHCAkKCwwNDg",
                                      "zz0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f"};
    plain();
    from_env(&storage.master_key, "TEST_MASTER", HEX_A);
    open_data("env");
    CHECK(put(1, "a", "v"));
    close_data();
    struct file_info info;
    CHECK(file_stat(at("env", "secret.key"), &info, &err) && info.kind == FILE_KIND_ABSENT);
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        setenv("TEST_MASTER", same[i], 1);
        open_data("env");
        CHECK(has(1, "a", "v"));
        close_data();
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("TEST_MASTER", bad[i], 1);
        CHECK(!try_open("env"));
        CHECK(strstr(err.message, "TEST_MASTER") && strstr(err.message, "storage.master_key"));
        CHECK(bad[i][0] == '\0' || !strstr(err.message, "0d0c0b"));
    }
    setenv("TEST_MASTER", HEX_B, 1);
    CHECK(!try_open("env") && err.code == ERR_STORE && strstr(err.message, "another master key"));
    unsetenv("TEST_MASTER");
    CHECK(!try_open("env") && strstr(err.message, "is not set"));
    plain();
    CHECK(!try_open("env") && strstr(err.message, "secret.key"));
    setenv("TEST_MASTER", HEX_A, 1);
}

static void test_file(void) {
    plain();
    REQUIRE(file_replace(temp_path("master"), STR(HEX_A "\n"), 0600, &err));
    BUF_AUTO struct buf path = BUF_INIT(1000);
    buf_put(&path, temp_path("master"));
    storage.master_key.file = buf_str(&path);
    open_data("file");
    CHECK(put(1, "a", "v"));
    close_data();
    struct file_info info;
    CHECK(file_stat(at("file", "secret.key"), &info, &err) && info.kind == FILE_KIND_ABSENT);
    // One's own file is not made: it may be a mount that is not there yet.
    REQUIRE(file_remove(buf_str(&path), &err));
    CHECK(!try_open("file") && strstr(err.message, "is missing"));
    CHECK(!try_open("file2"));
    CHECK(file_stat(buf_str(&path), &info, &err) && info.kind == FILE_KIND_ABSENT);
    from_env(&storage.master_key, "TEST_MASTER", HEX_A); // the same key in another place
    open_data("file");
    CHECK(has(1, "a", "v"));
    close_data();
}

// Turns each byte around: no cipher, but not what it was given either.
static struct str words[3] = {STR_INIT("/bin/sh"), STR_INIT(""), STR_INIT("key-1")};
static void command(struct conf_master_key *m, const char *script) {
    REQUIRE(file_replace(temp_path("kms"), str_c(script), 0700, &err));
    static char path[300];
    snprintf(path, sizeof path, "%.*s", STR_ARG(temp_path("kms")));
    words[1] = str_c(path);
    *m = (struct conf_master_key){.source = MASTER_COMMAND, .command = {words, 3}, .timeout = 10000};
}
#define TURN "tr '\\000-\\377' '\\200-\\377\\000-\\177'"

static void test_command(void) {
    static const char *const bad[] = {
        "exit 3\n",
        "echo nothing to see >&2; exit 1\n",
        "true\n",
        "cat\n",
        "[ $2 = wrap ] && cat || head -c 63\n",
        "printf 12345678901234567890123456789012345678901234567890123456789012345\n",
        "yes\n",
    };
    plain();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char name[32];
        snprintf(name, sizeof name, "command%zu", i);
        command(&storage.master_key, bad[i]);
        CHECK(!try_open(name));
    }
    command(&storage.master_key, "[ \"$1\" = key-1 ] || exit 1; case $2 in wrap|unwrap) " TURN ";; *) exit 2;; esac\n");
    open_data("command");
    int64_t acme = tenant("acme");
    CHECK(put(1, "a", "v") && put(acme, "a", "w"));
    close_data();
    open_data("command");
    CHECK(has(1, "a", "v") && has(acme, "a", "w"));
    close_data();
    command(&storage.master_key, "echo AccessDenied >&2; exit 1\n");
    CHECK(!try_open("command") && strstr(err.message, "AccessDenied") && strstr(err.message, "storage.master_key"));
    command(&storage.master_key, "head -c 64 /dev/zero\n"); // another key: something comes back, but not this
    CHECK(!try_open("command") && err.code == ERR_STORE);
    storage.master_key.command.p[0] = STR("/no/such/program");
    CHECK(!try_open("command") && strstr(err.message, "/no/such/program"));
    words[0] = STR("/bin/sh");
    storage.master_key.source = MASTER_VAULT_TRANSIT;
    CHECK(!try_open("command") && strstr(err.message, "vault.address"));
}

// --- its change ---

static void test_rotate_fresh(void) {
    int64_t count = 0;
    plain();
    open_data("fresh");
    int64_t acme = tenant("acme");
    CHECK(put(1, "a", "v") && put(acme, "a", "w"));
    char hash[KEEPER_KEY_SIZE];
    memcpy(hash, datadir_secret(&dir)->p, sizeof hash);
    // A server that runs meanwhile.
    struct datadir server;
    struct sql *its;
    BUF_AUTO struct buf out = BUF_INIT(1000), before = BUF_INIT(100), after = BUF_INIT(100);
    REQUIRE(datadir_open(temp_path("fresh"), &server, &err) && datadir_open_db(&server, 1000, &its, &err));
    REQUIRE(sealed_get(sql_tenant(its, 1), &server, STR("a"), &out, &err));
    REQUIRE(file_read_all(at("fresh", "secret.key"), 64, &before, &err));
    CHECK(keeper_rotate_master(dir.keeper, db, true, &count, &err));
    CHECK_INT(count, 3);
    REQUIRE(file_read_all(at("fresh", "secret.key"), 64, &after, &err));
    CHECK(after.n == 32 && !str_eq(buf_str(&before), buf_str(&after)));
    CHECK(has(1, "a", "v") && has(acme, "a", "w") && put(acme, "b", "x"));
    // It knows one key already, must unwrap another, and make a third.
    CHECK(sealed_get(sql_tenant(its, 1), &server, STR("a"), &out, &err));
    CHECK(sealed_get(sql_tenant(its, acme), &server, STR("a"), &out, &err));
    CHECK_STR(buf_str(&out), STR("vvw"));
    int64_t late = tenant("late");
    CHECK(keeper_rotate_master(dir.keeper, db, true, &count, &err));
    CHECK(sealed_put(sql_tenant(its, late), &server, STR("a"), STR("y"), 1, &err) && has(late, "a", "y"));
    CHECK(memcmp(hash, datadir_secret(&dir)->p, sizeof hash) == 0);
    sql_close(its);
    datadir_close(&server);
    close_data();
    open_data("fresh");
    CHECK(has(1, "a", "v") && has(acme, "b", "x") && has(late, "a", "y"));
    CHECK(memcmp(hash, datadir_secret(&dir)->p, sizeof hash) == 0);
    struct keeper_state state;
    CHECK(keeper_state_get(db, &state, &err) && state.generation == 3 && state.changed_at > 0);
    CHECK_STR(str_c(state.source), STR("file"));
    // Stopped after the database knew it: the file beside is in force, and takes its place.
    REQUIRE(file_rename(at("fresh", "secret.key"), at("fresh", "secret.key.next"), &err));
    REQUIRE(file_replace(at("fresh", "secret.key"), buf_str(&before), 0600, &err));
    close_data();
    open_data("fresh");
    CHECK(has(1, "a", "v"));
    struct file_info info;
    CHECK(file_stat(at("fresh", "secret.key.next"), &info, &err) && info.kind == FILE_KIND_ABSENT);
    // Stopped before: it is of no consequence.
    REQUIRE(file_replace(at("fresh", "secret.key.next"), buf_str(&before), 0600, &err));
    close_data();
    open_data("fresh");
    CHECK(has(1, "a", "v") && keeper_rotate_master(dir.keeper, db, true, &count, &err) && has(1, "a", "v"));
    // One at a time.
    struct file_lock lock;
    REQUIRE(file_lock_take(at("fresh", "master.lock"), false, &lock, &err));
    CHECK(!keeper_rotate_master(dir.keeper, db, true, &count, &err) && strstr(err.message, "another command"));
    file_lock_release(&lock);
    close_data();
}

static void test_rotate_next(void) {
    int64_t count = 0;
    plain();
    open_data("next");
    int64_t acme = tenant("acme");
    CHECK(put(1, "a", "v") && put(acme, "a", "w"));
    CHECK(!keeper_rotate_master(dir.keeper, db, false, &count, &err) && strstr(err.message, "next_master_key"));
    close_data();
    from_env(&storage.next_master_key, "TEST_NEXT", HEX_B);
    open_data("next");
    CHECK(has(1, "a", "v"));
    CHECK(keeper_rotate_master(dir.keeper, db, false, &count, &err) && count == 3);
    CHECK(has(1, "a", "v") && has(acme, "a", "w"));
    CHECK(!keeper_rotate_master(dir.keeper, db, false, &count, &err) && err.code == ERR_EXISTS);
    close_data();
    open_data("next"); // both are configured still
    CHECK(has(1, "a", "v"));
    struct keeper_state state;
    CHECK(keeper_state_get(db, &state, &err));
    CHECK_STR(str_c(state.source), STR("env TEST_NEXT"));
    close_data();
    plain();
    CHECK(!try_open("next") && strstr(err.message, "another master key"));
    from_env(&storage.master_key, "TEST_NEXT", HEX_B);
    REQUIRE(file_remove(at("next", "secret.key"), &err));
    open_data("next");
    CHECK(has(1, "a", "v") && has(acme, "a", "w"));
    CHECK(!keeper_rotate_master(dir.keeper, db, true, &count, &err) && err.code == ERR_CONFIG_INVALID);
    // On to a program, and settings that come while it runs.
    command(&storage.next_master_key, TURN "\n");
    CHECK(keeper_configure(dir.keeper, &storage, NULL, &err));
    CHECK(has(1, "a", "v") && keeper_rotate_master(dir.keeper, db, false, &count, &err));
    CHECK(has(acme, "a", "w"));
    close_data();
    storage.master_key = storage.next_master_key;
    storage.next_master_key = (struct conf_master_key){0};
    open_data("next");
    CHECK(has(1, "a", "v") && has(acme, "a", "w"));
    // What a program that fails leaves behind: nothing.
    from_env(&storage.next_master_key, "TEST_NEXT", "no key");
    CHECK(keeper_configure(dir.keeper, &storage, NULL, &err));
    CHECK(!keeper_rotate_master(dir.keeper, db, false, &count, &err));
    CHECK(has(1, "a", "v") && put(acme, "c", "z") && has(acme, "c", "z"));
    close_data();
}

// One keeper, many connections; other settings and other master keys come all the while. The counters of CHECK are the
// main thread's.
#define TENANTS 48
struct worker {
    int64_t first;
    struct thread thread;
};
static atomic_int working;
static void work(void *arg) {
    const struct worker *w = arg;
    struct err why;
    struct sql *mine;
    INVARIANT(datadir_open_db(&dir, 20000, &mine, &why));
    for (int i = 0; i < TENANTS; i++) {
        BUF_AUTO struct buf sealed = BUF_INIT(1000), text = BUF_INIT(1000);
        struct sql_scope scope = sql_tenant(mine, 1 + (w->first + i) % TENANTS);
        bool ok = seal(scope, &dir, STR("p"), STR("l"), STR("text"), &sealed, &why) &&
                  unseal(scope, &dir, STR("p"), STR("l"), buf_str(&sealed), &text, &why);
        if (!ok) fprintf(stderr, "%s\n", why.message);
        INVARIANT(ok && str_eq(buf_str(&text), STR("text")));
    }
    sql_close(mine);
    atomic_fetch_sub(&working, 1);
}

static void test_threads(void) {
    struct worker workers[4];
    int64_t count;
    plain();
    open_data("threads");
    for (int i = 1; i < TENANTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        CHECK_INT(tenant(name), i + 1);
    }
    atomic_store(&working, (int)ARRAY_LEN(workers));
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        workers[i].first = (int64_t)i * TENANTS / 8;
        REQUIRE(thread_start(&workers[i].thread, "worker", 0, work, &workers[i], &err));
    }
    for (int i = 0; atomic_load(&working) > 0; i++) {
        CHECK(keeper_configure(dir.keeper, &storage, NULL, &err));
        if (i % 50 == 20) CHECK(keeper_rotate_master(dir.keeper, db, true, &count, &err));
    }
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) thread_join(&workers[i].thread);
    CHECK_INT(number("SELECT count(*) FROM data_key WHERE purpose = 'seal'"), TENANTS);
    close_data();
}

// Asks for the key of a tenant, which nobody has unwrapped yet.
struct asker {
    int64_t tenant;
    bool ok;
    struct keeper_key key;
    struct thread thread;
};
static void ask(void *arg) {
    struct asker *a = arg;
    struct err why;
    struct sql *mine;
    INVARIANT(datadir_open_db(&dir, 20000, &mine, &why));
    a->ok = keeper_find(dir.keeper, sql_tenant(mine, a->tenant), 1, &a->key, &why);
    if (!a->ok) fprintf(stderr, "%s\n", why.message);
    sql_close(mine);
}

// While a program takes its time over one tenant's key, those that are unwrapped are there; and it is asked once by all
// who need that key. Whoever waited for it here would make it run into its time limit.
static void test_slow(void) {
    struct asker askers[4] = {0};
    struct keeper_key known, again;
    plain();
    char script[2000], at_slow[300], at_go[300], at_log[300];
    snprintf(at_slow, sizeof at_slow, "%.*s", STR_ARG(temp_path("kms.slow")));
    snprintf(at_go, sizeof at_go, "%.*s", STR_ARG(temp_path("kms.go")));
    snprintf(at_log, sizeof at_log, "%.*s", STR_ARG(temp_path("kms.log")));
    snprintf(script, sizeof script,
             "if [ -e %s ]; then echo asked >> %s; while [ ! -e %s ]; do sleep 0.02; done; fi; " TURN "\n", at_slow,
             at_log, at_go);
    command(&storage.master_key, script);
    open_data("slow");
    int64_t acme = tenant("acme");
    CHECK(keeper_newest(dir.keeper, one(), &known, &err) &&
          keeper_newest(dir.keeper, sql_tenant(db, acme), &again, &err));
    close_data();
    open_data("slow");
    CHECK(keeper_find(dir.keeper, one(), 1, &known, &err));
    REQUIRE(file_replace(str_c(at_slow), STR(""), 0600, &err));
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
        askers[i].tenant = acme;
        REQUIRE(thread_start(&askers[i].thread, "asker", 0, ask, &askers[i], &err));
    }
    while (access(at_log, F_OK) != 0) usleep(1000);
    CHECK(keeper_find(dir.keeper, one(), 1, &again, &err) && memcmp(&known, &again, sizeof known) == 0);
    REQUIRE(file_replace(str_c(at_go), STR(""), 0600, &err));
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
        thread_join(&askers[i].thread);
        CHECK(askers[i].ok && memcmp(&askers[i].key, &askers[0].key, sizeof askers[i].key) == 0);
    }
    BUF_AUTO struct buf log = BUF_INIT(1000);
    REQUIRE(file_read_all(str_c(at_log), 1000, &log, &err));
    CHECK_STR(buf_str(&log), STR("asked\n"));
    close_data();
}

static void test_no_memory(void) {
    struct mem_stats before, after;
    bool ok = false;
    plain();
    open_data("memory");
    CHECK(put(1, "a", "v"));
    close_data();
    mem_stats_get(&before);
    for (uint64_t nth = 1; !ok; nth++) {
        REQUIRE(nth < 3000);
        struct keeper *k = NULL;
        struct keeper_key key;
        REQUIRE(datadir_open(temp_path("memory"), &dir, &err) && datadir_open_db(&dir, 1000, &db, &err));
        mem_fail_nth(nth);
        ok = keeper_create(temp_path("memory"), &storage, NULL, &k, &err) && keeper_open(k, db, &err) &&
             keeper_newest(k, sql_tenant(db, 1), &key, &err);
        mem_fail_nth(0);
        if (!ok) CHECK_INT(err.code, ERR_NO_MEMORY);
        keeper_free(k);
        close_data();
    }
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

TEST_MAIN(test_keys, test_swapped, test_destroy, test_early, test_env, test_file, test_command, test_rotate_fresh,
          test_rotate_next, test_threads, test_slow, test_no_memory)
