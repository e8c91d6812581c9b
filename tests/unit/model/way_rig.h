// What tests of whole ways share: a request of one dialect written in another, and a stream of one told in another.
#ifndef TESTS_MODEL_WAY_RIG_H
#define TESTS_MODEL_WAY_RIG_H

#include "base/json_read.h"
#include "check.h"
#include "model/provider.h"
#include "model/translate.h"

#include <stdlib.h>

#define ROOM ((size_t)64 << 20)

// JSON is written with ' for " here.
static inline struct str quotes(struct arena *arena, const char *text) {
    char *p = arena_cstr(arena, str_c(text));
    REQUIRE(p);
    for (char *c = p; *c; c++)
        if (*c == '\'') *c = '"';
    return str_c(p);
}

// --- requests ---

struct asked {
    struct arena arena;
    struct buf out;
    struct chat_report report;
    struct err err;
    bool ok;
};

static inline void asked_free(struct asked *a) {
    buf_free(&a->out);
    arena_free(&a->arena);
}

static inline bool write_as(enum dialect from, struct str body, enum provider_kind kind, enum dialect to,
                            const char *model, struct asked *a) {
    const struct dialect_ops *client = dialect_get(from), *provider = dialect_get(to);
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = body, .model = STR("m"), .depth = 64};
    const struct chat_target target = {
        .model = str_c(model), .traits = provider_traits_get(kind), .report = &a->report};
    struct model_request request;
    struct chat chat;
    return client->peek(&in, &a->arena, &request, &a->err) && client->read(&request, &a->arena, &chat, &a->err) &&
           provider->write(&chat, &target, &a->arena, &a->out, &a->report, &a->err);
}

// The request of a client in one dialect for a provider of another. What is written is always JSON.
static inline struct asked ask_str(enum dialect from, enum provider_kind kind, enum dialect to, const char *model,
                                   struct str body) {
    struct asked a = {.out = BUF_INIT(ROOM)};
    struct err invalid;
    arena_init(&a.arena, NULL, 0, ROOM);
    a.ok = write_as(from, body, kind, to, model, &a);
    if (a.ok && !json_validate(buf_str(&a.out), 0, &invalid)) {
        fprintf(stderr, "written is no JSON: %s\n%.*s\n", invalid.message, STR_ARG(buf_str(&a.out)));
        CHECK(false);
    }
    return a;
}

static inline struct asked ask(enum dialect from, enum provider_kind kind, enum dialect to, const char *model,
                               const char *body) {
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    struct asked a = ask_str(from, kind, to, model, quotes(&arena, body));
    arena_free(&arena);
    return a;
}

static inline bool says(const struct asked *a, const char *text) {
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    bool found = str_find(buf_str(&a->out), quotes(&arena, text)) < a->out.n;
    arena_free(&arena);
    return found;
}

static inline struct str member(const struct asked *a, const char *name) {
    const struct str key = str_c(name);
    struct str raw;
    return json_get(buf_str(&a->out), &key, 1, &raw) ? raw : STR_NONE;
}

// --- answers ---

struct told {
    struct arena arena;
    struct chat chat;
    struct model_request request;
    struct chat_reply reply;
    struct buf out;
    bool ok, failed;
    struct usage usage;
};

static inline void told_init(struct told *t, enum dialect to, const char *body) {
    *t = (struct told){.out = BUF_INIT(ROOM)};
    arena_init(&t->arena, NULL, 0, ROOM);
    t->chat = (struct chat){.stream = true, .choices = 2};
    t->request =
        (struct model_request){.dialect = to, .body = quotes(&t->arena, body), .model = STR_INIT("m"), .stream = true};
    t->reply = (struct chat_reply){.id = STR_INIT("0000g00000000"),
                                   .model = STR_INIT("m"),
                                   .created = 1700000000,
                                   .wants_usage = true,
                                   .request = &t->request,
                                   .chat = &t->chat,
                                   .arena = &t->arena};
}

static inline void told_free(struct told *t) {
    buf_free(&t->out);
    arena_free(&t->arena);
}

static inline bool is_json(void *arg, const struct frame *frame, struct err *err) {
    size_t *frames = arg;
    ++*frames;
    return str_eq(frame->data, STR("[DONE]")) || json_validate(frame->data, 0, err);
}

// Every event that a client gets is one, and holds JSON.
static inline void check_events(const struct told *t, const struct dialect_ops *to) {
    struct framer f;
    struct err err;
    size_t frames = 0;
    bool lines = str_eq(to->stream_type, STR("application/x-ndjson"));
    framer_init(&f, lines ? FRAME_LINES : FRAME_SSE, ROOM);
    bool ok = framer_feed(&f, buf_str(&t->out), true, is_json, &frames, &err);
    CHECK(ok && frames > 0);
    if (!ok) fprintf(stderr, "to %.*s: %s\n%.*s\n", STR_ARG(to->name), err.message, STR_ARG(buf_str(&t->out)));
    framer_free(&f);
}

static inline void tell(struct told *t, enum dialect from, enum dialect to, struct str text, size_t max) {
    struct translator tr;
    struct err err;
    REQUIRE(translator_init(&tr, dialect_get(from), dialect_get(to), &t->reply, max, &t->arena, &err));
    t->ok = translator_feed(&tr, text, true, &err);
    if (!t->ok) {
        struct chat_failure failure = chat_failure_of_err(&err, &t->arena);
        translator_fail(&tr, &failure);
    }
    t->failed = tr.failed;
    t->usage = tr.usage;
    buf_put(&t->out, buf_str(&tr.out));
    translator_free(&tr);
    check_events(t, dialect_get(to));
}

static inline bool has(const struct told *t, const char *text) {
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    bool found = str_find(buf_str(&t->out), quotes(&arena, text)) < t->out.n;
    arena_free(&arena);
    return found;
}

#endif
