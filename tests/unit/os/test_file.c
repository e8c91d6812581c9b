// Tests of os/file.h: whole files, atomic replacement, races, limits, locks and mappings.
#include "check.h"
#include "temp_dir.h"

#include "base/mem.h"
#include "os/file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;

static struct str read_back(struct str path, struct buf *out) {
    buf_clear(out);
    if (!file_read_all(path, 1 << 20, out, &err)) return STR("(unreadable)");
    return buf_str(out);
}

static void test_read_and_replace(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 21);
    struct str path = temp_path("plain");
    struct file_info info;
    CHECK(!file_read_all(path, 100, &b, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(str_find(str_c(err.message), path) < strlen(err.message));
    CHECK(file_stat(path, &info, &err) && info.kind == FILE_KIND_ABSENT);

    CHECK(file_replace(path, STR("one"), 0640, &err));
    CHECK_STR(read_back(path, &b), STR("one"));
    CHECK(file_replace(path, STR(""), 0600, &err));
    CHECK_STR(read_back(path, &b), STR(""));
    CHECK(file_stat(path, &info, &err) && info.kind == FILE_KIND_REGULAR && info.size == 0);
    CHECK_INT(info.mode, 0600);

    // Appends to what the buffer holds; a file over the limit leaves it as it was.
    CHECK(file_replace(path, STR("0123456789"), 0600, &err));
    buf_clear(&b);
    buf_lit(&b, "x");
    CHECK(file_read_all(path, 10, &b, &err));
    CHECK_STR(buf_str(&b), STR("x0123456789"));
    CHECK(!file_read_all(path, 9, &b, &err));
    CHECK_STR(buf_str(&b), STR("x0123456789"));
    CHECK(!b.failed);

    // A file of which stat says 0 bytes.
    buf_clear(&b);
    CHECK(file_read_all(STR("/proc/self/status"), 1 << 20, &b, &err));
    CHECK(b.n > 100);
    buf_clear(&b);
    CHECK(!file_read_all(STR("/proc/self/status"), 10, &b, &err));
    CHECK_INT(b.n, 0);

    CHECK(!file_replace(temp_path("no/such/dir"), STR("x"), 0600, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!file_read_all(str_c(temp_dir()), 100, &b, &err));
    CHECK_INT(err.code, ERR_IO);
}

// A pipe with the text behind it; the reader's end.
static int pipe_with(struct str text) {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        while (text.n) {
            ssize_t n = write(fds[1], text.p, text.n);
            if (n <= 0) break;
            text = str_from(text, (size_t)n);
        }
        _exit(0);
    }
    close(fds[1]);
    return fds[0];
}

static void pipe_done(int fd) {
    close(fd);
    while (wait(NULL) > 0) {
    }
}

static void test_pipes(void) {
    enum { LONG = 300000 }; // more than a pipe holds
    static char text[LONG];
    BUF_AUTO struct buf b = BUF_INIT(LONG + 1);
    char path[32];
    memset(text, 'a', sizeof text);
    text[LONG - 1] = 'z';
    for (size_t max = LONG - 1; max <= LONG; max++) {
        int fd = pipe_with(str_of(text, LONG));
        snprintf(path, sizeof path, "/dev/fd/%d", fd);
        buf_clear(&b);
        CHECK(file_read_all(str_c(path), max, &b, &err) == (max == LONG));
        if (max == LONG)
            CHECK_STR(buf_str(&b), str_of(text, LONG));
        else
            CHECK(err.code == ERR_IO && b.n == 0 && strstr(err.message, "299999 bytes"));
        pipe_done(fd);
    }
}

static void test_keep(void) {
    BUF_AUTO struct buf b = BUF_INIT(1 << 20);
    char room[FILE_KEPT_MAX], path[32];
    struct str kept, file = temp_path("kept");
    CHECK(file_replace(file, STR("a file"), 0600, &err));
    CHECK(file_keep(file, 5, room, &kept, &err)); // as it is
    CHECK_STR(kept, file);
    CHECK(file_keep(temp_path("absent"), 5, room, &kept, &err));
    CHECK(str_ends(kept, STR("absent")));

    int fd = pipe_with(STR("through a pipe"));
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    CHECK(file_keep(str_c(path), 100, room, &kept, &err));
    CHECK_STR(kept, str_c(path));
    CHECK_STR(read_back(kept, &b), STR("through a pipe"));
    CHECK_STR(read_back(kept, &b), STR("through a pipe"));
    CHECK_INT(read(fd, room, 1), 0); // nothing is left for who goes on reading
    pipe_done(fd);

    struct str fifo = temp_path("fifo");
    REQUIRE(mkfifo(fifo.p, 0600) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct file f;
        bool ok = file_open(fifo, FILE_WRITE, 0, &f, &err) && file_append(&f, STR("by name"), &err);
        _exit(ok ? 0 : 1);
    }
    CHECK(file_keep(fifo, 100, room, &kept, &err));
    CHECK(str_starts(kept, STR("/dev/fd/")));
    CHECK_STR(read_back(kept, &b), STR("by name"));
    CHECK_STR(read_back(kept, &b), STR("by name"));
    while (wait(NULL) > 0) {
    }

    fd = pipe_with(STR("too long"));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(!file_keep(str_c(path), 7, room, &kept, &err));
    pipe_done(fd);
    fd = pipe_with(STR(""));
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    CHECK(!file_keep(str_c(path), 7, room, &kept, &err));
    CHECK(strstr(err.message, "nothing came through /dev/fd/"));
    pipe_done(fd);
}

static void test_bad_paths(void) {
    static char longest[5000];
    struct file f = {0};
    memset(longest, 'a', sizeof longest);
    CHECK(!file_open(STR(""), FILE_READ, 0, &f, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    CHECK(!file_open(STR("a\0b"), FILE_READ, 0, &f, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    CHECK(!file_open(str_of(longest, sizeof longest), FILE_READ, 0, &f, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    CHECK(!f.path);
    file_close(&f);
}

static void test_positioned(void) {
    CLEANUP(file_close) struct file f = {0}, g = {0};
    char text[16];
    size_t n;
    uint64_t size;
    struct str path = temp_path("positioned");
    REQUIRE(file_open(path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f, &err));
    CHECK(!file_open(path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &g, &err));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK(file_write_at(&f, 4, STR("abcd"), &err));
    CHECK(file_read_at(&f, 0, text, sizeof text, &n, &err));
    CHECK_STR(str_of(text, n), STR("\0\0\0\0abcd"));
    CHECK(file_read_at(&f, 100, text, sizeof text, &n, &err));
    CHECK_INT(n, 0);
    CHECK(file_truncate(&f, 5, &err) && file_size(&f, &size, &err) && size == 5);
    REQUIRE(file_open(path, FILE_WRITE | FILE_APPEND, 0, &g, &err));
    CHECK(file_append(&g, STR("++"), &err) && file_sync(&g, &err));
    CHECK(file_read_at(&f, 4, text, sizeof text, &n, &err));
    CHECK_STR(str_of(text, n), STR("a++"));
    CHECK(!file_read_at(&g, 0, text, 1, &n, &err)); // not opened for reading
    CHECK_INT(err.code, ERR_IO);
}

static void test_create_once(void) {
    BUF_AUTO struct buf b = BUF_INIT(100);
    struct str path = temp_path("once");
    struct file_names names = {0};
    bool created;
    CHECK(file_create_once(path, STR("first"), 0600, &created, &err) && created);
    CHECK(file_create_once(path, STR("second"), 0600, &created, &err) && !created);
    CHECK_STR(read_back(path, &b), STR("first"));

    // Eight processes race; exactly one wins and all see its content.
    enum { RACERS = 8 };
    struct str race = temp_path("race");
    int winners = 0, gate[2];
    REQUIRE(pipe(gate) == 0);
    fflush(NULL);
    for (int i = 0; i < RACERS; i++) {
        if (fork() != 0) continue;
        char c, mine = (char)('a' + i);
        close(gate[1]);
        if (read(gate[0], &c, 1) < 0) _exit(3);
        if (!file_create_once(race, str_of(&mine, 1), 0600, &created, &err)) _exit(2);
        _exit(created);
    }
    close(gate[0]);
    close(gate[1]); // off they go
    for (int i = 0, status; i < RACERS; i++) {
        REQUIRE(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        winners += WEXITSTATUS(status) == 1;
    }
    CHECK_INT(winners, 1);
    CHECK_INT(read_back(race, &b).n, 1);
    REQUIRE(dir_list(str_c(temp_dir()), &names, &err));
    for (size_t i = 0; i < names.n; i++) CHECK(!str_ends(str_c(names.p[i]), STR(".tmp")));
    file_names_free(&names);
}

static void test_directories(void) {
    BUF_AUTO struct buf b = BUF_INIT(1000);
    struct file_names names = {0};
    struct file_info info;
    CHECK(dir_make(temp_path("d/e/f"), 0700, &err));
    CHECK(dir_make(temp_path("d/e/f"), 0700, &err));
    CHECK(dir_make(temp_path("d/e/g/"), 0700, &err));
    CHECK(file_stat(temp_path("d/e/f"), &info, &err) && info.kind == FILE_KIND_DIRECTORY && info.mode == 0700);
    CHECK(file_replace(temp_path("d/e/a"), STR("x"), 0600, &err));
    REQUIRE(dir_list(temp_path("d/e"), &names, &err));
    REQUIRE(names.n == 3);
    CHECK_STR(str_c(names.p[0]), STR("a"));
    CHECK_STR(str_c(names.p[1]), STR("f"));
    CHECK_STR(str_c(names.p[2]), STR("g"));
    file_names_free(&names);
    CHECK(!dir_make(temp_path("d/e/a/below"), 0700, &err));
    CHECK(!dir_list(temp_path("d/none"), &names, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(file_remove(temp_path("d/e/a"), &err) && file_remove(temp_path("d/e/a"), &err));
    CHECK(!file_remove(temp_path("d/e"), &err));

    path_join(&b, STR("a/"), STR("b"));
    path_join(&b, STR(" c"), STR("d"));
    CHECK_STR(buf_str(&b), STR("a/b c/d"));
    CHECK_STR(path_dir(STR("a/b/c")), STR("a/b"));
    CHECK_STR(path_dir(STR("/a")), STR("/"));
    CHECK_STR(path_dir(STR("a")), STR("."));
    CHECK_STR(path_dir(STR("a//b")), STR("a"));
}

static void test_list_without_memory(void) {
    struct file_names names = {0};
    REQUIRE(dir_make(temp_path("many"), 0700, &err));
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%02d", i);
        REQUIRE(file_replace(temp_path(name), STR(""), 0600, &err));
    }
    struct mem_stats before, after;
    mem_stats_get(&before);
    bool ok = false;
    for (uint64_t nth = 1; !ok; nth++) {
        mem_fail_nth(nth);
        ok = dir_list(temp_path("many"), &names, &err);
        mem_fail_nth(0);
        if (!ok) CHECK_INT(err.code, ERR_NO_MEMORY);
        REQUIRE(nth < 100);
    }
    CHECK_INT(names.n, 20);
    file_names_free(&names);
    mem_stats_get(&after);
    CHECK_INT(after.bytes, before.bytes);
}

static void test_locks(void) {
    struct file_lock a = {0}, b = {0};
    struct str path = temp_path("lock");
    REQUIRE(file_lock_take(path, false, &a, &err));
    CHECK(!file_lock_take(path, false, &b, &err));
    CHECK_INT(err.code, ERR_STORE_BUSY);
    file_lock_release(&a);
    CHECK(file_lock_take(path, true, &b, &err));
    file_lock_release(&b);
    file_lock_release(&b);
}

static void test_map(void) {
    CLEANUP(file_map_close) struct file_map a = {0}, b = {0};
    BUF_AUTO struct buf text = BUF_INIT(1 << 20);
    struct str path = temp_path("map");
    CHECK(!file_map_open(path, 0, 0600, &a, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    REQUIRE(file_map_open(path, 10000, 0600, &a, &err));
    REQUIRE(file_map_open(path, 0, 0600, &b, &err));
    CHECK_INT(b.n, 10000);
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i]) CHECK(a.p[i] == 0);
    memcpy(a.p + 9000, "hello", 5);
    CHECK_STR(str_of(b.p + 9000, 5), STR("hello"));
    CHECK(file_map_sync(&a, 9000, 5, &err) && file_map_sync(&a, 0, a.n, &err));
    file_map_forget(&a, 0, a.n);
    CHECK_STR(str_of(a.p + 9000, 5), STR("hello"));
    CHECK_STR(str_head(str_from(read_back(path, &text), 9000), 5), STR("hello"));
    file_map_close(&b);
    // Opening it with a smaller size keeps what is there.
    REQUIRE(file_map_open(path, 8, 0600, &b, &err));
    CHECK_INT(b.n, 8);
    CHECK_INT(read_back(path, &text).n, 10000);
    file_map_close(&b);
    file_map_close(&b);
    REQUIRE(file_replace(temp_path("empty"), STR(""), 0600, &err));
    CHECK(file_map_open(temp_path("empty"), 0, 0600, &b, &err) && b.n == 0 && !b.p);
}

// The size limit of the process stands in for a full disk: the same error paths, on every machine.
static void child_without_room(void) {
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    struct file_map map = {0};
    struct file f = {0};
    char large[8192] = "";
    int bad = 0;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0) _exit(100);
    bad += file_map_open(temp_path("full-map"), 65536, 0600, &map, &err) || err.code != ERR_STORE_FULL;
    bad += map.p != NULL;
    bad += file_replace(temp_path("full"), str_of(large, sizeof large), 0600, &err) || err.code != ERR_STORE_FULL;
    bad += !file_open(temp_path("full-f"), FILE_WRITE | FILE_CREATE | FILE_APPEND, 0600, &f, &err);
    bad += file_append(&f, str_of(large, sizeof large), &err) || err.code != ERR_STORE_FULL;
    bad += file_write_at(&f, 8192, STR("x"), &err) || err.code != ERR_STORE_FULL;
    bad += file_truncate(&f, 8192, &err) || err.code != ERR_STORE_FULL;
    _exit(bad);
}

static void test_no_room(void) {
    BUF_AUTO struct buf b = BUF_INIT(10000);
    int status;
    REQUIRE(file_replace(temp_path("full"), STR("old"), 0600, &err));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) child_without_room();
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    CHECK_STR(read_back(temp_path("full"), &b), STR("old")); // untouched by the failed replacement
    struct file_names names = {0};
    REQUIRE(dir_list(str_c(temp_dir()), &names, &err));
    for (size_t i = 0; i < names.n; i++) CHECK(!str_ends(str_c(names.p[i]), STR(".tmp")));
    file_names_free(&names);
}

static void test_device_full(void) {
    CLEANUP(file_close) struct file f = {0};
    if (!file_open(STR("/dev/full"), FILE_WRITE, 0, &f, &err)) return; // not on every system
    CHECK(!file_append(&f, STR("x"), &err));
    CHECK_INT(err.code, ERR_STORE_FULL);
}

TEST_MAIN(test_read_and_replace, test_pipes, test_keep, test_bad_paths, test_positioned, test_create_once,
          test_directories, test_list_without_memory, test_locks, test_map, test_no_room, test_device_full)
