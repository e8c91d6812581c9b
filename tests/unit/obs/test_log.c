// Tests the log: JSON and pretty lines, hostile text, limits, levels, changes of target, slow readers, many threads.
#include "check.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "obs/log.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char g_dir[64];

static struct str path_of(char out[128], const char *name) {
    int n = snprintf(out, 128, "%s/%s", g_dir, name);
    return str_of(out, (size_t)n);
}

static struct log *open_log(struct str path, enum log_format format, size_t queue_max) {
    struct log *log;
    struct err err;
    struct log_options options = {
        .file = path, .level = LOG_INFO, .format = format, .queue_max = queue_max, .flush_ms = 5};
    REQUIRE(log_open(&options, &log, &err));
    return log;
}

static void read_back(struct str path, struct buf *out) {
    struct err err;
    buf_init(out, (size_t)16 << 20);
    REQUIRE(file_read_all(path, (size_t)16 << 20, out, &err));
}

static void make_dir(void) {
    snprintf(g_dir, sizeof g_dir, "/tmp/penstock-log-XXXXXX");
    REQUIRE(mkdtemp(g_dir) != NULL);
}

static void test_json_event(void) {
    char p[128];
    struct str path = path_of(p, "json");
    struct log *log = open_log(path, LOG_JSON, 0);
    struct err err;
    err_set(&err, ERR_IO, "cannot open \"x\"");
    log_error(log, LOG_MSG("it failed"), LOG_ERR(&err), LOG_INT("count", -3), LOG_FLOAT("share", 0.25),
              LOG_FLOAT("odd", (double)INFINITY), LOG_BOOL("again", true));
    log_debug(log, LOG_MSG("not shown"));
    log_level_set(log, LOG_DEBUG);
    CHECK(log_on(log, LOG_DEBUG) && !log_on(log, LOG_TRACE));
    log_debug(log, LOG_MSG("shown"));
    log_close(log);

    struct buf text;
    read_back(path, &text);
    struct str rest = buf_str(&text), line;
    REQUIRE(str_split(&rest, '\n', &line));
    struct json_field f[] = {{.name = STR_INIT("ts")},     {.name = STR_INIT("level")}, {.name = STR_INIT("msg")},
                             {.name = STR_INIT("error")},  {.name = STR_INIT("count")}, {.name = STR_INIT("share")},
                             {.name = STR_INIT("reason")}, {.name = STR_INIT("odd")},   {.name = STR_INIT("again")}};
    REQUIRE(json_scan(line, f, ARRAY_LEN(f), &err));
    CHECK_INT(f[0].raw.n, 26);
    CHECK_STR(f[1].raw, STR("\"error\""));
    CHECK_STR(f[2].raw, STR("\"it failed\""));
    CHECK_STR(f[3].raw, STR("\"io_error\""));
    CHECK_STR(f[4].raw, STR("-3"));
    CHECK_STR(f[5].raw, STR("0.25"));
    CHECK_STR(f[6].raw, STR("\"cannot open \\\"x\\\"\""));
    CHECK_STR(f[7].raw, STR("null"));
    CHECK_STR(f[8].raw, STR("true"));
    REQUIRE(str_split(&rest, '\n', &line));
    CHECK(str_find(line, STR("\"msg\":\"shown\"")) < line.n);
    CHECK_INT(rest.n, 0);
    buf_free(&text);
}

// The value is one valid JSON string whatever is in it, and no control character reaches a terminal.
static void check_hostile(struct str value, const char *want_pretty) {
    char p[128];
    struct log_line line;
    struct log *log = open_log(path_of(p, "hostile"), LOG_JSON, 0);
    log_line_begin(&line, log, LOG_INFO, 0, STR("request"));
    log_line_str(&line, "path", value);
    struct str body = str_of(line.text, line.n);
    CHECK(utf8_valid(body));
    char whole[LOG_LINE_MAX + 1];
    snprintf(whole, sizeof whole, "%.*s}", STR_ARG(body));
    struct err err;
    CHECK(json_validate(str_c(whole), 0, &err));
    log_close(log);

    log = open_log(path_of(p, "hostile"), LOG_PRETTY, 0);
    log_line_begin(&line, log, LOG_INFO, 0, STR("request"));
    log_line_str(&line, "path", value);
    body = str_of(line.text, line.n);
    for (size_t i = 0; i < body.n; i++) CHECK((unsigned char)body.p[i] >= 0x20 && body.p[i] != 0x7f);
    if (want_pretty) CHECK(str_ends(body, str_c(want_pretty)));
    log_close(log);
}

