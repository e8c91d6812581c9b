// Tests that every recorded stream becomes the same bytes in every client's dialect wherever the network cuts it.
#include "check.h"
#include "model/translate.h"

#include <dirent.h>
#include <stdlib.h>

#define MAX_EVENT ((size_t)1 << 20)
#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer)
#define STEP 13 // what sanitizers look for does not need every place
#else
#define STEP 1
#endif

struct fixture {
    const struct dialect_ops *from;
    struct str text;
};

static struct str load(const char *path) {
    FILE *f = fopen(path, "rb");
    static char buffer[1 << 20];
    size_t n = f ? fread(buffer, 1, sizeof buffer, f) : 0;
    if (f) fclose(f);
    char *p = malloc(n + 1);
    memcpy(p, buffer, n);
    return str_of(p, n);
}

// The stream in two pieces, the first of n bytes; what the client gets, its failure's end included.
static void translate(const struct fixture *fx, const struct dialect_ops *to, size_t n, struct buf *out) {
    struct arena arena;
    struct translator t;
    struct err err;
    arena_init(&arena, NULL, 0, (size_t)16 << 20);
    struct chat chat = {.stream = true};
    struct model_request request = {.dialect = to->dialect, .body = STR("{}"), .model = STR("m"), .stream = true};
    const struct chat_reply reply = {.id = STR("0000g00000000"),
                                     .model = STR("m"),
                                     .created = 1700000000,
                                     .wants_usage = true,
                                     .prompt_estimate = 7,
                                     .request = &request,
                                     .chat = &chat,
                                     .arena = &arena};
    REQUIRE(translator_init(&t, fx->from, to, &reply, MAX_EVENT, &arena, &err));
    if (!translator_feed(&t, str_head(fx->text, n), false, &err) ||
        !translator_feed(&t, str_from(fx->text, n), true, &err)) {
        struct chat_failure failure = chat_failure_of_err(&err, &arena);
        translator_fail(&t, &failure);
    }
    buf_put(out, buf_str(&t.out));
    translator_free(&t);
    arena_free(&arena);
}

static void check_fixture(const struct fixture *fx, const char *name) {
    for (unsigned i = 0; i < DIALECT_COUNT; i++) {
        const struct dialect_ops *to = dialect_get((enum dialect)i);
        if (!to->encoder_init) continue;
        BUF_AUTO struct buf wanted = BUF_INIT((size_t)16 << 20), got = BUF_INIT((size_t)16 << 20);
        int before = g_check_failures;
        translate(fx, to, fx->text.n, &wanted);
        CHECK(wanted.n > 0);
        for (size_t n = 0; n < fx->text.n && g_check_failures == before; n += STEP) {
            buf_clear(&got);
            translate(fx, to, n, &got);
            CHECK_STR(buf_str(&got), buf_str(&wanted));
        }
        if (g_check_failures != before) fprintf(stderr, "of %s in %.*s's dialect\n", name, STR_ARG(to->name));
    }
}

static size_t check_folder(const char *folder, const struct dialect_ops *from) {
    char path[4096];
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        struct str name = str_c(e->d_name);
        bool stream = str_ends(name, STR(".sse")) || str_ends(name, STR(".ndjson")) || str_ends(name, STR(".bin"));
        if (!stream) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        struct fixture fx = {from, load(path)};
        check_fixture(&fx, path);
        free((void *)(uintptr_t)fx.text.p);
        n++;
    }
    if (dir) closedir(dir);
    return n;
}

static void every_pair(void) {
    size_t fixtures = 0;
    for (unsigned i = 0; i < DIALECT_COUNT; i++) {
        const struct dialect_ops *from = dialect_get((enum dialect)i);
        char folder[256];
        snprintf(folder, sizeof folder, "tests/data/streams/%.*s", STR_ARG(from->name));
        if (from->decode) fixtures += check_folder(folder, from);
    }
    CHECK(fixtures >= 20);
}

TEST_MAIN(every_pair)
