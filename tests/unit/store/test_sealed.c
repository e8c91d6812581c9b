// Tests of store/sealed.h: round trips, wrong keys, values moved about in the database, damage, names, no memory.
#include "check.h"
#include "temp_dir.h"

#include "base/mem.h"
#include "store/sealed.h"

static struct err err;
static struct datadir dir;
static struct sql *db;

static void open_data(const char *name) {
    REQUIRE(datadir_open(temp_path(name), &dir, &err));
    REQUIRE(datadir_open_db(&dir, 1000, &db, &err));
}

static void close_data(void) {
    sql_close(db);
    datadir_close(&dir);
}

static bool put(const char *name, struct str value, int64_t now) {
    return sealed_put(sql_tenant(db, TENANT_DEFAULT), &dir, str_c(name), value, now, &err);
}

static void check_get(const char *name, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT(SEALED_VALUE_MAX + 100);
    buf_lit(&out, "<");
    bool ok = sealed_get(sql_tenant(db, TENANT_DEFAULT), &dir, str_c(name), &out, &err);
    CHECK(ok);
    if (ok) CHECK_STR(str_from(buf_str(&out), 1), want);
}

// The value is not given, and the buffer is as before.
static void check_refused(const char *name, enum err_code code, const char *part) {
    BUF_AUTO struct buf out = BUF_INIT(1000);
    buf_lit(&out, "kept");
    err.message[0] = '\0';
    CHECK(!sealed_get(sql_tenant(db, TENANT_DEFAULT), &dir, str_c(name), &out, &err));
    CHECK_INT(err.code, code);
    CHECK(strstr(err.message, part));
    CHECK_STR(buf_str(&out), STR("kept"));
    CHECK(!out.failed);
}

static void test_round_trip(void) {
    static char big[SEALED_VALUE_MAX + 1];
    open_data("round");
    CHECK(put("openai/key-1.A_b", STR("sk-\0secret"), 5));
    CHECK(put("empty", STR(""), 6));
    memset(big, 'x', sizeof big);
    CHECK(put("big", str_of(big, SEALED_VALUE_MAX), 7));
    check_get("openai/key-1.A_b", STR("sk-\0secret"));
    check_get("empty", STR(""));
    check_get("big", str_of(big, SEALED_VALUE_MAX));
    CHECK(!put("big", str_of(big, SEALED_VALUE_MAX + 1), 8));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    CHECK(put("big", STR("small"), 9));
    check_get("big", STR("small"));
    check_refused("absent", ERR_NOT_FOUND, "secret list");

    CHECK(sealed_delete(sql_tenant(db, TENANT_DEFAULT), STR("big"), &err));
    check_refused("big", ERR_NOT_FOUND, "\"big\"");
    CHECK(!sealed_delete(sql_tenant(db, TENANT_DEFAULT), STR("big"), &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    // What was kept is there for the next opener.
    close_data();
    open_data("round");
    check_get("openai/key-1.A_b", STR("sk-\0secret"));
    close_data();
}

static bool file_holds(const char *path, struct str what) {
    BUF_AUTO struct buf bytes = BUF_INIT(64 << 20);
    struct file_info info;
    if (!file_stat(temp_path(path), &info, &err) || info.kind == FILE_KIND_ABSENT) return false;
    REQUIRE(file_read_all(temp_path(path), 64 << 20, &bytes, &err));
    return str_find(buf_str(&bytes), what) < bytes.n;
}

static void test_not_in_the_clear(void) {
    open_data("clear");
    CHECK(put("visible-name", STR("sk-invisible-value"), 5));
    CHECK(file_holds("clear/penstock.db", STR("visible-name")) ||
          file_holds("clear/penstock.db-wal", STR("visible-name")));
    CHECK(!file_holds("clear/penstock.db", STR("sk-invisible-value")));
    CHECK(!file_holds("clear/penstock.db-wal", STR("sk-invisible-value")));
    // The same value twice gives other bytes: nobody sees that two secrets are the same.
    BUF_AUTO struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);
    CHECK(seal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), STR("text"), &a, &err) &&
          seal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), STR("text"), &b, &err));
    CHECK(a.n == b.n && !str_eq(buf_str(&a), buf_str(&b)));
    close_data();
}