static void test_hostile_text(void) {
    check_hostile(STR("/v1/models"), " path=/v1/models");
    check_hostile(STR(""), " path=\"\"");
    check_hostile(STR("a b\"c\\d\n\r\t"), " path=\"a b\\\"c\\\\d\\n\\r\\t\"");
    check_hostile(STR("\x1b[31mred\x00"), " path=\"\\u001b[31mred\\u0000\"");
    check_hostile(STR("\x7f\xc2\x9b"), " path=\"\\u007f\\u009b\"");
    check_hostile(STR("\xe2\x80\xae"), " path=\"\\u202e\"");
    check_hostile(STR("caf\xc3\xa9 \xf0\x9f\x98\x80"), " path=\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
    check_hostile(STR("\xff\xc3"), " path=\"\xef\xbf\xbd\xef\xbf\xbd\"");
    char all[256];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    check_hostile(str_of(all, sizeof all), NULL);
    char euro[3 * LOG_VALUE_MAX];
    for (size_t i = 0; i < sizeof euro; i++) euro[i] = "\xe2\x82\xac"[i % 3];
    check_hostile(str_of(euro, sizeof euro), NULL);
}

static void test_long_lines(void) {
    char p[128], long_value[LOG_VALUE_MAX + 100];
    struct str path = path_of(p, "long");
    struct log *log = open_log(path, LOG_JSON, 0);
    struct log_line line;
    memset(long_value, '\x01', sizeof long_value);
    log_line_begin(&line, log, LOG_INFO, 0, STR("request"));
    for (int i = 0; i < 20; i++) log_line_str(&line, "value", str_of(long_value, 600));
    for (int i = 0; i < 1000; i++) log_line_u64(&line, "number", UINT64_MAX);
    for (int i = 0; i < 1000; i++) log_line_fixed(&line, "cost", UINT64_MAX, 9);
    log_line_end(&line);
    log_line_begin(&line, log, LOG_INFO, 0, STR("request"));
    memset(long_value, 'x', sizeof long_value);
    log_line_str(&line, "value", str_of(long_value, sizeof long_value));
    log_line_end(&line);
    log_close(log);
    struct buf text;
    read_back(path, &text);
    struct str rest = buf_str(&text), one;
    for (int i = 0; i < 2; i++) {
        struct err err;
        REQUIRE(str_split(&rest, '\n', &one));
        CHECK(one.n < LOG_LINE_MAX);
        CHECK(str_ends(one, STR(",\"truncated\":true}")));
        CHECK(json_validate(one, 0, &err));
    }
    buf_free(&text);
}

static void check_fixed(uint64_t value, unsigned decimals, const char *want) {
    char p[128];
    struct log *log = open_log(path_of(p, "fixed"), LOG_JSON, 0);
    struct log_line line;
    log_line_begin(&line, log, LOG_INFO, 1, STR("x"));
    size_t before = line.n;
    log_line_fixed(&line, "v", value, decimals);
    CHECK_STR(str_of(line.text + before + 5, line.n - before - 5), str_c(want));
    log_close(log);
}

static void test_fixed(void) {
    check_fixed(0, 9, "0");
    check_fixed(1, 9, "0.000000001");
    check_fixed(1500, 3, "1.5");
    check_fixed(1234567, 3, "1234.567");
    check_fixed(7, 0, "7");
    check_fixed(UINT64_MAX, 9, "18446744073.709551615");
}

static void test_time_and_pretty(void) {
    char p[128];
    struct log *log;
    struct err err;
    struct log_line line;
    struct log_options options = {.file = path_of(p, "pretty"), .format = LOG_PRETTY, .color = true};
    REQUIRE(log_open(&options, &log, &err));
    log_line_begin(&line, log, LOG_WARN, INT64_C(1795246200123000000), STR("slow reader"));
    log_line_u64(&line, "bytes", 5);
    CHECK_STR(str_of(line.text, line.n),
              STR("\x1b[2m2026-11-21T07:30:00.123Z\x1b[0m \x1b[33mwarn \x1b[0m slow reader \x1b[2mbytes=\x1b[0m5"));
    log_close(log);
}

static void test_reopen(void) {
    char p[128], q[128];
    struct str path = path_of(p, "rotated"), old = path_of(q, "rotated.1");
    struct err err;
    struct log *log = open_log(path, LOG_JSON, 0);
    log_info(log, LOG_MSG("one"));
    CHECK(log_flush(log, 5000));
    REQUIRE(file_rename(path, old, &err));
    CHECK(log_reopen(log, &err));
    log_info(log, LOG_MSG("two"));
    log_close(log);
    struct buf text;
    read_back(old, &text);
    CHECK(str_find(buf_str(&text), STR("one")) < text.n && str_find(buf_str(&text), STR("two")) == text.n);
    buf_free(&text);
    read_back(path, &text);
    CHECK(str_find(buf_str(&text), STR("two")) < text.n);
    buf_free(&text);
}

static void check_file(struct str path, const char *want, const char *lacks) {
    struct buf text;
    read_back(path, &text);
    CHECK(str_find(buf_str(&text), str_c(want)) < text.n);
    if (lacks) CHECK(str_find(buf_str(&text), str_c(lacks)) == text.n);
    buf_free(&text);
}

static void test_retarget(void) {
    char p[128], q[128];
    struct str one = path_of(p, "target.1"), two = path_of(q, "target.2");
    struct err err;
    struct log *log;
    struct log_options options = {.file = one, .format = LOG_JSON, .level = LOG_INFO, .flush_ms = 60000};
    REQUIRE(log_open(&options, &log, &err));
    log_info(log, LOG_MSG("first")); // still waits when the target changes
    log_debug(log, LOG_MSG("quiet"));
    options = (struct log_options){.file = two, .format = LOG_PRETTY, .level = LOG_DEBUG, .color = true};
    CHECK(log_retarget(log, &options, &err));
    log_debug(log, LOG_MSG("second"));

    // A target that cannot be opened changes nothing.
    options = (struct log_options){.file = STR("/nonexistent/dir/log"), .format = LOG_JSON, .level = LOG_ERROR};
    CHECK(!log_retarget(log, &options, &err));
    CHECK(strstr(err.message, "/nonexistent/dir/log") && log_on(log, LOG_DEBUG));
    log_debug(log, LOG_MSG("third"));
    CHECK(log_flush(log, 5000));
    check_file(one, "\"msg\":\"first\"}\n", "second");
    check_file(two, "\x1b[36mdebug\x1b[0m second\n", "first");
    check_file(two, "\x1b[36mdebug\x1b[0m third\n", "quiet");

    // The new name is the one that is opened anew, and going back appends.
    REQUIRE(file_remove(two, &err));
    CHECK(log_reopen(log, &err));
    log_info(log, LOG_MSG("fourth"));
    options = (struct log_options){.file = one, .format = LOG_PRETTY, .level = LOG_WARN};
    CHECK(log_retarget(log, &options, &err));
    log_info(log, LOG_MSG("not this"));
    log_warn(log, LOG_MSG("fifth"));
    log_close(log);
    check_file(two, "fourth", "third");
    check_file(one, "first\"}\n", "not this");
    check_file(one, " warn  fifth\n", "\x1b");
}

// From a file to standard error and back: standard error stays open.
static void test_retarget_stderr(void) {
    char p[128], q[128];
    struct str path = path_of(p, "target.3");
    struct err err;
    int saved = dup(2), fd = open(path_of(q, "stderr").p, O_RDWR | O_CREAT | O_APPEND, 0600);
    REQUIRE(saved >= 0 && fd >= 0 && dup2(fd, 2) == 2);
    struct log *log = open_log(path, LOG_JSON, 0);
    struct log_options options = {.format = LOG_JSON, .level = LOG_INFO};
    bool ok = log_retarget(log, &options, &err);
    log_info(log, LOG_MSG("to the terminal"));
    ok = ok && log_reopen(log, &err);
    options.file = path;
    ok = ok && log_retarget(log, &options, &err);
    log_info(log, LOG_MSG("to the file"));
    log_close(log);
    CHECK(write(2, "open\n", 5) == 5);
    REQUIRE(dup2(saved, 2) == 2);
    CHECK(ok);
    check_file(str_c(q), "to the terminal\"}\nopen\n", "to the file");
    check_file(path, "to the file", "to the terminal");
    close(saved);
    close(fd);
}

static void test_bad_files(void) {
    struct log *log = NULL;
    struct err err;
    struct log_options options = {.file = STR("/nonexistent/dir/log")};
    CHECK(!log_open(&options, &log, &err));
    CHECK(log == NULL && strstr(err.message, "/nonexistent/dir/log"));
    // A file that cannot be written costs the lines, and says so in the figures.
    options.file = STR("/dev/full");
    REQUIRE(log_open(&options, &log, &err));
    log_info(log, LOG_MSG("lost"));
    CHECK(log_flush(log, 5000));
    struct log_stats stats;
    log_stats_get(log, &stats);
    CHECK_INT(stats.lines, 1);
    CHECK_INT(stats.dropped, 1);
    log_close(log);
}

static void test_null_log(void) {
    struct log_line line;
    struct log_stats stats;
    struct err err;
    log_error(NULL, LOG_MSG("nobody hears"));
    log_line_begin(&line, NULL, LOG_INFO, 0, STR("x"));
    log_line_str(&line, "a", STR("b"));
    log_line_fixed(&line, "a", 1, 2);
    log_line_end(&line);
    log_level_set(NULL, LOG_INFO);
    CHECK(!log_on(NULL, LOG_ERROR) && log_flush(NULL, 1) && log_reopen(NULL, &err));
    CHECK(log_retarget(NULL, &(struct log_options){.file = STR("/nonexistent")}, &err));
    log_stats_get(NULL, &stats);
    CHECK_INT(stats.lines, 0);
    log_close(NULL);
}

struct told {
    uint64_t lines, dropped;
};

// What whole lines say.
static struct told told_of(struct str text) {
    static const struct str mark = STR_INIT("\"log lines dropped\",\"lines\":");
    struct told told = {0};
    for (size_t end; (end = str_find_char(text, '\n')) < text.n; text = str_from(text, end + 1)) {
        struct str line = str_head(text, end);
        size_t at = str_find(line, mark);
        uint64_t n = 0;
        struct str rest = str_from(line, MIN(at + mark.n, line.n));
        if (at == line.n)
            told.lines++;
        else if (rest.n && str_to_u64(str_head(rest, rest.n - 1), &n)) // without the brace
            told.dropped += n;
    }
    return told;
}

// Nobody reads the pipe: callers go on, the queue stays bounded, the loss is counted and told of afterwards.
static void test_slow_pipe(void) {
    char p[128];
    struct str path = path_of(p, "pipe");
    REQUIRE(mkfifo(p, 0600) == 0);
    int fd = open(p, O_RDWR | O_NONBLOCK);
    REQUIRE(fd >= 0);
    struct log *log = open_log(path, LOG_JSON, (size_t)256 * 1024);
    for (int i = 0; i < 20000; i++) log_info(log, LOG_MSG("a line of some length for the pipe"), LOG_INT("i", i));
    struct log_stats stats;
    log_stats_get(log, &stats);
    CHECK(stats.dropped > 0);
    CHECK(stats.waiting <= (size_t)256 * 1024);
    CHECK_INT(stats.lines + stats.dropped, 20000);

    // All that was accepted comes; what did not is told of, at once or in parts.
    BUF_AUTO struct buf text = BUF_INIT((size_t)8 << 20);
    struct told told = {0};
    while (told.lines < stats.lines || told.dropped < stats.dropped) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n <= 0) {
            usleep(1000);
            continue;
        }
        buf_append(&text, chunk, (size_t)n);
        told = told_of(buf_str(&text));
    }
    CHECK_INT(told.lines, stats.lines);
    CHECK_INT(told.dropped, stats.dropped);
    log_close(log);
    close(fd);
}

