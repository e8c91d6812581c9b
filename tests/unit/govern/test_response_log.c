// Tests of govern/response_log.h: what is handed over is found at once, written at the end, bounded.
#include "check.h"
#include "temp_dir.h"

#include "base/mem.h"
#include "govern/response_log.h"
#include "os/clock.h"
#include "store/tenant.h"

#include <stdlib.h>

static struct err err;
static struct datadir dir;

static struct response_log *start(void) {
    struct response_log *log;
    REQUIRE(datadir_open(temp_path("response_log"), &dir, &err));
    REQUIRE(response_log_start(&(struct row_writer_options){.dir = &dir}, &log, &err));
    return log;
}

static void end(struct response_log *log) {
    response_log_end(log, UINT64_MAX);
    datadir_close(&dir);
}

static void put(struct response_log *log, const char *name, const char *previous, struct str answer) {
    struct response_row row = {.tenant = TENANT_DEFAULT,
                               .name = str_c(name),
                               .previous = str_c(previous),
                               .place = STR("user:1"),
                               .model = STR("m"),
                               .input = STR("{}"),
                               .answer = answer,
                               .created_at = clock_unix_ns(),
                               .expires_at = clock_unix_ns() + 3600 * (int64_t)NS_PER_SEC};
    response_log_put(log, &row);
}

static bool get(struct response_log *log, const char *name, const char *place, struct buf *out) {
    struct arena arena;
    struct response_row row;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    struct response_ask ask = {.tenant = TENANT_DEFAULT, .place = str_c(place), .name = str_c(name)};
    bool ok = response_log_get(log, &ask, &arena, &row, &err);
    buf_clear(out);
    if (ok) buf_put(out, row.answer);
    arena_free(&arena);
    return ok;
}

static void found_at_once(void) {
    struct response_log *log = start();
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    CHECK(!response_log_is_shared(log));
    for (int i = 0; i < 50; i++) {
        char name[20];
        snprintf(name, sizeof name, "resp_%d", i);
        put(log, name, "", STR("{\"a\":1}"));
        CHECK(get(log, name, "user:1", &out)); // no waiting in between
        CHECK_STR(buf_str(&out), STR("{\"a\":1}"));
    }
    CHECK(!get(log, "resp_1", "user:2", &out) && err.code == ERR_NOT_FOUND);
    struct response_ask ask = {.tenant = TENANT_DEFAULT, .place = STR("user:1"), .name = STR("resp_new")};
    put(log, "resp_new", "", STR("{}"));
    CHECK(response_log_delete(log, &ask, &err));
    CHECK(!response_log_delete(log, &ask, &err) && err.code == ERR_NOT_FOUND);
    end(log);
}

static void written_at_the_end(void) {
    struct response_log *log = start();
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    for (int i = 0; i < 200; i++) {
        char name[20];
        snprintf(name, sizeof name, "end_%d", i);
        put(log, name, i ? "end_0" : "", STR("{\"last\":1}"));
    }
    end(log);
    log = start();
    CHECK(get(log, "end_0", "user:1", &out) && get(log, "end_199", "user:1", &out));
    CHECK_STR(buf_str(&out), STR("{\"last\":1}"));
    end(log);
}

// What is too large is not kept, and nothing else suffers.
static void bounded(void) {
    struct response_log *log = start();
    BUF_AUTO struct buf out = BUF_INIT(1 << 20);
    size_t n = RESPONSES_WAITING_MAX + 1;
    char *large = mem_alloc(n);
    REQUIRE(large);
    memset(large, 'x', n);
    put(log, "large", "", str_of(large, n));
    put(log, "small", "", STR("{}"));
    CHECK(get(log, "small", "user:1", &out) && !get(log, "large", "user:1", &out));
    mem_free(large);
    end(log);
}

TEST_MAIN(found_at_once, written_at_the_end, bounded)
