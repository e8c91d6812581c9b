// Tests of store/config_history.h: versions and live changes in and out, conflicts, pruning, damage, kills, no memory.
#include "check.h"
#include "test_database.h"

#include "base/mem.h"
#include "store/config_history.h"
#include "store/sealed.h"

#include <signal.h>
#include <sys/wait.h>

static struct err err;
static struct datadir dir;
static struct sql *db;

static void open_data(const char *name) {
    REQUIRE(test_datadir(name, &dir, &err));
    REQUIRE(datadir_open_db(&dir, 20000, &db, &err));
}

static void close_data(void) {
    sql_close(db);
    datadir_close(&dir);
}

static struct config_version_row row_of(const char *tree, uint64_t digest) {
    return (struct config_version_row){.version = 77,
                                       .at = 1000,
                                       .actor = STR("command line (root)"),
                                       .cause = STR("cli"),
                                       .file = STR("/etc/penstock.yaml"),
                                       .changes = STR("[{\"key\":\"log.level\"}]"),
                                       .tree = str_c(tree),
                                       .digest = digest};
}

// The new version, or minus the error's code.
static int64_t add(const char *tree, uint64_t digest, const struct config_live_list *live, int64_t expected) {
    struct config_version_row row = row_of(tree, digest);
    int64_t version = -1;
    if (config_version_add(db, &dir, &row, live, expected, &version, &err)) return version;
    CHECK_INT(version, -1);
    return -(int64_t)err.code;
}

static int64_t count(const char *table) {
    char text[64];
    int64_t n = -1;
    snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
    return sql_query_i64(sql_platform(db), str_c(text), &n, &err) ? n : -1;
}

static int64_t newest(uint64_t *out_digest) {
    int64_t version = -1;
    CHECK(config_version_newest(db, &version, out_digest, &err));
    return version;
}