static size_t open_files(void) {
    struct file_names names = {0};
    struct err err;
    REQUIRE(dir_list(STR("/proc/self/fd"), &names, &err));
    size_t n = names.n;
    file_names_free(&names);
    return n;
}

// A writer that is stuck collects no targets, and what was meant for the pipe goes there in the end.
static void test_retarget_stuck(void) {
    char p[128], q[128], chunk[4096];
    struct str path = path_of(p, "stuck.pipe"), next = path_of(q, "stuck.next");
    struct err err;
    REQUIRE(mkfifo(p, 0600) == 0);
    int fd = open(p, O_RDWR);
    REQUIRE(fd >= 0);
    struct log *log = open_log(path, LOG_JSON, 0);
    for (int i = 0; i < 4000; i++) log_info(log, LOG_MSG("a line of some length for the pipe"), LOG_INT("i", i));
    size_t before = open_files();
    struct log_options options = {.file = next, .format = LOG_JSON, .level = LOG_INFO};
    for (int i = 0; i < 50; i++) CHECK(log_retarget(log, &options, &err));
    CHECK_INT(open_files(), before + 1);
    log_info(log, LOG_MSG("after the pipe"));
    for (size_t lines = 0; lines < 4000;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        REQUIRE(n > 0);
        for (ssize_t i = 0; i < n; i++) lines += chunk[i] == '\n';
        CHECK(str_find(str_of(chunk, (size_t)n), STR("after")) == (size_t)n);
    }
    log_close(log);
    CHECK_INT(open_files(), before - 1);
    check_file(next, "after the pipe", "a line of some length");
    close(fd);
}

