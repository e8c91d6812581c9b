// Tests of govern/audit_sink.h with files: every event of every chain in order, over ends, changes of the configuration
// and a place that is not there yet.
#include "../store/audit_fixture.h"

#include "conf/env.h"
#include "govern/audit_sink.h"
#include "os/clock.h"

static struct {
    struct mutex lock;
    struct conf *conf;
} g_world = {.lock = MUTEX_INIT};

static struct conf *conf_now(void *ctx UNUSED) {
    mutex_lock(&g_world.lock);
    struct conf *conf = conf_ref(g_world.conf);
    mutex_unlock(&g_world.lock);
    return conf;
}

// text NULL: no configuration any more.
static void conf_set(const char *text) {
    struct conf_problems problems;
    struct conf_env env = conf_env_system();
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    if (text) {
        bool ok = conf_load_text(str_c(text), STR("test"), &env, &problems, &conf);
        struct buf said = BUF_INIT(65536);
        conf_problems_print(&problems, &said);
        if (!ok) fprintf(stderr, "%.*s", STR_ARG(buf_str(&said)));
        buf_free(&said);
        REQUIRE(ok);
    }
    conf_problems_free(&problems);
    mutex_lock(&g_world.lock);
    struct conf *old = g_world.conf;
    g_world.conf = conf;
    mutex_unlock(&g_world.lock);
    conf_unref(old);
}

static void conf_file(const char *name, struct str path, const char *more) {
    char text[1200];
    snprintf(text, sizeof text, "audit: {sinks: [{name: %s, type: file, path: '%.*s'%s}]}\n", name, STR_ARG(path),
             more);
    conf_set(text);
}

static struct audit_sinks *start(void) {
    struct audit_sinks *sinks;
    struct audit_sinks_options o = {.dir = &dir, .version = STR("1"), .conf = conf_now};
    REQUIRE(audit_sinks_start(&o, &sinks, &err));
    return sinks;
}

// The lines of the file, and of how many of them the text is part.
static size_t lines(struct str path, const char *part) {
    struct buf text = BUF_INIT(1 << 24);
    struct err why;
    size_t n = 0;
    struct str rest, line;
    if (file_read_all(path, 1 << 24, &text, &why)) {
        rest = buf_str(&text);
        while (str_split(&rest, '\n', &line)) n += line.n && str_find(line, str_c(part)) < line.n;
    }
    buf_free(&text);
    return n;
}

static bool wait_lines(struct str path, const char *part, size_t want) {
    for (int i = 0; i < 400 && lines(path, part) < want; i++) clock_pause_ns(25 * NS_PER_MS);
    return lines(path, part) == want;
}

static void test_chains_and_ends(void) {
    char path[512];
    trail_open("chains");
    trail_fill(1, 500, 500);
    trail_fill(2, 3, 3);
    snprintf(path, sizeof path, "%.*s", STR_ARG(temp_path("chains.jsonl")));
    conf_file("a", str_c(path), "");
    struct audit_sinks *sinks = start();
    CHECK(wait_lines(str_c(path), "\"tenant\":1,", 501));
    CHECK(wait_lines(str_c(path), "\"tenant\":2,", 3));
    audit_sinks_end(sinks);
    CHECK_INT(trail_number("SELECT seq FROM audit_cursor WHERE sink = 'a' AND tenant_id = 1"), 501);
    trail_fill(1, 10, 10);
    sinks = start();
    CHECK(wait_lines(str_c(path), "\"tenant\":1,", 511));
    CHECK_INT(lines(str_c(path), "\"seq\":501,"), 1);
    audit_sinks_end(sinks);
    conf_set(NULL);
    trail_close();
}

static void test_changes(void) {
    char path[512], other[512];
    trail_open("changes");
    trail_fill(1, 5, 5);
    snprintf(path, sizeof path, "%.*s", STR_ARG(temp_path("not/there/yet.cef")));
    snprintf(other, sizeof other, "%.*s", STR_ARG(temp_path("other.cef")));
    conf_file("b", str_c(path), ", format: cef");
    struct audit_sinks *sinks = start();
    clock_pause_ns(300 * NS_PER_MS);
    REQUIRE(dir_make(temp_path("not/there"), 0700, &err));
    CHECK(wait_lines(str_c(path), "CEF:0|", 5));
    // Another place under the same name goes on where the first one ended; another name begins anew.
    conf_file("b", str_c(other), ", format: cef");
    trail_fill(1, 2, 2);
    CHECK(wait_lines(str_c(other), "CEF:0|", 2));
    conf_file("c", str_c(other), ", format: cef");
    CHECK(wait_lines(str_c(other), "CEF:0|", 9));
    conf_set("{}\n");
    clock_pause_ns(1500 * NS_PER_MS);
    trail_fill(1, 1, 1);
    audit_sinks_end(sinks);
    CHECK_INT(lines(str_c(other), "CEF:0|"), 9);
    conf_set(NULL);
    trail_close();
}

TEST_MAIN(test_chains_and_ends, test_changes)
