// Replays a recorded stream through a translator, whole and cut, for tests of dialects.
#ifndef TESTS_MODEL_STREAM_CHECK_H
#define TESTS_MODEL_STREAM_CHECK_H

#include "base/mem.h"
#include "check.h"
#include "model/translate.h"

#include <stdlib.h>

// The file's bytes, appended; tests run in the root of the sources.
static UNUSED void stream_load(const char *path, struct buf *out) {
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;
    if (!f) fprintf(stderr, "cannot read %s\n", path);
    REQUIRE(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) buf_append(out, piece, n);
    fclose(f);
}

static const struct model_request k_stream_request = {.body = STR_INIT("{}"), .stream = true};

// Fed in two pieces, the first of `cut` bytes; cut 0: byte by byte. False: what came is no stream.
static UNUSED bool stream_translate(const struct dialect_ops *from, const struct dialect_ops *to, struct str data,
                                    size_t cut, struct buf *out, struct usage *out_usage, struct err *err) {
    struct arena arena;
    struct translator t;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    struct chat_reply reply = {.id = STR("0000g00000000"),
                               .model = STR("m"),
                               .created = 1700000000,
                               .wants_usage = true,
                               .elapsed_ns = 5000000,
                               .request = &k_stream_request,
                               .arena = &arena};
    REQUIRE(translator_init(&t, from, to, &reply, 1 << 20, &arena, err));
    bool ok = true;
    size_t at = 0;
    while (ok && at < data.n) {
        size_t n = cut == 0 ? 1 : at == 0 && cut < data.n ? cut : data.n - at;
        ok = translator_feed(&t, str_of(data.p + at, n), at + n == data.n, err);
        at += n;
        buf_put(out, buf_str(&t.out));
        buf_clear(&t.out);
    }
    if (out_usage) *out_usage = t.usage;
    translator_free(&t);
    arena_free(&arena);
    return ok;
}

// Whatever the network cuts, what the client gets is the same.
static UNUSED void stream_check_cuts(const struct dialect_ops *from, const struct dialect_ops *to, struct str data,
                                     struct str want) {
    struct err err;
    BUF_AUTO struct buf got = BUF_INIT(1 << 22);
    for (size_t cut = 0; cut < data.n; cut++) {
        buf_clear(&got);
        REQUIRE(stream_translate(from, to, data, cut, &got, NULL, &err));
        if (!str_eq(buf_str(&got), want)) fprintf(stderr, "cut at %zu differs\n", cut);
        REQUIRE(str_eq(buf_str(&got), want));
    }
}

// Every line is JSON.
static UNUSED void stream_check_lines(struct str text) {
    struct str line;
    struct err err;
    while (text.n && str_split(&text, '\n', &line))
        if (line.n) CHECK(json_validate(line, 0, &err));
}

#endif