// Closing gives up on a pipe that nobody reads: the process can end though the writer is stuck in its write.
static void test_close_stuck(void) {
    char p[128];
    struct str path = path_of(p, "stuck");
    REQUIRE(mkfifo(p, 0600) == 0);
    int fd = open(p, O_RDWR);
    REQUIRE(fd >= 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct log *log = open_log(path, LOG_JSON, 0);
        for (int i = 0; i < 4000; i++) log_info(log, LOG_MSG("a line of some length for the pipe"), LOG_INT("i", i));
        log_close(log);
        _exit(7);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    close(fd);
}

#define THREADS 4
#define LINES 3000
struct job {
    struct thread thread;
    struct log *log;
    int id;
};
static void many_lines(void *arg) {
    struct job *job = arg;
    for (int i = 0; i < LINES; i++)
        log_info(job->log, LOG_MSG("from a thread"), LOG_INT("thread", job->id), LOG_INT("i", i));
}

// Adds each thread's lines in the file.
static void count_lines(struct str path, size_t io_count[THREADS]) {
    struct buf text;
    struct err err;
    read_back(path, &text);
    struct str rest = buf_str(&text), line;
    while (str_split(&rest, '\n', &line) && line.n) {
        struct json_field f[] = {{.name = STR_INIT("thread")}, {.name = STR_INIT("i")}};
        int64_t thread, i;
        REQUIRE(json_scan(line, f, 2, &err));
        REQUIRE(json_raw_i64(f[0].raw, &thread) && json_raw_i64(f[1].raw, &i) && thread >= 0 && thread < THREADS);
        CHECK(i >= 0 && i < LINES);
        io_count[thread]++;
    }
    buf_free(&text);
}

// The target goes to and fro under writers: each line is in one file or the other.
static void test_retarget_threads(void) {
    char p[128], q[128];
    struct str paths[2] = {path_of(p, "to"), path_of(q, "fro")};
    struct log *log = open_log(paths[0], LOG_JSON, (size_t)16 << 20);
    struct job jobs[THREADS];
    struct err err;
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.log = log, .id = i};
        REQUIRE(thread_start(&jobs[i].thread, "lines", 0, many_lines, &jobs[i], &err));
    }
    for (int i = 1; i < 60; i++) {
        struct log_options options = {.file = paths[i % 2], .format = LOG_JSON, .level = i % 3 ? LOG_INFO : LOG_DEBUG};
        CHECK(log_retarget(log, &options, &err));
        if (i % 5 == 0) CHECK(log_reopen(log, &err));
        if (i % 7 == 0) log_flush(log, 1000);
    }
    for (int i = 0; i < THREADS; i++) thread_join(&jobs[i].thread);
    log_close(log);
    size_t count[THREADS] = {0};
    for (int i = 0; i < 2; i++) count_lines(paths[i], count);
    for (int i = 0; i < THREADS; i++) CHECK_INT(count[i], LINES);
}

