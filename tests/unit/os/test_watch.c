// Tests watching on real directories: every way in which files are replaced, what is watched, and what is not told.
#include "check.h"
#include "temp_dir.h"

#include "base/mem.h"
#include "os/file.h"
#include "os/watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <uv.h>

#define DEBOUNCE_MS 5
#define QUIET_MS 40   // nothing is told within: longer makes the test stricter, never wrong
#define LONG_MS 20000 // what takes longer does not come

// A watch on a loop that the test turns by hand.
struct rig {
    struct loop *loop;
    struct watch *watch;
    struct timer timer;
    struct mem_stats before;
    unsigned calls;
    bool over;
    void (*on_call)(struct rig *rig);
};

static void on_change(void *ctx) {
    struct rig *rig = ctx;
    rig->calls++;
    if (rig->on_call) rig->on_call(rig);
}
static void on_time(struct timer *timer) { CONTAINER_OF(timer, struct rig, timer)->over = true; }

static void rig_create(struct rig *rig, unsigned debounce_ms, unsigned look_ms) {
    struct err err;
    temp_dir();
    memset(rig, 0, sizeof *rig);
    mem_stats_get(&rig->before);
    REQUIRE(loop_create(0, &rig->loop, &err));
    REQUIRE(watch_create(rig->loop, debounce_ms, look_ms, on_change, rig, &rig->watch, &err));
    timer_init(&rig->timer, rig->loop, on_time);
}

static void rig_open(struct rig *rig, struct str path) {
    struct err err;
    rig_create(rig, DEBOUNCE_MS, 0);
    REQUIRE(watch_set(rig->watch, &path, 1, &err));
}

static void rig_close(struct rig *rig) {
    struct mem_stats after;
    timer_stop(&rig->timer);
    watch_free(rig->watch);
    loop_free(rig->loop);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, rig->before.bytes);
}

// Turns the loop until the calls are `calls`, or the time is over.
static void turn(struct rig *rig, unsigned ms, unsigned calls) {
    uv_update_time(loop_uv(rig->loop)); // the clock stood still since the last turn
    rig->over = false;
    timer_set(&rig->timer, ms);
    while (!rig->over && rig->calls < calls) uv_run(loop_uv(rig->loop), UV_RUN_ONCE);
    timer_stop(&rig->timer);
}

// Whether it was told of what was done; all has settled afterwards.
static bool told(struct rig *rig) {
    unsigned before = rig->calls;
    turn(rig, LONG_MS, before + 1);
    bool any = rig->calls > before;
    for (unsigned last = 0; last != rig->calls;) {
        last = rig->calls;
        turn(rig, QUIET_MS, UINT32_MAX);
    }
    return any;
}

static bool quiet(struct rig *rig) {
    unsigned before = rig->calls;
    turn(rig, QUIET_MS, UINT32_MAX);
    return rig->calls == before;
}

// --- what is done to files ---