static void test_names(void) {
    static const char *const bad[] = {"", "a b", "a\nb", "\xc3\xa4", "a:b", "a}", "a'b", "*", "a\\b", "a#b"};
    char name[SEALED_NAME_MAX + 2];
    open_data("names");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!put(bad[i], STR("v"), 1));
        CHECK_INT(err.code, ERR_INVALID_FIELD);
        check_refused(bad[i], ERR_INVALID_FIELD, "name");
        CHECK(!sealed_delete(sql_tenant(db, TENANT_DEFAULT), str_c(bad[i]), &err));
        CHECK_INT(err.code, ERR_INVALID_FIELD);
    }
    CHECK(!sealed_put(sql_tenant(db, TENANT_DEFAULT), &dir, STR("a\0b"), STR("v"), 1, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    memset(name, 'n', sizeof name);
    name[SEALED_NAME_MAX + 1] = '\0';
    CHECK(!put(name, STR("v"), 1));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    name[SEALED_NAME_MAX] = '\0';
    CHECK(put(name, STR("v"), 1));
    check_get(name, STR("v"));
    // Case matters.
    CHECK(put("case", STR("lower"), 1) && put("CASE", STR("upper"), 1));
    check_get("case", STR("lower"));
    check_get("CASE", STR("upper"));
    close_data();
}

// Refused before anything is read or written, with what to do.
static void test_wrong_key(void) {
    char other[KEEPER_KEY_SIZE], right[KEEPER_KEY_SIZE];
    struct file file;
    size_t n;
    open_data("wrong");
    CHECK(put("a", STR("value"), 1));
    close_data();
    REQUIRE(file_open(temp_path("wrong/secret.key"), FILE_READ, 0, &file, &err) &&
            file_read_at(&file, 0, right, sizeof right, &n, &err));
    file_close(&file);
    memset(other, 7, sizeof other);
    REQUIRE(file_replace(temp_path("wrong/secret.key"), str_of(other, sizeof other), 0600, &err));
    REQUIRE(datadir_open(temp_path("wrong"), &dir, &err));
    CHECK(!datadir_open_db(&dir, 1000, &db, &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "another master key") && strstr(err.message, "storage.master_key") &&
          strstr(err.message, "backup"));
    datadir_close(&dir);
    REQUIRE(file_remove(temp_path("wrong/secret.key"), &err));
    REQUIRE(datadir_open(temp_path("wrong"), &dir, &err));
    CHECK(!datadir_open_db(&dir, 1000, &db, &err) && strstr(err.message, "is missing"));
    datadir_close(&dir);
    REQUIRE(file_replace(temp_path("wrong/secret.key"), str_of(right, sizeof right), 0600, &err));
    open_data("wrong");
    check_get("a", STR("value"));
    close_data();
}

static void test_moved_about(void) {
    open_data("moved");
    CHECK(put("a", STR("for a"), 1) && put("b", STR("for b"), 1));
    CHECK(sql_exec(db,
                   STR("UPDATE sealed_secret SET value = (SELECT value FROM sealed_secret WHERE name = 'b')"
                       " WHERE name = 'a'"),
                   &err));
    check_refused("a", ERR_STORE, "does not open");
    check_get("b", STR("for b"));
    CHECK(sql_exec(db, STR("UPDATE sealed_secret SET name = 'c' WHERE name = 'b'"), &err));
    check_refused("c", ERR_STORE, "does not open");
    close_data();
}

// Every bit of what is stored is vouched for, and so is its length.
static void test_damage(void) {
    open_data("damage");
    BUF_AUTO struct buf sealed = BUF_INIT(1000), text = BUF_INIT(1000);
    REQUIRE(seal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), STR("hello"), &sealed, &err));
    CHECK_INT(sealed.n, 1 + 4 + 8 + 12 + 5 + 16);
    for (size_t i = 0; i < sealed.n * 8; i++) {
        sealed.p[i / 8] = (char)(sealed.p[i / 8] ^ (1 << (i % 8)));
        CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), buf_str(&sealed), &text, &err));
        CHECK_INT(err.code, ERR_STORE);
        sealed.p[i / 8] = (char)(sealed.p[i / 8] ^ (1 << (i % 8)));
    }
    for (size_t n = 0; n < sealed.n; n++) {
        CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), str_head(buf_str(&sealed), n), &text,
                      &err));
        CHECK_INT(err.code, ERR_STORE);
    }
    CHECK_INT(text.n, 0);
    CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("q"), STR("l"), buf_str(&sealed), &text, &err));
    CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("m"), buf_str(&sealed), &text, &err));
    CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("pl"), STR(""), buf_str(&sealed), &text,
                  &err)); // purpose and label do not run together
    CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR_NONE, buf_str(&sealed), &text, &err));
    CHECK(unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), buf_str(&sealed), &text, &err));
    CHECK_STR(buf_str(&text), STR("hello"));
    buf_putc(&sealed, 'x');
    CHECK(!unseal(sql_tenant(db, TENANT_DEFAULT), &dir, STR("p"), STR("l"), buf_str(&sealed), &text, &err));

    CHECK(put("a", STR("value"), 1));
    CHECK(!sql_exec(db, STR("UPDATE sealed_secret SET value = x'00'"), &err)); // the schema stands guard
    CHECK(sql_exec(db, STR("PRAGMA ignore_check_constraints = 1; UPDATE sealed_secret SET value = x''"), &err));
    check_refused("a", ERR_STORE, "damaged");
    CHECK(sql_exec(db, STR("UPDATE sealed_secret SET value = zeroblob(100)"), &err));
    check_refused("a", ERR_STORE, "damaged");
    close_data();
}