static void test_threads(void) {
    char p[128];
    struct str path = path_of(p, "threads");
    struct log *log = open_log(path, LOG_JSON, (size_t)16 << 20);
    struct job jobs[THREADS];
    struct err err;
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.log = log, .id = i};
        REQUIRE(thread_start(&jobs[i].thread, "lines", 0, many_lines, &jobs[i], &err));
    }
    for (int i = 0; i < 20; i++) {
        CHECK(log_reopen(log, &err));
        log_level_set(log, i % 2 ? LOG_INFO : LOG_DEBUG);
        log_flush(log, 1000);
    }
    for (int i = 0; i < THREADS; i++) thread_join(&jobs[i].thread);
    log_close(log);
    struct buf text;
    read_back(path, &text);
    struct str rest = buf_str(&text), line;
    int64_t next[THREADS] = {0}; // each thread's lines are all there, in order
    while (str_split(&rest, '\n', &line) && line.n) {
        struct json_field f[] = {{.name = STR_INIT("thread")}, {.name = STR_INIT("i")}};
        int64_t thread, i;
        REQUIRE(json_scan(line, f, 2, &err));
        REQUIRE(json_raw_i64(f[0].raw, &thread) && json_raw_i64(f[1].raw, &i) && thread >= 0 && thread < THREADS);
        CHECK_INT(i, next[thread]);
        next[thread] = i + 1;
    }
    for (int i = 0; i < THREADS; i++) CHECK_INT(next[i], LINES);
    buf_free(&text);
}

