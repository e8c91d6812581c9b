// Tests of store/datadir.h: creation, modes, races for the secret, damaged files, the generation shared by processes.
#include "check.h"
#include "temp_dir.h"

#include "store/datadir.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/wait.h>

static struct err err;

static struct str below(const char *dir, const char *name) {
    char both[256];
    snprintf(both, sizeof both, "%s/%s", dir, name);
    return temp_path(both);
}

static unsigned mode_of(struct str path) {
    struct file_info info = {0};
    return file_stat(path, &info, &err) ? info.mode : 0;
}

static bool open_both(const char *name, struct datadir *dir) {
    struct sql *db;
    bool ok = datadir_open(temp_path(name), dir, &err) && datadir_open_db(dir, 20000, &db, &err);
    if (ok) sql_close(db);
    return ok;
}

static void test_create(void) {
    struct datadir dir = {0}, again = {0};
    REQUIRE(open_both("new/data", &dir));
    CHECK_INT(mode_of(temp_path("new/data")), 0700);
    CHECK_INT(mode_of(below("new/data", "secret.key")), 0600);
    CHECK_INT(mode_of(below("new/data", "keys.gen")), 0600);
    CHECK_INT(datadir_secret(&dir)->n, KEEPER_KEY_SIZE);
    CHECK_STR(str_c(dir.database), below("new/data", "penstock.db"));

    REQUIRE(open_both("new/data", &again));
    CHECK(str_eq_secret(secret_str(datadir_secret(&dir)), secret_str(datadir_secret(&again))));
    CHECK_INT(datadir_key_generation(&dir), 0);
    datadir_key_changed(&again);
    CHECK_INT(datadir_key_generation(&dir), 1);
    datadir_close(&again);
    datadir_close(&again);
    datadir_close(&dir);
    REQUIRE(datadir_open(temp_path("new/data"), &dir, &err)); // counts on over restarts
    CHECK_INT(datadir_key_generation(&dir), 1);
    datadir_close(&dir);

    REQUIRE(open_both("other", &again) && open_both("new/data", &dir));
    CHECK(!str_eq(secret_str(datadir_secret(&dir)), secret_str(datadir_secret(&again))));
    datadir_close(&again);
    datadir_close(&dir);
}

// Other processes see the counter, and watchers of the directory a modification.
static void test_config_changed(void) {
    struct datadir dir = {0}, again = {0};
    struct file_info before = {0}, after = {0};
    union {
        struct inotify_event event;
        char bytes[sizeof(struct inotify_event) + NAME_MAX + 1];
    } told = {.bytes = ""};
    REQUIRE(datadir_open(temp_path("live"), &dir, &err) && datadir_open(temp_path("live"), &again, &err));
    CHECK_INT(mode_of(below("live", "config.gen")), 0600);
    CHECK_INT(datadir_config_generation(&dir), 0);
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    REQUIRE(utimensat(AT_FDCWD, below("live", "config.gen").p, old, 0) == 0);
    REQUIRE(file_stat(below("live", "config.gen"), &before, &err));
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    REQUIRE(watch >= 0 && inotify_add_watch(watch, temp_path("live").p, IN_MODIFY | IN_ATTRIB) >= 0);

    datadir_config_changed(&again);
    CHECK_INT(datadir_config_generation(&dir), 1);
    CHECK_INT(datadir_key_generation(&dir), 0);
    CHECK(file_stat(below("live", "config.gen"), &after, &err) && after.modified_ns > before.modified_ns);
    CHECK(read(watch, &told, sizeof told) > 0);
    CHECK(told.event.mask == IN_MODIFY);
    CHECK_STR(str_c(told.bytes + sizeof told.event), STR("config.gen"));
    close(watch);
    datadir_close(&again);
    datadir_close(&dir);
}