static void test_versions(void) {
    struct arena arena;
    struct config_version_row row;
    uint64_t digest = 9;
    open_data("versions");
    arena_init(&arena, NULL, 0, 1 << 20);
    CHECK_INT(newest(&digest), 0);
    CHECK_INT(digest, 0);
    CHECK_INT(add("a: 1\n", UINT64_MAX - 1, NULL, -1), 1);
    CHECK_INT(add("", 2, NULL, 1), 2);
    CHECK_INT(newest(&digest), 2);
    CHECK_INT(digest, 2);
    CHECK_INT(newest(NULL), 2);
    REQUIRE(config_version_find(db, &dir, 1, &arena, &row, &err));
    CHECK_INT(row.version, 1);
    CHECK_INT(row.at, 1000);
    CHECK_STR(row.actor, STR("command line (root)"));
    CHECK_STR(row.cause, STR("cli"));
    CHECK_STR(row.file, STR("/etc/penstock.yaml"));
    CHECK_STR(row.changes, STR("[{\"key\":\"log.level\"}]"));
    CHECK_STR(row.tree, STR("a: 1\n"));
    CHECK(row.digest == UINT64_MAX - 1);
    REQUIRE(config_version_find(db, &dir, 2, &arena, &row, &err));
    CHECK_INT(row.tree.n, 0);
    CHECK(!config_version_find(db, &dir, 3, &arena, &row, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(strstr(err.message, "config history"));
    CHECK(!config_version_find(db, &dir, -1, &arena, &row, &err));
    CHECK_INT(row.version, 2); // untouched
    arena_free(&arena);
    close_data();
}

static void test_same_tree(void) {
    struct config_live_list none = {0};
    open_data("same");
    CHECK_INT(add("a: 1\n", 5, NULL, -1), 1);
    CHECK_INT(add("a: 1\n", 5, NULL, -1), 1);
    CHECK_INT(count("config_version"), 1);
    CHECK_INT(add("a: 1\n", 5, &none, -1), 2); // somebody changed something, even to the same
    CHECK_INT(add("a: 2\n", 6, NULL, -1), 3);
    CHECK_INT(add("a: 1\n", 5, NULL, -1), 4); // only twice in a row
    CHECK_INT(add("?", 0, NULL, -1), 5);      // an unknown digest is like no other
    CHECK_INT(add("?", 0, NULL, -1), 6);
    struct config_version_row row = row_of("a: 1\n", 5);
    int64_t version;
    CHECK_INT(add("a: 1\n", 5, NULL, -1), 7);
    row.again = true; // the tree is the same, but what its references stand for is not
    CHECK(config_version_add(db, &dir, &row, NULL, -1, &version, &err));
    CHECK_INT(version, 8);
    CHECK_INT(add("a: 1\n", 5, NULL, -1), 8);
    close_data();
}

static struct config_live_row live_row(const char *key, const char *value, int64_t version) {
    return (struct config_live_row){.key = str_c(key),
                                    .value = str_c(value),
                                    .actor = STR("admin key ps-abc123 (ops)"),
                                    .at = 50,
                                    .version = version};
}

static void test_live(void) {
    struct arena arena;
    struct config_live_list list = {(struct config_live_row *)1, 1};
    struct config_live_row rows[] = {live_row("models.\"gpt-4.1\".targets", "[\"a\"]", 0),
                                     live_row("log.level", "null", 1), live_row("a", "", 0)};
    open_data("live");
    arena_init(&arena, NULL, 0, 1 << 20);
    CHECK(config_live_read(db, &dir, &arena, &list, &err) && list.n == 0 && !list.p);
    CHECK_INT(add("1", 1, NULL, -1), 1);
    CHECK_INT(add("2", 2, &(struct config_live_list){rows, 3}, 1), 2);
    REQUIRE(config_live_read(db, &dir, &arena, &list, &err));
    REQUIRE(list.n == 3);
    // In the order they were given: later ones go before earlier ones.
    CHECK_STR(list.p[0].key, STR("models.\"gpt-4.1\".targets"));
    CHECK_STR(list.p[0].value, STR("[\"a\"]"));
    CHECK_STR(list.p[0].actor, STR("admin key ps-abc123 (ops)"));
    CHECK_INT(list.p[0].at, 50);
    CHECK_INT(list.p[0].version, 2);
    CHECK_STR(list.p[1].key, STR("log.level"));
    CHECK_INT(list.p[1].version, 1); // it came with an earlier one
    CHECK_INT(list.p[2].value.n, 0);

    // Without a list they stay; with one they are replaced as a whole.
    CHECK_INT(add("3", 3, NULL, -1), 3);
    CHECK_INT(count("config_live"), 3);
    CHECK_INT(add("4", 4, &(struct config_live_list){rows + 1, 1}, 3), 4);
    REQUIRE(config_live_read(db, &dir, &arena, &list, &err));
    CHECK(list.n == 1 && str_eq(list.p[0].key, STR("log.level")));
    CHECK_INT(add("5", 5, &(struct config_live_list){0}, 4), 5);
    CHECK_INT(count("config_live"), 0);
    arena_free(&arena);
    close_data();
}

// Whatever is refused leaves nothing of itself.
static void test_refused(void) {
    struct config_live_row twice[] = {live_row("a", "1", 0), live_row("a", "2", 0)}, nameless = live_row("", "1", 0);
    struct config_live_list list = {twice, 2};
    open_data("refused");
    CHECK_INT(add("1", 1, &(struct config_live_list){twice, 1}, 0), 1);
    CHECK_INT(add("2", 2, &list, 1), -(int64_t)ERR_INVALID_FIELD);
    CHECK(strstr(err.message, "twice"));
    list = (struct config_live_list){&nameless, 1};
    CHECK_INT(add("2", 2, &list, 1), -(int64_t)ERR_INVALID_FIELD);
    CHECK_INT(add("2", 2, NULL, 0), -(int64_t)ERR_EXISTS);
    CHECK(strstr(err.message, "version 1"));
    CHECK_INT(count("config_version"), 1);
    CHECK_INT(count("config_live"), 1);
    CHECK_INT(add("2", 2, NULL, 1), 2); // no transaction was left open
    CHECK(sql_exec(db, STR("UPDATE config_version SET version = 9223372036854775807 WHERE version = 2"), &err));
    CHECK_INT(add("3", 3, NULL, -1), -(int64_t)ERR_STORE);
    close_data();
}

static void test_pruning(void) {
    struct arena arena;
    struct config_version_row row;
    open_data("pruning");
    arena_init(&arena, NULL, 0, 1 << 20);
    for (int i = 1; i <= CONFIG_HISTORY_KEEP; i++) REQUIRE(add("t", (uint64_t)i, NULL, i - 1) == i);
    CHECK_INT(count("config_version"), CONFIG_HISTORY_KEEP);
    CHECK(config_version_find(db, &dir, 1, &arena, &row, &err));
    for (int i = 1; i <= 3; i++) CHECK_INT(add("u", (uint64_t)(5000 + i), NULL, -1), CONFIG_HISTORY_KEEP + i);
    CHECK_INT(count("config_version"), CONFIG_HISTORY_KEEP);
    CHECK(!config_version_find(db, &dir, 3, &arena, &row, &err));
    CHECK(config_version_find(db, &dir, 4, &arena, &row, &err));
    arena_free(&arena);
    close_data();
}

struct walk {
    int64_t versions[8];
    size_t n, stop_after;
};

static bool note(void *arg, const struct config_version_row *row, struct err *e) {
    struct walk *w = arg;
    CHECK_STR(row->cause, STR("cli"));
    CHECK_INT(row->tree.n, 0);
    if (w->n < ARRAY_LEN(w->versions)) w->versions[w->n] = row->version;
    w->n++;
    return w->n < w->stop_after || err_set(e, ERR_INTERNAL, "enough");
}

static void test_each(void) {
    struct walk none = {.stop_after = 99}, all = none, two = none, some = {.stop_after = 3};
    open_data("each");
    CHECK(config_version_each(db, 0, note, &none, &err) && none.n == 0);
    for (uint64_t i = 1; i <= 5; i++) REQUIRE(add("tree", i, NULL, -1) == (int64_t)i);
    CHECK(config_version_each(db, 0, note, &all, &err) && all.n == 5);
    for (size_t i = 0; i < 5; i++) CHECK_INT(all.versions[i], 5 - i);
    CHECK(config_version_each(db, 2, note, &two, &err) && two.n == 2 && two.versions[1] == 4);
    two.n = 0;
    CHECK(config_version_each(db, SIZE_MAX, note, &two, &err) && two.n == 5);
    CHECK(!config_version_each(db, 0, note, &some, &err) && some.n == 3);
    CHECK(sql_begin(db, &err) && sql_commit(db, &err)); // the walk left nothing open
    close_data();
}

static bool reads(int64_t version) {
    struct arena arena;
    struct config_version_row row;
    struct config_live_list list;
    arena_init(&arena, NULL, 0, 1 << 20);
    bool ok = version ? config_version_find(db, &dir, version, &arena, &row, &err)
                      : config_live_read(db, &dir, &arena, &list, &err);
    arena_free(&arena);
    return ok;
}

static void test_moved_about(void) {
    struct config_live_row rows[] = {live_row("a", "1", 0), live_row("b", "2", 0)};
    open_data("moved");
    CHECK_INT(add("one: sk-invisible", 1, &(struct config_live_list){rows, 2}, -1), 1);
    CHECK_INT(add("two", 2, NULL, -1), 2);
    CHECK(reads(0) && reads(1) && reads(2));
    CHECK(sql_exec(db,
                   STR("UPDATE config_version SET tree = (SELECT tree FROM config_version WHERE version = 1)"
                       " WHERE version = 2"),
                   &err));
    CHECK(reads(1) && !reads(2));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "configuration version 2"));
    CHECK(sql_exec(
        db, STR("UPDATE config_live SET value = (SELECT value FROM config_live WHERE key = 'b') WHERE key = 'a'"),
        &err));
    CHECK(!reads(0));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(strstr(err.message, "the live change of a"));
    // A tree is no secret's value and no live change, whatever its name.
    CHECK(
        sql_exec(db, STR("UPDATE config_live SET value = (SELECT tree FROM config_version WHERE version = 1)"), &err));
    CHECK(!reads(0));
    CHECK(sql_exec(db, STR("UPDATE config_version SET tree = zeroblob(60) WHERE version = 1"), &err) && !reads(1));
    CHECK(!sql_exec(db, STR("UPDATE config_version SET tree = x'01'"), &err)); // the schema stands guard
    CHECK_INT(add("three", 3, &(struct config_live_list){rows, 2}, 2), 3);     // a way out
    CHECK(reads(0) && reads(3));
    close_data();
}

