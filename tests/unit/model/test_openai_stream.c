// Streams in OpenAI's dialect, as its vendors send them: what events they become, and that these make a stream again;
// the same wherever the network cuts them.
//
// The events of tests/data/streams/openai/NAME.sse stand in NAME.events: UPDATE_EXPECTED=1 writes them.
#include "check.h"
#include "event_text.h"
#include "model/chat_order.h"
#include "model/openai/openai.h"
#include "model/translate.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/data/streams/openai/"
#define MAX_EVENT ((size_t)1 << 20)

static bool file_read(const char *path, struct buf *out) {
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;
    if (!f) return false;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) buf_append(out, piece, n);
    fclose(f);
    return true;
}

static void file_write(const char *path, struct str text) {
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(text.p, 1, text.n, f) == text.n);
    fclose(f);
}

// --- into events ---

struct decoding {
    struct framer framer;
    struct chat_order order;
    struct event_text text;
    void *decoder;
};

static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    struct decoding *d = arg;
    return dialect_get(DIALECT_OPENAI)->decode(d->decoder, frame, &d->order.sink, err);
}

static bool feed(struct decoding *d, struct str data, bool last) {
    struct err err;
    bool ok = framer_feed(&d->framer, data, last, on_frame, d, &err);
    if (!ok) buf_printf(&d->text.text, "error %s\n", err.message);
    return ok;
}

// The stream cut at `cut` (and then byte by byte when `each`), as text.
static void decode(struct str data, size_t cut, bool each, struct buf *out) {
    const struct dialect_ops *ops = dialect_get(DIALECT_OPENAI);
    struct decoding d = {.decoder = calloc(1, ops->decoder_size)};
    event_text_init(&d.text);
    framer_init(&d.framer, ops->frames, MAX_EVENT);
    chat_order_init(&d.order, &d.text.sink, CHAT_CHOICES_MAX, MAX_EVENT);
    ops->decoder_init(d.decoder);
    bool ok = feed(&d, str_head(data, cut), false);
    data = str_from(data, cut);
    while (ok && each && data.n) {
        ok = feed(&d, str_head(data, 1), false);
        data = str_from(data, 1);
    }
    if (ok && feed(&d, data, true)) ops->decode_end(d.decoder, &d.order.sink);
    chat_order_end(&d.order);
    buf_put(out, buf_str(&d.text.text));
    chat_order_free(&d.order);
    framer_free(&d.framer);
    buf_free(&d.text.text);
    free(d.decoder);
}

// --- into a stream again ---

static const struct chat_reply k_reply = {
    .id = STR_INIT("0000g00000000"), .model = STR_INIT("a \"model\""), .created = 1700000000, .wants_usage = true};