static void test_database(void) {
    struct datadir dir = {0};
    struct sql *db, *other;
    bool has = false;
    REQUIRE(datadir_open(temp_path("db"), &dir, &err));
    REQUIRE(datadir_open_db(&dir, 1000, &db, &err));
    CHECK(sql_has_table(db, STR("api_key"), &has, &err) && has);
    CHECK_INT(mode_of(below("db", "penstock.db")), 0600);
    CHECK(sql_exec(db, STR("INSERT INTO schema_migration VALUES (999, 'from tomorrow', 0, 0)"), &err));
    CHECK(!datadir_open_db(&dir, 1000, &other, &err));
    CHECK(strstr(err.message, "newer Penstock") && strstr(err.message, dir.database));
    sql_close(db);
    CHECK(file_replace(str_c(dir.database), STR("no database at all"), 0600, &err));
    CHECK(!datadir_open_db(&dir, 1000, &other, &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, dir.database));
    datadir_close(&dir);
}

static void test_bad(void) {
    struct datadir dir = {0};
    char secret[KEEPER_KEY_SIZE + 1] = "";
    struct sql *db;
    REQUIRE(dir_make(temp_path("bad"), 0700, &err));
    for (size_t n = 0; n <= sizeof secret; n++) {
        if (n == KEEPER_KEY_SIZE) continue;
        CHECK(file_replace(below("bad", "secret.key"), str_of(secret, n), 0600, &err));
        REQUIRE(datadir_open(temp_path("bad"), &dir, &err));
        CHECK(!datadir_open_db(&dir, 1000, &db, &err));
        CHECK_INT(err.code, ERR_STORE);
        CHECK(strstr(err.message, "secret.key") && strstr(err.message, "backup"));
        datadir_close(&dir);
    }
    CHECK(file_replace(temp_path("file"), STR("x"), 0600, &err));
    CHECK(!datadir_open(temp_path("file"), &dir, &err));
    CHECK(strstr(err.message, "data directory"));
    CHECK(!datadir_open(STR(""), &dir, &err));
    CHECK(!datadir_open(STR("a\0b"), &dir, &err));
}

// The child's secret goes back through a pipe.
static void racer(int gate, int result) {
    struct datadir dir = {0};
    char c;
    if (read(gate, &c, 1) < 0) _exit(3);
    if (!open_both("race", &dir)) _exit(2);
    for (int i = 0; i < 1000; i++) datadir_key_changed(&dir);
    if (write(result, datadir_secret(&dir)->p, KEEPER_KEY_SIZE) != KEEPER_KEY_SIZE) _exit(1);
    datadir_close(&dir);
    _exit(0);
}

static void test_race(void) {
    enum { RACERS = 8 };
    struct datadir dir = {0};
    int gate[2], result[2];
    REQUIRE(pipe(gate) == 0 && pipe(result) == 0);
    fflush(NULL);
    for (int i = 0; i < RACERS; i++) {
        if (fork() != 0) continue;
        close(gate[1]);
        racer(gate[0], result[1]);
    }
    close(gate[0]);
    close(gate[1]); // off they go
    close(result[1]);
    for (int i = 0, status; i < RACERS; i++) {
        REQUIRE(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    REQUIRE(open_both("race", &dir));
    CHECK_INT(datadir_key_generation(&dir), RACERS * 1000);
    int n = 0;
    for (char secret[KEEPER_KEY_SIZE]; read(result[0], secret, sizeof secret) == (ssize_t)sizeof secret; n++)
        CHECK(str_eq(str_of(secret, sizeof secret), secret_str(datadir_secret(&dir))));
    CHECK_INT(n, RACERS);
    close(result[0]);
    datadir_close(&dir);
}

static void test_no_memory(void) {
    struct mem_stats before, after;
    struct datadir dir = {0};
    bool ok = false;
    mem_stats_get(&before);
    for (uint64_t nth = 1; !ok; nth++) {
        mem_fail_nth(nth);
        ok = datadir_open(temp_path("memory"), &dir, &err);
        mem_fail_nth(0);
        if (!ok) CHECK_INT(err.code, ERR_NO_MEMORY);
        REQUIRE(nth < 200);
    }
    datadir_close(&dir);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

TEST_MAIN(test_create, test_config_changed, test_database, test_bad, test_race, test_no_memory)