// Each of several processes makes versions from what it sees to be the newest, and again when it was too late.
enum { RACERS = 4, EACH = 20 };
static int racer(int who) {
    int done = 0;
    open_data("race");
    while (done < EACH) {
        char value[16];
        snprintf(value, sizeof value, "%d", who);
        struct config_live_row row = live_row("who", value, 0);
        int64_t seen = newest(NULL), version = add(value, 1, &(struct config_live_list){&row, 1}, seen);
        if (version == seen + 1)
            done++;
        else if (version != -(int64_t)ERR_EXISTS)
            return 1;
    }
    close_data();
    return g_check_failures != 0;
}

static void test_race(void) {
    struct arena arena;
    struct config_live_list list;
    struct config_version_row row;
    fflush(NULL);
    for (int i = 0; i < RACERS; i++)
        if (fork() == 0) _exit(racer(i));
    for (int i = 0, status; i < RACERS; i++) {
        REQUIRE(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    open_data("race");
    arena_init(&arena, NULL, 0, 1 << 20);
    CHECK_INT(count("config_version"), RACERS * EACH); // none was lost, none given twice
    CHECK_INT(newest(NULL), RACERS * EACH);
    // The live changes are those of the newest version.
    REQUIRE(config_live_read(db, &dir, &arena, &list, &err) && list.n == 1);
    CHECK_INT(list.p[0].version, RACERS * EACH);
    REQUIRE(config_version_find(db, &dir, RACERS * EACH, &arena, &row, &err));
    CHECK_STR(list.p[0].value, row.tree);
    arena_free(&arena);
    close_data();
}

// The process ends before its nth statement goes on.
static long g_steps_left;
static const struct sql_ops *g_ops;
static bool step_or_die(struct sql_stmt *st, bool *out_row, struct err *e) {
    if (g_steps_left-- == 0) raise(SIGKILL);
    return g_ops->step(st, out_row, e);
}

static void killed_at(long n) {
    struct config_live_row rows[] = {live_row("a", "new", 0), live_row("b", "new", 0)};
    open_data("kill");
    struct sql_ops ops = *db->ops;
    g_ops = db->ops;
    g_steps_left = n;
    ops.step = step_or_die;
    db->ops = &ops;
    bool ok = add("new", 0, &(struct config_live_list){rows, 2}, -1) > 0;
    _exit(!ok);
}

static void test_kill(void) {
    struct config_live_row old = live_row("old", "old", 0);
    int64_t made = 1;
    open_data("kill");
    REQUIRE(add("old", 0, &(struct config_live_list){&old, 1}, -1) == 1);
    long n = 0;
    for (bool finished = false; !finished; n++) {
        int status;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) killed_at(n);
        REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
        finished = WIFEXITED(status);
        if (finished) CHECK_INT(WEXITSTATUS(status), 0);
        // All of it or nothing: while the old live changes stand there is no new version.
        bool whole = newest(NULL) > made;
        CHECK_INT(count("config_live"), whole ? 2 : 1);
        CHECK(reads(0));
        CHECK(whole == finished);
        REQUIRE(n < 100);
    }
    CHECK(n > 6); // begin, newest, insert, prune, delete, two rows, commit
    close_data();
}

static bool work(int64_t *out_version) {
    struct config_live_row rows[] = {live_row("some.key.that.is.longer", "\"x\"", 0), live_row("b", "2", 0)};
    struct config_version_row row = row_of("a tree\n", 0), found;
    struct config_live_list list = {rows, 2};
    struct walk w = {.stop_after = 99999};
    struct arena arena;
    arena_init(&arena, NULL, 0, 1 << 20);
    bool ok = config_version_add(db, &dir, &row, &list, -1, out_version, &err) &&
              config_live_read(db, &dir, &arena, &list, &err) && list.n == 2 &&
              config_version_find(db, &dir, *out_version, &arena, &found, &err) &&
              config_version_each(db, 3, note, &w, &err);
    if (ok) CHECK_STR(found.tree, STR("a tree\n"));
    if (ok) CHECK_STR(list.p[0].value, STR("\"x\""));
    arena_free(&arena);
    return ok;
}

static void test_no_memory(void) {
    for (uint64_t nth = 1;; nth++) {
        struct mem_stats before, after;
        int64_t version = 0, again = 0;
        open_data("memory");
        int64_t start = newest(NULL);
        mem_stats_get(&before);
        mem_fail_nth(nth);
        bool ok = work(&version);
        mem_fail_nth(0);
        mem_stats_get(&after);
        if (!ok) CHECK_INT(err.code, ERR_NO_MEMORY);
        CHECK_INT(newest(NULL), version ? version : start);
        CHECK(work(&again));
        CHECK_INT(again, (version ? version : start) + 1);
        close_data();
        if (after.failed == before.failed) break;
        REQUIRE(nth < 3000);
    }
}

TEST_MAIN(test_versions, test_same_tree, test_live, test_refused, test_pruning, test_each, test_moved_about, test_race,
          test_kill, test_no_memory)