static void put(struct str path, const char *text) {
    int fd = open(path.p, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}
static void make_dir(const char *name) { REQUIRE(mkdir(temp_path(name).p, 0700) == 0); }
static void move(const char *from, const char *to) { REQUIRE(rename(temp_path(from).p, temp_path(to).p) == 0); }
static void link_to(const char *target, const char *name) { REQUIRE(symlink(target, temp_path(name).p) == 0); }

// --- the ways in which a file changes ---

static void test_edits(void) {
    struct rig rig;
    make_dir("edits");
    put(temp_path("edits/conf.yaml"), "one");
    rig_open(&rig, temp_path("edits/conf.yaml"));
    CHECK_INT(watch_count(rig.watch), 1);
    CHECK(quiet(&rig));
    put(temp_path("edits/conf.yaml"), "in place");
    CHECK(told(&rig));
    int fd = open(temp_path("edits/conf.yaml").p, O_WRONLY | O_APPEND);
    REQUIRE(fd >= 0 && write(fd, "x", 1) == 1);
    CHECK(told(&rig));
    REQUIRE(write(fd, "y", 1) == 1);
    CHECK(told(&rig));
    close(fd);
    REQUIRE(chmod(temp_path("edits/conf.yaml").p, 0400) == 0);
    CHECK(told(&rig));

    // Atomic rename over it, twice: the watch is not on the file that is gone.
    for (int i = 0; i < 2; i++) {
        put(temp_path("edits/.conf.tmp"), "renamed");
        move("edits/.conf.tmp", "edits/conf.yaml");
        CHECK(told(&rig));
    }
    // As vim does: the old one becomes the backup, a new one is written, the backup goes.
    for (int i = 0; i < 2; i++) {
        put(temp_path("edits/4913"), "");
        unlink(temp_path("edits/4913").p);
        move("edits/conf.yaml", "edits/conf.yaml~");
        put(temp_path("edits/conf.yaml"), "vim");
        unlink(temp_path("edits/conf.yaml~").p);
        CHECK(told(&rig));
    }
    REQUIRE(unlink(temp_path("edits/conf.yaml").p) == 0);
    CHECK(told(&rig));
    put(temp_path("edits/conf.yaml"), "again");
    CHECK(told(&rig));
    CHECK_INT(watch_count(rig.watch), 1);
    rig_close(&rig);
}

// What happens to other files of the directory is nobody's business.
static void test_neighbours(void) {
    struct rig rig;
    make_dir("street");
    put(temp_path("street/conf"), "one");
    rig_open(&rig, temp_path("street/conf"));
    put(temp_path("street/conf.log"), "busy");
    put(temp_path("street/con"), "busy");
    make_dir("street/dir");
    move("street/con", "street/dir/conf");
    CHECK(quiet(&rig));
    put(temp_path("street/conf"), "two");
    CHECK(told(&rig));
    rig_close(&rig);
}

static void on_call_count(struct rig *rig) { CHECK_INT(watch_count(rig->watch), 1); }

static void test_burst(void) {
    struct rig rig;
    struct err err;
    struct str path = temp_path("burst.conf");
    rig_create(&rig, 400, 0);
    rig.on_call = on_call_count;
    REQUIRE(watch_set(rig.watch, &path, 1, &err));
    for (int i = 0; i < 200; i++) put(path, "many");
    turn(&rig, LONG_MS, 1);
    CHECK_INT(rig.calls, 1);
    CHECK(quiet(&rig));
    rig_close(&rig);
}

// A burst that does not end is told of all the same.
static void test_endless(void) {
    struct rig rig;
    struct str path = temp_path("endless.conf");
    rig_open(&rig, path);
    for (unsigned i = 0; i < LONG_MS && rig.calls == 0; i++) {
        put(path, "more");
        turn(&rig, 1, 1);
    }
    CHECK(rig.calls > 0);
    rig_close(&rig);
}

static void test_look(void) {
    struct rig rig;
    rig_create(&rig, DEBOUNCE_MS, 2);
    turn(&rig, LONG_MS, 3);
    CHECK_INT(rig.calls, 3);
    CHECK_INT(watch_count(rig.watch), 0);
    rig_close(&rig);
}

// --- directories ---

static void test_directory(void) {
    struct rig rig;
    make_dir("conf.d");
    rig_open(&rig, temp_path("conf.d"));
    CHECK_INT(watch_count(rig.watch), 2); // itself, and where its name stands
    put(temp_path("conf.d/10.yaml"), "one");
    CHECK(told(&rig));
    put(temp_path("conf.d/10.yaml"), "two");
    CHECK(told(&rig));
    // Another takes its place.
    make_dir("conf.new");
    put(temp_path("conf.new/10.yaml"), "three");
    move("conf.d", "conf.old");
    move("conf.new", "conf.d");
    CHECK(told(&rig));
    put(temp_path("conf.d/10.yaml"), "four");
    CHECK(told(&rig));
    put(temp_path("conf.old/10.yaml"), "not ours any more");
    CHECK(quiet(&rig));
    rig_close(&rig);
}

static void test_later(void) {
    struct rig rig;
    rig_open(&rig, temp_path("later/on/conf"));
    CHECK_INT(watch_count(rig.watch), 1);
    make_dir("later");
    CHECK(told(&rig));
    CHECK_INT(watch_count(rig.watch), 1);
    put(temp_path("unrelated"), "");
    CHECK(quiet(&rig)); // the ancestor is let go
    make_dir("later/on");
    put(temp_path("later/on/conf"), "here"); // before the new directory can be watched
    CHECK(told(&rig));
    put(temp_path("later/on/conf"), "changed");
    CHECK(told(&rig));
    // Removed and made again, with all that is above it.
    for (int i = 0; i < 3; i++) {
        temp_remove_tree(temp_path("later").p);
        CHECK(told(&rig));
        make_dir("later");
        make_dir("later/on");
        put(temp_path("later/on/conf"), "back");
        CHECK(told(&rig));
        put(temp_path("later/on/conf"), "changed");
        CHECK(told(&rig));
    }
    // In one go, so that the notices come when the new one stands there already.
    temp_remove_tree(temp_path("later").p);
    make_dir("later");
    make_dir("later/on");
    CHECK(told(&rig));
    put(temp_path("later/on/conf"), "changed");
    CHECK(told(&rig));
    rig_close(&rig);
}

// A file in the way of a directory is an end like any other.
static void test_file_in_the_way(void) {
    struct rig rig;
    put(temp_path("way"), "a file");
    rig_open(&rig, temp_path("way/conf"));
    REQUIRE(unlink(temp_path("way").p) == 0);
    make_dir("way");
    CHECK(told(&rig));
    put(temp_path("way/conf"), "there");
    CHECK(told(&rig));
    rig_close(&rig);
}

// --- symbolic links ---

// conf → ..data/conf, ..data → a directory with a date: Kubernetes changes ..data by renaming a new link over it.
static void test_kubernetes(void) {
    struct rig rig;
    make_dir("k");
    make_dir("k/..2026_1");
    put(temp_path("k/..2026_1/conf"), "one");
    link_to("..2026_1", "k/..data");
    link_to("..data/conf", "k/conf");
    rig_open(&rig, temp_path("k/conf"));
    CHECK_INT(watch_count(rig.watch), 2);
    for (int i = 2; i < 5; i++) {
        char dir[32], file[48];
        snprintf(dir, sizeof dir, "k/..2026_%d", i);
        snprintf(file, sizeof file, "%s/conf", dir);
        make_dir(dir);
        put(temp_path(file), "next");
        link_to(dir + 2, "k/..data_tmp");
        CHECK(quiet(&rig)); // nothing has changed yet
        move("k/..data_tmp", "k/..data");
        snprintf(dir, sizeof dir, "k/..2026_%d", i - 1);
        temp_remove_tree(temp_path(dir).p);
        CHECK(told(&rig));
        CHECK_INT(watch_count(rig.watch), 2);
        put(temp_path(file), "edited behind the link");
        CHECK(told(&rig));
    }
    rig_close(&rig);
}

static void test_links(void) {
    struct rig rig;
    char target[300];
    make_dir("l1"), make_dir("l2"), make_dir("l3"), make_dir("l3/deep");
    snprintf(target, sizeof target, "%s/l2//./b", temp_dir());
    link_to(target, "l1/a"); // absolute
    link_to("../l1/../l3/deep/c", "l2/b");
    rig_open(&rig, temp_path("l1/a"));
    CHECK_INT(watch_count(rig.watch), 3);
    put(temp_path("l3/deep/c"), "the end of the chain appears");
    CHECK(told(&rig));
    put(temp_path("l3/d"), "another");
    CHECK(quiet(&rig));
    link_to("../l3/d", "l2/b.new"); // a link in the middle
    move("l2/b.new", "l2/b");
    CHECK(told(&rig));
    put(temp_path("l3/deep/c"), "not ours any more");
    CHECK(quiet(&rig));
    put(temp_path("l3/d"), "ours");
    CHECK(told(&rig));
    rig_close(&rig);

    // A directory reached through a link, and links that lead in a circle or nowhere.
    link_to("l3/deep", "via");
    rig_open(&rig, temp_path("via/"));
    put(temp_path("l3/deep/e"), "");
    CHECK(told(&rig));
    rig_close(&rig);
    link_to("round.2", "round.1");
    link_to("round.1", "round.2");
    link_to("nowhere/at/all", "round.3");
    rig_open(&rig, temp_path("round.1"));
    CHECK_INT(watch_count(rig.watch), 1);
    REQUIRE(unlink(temp_path("round.2").p) == 0);
    CHECK(told(&rig));
    put(temp_path("round.2"), "a file at last");
    CHECK(told(&rig));
    rig_close(&rig);
    rig_open(&rig, temp_path("round.3"));
    make_dir("nowhere");
    CHECK(told(&rig));
    rig_close(&rig);
}

// --- the set of paths ---

static void test_set(void) {
    struct rig rig;
    struct err err;
    make_dir("s1"), make_dir("s2");
    struct str paths[] = {temp_path("s1/a"), temp_path("s1/b"), temp_path("s2/c"), temp_path("s1//./a")};
    rig_create(&rig, DEBOUNCE_MS, 0);
    REQUIRE(watch_set(rig.watch, paths, ARRAY_LEN(paths), &err));
    CHECK_INT(watch_count(rig.watch), 2);
    put(temp_path("s1/b"), "");
    CHECK(told(&rig));
    put(temp_path("s2/c"), "");
    CHECK(told(&rig));
    REQUIRE(watch_set(rig.watch, paths, 1, &err));
    CHECK_INT(watch_count(rig.watch), 1);
    put(temp_path("s1/b"), "");
    put(temp_path("s2/c"), "");
    CHECK(quiet(&rig));
    put(temp_path("s1/a"), "");
    CHECK(told(&rig));
    REQUIRE(watch_set(rig.watch, NULL, 0, &err));
    CHECK_INT(watch_count(rig.watch), 0);
    put(temp_path("s1/a"), "");
    CHECK(quiet(&rig));
    rig_close(&rig);
}

// A relative path starts where the process stood when it was given.
static void test_relative(void) {
    struct rig rig;
    char before[1024];
    make_dir("cwd");
    REQUIRE(getcwd(before, sizeof before) && chdir(temp_path("cwd").p) == 0);
    rig_open(&rig, STR("./conf"));
    REQUIRE(chdir(before) == 0);
    put(temp_path("cwd/conf"), "");
    CHECK(told(&rig));
    CHECK_INT(watch_count(rig.watch), 1);
    rig_close(&rig);
    rig_open(&rig, STR("/"));
    CHECK_INT(watch_count(rig.watch), 1);
    rig_close(&rig);
}

static void test_bad_paths(void) {
    struct rig rig;
    struct err err;
    char text[5000];
    memset(text, 'x', sizeof text);
    struct str good = temp_path("good");
    const struct str bad[] = {STR(""), STR("a\0b"), str_of(text, sizeof text), str_of(text, 4090)};
    rig_open(&rig, good);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct str both[] = {temp_path("other"), bad[i]};
        CHECK(!watch_set(rig.watch, both, 2, &err));
        CHECK(err.message[0] != '\0');
    }
    put(good, ""); // the old paths stay
    CHECK(told(&rig));
    // Names longer than any directory holds, and paths that grow too long on the way: watched as far as they go.
    text[0] = '/';
    struct str longest = str_of(text, 4000);
    CHECK(watch_set(rig.watch, &longest, 1, &err));
    rig_close(&rig);
}