// Text that is longer than the reader has room for is an error of its own, and leaves what was there.
static void test_no_room(void) {
    BUF_AUTO struct buf out = BUF_INIT(8);
    open_data("room");
    CHECK(put("a", STR("0123456789"), 1));
    buf_lit(&out, "kept");
    CHECK(!sealed_get(sql_tenant(db, TENANT_DEFAULT), &dir, STR("a"), &out, &err));
    CHECK_STR(buf_str(&out), STR("kept"));
    CHECK(!out.failed);
    close_data();
}

struct walk {
    char names[64];
    size_t n, stop_after;
    int64_t created, updated;
};

static bool note(void *arg, const struct sealed_row *row, struct err *e) {
    struct walk *w = arg;
    memcpy(w->names + w->n, row->name.p, 1);
    w->n++;
    w->created = row->created_at;
    w->updated = row->updated_at;
    return w->n < w->stop_after || err_set(e, ERR_INTERNAL, "enough");
}

static void test_each(void) {
    struct walk none = {.stop_after = 99}, all = none, some = {.stop_after = 2};
    open_data("each");
    CHECK(sealed_each(sql_tenant(db, TENANT_DEFAULT), note, &none, &err) && none.n == 0);
    CHECK(put("c", STR("v"), 1) && put("a", STR("v"), 2) && put("b", STR("v"), 3));
    CHECK(put("c", STR("w"), 40));
    CHECK(sealed_each(sql_tenant(db, TENANT_DEFAULT), note, &all, &err));
    CHECK_STR(str_of(all.names, all.n), STR("abc"));
    CHECK_INT(all.created, 1); // the first time stays
    CHECK_INT(all.updated, 40);
    CHECK(!sealed_each(sql_tenant(db, TENANT_DEFAULT), note, &some, &err) && some.n == 2);
    CHECK(sql_begin(db, &err) && sql_commit(db, &err)); // the walk left nothing open
    close_data();
}

static bool work(void) {
    BUF_AUTO struct buf out = BUF_INIT(1000);
    struct walk w = {.stop_after = 99};
    return put("name", STR("another value"), 2) &&
           sealed_get(sql_tenant(db, TENANT_DEFAULT), &dir, STR("name"), &out, &err) &&
           sealed_each(sql_tenant(db, TENANT_DEFAULT), note, &w, &err) && put("gone", STR("x"), 3) &&
           sealed_delete(sql_tenant(db, TENANT_DEFAULT), STR("gone"), &err);
}

static void test_no_memory(void) {
    open_data("memory");
    REQUIRE(put("name", STR("value"), 1));
    close_data();
    for (uint64_t nth = 1;; nth++) {
        struct mem_stats before, after;
        open_data("memory");
        mem_stats_get(&before);
        mem_fail_nth(nth);
        bool ok = work();
        mem_fail_nth(0);
        mem_stats_get(&after);
        if (!ok) CHECK_INT(err.code, ERR_NO_MEMORY);
        // Whatever failed, the connection works on and holds the one value or the other.
        CHECK(work());
        check_get("name", STR("another value"));
        close_data();
        if (after.failed == before.failed) break;
        REQUIRE(nth < 2000);
    }
}

TEST_MAIN(test_round_trip, test_not_in_the_clear, test_names, test_wrong_key, test_moved_about, test_damage,
          test_no_room, test_each, test_no_memory)