static void test_gate(void) {
    struct log_gate gate = {0};
    uint64_t held = 99;
    CHECK(log_every(&gate, 1000, 100, &held));
    CHECK_INT(held, 0);
    CHECK(!log_every(&gate, 1001, 100, &held));
    CHECK(!log_every(&gate, 1099, 100, &held));
    CHECK(log_every(&gate, 1100, 100, &held));
    CHECK_INT(held, 2);
}

static void test_no_memory(void) {
    char p[128];
    struct str path = path_of(p, "memory");
    struct err err;
    struct log *log;
    struct log_options options = {.file = path};
    for (uint64_t i = 1;; i++) {
        mem_fail_nth(i);
        bool opened = log_open(&options, &log, &err);
        mem_fail_nth(0);
        if (opened) break;
        CHECK_INT(err.code, ERR_NO_MEMORY);
        REQUIRE(i < 50);
    }
    char q[128];
    options.file = path_of(q, "memory.2");
    for (uint64_t i = 1; i <= 3; i++) { // the name twice, and the chunk
        mem_fail_nth(i);
        CHECK(!log_retarget(log, &options, &err) && err.code == ERR_NO_MEMORY);
        mem_fail_nth(0);
    }
    mem_fail_nth(1);
    log_info(log, LOG_MSG("there is no chunk for this"));
    mem_fail_nth(0);
    struct log_stats stats;
    log_stats_get(log, &stats);
    CHECK_INT(stats.dropped, 1);
    log_close(log);
}

static void remove_dir(void) {
    struct err err;
    struct file_names names = {0};
    REQUIRE(dir_list(str_c(g_dir), &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        char p[128];
        CHECK(file_remove(path_of(p, names.p[i]), &err));
    }
    file_names_free(&names);
    CHECK(rmdir(g_dir) == 0);
}

TEST_MAIN(make_dir, test_json_event, test_hostile_text, test_long_lines, test_fixed, test_time_and_pretty, test_reopen,
          test_retarget, test_retarget_stderr, test_bad_files, test_null_log, test_slow_pipe, test_retarget_stuck,
          test_close_stuck, test_threads, test_retarget_threads, test_gate, test_no_memory, remove_dir)