// A directory that cannot be watched is told, and the others are watched.
static void test_unreadable(void) {
    struct rig rig;
    struct err err;
    make_dir("shut"), make_dir("open");
    struct str paths[] = {temp_path("shut/a"), temp_path("open/b")};
    REQUIRE(chmod(temp_path("shut").p, 0300) == 0);
    if (access(temp_path("shut").p, R_OK) == 0) return; // root may read anything
    rig_create(&rig, DEBOUNCE_MS, 0);
    CHECK(!watch_set(rig.watch, paths, 2, &err));
    CHECK(strstr(err.message, "shut") != NULL);
    CHECK_INT(watch_count(rig.watch), 1);
    put(temp_path("open/b"), "");
    CHECK(told(&rig));
    rig_close(&rig);
}

static void on_call_set(struct rig *rig) {
    struct err err;
    struct str path = temp_path("within.2");
    CHECK(watch_set(rig->watch, &path, 1, &err));
}
static void on_call_free(struct rig *rig) {
    watch_free(rig->watch);
    rig->watch = NULL;
}

static void test_from_within(void) {
    struct rig rig;
    rig_open(&rig, temp_path("within.1"));
    rig.on_call = on_call_set;
    put(temp_path("within.1"), "");
    CHECK(told(&rig));
    rig.on_call = on_call_free;
    put(temp_path("within.2"), "");
    CHECK(told(&rig));
    put(temp_path("within.2"), "");
    CHECK(quiet(&rig));
    rig_close(&rig);
}

static void test_no_memory(void) {
    struct rig rig;
    struct err err;
    make_dir("m1"), make_dir("m2");
    struct str first = temp_path("m1/a"), paths[] = {temp_path("m1/b"), temp_path("m2/c")};
    uint64_t failures = 0;
    for (uint64_t nth = 1; nth < 100; nth++) {
        rig_open(&rig, first);
        mem_fail_nth(nth);
        bool ok = watch_set(rig.watch, paths, 2, &err);
        mem_fail_nth(0);
        if (!ok) {
            failures++;
            CHECK_INT(err.code, ERR_NO_MEMORY);
            CHECK(watch_set(rig.watch, paths, 2, &err));
        }
        put(paths[1], "");
        CHECK(told(&rig));
        rig_close(&rig);
        if (ok && nth > failures + 3) break;
    }
    CHECK(failures > 5);
}

TEST_MAIN(test_edits, test_neighbours, test_burst, test_endless, test_look, test_directory, test_later,
          test_file_in_the_way, test_kubernetes, test_links, test_set, test_relative, test_bad_paths, test_unreadable,
          test_from_within, test_no_memory)