static void translate(struct str data, size_t cut, bool each, struct buf *out) {
    const struct dialect_ops *ops = dialect_get(DIALECT_OPENAI);
    struct arena arena;
    struct translator t;
    struct chat_reply reply = k_reply;
    struct err err;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    reply.arena = &arena;
    REQUIRE(translator_init(&t, ops, ops, &reply, MAX_EVENT, &arena, &err));
    bool ok = translator_feed(&t, str_head(data, cut), false, &err);
    data = str_from(data, cut);
    while (ok && each && data.n) {
        ok = translator_feed(&t, str_head(data, 1), false, &err);
        data = str_from(data, 1);
    }
    ok = ok && translator_feed(&t, data, true, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    CHECK(ok);
    buf_put(out, buf_str(&t.out));
    translator_free(&t);
    arena_free(&arena);
}

// Two calls, whole, for a client of the older functions: one of them, without an id.
static void test_old_functions(void) {
    static const struct chat k_old = {.old_functions = true};
    struct str body = STR("{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":["
                          "{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
                          "{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
                          "\"finish_reason\":\"tool_calls\"}]}");
    const struct dialect_ops *ops = dialect_get(DIALECT_OPENAI);
    BUF_AUTO struct buf out = BUF_INIT(65536);
    struct chat_reply reply = k_reply;
    struct arena arena;
    struct usage usage;
    bool has_usage;
    struct err err;
    arena_init(&arena, NULL, 0, SIZE_MAX);
    reply.arena = &arena;
    reply.chat = &k_old;
    REQUIRE(translate_answer(ops, ops, &reply, body, &arena, &out, &usage, &has_usage, &err));
    CHECK(str_find(buf_str(&out), STR("\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}},\"logprobs\":null,"
                                      "\"finish_reason\":\"function_call\"}")) < out.n);
    CHECK(str_find(buf_str(&out), STR("tool_calls")) == out.n);
    struct openai_encoder to;
    buf_clear(&out);
    openai_encoder_init(&to.sink, &reply, &out);
    for (unsigned i = 0; i < 2; i++) {
        struct str name = i ? STR("g") : STR("f");
        chat_emit(&to.sink,
                  &(struct chat_event){
                      .kind = CHAT_PART_BEGIN, .part = i, .part_kind = CHAT_TOOL_CALL, .id = name, .name = name});
        chat_emit(&to.sink,
                  &(struct chat_event){.kind = CHAT_DELTA, .part = i, .part_kind = CHAT_TOOL_CALL, .text = STR("{}")});
        chat_emit(&to.sink, &(struct chat_event){.kind = CHAT_PART_END, .part = i, .part_kind = CHAT_TOOL_CALL});
    }
    chat_emit(&to.sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = CHAT_FINISH_TOOLS});
    struct str told = buf_str(&out);
    CHECK(str_find(told, STR("{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}")) < told.n);
    CHECK(str_find(told, STR("{\"function_call\":{\"arguments\":\"{}\"}}")) < told.n);
    CHECK(str_find(told, STR("\"g\"")) == told.n);
    CHECK(str_find(told, STR("\"finish_reason\":\"function_call\"")) < told.n);
    arena_free(&arena);
}

static void check_cuts(const char *name, struct str data, void (*make)(struct str, size_t, bool, struct buf *)) {
    BUF_AUTO struct buf whole = BUF_INIT(SIZE_MAX), piece = BUF_INIT(SIZE_MAX);
    make(data, data.n, false, &whole);
    for (size_t cut = 0; cut <= data.n; cut++) {
        buf_clear(&piece);
        make(data, cut, false, &piece);
        bool same = str_eq(buf_str(&piece), buf_str(&whole));
        if (!same) fprintf(stderr, "%s cut at %zu\n", name, cut);
        CHECK(same);
    }
    buf_clear(&piece);
    make(data, 0, true, &piece);
    CHECK_STR(buf_str(&piece), buf_str(&whole));
}

static bool has_line(struct str text, const char *word) { return str_find(text, str_c(word)) < text.n; }

// Without what differs when a stream is read again: ids and models are ours then, and usage comes last.
static void essence(struct str text, struct buf *out) {
    struct str line;
    while (str_split(&text, '\n', &line)) {
        if (str_starts(line, STR("answer ")) || str_starts(line, STR("usage "))) continue;
        buf_put(out, line);
        buf_putc(out, '\n');
    }
}

static void check_fixture(const char *name) {
    char path[512];
    BUF_AUTO struct buf data = BUF_INIT(SIZE_MAX), wanted = BUF_INIT(SIZE_MAX), events = BUF_INIT(SIZE_MAX);
    BUF_AUTO struct buf again = BUF_INIT(SIZE_MAX), second = BUF_INIT(SIZE_MAX);
    snprintf(path, sizeof path, FOLDER "%s", name);
    REQUIRE(file_read(path, &data));
    decode(buf_str(&data), data.n, false, &events);
    snprintf(path, sizeof path, FOLDER "%.*s.events", (int)(strlen(name) - 4), name);
    if (getenv("UPDATE_EXPECTED")) file_write(path, buf_str(&events));
    REQUIRE(file_read(path, &wanted));
    CHECK_STR(buf_str(&events), buf_str(&wanted));
    check_cuts(name, buf_str(&data), decode);
    check_cuts(name, buf_str(&data), translate);
    // What is encoded says the same when it is read again.
    translate(buf_str(&data), data.n, false, &again);
    decode(buf_str(&again), again.n, false, &second);
    BUF_AUTO struct buf a = BUF_INIT(SIZE_MAX), b = BUF_INIT(SIZE_MAX);
    if (has_line(buf_str(&events), "fail ")) return;
    essence(buf_str(&events), &a);
    essence(buf_str(&second), &b);
    if (!str_eq(buf_str(&a), buf_str(&b))) fprintf(stderr, "%s\n%.*s\n", name, STR_ARG(buf_str(&again)));
    CHECK_STR(buf_str(&b), buf_str(&a));
}

static void test_fixtures(void) {
    DIR *dir = opendir(FOLDER);
    struct dirent *entry;
    int n = 0;
    REQUIRE(dir);
    while ((entry = readdir(dir))) {
        if (!str_ends(str_c(entry->d_name), STR(".sse"))) continue;
        check_fixture(entry->d_name);
        n++;
    }
    closedir(dir);
    CHECK(n > 30);
}

TEST_MAIN(test_fixtures, test_old_functions)
